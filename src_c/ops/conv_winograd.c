/* SPDX-License-Identifier: BSD-3-Clause
 * conv_winograd.c - the driver of Winograd's algorithm: kernels of 3 or 5 along two axes or one, any number of slices.
 *
 * Law: a unit of work is one block of tiles of one plane, and one run of its blocks of output channels. Values
 * are transformed once a block, products summed while they are hot, the output written once. Tiles lie on a grid
 * from the plane's first output on, and chunks of a sum on one from its first term: whatever is cut, every
 * output is the same sum of the same products in the same order. */
#include "ops/conv_winograd.h"

enum {
  PART_TERMS = 32,    /* at most, of a chain of multiply-adds: see product.tmpl.h; in the result's definition */
  CHUNK_TERMS = 128,  /* at most, whose weights are in the level 1 cache at once; in the result's definition, too */
  WHOLE_VECTORS = 16, /* terms, that fill vectors of every kind: what chunks are a multiple of */
  MOST_BYTES = 4608 << 10,   /* of a thread's values and sums, however small the cache */
  SHARED_BYTES = 3072 << 10, /* of weights for each thread that one phase makes for the next, */
  SHARED_CYCLES = 40000,  /* if that saves each thread more: for another parallel region, and lines from other caches */
  STORE_BYTES = 16 << 10, /* of a slab on its way to the output */
  LANE_BYTES = 256 << 10, /* of a tile of inputs of each phase of columns that a block has, */
  PHASE_BYTES = 1 << 20,  /* and of their values and sums */
  PIECE = 32,             /* input channels times slices whose taps are read at once */
  PIECE_TERMS = 16        /* whose weights are made at once where all are kept: their taps stay in the level 1 cache */
};

static cc_method method_of(const cc_conv *conv) {
  return cconv_choose_method(conv->algorithm, conv->dtype, &conv->shape);
}

static bool fits(const cc_conv *conv) { return method_of(conv).winograd != NULL; }

static void trade(int64_t *a, int64_t *b) {
  const int64_t first = *a;
  *a = *b;
  *b = first;
}

/* The convolution whose first two axes have traded places, if they do. The kernel has one tap along one of them, so that
 * terms keep their order. */
static cc_conv turned(const cc_conv *conv, const cc_method *method) {
  cc_conv c = *conv;
  if (!method->turned)
    return c;
  cc_view *views[] = {&c.input, &c.residual, &c.output};
  for (int i = 0; i < 3; i++) {
    trade(&views[i]->shape[CC_DEPTH], &views[i]->shape[CC_HEIGHT]);
    trade(&views[i]->stride[CC_DEPTH], &views[i]->stride[CC_HEIGHT]);
  }
  trade(&c.weight.tap[0], &c.weight.tap[1]);
  c.shape.axis[0] = conv->shape.axis[1];
  c.shape.axis[1] = conv->shape.axis[0];
  return c;
}

static const cc_winograd *kernels_of(const cc_kernels *kernels, const cc_winograd_costs *kind) {
  const cc_winograd *w = kernels->winograd;
  while (w->m != kind->m || w->taps != kind->taps || w->axes != kind->axes)
    w++;
  return w;
}

/* The widest tile of direct sums, in elements. */
static int64_t widest_tile(const cc_kernels *kernels) {
  int64_t nv = 0;
  for (int i = 0; i < kernels->conv_rows; i++)
    nv = cc_max(nv, kernels->conv_tiles[i].width[0].nv);
  return nv * kernels->vector_length;
}

/* Are rows of a view, `n` elements each, one behind the other? */
static bool rows_follow(const cc_view *view, int64_t n) {
  int64_t row;
  return cc_mul(n, view->stride[CC_WIDTH], &row) && row == view->stride[CC_HEIGHT];
}

