/* SPDX-License-Identifier: BSD-3-Clause
 * conv_direct.h - direct convolution: lanes are output positions, weights are read in place. */
#ifndef CC_CONV_DIRECT_H
#define CC_CONV_DIRECT_H

#include "ops/conv.h"

int64_t cconv_conv_direct_workspace(const cc_conv *conv, const cconv_context *context);

/* workspace: as many bytes as asked for, aligned to CC_ALIGNMENT. */
void cconv_conv_direct_run(const cc_conv *conv, const cconv_context *context, char *workspace);

#endif
