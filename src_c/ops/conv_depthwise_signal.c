/* SPDX-License-Identifier: BSD-3-Clause
 * conv_depthwise_signal.c - depthwise convolution of long signals with many taps, of floating dtypes.
 *
 * A block of outputs is cut into segments, and each is a lane: inputs are packed one of every segment side by side, so
 * that the next tap is in the next row of whole lines, and a row that is loaded serves several rows of outputs.
 *
 * Law: a unit of work is one block of outputs of one channel. Each sum is one chain of multiply-adds in the order of
 * the terms, as by all ways of this driver. */
#include <string.h>

#include "base/checked.h"
#include "base/layout.h"
#include "ops/conv_depthwise.h"

enum {
  LEAST_TAPS = 32,     /* for fewer turning inputs and outputs takes longer than it saves */
  MOST_TAPS = 1 << 12, /* with these the packed rows fit */
  VECTORS = 4,         /* of lanes */
  LEAST_SEGMENT = 16,  /* outputs: of shorter ones much is border */
  SEGMENT = 512,
  TILE_ROWS = 4, /* a kernel computes so many, though fewer are written */
  UNITS_A_THREAD = 4
};

/* What prepare() works out; a run adds the convolution and the workspace. */
typedef struct depthwise_signal {
  const cc_conv *conv;
  int64_t lanes;            /* segments of a block */
  int64_t segment, columns; /* outputs of one and of the largest block */
  int64_t strips, units, parts;
  int64_t slab_at, line_at, panel_at, thread_bytes, offsets_bytes;
  char *workspace;
} depthwise_signal;

_Static_assert(sizeof(depthwise_signal) <= CC_WORK_STATE, "a driver's struct must fit");

/* Outputs that a segment must have, lest most of its inputs be those of the next one. */
static int64_t least_segment(const cc_conv *conv) { return cc_max(LEAST_SEGMENT, conv->shape.axis[2].kernel / 4); }

static bool fits(const cc_conv *conv) {
  const cc_axis *d = &conv->shape.axis[0], *h = &conv->shape.axis[1], *w = &conv->shape.axis[2];
  return conv->kernels->depthwise_rows && conv->shape.oc == 1 && d->kernel == 1 && d->out == 1 && h->kernel == 1 &&
         h->out == 1 && w->stride == 1 && w->dilation == 1 && w->kernel >= LEAST_TAPS && w->kernel <= MOST_TAPS &&
         w->out >= VECTORS * conv->kernels->vector_length * least_segment(conv);
}

bool cconv_depthwise_signal_prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work) {
  depthwise_signal *d = (depthwise_signal *)(void *)work->state;
  const cc_axis *axis = &conv->shape.axis[2];
  if (!fits(conv))
    return false;
  const int64_t es = conv->element, images = cc_max(1, conv->shape.n * conv->shape.groups);
  const double operations = CC_DEPTHWISE_COST * cconv_conv_operations(conv);
  *d = (depthwise_signal){.lanes = VECTORS * conv->kernels->vector_length};
  threads = cconv_operation_parts(threads, threads, operations);
  d->strips = cc_ceil_div(axis->out, d->lanes * cc_max(SEGMENT, axis->kernel));
  if (threads > 1 && images * d->strips < UNITS_A_THREAD * threads)
    d->strips = cc_max(
        d->strips, cc_min(axis->out / (d->lanes * least_segment(conv)), cc_ceil_div(UNITS_A_THREAD * threads, images)));
  d->columns = cc_ceil_div(axis->out, d->strips);
  d->segment = cc_ceil_div(d->columns, d->lanes);
  d->units = images * d->strips;
  d->parts = cconv_operation_parts(threads, d->units, operations);
  /* Behind the last packed row what tiles read for rows that are not, and a vector. */
  d->slab_at = cc_lines((d->segment + axis->kernel + TILE_ROWS) * d->lanes * es);
  d->line_at = d->slab_at + cc_lines(d->segment * d->lanes * es);
  d->panel_at = d->line_at + cc_lines((d->segment * d->lanes + axis->kernel + conv->kernels->vector_length) * es);
  d->thread_bytes = d->panel_at + (conv->weight.in_place ? 0 : cc_lines(axis->kernel * es));
  d->offsets_bytes = CC_ALIGNMENT;
  work->parts = d->parts;
  work->workspace = d->offsets_bytes + d->parts * d->thread_bytes;
  work->driver = &cconv_depthwise_signal;
  return true;
}

