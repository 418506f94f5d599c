/* SPDX-License-Identifier: BSD-3-Clause
 * conv_place.c - what the drivers share that read inputs where they lie: which rows a kernel takes so. */
#include "ops/conv_place.h"

#include "base/checked.h"
#include "base/layout.h"

/* Outputs of a row none of whose taps look behind it. */
static int64_t inside(const cc_axis *axis) {
  const int64_t left = axis->end - axis->kernel + axis->before;
  return left < 0 ? 0 : cc_min(axis->out, left / axis->stride + 1);
}

bool cconv_place_fits(const cc_conv *conv) {
  const cc_axis *axis = conv->shape.axis, *row = &axis[2];
  const int64_t es = conv->element, vector = conv->kernels->vector_length, side = row->kernel;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    if (axis[a].dilation != 1 || axis[a].map != CCONV_PADDING_CONSTANT || axis[a].end < 1)
      return false;
  const int64_t after = (row->out - 1) * row->stride + side - row->before - row->end;
  return axis[0].kernel == 1 && axis[0].in == 1 && axis[0].out == 1 && axis[0].before == 0 &&
         (side == 3 || side == 5 || side == 7) && row->stride <= 2 && row->before >= 0 && row->before <= side / 2 &&
         after <= side / 2 &&
         (row->out <= vector || (row->out > vector + side / 2 && (row->out - 1) / vector * vector <= inside(row))) &&
         conv->input.dtype == conv->dtype && conv->input.stride[CC_WIDTH] == es &&
         conv->output.stride[CC_WIDTH] == es && conv->weight.in_place && conv->padding_value == 0;
}

cc_place cconv_place_of(const cc_axis *axis) {
  return (cc_place){
      .side = axis->kernel, .step = axis->stride, .before = axis->before, .end = axis->end, .columns = axis->out};
}
