/* SPDX-License-Identifier: BSD-3-Clause
 * conv_direct.c - the driver of direct convolution.
 *
 * Law: a unit of work is one block of outputs of one image and group, and one run of its channels.
 * Units are dealt out in sequence, so a thread packs a block's halo once for many channels. A sum
 * whose halo does not fit the cache is cut into chunks and kept in the slab between them: its terms
 * are added in the same order, so no cut changes a bit. */
#include "base/checked.h"
#include "base/layout.h"
#include "choose/tiles.h"
#include "ops/conv_driver.h"
#include "ops/conv_place.h"

enum {
  LANE_VECTORS = 4,   /* a block should have positions for a tile of so many vectors */
  UNITS_A_THREAD = 4, /* so that dealing them out leaves no thread idle for long */
  SLAB_ROWS = 128     /* channels that share one packing of a chunk */
};

/* What prepare() works out; a run adds the convolution and the workspace. */
typedef struct conv_direct {
  const cc_conv *conv;
  cc_blocks blocks;
  int64_t blocks_an_image; /* of one group */
  int64_t tiles;           /* of channels in a group; tile i holds cc_part(oc, i, tiles) onwards */
  int64_t rows;            /* of the largest of them */
  int64_t tiles_a_unit, units_a_block, units, parts;
  bool plain;                /* tiles may write to the output */
  int64_t slack;             /* elements behind the halo that tiles read */
  int64_t slab_at, panel_at; /* a thread's scratch: the halo and its slack, the slab, a tile's weights */
  int64_t thread_bytes;
  int64_t offsets_bytes; /* the workspace: offsets for all, then every thread's scratch */
  char *workspace;
  cc_run *run;
} conv_direct;

/* Positions the widest tile may read or write behind the last. */
static int64_t widest_tile(const cc_kernels *kernels) {
  int64_t nv = 0;
  for (int i = 0; i < kernels->conv_rows; i++)
    nv = cc_max(nv, kernels->conv_tiles[i].width[0].nv);
  return nv * kernels->vector_length;
}

static int64_t largest_tile(const cc_kernels *kernels) {
  int64_t vectors = 0;
  for (int i = 0; i < kernels->conv_rows; i++)
    vectors = cc_max(vectors, (i + 1) * kernels->conv_tiles[i].width[0].nv);
  return vectors * kernels->vector_length;
}

/* The time of one image and group, in instructions for each term. Vectors that cross lines take longer than their loads
 * (measured on an Intel Xeon: 8x3 tiles 16 cycles, for 12). */
static int64_t time_of(const cc_conv *conv, const cc_blocks *blocks) {
  const int64_t vectors = cc_ceil_div(blocks->halo.positions, conv->kernels->vector_length), oc = conv->shape.oc;
  const int64_t tiles = cconv_choose_tiles(conv->kernels, oc, vectors, false);
  return blocks->count[0] * blocks->count[1] * blocks->count[2] *
         cconv_tiles_cost(conv->kernels, oc, tiles, vectors, false) * 4 / 3;
}

_Static_assert(sizeof(conv_direct) <= CC_WORK_STATE, "a driver's struct must fit");

