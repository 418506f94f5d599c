/* SPDX-License-Identifier: BSD-3-Clause
 * algorithm.c - which algorithm computes a convolution: a count of the work.
 *
 * Law: integers in, an enum out; see algorithm.h. The model may be wrong about a machine, which costs time
 * and no bit. */
#include "choose/algorithm.h"

#include "base/checked.h"
#include "base/error.h"
#include "shape/halo.h"

enum {
  MOST_TERMS = 8192,        /* channels in times taps that are not transformed: a tile of more would take megabytes */
  MOST_FILTERS = 1 << 30,   /* lest a number of bytes overflow, */
  MOST_DILATION = 1 << 30,  /* or an index: tiles reach further than windows */
  LEAST_CHANNELS = 16,      /* of a group, in and out, for AUTO: below, transforms cost more than they save */
  LONGEST = 1 << 18,        /* outputs along the last axis that the model tells apart, and its square those along the */
                            /* others: times of all have to fit */
  NEAR_BYTES = 1 << 20,     /* transformed weights up to here stay in a level 2 cache */
  MOST_OUTPUTS = 1 << 30,   /* that the model of bf16x3 tells apart */
  LEAST_PRODUCTS = 4 << 20, /* of an image and group: of fewer, what comes before and after takes as long */
  MOST_SPLIT_TAPS = 256,    /* of a kernel whose values are split in parts: 32 channels of them are made at once; */
  MOST_PLACES = 1 << 13,    /* of a transposed convolution: of more, places in the lanes are as fast, and write once; */
  MOST_PHASE_TAPS = 64,     /* in all phases of a transposed convolution, whose weights are made so, too; and phases, */
  MOST_SPLIT_PHASES = 16,   /* which have their sums at once */
  MOST_SPLIT_TERMS = 1 << 16,
  MOST_WINDOW = 1 << 12,     /* values of a window, where these are summed as channels are, */
  WINDOW_BYTES = 3 << 19,    /* and bytes of such a halo */
  SPLIT_POSITIONS = 128,     /* outputs of a row, of which at least those have to fit */
  SPLIT_BYTES = 4 << 20,     /* into so many bytes of parts, */
  DIGIT_BYTES = 5 << 20,     /* or of digits */
  DEEP_CHANNELS = 144,       /* of kernels of one tap, or values of a window: errors of digits of fewer cancel less; */
  MOST_DIGIT_TERMS = 1 << 14 /* that are summed of digits: those of 16 lanes are made at once */
};

static const cc_winograd_costs kinds[] = {
    {.m = 4, .taps = 3, .axes = 2, .products = 36, .input = 375, .output = 370, .near_weight = 150, .far_weight = 230},
    {.m = 2, .taps = 3, .axes = 2, .products = 16, .input = 170, .output = 160, .near_weight = 70, .far_weight = 110},
    {.m = 2, .taps = 5, .axes = 2, .products = 36, .input = 350, .output = 230, .near_weight = 200, .far_weight = 540},
    {.m = 4, .taps = 3, .axes = 1, .products = 6, .input = 75, .output = 90, .near_weight = 25, .far_weight = 40},
    {.m = 2, .taps = 3, .axes = 1, .products = 4, .input = 45, .output = 50, .near_weight = 20, .far_weight = 30},
    {.m = 2, .taps = 5, .axes = 1, .products = 6, .input = 60, .output = 60, .near_weight = 30, .far_weight = 50},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

/* The ways to lay a kernel, the better ones first. */
static const cc_method ways[] = {
    {.transformed = {true, true}},
    {.transformed = {false, true}},
    {.transformed = {false, true}, .turned = true},
    {.transformed = {true, false}},
};

enum { WAYS = sizeof ways / sizeof *ways };

/* Can the axes be so: transformed, summed over, or without a window? */
static bool is_possible(const cc_conv_shape *shape, const cc_method *way, bool any_stride) {
  const cc_axis *axis = shape->axis;
  bool possible = !(way->transformed[0] && way->transformed[1]) || axis[1].kernel == axis[2].kernel;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    const bool transformed = a > 0 && way->transformed[a - 1];
    if (a != (way->turned ? 1 : 0))
      possible &= (axis[a].stride == 1 || any_stride) &&
                  (transformed ? axis[a].kernel == 3 || axis[a].kernel == 5 : axis[a].kernel == 1);
  }
  return possible;
}

