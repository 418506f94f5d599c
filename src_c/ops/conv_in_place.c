/* SPDX-License-Identifier: BSD-3-Clause
 * conv_in_place.c - convolution of few channels a group, whose inputs are read where they lie.
 *
 * Law: a piece of work is some rows of outputs of all filters of a group of an image. Nothing is packed: zeros stand
 * for rows outside. Sums go straight to the output. */
#include <string.h>

#include "base/checked.h"
#include "base/layout.h"
#include "ops/conv_place.h"

enum {
  NEAREST_BYTES = 24 << 10,  /* of what all filters of a row of outputs read: half of a level 1 cache */
  MOST_FILTERS = 32,         /* of a step of 2: each eight of them take their taps apart from pairs once more */
  MOST_OPERATIONS = 1 << 26, /* of a piece: a call can be told to stop between pieces */
  UNITS_A_THREAD = 4
};

/* What prepare() works out; a run adds the convolution and the zeros. */
typedef struct conv_in_place {
  const cc_conv *conv;
  int64_t bands;         /* of a group */
  int64_t rows, columns; /* of outputs of the largest */
  int64_t units, parts;
  const char *zeros;
} conv_in_place;

_Static_assert(sizeof(conv_in_place) <= CC_WORK_STATE, "a driver's struct must fit");

static bool fits(const cc_conv *conv) {
  const cc_conv_shape *shape = &conv->shape;
  const cc_axis *h = &shape->axis[1], *w = &shape->axis[2];
  const int64_t vector = conv->kernels->vector_length;
  if (!conv->kernels->conv_in_place || shape->oc % 4 || !cconv_place_fits(conv) || h->stride != w->stride ||
      h->kernel > CC_PLACE_TAPS || (w->stride == 2 && shape->oc > MOST_FILTERS) || h->out < CC_PLACE_LEAST ||
      (w->out <= vector && w->kernel != 3))
    return false;
  return shape->ic > 0 &&
         cc_max(w->end, shape->oc * w->kernel) <= NEAREST_BYTES / conv->element / h->kernel / shape->ic &&
         cconv_conv_is_simple(conv);
}

bool cconv_conv_in_place_prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work) {
  if (!fits(conv))
    return false;
  conv_in_place *d = (conv_in_place *)(void *)work->state;
  const cc_conv_shape *shape = &conv->shape;
  const int64_t out = shape->axis[1].out, groups = shape->n * shape->groups;
  const double operations = cconv_conv_operations(conv), of_group = operations / (double)cc_max(1, groups);
  threads = cconv_operation_parts(threads, threads, operations);
  *d = (conv_in_place){.bands = threads > 1 ? cc_ceil_div(UNITS_A_THREAD * threads, cc_max(1, groups)) : 1};
  d->bands = cc_min(out / CC_PLACE_LEAST, cc_max(d->bands, (int64_t)(of_group / MOST_OPERATIONS)));
  d->rows = cc_ceil_div(out, d->bands);
  d->columns = shape->axis[2].out;
  d->units = groups * d->bands;
  d->parts = cconv_operation_parts(threads, d->units, operations);
  work->driver = &cconv_conv_in_place;
  work->parts = d->parts;
  work->workspace = cc_max(work->workspace, cc_lines(shape->axis[2].end * conv->element));
  return true;
}

static void run_unit(void *arg, int64_t unit, bool first, int64_t part) {
  (void)first;
  (void)part;
  const conv_in_place *d = arg;
  const cc_conv *conv = d->conv;
  const cc_conv_shape *shape = &conv->shape;
  const cc_view *x = &conv->input, *y = &conv->output;
  const cc_axis *h = &shape->axis[1];
  const cc_bounds bounds = cconv_conv_bounds(conv);
  const int64_t band = unit % d->bands, g = unit / d->bands % shape->groups, n = unit / d->bands / shape->groups;
  const int64_t top = cc_part(h->out, band, d->bands);
  conv->kernels->conv_in_place(&(cc_conv_in_place_job){
      .channels = shape->ic,
      .next_x = shape->ic > 1 ? x->stride[CC_CHANNEL] : 0, /* a step that is never taken may not fit */
      .x = x->data + n * x->stride[CC_BATCH] + g * shape->ic * x->stride[CC_CHANNEL],
      .x_stride = h->in > 1 ? x->stride[CC_HEIGHT] : 0,
      .end = h->end,
      .above = h->before,
      .taps = h->kernel,
      .place = cconv_place_of(&shape->axis[2]),
      .filters = shape->oc,
      .next_w = conv->weight.out / conv->element,
      .next_y = y->stride[CC_CHANNEL],
      .first = top,
      .rows = cc_part(h->out, band + 1, d->bands) - top,
      .zeros = d->zeros,
      .w = conv->weight.data + g * conv->weight.group,
      .bias = conv->bias ? conv->bias + g * shape->oc * conv->element : NULL,
      .y = y->data + n * y->stride[CC_BATCH] + g * shape->oc * y->stride[CC_CHANNEL],
      .y_stride = y->stride[CC_HEIGHT],
      .bounded = bounds.bounded,
      .low = bounds.low,
      .high = bounds.high,
  });
}

static cconv_status run(const cc_conv *conv, const cc_conv_work *work, cc_run *run, char *workspace) {
  conv_in_place d = *(const conv_in_place *)(const void *)work->state;
  memset(workspace, 0, (size_t)(conv->shape.axis[2].end * conv->element));
  d.conv = conv;
  d.zeros = workspace;
  return cconv_parallel(run, run_unit, &d, d.units, d.parts);
}

static void describe(const cc_conv_work *work, cconv_plan_info *info) {
  const conv_in_place *d = (const conv_in_place *)(const void *)work->state;
  info->blocks[0] = info->block[0] = info->blocks[2] = 1;
  info->blocks[1] = d->bands;
  info->block[1] = d->rows;
  info->block[2] = d->columns;
  info->chunks = 1;
  info->rows = CC_PLACE_FILTERS;
}

const cc_conv_driver cconv_conv_in_place = {.name = "direct", .run = run, .describe = describe};
