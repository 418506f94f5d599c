/* SPDX-License-Identifier: BSD-3-Clause
 * operation.c - what every driver does alike.
 *
 * Law: typeless; an element is a number of bytes. */
#include "ops/operation.h"

#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/layout.h"

cconv_status cconv_operation_kernels(int32_t dtype, const char *name, const cc_kernels **kernels, cconv_error *error) {
  const cc_isa *isa = cconv_isa_in_use();
  if (!isa)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "CCONV_ISA", -1, 0, 0);
  *kernels = cconv_isa_kernels(isa, dtype);
  return *kernels ? CCONV_OK : cc_fail(error, CCONV_BAD_DTYPE, name, -1, dtype, CCONV_FLOAT32);
}

const cc_matrix_kernels *cconv_operation_matrix(int32_t dtype) {
  const cc_isa *isa = cconv_isa_in_use();
  return isa && dtype == CCONV_FLOAT32 ? isa->matrix : NULL;
}

cconv_status cconv_operation_reads(int32_t arithmetic, const cconv_tensor *tensor, const char *name,
                                   cconv_error *error) {
  if (!tensor)
    return cc_fail(error, CCONV_BAD_ARGUMENT, name, -1, 0, 1);
  if (!cconv_arithmetic_reads(arithmetic, tensor->dtype))
    return cc_fail(error, CCONV_BAD_DTYPE, name, -1, tensor->dtype, arithmetic);
  return CCONV_OK;
}

cconv_status cconv_operation_context(const cconv_context *context, cconv_error *error) {
  if (!context || context->struct_size < sizeof *context)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "context", -1, context ? context->struct_size : 0, sizeof *context);
  if (context->num_threads < 1)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "num_threads", -1, context->num_threads, 1);
  return CCONV_OK;
}

cconv_status cconv_operation_like(const char *name, int32_t rank, const cc_view *view, const cc_view *like,
                                  cconv_error *error) {
  for (int a = 0; a < CCONV_MAX_RANK; a++)
    if (view->shape[a] != like->shape[a])
      return cc_fail(error, CCONV_BAD_SHAPE, name, a < CC_DEPTH ? a : a - CCONV_MAX_RANK + rank, view->shape[a],
                     like->shape[a]);
  return CCONV_OK;
}

cconv_status cconv_operation_indices(const cconv_tensor *indices, int32_t rank, const cc_view *like, cc_view *view,
                                     cconv_error *error) {
  const cconv_status status = cconv_view_of(indices, "indices", CCONV_INT64, rank, true, view, error);
  return status ? status : cconv_operation_like("indices", rank, view, like, error);
}

cconv_status cconv_operation_pool_dtype(bool extreme, const cconv_tensor *input, const cconv_tensor *output,
                                        int32_t *dtype, cconv_error *error) {
  const int32_t from = input->dtype, to = output->dtype;
  const int32_t expected = extreme || cconv_is_floating(from) ? from : CCONV_FLOAT64;
  if (!cconv_element_size(from))
    return cc_fail(error, CCONV_BAD_DTYPE, "input", -1, from, CCONV_FLOAT32);
  if (to != expected)
    return cc_fail(error, CCONV_BAD_DTYPE, "output", -1, to, expected);
  *dtype = extreme ? cconv_order_of(from) : cconv_arithmetic_of(expected);
  return CCONV_OK;
}

cconv_status cconv_operation_pool_kind(int32_t kind, double p, const cconv_tensor *indices, cconv_error *error) {
  if (kind < CCONV_POOL_MAX || kind > CCONV_POOL_LP)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "kind", -1, kind, CCONV_POOL_LP);
  if (kind == CCONV_POOL_LP && !(p > 0))
    return cc_fail(error, CCONV_BAD_ARGUMENT, "p", -1, 0, 1);
  if (indices && kind != CCONV_POOL_MAX && kind != CCONV_POOL_MIN)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "indices", -1, kind, CCONV_POOL_MAX);
  return CCONV_OK;
}

cconv_status cconv_operation_workspace(void *workspace, size_t bytes, int64_t needed, char **base, cconv_error *error) {
  if (!workspace)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "workspace", -1, 0, needed);
  if (bytes < (size_t)needed)
    return cc_fail(error, CCONV_WORKSPACE_TOO_SMALL, "workspace", -1, (int64_t)bytes, needed);
  *base = (char *)workspace + (-(uintptr_t)workspace & (CC_ALIGNMENT - 1));
  return CCONV_OK;
}

int64_t cconv_operation_budget(void) { return cconv_cache_l2() / 2; }

int64_t cconv_operation_parts(int64_t threads, int64_t units, double operations) {
  if (operations < CC_SERIAL_OPERATIONS)
    return 1;
  return cc_max(1, cc_min(cc_min(threads, CC_MOST_PARTS), units));
}

void cconv_operation_describe(const cc_blocks *blocks, cconv_plan_info *info) {
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    info->blocks[a] = blocks->count[a];
    info->block[a] = blocks->out[a];
  }
  info->chunks = blocks->chunks;
}

