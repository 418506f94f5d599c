/* SPDX-License-Identifier: BSD-3-Clause
 * depthwise.tmpl.h - one output channel of a convolution over one haloed channel.
 *
 *   slab[p] (+)= sum over k of w[k] x[off[k] + p]      p < n
 *
 * Each element is one chain of v_fma in the order of k. Lanes are positions; those beyond n up to a whole
 * vector are computed and never used. */

enum { CC_K(DEPTHWISE_VECTORS) = 8 }; /* at once: enough chains for two multiply-adds a cycle */

/* nv vectors from position p. */
CC_ALWAYS_INLINE void CC_K(depthwise_vectors)(const cc_depthwise_job *job, int64_t p, const int nv) {
  const T *w = job->w, *x = (const T *)job->x + p;
  T *slab = (T *)job->slab + p;
  V acc[CC_K(DEPTHWISE_VECTORS)];
  CC_UNROLL
  for (int j = 0; j < nv; j++)
    acc[j] = job->fresh ? (V){0} : v_load(slab + j * VL);
  for (int64_t k = 0; k < job->k; k++) {
    const V a = v_splat(w[k]);
    const T *xk = x + job->off[k];
    CC_UNROLL
    for (int j = 0; j < nv; j++)
      acc[j] = v_fma(a, v_load(xk + j * VL), acc[j]);
  }
  CC_UNROLL
  for (int j = 0; j < nv; j++)
    v_store(slab + j * VL, acc[j]);
}

static CC_NOINLINE void CC_K(depthwise)(const cc_depthwise_job *job) {
  const int64_t step = CC_K(DEPTHWISE_VECTORS) * VL;
  int64_t p = 0;
  for (; p + step <= job->n; p += step)
    CC_K(depthwise_vectors)(job, p, CC_K(DEPTHWISE_VECTORS));
  for (; p + 2 * VL <= job->n; p += 2 * VL)
    CC_K(depthwise_vectors)(job, p, 2);
  for (; p < job->n; p += VL)
    CC_K(depthwise_vectors)(job, p, 1);
}
