/* SPDX-License-Identifier: BSD-3-Clause
 * conv_phases_rows.c - all phases of a transposed convolution, with places in the lanes.
 *
 * Law: a tile's rows are channels in every column phase whose window is the same; so few channels, even one, fill a
 * tile. The sums of the column phases are joined in scratch that stays near, and each row of outputs is written once. */
#include "base/checked.h"
#include "base/layout.h"
#include "choose/tiles.h"
#include "ops/conv_phases.h"

enum {
  LANE_VECTORS = 4,  /* a block should have places for a tile of so many vectors */
  UNITS_A_THREAD = 4 /* so that dealing them out leaves no thread idle for long */
};

/* Column phases from j up to this one share a tile, which has a row for each and each channel of a run. */
static int64_t set_end(const cc_phases *p, int64_t j, int64_t channels) {
  const cc_transpose_window *columns = &p->window[2];
  const int64_t from = j < columns->fuller ? 0 : columns->fuller;
  const int64_t count = (j < columns->fuller ? columns->fuller : columns->stride) - from;
  const int64_t sets = cc_ceil_div(count, cc_max(1, p->conv->kernels->conv_rows / channels));
  const int64_t size = cc_ceil_div(count, sets);
  return from + cc_min(count, ((j - from) / size + 1) * size);
}

static const cc_conv_tile *tile_of(const cc_kernels *kernels, int64_t mr, int64_t nv) {
  const cc_conv_tile *tile = kernels->conv_tiles[mr - 1].width;
  while (tile->nv > nv)
    tile++;
  return tile->nv == nv ? tile : NULL;
}

/* Column phases of a pass that share a tile: its rows and terms, and where its sums go: bytes for each vector. */
typedef struct phase_set {
  int64_t rows, terms, at;
  const char *weights;
  const int32_t *off;
} phase_set;

/* The widest tiles that the sets of a run all have, of at most so many vectors. */
static int64_t common_vectors(const cc_phases *p, int64_t channels, int64_t vectors) {
  const cc_kernels *kernels = p->conv->kernels;
  const int64_t columns = p->window[2].stride;
  const cc_conv_tile *widths = kernels->conv_tiles[set_end(p, 0, channels) * channels - 1].width;
  for (;; widths++) { /* all have the one of one vector */
    bool all = widths->nv <= vectors;
    for (int64_t j = 0, end; all && j < columns; j = end) {
      end = set_end(p, j, channels);
      all = tile_of(kernels, (end - j) * channels, widths->nv);
    }
    if (all)
      return widths->nv;
  }
}

/* As many channels a run as take the least time: of each tile the greater of multiply-adds and loads. */
static int64_t choose_channels(const cc_phases *p, int64_t vectors) {
  const int64_t most = cc_min(p->conv->kernels->conv_rows, p->conv->shape.oc);
  int64_t best = 1, least = INT64_MAX, of = 1; /* least / of: its time */
  for (int64_t channels = most; channels > 0; channels--) {
    const int64_t nv = common_vectors(p, channels, vectors);
    int64_t cost = 0;
    for (int64_t j = 0, end; j < p->window[2].stride; j = end) {
      end = set_end(p, j, channels);
      const int64_t mr = (end - j) * channels;
      cost += cc_max(mr * nv, 2 * nv + mr + 1);
    }
    if (least == INT64_MAX || cost * of < least * channels * nv) {
      best = channels;
      least = cost;
      of = channels * nv;
    }
  }
  return best;
}

bool cconv_phases_rows_prepare(cc_phases *p, int64_t threads) {
  const cc_conv *conv = p->conv;
  const cc_conv_shape *shape = &conv->shape;
  const cc_kernels *kernels = conv->kernels;
  const int64_t es = conv->element, vl = kernels->vector_length, images = shape->n * shape->groups;
  int64_t widest = 0, places = 1;
  for (int i = 0; i < kernels->conv_rows; i++)
    widest = cc_max(widest, kernels->conv_tiles[i].width[0].nv * vl);
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    places = cc_min(widest, places * cc_min(widest, p->axis[a].out));
  p->rows = choose_channels(p, cc_ceil_div(places, vl));
  p->panels = cc_ceil_div(shape->oc, p->rows);
  const double operations = cconv_phases_operations(p);
  threads = cconv_operation_parts(threads, threads, operations);
  const int64_t weights = cc_lines(shape->groups * shape->oc * shape->ic * p->taps * es);
  /* A store may read a vector that begins at the last element. */
  const int64_t sums = cc_lines((p->rows * p->window[2].stride * widest + vl) * es);
  const cc_block_request request = {
      .axis = p->axis,
      .channels = shape->ic,
      .element = es,
      .budget = cconv_operation_budget() - p->offsets_bytes - p->table_bytes - weights - 2 * sums -
                p->window[2].stride * (int64_t)sizeof(phase_set) - 5 * CC_ALIGNMENT,
      .lanes = LANE_VECTORS * vl,
      .slack = widest,
      .blocks = threads == 1 ? 1 : cc_ceil_div(UNITS_A_THREAD * threads, cc_max(1, images)),
  };
  cconv_choose_blocks(&request, &p->blocks);
  if (p->blocks.chunks != 1)
    return false;
  p->blocks_an_image = p->blocks.count[0] * p->blocks.count[1] * p->blocks.count[2];
  p->units = images * p->blocks_an_image;
  p->parts = cconv_operation_parts(threads, p->units, operations);
  p->slack = widest;
  p->weights_bytes = p->kept ? 0 : weights;
  p->slab_at = cc_lines((p->blocks.halo.channel * shape->ic + widest) * es);
  p->along_at = p->slab_at + sums;
  p->sets_at = p->along_at + sums;
  p->thread_bytes = p->sets_at + cc_lines(p->window[2].stride * (int64_t)sizeof(phase_set));
  return true;
}

