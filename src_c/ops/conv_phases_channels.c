/* SPDX-License-Identifier: BSD-3-Clause
 * conv_phases_channels.c - all phases of a transposed convolution, with output channels in the lanes.
 *
 * Law: a unit is one panel of weights, of so many channels and all phases, at one block of places. The panel is laid out
 * piece by piece and used while it is near, in every phase and at every place, so weights are read once a block.
 * The sums of a block, [phase][place][channel], are then turned and joined to rows of outputs, each written once. */
#include "base/checked.h"
#include "base/layout.h"
#include "choose/tiles.h"
#include "ops/conv_phases.h"

enum {
  BLOCK_PLACES = 64,     /* worth having in a block: weights are laid out anew for each */
  FEW_PLACES = 256,      /* less are hardly cut into blocks */
  MOST_LINE = 1 << 9,    /* places that the choice of tiles tells apart */
  PIECE_BYTES = 1 << 17, /* of weights, between layout and use */
  STORE_PLACES = 64,     /* turned at a time */
  BUDGETS = 4,           /* of scratch: a block lays out all weights anew, and reads its inputs once a panel, ... */
  MOST_BYTES = 8000000,  /* ... but no more than this, unless one is more */
  UNITS_A_THREAD = 2     /* so that dealing them out leaves no thread idle for long; each lays out its weights anew */
};

/* Places that follow each other in the halo, where windows are single inputs. */
static bool has_joined_rows(const cc_phases *p) { return p->window[1].taps == 1 && p->window[2].taps == 1; }

/* The tiles of a line, and panels for them; of few places so many that they can be dealt out evenly. */
static void choose_panels(cc_phases *p, int64_t line) {
  const cc_kernels *kernels = p->conv->kernels;
  const int64_t lanes = cc_ceil_div(p->conv->shape.oc, kernels->vector_length);
  const int64_t tiles = cconv_choose_tiles(kernels, line, lanes, true);
  p->rows = cc_ceil_div(line, tiles);
  const int64_t fewest = cc_ceil_div(lanes, kernels->conv_tiles[p->rows - 1].width[0].nv);
  int64_t places = 1, least = INT64_MAX;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    places = cc_min(places * cc_min(p->axis[a].out, FEW_PLACES), FEW_PLACES);
  for (int64_t panels = fewest; panels <= cc_min(lanes, fewest + (places < FEW_PLACES ? 2 : 0)); panels++) {
    const int64_t vectors = cc_ceil_div(lanes, panels), count = cc_ceil_div(lanes, vectors);
    const int64_t cost = cconv_tiles_cost(kernels, line, tiles, vectors, true) * (count + count % 2);
    if (cost < least) {
      least = cost;
      p->width = vectors * kernels->vector_length;
      p->panels = count;
    }
  }
}

