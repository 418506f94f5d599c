/* SPDX-License-Identifier: BSD-3-Clause
 * peak.tmpl.h - the machine's fused multiply-add rate: CC_PEAK_CHAINS independent accumulators.
 *
 * The seed comes from outside so that nothing can be computed beforehand; the answer depends on
 * every accumulator so that nothing can be dropped. */

static CC_NOINLINE int64_t CC_K(fma_peak)(int64_t iterations, double seed) {
  V acc[CC_PEAK_CHAINS];
  const V a = v_splat((T)(1 - seed)), b = v_splat((T)seed);
  CC_UNROLL
  for (int i = 0; i < CC_PEAK_CHAINS; i++)
    acc[i] = v_splat((T)(seed * i));
  for (int64_t n = 0; n < iterations; n++) {
    CC_UNROLL
    for (int i = 0; i < CC_PEAK_CHAINS; i++)
      acc[i] = v_fma(a, acc[i], b);
  }
  V sum = v_splat(0);
  CC_UNROLL
  for (int i = 0; i < CC_PEAK_CHAINS; i++)
    sum += acc[i];
  return 2 * CC_PEAK_CHAINS * VL * iterations + (sum[0] != sum[0]); /* no sum is NaN */
}
