/* SPDX-License-Identifier: BSD-3-Clause
 * conv_phases_matrix.c - products of a transposed convolution on a matrix unit: the steps that conv_phases_channels.c
 * takes otherwise.
 *
 * Law: as in conv_bf16x3.c, of which every phase is a convolution: a step is 32 channels of a tap of a phase, and steps of
 * a sum are in the order channels, then taps. */
#include "base/checked.h"
#include "choose/algorithm.h"
#include "ops/conv_matrix.h"
#include "ops/conv_phases.h"

/* The ordinary convolution whose kernel is the window. */
static cc_conv_shape window_shape(const cc_phases *p) {
  cc_conv_shape shape = p->conv->shape;
  shape.taps = 1;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    shape.axis[a] = p->axis[a];
    shape.taps *= p->axis[a].kernel;
  }
  shape.reduction = shape.ic * shape.taps;
  return shape;
}

bool cconv_phases_matrix_pays(const cc_phases *p) {
  const cc_conv *conv = p->conv;
  const cc_conv_shape shape = window_shape(p);
  return conv->matrix && conv->algorithm == CCONV_ALGORITHM_AUTO &&
         cconv_choose_bf16x3_phases(conv->dtype, &shape, p->phases, p->taps);
}

/* Of the squares of a piece. */
static int64_t squares_bytes(const cc_phases *p) {
  return p->piece / CC_LINE_CHANNELS * p->taps * (p->width / CC_SQUARE_LANES) * CC_PARTS * CC_SQUARE_BYTES;
}

int64_t cconv_phases_matrix_fixed(const cc_phases *p) {
  const int64_t sums = CC_MATRIX_POSITIONS * p->phases * p->width * p->conv->element; /* rounded up to */
  return squares_bytes(p) + CC_TURN * CC_LINE_CHANNELS * p->conv->element + sums +
         CC_MATRIX_POSITIONS * (int64_t)CC_LINE_BYTES;
}

int64_t cconv_phases_matrix_lay_out(cc_phases *p) {
  const cc_halo *halo = &p->blocks.halo;
  const int64_t es = p->conv->element;
  p->slices = cc_ceil_div(p->conv->shape.ic, CC_LINE_CHANNELS);
  p->plane = halo->channel;
  p->slab_places = cc_ceil_div(halo->positions, CC_MATRIX_POSITIONS) * CC_MATRIX_POSITIONS;
  const int64_t lines = (p->slices * CC_PARTS * p->plane + CC_MATRIX_POSITIONS) * CC_LINE_BYTES;
  p->squares_at = lines;
  p->turned_at = p->squares_at + squares_bytes(p);
  p->halo_at = p->turned_at + CC_TURN * CC_LINE_CHANNELS * es;
  return p->halo_at + cc_lines(CC_LINE_CHANNELS * halo->channel * es);
}

/* The offsets of a piece's steps, phase by phase. */
void cconv_phases_matrix_offsets(const cc_phases *p, int32_t *offsets) {
  const cc_halo *halo = &p->blocks.halo;
  for (int64_t f = 0; f < p->phases; f++) {
    cc_phase phase;
    cconv_phase_of(p, f, &phase);
    for (int64_t slice = 0; slice < p->piece / CC_LINE_CHANNELS; slice++)
      for (int64_t d = p->window[0].taps - phase.taps[0]; d < p->window[0].taps; d++)
        for (int64_t h = p->window[1].taps - phase.taps[1]; h < p->window[1].taps; h++)
          for (int64_t w = p->window[2].taps - phase.taps[2]; w < p->window[2].taps; w++)
            *offsets++ =
                (int32_t)(slice * CC_PARTS * p->plane + (d * halo->axis[1].pitch + h) * halo->axis[2].pitch + w);
  }
}

void cconv_phases_matrix_pack(const cc_phases *p, int64_t n, int64_t g, const cc_block *block, char *scratch) {
  const cc_conv *conv = p->conv;
  const cc_chunk taps = {.taps = {p->axis[0].kernel, p->axis[1].kernel, p->axis[2].kernel}};
  cc_split_job job = {.y_step = CC_LINE_BYTES, .y_part = p->plane * CC_LINE_BYTES};
  for (int64_t slice = 0; slice < p->slices; slice++) {
    cc_chunk chunk = taps;
    chunk.channel = slice * CC_LINE_CHANNELS;
    chunk.channels = cc_min(CC_LINE_CHANNELS, conv->shape.ic - chunk.channel);
    cconv_operation_pack(conv->kernels, &p->blocks, p->axis, &conv->input, n, g * conv->shape.ic + chunk.channel, block,
                         &chunk, conv->padding_value, scratch + p->halo_at);
    cconv_matrix_clear(conv, &p->blocks, block, chunk.channels, scratch + p->halo_at);
    job.low_lanes = (int32_t)cc_min(CC_SQUARE_LANES, chunk.channels);
    job.high_lanes = (int32_t)chunk.channels - job.low_lanes;
    job.y = scratch + slice * CC_PARTS * job.y_part;
    cconv_matrix_turn(conv, scratch + p->halo_at, p->plane * conv->element, chunk.channels, p->blocks.halo.phase,
                      scratch + p->turned_at, &job);
  }
  cconv_matrix_raise(cc_phases_greatest(p, n), job.greatest);
}

