/* SPDX-License-Identifier: BSD-3-Clause
 * axis.h - one spatial axis of a sliding window: THE size formula, and stride phases.
 *
 * Law: integers in, integers out. */
#ifndef CC_AXIS_H
#define CC_AXIS_H

#include <stdbool.h>

#include "cconv.h"

/* Window position o, tap k looks at input index o * stride + k * dilation - before. */
typedef struct cc_axis {
  int64_t in, out, kernel, stride, dilation, before, after;
  int32_t map; /* cconv_padding_mode of indices outside */
  int64_t end; /* input indices from here on are outside: in, less what a negative `after` crops */
} cc_axis;

/* out = floor((in + before + after - dilation (kernel - 1) - 1) / stride) + 1; with `ceil`, ceil
 * instead, but no window starts behind input and leading pad. Fails with
 * BAD_ARGUMENT on a kernel, stride or dilation below 1, BAD_SHAPE on an empty output, TOO_LARGE
 * where any index a window can reach does not fit. `number` is the axis in the caller's tensors. */
cconv_status cconv_axis_output(cc_axis *axis, bool ceil, int number, cconv_error *error);

/* The input indices of one axis in `stride` interleaved phases: tap k looks at offset k * dilation,
 * phase (k * dilation) % stride. Phases repeat with period stride / gcd(dilation, stride), so
 * taps 0 .. period - 1 name them all: the phase of tap k has slot k % period. */
int64_t cconv_axis_period(const cc_axis *axis);

#endif
