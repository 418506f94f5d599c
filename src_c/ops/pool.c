/* SPDX-License-Identifier: BSD-3-Clause
 * pool.c - max, min, average and Lp pooling over the same haloed blocks as convolution.
 *
 * Most poolings are those of ops/windows.h. What is said here is of extremes whose place is asked for, and of
 * windows that it cannot hold.
 *
 * Law: a unit of work is one block of outputs of one channel. A window larger than the cache is cut
 * into chunks of taps; an extreme does not mind, and a sum keeps its 16 partials between them. */
#include <math.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/layout.h"
#include "base/parallel.h"
#include "ops/operation.h"
#include "ops/windows.h"
#include "shape/pool_shape.h"

enum {
  LANE_VECTORS = 4,
  UNITS_A_THREAD = 4,
  TAP_OPERATIONS = 16 /* a pooled tap takes the time of so many multiply-adds: it is bound by memory */
};

typedef struct pool {
  cc_pool_shape shape;
  cc_view input, output, indices;
  const cc_kernels *kernels;
  cconv_pool_kind kind;
  bool sums, count_pads, indexed;
  double exponent, root; /* Lp: of the elements and of their sum; 0 for none */
  int64_t divisor;
  int32_t dtype; /* of the arithmetic */
  int64_t element;
  int64_t partials; /* rows of the slab: 1 for an extreme */
  cc_blocks blocks;
  int64_t blocks_a_channel, units, parts;
  int64_t pitch;                                             /* elements between rows of the slab */
  int64_t slab_at, taps_at, counts_at, row_at, thread_bytes; /* a thread's scratch, the halo first */
  int64_t offsets_bytes;
  cc_run *run;
  char *workspace;
} pool;

static cconv_status validate(const cconv_pool_params *params, const cconv_tensor *input, const cconv_tensor *output,
                             const cconv_tensor *indices, const cconv_context *context, pool *p, cconv_error *error) {
  if (!params || params->struct_size < sizeof *params)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "params", -1, params ? params->struct_size : 0, sizeof *params);
  cconv_status status = cconv_operation_pool_kind(params->kind, params->p, indices, error);
  if (status)
    return status;
  if (!input)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "input", -1, 0, 1);
  if (input->rank < 3 || input->rank > CCONV_MAX_RANK)
    return cc_fail(error, CCONV_BAD_SHAPE, "input", -1, input->rank, CCONV_MAX_RANK);
  if (!output)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "output", -1, 0, 1);
  const bool norm = params->kind == CCONV_POOL_LP && !isinf(params->p); /* else it is an extreme */
  *p = (pool){.kind = (cconv_pool_kind)params->kind,
              .sums = params->kind == CCONV_POOL_AVERAGE || norm,
              .indexed = indices != NULL,
              .count_pads = params->count_include_pad != 0,
              .exponent = params->kind != CCONV_POOL_LP ? 0
                          : norm                        ? params->p
                                                        : 1,
              .root = norm && params->p != 1 ? 1 / params->p : 0,
              .divisor = norm ? 1 : params->divisor};
  const int32_t rank = input->rank;
  const bool extreme = params->kind == CCONV_POOL_MAX || params->kind == CCONV_POOL_MIN;
  if ((status = cconv_operation_context(context, error)) ||
      (status = cconv_operation_pool_dtype(extreme, input, output, &p->dtype, error)) ||
      (status = cconv_operation_kernels(p->dtype, "input", &p->kernels, error)) ||
      (status = cconv_view_of(input, "input", input->dtype, rank, false, &p->input, error)) ||
      (status = cconv_view_of(output, "output", output->dtype, rank, true, &p->output, error)))
    return status;
  p->element = cconv_element_size(p->dtype);
  if (indices && (status = cconv_operation_indices(indices, rank, &p->output, &p->indices, error)))
    return status;
  return cconv_pool_shape_of(params, rank, &p->input, &p->output, &p->shape, error);
}

