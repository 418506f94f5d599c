/* SPDX-License-Identifier: BSD-3-Clause
 * pool_adaptive.c - pooling over as many windows as the output has places, and over whole planes.
 *
 * Law: a unit of work is one row of outputs of one channel, whatever its windows hold, or a batch of whole
 * planes; each window is read from the input where it lies. */
#include "base/checked.h"
#include "base/error.h"
#include "base/layout.h"
#include "base/parallel.h"
#include "ops/operation.h"
#include "shape/pool_shape.h"

enum {
  ELEMENT_OPERATIONS = 4, /* an element takes the time of so many multiply-adds */
  BATCH_BYTES = 32 << 10, /* of planes in a unit */
  PIECE_TERMS = 1 << 18,  /* after which a unit asks whether to stop: some milliseconds, or 20 of powers */
  PLANE_TERMS = 1 << 22   /* of a plane that is not worth a question: a unit takes some tens of milliseconds */
};

typedef struct adaptive {
  cc_view input, output, indices;
  const cc_kernels *kernels;
  int32_t kind, dtype; /* of the arithmetic */
  double p;
  bool indexed;
  int64_t rows, parts;
  int64_t images, planes, batches; /* of whole planes, all at equal distance: a row is a batch of them */
  cc_pool_planes_job job;          /* of the first plane */
  cc_run *run;
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
  cconv_status status;
  if ((status = cconv_operation_pool_kind(params->kind, params->p, indices, error)) ||
      (status = cconv_operation_context(context, error)) ||
      (status = cconv_operation_pool_dtype(extreme, input, output, &p->dtype, error)) ||
      (status = cconv_operation_kernels(p->dtype, "input", &p->kernels, error)) ||
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

/* Are planes pooled whole, and do they lie as a kernel wants them? Then *p is filled for it. */
static bool pools_planes(adaptive *p) {
  const cc_view *in = &p->input, *out = &p->output;
  const int64_t *stride = in->stride, n = in->shape[CC_BATCH], c = in->shape[CC_CHANNEL];
  const int64_t es = cconv_element_size(in->dtype), vector = p->kernels->vector_length;
  int64_t step = es, elements = 1; /* of a plane: apart, in all */
  if (p->indexed || (p->kind != CCONV_POOL_MAX && p->kind != CCONV_POOL_AVERAGE) || in->dtype != p->dtype ||
      !p->kernels->pool_planes)
    return false;
  for (int a = CC_WIDTH; a >= CC_DEPTH; a--) {
    if (out->shape[a] != 1)
      return false;
    if (in->shape[a] == 1)
      continue;
    if (elements == 1)
      step = stride[a];
    else if (stride[a] != step * elements)
      return false;
    elements *= in->shape[a];
  }
  const int axis = c > 1 ? CC_CHANNEL : CC_BATCH; /* from plane to plane */
  const bool even =
      n == 1 || c == 1 ||
      (stride[CC_BATCH] == c * stride[CC_CHANNEL] && out->stride[CC_BATCH] == c * out->stride[CC_CHANNEL]);
  p->images = even ? 1 : n;
  p->planes = even ? n * c : c;
  if (p->planes < vector || elements > PLANE_TERMS || (step != es && stride[axis] != es))
    return false;
  p->job = (cc_pool_planes_job){.n = elements,
                                .x_plane = stride[axis],
                                .x_step = step,
                                .kind = p->kind,
                                .target = out->dtype,
                                .y_plane = out->stride[axis]};
  p->batches = cc_max(1, p->planes / (cc_max(1, BATCH_BYTES / es / elements / vector) * vector));
  return true;
}

static void prepare(adaptive *p, const cconv_context *context) {
  const int64_t *in = p->input.shape, *out = p->output.shape;
  double operations = (double)ELEMENT_OPERATIONS * (double)in[CC_BATCH] * (double)in[CC_CHANNEL];
  for (int a = CC_DEPTH; a <= CC_WIDTH; a++)
    operations *= (double)cc_max(in[a], out[a]);
  p->rows = pools_planes(p) ? p->images * p->batches : out[CC_BATCH] * out[CC_CHANNEL] * out[CC_DEPTH] * out[CC_HEIGHT];
  p->parts = cconv_operation_parts(context->num_threads, p->rows, operations);
}

static void run_planes(void *arg, int64_t row, bool first, int64_t part) {
  const adaptive *p = arg;
  (void)first, (void)part;
  const int64_t image = row / p->batches, batch = row % p->batches;
  const int64_t from = cc_part(p->planes, batch, p->batches);
  cc_pool_planes_job job = p->job;
  job.planes = cc_part(p->planes, batch + 1, p->batches) - from;
  job.x = p->input.data + image * p->input.stride[CC_BATCH] + from * job.x_plane;
  job.y = p->output.data + image * p->output.stride[CC_BATCH] + from * job.y_plane;
  p->kernels->pool_planes(&job);
}

static char *row_of(const cc_view *view, int64_t n, int64_t c, int64_t d, int64_t h) {
  const int64_t *stride = view->stride;
  return view->data + n * stride[CC_BATCH] + c * stride[CC_CHANNEL] + d * stride[CC_DEPTH] + h * stride[CC_HEIGHT];
}

/* One window, in pieces of its terms in C order, so that a huge one can be stopped; false when it was. `asked` counts
 * terms since that was looked at. */
static bool pool_window(const adaptive *p, cc_pool_box_job job, int64_t *asked, int64_t part) {
  _Alignas(CC_ALIGNMENT) char partials[CC_PARTIALS * sizeof(double)];
  int64_t piece[CCONV_MAX_SPATIAL], room = PIECE_TERMS;
  for (int a = CCONV_MAX_SPATIAL - 1; a >= 0; a--) {
    piece[a] = cc_max(1, cc_min(job.size[a], room));
    room = job.size[a] <= room ? room / job.size[a] : 0;
  }
  const int64_t size[] = {job.size[0], job.size[1], job.size[2]}, terms = size[0] * size[1] * size[2];
  const char *x = job.x;
  job.partials = partials;
  for (int64_t d = 0; d < size[0]; d += piece[0])
    for (int64_t h = 0; h < size[1]; h += piece[1])
      for (int64_t w = 0; w < size[2]; w += piece[2]) {
        if (*asked > PIECE_TERMS) {
          *asked = 0;
          if (cconv_run_stopped(p->run, part))
            return false;
        }
        job.x = x + d * job.stride[0] + h * job.stride[1] + w * job.stride[2];
        job.size[0] = cc_min(piece[0], size[0] - d);
        job.size[1] = cc_min(piece[1], size[1] - h);
        job.size[2] = cc_min(piece[2], size[2] - w);
        const int64_t count = job.size[0] * job.size[1] * job.size[2];
        job.unfinished = job.first + count < terms;
        p->kernels->pool_box(&job);
        job.first += count;
        *asked += count;
      }
  return true;
}

static void run_row(void *arg, int64_t row, bool first, int64_t part) {
  const adaptive *p = arg;
  (void)first;
  const int64_t *in = p->input.shape, *out = p->output.shape, *stride = p->input.stride;
  const int64_t oh = row % out[CC_HEIGHT], od = row / out[CC_HEIGHT] % out[CC_DEPTH];
  const int64_t image = row / out[CC_HEIGHT] / out[CC_DEPTH];
  const int64_t n = image / out[CC_CHANNEL], c = image % out[CC_CHANNEL];
  const cc_window d = cconv_pool_window(in[CC_DEPTH], out[CC_DEPTH], od);
  const cc_window h = cconv_pool_window(in[CC_HEIGHT], out[CC_HEIGHT], oh);
  const char *x = row_of(&p->input, n, c, d.from, h.from);
  char *y = row_of(&p->output, n, c, od, oh);
  char *indices = p->indexed ? row_of(&p->indices, n, c, od, oh) : NULL;
  int64_t asked = 0;
  for (int64_t ow = 0; ow < out[CC_WIDTH]; ow++) {
    const cc_window w = cconv_pool_window(in[CC_WIDTH], out[CC_WIDTH], ow);
    int64_t tap;
    const cc_pool_box_job job = {.x = x + w.from * stride[CC_WIDTH],
                                 .stride = {stride[CC_DEPTH], stride[CC_HEIGHT], stride[CC_WIDTH]},
                                 .size = {d.size, h.size, w.size},
                                 .source = p->input.dtype,
                                 .target = p->output.dtype,
                                 .kind = p->kind,
                                 .p = p->p,
                                 .y = y + ow * p->output.stride[CC_WIDTH],
                                 .tap = indices ? &tap : NULL};
    if (!pool_window(p, job, &asked, part))
      return;
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
  p.run = &run;
  return cconv_parallel(&run, p.batches ? run_planes : run_row, &p, p.rows, p.parts);
}
