/* SPDX-License-Identifier: BSD-3-Clause
 * conv_bf16x3.c - the driver of convolution on a matrix unit: float32 in three parts of bfloat16.
 *
 * Law: a unit of work is one block of outputs of one image and group, and one run of its channels. The halo of a block
 * is packed once and split into parts: turned to lines, one of the channels of each position, where a kernel has several
 * taps, for a tap further on is then so many lines further on; or as planes, where it has one and positions lie side by
 * side. Every output is the same sum in the same order, either way and whatever is cut.
 *
 * The unit flushes what is subnormal, and a part of infinity is NaN. So the greatest magnitude of each image and of the
 * weights is noted, and images where either could matter are computed directly, as a whole, once all are done. */
#include <stdatomic.h>
#include <string.h>

#include "base/checked.h"
#include "base/layout.h"
#include "choose/algorithm.h"
#include "ops/conv_driver.h"

enum {
  LEAST_POSITIONS = 96,           /* of a block, if there are so many: weights are read for each */
  SUM_POSITIONS = 128,            /* whose sums are in the level 1 cache until they are stored */
  SUM_PITCH = SUM_POSITIONS + 16, /* of planes: other sets, and a vector that a store may read */
  MOST_BYTES = 5 << 20,           /* of a block's lines: where those of few positions do not fit the cache */
  SHARED_BYTES = 3 << 20,         /* of weights for each thread that one phase makes for the next, */
  SHARED_WEIGHTS = 1 << 14,       /* of which each thread would else make so many again: a region takes as long */
  TURN = 64,                      /* positions, or outputs, that are turned at once: both copies stay near */
  TURN_PITCH = TURN + 16,         /* and a vector that a store may read */
  /* Exponents of float32: images and weights whose greatest lies between keep all digits, and no sum overflows. */
  LEAST_EXPONENT = 127 - 90,
  MOST_EXPONENT = 127 + 60,
  LEAST_EXPONENTS = 2 * 127 - 80, /* of the greatest product, by far above what is flushed */
  MANTISSA_BITS = 23
};

/* What prepare() works out; a run adds the convolution and the workspace. */
typedef struct bf16x3 {
  const cc_conv *conv;
  const cc_matrix_kernels *matrix;
  cc_blocks blocks; /* of 32 channels */
  int64_t slices, steps;
  int64_t plane; /* lines of one part of 32 channels */
  int64_t lane_blocks, blocks_an_image, runs, units, parts;
  bool planes;                                             /* else lines */
  bool shared;                                             /* a phase of its own makes all weights, once */
  bool in_place;                                           /* they are made of the input itself */
  bool adjacent;                                           /* rows of outputs follow each other */
  int64_t offsets_at, shared_at, threads_at, thread_bytes; /* behind the greatest magnitudes */
  int64_t sums_at, weights_at, turned_at, halo_at;         /* a thread's scratch; lines are first */
  char *workspace;
} bf16x3;

_Static_assert(sizeof(bf16x3) <= CC_WORK_STATE, "a driver's struct must fit");

static bool fits(const cc_conv *conv) {
  return conv->matrix && cconv_choose_bf16x3(conv->algorithm, conv->dtype, &conv->shape);
}

static int64_t lanes_of(int64_t oc, int64_t lane_block) {
  return oc - lane_block * CC_MATRIX_LANES > CC_SQUARE_LANES ? CC_MATRIX_LANES : CC_SQUARE_LANES;
}

/* Weights of one block of channels begin so many bytes behind those of the first; only the last may be narrower. */
static int64_t weights_before(int64_t steps, int64_t oc, int64_t g, int64_t lane_block) {
  const int64_t squares = g * cc_ceil_div(oc, CC_SQUARE_LANES) + lane_block * (CC_MATRIX_LANES / CC_SQUARE_LANES);
  return squares * steps * CC_PARTS * CC_SQUARE_BYTES;
}

/* Are windows the pixels themselves, in one row? */
static bool reads_in_place(const cc_conv *conv) {
  const cc_conv_shape *shape = &conv->shape;
  return shape->taps == 1 && shape->axis[0].out == 1 && shape->axis[1].out == 1 && shape->axis[2].stride == 1 &&
         cconv_conv_stays_inside(conv) && shape->axis[0].before == 0 && shape->axis[1].before == 0 &&
         shape->axis[2].before == 0 && conv->input.dtype == conv->dtype &&
         (conv->input.stride[CC_WIDTH] == conv->element || conv->input.stride[CC_CHANNEL] == conv->element);
}