/* What tiles are like along the last two axes. */
static void measure_tiles(const cc_conv *conv, cc_conv_winograd *w) {
  const int64_t vector_bytes = conv->kernels->vector_length * conv->element;
  for (int a = 0; a < 2; a++) {
    const cc_axis *axis = &conv->shape.axis[a + 1];
    const bool transformed = w->method.transformed[a];
    w->m[a] = transformed ? w->kernels->m : 1;
    w->halo[a] = transformed ? w->kernels->taps - 1 : 0;
    w->dilation[a] = transformed ? axis->dilation : 1;
    w->phases[a] = cc_min(w->dilation[a], axis->out);
    w->tiles[a] = cc_ceil_div(cc_ceil_div(axis->out, w->phases[a]), w->m[a]);
  }
  w->phase_rows = w->tiles[0];
  w->tiles[0] *= w->phases[0];
  const int64_t side = w->kernels->m + w->kernels->taps - 1;
  w->domain_rows = w->kernels->axes == 2 ? side : 1;
  w->planes_f = w->domain_rows * side;
  w->planes_made = w->kernels->weight_rows * side;
  w->transformed_taps = w->kernels->axes == 2 ? (int64_t)w->kernels->taps * w->kernels->taps : w->kernels->taps;
  const int64_t lanes = (w->m[0] + w->halo[0]) * (w->m[1] + w->halo[1]) * vector_bytes;
  w->phase_parts = w->phases[1] == 1 ? 1 : cc_ceil_div(w->phases[1], cc_max(1, LANE_BYTES / lanes));
}

/* What the shapes of weight and image say alone. */
static void measure(const cc_conv *conv, const cc_method *method, cc_conv_winograd *w) {
  const cc_conv_shape *shape = &conv->shape;
  const int64_t vector = conv->kernels->vector_length, es = conv->element;
  *w = (cc_conv_winograd){.method = *method, .kernels = kernels_of(conv->kernels, method->winograd)};
  measure_tiles(conv, w);
  w->slices = shape->axis[0].kernel;
  w->shares = shape->axis[0].stride == 1 && shape->axis[0].dilation == 1;
  w->terms = shape->ic * w->slices;
  w->chunks_a_slice = cc_ceil_div(shape->ic, CHUNK_TERMS);
  w->chunk_terms = cc_ceil_div(cc_ceil_div(shape->ic, w->chunks_a_slice), WHOLE_VECTORS) * WHOLE_VECTORS;
  w->chunks = w->slices * w->chunks_a_slice;
  w->piece = cc_max(1, cc_min(PIECE / w->slices, shape->ic));
  w->vectors = cc_ceil_div(shape->oc, vector);
  w->channel_blocks = cc_ceil_div(w->vectors, conv->kernels->product_vectors);
  w->channel_blocks += w->channel_blocks > 1 && w->channel_blocks % 2; /* so that two threads may share them evenly */
  w->width = cc_ceil_div(w->vectors, w->channel_blocks) * vector;
  w->weight_plane = cc_odd_lines(w->terms * w->width, es);
  w->weights_bytes = shape->groups * w->channel_blocks * w->planes_f * w->weight_plane * es;
  w->value_pitch = cc_odd_lines(w->chunk_terms, es);
  w->sum_pitch = cc_odd_lines(w->width, es);
  w->keeps_taps = w->planes_made < w->planes_f;
  w->slack = widest_tile(conv->kernels);
  const int64_t tile_bytes = w->planes_f * (w->slices * w->chunks_a_slice * w->value_pitch + w->sum_pitch) * es;
  w->phase_parts = cc_max(w->phase_parts, cc_ceil_div(w->phases[1], cc_max(1, PHASE_BYTES / tile_bytes)));
}