bool cconv_phases_channels_prepare(cc_phases *p, int64_t threads) {
  const cc_conv *conv = p->conv;
  const cc_conv_shape *shape = &conv->shape;
  const int64_t es = conv->element, vl = conv->kernels->vector_length, images = shape->n * shape->groups;
  if (shape->oc < vl)
    return false;
  int64_t line = cc_min(p->axis[2].out, MOST_LINE);
  for (int a = 1; a >= 0 && has_joined_rows(p); a--)
    line = cc_min(line * cc_min(p->axis[a].out, MOST_LINE), MOST_LINE);
  choose_panels(p, line);
  p->piece = cc_min(shape->ic, cc_max(1, PIECE_BYTES / (p->taps * p->width * es)));
  if (p->matrix) /* whole slices */
    p->piece = cc_ceil_div(p->piece, CC_LINE_CHANNELS) * CC_LINE_CHANNELS;
  p->weights_bytes = 0;

  const double operations = cconv_phases_operations(p);
  threads = cconv_operation_parts(threads, threads, operations);
  const int64_t budget = cconv_operation_budget();
  const int64_t panel_bytes = p->kept ? 0 : cc_lines(p->piece * p->taps * p->width * es);
  const int64_t across_bytes = cc_lines(p->window[2].stride * p->width * STORE_PLACES * es);
  const int64_t place_bytes = p->phases * p->width * es, slack = vl * p->width * es;
  const int64_t whole = cc_ceil_div(shape->ic, CC_LINE_CHANNELS) * CC_LINE_CHANNELS;
  const int64_t fixed = p->offsets_bytes + p->table_bytes + cc_lines(p->piece * p->taps * p->width * es) + slack +
                        2 * across_bytes + (p->matrix ? cconv_phases_matrix_fixed(p) : 0);
  cc_block_request request = {
      .axis = p->axis,
      .channels = p->matrix ? whole : shape->ic,
      /* Bytes of a value in parts, and of one as it comes, of 32 channels at a time. */
      .element = p->matrix ? CC_PARTS * 2 + cc_ceil_div(CC_LINE_CHANNELS * es, whole) : es,
      .budget = cc_max(budget, cc_min(BUDGETS * budget, MOST_BYTES)) - fixed - 4 * CC_ALIGNMENT,
      .lanes = BLOCK_PLACES,
      .slab = place_bytes,
      .slab_always = true,
      .blocks = threads == 1 ? 1 : cc_ceil_div(UNITS_A_THREAD * threads, images * p->panels),
  };
  cconv_choose_blocks(&request, &p->blocks);
  if (p->bounded && p->blocks.chunks != 1) {
    request.budget = MOST_BYTES - fixed;
    request.lanes = 1;
    cconv_choose_blocks(&request, &p->blocks);
  }
  if (p->blocks.chunks != 1)
    return false;
  if (p->matrix)
    cconv_halo_of(p->axis, p->blocks.out, p->blocks.taps, CC_ALIGNMENT / es, &p->blocks.halo);
  p->blocks_an_image = p->blocks.count[0] * p->blocks.count[1] * p->blocks.count[2];
  p->units = images * p->blocks_an_image * p->panels;
  p->parts = cconv_operation_parts(threads, p->units, operations);

  p->slab_places = p->blocks.out[0] * p->blocks.out[1] * p->blocks.out[2];
  p->panel_at = p->matrix ? cconv_phases_matrix_lay_out(p) : cc_lines(p->blocks.halo.channel * shape->ic * es);
  p->slab_at = p->panel_at + panel_bytes;
  p->across_at = p->slab_at + cc_lines(p->slab_places * place_bytes + slack);
  p->along_at = p->across_at + across_bytes;
  p->thread_bytes = p->along_at + across_bytes + CC_ALIGNMENT; /* a store reads beyond the last */
  return true;
}

void cconv_phases_channels_table(const cc_phases *p, int64_t channels, cc_tap_place *table) {
  for (int64_t t = 0; t < p->taps; t++) {
    cc_phase phase;
    const int64_t number = cconv_phase_of_tap(p, t, &phase);
    table[t] =
        (cc_tap_place){.at = (phase.before * channels + number) * p->width, .step = phase.terms * p->width, .lead = 1};
  }
}

/* The sums of a line of places, channels `lanes` of a panel. */
static void sum_line(const cc_phases *p, cc_conv_panel_job *job, int64_t line, int64_t lanes) {
  const cc_kernels *kernels = p->conv->kernels;
  const int64_t es = p->conv->element, vl = kernels->vector_length, tiles = cc_ceil_div(line, p->rows);
  const char *x = job->x, *panel = job->panel;
  char *slab = job->slab;
  for (int64_t i = 0; i < tiles; i++) {
    const int64_t from = cc_part(line, i, tiles), mr = cc_part(line, i + 1, tiles) - from;
    job->x = x + from * es;
    for (int64_t lane = 0, nv; lane < lanes; lane += nv * vl) {
      const cc_conv_tile *tile = cc_next_tile(kernels, mr, cc_ceil_div(lanes - lane, vl));
      nv = tile->nv;
      job->panel = panel + lane * es;
      job->slab = slab + (from * p->width + lane) * es;
      tile->panel(job);
    }
  }
  job->panel = panel;
}

