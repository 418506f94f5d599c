/* SPDX-License-Identifier: BSD-3-Clause
 * filter_jobs.h - what kernels of filters are told: sums across rows and along them, large kernels in Winograd's domain.
 *
 * A part of kernels.h, whose law and glossary hold here. */
#ifndef CC_FILTER_JOBS_H
#define CC_FILTER_JOBS_H

#include <stdint.h>

/* y[r][j] = (sum over k < taps of w[k] x[r + k][j]) / divisor      r < rows, j < n
 *
 *   x         rows of inputs, of any alignment: taps + rows - 1 of them
 *   y         rows y_row bytes apart, aligned to elements, apart from x
 *   divisor   0 for none; an integer
 *   suffixes  scratch of rows times 8 vectors, for filter_means alone
 *
 * filter_rows: each element is one chain of v_fma in the order of k. filter_means: weights of 1, and rows <= taps; an
 * element is the sum of x[taps - 1], x[taps - 2], ... x[r] plus that of x[taps], x[taps + 1], ... x[taps + r - 1]. */
typedef struct cc_filter_rows_job {
  const char *const *x;
  const void *w;
  int64_t taps, rows, n;
  double divisor;
  void *y;
  int64_t y_row;
  void *suffixes;
} cc_filter_rows_job;

/* y[r][j] = (sum over t < terms of w[t] x[r][t + j]) / divisor           r < rows, j < n
 *           (sum over t < terms of x[r][off[t] + j]) / divisor           where w is NULL
 *
 * x's rows are x_row elements apart, with a vector's slack behind each; for the rest see cc_filter_rows_job. */
typedef struct cc_filter_line_job {
  const void *x, *w;
  const int32_t *off;
  int64_t terms, rows, n, x_row;
  double divisor;
  void *y;
  int64_t y_row;
} cc_filter_line_job;

/* values[7 i + j][t] = (B' d B)(i, j), d[a][b] = x[a][4 t + b]      a, b < 7; t < tiles: a row of tiles
 *
 *   x       rows pitch elements apart, with 4 (1 + VL) more in each than tiles want
 *   phases  scratch for 28 rows of tiles + VL elements
 *   values  planes `plane` elements apart; tiles count up to whole vectors, here and there */
typedef struct cc_pieces_input_job {
  const void *x;
  int64_t pitch, tiles;
  void *phases, *values;
  int64_t plane;
} cc_pieces_input_job;

/* y[a][4 t + b] = (A' s A)(a, b), s(i, j) = sums[7 i + j][t]      a, b < 4; t < tiles, counted up to whole vectors */
typedef struct cc_pieces_output_job {
  const void *sums;
  int64_t plane, tiles;
  void *y;
  int64_t pitch;
} cc_pieces_output_job;

/* weights[7 i + j][p][q] = (G g G')(i, j), g[a][b] = tap (4 p + a, 4 q + b)      p < pieces[0], q < pieces[1]
 *
 * Tap (h, w) is w[h step[0] + w step[1]], and 0 where h or w is not below its size, or that index not below taps. */
typedef struct cc_pieces_weight_job {
  const void *w;
  int64_t size[2], step[2], taps, pieces[2];
  void *weights;
} cc_pieces_weight_job;

/* w[i][j] = u[i] v[j]      i < rows, j < columns: true if this holds but for roundings
 *
 * More exactly, if the sum of |w[i][j] - u[i] v[j]| is at most `tolerance` that of |w[i][j]|, and no w is not finite or
 * all are below CC_FACTOR_LEAST: v, the smaller factor, could then be denormal. Where it is false u and v hold
 * anything. */
#define CC_FACTOR_LEAST 0x1p-80

typedef struct cc_factor_job {
  const void *w; /* dense */
  int64_t rows, columns;
  double tolerance;
  void *u, *v;
} cc_factor_job;

#endif