static void choose_blocks(const cc_conv *conv, int64_t threads, bool kept, cc_conv_winograd *w) {
  const cc_conv_shape *shape = &conv->shape;
  const cc_winograd_costs *costs = w->method.winograd;
  const cc_tile_request request = {.m = {w->m[0], w->m[1]},
                                   .halo = {w->halo[0], w->halo[1]},
                                   .tiles = {w->tiles[0], w->tiles[1]},
                                   .group = cc_ceil_div(w->phases[1], w->phase_parts),
                                   .planes =
                                       shape->n * shape->groups * w->phase_parts * (w->shares ? 1 : shape->axis[0].out),
                                   .depth = w->shares ? shape->axis[0].out : 1,
                                   .taps = w->slices,
                                   .terms = w->terms,
                                   .vectors = w->vectors,
                                   .vector_length = conv->kernels->vector_length,
                                   .channel_blocks = w->channel_blocks,
                                   .value_bytes = w->planes_f * w->chunks_a_slice * w->value_pitch * conv->element,
                                   .sum_bytes = w->planes_f * w->sum_pitch * conv->element,
                                   .weight_bytes = w->weights_bytes / shape->groups,
                                   .weights_kept = kept,
                                   .cache = cconv_cache_l2(),
                                   .most = MOST_BYTES,
                                   .products = w->planes_f,
                                   .input = costs->input,
                                   .output = costs->output,
                                   .weight = costs->far_weight,
                                   .threads = threads};
  cconv_choose_tile_blocks(&request, &w->blocks);
  if (!w->shares)
    w->blocks.slice_count = shape->axis[0].out;
  w->units = shape->n * shape->groups * w->blocks.slice_count * w->phase_parts * w->blocks.count[0] *
             w->blocks.count[1] * w->blocks.runs;
}

/* Bytes of the scratch that making weights takes: taps as lanes, and those of one vector of channels as rows. */
static int64_t taps_bytes(const cc_conv_winograd *w, const cc_conv *conv, bool all_planes) {
  const int64_t vector = conv->kernels->vector_length, chunk = cc_min(w->chunk_terms, conv->shape.ic);
  const int64_t lanes = all_planes ? PIECE_TERMS * w->width : w->keeps_taps ? chunk * w->width : w->piece * vector;
  return cc_lines(lanes * w->transformed_taps * conv->element);
}

static int64_t rows_bytes(const cc_conv_winograd *w, const cc_conv *conv) {
  return cc_lines(w->piece * w->slices * w->transformed_taps * conv->kernels->vector_length * conv->element);
}

static int64_t lay_out_patch(const cc_conv *conv, cc_conv_winograd *w) {
  const int64_t es = conv->element, slack = w->slack;
  const int64_t tile[CCONV_MAX_SPATIAL] = {0};
  cc_axis axis[CCONV_MAX_SPATIAL];
  cc_blocks *patch = &w->patch;
  patch->channels = w->piece;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    patch->out[a] = a == 0 ? 1 : w->m[a - 1];
    patch->taps[a] = conv->shape.axis[a].kernel;
  }
  cconv_winograd_patch_axes(conv, w, tile, axis);
  cconv_halo_of(axis, patch->out, patch->taps, CC_ALIGNMENT / es, &patch->halo);
  const int64_t terms = patch->channels * w->slices * w->transformed_taps, rows = conv->kernels->conv_rows;
  return cc_lines((patch->halo.channel * patch->channels + slack) * es) +
         cc_lines(rows * (patch->halo.positions + slack) * es) + cc_lines(rows * terms * es) +
         cc_lines(terms * (int64_t)sizeof(int32_t));
}

