/* SPDX-License-Identifier: BSD-3-Clause
 * conv_matrix.h - what drivers of products on a matrix unit have in common: lines of inputs, and images that the unit
 * cannot compute.
 *
 * The unit flushes what is subnormal, and a part of infinity is NaN. So the greatest magnitude of each image and of the
 * weights is noted, and images where either could matter are computed directly, as a whole, once all are done. */
#ifndef CC_CONV_MATRIX_H
#define CC_CONV_MATRIX_H

#include <stdatomic.h>

#include "ops/conv_driver.h"

enum {
  CC_TURN = 64,                /* positions, or outputs, that are turned at once: both copies stay near */
  CC_TURN_PITCH = CC_TURN + 16 /* and a vector that a store may read */
};

/* Raise the greatest magnitude of an image or of the weights, as the bits of a float32. */
void cconv_matrix_raise(_Atomic uint32_t *greatest, uint32_t value);

/* Is nothing flushed that counts, and all finite? */
bool cconv_matrix_is_ordinary(uint32_t image, uint32_t weights);

/* Image n alone, to be computed directly. */
cc_conv cconv_matrix_directly(const cc_conv *conv, int64_t n);

/* Make zero what no window of a block looks at, of channels packed as a larger block's: then the greatest magnitude does
 * not depend on how outputs are cut. */
void cconv_matrix_clear(const cc_conv *conv, const cc_blocks *blocks, const cc_block *block, int64_t channels,
                        char *packed);

/* The lines of so many channels at `n` positions, from planes `stride` bytes apart, which are turned first. */
void cconv_matrix_turn(const cc_conv *conv, const char *rows, int64_t stride, int64_t channels, int64_t n, char *turned,
                       cc_split_job *job);

#endif
