/* SPDX-License-Identifier: BSD-3-Clause
 * dtype.h - what is known of each cconv_dtype: its size, and in which dtype it is computed. */
#ifndef CC_DTYPE_H
#define CC_DTYPE_H

#include <stdbool.h>

#include "cconv.h"

/* Bytes of an element, 0 for a dtype that is none. */
int64_t cconv_element_size(int32_t dtype);

bool cconv_is_floating(int32_t dtype);

/* The dtype that sums for an output of this one are computed in, 0 where no sum is stored as such. */
int32_t cconv_arithmetic_of(int32_t dtype);

/* Can elements of this dtype be read into such arithmetic? Floats hold no integers that they would
 * round, but float64, which rounds those of 64 bits; integers wrap and hold no floats. */
bool cconv_arithmetic_reads(int32_t arithmetic, int32_t dtype);

/* The dtype that elements of this one are compared and copied in, in the same order; 0 for none. */
int32_t cconv_order_of(int32_t dtype);

#endif
