/* SPDX-License-Identifier: BSD-3-Clause
 * conv_depthwise.h - a way of depthwise convolution beside that of conv_depthwise.c, which asks it first. */
#ifndef CC_CONV_DEPTHWISE_H
#define CC_CONV_DEPTHWISE_H

#include "ops/conv_driver.h"

/* Over packed rows of inputs: true where that pays and has been worked out, with its run and describe as work->driver.
 * Strides and threads may decide, for the sums are the same to the bit. */
extern const cc_conv_driver cconv_depthwise_rows;
bool cconv_depthwise_rows_prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work);

#endif
