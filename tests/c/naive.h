/* SPDX-License-Identifier: BSD-3-Clause
 * naive.h - convolution and pooling by their formulas, one output at a time, in double.
 *
 * Exact on integers whose sums stay below 2^53. Any strides; the geometry is taken from the
 * parameters the core gets, and nothing else is shared with it. */
#ifndef NAIVE_H
#define NAIVE_H

#include "guarded.h"

/* Split the C-order number of an element into one index an axis. */
static inline void split_index(const cconv_tensor *t, int64_t number, int64_t *index) {
  for (int a = t->rank - 1; a >= 0; a--) {
    index[a] = number % t->shape[a];
    number /= t->shape[a];
  }
}

/* The element with these indices, and 0 where an index is outside or cropped away by a negative pad:
 * axis i of the window looks at o * stride + k * dilation - before. *real says which it was. */
static inline double window_element(const cconv_tensor *x, int64_t n, int64_t c, const int64_t *at,
                                    const int64_t *before, const int64_t *after, bool *real) {
  int64_t number = n * x->shape[1] + c;
  *real = true;
  for (int a = 0; a < x->rank - 2; a++) {
    const int64_t size = x->shape[2 + a], low = before[a] < 0 ? -before[a] : 0;
    *real = *real && at[a] >= low && at[a] < size + (after[a] < 0 ? after[a] : 0);
    number = number * size + at[a];
  }
  return *real ? element_get(x, number) : 0;
}

/* The index in [0, n) that stands for i, found by walking back into the array. */
static inline int64_t naive_index(int32_t mode, int64_t i, int64_t n) {
  while (i < 0 || i >= n) {
    const int64_t edge = i < 0 ? 0 : n - 1;
    if (mode == CCONV_PADDING_REPLICATE || n == 1)
      i = edge;
    else if (mode == CCONV_PADDING_CIRCULAR)
      i += i < 0 ? n : -n;
    else
      i = 2 * edge - i + (mode == CCONV_PADDING_SYMMETRIC ? (i < 0 ? -1 : 1) : 0);
  }
  return i;
}

/* Output `number` of a convolution before its activation; the bias and the residual may be NULL. */
static inline double naive_conv(const cconv_conv_params *p, const cconv_tensor *x, const cconv_tensor *w,
                                const cconv_tensor *b, const cconv_tensor *r, const cconv_tensor *y, int64_t number) {
  const int64_t taps = count_of(w) / w->shape[0]; /* of one output channel */
  const int64_t uncut[CCONV_MAX_SPATIAL] = {0};   /* no window reaches what a negative pad crops */
  int64_t o[CCONV_MAX_RANK], k[CCONV_MAX_RANK], at[CCONV_MAX_SPATIAL];
  split_index(y, number, o);
  const int64_t group = o[1] / (w->shape[0] / p->groups);
  double sum = (b ? element_get(b, o[1]) : 0) + (r ? element_get(r, number) : 0);
  for (int64_t t = 0; t < taps; t++) {
    bool real;
    split_index(w, t, k);
    for (int a = 0; a < x->rank - 2; a++) {
      at[a] = o[2 + a] * p->stride[a] + k[2 + a] * p->dilation[a] - p->pad_before[a];
      if (p->padding_mode != CCONV_PADDING_CONSTANT)
        at[a] = naive_index(p->padding_mode, at[a], x->shape[2 + a]);
    }
    const double value = window_element(x, o[0], group * w->shape[1] + k[1], at, uncut, uncut, &real);
    sum += (real ? value : p->padding_value) * element_get(w, o[1] * taps + t);
  }
  return sum;
}

/* Output `number` of a transposed convolution before its activation: what every input sends it. */
static inline double naive_conv_transpose(const cconv_conv_params *p, const cconv_tensor *x, const cconv_tensor *w,
                                          const cconv_tensor *b, const cconv_tensor *r, const cconv_tensor *y,
                                          int64_t number) {
  const int64_t taps = count_of(w) / (w->shape[0] * w->shape[1]), per_group = w->shape[0] / p->groups;
  int64_t o[CCONV_MAX_RANK], k[CCONV_MAX_RANK];
  split_index(y, number, o);
  const int64_t group = o[1] / w->shape[1], m = o[1] % w->shape[1];
  double sum = (b ? element_get(b, o[1]) : 0) + (r ? element_get(r, number) : 0);
  for (int64_t t = 0; t < taps; t++) {
    int64_t inside = 0; /* of the input element, within its channel */
    bool real = true;
    split_index(w, t, k);
    for (int a = 2; a < x->rank; a++) {
      const int64_t from = o[a] + p->pad_before[a - 2] - k[a] * p->dilation[a - 2];
      const int64_t i = from / p->stride[a - 2];
      real = real && from >= 0 && from % p->stride[a - 2] == 0 && i < x->shape[a];
      inside = inside * x->shape[a] + i;
    }
    const int64_t plane = count_of(x) / (x->shape[0] * x->shape[1]);
    for (int64_t c = group * per_group; real && c < (group + 1) * per_group; c++)
      sum +=
          element_get(x, (o[0] * x->shape[1] + c) * plane + inside) * element_get(w, (c * w->shape[1] + m) * taps + t);
  }
  return sum;
}

/* Output `number` of a pooling, and in *found where an extreme was found. Lp for p of 1, 2 and
 * INFINITY, without NaN. An average is one division, in float for a float or a half. */
static inline double naive_pool(const cconv_pool_params *p, const cconv_tensor *x, const cconv_tensor *y,
                                int64_t number, int64_t *found) {
  int64_t o[CCONV_MAX_RANK], at[CCONV_MAX_SPATIAL], taps = 1, elements = 0, padded = 0;
  double sum = 0, max = -INFINITY, norm = 0;
  const double sign = p->kind == CCONV_POOL_MIN ? -1 : 1; /* the least is the greatest upside down */
  *found = -1;
  split_index(y, number, o);
  for (int a = 0; a < x->rank - 2; a++)
    taps *= p->kernel[a];
  for (int64_t t = 0; t < taps; t++) {
    int64_t rest = t;
    bool real, in_pad = true;
    for (int a = x->rank - 3; a >= 0; a--) {
      const int64_t from_pad = o[2 + a] * p->stride[a] + rest % p->kernel[a] * p->dilation[a];
      at[a] = from_pad - p->pad_before[a];
      in_pad &= from_pad < x->shape[2 + a] + p->pad_before[a] + p->pad_after[a];
      rest /= p->kernel[a];
    }
    const double value = window_element(x, o[0], o[1], at, p->pad_before, p->pad_after, &real);
    padded += in_pad;
    elements += real;
    sum += value;
    norm = isinf(p->p) ? fmax(norm, fabs(value)) : norm + (p->p == 1 ? fabs(value) : value * value);
    if (real && (*found < 0 || sign * value > max || (isnan(value) && !isnan(max)))) {
      max = sign * value;
      *found = 0;
      for (int a = 0; a < x->rank - 2; a++)
        *found = *found * x->shape[2 + a] + at[a];
    }
  }
  if (p->kind == CCONV_POOL_LP) {
    norm = p->p == 2 ? sqrt(norm) : norm;
    return value_in(y->dtype, y->dtype == CCONV_FLOAT64 ? norm : (double)(float)norm);
  }
  if (p->kind != CCONV_POOL_AVERAGE)
    return value_in(y->dtype, sign * max);
  const int64_t count = p->divisor ? p->divisor : p->count_include_pad ? padded : elements;
  return value_in(y->dtype, y->dtype == CCONV_FLOAT64 ? sum / (double)count : (double)((float)sum / (float)count));
}

#endif
