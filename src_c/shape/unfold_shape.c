/* SPDX-License-Identifier: BSD-3-Clause
 * unfold_shape.c - do image and columns fit, and which windows reach a place of the image?
 *
 * Law: integers only, and none may overflow once the shape has been checked. */
#include "shape/unfold_shape.h"

#include "base/checked.h"
#include "base/error.h"

cconv_status cconv_unfold_shape_of(const cconv_unfold_params *params, int32_t rank, const cc_view *image,
                                   const cc_view *columns, bool fold, cc_unfold_shape *shape, cconv_error *error) {
  const char *name = fold ? "input" : "output"; /* of the columns */
  const int64_t n = image->shape[CC_BATCH], c = image->shape[CC_CHANNEL];
  if (columns->shape[CC_BATCH] != n)
    return cc_fail(error, CCONV_BAD_SHAPE, name, CC_BATCH, columns->shape[CC_BATCH], n);
  *shape = (cc_unfold_shape){.n = n, .c = c, .taps = 1, .windows = 1};
  const int leading = CCONV_MAX_RANK - rank;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    cc_axis *axis = &shape->axis[a];
    const int p = a - leading, number = CC_DEPTH + p;
    *axis = (cc_axis){.in = 1, .kernel = 1, .stride = 1, .dilation = 1};
    if (p >= 0)
      *axis = (cc_axis){.in = image->shape[CC_DEPTH + a],
                        .kernel = params->kernel[p],
                        .stride = params->stride[p],
                        .dilation = params->dilation[p],
                        .before = params->pad_before[p],
                        .after = params->pad_after[p]};
    if (fold && axis->in < 1)
      return cc_fail(error, CCONV_BAD_SHAPE, "output", number, axis->in, 1);
    cconv_status status = cconv_axis_output(axis, false, number, error);
    if (status)
      return status;
    if (!cc_mul(shape->taps, axis->kernel, &shape->taps))
      return cc_fail(error, CCONV_TOO_LARGE, "kernel", number, axis->kernel, INT64_MAX);
    if (!cc_mul(shape->windows, axis->out, &shape->windows))
      return cc_fail(error, CCONV_TOO_LARGE, name, CC_DEPTH, axis->out, INT64_MAX);
  }
  int64_t rows;
  if (!cc_mul(c, shape->taps, &rows))
    return cc_fail(error, CCONV_TOO_LARGE, name, CC_CHANNEL, c, INT64_MAX);
  if (columns->shape[CC_CHANNEL] != rows)
    return cc_fail(error, CCONV_BAD_SHAPE, name, CC_CHANNEL, columns->shape[CC_CHANNEL], rows);
  if (columns->shape[CC_WIDTH] != shape->windows)
    return cc_fail(error, CCONV_BAD_SHAPE, name, CC_DEPTH, columns->shape[CC_WIDTH], shape->windows);
  return CCONV_OK;
}

bool cconv_fold_next(const cc_axis *axis, int64_t start, int64_t n, cc_reach *reach) {
  const int64_t s = axis->stride, d = axis->dilation, padded = start + axis->before;
  for (int64_t k = reach->tap + 1; k < axis->kernel;) {
    /* Window o starts at o s of the padded image: it is wanted in [first, first + n). */
    const int64_t first = padded - k * d;
    const int64_t from = first > 0 ? cc_min(axis->out, cc_ceil_div(first, s)) : 0;
    const int64_t end = first + n > 0 ? cc_min(axis->out, cc_ceil_div(first + n, s)) : 0;
    if (from < end) {
      *reach = (cc_reach){.tap = k, .from = from, .count = end - from, .offset = from * s - first};
      return true;
    }
    if (from == 0)
      return false;
    /* `first` falls with k, so windows from `from` on stay behind the stretch. Go to the tap that comes
     * to the window before: a kernel may have far more taps than reach anything. */
    k = cc_max(k + 1, cc_ceil_div(cc_max(padded - (from - 1) * s, 0), d));
  }
  return false;
}