static const cc_method *way_of(const cc_conv_shape *shape, bool any_stride) {
  for (int i = 0; i < WAYS; i++)
    if (is_possible(shape, &ways[i], any_stride))
      return &ways[i];
  return NULL;
}

/* Taps that are transformed. */
static int64_t taps_of(const cc_conv_shape *shape, const cc_method *way) {
  return (way->transformed[0] ? shape->axis[1].kernel : 1) * (way->transformed[1] ? shape->axis[2].kernel : 1);
}

cconv_status cconv_winograd_serves(int32_t dtype, int32_t rank, const cc_conv_shape *shape, cconv_error *error) {
  const int leading = CCONV_MAX_RANK - rank; /* spatial axes the caller does not have */
  const cc_axis *axis = shape->axis;
  int64_t filters;
  if (dtype != CCONV_FLOAT32 && dtype != CCONV_FLOAT64)
    return cc_fail(error, CCONV_UNSUPPORTED, "dtype", -1, dtype, CCONV_FLOAT32);
  if (!way_of(shape, true))
    return cc_fail(error, CCONV_UNSUPPORTED, "kernel", CC_WIDTH - leading, axis[2].kernel, 3);
  const cc_method *way = way_of(shape, false);
  if (!way) {
    const int a = axis[2].stride != 1 ? 2 : axis[1].stride != 1 ? 1 : 0;
    return cc_fail(error, CCONV_UNSUPPORTED, "stride", CC_DEPTH + a - leading, axis[a].stride, 1);
  }
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    if (axis[a].kernel > 1 && axis[a].dilation > MOST_DILATION)
      return cc_fail(error, CCONV_UNSUPPORTED, "dilation", CC_DEPTH + a - leading, axis[a].dilation, MOST_DILATION);
  if (shape->ic < 1 || shape->reduction / taps_of(shape, way) > MOST_TERMS ||
      !cc_mul(shape->groups, shape->oc, &filters) || filters > MOST_FILTERS)
    return cc_fail(error, CCONV_UNSUPPORTED, "weight", CC_CHANNEL, shape->ic, MOST_TERMS);
  return CCONV_OK;
}

/* Everything below is for one product of an input channel and a vector of output channels, taps that are summed over
 * counting as channels. */

/* n outputs along an axis, in tiles of m: those of a dilated kernel in tiles of each phase. */
static int64_t tiles_along(const cc_axis *axis, int64_t n, int64_t m) {
  const int64_t phases = cc_min(axis->dilation, n);
  return m == 1 ? n : phases * cc_ceil_div(cc_ceil_div(n, phases), m);
}

/* Tiles of an image, m outputs along the axes that are transformed. Slices, of the axis that is summed over, count where
 * they share their weights. */
static int64_t tiles_of(const cc_conv_shape *shape, const cc_method *way, int64_t m) {
  const cc_axis *slices = &shape->axis[way->turned ? 1 : 0], *rows = &shape->axis[way->turned ? 0 : 1];
  const cc_axis *columns = &shape->axis[2];
  const int64_t width = cc_min(columns->out, LONGEST), most = (int64_t)LONGEST * LONGEST;
  int64_t tiles;
  if (!cc_mul(slices->stride == 1 && slices->dilation == 1 ? slices->out : 1,
              way->transformed[0] ? tiles_along(rows, rows->out, m) : rows->out, &tiles))
    tiles = most;
  return cc_min(tiles, most) * (way->transformed[1] ? tiles_along(columns, width, m) : width);
}

static int64_t winograd_time(const cc_winograd_costs *c, int64_t tiles, int64_t channels, int64_t vectors,
                             int64_t bytes) {
  return tiles * c->products * 5 / 8 + tiles * c->input / (16 * vectors) + tiles * c->output / channels +
         (bytes > NEAR_BYTES / c->products ? c->far_weight : c->near_weight);
}

/* As many products an output as there are taps, at 18 in 13 cycles. */
static int64_t direct_time(int64_t outputs, int64_t taps) { return outputs * taps * 13 / 18; }