/* A thread's scratch. */
static void lay_out(const cc_conv *conv, cc_conv_winograd *w, bool makes) {
  const cc_conv_shape *shape = &conv->shape;
  const int64_t es = conv->element, vector = conv->kernels->vector_length;
  const int64_t *size = w->blocks.size, *m = w->m;
  const int64_t slices = w->blocks.slices, phases = cc_ceil_div(w->phases[1], w->phase_parts);
  const int64_t rows = m[0] * cc_min(size[0], w->phase_rows) + w->halo[0],
                columns = (m[1] * size[1] + w->halo[1]) * phases;
  const int64_t tiles = size[0] * size[1] * phases, width = cc_min(m[1] * size[1] * phases, shape->axis[2].out);
  w->value_chunk = cc_odd_lines((slices + w->slices - 1) * tiles * w->value_pitch, es);
  w->value_plane = cc_odd_lines(w->chunks_a_slice * w->value_chunk, es);
  w->sum_plane = cc_odd_lines(slices * tiles * w->sum_pitch, es);
  w->lane_pitch = cc_odd_lines(columns * vector, es);
  w->panel_pitch = cc_odd_lines(rows * columns, es);
  w->output_pitch = m[1] * size[1] * phases * vector;
  w->store_rows = w->merges ? cc_max(1, cc_min(size[0], STORE_BYTES / (vector * m[0] * width * es))) : 1;
  w->slab_pitch = cc_odd_lines(w->store_rows * m[0] * width + vector, es);
  const int64_t chunk = cc_min(w->chunk_terms, shape->ic);
  const int64_t panel = cc_max(w->gathers ? 0 : cc_lines(w->panel_pitch * vector * es),
                               makes && !conv->weight.in_place ? rows_bytes(w, conv) : 0);
  int64_t at = cc_lines(w->planes_f * w->value_plane * es);
  w->sums_at = at;
  at += cc_lines(w->planes_f * w->sum_plane * es);
  w->chunk_at = at;
  at += cc_lines(CC_PRODUCT_TILES * w->width * es);
  w->made_at = at;
  at += makes && !w->shared ? cc_lines(w->planes_made * cc_odd_lines(chunk * w->width, es) * es) : 0;
  w->lanes_at = at;
  at += cc_lines(rows * w->lane_pitch * es);
  w->outputs_at = at;
  at += cc_lines((m[0] * w->output_pitch + vector * vector) * es) +
        cc_lines(size[1] * phases * (int64_t)sizeof(uint32_t));
  w->taps_at = at;
  at += makes ? taps_bytes(w, conv, w->shared) : 0;
  w->panel_at = at;
  at += panel;
  w->slab_at = at;
  at += cc_lines(w->slab_pitch * vector * es);
  w->patch_at = at;
  w->thread_bytes = at + lay_out_patch(conv, w);
}

static void prepare(const cc_conv *given, int64_t threads, cc_conv_work *work) {
  cc_conv_winograd *w = (cc_conv_winograd *)(void *)work->state;
  const cc_method method = method_of(given);
  const cc_conv conv = turned(given, &method);
  const cc_view *in = &conv.input;
  const int64_t es = conv.element, width = conv.shape.axis[2].out;
  const double operations = cconv_conv_operations(&conv);
  const bool kept = conv.weight.kept;
  measure(&conv, &method, w);
  threads = cconv_operation_parts(threads, threads, operations);
  choose_blocks(&conv, threads, kept, w);
  const int64_t places = w->units / w->blocks.runs / conv.shape.groups;
  const double making = (double)w->vectors * (double)(conv.shape.groups * w->terms * method.winograd->near_weight);
  if (!kept && places > 1 && w->weights_bytes <= threads * SHARED_BYTES &&
      making * (double)(places - 1) > (double)(threads * SHARED_CYCLES)) {
    w->shared = true;
    choose_blocks(&conv, threads, true, w);
  }
  w->parts = cconv_operation_parts(threads, w->units, operations);
  w->gathers = in->dtype == conv.dtype && conv.shape.axis[2].map == CCONV_PADDING_CONSTANT &&
               (in->stride[CC_WIDTH] == es || in->stride[CC_CHANNEL] == es);
  w->merges = w->blocks.count[1] == 1 && w->dilation[0] == 1 && w->phases[1] == w->dilation[1] && w->phase_parts == 1 &&
              rows_follow(&conv.output, width) && (!conv.residual.data || rows_follow(&conv.residual, width));
  lay_out(&conv, w, !kept);
  work->parts = w->parts;
  work->weights = w->weights_bytes + taps_bytes(w, &conv, true); /* and what pack() needs */
  work->workspace = (w->shared ? cc_lines(w->weights_bytes) : 0) + w->parts * w->thread_bytes;
}

