/* SPDX-License-Identifier: BSD-3-Clause
 * conv_fft.c - the driver of large kernels of one channel a group: products of Fourier transforms, tile by tile.
 *
 * Tiles of inputs overlap by the kernel less one, and give as many outputs less. Two of them, the real and the imaginary
 * part of one, are transformed, multiplied by the kernel's spectrum and transformed back. A tile of one row is folded
 * to a square of rows, whose transform is that of the line with twiddles between columns and rows.
 *
 * Law: tiles and pairs of them lie on a grid from the plane's first output on, so no bit depends on threads or batch.
 * Sums that are not finite are mended, see conv_mend.h: of both tiles, for what one holds reaches the other. */
#include <string.h>

#include "base/checked.h"
#include "base/layout.h"
#include "choose/algorithm.h"
#include "ops/conv_mend.h"

/* What prepare() works out; a run adds the convolution and the workspace. */
typedef struct conv_fft {
  const cc_conv *conv;
  cc_mend mend;
  bool line;
  int64_t size[2];                   /* of a tile: rows and columns */
  int64_t reach[2], kernel[2];       /* of a tile and of the kernel in the image: of a line 1 and all elements */
  int64_t hop[2], count[2];          /* outputs of a tile, and how many tiles */
  int64_t pairs, units, parts;       /* of an image and group; of all */
  int64_t plane;                     /* bytes */
  int64_t spectrum_at, tables_at[4]; /* of a thread's scratch, which begins with a tile */
  int64_t vectors_at, mend_at, thread_bytes;
  char *workspace;
} conv_fft;

_Static_assert(sizeof(conv_fft) <= CC_WORK_STATE, "a driver's struct must fit");

static bool fits(const cc_conv *conv) {
  int64_t size[2];
  return cconv_choose_fft(conv->algorithm, conv->dtype, &conv->shape, size);
}

/* Where things are in a thread's scratch. */
static void lay_out(const cc_conv *conv, conv_fft *p) {
  const int64_t es = conv->element, vector = conv->kernels->vector_length, *size = p->size;
  const int64_t bytes[4] = {2 * size[0] * es, 2 * size[1] * es, p->line ? 2 * size[0] * vector * es : 0,
                            p->line ? 2 * size[0] * (size[1] / vector) * es : 0};
  p->plane = size[0] * size[1] * es;
  p->spectrum_at = 2 * p->plane;
  p->vectors_at = 2 * p->spectrum_at;
  int64_t at = p->vectors_at + cc_lines(2 * cc_max(size[0], size[1]) * vector * es);
  for (int i = 0; i < 4; i++) {
    p->tables_at[i] = at;
    at += cc_lines(bytes[i]);
  }
  p->mend_at = at;
  p->thread_bytes = at + cc_max(p->mend.bytes, CC_FFT_ROOTS * (int64_t)sizeof(double));
}

static void prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work) {
  conv_fft *p = (conv_fft *)(void *)work->state;
  const cc_axis *axis = conv->shape.axis;
  const int64_t images = cc_max(1, conv->shape.n * conv->shape.groups); /* a plan may be of none */
  *p = (conv_fft){.line = cconv_is_line(&conv->shape)};
  cconv_choose_fft(conv->algorithm, conv->dtype, &conv->shape, p->size);
  for (int a = 0; a < 2; a++) {
    p->kernel[a] = axis[a + 1].kernel;
    p->reach[a] = !p->line ? p->size[a] : a ? p->size[0] * p->size[1] : 1;
    p->hop[a] = p->reach[a] - p->kernel[a] + 1;
    p->count[a] = cc_ceil_div(axis[a + 1].out, p->hop[a]);
  }
  p->pairs = cc_ceil_div(p->count[0] * p->count[1], 2);
  p->units = images * p->pairs;
  p->parts = cconv_operation_parts(threads, p->units, cconv_conv_operations(conv));
  cconv_mend_prepare(conv, &p->mend);
  lay_out(conv, p);
  work->parts = p->parts;
  work->workspace = p->parts * p->thread_bytes;
}

