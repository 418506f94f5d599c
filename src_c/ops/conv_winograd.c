/* SPDX-License-Identifier: BSD-3-Clause
 * conv_winograd.c - the driver of Winograd's algorithm: kernels of 3 x 3, any number of slices.
 *
 * Law: a unit of work is one block of tiles of one plane, and one run of its blocks of output channels. Values
 * are transformed once a block, products summed while they are hot, the output written once. Tiles lie on a grid
 * from the plane's first output on, and chunks of a sum on one from its first term: whatever is cut, every
 * output is the same sum of the same products in the same order. */
#include "ops/conv_winograd.h"
#include "choose/algorithm.h"

enum {
  PART_TERMS = 32,    /* at most, of a chain of multiply-adds: see product.tmpl.h; in the result's definition */
  CHUNK_TERMS = 128,  /* at most, whose weights are in the level 1 cache at once; in the result's definition, too */
  WHOLE_VECTORS = 16, /* terms, that fill vectors of every kind: what chunks are a multiple of */
  MOST_BYTES = 4608 << 10,   /* of a thread's values and sums, however small the cache */
  SHARED_BYTES = 3072 << 10, /* of weights for each thread that one phase makes for the next */
  STORE_BYTES = 16 << 10,    /* of a slab on its way to the output */
  PIECE = 32                 /* input channels times slices whose taps are read at once */
};

static const cc_winograd *kernels_for(const cc_conv *conv) {
  const cc_method method = cconv_choose_method(conv->algorithm, conv->dtype, &conv->shape);
  for (int i = 0; method != CC_METHOD_DIRECT && i < CC_WINOGRADS; i++)
    if (conv->kernels->winograd[i].m == (int32_t)method)
      return &conv->kernels->winograd[i];
  return NULL;
}

static bool fits(const cc_conv *conv) { return kernels_for(conv) != NULL; }

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

/* What the shapes of weight and image say alone. */
static void measure(const cc_conv *conv, cc_conv_winograd *w) {
  const cc_conv_shape *shape = &conv->shape;
  const int64_t vector = conv->kernels->vector_length;
  *w = (cc_conv_winograd){.kernels = kernels_for(conv)};
  const int64_t m = w->kernels->m, es = conv->element;
  w->side = m + 2;
  w->planes_f = w->side * w->side;
  w->planes_made = w->kernels->weight_rows * w->side;
  w->keeps_taps = w->planes_made < w->planes_f;
  w->slices = shape->axis[0].kernel;
  w->shares = shape->axis[0].stride == 1 && shape->axis[0].dilation == 1;
  w->terms = shape->ic * w->slices;
  w->chunks_a_slice = cc_ceil_div(shape->ic, CHUNK_TERMS);
  w->chunk_terms = cc_ceil_div(cc_ceil_div(shape->ic, w->chunks_a_slice), WHOLE_VECTORS) * WHOLE_VECTORS;
  w->chunks = w->slices * w->chunks_a_slice;
  w->piece = cc_max(1, cc_min(PIECE / w->slices, shape->ic));
  for (int a = 0; a < 2; a++)
    w->tiles[a] = cc_ceil_div(shape->axis[a + 1].out, m);
  w->vectors = cc_ceil_div(shape->oc, vector);
  w->channel_blocks = cc_ceil_div(w->vectors, conv->kernels->product_vectors);
  w->width = cc_ceil_div(w->vectors, w->channel_blocks) * vector;
  w->weight_plane = cc_odd_lines(w->terms * w->width, es);
  w->weights_bytes = shape->groups * w->channel_blocks * w->planes_f * w->weight_plane * es;
  w->value_pitch = cc_odd_lines(w->chunk_terms, es);
  w->sum_pitch = cc_odd_lines(w->width, es);
  w->slack = widest_tile(conv->kernels);
}

static void choose_blocks(const cc_conv *conv, int64_t threads, bool kept, cc_conv_winograd *w) {
  const cc_conv_shape *shape = &conv->shape;
  const cc_tile_request request = {.m = w->kernels->m,
                                   .tiles = {w->tiles[0], w->tiles[1]},
                                   .planes = shape->n * shape->groups * (w->shares ? 1 : shape->axis[0].out),
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
                                   .threads = threads};
  cconv_choose_tile_blocks(&request, &w->blocks);
  if (!w->shares)
    w->blocks.slice_count = shape->axis[0].out;
  w->units =
      shape->n * shape->groups * w->blocks.slice_count * w->blocks.count[0] * w->blocks.count[1] * w->blocks.runs;
}

