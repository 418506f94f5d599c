/* SPDX-License-Identifier: BSD-3-Clause
 * halo_pack.tmpl.h - packs the sub-image a block looks at (shape/halo.h), with its border.
 *
 * Stride, padding and the caller's strides end here: no other kernel knows them. Every input
 * element of the block is read once and written once. */

CC_ALWAYS_INLINE void CC_K(fill)(T *y, int64_t n, double value) {
  const T element = CC_K(number)(value);
#if CC_VECTOR_BYTES == 64
  const V all = v_splat(element);
  for (; n >= VL; n -= VL, y += VL)
    v_store(y, all);
  if (n > 0)
    v_store_part(y, n, all);
#else
  for (int64_t j = 0; j < n; j++)
    y[j] = element;
#endif
}

/* Steps that cover n > 0 indices. A division takes as long as copying a short row: few steps need one. */
CC_ALWAYS_INLINE int64_t CC_K(steps)(int64_t n, int64_t step) {
  return step == 1 ? n : step == 2 ? (n - 1) / 2 + 1 : (n - 1) / step + 1;
}

/* Packed elements [*low, *high) of an axis lie inside the input when element 0 is index `first`. */
CC_ALWAYS_INLINE void CC_K(inside)(int64_t first, int64_t step, int64_t end, int64_t length, int64_t *low,
                                   int64_t *high) {
  int64_t before = first < 0 ? CC_K(steps)(-first, step) : 0;
  int64_t below = first < end ? CC_K(steps)(end - first, step) : 0;
  *high = below < length ? below : length;
  *low = before < *high ? before : *high;
}

/* The index that stands for i along an axis, -1 for the fill. */
CC_ALWAYS_INLINE int64_t CC_K(mapped)(const cc_halo_pack_job *job, int axis, int64_t i) {
  if (i >= 0 && i < job->end[axis])
    return i;
  return job->map[axis] == CCONV_PADDING_CONSTANT ? -1 : cc_index_map(job->map[axis], i, job->end[axis]);
}

/* Elements [from, to) of a packed row, all outside the input's row x. */
CC_ALWAYS_INLINE void CC_K(border)(const cc_halo_pack_job *job, T *y, const char *x, int64_t w0, int64_t from,
                                   int64_t to) {
  if (job->map[2] == CCONV_PADDING_CONSTANT) {
    CC_K(fill)(y + from, to - from, job->fill);
    return;
  }
  for (int64_t w = from; w < to; w++)
    CC_K(read_row)(y + w, x + CC_K(mapped)(job, 2, w0 + w * job->step[2]) * job->stride[2], 0, 1, job->source);
}

/* The index at which phase i of an axis begins. */
CC_ALWAYS_INLINE int64_t CC_K(phase_first)(const cc_halo_pack_job *job, int axis, int64_t i) {
  const int64_t at = i * job->dilation[axis], step = job->step[axis];
  return job->first[axis] + (at < step ? at : step == 2 ? at % 2 : at % step); /* as in steps() */
}

/* Rows of at most a vector, `pitch` apart, whose elements [low, high) are x's as they are: of small images, where
 * what is asked for every row takes longer than the row. */
static CC_NOINLINE void CC_K(pack_short_rows)(T *y, int64_t pitch, const char *x, int64_t stride, int64_t rows,
                                              int64_t low, int64_t high, int64_t row, T fill) {
  for (; rows > 0; rows--, y += pitch, x += stride) {
    for (int64_t w = 0; w < low; w++)
      y[w] = fill;
    v_store_part(y + low, high - low, v_load_part(x, high - low));
    for (int64_t w = high; w < row; w++)
      y[w] = fill;
  }
}

/* The same of rows with at least a vector of x's elements. */
static CC_NOINLINE void CC_K(pack_long_rows)(T *y, int64_t pitch, const char *x, int64_t stride, int64_t rows,
                                             int64_t low, int64_t high, int64_t row, T fill) {
  const int64_t size = sizeof(T), last = high - low - VL;
  for (; rows > 0; rows--, y += pitch, x += stride) {
    for (int64_t w = 0; w < low; w++)
      y[w] = fill;
    for (int64_t w = 0; w < last; w += VL)
      v_store(y + low + w, v_load(x + w * size));
    v_store(y + low + last, v_load(x + last * size));
    for (int64_t w = high; w < row; w++)
      y[w] = fill;
  }
}

