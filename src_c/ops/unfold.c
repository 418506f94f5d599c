/* SPDX-License-Identifier: BSD-3-Clause
 * unfold.c - unfold (im2col) and fold (col2im): an image and the columns of its windows.
 *
 *   columns[n, c K + k, o] = image[n, c, o s + k d - before]         unfold; 0 outside the image
 *   image[n, c, i] = sum over k of columns[n, c K + k, o]            fold; o s = i + before - k d
 *
 * Law: each element of the output belongs to one unit of work. Fold gathers: a row of the image asks
 * which taps of which windows reach it, and takes them in the order of taps. */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/layout.h"
#include "base/parallel.h"
#include "ops/operation.h"
#include "shape/unfold_shape.h"

enum {
  PIECE = 2048,        /* the most elements of a row in scratch: 16 KB, which level 1 caches hold */
  MOVE_OPERATIONS = 16 /* a moved element takes the time of so many multiply-adds */
};

typedef struct unfold {
  cc_unfold_shape shape;
  cc_view image, columns;
  const cc_kernels *kernels;
  bool fold;
  int32_t dtype;   /* that elements are added or copied in */
  int64_t element; /* its bytes */
  int64_t pieces;  /* that a row of the image is cut into (fold) */
  int64_t phases;  /* of the stride, in a piece, and elements from one to the next (fold) */
  int64_t phase_pitch;
  int64_t units, parts;
  int64_t thread_bytes; /* of scratch */
  char *workspace;
} unfold;

static cconv_status validate(const cconv_unfold_params *params, const cconv_tensor *input, const cconv_tensor *output,
                             bool fold, const cconv_context *context, unfold *u, cconv_error *error) {
  const cconv_tensor *image = fold ? output : input;
  if (!params || params->struct_size < sizeof *params)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "params", -1, params ? params->struct_size : 0, sizeof *params);
  if (!input)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "input", -1, 0, 1);
  if (!output)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "output", -1, 0, 1);
  const int32_t from = input->dtype, to = output->dtype, rank = image->rank;
  if (rank < 3 || rank > CCONV_MAX_RANK)
    return cc_fail(error, CCONV_BAD_SHAPE, fold ? "output" : "input", -1, rank, CCONV_MAX_RANK);
  *u = (unfold){.fold = fold, .dtype = fold ? cconv_arithmetic_of(to) : cconv_order_of(from)};
  u->element = cconv_element_size(u->dtype);
  cconv_status status;
  if ((status = cconv_operation_context(context, error)) ||
      (status = cconv_operation_kernels(u->dtype, fold ? "output" : "input", &u->kernels, error)) ||
      (status = cconv_operation_reads(u->dtype, input, "input", error)) ||
      (status = cconv_view_of(input, "input", from, fold ? 3 : rank, false, fold ? &u->columns : &u->image, error)) ||
      (status = cconv_view_of(output, "output", fold ? to : from, fold ? rank : 3, true, fold ? &u->image : &u->columns,
                              error)))
    return status;
  return cconv_unfold_shape_of(params, rank, &u->image, &u->columns, fold, &u->shape, error);
}

static void prepare(unfold *u, const cconv_context *context) {
  const cc_unfold_shape *shape = &u->shape;
  const cc_axis *axis = shape->axis;
  const int64_t channels = shape->n * shape->c;
  if (u->fold) {
    u->pieces = cc_ceil_div(axis[2].in, PIECE);
    const int64_t length = cc_ceil_div(axis[2].in, u->pieces);
    u->phases = cc_min(axis[2].stride, length);
    u->phase_pitch = cc_ceil_div(length, axis[2].stride);
    u->units = channels * axis[0].in * axis[1].in * u->pieces;
    u->thread_bytes = cc_lines(u->phases * u->phase_pitch * u->element);
  } else {
    const bool dense =
        u->columns.dtype == u->dtype && (u->columns.stride[CC_WIDTH] == u->element || shape->windows == 1);
    u->units = channels * shape->taps;
    u->thread_bytes = dense ? 0 : cc_lines(cc_min(axis[2].out, PIECE) * u->element);
  }
  const double moved = (double)channels * (double)shape->taps * (double)shape->windows;
  u->parts = cconv_operation_parts(context->num_threads, u->units, MOVE_OPERATIONS * moved);
}