static bool has_pixels(const cc_view *view, int64_t element) {
  return view->shape[CC_CHANNEL] > 1 && view->stride[CC_CHANNEL] == element;
}

/* What begins prepared weights. */
typedef struct heading {
  uint32_t greatest;
  bool planes;
} heading;

_Static_assert(sizeof(heading) <= CC_ALIGNMENT, "it has a line");

/* Cut outputs into blocks: their lines in the cache, with as many positions as that holds, and enough for the threads. */
static void choose_blocks(const cc_conv *conv, int64_t wanted, cc_blocks *blocks) {
  const cc_conv_shape *shape = &conv->shape;
  cc_block_request request = {.axis = shape->axis,
                              .channels = cc_ceil_div(shape->ic, CC_LINE_CHANNELS) * CC_LINE_CHANNELS,
                              .element = CC_PARTS * 2,
                              .budget = cconv_cache_l2() / 8 * 3,
                              .lanes = LEAST_POSITIONS,
                              .slack = 0,
                              .slab = CC_MATRIX_LANES * conv->element,
                              .slab_always = true,
                              .blocks = wanted};
  cconv_choose_blocks(&request, blocks);
  if (blocks->chunks > 1) {
    request.budget = MOST_BYTES;
    cconv_choose_blocks(&request, blocks);
  }
}

static void prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work) {
  bf16x3 *d = (bf16x3 *)(void *)work->state;
  const cc_conv_shape *shape = &conv->shape;
  const int64_t es = conv->element, images = shape->n * shape->groups, asked = threads;
  const double operations = cconv_conv_operations(conv);
  *d = (bf16x3){.matrix = conv->matrix, .slices = cc_ceil_div(shape->ic, CC_LINE_CHANNELS)};
  d->steps = d->slices * shape->taps;
  d->lane_blocks = cc_ceil_div(shape->oc, CC_MATRIX_LANES);
  threads = cconv_operation_parts(threads, threads, operations);
  choose_blocks(conv, threads == 1 ? 1 : cc_ceil_div(threads, cc_max(1, images)), &d->blocks);
  d->blocks.channels = cc_min(shape->ic, CC_LINE_CHANNELS);
  cconv_halo_of(shape->axis, d->blocks.out, d->blocks.taps, CC_ALIGNMENT / es, &d->blocks.halo);
  d->blocks_an_image = d->blocks.count[0] * d->blocks.count[1] * d->blocks.count[2];
  const int64_t places = images * d->blocks_an_image;
  d->runs = places % threads && places < 8 * threads ? cc_min(threads, d->lane_blocks) : 1;
  d->units = places * d->runs;
  d->parts = cconv_operation_parts(threads, d->units, operations);
  const int64_t all_weights = weights_before(d->steps, shape->oc, shape->groups, 0);
  d->shared = !conv->weight.kept && all_weights <= d->parts * SHARED_BYTES &&
              (places / d->parts - 1) * shape->oc * shape->reduction >= SHARED_WEIGHTS;
  const cc_halo *halo = &d->blocks.halo;
  d->planes = shape->taps == 1 && !has_pixels(&conv->input, es);
  if (conv->weight.prepared)
    d->planes = ((const heading *)(const void *)conv->weight.prepared)->planes;
  d->plane = d->planes ? (cc_ceil_div(halo->positions, CC_SQUARE_LANES) | 1) * CC_SQUARE_LANES : halo->channel;
  d->in_place = reads_in_place(conv) && d->planes == !has_pixels(&conv->input, es);
  d->adjacent = cconv_conv_is_adjacent(shape->axis, &conv->output) &&
                (!conv->residual.data || cconv_conv_is_adjacent(shape->axis, &conv->residual));

  const int64_t step_bytes = CC_PARTS * CC_SQUARE_BYTES * (CC_MATRIX_LANES / CC_SQUARE_LANES);
  const int64_t turned = cc_max(TURN * CC_LINE_CHANNELS, CC_MATRIX_LANES * TURN_PITCH) * es;
  const int64_t weight_rows = CC_LINE_CHANNELS * shape->taps * CC_SQUARE_LANES * es;
  const int64_t weight_copy = conv->weight.in_place ? 0 : weight_rows;
  const int64_t packed = d->in_place ? 0 : cc_lines(d->blocks.channels * halo->channel * es);
  int64_t at = (d->slices * CC_PARTS * d->plane + CC_MATRIX_POSITIONS) * CC_LINE_BYTES;
  d->sums_at = at;
  at += cc_lines(SUM_PITCH * CC_MATRIX_LANES * es);
  d->weights_at = at;
  at += conv->weight.kept || d->shared ? 0 : d->steps * step_bytes;
  d->turned_at = at;
  at += cc_lines(turned);
  d->halo_at = at;
  at += cc_max(packed, conv->weight.kept ? 0 : cc_lines(weight_rows) + cc_lines(weight_copy));
  d->thread_bytes = at;

  cc_conv one = *conv;
  cc_conv_work direct;
  one.shape.n = 1;
  cconv_conv_direct.prepare(&one, asked, &direct);
  d->offsets_at = cc_lines((shape->n + 1) * (int64_t)sizeof(uint32_t));
  d->shared_at = d->offsets_at + cc_lines(cc_max(d->steps, shape->taps) * (int64_t)sizeof(int32_t));
  d->threads_at = d->shared_at + (d->shared ? all_weights : 0);
  work->parts = d->parts;
  work->workspace = cc_max(d->threads_at + d->parts * d->thread_bytes, d->offsets_at + direct.workspace);
  /* With the greatest magnitude in a line of its own, and what making them takes. */
  work->weights = CC_ALIGNMENT + all_weights + cc_lines(weight_rows) + cc_lines(weight_copy);
}

