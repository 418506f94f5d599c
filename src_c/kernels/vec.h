/* SPDX-License-Identifier: BSD-3-Clause
 * vec.h - the vocabulary of the kernels: a vector V of VL elements T, on every instruction set.
 *
 * Included once for each instruction set and dtype, with these defined by kernels/isa.tmpl.h:
 *   CC_K(name)        the full name, with dtype and instruction set
 *   CC_VECTOR_BYTES   16, 32 or 64; 32 and 64 mean AVX2+FMA and AVX-512
 *   CC_MM(op)         the intrinsic for op on V, from 32 bytes up
 *   T, TI             element type and the signed integer of its size
 *   TA                the type of its arithmetic: T, and the unsigned of its size where T is an integer
 *   CC_FLOATING       1 where T is a floating-point type
 *   CC_LOWEST, _HIGHEST   no element is below, none above
 *
 * Everything else is arithmetic on GCC vectors: + - * / and comparisons work lane by lane. A
 * broadcast is v_splat, never (V){} + a: adding to a positive zero is a real operation. */

#define V CC_K(vector)
#define VU CC_K(vector_unaligned)
#define TU CC_K(element_unaligned)
#define VI CC_K(vector_integer)
#define VA CC_K(vector_arithmetic)
#define VL (CC_VECTOR_BYTES / (int)sizeof(T))
#define v_load CC_K(load)
#define v_store CC_K(store_vector)
#define v_hold CC_K(hold)
#define v_load_part CC_K(load_part)
#define v_store_part CC_K(store_part)
#define v_load_between CC_K(load_between)
#define v_splat CC_K(splat)
#define v_splat_i CC_K(splat_integer)
#define v_add CC_K(add_vectors)
#define v_fma CC_K(fma)
#define v_is_nan CC_K(is_nan)
#define v_select CC_K(select)
#define v_max_nan CC_K(max_nan)
#define v_min_nan CC_K(min_nan)
#define v_even CC_K(even)
#define v_odd CC_K(odd)
#define v_next CC_K(next)

typedef T V __attribute__((vector_size(CC_VECTOR_BYTES)));
typedef T VU __attribute__((vector_size(CC_VECTOR_BYTES), aligned(1), may_alias)); /* any address */
typedef T TU __attribute__((aligned(1), may_alias));
typedef TI VI __attribute__((vector_size(CC_VECTOR_BYTES)));
typedef TA VA __attribute__((vector_size(CC_VECTOR_BYTES)));

CC_ALWAYS_INLINE V v_load(const void *p) { return *(const VU *)p; }
CC_ALWAYS_INLINE void v_store(void *p, V v) { *(VU *)p = v; }

/* What is loaded once for several multiply-adds, in a register: short of them GCC makes each load it again, and a load
 * across two lines costs as much as two. */
CC_ALWAYS_INLINE V v_hold(V v) {
#if CC_VECTOR_BYTES > 16
  __asm__("" : "+v"(v));
#endif
  return v;
}

/* x - 0 is x for every x, -0 and NaN too, so compilers drop the subtraction. */
CC_ALWAYS_INLINE V v_splat(T a) { return a - (V){0}; }
CC_ALWAYS_INLINE VI v_splat_i(TI a) { return a - (VI){0}; }

/* Lanes of a where the mask is all ones, of b where it is 0. */
CC_ALWAYS_INLINE V v_select(VI mask, V a, V b) { return (V)((mask & (VI)a) | (~mask & (VI)b)); }

/* a + b; integers wrap. */
CC_ALWAYS_INLINE V v_add(V a, V b) { return (V)((VA)a + (VA)b); }

/* a * b + c, rounded once where the instruction set can, twice on generic; integers wrap. */
CC_ALWAYS_INLINE V v_fma(V a, V b, V c) {
#if CC_FLOATING && CC_VECTOR_BYTES > 16
  return CC_MM(fmadd)(a, b, c);
#else
  return (V)((VA)a * (VA)b + (VA)c);
#endif
}

/* Which lanes are NaN: of integers none. */
CC_ALWAYS_INLINE VI v_is_nan(V a) {
#if CC_FLOATING
  return a != a;
#else
  (void)a;
  return (VI){0};
#endif
}

/* max(a, b), and NaN where either is. */
CC_ALWAYS_INLINE V v_max_nan(V a, V b) {
#if CC_FLOATING && CC_VECTOR_BYTES == 64
  /* vmaxps answers b when either is NaN: right but where a is. */
  return CC_MM(mask_max)(a, CC_MM_MASK(cmp)(a, a, _CMP_ORD_Q), a, b);
#else
  return v_select((a > b) | v_is_nan(a), a, b);
#endif
}

