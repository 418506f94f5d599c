/* SPDX-License-Identifier: BSD-3-Clause
 * conv_int8x3.c - the driver of convolution on a matrix unit: float32 in three digits of 8 bits.
 *
 * Law: a unit of work is one block of outputs of one image and group, and one run of its channels. All inputs that a
 * block looks at have one exponent, so where outputs are cut decides bits: by shapes alone, never by threads or caches.
 * Sums of digits are exact. An image whose channels differ so much that one of them could drown, or that the unit
 * cannot compute, is computed by bf16x3, as a whole. */
#include "ops/conv_int8x3.h"

#include <math.h>
#include <string.h>

#include "choose/algorithm.h"
#include "ops/conv_phases.h"

enum {
  BLOCK_OUTPUTS = 320, /* of a block, if an image has several: then threads share images */
  MOST_BLOCKS = 4,     /* that an image is cut to, if its lines need no more: edges are read twice */
  HALO_LINE = CC_DIGIT_CHANNELS * (int)sizeof(float), /* of a position of a slice, before it is lines */
  LINES_BYTES = 5 << 18,                              /* of a block's lines and the halos of a slice, */
  MOST_LINES = 5 << 20,                               /* or where a row does not fit there: see cconv_int8x3_serves */
  LEAST_POSITIONS = 96,                               /* of a block of LINES_BYTES */
  HALO_BYTES = 1 << 20, /* of all channels: more are read twice, for their magnitudes and for their digits */
  SUM_RECORDS = CC_MATRIX_LANES / CC_DIGIT_LANES,
  SUM_POSITIONS = 128,            /* whose sums are in the level 1 cache until they are stored, */
  SUM_PITCH = SUM_POSITIONS + 16, /* in other sets of it, and a vector that a store may read */
  LONG_ROW = 24,                  /* outputs of a row that are stored by themselves: shorter ones are joined */
  SHARED_BYTES = 4 << 20,         /* of weights for each thread that one phase makes for the next, */
  SHARED_WEIGHTS = 1 << 14,       /* of which each thread would else make so many more: a region takes as long */
  APART = 0x7fffffff /* the greatest magnitude, as bits, of an image that is too uneven: no number has it */
};

/* Of what products would be if all were of the greatest input and weight: below, errors that do not cancel are too
 * large. */
#define LEAST_SHARE (1.0 / 64)

static bool fits(const cc_conv *conv) {
  const cc_conv_shape shape = cc_given_shape(conv);
  return conv->matrix && cconv_choose_int8x3(conv->algorithm, conv->dtype, &shape);
}

/* By the shape of one image and the weight alone. */
static void choose_blocks(const cc_conv_shape *shape, const cc_int8x3 *d, cc_blocks *blocks) {
  const int64_t lines = d->slices * CC_DIGITS * CC_DIGIT_LINE;
  const int64_t wanted = cc_max(1, cc_min(MOST_BLOCKS, cc_outputs_of(shape) / BLOCK_OUTPUTS));
  cc_block_request request = {
      .axis = shape->axis,
      .channels = d->windows ? shape->ic * (int64_t)sizeof(float) : lines + HALO_LINE,
      .element = 1,
      .slab = d->windows ? lines : 0,
      .slab_always = true,
      .budget = LINES_BYTES,
      .lanes = LEAST_POSITIONS,
      .blocks = wanted == 3 ? 4 : wanted, /* two threads have those alike (measured: 0.92 of the time) */
  };
  cconv_choose_blocks(&request, blocks);
  if (blocks->chunks == 1)
    return;
  request.budget = MOST_LINES;
  request.lanes = 1;
  cconv_choose_blocks(&request, blocks);
}

/* Does one tap look at blocks of inputs whose positions lie in one row, all as far apart, and side by side or their
 * channels? */
static bool is_one_row(const cc_conv *conv, const cc_blocks *blocks, bool planes) {
  const cc_view *input = &conv->input;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    if (conv->given[a].kernel != 1 || conv->given[a].stride != 1 || conv->given[a].before != 0 ||
        conv->given[a].out != conv->given[a].in)
      return false;
  return cconv_matrix_reads(conv) && input->stride[planes ? CC_WIDTH : CC_CHANNEL] == conv->element &&
         cconv_conv_is_adjacent(conv->given, input) &&
         (blocks->count[2] == 1 ? blocks->count[1] == 1 || blocks->out[0] == 1 : blocks->out[0] * blocks->out[1] == 1);
}

