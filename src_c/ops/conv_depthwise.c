/* SPDX-License-Identifier: BSD-3-Clause
 * conv_depthwise.c - the driver of convolutions whose groups have one channel, and few outputs each.
 *
 * Law: a unit of work is one block of outputs of one channel: its halo is packed once, each of its outputs
 * is summed over the whole block at once and stored row by row. Sums are cut into chunks as in
 * conv_direct.c, with the same terms in the same order. */
#include "ops/conv_depthwise.h"
#include "base/checked.h"
#include "base/layout.h"

enum {
  LANE_VECTORS = 8,
  UNITS_A_THREAD = 4,
  MOST_OUTPUTS = 2 /* of a channel: a tile of more rows loads its inputs for all of them at once */
};

/* What prepare() works out; a run adds the convolution and the workspace. */
typedef struct depthwise {
  const cc_conv *conv;
  cc_blocks blocks;
  int64_t blocks_a_channel, units, parts;
  int64_t slab_at, slab_bytes, panel_at; /* a thread's scratch: the halo, a slab for each output, weights */
  int64_t thread_bytes, offsets_bytes;
  char *workspace;
  cc_run *run;
} depthwise;

_Static_assert(sizeof(depthwise) <= CC_WORK_STATE, "a driver's struct must fit");

static bool fits(const cc_conv *conv) { return conv->shape.ic == 1 && conv->shape.oc <= MOST_OUTPUTS; }

static void prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work) {
  if (cconv_depthwise_planes_prepare(conv, threads, work) || cconv_depthwise_signal_prepare(conv, threads, work) ||
      cconv_depthwise_in_place_prepare(conv, threads, work) || cconv_depthwise_rows_prepare(conv, threads, work))
    return;
  depthwise *d = (depthwise *)(void *)work->state;
  const cc_conv_shape *shape = &conv->shape;
  const int64_t channels = shape->n * shape->groups, vector = conv->kernels->vector_length, es = conv->element;
  const double operations = cconv_conv_operations(conv);
  *d = (depthwise){0};
  threads = cconv_operation_parts(threads, threads, operations);
  const cc_block_request request = {
      .axis = shape->axis,
      .channels = 1,
      .element = es,
      .budget = cconv_operation_budget() - 8 * CC_ALIGNMENT,
      .lanes = LANE_VECTORS * vector,
      .slack = 2 * vector,
      .term = (int64_t)sizeof(int32_t) + (conv->weight.in_place ? 0 : es),
      .slab = shape->oc * es,
      .slab_always = true,
      .blocks = threads == 1 ? 1 : cc_ceil_div(UNITS_A_THREAD * threads, cc_max(1, channels)),
  };
  cconv_choose_blocks(&request, &d->blocks);
  const cc_halo *halo = &d->blocks.halo;
  d->blocks_a_channel = d->blocks.count[0] * d->blocks.count[1] * d->blocks.count[2];
  d->units = channels * d->blocks_a_channel;
  d->parts = cconv_operation_parts(threads, d->units, operations);
  const int64_t terms = d->blocks.taps[0] * d->blocks.taps[1] * d->blocks.taps[2];
  d->offsets_bytes = cc_lines(terms * (int64_t)sizeof(int32_t));
  d->slab_at = cc_lines((halo->channel + vector) * es);
  d->slab_bytes = cc_lines((halo->positions + vector) * es); /* a store may read a vector from the last one on */
  d->panel_at = d->slab_at + shape->oc * d->slab_bytes;
  d->thread_bytes = d->panel_at + (conv->weight.in_place ? 0 : cc_lines(terms * es));
  work->parts = d->parts;
  work->workspace = d->offsets_bytes + d->parts * d->thread_bytes;
}

/* The bytes from a view's data to image n, channel c and the first output of a block's slice. */
static char *slice_of(const cc_view *view, int64_t n, int64_t c, const cc_block *block, int64_t slice) {
  const int64_t *stride = view->stride;
  return view->data + n * stride[CC_BATCH] + c * stride[CC_CHANNEL] + (block->from[0] + slice) * stride[CC_DEPTH] +
         block->from[1] * stride[CC_HEIGHT] + block->from[2] * stride[CC_WIDTH];
}

