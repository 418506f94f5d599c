/* SPDX-License-Identifier: BSD-3-Clause
 * transpose_shape.h - the numbers of one transposed convolution, and its phases.
 *
 * Input i, tap k adds to output i * stride + k * dilation - before. Outputs o = p * stride + phase,
 * for one phase, see only every q-th tap, q = stride / gcd(dilation, stride), and what they see is an
 * ordinary convolution of stride 1 with those taps in reverse: no zeros are inserted, no output is
 * written twice. */
#ifndef CC_TRANSPOSE_SHAPE_H
#define CC_TRANSPOSE_SHAPE_H

#include "shape/conv_shape.h"

/* Fill *shape: its axes are the transposed convolution's own, ic and oc the channels of one group.
 * weight is (in channels, out channels / groups, kernel...). Check that the output has the size
 *
 *   (in - 1) stride - before - after + dilation (kernel - 1) + output padding + 1
 *
 * for an output padding from 0 to max(stride, dilation) - 1. */
cconv_status cconv_transpose_shape_of(const cconv_conv_params *params, int32_t rank, const cc_view *input,
                                      const cc_view *weight, const cc_view *output, cc_conv_shape *shape,
                                      cconv_error *error);

/* How many phases of an axis are met by a tap: their first taps are 0, 1, ... */
int64_t cconv_transpose_phases(const cc_axis *axis);

/* Do they hold all outputs? */
bool cconv_transpose_covers(const cc_axis *axis);

typedef struct cc_transpose_phase {
  cc_axis axis;     /* of the ordinary convolution; out is 0 where no output is of this phase */
  int64_t phase;    /* its outputs are phase, phase + stride, ... */
  int64_t tap;      /* the weight's tap that is its tap 0 */
  int64_t tap_step; /* from there to its tap 1: negative */
} cc_transpose_phase;

/* The phase whose first tap is `first`. */
void cconv_transpose_phase_of(const cc_axis *axis, int64_t first, cc_transpose_phase *result);

#endif