/* The rows of `lanes` output channels of a slice. */
static cc_rows rows_of(const cc_conv *conv, int64_t g, int64_t oc, int64_t lanes, int64_t slice, cc_chunk *chunk,
                       char *copy) {
  *chunk = (cc_chunk){.channel = slice * CC_LINE_CHANNELS};
  chunk->channels = cc_min(CC_LINE_CHANNELS, conv->shape.ic - chunk->channel);
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    chunk->taps[a] = conv->shape.axis[a].kernel;
  chunk->terms = chunk->channels * conv->shape.taps;
  return cconv_conv_weights(conv, g, oc, lanes, chunk, copy);
}

/* The weights of one square and slice for planes. Lanes without a channel are 0. */
static void make_plane_weights(const cc_conv *conv, const cc_matrix_kernels *matrix, int64_t g, int64_t oc,
                               int64_t slice, char *copy, cc_split_job *job) {
  const int64_t lanes = cc_min(CC_SQUARE_LANES, conv->shape.oc - oc);
  char *square = job->y;
  cc_chunk chunk;
  const cc_rows w = rows_of(conv, g, oc, lanes, slice, &chunk, copy);
  job->low = (const float *)(const void *)w.data;
  job->high = chunk.channels > CC_SQUARE_LANES ? job->low + CC_SQUARE_LANES : job->low;
  job->low_lanes = (int32_t)cc_min(CC_SQUARE_LANES, chunk.channels);
  job->high_lanes = (int32_t)chunk.channels - job->low_lanes;
  job->step = w.pitch;
  job->n = lanes;
  matrix->split(job);
  job->low_lanes = job->high_lanes = 0;
  job->step = 0;
  job->n = CC_SQUARE_LANES - lanes;
  job->y = square + lanes * CC_LINE_BYTES;
  matrix->split(job);
}

/* Those of every tap for lines, each tap's `tap_bytes` behind the last. `rows` is scratch. */
static void make_line_weights(const cc_conv *conv, const cc_matrix_kernels *matrix, int64_t g, int64_t oc,
                              int64_t slice, int64_t tap_bytes, char *rows, cc_split_job *job) {
  const int64_t es = conv->element, taps = conv->shape.taps, lanes = cc_min(CC_SQUARE_LANES, conv->shape.oc - oc);
  const int64_t bytes = CC_LINE_CHANNELS * taps * CC_SQUARE_LANES * es;
  char *square = job->y;
  cc_chunk chunk;
  const cc_rows w = rows_of(conv, g, oc, lanes, slice, &chunk, rows + cc_lines(bytes));
  if (lanes < CC_SQUARE_LANES || chunk.channels < CC_LINE_CHANNELS)
    memset(rows, 0, (size_t)bytes);
  conv->kernels->transpose(&(cc_transpose_job){.source = w.data,
                                               .stride = w.pitch * es,
                                               .rows = lanes,
                                               .n = chunk.terms,
                                               .target = rows,
                                               .ldt = CC_SQUARE_LANES});
  job->low_lanes = job->high_lanes = CC_SQUARE_LANES;
  job->step = taps * CC_SQUARE_LANES;
  job->n = CC_SQUARE_LANES;
  for (int64_t t = 0; t < taps; t++) {
    job->low = (const float *)(const void *)rows + t * CC_SQUARE_LANES;
    job->high = job->low + CC_SQUARE_LANES * job->step;
    job->y = square + t * tap_bytes;
    matrix->split(job);
  }
}