static void store_block(const depthwise *d, int64_t n, int64_t c, const cc_block *block, char *slab) {
  const cc_conv *conv = d->conv;
  const cc_halo *halo = &d->blocks.halo;
  for (int64_t slice = 0; slice < block->size[0]; slice++)
    cconv_conv_store(
        conv, &(cc_conv_rows){.slab = slab + slice * halo->axis[1].pitch * halo->axis[2].pitch * conv->element,
                              .lds = halo->axis[2].pitch,
                              .rows = block->size[1],
                              .n = block->size[2],
                              .bias = conv->bias ? conv->bias + c * conv->element : NULL,
                              .y = slice_of(&conv->output, n, c, block, slice),
                              .y_stride = conv->output.stride[CC_HEIGHT],
                              .residual = conv->residual.data ? slice_of(&conv->residual, n, c, block, slice) : NULL,
                              .residual_stride = conv->residual.stride[CC_HEIGHT]});
}

static void run_unit(void *arg, int64_t unit, bool first, int64_t part) {
  const depthwise *d = arg;
  const cc_conv *conv = d->conv;
  char *scratch = d->workspace + d->offsets_bytes + part * d->thread_bytes;
  if (first)
    cconv_operation_clear(&d->blocks, conv->element, conv->kernels->vector_length, scratch);
  const cc_conv_shape *shape = &conv->shape;
  const int64_t channel = unit / d->blocks_a_channel, n = channel / shape->groups, g = channel % shape->groups;
  const cc_block block = cconv_block_of(&d->blocks, shape->axis, unit % d->blocks_a_channel);
  /* A sum of many chunks may take seconds. */
  for (int64_t i = 0; i < d->blocks.chunks && (i == 0 || !cconv_run_stopped(d->run, part)); i++) {
    cc_chunk chunk;
    cconv_chunk_of(&d->blocks, shape->axis, 1, i, &chunk);
    cconv_operation_pack(conv->kernels, &d->blocks, shape->axis, &conv->input, n, g, &block, &chunk,
                         conv->padding_value, scratch);
    for (int64_t m = 0; m < shape->oc; m++)
      conv->kernels->depthwise(
          &(cc_depthwise_job){.k = chunk.terms,
                              .w = cconv_conv_weights(conv, g, m, 1, &chunk, scratch + d->panel_at).data,
                              .x = scratch,
                              .off = (const int32_t *)(const void *)d->workspace,
                              .n = cconv_block_positions(&d->blocks.halo, &block),
                              .slab = scratch + d->slab_at + m * d->slab_bytes,
                              .fresh = i == 0});
  }
  for (int64_t m = 0; m < shape->oc; m++)
    store_block(d, n, g * shape->oc + m, &block, scratch + d->slab_at + m * d->slab_bytes);
}

static cconv_status run(const cc_conv *conv, const cc_conv_work *work, cc_run *run, char *workspace) {
  depthwise d = *(const depthwise *)(const void *)work->state;
  d.conv = conv;
  d.workspace = workspace;
  d.run = run;
  cconv_operation_offsets(&d.blocks, conv->shape.axis, (int32_t *)(void *)workspace);
  return cconv_parallel(run, run_unit, &d, d.units, d.parts);
}

static void describe(const cc_conv_work *work, cconv_plan_info *info) {
  const depthwise *d = (const depthwise *)(const void *)work->state;
  cconv_operation_describe(&d->blocks, info);
  info->rows = 1;
}

extern const cc_conv_driver cconv_conv_depthwise; /* conv_driver.c declares it again, from drivers.inc */
const cc_conv_driver cconv_conv_depthwise = {
    .name = "depthwise", .fits = fits, .prepare = prepare, .run = run, .describe = describe};
