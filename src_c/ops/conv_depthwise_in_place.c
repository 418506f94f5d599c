/* SPDX-License-Identifier: BSD-3-Clause
 * conv_depthwise_in_place.c - depthwise convolution of planes that are read where they lie, under small square kernels.
 *
 * Law: a piece of work is some whole planes of one image, or a band of rows of one plane. Nothing is packed: zeros stand
 * for rows outside. Sums go straight to the output. */
#include <string.h>

#include "base/checked.h"
#include "base/layout.h"
#include "ops/conv_depthwise.h"
#include "ops/conv_place.h"

enum {
  NEAR_BYTES = 1 << 20,   /* of the rows of a tile, which the next one reads again: half of a level 2 cache */
  MOST_OUTPUTS = 1 << 20, /* of a piece of one plane or several: a call can be told to stop between pieces */
  UNITS_A_THREAD = 4
};

/* What prepare() works out; a run adds the convolution and the zeros. */
typedef struct depthwise_in_place {
  const cc_conv *conv;
  int64_t bands;          /* of a plane */
  int64_t rows, columns;  /* of outputs of the largest */
  int64_t blocks, planes; /* of an image; of a block, at most */
  int64_t units, parts;
  const char *zeros;
} depthwise_in_place;

_Static_assert(sizeof(depthwise_in_place) <= CC_WORK_STATE, "a driver's struct must fit");

static bool fits(const cc_conv *conv) {
  const cc_axis *axis = conv->shape.axis;
  const int64_t side = axis[1].kernel, step = axis[1].stride, vector = conv->kernels->vector_length;
  if (!conv->kernels->depthwise_in_place || conv->shape.oc != 1 || !cconv_place_fits(conv) || axis[2].out <= vector ||
      side != axis[2].kernel || step != axis[2].stride || (side == 7 && step == 2) ||
      axis[1].before != axis[2].before || axis[1].out < CC_PLACE_ROWS(step))
    return false;
  const int64_t streams = (CC_PLACE_ROWS(step) - 1) * step + side;
  return axis[2].end <= NEAR_BYTES / conv->element / streams && cconv_conv_is_simple(conv);
}

static int64_t tile_of(const cc_axis *axis) { return CC_PLACE_ROWS(axis[1].stride); }

bool cconv_depthwise_in_place_prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work) {
  /* A workspace serves any activation and residual: rows are packed for some. */
  if (!fits(conv) || !cconv_depthwise_rows_prepare(conv, threads, work))
    return false;
  depthwise_in_place *d = (depthwise_in_place *)(void *)work->state;
  const cc_conv_shape *shape = &conv->shape;
  const cc_axis *axis = shape->axis;
  const int64_t tile = tile_of(axis), tiles = axis[1].out / tile;
  const double operations = CC_DEPTHWISE_COST * cconv_conv_operations(conv);
  const double outputs = (double)axis[1].out * (double)axis[2].out; /* of a plane */
  threads = cconv_operation_parts(threads, threads, operations);
  const int64_t wanted = threads > 1 ? cc_ceil_div(UNITS_A_THREAD * threads, cc_max(1, shape->n)) : 1;
  *d = (depthwise_in_place){.planes = cc_ceil_div(shape->groups, wanted), .bands = 1};
  if (wanted > shape->groups)
    d->bands = cc_ceil_div(wanted, shape->groups);
  d->bands = cc_min(tiles, cc_max(d->bands, (int64_t)(outputs / MOST_OUTPUTS)));
  d->planes = cc_min(d->planes, cc_max(1, (int64_t)(MOST_OUTPUTS / outputs)));
  d->blocks = cc_ceil_div(shape->groups, d->planes);
  d->columns = axis[2].out;
  d->rows = axis[1].out - cc_part(tiles, d->bands - 1, d->bands) * tile; /* the last has what is left */
  d->rows = cc_max(d->rows, d->bands > 1 ? cc_ceil_div(tiles, d->bands) * tile : 0);
  d->units = shape->n * d->blocks * d->bands;
  d->parts = cconv_operation_parts(threads, d->units, operations);
  work->driver = &cconv_depthwise_in_place;
  work->parts = d->parts;
  work->workspace = cc_max(work->workspace, cc_lines(axis[2].end * conv->element));
  return true;
}

static void run_unit(void *arg, int64_t unit, bool first, int64_t part) {
  (void)first;
  (void)part;
  const depthwise_in_place *d = arg;
  const cc_conv *conv = d->conv;
  const cc_view *x = &conv->input, *y = &conv->output;
  const cc_axis *axis = conv->shape.axis;
  const cc_bounds bounds = cconv_conv_bounds(conv);
  const int64_t tile = tile_of(axis), tiles = axis[1].out / tile, band = unit % d->bands;
  const int64_t n = unit / d->bands / d->blocks, g = unit / d->bands % d->blocks * d->planes;
  const int64_t planes = cc_min(d->planes, conv->shape.groups - g);
  const int64_t top = cc_part(tiles, band, d->bands) * tile;
  const int64_t end = band + 1 == d->bands ? axis[1].out : cc_part(tiles, band + 1, d->bands) * tile;
  conv->kernels->depthwise_in_place(&(cc_depthwise_in_place_job){
      .planes = planes,
      .next_x = planes > 1 ? x->stride[CC_CHANNEL] : 0, /* a step that is never taken may not fit */
      .next_w = conv->weight.group / conv->element,
      .next_y = planes > 1 ? y->stride[CC_CHANNEL] : 0,
      .x = x->data + n * x->stride[CC_BATCH] + g * x->stride[CC_CHANNEL],
      .x_stride = axis[1].in > 1 ? x->stride[CC_HEIGHT] : 0,
      .end = axis[1].end,
      .place = cconv_place_of(&axis[2]),
      .first = top,
      .rows = end - top,
      .zeros = d->zeros,
      .w = conv->weight.data + g * conv->weight.group,
      .bias = conv->bias ? conv->bias + g * conv->element : NULL,
      .y = y->data + n * y->stride[CC_BATCH] + g * y->stride[CC_CHANNEL],
      .y_stride = y->stride[CC_HEIGHT],
      .bounded = bounds.bounded,
      .low = bounds.low,
      .high = bounds.high,
  });
}

static cconv_status run(const cc_conv *conv, const cc_conv_work *work, cc_run *run, char *workspace) {
  depthwise_in_place d = *(const depthwise_in_place *)(const void *)work->state;
  memset(workspace, 0, (size_t)(conv->shape.axis[2].end * conv->element));
  d.conv = conv;
  d.zeros = workspace;
  return cconv_parallel(run, run_unit, &d, d.units, d.parts);
}

static void describe(const cc_conv_work *work, cconv_plan_info *info) {
  const depthwise_in_place *d = (const depthwise_in_place *)(const void *)work->state;
  info->blocks[0] = info->block[0] = info->blocks[2] = 1;
  info->blocks[1] = d->bands;
  info->block[1] = d->rows;
  info->block[2] = d->columns;
  info->chunks = 1;
  info->rows = 1;
}

const cc_conv_driver cconv_depthwise_in_place = {.name = "depthwise", .run = run, .describe = describe};
