/* SPDX-License-Identifier: BSD-3-Clause
 * conv_pieces.c - the driver of large kernels of one channel a group: Winograd's algorithm, piece by piece.
 *
 * A kernel is cut into pieces of 4 x 4, whose products in the domain add up to depthwise sums over tiles. A long kernel
 * of one row is folded: output fold c + r is in row r and column c of a plane, which sees rows of input that overlap.
 *
 * Law: tiles lie on a grid from the plane's first output on, so no bit depends on how they are cut into blocks. Sums
 * that are not finite are mended, see conv_mend.h. */
#include <string.h>

#include "base/checked.h"
#include "base/layout.h"
#include "choose/algorithm.h"
#include "ops/conv_mend.h"

enum {
  SIDE = 4, /* outputs, and taps of a piece */
  REST = 3, /* inputs that a tile has beside */
  PLANES = 49,
  CHAIN_PIECES =
      64,        /* of one chain of sums: in a longer one the roundings of values that are alike would pass the gate */
  TILE_ROWS = 4, /* that depthwise sums compute together */
  MOST_ROWS = 16,
  UNITS_A_THREAD = 3
};

/* What prepare() works out; a run adds the convolution and the workspace. */
typedef struct conv_pieces {
  const cc_conv *conv;
  cc_mend mend;
  int64_t fold;                        /* 0 where rows are the image's own */
  int64_t pieces[2], tiles[2], out[2]; /* rows and columns */
  int64_t size[2], count[2];           /* blocks: tiles of the largest, and how many */
  int64_t units, parts;
  int64_t x_rows, x_columns, x_pitch;                     /* inputs of a block, elements */
  int64_t value_pitch, value_plane, sum_pitch, sum_plane; /* elements */
  int64_t y_pitch;
  int64_t chains;       /* that products are summed in, each of some rows of pieces */
  int64_t weight_bytes; /* of a group */
  /* The workspace: weights of all groups, offsets, then every thread's scratch. */
  int64_t offsets_at, scratch_at, phases_at, values_at, sums_at, chain_at, y_at, line_at, mend_at, thread_bytes;
  char *workspace;
} conv_pieces;

_Static_assert(sizeof(conv_pieces) <= CC_WORK_STATE, "a driver's struct must fit");

static bool fits(const cc_conv *conv) {
  return conv->kernels->depthwise_rows && cconv_choose_pieces(conv->algorithm, conv->dtype, &conv->shape);
}

/* Whole vectors, an odd number of lines: rows and planes share few sets of a cache. */
static int64_t odd_lines(int64_t elements, int64_t element) {
  const int64_t line = CC_ALIGNMENT / element;
  return (cc_ceil_div(elements, line) | 1) * line;
}

/* Sizes of blocks of so many tiles; bytes of a thread's scratch. */
static int64_t lay_out(const cc_conv *conv, int64_t rows, int64_t columns, conv_pieces *p) {
  const int64_t es = conv->element, vector = conv->kernels->vector_length;
  const int64_t value_rows = rows + p->pieces[0] - 1, value_columns = columns + p->pieces[1] - 1;
  const int64_t whole = cc_ceil_div(columns, vector) * vector, pieces = cc_ceil_div(p->pieces[1], vector) * vector;
  p->size[0] = rows;
  p->size[1] = columns;
  p->x_rows = SIDE * value_rows + REST;
  p->x_columns = SIDE * value_columns + REST;
  p->x_pitch = odd_lines(SIDE * (value_columns + 1 + vector), es);
  p->value_pitch = odd_lines(whole + pieces, es);
  p->value_plane = odd_lines((value_rows + TILE_ROWS) * p->value_pitch + vector, es);
  p->sum_pitch = odd_lines(whole, es);
  p->sum_plane = odd_lines(rows * p->sum_pitch, es);
  p->y_pitch = SIDE * whole;
  p->phases_at = cc_lines(p->x_rows * p->x_pitch * es);
  p->values_at = p->phases_at + cc_lines(28 * (value_columns + vector) * es);
  p->sums_at = p->values_at + PLANES * p->value_plane * es;
  p->chain_at = p->sums_at + PLANES * p->sum_plane * es;
  p->y_at = p->chain_at + (p->chains > 1 ? PLANES * p->sum_plane * es : 0);
  p->line_at = p->y_at + cc_lines(((p->fold ? SIDE * rows : SIDE) * p->y_pitch + vector) * es);
  /* Folded, a block is a line of inputs, and then one of outputs. */
  p->mend_at = p->line_at + (p->fold ? cc_lines(((p->x_columns + 1) * p->fold + vector) * es) : 0);
  p->thread_bytes = p->mend_at + p->mend.bytes;
  return p->thread_bytes;
}

