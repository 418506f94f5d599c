/* SPDX-License-Identifier: BSD-3-Clause
 * kernels.h - the glossary, and the table of kernels each instruction set offers each dtype.
 *
 * Law: kernels are leaves. They know elements, lanes and offsets; no threads, no allocation, no
 * errors, no tensors. Drivers reach them through this table and see no types: buffers are void *.
 *
 * Glossary, the same everywhere:
 *   n batch, ic oc channels in and out, g groups; id ih iw, od oh ow input and output positions,
 *   kd kh kw taps; s stride, d dilation, before and after pads; T element type, V vector of VL lanes
 *   tile    MR output channels x NV vectors of positions, accumulated in registers
 *   halo    the packed sub-image a block of outputs looks at (shape/halo.h)
 *   slab    accumulated sums in scratch, on their way to the output: tile by tile, [MR][NV VL] each
 *   panel   vectors in whole lines, those of one term behind those of the last: weights or inputs
 *   place   where inputs lie that are read in place; a strip: vectors of a row of outputs that are summed together so
 *   term    one product of a sum; K of them, in the order channel, kd, kh, kw
 *
 * A kernel is called cconv_<dtype>_<kernel>__<isa>, such as cconv_f32_conv_tile_8x3__avx512. */
#ifndef CC_KERNELS_H
#define CC_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#include "cconv.h"
#include "kernels/depthwise_jobs.h"
#include "kernels/fft_jobs.h"
#include "kernels/filter_jobs.h"
#include "kernels/matrix_jobs.h"
#include "kernels/place_jobs.h"

/* slab[m][p] (+)= sum over k of w[m][k] x[off[k] + p], and bias[m bias_step] at last      m < MR, p < NV VL
 *
 *   w     rows ldw elements apart: the caller's weights, in place
 *   x     the halo, at the tile's first position, or a panel; off has K element offsets
 *   slab  rows lds elements apart, or NV VL where lds is 0; read first unless `fresh`; may be the output
 *   bias  NULL for none, which leaves every sum as it is, -0 too
 *
 * Each element is one chain of v_fma in the order of k. */
typedef struct cc_conv_tile_job {
  int64_t k;
  const void *w;
  int64_t ldw;
  const void *x;
  const int32_t *off;
  void *slab;
  int64_t lds;
  bool fresh;
  const void *bias;
  int64_t bias_step;
} cc_conv_tile_job;

typedef void cc_conv_tile_fn(const cc_conv_tile_job *job);

/* slab[m][p] (+)= sum over k of x[m step + off[k]] panel[k][p]      m < MR, p < NV VL
 *
 *   x      elements of any alignment; off has K element offsets
 *   panel  rows of whole vectors, pitch elements apart
 *   slab   rows lds elements apart, read first unless `fresh`
 *
 * Rows are positions and lanes channels, or rows channels and lanes positions: it is the sum of cc_conv_tile_job
 * either way, bit for bit. */
typedef struct cc_conv_panel_job {
  int64_t k;
  const void *x;
  int64_t step;
  const int32_t *off;
  const void *panel;
  int64_t pitch;
  void *slab;
  int64_t lds;
  bool fresh;
} cc_conv_panel_job;

typedef void cc_conv_panel_fn(const cc_conv_panel_job *job);

typedef struct cc_conv_tile {
  cc_conv_tile_fn *run;
  cc_conv_panel_fn *panel; /* NULL for integers */
  int32_t nv;              /* vectors of positions */
} cc_conv_tile;

enum { CC_TILE_WIDTHS = 4 };

/* The tiles of one number of rows, widest first, down to one vector; the rest is {NULL, 0}. */
typedef struct cc_conv_tiles {
  cc_conv_tile width[CC_TILE_WIDTHS];
} cc_conv_tiles;

