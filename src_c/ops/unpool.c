/* SPDX-License-Identifier: BSD-3-Clause
 * unpool.c - max_unpool: what a max pool found, back in its place.
 *
 * Law: a unit of work is one channel. Every index is looked at before an element is written. */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/parallel.h"
#include "ops/operation.h"

enum { ELEMENT_OPERATIONS = 16 }; /* an element takes the time of so many multiply-adds */

typedef struct unpool {
  cc_view input, output, indices;
  int64_t element; /* bytes */
  int64_t channels, parts;
  int64_t bad[CC_MOST_PARTS]; /* the first index of each part that is none, else -1 */
} unpool;

static cconv_status validate(const cconv_tensor *input, const cconv_tensor *indices, const cconv_tensor *output,
                             const cconv_context *context, unpool *p, cconv_error *error) {
  if (!input)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "input", -1, 0, 1);
  if (input->rank < 3 || input->rank > CCONV_MAX_RANK)
    return cc_fail(error, CCONV_BAD_SHAPE, "input", -1, input->rank, CCONV_MAX_RANK);
  const int32_t dtype = input->dtype, rank = input->rank;
  p->element = cconv_element_size(dtype);
  cconv_status status;
  if ((status = cconv_operation_context(context, error)) ||
      (status = cconv_view_of(input, "input", dtype, rank, false, &p->input, error)) ||
      (status = cconv_operation_indices(indices, rank, &p->input, &p->indices, error)) ||
      (status = cconv_view_of(output, "output", dtype, rank, true, &p->output, error)))
    return status;
  for (int a = 0; a < CC_DEPTH; a++)
    if (p->output.shape[a] != p->input.shape[a])
      return cc_fail(error, CCONV_BAD_SHAPE, "output", a, p->output.shape[a], p->input.shape[a]);
  for (int a = CC_DEPTH; a < CCONV_MAX_RANK; a++)
    if (p->output.shape[a] < 1)
      return cc_fail(error, CCONV_BAD_SHAPE, "output", a - CCONV_MAX_RANK + rank, p->output.shape[a], 1);
  return CCONV_OK;
}

static void prepare(unpool *p, const cconv_context *context) {
  double operations = ELEMENT_OPERATIONS, plane = ELEMENT_OPERATIONS;
  for (int a = 0; a < CCONV_MAX_RANK; a++) {
    operations *= (double)p->input.shape[a];
    plane *= (double)p->output.shape[a];
  }
  p->channels = p->input.shape[CC_BATCH] * p->input.shape[CC_CHANNEL];
  p->parts = cconv_operation_parts(context->num_threads, p->channels, operations + plane);
}

static char *channel_of(const cc_view *view, int64_t channel) {
  const int64_t c = view->shape[CC_CHANNEL];
  return view->data + channel / c * view->stride[CC_BATCH] + channel % c * view->stride[CC_CHANNEL];
}

static int64_t plane_of(const cc_view *view) {
  return view->shape[CC_DEPTH] * view->shape[CC_HEIGHT] * view->shape[CC_WIDTH];
}

/* The first index of a channel that is neither a place of the plane nor -1; -1 where all are. */
static int64_t first_bad(const unpool *p, int64_t channel) {
  const int64_t *size = p->indices.shape, *stride = p->indices.stride, plane = plane_of(&p->output);
  const char *taps = channel_of(&p->indices, channel);
  for (int64_t d = 0; d < size[CC_DEPTH]; d++)
    for (int64_t h = 0; h < size[CC_HEIGHT]; h++)
      for (int64_t w = 0; w < size[CC_WIDTH]; w++) {
        const char *tap = taps + d * stride[CC_DEPTH] + h * stride[CC_HEIGHT] + w * stride[CC_WIDTH];
        const int64_t index = *(const int64_t *)(const void *)tap;
        if (index < -1 || index >= plane)
          return index;
      }
  return -1;
}

static void check_channel(void *arg, int64_t channel, bool first, int64_t part) {
  unpool *p = arg;
  if (first || p->bad[part] == -1)
    p->bad[part] = first_bad(p, channel);
}

static void move(char *y, const char *x, int64_t bytes) {
  switch (bytes) {
  case 1:
    memcpy(y, x, 1);
    break;
  case 2:
    memcpy(y, x, 2);
    break;
  case 4:
    memcpy(y, x, 4);
    break;
  default:
    memcpy(y, x, 8);
  }
}

/* All zero bits are 0 in every dtype. */
static void clear(const unpool *p, int64_t channel) {
  static const char zero[8] = {0};
  const int64_t *size = p->output.shape, *stride = p->output.stride;
  for (int64_t d = 0; d < size[CC_DEPTH]; d++)
    for (int64_t h = 0; h < size[CC_HEIGHT]; h++) {
      char *row = channel_of(&p->output, channel) + d * stride[CC_DEPTH] + h * stride[CC_HEIGHT];
      for (int64_t w = 0; w < size[CC_WIDTH]; w++)
        move(row + w * stride[CC_WIDTH], zero, p->element);
    }
}

static void place(const unpool *p, int64_t channel) {
  const int64_t *size = p->input.shape, *from = p->input.stride, *at = p->indices.stride;
  const int64_t *plane = p->output.shape, *to = p->output.stride;
  char *y = channel_of(&p->output, channel);
  for (int64_t d = 0; d < size[CC_DEPTH]; d++)
    for (int64_t h = 0; h < size[CC_HEIGHT]; h++) {
      const char *x = channel_of(&p->input, channel) + d * from[CC_DEPTH] + h * from[CC_HEIGHT];
      const char *taps = channel_of(&p->indices, channel) + d * at[CC_DEPTH] + h * at[CC_HEIGHT];
      for (int64_t w = 0; w < size[CC_WIDTH]; w++) {
        const int64_t tap = *(const int64_t *)(const void *)(taps + w * at[CC_WIDTH]);
        if (tap < 0)
          continue;
        const int64_t row = tap / plane[CC_WIDTH];
        move(y + row / plane[CC_HEIGHT] * to[CC_DEPTH] + row % plane[CC_HEIGHT] * to[CC_HEIGHT] +
                 tap % plane[CC_WIDTH] * to[CC_WIDTH],
             x + w * from[CC_WIDTH], p->element);
      }
    }
}

static void run_channel(void *arg, int64_t channel, bool first, int64_t part) {
  const unpool *p = arg;
  (void)first, (void)part;
  clear(p, channel);
  place(p, channel);
}

cconv_status cconv_max_unpool(const cconv_tensor *input, const cconv_tensor *indices, const cconv_tensor *output,
                              const cconv_context *context, cconv_error *error) {
  unpool p;
  cconv_status status = validate(input, indices, output, context, &p, error);
  if (status)
    return status;
  prepare(&p, context);
  cc_run run;
  cconv_run_begin(&run, context);
  if ((status = cconv_parallel(&run, check_channel, &p, p.channels, p.parts)))
    return status;
  for (int64_t part = 0; part < cc_min(p.parts, p.channels); part++)
    if (p.bad[part] != -1)
      return cc_fail(error, CCONV_BAD_ARGUMENT, "indices", -1, p.bad[part], plane_of(&p.output));
  return cconv_parallel(&run, run_channel, &p, p.channels, p.parts);
}