static void choose_blocks(const cc_conv *conv, int64_t threads, conv_pieces *p) {
  const int64_t vector = conv->kernels->vector_length;
  const int64_t images = cc_max(1, conv->shape.n * conv->shape.groups); /* a plan may be of none */
  const int64_t least = cc_max(TILE_ROWS, p->pieces[0]); /* of fewer rows most values would be of the border */
  const int64_t room = cconv_cache_l2() / 4 * 3, wanted = threads > 1 ? UNITS_A_THREAD * threads : 1;
  int64_t rows = p->fold ? p->tiles[0] : cc_min(p->tiles[0], MOST_ROWS), columns = cc_min(p->tiles[1], 8 * vector);
  while (lay_out(conv, rows, columns, p) > room && (columns > vector || (!p->fold && rows > least)))
    if (columns > 2 * vector || (p->fold && columns > vector) || rows <= least)
      columns = cc_max(vector, columns / 2);
    else
      rows = cc_max(least, rows - TILE_ROWS);
  for (int a = 0; a < 2; a++)
    p->count[a] = cc_ceil_div(p->tiles[a], a ? columns : rows);
  if (images * p->count[0] * p->count[1] < wanted) { /* threads would idle */
    const int64_t more = cc_ceil_div(wanted, images * p->count[1]);
    if (!p->fold)
      p->count[0] = cc_max(p->count[0], cc_min(more, cc_ceil_div(p->tiles[0], least)));
    p->count[1] =
        cc_max(p->count[1], cc_min(cc_ceil_div(wanted, images * p->count[0]), cc_ceil_div(p->tiles[1], vector)));
  }
  lay_out(conv, cc_ceil_div(p->tiles[0], p->count[0]), cc_ceil_div(p->tiles[1], p->count[1]), p);
  p->units = images * p->count[0] * p->count[1];
}

static void prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work) {
  conv_pieces *p = (conv_pieces *)(void *)work->state;
  const cc_axis *axis = conv->shape.axis;
  const double operations = cconv_conv_operations(conv);
  const int64_t es = conv->element;
  *p = (conv_pieces){.fold = cconv_pieces_fold(&conv->shape)};
  const int64_t fold = p->fold;
  for (int a = 0; a < 2; a++) {
    const int64_t kernel = !fold ? axis[a + 1].kernel : a ? cc_ceil_div(axis[2].kernel, fold) : fold;
    p->out[a] = !fold ? axis[a + 1].out : a ? cc_ceil_div(axis[2].out, fold) : fold;
    p->pieces[a] = cc_ceil_div(kernel, SIDE);
    p->tiles[a] = cc_ceil_div(p->out[a], SIDE);
  }
  p->chains = cc_ceil_div(p->pieces[0], cc_max(1, CHAIN_PIECES / p->pieces[1]));
  cconv_mend_prepare(conv, &p->mend);
  threads = cconv_operation_parts(threads, threads, operations);
  choose_blocks(conv, threads, p);
  p->parts = cconv_operation_parts(threads, p->units, operations);
  p->weight_bytes = cc_lines(PLANES * p->pieces[0] * p->pieces[1] * es);
  p->offsets_at = conv->shape.groups * p->weight_bytes;
  p->scratch_at = p->offsets_at + cc_lines(p->pieces[1] * (int64_t)sizeof(int32_t));
  work->parts = p->parts;
  work->workspace = p->scratch_at + p->parts * p->thread_bytes + cc_lines(conv->shape.taps * es);
}

/* A block of tiles of image n and group g. */
typedef struct tile_block {
  int64_t n, g, from[2], size[2];
} tile_block;

static tile_block block_of(const conv_pieces *p, int64_t unit) {
  const int64_t place = unit % (p->count[0] * p->count[1]), image = unit / (p->count[0] * p->count[1]);
  const int64_t groups = p->conv->shape.groups, index[2] = {place / p->count[1], place % p->count[1]};
  tile_block b = {.n = image / groups, .g = image % groups};
  for (int a = 0; a < 2; a++) {
    b.from[a] = cc_part(p->tiles[a], index[a], p->count[a]);
    b.size[a] = cc_part(p->tiles[a], index[a] + 1, p->count[a]) - b.from[a];
  }
  return b;
}

/* `rows` rows of n inputs each, from these indices on. */
static void pack(const conv_pieces *p, const tile_block *b, const int64_t first[2], int64_t rows, int64_t n,
                 int64_t pitch, char *target) {
  const cc_conv *conv = p->conv;
  const cc_view *in = &conv->input;
  cc_halo_pack_job job = {.input = in->data + b->n * in->stride[CC_BATCH] + b->g * in->stride[CC_CHANNEL],
                          .source = in->dtype,
                          .channels = 1,
                          .first = {0, first[0], first[1]},
                          .length = {1, rows, n},
                          .target = target,
                          .pitch = {0, rows, pitch},
                          .fill = conv->padding_value};
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    const cc_axis *axis = &conv->shape.axis[a];
    job.stride[a] = in->stride[CC_DEPTH + a];
    job.end[a] = axis->map == CCONV_PADDING_CONSTANT ? axis->end : axis->in;
    job.map[a] = axis->map;
    job.step[a] = job.dilation[a] = job.phases[a] = 1;
  }
  conv->kernels->halo_pack(&job);
}