/* Where the kept weights of a block of output channels begin, in bytes; `index` counts them through all groups. */
static int64_t weights_at(const cc_conv_winograd *w, int64_t index) {
  return index * w->planes_f * w->weight_plane * w->conv->element;
}

static cc_terms terms_of(const cc_conv_winograd *w, int64_t chunk) {
  const int64_t ic = w->conv->shape.ic, slice = chunk / w->chunks_a_slice;
  const int64_t of_slice = chunk % w->chunks_a_slice, c = of_slice * w->chunk_terms;
  return (cc_terms){
      .slice = slice, .chunk = of_slice, .from = slice * ic + c, .end = slice * ic + cc_min(ic, c + w->chunk_terms)};
}

/* Pieces of one block of output channels that weights are made in, where all planes are kept. */
static int64_t pieces(const cc_conv_winograd *w, const cc_conv *conv) {
  return w->slices * cc_ceil_div(conv->shape.ic, PIECE_TERMS);
}

/* One piece of all weights. taps and panel: scratch. */
static void make(const cc_conv_winograd *w, int64_t index, char *taps, char *panel, char *weights) {
  const int64_t es = w->conv->element, ic = w->conv->shape.ic, count = pieces(w, w->conv);
  const int64_t a_slice = count / w->slices, block = index / count, slice = index % count / a_slice;
  const int64_t g = block / w->channel_blocks, b = block % w->channel_blocks, c = index % a_slice * PIECE_TERMS;
  const int64_t vectors = cc_part(w->vectors, b + 1, w->channel_blocks) - cc_part(w->vectors, b, w->channel_blocks);
  const int64_t width = vectors * w->conv->kernels->vector_length, side = w->planes_f / w->domain_rows;
  const cc_terms k = {.slice = slice, .from = slice * ic + c, .end = slice * ic + cc_min(ic, c + PIECE_TERMS)};
  char *target = weights + weights_at(w, block) + k.from * width * es;
  for (int64_t row = 0; row < w->domain_rows; row += w->kernels->weight_rows)
    cconv_winograd_make(w, g, b, &k, row, w->weight_plane, taps, panel, target + row * side * w->weight_plane * es);
}

static void pack(const cc_conv *given, const cc_conv_work *work, char *weights) {
  cc_conv_winograd w = *(const cc_conv_winograd *)(const void *)work->state;
  const cc_conv conv = turned(given, &w.method);
  const int64_t count = conv.shape.groups * w.channel_blocks * pieces(&w, &conv);
  w.conv = &conv;
  for (int64_t i = 0; i < count; i++)
    make(&w, i, weights + w.weights_bytes, NULL, weights);
}

/* The first phase of a run whose weights nobody keeps. */
static void make_unit(void *arg, int64_t unit, bool first, int64_t part) {
  const cc_conv_winograd *w = arg;
  char *scratch = w->workspace + part * w->thread_bytes;
  (void)first;
  make(w, unit, scratch + w->taps_at, scratch + w->panel_at, w->workspace - cc_lines(w->weights_bytes));
}

/* What comes after these products: its weights, then its values, in pieces of what one kernel fetches. */
typedef struct upcoming {
  const char *weights, *values;
  int64_t weight_bytes, value_bytes;
} upcoming;

static const char *next_piece(upcoming *u, int64_t bytes, const char *otherwise) {
  const char *piece = otherwise;
  if (u->weight_bytes > 0) {
    piece = u->weights;
    u->weights += bytes;
    u->weight_bytes -= bytes;
  } else if (u->value_bytes > 0) {
    piece = u->values;
    u->values += bytes;
    u->value_bytes -= bytes;
  }
  return piece;
}