#if CC_FLOATING && CC_VECTOR_BYTES > 16
/* x[2 j] for j in [from, to), and of fill the others; what lies between them is read, what is behind the last is not. */
CC_ALWAYS_INLINE V CC_K(even_between)(const char *x, int64_t from, int64_t to, V fill) {
  return v_even(v_load_between(x, 2 * from, 2 * to - 1, fill),
                v_load_between(x + VL * (int64_t)sizeof(T), 2 * from - VL, 2 * to - 1 - VL, fill));
}

/* Rows of n elements, `pitch` apart, whose elements [low, high) are every other of x's, 2 low from x on. */
static CC_NOINLINE void CC_K(pack_even_rows)(T *y, int64_t pitch, const char *x, int64_t stride, int64_t rows,
                                             int64_t low, int64_t high, int64_t n, T value) {
  const V fill = v_splat(value);
  const int64_t size = sizeof(T), last = (n - 1) / VL * VL;
  if (last == 0) /* a loop of its own: the lanes are found out once for all rows */
    for (; rows > 0; rows--, y += pitch, x += stride)
      v_store_part(y, n, CC_K(even_between)(x, low, high, fill));
  else
    for (; rows > 0; rows--, y += pitch, x += stride) {
      v_store(y, CC_K(even_between)(x, low, high, fill));
      for (int64_t w = VL; w < last; w += VL) {
        const char *from = x + 2 * w * size;
        v_store(y + w, w >= low && w + VL < high ? v_even(v_load(from), v_load(from + VL * size))
                                                 : CC_K(even_between)(from, low - w, high - w, fill));
      }
      v_store_part(y + last, n - last, CC_K(even_between)(x + 2 * last * size, low - last, high - last, fill));
    }
}
#endif

/* Phase (i, j, l) of one channel. Rows are written in order and in full: what they share is fill. */
CC_ALWAYS_INLINE void CC_K(pack_phase)(const cc_halo_pack_job *job, const char *x, T *target, int64_t i, int64_t j,
                                       int64_t l) {
  const int64_t *step = job->step, *length = job->length, *stride = job->stride;
  const int64_t d0 = CC_K(phase_first)(job, 0, i), h0 = CC_K(phase_first)(job, 1, j);
  const int64_t w0 = CC_K(phase_first)(job, 2, l);
  const int64_t row = length[2];
  int64_t low, high, top = length[1], bottom = length[1]; /* rows [top, bottom) are packed together */
  CC_K(inside)(w0, step[2], job->end[2], row, &low, &high);
  const int64_t apart = high - low > 1 ? step[2] * stride[2] : 0; /* a lone element's step may not fit */
  const bool lone = high - low == 1, as_is = CC_K(reads_as_is)(job->source);
#if CC_FLOATING && CC_VECTOR_BYTES > 16
  const bool even = !lone && apart == 2 * (int64_t)sizeof(T);
#else
  const bool even = false;
#endif
  if (low < high && ((row <= VL && lone) || apart == sizeof(T) || even) && (row <= VL || even || high - low >= VL) &&
      as_is && job->map[2] == CCONV_PADDING_CONSTANT)
    CC_K(inside)(h0, step[1], job->end[1], length[1], &top, &bottom);
  for (int64_t d = 0; d < length[0]; d++) {
    const int64_t id = CC_K(mapped)(job, 0, d0 + d * step[0]);
    for (int64_t h = 0; h < length[1]; h++) {
      const int64_t ih = CC_K(mapped)(job, 1, h0 + h * step[1]);
      T *y = target + (d * job->pitch[1] + h) * job->pitch[2];
      if (id < 0 || ih < 0) {
        CC_K(fill)(y, row, job->fill);
        continue;
      }
      const char *from = x + id * stride[0] + ih * stride[1];
      if (h == top && top < bottom) {
        const int64_t down = bottom - top > 1 ? step[1] * stride[1] : 0;
        const T fill = CC_K(number)(job->fill);
#if CC_FLOATING && CC_VECTOR_BYTES > 16
        if (even)
          CC_K(pack_even_rows)(y, job->pitch[2], from + w0 * stride[2], down, bottom - top, low, high, row, fill);
        else
#endif
          (row <= VL ? CC_K(pack_short_rows) : CC_K(pack_long_rows))(
              y, job->pitch[2], from + (w0 + low * step[2]) * stride[2], down, bottom - top, low, high, row, fill);
        h = bottom - 1;
        continue;
      }
      CC_K(border)(job, y, from, w0, 0, low);
      if (low < high)
        CC_K(read_row)(y + low, from + (w0 + low * step[2]) * stride[2], apart, high - low, job->source);
      CC_K(border)(job, y, from, w0, high, row);
    }
  }
}

