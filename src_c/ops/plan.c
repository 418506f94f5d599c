/* SPDX-License-Identifier: BSD-3-Clause
 * plan.c - convolutions that are checked and worked out once, and own their weights.
 *
 * Law: a plan is written while it is made and only read from then on. An execution on other strides, another
 * batch size or other threads works out what they decide anew, on its stack. */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/layout.h"
#include "ops/conv_transpose.h"
#include "ops/filter_separable.h"

enum { MOST_WEIGHT_BITS = 56 }; /* no memory has so many bytes, and no sum with the rest of a plan overflows */

struct cconv_plan {
  cconv_allocator allocator;
  size_t bytes; /* of the allocation, which begins with this struct */
  cconv_conv_params params;
  bool transposed, has_bias, has_residual, owns_bias;
  cconv_tensor input, weight, bias, residual, output; /* what it was made for, without their data */
  int64_t threads;
  cc_conv conv;
  cc_conv_work work; /* of an ordinary convolution with outputs */
  int64_t workspace; /* bytes */
  const char *dense; /* weights; NULL where each execution brings them */
};

/* Headers to check where there is no data to look at. */
typedef struct stand_ins {
  cconv_tensor input, weight, bias, residual, output;
} stand_ins;

static const char no_data[CC_ALIGNMENT] __attribute__((aligned(CC_ALIGNMENT))) = {0}; /* an address, never used */

static const cconv_tensor *stand_in(const cconv_tensor *tensor, bool keep_data, cconv_tensor *copy) {
  if (!tensor || tensor->struct_size < sizeof *tensor)
    return tensor; /* for the check to refuse */
  *copy = *tensor;
  if (!keep_data || !copy->data)
    copy->data = (void *)(uintptr_t)no_data;
  return copy;
}

/* Would there be outputs, were there images? A plan for a batch of none may be executed on others. */
static bool has_images(const cc_view *output) {
  cc_view one = *output;
  one.shape[CC_BATCH] = 1;
  return !cconv_view_is_empty(&one);
}

/* Dense copies: *bytes, or TOO_LARGE. */
static cconv_status dense_bytes(const cc_conv *conv, bool transposed, int64_t *bytes, cconv_error *error) {
  const cc_conv_shape *shape = &conv->shape;
  int64_t most = conv->element;
  const int64_t factors[] = {shape->groups,        shape->oc, shape->ic, shape->axis[0].kernel, shape->axis[1].kernel,
                             shape->axis[2].kernel};
  for (int i = 0; i < (int)(sizeof factors / sizeof *factors); i++)
    if (!cc_mul(most, factors[i], &most) || most >> MOST_WEIGHT_BITS)
      return cc_fail(error, CCONV_TOO_LARGE, "weight", -1, INT64_MAX, INT64_MAX);
  *bytes = transposed ? cconv_transpose_dense_bytes(conv) : cc_lines(cconv_conv_dense_bytes(conv));
  return CCONV_OK;
}