static void prepare(pool *p, const cconv_context *context) {
  const cc_axis *axis = p->shape.walk;
  const int64_t channels = p->shape.n * p->shape.c, vector = p->kernels->vector_length;
  double operations = (double)TAP_OPERATIONS * (double)channels * (double)p->shape.taps;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    operations *= (double)axis[a].out;
  const int64_t threads = cconv_operation_parts(context->num_threads, context->num_threads, operations);
  const int64_t tap = p->indexed ? (int64_t)sizeof(int64_t) : 0;
  p->partials = p->sums ? cc_min(CC_PARTIALS, p->shape.taps) : 1;
  /* A position needs its partial results and, for one row at a time, its count and its average. */
  const int64_t slab = p->partials * p->element + tap + (int64_t)sizeof(double) + p->element;
  const cc_block_request request = {
      .axis = axis,
      .channels = 1,
      .element = p->element,
      .budget = cconv_operation_budget() - 9 * CC_ALIGNMENT,
      .lanes = LANE_VECTORS * vector,
      .term = sizeof(int32_t),
      .slack = vector,
      .slab = slab,
      .slab_always = true,
      .blocks = threads == 1 ? 1 : cc_ceil_div(UNITS_A_THREAD * threads, cc_max(1, channels)),
  };
  cconv_choose_blocks(&request, &p->blocks);
  const cc_halo *halo = &p->blocks.halo;
  p->blocks_a_channel = p->blocks.count[0] * p->blocks.count[1] * p->blocks.count[2];
  p->units = channels * p->blocks_a_channel;
  p->parts = cconv_operation_parts(context->num_threads, p->units, operations);
  p->pitch = halo->positions + vector;
  p->offsets_bytes = cc_lines(p->blocks.taps[0] * p->blocks.taps[1] * p->blocks.taps[2] * (int64_t)sizeof(int32_t));
  p->slab_at = cc_lines((halo->channel + vector) * p->element);
  p->taps_at = p->slab_at + cc_lines(p->partials * p->pitch * p->element);
  p->counts_at = p->taps_at + cc_lines(p->pitch * tap);
  p->row_at = p->counts_at + cc_lines(p->blocks.out[2] * (int64_t)sizeof(double));
  p->thread_bytes = p->row_at + cc_lines(p->blocks.out[2] * p->element);
}

/* How many taps count in the windows of a block, along the last axis; with a divisor, one. */
static void count_columns(const pool *p, const cc_block *block, double *counts) {
  for (int64_t j = 0; j < block->size[2]; j++)
    counts[j] = p->divisor ? 1 : (double)cconv_pool_count(&p->shape.axis[2], block->from[2] + j, p->count_pads);
}

/* The same for one row of outputs along the other axes: the count of a window is the product. */
static double count_row(const pool *p, int64_t od, int64_t oh) {
  const cc_axis *axis = p->shape.axis;
  if (p->divisor)
    return (double)p->divisor;
  return (double)cconv_pool_count(&axis[0], od, p->count_pads) * (double)cconv_pool_count(&axis[1], oh, p->count_pads);
}

/* Where the element under each of a row's windows lies that its tap found, in the plane. A window
 * without such a tap holds nothing better than an infinity: then its first element, if it has one. */
static void store_indices(const pool *p, const cc_segment *s, const int64_t *taps, char *y) {
  const cc_axis *walk = p->shape.walk;
  const int64_t first[] = {cconv_pool_first(&p->shape.axis[0], s->od), cconv_pool_first(&p->shape.axis[1], s->oh)};
  const int64_t d = s->od * walk[0].stride - walk[0].before, h = s->oh * walk[1].stride - walk[1].before;
  for (int64_t j = 0; j < s->n; j++) {
    int64_t id = first[0], ih = first[1], iw;
    if (taps[j] < 0) {
      iw = cconv_pool_first(&p->shape.axis[2], s->ow + j);
    } else {
      const int64_t row = taps[j] / walk[2].kernel;
      id = d + row / walk[1].kernel * walk[0].dilation;
      ih = h + row % walk[1].kernel * walk[1].dilation;
      iw = (s->ow + j) * walk[2].stride - walk[2].before + taps[j] % walk[2].kernel * walk[2].dilation;
    }
    const int64_t index = id < 0 || ih < 0 || iw < 0 ? -1 : (id * walk[1].in + ih) * walk[2].in + iw;
    *(int64_t *)(void *)(y + j * p->indices.stride[CC_WIDTH]) = index;
  }
}

