/* SPDX-License-Identifier: BSD-3-Clause
 * conv.c - convolution: validate, choose the driver, call it.
 *
 * Law: after cconv_conv_validate() nothing can fail but the workspace's size, and a call that is told to stop. */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/layout.h"
#include "choose/algorithm.h"
#include "ops/conv_driver.h"
#include "shape/transpose_shape.h"

static bool is_pointwise(const cc_axis *axis) {
  return axis->kernel == 1 && axis->stride == 1 && axis->before == 0 && axis->after == 0;
}

/* Is one step of the outer axis as long as n of the inner? */
static bool follows(int64_t outer, int64_t n, int64_t inner) {
  int64_t whole;
  return cc_mul(n, inner, &whole) && outer == whole; /* n - 1 steps fit, n may not */
}

/* Where a 1 x 1 kernel looks at rows that follow each other in memory, they are one long row: no tile
 * then ends at the end of a short one. */
static void merge_rows(cc_conv *conv) {
  const int64_t *in = conv->input.stride, *out = conv->output.stride, *add = conv->residual.stride;
  for (int a = 1; a < CCONV_MAX_SPATIAL; a++) {
    cc_axis *outer = &conv->shape.axis[a - 1], *inner = &conv->shape.axis[a];
    const int axis = CC_DEPTH + a;
    if (!is_pointwise(outer) || !is_pointwise(inner) || !follows(in[axis - 1], inner->in, in[axis]) ||
        !follows(out[axis - 1], inner->out, out[axis]) ||
        (conv->residual.data && !follows(add[axis - 1], inner->out, add[axis])))
      continue;
    inner->in = inner->out = inner->end = inner->in * outer->in;
    outer->in = outer->out = outer->end = 1;
  }
}

/* Integers have only the activations that need no fraction; of unsigned ones relu changes nothing. */
static cconv_status check_activation(int32_t dtype, int32_t kind, cconv_error *error) {
  if (!cconv_is_floating(dtype) && kind != CCONV_ACTIVATION_NONE && kind != CCONV_ACTIVATION_RELU &&
      kind != CCONV_ACTIVATION_CLIP)
    return cc_fail(error, CCONV_UNSUPPORTED, "activation", -1, kind, CCONV_ACTIVATION_RELU);
  return CCONV_OK;
}

static cconv_status take_bias(const cconv_tensor *bias, cc_conv *conv, cconv_error *error) {
  cc_view b;
  if (!bias)
    return CCONV_OK;
  const cconv_status status = cconv_view_of(bias, "bias", conv->dtype, 1, true, &b, error);
  if (status)
    return status;
  if (!cconv_view_is_dense(&b, CC_BATCH, conv->element))
    return cc_fail(error, CCONV_BAD_ARGUMENT, "bias", 0, b.stride[0], conv->element);
  if (b.shape[0] != conv->output.shape[CC_CHANNEL])
    return cc_fail(error, CCONV_BAD_SHAPE, "bias", 0, b.shape[0], conv->output.shape[CC_CHANNEL]);
  conv->bias = b.data;
  return CCONV_OK;
}

static cconv_status take_residual(const cconv_tensor *residual, int32_t rank, cc_conv *conv, cconv_error *error) {
  if (!residual)
    return CCONV_OK;
  const cconv_status status =
      cconv_view_of(residual, "residual", conv->output.dtype, rank, false, &conv->residual, error);
  return status ? status : cconv_operation_like("residual", rank, &conv->residual, &conv->output, error);
}

