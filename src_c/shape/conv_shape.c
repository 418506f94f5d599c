/* SPDX-License-Identifier: BSD-3-Clause
 * conv_shape.c - do input, weight and output of a convolution fit each other? */
#include "shape/conv_shape.h"

#include "base/checked.h"
#include "base/error.h"

cc_axis cconv_axis_of(const cconv_conv_params *params, int p) {
  if (p < 0)
    return (cc_axis){.stride = 1, .dilation = 1};
  return (cc_axis){.stride = params->stride[p],
                   .dilation = params->dilation[p],
                   .map = params->padding_mode,
                   .before = params->pad_before[p],
                   .after = params->pad_after[p]};
}

cconv_status cconv_conv_shape_of(const cconv_conv_params *params, int32_t rank, const cc_view *input,
                                 const cc_view *weight, const cc_view *output, cc_conv_shape *shape,
                                 cconv_error *error) {
  int64_t ic = input->shape[CC_CHANNEL], oc = weight->shape[CC_BATCH], g = params->groups;
  if (g < 1)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "groups", -1, g, 1);
  if (ic % g || oc % g)
    return cc_fail(error, CCONV_BAD_SHAPE, "groups", CC_CHANNEL, g, ic % g ? ic : oc);
  if (weight->shape[CC_CHANNEL] != ic / g)
    return cc_fail(error, CCONV_BAD_SHAPE, "weight", CC_CHANNEL, weight->shape[CC_CHANNEL], ic / g);
  if (output->shape[CC_BATCH] != input->shape[CC_BATCH])
    return cc_fail(error, CCONV_BAD_SHAPE, "output", CC_BATCH, output->shape[CC_BATCH], input->shape[CC_BATCH]);
  if (output->shape[CC_CHANNEL] != oc)
    return cc_fail(error, CCONV_BAD_SHAPE, "output", CC_CHANNEL, output->shape[CC_CHANNEL], oc);

  *shape = (cc_conv_shape){.n = input->shape[CC_BATCH], .groups = g, .ic = ic / g, .oc = oc / g, .taps = 1};
  int leading = CCONV_MAX_RANK - rank; /* spatial axes the caller does not have */
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    cc_axis *axis = &shape->axis[a];
    *axis = cconv_axis_of(params, a - leading);
    axis->in = input->shape[CC_DEPTH + a];
    axis->kernel = weight->shape[CC_DEPTH + a];
    if (axis->map != CCONV_PADDING_CONSTANT && axis->in == 0) /* nothing to mirror or repeat */
      return cc_fail(error, CCONV_BAD_SHAPE, "input", CC_DEPTH + a - leading, 0, 1);
    cconv_status status = cconv_axis_output(axis, false, CC_DEPTH + a - leading, error);
    if (status)
      return status;
    if (output->shape[CC_DEPTH + a] != axis->out)
      return cc_fail(error, CCONV_BAD_SHAPE, "output", CC_DEPTH + a - leading, output->shape[CC_DEPTH + a], axis->out);
    if (!cc_mul(shape->taps, axis->kernel, &shape->taps))
      return cc_fail(error, CCONV_TOO_LARGE, "kernel", CC_DEPTH + a - leading, axis->kernel, INT64_MAX);
  }
  if (!cc_mul(shape->taps, shape->ic, &shape->reduction))
    return cc_fail(error, CCONV_TOO_LARGE, "weight", CC_CHANNEL, shape->ic, INT64_MAX);
  return CCONV_OK;
}
