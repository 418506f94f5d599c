/* SPDX-License-Identifier: BSD-3-Clause
 * power.tmpl.h - powers of magnitudes, for Lp pools.
 *
 *   y[j] = |x[j]|^exponent
 *
 * Exponents 1, 2 and 1/2 are exact operations, rounded once; others are libm's, in double. */

CC_ALWAYS_INLINE V CC_K(pool_magnitude)(V x) {
  const TI all_but_sign = (TI)(((uint64_t)1 << (CC_DTYPE_BITS - 1)) - 1);
  return (V)((VI)x & v_splat_i(all_but_sign));
}

/* Magnitudes or squares: a tail passes through the same vectors as the body. */
CC_ALWAYS_INLINE void CC_K(pool_power_of_one_or_two)(const T *x, T *y, int64_t n, const bool square) {
  int64_t j = 0;
  for (; j + VL <= n; j += VL) {
    const V value = v_load(x + j);
    v_store(y + j, square ? value * value : CC_K(pool_magnitude)(value));
  }
  if (j < n) {
    const V value = v_load_part(x + j, n - j);
    v_store_part(y + j, n - j, square ? value * value : CC_K(pool_magnitude)(value));
  }
}

static void CC_K(pool_power)(const cc_pool_power_job *job) {
  const T *x = job->x;
  T *y = job->y;
  if (job->exponent == 1)
    CC_K(pool_power_of_one_or_two)(x, y, job->n, false);
  else if (job->exponent == 2)
    CC_K(pool_power_of_one_or_two)(x, y, job->n, true);
  else if (job->exponent == 0.5)
    for (int64_t j = 0; j < job->n; j++)
      y[j] = (T)__builtin_sqrt(__builtin_fabs((double)x[j]));
  else
    for (int64_t j = 0; j < job->n; j++)
      y[j] = (T)__builtin_pow(__builtin_fabs((double)x[j]), job->exponent);
}
