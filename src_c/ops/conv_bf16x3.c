/* SPDX-License-Identifier: BSD-3-Clause
 * conv_bf16x3.c - the driver of convolution on a matrix unit: float32 in three parts of bfloat16.
 *
 * Law: a unit of work is one block of outputs of one image and group, and one run of its channels. The halo of a block
 * is packed once and split into parts: turned to lines, one of the channels of each position, where a kernel has several
 * taps, for a tap further on is then so many lines further on; or as planes, where it has one and positions lie side by
 * side, or channels are few. Every output is the same sum in the same order, either way and whatever is cut. Images
 * that the unit cannot compute are computed directly (ops/conv_matrix.h). */
#include "ops/conv_bf16x3.h"

#include <string.h>

#include "choose/algorithm.h"

enum {
  LEAST_POSITIONS = 96,     /* of a block, if there are so many: weights are read for each */
  SUM_POSITIONS = 128,      /* whose sums are in the level 1 cache until they are stored */
  SUM_SLACK = 16,           /* other sets, and a vector that a store may read */
  WEIGHT_BYTES = 256 << 10, /* of a block of channels, made at once where nobody keeps them */
  MOST_BYTES = 4608 << 10,  /* of a block's lines, where those of few positions do not fit the cache */
  SHARED_BYTES = 3 << 20,   /* of weights for each thread that one phase makes for the next, */
  SHARED_WEIGHTS = 1 << 14, /* of which each thread would else make so many again: a region takes as long */
};

static bool fits(const cc_conv *conv) {
  const cc_conv_shape shape = cc_given_shape(conv);
  return conv->matrix && cconv_choose_bf16x3(conv->algorithm, conv->dtype, &shape);
}

/* Are windows the pixels themselves, in one row? */
static bool reads_in_place(const cc_conv *conv) {
  const cc_conv_shape *shape = &conv->shape;
  return shape->taps == 1 && shape->axis[0].out == 1 && shape->axis[1].out == 1 && shape->axis[2].stride == 1 &&
         cconv_conv_stays_inside(conv) && shape->axis[0].before == 0 && shape->axis[1].before == 0 &&
         shape->axis[2].before == 0 && cconv_matrix_reads(conv) &&
         (conv->input.stride[CC_WIDTH] == conv->element || conv->input.stride[CC_CHANNEL] == conv->element);
}

/* Cut outputs into blocks: their lines in the cache, with as many positions as that holds, and enough for the threads;
 * with their sums, where weights come in pieces. False where few positions do not fit. */
static bool choose_blocks(const cc_conv *conv, const cc_bf16x3 *d, int64_t wanted, bool pieces, cc_blocks *blocks) {
  cc_block_request request = {.axis = conv->shape.axis,
                              .channels = d->windows ? conv->shape.ic : d->slices * CC_LINE_CHANNELS,
                              .element = d->windows ? conv->element : CC_PARTS * 2,
                              .budget = cconv_cache_l2() / 8 * 3,
                              .lanes = LEAST_POSITIONS,
                              .slab = (pieces ? CC_MATRIX_LANES * conv->element : 0) +
                                      (d->windows ? d->slices * CC_PARTS * CC_LINE_BYTES : 0),
                              .slab_always = true,
                              .blocks = wanted};
  cconv_choose_blocks(&request, blocks);
  if (blocks->chunks == 1)
    return true;
  request.budget = MOST_BYTES;
  request.lanes = 1; /* which fits: see cconv_bf16x3_serves */
  cconv_choose_blocks(&request, blocks);
  return false;
}

