/* SPDX-License-Identifier: BSD-3-Clause
 * conv_winograd_tiles.c - the Winograd driver's way from input, weight and sums to values, weights and output.
 *
 * Law: padding, strides, dtypes and memory order end here, and so do infinities: a tile with an output that
 * is not finite is summed directly, in the order of conv_direct.c, so that each reaches the windows that
 * hold it and no others. */
#include <string.h>

#include "ops/conv_winograd.h"

/* Taps of some output channels and of n input channels of a slice, from channel c on, as lanes: [channel][9][VL]. */
static void lanes_of_taps(const cc_conv_winograd *w, int64_t g, int64_t oc, int64_t slice, int64_t c, int64_t n,
                          char *lanes, char *panel) {
  const cc_conv *conv = w->conv;
  const int64_t es = conv->element, vector = conv->kernels->vector_length, kernel = 9 * w->slices;
  const int64_t rows = cc_min(vector, conv->shape.oc - oc);
  const cc_chunk chunk = {.channel = c, .channels = n, .taps = {w->slices, 3, 3}, .terms = n * kernel};
  const cc_rows from = cconv_conv_weights(conv, g, oc, rows, &chunk, panel);
  const int64_t joined = w->slices == 1 ? n : 1; /* kernels that follow each other */
  conv->kernels->lanes(&(cc_lanes_job){.x = from.data + slice * 9 * es,
                                       .channels = rows,
                                       .channel_stride = from.pitch * es,
                                       .stride = {kernel * es, es},
                                       .high = {n / joined, 9 * joined},
                                       .used = {n / joined, 9 * joined},
                                       .size = {n / joined, 9 * joined},
                                       .lanes = lanes,
                                       .pitch = 9 * vector});
}

void cconv_winograd_make(const cc_conv_winograd *w, int64_t g, int64_t b, const cc_terms *terms, int64_t row,
                         int64_t plane, char *taps, char *panel, char *target) {
  const int64_t es = w->conv->element, vector = w->conv->kernels->vector_length, count = terms->end - terms->from;
  const int64_t first = cc_part(w->vectors, b, w->channel_blocks);
  const int64_t vectors = cc_part(w->vectors, b + 1, w->channel_blocks) - first;
  for (int64_t v = 0; v < vectors; v++)
    for (int64_t k = 0, n; k < count; k += n) {
      n = cc_min(w->piece, count - k);
      char *lanes = taps + (w->keeps_taps ? v * count + k : 0) * 9 * vector * es;
      if (row == 0)
        lanes_of_taps(w, g, (first + v) * vector, terms->slice, terms->from - terms->slice * w->conv->shape.ic + k, n,
                      lanes, panel);
      w->kernels->weight(&(cc_winograd_weight_job){.taps = lanes,
                                                   .channels = n,
                                                   .row = row,
                                                   .weights = target + (k * vectors + v) * vector * es,
                                                   .plane = plane,
                                                   .weight_pitch = vectors * vector});
    }
}

/* The part of the input that a block of tiles looks at, along the last two axes. */
typedef struct region {
  int64_t first[2];         /* index of its first element; may be outside */
  int64_t low[2], high[2];  /* elements that are inside, counted from there */
  int64_t used[2], size[2]; /* elements that some output looks at, and with those of whole tiles */
} region;

static region region_of(const cc_conv_winograd *w, const cc_tile_block *block) {
  const int64_t m = w->kernels->m;
  region r;
  for (int a = 0; a < 2; a++) {
    const cc_axis *axis = &w->conv->shape.axis[a + 1];
    const int64_t from = block->from[a] * m;
    r.first[a] = from - axis->before;
    r.size[a] = block->size[a] * m + 2;
    r.used[a] = cc_min(block->size[a] * m, axis->out - from) + 2;
    r.low[a] = cc_min(r.used[a], cc_max(0, -r.first[a]));
    r.high[a] = cc_max(r.low[a], cc_min(r.used[a], axis->end - r.first[a]));
  }
  return r;
}

/* Some channels from slice `id` as rows in the panel: this knows every dtype, stride and border. */
static void pack_panel(const cc_conv_winograd *w, const region *r, const char *image, int64_t channels, int64_t id,
                       char *scratch) {
  const cc_conv *conv = w->conv;
  const cc_view *in = &conv->input;
  cc_halo_pack_job job = {.input = image,
                          .source = in->dtype,
                          .channels = channels,
                          .channel_stride = in->stride[CC_CHANNEL],
                          .target = scratch + w->panel_at,
                          .channel_pitch = w->panel_pitch,
                          .fill = conv->padding_value};
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    const cc_axis *axis = &conv->shape.axis[a];
    job.stride[a] = in->stride[CC_DEPTH + a];
    job.end[a] = axis->map == CCONV_PADDING_CONSTANT ? axis->end : axis->in;
    job.map[a] = axis->map;
    job.first[a] = a == 0 ? id : r->first[a - 1];
    job.step[a] = job.dilation[a] = job.phases[a] = 1;
    job.length[a] = job.pitch[a] = a == 0 ? 1 : r->used[a - 1];
  }
  conv->kernels->halo_pack(&job);
}

