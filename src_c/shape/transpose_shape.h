/* SPDX-License-Identifier: BSD-3-Clause
 * transpose_shape.h - the numbers of one transposed convolution, and its phases.
 *
 * Input i, tap k adds to output i * stride + k * dilation - before. Outputs o = p * stride + phase,
 * for one phase, see only every q-th tap, q = stride / gcd(dilation, stride), and what they see is an
 * ordinary convolution of stride 1 with those taps in reverse: no zeros are inserted, no output is
 * written twice. */
#ifndef CC_TRANSPOSE_SHAPE_H
#define CC_TRANSPOSE_SHAPE_H

#include "shape/conv_shape.h"

/* Fill *shape: its axes are the transposed convolution's own, ic and oc the channels of one group.
 * weight is (in channels, out channels / groups, kernel...). Check that the output has the size
 *
 *   (in - 1) stride - before - after + dilation (kernel - 1) + output padding + 1
 *
 * for an output padding from 0 to max(stride, dilation) - 1. */
cconv_status cconv_transpose_shape_of(const cconv_conv_params *params, int32_t rank, const cc_view *input,
                                      const cc_view *weight, const cc_view *output, cc_conv_shape *shape,
                                      cconv_error *error);

/* How many phases of an axis are met by a tap: their first taps are 0, 1, ... */
int64_t cconv_transpose_phases(const cc_axis *axis);

/* Do they hold all outputs? */
bool cconv_transpose_covers(const cc_axis *axis);

typedef struct cc_transpose_phase {
  cc_axis axis;     /* of the ordinary convolution; out is 0 where no output is of this phase */
  int64_t phase;    /* its outputs are phase, phase + stride, ... */
  int64_t tap;      /* the weight's tap that is its tap 0 */
  int64_t tap_step; /* from there to its tap 1: negative */
} cc_transpose_phase;

/* The phase whose first tap is `first`. */
void cconv_transpose_phase_of(const cc_axis *axis, int64_t first, cc_transpose_phase *result);

/* All phases of an axis as one sliding window, where the taps have no holes between them and every phase has one. Let
 * u = o + before be an output counted from the first that input 0 adds to: phase j = u mod s of place p = floor(u / s)
 * sees inputs p - t through taps j + s t. So the `taps` inputs up to p are all that the outputs of a place see, whatever
 * their phase. */
typedef struct cc_transpose_window {
  int64_t stride; /* phases of a place */
  int64_t fuller; /* phases below have `taps` taps, the others one less */
  int64_t taps;
  int64_t skip; /* place q, counted from that of output 0, has outputs q s + j - skip, of those there are */
  int64_t out;  /* outputs */
  cc_axis axis; /* the places as outputs of an ordinary convolution whose kernel is the window */
} cc_transpose_window;

/* False where taps have holes or phases have none. */
bool cconv_transpose_window_of(const cc_axis *axis, cc_transpose_window *window);

/* How many taps phase j has: they look at the last inputs of the window. */
static inline int64_t cc_phase_taps(const cc_transpose_window *window, int64_t j) {
  return window->taps - (j >= window->fuller);
}

/* How many taps the phases before phase j have. */
static inline int64_t cc_taps_before(const cc_transpose_window *window, int64_t j) {
  return j * window->taps - (j > window->fuller ? j - window->fuller : 0);
}

/* The output of phase j at a place; negative where there is none. */
int64_t cconv_transpose_output(const cc_transpose_window *window, int64_t place, int64_t j);

/* Of places [from, end), those with an output of phase j. */
void cconv_transpose_clip(const cc_transpose_window *window, int64_t j, int64_t *from, int64_t *end);

#endif