/* Add the terms of channels [c, c + channels) to the sums of one phase, whose weights begin at `panel`. */
static void sum_phase(const cc_phases *p, const cc_phase *phase, const cc_block *block, int64_t c, int64_t channels,
                      int64_t lanes, const char *panel, char *scratch, char *slab) {
  const cc_halo *halo = &p->blocks.halo;
  const int64_t es = p->conv->element, *size = block->size;
  int64_t from[CCONV_MAX_SPATIAL], end[CCONV_MAX_SPATIAL];
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    from[a] = block->from[a];
    end[a] = from[a] + size[a];
    cconv_transpose_clip(&p->window[a], phase->j[a], &from[a], &end[a]);
    from[a] -= block->from[a];
    end[a] -= block->from[a];
  }
  cc_conv_panel_job job = {.k = channels * phase->terms,
                           .x = scratch,
                           .step = 1,
                           .off = (const int32_t *)(const void *)p->memory + phase->offsets + c * phase->terms,
                           .panel = panel,
                           .pitch = p->width,
                           .slab = slab,
                           .lds = p->width,
                           .fresh = c == 0};
  if (has_joined_rows(p) && halo->axis[2].pitch == size[2] && (halo->axis[1].pitch == size[1] || size[0] == 1)) {
    sum_line(p, &job, size[0] * size[1] * size[2], lanes);
    return;
  }
  for (int64_t d = from[0]; d < end[0]; d++)
    for (int64_t h = from[1]; h < end[1]; h++) {
      job.x = scratch + ((d * halo->axis[1].pitch + h) * halo->axis[2].pitch + from[2]) * es;
      job.slab = slab + ((d * size[1] + h) * size[2] + from[2]) * p->width * es;
      if (from[2] < end[2])
        sum_line(p, &job, end[2] - from[2], lanes);
    }
}

/* Where the outputs of one panel's channels go. */
typedef struct target {
  const cc_phases *p;
  const cc_block *block;
  int64_t n, channel, lanes;
  char *scratch;
} target;

static char *output_at(const cc_view *view, const target *t, const int64_t o[3]) {
  char *y = view->data;
  if (!y)
    return NULL;
  y += t->n * view->stride[CC_BATCH] + t->channel * view->stride[CC_CHANNEL];
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    y += o[a] > 0 ? o[a] * view->stride[CC_DEPTH + a] : 0; /* the step of a lone output may be anything */
  return y;
}

static void store_rows(const target *t, cc_conv_rows *rows, const int64_t o[3]) {
  const cc_conv *conv = t->p->conv;
  rows->bias = conv->bias ? conv->bias + t->channel * conv->element : NULL;
  rows->y = output_at(&conv->output, t, o);
  rows->residual = output_at(&conv->residual, t, o);
  cconv_conv_store(conv, rows);
}

/* Places of the slab from one row of the block to the next, and where row (d, h) begins. */
static int64_t row_pitch(const cc_phases *p, const cc_block *block) {
  return p->matrix ? p->blocks.halo.axis[2].pitch : block->size[2];
}

static int64_t row_place(const cc_phases *p, const cc_block *block, int64_t d, int64_t h) {
  return (d * (p->matrix ? p->blocks.halo.axis[1].pitch : block->size[1]) + h) * row_pitch(p, block);
}

/* Store row (d, h) of the block where channels lie side by side: outputs of slice and row o, whose first column phase is
 * `phase`. */
