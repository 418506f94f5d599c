/* SPDX-License-Identifier: BSD-3-Clause
 * filter_shape.h - the numbers of one filter over a footprint, checked. */
#ifndef CC_FILTER_SHAPE_H
#define CC_FILTER_SHAPE_H

#include "shape/axis.h"
#include "tensor/tensor.h"

typedef struct cc_filter_shape {
  int64_t n, c;
  cc_axis axis[CCONV_MAX_SPATIAL]; /* stride and dilation 1, a padding mode each */
  int64_t taps;                    /* of the kernel's box */
} cc_filter_shape;

/* As cconv_conv_shape_of, for a filter. */
cconv_status cconv_filter_shape_of(const cconv_filter_params *params, int32_t rank, const cc_view *input,
                                   const cc_view *output, cc_filter_shape *shape, cconv_error *error);

#endif
