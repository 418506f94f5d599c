/* SPDX-License-Identifier: BSD-3-Clause
 * filter.c - the greatest or least element under a footprint, outside the image what a padding mode says.
 *
 * A whole box is one of the windows of ops/windows.h. What is said here is of other footprints, and of boxes that it
 * cannot hold.
 *
 * Law: a unit of work is one block of outputs of one channel, packed with its border as for a
 * convolution. A footprint is a subset of the offsets of its box, so no kernel knows it; a box larger
 * than the cache is cut into chunks of taps, which an extreme does not mind. */
#include <math.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/layout.h"
#include "base/parallel.h"
#include "ops/operation.h"
#include "ops/windows.h"
#include "shape/filter_shape.h"

enum {
  LANE_VECTORS = 4,
  UNITS_A_THREAD = 4,
  TAP_OPERATIONS = 16 /* as in pool.c */
};

typedef struct filter {
  cc_filter_shape shape;
  cc_view input, output;
  const cc_kernels *kernels;
  bool least;
  const uint8_t *footprint; /* NULL for the whole box */
  double fill;
  int32_t dtype;   /* that elements are compared in */
  int64_t element; /* its bytes */
  int64_t present; /* taps of the footprint */
  cc_blocks blocks;
  int64_t blocks_a_channel, units, parts;
  int64_t slab_at, own_at, thread_bytes; /* a thread's scratch: halo, slab, offsets of a chunk */
  int64_t offsets_bytes;                 /* of those of a whole chunk, which all threads read */
  cc_run *run;
  char *workspace;
} filter;

static cconv_status validate(const cconv_filter_params *params, const cconv_tensor *input, const cconv_tensor *output,
                             const cconv_context *context, filter *f, cconv_error *error) {
  if (!params || params->struct_size < sizeof *params)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "params", -1, params ? params->struct_size : 0, sizeof *params);
  if (params->kind != CCONV_POOL_MAX && params->kind != CCONV_POOL_MIN)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "kind", -1, params->kind, CCONV_POOL_MAX);
  if (!input)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "input", -1, 0, 1);
  if (input->rank < 3 || input->rank > CCONV_MAX_RANK)
    return cc_fail(error, CCONV_BAD_SHAPE, "input", -1, input->rank, CCONV_MAX_RANK);
  if (!output)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "output", -1, 0, 1);
  *f = (filter){.least = params->kind == CCONV_POOL_MIN, .footprint = params->footprint, .fill = params->padding_value};
  const int32_t rank = input->rank;
  cconv_status status;
  if ((status = cconv_operation_context(context, error)) ||
      (status = cconv_operation_pool_dtype(true, input, output, &f->dtype, error)) ||
      (status = cconv_operation_kernels(f->dtype, "input", &f->kernels, error)) ||
      (status = cconv_view_of(input, "input", input->dtype, rank, false, &f->input, error)) ||
      (status = cconv_view_of(output, "output", output->dtype, rank, true, &f->output, error)) ||
      (status = cconv_filter_shape_of(params, rank, &f->input, &f->output, &f->shape, error)))
    return status;
  f->element = cconv_element_size(f->dtype);
  f->present = f->footprint ? 0 : f->shape.taps;
  for (int64_t k = 0; f->footprint && k < f->shape.taps; k++)
    f->present += f->footprint[k] != 0;
  return f->present ? CCONV_OK : cc_fail(error, CCONV_BAD_ARGUMENT, "footprint", -1, 0, 1);
}

static void prepare(filter *f, const cconv_context *context) {
  const cc_axis *axis = f->shape.axis;
  const int64_t channels = f->shape.n * f->shape.c, vector = f->kernels->vector_length;
  double operations = (double)TAP_OPERATIONS * (double)channels * (double)f->present;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    operations *= (double)axis[a].out;
  const int64_t threads = cconv_operation_parts(context->num_threads, context->num_threads, operations);
  const cc_block_request request = {
      .axis = axis,
      .channels = 1,
      .element = f->element,
      .budget = cconv_operation_budget() - 6 * CC_ALIGNMENT,
      .lanes = LANE_VECTORS * vector,
      .term = (f->footprint ? 2 : 1) * (int64_t)sizeof(int32_t),
      .slack = vector,
      .slab = f->element,
      .slab_always = true,
      .blocks = threads == 1 ? 1 : cc_ceil_div(UNITS_A_THREAD * threads, cc_max(1, channels)),
  };
  cconv_choose_blocks(&request, &f->blocks);
  const cc_blocks *blocks = &f->blocks;
  f->blocks_a_channel = blocks->count[0] * blocks->count[1] * blocks->count[2];
  f->units = channels * f->blocks_a_channel;
  f->parts = cconv_operation_parts(context->num_threads, f->units, operations);
  f->offsets_bytes = cc_lines(blocks->taps[0] * blocks->taps[1] * blocks->taps[2] * (int64_t)sizeof(int32_t));
  f->slab_at = cc_lines((blocks->halo.channel + vector) * f->element);
  f->own_at = f->slab_at + cc_lines((blocks->halo.positions + vector) * f->element);
  f->thread_bytes = f->own_at + (f->footprint && blocks->chunks > 1 ? f->offsets_bytes : 0);
}

/* Keep those of `count` offsets whose taps, numbered from `first`, are in the footprint; how many. */
static int64_t keep_present(const filter *f, int64_t first, int64_t count, const int32_t *from, int32_t *to) {
  int64_t kept = 0;
  for (int64_t k = 0; k < count; k++)
    if (f->footprint[first + k])
      to[kept++] = from[k];
  return kept;
}