/* The faster of Winograd's kinds that beats *least, which then is its time. */
static const cc_winograd_costs *fastest_kind(int32_t dtype, const cc_conv_shape *shape, const cc_method *way,
                                             int64_t *least) {
  const int64_t element = dtype == CCONV_FLOAT32 ? 4 : 8, lanes = 64 / element, taps = taps_of(shape, way);
  const int64_t channels = shape->reduction / taps, vectors = cc_ceil_div(shape->oc, lanes);
  const int32_t axes = way->transformed[0] + way->transformed[1];
  const cc_winograd_costs *best = NULL;
  int64_t bytes; /* of one product's weights, up to what makes no difference */
  if (!cc_mul(channels, vectors, &bytes) || !cc_mul(bytes, lanes * element, &bytes))
    bytes = INT64_MAX;
  for (int i = 0; i < KINDS; i++) {
    const cc_winograd_costs *kind = &kinds[i];
    if (kind->axes != axes || taps != (axes == 2 ? kind->taps * kind->taps : kind->taps))
      continue;
    const int64_t time = winograd_time(kind, tiles_of(shape, way, kind->m), channels, vectors, bytes);
    if (time < *least) {
      *least = time;
      best = kind;
    }
  }
  return best;
}

cc_method cconv_choose_method(int32_t asked, int32_t dtype, const cc_conv_shape *shape) {
  cc_method method = {.winograd = NULL};
  if ((asked != CCONV_ALGORITHM_AUTO && asked != CCONV_ALGORITHM_WINOGRAD) ||
      cconv_winograd_serves(dtype, CCONV_MAX_RANK, shape, NULL) != CCONV_OK ||
      (asked != CCONV_ALGORITHM_WINOGRAD && (shape->ic < LEAST_CHANNELS || shape->oc < LEAST_CHANNELS)))
    return method;
  method = *way_of(shape, false);
  int64_t least = INT64_MAX;
  if (asked != CCONV_ALGORITHM_WINOGRAD)
    least = direct_time(tiles_of(shape, &method, 1), taps_of(shape, &method));
  method.winograd = fastest_kind(dtype, shape, &method, &least);
  return method;
}

/* Does what a row of outputs looks at, or a few outputs of a longer one, take so many bytes at most, with `position` for
 * each position? */
static bool split_fits(const cc_conv_shape *shape, int64_t position, int64_t bytes) {
  const int64_t out[CCONV_MAX_SPATIAL] = {1, 1, cc_min(shape->axis[2].out, SPLIT_POSITIONS)};
  const int64_t taps[CCONV_MAX_SPATIAL] = {shape->axis[0].kernel, shape->axis[1].kernel, shape->axis[2].kernel};
  return cconv_halo_fits(shape->axis, out, taps, 64, 1, bytes / position);
}

/* Bytes of a position in parts: lines of 32 channels. */
static int64_t parts_of(const cc_conv_shape *shape) { return cc_ceil_div(shape->ic, 32) * 3 * 64; }

bool cconv_choose_windows(const cc_conv_shape *shape) { return shape->ic < LEAST_CHANNELS; }

/* Can windows be summed so? */
static cconv_status windows_serve(const cc_conv_shape *shape, cconv_error *error) {
  if (shape->reduction < LEAST_CHANNELS)
    return cc_fail(error, CCONV_UNSUPPORTED, "weight", -1, shape->reduction, LEAST_CHANNELS);
  if (shape->reduction > MOST_WINDOW)
    return cc_fail(error, CCONV_UNSUPPORTED, "weight", -1, shape->reduction, MOST_WINDOW);
  if (!split_fits(shape, shape->ic * 4, WINDOW_BYTES))
    return cc_fail(error, CCONV_UNSUPPORTED, "kernel", CC_WIDTH, shape->taps, MOST_SPLIT_TAPS);
  return CCONV_OK;
}

