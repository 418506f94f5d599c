/* SPDX-License-Identifier: BSD-3-Clause
 * lanes.tmpl.h - channels from behind each other to side by side, and back: transposes of VL x VL elements.
 *
 *   lanes[p][l] = row l's element p      l < VL
 *
 * Law: elements are moved, never changed. */

/* 8 bytes are the least that a lane of 16 can be cut into by one instruction for floats of either size. */
#define W CC_K(vector_of_doubles)
typedef double W __attribute__((vector_size(CC_VECTOR_BYTES)));

/* The first halves of every 16 bytes of a and b, an element or 8 bytes of each in turn; and the second. */
#if CC_DTYPE_BITS == 32
CC_ALWAYS_INLINE V CC_K(low_elements)(V a, V b) {
#if CC_VECTOR_BYTES == 64
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
#elif CC_VECTOR_BYTES == 32
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13);
#else
  return __builtin_shufflevector(a, b, 0, 4, 1, 5);
#endif
}

CC_ALWAYS_INLINE V CC_K(high_elements)(V a, V b) {
#if CC_VECTOR_BYTES == 64
  return __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
#elif CC_VECTOR_BYTES == 32
  return __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
#else
  return __builtin_shufflevector(a, b, 2, 6, 3, 7);
#endif
}
#endif

CC_ALWAYS_INLINE V CC_K(low_eights)(V a, V b) {
#if CC_VECTOR_BYTES == 64
  return (V)__builtin_shufflevector((W)a, (W)b, 0, 8, 2, 10, 4, 12, 6, 14);
#elif CC_VECTOR_BYTES == 32
  return (V)__builtin_shufflevector((W)a, (W)b, 0, 4, 2, 6);
#else
  return (V)__builtin_shufflevector((W)a, (W)b, 0, 2);
#endif
}

CC_ALWAYS_INLINE V CC_K(high_eights)(V a, V b) {
#if CC_VECTOR_BYTES == 64
  return (V)__builtin_shufflevector((W)a, (W)b, 1, 9, 3, 11, 5, 13, 7, 15);
#elif CC_VECTOR_BYTES == 32
  return (V)__builtin_shufflevector((W)a, (W)b, 1, 5, 3, 7);
#else
  return (V)__builtin_shufflevector((W)a, (W)b, 1, 3);
#endif
}

/* Every other 16 bytes of a and b joined: from the first, or from the second. */
#if CC_VECTOR_BYTES > 16
CC_ALWAYS_INLINE V CC_K(even_sixteens)(V a, V b) {
#if CC_VECTOR_BYTES == 64
  return (V)__builtin_shufflevector((W)a, (W)b, 0, 1, 4, 5, 8, 9, 12, 13);
#else
  return (V)__builtin_shufflevector((W)a, (W)b, 0, 1, 4, 5);
#endif
}

CC_ALWAYS_INLINE V CC_K(odd_sixteens)(V a, V b) {
#if CC_VECTOR_BYTES == 64
  return (V)__builtin_shufflevector((W)a, (W)b, 2, 3, 6, 7, 10, 11, 14, 15);
#else
  return (V)__builtin_shufflevector((W)a, (W)b, 2, 3, 6, 7);
#endif
}
#endif

/* r[i][j] and r[j][i] change places. First squares of 16 bytes a side, then those among each other. */
CC_ALWAYS_INLINE void CC_K(transpose_vectors)(V r[VL]) {
  enum { SIDE = 16 / sizeof(T) };
  CC_UNROLL
  for (int i = 0; i < VL; i += SIDE) {
#if CC_DTYPE_BITS == 32
    const V a = CC_K(low_elements)(r[i], r[i + 1]), b = CC_K(high_elements)(r[i], r[i + 1]);
    const V c = CC_K(low_elements)(r[i + 2], r[i + 3]), d = CC_K(high_elements)(r[i + 2], r[i + 3]);
    r[i] = CC_K(low_eights)(a, c);
    r[i + 1] = CC_K(high_eights)(a, c);
    r[i + 2] = CC_K(low_eights)(b, d);
    r[i + 3] = CC_K(high_eights)(b, d);
#else
    const V a = r[i], b = r[i + 1];
    r[i] = CC_K(low_eights)(a, b);
    r[i + 1] = CC_K(high_eights)(a, b);
#endif
  }
#if CC_VECTOR_BYTES == 64
  CC_UNROLL
  for (int j = 0; j < SIDE; j++) {
    const V a = CC_K(even_sixteens)(r[j], r[SIDE + j]), b = CC_K(odd_sixteens)(r[j], r[SIDE + j]);
    const V c = CC_K(even_sixteens)(r[2 * SIDE + j], r[3 * SIDE + j]);
    const V d = CC_K(odd_sixteens)(r[2 * SIDE + j], r[3 * SIDE + j]);
    r[j] = CC_K(even_sixteens)(a, c);
    r[SIDE + j] = CC_K(even_sixteens)(b, d);
    r[2 * SIDE + j] = CC_K(odd_sixteens)(a, c);
    r[3 * SIDE + j] = CC_K(odd_sixteens)(b, d);
  }
#elif CC_VECTOR_BYTES == 32
  CC_UNROLL
  for (int j = 0; j < SIDE; j++) {
    const V a = r[j], b = r[SIDE + j];
    r[j] = CC_K(even_sixteens)(a, b);
    r[SIDE + j] = CC_K(odd_sixteens)(a, b);
  }
#endif
}

