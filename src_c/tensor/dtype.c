/* SPDX-License-Identifier: BSD-3-Clause
 * dtype.c - one line for each dtype. */
#include "tensor/dtype.h"

typedef struct dtype_facts {
  int32_t size, arithmetic, order;
  bool floating;
} dtype_facts;

static const dtype_facts facts[] = {
    [CCONV_FLOAT32] = {4, CCONV_FLOAT32, CCONV_FLOAT32, true},
    [CCONV_FLOAT64] = {8, CCONV_FLOAT64, CCONV_FLOAT64, true},
    [CCONV_INT64] = {8, CCONV_INT64, CCONV_INT64, false},
    [CCONV_INT32] = {4, CCONV_INT32, CCONV_INT32, false},
    [CCONV_INT16] = {2, 0, CCONV_INT32, false},
    [CCONV_INT8] = {1, 0, CCONV_INT32, false},
    [CCONV_UINT64] = {8, CCONV_UINT64, CCONV_UINT64, false},
    [CCONV_UINT32] = {4, 0, CCONV_INT64, false},
    [CCONV_UINT16] = {2, 0, CCONV_INT32, false},
    [CCONV_UINT8] = {1, 0, CCONV_INT32, false},
    [CCONV_BOOL] = {1, 0, CCONV_INT32, false},
    [CCONV_FLOAT16] = {2, CCONV_FLOAT32, CCONV_FLOAT32, true},
};

static const dtype_facts *facts_of(int32_t dtype) {
  static const dtype_facts none = {0};
  return dtype > 0 && dtype < (int32_t)(sizeof facts / sizeof *facts) ? &facts[dtype] : &none;
}

int64_t cconv_element_size(int32_t dtype) { return facts_of(dtype)->size; }

bool cconv_is_floating(int32_t dtype) { return facts_of(dtype)->floating; }

int32_t cconv_arithmetic_of(int32_t dtype) { return facts_of(dtype)->arithmetic; }

int32_t cconv_order_of(int32_t dtype) { return facts_of(dtype)->order; }

bool cconv_arithmetic_reads(int32_t arithmetic, int32_t dtype) {
  const dtype_facts *to = facts_of(arithmetic), *from = facts_of(dtype);
  if (!to->size || !from->size)
    return false;
  if (!to->floating)
    return !from->floating && from->size <= to->size;
  return arithmetic == CCONV_FLOAT64 || (from->floating ? from->size <= to->size : from->size < to->size);
}
