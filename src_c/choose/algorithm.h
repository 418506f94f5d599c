/* SPDX-License-Identifier: BSD-3-Clause
 * algorithm.h - which algorithm computes a convolution.
 *
 * Law: a pure function of what is asked for, the dtype, one image's shape, the weight's and the window
 * parameters, never of batch, threads, caches, strides or values: these may change between calls that must
 * agree to the bit. */
#ifndef CC_ALGORITHM_H
#define CC_ALGORITHM_H

#include "shape/conv_shape.h"

/* Cycles a vector (of 16 float32), measured, for one tile's inputs and outputs and for one kernel's weights: half way
 * between those that a plan reads and those that a function makes, and where these are larger than a level 2 cache
 * (far) and where not. Products come at eight in five cycles. */
typedef struct cc_winograd_costs {
  int32_t m, taps, axes; /* F(m x m, taps x taps) of two axes, F(m, taps) of one */
  int32_t products, input, output, near_weight, far_weight;
} cc_winograd_costs;

/* How a convolution is computed. */
typedef struct cc_method {
  const cc_winograd_costs *winograd; /* NULL: directly */
  /* The last two axes: is this one transformed? Over the taps of the others sums run as over channels. */
  bool transformed[2];
  bool turned; /* the first two axes trade places before: the second is the one that has other taps or strides */
} cc_method;

/* Can Winograd's algorithm serve? It wants FLOAT32 or FLOAT64, and transforms the last two axes where both have kernels
 * of 3, or both of 5; else the last where its kernel is 3 or 5, and the one before is then like the first; else the one
 * before, where the last has a kernel of 1. Those have a stride of 1, with any dilation. Of the others one may have any
 * kernel, stride and dilation. On a refusal CCONV_UNSUPPORTED, and *error says which number is in the way. */
cconv_status cconv_winograd_serves(int32_t dtype, int32_t rank, const cc_conv_shape *shape, cconv_error *error);

/* How an ordinary convolution of arithmetic `dtype` is computed when cconv_algorithm `asked` is asked for.
 * AUTO gives the fastest by a count of the work; WINOGRAD the faster of its kinds, and directly where it
 * cannot serve. shape->n is not looked at. */
cc_method cconv_choose_method(int32_t asked, int32_t dtype, const cc_conv_shape *shape);

/* Can products of float32 in three parts of bfloat16 serve? They want FLOAT32, a matrix unit, and windows of at
 * least 16 values. On a refusal CCONV_UNSUPPORTED, and *error says which number is in the way. */
cconv_status cconv_bf16x3_serves(int32_t dtype, bool matrix_unit, const cc_conv_shape *shape, cconv_error *error);

/* Are the values of windows summed as channels are, of one tap, since channels are few? */
bool cconv_choose_windows(const cc_conv_shape *shape);

/* Can products of float32 in three digits of 8 bits? Where those in bfloat16 can, of fewer products. */
cconv_status cconv_int8x3_serves(int32_t dtype, bool matrix_unit, const cc_conv_shape *shape, cconv_error *error);

/* Is a convolution computed so where there is a matrix unit? As cconv_choose_bf16x3, and before that. */
bool cconv_choose_int8x3(int32_t asked, int32_t dtype, const cc_conv_shape *shape);

/* Is a convolution computed so where there is a matrix unit? Wherever BF16X3 is asked for and can serve; where AUTO is, if
 * that is the fastest by a count of the work. */
bool cconv_choose_bf16x3(int32_t asked, int32_t dtype, const cc_conv_shape *shape);

/* Are all phases of a transposed convolution computed so, in one pass? `shape` is the convolution whose kernel is the
 * window of a place, whose phases have `taps` taps in all, and so few that a
 * thread's scratch stays below 8 MB whatever the cache. */
bool cconv_choose_bf16x3_phases(int32_t dtype, const cc_conv_shape *shape, int64_t phases, int64_t taps);

/* Is a convolution computed in Winograd's domain, piece by piece of its kernel? Only where AUTO is asked for, of one
 * channel a group, and of kernels so large that this takes less time. */
bool cconv_choose_pieces(int32_t asked, int32_t dtype, const cc_conv_shape *shape);

/* Its rows are folded out of a single one, so many outputs in each; 0 where it has rows of its own. */
int64_t cconv_pieces_fold(const cc_conv_shape *shape);

/* Are planes a single row, of both input and output, and kernels, too? */
bool cconv_is_line(const cc_conv_shape *shape);

/* Is a convolution computed by Fourier transforms? Only where AUTO is asked for, of one channel a group, and of kernels so
 * large that this takes less time than all else: then tiles have size[0] rows and size[1] columns, or elements of a line
 * in rows; see cc_fft_tables_job. */
bool cconv_choose_fft(int32_t asked, int32_t dtype, const cc_conv_shape *shape, int64_t size[2]);

#endif