/* The whole region's lanes, but for where they go: from the panel, or from the input where it is. */
static cc_lanes_job lanes_of(const cc_conv_winograd *w, const region *r, const char *image, int64_t channels,
                             int64_t id, char *scratch) {
  const cc_conv *conv = w->conv;
  const int64_t *stride = conv->input.stride;
  cc_lanes_job job = {.channels = channels,
                      .used = {r->used[0], r->used[1]},
                      .size = {r->size[0], r->size[1]},
                      .fill = conv->padding_value,
                      .pitch = w->lane_pitch};
  if (!w->gathers) {
    pack_panel(w, r, image, channels, id, scratch);
    job.x = scratch + w->panel_at;
    job.channel_stride = w->panel_pitch * conv->element;
    job.stride[0] = r->used[1] * conv->element;
    job.stride[1] = conv->element;
    job.high[0] = r->used[0];
    job.high[1] = r->used[1];
  } else if (id >= 0 && id < conv->shape.axis[0].end && r->low[0] < r->high[0] && r->low[1] < r->high[1]) {
    job.x = image + id * stride[CC_DEPTH] + (r->first[0] + r->low[0]) * stride[CC_HEIGHT] +
            (r->first[1] + r->low[1]) * stride[CC_WIDTH];
    job.channel_stride = stride[CC_CHANNEL];
    for (int a = 0; a < 2; a++) {
      job.stride[a] = stride[CC_HEIGHT + a];
      job.low[a] = r->low[a];
      job.high[a] = r->high[a];
    }
  }
  return job;
}

/* Rows [from, end) of a job's sub-image alone. */
static cc_lanes_job lanes_between(const cc_lanes_job *job, int64_t from, int64_t end) {
  const int64_t low = cc_max(job->low[0], from), high = cc_min(job->high[0], end);
  cc_lanes_job part = *job;
  part.size[0] = end - from;
  part.used[0] = cc_max(0, job->used[0] - from);
  part.low[0] = low - from;
  part.high[0] = cc_max(low, high) - from;
  if (low < high)
    part.x += (low - job->low[0]) * job->stride[0];
  return part;
}

void cconv_winograd_values(const cc_conv_winograd *w, const cc_tile_block *block, char *scratch) {
  const cc_conv *conv = w->conv;
  const cc_axis *depth = &conv->shape.axis[0];
  const int64_t es = conv->element, vector = conv->kernels->vector_length, ic = conv->shape.ic, m = w->kernels->m;
  const region r = region_of(w, block);
  const int64_t tiles = cc_tiles_a_slice(block);
  for (int64_t slice = 0; slice < block->slices + w->slices - 1; slice++) {
    const int64_t id = block->od * depth->stride + slice * depth->dilation - depth->before;
    for (int64_t c = 0; c < ic; c += vector) {
      const char *image = conv->input.data + block->n * conv->input.stride[CC_BATCH] +
                          (block->g * ic + c) * conv->input.stride[CC_CHANNEL];
      const int64_t chunk = c / w->chunk_terms;
      const cc_lanes_job lanes = lanes_of(w, &r, image, cc_min(vector, ic - c), id, scratch);
      for (int64_t t = 0; t < block->size[0]; t++) {
        /* Row by row of tiles, so that lanes are in the level 1 cache when they are transformed. */
        const int64_t from = t == 0 ? 0 : t * m + 2;
        cc_lanes_job rows = lanes_between(&lanes, from, t * m + m + 2);
        rows.lanes = scratch + w->lanes_at + from * w->lane_pitch * es;
        conv->kernels->lanes(&rows);
        w->kernels->input(&(cc_winograd_input_job){
            .lanes = scratch + w->lanes_at + t * m * w->lane_pitch * es,
            .pitch = w->lane_pitch,
            .tiles = block->size[1],
            .values = scratch + (chunk * w->value_chunk + (slice * tiles + t * block->size[1]) * w->value_pitch +
                                 c % w->chunk_terms) *
                                    es,
            .plane = w->value_plane,
            .value_pitch = w->value_pitch});
      }
    }
  }
}

