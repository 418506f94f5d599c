/* SPDX-License-Identifier: BSD-3-Clause
 * conv_mend.h - direct sums in place of those of another algorithm that are not finite.
 *
 * Law: NaN and infinities among inputs and weights reach the same outputs by every algorithm, and no sum is infinite
 * that a direct one is not. */
#ifndef CC_CONV_MEND_H
#define CC_CONV_MEND_H

#include "ops/conv_driver.h"

/* What it takes for a convolution of one channel a group: its scratch holds a halo, a slab, weights and offsets. */
typedef struct cc_mend {
  cc_blocks blocks; /* a piece of a row of outputs, all taps */
  int64_t slab_at, panel_at, offsets_at, bytes;
} cc_mend;

void cconv_mend_prepare(const cc_conv *conv, cc_mend *mend);

/* Outputs of image n and group g: `rows` rows of `columns`, from row and column `from` on. */
typedef struct cc_sums {
  int64_t n, g, from[2], rows, columns;
  char *y; /* in the dtype of the arithmetic, without bias */
  int64_t y_row;
} cc_sums;

/* Those of the sums that are not finite become what direct ones are. */
void cconv_mend(const cc_conv *conv, const cc_mend *mend, const cc_sums *sums, char *scratch);

#endif
