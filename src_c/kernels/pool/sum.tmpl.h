/* SPDX-License-Identifier: BSD-3-Clause
 * sum.tmpl.h - sums over the windows of a haloed block, one channel at a time, and their averages.
 *
 *   slab[j pitch + p] += sum of x[off[k] + p] over the k with (first + k) % 16 == j
 *
 * Lanes are positions, as in pool.tmpl.h, whose number of vectors serves here too. */

/* One partial after the other, each in registers over its terms. */
CC_ALWAYS_INLINE void CC_K(pool_sum_vectors)(const cc_pool_job *job, int64_t p, const int nv) {
  const T *x = (const T *)job->x + p;
  for (int64_t i = 0; i < job->partials; i++) {
    T *slab = (T *)job->slab + i * job->pitch + p;
    V acc[CC_K(POOL_VECTORS)];
    CC_UNROLL
    for (int j = 0; j < nv; j++)
      acc[j] = job->fresh ? v_splat(0) : v_load(slab + j * VL);
    for (int64_t k = (i - job->first % CC_PARTIALS + CC_PARTIALS) % CC_PARTIALS; k < job->k; k += CC_PARTIALS) {
      CC_UNROLL
      for (int j = 0; j < nv; j++)
        acc[j] += v_load(x + job->off[k] + j * VL);
    }
    CC_UNROLL
    for (int j = 0; j < nv; j++)
      v_store(slab + j * VL, acc[j]);
  }
}

static void CC_K(pool_sum)(const cc_pool_job *job) {
  const int64_t step = CC_K(POOL_VECTORS) * VL;
  int64_t p = 0;
  for (; p + step <= job->n; p += step)
    CC_K(pool_sum_vectors)(job, p, CC_K(POOL_VECTORS));
  for (; p < job->n; p += VL)
    CC_K(pool_sum_vectors)(job, p, 1);
}

/* A division, not a product with the reciprocal, so that exact averages stay exact. */
static void CC_K(average)(const cc_average_job *job) {
  T *y = job->y;
  for (int64_t p = 0; p < job->n; p += VL) {
    const T *slab = (const T *)job->slab + p;
    const int64_t n = job->n - p < VL ? job->n - p : VL;
    V sum[CC_PARTIALS];
    CC_UNROLL
    for (int j = 0; j < CC_PARTIALS; j++)
      sum[j] = j < job->partials ? v_load(slab + j * job->pitch) : v_splat(0);
    CC_UNROLL
    for (int j = 0; j < 8; j++)
      sum[j] = sum[2 * j] + sum[2 * j + 1];
    CC_UNROLL
    for (int j = 0; j < 4; j++)
      sum[j] = sum[2 * j] + sum[2 * j + 1];
    const V total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    T count[VL];
    for (int j = 0; j < VL; j++)
      count[j] = j < n ? (T)(job->count[p + j] * job->scale) : 1;
    if (n == VL)
      v_store(y + p, total / v_load(count));
    else
      v_store_part(y + p, n, total / v_load(count));
  }
}
