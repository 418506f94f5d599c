/* SPDX-License-Identifier: BSD-3-Clause
 * elements.h - elements of every dtype as doubles, one value at a time and by their definitions.
 *
 * Exact for what the tests use: integers below 2^53, and what the dtype itself holds. */
#ifndef ELEMENTS_H
#define ELEMENTS_H

#include "cconv.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct element_facts {
  int64_t size;
  char kind; /* float, int, unsigned or bool */
} element_facts;

static inline element_facts facts_of(int32_t dtype) {
  switch ((cconv_dtype)dtype) {
  case CCONV_FLOAT16:
    return (element_facts){2, 'f'};
  case CCONV_FLOAT32:
    return (element_facts){4, 'f'};
  case CCONV_FLOAT64:
    return (element_facts){8, 'f'};
  case CCONV_INT8:
    return (element_facts){1, 'i'};
  case CCONV_INT16:
    return (element_facts){2, 'i'};
  case CCONV_INT32:
    return (element_facts){4, 'i'};
  case CCONV_INT64:
    return (element_facts){8, 'i'};
  case CCONV_UINT8:
    return (element_facts){1, 'u'};
  case CCONV_UINT16:
    return (element_facts){2, 'u'};
  case CCONV_UINT32:
    return (element_facts){4, 'u'};
  case CCONV_UINT64:
    return (element_facts){8, 'u'};
  case CCONV_BOOL:
    return (element_facts){1, 'b'};
  }
  return (element_facts){8, '?'}; /* of a dtype that is none: what a test of that needs room for */
}

static inline int64_t size_of(int32_t dtype) { return facts_of(dtype).size; }

/* The value that the dtype has for it: rounded to the nearest, or cut to the limits of an integer. */
static inline double value_in(int32_t dtype, double value) {
  const element_facts facts = facts_of(dtype);
  const int bits = (int)(8 * facts.size);
  int exponent;
  switch (facts.kind) {
  case 'b':
    return fmin(fmax(value, 0), 1);
  case 'u':
    return fmin(fmax(value, 0), ldexp(1, bits) - (bits < 53));
  case 'i':
    return fmin(fmax(value, -ldexp(1, bits - 1)), ldexp(1, bits - 1) - (bits < 53));
  default:
    if (dtype != CCONV_FLOAT16)
      return dtype == CCONV_FLOAT32 ? (double)(float)value : value;
    if (value == 0 || !isfinite(value))
      return value;
    (void)frexp(value, &exponent); /* eleven bits, the last no less than 2^-24 */
    const double step = ldexp(1, exponent - 11 < -24 ? -24 : exponent - 11);
    const double rounded = nearbyint(value / step) * step;
    return fabs(rounded) >= 65536 ? copysign(INFINITY, value) : rounded;
  }
}

static inline double half_value(uint16_t half) {
  const int exponent = half >> 10 & 31, mantissa = half & 0x3ff;
  const double size = exponent == 31 ? (mantissa ? NAN : INFINITY)
                      : exponent     ? ldexp(1024 + mantissa, exponent - 25)
                                     : ldexp(mantissa, -24);
  return half & 0x8000 ? -size : size;
}

/* The half with this value, which must be one. */
static inline uint16_t half_with(double value) {
  const uint32_t sign = signbit(value) ? 0x8000 : 0;
  int exponent;
  if (!isfinite(value))
    return (uint16_t)(sign | (isnan(value) ? 0x7e00 : 0x7c00));
  (void)frexp(value, &exponent);
  if (value == 0 || exponent < -13)
    return (uint16_t)(sign | (uint32_t)ldexp(fabs(value), 24));
  return (uint16_t)(sign | (((uint32_t)(exponent + 14) << 10) + (uint32_t)ldexp(fabs(value), 11 - exponent) - 1024));
}

static inline double bytes_get(int32_t dtype, const char *p) {
  const element_facts facts = facts_of(dtype);
  uint64_t bits = 0;
  float f;
  double d;
  memcpy(&bits, p, (size_t)facts.size); /* the machines with vectors are little-endian */
  if (dtype == CCONV_FLOAT16)
    return half_value((uint16_t)bits);
  if (dtype == CCONV_FLOAT32)
    return memcpy(&f, p, sizeof f), (double)f;
  if (dtype == CCONV_FLOAT64)
    return memcpy(&d, p, sizeof d), d;
  if (facts.kind != 'i')
    return (double)bits;
  const int unused = (int)(64 - 8 * facts.size);
  return (double)((int64_t)(bits << unused) >> unused);
}

static inline void bytes_set(int32_t dtype, char *p, double value) {
  const element_facts facts = facts_of(dtype);
  const double held = value_in(dtype, value);
  const float f = (float)held;
  uint64_t bits = held < 0 ? -(uint64_t)-held : (uint64_t)held;
  if (dtype == CCONV_FLOAT16)
    bits = half_with(held);
  else if (dtype == CCONV_FLOAT32)
    memcpy(&bits, &f, sizeof f);
  else if (dtype == CCONV_FLOAT64)
    memcpy(&bits, &held, sizeof held);
  memcpy(p, &bits, (size_t)facts.size);
}

#endif