/* Where values of a chunk's terms begin, in elements: the first slice out sees the slices from its own tap on. */
static int64_t values_at(const cc_conv_winograd *w, const cc_tile_block *block, int64_t f, const cc_terms *k) {
  return f * w->value_plane + k->chunk * w->value_chunk + k->slice * block->tiles * w->value_pitch;
}

/* Products of one f and chunk for all tiles: groups of nearly equal size, so that none is small. `values` are at
 * values_at(), and `then` those that are multiplied next. */
static void multiply(const cc_conv_winograd *w, const cc_tile_block *block, int64_t f, const cc_terms *k, int64_t width,
                     const char *weights, int64_t values, int64_t then, char *scratch) {
  const int64_t es = w->conv->element, count = k->end - k->from;
  const cc_winograd_products *products = &w->conv->kernels->products[width / w->conv->kernels->vector_length - 1];
  const int64_t tiles = block->slices * block->tiles;
  const int64_t groups = cc_ceil_div(tiles, products->tiles), size = tiles / groups, larger = tiles % groups;
  upcoming next = {.weights = weights + count * width * es,
                   .values = scratch + then * es,
                   .weight_bytes = count * width * es,
                   .value_bytes = tiles * w->value_pitch * es};
  cc_winograd_product_job job = {.k = count,
                                 .part = cc_ceil_div(count, cc_ceil_div(count, PART_TERMS)),
                                 .values = scratch + values * es,
                                 .value_pitch = w->value_pitch,
                                 .weights = weights,
                                 .sums = scratch + w->sums_at + f * w->sum_plane * es,
                                 .sum_pitch = w->sum_pitch,
                                 .chunk = scratch + w->chunk_at,
                                 .fresh = k->from == 0};
  for (int64_t i = 0; i < groups; i++) {
    const int64_t group = size + (i < larger);
    job.ahead = next_piece(&next, count * CC_AHEAD, weights);
    products->product[group - 1](&job);
    job.values = (const char *)job.values + group * w->value_pitch * es;
    job.sums = (char *)job.sums + group * w->sum_pitch * es;
  }
}

/* Sums of block b of a group's output channels. */
static void sum_block(const cc_conv_winograd *w, const cc_tile_block *block, int64_t b, int64_t width, char *scratch) {
  const int64_t es = w->conv->element;
  if (w->weights) {
    const char *weights = w->weights + weights_at(w, block->g * w->channel_blocks + b);
    for (int64_t f = 0; f < w->planes_f; f++)
      for (int64_t i = 0; i < w->chunks; i++) { /* inside, for its sums stay in the level 1 cache */
        const bool last = i + 1 == w->chunks;
        const cc_terms k = terms_of(w, i), next = terms_of(w, last ? 0 : i + 1);
        multiply(w, block, f, &k, width, weights + (f * w->weight_plane + k.from * width) * es,
                 values_at(w, block, f, &k), values_at(w, block, f + last, &next), scratch);
      }
    return;
  }
  for (int64_t i = 0; i < w->chunks; i++) {
    const cc_terms k = terms_of(w, i);
    const int64_t plane = cc_odd_lines((k.end - k.from) * width, es);
    for (int64_t f = 0; f < w->planes_f; f++) {
      if (f % w->planes_made == 0)
        cconv_winograd_make(w, block->g, b, &k, f * w->domain_rows / w->planes_f, plane, scratch + w->taps_at,
                            scratch + w->panel_at, scratch + w->made_at);
      multiply(w, block, f, &k, width, scratch + w->made_at + f % w->planes_made * plane * es,
               values_at(w, block, f, &k), values_at(w, block, f + 1, &k), scratch);
    }
  }
}