static void store_block(const pool *p, int64_t image, const cc_block *block, int64_t positions, char *scratch) {
  const int64_t *stride = p->output.stride, es = p->element;
  const int64_t *taps = (const int64_t *)(const void *)(scratch + p->taps_at);
  char *slab = scratch + p->slab_at, *row = scratch + p->row_at;
  double *counts = (double *)(void *)(scratch + p->counts_at);
  if (p->sums)
    count_columns(p, block, counts);
  const int64_t n = image / p->shape.c, channel = image % p->shape.c;
  cc_segment s = {.position = 0};
  while (cconv_next_segment(&p->blocks.halo, block, positions, &s)) {
    char *y = cconv_segment_at(&p->output, n, channel, &s);
    const bool dense = p->output.dtype == p->dtype && (stride[CC_WIDTH] == es || s.n == 1);
    const char *from = slab + s.position * es;
    if (p->sums) {
      p->kernels->average(&(cc_average_job){.slab = from,
                                            .pitch = p->pitch,
                                            .partials = p->partials,
                                            .n = s.n,
                                            .count = counts + (s.ow - block->from[2]),
                                            .scale = count_row(p, s.od, s.oh),
                                            .y = dense ? y : row});
      from = row;
      if (p->root != 0)
        p->kernels->pool_power(
            &(cc_pool_power_job){.x = dense ? y : row, .y = dense ? y : row, .n = s.n, .exponent = p->root});
    }
    if (!p->sums || !dense)
      p->kernels->scatter(&(cc_scatter_job){
          .x = from, .rows = 1, .n = s.n, .y = y, .target = p->output.dtype, .y_step = stride[CC_WIDTH]});
    if (p->indexed)
      store_indices(p, &s, taps + s.position, cconv_segment_at(&p->indices, n, channel, &s));
  }
}

/* What padding is made of: it changes no sum and is no extreme. */
static double fill_of(const pool *p) {
  if (p->sums || p->kind == CCONV_POOL_LP)
    return 0;
  return p->kind == CCONV_POOL_MIN ? INFINITY : -INFINITY;
}

static void pool_chunk(const pool *p, const cc_pool_job *job) {
  if (p->sums)
    p->kernels->pool_sum(job);
  else if (p->kind == CCONV_POOL_MIN)
    (p->indexed ? p->kernels->pool_min_taps : p->kernels->pool_min)(job);
  else
    (p->indexed ? p->kernels->pool_max_taps : p->kernels->pool_max)(job);
}

