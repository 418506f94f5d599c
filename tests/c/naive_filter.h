/* SPDX-License-Identifier: BSD-3-Clause
 * naive_filter.h - the extreme over a footprint by its formula, one output at a time, in double. */
#ifndef NAIVE_FILTER_H
#define NAIVE_FILTER_H

#include "naive.h"

/* Output `number`; exact on integers below 2^53. */
static inline double naive_filter(const cconv_filter_params *p, const cconv_tensor *x, const cconv_tensor *y,
                                  int64_t number) {
  const double sign = p->kind == CCONV_POOL_MIN ? -1 : 1; /* the least is the greatest upside down */
  const bool floating = facts_of(x->dtype).kind == 'f';
  int64_t o[CCONV_MAX_RANK], taps = 1;
  double max = -INFINITY;
  split_index(y, number, o);
  for (int a = 0; a < x->rank - 2; a++)
    taps *= p->kernel[a];
  for (int64_t t = 0; t < taps; t++) {
    int64_t k[CCONV_MAX_SPATIAL] = {0}, rest = t, index = o[0] * x->shape[1] + o[1];
    bool outside = false;
    if (p->footprint && !p->footprint[t])
      continue;
    for (int a = x->rank - 3; a >= 0; a--) {
      k[a] = rest % p->kernel[a];
      rest /= p->kernel[a];
    }
    for (int a = 0; a < x->rank - 2; a++) {
      int64_t i = o[2 + a] + k[a] - p->pad_before[a];
      const int64_t size = x->shape[2 + a];
      if (p->padding_mode[a] != CCONV_PADDING_CONSTANT)
        i = naive_index(p->padding_mode[a], i, size);
      outside = outside || i < 0 || i >= size;
      index = index * size + i;
    }
    const double padding = floating ? value_in(x->dtype, p->padding_value) : trunc(p->padding_value);
    const double value = sign * (outside ? padding : element_get(x, index));
    if (value > max || isnan(value))
      max = isnan(max) ? max : value;
  }
  return value_in(y->dtype, sign * max);
}

#endif