static cc_tile_block block_of(const cc_conv_winograd *w, int64_t place) {
  const cc_conv_shape *shape = &w->conv->shape;
  const int64_t *count = w->blocks.count, depth = shape->axis[0].out;
  const int64_t index[2] = {place / count[1] % count[0], place % count[1]};
  const int64_t slice_count = w->blocks.slice_count;
  const int64_t plane = place / count[1] / count[0], part = plane % w->phase_parts;
  const int64_t slice = plane / w->phase_parts % slice_count, image = plane / w->phase_parts / slice_count;
  cc_tile_block block = {.n = image / shape->groups, .g = image % shape->groups};
  block.first_phase = cc_part(w->phases[1], part, w->phase_parts);
  block.phases = cc_part(w->phases[1], part + 1, w->phase_parts) - block.first_phase;
  block.od = cc_tile_from(depth, slice, slice_count);
  block.slices = cc_tile_from(depth, slice + 1, slice_count) - block.od;
  for (int a = 0; a < 2; a++) {
    block.from[a] = cc_tile_from(w->tiles[a], index[a], count[a]);
    block.size[a] = cc_tile_from(w->tiles[a], index[a] + 1, count[a]) - block.from[a];
  }
  block.tiles = block.size[0] * block.phases * block.size[1];
  return block;
}

static void run_unit(void *arg, int64_t unit, bool first, int64_t part) {
  const cc_conv_winograd *w = arg;
  char *scratch = w->workspace + part * w->thread_bytes;
  const int64_t vector = w->conv->kernels->vector_length, run = unit % w->blocks.runs;
  const cc_tile_block block = block_of(w, unit / w->blocks.runs);
  if (first || run == 0) /* else the unit before left the values of this block in the scratch */
    cconv_winograd_values(w, &block, scratch);
  const int64_t end = cc_part(w->channel_blocks, run + 1, w->blocks.runs);
  for (int64_t b = cc_part(w->channel_blocks, run, w->blocks.runs); b < end; b++) {
    const int64_t from = cc_part(w->vectors, b, w->channel_blocks);
    const int64_t vectors = cc_part(w->vectors, b + 1, w->channel_blocks) - from;
    sum_block(w, &block, b, vectors * vector, scratch);
    for (int64_t v = 0; v < vectors; v++)
      for (int64_t d = 0; d < block.slices; d++)
        cconv_winograd_store(w, &block, d, v, (from + v) * vector, scratch);
  }
}

static cconv_status run(const cc_conv *given, const cc_conv_work *work, cc_run *run, char *workspace) {
  cc_conv_winograd w = *(const cc_conv_winograd *)(const void *)work->state;
  const cc_conv conv = turned(given, &w.method);
  w.conv = &conv;
  w.weights = w.shared ? workspace : conv.weight.prepared;
  w.workspace = workspace + (w.shared ? cc_lines(w.weights_bytes) : 0);
  if (w.shared) {
    const int64_t units = conv.shape.groups * w.channel_blocks * pieces(&w, &conv);
    const cconv_status status = cconv_parallel(run, make_unit, &w, units, cc_min(w.parts, units));
    if (status)
      return status;
  }
  return cconv_parallel(run, run_unit, &w, w.units, w.parts);
}

static void describe(const cc_conv_work *work, cconv_plan_info *info) {
  const cc_conv_winograd *w = (const cc_conv_winograd *)(const void *)work->state;
  const int first = w->method.turned ? 1 : 0, second = w->method.turned ? 0 : 1;
  info->blocks[first] = w->blocks.slice_count;
  info->block[first] = w->blocks.slices;
  info->blocks[second] = w->blocks.count[0];
  info->block[second] = w->blocks.size[0] * w->m[0];
  info->blocks[2] = w->phase_parts * w->blocks.count[1];
  info->block[2] = w->blocks.size[1] * w->m[1] * cc_ceil_div(w->phases[1], w->phase_parts);
  info->chunks = w->chunks;
  info->rows = w->width;
}

extern const cc_conv_driver cconv_conv_winograd; /* conv_driver.c declares it again, from drivers.inc */
const cc_conv_driver cconv_conv_winograd = {
    .name = "winograd", .fits = fits, .prepare = prepare, .pack = pack, .run = run, .describe = describe};
