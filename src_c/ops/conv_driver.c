/* SPDX-License-Identifier: BSD-3-Clause
 * conv_driver.c - which driver runs, and what all of them do to a block. */
#include "ops/conv_driver.h"

#include <math.h>

#include "base/checked.h"
#include "base/compiler.h"
#include "ops/filter_separable.h"

#define CC_CONV_DRIVER(name) extern const cc_conv_driver CC_PASTE(cconv_conv_, name);
#include "ops/drivers.inc"
#undef CC_CONV_DRIVER

static const cc_conv_driver *driver_for(const cc_conv *conv) {
#define CC_CONV_DRIVER(name) &CC_PASTE(cconv_conv_, name),
  static const cc_conv_driver *const drivers[] = {
#include "ops/drivers.inc"
  };
#undef CC_CONV_DRIVER
  int i = 0;
  while (!drivers[i]->fits(conv)) /* the last fits all */
    i++;
  return drivers[i];
}

void cconv_conv_work_out(const cc_conv *conv, int64_t threads, cc_conv_work *work) {
  work->driver = driver_for(conv);
  work->weights = 0;
  work->driver->prepare(conv, threads, work);
  work->threads = threads;
  work->separable = cconv_separable_fits(conv);
  if (work->separable)
    work->workspace = cc_max(work->workspace, cconv_separable_workspace(conv, threads));
}

cconv_status cconv_conv_run(const cc_conv *conv, const cc_conv_work *work, cc_run *run, char *workspace) {
  if (work->separable && cconv_separable_factor(conv, workspace))
    return cconv_separable_run(conv, work->threads, run, workspace);
  return work->driver->run(conv, work, run, workspace);
}

bool cconv_conv_is_direct(const cc_conv *conv) { return driver_for(conv) == &cconv_conv_direct; }

double cconv_conv_operations(const cc_conv *conv) {
  const cc_conv_shape *shape = &conv->shape;
  double operations = 2.0 * (double)shape->n * (double)shape->groups * (double)shape->oc * (double)shape->reduction;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    operations *= (double)shape->axis[a].out;
  return operations;
}

bool cconv_conv_stays_inside(const cc_conv *conv) {
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    const cc_axis *axis = &conv->shape.axis[a];
    if (axis->before > 0 ||
        (axis->out - 1) * axis->stride + (axis->kernel - 1) * axis->dilation - axis->before >= axis->end)
      return false;
  }
  return true;
}

bool cconv_conv_is_adjacent(const cc_axis axis[3], const cc_view *view) {
  int64_t bytes = view->stride[CC_WIDTH];
  for (int a = CCONV_MAX_SPATIAL - 1; a > 0; a--)
    if (!cc_mul(bytes, axis[a].out, &bytes) || (axis[a - 1].out > 1 && view->stride[CC_DEPTH + a - 1] != bytes))
      return false;
  return true;
}

int64_t cconv_conv_dense_bytes(const cc_conv *conv) {
  return conv->shape.groups * conv->shape.oc * conv->shape.reduction * conv->element;
}

void cconv_conv_kept_weights(cc_conv *conv, const char *dense) {
  const cc_conv_shape *shape = &conv->shape;
  cc_weight *weight = &conv->weight;
  int64_t step = conv->element;
  weight->data = dense;
  weight->dtype = conv->dtype;
  for (int a = CCONV_MAX_SPATIAL - 1; a >= 0; a--) {
    weight->tap[a] = step;
    step *= shape->axis[a].kernel;
  }
  weight->in = step;
  weight->out = shape->reduction * conv->element;
  weight->group = shape->oc * weight->out;
  weight->in_place = weight->kept = true;
}

void cconv_conv_keep_weights(cc_conv *conv, char *dense) {
  const cc_conv_shape *shape = &conv->shape;
  const cc_weight from = conv->weight;
  for (int64_t g = 0; g < shape->groups; g++)
    conv->kernels->weight_pack(&(cc_weight_pack_job){
        .weight = from.data + g * from.group,
        .source = from.dtype,
        .count = {shape->oc, shape->ic, shape->axis[0].kernel, shape->axis[1].kernel, shape->axis[2].kernel},
        .stride = {from.out, from.in, from.tap[0], from.tap[1], from.tap[2]},
        .target = dense + g * shape->oc * shape->reduction * conv->element});
  cconv_conv_kept_weights(conv, dense);
}

