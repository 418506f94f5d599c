/* SPDX-License-Identifier: BSD-3-Clause
 * tensor.c - the checks every tensor passes before an operation looks at it.
 *
 * Law: after cconv_view_of no product of an index inside the shape with its stride can overflow. */
#include "tensor/tensor.h"

#include "base/checked.h"
#include "base/error.h"

/* The bytes between the first and the last element, each axis taken in its own direction. */
static bool span_fits(const cconv_tensor *tensor) {
  int64_t forward = 0, backward = 0, step;
  for (int a = 0; a < tensor->rank; a++) {
    if (!cc_mul(cc_max(tensor->shape[a] - 1, 0), tensor->stride[a], &step))
      return false;
    if (step >= 0 ? !cc_add(forward, step, &forward) : !cc_add(backward, step, &backward))
      return false;
  }
  return cc_sub(forward, backward, &step);
}

cconv_status cconv_view_of(const cconv_tensor *tensor, const char *name, int32_t dtype, int32_t rank, bool aligned,
                           cc_view *view, cconv_error *error) {
  if (!tensor)
    return cc_fail(error, CCONV_BAD_ARGUMENT, name, -1, 0, 1);
  if (tensor->struct_size < sizeof *tensor)
    return cc_fail(error, CCONV_BAD_ARGUMENT, name, -1, tensor->struct_size, sizeof *tensor);
  int64_t bytes = cconv_element_size(dtype);
  if (tensor->dtype != dtype || !bytes)
    return cc_fail(error, CCONV_BAD_DTYPE, name, -1, tensor->dtype, dtype);
  if (tensor->rank != rank)
    return cc_fail(error, CCONV_BAD_SHAPE, name, -1, tensor->rank, rank);
  bool empty = false;
  for (int a = 0; a < rank; a++) {
    if (tensor->shape[a] < 0)
      return cc_fail(error, CCONV_BAD_SHAPE, name, a, tensor->shape[a], 0);
    if (aligned && tensor->stride[a] % bytes && tensor->shape[a] > 1)
      return cc_fail(error, CCONV_BAD_ARGUMENT, name, a, tensor->stride[a], bytes);
    empty |= tensor->shape[a] == 0;
  }
  int64_t size = bytes;
  for (int a = 0; a < rank; a++)
    if (!cc_mul(size, cc_max(tensor->shape[a], 1), &size))
      return cc_fail(error, CCONV_TOO_LARGE, name, a, tensor->shape[a], INT64_MAX);
  if (!span_fits(tensor))
    return cc_fail(error, CCONV_TOO_LARGE, name, -1, INT64_MAX, INT64_MAX);
  if (!empty && !tensor->data)
    return cc_fail(error, CCONV_BAD_ARGUMENT, name, -1, 0, 1);
  if (!empty && aligned && (uintptr_t)tensor->data % (uintptr_t)bytes)
    return cc_fail(error, CCONV_BAD_ARGUMENT, name, -1, (int64_t)((uintptr_t)tensor->data % (uintptr_t)bytes), 0);

  *view = (cc_view){.data = tensor->data, .dtype = dtype};
  int spatial = rank > 2 ? rank - 2 : 0; /* a bias has none */
  for (int a = 0; a < CCONV_MAX_RANK; a++) {
    int from = a < CC_DEPTH ? a : a - (CCONV_MAX_SPATIAL - spatial);
    bool has = a < CC_DEPTH ? a < rank : from >= CC_DEPTH;
    view->shape[a] = has ? tensor->shape[from] : 1;
    view->stride[a] = has ? tensor->stride[from] : 0;
  }
  return CCONV_OK;
}

/* The first byte and the one behind the last; false for a tensor without elements. Sums modulo 2^64: a tensor that
 * lies in memory has no other. */
static bool bounds_of(const cconv_tensor *tensor, uintptr_t *from, uintptr_t *to) {
  *from = (uintptr_t)tensor->data;
  *to = *from + (uintptr_t)cconv_element_size(tensor->dtype);
  for (int a = 0; a < tensor->rank && a < CCONV_MAX_RANK; a++) {
    if (tensor->shape[a] == 0)
      return false;
    const uintptr_t step = (uintptr_t)(tensor->shape[a] - 1) * (uintptr_t)tensor->stride[a];
    *(tensor->stride[a] < 0 ? from : to) += step;
  }
  return true;
}

int cconv_tensors_overlap(const cconv_tensor *a, const cconv_tensor *b) {
  uintptr_t a_from, a_to, b_from, b_to;
  return a && b && bounds_of(a, &a_from, &a_to) && bounds_of(b, &b_from, &b_to) && a_from < b_to && b_from < a_to;
}

bool cconv_view_is_empty(const cc_view *view) {
  for (int a = 0; a < CCONV_MAX_RANK; a++)
    if (view->shape[a] == 0)
      return true;
  return false;
}

bool cconv_view_is_dense(const cc_view *view, int from, int64_t bytes) {
  int64_t expected = bytes; /* the products were checked by cconv_view_of */
  for (int a = CCONV_MAX_RANK - 1; a >= from; a--) {
    if (view->shape[a] > 1 && view->stride[a] != expected)
      return false;
    expected *= cc_max(view->shape[a], 1);
  }
  return true;
}
