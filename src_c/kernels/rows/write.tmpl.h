/* SPDX-License-Identifier: BSD-3-Clause
 * write.tmpl.h - elements T as a row of any storage type.
 *
 *   element j of a row whose elements are `step` bytes apart = x[j]
 *
 * An extreme over nothing is the least or greatest T: narrower integers take their own limit for it. */

#if CC_SIGNED && CC_DTYPE_BITS == 32
#define S int8_t
#define CC_STORAGE i8
#define CC_LEAST INT8_MIN
#define CC_MOST INT8_MAX
#include "kernels/rows/write_to.tmpl.h"

#define S uint8_t
#define CC_STORAGE u8
#define CC_LEAST 0
#define CC_MOST UINT8_MAX
#include "kernels/rows/write_to.tmpl.h"

#define S int16_t
#define CC_STORAGE i16
#define CC_LEAST INT16_MIN
#define CC_MOST INT16_MAX
#include "kernels/rows/write_to.tmpl.h"

#define S uint16_t
#define CC_STORAGE u16
#define CC_LEAST 0
#define CC_MOST UINT16_MAX
#include "kernels/rows/write_to.tmpl.h"

#define S uint8_t
#define CC_STORAGE truth
#define CC_LEAST 0
#define CC_MOST 1
#include "kernels/rows/write_to.tmpl.h"
#endif

#if CC_SIGNED && CC_DTYPE_BITS == 64
#define S uint32_t
#define CC_STORAGE u32
#define CC_LEAST 0
#define CC_MOST UINT32_MAX
#include "kernels/rows/write_to.tmpl.h"
#endif

#if CC_FLOATING && CC_DTYPE_BITS == 32
static CC_NOINLINE void CC_K(write_f16)(char *y, int64_t step, const T *x, int64_t n) {
  for (int64_t j = 0; j < n; j++) {
    const uint16_t half = cc_half_of_float(x[j]);
    __builtin_memcpy(y + j * step, &half, sizeof half);
  }
}
#endif

/* A row of `target` elements (cconv_dtype). */
static void CC_K(write_row)(char *y, int64_t step, const T *x, int64_t n, int32_t target) {
  switch ((cconv_dtype)target) {
#if CC_SIGNED && CC_DTYPE_BITS == 32
  case CCONV_INT8:
    CC_K(write_i8)(y, step, x, n);
    return;
  case CCONV_UINT8:
    CC_K(write_u8)(y, step, x, n);
    return;
  case CCONV_INT16:
    CC_K(write_i16)(y, step, x, n);
    return;
  case CCONV_UINT16:
    CC_K(write_u16)(y, step, x, n);
    return;
  case CCONV_BOOL:
    CC_K(write_truth)(y, step, x, n);
    return;
#endif
#if CC_SIGNED && CC_DTYPE_BITS == 64
  case CCONV_UINT32:
    CC_K(write_u32)(y, step, x, n);
    return;
#endif
#if CC_FLOATING && CC_DTYPE_BITS == 32
  case CCONV_FLOAT16:
    CC_K(write_f16)(y, step, x, n);
    return;
#endif
  default: /* T, or the integer of its size */
    break;
  }
  if (step == (int64_t)sizeof(T))
    CC_K(copy_row)((T *)(void *)y, (const char *)x, sizeof(T), n);
  else
    for (int64_t j = 0; j < n; j++)
      *(T *)(void *)(y + j * step) = x[j];
}