/* What a block looks at, as rows. */
static void pack_block(const conv_pieces *p, const tile_block *b, char *scratch) {
  const cc_axis *axis = p->conv->shape.axis;
  const int64_t es = p->conv->element, columns = SIDE * (b->size[1] + p->pieces[1] - 1) + REST;
  const int64_t rows = SIDE * (b->size[0] + p->pieces[0] - 1) + REST;
  if (!p->fold) {
    pack(p, b, (int64_t[]){SIDE * b->from[0] - axis[1].before, SIDE * b->from[1] - axis[2].before}, rows, columns,
         p->x_pitch, scratch);
    return;
  }
  char *line = scratch + p->line_at;
  const int64_t n = (columns - 1) * p->fold + rows;
  pack(p, b, (int64_t[]){0, SIDE * b->from[1] * p->fold - axis[2].before}, 1, n, n, line);
  p->conv->kernels->transpose(&(cc_transpose_job){
      .source = line, .stride = p->fold * es, .rows = columns, .n = rows, .target = scratch, .ldt = p->x_pitch});
}

/* Products of these rows of pieces. */
static void multiply_rows(const conv_pieces *p, const tile_block *b, int64_t from, int64_t end, char *scratch,
                          char *sums) {
  const int64_t es = p->conv->element;
  p->conv->kernels->depthwise_rows(
      &(cc_depthwise_rows_job){.planes = PLANES,
                               .next_x = p->value_plane,
                               .next_w = p->pieces[0] * p->pieces[1],
                               .next_y = p->sum_plane * es,
                               .x = scratch + p->values_at + from * p->value_pitch * es,
                               .pitch = p->value_pitch,
                               .off = (const int32_t *)(const void *)(p->workspace + p->offsets_at),
                               .taps = {1, end - from, p->pieces[1]},
                               .step = 1,
                               .w = p->workspace + b->g * p->weight_bytes + from * p->pieces[1] * es,
                               .rows = b->size[0],
                               .vectors = cc_ceil_div(b->size[1], p->conv->kernels->vector_length),
                               .y = sums,
                               .y_stride = p->sum_pitch * es});
}

static void multiply(const conv_pieces *p, const tile_block *b, char *scratch) {
  const cc_conv *conv = p->conv;
  char *sums = scratch + p->sums_at, *chain = scratch + p->chain_at;
  for (int64_t i = 0; i < p->chains; i++) {
    const int64_t from = cc_part(p->pieces[0], i, p->chains), end = cc_part(p->pieces[0], i + 1, p->chains);
    multiply_rows(p, b, from, end, scratch, i == 0 ? sums : chain);
    if (i > 0)
      conv->kernels->add(&(cc_add_job){
          .x = chain, .source = conv->dtype, .x_step = conv->element, .n = PLANES * p->sum_plane, .y = sums});
  }
}

static char *place_of(const cc_view *view, const tile_block *b, int64_t row, int64_t column) {
  const int64_t *stride = view->stride;
  return view->data + b->n * stride[CC_BATCH] + b->g * stride[CC_CHANNEL] + row * stride[CC_HEIGHT] +
         column * stride[CC_WIDTH];
}

/* Rows of sums from (row, column) of the image on, to the output. */
static void store(const conv_pieces *p, const tile_block *b, int64_t row, int64_t column, int64_t rows, int64_t columns,
                  char *sums, int64_t pitch, char *scratch) {
  const cc_conv *conv = p->conv;
  const int64_t es = conv->element;
  cconv_mend(conv, &p->mend,
             &(cc_sums){.n = b->n,
                        .g = b->g,
                        .from = {row, column},
                        .rows = rows,
                        .columns = columns,
                        .y = sums,
                        .y_row = pitch * es},
             scratch + p->mend_at);
  cconv_conv_store(conv,
                   &(cc_conv_rows){.slab = sums,
                                   .lds = pitch,
                                   .rows = rows,
                                   .n = columns,
                                   .bias = conv->bias ? conv->bias + b->g * es : NULL,
                                   .y = place_of(&conv->output, b, row, column),
                                   .y_stride = conv->output.stride[CC_HEIGHT],
                                   .residual = conv->residual.data ? place_of(&conv->residual, b, row, column) : NULL,
                                   .residual_stride = conv->residual.stride[CC_HEIGHT]});
}

