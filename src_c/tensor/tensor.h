/* SPDX-License-Identifier: BSD-3-Clause
 * tensor.h - a caller's tensor, checked and widened to five axes. */
#ifndef CC_TENSOR_H
#define CC_TENSOR_H

#include "tensor/dtype.h"

enum { CC_BATCH, CC_CHANNEL, CC_DEPTH, CC_HEIGHT, CC_WIDTH };

/* Axes batch, channels, depth, height, width; spatial axes the caller does not have are leading
 * ones of length 1 and stride 0. Strides in bytes. */
typedef struct cc_view {
  char *data;
  int32_t dtype;
  int64_t shape[CCONV_MAX_RANK];
  int64_t stride[CCONV_MAX_RANK];
} cc_view;

/* Check struct_size, dtype, rank, shape (no negative axis, elements * size within 63 bits), the
 * address span and, where asked, alignment; then fill *view. The tensor's rank must be `rank`. */
cconv_status cconv_view_of(const cconv_tensor *tensor, const char *name, int32_t dtype, int32_t rank, bool aligned,
                           cc_view *view, cconv_error *error);

/* Is some axis of length 0? */
bool cconv_view_is_empty(const cc_view *view);

/* Do the elements of axes `from` and later follow each other in C order, `bytes` apart? */
bool cconv_view_is_dense(const cc_view *view, int from, int64_t bytes);

#endif
