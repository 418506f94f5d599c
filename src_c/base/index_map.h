/* SPDX-License-Identifier: BSD-3-Clause
 * index_map.h - which element stands for one outside the array: the padding modes.
 *
 *   constant   none: a fill value        a b c d:  f f f | a b c d | f f f
 *   reflect    the edge not repeated               d c b | a b c d | c b a
 *   symmetric  the edge repeated                   c b a | a b c d | d c b
 *   replicate  the edge                            a a a | a b c d | d d d
 *   circular   the other end                       b c d | a b c d | a b c */
#ifndef CC_INDEX_MAP_H
#define CC_INDEX_MAP_H

#include "cconv.h"

/* i modulo n, not negative; n > 0. */
static inline int64_t cc_modulo(int64_t i, int64_t n) {
  const int64_t rest = i % n;
  return rest < 0 ? rest + n : rest;
}

/* Is floor(i / n) odd? n > 0. Two periods of n need not fit 63 bits: a byte repeated by stride 0 may be
 * 2^63 - 1 of them. */
static inline int cc_in_odd_period(int64_t i, int64_t n) { return (i / n - (i % n < 0)) & 1; }

/* The index in [0, n) that stands for i, at any distance; n > 0. Not for constant. */
static inline int64_t cc_index_map(int32_t mode, int64_t i, int64_t n) {
  int64_t m;
  switch (mode) {
  case CCONV_PADDING_REFLECT:
    if (n == 1)
      return 0;
    m = cc_modulo(i, n - 1);
    return cc_in_odd_period(i, n - 1) ? n - 1 - m : m;
  case CCONV_PADDING_SYMMETRIC:
    m = cc_modulo(i, n);
    return cc_in_odd_period(i, n) ? n - 1 - m : m;
  case CCONV_PADDING_CIRCULAR:
    return cc_modulo(i, n);
  default: /* replicate */
    return i < 0 ? 0 : i < n ? i : n - 1;
  }
}

#endif
