/* SPDX-License-Identifier: BSD-3-Clause
 * conv_winograd_tiles.c - the Winograd driver's way from input, weight and sums to values, weights and output.
 *
 * Law: padding, strides, dtypes and memory order end here, and so do infinities: a tile with an output that
 * is not finite is summed directly, in the order of conv_direct.c, so that each reaches the windows that
 * hold it and no others. */
#include <string.h>

#include "ops/conv_winograd.h"

/* Taps of some output channels and of n input channels of a slice, from channel c on, as lanes: [channel][tap][VL]. */
static void lanes_of_taps(const cc_conv_winograd *w, int64_t g, int64_t oc, int64_t slice, int64_t c, int64_t n,
                          char *lanes, char *panel) {
  const cc_conv *conv = w->conv;
  const int64_t es = conv->element, vector = conv->kernels->vector_length, taps = w->transformed_taps;
  const int64_t rows = cc_min(vector, conv->shape.oc - oc), kernel = taps * w->slices;
  const cc_axis *axis = conv->shape.axis;
  const cc_chunk chunk = {
      .channel = c, .channels = n, .taps = {axis[0].kernel, axis[1].kernel, axis[2].kernel}, .terms = n * kernel};
  const cc_rows from = cconv_conv_weights(conv, g, oc, rows, &chunk, panel);
  const int64_t joined = w->slices == 1 ? n : 1; /* kernels that follow each other */
  conv->kernels->lanes(&(cc_lanes_job){.x = from.data + slice * taps * es,
                                       .channels = rows,
                                       .channel_stride = from.pitch * es,
                                       .stride = {kernel * es, es},
                                       .high = {n / joined, taps * joined},
                                       .used = {n / joined, taps * joined},
                                       .size = {n / joined, taps * joined},
                                       .lanes = lanes,
                                       .pitch = taps * vector});
}

void cconv_winograd_make(const cc_conv_winograd *w, int64_t g, int64_t b, const cc_terms *terms, int64_t row,
                         int64_t plane, char *taps, char *panel, char *target) {
  const int64_t es = w->conv->element, vector = w->conv->kernels->vector_length, one = w->transformed_taps * vector;
  const int64_t first = cc_part(w->vectors, b, w->channel_blocks), count = terms->end - terms->from;
  const int64_t vectors = cc_part(w->vectors, b + 1, w->channel_blocks) - first;
  const int64_t c = terms->from - terms->slice * w->conv->shape.ic;
  /* Planes of all weights are written line by line. Those of one chunk are in the cache, and rather than that the taps
   * are read channel by channel. */
  const int64_t together = w->shared || w->conv->weight.kept ? vectors : 1;
  for (int64_t v = 0; v < vectors; v += together)
    for (int64_t k = 0, n; k < count; k += n, taps += w->keeps_taps ? together * n * one * es : 0) {
      n = cc_min(w->piece, count - k);
      for (int64_t i = 0; row == 0 && i < together; i++)
        lanes_of_taps(w, g, (first + v + i) * vector, terms->slice, c + k, n, taps + i * n * one * es, panel);
      w->kernels->weight(&(cc_winograd_weight_job){.taps = taps,
                                                   .taps_pitch = n * one,
                                                   .channels = n,
                                                   .vectors = together,
                                                   .row = row,
                                                   .weights = target + (k * vectors + v) * vector * es,
                                                   .plane = plane,
                                                   .weight_pitch = vectors * vector});
    }
}

/* The rows of tiles of a block from `row` on that are of the same phase. */
static cc_tile_block part_of(const cc_conv_winograd *w, const cc_tile_block *block, int64_t row) {
  cc_tile_block part = *block;
  part.phase = (block->from[0] + row) / w->phase_rows;
  part.from[0] = (block->from[0] + row) % w->phase_rows;
  part.size[0] = cc_min(block->size[0] - row, w->phase_rows - part.from[0]);
  part.before = row;
  return part;
}