static cc_conv otherwise(const cc_conv *conv, int64_t n) {
  cc_conv one = cconv_matrix_directly(conv, n);
  one.algorithm = CCONV_ALGORITHM_BF16X3;
  one.weight.kept = false; /* not so that it could be read */
  return one;
}

/* Bytes of scratch that an image takes then. */
static int64_t workspace_otherwise(const cc_conv *conv, int64_t threads) {
  if (conv->phases)
    return cconv_phases_pass_workspace(conv->phases, threads);
  const cc_conv one = otherwise(conv, 0);
  cc_conv_work work;
  cconv_conv_bf16x3.prepare(&one, threads, &work);
  return work.workspace;
}

static void prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work) {
  cc_int8x3 *d = (cc_int8x3 *)(void *)work->state;
  const cc_conv_shape given = cc_given_shape(conv), *shape = &given;
  const int64_t es = conv->element, images = shape->n * shape->groups, asked = threads;
  const double operations = cconv_conv_operations(conv);
  *d = (cc_int8x3){.matrix = conv->matrix, .windows = cconv_choose_windows(shape)};
  d->terms = d->windows ? shape->reduction : shape->ic;
  d->taps = d->windows ? 1 : shape->taps;
  d->slices = cc_ceil_div(d->terms, CC_DIGIT_CHANNELS);
  const int64_t row_taps = d->windows ? 1 : shape->axis[2].kernel;
  /* Taps side by side in a line, where the next position has the next tap. */
  const bool neighbours = row_taps > 1 && shape->axis[2].stride == 1 && shape->axis[2].dilation == 1;
  d->width = !neighbours || shape->ic > 32 ? 64 : shape->ic > 16 ? 32 : 16;
  d->rows = d->taps / row_taps;
  d->steps = d->slices * d->rows * cc_ceil_div(row_taps, CC_DIGIT_CHANNELS / d->width);
  /* Errors of products are those of the greatest there may be. As a rule K of them add up as the root of K does. */
  const double least_share = fmax(1 / (4 * sqrt((double)shape->reduction)), LEAST_SHARE);
  d->least_shares = (int32_t)((double)d->terms * 127 * 255 * least_share);
  d->records = cc_ceil_div(shape->oc, CC_DIGIT_LANES);
  d->together = conv->phases ? conv->phases->phases : 1;
  threads = cconv_operation_parts(threads, threads, operations);
  choose_blocks(shape, d, &d->blocks);
  d->blocks.channels = cc_min(shape->ic, CC_DIGIT_CHANNELS);
  cconv_halo_of(shape->axis, d->blocks.out, d->blocks.taps, CC_ALIGNMENT / es, &d->blocks.halo);
  const cc_halo *halo = &d->blocks.halo;
  d->plane = d->windows ? (cc_ceil_div(halo->positions, CC_DIGIT_LANES) | 1) * CC_DIGIT_LANES : halo->channel;
  d->blocks_an_image = d->blocks.count[0] * d->blocks.count[1] * d->blocks.count[2];
  const int64_t places = images * d->blocks_an_image;
  const int64_t groups = d->records / d->together;
  d->channels_first = cconv_matrix_shares_channels(conv, threads, groups);
  d->runs = d->channels_first || (places % threads && places < 8 * threads) ? cc_min(threads, groups) : 1;
  d->units = places * d->runs;
  d->parts = cconv_operation_parts(threads, d->units, operations);
  d->adjacent = cconv_matrix_is_adjacent(conv);
  d->planes = d->windows || (shape->taps == 1 && !conv->phases && !cc_has_pixels(&conv->input, es));
  if (conv->weight.prepared)
    d->planes = ((const cc_matrix_heading *)(const void *)conv->weight.prepared)->planes;
  d->in_place = is_one_row(conv, &d->blocks, d->planes);
  const bool pixels = cc_has_pixels(&conv->output, es) && (!conv->phases || conv->output.dtype == conv->dtype);
  d->turned = !d->planes && (conv->phases || d->blocks.out[2] >= LONG_ROW) && !pixels;
  d->record = cc_digit_shares_at(d) + (d->taps > 1 ? d->slices * d->width * CC_DIGIT_LANES : 0);
  const int64_t all_weights = shape->groups * d->records * d->record;
  d->shared = !conv->weight.kept && all_weights <= d->parts * SHARED_BYTES &&
              cc_min(places - 1, SHARED_WEIGHTS) * shape->oc * shape->reduction / d->parts >= SHARED_WEIGHTS;

  const bool kept = conv->weight.kept || d->shared;
  const int64_t weight_rows = cc_lines(d->slices * d->width * d->taps * CC_DIGIT_LANES * es) * d->together;
  const int64_t weight_copy =
      conv->weight.in_place || conv->phases ? 0 : cc_lines(shape->reduction * CC_DIGIT_LANES * es);
  const int64_t turned =
      cc_max((CC_TURN + CC_DIGIT_CHANNELS) * d->width, CC_MATRIX_LANES * cc_max(CC_TURN_PITCH, SUM_PITCH)) *
      (int64_t)sizeof(float);
  int64_t at = CC_ALIGNMENT;
  d->levels_at = at;
  at += d->slices * CC_DIGIT_CHANNELS;
  d->lines_at = at;
  at += cc_max((d->slices * CC_DIGITS * d->plane + CC_DIGIT_POSITIONS) * CC_DIGIT_LINE,
               (d->slices * CC_DIGIT_CHANNELS + halo->channel) * (int64_t)sizeof(uint32_t));
  d->sums_at = at;
  at += SUM_PITCH * CC_MATRIX_LANES * (int64_t)sizeof(float);
  d->weights_at = at;
  at += kept ? 0 : cc_max(d->together, SUM_RECORDS) * d->record;
  d->turned_at = at;
  at += turned;
  d->halo_at = at;
  const int64_t packed = d->in_place ? 0 : cc_lines(d->blocks.channels * halo->channel * es);
  d->packed_once = d->windows || packed <= HALO_BYTES / d->slices;
  at += cc_max(packed * (d->packed_once && !d->windows ? d->slices : 1),
               conv->weight.kept ? 0 : weight_rows + weight_copy);
  d->thread_bytes = at;

  const int64_t other = workspace_otherwise(conv, asked);
  d->offsets_at = cc_lines((shape->n + 1) * (int64_t)sizeof(uint32_t));
  d->steps_at = d->offsets_at + cc_lines((d->windows ? d->terms : d->taps) * (int64_t)sizeof(int32_t));
  d->shared_at = d->steps_at + cc_lines((d->steps + CC_DIGITS) * (int64_t)sizeof(int32_t));
  d->threads_at = d->shared_at + (d->shared ? all_weights : 0);
  work->parts = d->parts;
  work->workspace = cc_max(d->threads_at + d->parts * d->thread_bytes, d->offsets_at + other);
  /* With the greatest magnitude in a line of its own, and what making them takes. */
  work->weights = CC_ALIGNMENT + all_weights + weight_rows + weight_copy;
}

