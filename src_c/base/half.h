/* SPDX-License-Identifier: BSD-3-Clause
 * half.h - half precision (IEEE binary16) as a storage type: to float and back.
 *
 * Law: integers only but for one exact product and one rounding addition, so that no mode of the CPU
 * that flushes subnormals to zero changes a value. */
#ifndef CC_HALF_H
#define CC_HALF_H

#include <stdint.h>

static inline float cc_float_of_bits(uint32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

static inline uint32_t cc_bits_of_float(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits;
}

/* Exact. */
static inline float cc_float_of_half(uint16_t half) {
  const uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, mantissa = half & 0x3ff;
  const uint32_t subnormal = cc_bits_of_float((float)(int32_t)mantissa * 0x1p-24f);
  const uint32_t finite = exponent ? (exponent + 112) << 23 | mantissa << 13 : subnormal;
  return cc_float_of_bits(sign | (exponent == 31 ? 0x7f800000 | mantissa << 13 : finite));
}

/* To the nearest, ties to even; what is too large becomes infinite. */
static inline uint16_t cc_half_of_float(float value) {
  const uint32_t bits = cc_bits_of_float(value), sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
  uint32_t half;
  if (size > 0x7f800000) /* NaN, made quiet */
    half = 0x7e00 | (size >> 13 & 0x3ff);
  else if (size >= 0x47800000) /* 2^16 */
    half = 0x7c00;
  else if (size >= 0x38800000) /* 2^-14; a carry out of the mantissa is a carry into the exponent */
    half = (size - 0x38000000 + 0xfff + (size >> 13 & 1)) >> 13;
  else /* the last bit of a float near 1/2 is 2^-24, as is that of a subnormal half */
    half = cc_bits_of_float(cc_float_of_bits(size) + 0.5f) - 0x3f000000;
  return (uint16_t)(sign | half);
}

#endif