/* The outputs of a tile of image n and group g. */
typedef struct fft_tile {
  int64_t n, g, from[2], size[2];
} fft_tile;

static fft_tile tile_of(const conv_fft *p, int64_t n, int64_t g, int64_t index) {
  const int64_t place[2] = {index / p->count[1], index % p->count[1]};
  fft_tile t = {.n = n, .g = g};
  for (int a = 0; a < 2; a++) {
    t.from[a] = place[a] * p->hop[a];
    t.size[a] = cc_min(p->hop[a], p->conv->shape.axis[a + 1].out - t.from[a]);
  }
  return t;
}

/* What a tile looks at; behind that zeros. */
static void pack(const conv_fft *p, const fft_tile *t, char *target) {
  const cc_conv *conv = p->conv;
  const cc_view *in = &conv->input;
  const int64_t length[2] = {t->size[0] + p->kernel[0] - 1, t->size[1] + p->kernel[1] - 1};
  cc_halo_pack_job job = {.input = in->data + t->n * in->stride[CC_BATCH] + t->g * in->stride[CC_CHANNEL],
                          .source = in->dtype,
                          .channels = 1,
                          .length = {1, length[0], length[1]},
                          .target = target,
                          .pitch = {0, length[0], p->reach[1]},
                          .fill = conv->padding_value};
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    const cc_axis *axis = &conv->shape.axis[a];
    job.first[a] = (a > 0 ? t->from[a - 1] : 0) - axis->before;
    job.stride[a] = in->stride[CC_DEPTH + a];
    job.end[a] = axis->map == CCONV_PADDING_CONSTANT ? axis->end : axis->in;
    job.map[a] = axis->map;
    job.step[a] = job.dilation[a] = job.phases[a] = 1;
  }
  if (length[0] < p->reach[0] || length[1] < p->reach[1])
    memset(target, 0, (size_t)p->plane);
  conv->kernels->halo_pack(&job);
}

static cc_fft_tables tables_of(const conv_fft *p, char *scratch) {
  return (cc_fft_tables){.twiddles = {scratch + p->tables_at[0], scratch + p->tables_at[1]},
                         .lanes = scratch + p->tables_at[2],
                         .steps = scratch + p->tables_at[3]};
}

/* Of so many columns of an image, or of all of a line. */
static void transform_columns(const conv_fft *p, int64_t columns, bool back, char *scratch) {
  const cc_fft_tables tables = tables_of(p, scratch);
  p->conv->kernels->fft_columns(&(cc_fft_columns_job){.x = scratch,
                                                      .size = {p->size[0], p->size[1]},
                                                      .columns = p->line ? p->size[1] : columns,
                                                      .line = p->line,
                                                      .back = back,
                                                      .tables = &tables,
                                                      .scratch = scratch + p->vectors_at});
}

static void transform_rows(const conv_fft *p, bool make, char *scratch) {
  const cc_fft_tables tables = tables_of(p, scratch);
  p->conv->kernels->fft_rows(&(cc_fft_rows_job){.x = scratch,
                                                .spectrum = scratch + p->spectrum_at,
                                                .size = {p->size[0], p->size[1]},
                                                .make = make,
                                                .scale = 1.0 / (double)(p->size[0] * p->size[1]),
                                                .tables = &tables,
                                                .scratch = scratch + p->vectors_at});
}

/* The spectrum of group g's kernel. */
static void make_spectrum(const conv_fft *p, int64_t g, char *scratch) {
  const cc_conv *conv = p->conv;
  const cc_chunk whole = {.channels = 1, .taps = {1, p->kernel[0], p->kernel[1]}, .terms = conv->shape.taps};
  const int64_t row = p->kernel[1] * conv->element;
  const char *w = cconv_conv_weights(conv, g, 0, 1, &whole, scratch + p->plane).data;
  memset(scratch, 0, (size_t)p->plane);
  for (int64_t h = 0; h < p->kernel[0]; h++)
    memcpy(scratch + h * p->reach[1] * conv->element, w + h * row, (size_t)row);
  memset(scratch + p->plane, 0, (size_t)p->plane);
  transform_columns(p, p->kernel[1], false, scratch); /* the others are 0, and stay it */
  transform_rows(p, true, scratch);
}