static void prepare_packed(const cc_conv *conv, int64_t threads, cc_conv_work *work) {
  if (cconv_conv_channels_prepare(conv, threads, work) || cconv_conv_panels_prepare(conv, threads, work))
    return;
  const int64_t asked = threads;
  conv_direct *d = (conv_direct *)(void *)work->state;
  const cc_conv_shape *shape = &conv->shape;
  const cc_kernels *kernels = conv->kernels;
  const int64_t images = shape->n * shape->groups, slack = widest_tile(kernels);
  /* A store may read a vector that begins at the slab's last element. */
  const int64_t tile_bytes = cc_lines((largest_tile(kernels) + kernels->vector_length) * conv->element);
  const double operations = cconv_conv_operations(conv);
  threads = cconv_operation_parts(threads, threads, operations);
  const int64_t runs = cc_max(1, images * cc_ceil_div(shape->oc, kernels->conv_rows));
  const cc_block_request request = {
      .axis = shape->axis,
      .channels = shape->ic,
      .element = conv->element,
      .budget = cconv_operation_budget() - tile_bytes - 4 * CC_ALIGNMENT,
      .lanes = LANE_VECTORS * kernels->vector_length,
      .slack = slack,
      .term = (int64_t)sizeof(int32_t) + (conv->weight.in_place ? 0 : kernels->conv_rows * conv->element),
      .slab = SLAB_ROWS * conv->element,
      .blocks = threads == 1 ? 1 : cc_ceil_div(UNITS_A_THREAD * threads, runs),
  };
  cc_blocks blocks;
  cconv_choose_blocks(&request, &blocks);
  if (kernels->vector_length * conv->element == CC_ALIGNMENT &&
      cconv_conv_planes_prepare(conv, asked, time_of(conv, &blocks), work))
    return;
  *d = (conv_direct){.blocks = blocks};
  const cc_halo *halo = &d->blocks.halo;
  d->plain = d->blocks.chunks == 1 && cconv_conv_is_plain(conv);
  d->slack = slack;
  d->blocks_an_image = d->blocks.count[0] * d->blocks.count[1] * d->blocks.count[2];
  d->tiles = cconv_choose_tiles(kernels, shape->oc, cc_ceil_div(halo->positions, kernels->vector_length), false);
  d->rows = cc_ceil_div(shape->oc, d->tiles);
  d->tiles_a_unit = d->blocks.chunks == 1 ? 1 : SLAB_ROWS / kernels->conv_rows;
  d->units_a_block = cc_ceil_div(d->tiles, d->tiles_a_unit);
  d->units = images * d->blocks_an_image * d->units_a_block;
  d->parts = cconv_operation_parts(threads, d->units, operations);

  /* Sums in one chunk are stored at once: one tile's slab serves them all. */
  const int64_t slab_bytes =
      d->blocks.chunks == 1 ? tile_bytes : cc_lines(SLAB_ROWS * (halo->positions + slack) * conv->element);
  int64_t terms = d->blocks.channels * d->blocks.taps[0] * d->blocks.taps[1] * d->blocks.taps[2];
  d->offsets_bytes = cc_lines(terms * (int64_t)sizeof(int32_t));
  d->slab_at = cc_lines((halo->channel * d->blocks.channels + slack) * conv->element);
  d->panel_at = d->slab_at + slab_bytes;
  d->thread_bytes = d->panel_at + (conv->weight.in_place ? 0 : cc_lines(kernels->conv_rows * terms * conv->element));
  work->parts = d->parts;
  work->workspace = d->offsets_bytes + d->parts * d->thread_bytes;
}

static void prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work) {
  prepare_packed(conv, threads, work);
  cconv_conv_in_place_prepare(conv, threads, work);
}

/* Store the tile of channels [first, first + rows) at positions [position, end) of image n. */
static void store_tile(const conv_direct *d, int64_t n, int64_t first, int64_t rows, const cc_block *block,
                       int64_t position, int64_t end, char *slab, int64_t lds) {
  const cc_conv *conv = d->conv;
  cc_segment s = {.position = position};
  while (cconv_next_segment(&d->blocks.halo, block, end, &s))
    cconv_conv_store(
        conv, &(cc_conv_rows){.slab = slab + (s.position - position) * conv->element,
                              .lds = lds,
                              .rows = rows,
                              .n = s.n,
                              .bias = conv->bias ? conv->bias + first * conv->element : NULL,
                              .bias_step = 1,
                              .y = cconv_segment_at(&conv->output, n, first, &s),
                              .y_stride = conv->output.stride[CC_CHANNEL],
                              .residual = conv->residual.data ? cconv_segment_at(&conv->residual, n, first, &s) : NULL,
                              .residual_stride = conv->residual.stride[CC_CHANNEL]});
}

/* Have a tile at positions [position, position + step) write to image n itself, where they are of one row. */
static bool aim_at_output(const conv_direct *d, int64_t n, int64_t first, const cc_block *block, int64_t position,
                          int64_t step, cc_conv_tile_job *job) {
  const cc_view *y = &d->conv->output;
  cc_segment s = {.position = position};
  if (!cconv_next_segment(&d->blocks.halo, block, position + step, &s) || s.n < step)
    return false;
  job->slab = cconv_segment_at(y, n, first, &s);
  job->lds = y->stride[CC_CHANNEL] / d->conv->element;
  job->bias = cconv_conv_bias(d->conv, first, &job->bias_step);
  return true;
}

