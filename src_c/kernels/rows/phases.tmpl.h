/* SPDX-License-Identifier: BSD-3-Clause
 * phases.tmpl.h - the weights of a transposed convolution phase by phase, and its outputs from the phases.
 *
 *   target[at + c step + m lead] = weight element (c, m, tap)      see cc_tap_job
 *   y[m][j phases + q] = x[q][m][j]                                see cc_interleave_job
 *
 * Law: elements are moved, never changed. */

enum {
  CC_K(TAP_PIECE) = 64,   /* taps on their way */
  CC_K(TAPS_NEAR) = 2048, /* weights that stay in the level 1 cache while they are read tap by tap */
};

/* a[t] gets every n-th element from t on of the n vectors one after the other. n is 1, 2, 4 or 8. */
CC_ALWAYS_INLINE void CC_K(separate)(V *a, const int n) {
  V b[8];
  CC_UNROLL
  for (int half = n; half > 1; half /= 2) {
    CC_UNROLL
    for (int i = 0; i < n / 2; i++) {
      b[i] = v_even(a[2 * i], a[2 * i + 1]);
      b[n / 2 + i] = v_odd(a[2 * i], a[2 * i + 1]);
    }
    CC_UNROLL
    for (int i = 0; i < n; i++)
      a[i] = b[i];
  }
}

/* For each of `channels` and groups of VL rows: their n taps, one after the other without gaps. */
CC_ALWAYS_INLINE void CC_K(taps_separate)(const cc_tap_job *job, int64_t rows, const int n) {
  for (int64_t c = 0; c < job->count[0]; c++)
    for (int64_t m = 0; m < rows; m += VL) {
      const T *x = (const T *)(const void *)(job->weight + c * job->stride[0]) + m * n;
      V a[8];
      CC_UNROLL
      for (int i = 0; i < n; i++)
        a[i] = v_load(x + i * VL);
      CC_K(separate)(a, n);
      CC_UNROLL
      for (int t = 0; t < n; t++)
        v_store((T *)job->target + job->places[t].at + c * job->places[t].step + m, a[t]);
    }
}

/* At most VL taps, one after the other, of at most VL rows. */
CC_ALWAYS_INLINE void CC_K(taps_block)(const char *x, int64_t stride, int64_t rows, int64_t n,
                                       const cc_tap_place *places, int64_t c, T *target) {
  V a[VL];
  CC_UNROLL
  for (int i = 0; i < VL; i++)
    a[i] = i >= rows ? (V){0} : n < VL ? v_load_part(x + i * stride, n) : v_load(x + i * stride);
  CC_K(transpose_vectors)(a);
  CC_UNROLL
  for (int t = 0; t < VL; t++)
    if (t < n)
      v_store(target + places[t].at + c * places[t].step, a[t]);
}

static CC_NOINLINE void CC_K(taps_whole)(const char *x, int64_t stride, const cc_tap_place *places, int64_t c,
                                         T *target) {
  CC_K(taps_block)(x, stride, VL, VL, places, c, target);
}

static CC_NOINLINE void CC_K(taps_part)(const char *x, int64_t stride, int64_t rows, int64_t n,
                                        const cc_tap_place *places, int64_t c, T *target) {
  CC_K(taps_block)(x, stride, rows, n, places, c, target);
}

/* Rows from `first` on, whose n taps are one after the other, to lanes. What the channel after the next has there is
 * asked for in time: channels are far apart, and no more than some rows of each are read. */
static void CC_K(taps_transpose)(const cc_tap_job *job, int64_t first, int64_t n) {
  const int64_t size = sizeof(T), rows = job->count[1], ahead = 2 * job->stride[0];
  for (int64_t c = 0; c < job->count[0]; c++)
    for (int64_t m = first; m < rows; m += VL)
      for (int64_t t = 0; t < n; t += VL) {
        const char *x = job->weight + c * job->stride[0] + m * job->stride[1] + t * size;
        T *target = (T *)job->target + m;
        for (int64_t i = 0; c + 2 < job->count[0] && i < VL && m + i < rows; i++)
          __builtin_prefetch(x + ahead + i * job->stride[1]);
        if (rows - m >= VL && n - t >= VL)
          CC_K(taps_whole)(x, job->stride[1], job->places + t, c, target);
        else
          CC_K(taps_part)(x, job->stride[1], rows - m < VL ? rows - m : VL, n - t < VL ? n - t : VL, job->places + t, c,
                          target);
      }
}

/* Do the taps of a row follow each other? */
CC_ALWAYS_INLINE bool CC_K(taps_are_dense)(const cc_tap_job *job) {
  int64_t step = sizeof(T);
  for (int a = 4; a > 1; a--) {
    if (job->count[a] > 1 && job->stride[a] != step)
      return false;
    step *= job->count[a];
  }
  return CC_K(is_native)(job->source);
}

/* Any weights, anywhere: those of one channel in and one row. */
CC_ALWAYS_INLINE void CC_K(taps_of_row)(const cc_tap_job *job, const char *x, int64_t c, int64_t m) {
  const cc_tap_place *place = job->places;
  const int64_t *count = job->count, *stride = job->stride;
  for (int64_t d = 0; d < count[2]; d++)
    for (int64_t h = 0; h < count[3]; h++)
      for (int64_t from = 0, n; from < count[4]; from += n) {
        T row[CC_K(TAP_PIECE)] = {0};
        n = count[4] - from < CC_K(TAP_PIECE) ? count[4] - from : CC_K(TAP_PIECE);
        if (x)
          CC_K(read_row)(row, x + d * stride[2] + h * stride[3] + from * stride[4], stride[4], n, job->source);
        for (int64_t t = 0; t < n; t++, place++)
          ((T *)job->target)[place->at + c * place->step + m * place->lead] = row[t];
      }
}