/* One row of the columns: what one tap sees in one channel. It is the halo of a window of one tap. */
static void unfold_unit(const unfold *u, int64_t unit, char *scratch) {
  const cc_axis *axis = u->shape.axis;
  const int64_t *from = u->image.stride, taps = u->shape.taps, step = u->columns.stride[CC_WIDTH];
  const int64_t channel = unit / taps % u->shape.c, image = unit / taps / u->shape.c;
  char *y = u->columns.data + image * u->columns.stride[CC_BATCH] +
            (channel * taps + unit % taps) * u->columns.stride[CC_CHANNEL];
  cc_halo_pack_job job = {.input = u->image.data + image * from[CC_BATCH] + channel * from[CC_CHANNEL],
                          .source = u->image.dtype,
                          .channels = 1,
                          .phases = {1, 1, 1},
                          .target = y};
  int64_t rest = unit % taps;
  for (int a = CCONV_MAX_SPATIAL - 1; a >= 0; a--) {
    job.stride[a] = from[CC_DEPTH + a];
    job.end[a] = axis[a].end;
    job.first[a] = rest % axis[a].kernel * axis[a].dilation - axis[a].before;
    job.step[a] = axis[a].stride;
    job.length[a] = job.pitch[a] = axis[a].out;
    rest /= axis[a].kernel;
  }
  if (!u->thread_bytes) {
    u->kernels->halo_pack(&job);
    return;
  }
  const cc_halo_pack_job whole = job;
  job.target = scratch;
  for (int64_t row = 0; row < axis[0].out * axis[1].out; row++)
    for (int64_t ow = 0; ow < axis[2].out; ow += PIECE) {
      const int64_t o[] = {row / axis[1].out, row % axis[1].out, ow};
      const int64_t n = cc_min(PIECE, axis[2].out - ow);
      for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
        job.first[a] = whole.first[a] + o[a] * axis[a].stride;
        job.length[a] = a == 2 ? n : 1;
      }
      u->kernels->halo_pack(&job);
      u->kernels->scatter(&(cc_scatter_job){.x = scratch,
                                            .rows = 1,
                                            .n = n,
                                            .y = y + (row * axis[2].out + ow) * step,
                                            .target = u->columns.dtype,
                                            .y_step = step});
    }
}

/* A piece of a row of the image. In scratch it lies in phases of the stride, [phase][phase_pitch], so
 * that what neighbouring windows add to it lies side by side. */