static void prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work) {
  cc_bf16x3 *d = (cc_bf16x3 *)(void *)work->state;
  const cc_conv_shape *shape = &conv->shape;
  const int64_t es = conv->element, images = shape->n * shape->groups, asked = threads;
  const double operations = cconv_conv_operations(conv);
  *d = (cc_bf16x3){.matrix = conv->matrix, .windows = cconv_choose_windows(shape)};
  d->terms = d->windows ? shape->reduction : shape->ic;
  d->taps = d->windows ? 1 : shape->taps;
  d->slices = cc_ceil_div(d->terms, CC_LINE_CHANNELS);
  d->steps = d->slices * d->taps;
  d->lane_blocks = cc_ceil_div(shape->oc, CC_MATRIX_LANES);
  threads = cconv_operation_parts(threads, threads, operations);
  /* Threads share the channels of few places, or of small ones: each has all inputs then, where else it has all
   * weights. */
  const bool few =
      cc_outputs_of(shape) * 2 < shape->oc * shape->taps || cconv_matrix_shares_channels(conv, threads, d->lane_blocks);
  const int64_t wanted = threads == 1 || few ? 1 : cc_ceil_div(threads, cc_max(1, images));
  const int64_t step_bytes = CC_PARTS * CC_SQUARE_BYTES * (CC_MATRIX_LANES / CC_SQUARE_LANES);
  const int64_t slices_made = cc_min(d->slices, cc_max(1, WEIGHT_BYTES / (step_bytes * d->taps)));
  const bool near = choose_blocks(conv, d, wanted, !conv->weight.kept && slices_made < d->slices, &d->blocks);
  d->blocks.channels = cc_min(shape->ic, CC_LINE_CHANNELS);
  cconv_halo_of(shape->axis, d->blocks.out, d->blocks.taps, CC_ALIGNMENT / es, &d->blocks.halo);
  d->blocks_an_image = d->blocks.count[0] * d->blocks.count[1] * d->blocks.count[2];
  const int64_t places = images * d->blocks_an_image;
  d->runs = places % threads && places < 8 * threads ? cc_min(threads, d->lane_blocks) : 1;
  d->units = places * d->runs;
  d->parts = cconv_operation_parts(threads, d->units, operations);
  const int64_t all_weights = cc_bf16x3_before(d->steps, shape->oc, shape->groups, 0);
  d->shared = !conv->weight.kept && near && all_weights <= d->parts * SHARED_BYTES &&
              cc_min(places / d->parts - 1, SHARED_WEIGHTS) * shape->oc * shape->reduction >= SHARED_WEIGHTS;
  const cc_halo *halo = &d->blocks.halo;
  d->planes = d->windows || (shape->taps == 1 && !cc_has_pixels(&conv->input, es));
  if (conv->weight.prepared)
    d->planes = ((const cc_matrix_heading *)(const void *)conv->weight.prepared)->planes;
  d->plane = d->planes ? (cc_ceil_div(halo->positions, CC_SQUARE_LANES) | 1) * CC_SQUARE_LANES : halo->channel;
  d->in_place = reads_in_place(conv) && d->planes == !cc_has_pixels(&conv->input, es);
  d->adjacent = cconv_matrix_is_adjacent(conv);

  const bool kept = conv->weight.kept || d->shared;
  d->slices_made = kept ? d->slices : slices_made;
  d->sum_positions =
      d->slices_made == d->slices ? SUM_POSITIONS : cc_ceil_div(halo->positions, SUM_POSITIONS) * SUM_POSITIONS;
  d->sum_pitch = d->planes ? d->sum_positions + SUM_SLACK : CC_MATRIX_LANES;
  const int64_t turned = cc_max(CC_TURN * CC_LINE_CHANNELS, CC_MATRIX_LANES * CC_TURN_PITCH) * es;
  const int64_t weight_rows = (d->windows ? d->terms : CC_LINE_CHANNELS * shape->taps) * CC_SQUARE_LANES * es;
  const int64_t weight_copy = conv->weight.in_place ? 0 : weight_rows;
  const int64_t packed = d->in_place ? 0 : cc_lines(d->blocks.channels * halo->channel * es);
  int64_t at = (d->slices * CC_PARTS * d->plane + CC_MATRIX_POSITIONS) * CC_LINE_BYTES;
  d->sums_at = at;
  at += cc_lines((d->sum_positions + SUM_SLACK) * CC_MATRIX_LANES * es);
  d->weights_at = at;
  at += kept ? 0 : d->slices_made * d->taps * step_bytes;
  d->turned_at = at;
  at += cc_lines(turned);
  d->halo_at = at;
  at += cc_max(packed, conv->weight.kept ? 0 : cc_lines(weight_rows) + cc_lines(weight_copy));
  d->thread_bytes = at;

  const cc_conv one = cconv_matrix_directly(conv, 0);
  cc_conv_work direct;
  cconv_conv_direct.prepare(&one, asked, &direct);
  d->offsets_at = cc_lines((shape->n + 1) * (int64_t)sizeof(uint32_t));
  d->windows_at = d->offsets_at + cc_lines(cc_max(d->steps, shape->taps) * (int64_t)sizeof(int32_t));
  d->shared_at = d->windows_at + (d->windows ? cc_lines(d->terms * (int64_t)sizeof(int32_t)) : 0);
  d->threads_at = d->shared_at + (d->shared ? all_weights : 0);
  work->parts = d->parts;
  work->workspace = cc_max(d->threads_at + d->parts * d->thread_bytes, d->offsets_at + direct.workspace);
  /* With the greatest magnitude in a line of its own, and what making them takes. */
  work->weights = CC_ALIGNMENT + all_weights + cc_lines(weight_rows) + cc_lines(weight_copy);
}