cc_block cconv_block_of(const cc_blocks *blocks, const cc_axis axis[3], int64_t index) {
  cc_block block;
  for (int a = CCONV_MAX_SPATIAL - 1; a >= 0; a--) {
    const int64_t count = blocks->count[a];
    block.from[a] = 0;
    block.size[a] = axis[a].out;
    if (count > 1) { /* divisions, which tiny images would notice */
      const int64_t i = index % count;
      block.from[a] = cc_part(axis[a].out, i, count);
      block.size[a] = cc_part(axis[a].out, i + 1, count) - block.from[a];
      index /= count;
    }
  }
  return block;
}

int64_t cconv_block_positions(const cc_halo *halo, const cc_block *block) {
  const int64_t rows = (block->size[0] - 1) * halo->axis[1].pitch + block->size[1] - 1;
  return rows * halo->axis[2].pitch + block->size[2];
}

void cconv_operation_pack(const cc_kernels *kernels, const cc_blocks *blocks, const cc_axis axis[3],
                          const cc_view *input, int64_t n, int64_t channel, const cc_block *block,
                          const cc_chunk *chunk, double fill, void *target) {
  const cc_halo *halo = &blocks->halo;
  cc_halo_pack_job job = {
      .input = input->data + n * input->stride[CC_BATCH] + channel * input->stride[CC_CHANNEL],
      .source = input->dtype,
      .channels = chunk->channels,
      .channel_stride = input->stride[CC_CHANNEL],
      .target = target,
      .phase_pitch = halo->phase,
      .channel_pitch = halo->channel,
      .fill = fill,
  };
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    job.stride[a] = input->stride[CC_DEPTH + a];
    job.end[a] = axis[a].map == CCONV_PADDING_CONSTANT ? axis[a].end : axis[a].in;
    job.map[a] = axis[a].map;
    job.first[a] = block->from[a] * axis[a].stride + chunk->tap[a] * axis[a].dilation - axis[a].before;
    job.step[a] = axis[a].stride;
    job.dilation[a] = axis[a].dilation;
    job.phases[a] = halo->axis[a].phases;
    job.length[a] = halo->axis[a].length;
    job.pitch[a] = halo->axis[a].pitch;
  }
  kernels->halo_pack(&job);
}

void cconv_operation_clear(const cc_blocks *blocks, int64_t element, int64_t slack, char *target) {
  const cc_halo *halo = &blocks->halo;
  const int64_t packed = halo->axis[0].phases * halo->axis[1].phases * halo->axis[2].phases * halo->phase;
  for (int64_t c = 0; c < blocks->channels; c++)
    memset(target + (c * halo->channel + packed) * element, 0, (size_t)((halo->channel - packed) * element));
  memset(target + blocks->channels * halo->channel * element, 0, (size_t)(slack * element));
}

void cconv_operation_offsets(const cc_blocks *blocks, const cc_axis axis[3], int32_t *offsets) {
  int64_t terms = 1;
  offsets[0] = 0;
  /* Of the axes so far, the last changing fastest: the first tap's terms, and behind them each other tap's. */
  for (int a = CCONV_MAX_SPATIAL - 1; a >= 0; a--) {
    for (int64_t k = 1; k < blocks->taps[a]; k++) {
      const int32_t offset = (int32_t)cconv_halo_offset(&blocks->halo, axis, a, k);
      for (int64_t i = 0; i < terms; i++)
        offsets[k * terms + i] = offsets[i] + offset;
    }
    terms *= blocks->taps[a];
  }
  for (int64_t c = 1; c < blocks->channels; c++)
    for (int64_t i = 0; i < terms; i++)
      offsets[c * terms + i] = offsets[i] + (int32_t)(c * blocks->halo.channel);
}

bool cconv_next_segment(const cc_halo *halo, const cc_block *block, int64_t end, cc_segment *s) {
  const int64_t pitch = halo->axis[2].pitch, rows = halo->axis[1].pitch;
  int64_t row = s->oh - block->from[1], column = s->ow - block->from[2] + s->n;
  if (s->n == 0) {
    row = s->position / pitch;
    column = s->position % pitch;
    s->od = block->from[0] + row / rows;
    row %= rows;
  }
  s->position += s->n;
  while (s->position < end) {
    if (column < block->size[2] && row < block->size[1] && s->od < block->from[0] + block->size[0]) {
      s->n = cc_min(block->size[2] - column, end - s->position);
      s->oh = block->from[1] + row;
      s->ow = block->from[2] + column;
      return true;
    }
    s->position += pitch - column;
    column = 0;
    if (++row == rows) {
      row = 0;
      s->od++;
    }
  }
  return false;
}

char *cconv_segment_at(const cc_view *view, int64_t n, int64_t c, const cc_segment *segment) {
  const int64_t *stride = view->stride;
  return view->data + n * stride[CC_BATCH] + c * stride[CC_CHANNEL] + segment->od * stride[CC_DEPTH] +
         segment->oh * stride[CC_HEIGHT] + segment->ow * stride[CC_WIDTH];
}
