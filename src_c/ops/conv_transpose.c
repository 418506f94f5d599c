/* SPDX-License-Identifier: BSD-3-Clause
 * conv_transpose.c - transposed convolution, phase by phase.
 *
 * Law: every phase of the stride that taps meet is an ordinary convolution with every q-th of them
 * (see shape/transpose_shape.h): no zero is inserted, no sum is stored before it is whole. Where other
 * phases have outputs, all outputs are first made bias: there may be far more phases than taps. */
#include "base/checked.h"
#include "base/error.h"
#include "base/layout.h"
#include "ops/conv_driver.h"
#include "shape/transpose_shape.h"

/* The phases that taps meet. */
static int64_t phase_count(const cc_conv *conv) {
  int64_t count = 1; /* at most the taps, whose number was checked */
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    count *= cconv_transpose_phases(&conv->shape.axis[a]);
  return count;
}

static bool has_unmet_outputs(const cc_conv *conv) {
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    if (!cconv_transpose_covers(&conv->shape.axis[a]))
      return true;
  return false;
}

/* All outputs as a convolution over no channels: the bias. */
static cc_conv bias_of(const cc_conv *conv) {
  cc_conv whole = *conv;
  whole.shape.ic = whole.shape.reduction = 0;
  whole.shape.taps = 1;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    whole.shape.axis[a] = (cc_axis){.kernel = 1, .stride = 1, .dilation = 1, .out = conv->shape.axis[a].out};
  return whole;
}

/* The ordinary convolution of the phase with first tap (d, h, w), counted as `index`; false where it has
 * no outputs. */
static bool phase_of(const cc_conv *conv, int64_t index, cc_conv *part) {
  *part = *conv;
  cc_conv_shape *shape = &part->shape;
  bool any = true;
  shape->taps = 1;
  for (int a = CCONV_MAX_SPATIAL - 1; a >= 0; a--) {
    const cc_axis *axis = &conv->shape.axis[a];
    const int64_t count = cconv_transpose_phases(axis), step = conv->output.stride[CC_DEPTH + a];
    cc_transpose_phase one;
    cconv_transpose_phase_of(axis, index % count, &one);
    index /= count;
    if (one.axis.out == 0) {
      any = false;
      continue;
    }
    shape->axis[a] = one.axis;
    shape->taps *= one.axis.kernel;
    part->weight.data += one.tap * conv->weight.tap[a];
    part->output.data += one.phase * step;
    if (conv->residual.data)
      part->residual.data += one.phase * conv->residual.stride[CC_DEPTH + a];
    /* A step that is never taken may not fit. */
    part->weight.tap[a] = one.axis.kernel > 1 ? one.tap_step * conv->weight.tap[a] : 0;
    part->output.stride[CC_DEPTH + a] = one.axis.out > 1 ? axis->stride * step : 0;
    part->residual.stride[CC_DEPTH + a] = one.axis.out > 1 ? axis->stride * conv->residual.stride[CC_DEPTH + a] : 0;
  }
  shape->reduction = shape->ic * shape->taps;
  return any;
}

static int64_t workspace_bytes(const cc_conv *conv, const cconv_context *context) {
  cc_conv part = bias_of(conv);
  int64_t bytes = has_unmet_outputs(conv) ? cconv_conv_driver_workspace(&part, context) : 0;
  for (int64_t i = 0; i < phase_count(conv); i++)
    if (phase_of(conv, i, &part))
      bytes = cc_max(bytes, cconv_conv_driver_workspace(&part, context));
  return bytes + CC_ALIGNMENT;
}

cconv_status cconv_conv_transpose_workspace(const cconv_conv_params *params, const cconv_tensor *input,
                                            const cconv_tensor *weight, const cconv_tensor *bias,
                                            const cconv_tensor *residual, const cconv_tensor *output,
                                            const cconv_context *context, size_t *bytes, cconv_error *error) {
  cc_conv conv;
  const cc_conv_tensors tensors = {input, weight, bias, residual, output};
  cconv_status status = cconv_conv_validate(params, &tensors, true, context, &conv, error);
  if (status)
    return status;
  if (!bytes)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "bytes", -1, 0, 1);
  *bytes = (size_t)workspace_bytes(&conv, context);
  return CCONV_OK;
}

cconv_status cconv_conv_transpose(const cconv_conv_params *params, const cconv_tensor *input,
                                  const cconv_tensor *weight, const cconv_tensor *bias, const cconv_tensor *residual,
                                  const cconv_tensor *output, const cconv_context *context, void *workspace,
                                  size_t bytes, cconv_error *error) {
  cc_conv conv;
  char *base;
  const cc_conv_tensors tensors = {input, weight, bias, residual, output};
  cconv_status status = cconv_conv_validate(params, &tensors, true, context, &conv, error);
  if (status || (status = cconv_operation_workspace(workspace, bytes, workspace_bytes(&conv, context), &base, error)))
    return status;
  cc_conv part = bias_of(&conv);
  if (has_unmet_outputs(&conv))
    cconv_conv_driver_run(&part, context, base);
  for (int64_t i = 0; i < phase_count(&conv); i++)
    if (phase_of(&conv, i, &part))
      cconv_conv_driver_run(&part, context, base);
  return CCONV_OK;
}
