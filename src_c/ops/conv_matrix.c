/* SPDX-License-Identifier: BSD-3-Clause
 * conv_matrix.c - what drivers of products on a matrix unit have in common. */
#include "ops/conv_matrix.h"

#include <string.h>

#include "base/checked.h"

enum {
  /* Exponents of float32: images and weights whose greatest lies between keep all digits, and 2^16 products, as many as
   * there may be, do not overflow. */
  LEAST_EXPONENT = 127 - 90,
  MOST_EXPONENT = 127 + 50,
  LEAST_EXPONENTS = 2 * 127 - 80, /* of the greatest product, by far above what is flushed */
  MANTISSA_BITS = 23,
  LINE_INPUTS = 512 /* that are made in the time in which a line goes from one thread to another and back (measured) */
};

bool cconv_matrix_shares_channels(const cc_conv *conv, int64_t threads, int64_t lane_blocks) {
  const cc_conv_shape *shape = &conv->shape;
  double inputs = (double)shape->ic;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    inputs *= (double)shape->axis[a].in;
  return threads > 1 && shape->n * shape->groups == 1 && (lane_blocks % threads == 0 || lane_blocks >= 4 * threads) &&
         inputs < (double)LINE_INPUTS * (double)shape->oc;
}

bool cconv_matrix_reads(const cc_conv *conv) {
  const cc_view *input = &conv->input;
  return input->dtype == conv->dtype &&
         (input->shape[CC_CHANNEL] == 1 || input->stride[CC_CHANNEL] % conv->element == 0) &&
         (input->shape[CC_WIDTH] == 1 || input->stride[CC_WIDTH] % conv->element == 0);
}

void cconv_matrix_raise(_Atomic uint32_t *greatest, uint32_t value) {
  uint32_t old = atomic_load_explicit(greatest, memory_order_relaxed);
  while (old < value &&
         !atomic_compare_exchange_weak_explicit(greatest, &old, value, memory_order_relaxed, memory_order_relaxed))
    ;
}

bool cconv_matrix_is_ordinary(uint32_t image, uint32_t weights) {
  const uint32_t x = image >> MANTISSA_BITS, w = weights >> MANTISSA_BITS;
  if (x > MOST_EXPONENT || w > MOST_EXPONENT)
    return false;
  return image == 0 || weights == 0 || (x >= LEAST_EXPONENT && w >= LEAST_EXPONENT && x + w >= LEAST_EXPONENTS);
}

cconv_status cconv_matrix_run(const cc_matrix_work *work, cc_run *run) {
  const int64_t images = work->conv->shape.n;
  const char *prepared = work->conv->weight.prepared;
  cconv_status status = CCONV_OK;
  for (int64_t n = 0; n <= images; n++)
    atomic_init(cc_matrix_greatest(work->workspace, n), 0);
  if (prepared)
    cconv_matrix_raise(cc_matrix_greatest(work->workspace, images),
                       ((const cc_matrix_heading *)(const void *)prepared)->greatest);
  if (work->make)
    status = cconv_parallel(run, work->make, work->arg, work->making, cc_min(work->parts, work->making));
  status = status ? status : cconv_parallel(run, work->run, work->arg, work->units, work->parts);
  const uint32_t weights = atomic_load(cc_matrix_greatest(work->workspace, images));
  for (int64_t n = 0; n < images && !status; n++)
    if (!cconv_matrix_is_ordinary(atomic_load(cc_matrix_greatest(work->workspace, n)), weights))
      status = work->otherwise(work->arg, n, run);
  return status;
}

cc_conv cconv_matrix_directly(const cc_conv *conv, int64_t n) {
  cc_conv one = *conv;
  one.shape.n = 1;
  one.algorithm = CCONV_ALGORITHM_DIRECT;
  one.weight.prepared = NULL;
  if (n > 0) { /* a lone image's step may not fit */
    one.input.data += n * one.input.stride[CC_BATCH];
    one.output.data += n * one.output.stride[CC_BATCH];
    one.residual.data += one.residual.data ? n * one.residual.stride[CC_BATCH] : 0;
  }
  return one;
}

void cconv_matrix_clear(const cc_conv *conv, const cc_blocks *blocks, const cc_block *block, int64_t channels,
                        char *packed) {
  const cc_halo_axis *axis = blocks->halo.axis;
  const int64_t es = conv->element, phases = axis[0].phases * axis[1].phases * axis[2].phases;
  int64_t seen[CCONV_MAX_SPATIAL], all = 0;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    seen[a] = axis[a].length - blocks->out[a] + block->size[a];
    all += seen[a] == axis[a].length;
  }
  if (all == CCONV_MAX_SPATIAL)
    return;
  /* What a row or slice shares with the one before is fill, and stays. */
  const int64_t shared[] = {0, axis[1].length - axis[1].pitch, axis[2].length - axis[2].pitch};
  for (int64_t c = 0; c < channels; c++)
    for (int64_t i = 0; i < phases; i++)
      for (int64_t d = 0; d < axis[0].length; d++)
        for (int64_t h = d < seen[0] ? 0 : shared[1]; h < axis[1].pitch; h++) {
          const int64_t from = d < seen[0] && h < seen[1] ? seen[2] : shared[2], end = axis[2].pitch;
          char *row =
              packed +
              (c * blocks->halo.channel + i * blocks->halo.phase + (d * axis[1].pitch + h) * axis[2].pitch) * es;
          if (from < end)
            memset(row + from * es, 0, (size_t)((end - from) * es));
        }
}

void cconv_matrix_turn(const cc_conv *conv, const char *rows, int64_t stride, int64_t channels, int64_t n, char *turned,
                       cc_split_job *job) {
  char *lines = job->y;
  job->low = (const float *)(const void *)turned;
  job->high = job->low + CC_SQUARE_LANES;
  job->step = CC_LINE_CHANNELS;
  for (int64_t p = 0; p < n; p += CC_TURN) {
    job->n = cc_min(CC_TURN, n - p);
    conv->kernels->transpose(&(cc_transpose_job){.source = rows + p * conv->element,
                                                 .stride = stride,
                                                 .rows = channels,
                                                 .n = job->n,
                                                 .target = turned,
                                                 .ldt = CC_LINE_CHANNELS});
    job->y = lines + p * CC_LINE_BYTES;
    conv->matrix->split(job);
  }
}