/* The weights of slices [from, end) of one block of channels. `rows` is scratch. */
static void make_weights(const cc_conv *conv, const bf16x3 *d, int64_t g, int64_t lane_block, int64_t from, int64_t end,
                         char *rows, char *weights, uint32_t *greatest) {
  const int64_t taps = conv->shape.taps, squares = lanes_of(conv->shape.oc, lane_block) / CC_SQUARE_LANES;
  cc_split_job job = {.y_step = CC_LINE_BYTES, .y_part = squares * CC_SQUARE_BYTES, .greatest = *greatest};
  const int64_t tap_bytes = CC_PARTS * job.y_part;
  for (int64_t slice = from; slice < end; slice++, weights += taps * tap_bytes)
    for (int64_t i = 0; i < squares; i++) {
      const int64_t oc = lane_block * CC_MATRIX_LANES + i * CC_SQUARE_LANES;
      job.y = weights + i * CC_SQUARE_BYTES;
      if (d->planes)
        make_plane_weights(conv, d->matrix, g, oc, slice, rows, &job);
      else
        make_line_weights(conv, d->matrix, g, oc, slice, tap_bytes, rows, &job);
    }
  *greatest = job.greatest;
}

static void pack_weights(const cc_conv *conv, const cc_conv_work *work, char *weights) {
  const bf16x3 *d = (const bf16x3 *)(const void *)work->state;
  const int64_t oc = conv->shape.oc;
  heading head = {.planes = d->planes};
  char *squares = weights + CC_ALIGNMENT, *rows = squares + weights_before(d->steps, oc, conv->shape.groups, 0);
  for (int64_t g = 0; g < conv->shape.groups; g++)
    for (int64_t b = 0; b < d->lane_blocks; b++)
      make_weights(conv, d, g, b, 0, d->slices, rows, squares + weights_before(d->steps, oc, g, b), &head.greatest);
  memcpy(weights, &head, sizeof head);
}

static void raise_to(_Atomic uint32_t *greatest, uint32_t value) {
  uint32_t old = atomic_load_explicit(greatest, memory_order_relaxed);
  while (old < value &&
         !atomic_compare_exchange_weak_explicit(greatest, &old, value, memory_order_relaxed, memory_order_relaxed))
    ;
}

/* Images' greatest magnitudes, and behind them that of the weights. */
static _Atomic uint32_t *greatest_of(const bf16x3 *d, int64_t n) {
  return (_Atomic uint32_t *)(void *)d->workspace + n;
}

/* The first phase of a run whose weights nobody keeps: those of one block of channels. */
static void make_unit(void *arg, int64_t unit, bool first, int64_t part) {
  const bf16x3 *d = arg;
  const int64_t g = unit / d->lane_blocks, b = unit % d->lane_blocks;
  uint32_t greatest = 0;
  (void)first;
  make_weights(d->conv, d, g, b, 0, d->slices, d->workspace + d->threads_at + part * d->thread_bytes + d->halo_at,
               d->workspace + d->shared_at + weights_before(d->steps, d->conv->shape.oc, g, b), &greatest);
  raise_to(greatest_of(d, d->conv->shape.n), greatest);
}

/* The lines of one slice: `n` positions of planes of channels, `stride` bytes apart, are turned first. */
static void turn_lines(const bf16x3 *d, const char *rows, int64_t stride, int64_t channels, int64_t n, char *scratch,
                       cc_split_job *job) {
  float *turned = (float *)(void *)(scratch + d->turned_at);
  char *lines = job->y;
  job->low = turned;
  job->high = turned + CC_SQUARE_LANES;
  job->step = CC_LINE_CHANNELS;
  for (int64_t p = 0; p < n; p += TURN) {
    job->n = cc_min(TURN, n - p);
    d->conv->kernels->transpose(&(cc_transpose_job){.source = rows + p * d->conv->element,
                                                    .stride = stride,
                                                    .rows = channels,
                                                    .n = job->n,
                                                    .target = turned,
                                                    .ldt = CC_LINE_CHANNELS});
    job->y = lines + p * CC_LINE_BYTES;
    d->matrix->split(job);
  }
}

