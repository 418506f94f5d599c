/* SPDX-License-Identifier: BSD-3-Clause
 * pool_shape.c - do input and output of a pooling fit, and how much does a window hold? */
#include "shape/pool_shape.h"

#include "base/checked.h"
#include "base/error.h"

/* Drop the taps before the first and behind the last that meet an element in some window: of a huge
 * kernel on much padding few remain. At least one is kept. */
static cc_axis walk_of(const cc_axis *axis) {
  const int64_t latest = (axis->out - 1) * axis->stride - axis->before; /* where the last window starts */
  int64_t first = latest < 0 ? cc_ceil_div(-latest, axis->dilation) : 0;
  int64_t end = axis->end + axis->before > 0 ? cc_ceil_div(axis->end + axis->before, axis->dilation) : 0;
  first = cc_min(first, axis->kernel - 1);
  end = cc_max(first + 1, cc_min(end, axis->kernel));
  cc_axis walk = *axis;
  walk.kernel = end - first;
  walk.before -= first * axis->dilation;
  return walk;
}

cconv_status cconv_pool_shape_of(const cconv_pool_params *params, int32_t rank, const cc_view *input,
                                 const cc_view *output, cc_pool_shape *shape, cconv_error *error) {
  for (int a = CC_BATCH; a <= CC_CHANNEL; a++)
    if (output->shape[a] != input->shape[a])
      return cc_fail(error, CCONV_BAD_SHAPE, "output", a, output->shape[a], input->shape[a]);
  *shape = (cc_pool_shape){.n = input->shape[CC_BATCH], .c = input->shape[CC_CHANNEL], .taps = 1};
  int leading = CCONV_MAX_RANK - rank;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    cc_axis *axis = &shape->axis[a];
    *axis = (cc_axis){.in = 1, .kernel = 1, .stride = 1, .dilation = 1};
    if (a >= leading) {
      int p = a - leading;
      axis->in = input->shape[CC_DEPTH + a];
      axis->kernel = params->kernel[p];
      axis->stride = params->stride[p];
      axis->dilation = params->dilation[p];
      axis->before = params->pad_before[p];
      axis->after = params->pad_after[p];
    }
    cconv_status status = cconv_axis_output(axis, params->ceil_mode, CC_DEPTH + a - leading, error);
    if (status)
      return status;
    if (output->shape[CC_DEPTH + a] != axis->out)
      return cc_fail(error, CCONV_BAD_SHAPE, "output", CC_DEPTH + a - leading, output->shape[CC_DEPTH + a], axis->out);
    shape->walk[a] = walk_of(axis);
    if (!cc_mul(shape->taps, shape->walk[a].kernel, &shape->taps))
      return cc_fail(error, CCONV_TOO_LARGE, "kernel", CC_DEPTH + a - leading, axis->kernel, INT64_MAX);
  }
  return CCONV_OK;
}

/* The number of k in [0, kernel) with start + k * dilation < limit. */
static int64_t taps_below(const cc_axis *axis, int64_t start, int64_t limit) {
  return limit <= start ? 0 : cc_min(axis->kernel, cc_ceil_div(limit - start, axis->dilation));
}

int64_t cconv_pool_count(const cc_axis *axis, int64_t o, bool pads) {
  int64_t start = o * axis->stride - axis->before;
  int64_t low = pads ? -axis->before : 0, high = axis->end + (pads ? cc_max(axis->after, 0) : 0);
  return cc_max(0, taps_below(axis, start, high) - taps_below(axis, start, low));
}

int64_t cconv_pool_first(const cc_axis *axis, int64_t o) {
  const int64_t start = o * axis->stride - axis->before, k = start < 0 ? cc_ceil_div(-start, axis->dilation) : 0;
  const int64_t first = k < axis->kernel ? start + k * axis->dilation : axis->end;
  return first < axis->end ? first : -1;
}

bool cconv_pool_window_fits(int64_t in, int64_t out) {
  int64_t last;
  return cc_mul(in, out, &last) && cc_add(last, out, &last);
}

cc_window cconv_pool_window(int64_t in, int64_t out, int64_t o) {
  const int64_t from = o * in / out;
  return (cc_window){.from = from, .size = cc_ceil_div((o + 1) * in, out) - from};
}