static void pack_weights(const cc_conv *conv, const cc_conv_work *work, char *weights) {
  const cc_bf16x3 *d = (const cc_bf16x3 *)(const void *)work->state;
  const int64_t oc = conv->shape.oc;
  cc_matrix_heading head = {.planes = d->planes};
  char *squares = weights + CC_ALIGNMENT, *rows = squares + cc_bf16x3_before(d->steps, oc, conv->shape.groups, 0);
  for (int64_t g = 0; g < conv->shape.groups; g++)
    for (int64_t b = 0; b < d->lane_blocks; b++)
      cconv_bf16x3_make_weights(conv, d, g, b, 0, d->slices, rows, squares + cc_bf16x3_before(d->steps, oc, g, b),
                                &head.greatest);
  memcpy(weights, &head, sizeof head);
}

/* The first phase of a run whose weights nobody keeps: those of one block of channels. */
static void make_unit(void *arg, int64_t unit, bool first, int64_t part) {
  const cc_bf16x3 *d = arg;
  const int64_t g = unit / d->lane_blocks, b = unit % d->lane_blocks;
  uint32_t greatest = 0;
  (void)first;
  cconv_bf16x3_make_weights(
      d->conv, d, g, b, 0, d->slices, d->workspace + d->threads_at + part * d->thread_bytes + d->halo_at,
      d->workspace + d->shared_at + cc_bf16x3_before(d->steps, d->conv->shape.oc, g, b), &greatest);
  cconv_matrix_raise(cc_matrix_greatest(d->workspace, d->conv->shape.n), greatest);
}

/* Sums of a block of channels at a block of outputs, and their way to the output. */
static void sum_block(const cc_bf16x3 *d, cc_matrix_target *to, int64_t g, int64_t b, int64_t positions, char *scratch,
                      uint32_t *greatest) {
  const cc_conv_shape *shape = &d->conv->shape;
  const char *kept = d->shared ? d->workspace + d->shared_at : d->conv->weight.prepared;
  char *made = scratch + d->weights_at;
  if (kept)
    kept += (d->shared ? 0 : CC_ALIGNMENT) + cc_bf16x3_before(d->steps, shape->oc, g, b);
  for (int64_t slice = 0, count; slice < d->slices; slice += count) {
    count = cc_min(d->slices_made, d->slices - slice);
    if (!kept)
      cconv_bf16x3_make_weights(d->conv, d, g, b, slice, slice + count, scratch + d->halo_at, made, greatest);
    cc_matrix_job job = {.steps = count * d->taps,
                         .off = (const int32_t *)(const void *)(d->workspace + d->offsets_at) + slice * d->taps,
                         .x_part = d->plane * CC_LINE_BYTES,
                         .w = kept ? kept : made,
                         .lanes = cc_bf16x3_lanes(shape->oc, b),
                         .pitch = d->sum_pitch,
                         .fresh = slice == 0};
    d->matrix->begin();
    for (to->at = 0; to->at < positions; to->at = to->end) {
      const int64_t held = to->at % d->sum_positions; /* before these */
      char *sums = scratch + d->sums_at + held * (d->planes ? 1 : CC_MATRIX_LANES) * d->conv->element;
      to->end = cc_min(positions, to->at + SUM_POSITIONS);
      job.x = scratch + to->at * CC_LINE_BYTES;
      job.positions = to->end - to->at;
      job.sums = (float *)(void *)sums;
      (d->planes ? d->matrix->planes : d->matrix->lines)(&job);
      if (slice + count == d->slices)
        cconv_matrix_store(to, sums, scratch + d->turned_at);
    }
    d->matrix->end();
  }
}