/* Make the records that are made together, from record r of a group on. */
static void make_weights(const cc_int8x3 *d, int64_t g, int64_t r, char *rows, char *records, uint32_t *greatest) {
  if (d->conv->phases)
    cconv_phases_digits_weights(d, g, r / d->together, rows, records, greatest);
  else
    cconv_int8x3_make_weights(d->conv, d, g, r, rows, records, greatest);
}

static void pack_weights(const cc_conv *conv, const cc_conv_work *work, char *weights) {
  cc_int8x3 d = *(const cc_int8x3 *)(const void *)work->state;
  const int64_t all = conv->shape.groups * d.records;
  cc_matrix_heading head = {.planes = d.planes};
  char *records = weights + CC_ALIGNMENT, *rows = records + all * d.record;
  d.conv = conv;
  for (int64_t r = 0; r < all; r += d.together)
    make_weights(&d, r / d.records, r % d.records, rows, records + r * d.record, &head.greatest);
  memcpy(weights, &head, sizeof head);
}

/* The first phase of a run whose weights nobody keeps: those that are made together. */
static void make_unit(void *arg, int64_t unit, bool first, int64_t part) {
  const cc_int8x3 *d = arg;
  const int64_t r = unit * d->together;
  uint32_t greatest = 0;
  (void)first;
  make_weights(d, r / d->records, r % d->records, d->workspace + d->threads_at + part * d->thread_bytes + d->halo_at,
               d->workspace + d->shared_at + r * d->record, &greatest);
  cconv_matrix_raise(cc_matrix_greatest(d->workspace, d->conv->shape.n), greatest);
}