/* Packs a halo (shape/halo.h). For channel c, phases (i, j, l) and packed element (d, h, w):
 *
 *   target[c][i][j][l][d][h][w] = input[c][first_d + phase(i) + d s_d][...h][...w]
 *
 * with phase(i) = (i dilation) mod step. An input index is outside below 0 or from `end` on; map (a
 * cconv_padding_mode an axis) says what stands for it.
 * input: element 0 of the first channel, of dtype `source`, strides in signed bytes, of any alignment. */
typedef struct cc_halo_pack_job {
  const char *input;
  int32_t source;
  int64_t channels, channel_stride;
  int64_t stride[3], end[3], first[3], step[3], dilation[3], phases[3], length[3];
  int32_t map[3];
  void *target;
  int64_t pitch[3], phase_pitch, channel_pitch; /* elements from one packed slice, row ... to the next */
  double fill;
} cc_halo_pack_job;

/* Gathers panels: for every run r, term (c, kd, kh, kw), in this order number k, and j < n of r
 *
 *   panel[k pitch + at + j] = x[from + c stride + kd stride + kh stride + kw stride + j step]
 *
 * x's elements are of dtype `source`, of any alignment; its steps, from and strides are in bytes. Behind the last run,
 * from `end` on, `rest` elements of every term become 0. */
typedef struct cc_panel_run {
  int64_t from, n, at;
} cc_panel_run;

typedef struct cc_panel_job {
  const char *x;
  int32_t source;
  int64_t count[4], stride[4], step;
  const cc_panel_run *runs;
  int64_t runs_count;
  void *panel;
  int64_t pitch, end, rest;
} cc_panel_job;

/* Gathers panels from a halo: for every run r, term k and j < n of r
 *
 *   panel[k pitch + at + j] = x[off[k] + from + j]
 *
 * `from` and offsets are in elements. Runs come in the order of `at`; behind the last, from `end` on, `rest` elements
 * of every term become 0. x and the panels have a vector's slack behind them, which is read, or holds anything then. */
typedef struct cc_window_job {
  const void *x;
  const int32_t *off;
  int64_t k;
  const cc_panel_run *runs;
  int64_t runs_count;
  void *panel;
  int64_t pitch, end, rest;
} cc_window_job;

/* target[j][i] = source[i][j]      i < rows, j < n
 *
 * source's rows are `stride` bytes apart, of any alignment; target's ldt elements. No other element is touched. */
typedef struct cc_transpose_job {
  const char *source;
  int64_t stride, rows, n;
  void *target;
  int64_t ldt;
} cc_transpose_job;

/* target[m][c][kd][kh][kw] = weight element (m, c, kd, kh, kw) of dtype `source`, dense; strides in signed bytes */
typedef struct cc_weight_pack_job {
  const char *weight;
  int32_t source;
  int64_t count[5], stride[5];
  void *target;
} cc_weight_pack_job;

/* target[at + c step + m lead] = weight element (c, m, kd, kh, kw)      places[tap] holds at, step, lead: elements
 *
 * count and stride are of c, m, kd, kh, kw; strides in signed bytes. With `lanes` all leads are 1, and zeros fill up the
 * vector of the last m. */
typedef struct cc_tap_place {
  int64_t at, step, lead;
} cc_tap_place;

typedef struct cc_tap_job {
  const char *weight;
  int32_t source;
  int64_t count[5], stride[5];
  const cc_tap_place *places;
  bool lanes;
  void *target;
} cc_tap_job;

/* y[m][j phases + q] = x[q][m][j]      q < phases, m < rows, j < n
 *
 * n counts up to whole vectors, here and there. Steps in elements. */
typedef struct cc_interleave_job {
  const void *x;
  int64_t plane, ldx;
  int64_t phases, rows, n;
  void *y;
  int64_t ldy;
} cc_interleave_job;

/* y[at[i]][l] += x[i][l]      i < n in this order, l < VL; rows of VL elements follow each other */
typedef struct cc_deposit_job {
  const void *x;
  int64_t n;
  const int32_t *at;
  void *y;
} cc_deposit_job;

