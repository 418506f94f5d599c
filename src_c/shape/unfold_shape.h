/* SPDX-License-Identifier: BSD-3-Clause
 * unfold_shape.h - the numbers of unfold and fold, checked.
 *
 * Both relate an image (n, c, spatial...) to columns (n, c K, L): K taps of a window, L windows. */
#ifndef CC_UNFOLD_SHAPE_H
#define CC_UNFOLD_SHAPE_H

#include "shape/axis.h"
#include "tensor/tensor.h"

typedef struct cc_unfold_shape {
  int64_t n, c;
  cc_axis axis[CCONV_MAX_SPATIAL]; /* in: of the image; out: windows */
  int64_t taps, windows;           /* K and L */
} cc_unfold_shape;

/* Fill *shape. The image has `rank` axes; it is the output where `fold` is set, else the input. */
cconv_status cconv_unfold_shape_of(const cconv_unfold_params *params, int32_t rank, const cc_view *image,
                                   const cc_view *columns, bool fold, cc_unfold_shape *shape, cconv_error *error);

/* Tap `tap` of windows from .. from + count - 1 lies in a stretch of the image; in the first of these
 * windows `offset` elements behind its start, in the next a stride further. */
typedef struct cc_reach {
  int64_t tap, from, count, offset;
} cc_reach;

/* The next tap after reach->tap that some window puts on indices [start, start + n) of the image: true
 * with *reach, or false. Begin with tap = -1. */
bool cconv_fold_next(const cc_axis *axis, int64_t start, int64_t n, cc_reach *reach);

#endif