/* Lines or planes of a block of image n and group g. */
static void pack(const bf16x3 *d, int64_t n, int64_t g, const cc_block *block, char *scratch) {
  const cc_conv *conv = d->conv;
  const cc_view *input = &conv->input;
  const cc_halo *halo = &d->blocks.halo;
  const int64_t packed = halo->axis[0].phases * halo->axis[1].phases * halo->axis[2].phases * halo->phase;
  const int64_t positions = cconv_block_positions(halo, block);
  cc_split_job job = {.y_part = d->plane * CC_LINE_BYTES};
  for (int64_t slice = 0; slice < d->slices; slice++) {
    cc_chunk chunk = {.channel = slice * CC_LINE_CHANNELS};
    chunk.channels = cc_min(CC_LINE_CHANNELS, conv->shape.ic - chunk.channel);
    const int64_t channel = g * conv->shape.ic + chunk.channel;
    const char *rows = input->data + n * input->stride[CC_BATCH] + channel * input->stride[CC_CHANNEL];
    int64_t stride = chunk.channels > 1 ? input->stride[CC_CHANNEL] : 0;
    job.low_lanes = (int32_t)cc_min(CC_SQUARE_LANES, chunk.channels);
    job.high_lanes = (int32_t)chunk.channels - job.low_lanes;
    job.y_step = CC_LINE_BYTES;
    job.y = scratch + slice * CC_PARTS * job.y_part;
    if (d->in_place) {
      rows += block->from[2] > 0 ? block->from[2] * input->stride[CC_WIDTH] : 0;
    } else {
      cconv_operation_pack(conv->kernels, &d->blocks, conv->shape.axis, input, n, channel, block, &chunk,
                           conv->padding_value, scratch + d->halo_at);
      rows = scratch + d->halo_at;
      stride = halo->channel * conv->element;
    }
    if (d->planes) {
      cc_squares_job squares = {.x = (const float *)(const void *)rows,
                                .stride = stride / conv->element,
                                .channels = chunk.channels,
                                .n = positions,
                                .y = job.y,
                                .y_part = job.y_part,
                                .greatest = job.greatest};
      d->matrix->squares(&squares);
      job.greatest = squares.greatest;
    } else if (d->in_place) {
      job.low = (const float *)(const void *)rows;
      job.high = job.high_lanes ? job.low + CC_SQUARE_LANES : job.low;
      job.step = input->stride[CC_WIDTH] / conv->element;
      job.n = positions;
      d->matrix->split(&job);
    } else {
      turn_lines(d, rows, stride, chunk.channels, packed, scratch, &job);
    }
  }
  raise_to(greatest_of(d, n), job.greatest);
}

/* Where sums go: from positions [at, end) of a block, for `rows` channels from `channel` on. */
typedef struct target {
  const cc_block *block;
  int64_t n, channel, rows;
  int64_t at, end;
} target;

/* Store `count` outputs of a row, from a segment on, of each channel. */
static void store_planes(const bf16x3 *d, const target *to, const cc_segment *s, int64_t count, char *sums,
                         int64_t pitch) {
  const cc_conv *conv = d->conv;
  const cc_view *residual = &conv->residual;
  cconv_conv_store(
      conv, &(cc_conv_rows){.slab = sums,
                            .lds = pitch,
                            .rows = to->rows,
                            .n = count,
                            .bias = conv->bias ? conv->bias + to->channel * conv->element : NULL,
                            .bias_step = 1,
                            .y = cconv_segment_at(&conv->output, to->n, to->channel, s),
                            .y_stride = conv->output.stride[CC_CHANNEL],
                            .residual = residual->data ? cconv_segment_at(residual, to->n, to->channel, s) : NULL,
                            .residual_stride = residual->stride[CC_CHANNEL]});
}