/* y[m][j] = activation(slab[m][j] + bias[m bias_step])      m < rows, j < n
 *
 * y's rows are y_stride bytes apart, its elements contiguous; bias may be NULL; y may be the slab. */
typedef struct cc_store_job {
  const void *slab;
  int64_t lds;
  int64_t rows, n;
  const void *bias;
  int64_t bias_step;
  int32_t activation;
  double a, b;
  void *y;
  int64_t y_stride;
} cc_store_job;

/* max: slab[p] = max(slab[p], x[off[k] + p] over k), and min likewise
 * sum: slab[j pitch + p] += sum of x[off[k] + p] over the k with (first + k) % 16 == j      p < n
 *
 * n counts up to whole vectors: slab and x have a vector's slack behind them. The slab is read first
 * unless `fresh`; a sum writes rows j < partials of it.
 *
 * With taps, max and min also say which tap it was: taps[p] = first + k of the first of the greatest
 * (least), or of the first NaN. One that is not above -inf (below inf) leaves taps[p] as it is, or at
 * -1 when `fresh`: neither fill nor an infinity of the input can be told from nothing. */
typedef struct cc_pool_job {
  int64_t k, first;
  const void *x;
  const int32_t *off;
  int64_t n;
  void *slab;
  int64_t pitch, partials;
  int64_t *taps; /* NULL but for the kernels that write it */
  bool fresh;
} cc_pool_job;

/* y[j] = (slab[0 pitch + j] + ... + slab[15 pitch + j], pairwise) / (count[j] scale)      j < n
 *
 * Rows of the slab from `partials` on are zero and not there. */
typedef struct cc_average_job {
  const void *slab;
  int64_t pitch, partials, n;
  const double *count;
  double scale;
  void *y;
} cc_average_job;

/* y[j] = |x[j]|^exponent      j < n; y may be x */
typedef struct cc_pool_power_job {
  const void *x;
  void *y;
  int64_t n;
  double exponent;
} cc_pool_power_job;

/* *y = the pool of a box of elements `stride` bytes apart, at least one. Sums go term by term in C
 * order to 16 partials, as in pool_sum.
 *
 * A box may come in pieces, one after the other in C order: `first` terms came before, and all but the last are
 * `unfinished`, so that no result is written, but what is known so far to `partials` and `tap`. */
typedef struct cc_pool_box_job {
  const char *x; /* of any alignment */
  int64_t stride[3], size[3];
  int32_t source, target; /* dtypes of x and y */
  int32_t kind;           /* cconv_pool_kind */
  double p;               /* Lp: above 0, or infinity */
  void *y;
  int64_t *tap; /* where given, for max and min: the C-order number in the box, first of equals or NaNs */
  int64_t first;
  bool unfinished;
  void *partials; /* CC_PARTIALS elements; NULL for a box in one piece */
} cc_pool_box_job;

enum { CC_PARTIALS = 16 }; /* of a sum over a pooling window: term t goes to partial t % 16 */

/* y[m][j] = x[m][j], y's elements of dtype `target`, y_step and its rows y_stride bytes apart, x's rows ldx elements */
typedef struct cc_scatter_job {
  const void *x;
  int64_t ldx;
  int64_t rows, n;
  void *y;
  int32_t target;
  int64_t y_stride, y_step;
} cc_scatter_job;

/* y[j] += x[j]      j < n; x's elements are of dtype `source`, x_step bytes apart and of any alignment */
typedef struct cc_add_job {
  const char *x;
  int32_t source;
  int64_t x_step;
  int64_t n;
  void *y;
} cc_add_job;

/* lanes[h][w][l] = channel l's element (h, w) of a sub-image      h < size[0], w < size[1], l < channels <= VL
 *
 * x is where element (low[0], low[1]) of the first channel is, the first of T there are: those from `high` on and below
 * `low` are fill, those from `used` on 0. high <= used <= size. Strides in bytes, of any alignment; elements or
 * channels are contiguous. Other lanes hold anything. */