static char *place_of(const cc_view *view, const fft_tile *t) {
  const int64_t *stride = view->stride;
  return view->data + t->n * stride[CC_BATCH] + t->g * stride[CC_CHANNEL] + t->from[0] * stride[CC_HEIGHT] +
         t->from[1] * stride[CC_WIDTH];
}

static void store(const conv_fft *p, const fft_tile *t, char *sums, char *scratch) {
  const cc_conv *conv = p->conv;
  const int64_t es = conv->element;
  cconv_mend(conv, &p->mend,
             &(cc_sums){.n = t->n,
                        .g = t->g,
                        .from = {t->from[0], t->from[1]},
                        .rows = t->size[0],
                        .columns = t->size[1],
                        .y = sums,
                        .y_row = p->reach[1] * es},
             scratch + p->mend_at);
  cconv_conv_store(conv, &(cc_conv_rows){.slab = sums,
                                         .lds = p->reach[1],
                                         .rows = t->size[0],
                                         .n = t->size[1],
                                         .bias = conv->bias ? conv->bias + t->g * es : NULL,
                                         .y = place_of(&conv->output, t),
                                         .y_stride = conv->output.stride[CC_HEIGHT],
                                         .residual = conv->residual.data ? place_of(&conv->residual, t) : NULL,
                                         .residual_stride = conv->residual.stride[CC_HEIGHT]});
}

/* Units are pairs of tiles, those of a group's images one after the other: they share its spectrum. */
static void run_unit(void *arg, int64_t unit, bool first, int64_t part) {
  const conv_fft *p = arg;
  const cc_conv_shape *shape = &p->conv->shape;
  char *scratch = p->workspace + part * p->thread_bytes;
  const int64_t image = unit / p->pairs, pair = unit % p->pairs, n = image % shape->n, g = image / shape->n;
  if (first)
    p->conv->kernels->fft_tables(&(cc_fft_tables_job){.size = {p->size[0], p->size[1]},
                                                      .line = p->line,
                                                      .roots = (double *)(void *)(scratch + p->mend_at),
                                                      .tables = tables_of(p, scratch)});
  if (first || (pair == 0 && n == 0))
    make_spectrum(p, g, scratch);
  const bool two = 2 * pair + 1 < p->count[0] * p->count[1];
  const fft_tile tile = tile_of(p, n, g, 2 * pair), other = tile_of(p, n, g, 2 * pair + 1);
  pack(p, &tile, scratch);
  if (two)
    pack(p, &other, scratch + p->plane);
  else
    memset(scratch + p->plane, 0, (size_t)p->plane);
  transform_columns(p, p->size[1], false, scratch);
  transform_rows(p, false, scratch);
  transform_columns(p, p->hop[1], true, scratch);
  store(p, &tile, scratch, scratch);
  if (two)
    store(p, &other, scratch + p->plane, scratch);
}

static cconv_status run(const cc_conv *conv, const cc_conv_work *work, cc_run *run, char *workspace) {
  conv_fft p = *(const conv_fft *)(const void *)work->state;
  p.conv = conv;
  p.workspace = workspace;
  return cconv_parallel(run, run_unit, &p, p.units, p.parts);
}

static void describe(const cc_conv_work *work, cconv_plan_info *info) {
  const conv_fft *p = (const conv_fft *)(const void *)work->state;
  info->blocks[0] = info->block[0] = 1;
  for (int a = 0; a < 2; a++) {
    info->blocks[a + 1] = p->count[a];
    info->block[a + 1] = p->hop[a];
  }
  info->chunks = 1;
  info->rows = 1;
}

extern const cc_conv_driver cconv_conv_fft; /* conv_driver.c declares it again, from drivers.inc */
const cc_conv_driver cconv_conv_fft = {
    .name = "fft", .fits = fits, .prepare = prepare, .run = run, .describe = describe};
