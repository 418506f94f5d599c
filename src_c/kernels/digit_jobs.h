/* SPDX-License-Identifier: BSD-3-Clause
 * digit_jobs.h - products of float32 on a matrix unit that multiplies integers of 8 bits: the jobs.
 *
 * What is multiplied together has a common exponent e, and is a whole number of units 2^(e - 23), in three digits:
 *
 *   x = 2^(e - 7) (d0 + 2^-8 d1 + 2^-16 d2),      |d| <= 128, |x| < 2^e,      to within 2^(e - 24)
 *
 * All inputs of a block of outputs share one, and all weights of an output channel. A product is d0 b0, d0 b1 + d1 b0 and
 * d0 b2 + d1 b1 + d2 b0, each a sum of integers that is exact; what is left out is below 2^(e + f - 22).
 *
 *   line    64 bytes: one digit of 64 channels at a position; or of 32 or 16 at two or four positions, one behind the
 *           other
 *   square  1024 bytes: one digit of the weights of 16 lanes for such a line, [4 channels][lane][channel]
 *
 * For `planes` it is the other way round, so that inputs are taken as they lie: of 64 channels and 16 positions a square
 * of inputs, [4 channels][position][channel], and a line of weights for each lane. */
#ifndef CC_DIGIT_JOBS_H
#define CC_DIGIT_JOBS_H

#include <stdbool.h>
#include <stdint.h>

enum {
  CC_DIGITS = 3,
  CC_DIGIT_CHANNELS = 64,  /* of a line */
  CC_DIGIT_POSITIONS = 32, /* that products take at a time: the last may be beyond the last position */
  CC_DIGIT_LANES = 16,
  CC_DIGIT_LINE = 64,
  CC_DIGIT_SQUARE = 1024,
  /* The least exponent, biased as in a float32: what is below has fewer digits. */
  CC_DIGIT_LEAST = 27
};

/* greatest[c] = max over i < n of |x[c][i]|, as bits, those of NaN and infinity above all      c < channels
 * places[i] raised to the max over c of |x[c][i]|
 *
 *   stride  elements from x[c] to x[c + 1], or row c begins at off[c]; x[c][i + 1] follows x[c][i], or for `pixels` is
 *           `step` elements further and stride is 1
 *
 * Both are written in whole vectors of 16. */
typedef struct cc_magnitudes_job {
  const float *x;
  const int32_t *off; /* NULL: by stride */
  int64_t stride, step, channels, n;
  bool pixels;
  uint32_t *greatest, *places;
} cc_magnitudes_job;

/* byte c of line i of y = that digit of x[i step + c]      i < n, c < channels <= 64, others are 0
 *
 *   exponent  biased, one above that of the greatest magnitude
 *   y         lines behind each other, digits y_digit bytes apart */
typedef struct cc_digits_job {
  const float *x;
  int64_t step, n, channels;
  int32_t exponent;
  void *y;
  int64_t y_digit;
} cc_digits_job;

/* byte 4 l + i of line r of square s of y = that digit of x[4 r + i][16 s + l]      16 s < n
 *
 *   x  rows of n elements, as many as there are channels, at most 64; others are 0. They are `stride` elements apart, or
 *      row c begins at off[c] */
typedef struct cc_digit_squares_job {
  const float *x;
  const int32_t *off; /* NULL: by stride */
  int64_t stride, channels, n;
  int32_t exponent; /* as in cc_digits_job, like y and y_digit */
  void *y;
  int64_t y_digit;
} cc_digit_squares_job;

/* The weights of 16 lanes in digits, for planes and a kernel of one tap.
 *
 *   x         `lanes` rows of `channels` elements, `pitch` elements apart; other lanes are 0
 *   squares   [64 channels][digit][lane]
 *   scale, greatest  as in cc_digit_weights_job */
typedef struct cc_digit_rows_job {
  const float *x;
  int64_t pitch, lanes, channels;
  void *squares;
  float *scale;
  uint32_t greatest;
} cc_digit_rows_job;

/* The weights of 16 lanes in digits, and how great they are.
 *
 *   x         [slices width channels][rows][row_taps][16 lanes], 0 where there is no channel
 *   squares   of each slice and row, so many taps at a time as a line has positions: [step][digit]
 *   scale     of each lane, 2^(e - 7)
 *   shares    unless NULL: [4 channels][lane][channel]: floor(255 sum over taps |x| / (taps max |x|)), the maximum that of the lane
 *   greatest  raised to the bits of the greatest magnitude; above all numbers where a lane is so small that it has not
 *             all digits, but is not 0 */
typedef struct cc_digit_weights_job {
  const float *x;
  int64_t slices, width, rows, row_taps;
  void *squares;
  float *scale;
  uint8_t *shares;
  uint32_t greatest;
} cc_digit_weights_job;

/* The least over 16 lanes of sum over c of shares[c][lane] levels[c]      c < channels, a multiple of 4
 *
 *   shares   of cc_digit_weights_job
 *   squares  instead of these for a kernel of one tap, whose first digit, less one, is half a share: of either weights job, for
 *            `planes` of the other. A lane of zeros then does not count, and channels are a multiple of 64 */
typedef struct cc_digit_shares_job {
  const void *shares, *squares;
  const int8_t *levels;
  int64_t channels;
  bool planes;
} cc_digit_shares_job;

/* sums[p][l] = scale lane_scale[l] (s0 + 2^-8 s1 + 2^-16 s2), and s the exact sums of products of digits over steps s:
 *
 *   s0 = sum w0 x0      s1 = sum w0 x1 + w1 x0      s2 = sum w0 x2 + w1 x1 + w2 x0      p < positions, l < 16
 *
 *   x     lines of positions, or for `planes` squares, off in lines, digits x_digit bytes apart; three offsets more say what to ask for at the end
 *   w     [step][digit] squares
 *   sums  rows of `pitch` elements, for whole CC_DIGIT_POSITIONS; for `planes` and if `turned` [l][p] */
typedef struct cc_digit_job {
  int64_t steps;
  const void *x;
  const int32_t *off;
  int64_t x_digit, positions;
  const void *w;
  const float *lane_scale;
  float scale;
  float *sums;
  int64_t pitch;
  bool planes, turned;
} cc_digit_job;

#endif
