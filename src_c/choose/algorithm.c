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
  LONGEST = 1 << 20,      /* outputs along an axis that the model tells apart */
  NEAR_BYTES = 1 << 20,   /* transformed weights up to here stay in a level 2 cache, ... */
  FAR_BYTES = 12 << 20,   /* ... and up to here in a share of a level 3 cache */
  NEAR_TILES = 4,         /* tiles whose products take as long as one load of weights from the one, ... */
  FAR_TILES = 12,         /* ... from the other, ... */
  STREAM_TILES = 24       /* ... and from memory */
};

/* Cycles a vector (of 16 float32), measured or counted, for one tile's inputs and outputs and for one
 * kernel's weights; products come at two a cycle. */
typedef struct costs {
  int64_t m, products, input, output, weight;
} costs;

static const costs winograd_2 = {.m = 2, .products = 16, .input = 50, .output = 45, .weight = 60};
static const costs winograd_4 = {.m = 4, .products = 36, .input = 190, .output = 160, .weight = 110};

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

static int64_t winograd_time(const costs *c, int64_t h, int64_t w, int64_t terms, int64_t vectors, int64_t bytes) {
  const int64_t tiles = cc_ceil_div(h, c->m) * cc_ceil_div(w, c->m);
  const int64_t least = bytes > FAR_BYTES / c->products    ? STREAM_TILES
                        : bytes > NEAR_BYTES / c->products ? FAR_TILES
                                                           : NEAR_TILES;
  return c->products * cc_max(tiles, least) / 2 + tiles * c->input / (16 * vectors) + tiles * c->output / terms +
         c->weight;
}

cc_method cconv_choose_method(int32_t asked, int32_t dtype, const cc_conv_shape *shape) {
  if (asked == CCONV_ALGORITHM_DIRECT || cconv_winograd_serves(dtype, CCONV_MAX_RANK, shape, NULL) != CCONV_OK ||
      (asked != CCONV_ALGORITHM_WINOGRAD && (shape->ic < LEAST_CHANNELS || shape->oc < LEAST_CHANNELS)))
    return CC_METHOD_DIRECT;
  const int64_t element = dtype == CCONV_FLOAT32 ? 4 : 8, lanes = 64 / element;
  const int64_t h = cc_min(shape->axis[1].out, LONGEST), w = cc_min(shape->axis[2].out, LONGEST);
  const int64_t terms = shape->reduction / 9, vectors = cc_ceil_div(shape->oc, lanes);
  int64_t bytes; /* of one product's weights, up to what makes no difference */
  if (!cc_mul(terms, vectors, &bytes) || !cc_mul(bytes, lanes * element, &bytes))
    bytes = INT64_MAX;
  const int64_t of_2 = winograd_time(&winograd_2, h, w, terms, vectors, bytes);
  const int64_t of_4 = winograd_time(&winograd_4, h, w, terms, vectors, bytes);
  if (asked != CCONV_ALGORITHM_WINOGRAD && cc_min(of_2, of_4) >= 9 * h * w / 2)
    return CC_METHOD_DIRECT;
  return of_2 < of_4 ? CC_METHOD_WINOGRAD_2 : CC_METHOD_WINOGRAD_4;
}