cconv_status cconv_bf16x3_serves(int32_t dtype, bool matrix_unit, const cc_conv_shape *shape, cconv_error *error) {
  int64_t filters;
  if (dtype != CCONV_FLOAT32)
    return cc_fail(error, CCONV_UNSUPPORTED, "dtype", -1, dtype, CCONV_FLOAT32);
  if (!matrix_unit)
    return cc_fail(error, CCONV_UNSUPPORTED, "algorithm", -1, CCONV_ALGORITHM_BF16X3, CCONV_ALGORITHM_DIRECT);
  if (!cc_mul(shape->groups, shape->oc, &filters) || filters > MOST_FILTERS)
    return cc_fail(error, CCONV_UNSUPPORTED, "weight", CC_BATCH, shape->oc, MOST_FILTERS);
  if (cconv_choose_windows(shape))
    return windows_serve(shape, error);
  if (shape->taps > MOST_SPLIT_TAPS || shape->ic > MOST_SPLIT_TERMS / shape->taps)
    return cc_fail(error, CCONV_UNSUPPORTED, "weight", CC_CHANNEL, shape->ic, MOST_SPLIT_TERMS / shape->taps);
  if (!split_fits(shape, parts_of(shape), SPLIT_BYTES))
    return cc_fail(error, CCONV_UNSUPPORTED, "kernel", CC_WIDTH, shape->taps, MOST_SPLIT_TAPS);
  return CCONV_OK;
}

/* Outputs of an image and channel, up to what makes no difference. */
static int64_t outputs_of(const cc_conv_shape *shape) {
  int64_t outputs;
  if (!cc_mul(shape->axis[0].out, shape->axis[1].out, &outputs) || !cc_mul(outputs, shape->axis[2].out, &outputs))
    return MOST_OUTPUTS;
  return cc_min(outputs, MOST_OUTPUTS);
}

/* Measured, on an Intel Xeon with AMX, for one input channel and 16 output channels. Where a kernel has one tap,
 * channels are split as they lie; else they and the outputs are turned, with what lies between outputs. */
static int64_t bf16x3_time(const cc_conv_shape *shape, int64_t outputs) {
  const bool turns = shape->taps > 1;
  const int64_t ic = shape->ic, vectors = cc_ceil_div(shape->oc, 16), whole = cc_ceil_div(ic, 32) * 32;
  const int64_t places = cc_ceil_div(outputs, 16) * 16;
  int64_t inputs = outputs; /* that each output has: as many as strides, or as taps */
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    inputs *= cc_min(shape->axis[a].stride, shape->axis[a].kernel);
  if (cconv_choose_windows(shape))
    return places * cc_ceil_div(shape->reduction, 32) * (17 + 24 / vectors) / ic + outputs * 10 / ic + shape->taps * 4;
  const int64_t products = places * shape->taps * (turns ? 12 : 10) / 32;
  return products * whole / ic + inputs * (turns ? 24 : 20) / 16 * whole / (ic * vectors) +
         outputs * (turns ? 14 : 10) / ic + shape->taps * (turns ? 6 : 4);
}

cconv_status cconv_int8x3_serves(int32_t dtype, bool matrix_unit, const cc_conv_shape *shape, cconv_error *error) {
  const cconv_status status = cconv_bf16x3_serves(dtype, matrix_unit, shape, error);
  if (status)
    return status;
  if (cconv_choose_windows(shape))
    return CCONV_OK;
  if (cc_ceil_div(shape->ic, 64) * 64 > MOST_DIGIT_TERMS / shape->taps)
    return cc_fail(error, CCONV_UNSUPPORTED, "weight", CC_CHANNEL, shape->ic, MOST_DIGIT_TERMS / shape->taps / 64 * 64);
  if (!split_fits(shape, cc_ceil_div(shape->ic, 64) * 3 * 64 + 64 * 4, DIGIT_BYTES))
    return cc_fail(error, CCONV_UNSUPPORTED, "kernel", CC_WIDTH, shape->taps, MOST_SPLIT_TAPS);
  return CCONV_OK;
}

/* Measured likewise. Several taps of a row are one product where channels are few; what lies between rows is computed. */
static int64_t int8x3_time(const cc_conv_shape *shape, int64_t outputs) {
  const cc_axis *row = &shape->axis[2];
  const int64_t ic = shape->ic, vectors = cc_ceil_div(shape->oc, 16), whole = cc_ceil_div(ic, 64);
  const int64_t together = row->stride > 1 || row->dilation > 1 || ic > 32 ? 1 : ic > 16 ? 2 : 4;
  const int64_t steps = whole * (shape->taps / row->kernel) * cc_ceil_div(row->kernel, together);
  const int64_t between = cc_min((row->kernel - 1) * row->dilation / row->stride, row->out);
  const int64_t places = cc_ceil_div(outputs + outputs / row->out * between, 32) * 32;
  int64_t inputs = outputs;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    inputs *= cc_min(shape->axis[a].stride, shape->axis[a].kernel);
  if (cconv_choose_windows(shape))
    return places * cc_ceil_div(shape->reduction, 64) * (12 + 24 / vectors) / ic + outputs * 10 / ic + shape->taps * 9;
  return places * steps * 9 / ic + inputs * 18 / 16 * whole * 64 / together / (ic * vectors) + outputs * 10 / ic +
         shape->taps * 9;
}