cconv_status cconv_conv_validate(const cconv_conv_params *params, const cconv_conv_tensors *tensors, bool transposed,
                                 const cconv_context *context, cc_conv *conv, cconv_error *error) {
  const cconv_tensor *input = tensors->input;
  if (!params || params->struct_size < sizeof *params)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "params", -1, params ? params->struct_size : 0, sizeof *params);
  if (params->activation < CCONV_ACTIVATION_NONE || params->activation > CCONV_ACTIVATION_CLIP)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "activation", -1, params->activation, CCONV_ACTIVATION_CLIP);
  if (params->padding_mode < CCONV_PADDING_CONSTANT || params->padding_mode > CCONV_PADDING_CIRCULAR)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "padding_mode", -1, params->padding_mode, CCONV_PADDING_CIRCULAR);
  if (params->algorithm < CCONV_ALGORITHM_AUTO || params->algorithm > CCONV_ALGORITHM_INT8X3)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "algorithm", -1, params->algorithm, CCONV_ALGORITHM_INT8X3);
  if (params->algorithm >= CCONV_ALGORITHM_WINOGRAD && transposed)
    return cc_fail(error, CCONV_UNSUPPORTED, "algorithm", -1, params->algorithm, CCONV_ALGORITHM_DIRECT);
  if (transposed && params->padding_mode != CCONV_PADDING_CONSTANT)
    return cc_fail(error, CCONV_UNSUPPORTED, "padding_mode", -1, params->padding_mode, CCONV_PADDING_CONSTANT);
  if (!input)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "input", -1, 0, 1);
  if (input->rank < 3 || input->rank > CCONV_MAX_RANK)
    return cc_fail(error, CCONV_BAD_SHAPE, "input", -1, input->rank, CCONV_MAX_RANK);

  if (!tensors->output)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "output", -1, 0, 1);

  const int32_t dtype = cconv_arithmetic_of(tensors->output->dtype), rank = input->rank;
  *conv = (cc_conv){.dtype = dtype,
                    .element = cconv_element_size(dtype),
                    .padding_value = params->padding_value,
                    .algorithm = params->algorithm,
                    .activation = params->activation,
                    .activation_a = params->activation_a,
                    .activation_b = params->activation_b};
  cc_conv_shape *shape = &conv->shape;
  cc_view w;
  cconv_status status;
  if ((status = cconv_operation_context(context, error)) ||
      (status = cconv_operation_kernels(dtype, "output", &conv->kernels, error)) ||
      (status = check_activation(dtype, params->activation, error)) ||
      (status = cconv_operation_reads(dtype, input, "input", error)) ||
      (status = cconv_operation_reads(dtype, tensors->weight, "weight", error)) ||
      (status = cconv_view_of(input, "input", input->dtype, rank, false, &conv->input, error)) ||
      (status = cconv_view_of(tensors->weight, "weight", tensors->weight->dtype, rank, true, &w, error)) ||
      (status = cconv_view_of(tensors->output, "output", tensors->output->dtype, rank, true, &conv->output, error)) ||
      (status = transposed ? cconv_transpose_shape_of(params, rank, &conv->input, &w, &conv->output, shape, error)
                           : cconv_conv_shape_of(params, rank, &conv->input, &w, &conv->output, shape, error)) ||
      (status = take_bias(tensors->bias, conv, error)) ||
      (status = take_residual(tensors->residual, rank, conv, error)))
    return status;
  if (params->algorithm == CCONV_ALGORITHM_WINOGRAD && (status = cconv_winograd_serves(dtype, rank, shape, error)))
    return status;
  if (params->algorithm == CCONV_ALGORITHM_BF16X3 &&
      (status = cconv_bf16x3_serves(dtype, cconv_operation_matrix(dtype) != NULL, shape, error)))
    return status;
  if (params->algorithm == CCONV_ALGORITHM_INT8X3 &&
      (status = cconv_int8x3_serves(dtype, cconv_operation_matrix(dtype) != NULL, shape, error)))
    return status;
  conv->matrix = cconv_operation_matrix(dtype);
  const int64_t *stride = w.stride;
  conv->weight =
      (cc_weight){.data = w.data,
                  .dtype = w.dtype,
                  /* A step that is never taken may not fit. */
                  .group = shape->groups > 1 ? (transposed ? shape->ic : shape->oc) * stride[CC_BATCH] : 0,
                  .out = stride[transposed ? CC_CHANNEL : CC_BATCH],
                  .in = stride[transposed ? CC_BATCH : CC_CHANNEL],
                  .tap = {stride[CC_DEPTH], stride[CC_HEIGHT], stride[CC_WIDTH]},
                  .in_place = !transposed && w.dtype == dtype && cconv_view_is_dense(&w, CC_CHANNEL, conv->element)};
  memcpy(conv->given, shape->axis, sizeof conv->given);
  if (!transposed)
    merge_rows(conv);
  return CCONV_OK;
}

cconv_status cconv_conv_workspace(const cconv_conv_params *params, const cconv_tensor *input,
                                  const cconv_tensor *weight, const cconv_tensor *bias, const cconv_tensor *residual,
                                  const cconv_tensor *output, const cconv_context *context, size_t *bytes,
                                  cconv_error *error) {
  cc_conv conv;
  cc_conv_work work = {.workspace = 0};
  const cconv_conv_tensors tensors = {sizeof tensors, input, weight, bias, residual, output};
  cconv_status status = cconv_conv_validate(params, &tensors, false, context, &conv, error);
  if (status)
    return status;
  if (!bytes)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "bytes", -1, 0, 1);
  if (!cconv_view_is_empty(&conv.output))
    cconv_conv_work_out(&conv, context->num_threads, &work);
  *bytes = (size_t)(work.workspace + CC_ALIGNMENT);
  return CCONV_OK;
}

cconv_status cconv_conv(const cconv_conv_params *params, const cconv_tensor *input, const cconv_tensor *weight,
                        const cconv_tensor *bias, const cconv_tensor *residual, const cconv_tensor *output,
                        const cconv_context *context, void *workspace, size_t bytes, cconv_error *error) {
  cc_conv conv;
  cc_conv_work work;
  cc_run run;
  char *base;
  const cconv_conv_tensors tensors = {sizeof tensors, input, weight, bias, residual, output};
  cconv_status status = cconv_conv_validate(params, &tensors, false, context, &conv, error);
  if (status || cconv_view_is_empty(&conv.output))
    return status;
  cconv_conv_work_out(&conv, context->num_threads, &work);
  if ((status = cconv_operation_workspace(workspace, bytes, work.workspace + CC_ALIGNMENT, &base, error)))
    return status;
  cconv_run_begin(&run, context);
  return cconv_conv_run(&conv, &work, &run, base);
}