static cconv_status make(const cconv_conv_params *params, const cconv_conv_tensors *given, bool transposed,
                         const cconv_context *context, const cconv_allocator *allocator, cconv_plan **plan,
                         cconv_error *error) {
  if (!plan)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "plan", -1, 0, 1);
  *plan = NULL; /* which may be destroyed, whatever fails */
  if (!given || given->struct_size < sizeof *given)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "tensors", -1, given ? given->struct_size : 0, sizeof *given);
  if (!allocator || allocator->struct_size < sizeof *allocator)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "allocator", -1, allocator ? allocator->struct_size : 0,
                   sizeof *allocator);
  if (!allocator->allocate || !allocator->release)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "allocator", -1, 0, 1);

  stand_ins s;
  const cconv_conv_tensors tensors = {.struct_size = sizeof tensors,
                                      .input = stand_in(given->input, false, &s.input),
                                      .weight = stand_in(given->weight, true, &s.weight),
                                      .bias = stand_in(given->bias, true, &s.bias),
                                      .residual = stand_in(given->residual, false, &s.residual),
                                      .output = stand_in(given->output, false, &s.output)};
  cconv_plan p = {.allocator = *allocator, .transposed = transposed};
  cconv_status status = cconv_conv_validate(params, &tensors, transposed, context, &p.conv, error);
  if (status)
    return status;
  const bool owns = given->weight->data, any = has_images(&p.conv.output);
  const cc_conv of_caller = p.conv;
  p.params = *params;
  p.threads = context->num_threads;
  p.input = *given->input;
  p.weight = *given->weight;
  p.output = *given->output;
  if ((p.has_bias = given->bias))
    p.bias = *given->bias;
  if ((p.has_residual = given->residual))
    p.residual = *given->residual;
  p.owns_bias = p.has_bias && given->bias->data;

  int64_t dense = 0;
  if (owns && (status = dense_bytes(&p.conv, transposed, &dense, error)))
    return status;
  if (owns && !transposed)
    cconv_conv_kept_weights(&p.conv, no_data);
  if (any && !transposed)
    cconv_conv_work_out(&p.conv, p.threads, &p.work);
  const int64_t bias = p.owns_bias ? cc_lines(p.conv.output.shape[CC_CHANNEL] * p.conv.element) : 0;
  const int64_t prepared = owns ? p.work.weights : 0;
  p.bytes = (size_t)(cc_lines((int64_t)sizeof p) + dense + prepared + bias + CC_ALIGNMENT);
  char *memory = allocator->allocate(allocator->host, p.bytes);
  if (!memory)
    return cc_fail(error, CCONV_NO_MEMORY, "plan", -1, (int64_t)p.bytes, 0);

  char *at = memory + cc_lines((int64_t)sizeof p);
  at += -(uintptr_t)at & (CC_ALIGNMENT - 1);
  if (owns) {
    p.dense = at;
    if (transposed) {
      cconv_transpose_keep_weights(&of_caller, at);
    } else {
      p.conv.weight = of_caller.weight;
      cconv_conv_keep_weights(&p.conv, at);
    }
    at += dense;
  }
  if (prepared) {
    p.work.driver->pack(&p.conv, &p.work, at);
    p.conv.weight.prepared = at;
    at += prepared;
  }
  if (p.owns_bias) {
    memcpy(at, p.conv.bias, (size_t)(p.conv.output.shape[CC_CHANNEL] * p.conv.element));
    p.conv.bias = at;
  }
  p.workspace = !any ? 0 : transposed ? cconv_transpose_workspace(&p.conv, p.threads, p.dense) : p.work.workspace;
  memcpy(memory, &p, sizeof p);
  *plan = (cconv_plan *)(void *)memory;
  return CCONV_OK;
}

cconv_status cconv_conv_plan(const cconv_conv_params *params, const cconv_conv_tensors *tensors,
                             const cconv_context *context, const cconv_allocator *allocator, cconv_plan **plan,
                             cconv_error *error) {
  return make(params, tensors, false, context, allocator, plan, error);
}

cconv_status cconv_conv_transpose_plan(const cconv_conv_params *params, const cconv_conv_tensors *tensors,
                                       const cconv_context *context, const cconv_allocator *allocator,
                                       cconv_plan **plan, cconv_error *error) {
  return make(params, tensors, true, context, allocator, plan, error);
}

void cconv_plan_destroy(cconv_plan *plan) {
  if (!plan)
    return;
  const cconv_allocator allocator = plan->allocator;
  allocator.release(allocator.host, plan, plan->bytes);
}

static bool alike(const cconv_tensor *a, const cconv_tensor *b) {
  if (a->struct_size < sizeof *a || a->dtype != b->dtype || a->rank != b->rank)
    return false;
  bool same = true;
  for (int i = 0; i < b->rank; i++)
    same &= a->shape[i] == b->shape[i] && a->stride[i] == b->stride[i];
  return same;
}