/* Store all channels of a segment's outputs. */
static void store_pixels(const bf16x3 *d, const target *to, const cc_segment *s, char *sums) {
  const cc_conv *conv = d->conv;
  const cc_view *residual = &conv->residual;
  cconv_conv_store(
      conv, &(cc_conv_rows){.channels = true,
                            .slab = sums,
                            .lds = CC_MATRIX_LANES,
                            .rows = s->n,
                            .n = to->rows,
                            .bias = conv->bias ? conv->bias + to->channel * conv->element : NULL,
                            .y = cconv_segment_at(&conv->output, to->n, to->channel, s),
                            .y_stride = conv->output.stride[CC_WIDTH],
                            .residual = residual->data ? cconv_segment_at(residual, to->n, to->channel, s) : NULL,
                            .residual_stride = residual->stride[CC_WIDTH]});
}

/* Store sums of lines: turned, but where outputs are pixels. */
static void store_lines(const bf16x3 *d, const target *to, char *sums, char *turned) {
  const cc_conv *conv = d->conv;
  const int64_t es = conv->element;
  const bool pixels = has_pixels(&conv->output, es) && conv->output.dtype == conv->dtype;
  cc_segment s = {.position = to->at}, first = s;
  int64_t held = 0; /* outputs in `turned` */
  while (cconv_next_segment(&d->blocks.halo, to->block, to->end, &s)) {
    char *row = sums + (s.position - to->at) * CC_MATRIX_LANES * es;
    if (pixels) {
      store_pixels(d, to, &s, row);
      continue;
    }
    for (int64_t i = 0, size; i < s.n; i += size, row += size * CC_MATRIX_LANES * es) {
      if (held == TURN || (held > 0 && !d->adjacent && i == 0)) {
        store_planes(d, to, &first, held, turned, TURN_PITCH);
        held = 0;
      }
      if (held == 0) {
        first = s;
        first.ow += i;
      }
      size = cc_min(s.n - i, TURN - held);
      conv->kernels->transpose(&(cc_transpose_job){.source = row,
                                                   .stride = CC_MATRIX_LANES * es,
                                                   .rows = size,
                                                   .n = to->rows,
                                                   .target = turned + held * es,
                                                   .ldt = TURN_PITCH});
      held += size;
    }
  }
  if (held > 0)
    store_planes(d, to, &first, held, turned, TURN_PITCH);
}

static void store(const bf16x3 *d, const target *to, char *scratch) {
  char *sums = scratch + d->sums_at;
  if (!d->planes) {
    store_lines(d, to, sums, scratch + d->turned_at);
    return;
  }
  cc_segment s = {.position = to->at};
  while (cconv_next_segment(&d->blocks.halo, to->block, to->end, &s))
    store_planes(d, to, &s, s.n, sums + (s.position - to->at) * d->conv->element, SUM_PITCH);
}

/* One run of channels at one block of outputs. */
static void run_unit(void *arg, int64_t unit, bool first_unit, int64_t part) {
  const bf16x3 *d = arg;
  const cc_conv *conv = d->conv;
  const cc_conv_shape *shape = &conv->shape;
  char *scratch = d->workspace + d->threads_at + part * d->thread_bytes;
  const int64_t run = unit % d->runs, place = unit / d->runs, image = place / d->blocks_an_image;
  const int64_t n = image / shape->groups, g = image % shape->groups;
  const cc_block block = cconv_block_of(&d->blocks, shape->axis, place % d->blocks_an_image);
  if (first_unit || run == 0) /* else the unit before left this block's in the scratch */
    pack(d, n, g, &block, scratch);
  const int64_t positions = cconv_block_positions(&d->blocks.halo, &block);
  const int64_t last = cc_part(d->lane_blocks, run + 1, d->runs);
  uint32_t greatest = 0;
  for (int64_t b = cc_part(d->lane_blocks, run, d->runs); b < last; b++) {
    const int64_t channel = b * CC_MATRIX_LANES;
    target to = {.block = &block,
                 .n = n,
                 .channel = g * shape->oc + channel,
                 .rows = cc_min(CC_MATRIX_LANES, shape->oc - channel)};
    const char *weights = scratch + d->weights_at;
    if (conv->weight.prepared || d->shared)
      weights = (d->shared ? d->workspace + d->shared_at : conv->weight.prepared + CC_ALIGNMENT) +
                weights_before(d->steps, shape->oc, g, b);
    else
      make_weights(conv, d, g, b, 0, d->slices, scratch + d->halo_at, scratch + d->weights_at, &greatest);
    d->matrix->begin();
    for (; to.at < positions; to.at += SUM_POSITIONS) {
      to.end = cc_min(positions, to.at + SUM_POSITIONS);
      const cc_matrix_job job = {.steps = d->steps,
                                 .x = scratch + to.at * CC_LINE_BYTES,
                                 .off = (const int32_t *)(const void *)(d->workspace + d->offsets_at),
                                 .x_part = d->plane * CC_LINE_BYTES,
                                 .positions = to.end - to.at,
                                 .w = weights,
                                 .lanes = lanes_of(shape->oc, b),
                                 .sums = (float *)(void *)(scratch + d->sums_at),
                                 .pitch = d->planes ? SUM_PITCH : CC_MATRIX_LANES};
      (d->planes ? d->matrix->planes : d->matrix->lines)(&job);
      store(d, &to, scratch);
    }
    d->matrix->end();
  }
  raise_to(greatest_of(d, shape->n), greatest);
}

