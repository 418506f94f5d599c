/* SPDX-License-Identifier: BSD-3-Clause
 * conv_transpose.c - transposed convolution, phase by phase.
 *
 * Law: every phase of the stride that taps meet is an ordinary convolution with every q-th of them
 * (see shape/transpose_shape.h): no zero is inserted, no sum is stored before it is whole. Where other
 * phases have outputs, all outputs are first made bias: there may be far more phases than taps. Direct ones that meet
 * every output go in one pass (ops/conv_phases.h), with the same bits; or, where AUTO is asked for, on a matrix unit. Of
 * few inputs, which no matrix unit takes, AUTO adds all products up where they fall: col2im (ops/conv_products.h). */
#include "ops/conv_transpose.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/layout.h"
#include "ops/conv_matrix.h"
#include "ops/conv_phases.h"
#include "ops/conv_products.h"
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
  whole.algorithm = CCONV_ALGORITHM_DIRECT;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    whole.shape.axis[a] = (cc_axis){.kernel = 1, .stride = 1, .dilation = 1, .out = conv->shape.axis[a].out};
  return whole;
}

/* The ordinary convolution of the phase with first tap (d, h, w), counted as `index`; false where it has
 * no outputs. */
static bool phase_of(const cc_conv *conv, int64_t index, cc_conv *part) {
  *part = *conv;
  part->algorithm = CCONV_ALGORITHM_DIRECT;
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

/* Step through the phases that have outputs: true with the next one, false when there is none. `dense` is where the
 * kept weights of the first begin, NULL for none; those of the others follow, each from a whole line on. */
typedef struct phase_walk {
  const cc_conv *conv;
  int64_t index, count;
  const char *dense;
  cc_conv part;
} phase_walk;

static phase_walk phases_of(const cc_conv *conv, const char *dense) {
  return (phase_walk){.conv = conv, .count = phase_count(conv), .dense = dense};
}

static bool next_phase(phase_walk *walk) {
  while (walk->index < walk->count) {
    if (!phase_of(walk->conv, walk->index++, &walk->part))
      continue;
    if (walk->dense) {
      cconv_conv_kept_weights(&walk->part, walk->dense);
      walk->dense += cc_lines(cconv_conv_dense_bytes(&walk->part));
    }
    return true;
  }
  return false;
}

/* Can all phases go in one pass? Shapes decide; then the pass has been worked out. */
static bool in_one_pass(const cc_conv *conv, int64_t threads, const char *dense, cc_phases *pass) {
  if (!cconv_phases_prepare(conv, threads, dense, pass))
    return false;
  for (phase_walk walk = phases_of(conv, NULL); next_phase(&walk);)
    if (!cconv_conv_is_direct(&walk.part))
      return false;
  return true;
}

/* Is it computed by col2im? Shapes, parameters and dtype decide. */
static bool is_of_products(const cc_conv *conv) {
  cc_phases pass;
  return conv->algorithm == CCONV_ALGORITHM_AUTO && cconv_products_fit(conv) &&
         !(conv->matrix && in_one_pass(conv, 1, NULL, &pass) && (pass.digits || pass.matrix));
}

/* Worked out, with the weights that a plan keeps, if it does: `copy` is the convolution with those. */
static void prepare_products(const cc_conv *conv, int64_t threads, const char *dense, cc_conv *copy, cc_products *p) {
  *copy = *conv;
  if (dense)
    cconv_products_kept(copy, dense);
  cconv_products_prepare(copy, threads, p);
}

int64_t cconv_transpose_dense_bytes(const cc_conv *conv) {
  cc_phases pass;
  if (is_of_products(conv))
    return cconv_products_kept_bytes(conv);
  if (in_one_pass(conv, 1, NULL, &pass))
    return cconv_phases_kept_bytes(&pass);
  int64_t bytes = 0;
  for (phase_walk walk = phases_of(conv, NULL); next_phase(&walk);)
    bytes += cc_lines(cconv_conv_dense_bytes(&walk.part));
  return bytes;
}

void cconv_transpose_keep_weights(const cc_conv *conv, char *dense) {
  cc_phases pass;
  if (is_of_products(conv)) {
    cconv_products_keep(conv, dense);
    return;
  }
  if (in_one_pass(conv, 1, NULL, &pass)) {
    cconv_phases_keep(&pass, dense);
    return;
  }
  for (phase_walk walk = phases_of(conv, NULL); next_phase(&walk);) {
    cconv_conv_keep_weights(&walk.part, dense);
    dense += cc_lines(cconv_conv_dense_bytes(&walk.part));
  }
}

int64_t cconv_transpose_workspace(const cc_conv *conv, int64_t threads, const char *dense) {
  cc_conv_work work = {.workspace = 0};
  cc_phases pass;
  cc_conv copy;
  cc_products products;
  if (conv->output.shape[CC_CHANNEL] == 0)
    return 0;
  if (is_of_products(conv)) {
    prepare_products(conv, threads, dense, &copy, &products);
    const cc_conv one = cconv_matrix_directly(&copy, 0);
    return cc_max(products.workspace, products.left_bytes + cconv_transpose_workspace(&one, threads, NULL));
  }
  if (in_one_pass(conv, threads, dense, &pass))
    return pass.workspace;
  if (has_unmet_outputs(conv)) {
    const cc_conv whole = bias_of(conv);
    cconv_conv_work_out(&whole, threads, &work);
  }
  int64_t bytes = work.workspace;
  for (phase_walk walk = phases_of(conv, dense); next_phase(&walk);) {
    cconv_conv_work_out(&walk.part, threads, &work);
    bytes = cc_max(bytes, work.workspace);
  }
  return bytes;
}

static cconv_status run_part(const cc_conv *part, cc_run *run, char *workspace, cc_conv_work *work) {
  cconv_conv_work_out(part, run->context->num_threads, work);
  return work->driver->run(part, work, run, workspace);
}

cconv_status cconv_transpose_run(const cc_conv *conv, cc_run *run, char *workspace, const char *dense) {
  cconv_status status = CCONV_OK;
  cc_conv_work work;
  cc_phases pass;
  cc_conv copy;
  cc_products products;
  if (cconv_view_is_empty(&conv->output))
    return CCONV_OK;
  if (is_of_products(conv)) {
    prepare_products(conv, run->context->num_threads, dense, &copy, &products);
    status = cconv_products_run(&products, run, workspace);
    for (int64_t n = 0; !status && n < conv->shape.n; n++)
      if (cconv_products_left(&products, n)) {
        const cc_conv one = cconv_matrix_directly(&copy, n);
        status = cconv_transpose_run(&one, run, workspace + products.left_bytes, NULL);
      }
    return status;
  }
  if (in_one_pass(conv, run->context->num_threads, dense, &pass))
    return cconv_phases_run(&pass, run, workspace);
  if (has_unmet_outputs(conv)) {
    const cc_conv whole = bias_of(conv);
    status = run_part(&whole, run, workspace, &work);
  }
  for (phase_walk walk = phases_of(conv, dense); !status && next_phase(&walk);)
    status = run_part(&walk.part, run, workspace, &work);
  return status;
}

void cconv_transpose_describe(const cc_conv *conv, int64_t threads, const char *dense, cconv_plan_info *info) {
  cc_conv_work work;
  cc_phases pass;
  cc_conv copy;
  cc_products products;
  if (is_of_products(conv)) {
    prepare_products(conv, threads, dense, &copy, &products);
    cconv_products_describe(&products, info);
    return;
  }
  if (in_one_pass(conv, threads, dense, &pass)) {
    cconv_phases_describe(&pass, info);
    return;
  }
  info->phases = 0;
  for (phase_walk walk = phases_of(conv, dense); next_phase(&walk); info->phases++) {
    cconv_conv_work_out(&walk.part, threads, &work);
    if (info->phases == 0) {
      info->algorithm = work.driver->name;
      info->threads = (int32_t)work.parts;
      work.driver->describe(&work, info);
    }
    info->operations += cconv_conv_operations(&walk.part);
  }
  info->passes = info->phases;
}

cconv_status cconv_conv_transpose_workspace(const cconv_conv_params *params, const cconv_tensor *input,
                                            const cconv_tensor *weight, const cconv_tensor *bias,
                                            const cconv_tensor *residual, const cconv_tensor *output,
                                            const cconv_context *context, size_t *bytes, cconv_error *error) {
  cc_conv conv;
  const cconv_conv_tensors tensors = {sizeof tensors, input, weight, bias, residual, output};
  cconv_status status = cconv_conv_validate(params, &tensors, true, context, &conv, error);
  if (status)
    return status;
  if (!bytes)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "bytes", -1, 0, 1);
  *bytes = (size_t)(cconv_transpose_workspace(&conv, context->num_threads, NULL) + CC_ALIGNMENT);
  return CCONV_OK;
}

cconv_status cconv_conv_transpose(const cconv_conv_params *params, const cconv_tensor *input,
                                  const cconv_tensor *weight, const cconv_tensor *bias, const cconv_tensor *residual,
                                  const cconv_tensor *output, const cconv_context *context, void *workspace,
                                  size_t bytes, cconv_error *error) {
  cc_conv conv;
  cc_run run;
  char *base;
  const cconv_conv_tensors tensors = {sizeof tensors, input, weight, bias, residual, output};
  cconv_status status = cconv_conv_validate(params, &tensors, true, context, &conv, error);
  if (status || (status = cconv_operation_workspace(
                     workspace, bytes, cconv_transpose_workspace(&conv, context->num_threads, NULL) + CC_ALIGNMENT,
                     &base, error)))
    return status;
  cconv_run_begin(&run, context);
  return cconv_transpose_run(&conv, &run, base, NULL);
}