/* The inputs of outputs [from, from + n) of image `image` and channel g, one behind the other. */
static void pack_line(const cc_conv *conv, int64_t image, int64_t g, int64_t from, int64_t n, char *line) {
  const cc_view *x = &conv->input;
  const int64_t length = n + conv->shape.axis[2].kernel - 1;
  cc_halo_pack_job job = {.input = x->data + image * x->stride[CC_BATCH] + g * x->stride[CC_CHANNEL],
                          .source = x->dtype,
                          .channels = 1,
                          .length = {1, 1, length},
                          .target = line,
                          .pitch = {0, 1, length},
                          .fill = conv->padding_value};
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    const cc_axis *axis = &conv->shape.axis[a];
    job.first[a] = (a == 2 ? from : 0) - axis->before;
    job.stride[a] = x->stride[CC_DEPTH + a];
    job.end[a] = axis->map == CCONV_PADDING_CONSTANT ? axis->end : axis->in;
    job.map[a] = axis->map;
    job.step[a] = job.dilation[a] = job.phases[a] = 1;
  }
  conv->kernels->halo_pack(&job);
}

static char *place_of(const cc_view *view, int64_t n, int64_t c, int64_t column) {
  return view->data + n * view->stride[CC_BATCH] + c * view->stride[CC_CHANNEL] + column * view->stride[CC_WIDTH];
}

static void run_unit(void *arg, int64_t unit, bool first, int64_t part) {
  const depthwise_signal *d = arg;
  const cc_conv *conv = d->conv;
  const cc_axis *axis = &conv->shape.axis[2];
  const int64_t es = conv->element, taps = axis->kernel, lanes = d->lanes;
  const int64_t strip = unit % d->strips, n = unit / d->strips / conv->shape.groups;
  const int64_t g = unit / d->strips % conv->shape.groups, from = cc_part(axis->out, strip, d->strips);
  const int64_t columns = cc_part(axis->out, strip + 1, d->strips) - from, segment = cc_ceil_div(columns, lanes);
  const cc_chunk whole = {.channels = 1, .taps = {1, 1, taps}, .terms = taps};
  char *scratch = d->workspace + d->offsets_bytes + part * d->thread_bytes;
  char *slab = scratch + d->slab_at, *line = scratch + d->line_at;
  if (first) /* kernels compute on what packing does not write, for nothing; garbage may be denormal, which is slow */
    memset(scratch, 0, (size_t)d->panel_at);
  pack_line(conv, n, g, from, columns, line);
  conv->kernels->transpose(&(cc_transpose_job){
      .source = line, .stride = segment * es, .rows = lanes, .n = segment + taps - 1, .target = scratch, .ldt = lanes});
  conv->kernels->depthwise_rows(
      &(cc_depthwise_rows_job){.planes = 1,
                               .x = scratch,
                               .pitch = lanes,
                               .off = (const int32_t *)(const void *)d->workspace,
                               .taps = {1, taps, 1},
                               .step = 1,
                               .w = cconv_conv_weights(conv, g, 0, 1, &whole, scratch + d->panel_at).data,
                               .rows = segment,
                               .vectors = VECTORS,
                               .y = slab,
                               .y_stride = lanes * es});
  conv->kernels->transpose(&(cc_transpose_job){
      .source = slab, .stride = lanes * es, .rows = segment, .n = lanes, .target = line, .ldt = segment});
  cconv_conv_store(conv,
                   &(cc_conv_rows){.slab = line,
                                   .lds = columns,
                                   .rows = 1,
                                   .n = columns,
                                   .bias = conv->bias ? conv->bias + g * es : NULL,
                                   .y = place_of(&conv->output, n, g, from),
                                   .residual = conv->residual.data ? place_of(&conv->residual, n, g, from) : NULL});
}

static cconv_status run(const cc_conv *conv, const cc_conv_work *work, cc_run *run, char *workspace) {
  depthwise_signal d = *(const depthwise_signal *)(const void *)work->state;
  *(int32_t *)(void *)workspace = 0; /* the offset of the only column of taps */
  d.conv = conv;
  d.workspace = workspace;
  return cconv_parallel(run, run_unit, &d, d.units, d.parts);
}

static void describe(const cc_conv_work *work, cconv_plan_info *info) {
  const depthwise_signal *d = (const depthwise_signal *)(const void *)work->state;
  info->blocks[0] = info->blocks[1] = info->block[0] = info->block[1] = 1;
  info->blocks[2] = d->strips;
  info->block[2] = d->columns;
  info->chunks = 1;
  info->rows = 1;
}

const cc_conv_driver cconv_depthwise_signal = {.name = "depthwise", .run = run, .describe = describe};