/* min(a, b), and NaN where either is. */
CC_ALWAYS_INLINE V v_min_nan(V a, V b) {
#if CC_FLOATING && CC_VECTOR_BYTES == 64
  return CC_MM(mask_min)(a, CC_MM_MASK(cmp)(a, a, _CMP_ORD_Q), a, b); /* as vmaxps */
#else
  return v_select((a < b) | v_is_nan(a), a, b);
#endif
}

/* The number as an element; an integer dtype takes its whole part, its own limit for what lies beyond, and
 * its lowest for NaN. */
CC_ALWAYS_INLINE T CC_K(number)(double value) {
#if CC_FLOATING
  return (T)value;
#else
  return !(value > (double)CC_LOWEST) ? CC_LOWEST : value >= (double)CC_HIGHEST ? CC_HIGHEST : (T)value;
#endif
}

#if CC_VECTOR_BYTES == 32 && CC_FLOATING
/* All ones in the first n lanes. */
CC_ALWAYS_INLINE __m256i CC_K(first_lanes)(int64_t n) {
#if CC_DTYPE_BITS == 32
  const VI lane = {0, 1, 2, 3, 4, 5, 6, 7};
#else
  const VI lane = {0, 1, 2, 3};
#endif
  return (__m256i)(lane < v_splat_i((TI)n));
}
#endif

/* The first n lanes, 0 < n < VL: the rest of memory is neither read nor written; lanes loaded
 * beyond n are 0. */
CC_ALWAYS_INLINE V v_load_part(const void *p, int64_t n) {
#if CC_VECTOR_BYTES == 64
  return (V)CC_MM(maskz_loadu)((CC_MASK)((1u << n) - 1), p);
#elif CC_VECTOR_BYTES == 32 && CC_FLOATING
  return CC_MM(maskload)((const T *)p, CC_K(first_lanes)(n));
#else
  V v = {0};
  __builtin_memcpy(&v, p, (size_t)n * sizeof(T));
  return v;
#endif
}

CC_ALWAYS_INLINE void v_store_part(void *p, int64_t n, V v) {
#if CC_VECTOR_BYTES == 64
  CC_MM(mask_storeu)(p, (CC_MASK)((1u << n) - 1), (CC_MM_VECTOR)v);
#elif CC_VECTOR_BYTES == 32 && CC_FLOATING
  CC_MM(maskstore)((T *)p, CC_K(first_lanes)(n), v);
#else
  __builtin_memcpy(p, &v, (size_t)n * sizeof(T));
#endif
}

#if CC_VECTOR_BYTES == 64 || (CC_VECTOR_BYTES == 32 && CC_FLOATING)
/* Lanes [from, to) of x, and of fill the others; memory outside those is not read. */
CC_ALWAYS_INLINE V v_load_between(const void *x, int64_t from, int64_t to, V fill) {
  from = from < 0 ? 0 : from < VL ? from : VL;
  to = to < from ? from : to < VL ? to : VL;
#if CC_VECTOR_BYTES == 64
  return (V)CC_MM(mask_loadu)((CC_MM_VECTOR)fill, (CC_MASK)((1u << to) - (1u << from)), x);
#else
  const __m256i inside = (__m256i)((VI)CC_K(first_lanes)(to) & ~(VI)CC_K(first_lanes)(from));
  return v_select((VI)inside, CC_MM(maskload)((const T *)x, inside), fill);
#endif
}
#endif

/* Every other element of a and b joined: from the first, or from the second. */
CC_ALWAYS_INLINE V v_even(V a, V b) {
#if CC_VECTOR_BYTES * 8 == 16 * CC_DTYPE_BITS
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
#elif CC_VECTOR_BYTES * 8 == 8 * CC_DTYPE_BITS
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
#elif CC_VECTOR_BYTES * 8 == 4 * CC_DTYPE_BITS
  return __builtin_shufflevector(a, b, 0, 2, 4, 6);
#else
  return __builtin_shufflevector(a, b, 0, 2);
#endif
}

CC_ALWAYS_INLINE V v_odd(V a, V b) {
#if CC_VECTOR_BYTES * 8 == 16 * CC_DTYPE_BITS
  return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#elif CC_VECTOR_BYTES * 8 == 8 * CC_DTYPE_BITS
  return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
#elif CC_VECTOR_BYTES * 8 == 4 * CC_DTYPE_BITS
  return __builtin_shufflevector(a, b, 1, 3, 5, 7);
#else
  return __builtin_shufflevector(a, b, 1, 3);
#endif
}

#if CC_VECTOR_BYTES == 64
/* The elements behind each of a's, the last of them b's first. */
CC_ALWAYS_INLINE V v_next(V a, V b) {
#if CC_DTYPE_BITS == 32
  return __builtin_shufflevector(a, b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
#else
  return __builtin_shufflevector(a, b, 1, 2, 3, 4, 5, 6, 7, 8);
#endif
}
#endif
