/* SPDX-License-Identifier: BSD-3-Clause
 * read.tmpl.h - the row source: a row of any storage type as elements T.
 *
 *   y[j] = element j of a row whose elements are `step` bytes apart, of any alignment
 *
 * Law: storage types end here, and begin again in write.tmpl.h: no other kernel knows them. T holds
 * every value of its sources, but integers may wrap into one of their size or without a sign, and double
 * rounds those of 64 bits. */

/* Of each four of 4 VL elements the first, or the last. */
CC_ALWAYS_INLINE V CC_K(first_of_four)(const char *x) {
  return v_even(v_even(v_load(x), v_load(x + CC_VECTOR_BYTES)),
                v_even(v_load(x + 2 * CC_VECTOR_BYTES), v_load(x + 3 * CC_VECTOR_BYTES)));
}

CC_ALWAYS_INLINE V CC_K(last_of_four)(const char *x) {
  return v_odd(v_odd(v_load(x), v_load(x + CC_VECTOR_BYTES)),
               v_odd(v_load(x + 2 * CC_VECTOR_BYTES), v_load(x + 3 * CC_VECTOR_BYTES)));
}

/* A row of elements T: reads no byte outside the row, writes y[0 .. n) only. */
CC_ALWAYS_INLINE void CC_K(copy_row)(T *restrict y, const char *x, int64_t step, int64_t n) {
  const int64_t size = sizeof(T);
  int64_t j = 0;
  if (step == size) {
    for (; j + VL <= n; j += VL)
      v_store(y + j, v_load(x + j * size));
    if (j < n)
      v_store_part(y + j, n - j, v_load_part(x + j * size, n - j));
  } else if (step == 2 * size && n > VL) {
    /* Two vectors end on an element that is not ours: there must be another of ours behind it. The
     * last vector is taken from the row's end backwards, where the first element is not ours. */
    for (; j + VL < n; j += VL)
      v_store(y + j, v_even(v_load(x + 2 * j * size), v_load(x + (2 * j + VL) * size)));
    j = n - VL;
    v_store(y + j, v_odd(v_load(x + (2 * j - 1) * size), v_load(x + (2 * j - 1 + VL) * size)));
  } else if (step == 4 * size && n > VL) { /* likewise, of four vectors */
    for (; j + VL < n; j += VL)
      v_store(y + j, CC_K(first_of_four)(x + 4 * j * size));
    j = n - VL;
    v_store(y + j, CC_K(last_of_four)(x + (4 * j - 3) * size));
#if CC_VECTOR_BYTES == 64
  } else if (step == 2 * size && n > 1) { /* masks are cheap: up to VL at once */
    const int64_t span = 2 * n - 1;
    const V low = span < VL ? v_load_part(x, span) : v_load(x);
    const V high = span > VL ? v_load_part(x + VL * size, span - VL) : (V){0};
    if (n == VL)
      v_store(y, v_even(low, high));
    else
      v_store_part(y, n, v_even(low, high));
#endif
  } else {
    for (; j < n; j++)
      __builtin_memcpy(y + j, x + j * step, sizeof(T)); /* of any alignment */
  }
}

#define S int8_t
#define CC_STORAGE i8
#include "kernels/rows/read_from.tmpl.h"

#define S uint8_t
#define CC_STORAGE u8
#include "kernels/rows/read_from.tmpl.h"

#define S int16_t
#define CC_STORAGE i16
#include "kernels/rows/read_from.tmpl.h"

#define S uint16_t
#define CC_STORAGE u16
#include "kernels/rows/read_from.tmpl.h"

#if CC_DTYPE_BITS == 64
#define S int32_t
#define CC_STORAGE i32
#include "kernels/rows/read_from.tmpl.h"

#define S uint32_t
#define CC_STORAGE u32
#include "kernels/rows/read_from.tmpl.h"
#endif

#if CC_FLOATING && CC_DTYPE_BITS == 64
#define S int64_t
#define CC_STORAGE i64
#include "kernels/rows/read_from.tmpl.h"

#define S uint64_t
#define CC_STORAGE u64
#include "kernels/rows/read_from.tmpl.h"

#define S float
#define CC_STORAGE f32
#include "kernels/rows/read_from.tmpl.h"
#endif

#if CC_FLOATING
static CC_NOINLINE void CC_K(read_f16)(T *restrict y, const char *x, int64_t step, int64_t n) {
  for (int64_t j = 0; j < n; j++) {
    uint16_t half;
    __builtin_memcpy(&half, x + j * step, sizeof half);
    y[j] = (T)cc_float_of_half(half);
  }
}
#endif

/* Are elements `source` read without conversion? */
CC_ALWAYS_INLINE bool CC_K(reads_as_is)(int32_t source) {
#if CC_FLOATING
  return source == (CC_DTYPE_BITS == 64 ? CCONV_FLOAT64 : CCONV_FLOAT32);
#elif CC_DTYPE_BITS == 64
  return source == CCONV_INT64 || source == CCONV_UINT64;
#else
  return source == CCONV_INT32 || source == CCONV_UINT32;
#endif
}

/* A row of `source` elements (cconv_dtype). */
static void CC_K(read_row)(T *restrict y, const char *x, int64_t step, int64_t n, int32_t source) {
  switch ((cconv_dtype)source) {
  case CCONV_INT8:
    CC_K(read_i8)(y, x, step, n);
    break;
  case CCONV_BOOL:
  case CCONV_UINT8:
    CC_K(read_u8)(y, x, step, n);
    break;
  case CCONV_INT16:
    CC_K(read_i16)(y, x, step, n);
    break;
  case CCONV_UINT16:
    CC_K(read_u16)(y, x, step, n);
    break;
#if CC_DTYPE_BITS == 64
  case CCONV_INT32:
    CC_K(read_i32)(y, x, step, n);
    break;
  case CCONV_UINT32:
    CC_K(read_u32)(y, x, step, n);
    break;
#endif
#if CC_FLOATING && CC_DTYPE_BITS == 64
  case CCONV_INT64:
    CC_K(read_i64)(y, x, step, n);
    break;
  case CCONV_UINT64:
    CC_K(read_u64)(y, x, step, n);
    break;
  case CCONV_FLOAT32:
    CC_K(read_f32)(y, x, step, n);
    break;
#endif
#if CC_FLOATING
  case CCONV_FLOAT16:
    CC_K(read_f16)(y, x, step, n);
    break;
#endif
  default: /* T, or the integer of its size */
    CC_K(copy_row)(y, x, step, n);
  }
}

#if CC_FLOATING
/* Is this cconv_dtype T itself? */
CC_ALWAYS_INLINE bool CC_K(is_native)(int32_t dtype) {
  return dtype == (CC_DTYPE_BITS == 32 ? CCONV_FLOAT32 : CCONV_FLOAT64);
}
#endif