static void store_pixels(const target *t, const int64_t o[3], int64_t phase, int64_t d, int64_t h) {
  const cc_phases *p = t->p;
  const cc_conv *conv = p->conv;
  const cc_block *block = t->block;
  const int64_t es = conv->element;
  for (int64_t j = 0; j < p->window[2].stride; j++) {
    int64_t from = block->from[2], end = from + block->size[2];
    cconv_transpose_clip(&p->window[2], j, &from, &end);
    const int64_t at[3] = {o[0], o[1], from * p->window[2].stride + j - p->window[2].skip};
    const int64_t place = row_place(p, block, d, h) + from - block->from[2], step = p->window[2].stride;
    if (from >= end)
      continue;
    const int64_t apart = end - from > 1 ? step : 0;
    store_rows(t,
               &(cc_conv_rows){.channels = true,
                               .slab = t->scratch + p->slab_at + ((phase + j) * p->slab_places + place) * p->width * es,
                               .lds = p->width,
                               .rows = end - from,
                               .n = t->lanes,
                               .y_stride = apart ? apart * conv->output.stride[CC_WIDTH] : 0,
                               .residual_stride = apart ? apart * conv->residual.stride[CC_WIDTH] : 0},
               at);
  }
}

/* Turn `n` places from `place` on of the column phases from `phase` on, and join them: rows of outputs, channel by
 * channel, each `n` times the stride long and as far apart as STORE_PLACES are. */
static char *join_phases(const target *t, int64_t phase, int64_t place, int64_t n) {
  const cc_phases *p = t->p;
  const cc_kernels *kernels = p->conv->kernels;
  const int64_t es = p->conv->element, vl = kernels->vector_length, s = p->window[2].stride;
  char *across = t->scratch + p->across_at, *along = t->scratch + p->along_at;
  for (int64_t j = 0; j < s; j++) /* whole squares: there are lanes and slack for that */
    kernels->transpose(
        &(cc_transpose_job){.source = t->scratch + p->slab_at + ((phase + j) * p->slab_places + place) * p->width * es,
                            .stride = p->width * es,
                            .rows = cc_ceil_div(n, vl) * vl,
                            .n = cc_ceil_div(t->lanes, vl) * vl,
                            .target = across + j * p->width * STORE_PLACES * es,
                            .ldt = STORE_PLACES});
  if (s == 1)
    return across;
  kernels->interleave(&(cc_interleave_job){.x = across,
                                           .plane = p->width * STORE_PLACES,
                                           .ldx = STORE_PLACES,
                                           .phases = s,
                                           .rows = t->lanes,
                                           .n = n,
                                           .y = along,
                                           .ldy = STORE_PLACES * s});
  return along;
}

/* Store rows [h, h + rows) of slice d, of phases (j0, j1): whole rows, or a part of one. */
static void store_lines(const target *t, const int64_t j[2], int64_t d, int64_t h, int64_t rows) {
  const cc_phases *p = t->p;
  const cc_conv *conv = p->conv;
  const cc_block *block = t->block;
  const cc_transpose_window *columns = &p->window[2];
  const int64_t line = block->size[2], pitch = row_pitch(p, block),
                phase = (j[0] * p->window[1].stride + j[1]) * columns->stride;
  const bool pixels = conv->output.stride[CC_CHANNEL] == conv->element && conv->output.dtype == conv->dtype;
  for (int64_t w = 0, n; w < line && !(pixels && w > 0); w += n) {
    char *joined = NULL;
    n = cc_min(line - w, STORE_PLACES);
    if (!pixels)
      joined = join_phases(t, phase, row_place(p, block, d, h) + w, (rows - 1) * pitch + n);
    for (int64_t r = 0; r < rows; r++) {
      int64_t o[3] = {cconv_transpose_output(&p->window[0], block->from[0] + d, j[0]),
                      cconv_transpose_output(&p->window[1], block->from[1] + h + r, j[1])};
      if (o[0] < 0 || o[1] < 0)
        continue;
      if (pixels) {
        store_pixels(t, o, phase, d, h + r);
        continue;
      }
      const int64_t first = (block->from[2] + w) * columns->stride - columns->skip, from = cc_max(first, 0);
      o[2] = from;
      store_rows(t,
                 &(cc_conv_rows){.slab = joined + (r * pitch * columns->stride + from - first) * conv->element,
                                 .lds = STORE_PLACES * columns->stride,
                                 .rows = t->lanes,
                                 .n = cc_min(columns->out, first + n * columns->stride) - from,
                                 .bias_step = 1,
                                 .y_stride = conv->output.stride[CC_CHANNEL],
                                 .residual_stride = conv->residual.stride[CC_CHANNEL]},
                 o);
    }
  }
}

