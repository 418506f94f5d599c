/* SPDX-License-Identifier: BSD-3-Clause
 * conv_bf16x3_pack.c - weights and inputs in parts of bfloat16.
 *
 * Law: padding, strides, dtypes and memory order end here. Channels that are not there are 0. */
#include <string.h>

#include "ops/conv_bf16x3.h"

/* The rows of `lanes` output channels, of a slice or of whole windows. */
static cc_rows rows_of(const cc_conv *conv, bool windows, int64_t g, int64_t oc, int64_t lanes, int64_t slice,
                       cc_chunk *chunk, char *copy) {
  *chunk = (cc_chunk){.channel = windows ? 0 : slice * CC_LINE_CHANNELS};
  chunk->channels = windows ? conv->shape.ic : cc_min(CC_LINE_CHANNELS, conv->shape.ic - chunk->channel);
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    chunk->taps[a] = conv->shape.axis[a].kernel;
  chunk->terms = chunk->channels * conv->shape.taps;
  return cconv_conv_weights(conv, g, oc, lanes, chunk, copy);
}

/* The weights of one square and slice for planes. Lanes without a channel are 0. */
static void make_plane_weights(const cc_conv *conv, const cc_bf16x3 *d, int64_t g, int64_t oc, int64_t slice,
                               char *copy, cc_split_job *job) {
  const int64_t lanes = cc_min(CC_SQUARE_LANES, conv->shape.oc - oc);
  char *square = job->y;
  cc_chunk chunk;
  const cc_rows w = rows_of(conv, d->windows, g, oc, lanes, slice, &chunk, copy);
  const int64_t terms = cc_min(CC_LINE_CHANNELS, d->terms - slice * CC_LINE_CHANNELS);
  job->low = (const float *)(const void *)w.data + (d->windows ? slice * CC_LINE_CHANNELS : 0);
  job->high = terms > CC_SQUARE_LANES ? job->low + CC_SQUARE_LANES : job->low;
  job->low_lanes = (int32_t)cc_min(CC_SQUARE_LANES, terms);
  job->high_lanes = (int32_t)terms - job->low_lanes;
  job->step = w.pitch;
  job->n = lanes;
  d->matrix->split(job);
  job->low_lanes = job->high_lanes = 0;
  job->step = 0;
  job->n = CC_SQUARE_LANES - lanes;
  job->y = square + lanes * CC_LINE_BYTES;
  d->matrix->split(job);
}

/* Those of every tap for lines, each tap's `tap_bytes` behind the last. `rows` is scratch. */
static void make_line_weights(const cc_conv *conv, const cc_matrix_kernels *matrix, int64_t g, int64_t oc,
                              int64_t slice, int64_t tap_bytes, char *rows, cc_split_job *job) {
  const int64_t es = conv->element, taps = conv->shape.taps, lanes = cc_min(CC_SQUARE_LANES, conv->shape.oc - oc);
  const int64_t bytes = CC_LINE_CHANNELS * taps * CC_SQUARE_LANES * es;
  char *square = job->y;
  cc_chunk chunk;
  const cc_rows w = rows_of(conv, false, g, oc, lanes, slice, &chunk, rows + cc_lines(bytes));
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

void cconv_bf16x3_make_weights(const cc_conv *conv, const cc_bf16x3 *d, int64_t g, int64_t lane_block, int64_t from,
                               int64_t end, char *rows, char *weights, uint32_t *greatest) {
  const int64_t squares = cc_bf16x3_lanes(conv->shape.oc, lane_block) / CC_SQUARE_LANES;
  cc_split_job job = {.y_step = CC_LINE_BYTES, .y_part = squares * CC_SQUARE_BYTES, .greatest = *greatest};
  const int64_t tap_bytes = CC_PARTS * job.y_part;
  for (int64_t slice = from; slice < end; slice++, weights += d->taps * tap_bytes)
    for (int64_t i = 0; i < squares; i++) {
      const int64_t oc = lane_block * CC_MATRIX_LANES + i * CC_SQUARE_LANES;
      job.y = weights + i * CC_SQUARE_BYTES;
      if (d->planes)
        make_plane_weights(conv, d, g, oc, slice, rows, &job);
      else
        make_line_weights(conv, d->matrix, g, oc, slice, tap_bytes, rows, &job);
    }
  *greatest = job.greatest;
}

uint32_t cconv_bf16x3_pack(const cc_bf16x3 *d, int64_t n, int64_t g, const cc_block *block, char *scratch) {
  const cc_conv *conv = d->conv;
  const cc_view *input = &conv->input;
  const cc_halo *halo = &d->blocks.halo;
  const int64_t packed = halo->axis[0].phases * halo->axis[1].phases * halo->axis[2].phases * halo->phase;
  const int64_t positions = cconv_block_positions(halo, block);
  const int32_t *windows = d->windows ? (const int32_t *)(const void *)(d->workspace + d->windows_at) : NULL;
  cc_split_job job = {.y_part = d->plane * CC_LINE_BYTES};
  for (int64_t slice = 0; slice < d->slices; slice++) {
    cc_chunk chunk = {.channel = d->windows ? 0 : slice * CC_LINE_CHANNELS};
    chunk.channels = d->windows ? conv->shape.ic : cc_min(CC_LINE_CHANNELS, conv->shape.ic - chunk.channel);
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
      rows = scratch + d->halo_at;
      if (slice == 0 || !d->windows) {
        cconv_operation_pack(conv->kernels, &d->blocks, conv->shape.axis, input, n, channel, block, &chunk,
                             conv->padding_value, scratch + d->halo_at);
        cconv_matrix_clear(conv, &d->blocks, block, chunk.channels, scratch + d->halo_at);
      }
      stride = halo->channel * conv->element;
    }
    if (d->planes) {
      cc_squares_job squares = {.x = (const float *)(const void *)rows,
                                .stride = stride / conv->element,
                                .off = windows ? windows + slice * CC_LINE_CHANNELS : NULL,
                                .channels = cc_min(CC_LINE_CHANNELS, d->terms - slice * CC_LINE_CHANNELS),
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
      cconv_matrix_turn(conv, rows, stride, chunk.channels, packed, scratch + d->turned_at, &job);
    }
  }
  return job.greatest;
}