/* Is nothing flushed that counts, and all finite? */
static bool is_ordinary(uint32_t image, uint32_t weights) {
  const uint32_t x = image >> MANTISSA_BITS, w = weights >> MANTISSA_BITS;
  if (x > MOST_EXPONENT || w > MOST_EXPONENT)
    return false;
  return image == 0 || weights == 0 || (x >= LEAST_EXPONENT && w >= LEAST_EXPONENT && x + w >= LEAST_EXPONENTS);
}

/* Compute image n by direct sums. */
static cconv_status run_directly(const bf16x3 *d, int64_t n, int64_t threads, cc_run *run) {
  cc_conv one = *d->conv;
  cc_conv_work work;
  one.shape.n = 1;
  one.algorithm = CCONV_ALGORITHM_DIRECT;
  one.weight.prepared = NULL;
  one.input.data += n * one.input.stride[CC_BATCH];
  one.output.data += n * one.output.stride[CC_BATCH];
  if (one.residual.data)
    one.residual.data += n * one.residual.stride[CC_BATCH];
  work.driver = &cconv_conv_direct;
  cconv_conv_direct.prepare(&one, threads, &work);
  return work.driver->run(&one, &work, run, d->workspace + d->offsets_at);
}

static cconv_status run(const cc_conv *conv, const cc_conv_work *work, cc_run *run, char *workspace) {
  bf16x3 d = *(const bf16x3 *)(const void *)work->state;
  const int64_t images = conv->shape.n, taps = conv->shape.taps;
  int32_t *offsets = (int32_t *)(void *)(workspace + d.offsets_at);
  d.conv = conv;
  d.workspace = workspace;
  cc_blocks one_channel = d.blocks;
  one_channel.channels = 1;
  cconv_operation_offsets(&one_channel, conv->shape.axis, offsets);
  for (int64_t s = taps; s < d.steps; s++)
    offsets[s] = (int32_t)(offsets[s - taps] + CC_PARTS * d.plane);
  for (int64_t n = 0; n <= images; n++)
    atomic_init(greatest_of(&d, n), 0);
  if (conv->weight.prepared)
    memcpy(workspace + images * (int64_t)sizeof(uint32_t), conv->weight.prepared, sizeof(uint32_t));
  cconv_status status = CCONV_OK;
  const int64_t lane_blocks = conv->shape.groups * d.lane_blocks;
  if (d.shared)
    status = cconv_parallel(run, make_unit, &d, lane_blocks, cc_min(d.parts, lane_blocks));
  status = status ? status : cconv_parallel(run, run_unit, &d, d.units, d.parts);
  const uint32_t weights = atomic_load(greatest_of(&d, images));
  for (int64_t n = 0; n < images && !status; n++)
    if (!is_ordinary(atomic_load(greatest_of(&d, n)), weights))
      status = run_directly(&d, n, work->threads, run);
  return status;
}

static void describe(const cc_conv_work *work, cconv_plan_info *info) {
  const bf16x3 *d = (const bf16x3 *)(const void *)work->state;
  cconv_operation_describe(&d->blocks, info);
  info->rows = CC_MATRIX_LANES;
}

extern const cc_conv_driver cconv_conv_bf16x3; /* conv_driver.c declares it again, from drivers.inc */
const cc_conv_driver cconv_conv_bf16x3 = {
    .name = "bf16x3", .fits = fits, .prepare = prepare, .pack = pack_weights, .run = run, .describe = describe};
