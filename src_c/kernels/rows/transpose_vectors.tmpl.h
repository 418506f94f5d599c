/* SPDX-License-Identifier: BSD-3-Clause
 * transpose_vectors.tmpl.h - a square of VL x VL elements in registers: rows become columns.
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

#undef W