/* The part of the input that such a part of a block looks at, along the last two axes: of its columns one run. */
typedef struct region {
  int64_t first[2], step[2]; /* index of its first element, which may be outside, and from one to the next */
  int64_t low[2], high[2];   /* elements that are inside, counted from there */
  int64_t used[2], size[2];  /* elements that some output looks at, and with those of whole tiles */
} region;

/* ceil(a / step), but for the usual step without a division: these are many. */
static int64_t steps(int64_t a, int64_t step) { return step == 1 ? a : cc_ceil_div(a, step); }

/* Outputs of row oh's phase from that one on. */
static int64_t rows_left(const cc_conv_winograd *w, int64_t oh) {
  return steps(cc_max(0, w->conv->shape.axis[1].out - oh), w->dilation[0]);
}

static int64_t runs_of(const cc_conv_winograd *w, const cc_tile_block *block, int64_t halo) {
  return cc_is_one_run(w, block) ? 1 : block->size[1] * w->m[1] + halo;
}

/* Outputs of a run of columns: *ow gets the first. */
static int64_t run_outputs(const cc_conv_winograd *w, const cc_tile_block *block, int64_t run, int64_t *ow) {
  const int64_t columns = cc_is_one_run(w, block) ? block->size[1] * w->m[1] : 1;
  *ow = block->first_phase + (block->from[1] * w->m[1] + run) * w->dilation[1];
  return cc_max(0, cc_min(columns * block->phases, w->conv->shape.axis[2].out - *ow));
}

static region region_of(const cc_conv_winograd *w, const cc_tile_block *block, int64_t run) {
  const int64_t oh = block->phase + block->from[0] * w->m[0] * w->dilation[0], rows = rows_left(w, oh);
  region r = {.step = {w->dilation[0], 1}};
  r.first[0] = oh - w->conv->shape.axis[1].before;
  r.size[0] = block->size[0] * w->m[0] + w->halo[0];
  r.used[0] = rows > 0 ? cc_min(block->size[0] * w->m[0], rows) + w->halo[0] : 0;
  int64_t ow;
  if (cc_is_one_run(w, block)) {
    r.used[1] = run_outputs(w, block, 0, &ow) + w->halo[1] * block->phases;
    r.size[1] = (block->size[1] * w->m[1] + w->halo[1]) * block->phases;
  } else { /* a step is looked at by the output it is the last tap of, if by any */
    r.used[1] = run_outputs(w, block, cc_max(0, run - w->halo[1]), &ow);
    r.size[1] = block->phases;
    ow += cc_min(run, w->halo[1]) * w->dilation[1];
  }
  r.first[1] = ow - w->conv->shape.axis[2].before;
  for (int a = 0; a < 2; a++) {
    const int64_t step = r.step[a], end = w->conv->shape.axis[a + 1].end;
    r.low[a] = r.first[a] < 0 ? cc_min(r.used[a], steps(-r.first[a], step)) : 0;
    r.high[a] = r.first[a] < end ? cc_min(r.used[a], steps(end - r.first[a], step)) : 0;
    r.high[a] = cc_max(r.low[a], r.high[a]);
  }
  return r;
}

/* Where the rows of a run begin in the panel, in elements. */
static int64_t panel_at(const cc_tile_block *block, const region *r, int64_t run) {
  return run * block->phases * r->used[0];
}

