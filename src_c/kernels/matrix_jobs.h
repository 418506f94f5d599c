/* SPDX-License-Identifier: BSD-3-Clause
 * matrix_jobs.h - products of float32 on a matrix unit: the jobs of its bfloat16, and the table with all.
 *
 * A float32 is the sum of three bfloat16, its parts: x = x0 + x1 + x2, |x1| <= 2^-8 |x|, |x2| <= 2^-16 |x|, exactly,
 * unless a part is subnormal or x is not finite. A product is w0 x0 + w0 x1 + w0 x2 + w1 x0 + w1 x1 + w2 x0, each of
 * them exact; what is left out is below 2^-23 |w x|.
 *
 *   line    64 bytes: one part of 16 pairs, of channels c and c + 16
 *   square  16 lines, one behind the other
 *   step    the products of 32 channels, for one tap */
#ifndef CC_MATRIX_JOBS_H
#define CC_MATRIX_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/digit_jobs.h"

enum {
  CC_LINE_CHANNELS = 32,
  CC_LINE_BYTES = 64,
  CC_SQUARE_LANES = 16,
  CC_SQUARE_BYTES = 1024,
  CC_PARTS = 3,
  CC_MATRIX_POSITIONS =
      64,              /* that products take at a time, or half of them: the last may be beyond the last position */
  CC_MATRIX_LANES = 32 /* output channels likewise: two squares of weights */
};

/* line i of y = that part of pairs (low[i step + l], high[i step + l]), l < 16      i < n
 *
 *   low, high  of which the first low_lanes, high_lanes lanes are there, 0 to 16, and the rest is 0
 *   y          lines y_step bytes apart, parts y_part
 *   greatest   raised to the bits of the greatest magnitude, those of NaN and infinity above all */
typedef struct cc_split_job {
  const float *low, *high;
  int32_t low_lanes, high_lanes;
  int64_t step, n;
  void *y;
  int64_t y_step, y_part;
  uint32_t greatest;
} cc_split_job;

/* line c of square i of y = that part of pairs (x[c][16 i + l], x[c + 16][16 i + l]), l < 16      c < 16, 16 i < n
 *
 *   x  rows of n elements, as many as there are channels, at most 32; others are 0. They are `stride` elements apart, or
 *      row c begins at off[c]
 *   y  squares behind each other, parts y_part bytes apart */
typedef struct cc_squares_job {
  const float *x;
  const int32_t *off; /* NULL: by stride */
  int64_t stride, channels, n;
  void *y;
  int64_t y_part;
  uint32_t greatest; /* as in cc_split_job */
} cc_squares_job;

/* sums[p][l] (+)= sum over steps s and channels c of w[s][c][l] x[off[s] + p][c]      p < positions, l < lanes
 *
 *   x     squares of positions, off in lines, parts x_part bytes apart
 *   w     [s][part][lanes / 16] squares; lanes are 16 or 32
 *   sums  rows of `pitch` elements, for whole CC_MATRIX_POSITIONS; added to unless `fresh`
 *
 * For `lines` a line of x is a position and one of w the channels (c, c + 16) of 16 lanes. For `planes` it is the other
 * way round: a line of w is a lane, one of x the channels (c, c + 16) of 16 positions, and sums are [l][p].
 *
 * Of every step and product of parts a sum of its own, of even and odd pairs apart, is added to the whole, each
 * rounded; the order of steps and products is fixed, and the same in both. Subnormal results are zero. */
typedef struct cc_matrix_job {
  int64_t steps;
  const void *x;
  const int32_t *off;
  int64_t x_part, positions;
  const void *w;
  int64_t lanes;
  float *sums;
  int64_t pitch;
  bool fresh;
} cc_matrix_job;

typedef struct cc_matrix_kernels {
  void (*split)(cc_split_job *job);
  void (*squares)(cc_squares_job *job);
  void (*begin)(void); /* on this thread: what comes before products, */
  void (*end)(void);   /* and after */
  void (*lines)(const cc_matrix_job *job);
  void (*planes)(const cc_matrix_job *job);
  void (*magnitudes)(const cc_magnitudes_job *job);
  void (*digits)(const cc_digits_job *job);
  void (*digit_squares)(const cc_digit_squares_job *job);
  void (*digit_weights)(cc_digit_weights_job *job);
  void (*digit_rows)(cc_digit_rows_job *job);
  int32_t (*digit_shares)(const cc_digit_shares_job *job);
  void (*digit_products)(const cc_digit_job *job);
} cc_matrix_kernels;

#endif