#if CC_FLOATING
/* The same for the channels of pixels, which lie side by side: one by one each would touch every line again. */
CC_ALWAYS_INLINE void CC_K(pack_pixels)(const cc_halo_pack_job *job, const char *x, int64_t channels, T *target,
                                        int64_t i, int64_t j, int64_t l) {
  const int64_t *step = job->step, *length = job->length;
  const int64_t d0 = job->first[0] + i * job->dilation[0] % step[0];
  const int64_t h0 = job->first[1] + j * job->dilation[1] % step[1];
  const int64_t w0 = job->first[2] + l * job->dilation[2] % step[2];
  int64_t low, high;
  CC_K(inside)(w0, step[2], job->end[2], length[2], &low, &high);
  const int64_t apart = high - low > 1 ? step[2] * job->stride[2] : 0;
  for (int64_t d = 0; d < length[0]; d++) {
    const int64_t id = CC_K(mapped)(job, 0, d0 + d * step[0]);
    for (int64_t h = 0; h < length[1]; h++) {
      const int64_t ih = CC_K(mapped)(job, 1, h0 + h * step[1]);
      T *y = target + (d * job->pitch[1] + h) * job->pitch[2];
      const bool outside = id < 0 || ih < 0;
      const char *from = outside ? x : x + id * job->stride[0] + ih * job->stride[1];
      for (int64_t c = 0; c < channels; c++) {
        T *row = y + c * job->channel_pitch;
        if (outside) {
          CC_K(fill)(row, length[2], job->fill);
        } else {
          CC_K(border)(job, row, from + c * job->channel_stride, w0, 0, low);
          CC_K(border)(job, row, from + c * job->channel_stride, w0, high, length[2]);
        }
      }
      if (!outside && low < high)
        CC_K(transpose)(&(cc_transpose_job){.source = from + (w0 + low * step[2]) * job->stride[2],
                                            .stride = apart,
                                            .rows = high - low,
                                            .n = channels,
                                            .target = y + low,
                                            .ldt = job->channel_pitch});
    }
  }
}

static CC_NOINLINE void CC_K(halo_pack_pixels)(const cc_halo_pack_job *job) {
  for (int64_t c = 0; c < job->channels; c += VL) {
    T *y = (T *)job->target + c * job->channel_pitch;
    for (int64_t i = 0; i < job->phases[0]; i++)
      for (int64_t j = 0; j < job->phases[1]; j++)
        for (int64_t l = 0; l < job->phases[2]; l++, y += job->phase_pitch)
          CC_K(pack_pixels)(job, job->input + c * job->channel_stride, job->channels - c < VL ? job->channels - c : VL,
                            y, i, j, l);
  }
}
#endif

static void CC_K(halo_pack)(const cc_halo_pack_job *job) {
#if CC_FLOATING
  if (job->channels > 1 && job->channel_stride == (int64_t)sizeof(T) && CC_K(is_native)(job->source)) {
    CC_K(halo_pack_pixels)(job);
    return;
  }
#endif
  for (int64_t c = 0; c < job->channels; c++) {
    const char *x = job->input + c * job->channel_stride;
    T *y = (T *)job->target + c * job->channel_pitch;
    for (int64_t i = 0; i < job->phases[0]; i++)
      for (int64_t j = 0; j < job->phases[1]; j++)
        for (int64_t l = 0; l < job->phases[2]; l++, y += job->phase_pitch)
          CC_K(pack_phase)(job, x, y, i, j, l);
  }
}