/* The tile of direct sums for so many rows: the widest that `vectors` of positions fill. */
static const cc_conv_tile *direct_tile(const cc_kernels *kernels, int64_t rows, int64_t vectors) {
  const cc_conv_tile *tile = kernels->conv_tiles[rows - 1].width;
  while (tile->nv > vectors)
    tile++;
  return tile;
}

/* Sum some output channels of one tile directly; slab gets them tile by register tile. */
static void sum_directly(const cc_conv_winograd *w, const cc_tile_block *block, const cc_block *outputs, int64_t oc,
                         int64_t rows, char *patch, char *slab) {
  const cc_conv *conv = w->conv;
  const cc_kernels *kernels = conv->kernels;
  const int64_t es = conv->element, ic = conv->shape.ic, positions = cconv_block_positions(&w->patch.halo, outputs);
  const int64_t terms = w->patch.channels * w->slices * 9;
  char *panel = slab + cc_lines(kernels->conv_rows * (w->patch.halo.positions + w->slack) * es);
  int32_t *offsets = (int32_t *)(void *)(panel + cc_lines(kernels->conv_rows * terms * es));
  cconv_operation_offsets(&w->patch, conv->shape.axis, offsets);
  cconv_operation_clear(&w->patch, es, w->slack, patch);
  for (int64_t c = 0; c < ic; c += w->patch.channels) {
    cc_chunk chunk = {.channel = c, .channels = cc_min(w->patch.channels, ic - c), .taps = {w->slices, 3, 3}};
    chunk.terms = chunk.channels * w->slices * 9;
    cconv_operation_pack(kernels, &w->patch, conv->shape.axis, &conv->input, block->n, block->g * ic + c, outputs,
                         &chunk, conv->padding_value, patch);
    const cc_rows weights = cconv_conv_weights(conv, block->g, oc, rows, &chunk, panel);
    char *sums = slab;
    for (int64_t p = 0, step; p < positions; p += step) {
      const cc_conv_tile *tile = direct_tile(kernels, rows, cc_ceil_div(positions - p, kernels->vector_length));
      step = tile->nv * kernels->vector_length;
      tile->run(&(cc_conv_tile_job){.k = chunk.terms,
                                    .w = weights.data,
                                    .ldw = weights.pitch,
                                    .x = patch + p * es,
                                    .off = offsets,
                                    .slab = sums,
                                    .fresh = c == 0});
      sums += rows * step * es;
    }
  }
}

/* Replace the flawed outputs of one tile, in lanes at `y`, by direct sums: those of lanes l with bit l set. */
static void patch_tile(const cc_conv_winograd *w, const cc_tile_block *block, const int64_t tile[3], int64_t channel,
                       int64_t channels, uint32_t flawed, char *y, int64_t pitch, char *scratch) {
  const cc_kernels *kernels = w->conv->kernels;
  const int64_t es = w->conv->element, vector = kernels->vector_length, m = w->kernels->m;
  char *patch = scratch + w->patch_at;
  char *slab = patch + cc_lines((w->patch.halo.channel * w->patch.channels + w->slack) * es);
  cc_block outputs = {.from = {tile[0]}, .size = {1}};
  for (int a = 1; a < CCONV_MAX_SPATIAL; a++) {
    outputs.from[a] = tile[a] * m;
    outputs.size[a] = cc_min(m, w->conv->shape.axis[a].out - tile[a] * m);
  }
  const int64_t row_pitch = w->patch.halo.axis[2].pitch, positions = cconv_block_positions(&w->patch.halo, &outputs);
  for (int64_t l = 0, rows; l < channels; l += rows) {
    rows = cc_min(kernels->conv_rows, channels - l);
    if (!(flawed >> l & (((uint32_t)1 << rows) - 1)))
      continue;
    sum_directly(w, block, &outputs, channel + l, rows, patch, slab);
    const char *sums = slab;
    for (int64_t p = 0, step; p < positions; p += step, sums += rows * step * es) {
      step = direct_tile(kernels, rows, cc_ceil_div(positions - p, vector))->nv * vector;
      for (int64_t i = p; i < cc_min(p + step, positions); i++)
        for (int64_t j = 0; i % row_pitch < outputs.size[2] && j < rows; j++)
          if (flawed >> (l + j) & 1)
            memcpy(y + (i / row_pitch * pitch + i % row_pitch * vector + l + j) * es, sums + (j * step + i - p) * es,
                   (size_t)es);
    }
  }
}

