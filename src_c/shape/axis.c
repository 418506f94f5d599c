/* SPDX-License-Identifier: BSD-3-Clause
 * axis.c - the size formula and the phases of one axis.
 *
 * Law: nothing here may overflow, whatever comes in. */
#include "shape/axis.h"

#include "base/checked.h"
#include "base/error.h"

cconv_status cconv_axis_output(cc_axis *axis, bool ceil, int number, cconv_error *error) {
  if (axis->kernel < 1)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "kernel", number, axis->kernel, 1);
  if (axis->stride < 1)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "stride", number, axis->stride, 1);
  if (axis->dilation < 1)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "dilation", number, axis->dilation, 1);
  int64_t padded, reach, room, last;
  if (axis->before == INT64_MIN || !cc_add(axis->in, axis->before, &padded) || !cc_add(padded, axis->after, &padded) ||
      !cc_mul(axis->dilation, axis->kernel - 1, &reach) || !cc_sub(padded, reach, &room) || !cc_sub(room, 1, &room))
    return cc_fail(error, CCONV_TOO_LARGE, "padding", number, axis->before, INT64_MAX);
  axis->end = axis->in + cc_min(axis->after, 0);
  axis->out = room < 0 ? 0 : room / axis->stride + 1;
  if (ceil) {
    /* A window more than fits, where one does not end evenly; each starts in input or leading pad. */
    const int64_t up = room < 0 ? room > -axis->stride : axis->out + (room % axis->stride != 0);
    axis->out = cc_min(up, cc_ceil_div(cc_max(axis->end + axis->before, 0), axis->stride));
  }
  if (axis->out < 1)
    return cc_fail(error, CCONV_BAD_SHAPE, "output", number, axis->out, 1);
  /* The furthest index a halo names: its last output and tap, in the last phase. */
  if (!cc_mul(axis->out - 1, axis->stride, &last) || !cc_add(last, reach, &last) ||
      !cc_add(last, cc_min(axis->stride - 1, reach), &last) || !cc_add(last, cc_max(-axis->before, 0), &last))
    return cc_fail(error, CCONV_TOO_LARGE, "stride", number, axis->stride, INT64_MAX);
  return CCONV_OK;
}

int64_t cconv_axis_period(const cc_axis *axis) {
  int64_t a = axis->stride, b = axis->dilation;
  while (b) {
    int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return axis->stride / a;
}
