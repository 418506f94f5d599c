/* SPDX-License-Identifier: BSD-3-Clause
 * pool_shape.h - the numbers of one pooling, checked. */
#ifndef CC_POOL_SHAPE_H
#define CC_POOL_SHAPE_H

#include "shape/axis.h"
#include "tensor/tensor.h"

typedef struct cc_pool_shape {
  int64_t n, c;
  cc_axis axis[CCONV_MAX_SPATIAL];
  cc_axis walk[CCONV_MAX_SPATIAL]; /* the same windows less the taps that only ever see padding */
  int64_t taps;                    /* of a walked window */
} cc_pool_shape;

/* As cconv_conv_shape_of, for a pooling. */
cconv_status cconv_pool_shape_of(const cconv_pool_params *params, int32_t rank, const cc_view *input,
                                 const cc_view *output, cc_pool_shape *shape, cconv_error *error);

/* How many of window o's taps lie on elements of the axis, or on elements and declared pads when
 * `pads` is set; never on the overhang of a rounded-up last window. */
int64_t cconv_pool_count(const cc_axis *axis, int64_t o, bool pads);

/* Window o of an adaptive pooling: elements floor(o in / out) up to ceil((o + 1) in / out). */
typedef struct cc_window {
  int64_t from, size;
} cc_window;

bool cconv_pool_window_fits(int64_t in, int64_t out); /* do its products, whatever o? */
cc_window cconv_pool_window(int64_t in, int64_t out, int64_t o);

/* The first element of the axis under window o, -1 where it has none. */
int64_t cconv_pool_first(const cc_axis *axis, int64_t o);

#endif