/* Where the weights of a run's phase begin: elements, in the order [phase][channel of the run][term]. Runs follow each
 * other. */
static int64_t phase_at(const cc_phases *p, const cc_phase *phase, int64_t oc, int64_t channels) {
  return p->conv->shape.ic * (oc * p->taps + channels * phase->before);
}

void cconv_phases_rows_weights(const cc_phases *p, cc_tap_place *table, char *weights) {
  const cc_conv_shape *shape = &p->conv->shape;
  for (int64_t r = 0; r < p->panels; r++) {
    const int64_t oc = cc_part(shape->oc, r, p->panels), channels = cc_part(shape->oc, r + 1, p->panels) - oc;
    for (int64_t t = 0; t < p->taps; t++) {
      cc_phase phase;
      const int64_t number = cconv_phase_of_tap(p, t, &phase), k = phase.terms * shape->ic;
      table[t] = (cc_tap_place){.at = phase_at(p, &phase, oc, channels) + number, .step = phase.terms, .lead = k};
    }
    for (int64_t g = 0; g < shape->groups; g++)
      cconv_phases_spread(p, table, false, g, 0, shape->ic, oc, channels,
                          weights + g * shape->oc * shape->ic * p->taps * p->conv->element);
  }
}

/* One run of channels, one phase of slices and rows, at one block. */
typedef struct pass {
  const cc_phases *p;
  const cc_block *block;
  int64_t n, channel, channels; /* of the output, of the run */
  int64_t j[2];
  const char *weights; /* of the group */
  int64_t oc;          /* of the group, the run's first */
  char *scratch;
} pass;

/* The sets of a pass; how many. */
static int64_t find_sets(const pass *s, phase_set *sets) {
  const cc_phases *p = s->p;
  const cc_conv *conv = p->conv;
  const int64_t es = conv->element, columns = p->window[2].stride;
  int64_t count = 0;
  for (int64_t j = 0, end; j < columns; j = end, count++) {
    cc_phase phase;
    cconv_phase_of(p, (s->j[0] * p->window[1].stride + s->j[1]) * columns + j, &phase);
    end = set_end(p, j, s->channels);
    sets[count] = (phase_set){.rows = (end - j) * s->channels,
                              .terms = phase.terms * conv->shape.ic,
                              .at = j * s->channels * conv->kernels->vector_length * es,
                              .weights = s->weights + phase_at(p, &phase, s->oc, s->channels) * es,
                              .off = (const int32_t *)(const void *)p->memory + phase.offsets};
  }
  return count;
}

/* The sums of all column phases at places [at, at + nv VL) of the halo: [column phase][channel of the run][place]. */
static void sum(const pass *s, const phase_set *sets, int64_t count, int64_t at, int64_t nv) {
  const cc_conv *conv = s->p->conv;
  for (int64_t i = 0; i < count; i++)
    tile_of(conv->kernels, sets[i].rows, nv)
        ->run(&(cc_conv_tile_job){.k = sets[i].terms,
                                  .w = sets[i].weights,
                                  .ldw = sets[i].terms,
                                  .x = s->scratch + at * conv->element,
                                  .off = sets[i].off,
                                  .slab = s->scratch + s->p->slab_at + sets[i].at * nv,
                                  .fresh = true});
}

