/* SPDX-License-Identifier: BSD-3-Clause
 * tiles.tmpl.h - Fourier transforms of tiles, along columns and along rows. See cc_fft_columns_job, cc_fft_rows_job. */

/* Neighbouring columns of x and the scratch, as places. */
CC_ALWAYS_INLINE CC_K(fft_place) CC_K(fft_scratch)(void *scratch) {
  return (CC_K(fft_place)){.x = scratch, .step = 2 * VL, .im = VL};
}

/* to = from times the factors of a line's column vector c, or their conjugates */
CC_ALWAYS_INLINE void CC_K(fft_between)(const cc_fft_columns_job *job, int64_t c, CC_K(fft_place) from,
                                        CC_K(fft_place) to, const bool back) {
  const T *lanes = job->tables->lanes, *step = (const T *)job->tables->steps + 2 * c;
  for (int64_t r = 0; r < job->size[0]; r++, lanes += 2 * VL, step += 2 * (job->size[1] / VL)) {
    const VC w = c_times(c_load(lanes, VL), v_splat(step[0]), v_splat(step[1]), false);
    c_store(to.x + r * to.step, to.im, c_times(c_load(from.x + r * from.step, from.im), w.re, w.im, back));
  }
}

static void CC_K(fft_columns)(const cc_fft_columns_job *job) {
  const int64_t n = job->size[0];
  const T *twiddles = job->tables->twiddles[0];
  const CC_K(fft_place) within = CC_K(fft_scratch)(job->scratch);
  int64_t last = n; /* the radix without twiddles */
  while (last > 8)
    last /= CC_K(fft_radix)(last);
  for (int64_t c = 0; c < job->columns; c += VL) {
    const CC_K(fft_place) place = {.x = (T *)job->x + c, .step = job->size[1], .im = n * job->size[1]};
    if (!job->back) {
      CC_K(fft_forth)(place, within, n, twiddles);
      CC_K(fft_ends)(within, job->line ? within : place, n, last);
      if (job->line)
        CC_K(fft_between)(job, c / VL, within, place, false);
    } else {
      if (job->line)
        CC_K(fft_between)(job, c / VL, place, within, true);
      CC_K(fft_begins)(job->line ? within : place, within, n, last);
      CC_K(fft_back)(within, place, n, last, twiddles);
    }
  }
}

/* VL rows of a plane of x, n elements each, and every other vector of y: one becomes the other. */
static CC_NOINLINE void CC_K(fft_turn_rows)(const T *x, int64_t pitch, T *y, int64_t n) {
  for (int64_t j = 0; j < n; j += VL) {
    V r[VL];
    CC_UNROLL
    for (int i = 0; i < VL; i++)
      r[i] = v_load(x + i * pitch + j);
    CC_K(transpose_vectors)(r);
    CC_UNROLL
    for (int i = 0; i < VL; i++)
      v_store(y + (j + i) * 2 * VL, r[i]);
  }
}

static CC_NOINLINE void CC_K(fft_turn_back)(const T *y, T *x, int64_t pitch, int64_t n) {
  for (int64_t j = 0; j < n; j += VL) {
    V r[VL];
    CC_UNROLL
    for (int i = 0; i < VL; i++)
      r[i] = v_load(y + (j + i) * 2 * VL);
    CC_K(transpose_vectors)(r);
    CC_UNROLL
    for (int i = 0; i < VL; i++)
      v_store(x + i * pitch + j, r[i]);
  }
}

/* The last step, the product with a spectrum's conjugate and with scale, and the first step back. */
CC_ALWAYS_INLINE void CC_K(fft_multiply)(T *x, const T *spectrum, int64_t n, T scale, const int r) {
  const V by = v_splat(scale);
  for (int64_t first = 0; first < n; first += r, x += r * 2 * VL, spectrum += r * 2 * VL) {
    VC a[8];
    CC_UNROLL
    for (int i = 0; i < r; i++)
      a[i] = c_load(x + i * 2 * VL, VL);
    CC_K(fft_of)(a, r, false);
    CC_UNROLL
    for (int i = 0; i < r; i++) {
      const VC w = c_load(spectrum + i * 2 * VL, VL), product = c_times(a[i], w.re, w.im, true);
      a[i] = (VC){product.re * by, product.im * by};
    }
    CC_K(fft_of)(a, r, true);
    CC_UNROLL
    for (int i = 0; i < r; i++)
      c_store(x + i * 2 * VL, VL, a[i]);
  }
}

static CC_NOINLINE void CC_K(fft_product)(T *x, const T *spectrum, int64_t n, T scale, int64_t r) {
  if (r == 4)
    CC_K(fft_multiply)(x, spectrum, n, scale, 4);
  else
    CC_K(fft_multiply)(x, spectrum, n, scale, 8);
}

static void CC_K(fft_rows)(const cc_fft_rows_job *job) {
  const int64_t n = job->size[1], plane = job->size[0] * n;
  const T *twiddles = job->tables->twiddles[1];
  for (int64_t r = 0; r < job->size[0]; r += VL) {
    T *x = (T *)job->x + r * n, *spectrum = (T *)job->spectrum + 2 * r * n;
    const CC_K(fft_place) within = CC_K(fft_scratch)(job->make ? spectrum : job->scratch);
    CC_K(fft_turn_rows)(x, n, within.x, n);
    CC_K(fft_turn_rows)(x + plane, n, within.x + VL, n);
    const int64_t last = CC_K(fft_forth)(within, within, n, twiddles);
    if (job->make) {
      CC_K(fft_ends)(within, within, n, last);
      continue;
    }
    CC_K(fft_product)(within.x, spectrum, n, (T)job->scale, last);
    CC_K(fft_back)(within, within, n, last, twiddles);
    CC_K(fft_turn_back)(within.x, x, n, n);
    CC_K(fft_turn_back)(within.x + VL, x + plane, n, n);
  }
}

#undef VC
#undef c_load
#undef c_store
#undef c_times
