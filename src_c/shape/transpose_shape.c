/* SPDX-License-Identifier: BSD-3-Clause
 * transpose_shape.c - sizes and phases of a transposed convolution.
 *
 * Law: integers only, and none may overflow once the shape has been checked. */
#include "shape/transpose_shape.h"

#include "base/checked.h"
#include "base/error.h"

static cconv_status check_axis(cc_axis *axis, int number, cconv_error *error) {
  if (axis->kernel < 1)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "kernel", number, axis->kernel, 1);
  if (axis->stride < 1)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "stride", number, axis->stride, 1);
  if (axis->dilation < 1)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "dilation", number, axis->dilation, 1);
  if (axis->in < 1)
    return cc_fail(error, CCONV_BAD_SHAPE, "input", number, axis->in, 1);
  int64_t reach, least, extra, far;
  if (!cc_mul(axis->dilation, axis->kernel - 1, &reach) || !cc_mul(axis->in - 1, axis->stride, &least) ||
      !cc_add(least, reach, &least) || !cc_add(least, 1, &least) || !cc_sub(least, axis->before, &least) ||
      !cc_sub(least, axis->after, &least) || !cc_sub(axis->out, least, &extra) ||
      !cc_add(axis->out, axis->before, &far) || !cc_sub(axis->before, reach, &far))
    return cc_fail(error, CCONV_TOO_LARGE, "padding", number, axis->before, INT64_MAX);
  if (axis->out < 1 || extra < 0 || extra >= cc_max(axis->stride, axis->dilation))
    return cc_fail(error, CCONV_BAD_SHAPE, "output", number, axis->out, least);
  axis->end = axis->in;
  return CCONV_OK;
}

cconv_status cconv_transpose_shape_of(const cconv_conv_params *params, int32_t rank, const cc_view *input,
                                      const cc_view *weight, const cc_view *output, cc_conv_shape *shape,
                                      cconv_error *error) {
  int64_t ic = input->shape[CC_CHANNEL], g = params->groups;
  if (g < 1)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "groups", -1, g, 1);
  if (ic % g)
    return cc_fail(error, CCONV_BAD_SHAPE, "groups", CC_CHANNEL, g, ic);
  if (weight->shape[CC_BATCH] != ic)
    return cc_fail(error, CCONV_BAD_SHAPE, "weight", CC_BATCH, weight->shape[CC_BATCH], ic);
  if (output->shape[CC_BATCH] != input->shape[CC_BATCH])
    return cc_fail(error, CCONV_BAD_SHAPE, "output", CC_BATCH, output->shape[CC_BATCH], input->shape[CC_BATCH]);
  if (output->shape[CC_CHANNEL] % g || output->shape[CC_CHANNEL] / g != weight->shape[CC_CHANNEL])
    return cc_fail(error, CCONV_BAD_SHAPE, "output", CC_CHANNEL, output->shape[CC_CHANNEL], weight->shape[CC_CHANNEL]);

  *shape = (cc_conv_shape){
      .n = input->shape[CC_BATCH], .groups = g, .ic = ic / g, .oc = weight->shape[CC_CHANNEL], .taps = 1};
  int leading = CCONV_MAX_RANK - rank;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    cc_axis *axis = &shape->axis[a];
    *axis = cconv_axis_of(params, a - leading);
    axis->in = input->shape[CC_DEPTH + a];
    axis->kernel = weight->shape[CC_DEPTH + a];
    axis->out = output->shape[CC_DEPTH + a];
    cconv_status status = check_axis(axis, CC_DEPTH + a - leading, error);
    if (status)
      return status;
  }
  return CCONV_OK;
}

int64_t cconv_transpose_phases(const cc_axis *axis) { return cc_min(cconv_axis_period(axis), axis->kernel); }

/* The phase of tap k: k d - before modulo s. */
static int64_t phase_of_tap(const cc_axis *axis, int64_t tap) {
  const int64_t rest = (tap * axis->dilation - axis->before) % axis->stride;
  return rest < 0 ? rest + axis->stride : rest;
}

bool cconv_transpose_covers(const cc_axis *axis) {
  int64_t met = 0;
  for (int64_t first = 0; first < cconv_transpose_phases(axis); first++)
    met += phase_of_tap(axis, first) < axis->out;
  return met == cc_min(axis->stride, axis->out);
}

void cconv_transpose_phase_of(const cc_axis *axis, int64_t first, cc_transpose_phase *result) {
  const int64_t s = axis->stride, d = axis->dilation, period = cconv_axis_period(axis);
  const int64_t dilation = d / (s / period); /* of the phase's taps, in inputs */
  const int64_t phase = phase_of_tap(axis, first), kernel = (axis->kernel - 1 - first) / period + 1;
  *result = (cc_transpose_phase){.phase = phase, .tap = first + (kernel - 1) * period, .tap_step = -period};
  if (phase >= axis->out) /* and then phase + before may not fit */
    return;
  result->axis = (cc_axis){.in = axis->in,
                           .end = axis->in,
                           .out = (axis->out - 1 - phase) / s + 1,
                           .kernel = kernel,
                           .stride = 1,
                           .dilation = dilation,
                           .before = (kernel - 1) * dilation - (phase + axis->before - first * d) / s};
}

bool cconv_transpose_window_of(const cc_axis *axis, cc_transpose_window *window) {
  const int64_t s = axis->stride, rest = axis->before % s, skip = rest < 0 ? rest + s : rest;
  const int64_t taps = (axis->kernel - 1) / s + 1, first = (axis->before - skip) / s; /* the place of output 0 */
  if (axis->kernel < s || (axis->kernel > 1 && axis->dilation > 1))
    return false;
  *window = (cc_transpose_window){.stride = s,
                                  .fuller = axis->kernel - (taps - 1) * s,
                                  .taps = taps,
                                  .skip = skip,
                                  .out = axis->out,
                                  .axis = {.in = axis->in,
                                           .end = axis->in,
                                           .out = (axis->out - 1 + skip) / s + 1,
                                           .kernel = taps,
                                           .stride = 1,
                                           .dilation = 1,
                                           .before = taps - 1 - first}};
  return true;
}

void cconv_transpose_clip(const cc_transpose_window *window, int64_t j, int64_t *from, int64_t *end) {
  const int64_t last = window->out - 1 + window->skip - j; /* its place is the last */
  *from = cc_max(*from, j < window->skip);
  *end = cc_min(*end, last < 0 ? 0 : last / window->stride + 1);
}

int64_t cconv_transpose_output(const cc_transpose_window *window, int64_t place, int64_t j) {
  const int64_t o = place * window->stride + j - window->skip;
  return o < window->out ? o : -1;
}
