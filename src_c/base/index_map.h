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
static inline int64_t cc_modulo(int64_t i, int64_t n) { return (i % n + n) % n; }

/* The index in [0, n) that stands for i, at any distance; n > 0. Not for constant. */
static inline int64_t cc_index_map(int32_t mode, int64_t i, int64_t n) {
  int64_t m;
  switch (mode) {
  case CCONV_PADDING_REFLECT:
    if (n == 1)
      return 0;
    m = cc_modulo(i, 2 * (n - 1));
    return m < n ? m : 2 * (n - 1) - m;
  case CCONV_PADDING_SYMMETRIC:
    m = cc_modulo(i, 2 * n);
    return m < n ? m : 2 * n - 1 - m;
  case CCONV_PADDING_CIRCULAR:
    return cc_modulo(i, n);
  default: /* replicate */
    return i < 0 ? 0 : i < n ? i : n - 1;
  }
}

#endif
