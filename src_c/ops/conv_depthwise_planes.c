/* SPDX-License-Identifier: BSD-3-Clause
 * conv_depthwise_planes.c - depthwise convolution of narrow planes, whose rows fill no vectors.
 *
 * Law: a piece of work is some whole planes of one image. The kernel packs one or two of them at a time and sums them
 * while they are near; only what needs more than bias and bounds goes through a slab. */
#include <string.h>

#include "base/checked.h"
#include "base/layout.h"
#include "ops/conv_depthwise.h"

enum {
  NEAR_BYTES = 32 << 10, /* of packed rows and weights: they share the level 1 cache with outputs */
  MOST_PLANES = 128,     /* of a piece */
  MOST_TAPS = 64,        /* of an axis: with the next two no size overflows */
  MOST_ROWS = 1 << 12,
  MOST_STEP = 1 << 8, /* and dilation */
  UNITS_A_THREAD = 4
};

/* What prepare() works out; a run adds the convolution and the workspace. */
typedef struct depthwise_planes {
  const cc_conv *conv;
  int64_t length, pitch;  /* of packed rows: see cc_depthwise_planes_job */
  int64_t blocks, planes; /* of an image; of a piece, at most */
  int64_t rows, columns;  /* of outputs */
  int64_t units, parts;
  int64_t index_at, walk_at, panel_at, slab_at; /* a thread's scratch; packed rows are first */
  int64_t slab;                                 /* bytes of a plane's */
  int64_t thread_bytes, offsets_bytes;
  bool pairs;
  bool direct; /* sums go straight to the output */
  char *workspace;
} depthwise_planes;

_Static_assert(sizeof(depthwise_planes) <= CC_WORK_STATE, "a driver's struct must fit");

static bool fits(const cc_conv *conv) {
  const cc_axis *axis = conv->shape.axis;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    if (axis[a].kernel > MOST_TAPS || axis[a].stride > MOST_STEP || axis[a].dilation > MOST_STEP ||
        axis[a].out > MOST_ROWS || axis[a].map != CCONV_PADDING_CONSTANT)
      return false;
  return conv->kernels->depthwise_planes && conv->shape.oc == 1 && conv->input.dtype == conv->dtype &&
         axis[0].kernel == 1 && axis[0].out == 1 && axis[0].before == 0 && axis[0].end > 0 &&
         (axis[2].in == 1 || conv->input.stride[CC_WIDTH] == conv->element);
}

/* Inputs from the first to the last that a row of outputs looks at. */
static int64_t seen(const cc_axis *axis) {
  const int64_t first = -axis->before,
                last = first + (axis->out - 1) * axis->stride + (axis->kernel - 1) * axis->dilation;
  return cc_max(0, cc_min(axis->end, last + 1) - cc_max(0, first));
}

bool cconv_depthwise_planes_prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work) {
  depthwise_planes *d = (depthwise_planes *)(void *)work->state;
  const cc_conv_shape *shape = &conv->shape;
  const cc_axis *axis = shape->axis;
  const int64_t es = conv->element, vector = conv->kernels->vector_length;
  if (!fits(conv) || axis[2].out > vector || seen(&axis[2]) >= 2 * vector)
    return false;
  const int64_t kw = axis[2].kernel, terms = axis[1].kernel * kw;
  *d = (depthwise_planes){.rows = axis[1].out,
                          .columns = axis[2].out,
                          .pairs = 2 * axis[2].out <= vector && seen(&axis[2]) < vector,
                          .direct =
                              cconv_conv_is_simple(conv) && (axis[2].out == 1 || conv->output.stride[CC_WIDTH] == es)};
  d->length =
      cc_ceil_div((axis[1].out - 1) * axis[1].stride + (axis[1].kernel - 1) * axis[1].dilation + 1, axis[1].stride);
  d->pitch = axis[1].stride * d->length * vector;
  d->index_at = cc_lines((kw * d->pitch + CC_PLANE_SLACK * vector) * es);
  d->walk_at = d->index_at + cc_lines(kw * vector * es);
  d->panel_at = d->walk_at + cc_lines(axis[1].stride * d->length * (int64_t)sizeof(cc_plane_row));
  if (d->panel_at > NEAR_BYTES)
    return false;

  const double operations = CC_DEPTHWISE_COST * cconv_conv_operations(conv);
  threads = cconv_operation_parts(threads, threads, operations);
  const int64_t wanted = cc_ceil_div(UNITS_A_THREAD * threads, cc_max(1, shape->n));
  d->planes = cc_min(MOST_PLANES, cc_ceil_div(shape->groups, threads > 1 ? wanted : 1));
  d->planes = d->pairs ? cc_min(shape->groups, d->planes + d->planes % 2) : d->planes;
  d->blocks = cc_ceil_div(shape->groups, d->planes);
  d->units = shape->n * d->blocks;
  d->parts = cconv_operation_parts(threads, d->units, operations);

  /* Slabs are there whether this call needs them or not: a workspace may serve any activation and residual. A store
   * reads a vector from the last element on. */
  d->slab = cc_lines((axis[1].out * axis[2].out + vector) * es);
  d->slab_at = d->panel_at + (conv->weight.in_place ? 0 : cc_lines(d->planes * terms * es));
  d->thread_bytes = d->slab_at + d->planes * d->slab;
  d->offsets_bytes = cc_lines(terms * (int64_t)sizeof(int32_t));
  if (d->offsets_bytes + d->thread_bytes > cconv_operation_budget() - CC_ALIGNMENT)
    return false;
  work->driver = &cconv_depthwise_planes;
  work->parts = d->parts;
  work->workspace = d->offsets_bytes + d->parts * d->thread_bytes;
  return true;
}