typedef struct cc_lanes_job {
  const char *x;
  int64_t channels, channel_stride;
  int64_t stride[2], low[2], high[2], used[2], size[2];
  double fill;
  void *lanes;
  int64_t pitch; /* elements from row to row */
} cc_lanes_job;

/* rows[l][p] = lanes[p][l]      l < VL, p < n; n counts up to whole vectors, here and there */
typedef struct cc_rows_job {
  const void *lanes;
  int64_t n;
  void *rows;
  int64_t pitch;
} cc_rows_job;

/* values[f][t][l] = (B' d B)[f] of tile t, or (B' d)[f] of lines      t < tiles
 *
 * Lanes: d(i, j) of tile t is i row + j column elements behind the tile's first, and these are m column apart; of a line
 * d(j) is j column behind, and lines are `tile` apart. */
typedef struct cc_winograd_input_job {
  const void *lanes;
  int64_t row, column, m, tile, tiles;
  void *values;
  int64_t plane, value_pitch; /* elements from f to f + 1, from tile to tile */
} cc_winograd_input_job;

/* weights[i][j][c][v][l] = (G g G')(row + i, j), g = taps[v][c], [r][r][VL]      i < weight_rows, c < channels, v < vectors
 *
 * and of lines (G g)(j), g = taps[v][c], [r][VL]. Lanes are output channels. */
typedef struct cc_winograd_weight_job {
  const void *taps;
  int64_t taps_pitch; /* elements from vector to vector */
  int64_t channels, vectors, row;
  void *weights;
  int64_t plane, weight_pitch; /* elements from j to j + 1, from channel to channel */
} cc_winograd_weight_job;

/* sums[t][j] (+)= sum over k of values[t][k] weights[k][j]      t < tiles, j < vectors VL
 *
 * The tiles and vectors are the kernel's own. Of every `part` terms there is a sum of its own; these are added up, and
 * the whole to what the sums hold, unless `fresh`. `ahead` is what will be wanted next, CC_AHEAD bytes for every k. */
typedef struct cc_winograd_product_job {
  int64_t k, part;
  const void *values;
  int64_t value_pitch;
  const void *weights;
  void *sums;
  int64_t sum_pitch;
  void *chunk; /* scratch for sums [tiles][vectors VL] */
  const char *ahead;
  bool fresh;
} cc_winograd_product_job;

typedef void cc_winograd_product_fn(const cc_winograd_product_job *job);

enum { CC_PRODUCT_TILES = 8, CC_AHEAD = 128 };

/* The kernels for some number of vectors: product[t - 1] has t tiles. */
typedef struct cc_winograd_products {
  int32_t tiles; /* the most */
  cc_winograd_product_fn *product[CC_PRODUCT_TILES];
} cc_winograd_products;

/* (A' s A)(i, j), or (A' s)(j) of lines, s[f] = sums[f][t][l], to lanes      t < tiles
 *
 * They are i row + j column elements behind the tile's first, and tiles `tile` apart. True if some are not finite: then
 * bit l of flawed[t] says whether tile t of lane l has such. */
typedef struct cc_winograd_output_job {
  const void *sums;
  int64_t plane, sum_pitch;
  int64_t tiles;
  void *lanes;
  int64_t row, column, tile;
  uint32_t *flawed;
} cc_winograd_output_job;

/* The transforms for tiles of m outputs and `taps` taps of the kernel: squares, or lines of one axis. */
typedef struct cc_winograd {
  int32_t m, taps, axes;
  int32_t weight_rows; /* that one call makes */
  void (*input)(const cc_winograd_input_job *job);
  void (*weight)(const cc_winograd_weight_job *job);
  bool (*output)(const cc_winograd_output_job *job);
} cc_winograd;

enum { CC_WINOGRADS = 6 };

