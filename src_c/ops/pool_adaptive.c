/* SPDX-License-Identifier: BSD-3-Clause
 * pool_adaptive.c - pooling over as many windows as the output has places, and over whole planes.
 *
 * Law: a unit of work is one row of outputs of one channel, whatever its windows hold; each window
 * is read from the input where it lies. */
#include "base/checked.h"
#include "base/error.h"
#include "base/parallel.h"
#include "ops/operation.h"
#include "shape/pool_shape.h"

enum { ELEMENT_OPERATIONS = 4 }; /* an element takes the time of so many multiply-adds */

typedef struct adaptive {
  cc_view input, output, indices;
  const cc_kernels *kernels;
  int32_t kind;
  double p;
  bool indexed;
  int64_t rows, parts;
} adaptive;

static cconv_status validate(const cconv_adaptive_params *params, const cconv_tensor *input, const cconv_tensor *output,
                             const cconv_tensor *indices, const cconv_context *context, adaptive *p,
                             cconv_error *error) {
  if (!params || params->struct_size < sizeof *params)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "params", -1, params ? params->struct_size : 0, sizeof *params);
  if (!input)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "input", -1, 0, 1);
  if (input->rank < 3 || input->rank > CCONV_MAX_RANK)
    return cc_fail(error, CCONV_BAD_SHAPE, "input", -1, input->rank, CCONV_MAX_RANK);
  if (!output)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "output", -1, 0, 1);
  *p = (adaptive){.kind = params->kind, .p = params->p, .indexed = indices != NULL};
  const int32_t rank = input->rank;
  const bool extreme = params->kind == CCONV_POOL_MAX || params->kind == CCONV_POOL_MIN;
  int32_t dtype;
  cconv_status status;
  if ((status = cconv_operation_pool_kind(params->kind, params->p, indices, error)) ||
      (status = cconv_operation_context(context, error)) ||
      (status = cconv_operation_pool_dtype(extreme, input, output, &dtype, error)) ||
      (status = cconv_operation_kernels(dtype, "input", &p->kernels, error)) ||
      (status = cconv_view_of(input, "input", input->dtype, rank, false, &p->input, error)) ||
      (status = cconv_view_of(output, "output", output->dtype, rank, true, &p->output, error)))
    return status;
  for (int a = 0; a < CCONV_MAX_RANK; a++) {
    const int64_t in = p->input.shape[a], out = p->output.shape[a];
    const int number = a < CC_DEPTH ? a : a - CCONV_MAX_RANK + rank;
    if (a < CC_DEPTH ? out != in : out < 1)
      return cc_fail(error, CCONV_BAD_SHAPE, "output", number, out, a < CC_DEPTH ? in : 1);
    if (a >= CC_DEPTH && in < 1)
      return cc_fail(error, CCONV_BAD_SHAPE, "input", number, in, 1);
    if (a >= CC_DEPTH && !cconv_pool_window_fits(in, out))
      return cc_fail(error, CCONV_TOO_LARGE, "output", number, out, INT64_MAX);
  }
  return indices ? cconv_operation_indices(indices, rank, &p->output, &p->indices, error) : CCONV_OK;
}

static void prepare(adaptive *p, const cconv_context *context) {
  const int64_t *in = p->input.shape, *out = p->output.shape;
  double operations = (double)ELEMENT_OPERATIONS * (double)in[CC_BATCH] * (double)in[CC_CHANNEL];
  for (int a = CC_DEPTH; a <= CC_WIDTH; a++)
    operations *= (double)cc_max(in[a], out[a]);
  p->rows = out[CC_BATCH] * out[CC_CHANNEL] * out[CC_DEPTH] * out[CC_HEIGHT];
  p->parts = cconv_operation_parts(context->num_threads, p->rows, operations);
}

static char *row_of(const cc_view *view, int64_t n, int64_t c, int64_t d, int64_t h) {
  const int64_t *stride = view->stride;
  return view->data + n * stride[CC_BATCH] + c * stride[CC_CHANNEL] + d * stride[CC_DEPTH] + h * stride[CC_HEIGHT];
}

static void run_row(void *arg, int64_t row, bool first, int64_t part) {
  const adaptive *p = arg;
  (void)first, (void)part;
  const int64_t *in = p->input.shape, *out = p->output.shape, *stride = p->input.stride;
  const int64_t oh = row % out[CC_HEIGHT], od = row / out[CC_HEIGHT] % out[CC_DEPTH];
  const int64_t image = row / out[CC_HEIGHT] / out[CC_DEPTH];
  const int64_t n = image / out[CC_CHANNEL], c = image % out[CC_CHANNEL];
  const cc_window d = cconv_pool_window(in[CC_DEPTH], out[CC_DEPTH], od);
  const cc_window h = cconv_pool_window(in[CC_HEIGHT], out[CC_HEIGHT], oh);
  const char *x = row_of(&p->input, n, c, d.from, h.from);
  char *y = row_of(&p->output, n, c, od, oh);
  char *indices = p->indexed ? row_of(&p->indices, n, c, od, oh) : NULL;
  for (int64_t ow = 0; ow < out[CC_WIDTH]; ow++) {
    const cc_window w = cconv_pool_window(in[CC_WIDTH], out[CC_WIDTH], ow);
    int64_t tap;
    p->kernels->pool_box(&(cc_pool_box_job){.x = x + w.from * stride[CC_WIDTH],
                                            .stride = {stride[CC_DEPTH], stride[CC_HEIGHT], stride[CC_WIDTH]},
                                            .size = {d.size, h.size, w.size},
                                            .source = p->input.dtype,
                                            .target = p->output.dtype,
                                            .kind = p->kind,
                                            .p = p->p,
                                            .y = y + ow * p->output.stride[CC_WIDTH],
                                            .tap = indices ? &tap : NULL});
    if (indices) {
      const int64_t id = d.from + tap / w.size / h.size, ih = h.from + tap / w.size % h.size;
      int64_t *index = (int64_t *)(void *)(indices + ow * p->indices.stride[CC_WIDTH]);
      *index = (id * in[CC_HEIGHT] + ih) * in[CC_WIDTH] + w.from + tap % w.size;
    }
  }
}

cconv_status cconv_pool_adaptive(const cconv_adaptive_params *params, const cconv_tensor *input,
                                 const cconv_tensor *output, const cconv_tensor *indices, const cconv_context *context,
                                 cconv_error *error) {
  adaptive p;
  const cconv_status status = validate(params, input, output, indices, context, &p, error);
  if (status)
    return status;
  prepare(&p, context);
  cc_run run;
  cconv_run_begin(&run, context);
  return cconv_parallel(&run, run_row, &p, p.rows, p.parts);
}
