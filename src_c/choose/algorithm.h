/* SPDX-License-Identifier: BSD-3-Clause
 * algorithm.h - which algorithm computes a convolution.
 *
 * Law: a pure function of what is asked for, the dtype, one image's shape, the weight's and the window
 * parameters, never of batch, threads, caches, strides or values: these may change between calls that must
 * agree to the bit. */
#ifndef CC_ALGORITHM_H
#define CC_ALGORITHM_H

#include "shape/conv_shape.h"

/* The value is the number of outputs that a tile has along an axis. */
typedef enum cc_method {
  CC_METHOD_DIRECT = 0,
  CC_METHOD_WINOGRAD_2 = 2, /* F(2 x 2, 3 x 3) */
  CC_METHOD_WINOGRAD_4 = 4  /* F(4 x 4, 3 x 3) */
} cc_method;

/* Can Winograd's algorithm serve? It wants FLOAT32 or FLOAT64, and kernels of 3 with stride and dilation 1
 * along the last two axes; the first may be anything. On a refusal CCONV_UNSUPPORTED, and *error says which
 * number is in the way. */
cconv_status cconv_winograd_serves(int32_t dtype, int32_t rank, const cc_conv_shape *shape, cconv_error *error);

/* How an ordinary convolution of arithmetic `dtype` is computed when cconv_algorithm `asked` is asked for.
 * AUTO gives the fastest by a count of the work; WINOGRAD the faster of its two kinds, and DIRECT where it
 * cannot serve. shape->n is not looked at. */
cc_method cconv_choose_method(int32_t asked, int32_t dtype, const cc_conv_shape *shape);

/* Is a convolution computed in Winograd's domain, piece by piece of its kernel? Only where AUTO is asked for, of one
 * channel a group, and of kernels so large that this takes less time. */
bool cconv_choose_pieces(int32_t asked, int32_t dtype, const cc_conv_shape *shape);

/* Its rows are folded out of a single one, so many outputs in each; 0 where it has rows of its own. */
int64_t cconv_pieces_fold(const cc_conv_shape *shape);

#endif