/* y[p] = max or average over x[p][t]      p < planes, t < n; at least VL planes
 *
 * Planes are x_plane, the elements of one x_step bytes apart, and one of these is the size of an element. Terms
 * go to 16 partials as in pool_box. */
typedef struct cc_pool_planes_job {
  const char *x; /* of any alignment, elements T */
  int64_t planes, n, x_plane, x_step;
  int32_t kind;   /* CCONV_POOL_MAX or CCONV_POOL_AVERAGE */
  int32_t target; /* dtype of y */
  char *y;
  int64_t y_plane; /* bytes */
} cc_pool_planes_job;

/* y[p][r][j] = (sum over i < k of x[p][r][off[i] + j step], in 16 partials) / divisor      p < planes, r < rows, j < n
 *
 * The offsets are those of a box in C order. The step is 1 or 2; x has two vectors of slack behind it. Steps between
 * planes and rows are in bytes. `inverse` is that of the divisor where it is exact, else 0. */
typedef struct cc_window_sum_job {
  const void *x;
  const int32_t *off;
  int64_t k, step;
  int64_t planes, rows, n;
  int64_t x_plane, x_row, y_plane, y_row;
  double divisor, inverse;
  void *y;
} cc_window_sum_job;

/* step 1: y[p][r][j] = max over i < taps of x[i][p][r][j], and min likewise      p < planes, r < rows, j < n
 * step 2: of x[i][p][r][2j], and of x[i][p][r][2j + 1] for i < pairs
 * above:  y[p][r][j] = x[0][p][r][j step]
 *
 * Steps between planes and rows are in bytes. y is aligned to its elements, x need not be where the step is 1.
 * With `more`, for step 1, y itself comes first. y may be x[0] of one row where n counts whole vectors and no x
 * comes before x[0]. Where the step is 2, two vectors behind the last element of a row can be read. */
enum { CC_EXTREME_TAPS = 8 };

typedef struct cc_extreme_job {
  const char *x[CC_EXTREME_TAPS];
  int32_t taps, pairs;
  int64_t step;
  bool more;
  int64_t planes, rows, n;
  int64_t x_plane, x_row, y_plane, y_row;
  void *y;
} cc_extreme_job;

/* max: y[p][l][j] = max over i < rows, k < taps of x[i][p][l][2j + first + k], and min likewise
 * mean: (x[0][p][l][2j + first] + x[0][p][l][2j + first + 1] + that of the other rows, in partials) / divisor
 *
 *     p < planes, l < lines, j < n
 *
 * Columns are in [0, columns): of others there is nothing. An extreme takes 2 or 3 taps of at least one row. A mean has
 * 2 taps, all of them columns, and 2 or 4 rows; for its divisor and inverse see cc_window_sum_job. Steps between planes
 * and lines are in bytes; x is of any alignment. */
typedef struct cc_halving_job {
  const char *x[CC_EXTREME_TAPS];
  int32_t rows, taps;
  int64_t first, columns;
  int64_t planes, lines, n;
  int64_t x_plane, x_line, y_plane, y_line;
  double divisor, inverse;
  void *y;
} cc_halving_job;

/* All that one instruction set offers one dtype; to integers no sums and averages of pools, no depthwise rows, no
 * panels, no peak and nothing of Winograd's. */