int cconv_plan_matches(const cconv_plan *plan, const cconv_conv_tensors *tensors) {
  const cconv_conv_tensors *t = tensors;
  if (!plan || !t || t->struct_size < sizeof *t || !t->input || !t->output || !t->residual != !plan->has_residual)
    return 0;
  if (!alike(t->input, &plan->input) || !alike(t->output, &plan->output))
    return 0;
  if (plan->has_residual && !alike(t->residual, &plan->residual))
    return 0;
  if (!plan->dense && (!t->weight || !alike(t->weight, &plan->weight)))
    return 0;
  if (plan->owns_bias)
    return 1;
  return plan->has_bias ? t->bias && alike(t->bias, &plan->bias) : !t->bias;
}

static bool is_aligned(const void *data, int64_t element) { return data && (uintptr_t)data % (uintptr_t)element == 0; }

/* The plan's own convolution on this data; false where the data is not what it takes. */
static bool take_data(const cconv_plan *plan, const cconv_conv_tensors *tensors, cc_conv *conv) {
  *conv = plan->conv;
  conv->input.data = tensors->input->data;
  conv->output.data = tensors->output->data;
  if (!conv->input.data || !is_aligned(conv->output.data, cconv_element_size(conv->output.dtype)))
    return false;
  if (plan->has_residual && !(conv->residual.data = tensors->residual->data))
    return false;
  if (!plan->dense) {
    conv->weight.data = tensors->weight->data;
    if (!is_aligned(conv->weight.data, cconv_element_size(conv->weight.dtype)))
      return false;
  }
  if (plan->has_bias && !plan->owns_bias) {
    conv->bias = tensors->bias->data;
    if (!is_aligned(conv->bias, conv->element))
      return false;
  }
  return true;
}

/* An execution: what convolution, and how; `own` where that had to be worked out anew. */
typedef struct execution {
  cc_conv conv;
  cc_conv_work own;
  const cc_conv_work *work;
  int64_t workspace;
} execution;

/* Only the batch may differ: as the size of its images has it, an algorithm is chosen and weights are prepared for it,
 * or those of a transposed plan lie phase by phase. */
static cconv_status check_images(const char *name, const cconv_tensor *given, const cconv_tensor *made_for,
                                 cconv_error *error) {
  for (int a = 1; a < made_for->rank; a++)
    if (given->shape[a] != made_for->shape[a])
      return cc_fail(error, CCONV_BAD_SHAPE, name, a, given->shape[a], made_for->shape[a]);
  return CCONV_OK;
}

static cconv_status work_out(const cconv_plan *plan, const cconv_conv_tensors *given, const cconv_context *context,
                             execution *e, cconv_error *error) {
  stand_ins s;
  cconv_conv_tensors tensors = *given;
  if (plan->dense)
    tensors.weight = stand_in(&plan->weight, false, &s.weight);
  if (plan->owns_bias)
    tensors.bias = stand_in(&plan->bias, false, &s.bias);
  if (!tensors.bias != !plan->has_bias)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "bias", -1, tensors.bias ? 1 : 0, plan->has_bias);
  cconv_status status = cconv_conv_validate(&plan->params, &tensors, plan->transposed, context, &e->conv, error);
  if (status || (status = check_images("input", given->input, &plan->input, error)) ||
      (status = check_images("output", given->output, &plan->output, error)))
    return status;
  if (e->conv.dtype != plan->conv.dtype)
    return cc_fail(error, CCONV_BAD_DTYPE, "output", -1, given->output->dtype, plan->output.dtype);
  if (plan->owns_bias)
    e->conv.bias = plan->conv.bias;
  if (plan->dense && !plan->transposed)
    e->conv.weight = plan->conv.weight;
  e->work = &e->own;
  e->workspace = 0;
  if (plan->transposed) {
    e->workspace = cconv_transpose_workspace(&e->conv, context->num_threads, plan->dense);
  } else if (has_images(&e->conv.output)) {
    cconv_conv_work_out(&e->conv, context->num_threads, &e->own);
    e->workspace = e->own.workspace;
  }
  return CCONV_OK;
}

