/* SPDX-License-Identifier: BSD-3-Clause
 * filter_separable.h - a convolution of one channel whose kernel is a column times a row, by two passes.
 *
 * Law: whether a kernel is one its values say, and nothing else that is no shape. A sum that is not finite is summed
 * anew by what direct sums are. */
#ifndef CC_FILTER_SEPARABLE_H
#define CC_FILTER_SEPARABLE_H

#include "ops/conv_driver.h"

enum {
  CC_SEPARABLE_TAPS = 48, /* of an axis, at most: roundings of longer sums of like values would pass the gate */
  CC_FACTORS_BYTES = 2 * CC_SEPARABLE_TAPS * 8
};

/* Would it pay, were the kernel such a product? By shapes and parameters alone. */
bool cconv_separable_fits(const cc_conv *conv);

/* Is it? scratch: CC_FACTORS_BYTES, which then hold the factors, and room for a dense copy of weights not kept. */
bool cconv_separable_factor(const cc_conv *conv, char *scratch);

/* Bytes of a run's workspace. */
int64_t cconv_separable_workspace(const cc_conv *conv, int64_t threads);

/* With factors at the start of the workspace. */
cconv_status cconv_separable_run(const cc_conv *conv, int64_t threads, cc_run *run, char *workspace);

void cconv_separable_describe(const cc_conv *conv, int64_t threads, cconv_plan_info *info);

#endif