static void store_block(const filter *f, int64_t image, const cc_block *block, int64_t positions, const char *slab) {
  const int64_t n = image / f->shape.c, channel = image % f->shape.c;
  cc_segment s = {.position = 0};
  while (cconv_next_segment(&f->blocks.halo, block, positions, &s))
    f->kernels->scatter(&(cc_scatter_job){.x = slab + s.position * f->element,
                                          .rows = 1,
                                          .n = s.n,
                                          .y = cconv_segment_at(&f->output, n, channel, &s),
                                          .target = f->output.dtype,
                                          .y_step = f->output.stride[CC_WIDTH]});
}

static void run_unit(void *arg, int64_t unit, bool first, int64_t part) {
  const filter *f = arg;
  const cc_axis *axis = f->shape.axis;
  char *scratch = f->workspace + f->offsets_bytes + part * f->thread_bytes;
  if (first)
    cconv_operation_clear(&f->blocks, f->element, f->kernels->vector_length, scratch);
  const int64_t image = unit / f->blocks_a_channel; /* of one channel */
  const cc_block block = cconv_block_of(&f->blocks, axis, unit % f->blocks_a_channel);
  const int64_t positions = cconv_block_positions(&f->blocks.halo, &block);
  const int32_t *box = (const int32_t *)(const void *)f->workspace;
  int32_t *own = (int32_t *)(void *)(scratch + f->own_at);
  for (int64_t c = 0; c < f->blocks.chunks && !cconv_run_stopped(f->run, part); c++) {
    cc_chunk chunk;
    cconv_chunk_of(&f->blocks, axis, 1, c, &chunk);
    cc_pool_job job = {.k = f->footprint ? f->present : chunk.terms,
                       .x = scratch,
                       .off = box,
                       .n = positions,
                       .slab = scratch + f->slab_at,
                       .fresh = c == 0};
    if (f->footprint && f->blocks.chunks > 1) {
      /* Taps of a chunk follow each other in the box: an inner axis is cut only under single outer taps. */
      job.k = keep_present(f, chunk.first, chunk.terms, box, own);
      job.off = own;
    }
    if (job.k == 0 && !job.fresh)
      continue;
    cconv_operation_pack(f->kernels, &f->blocks, axis, &f->input, image / f->shape.c, image % f->shape.c, &block,
                         &chunk, f->fill, scratch);
    (f->least ? f->kernels->pool_min : f->kernels->pool_max)(&job);
  }
  store_block(f, image, &block, positions, scratch + f->slab_at);
}

/* Do some windows hold a padding value that may be their extreme? */
static bool fill_counts(const filter *f) {
  if (isinf(f->fill) && (f->fill > 0) == f->least)
    return false;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    const cc_axis *axis = &f->shape.axis[a];
    if (axis->map == CCONV_PADDING_CONSTANT &&
        (axis->before > 0 || axis->out + axis->kernel - 1 - axis->before > axis->end))
      return true;
  }
  return false;
}

/* Can it be had from ops/windows.h? Then *w is ready to run. */
static bool fits_windows(const filter *f, const cconv_context *context, cc_windows *w) {
  if (f->present < f->shape.taps)
    return false;
  *w = (cc_windows){.kernels = f->kernels,
                    .input = &f->input,
                    .output = &f->output,
                    .axis = f->shape.axis,
                    .dtype = f->dtype,
                    .least = f->least,
                    .fill_counts = fill_counts(f),
                    .fill = f->fill};
  return cconv_windows_prepare(w, context->num_threads);
}

cconv_status cconv_filter_extreme_workspace(const cconv_filter_params *params, const cconv_tensor *input,
                                            const cconv_tensor *output, const cconv_context *context, size_t *bytes,
                                            cconv_error *error) {
  filter f;
  const cconv_status status = validate(params, input, output, context, &f, error);
  if (status)
    return status;
  if (!bytes)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "bytes", -1, 0, 1);
  *bytes = CC_ALIGNMENT;
  if (cconv_view_is_empty(&f.output))
    return CCONV_OK;
  cc_windows windows;
  if (fits_windows(&f, context, &windows)) {
    *bytes += (size_t)cconv_windows_workspace(&windows);
    return CCONV_OK;
  }
  prepare(&f, context);
  *bytes += (size_t)(f.offsets_bytes + f.parts * f.thread_bytes);
  return CCONV_OK;
}

cconv_status cconv_filter_extreme(const cconv_filter_params *params, const cconv_tensor *input,
                                  const cconv_tensor *output, const cconv_context *context, void *workspace,
                                  size_t bytes, cconv_error *error) {
  filter f;
  cconv_status status = validate(params, input, output, context, &f, error);
  if (status)
    return status;
  if (cconv_view_is_empty(&f.output))
    return CCONV_OK;
  cc_windows windows;
  if (fits_windows(&f, context, &windows)) {
    status = cconv_operation_workspace(workspace, bytes, cconv_windows_workspace(&windows) + CC_ALIGNMENT, &f.workspace,
                                       error);
    return status ? status : cconv_windows_run(&windows, context, f.workspace);
  }
  prepare(&f, context);
  if ((status = cconv_operation_workspace(workspace, bytes, f.offsets_bytes + f.parts * f.thread_bytes + CC_ALIGNMENT,
                                          &f.workspace, error)))
    return status;
  int32_t *offsets = (int32_t *)(void *)f.workspace;
  cconv_operation_offsets(&f.blocks, f.shape.axis, offsets);
  if (f.footprint && f.blocks.chunks == 1)
    keep_present(&f, 0, f.shape.taps, offsets, offsets);
  cc_run run;
  cconv_run_begin(&run, context);
  f.run = &run;
  return cconv_parallel(&run, run_unit, &f, f.units, f.parts);
}
