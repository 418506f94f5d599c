/* SPDX-License-Identifier: BSD-3-Clause
 * points.tmpl.h - one line into Winograd's domain and out of it.
 *
 *   y = A' [(G g) . (B' d)]      d: a inputs, g: r taps, y: m = a + 1 - r outputs; . by element
 *
 * B, G and A evaluate polynomials at a points and interpolate, B the same for all r:
 *
 *   a = 4   0, 1, -1, infinity
 *   a = 6   0, sqrt 1/2, -sqrt 1/2, sqrt 2, -sqrt 2, infinity: half the error of the usual 0, +-1, +-2, infinity,
 *           for the same work
 *
 * The methods are Winograd's (1980), as Lavin and Gray (2016) apply them to convolution. Kernels are called by m and r. */

/* o = B' d */
CC_ALWAYS_INLINE void CC_K(inputs_4)(const V d[4], V o[4]) {
  o[0] = d[0] - d[2];
  o[1] = d[1] + d[2];
  o[2] = d[2] - d[1];
  o[3] = d[3] - d[1];
}

CC_ALWAYS_INLINE void CC_K(inputs_6)(const V d[6], V o[6]) {
  const V root_half = v_splat((T)0x1.6a09e667f3bcdp-1), root_two = v_splat((T)0x1.6a09e667f3bcdp0);
  const V even_2 = v_fma(v_splat(-2), d[2], d[4]), odd_2 = v_fma(v_splat(-2), d[1], d[3]);
  const V even_half = v_fma(v_splat((T)-0.5), d[2], d[4]), odd_half = v_fma(v_splat((T)-0.5), d[1], d[3]);
  o[0] = v_fma(v_splat((T)-2.5), d[2], d[0] + d[4]);
  o[1] = v_fma(root_half, odd_2, even_2);
  o[2] = v_fma(-root_half, odd_2, even_2);
  o[3] = v_fma(root_two, odd_half, even_half);
  o[4] = v_fma(-root_two, odd_half, even_half);
  o[5] = v_fma(v_splat((T)-2.5), d[3], d[1] + d[5]);
}

/* o = G g */
CC_ALWAYS_INLINE void CC_K(taps_2x3)(const V g[3], V o[4]) {
  const V half = v_splat((T)0.5), sum = g[0] + g[2];
  o[0] = g[0];
  o[1] = half * (sum + g[1]);
  o[2] = half * (sum - g[1]);
  o[3] = g[2];
}

/* Of six points those between the first and the last, from sums over even and over odd taps at each pair. */
CC_ALWAYS_INLINE void CC_K(inner_taps)(V even_half, V odd_half, V even_2, V odd_2, V o[6]) {
  const V root_half = v_splat((T)0x1.6a09e667f3bcdp-1), root_two = v_splat((T)0x1.6a09e667f3bcdp0);
  const V minus_two_thirds = v_splat((T)(-2.0 / 3)), sixth = v_splat((T)(1.0 / 6));
  o[1] = minus_two_thirds * v_fma(root_half, odd_half, even_half);
  o[2] = minus_two_thirds * v_fma(-root_half, odd_half, even_half);
  o[3] = sixth * v_fma(root_two, odd_2, even_2);
  o[4] = sixth * v_fma(-root_two, odd_2, even_2);
}

CC_ALWAYS_INLINE void CC_K(taps_4x3)(const V g[3], V o[6]) {
  o[0] = g[0];
  CC_K(inner_taps)(v_fma(v_splat((T)0.5), g[2], g[0]), g[1], v_fma(v_splat(2), g[2], g[0]), g[1], o);
  o[5] = g[2];
}

CC_ALWAYS_INLINE void CC_K(taps_2x5)(const V g[5], V o[6]) {
  const V half = v_splat((T)0.5), two = v_splat(2);
  o[0] = g[0];
  CC_K(inner_taps)(v_fma(half, v_fma(half, g[4], g[2]), g[0]), v_fma(half, g[3], g[1]),
                   v_fma(two, v_fma(two, g[4], g[2]), g[0]), v_fma(two, g[3], g[1]), o);
  o[5] = g[4];
}

/* y = A' s */
CC_ALWAYS_INLINE void CC_K(sums_2x3)(const V s[4], V y[2]) {
  y[0] = s[0] + (s[1] + s[2]);
  y[1] = (s[1] - s[2]) + s[3];
}

CC_ALWAYS_INLINE void CC_K(sums_4x3)(const V s[6], V y[4]) {
  const V root_half = v_splat((T)0x1.6a09e667f3bcdp-1);
  const V root_eighth = v_splat((T)0x1.6a09e667f3bcdp-2), root_eight = v_splat((T)0x1.6a09e667f3bcdp1);
  const V sum_1 = s[1] + s[2], sum_2 = s[3] + s[4], less_1 = s[1] - s[2], less_2 = s[3] - s[4];
  y[0] = s[0] + (sum_1 + sum_2);
  y[1] = root_half * v_fma(v_splat(2), less_2, less_1);
  y[2] = v_fma(v_splat(2), sum_2, v_splat((T)0.5) * sum_1);
  y[3] = v_fma(root_eight, less_2, v_fma(root_eighth, less_1, s[5]));
}

CC_ALWAYS_INLINE void CC_K(sums_2x5)(const V s[6], V y[2]) {
  const V root_half = v_splat((T)0x1.6a09e667f3bcdp-1), less_1 = s[1] - s[2], less_2 = s[3] - s[4];
  y[0] = s[0] + ((s[1] + s[2]) + (s[3] + s[4]));
  y[1] = v_fma(root_half, v_fma(v_splat(2), less_2, less_1), s[5]);
}

/* Mark the outputs that are not finite, rows x columns a tile. */
static CC_NOINLINE void CC_K(winograd_mark)(const cc_winograd_output_job *job, int rows, int columns) {
  for (int64_t t = 0; t < job->tiles; t++) {
    job->flawed[t] = 0;
    for (int i = 0; i < rows; i++)
      for (int j = 0; j < columns; j++)
        for (int l = 0; l < VL; l++) {
          const T value = ((const T *)job->lanes)[i * job->row + t * job->tile + j * job->column + l];
          if (!(value - value == 0))
            job->flawed[t] |= (uint32_t)1 << l;
        }
  }
}

/* Are some not finite? Then mark them. sum is of 0 y: NaN where any y is not finite. */
CC_ALWAYS_INLINE bool CC_K(winograd_flawed)(const cc_winograd_output_job *job, V sum, int rows, int columns) {
  bool flawed = false;
  for (int l = 0; l < VL; l++)
    flawed |= sum[l] != sum[l];
  if (flawed)
    CC_K(winograd_mark)(job, rows, columns);
  return flawed;
}