static cconv_status begin(const cconv_plan *plan, const cconv_conv_tensors *tensors, const cconv_context *context,
                          execution *e, cconv_error *error) {
  if (!plan)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "plan", -1, 0, 1);
  if (!tensors || tensors->struct_size < sizeof *tensors)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "tensors", -1, tensors ? tensors->struct_size : 0, sizeof *tensors);
  const cconv_status status = cconv_operation_context(context, error);
  if (status)
    return status;
  if (context->num_threads != plan->threads || !cconv_plan_matches(plan, tensors) ||
      !take_data(plan, tensors, &e->conv))
    return work_out(plan, tensors, context, e, error);
  e->work = &plan->work;
  e->workspace = plan->workspace;
  return CCONV_OK;
}

cconv_status cconv_plan_workspace(const cconv_plan *plan, const cconv_conv_tensors *tensors,
                                  const cconv_context *context, size_t *bytes, cconv_error *error) {
  execution e;
  const cconv_status status = begin(plan, tensors, context, &e, error);
  if (status)
    return status;
  if (!bytes)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "bytes", -1, 0, 1);
  *bytes = (size_t)(e.workspace + CC_ALIGNMENT);
  return CCONV_OK;
}

cconv_status cconv_plan_execute(const cconv_plan *plan, const cconv_conv_tensors *tensors, const cconv_context *context,
                                void *workspace, size_t bytes, cconv_error *error) {
  execution e;
  cc_run run;
  char *base;
  cconv_status status = begin(plan, tensors, context, &e, error);
  if (status || cconv_view_is_empty(&e.conv.output))
    return status;
  if ((status = cconv_operation_workspace(workspace, bytes, e.workspace + CC_ALIGNMENT, &base, error)))
    return status;
  cconv_run_begin(&run, context);
  return plan->transposed ? cconv_transpose_run(&e.conv, &run, base, plan->dense)
                          : cconv_conv_run(&e.conv, e.work, &run, base);
}

static int64_t bytes_of(const cc_view *view) {
  int64_t bytes = cconv_element_size(view->dtype);
  for (int a = 0; a < CCONV_MAX_RANK; a++)
    bytes *= view->shape[a];
  return bytes;
}

cconv_status cconv_plan_describe(const cconv_plan *plan, cconv_plan_info *info) {
  if (!plan || !info || info->struct_size < sizeof *info)
    return CCONV_BAD_ARGUMENT;
  const cc_conv *conv = &plan->conv;
  *info = (cconv_plan_info){.struct_size = info->struct_size,
                            .threads = 1,
                            .algorithm = "direct",
                            .workspace = plan->workspace + CC_ALIGNMENT,
                            .weights = (int64_t)plan->bytes - cc_lines((int64_t)sizeof *plan) - CC_ALIGNMENT,
                            .phases = 1,
                            .passes = 1};
  int64_t weights = conv->element;
  for (int a = 0; a < plan->weight.rank; a++)
    weights *= plan->weight.shape[a];
  info->bytes_moved = bytes_of(&conv->input) + bytes_of(&conv->output) + weights;
  if (plan->has_bias)
    info->bytes_moved += conv->output.shape[CC_CHANNEL] * conv->element;
  if (plan->has_residual)
    info->bytes_moved += bytes_of(&conv->output);
  if (!has_images(&conv->output))
    return CCONV_OK;
  if (plan->transposed) {
    cconv_transpose_describe(conv, plan->threads, plan->dense, info);
    return CCONV_OK;
  }
  info->operations = cconv_conv_operations(conv);
  info->algorithm = plan->work.driver->name;
  info->threads = (int32_t)plan->work.parts;
  plan->work.driver->describe(&plan->work, info);
  if (plan->work.separable && plan->dense)
    cconv_separable_describe(conv, plan->threads, info);
  return CCONV_OK;
}