/* One square of the weights of a slice and tap. rows: element (channel 0, lane 0); channels are `step` elements apart. */
static void make_square(const cc_phases *p, const char *rows, int64_t step, int64_t channels, int64_t lanes,
                        char *square, cc_split_job *job) {
  const int64_t low = cc_min(CC_SQUARE_LANES, channels), high = channels - low;
  const int64_t ends[] = {high, low, CC_SQUARE_LANES}; /* lines with both channels, with one, with none */
  int64_t from = 0;
  for (int i = 0; i < 3; i++) {
    job->low = (const float *)(const void *)rows + from * step;
    job->high = i == 0 ? job->low + CC_SQUARE_LANES * step : job->low;
    job->low_lanes = i < 2 ? (int32_t)lanes : 0;
    job->high_lanes = i < 1 ? (int32_t)lanes : 0;
    job->step = i < 2 ? step : 0;
    job->n = ends[i] - from;
    job->y = square + from * CC_LINE_BYTES;
    if (job->n > 0)
      p->matrix->split(job);
    from = ends[i];
  }
}

void cconv_phases_matrix_weights(const cc_phases *p, const cc_phase *phase, const char *panel, int64_t channels,
                                 int64_t lanes, char *scratch) {
  const int64_t es = p->conv->element, width = p->width, squares = width / CC_SQUARE_LANES;
  const int64_t step_bytes = squares * CC_PARTS * CC_SQUARE_BYTES, slices = cc_ceil_div(channels, CC_LINE_CHANNELS);
  char *target = scratch + p->squares_at + phase->before * (p->piece / CC_LINE_CHANNELS) * step_bytes;
  cc_split_job job = {.y_step = CC_LINE_BYTES};
  for (int64_t pair = 0; pair < squares; pair += 2) { /* products have two at a time, if there are */
    const int64_t together = cc_min(2, squares - pair);
    job.y_part = together * CC_SQUARE_BYTES;
    for (int64_t slice = 0; slice < slices; slice++)
      for (int64_t t = 0; t < phase->terms; t++, target += CC_PARTS * job.y_part)
        for (int64_t i = 0; i < together; i++) {
          const int64_t lane = (pair + i) * CC_SQUARE_LANES, c = slice * CC_LINE_CHANNELS;
          make_square(p, panel + ((c * phase->terms + t) * width + lane) * es, phase->terms * width,
                      cc_min(CC_LINE_CHANNELS, channels - c), cc_max(0, cc_min(CC_SQUARE_LANES, lanes - lane)),
                      target + i * CC_SQUARE_BYTES, &job);
        }
  }
  cconv_matrix_raise(cc_phases_greatest(p, p->conv->shape.n), job.greatest);
}

void cconv_phases_matrix_sum(const cc_phases *p, int64_t positions, int64_t c, int64_t channels, char *scratch) {
  const int64_t squares = p->width / CC_SQUARE_LANES, slices = cc_ceil_div(channels, CC_LINE_CHANNELS);
  const int64_t piece_slices = p->piece / CC_LINE_CHANNELS;
  p->matrix->begin();
  for (int64_t f = 0; f < p->phases; f++) {
    cc_phase phase;
    cconv_phase_of(p, f, &phase);
    cc_matrix_job job = {.steps = slices * phase.terms,
                         .x = scratch + c / CC_LINE_CHANNELS * CC_PARTS * p->plane * CC_LINE_BYTES,
                         .off = (const int32_t *)(const void *)p->memory + phase.before * piece_slices,
                         .x_part = p->plane * CC_LINE_BYTES,
                         .positions = positions,
                         .w = scratch + p->squares_at +
                              phase.before * piece_slices * squares * CC_PARTS * CC_SQUARE_BYTES,
                         .pitch = p->width,
                         .fresh = c == 0};
    float *sums = (float *)(void *)(scratch + p->slab_at) + f * p->slab_places * p->width;
    for (int64_t pair = 0; pair < squares; pair += 2) {
      job.lanes = cc_min(2, squares - pair) * CC_SQUARE_LANES;
      job.sums = sums + pair * CC_SQUARE_LANES;
      p->matrix->lines(&job);
      job.w = (const char *)job.w + job.steps * job.lanes / CC_SQUARE_LANES * CC_PARTS * CC_SQUARE_BYTES;
    }
  }
  p->matrix->end();
}