/* Bytes of the scratch that making weights takes: taps as lanes, and those of one vector of channels as rows. */
static int64_t taps_bytes(const cc_conv_winograd *w, const cc_conv *conv) {
  const int64_t chunk = cc_min(w->chunk_terms, conv->shape.ic), vector = conv->kernels->vector_length;
  return cc_lines((w->keeps_taps ? chunk * w->width : w->piece * vector) * 9 * conv->element);
}

static int64_t rows_bytes(const cc_conv_winograd *w, const cc_conv *conv) {
  return cc_lines(w->piece * w->slices * 9 * conv->kernels->vector_length * conv->element);
}

static int64_t lay_out_patch(const cc_conv *conv, cc_conv_winograd *w) {
  const cc_axis *axis = conv->shape.axis;
  const int64_t m = w->kernels->m, es = conv->element, slack = w->slack;
  cc_blocks *patch = &w->patch;
  patch->channels = w->piece;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    patch->out[a] = a == 0 ? 1 : cc_min(m, axis[a].out);
    patch->taps[a] = axis[a].kernel;
  }
  cconv_halo_of(axis, patch->out, patch->taps, CC_ALIGNMENT / es, &patch->halo);
  const int64_t terms = patch->channels * w->slices * 9, rows = conv->kernels->conv_rows;
  return cc_lines((patch->halo.channel * patch->channels + slack) * es) +
         cc_lines(rows * (patch->halo.positions + slack) * es) + cc_lines(rows * terms * es) +
         cc_lines(terms * (int64_t)sizeof(int32_t));
}

/* A thread's scratch. */
static void lay_out(const cc_conv *conv, cc_conv_winograd *w, bool makes) {
  const cc_conv_shape *shape = &conv->shape;
  const int64_t m = w->kernels->m, es = conv->element, vector = conv->kernels->vector_length;
  const int64_t *size = w->blocks.size;
  const int64_t rows = m * size[0] + 2, columns = m * size[1] + 2, tiles = size[0] * size[1];
  const int64_t slices = w->blocks.slices;
  const int64_t width = cc_min(m * size[1], shape->axis[2].out);
  w->value_chunk = cc_odd_lines((slices + w->slices - 1) * tiles * w->value_pitch, es);
  w->value_plane = cc_odd_lines(w->chunks_a_slice * w->value_chunk, es);
  w->sum_plane = cc_odd_lines(slices * tiles * w->sum_pitch, es);
  w->lane_pitch = cc_odd_lines(columns * vector, es);
  w->panel_pitch = cc_odd_lines(rows * columns, es);
  w->store_rows = w->merges ? cc_max(1, cc_min(size[0], STORE_BYTES / (vector * m * width * es))) : 1;
  w->slab_pitch = cc_odd_lines(w->store_rows * m * width + vector, es);
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
  at += cc_lines((m * size[1] * m + vector) * vector * es) + cc_lines(size[1] * (int64_t)sizeof(uint32_t));
  w->taps_at = at;
  at += makes ? taps_bytes(w, conv) : 0;
  w->panel_at = at;
  at += panel;
  w->slab_at = at;
  at += cc_lines(w->slab_pitch * vector * es);
  w->patch_at = at;
  w->thread_bytes = at + lay_out_patch(conv, w);
}