/* What a block looks at of image n and group g. */
static void pack(const cc_phases *p, int64_t n, int64_t g, const cc_block *block, char *scratch) {
  const cc_conv *conv = p->conv;
  const cc_chunk chunk = {.channels = conv->shape.ic,
                          .taps = {p->axis[0].kernel, p->axis[1].kernel, p->axis[2].kernel}};
  if (p->matrix)
    cconv_phases_matrix_pack(p, n, g, block, scratch);
  else
    cconv_operation_pack(conv->kernels, &p->blocks, p->axis, &conv->input, n, g * conv->shape.ic, block, &chunk,
                         conv->padding_value, scratch);
}

/* Add the terms of channels [c, c + channels) to the sums of all phases. Their weights are where the plan keeps the
 * panel's, or else in the scratch. */
static void sum_piece(const cc_phases *p, const cc_block *block, int64_t c, int64_t channels, int64_t lanes,
                      const char *kept, char *scratch) {
  const int64_t es = p->conv->element, ic = p->conv->shape.ic;
  for (int64_t f = 0; f < p->phases; f++) {
    cc_phase phase;
    cconv_phase_of(p, f, &phase);
    const char *panel = kept ? kept + (phase.before * ic + c * phase.terms) * p->width * es
                             : scratch + p->panel_at + phase.before * p->piece * p->width * es;
    if (p->matrix)
      cconv_phases_matrix_weights(p, &phase, panel, channels, lanes, scratch);
    else
      sum_phase(p, &phase, block, c, channels, lanes, panel, scratch,
                scratch + p->slab_at + f * p->slab_places * p->width * es);
  }
  if (p->matrix)
    cconv_phases_matrix_sum(p, cconv_block_positions(&p->blocks.halo, block), c, channels, scratch);
}

/* One panel of channels at one block of places. */
void cconv_phases_channels_unit(void *arg, int64_t unit, bool first_unit, int64_t part) {
  const cc_phases *p = arg;
  const cc_conv *conv = p->conv;
  const cc_conv_shape *shape = &conv->shape;
  const int64_t es = conv->element;
  char *scratch = p->memory + p->offsets_bytes + p->table_bytes + part * p->thread_bytes;
  const int64_t t = unit % p->panels, place = unit / p->panels, image = place / p->blocks_an_image;
  const int64_t n = image / shape->groups, g = image % shape->groups;
  const cc_block block = cconv_block_of(&p->blocks, p->axis, place % p->blocks_an_image);
  const int64_t oc = t * p->width, lanes = cc_min(p->width, shape->oc - oc);
  if (first_unit || t == 0) /* else the unit before left this block's in the scratch */
    pack(p, n, g, &block, scratch);
  const char *kept =
      p->kept ? p->kept + p->table_bytes + (g * p->panels + t) * p->width * p->taps * shape->ic * es : NULL;
  for (int64_t c = 0, channels; c < shape->ic; c += channels) {
    channels = cc_min(p->piece, shape->ic - c);
    if (!kept)
      cconv_phases_spread(p, (const cc_tap_place *)(const void *)(p->memory + p->offsets_bytes), true, g, c, channels,
                          oc, lanes, scratch + p->panel_at);
    sum_piece(p, &block, c, channels, lanes, kept, scratch);
  }
  const target to = {p, &block, n, g * shape->oc + oc, lanes, scratch};
  const int64_t together = cc_max(1, STORE_PLACES / row_pitch(p, &block));
  int64_t j[2];
  for (int64_t d = 0; d < block.size[0]; d++)
    for (int64_t h = 0; h < block.size[1]; h += together)
      for (j[0] = 0; j[0] < p->window[0].stride; j[0]++)
        for (j[1] = 0; j[1] < p->window[1].stride; j[1]++)
          store_lines(&to, j, d, h, cc_min(together, block.size[1] - h));
}
