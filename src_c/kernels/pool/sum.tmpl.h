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

/* All terms of a vector of windows. A window of at most 16 has one in each partial; of `few`, known at compile
 * time, only the partials there are. Else two partials are combined as soon as both are there. What is added to zero
 * at first in the definition is not, but at the end: so -0 becomes 0 there. */
CC_ALWAYS_INLINE V CC_K(window_total)(const T *x, const int32_t *off, int64_t k, const int few, const int step) {
  V part[CC_PARTIALS];
  if (few) {
    CC_UNROLL
    for (int i = 0; i < few; i++)
      part[i] = CC_K(window_terms)(x + off[i], step);
    CC_UNROLL
    for (int n = few; n > 1; n = (n + 1) / 2) {
      CC_UNROLL
      for (int i = 0; i < n / 2; i++)
        part[i] = part[2 * i] + part[2 * i + 1];
      if (n % 2)
        part[n / 2] = part[n - 1];
    }
    return part[0] + v_splat(0);
  }
  V total = v_splat(0);
  CC_UNROLL
  for (int i = 0; i < CC_PARTIALS; i++) {
    total = i < k ? CC_K(window_terms)(x + off[i], step) : v_splat(0);
    for (int64_t t = i + CC_PARTIALS; t < k; t += CC_PARTIALS)
      total += CC_K(window_terms)(x + off[t], step);
    CC_UNROLL
    for (int level = 0; level < 4; level++) {
      if (!(i >> level & 1)) {
        part[level] = total;
        break;
      }
      total = part[level] + total;
    }
  }
  return total + v_splat(0);
}

/* A division, but where the product with the reciprocal is the same. */
CC_ALWAYS_INLINE void CC_K(window_rows)(const cc_window_sum_job *job, const int few, const int step) {
  const T *start = job->x;
  const V divisor = v_splat((T)job->divisor), inverse = v_splat((T)job->inverse);
  const bool exact = job->inverse != 0;
  for (int64_t p = 0; p < job->planes; p++)
    for (int64_t r = 0; r < job->rows; r++) {
      const T *x = start + (p * job->x_plane + r * job->x_row) / (int64_t)sizeof(T);
      T *y = (T *)(void *)((char *)job->y + p * job->y_plane + r * job->y_row);
      for (int64_t j = 0; j < job->n; j += VL) {
        if (j + VL > job->n && j)
          j = job->n - VL; /* some once more */
        const V sum = CC_K(window_total)(x + step * j, job->off, job->k, few, step);
        const V value = exact ? sum * inverse : sum / divisor;
        if (job->n >= VL)
          v_store(y + j, value);
        else
          v_store_part(y, job->n, value);
      }
    }
}

static void CC_K(window_sum)(const cc_window_sum_job *job) {
  const int64_t k = job->k;
  if (job->step == 2)
    k == 4 ? CC_K(window_rows)(job, 4, 2) : k == 9 ? CC_K(window_rows)(job, 9, 2) : CC_K(window_rows)(job, 0, 2);
  else
    k == 4 ? CC_K(window_rows)(job, 4, 1) : k == 9 ? CC_K(window_rows)(job, 9, 1) : CC_K(window_rows)(job, 0, 1);
}
