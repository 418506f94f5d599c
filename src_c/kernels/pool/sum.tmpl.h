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

/* A vector of terms, from position p on or from every other one. */
CC_ALWAYS_INLINE V CC_K(window_terms)(const T *x, const int step) {
  return step == 2 ? v_even(v_load(x), v_load(x + VL)) : v_load(x);
}

/* Add up the partials pairwise, each as soon as its neighbour is there: `total` is partial i, `part` has sums of 1, 2, 4
 * and 8 of those before. */
CC_ALWAYS_INLINE V CC_K(window_combine)(V part[4], V total, const int i) {
  CC_UNROLL
  for (int level = 0; level < 4; level++) {
    if (!(i >> level & 1)) {
      part[level] = total;
      break;
    }
    total = part[level] + total;
  }
  return total;
}

/* All terms of a vector of windows. What is added to zero at first in the definition is not, but at the end: so -0
 * becomes 0 there. */
CC_ALWAYS_INLINE V CC_K(window_total)(const T *x, const int32_t *off, int64_t k, const int step) {
  V part[4], total = v_splat(0);
  CC_UNROLL
  for (int i = 0; i < CC_PARTIALS; i++) {
    total = i < k ? CC_K(window_terms)(x + off[i], step) : v_splat(0);
    for (int64_t t = i + CC_PARTIALS; t < k; t += CC_PARTIALS)
      total += CC_K(window_terms)(x + off[t], step);
    total = CC_K(window_combine)(part, total, i);
  }
  return total + v_splat(0);
}

/* The same where there are side x side terms, rows `down` and columns `across` elements apart: no offset is read, and no
 * partial that has no terms. */
CC_ALWAYS_INLINE V CC_K(window_square)(const T *x, int64_t down, int64_t across, const int side, const int step) {
  const int k = side * side, partials = k < CC_PARTIALS ? k : CC_PARTIALS;
  V part[4], total = v_splat(0);
  CC_UNROLL
  for (int i = 0; i < partials; i++) {
    const int t = i + CC_PARTIALS;
    total = CC_K(window_terms)(x + i / side * down + i % side * across, step);
    if (t < k)
      total += CC_K(window_terms)(x + t / side * down + t % side * across, step);
    total = CC_K(window_combine)(part, total, i);
  }
  CC_UNROLL
  for (int level = 0; level < 4; level++) /* of sums that no neighbour came for, the shortest is the total so far */
    if (partials >> level & 1 && partials % (1 << level))
      total = part[level] + total;
  return total + v_splat(0);
}

/* sum / divisor. For an integer of less than 2^20, whose nearest inverse is known, without the division, which takes as
 * long as sixteen terms: the product q is at most 2 units in the last place away, sum - divisor q so few units that it
 * is exact, and q corrected by it 2^-23 of a unit off before it is rounded. That cannot round to the wrong side: a quotient
 * by such a divisor is at least 2^-21 of a unit from the middle between two numbers. Not so where they are not finite, or so
 * small that units are. */
CC_ALWAYS_INLINE V CC_K(window_mean)(V sum, V divisor, V inverse, const bool quick) {
#if CC_VECTOR_BYTES == 64
  if (quick) {
    const CC_MM_VECTOR none = (CC_MM_VECTOR)v_splat(0), size = CC_MM(abs)((CC_MM_VECTOR)sum);
    const CC_MM_VECTOR least = (CC_MM_VECTOR)v_splat(CC_DTYPE_BITS == 32 ? (T)0x1p-100 : (T)0x1p-1000);
    const CC_MASK some = CC_MM_MASK(cmp)(size, none, _CMP_NEQ_UQ);
    const CC_MASK small = CC_MM_MASK(mask_cmp)(some, size, least, _CMP_LT_OQ);
    const CC_MASK large = CC_MM_MASK(cmp)(size, (CC_MM_VECTOR)v_splat(CC_HIGHEST), _CMP_NLT_UQ);
    if (!(small | large)) {
      const V q = sum * inverse;
      return v_fma(v_fma(-q, divisor, sum), inverse, q);
    }
  }
#endif
  (void)inverse, (void)quick;
  return sum / divisor;
}

/* side: of windows of as many rows as columns, else 0. */
CC_ALWAYS_INLINE void CC_K(window_rows)(const cc_window_sum_job *given, const int side, const int step) {
  const cc_window_sum_job job = *given; /* one that writing to y cannot change */
  const V divisor = v_splat((T)job.divisor), inverse = v_splat((T)(1 / job.divisor));
  const int64_t down = side ? job.off[side] : 0, across = side ? job.off[1] : 0;
  const bool exact = job.inverse != 0, quick = job.divisor >= 1 && job.divisor < 1 << 20;
  for (int64_t p = 0; p < job.planes; p++)
    for (int64_t r = 0; r < job.rows; r++) {
      const T *x = (const T *)job.x + (p * job.x_plane + r * job.x_row) / (int64_t)sizeof(T);
      T *y = (T *)(void *)((char *)job.y + p * job.y_plane + r * job.y_row);
      for (int64_t j = 0; j < job.n; j += VL) {
        if (j + VL > job.n && j)
          j = job.n - VL; /* some once more */
        const V sum = side ? CC_K(window_square)(x + step * j, down, across, side, step)
                           : CC_K(window_total)(x + step * j, job.off, job.k, step);
        const V value = exact ? sum * inverse : CC_K(window_mean)(sum, divisor, inverse, quick);
        if (job.n >= VL)
          v_store(y + j, value);
        else
          v_store_part(y, job.n, value);
      }
    }
}

static void CC_K(window_sum)(const cc_window_sum_job *job) {
  const int64_t k = job->k;
  if (job->step == 2)
    k == 4 ? CC_K(window_rows)(job, 2, 2) : k == 9 ? CC_K(window_rows)(job, 3, 2) : CC_K(window_rows)(job, 0, 2);
  else if (k == 25)
    CC_K(window_rows)(job, 5, 1);
  else
    k == 4 ? CC_K(window_rows)(job, 2, 1) : k == 9 ? CC_K(window_rows)(job, 3, 1) : CC_K(window_rows)(job, 0, 1);
}
