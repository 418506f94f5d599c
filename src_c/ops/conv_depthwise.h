/* SPDX-License-Identifier: BSD-3-Clause
 * conv_depthwise.h - ways of depthwise convolution beside that of conv_depthwise.c, which asks them first. */
#ifndef CC_CONV_DEPTHWISE_H
#define CC_CONV_DEPTHWISE_H

#include "ops/conv_driver.h"

/* A multiply-add takes as long as some of a convolution that shares its loads with more filters (measured: a second
 * thread pays from an eighth of the operations on). */
enum { CC_DEPTHWISE_COST = 8 };

/* Of narrow planes: as cconv_depthwise_rows_prepare. */
extern const cc_conv_driver cconv_depthwise_planes;
bool cconv_depthwise_planes_prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work);

/* Of planes that are read where they lie: as cconv_depthwise_rows_prepare, which serves what is no plain output. */
extern const cc_conv_driver cconv_depthwise_in_place;
bool cconv_depthwise_in_place_prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work);

/* Of long signals with many taps: as cconv_depthwise_rows_prepare. */
extern const cc_conv_driver cconv_depthwise_signal;
bool cconv_depthwise_signal_prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work);

/* Over packed rows of inputs: true where that pays and has been worked out, with its run and describe as work->driver.
 * Strides and threads may decide, for the sums are the same to the bit. */
extern const cc_conv_driver cconv_depthwise_rows;
bool cconv_depthwise_rows_prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work);

#endif