/* The outputs of the column phases, joined row by row: channels so many elements apart. */
static char *join(const pass *s, int64_t n, int64_t lds, int64_t *apart) {
  const cc_phases *p = s->p;
  char *slab = s->scratch + p->slab_at, *along = s->scratch + p->along_at;
  const int64_t columns = p->window[2].stride;
  *apart = columns * lds;
  if (columns == 1)
    return slab;
  p->conv->kernels->interleave(&(cc_interleave_job){.x = slab,
                                                    .plane = s->channels * lds,
                                                    .ldx = lds,
                                                    .phases = columns,
                                                    .rows = s->channels,
                                                    .n = n,
                                                    .y = along,
                                                    .ldy = *apart});
  return along;
}

/* Store joined sums of places [at, end) of the halo. */
static void store(const pass *s, int64_t at, int64_t end, char *joined, int64_t lds) {
  const cc_phases *p = s->p;
  const cc_conv *conv = p->conv;
  const cc_transpose_window *columns = &p->window[2];
  cc_segment segment = {.position = at};
  while (cconv_next_segment(&p->blocks.halo, s->block, end, &segment)) {
    const int64_t first = segment.ow * columns->stride - columns->skip, from = cc_max(first, 0);
    cc_segment o = {.od = cconv_transpose_output(&p->window[0], segment.od, s->j[0]),
                    .oh = cconv_transpose_output(&p->window[1], segment.oh, s->j[1]),
                    .ow = from};
    if (o.od < 0 || o.oh < 0)
      continue;
    cconv_conv_store(
        conv, &(cc_conv_rows){
                  .slab = joined + ((segment.position - at) * columns->stride + from - first) * conv->element,
                  .lds = lds,
                  .rows = s->channels,
                  .n = cc_min(columns->out, first + segment.n * columns->stride) - from,
                  .bias = conv->bias ? conv->bias + s->channel * conv->element : NULL,
                  .bias_step = 1,
                  .y = cconv_segment_at(&conv->output, s->n, s->channel, &o),
                  .y_stride = conv->output.stride[CC_CHANNEL],
                  .residual = conv->residual.data ? cconv_segment_at(&conv->residual, s->n, s->channel, &o) : NULL,
                  .residual_stride = conv->residual.stride[CC_CHANNEL]});
  }
}

/* All channels at one block of places. */
void cconv_phases_rows_unit(void *arg, int64_t unit, bool first_unit, int64_t part) {
  const cc_phases *p = arg;
  const cc_conv *conv = p->conv;
  const cc_conv_shape *shape = &conv->shape;
  const int64_t es = conv->element, vl = conv->kernels->vector_length;
  const int64_t image = unit / p->blocks_an_image, g = image % shape->groups;
  const cc_block block = cconv_block_of(&p->blocks, p->axis, unit % p->blocks_an_image);
  const int64_t positions = cconv_block_positions(&p->blocks.halo, &block);
  const cc_chunk chunk = {.channels = shape->ic, .taps = {p->axis[0].kernel, p->axis[1].kernel, p->axis[2].kernel}};
  const char *weights = p->kept ? p->kept : p->memory + p->offsets_bytes;
  pass s = {.p = p, .block = &block, .n = image / shape->groups};
  s.scratch = p->memory + p->offsets_bytes + p->table_bytes + p->weights_bytes + part * p->thread_bytes;
  s.weights = weights + p->table_bytes + g * shape->oc * shape->ic * p->taps * es;
  if (first_unit)
    cconv_operation_clear(&p->blocks, es, p->slack, s.scratch);
  cconv_operation_pack(conv->kernels, &p->blocks, p->axis, &conv->input, s.n, g * shape->ic, &block, &chunk,
                       conv->padding_value, s.scratch);
  phase_set *const sets = (phase_set *)(void *)(s.scratch + p->sets_at);
  for (int64_t r = 0; r < p->panels; r++) {
    s.oc = cc_part(shape->oc, r, p->panels);
    s.channels = cc_part(shape->oc, r + 1, p->panels) - s.oc;
    s.channel = g * shape->oc + s.oc;
    const int64_t widest = common_vectors(p, s.channels, cc_ceil_div(positions, vl));
    for (s.j[0] = 0; s.j[0] < p->window[0].stride; s.j[0]++)
      for (s.j[1] = 0; s.j[1] < p->window[1].stride; s.j[1]++) {
        const int64_t count = find_sets(&s, sets);
        for (int64_t at = 0, n, apart; at < positions; at += n) {
          const int64_t left = cc_ceil_div(positions - at, vl);
          const int64_t nv = left >= widest ? widest : common_vectors(p, s.channels, left);
          n = cc_min(nv * vl, positions - at);
          sum(&s, sets, count, at, nv);
          char *joined = join(&s, n, nv * vl, &apart);
          store(&s, at, at + n, joined, apart);
        }
      }
  }
}