typedef struct cc_kernels {
  int32_t vector_length;           /* VL */
  int32_t conv_rows;               /* the most rows a convolution tile has */
  const cc_conv_tiles *conv_tiles; /* conv_tiles[mr - 1] have mr rows */
  void (*depthwise)(const cc_depthwise_job *job);
  void (*halo_pack)(const cc_halo_pack_job *job);
  void (*weight_pack)(const cc_weight_pack_job *job);
  void (*transpose)(const cc_transpose_job *job);
  void (*panel)(const cc_panel_job *job);
  void (*windows)(const cc_window_job *job);
  void (*taps)(const cc_tap_job *job);
  void (*interleave)(const cc_interleave_job *job);
  void (*deposit)(const cc_deposit_job *job);
  void (*store)(const cc_store_job *job);
  void (*scatter)(const cc_scatter_job *job);
  void (*add)(const cc_add_job *job);
  void (*pool_max)(const cc_pool_job *job);
  void (*pool_min)(const cc_pool_job *job);
  void (*pool_max_taps)(const cc_pool_job *job);
  void (*pool_min_taps)(const cc_pool_job *job);
  void (*pool_box)(const cc_pool_box_job *job);
  void (*pool_sum)(const cc_pool_job *job);
  void (*average)(const cc_average_job *job);
  void (*pool_power)(const cc_pool_power_job *job);
  int64_t (*fma_peak)(int64_t iterations, double seed); /* operations done; the seed hides the values */
  void (*lanes)(const cc_lanes_job *job);
  void (*rows)(const cc_rows_job *job);
  cc_winograd winograd[CC_WINOGRADS];
  const cc_winograd_products *products; /* products[v - 1] are of v vectors */
  int32_t product_vectors;              /* the most */
  void (*pool_planes)(const cc_pool_planes_job *job);
  void (*window_sum)(const cc_window_sum_job *job);
  void (*extreme_max)(const cc_extreme_job *job);
  void (*extreme_min)(const cc_extreme_job *job);
  void (*halving_max)(const cc_halving_job *job); /* of avx512 alone */
  void (*halving_min)(const cc_halving_job *job);
  void (*halving_mean)(const cc_halving_job *job); /* for floating dtypes, not on generic */
  /* For floating dtypes: lanes are channels, or positions; the latter not on generic. */
  void (*depthwise_pack_lanes)(const cc_halo_pack_job *job, int64_t lanes);
  void (*depthwise_lanes)(const cc_depthwise_rows_job *job);
  void (*depthwise_pack)(const cc_halo_pack_job *job);
  void (*depthwise_rows)(const cc_depthwise_rows_job *job);
  int64_t depthwise_square; /* rows that depthwise_rows sums at once under 5 x 5 and 7 x 7 kernels of step 1 */
  /* Of avx512 alone. */
  void (*depthwise_planes)(const cc_depthwise_planes_job *job);
  void (*depthwise_in_place)(const cc_depthwise_in_place_job *job);
  void (*conv_in_place)(const cc_conv_in_place_job *job);
  /* For floating dtypes. */
  void (*pieces_input)(const cc_pieces_input_job *job);
  void (*pieces_output)(const cc_pieces_output_job *job);
  void (*pieces_weight)(const cc_pieces_weight_job *job);
  void (*fft_tables)(const cc_fft_tables_job *job);
  void (*fft_columns)(const cc_fft_columns_job *job);
  void (*fft_rows)(const cc_fft_rows_job *job);
  void (*filter_rows)(const cc_filter_rows_job *job);
  void (*filter_means)(const cc_filter_rows_job *job);
  void (*filter_line)(const cc_filter_line_job *job);
  bool (*is_finite)(const void *x, int64_t n);     /* all n elements? */
  void (*mend)(const void *x, void *y, int64_t n); /* y[j] = x[j] where y[j] is not finite */
  bool (*factor)(const cc_factor_job *job);
} cc_kernels;

/* One instruction set: kernels for each dtype that is computed in. Others are converted where rows are read
 * and written. */
typedef struct cc_isa {
  const char *name;
  const cc_kernels *f32, *f64, *i32, *i64, *u64;
  const cc_matrix_kernels *matrix; /* for float32; NULL where there is no such unit */
} cc_isa;

/* The instruction set in use: the best this CPU has, capped by CCONV_ISA; NULL when that names none. */
const cc_isa *cconv_isa_in_use(void);

/* Its kernels for a dtype, NULL where there are none. */
const cc_kernels *cconv_isa_kernels(const cc_isa *isa, int32_t dtype);

#endif
