/* SPDX-License-Identifier: BSD-3-Clause
 * place_jobs.h - what kernels that read inputs where they lie are told.
 *
 * A part of kernels.h, whose law and glossary hold here. */
#ifndef CC_PLACE_JOBS_H
#define CC_PLACE_JOBS_H

#include <stdbool.h>
#include <stdint.h>

/* The outputs of a row, and what they look at: output j at inputs j step + kw - before, kw < side, which are 0 where
 * they are not in [0, end).
 *
 *   side     3, 5 or 7
 *   step     1 or 2
 *   before   at most side / 2; at most as many of the last output's taps look behind the row
 *   columns  of outputs, more than VL + before, or at most VL where a kernel says so. No tap of those in whole vectors
 *            before the last column looks behind the row */
typedef struct cc_place {
  int64_t side, step, before, end, columns;
} cc_place;

/* y[m][r][j] = bias[m] + sum over c, kh, kw of w[m][c][kh][kw] x[c][r step + kh - above][j step + kw - before]
 *
 *     m < filters, c < channels, kh < taps, kw < side, first <= r < first + rows, j < columns
 *
 * x is 0 where an index is not in [0, end). Elements are dense in a row; rows are x_stride and y_stride bytes apart,
 * channels next_x and next_y, and y is apart from x.
 *
 *   place    the geometry of a row; columns may be at most VL where side is 3
 *   end      of rows of inputs
 *   taps     at most CC_PLACE_TAPS
 *   filters  a multiple of 4
 *   rows     at least CC_PLACE_LEAST
 *   zeros    as many as a row of inputs has
 *   w        terms of a filter dense, filters next_w elements apart; bias one element a filter, or NULL
 *
 * The sums are bounded where `bounded`. Each is one chain of v_fma in the order of the terms. */
enum { CC_PLACE_TAPS = 7, CC_PLACE_LEAST = 4, CC_PLACE_FILTERS = 8 };

typedef struct cc_conv_in_place_job {
  int64_t channels, next_x;
  const char *x;
  int64_t x_stride, end, above, taps;
  cc_place place;
  int64_t filters, next_w, next_y;
  int64_t first, rows;
  const char *zeros;
  const void *w;
  const void *bias;
  void *y;
  int64_t y_stride;
  bool bounded;
  double low, high;
} cc_conv_in_place_job;

#endif