/* Some channels from slice `id` as rows in the panel: this knows every dtype, stride and border. */
static void pack_panel(const cc_conv_winograd *w, const region *r, const char *image, int64_t channels, int64_t id,
                       char *panel) {
  const cc_conv *conv = w->conv;
  const cc_view *in = &conv->input;
  cc_halo_pack_job job = {.input = image,
                          .source = in->dtype,
                          .channels = channels,
                          .channel_stride = in->stride[CC_CHANNEL],
                          .target = panel,
                          .channel_pitch = w->panel_pitch,
                          .fill = conv->padding_value};
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    const cc_axis *axis = &conv->shape.axis[a];
    job.stride[a] = in->stride[CC_DEPTH + a];
    job.end[a] = axis->map == CCONV_PADDING_CONSTANT ? axis->end : axis->in;
    job.map[a] = axis->map;
    job.first[a] = a == 0 ? id : r->first[a - 1];
    job.step[a] = a == 0 ? 1 : r->step[a - 1];
    job.dilation[a] = job.phases[a] = 1;
    job.length[a] = job.pitch[a] = a == 0 ? 1 : r->used[a - 1];
  }
  conv->kernels->halo_pack(&job);
}

/* A region's lanes, but for where they go: from `panel`, where it is packed, or from the input where it is. */
static cc_lanes_job lanes_of(const cc_conv_winograd *w, const region *r, const char *image, int64_t channels,
                             int64_t id, const char *panel) {
  const cc_conv *conv = w->conv;
  const int64_t *stride = conv->input.stride;
  cc_lanes_job job = {.channels = channels,
                      .used = {r->used[0], r->used[1]},
                      .size = {r->size[0], r->size[1]},
                      .fill = conv->padding_value,
                      .pitch = w->lane_pitch};
  if (!w->gathers) {
    job.x = panel;
    job.channel_stride = w->panel_pitch * conv->element;
    job.stride[0] = r->used[1] * conv->element;
    job.stride[1] = conv->element;
    job.high[0] = r->used[0];
    job.high[1] = r->used[1];
  } else if (id >= 0 && id < conv->shape.axis[0].end && r->low[0] < r->high[0] && r->low[1] < r->high[1]) {
    job.x = image + id * stride[CC_DEPTH] + (r->first[0] + r->low[0] * r->step[0]) * stride[CC_HEIGHT] +
            (r->first[1] + r->low[1]) * stride[CC_WIDTH];
    job.channel_stride = stride[CC_CHANNEL];
    for (int a = 0; a < 2; a++) {
      /* A lone element's step may not fit. */
      job.stride[a] = r->high[a] - r->low[a] > 1 ? r->step[a] * stride[CC_HEIGHT + a] : 0;
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

/* From the lanes of row t of a block's tiles to their values. */
static void transform_inputs(const cc_conv_winograd *w, const cc_tile_block *block, int64_t t, char *scratch,
                             char *values) {
  const int64_t es = w->conv->element, vector = w->conv->kernels->vector_length, column = block->phases * vector;
  const bool upright = !w->method.transformed[1]; /* lines of one column each */
  cc_winograd_input_job job = {.row = w->lane_pitch,
                               .column = upright ? w->lane_pitch : column,
                               .m = w->m[1],
                               .tile = w->m[1] * column,
                               .tiles = block->size[1],
                               .plane = w->value_plane,
                               .value_pitch = w->value_pitch};
  for (int64_t p = 0; p < block->phases; p++) {
    job.lanes = scratch + (w->lanes_at + (t * w->m[0] * w->lane_pitch + p * vector) * es);
    job.values = values + ((block->before + t) * block->phases + p) * block->size[1] * w->value_pitch * es;
    w->kernels->input(&job);
  }
}

/* Values of some channels from slice `id`, of part of a block. */
static void part_values(const cc_conv_winograd *w, const cc_tile_block *part, const char *image, int64_t channels,
                        int64_t id, char *scratch, char *values) {
  const int64_t es = w->conv->element, column = part->phases * w->conv->kernels->vector_length;
  const int64_t runs = runs_of(w, part, w->halo[1]);
  char *panel = scratch + w->panel_at;
  region r = region_of(w, part, 0);
  for (int64_t run = 0; !w->gathers && run < runs; run++) {
    r = runs > 1 ? region_of(w, part, run) : r;
    if (r.used[0] > 0 && r.used[1] > 0)
      pack_panel(w, &r, image, channels, id, panel + panel_at(part, &r, run) * es);
  }
  for (int64_t t = 0; t < part->size[0]; t++) {
    /* Row by row of tiles, so that lanes are in the level 1 cache when they are transformed. */
    const int64_t from = t == 0 ? 0 : t * w->m[0] + w->halo[0], end = (t + 1) * w->m[0] + w->halo[0];
    for (int64_t run = 0; run < runs; run++) {
      r = runs > 1 ? region_of(w, part, run) : r;
      const cc_lanes_job lanes = lanes_of(w, &r, image, channels, id, panel + panel_at(part, &r, run) * es);
      cc_lanes_job rows = lanes_between(&lanes, from, end);
      rows.lanes = scratch + w->lanes_at + (from * w->lane_pitch + run * column) * es;
      w->conv->kernels->lanes(&rows);
    }
    transform_inputs(w, part, t, scratch, values);
  }
}

void cconv_winograd_values(const cc_conv_winograd *w, const cc_tile_block *block, char *scratch) {
  const cc_conv *conv = w->conv;
  const cc_axis *depth = &conv->shape.axis[0];
  const int64_t vector = conv->kernels->vector_length, ic = conv->shape.ic;
  for (int64_t slice = 0; slice < block->slices + w->slices - 1; slice++) {
    const int64_t id = block->od * depth->stride + slice * depth->dilation - depth->before;
    for (int64_t c = 0; c < ic; c += vector) {
      const char *image = conv->input.data + block->n * conv->input.stride[CC_BATCH] +
                          (block->g * ic + c) * conv->input.stride[CC_CHANNEL];
      const int64_t at =
          c / w->chunk_terms * w->value_chunk + slice * block->tiles * w->value_pitch + c % w->chunk_terms;
      for (int64_t row = 0; row < block->size[0];) {
        const cc_tile_block part = part_of(w, block, row);
        part_values(w, &part, image, cc_min(vector, ic - c), id, scratch, scratch + at * conv->element);
        row += part.size[0];
      }
    }
  }
}

void cconv_winograd_patch_axes(const cc_conv *conv, const cc_conv_winograd *w, const int64_t first[3],
                               cc_axis axis[CCONV_MAX_SPATIAL]) {
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    axis[a] = conv->shape.axis[a];
    axis[a].before -= first[a] * axis[a].stride;
    if (a > 0)
      axis[a].dilation = w->dilation[a - 1];
    else if (axis[a].kernel == 1)
      axis[a].dilation = 1;
    axis[a].stride = axis[a].dilation;
    axis[a].out = 0; /* of no tile is it the whole axis, whose rows might share their fill */
  }
}

/* The tile of direct sums for so many rows: the widest that `vectors` of positions fill. */
static const cc_conv_tile *direct_tile(const cc_kernels *kernels, int64_t rows, int64_t vectors) {
  const cc_conv_tile *tile = kernels->conv_tiles[rows - 1].width;
  while (tile->nv > vectors)
    tile++;
  return tile;
}

/* Sum some output channels of one tile directly, `outputs` of these axes; slab gets them tile by register tile. */
static void sum_directly(const cc_conv_winograd *w, const cc_tile_block *block, const cc_axis axis[3],
                         const cc_block *outputs, int64_t oc, int64_t rows, char *patch, char *slab) {
  const cc_conv *conv = w->conv;
  const cc_kernels *kernels = conv->kernels;
  const int64_t es = conv->element, ic = conv->shape.ic, positions = cconv_block_positions(&w->patch.halo, outputs);
  const int64_t taps = w->slices * w->transformed_taps;
  char *panel = slab + cc_lines(kernels->conv_rows * (w->patch.halo.positions + w->slack) * es);
  int32_t *offsets = (int32_t *)(void *)(panel + cc_lines(kernels->conv_rows * w->patch.channels * taps * es));
  cconv_operation_offsets(&w->patch, axis, offsets);
  cconv_operation_clear(&w->patch, es, w->slack, patch);
  for (int64_t c = 0; c < ic; c += w->patch.channels) {
    cc_chunk chunk = {.channel = c,
                      .channels = cc_min(w->patch.channels, ic - c),
                      .taps = {axis[0].kernel, axis[1].kernel, axis[2].kernel}};
    chunk.terms = chunk.channels * taps;
    cconv_operation_pack(kernels, &w->patch, axis, &conv->input, block->n, block->g * ic + c, outputs, &chunk,
                         conv->padding_value, patch);
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

/* Replace the flawed outputs of the tile that begins at `first`, in lanes at `y`, `row` and `column` elements apart, by
 * direct sums: those of lanes l with bit l set. */
static void patch_tile(const cc_conv_winograd *w, const cc_tile_block *block, const int64_t first[3], int64_t channel,
                       uint32_t flawed, char *y, int64_t row, int64_t column, char *scratch) {
  const cc_kernels *kernels = w->conv->kernels;
  const int64_t es = w->conv->element, vector = kernels->vector_length;
  const int64_t channels = cc_min(vector, w->conv->shape.oc - channel);
  char *patch = scratch + w->patch_at;
  char *slab = patch + cc_lines((w->patch.halo.channel * w->patch.channels + w->slack) * es);
  cc_block outputs = {.size = {1}};
  for (int a = 1; a < CCONV_MAX_SPATIAL; a++)
    outputs.size[a] = cc_min(w->m[a - 1], cc_ceil_div(w->conv->shape.axis[a].out - first[a], w->dilation[a - 1]));
  cc_axis axis[CCONV_MAX_SPATIAL];
  cconv_winograd_patch_axes(w->conv, w, first, axis);
  const int64_t pitch = w->patch.halo.axis[2].pitch, positions = cconv_block_positions(&w->patch.halo, &outputs);
  for (int64_t l = 0, rows; l < channels; l += rows) {
    rows = cc_min(kernels->conv_rows, channels - l);
    if (!(flawed >> l & (((uint32_t)1 << rows) - 1)))
      continue;
    sum_directly(w, block, axis, &outputs, channel + l, rows, patch, slab);
    const char *sums = slab;
    for (int64_t p = 0, step; p < positions; p += step, sums += rows * step * es) {
      step = direct_tile(kernels, rows, cc_ceil_div(positions - p, vector))->nv * vector;
      for (int64_t i = p; i < cc_min(p + step, positions); i++)
        for (int64_t j = 0; i % pitch < outputs.size[2] && j < rows; j++)
          if (flawed >> (l + j) & 1)
            memcpy(y + (i / pitch * row + i % pitch * column + l + j) * es, sums + (j * step + i - p) * es, (size_t)es);
    }
  }
}

/* Outputs of row t of a block's tiles of slice d, for one vector of channels, as lanes. */
static void transform_row(const cc_conv_winograd *w, const cc_tile_block *block, int64_t d, int64_t v, int64_t channel,
                          int64_t t, char *scratch) {
  const cc_axis *axis = w->conv->shape.axis;
  const int64_t es = w->conv->element, vector = w->conv->kernels->vector_length, tiles = block->size[1];
  const int64_t row = w->output_pitch, column = block->phases * vector;
  const uint32_t channels = ((uint32_t)1 << cc_min(vector, w->conv->shape.oc - channel)) - 1;
  char *lanes = scratch + w->outputs_at;
  cc_winograd_output_job job = {.plane = w->sum_plane,
                                .sum_pitch = w->sum_pitch,
                                .tiles = tiles,
                                .row = row,
                                .column = w->method.transformed[1] ? column : row,
                                .tile = w->m[1] * column,
                                .flawed =
                                    (uint32_t *)(void *)(lanes + cc_lines((w->m[0] * row + vector * vector) * es))};
  for (int64_t p = 0; p < block->phases; p++) {
    const int64_t sums = d * block->tiles + ((block->before + t) * block->phases + p) * tiles;
    job.sums = scratch + w->sums_at + (sums * w->sum_pitch + v * vector) * es;
    job.lanes = lanes + p * vector * es;
    const bool flawed = w->kernels->output(&job);
    for (int64_t i = 0; flawed && i < tiles; i++) {
      const int64_t first[3] = {block->od + d, block->phase + (block->from[0] + t) * w->m[0] * w->dilation[0],
                                block->first_phase + p + (block->from[1] + i) * w->m[1] * w->dilation[1]};
      /* The last tile of a phase may have no output. */
      if (job.flawed[i] & channels && first[1] < axis[1].out && first[2] < axis[2].out)
        patch_tile(w, block, first, channel, job.flawed[i] & channels, (char *)job.lanes + i * job.tile * es, row,
                   column, scratch);
    }
  }
}

/* Where output (od, oh, ow) of a channel of the group lies. */
static char *output_at(const cc_view *view, const cc_conv_winograd *w, const cc_tile_block *block, int64_t channel,
                       int64_t od, int64_t oh, int64_t ow) {
  const int64_t *stride = view->stride;
  return view->data + block->n * stride[CC_BATCH] + (block->g * w->conv->shape.oc + channel) * stride[CC_CHANNEL] +
         od * stride[CC_DEPTH] + oh * stride[CC_HEIGHT] + ow * stride[CC_WIDTH];
}

/* Store `rows` rows of `width` outputs each, from (od, oh, ow) on, that the slab holds one behind the other. */
static void store_slab(const cc_conv_winograd *w, const cc_tile_block *block, int64_t channel, const int64_t at[3],
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
    const int64_t oh = at[1] + i * w->dilation[0];
    job.slab = scratch + w->slab_at + i * width * conv->element;
    job.n = w->merges ? rows * width : width;
    job.y = output_at(&conv->output, w, block, channel, at[0], oh, at[2]);
    job.residual = conv->residual.data ? output_at(&conv->residual, w, block, channel, at[0], oh, at[2]) : NULL;
    cconv_conv_store(conv, &job);
  }
}

/* Rows of tiles [from, end) of slice d, of one run of columns: from the sums, for the first run, to the output. */
static void store_rows(const cc_conv_winograd *w, const cc_tile_block *block, int64_t d, int64_t v, int64_t channel,
                       int64_t from, int64_t end, int64_t run, char *scratch) {
  const cc_conv *conv = w->conv;
  const int64_t es = conv->element, column = block->phases * conv->kernels->vector_length;
  int64_t at[3] = {block->od + d, block->phase + (block->from[0] + from) * w->m[0] * w->dilation[0]}, rows = 0;
  const int64_t left = rows_left(w, at[1]);
  const int64_t width = run_outputs(w, block, run, &at[2]);
  for (int64_t t = from; t < end; t++) {
    if (run == 0)
      transform_row(w, block, d, v, channel, t, scratch);
    for (int64_t j = 0; j < w->m[0] && rows < left; j++, rows++)
      conv->kernels->rows(&(cc_rows_job){.lanes = scratch + w->outputs_at + (j * w->output_pitch + run * column) * es,
                                         .n = width,
                                         .rows = scratch + w->slab_at + rows * width * es,
                                         .pitch = w->slab_pitch});
  }
  if (width > 0)
    store_slab(w, block, channel, at, rows, width, scratch);
}

void cconv_winograd_store(const cc_conv_winograd *w, const cc_tile_block *block, int64_t d, int64_t v, int64_t channel,
                          char *scratch) {
  for (int64_t row = 0; row < block->size[0];) {
    const cc_tile_block part = part_of(w, block, row);
    for (int64_t t = 0; t < part.size[0]; t += w->store_rows)
      for (int64_t run = 0; run < runs_of(w, &part, 0); run++)
        store_rows(w, &part, d, v, channel, t, cc_min(t + w->store_rows, part.size[0]), run, scratch);
    row += part.size[0];
  }
}