/* All chunks, tiles and positions of one unit. */
static void run_unit(void *arg, int64_t unit, bool first_unit, int64_t part) {
  const conv_direct *d = arg;
  const cc_conv *conv = d->conv;
  const cc_conv_shape *shape = &conv->shape;
  const cc_kernels *kernels = conv->kernels;
  const int64_t es = conv->element;
  const int64_t run = unit % d->units_a_block, place = unit / d->units_a_block;
  /* The unit before left this block's halo in the scratch. */
  const bool packed = !first_unit && run > 0 && d->blocks.chunks == 1;
  char *scratch = d->workspace + d->offsets_bytes + part * d->thread_bytes;
  if (first_unit)
    cconv_operation_clear(&d->blocks, es, d->slack, scratch);
  const int64_t image = place / d->blocks_an_image, n = image / shape->groups, g = image % shape->groups;
  const cc_block block = cconv_block_of(&d->blocks, shape->axis, place % d->blocks_an_image);
  const int64_t tile_first = run * d->tiles_a_unit, tile_end = cc_min(d->tiles, tile_first + d->tiles_a_unit);
  const int64_t positions = cconv_block_positions(&d->blocks.halo, &block);

  /* A sum of many chunks may take seconds. */
  for (int64_t c = 0; c < d->blocks.chunks && (c == 0 || !cconv_run_stopped(d->run, part)); c++) {
    cc_chunk chunk;
    cconv_chunk_of(&d->blocks, shape->axis, shape->ic, c, &chunk);
    if (!packed)
      cconv_operation_pack(kernels, &d->blocks, shape->axis, &conv->input, n, g * shape->ic + chunk.channel, &block,
                           &chunk, conv->padding_value, scratch);
    char *sums = scratch + d->slab_at;
    for (int64_t t = tile_first; t < tile_end; t++) {
      const int64_t oc = cc_part(shape->oc, t, d->tiles), mr = cc_part(shape->oc, t + 1, d->tiles) - oc;
      const int64_t first = g * shape->oc + oc;
      const cc_rows w = cconv_conv_weights(conv, g, oc, mr, &chunk, scratch + d->panel_at);
      for (int64_t p = 0, step; p < positions; p += step) {
        const cc_conv_tile *tile = cc_next_tile(kernels, mr, cc_ceil_div(positions - p, kernels->vector_length));
        step = tile->nv * kernels->vector_length;
        cc_conv_tile_job job = {.k = chunk.terms,
                                .w = w.data,
                                .ldw = w.pitch,
                                .x = scratch + p * es,
                                .off = (const int32_t *)(const void *)d->workspace,
                                .slab = sums,
                                .fresh = c == 0};
        const bool aimed = d->plain && p + step <= positions && aim_at_output(d, n, first, &block, p, step, &job);
        tile->run(&job);
        if (c == d->blocks.chunks - 1 && !aimed)
          store_tile(d, n, first, mr, &block, p, cc_min(p + step, positions), sums, step);
        if (d->blocks.chunks > 1)
          sums += mr * step * es;
      }
    }
  }
}

static bool fits(const cc_conv *conv) {
  (void)conv;
  return true;
}

static cconv_status run(const cc_conv *conv, const cc_conv_work *work, cc_run *run, char *workspace) {
  conv_direct d = *(const conv_direct *)(const void *)work->state;
  d.conv = conv;
  d.workspace = workspace;
  d.run = run;
  cconv_operation_offsets(&d.blocks, conv->shape.axis, (int32_t *)(void *)workspace);
  return cconv_parallel(run, run_unit, &d, d.units, d.parts);
}

static void describe(const cc_conv_work *work, cconv_plan_info *info) {
  const conv_direct *d = (const conv_direct *)(const void *)work->state;
  cconv_operation_describe(&d->blocks, info);
  info->rows = d->rows;
}

const cc_conv_driver cconv_conv_direct = {
    .name = "direct", .fits = fits, .prepare = prepare, .run = run, .describe = describe};
