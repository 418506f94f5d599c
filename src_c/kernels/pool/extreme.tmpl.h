/* SPDX-License-Identifier: BSD-3-Clause
 * extreme.tmpl.h - the greatest or least of several rows, element by element: one pass of a separable extreme.
 *
 * Numbers of rows that are known to the compiler gain a twentieth at most, so none are.
 *
 * Law: of equal elements the right one stays, of NaNs the left one. So an extreme of extremes is that
 * of all of them in sequence, however they were grouped and wherever groups overlap. */

enum { CC_K(EXTREME_VECTORS) = 4 }; /* at once: a pointer is loaded once for so many vectors */

CC_ALWAYS_INLINE V CC_K(extreme_of)(V a, V b, const bool least) { return least ? v_min_nan(a, b) : v_max_nan(a, b); }

/* nv vectors `at` bytes behind every row's start; y is where they go. */
CC_ALWAYS_INLINE void CC_K(extreme_vectors)(const cc_extreme_job *job, int64_t at, char *y, const int nv,
                                            const bool least) {
  V acc[CC_K(EXTREME_VECTORS)];
  CC_UNROLL
  for (int j = 0; j < nv; j++)
    acc[j] = v_load(job->x[0] + at + j * CC_VECTOR_BYTES);
  if (job->more) {
    CC_UNROLL
    for (int j = 0; j < nv; j++)
      acc[j] = CC_K(extreme_of)(v_load(y + j * CC_VECTOR_BYTES), acc[j], least);
  }
  for (int32_t i = 1; i < job->taps; i++) {
    CC_UNROLL
    for (int j = 0; j < nv; j++)
      acc[j] = CC_K(extreme_of)(acc[j], v_load(job->x[i] + at + j * CC_VECTOR_BYTES), least);
  }
  CC_UNROLL
  for (int j = 0; j < nv; j++)
    v_store(y + j * CC_VECTOR_BYTES, acc[j]);
}

/* A row shorter than a vector. */
CC_ALWAYS_INLINE void CC_K(extreme_part)(const cc_extreme_job *job, int64_t at, char *y, const bool least) {
  V acc = v_load_part(job->x[0] + at, job->n);
  if (job->more)
    acc = CC_K(extreme_of)(v_load_part(y, job->n), acc, least);
  for (int32_t i = 1; i < job->taps; i++)
    acc = CC_K(extreme_of)(acc, v_load_part(job->x[i] + at, job->n), least);
  v_store_part(y, job->n, acc);
}

/* The last vector of a row ends where the row does: what it shares with the one before is the same twice. */
CC_ALWAYS_INLINE void CC_K(extreme_rows)(const cc_extreme_job *job, int64_t x, char *y, const bool least) {
  const int64_t n = job->n * (int64_t)sizeof(T), step = CC_K(EXTREME_VECTORS) * CC_VECTOR_BYTES;
  int64_t j = 0;
  for (; j + step <= n; j += step)
    CC_K(extreme_vectors)(job, x + j, y + j, CC_K(EXTREME_VECTORS), least);
  for (; j < n; j += CC_VECTOR_BYTES) {
    if (j + CC_VECTOR_BYTES > n)
      j = n - CC_VECTOR_BYTES;
    if (j < 0) {
      CC_K(extreme_part)(job, x, y, least);
      return;
    }
    CC_K(extreme_vectors)(job, x + j, y + j, 1, least);
  }
}

/* A vector of every other element, with those between them if `pair`. */
CC_ALWAYS_INLINE V CC_K(extreme_half)(const char *x, bool pair, const bool least) {
  const V low = v_load(x), high = v_load(x + CC_VECTOR_BYTES), even = v_even(low, high);
  return pair ? CC_K(extreme_of)(even, v_odd(low, high), least) : even;
}

CC_ALWAYS_INLINE void CC_K(extreme_every_other)(const cc_extreme_job *job, int64_t x, char *y, const bool least) {
  for (int64_t j = 0; j < job->n; j += VL) {
    const int64_t at = x + 2 * j * (int64_t)sizeof(T);
    V acc = CC_K(extreme_half)(job->x[0] + at, job->pairs > 0, least);
    for (int32_t i = 1; i < job->taps; i++)
      acc = CC_K(extreme_of)(acc, CC_K(extreme_half)(job->x[i] + at, i < job->pairs, least), least);
    if (j + VL <= job->n)
      v_store((T *)(void *)y + j, acc);
    else
      v_store_part((T *)(void *)y + j, job->n - j, acc);
  }
}

/* Every step-th element of one row. */
CC_ALWAYS_INLINE void CC_K(extreme_pick)(const cc_extreme_job *job, int64_t from, char *to) {
  const T *x = (const T *)(const void *)(job->x[0] + from);
  T *y = (T *)(void *)to;
  for (int64_t j = 0; j < job->n; j++)
    y[j] = x[j * job->step];
}

CC_ALWAYS_INLINE void CC_K(extreme)(const cc_extreme_job *job, const bool least) {
  for (int64_t p = 0; p < job->planes; p++)
    for (int64_t r = 0; r < job->rows; r++) {
      const int64_t x = p * job->x_plane + r * job->x_row;
      char *y = (char *)job->y + p * job->y_plane + r * job->y_row;
      if (job->step == 1)
        CC_K(extreme_rows)(job, x, y, least);
      else if (job->step == 2)
        CC_K(extreme_every_other)(job, x, y, least);
      else
        CC_K(extreme_pick)(job, x, y);
    }
}

static void CC_K(extreme_max)(const cc_extreme_job *job) { CC_K(extreme)(job, false); }
static void CC_K(extreme_min)(const cc_extreme_job *job) { CC_K(extreme)(job, true); }