static void prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work) {
  cc_conv_winograd *w = (cc_conv_winograd *)(void *)work->state;
  const cc_view *in = &conv->input, *out = &conv->output;
  const int64_t es = conv->element;
  const double operations = cconv_conv_operations(conv);
  const bool kept = conv->weight.kept;
  measure(conv, w);
  threads = cconv_operation_parts(threads, threads, operations);
  choose_blocks(conv, threads, kept, w);
  const int64_t places = w->units / w->blocks.runs / conv->shape.groups;
  if (!kept && places > 1 && w->weights_bytes <= threads * SHARED_BYTES) {
    w->shared = true;
    choose_blocks(conv, threads, true, w);
  }
  w->parts = cconv_operation_parts(threads, w->units, operations);
  w->gathers = in->dtype == conv->dtype && conv->shape.axis[2].map == CCONV_PADDING_CONSTANT &&
               (in->stride[CC_WIDTH] == es || in->stride[CC_CHANNEL] == es);
  w->merges = w->blocks.count[1] == 1 && rows_follow(out, conv->shape.axis[2].out) &&
              (!conv->residual.data || rows_follow(&conv->residual, conv->shape.axis[2].out));
  lay_out(conv, w, !kept);
  work->parts = w->parts;
  work->weights = w->weights_bytes + taps_bytes(w, conv); /* and what pack() needs */
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

/* All weights of block b of group g's output channels, [f][term][width]. taps and panel: scratch. */
static void make(const cc_conv_winograd *w, int64_t g, int64_t b, char *taps, char *panel, char *target) {
  const int64_t es = w->conv->element, vector = w->conv->kernels->vector_length;
  const int64_t vectors = cc_part(w->vectors, b + 1, w->channel_blocks) - cc_part(w->vectors, b, w->channel_blocks);
  for (int64_t i = 0; i < w->chunks; i++) {
    const cc_terms k = terms_of(w, i);
    for (int64_t row = 0; row < w->side; row += w->kernels->weight_rows)
      cconv_winograd_make(w, g, b, &k, row, w->weight_plane, taps, panel,
                          target + (row * w->side * w->weight_plane + k.from * vectors * vector) * es);
  }
}

static void pack(const cc_conv *conv, const cc_conv_work *work, char *weights) {
  cc_conv_winograd w = *(const cc_conv_winograd *)(const void *)work->state;
  w.conv = conv;
  for (int64_t i = 0; i < conv->shape.groups * w.channel_blocks; i++)
    make(&w, i / w.channel_blocks, i % w.channel_blocks, weights + w.weights_bytes, NULL, weights + weights_at(&w, i));
}

/* The first phase of a run whose weights nobody keeps. */
static void make_unit(void *arg, int64_t unit, bool first, int64_t part) {
  const cc_conv_winograd *w = arg;
  char *scratch = w->workspace + part * w->thread_bytes;
  (void)first;
  make(w, unit / w->channel_blocks, unit % w->channel_blocks, scratch + w->taps_at, scratch + w->panel_at,
       w->workspace - cc_lines(w->weights_bytes) + weights_at(w, unit));
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
  return f * w->value_plane + k->chunk * w->value_chunk + k->slice * cc_tiles_a_slice(block) * w->value_pitch;
}

/* Products of one f and chunk for all tiles: groups of nearly equal size, so that none is small. `values` are at
 * values_at(), and `then` those that are multiplied next. */
static void multiply(const cc_conv_winograd *w, const cc_tile_block *block, int64_t f, const cc_terms *k, int64_t width,
                     const char *weights, int64_t values, int64_t then, char *scratch) {
  const int64_t es = w->conv->element, count = k->end - k->from;
  const cc_winograd_products *products = &w->conv->kernels->products[width / w->conv->kernels->vector_length - 1];
  const int64_t tiles = block->slices * cc_tiles_a_slice(block);
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
        cconv_winograd_make(w, block->g, b, &k, f / w->side, plane, scratch + w->taps_at, scratch + w->panel_at,
                            scratch + w->made_at);
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
  const int64_t plane = place / count[1] / count[0], slice = plane % slice_count, image = plane / slice_count;
  cc_tile_block block = {.n = image / shape->groups, .g = image % shape->groups};
  block.od = cc_tile_from(depth, slice, slice_count);
  block.slices = cc_tile_from(depth, slice + 1, slice_count) - block.od;
  for (int a = 0; a < 2; a++) {
    block.from[a] = cc_tile_from(w->tiles[a], index[a], count[a]);
    block.size[a] = cc_tile_from(w->tiles[a], index[a] + 1, count[a]) - block.from[a];
  }
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

static cconv_status run(const cc_conv *conv, const cc_conv_work *work, cc_run *run, char *workspace) {
  cc_conv_winograd w = *(const cc_conv_winograd *)(const void *)work->state;
  w.conv = conv;
  w.weights = w.shared ? workspace : conv->weight.prepared;
  w.workspace = workspace + (w.shared ? cc_lines(w.weights_bytes) : 0);
  if (w.shared) {
    const int64_t units = conv->shape.groups * w.channel_blocks;
    const cconv_status status = cconv_parallel(run, make_unit, &w, units, cc_min(w.parts, units));
    if (status)
      return status;
  }
  return cconv_parallel(run, run_unit, &w, w.units, w.parts);
}

static void describe(const cc_conv_work *work, cconv_plan_info *info) {
  const cc_conv_winograd *w = (const cc_conv_winograd *)(const void *)work->state;
  info->blocks[0] = w->blocks.slice_count;
  info->block[0] = w->blocks.slices;
  for (int a = 0; a < 2; a++) {
    info->blocks[a + 1] = w->blocks.count[a];
    info->block[a + 1] = w->blocks.size[a] * w->kernels->m;
  }
  info->chunks = w->chunks;
  info->rows = w->width;
}

extern const cc_conv_driver cconv_conv_winograd; /* conv_driver.c declares it again, from drivers.inc */
const cc_conv_driver cconv_conv_winograd = {
    .name = "winograd", .fits = fits, .prepare = prepare, .pack = pack, .run = run, .describe = describe};
