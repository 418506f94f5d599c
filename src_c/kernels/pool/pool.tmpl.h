/* SPDX-License-Identifier: BSD-3-Clause
 * pool.tmpl.h - extremes over the windows of a haloed block, one channel at a time.
 *
 *   max: slab[p] = max(slab[p], x[off[k] + p] over k), NaN wins; min likewise
 *
 * Lanes are positions; positions beyond n up to a whole vector are computed and never used. */

enum { CC_K(POOL_VECTORS) = 4 }; /* at once: enough chains to hide the latency of one operation */

/* nv vectors from position p; the least instead of the greatest if `least`. */
CC_ALWAYS_INLINE void CC_K(pool_extreme_vectors)(const cc_pool_job *job, int64_t p, const int nv, const bool least) {
  const T *x = (const T *)job->x + p, worst = least ? CC_HIGHEST : CC_LOWEST;
  T *slab = (T *)job->slab + p;
  V acc[CC_K(POOL_VECTORS)];
  CC_UNROLL
  for (int j = 0; j < nv; j++)
    acc[j] = job->fresh ? v_splat(worst) : v_load(slab + j * VL);
  for (int64_t k = 0; k < job->k; k++) {
    CC_UNROLL
    for (int j = 0; j < nv; j++) {
      const V value = v_load(x + job->off[k] + j * VL);
      acc[j] = least ? v_min_nan(acc[j], value) : v_max_nan(acc[j], value);
    }
  }
  CC_UNROLL
  for (int j = 0; j < nv; j++)
    v_store(slab + j * VL, acc[j]);
}

CC_ALWAYS_INLINE void CC_K(pool_extreme)(const cc_pool_job *job, const bool least) {
  const int64_t step = CC_K(POOL_VECTORS) * VL;
  int64_t p = 0;
  for (; p + step <= job->n; p += step)
    CC_K(pool_extreme_vectors)(job, p, CC_K(POOL_VECTORS), least);
  for (; p < job->n; p += VL)
    CC_K(pool_extreme_vectors)(job, p, 1, least);
}

static void CC_K(pool_max)(const cc_pool_job *job) { CC_K(pool_extreme)(job, false); }
static void CC_K(pool_min)(const cc_pool_job *job) { CC_K(pool_extreme)(job, true); }

/* The same with taps. A later value wins only if it is better, or the first NaN: so the first of
 * equals stays. A chunk's own taps fit the lanes, whose integers are as wide as T. */
CC_ALWAYS_INLINE void CC_K(pool_taps_vectors)(const cc_pool_job *job, int64_t p, const int nv, const bool least) {
  const T *x = (const T *)job->x + p, worst = least ? CC_HIGHEST : CC_LOWEST;
  T *slab = (T *)job->slab + p;
  V acc[CC_K(POOL_VECTORS)];
  VI taps[CC_K(POOL_VECTORS)];
  CC_UNROLL
  for (int j = 0; j < nv; j++) {
    acc[j] = job->fresh ? v_splat(worst) : v_load(slab + j * VL);
    taps[j] = v_splat_i(-1);
  }
  for (int64_t k = 0; k < job->k; k++) {
    const VI tap = v_splat_i((TI)k);
    CC_UNROLL
    for (int j = 0; j < nv; j++) {
      const V value = v_load(x + job->off[k] + j * VL);
      const VI better = least ? value < acc[j] : value > acc[j];
      const VI wins = better | (v_is_nan(value) & ~v_is_nan(acc[j]));
      acc[j] = v_select(wins, value, acc[j]);
      taps[j] = (wins & tap) | (~wins & taps[j]);
    }
  }
  CC_UNROLL
  for (int j = 0; j < nv; j++) {
    v_store(slab + j * VL, acc[j]);
    for (int lane = 0; lane < VL; lane++) {
      int64_t *at = &job->taps[p + j * VL + lane];
      *at = taps[j][lane] >= 0 ? job->first + taps[j][lane] : job->fresh ? -1 : *at;
    }
  }
}

CC_ALWAYS_INLINE void CC_K(pool_taps)(const cc_pool_job *job, const bool least) {
  const int64_t step = CC_K(POOL_VECTORS) * VL;
  int64_t p = 0;
  for (; p + step <= job->n; p += step)
    CC_K(pool_taps_vectors)(job, p, CC_K(POOL_VECTORS), least);
  for (; p < job->n; p += VL)
    CC_K(pool_taps_vectors)(job, p, 1, least);
}

static void CC_K(pool_max_taps)(const cc_pool_job *job) { CC_K(pool_taps)(job, false); }
static void CC_K(pool_min_taps)(const cc_pool_job *job) { CC_K(pool_taps)(job, true); }