static void run_unit(void *arg, int64_t unit, bool first, int64_t part) {
  const pool *p = arg;
  const cc_axis *axis = p->shape.walk;
  char *scratch = p->workspace + p->offsets_bytes + part * p->thread_bytes;
  if (first)
    cconv_operation_clear(&p->blocks, p->element, p->kernels->vector_length, scratch);
  const int64_t image = unit / p->blocks_a_channel; /* of one channel */
  const cc_block block = cconv_block_of(&p->blocks, axis, unit % p->blocks_a_channel);
  const cc_halo *halo = &p->blocks.halo;
  const int64_t positions = cconv_block_positions(halo, &block);
  const int64_t packed = halo->axis[0].phases * halo->axis[1].phases * halo->axis[2].phases * halo->phase;
  for (int64_t c = 0; c < p->blocks.chunks && !cconv_run_stopped(p->run, part); c++) {
    cc_chunk chunk;
    cconv_chunk_of(&p->blocks, axis, 1, c, &chunk);
    cconv_operation_pack(p->kernels, &p->blocks, axis, &p->input, image / p->shape.c, image % p->shape.c, &block,
                         &chunk, fill_of(p), scratch);
    if (p->exponent != 0)
      p->kernels->pool_power(&(cc_pool_power_job){.x = scratch, .y = scratch, .n = packed, .exponent = p->exponent});
    const cc_pool_job job = {.k = chunk.terms,
                             .first = chunk.first,
                             .x = scratch,
                             .off = (const int32_t *)(const void *)p->workspace,
                             .n = positions,
                             .slab = scratch + p->slab_at,
                             .pitch = p->pitch,
                             .partials = p->partials,
                             .taps = (int64_t *)(void *)(scratch + p->taps_at),
                             .fresh = c == 0};
    pool_chunk(p, &job);
  }
  store_block(p, image, &block, positions, scratch);
}

/* Can it be had from ops/windows.h? Then *w is ready to run. */
static bool fits_windows(const pool *p, const cconv_context *context, cc_windows *w) {
  if (p->indexed || (p->kind == CCONV_POOL_LP && !p->sums)) /* the greatest magnitude */
    return false;
  *w = (cc_windows){.kernels = p->kernels,
                    .input = &p->input,
                    .output = &p->output,
                    .axis = p->shape.walk,
                    .dtype = p->dtype,
                    .sums = p->sums,
                    .least = p->kind == CCONV_POOL_MIN,
                    .fill = fill_of(p),
                    .exponent = p->exponent,
                    .root = p->root,
                    .counted = p->shape.axis,
                    .count_pads = p->count_pads,
                    .divisor = p->divisor};
  return cconv_windows_prepare(w, context->num_threads);
}

cconv_status cconv_pool_workspace(const cconv_pool_params *params, const cconv_tensor *input,
                                  const cconv_tensor *output, const cconv_tensor *indices, const cconv_context *context,
                                  size_t *bytes, cconv_error *error) {
  pool p;
  cconv_status status = validate(params, input, output, indices, context, &p, error);
  if (status)
    return status;
  if (!bytes)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "bytes", -1, 0, 1);
  *bytes = CC_ALIGNMENT;
  if (cconv_view_is_empty(&p.output))
    return CCONV_OK;
  cc_windows windows;
  if (fits_windows(&p, context, &windows)) {
    *bytes += (size_t)cconv_windows_workspace(&windows);
    return CCONV_OK;
  }
  prepare(&p, context);
  *bytes += (size_t)(p.offsets_bytes + p.parts * p.thread_bytes);
  return CCONV_OK;
}

cconv_status cconv_pool(const cconv_pool_params *params, const cconv_tensor *input, const cconv_tensor *output,
                        const cconv_tensor *indices, const cconv_context *context, void *workspace, size_t bytes,
                        cconv_error *error) {
  pool p;
  cconv_status status = validate(params, input, output, indices, context, &p, error);
  if (status)
    return status;
  if (cconv_view_is_empty(&p.output))
    return CCONV_OK;
  cc_windows windows;
  if (fits_windows(&p, context, &windows)) {
    status = cconv_operation_workspace(workspace, bytes, cconv_windows_workspace(&windows) + CC_ALIGNMENT, &p.workspace,
                                       error);
    return status ? status : cconv_windows_run(&windows, context, p.workspace);
  }
  prepare(&p, context);
  if ((status = cconv_operation_workspace(workspace, bytes, p.offsets_bytes + p.parts * p.thread_bytes + CC_ALIGNMENT,
                                          &p.workspace, error)))
    return status;
  cconv_operation_offsets(&p.blocks, p.shape.walk, (int32_t *)(void *)p.workspace);
  cc_run run;
  cconv_run_begin(&run, context);
  p.run = &run;
  return cconv_parallel(&run, run_unit, &p, p.units, p.parts);
}