/* So many records from record r of a group on: kept, or made now. */
static const char *weights_of(const cc_int8x3 *d, int64_t g, int64_t r, int64_t count, char *scratch) {
  const int64_t before = (g * d->records + r) * d->record, within = r % d->together;
  if (d->shared)
    return d->workspace + d->shared_at + before;
  if (d->conv->weight.prepared)
    return d->conv->weight.prepared + CC_ALIGNMENT + before;
  uint32_t greatest = 0;
  for (int64_t i = 0; within == 0 && i < count; i += d->together)
    make_weights(d, g, r + i, scratch + d->halo_at, scratch + d->weights_at + i * d->record, &greatest);
  cconv_matrix_raise(cc_matrix_greatest(d->workspace, d->conv->shape.n), greatest);
  return scratch + d->weights_at + within * d->record;
}

/* Do the lanes of so many records look at channels that count? */
static bool are_even(const cc_int8x3 *d, const char *records, int64_t count, const char *scratch) {
  cc_digit_shares_job job = {
      .levels = (const int8_t *)(scratch + d->levels_at), .channels = d->slices * d->width, .planes = d->planes};
  for (int64_t i = 0; i < count; i++) {
    job.squares = records + i * d->record;
    job.shares = d->taps > 1 ? records + i * d->record + cc_digit_shares_at(d) : NULL;
    if (d->matrix->digit_shares(&job) < d->least_shares)
      return false;
  }
  return true;
}

/* Sums of so many records at a block of outputs, and their way to the output. */
static void sum_block(const cc_int8x3 *d, cc_matrix_target *to, const char *records, int64_t count, int64_t positions,
                      char *scratch) {
  const cc_digit_block *head = (const cc_digit_block *)(const void *)scratch;
  const uint32_t scale = (uint32_t)(head->exponent - 6) << 23; /* 2^(e - 7), as that of a lane */
  float *sums = (float *)(void *)(scratch + d->sums_at);
  cc_digit_job job = {.steps = d->steps,
                      .off = (const int32_t *)(const void *)(d->workspace + d->steps_at),
                      .x_digit = d->plane * CC_DIGIT_LINE,
                      .pitch = to->pitch,
                      .planes = d->planes,
                      .turned = d->turned};
  memcpy(&job.scale, &scale, sizeof scale);
  d->matrix->begin();
  for (to->at = 0; to->at < positions; to->at = to->end) {
    to->end = cc_min(positions, to->at + SUM_POSITIONS);
    job.x = scratch + d->lines_at + to->at * CC_DIGIT_LINE;
    job.positions = to->end - to->at;
    for (int64_t i = 0; i < count; i++) {
      job.w = records + i * d->record;
      job.lane_scale = (const float *)(const void *)(records + i * d->record + cc_digit_scale_at(d));
      job.sums = sums + i * CC_DIGIT_LANES * (to->planes ? to->pitch : 1);
      d->matrix->digit_products(&job);
    }
    (d->conv->phases ? cconv_phases_digits_store : cconv_matrix_store)(to, (char *)sums, scratch + d->turned_at);
  }
  d->matrix->end();
}