/* Native weights of channels [c, c + channels), whose taps follow each other, to rows: tap by tap. */
static void CC_K(taps_to_rows)(const cc_tap_job *job, int64_t c, int64_t channels, int64_t n) {
  for (int64_t t = 0; t < n; t++) {
    const cc_tap_place *place = &job->places[t];
    for (int64_t m = 0; m < job->count[1]; m++) {
      const char *x = job->weight + c * job->stride[0] + m * job->stride[1] + t * (int64_t)sizeof(T);
      T *y = (T *)job->target + place->at + c * place->step + m * place->lead;
      for (int64_t i = 0; i < channels; i++, x += job->stride[0], y += place->step)
        *y = *(const TU *)(const void *)x;
    }
  }
}

/* To rows, or of weights that lie anywhere. */
static void CC_K(taps_scatter)(const cc_tap_job *job, bool dense) {
  const int64_t n = job->count[2] * job->count[3] * job->count[4], channels = job->count[0], rows = job->count[1];
  const int64_t filled = job->lanes ? (rows + VL - 1) / VL * VL : rows, near = CC_K(TAPS_NEAR) / (rows * n) + 1;
  for (int64_t c = 0; dense && c < channels; c += near)
    CC_K(taps_to_rows)(job, c, channels - c < near ? channels - c : near, n);
  for (int64_t c = 0; !dense && c < channels; c++)
    for (int64_t m = 0; m < filled; m++)
      CC_K(taps_of_row)(job, m < rows ? job->weight + c * job->stride[0] + m * job->stride[1] : NULL, c, m);
}

static void CC_K(taps)(const cc_tap_job *job) {
  const int64_t n = job->count[2] * job->count[3] * job->count[4];
  const bool dense = CC_K(taps_are_dense)(job), rows_are = job->stride[1] == n * (int64_t)sizeof(T);
  int64_t rows = rows_are ? job->count[1] / VL * VL : 0; /* of whole vectors */
  if (!job->lanes || !dense) {
    CC_K(taps_scatter)(job, dense);
    return;
  }
  if (n == 1)
    CC_K(taps_separate)(job, rows, 1);
  else if (n == 2)
    CC_K(taps_separate)(job, rows, 2);
  else if (n == 4)
    CC_K(taps_separate)(job, rows, 4);
  else if (n == 8)
    CC_K(taps_separate)(job, rows, 8);
  else
    rows = 0;
  CC_K(taps_transpose)(job, rows, n);
}

/* Elements of a and b in turn: from the first halves, or from the second. */
CC_ALWAYS_INLINE V CC_K(zip_low)(V a, V b) {
#if CC_VECTOR_BYTES * 8 == 16 * CC_DTYPE_BITS
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
#elif CC_VECTOR_BYTES * 8 == 8 * CC_DTYPE_BITS
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#elif CC_VECTOR_BYTES * 8 == 4 * CC_DTYPE_BITS
  return __builtin_shufflevector(a, b, 0, 4, 1, 5);
#else
  return __builtin_shufflevector(a, b, 0, 2);
#endif
}

CC_ALWAYS_INLINE V CC_K(zip_high)(V a, V b) {
#if CC_VECTOR_BYTES * 8 == 16 * CC_DTYPE_BITS
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#elif CC_VECTOR_BYTES * 8 == 8 * CC_DTYPE_BITS
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#elif CC_VECTOR_BYTES * 8 == 4 * CC_DTYPE_BITS
  return __builtin_shufflevector(a, b, 2, 6, 3, 7);
#else
  return __builtin_shufflevector(a, b, 1, 3);
#endif
}

/* The inverse of separate: the n vectors one after the other hold a[t]'s elements from t on, n apart. */
CC_ALWAYS_INLINE void CC_K(zip)(V *a, const int n) {
  V b[8];
  CC_UNROLL
  for (int half = n; half > 1; half /= 2) {
    CC_UNROLL
    for (int i = 0; i < n / 2; i++) {
      b[2 * i] = CC_K(zip_low)(a[i], a[n / 2 + i]);
      b[2 * i + 1] = CC_K(zip_high)(a[i], a[n / 2 + i]);
    }
    CC_UNROLL
    for (int i = 0; i < n; i++)
      a[i] = b[i];
  }
}

CC_ALWAYS_INLINE void CC_K(interleave_zip)(const cc_interleave_job *job, const int phases) {
  for (int64_t m = 0; m < job->rows; m++)
    for (int64_t j = 0; j < job->n; j += VL) {
      const T *x = (const T *)job->x + m * job->ldx + j;
      T *y = (T *)job->y + m * job->ldy + j * phases;
      V a[8];
      CC_UNROLL
      for (int q = 0; q < phases; q++)
        a[q] = v_load(x + q * job->plane);
      CC_K(zip)(a, phases);
      CC_UNROLL
      for (int q = 0; q < phases; q++)
        v_store(y + q * VL, a[q]);
    }
}

static void CC_K(interleave)(const cc_interleave_job *job) {
  const int64_t phases = job->phases;
  if (phases == 2)
    CC_K(interleave_zip)(job, 2);
  else if (phases == 4)
    CC_K(interleave_zip)(job, 4);
  else if (phases == 8)
    CC_K(interleave_zip)(job, 8);
  else
    for (int64_t m = 0; m < job->rows; m++)
      for (int64_t q = 0; q < phases; q++)
        for (int64_t j = 0; j < job->n; j++)
          ((T *)job->y)[m * job->ldy + j * phases + q] = ((const T *)job->x)[q * job->plane + m * job->ldx + j];
}