/* n elements of VL channels, `at` bytes from x each; y takes n vectors. */
static CC_NOINLINE void CC_K(lanes_of_rows)(const char *x, const int64_t *at, int64_t n, T *y) {
  V r[VL];
  if (n < VL) {
    CC_UNROLL
    for (int l = 0; l < VL; l++)
      r[l] = v_load_part(x + at[l], n);
    CC_K(transpose_vectors)(r);
    CC_UNROLL
    for (int p = 0; p < VL; p++)
      if (p < n)
        v_store(y + p * VL, r[p]);
    return;
  }
  for (int64_t p = 0;; p = p + 2 * VL > n ? n - VL : p + VL) { /* the last vectors end where the row does */
    CC_UNROLL
    for (int l = 0; l < VL; l++)
      r[l] = v_load(x + at[l] + p * (int64_t)sizeof(T));
    CC_K(transpose_vectors)(r);
    CC_UNROLL
    for (int i = 0; i < VL; i++)
      v_store(y + (p + i) * VL, r[i]);
    if (p + VL == n)
      return;
  }
}

CC_ALWAYS_INLINE void CC_K(splat_lanes)(T *y, int64_t n, V value) {
  for (int64_t p = 0; p < n; p++)
    v_store(y + p * VL, value);
}

/* See cc_lanes_job. */
static void CC_K(lanes)(const cc_lanes_job *job) {
  const int64_t low = job->low[1], n = job->high[1] - low, used = job->used[1];
  const V fill = v_splat(CC_K(number)(job->fill));
  int64_t at[VL];
  for (int l = 0; l < VL; l++)
    at[l] = l < job->channels ? l * job->channel_stride : 0; /* lanes that nobody looks at take the first's */
  for (int64_t h = 0; h < job->size[0]; h++) {
    T *y = (T *)job->lanes + h * job->pitch;
    if (h < job->low[0] || h >= job->high[0] || n <= 0) {
      CC_K(splat_lanes)(y, used, h < job->used[0] ? fill : (V){0});
    } else {
      const char *x = job->x + (h - job->low[0]) * job->stride[0];
      CC_K(splat_lanes)(y, low, fill);
      if (job->channel_stride != (int64_t)sizeof(T))
        CC_K(lanes_of_rows)(x, at, n, y + low * VL);
      else if (job->channels == VL)
        for (int64_t p = 0; p < n; p++)
          v_store(y + (low + p) * VL, v_load(x + p * job->stride[1]));
      else
        for (int64_t p = 0; p < n; p++)
          v_store(y + (low + p) * VL, v_load_part(x + p * job->stride[1], job->channels));
      CC_K(splat_lanes)(y + (low + n) * VL, used - low - n, fill);
    }
    CC_K(splat_lanes)(y + used * VL, job->size[1] - used, (V){0});
  }
}

/* See cc_rows_job. */
static void CC_K(rows)(const cc_rows_job *job) {
  const T *x = job->lanes;
  T *y = job->rows;
  for (int64_t p = 0; p < job->n; p += VL) {
    V r[VL];
    CC_UNROLL
    for (int i = 0; i < VL; i++)
      r[i] = v_load(x + (p + i) * VL);
    CC_K(transpose_vectors)(r);
    CC_UNROLL
    for (int l = 0; l < VL; l++)
      v_store(y + l * job->pitch + p, r[l]);
  }
}

#undef W