static void fold_unit(const unfold *u, int64_t unit, char *scratch) {
  const cc_axis *axis = u->shape.axis;
  const int64_t *in = u->columns.stride, *out = u->image.stride, s = axis[2].stride, es = u->element;
  const int64_t piece = unit % u->pieces, row = unit / u->pieces;
  const int64_t ih = row % axis[1].in, id = row / axis[1].in % axis[0].in, plane = row / axis[1].in / axis[0].in;
  const int64_t channel = plane % u->shape.c, image = plane / u->shape.c;
  const int64_t start = cc_part(axis[2].in, piece, u->pieces);
  const int64_t size = cc_part(axis[2].in, piece + 1, u->pieces) - start;
  memset(scratch, 0, (size_t)u->thread_bytes);
  for (cc_reach d = {.tap = -1}; cconv_fold_next(&axis[0], id, 1, &d);)
    for (cc_reach h = {.tap = -1}; cconv_fold_next(&axis[1], ih, 1, &h);)
      for (cc_reach w = {.tap = -1}; cconv_fold_next(&axis[2], start, size, &w);) {
        const int64_t tap = ((channel * axis[0].kernel + d.tap) * axis[1].kernel + h.tap) * axis[2].kernel + w.tap;
        const int64_t window = (d.from * axis[1].out + h.from) * axis[2].out + w.from;
        u->kernels->add(
            &(cc_add_job){.x = u->columns.data + image * in[CC_BATCH] + tap * in[CC_CHANNEL] + window * in[CC_WIDTH],
                          .source = u->columns.dtype,
                          .x_step = in[CC_WIDTH],
                          .n = w.count,
                          .y = scratch + (w.offset % s * u->phase_pitch + w.offset / s) * es});
      }
  char *y = u->image.data + image * out[CC_BATCH] + channel * out[CC_CHANNEL] + id * out[CC_DEPTH] +
            ih * out[CC_HEIGHT] + start * out[CC_WIDTH];
  for (int64_t p = 0; p < cc_min(u->phases, size); p++) {
    const int64_t n = cc_ceil_div(size - p, s);
    u->kernels->scatter(&(cc_scatter_job){.x = scratch + p * u->phase_pitch * es,
                                          .rows = 1,
                                          .n = n,
                                          .y = y + p * out[CC_WIDTH],
                                          .target = u->image.dtype,
                                          .y_step = n > 1 ? s * out[CC_WIDTH] : 0}); /* a step not taken may not fit */
  }
}

static void run_unit(void *arg, int64_t unit, bool first, int64_t part) {
  const unfold *u = arg;
  (void)first;
  (u->fold ? fold_unit : unfold_unit)(u, unit, u->workspace + part * u->thread_bytes);
}

static cconv_status query(const cconv_unfold_params *params, const cconv_tensor *input, const cconv_tensor *output,
                          bool fold, const cconv_context *context, size_t *bytes, cconv_error *error) {
  unfold u;
  cconv_status status = validate(params, input, output, fold, context, &u, error);
  if (status)
    return status;
  if (!bytes)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "bytes", -1, 0, 1);
  prepare(&u, context);
  *bytes = (size_t)(u.parts * u.thread_bytes + CC_ALIGNMENT);
  return CCONV_OK;
}

static cconv_status execute(const cconv_unfold_params *params, const cconv_tensor *input, const cconv_tensor *output,
                            bool fold, const cconv_context *context, void *workspace, size_t bytes,
                            cconv_error *error) {
  unfold u;
  cconv_status status = validate(params, input, output, fold, context, &u, error);
  if (status)
    return status;
  prepare(&u, context);
  if ((status =
           cconv_operation_workspace(workspace, bytes, u.parts * u.thread_bytes + CC_ALIGNMENT, &u.workspace, error)))
    return status;
  cc_run run;
  cconv_run_begin(&run, context);
  return cconv_parallel(&run, run_unit, &u, u.units, u.parts);
}

cconv_status cconv_unfold_workspace(const cconv_unfold_params *params, const cconv_tensor *input,
                                    const cconv_tensor *output, const cconv_context *context, size_t *bytes,
                                    cconv_error *error) {
  return query(params, input, output, false, context, bytes, error);
}

cconv_status cconv_unfold(const cconv_unfold_params *params, const cconv_tensor *input, const cconv_tensor *output,
                          const cconv_context *context, void *workspace, size_t bytes, cconv_error *error) {
  return execute(params, input, output, false, context, workspace, bytes, error);
}

cconv_status cconv_fold_workspace(const cconv_unfold_params *params, const cconv_tensor *input,
                                  const cconv_tensor *output, const cconv_context *context, size_t *bytes,
                                  cconv_error *error) {
  return query(params, input, output, true, context, bytes, error);
}

cconv_status cconv_fold(const cconv_unfold_params *params, const cconv_tensor *input, const cconv_tensor *output,
                        const cconv_context *context, void *workspace, size_t bytes, cconv_error *error) {
  return execute(params, input, output, true, context, workspace, bytes, error);
}
