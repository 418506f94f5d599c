/* SPDX-License-Identifier: BSD-3-Clause
 * conv_shape.h - the numbers of one convolution, checked. */
#ifndef CC_CONV_SHAPE_H
#define CC_CONV_SHAPE_H

#include "shape/axis.h"
#include "tensor/tensor.h"

typedef struct cc_conv_shape {
  int64_t n, groups;
  int64_t ic, oc;    /* channels of one group */
  int64_t taps;      /* of the kernel: the product of the axes' */
  int64_t reduction; /* products summed for one output: ic * taps */
  cc_axis axis[CCONV_MAX_SPATIAL];
} cc_conv_shape;

/* Stride, dilation and pads of spatial axis `p` of the caller's tensors; the neutral ones where p < 0:
 * an axis the caller does not have. */
cc_axis cconv_axis_of(const cconv_conv_params *params, int p);

/* Fill *shape from params and checked views (`rank` is the tensors' own) and check that the output
 * has the size the formula gives. */
cconv_status cconv_conv_shape_of(const cconv_conv_params *params, int32_t rank, const cc_view *input,
                                 const cc_view *weight, const cc_view *output, cc_conv_shape *shape,
                                 cconv_error *error);

#endif