static void run_unit(void *arg, int64_t unit, bool first, int64_t part) {
  const conv_pieces *p = arg;
  const cc_kernels *kernels = p->conv->kernels;
  const int64_t es = p->conv->element;
  char *scratch = p->workspace + p->scratch_at + part * p->thread_bytes, *y = scratch + p->y_at;
  const tile_block b = block_of(p, unit);
  if (first) { /* kernels compute on what nobody writes, for nothing; garbage may be denormal, which is slow */
    const bool whole =
        p->tiles[1] % (p->count[1] * kernels->vector_length) == 0 && p->tiles[0] / p->count[0] >= TILE_ROWS;
    memset(scratch, 0, (size_t)(whole ? p->values_at : p->sums_at));
  }
  pack_block(p, &b, scratch);
  for (int64_t t = 0; t < b.size[0] + p->pieces[0] - 1; t++)
    kernels->pieces_input(&(cc_pieces_input_job){.x = scratch + SIDE * t * p->x_pitch * es,
                                                 .pitch = p->x_pitch,
                                                 .tiles = b.size[1] + p->pieces[1] - 1,
                                                 .phases = scratch + p->phases_at,
                                                 .values = scratch + (p->values_at + t * p->value_pitch * es),
                                                 .plane = p->value_plane});
  multiply(p, &b, scratch);
  const int64_t columns = cc_min(SIDE * b.size[1], p->out[1] - SIDE * b.from[1]);
  for (int64_t t = 0; t < b.size[0]; t++) {
    kernels->pieces_output(&(cc_pieces_output_job){.sums = scratch + p->sums_at + t * p->sum_pitch * es,
                                                   .plane = p->sum_plane,
                                                   .tiles = b.size[1],
                                                   .y = y + (p->fold ? SIDE * t * p->y_pitch * es : 0),
                                                   .pitch = p->y_pitch});
    const int64_t row = SIDE * (b.from[0] + t);
    if (!p->fold)
      store(p, &b, row, SIDE * b.from[1], cc_min(SIDE, p->out[0] - row), columns, y, p->y_pitch, scratch);
  }
  if (p->fold) {
    char *line = scratch + p->line_at;
    const int64_t from = SIDE * b.from[1] * p->fold;
    kernels->transpose(&(cc_transpose_job){
        .source = y, .stride = p->y_pitch * es, .rows = p->fold, .n = columns, .target = line, .ldt = p->fold});
    store(p, &b, 0, from, 1, cc_min(columns * p->fold, p->conv->shape.axis[2].out - from), line, columns * p->fold,
          scratch);
  }
}

static cconv_status run(const cc_conv *conv, const cc_conv_work *work, cc_run *run, char *workspace) {
  conv_pieces p = *(const conv_pieces *)(const void *)work->state;
  const cc_axis *axis = conv->shape.axis;
  const cc_chunk whole = {.channels = 1, .taps = {1, axis[1].kernel, axis[2].kernel}, .terms = conv->shape.taps};
  char *panel = workspace + p.scratch_at + p.parts * p.thread_bytes;
  p.conv = conv;
  p.workspace = workspace;
  cc_pieces_weight_job job = {.size = {axis[1].kernel, axis[2].kernel},
                              .step = {axis[2].kernel, 1},
                              .taps = conv->shape.taps,
                              .pieces = {p.pieces[0], p.pieces[1]}};
  if (p.fold) {
    job.size[0] = job.step[1] = p.fold;
    job.size[1] = cc_ceil_div(axis[2].kernel, p.fold);
    job.step[0] = 1;
  }
  for (int64_t g = 0; g < conv->shape.groups; g++) {
    job.w = cconv_conv_weights(conv, g, 0, 1, &whole, panel).data;
    job.weights = workspace + g * p.weight_bytes;
    conv->kernels->pieces_weight(&job);
  }
  int32_t *offsets = (int32_t *)(void *)(workspace + p.offsets_at);
  for (int64_t k = 0; k < p.pieces[1]; k++)
    offsets[k] = (int32_t)k;
  return cconv_parallel(run, run_unit, &p, p.units, p.parts);
}

static void describe(const cc_conv_work *work, cconv_plan_info *info) {
  const conv_pieces *p = (const conv_pieces *)(const void *)work->state;
  info->blocks[0] = info->block[0] = 1;
  for (int a = 0; a < 2; a++) {
    info->blocks[a + 1] = p->count[a];
    info->block[a + 1] = SIDE * p->size[a];
  }
  if (p->fold) {
    info->block[1] = 1;
    info->block[2] = p->fold * SIDE * p->size[1];
  }
  info->chunks = 1;
  info->rows = 1;
}

extern const cc_conv_driver cconv_conv_pieces; /* conv_driver.c declares it again, from drivers.inc */
const cc_conv_driver cconv_conv_pieces = {
    .name = "winograd", .fits = fits, .prepare = prepare, .run = run, .describe = describe};