/* Outputs of row t of a block's tiles of slice d, for one vector of channels, as lanes. */
static void transform_row(const cc_conv_winograd *w, const cc_tile_block *block, int64_t d, int64_t v, int64_t channel,
                          int64_t t, char *scratch) {
  const int64_t es = w->conv->element, vector = w->conv->kernels->vector_length, m = w->kernels->m;
  const int64_t channels = cc_min(vector, w->conv->shape.oc - channel), tiles = block->size[1];
  const int64_t pitch = m * w->blocks.size[1] * vector;
  char *lanes = scratch + w->outputs_at;
  uint32_t *flawed = (uint32_t *)(void *)(lanes + cc_lines((m * pitch + vector * vector) * es));
  const int64_t first = d * cc_tiles_a_slice(block) + t * tiles;
  const cc_winograd_output_job job = {.sums = scratch + w->sums_at + (first * w->sum_pitch + v * vector) * es,
                                      .plane = w->sum_plane,
                                      .sum_pitch = w->sum_pitch,
                                      .tiles = tiles,
                                      .lanes = lanes,
                                      .pitch = pitch,
                                      .flawed = flawed};
  if (!w->kernels->output(&job))
    return;
  for (int64_t i = 0; i < tiles; i++) {
    const uint32_t mask = flawed[i] & (((uint32_t)1 << channels) - 1);
    const int64_t tile[3] = {block->od + d, block->from[0] + t, block->from[1] + i};
    if (mask)
      patch_tile(w, block, tile, channel, channels, mask, lanes + i * m * vector * es, pitch, scratch);
  }
}

/* Where output (od, oh, first column of the block) of a channel of the group lies. */
static char *output_at(const cc_view *view, const cc_conv_winograd *w, const cc_tile_block *block, int64_t channel,
                       int64_t od, int64_t oh) {
  const int64_t *stride = view->stride;
  return view->data + block->n * stride[CC_BATCH] + (block->g * w->conv->shape.oc + channel) * stride[CC_CHANNEL] +
         od * stride[CC_DEPTH] + oh * stride[CC_HEIGHT] + block->from[1] * w->kernels->m * stride[CC_WIDTH];
}

/* Store `rows` rows of `width` outputs each, from row oh of slice od on, that the slab holds one behind the other. */
static void store_slab(const cc_conv_winograd *w, const cc_tile_block *block, int64_t channel, int64_t od, int64_t oh,
                       int64_t rows, int64_t width, char *scratch) {
  const cc_conv *conv = w->conv;
  const int64_t first = block->g * conv->shape.oc + channel;
  cc_conv_rows job = {.lds = w->slab_pitch,
                      .rows = cc_min(conv->kernels->vector_length, conv->shape.oc - channel),
                      .bias = conv->bias ? conv->bias + first * conv->element : NULL,
                      .bias_step = 1,
                      .y_stride = conv->output.stride[CC_CHANNEL],
                      .residual_stride = conv->residual.stride[CC_CHANNEL]};
  for (int64_t i = 0; i < rows; i += w->merges ? rows : 1) {
    job.slab = scratch + w->slab_at + i * width * conv->element;
    job.n = w->merges ? rows * width : width;
    job.y = output_at(&conv->output, w, block, channel, od, oh + i);
    job.residual = conv->residual.data ? output_at(&conv->residual, w, block, channel, od, oh + i) : NULL;
    cconv_conv_store(conv, &job);
  }
}

void cconv_winograd_store(const cc_conv_winograd *w, const cc_tile_block *block, int64_t d, int64_t v, int64_t channel,
                          char *scratch) {
  const cc_conv *conv = w->conv;
  const int64_t es = conv->element, vector = conv->kernels->vector_length, m = w->kernels->m;
  const int64_t height = conv->shape.axis[1].out, from = block->from[1] * m;
  const int64_t width = cc_min(block->size[1] * m, conv->shape.axis[2].out - from);
  const int64_t pitch = m * w->blocks.size[1] * vector;
  for (int64_t t = 0; t < block->size[0]; t += w->store_rows) {
    const int64_t first = (block->from[0] + t) * m, end = cc_min(t + w->store_rows, block->size[0]);
    int64_t rows = 0;
    for (int64_t i = t; i < end; i++) {
      transform_row(w, block, d, v, channel, i, scratch);
      for (int64_t j = 0; j < m && first + rows < height; j++, rows++)
        conv->kernels->rows(&(cc_rows_job){.lanes = scratch + w->outputs_at + j * pitch * es,
                                           .n = width,
                                           .rows = scratch + w->slab_at + rows * width * es,
                                           .pitch = w->slab_pitch});
    }
    store_slab(w, block, channel, block->od + d, first, rows, width, scratch);
  }
}
