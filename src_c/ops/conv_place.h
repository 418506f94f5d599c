/* SPDX-License-Identifier: BSD-3-Clause
 * conv_place.h - what the drivers share that read inputs where they lie. */
#ifndef CC_CONV_PLACE_H
#define CC_CONV_PLACE_H

#include "ops/conv_driver.h"

/* Are rows of inputs and outputs, weights and borders such that a kernel takes them as they are? */
bool cconv_place_fits(const cc_conv *conv);

/* The geometry of a row. */
cc_place cconv_place_of(const cc_axis *axis);

/* Few channels: true where that pays and takes over, with its run and describe as work->driver. To be called once
 * another way is worked out: the workspace stays as large, because a call with a residual or another activation packs. */
extern const cc_conv_driver cconv_conv_in_place;
bool cconv_conv_in_place_prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work);

#endif
