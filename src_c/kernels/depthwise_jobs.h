/* SPDX-License-Identifier: BSD-3-Clause
 * depthwise_jobs.h - what kernels of depthwise convolutions are told: sums of one channel, of rows, planes and blocks.
 *
 * A part of kernels.h, whose law and glossary hold here. */
#ifndef CC_DEPTHWISE_JOBS_H
#define CC_DEPTHWISE_JOBS_H

#include "kernels/place_jobs.h"

/* slab[p] (+)= sum over k of w[k] x[off[k] + p]      p < n: one channel of a block, see cc_conv_tile_job
 *
 * n counts up to whole vectors: slab and x have a vector's slack behind them. */
typedef struct cc_depthwise_job {
  int64_t k;
  const void *w;
  const void *x;
  const int32_t *off;
  int64_t n;
  void *slab;
  bool fresh;
} cc_depthwise_job;

/* y[i][v] = sum over kd, kh, kw of w[kd][kh][kw] x[kd slice + (step i + kh) pitch + off[kw] + v VL]  i < rows, v < vectors
 *
 * The sums of one channel, or of a channel in each lane, over packed rows of inputs.
 *
 *   taps  step <= taps[1]
 *   x     packed rows, pitch elements apart, a vector's slack behind the last; for fewer than 4 rows of outputs as
 *         many as for 4
 *   w     weights, in order; with lanes VL of each
 *   y     rows y_stride bytes apart, their vectors behind each other, with lanes y_step bytes apart. Of the last
 *         vector, with lanes of all, the first `part` lanes are written, where part is not 0
 *
 * Where the sums are `whole`, bias is added, with lanes each its own, or 0; those are then, where `bounded`, bounded by
 * low and high. Each element is one chain of v_fma in the order of the terms.
 *
 * All that for `planes`, whose buffers are next_x, next_w and next_bias elements and next_y bytes apart. */
typedef struct cc_depthwise_rows_job {
  int64_t planes, next_x, next_w, next_bias, next_y;
  const void *x;
  int64_t slice, pitch;
  const int32_t *off;
  int64_t taps[3], step;
  const void *w;
  int64_t rows, vectors, part;
  void *y;
  int64_t y_stride, y_step;
  bool whole, bounded;
  const void *bias; /* NULL for none */
  double low, high;
} cc_depthwise_rows_job;

/* y[i][r][j] = bias[i] + sum over kh, kw of w[i][kh][kw] x[i][r step + kh - before][j step + kw - before]
 *
 *     i < planes, first <= r < first + rows, j < columns
 *
 * x is 0 where an index is not in [0, end). Elements are dense in a row; rows are x_stride and y_stride bytes apart,
 * planes next_x and next_y, and y is apart from x.
 *
 *   place    the geometry of a row, columns > VL; kernels are square and rows have the same side, step and before
 *   end      of rows of inputs
 *   rows     at least CC_PLACE_ROWS(step)
 *   zeros    as many as a row of inputs has
 *   w        dense, of planes next_w elements apart; bias one element a plane, or NULL
 *
 * The sums are bounded where `bounded`. Each is one chain of v_fma in the order of the terms. */
#define CC_PLACE_ROWS(step) ((step) == 2 ? 4 : 7)

typedef struct cc_depthwise_in_place_job {
  int64_t planes, next_x, next_w, next_y;
  const char *x;
  int64_t x_stride, end;
  cc_place place;
  int64_t first, rows;
  const char *zeros;
  const void *w;
  const void *bias;
  void *y;
  int64_t y_stride;
  bool bounded;
  double low, high;
} cc_depthwise_in_place_job;

/* y[i][r][j] = sum over kh, kw of w[i][kh][kw] x[i][r step[0] + kh dilation[0] + first[0]]
 *              [j step[1] + kw dilation[1] + first[1]]
 *
 *     i < planes, r < rows, j < columns <= VL
 *
 * x is fill where an index is outside [0, end). Its elements are dense in a row; rows are x_stride and y_stride bytes
 * apart, planes next_x and next_y. Of a row fewer than 2 VL inputs are looked at. With `pairs`, for which 2 columns
 * are at most VL and the inputs fewer than VL, two planes are computed at once.
 *
 *   w       dense, of planes next_w elements apart
 *   packed  scratch [taps[1]][pitch], of step[0] length vectors each, and CC_PLANE_SLACK vectors behind the last
 *   off     for each term where in `packed` row 0 of the outputs looks
 *   index   scratch of a vector for each column of taps; walk of one for each packed row
 *
 * `whole` and `bounded` as for cc_depthwise_rows_job, bias an element a plane. Each sum is one chain of v_fma in the
 * order of the terms. */
enum { CC_PLANE_SLACK = 13 };

typedef struct cc_plane_row {
  int64_t from, to; /* bytes in a plane, elements in `packed` */
} cc_plane_row;

typedef struct cc_depthwise_planes_job {
  int64_t planes, next_x, next_w, next_y;
  const char *x;
  int64_t x_stride, first[2], end[2], step[2], dilation[2], taps[2];
  double fill;
  bool pairs;
  const void *w;
  void *packed, *index;
  cc_plane_row *walk;
  int64_t length, pitch; /* packed rows of a phase; elements from one column of taps to the next */
  const int32_t *off;
  int64_t rows, columns;
  void *y;
  int64_t y_stride;
  bool whole, bounded;
  const void *bias; /* NULL for none */
  double low, high;
} cc_depthwise_planes_job;

#endif
