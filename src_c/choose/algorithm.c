/* SPDX-License-Identifier: BSD-3-Clause
 * algorithm.c - which algorithm computes a convolution: a count of the work.
 *
 * Law: integers in, an enum out; see algorithm.h. The model may be wrong about a machine, which costs time
 * and no bit. */
#include "choose/algorithm.h"

#include "base/checked.h"
#include "base/error.h"

enum {
  MOST_TERMS = 8192,      /* channels in times slices: a tile of more would take megabytes of scratch */
  MOST_FILTERS = 1 << 30, /* lest a number of bytes overflow */
  LEAST_CHANNELS = 16,    /* of a group, in and out, for AUTO: below, transforms cost more than they save */
  LONGEST = 1 << 18,      /* outputs along an axis that the model tells apart: times of three axes have to fit */
  NEAR_BYTES = 1 << 20,   /* transformed weights up to here stay in a level 2 cache */
  MOST_TAPS = 1 << 14,    /* of a kernel cut into pieces: then scratch fits */
  LEAST_TILES = 16,       /* along an axis: these fill vectors, and pieces look far beyond few */
  LONG_TAPS = 512         /* of a row that is folded in longer ones */
};

/* Cycles a vector (of 16 float32), measured, for one tile's inputs and outputs and for one kernel's weights, half way
 * between those that a plan reads and those that a function makes; products come at eight in five cycles. */
typedef struct costs {
  int64_t m, products, input, output, near_weight, far_weight;
} costs;

static const costs winograd_2 = {
    .m = 2, .products = 16, .input = 170, .output = 160, .near_weight = 70, .far_weight = 110};
static const costs winograd_4 = {
    .m = 4, .products = 36, .input = 375, .output = 370, .near_weight = 150, .far_weight = 230};

cconv_status cconv_winograd_serves(int32_t dtype, int32_t rank, const cc_conv_shape *shape, cconv_error *error) {
  const int leading = CCONV_MAX_RANK - rank; /* spatial axes the caller does not have */
  int64_t filters;
  if (dtype != CCONV_FLOAT32 && dtype != CCONV_FLOAT64)
    return cc_fail(error, CCONV_UNSUPPORTED, "dtype", -1, dtype, CCONV_FLOAT32);
  if (leading > 1)
    return cc_fail(error, CCONV_UNSUPPORTED, "rank", -1, rank, CCONV_MAX_RANK - 1);
  if (shape->ic < 1 || shape->reduction / 9 > MOST_TERMS || !cc_mul(shape->groups, shape->oc, &filters) ||
      filters > MOST_FILTERS)
    return cc_fail(error, CCONV_UNSUPPORTED, "weight", CC_CHANNEL, shape->ic, MOST_TERMS);
  for (int a = 1; a < CCONV_MAX_SPATIAL; a++) {
    const cc_axis *axis = &shape->axis[a];
    if (axis->kernel != 3)
      return cc_fail(error, CCONV_UNSUPPORTED, "kernel", CC_DEPTH + a - leading, axis->kernel, 3);
    if (axis->stride != 1)
      return cc_fail(error, CCONV_UNSUPPORTED, "stride", CC_DEPTH + a - leading, axis->stride, 1);
    if (axis->dilation != 1)
      return cc_fail(error, CCONV_UNSUPPORTED, "dilation", CC_DEPTH + a - leading, axis->dilation, 1);
  }
  return CCONV_OK;
}

/* Everything below is for one product of an input channel and a vector of output channels. */

/* Outputs of an image along an axis. Slices count where they share their weights. */
static int64_t size_of(const cc_conv_shape *shape, int axis) {
  const cc_axis *a = &shape->axis[axis];
  return axis == 0 && (a->stride != 1 || a->dilation != 1) ? 1 : cc_min(a->out, LONGEST);
}

static int64_t winograd_time(const costs *c, const cc_conv_shape *shape, int64_t vectors, int64_t bytes) {
  const int64_t tiles = size_of(shape, 0) * cc_ceil_div(size_of(shape, 1), c->m) * cc_ceil_div(size_of(shape, 2), c->m);
  return tiles * c->products * 5 / 8 + tiles * c->input / (16 * vectors) + tiles * c->output / (shape->reduction / 9) +
         (bytes > NEAR_BYTES / c->products ? c->far_weight : c->near_weight);
}

/* Nine products an output, at 18 in 13 cycles. */
static int64_t direct_time(const cc_conv_shape *shape) {
  return size_of(shape, 0) * size_of(shape, 1) * size_of(shape, 2) * 13 / 2;
}

cc_method cconv_choose_method(int32_t asked, int32_t dtype, const cc_conv_shape *shape) {
  if (asked == CCONV_ALGORITHM_DIRECT || cconv_winograd_serves(dtype, CCONV_MAX_RANK, shape, NULL) != CCONV_OK ||
      (asked != CCONV_ALGORITHM_WINOGRAD && (shape->ic < LEAST_CHANNELS || shape->oc < LEAST_CHANNELS)))
    return CC_METHOD_DIRECT;
  const int64_t element = dtype == CCONV_FLOAT32 ? 4 : 8, lanes = 64 / element;
  const int64_t vectors = cc_ceil_div(shape->oc, lanes);
  int64_t bytes; /* of one product's weights, up to what makes no difference */
  if (!cc_mul(shape->reduction / 9, vectors, &bytes) || !cc_mul(bytes, lanes * element, &bytes))
    bytes = INT64_MAX;
  const int64_t of_2 = winograd_time(&winograd_2, shape, vectors, bytes);
  const int64_t of_4 = winograd_time(&winograd_4, shape, vectors, bytes);
  if (asked != CCONV_ALGORITHM_WINOGRAD && cc_min(of_2, of_4) >= direct_time(shape))
    return CC_METHOD_DIRECT;
  return of_2 < of_4 ? CC_METHOD_WINOGRAD_2 : CC_METHOD_WINOGRAD_4;
}

int64_t cconv_pieces_fold(const cc_conv_shape *shape) {
  const cc_axis *axis = shape->axis;
  return axis[1].kernel > 1 || axis[1].in > 1 || axis[1].out > 1 ? 0 : axis[2].kernel < LONG_TAPS ? 16 : 32;
}

/* Microseconds for 2^18 outputs, measured: of a direct sum about 2.4 a tap. */
static bool pieces_pay(int64_t rows, int64_t columns, int64_t taps) {
  return 270 + 6 * cc_ceil_div(rows, 4) * cc_ceil_div(columns, 4) < taps * 12 / 5;
}

bool cconv_choose_pieces(int32_t asked, int32_t dtype, const cc_conv_shape *shape) {
  const cc_axis *slices = &shape->axis[0], *h = &shape->axis[1], *w = &shape->axis[2];
  if (asked != CCONV_ALGORITHM_AUTO || (dtype != CCONV_FLOAT32 && dtype != CCONV_FLOAT64) || shape->ic != 1 ||
      shape->oc != 1 || shape->taps > MOST_TAPS || slices->in != 1 || slices->out != 1 || slices->kernel != 1 ||
      slices->before != 0 || h->stride != 1 || h->dilation != 1 || w->stride != 1 || w->dilation != 1)
    return false;
  const int64_t fold = cconv_pieces_fold(shape);
  if (fold)
    return h->before == 0 && w->out >= 4 * LEAST_TILES * fold &&
           pieces_pay(fold, cc_ceil_div(w->kernel, fold), shape->taps);
  return h->out >= 4 * LEAST_TILES && w->out >= 4 * LEAST_TILES && pieces_pay(h->kernel, w->kernel, shape->taps);
}
