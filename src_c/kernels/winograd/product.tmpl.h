/* SPDX-License-Identifier: BSD-3-Clause
 * product.tmpl.h - one register tile of products in Winograd's domain.
 *
 *   sums[t][j] (+)= sum over k of values[t][k] weights[k][j]      t < MR, j < NV VL
 *
 * Parameters: MR tiles, NV vectors of output channels; MR NV accumulators, NV weights and one value must fit the register
 * file. The layout of the buffers is cc_winograd_product_job's. Undefines MR and NV.
 *
 * Sums of three levels: chains of v_fma of `part` terms in the order of k, their sum, and what the sums already hold.
 * The errors of a long chain may all be of one sign; each level has but few terms. */

#define CC_PRODUCT CC_K(CC_PASTE(CC_PASTE(CC_PASTE(winograd_product_, MR), x), NV))

static CC_NOINLINE void CC_PRODUCT(const cc_winograd_product_job *job) {
  const T *restrict values = job->values;
  const T *restrict weights = job->weights;
  T *const sums = job->sums, *const chunk = job->chunk, *const total = job->fresh ? sums : chunk;
  const char *ahead = job->ahead;
  const int64_t terms = job->k, part = job->part, pitch = job->value_pitch, sum_pitch = job->sum_pitch;
  const int64_t total_pitch = job->fresh ? sum_pitch : NV * VL;
  for (int64_t k = 0; k < terms;) {
    const int64_t end = terms - k < part ? terms : k + part;
    const bool first = k == 0;
    V acc[MR][NV];
    CC_UNROLL
    for (int i = 0; i < MR; i++) {
      CC_UNROLL
      for (int j = 0; j < NV; j++)
        acc[i][j] = (V){0};
    }
    for (; k < end; k++) {
      V b[NV];
      CC_UNROLL
      for (int j = 0; j < NV; j++)
        b[j] = v_load(weights + j * VL);
      weights += NV * VL;
      CC_UNROLL
      for (int j = 0; j < CC_AHEAD; j += 64)
        __builtin_prefetch(ahead + j, 0, 2); /* to the level 2 cache: a plan's weights may come from memory */
      ahead += CC_AHEAD;
      CC_UNROLL
      for (int i = 0; i < MR; i++) {
        const V a = v_splat(values[i * pitch + k]);
        CC_UNROLL
        for (int j = 0; j < NV; j++)
          acc[i][j] = v_fma(a, b[j], acc[i][j]);
      }
    }
    if (!first) {
      CC_UNROLL
      for (int i = 0; i < MR; i++) {
        CC_UNROLL
        for (int j = 0; j < NV; j++)
          acc[i][j] += v_load(total + i * total_pitch + j * VL);
      }
    }
    CC_UNROLL
    for (int i = 0; i < MR; i++) {
      CC_UNROLL
      for (int j = 0; j < NV; j++)
        v_store(total + i * total_pitch + j * VL, acc[i][j]);
    }
  }
  if (job->fresh)
    return;
  for (int i = 0; i < MR; i++)
    for (int j = 0; j < NV * VL; j += VL)
      v_store(sums + i * sum_pitch + j, v_load(sums + i * sum_pitch + j) + v_load(chunk + i * NV * VL + j));
}

#undef CC_PRODUCT
#undef MR
#undef NV