/* The weights of planes [g, g + planes), where they are or packed; elements from one to the next. */
static const char *weights_of(const depthwise_planes *d, int64_t g, int64_t planes, char *panel, int64_t *next) {
  const cc_weight *w = &d->conv->weight;
  const cc_axis *axis = d->conv->shape.axis;
  const char *from = w->data + g * w->group;
  *next = w->group / d->conv->element;
  if (w->in_place)
    return from;
  *next = axis[1].kernel * axis[2].kernel;
  d->conv->kernels->weight_pack(&(cc_weight_pack_job){.weight = from,
                                                      .source = w->dtype,
                                                      .count = {planes, 1, 1, axis[1].kernel, axis[2].kernel},
                                                      .stride = {w->group, 0, 0, w->tap[1], w->tap[2]},
                                                      .target = panel});
  return panel;
}

static char *plane_of(const cc_view *view, int64_t n, int64_t c) {
  return view->data + n * view->stride[CC_BATCH] + c * view->stride[CC_CHANNEL];
}

static void store(const depthwise_planes *d, int64_t n, int64_t g, int64_t planes, char *slab) {
  const cc_conv *conv = d->conv;
  const cc_axis *axis = conv->shape.axis;
  for (int64_t c = g; c < g + planes; c++, slab += d->slab)
    cconv_conv_store(conv, &(cc_conv_rows){.slab = slab,
                                           .lds = axis[2].out,
                                           .rows = axis[1].out,
                                           .n = axis[2].out,
                                           .bias = conv->bias ? conv->bias + c * conv->element : NULL,
                                           .y = plane_of(&conv->output, n, c),
                                           .y_stride = conv->output.stride[CC_HEIGHT],
                                           .residual = conv->residual.data ? plane_of(&conv->residual, n, c) : NULL,
                                           .residual_stride = conv->residual.stride[CC_HEIGHT]});
}

static void run_unit(void *arg, int64_t unit, bool first, int64_t part) {
  const depthwise_planes *d = arg;
  const cc_conv *conv = d->conv;
  const cc_view *input = &conv->input;
  const cc_axis *axis = conv->shape.axis;
  const int64_t es = conv->element, n = unit / d->blocks, block = unit % d->blocks;
  const int64_t g = block * d->planes, planes = cc_min(d->planes, conv->shape.groups - g);
  const cc_bounds bounds = cconv_conv_bounds(conv);
  char *scratch = d->workspace + d->offsets_bytes + part * d->thread_bytes;
  if (first) /* sums of no output are made as well; garbage may be denormal, which is slow */
    memset(scratch, 0, (size_t)d->panel_at);
  cc_depthwise_planes_job job = {
      .planes = planes,
      .next_x = planes > 1 ? input->stride[CC_CHANNEL] : 0, /* a step that is never taken may not fit */
      .next_y = d->direct ? conv->output.stride[CC_CHANNEL] : d->slab,
      .x = plane_of(input, n, g),
      .x_stride = axis[1].in > 1 ? input->stride[CC_HEIGHT] : 0,
      .first = {-axis[1].before, -axis[2].before},
      .end = {axis[1].end, axis[2].end},
      .step = {axis[1].stride, axis[2].stride},
      .dilation = {axis[1].dilation, axis[2].dilation},
      .taps = {axis[1].kernel, axis[2].kernel},
      .fill = conv->padding_value,
      .pairs = d->pairs,
      .packed = scratch,
      .index = scratch + d->index_at,
      .walk = (cc_plane_row *)(void *)(scratch + d->walk_at),
      .length = d->length,
      .pitch = d->pitch,
      .off = (const int32_t *)(const void *)d->workspace,
      .rows = axis[1].out,
      .columns = axis[2].out,
      .y = d->direct ? plane_of(&conv->output, n, g) : scratch + d->slab_at,
      .y_stride = d->direct ? conv->output.stride[CC_HEIGHT] : axis[2].out * es,
      .whole = d->direct,
      .bounded = d->direct && bounds.bounded,
      .bias = conv->bias ? conv->bias + g * es : NULL,
      .low = bounds.low,
      .high = bounds.high,
  };
  job.w = weights_of(d, g, planes, scratch + d->panel_at, &job.next_w);
  conv->kernels->depthwise_planes(&job);
  if (!d->direct)
    store(d, n, g, planes, scratch + d->slab_at);
}

static cconv_status run(const cc_conv *conv, const cc_conv_work *work, cc_run *run, char *workspace) {
  depthwise_planes d = *(const depthwise_planes *)(const void *)work->state;
  const cc_axis *axis = conv->shape.axis;
  const int64_t vector = conv->kernels->vector_length;
  int32_t *off = (int32_t *)(void *)workspace;
  for (int64_t kh = 0; kh < axis[1].kernel; kh++)
    for (int64_t kw = 0; kw < axis[2].kernel; kw++) {
      const int64_t row = kh * axis[1].dilation;
      *off++ = (int32_t)(kw * d.pitch + (row % axis[1].stride * d.length + row / axis[1].stride) * vector);
    }
  d.conv = conv;
  d.workspace = workspace;
  return cconv_parallel(run, run_unit, &d, d.units, d.parts);
}

static void describe(const cc_conv_work *work, cconv_plan_info *info) {
  const depthwise_planes *d = (const depthwise_planes *)(const void *)work->state;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    info->blocks[a] = 1;
  info->block[0] = 1;
  info->block[1] = d->rows;
  info->block[2] = d->columns;
  info->chunks = 1;
  info->rows = 1;
}

const cc_conv_driver cconv_depthwise_planes = {.name = "depthwise", .run = run, .describe = describe};