cc_rows cconv_conv_weights(const cc_conv *conv, int64_t g, int64_t oc, int64_t rows, const cc_chunk *chunk,
                           char *panel) {
  const cc_weight *weight = &conv->weight;
  const char *from = weight->data + g * weight->group + oc * weight->out + chunk->channel * weight->in;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    from += chunk->tap[a] * weight->tap[a];
  if (weight->in_place)
    return (cc_rows){.data = from, .pitch = weight->out / conv->element};
  conv->kernels->weight_pack(
      &(cc_weight_pack_job){.weight = from,
                            .source = weight->dtype,
                            .count = {rows, chunk->channels, chunk->taps[0], chunk->taps[1], chunk->taps[2]},
                            .stride = {weight->out, weight->in, weight->tap[0], weight->tap[1], weight->tap[2]},
                            .target = panel});
  return (cc_rows){.data = panel, .pitch = chunk->terms};
}

bool cconv_conv_is_plain(const cc_conv *conv) {
  const cc_view *y = &conv->output;
  return conv->activation == CCONV_ACTIVATION_NONE && !conv->residual.data && y->dtype == conv->dtype &&
         y->stride[CC_WIDTH] == conv->element && conv->shape.oc > 1 && y->stride[CC_CHANNEL] % conv->element == 0;
}

bool cconv_conv_is_simple(const cc_conv *conv) {
  const int32_t activation = conv->activation;
  return conv->output.dtype == conv->dtype && !conv->residual.data &&
         (activation == CCONV_ACTIVATION_NONE || activation == CCONV_ACTIVATION_RELU ||
          activation == CCONV_ACTIVATION_CLIP);
}

cc_bounds cconv_conv_bounds(const cc_conv *conv) {
  const bool relu = conv->activation == CCONV_ACTIVATION_RELU;
  return (cc_bounds){.bounded = relu || conv->activation == CCONV_ACTIVATION_CLIP,
                     .low = relu ? 0 : conv->activation_a,
                     .high = relu ? HUGE_VAL : conv->activation_b};
}

const char *cconv_conv_bias(const cc_conv *conv, int64_t m, int64_t *step) {
  static const int64_t zero = 0; /* of every dtype */
  *step = conv->bias != NULL;
  return conv->bias ? conv->bias + m * conv->element : (const char *)&zero;
}

void cconv_conv_store(const cc_conv *conv, const cc_conv_rows *r) {
  const int along = r->channels ? CC_CHANNEL : CC_WIDTH;
  const int64_t es = conv->element, step = conv->output.stride[along];
  const bool direct = conv->output.dtype == conv->dtype && (step == es || r->n == 1);
  for (int64_t m = 0; r->residual && m < r->rows; m++)
    conv->kernels->add(&(cc_add_job){.x = r->residual + m * r->residual_stride,
                                     .source = conv->residual.dtype,
                                     .x_step = conv->residual.stride[along],
                                     .n = r->n,
                                     .y = r->slab + m * r->lds * es});
  /* Where each element has a bias of its own the store adds -0, which changes none, not even another -0. */
  static const float zero32 = -0.0F;
  static const double zero64 = -0.0;
  const bool each = r->channels && r->bias;
  for (int64_t m = 0; each && m < r->rows; m++)
    conv->kernels->add(
        &(cc_add_job){.x = r->bias, .source = conv->dtype, .x_step = es, .n = r->n, .y = r->slab + m * r->lds * es});
  const char *bias = !each ? r->bias : conv->dtype == CCONV_FLOAT32 ? (const char *)&zero32 : (const char *)&zero64;
  conv->kernels->store(&(cc_store_job){.slab = r->slab,
                                       .lds = r->lds,
                                       .rows = r->rows,
                                       .n = r->n,
                                       .bias = bias,
                                       .bias_step = r->bias_step,
                                       .activation = conv->activation,
                                       .a = conv->activation_a,
                                       .b = conv->activation_b,
                                       .y = direct ? r->y : r->slab,
                                       .y_stride = direct ? r->y_stride : r->lds * es});
  if (!direct)
    conv->kernels->scatter(&(cc_scatter_job){.x = r->slab,
                                             .ldx = r->lds,
                                             .rows = r->rows,
                                             .n = r->n,
                                             .y = r->y,
                                             .target = conv->output.dtype,
                                             .y_stride = r->y_stride,
                                             .y_step = step});
}