/* One run of channels at one block of outputs. */
static void run_unit(void *arg, int64_t unit, bool first_unit, int64_t part) {
  const cc_int8x3 *d = arg;
  const cc_conv_shape *shape = &d->conv->shape;
  char *scratch = d->workspace + d->threads_at + part * d->thread_bytes;
  const cc_digit_block *head = (const cc_digit_block *)(const void *)scratch;
  const int64_t places = d->units / d->runs;
  const int64_t run = d->channels_first ? unit / places : unit % d->runs;
  const int64_t place = d->channels_first ? unit % places : unit / d->runs, image = place / d->blocks_an_image;
  const int64_t n = image / shape->groups, g = image % shape->groups;
  const cc_block block = cconv_block_of(&d->blocks, d->conv->given, place % d->blocks_an_image);
  if (first_unit || run == 0 || d->channels_first) { /* else the unit before left this block's in the scratch */
    cconv_int8x3_pack(d, n, g, &block, scratch);
    cconv_matrix_raise(cc_matrix_greatest(d->workspace, n), head->even ? head->greatest : APART);
  }
  const int64_t positions = cconv_block_positions(&d->blocks.halo, &block);
  const int64_t groups = d->records / d->together, last = cc_part(groups, run + 1, d->runs) * d->together;
  for (int64_t r = cc_part(groups, run, d->runs) * d->together, count; r < last; r += count) {
    const int64_t channel = r * CC_DIGIT_LANES;
    count = cc_min(SUM_RECORDS, last - r);
    const char *records = weights_of(d, g, r, count, scratch);
    if (atomic_load_explicit(cc_matrix_greatest(d->workspace, n), memory_order_relaxed) == APART)
      continue; /* its outputs are not these; but weights have to be seen */
    if (!are_even(d, records, count, scratch)) {
      cconv_matrix_raise(cc_matrix_greatest(d->workspace, n), APART);
      continue;
    }
    cc_matrix_target to = {.conv = d->conv,
                           .halo = &d->blocks.halo,
                           .block = &block,
                           .planes = d->planes || d->turned,
                           .adjacent = d->adjacent,
                           .pitch = d->planes || d->turned ? SUM_PITCH : CC_MATRIX_LANES,
                           .n = n,
                           .channel = g * shape->oc + channel,
                           .rows = cc_min(count * CC_DIGIT_LANES, shape->oc - channel)};
    sum_block(d, &to, records, count, positions, scratch);
  }
}

static cconv_status run_otherwise(void *arg, int64_t n, cc_run *run) {
  const cc_int8x3 *d = arg;
  if (d->conv->phases)
    return cconv_phases_run_pass(d->conv->phases, n, d->threads, run, d->workspace + d->offsets_at);
  const cc_conv one = otherwise(d->conv, n);
  cc_conv_work work = {.driver = &cconv_conv_bf16x3};
  cconv_conv_bf16x3.prepare(&one, d->threads, &work);
  return cconv_conv_bf16x3.run(&one, &work, run, d->workspace + d->offsets_at);
}

/* Offsets of taps, or of the values of windows, and of the first tap of each step; behind them where the next positions
 * begin. */
static void write_offsets(const cc_int8x3 *d) {
  const cc_axis *axis = d->conv->given;
  const int64_t row_taps = d->windows ? 1 : axis[2].kernel;
  int32_t *taps = (int32_t *)(void *)(d->workspace + d->offsets_at);
  int32_t *first = (int32_t *)(void *)(d->workspace + d->steps_at), *steps = first;
  cc_blocks blocks = d->blocks;
  blocks.channels = d->windows ? d->conv->shape.ic : 1;
  cconv_operation_offsets(&blocks, axis, taps);
  for (int64_t slice = 0; slice < d->slices; slice++)
    for (int64_t row = 0; row < d->rows; row++)
      for (int64_t k = 0; k < row_taps; k += CC_DIGIT_CHANNELS / d->width)
        *steps++ = (int32_t)(slice * CC_DIGITS * d->plane) + taps[row * row_taps + k];
  for (int64_t i = 0; i < CC_DIGITS; i++) /* of the next positions */
    *steps++ = first[cc_min(i, d->steps - 1)] + CC_DIGIT_POSITIONS;
}

static cconv_status run(const cc_conv *conv, const cc_conv_work *work, cc_run *run, char *workspace) {
  cc_int8x3 d = *(const cc_int8x3 *)(const void *)work->state;
  d.conv = conv;
  d.workspace = workspace;
  d.threads = work->threads;
  write_offsets(&d);
  const cc_matrix_work units = {.conv = conv,
                                .arg = &d,
                                .workspace = workspace,
                                .make = d.shared ? make_unit : NULL,
                                .run = run_unit,
                                .making = conv->shape.groups * d.records / d.together,
                                .units = d.units,
                                .parts = d.parts,
                                .otherwise = run_otherwise};
  return cconv_matrix_run(&units, run);
}

static void describe(const cc_conv_work *work, cconv_plan_info *info) {
  const cc_int8x3 *d = (const cc_int8x3 *)(const void *)work->state;
  cconv_operation_describe(&d->blocks, info);
  info->rows = CC_DIGIT_LANES;
}

extern const cc_conv_driver cconv_conv_int8x3; /* conv_driver.c declares it again, from drivers.inc */
const cc_conv_driver cconv_conv_int8x3 = {
    .name = "int8x3", .fits = fits, .prepare = prepare, .pack = pack_weights, .run = run, .describe = describe};
