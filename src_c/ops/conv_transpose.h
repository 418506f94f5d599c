/* SPDX-License-Identifier: BSD-3-Clause
 * conv_transpose.h - a transposed convolution that was checked, as a plan runs it.
 *
 * dense: the weights that cconv_transpose_keep_weights wrote, NULL for those of the caller. */
#ifndef CC_CONV_TRANSPOSE_H
#define CC_CONV_TRANSPOSE_H

#include "ops/conv_driver.h"

int64_t cconv_transpose_workspace(const cc_conv *conv, int64_t threads, const char *dense);
cconv_status cconv_transpose_run(const cc_conv *conv, cc_run *run, char *workspace, const char *dense);

/* A plan's own copy of the weights, phase by phase: its bytes, and the copy. */
int64_t cconv_transpose_dense_bytes(const cc_conv *conv);
void cconv_transpose_keep_weights(const cc_conv *conv, char *dense);

/* Fill in what the phases do; tiles and blocks are those of the first. */
void cconv_transpose_describe(const cc_conv *conv, int64_t threads, const char *dense, cconv_plan_info *info);

#endif