/* One run of channels at one block of outputs. */
static void run_unit(void *arg, int64_t unit, bool first_unit, int64_t part) {
  const cc_bf16x3 *d = arg;
  const cc_conv_shape *shape = &d->conv->shape;
  char *scratch = d->workspace + d->threads_at + part * d->thread_bytes;
  const int64_t run = unit % d->runs, place = unit / d->runs, image = place / d->blocks_an_image;
  const int64_t n = image / shape->groups, g = image % shape->groups;
  const cc_block block = cconv_block_of(&d->blocks, shape->axis, place % d->blocks_an_image);
  if (first_unit || run == 0) /* else the unit before left this block's in the scratch */
    cconv_matrix_raise(cc_matrix_greatest(d->workspace, n), cconv_bf16x3_pack(d, n, g, &block, scratch));
  const int64_t positions = cconv_block_positions(&d->blocks.halo, &block);
  const int64_t last = cc_part(d->lane_blocks, run + 1, d->runs);
  uint32_t greatest = 0;
  for (int64_t b = cc_part(d->lane_blocks, run, d->runs); b < last; b++) {
    const int64_t channel = b * CC_MATRIX_LANES;
    cc_matrix_target to = {.conv = d->conv,
                           .halo = &d->blocks.halo,
                           .block = &block,
                           .planes = d->planes,
                           .adjacent = d->adjacent,
                           .pitch = d->sum_pitch,
                           .n = n,
                           .channel = g * shape->oc + channel,
                           .rows = cc_min(CC_MATRIX_LANES, shape->oc - channel)};
    sum_block(d, &to, g, b, positions, scratch, &greatest);
  }
  cconv_matrix_raise(cc_matrix_greatest(d->workspace, shape->n), greatest);
}

static cconv_status run_directly(void *arg, int64_t n, cc_run *run) {
  const cc_bf16x3 *d = arg;
  const cc_conv one = cconv_matrix_directly(d->conv, n);
  cc_conv_work work = {.driver = &cconv_conv_direct}; /* which may put a way of its own there */
  cconv_conv_direct.prepare(&one, d->threads, &work);
  return work.driver->run(&one, &work, run, d->workspace + d->offsets_at);
}

/* Offsets of steps, and those of the values of a window. */
static void write_offsets(const cc_bf16x3 *d) {
  int32_t *steps = (int32_t *)(void *)(d->workspace + d->offsets_at);
  cc_blocks blocks = d->blocks;
  blocks.channels = d->windows ? d->conv->shape.ic : 1;
  steps[0] = 0;
  cconv_operation_offsets(&blocks, d->conv->shape.axis,
                          d->windows ? (int32_t *)(void *)(d->workspace + d->windows_at) : steps);
  for (int64_t s = d->taps; s < d->steps; s++)
    steps[s] = (int32_t)(steps[s - d->taps] + CC_PARTS * d->plane);
}

static cconv_status run(const cc_conv *conv, const cc_conv_work *work, cc_run *run, char *workspace) {
  cc_bf16x3 d = *(const cc_bf16x3 *)(const void *)work->state;
  d.conv = conv;
  d.workspace = workspace;
  d.threads = work->threads;
  write_offsets(&d);
  const cc_matrix_work units = {.conv = conv,
                                .arg = &d,
                                .workspace = workspace,
                                .make = d.shared ? make_unit : NULL,
                                .run = run_unit,
                                .making = conv->shape.groups * d.lane_blocks,
                                .units = d.units,
                                .parts = d.parts,
                                .otherwise = run_directly};
  return cconv_matrix_run(&units, run);
}

static void describe(const cc_conv_work *work, cconv_plan_info *info) {
  const cc_bf16x3 *d = (const cc_bf16x3 *)(const void *)work->state;
  cconv_operation_describe(&d->blocks, info);
  info->rows = CC_MATRIX_LANES;
}

const cc_conv_driver cconv_conv_bf16x3 = {
    .name = "bf16x3", .fits = fits, .prepare = prepare, .pack = pack_weights, .run = run, .describe = describe};
