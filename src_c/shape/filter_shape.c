/* SPDX-License-Identifier: BSD-3-Clause
 * filter_shape.c - do input, output and the window of a filter fit each other? */
#include "shape/filter_shape.h"

#include "base/checked.h"
#include "base/error.h"

cconv_status cconv_filter_shape_of(const cconv_filter_params *params, int32_t rank, const cc_view *input,
                                   const cc_view *output, cc_filter_shape *shape, cconv_error *error) {
  for (int a = CC_BATCH; a <= CC_CHANNEL; a++)
    if (output->shape[a] != input->shape[a])
      return cc_fail(error, CCONV_BAD_SHAPE, "output", a, output->shape[a], input->shape[a]);
  *shape = (cc_filter_shape){.n = input->shape[CC_BATCH], .c = input->shape[CC_CHANNEL], .taps = 1};
  const int leading = CCONV_MAX_RANK - rank; /* spatial axes the caller does not have */
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    const int p = a - leading, number = CC_DEPTH + p;
    cc_axis *axis = &shape->axis[a];
    *axis = (cc_axis){.in = input->shape[CC_DEPTH + a], .kernel = 1, .stride = 1, .dilation = 1};
    if (p >= 0) {
      axis->kernel = params->kernel[p];
      axis->before = params->pad_before[p];
      axis->after = params->pad_after[p];
      axis->map = params->padding_mode[p];
    }
    if (axis->map < CCONV_PADDING_CONSTANT || axis->map > CCONV_PADDING_CIRCULAR)
      return cc_fail(error, CCONV_BAD_ARGUMENT, "padding_mode", number, axis->map, CCONV_PADDING_CIRCULAR);
    if (axis->map != CCONV_PADDING_CONSTANT && axis->in == 0) /* nothing to mirror or repeat */
      return cc_fail(error, CCONV_BAD_SHAPE, "input", number, 0, 1);
    cconv_status status = cconv_axis_output(axis, false, number, error);
    if (status)
      return status;
    if (output->shape[CC_DEPTH + a] != axis->out)
      return cc_fail(error, CCONV_BAD_SHAPE, "output", number, output->shape[CC_DEPTH + a], axis->out);
    if (!cc_mul(shape->taps, axis->kernel, &shape->taps))
      return cc_fail(error, CCONV_TOO_LARGE, "kernel", number, axis->kernel, INT64_MAX);
  }
  return CCONV_OK;
}