/* Is `time`, of an input channel, less than that of direct sums and of Winograd's algorithm? */
static bool is_least(int32_t dtype, const cc_conv_shape *shape, int64_t outputs, int64_t time) {
  if (time >= direct_time(outputs, shape->taps) + outputs * 8 / shape->ic)
    return false;
  if (shape->ic < LEAST_CHANNELS || cconv_winograd_serves(dtype, CCONV_MAX_RANK, shape, NULL))
    return true;
  const cc_method *way = way_of(shape, false);
  /* Winograd's time is for a channel and a tap that is not transformed. */
  int64_t least = time * taps_of(shape, way) / shape->taps * 17 / 16;
  return !fastest_kind(dtype, shape, way, &least);
}

/* Are there so many products of an image and group that what comes before and after takes less time? */
static bool is_worth_it(const cc_conv_shape *shape, int64_t outputs) {
  const int64_t reduction = cc_min(shape->reduction, LEAST_PRODUCTS);
  return shape->oc >= LEAST_CHANNELS &&
         outputs >= LEAST_PRODUCTS / reduction / cc_min(shape->oc, LEAST_PRODUCTS / reduction);
}

bool cconv_choose_bf16x3(int32_t asked, int32_t dtype, const cc_conv_shape *shape) {
  if ((asked != CCONV_ALGORITHM_AUTO && asked != CCONV_ALGORITHM_BF16X3) ||
      cconv_bf16x3_serves(dtype, true, shape, NULL) != CCONV_OK)
    return false;
  const int64_t outputs = outputs_of(shape);
  return asked == CCONV_ALGORITHM_BF16X3 ||
         (is_worth_it(shape, outputs) && is_least(dtype, shape, outputs, bf16x3_time(shape, outputs)));
}

bool cconv_choose_int8x3(int32_t asked, int32_t dtype, const cc_conv_shape *shape) {
  if ((asked != CCONV_ALGORITHM_AUTO && asked != CCONV_ALGORITHM_INT8X3) ||
      cconv_int8x3_serves(dtype, true, shape, NULL) != CCONV_OK)
    return false;
  if (asked == CCONV_ALGORITHM_INT8X3)
    return true;
  const int64_t outputs = outputs_of(shape);
  if (!is_worth_it(shape, outputs) ||
      ((shape->taps == 1 || cconv_choose_windows(shape)) && shape->reduction < DEEP_CHANNELS))
    return false;
  const int64_t time = int8x3_time(shape, outputs);
  return time < bf16x3_time(shape, outputs) && is_least(dtype, shape, outputs, time);
}

bool cconv_choose_bf16x3_phases(int32_t dtype, const cc_conv_shape *shape, int64_t phases, int64_t taps) {
  const int64_t places = outputs_of(shape), vectors = cc_ceil_div(shape->oc, 16);
  if (shape->ic < LEAST_CHANNELS || shape->oc < LEAST_CHANNELS || places > MOST_PLACES ||
      cconv_bf16x3_serves(dtype, true, shape, NULL) != CCONV_OK ||
      !split_fits(shape, parts_of(shape), SPLIT_BYTES / 2) || taps > MOST_PHASE_TAPS || phases > MOST_SPLIT_PHASES ||
      places < LEAST_PRODUCTS / taps / cc_min(shape->ic * cc_min(shape->oc, MOST_TERMS), LEAST_PRODUCTS / taps))
    return false;
  /* As bf16x3_time(): products, inputs, and the weights that are split once they are laid out. */
  const int64_t whole = cc_ceil_div(shape->ic, 32) * 32, positions = cc_ceil_div(places, 16) * 16;
  const int64_t time = positions * taps * 12 / 32 * whole / shape->ic + places * 2 / vectors + 8 * taps;
  return time < direct_time(places, taps);
}
