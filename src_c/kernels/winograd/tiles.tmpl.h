/* SPDX-License-Identifier: BSD-3-Clause
 * tiles.tmpl.h - into Winograd's domain and out of it: F(M x M, 3 x 3), lanes = channels.
 *
 *   y = A' [sum over c of (G g G') . (B' d B)] A      d: M + 2 inputs a side, g: 3 taps, y: M outputs; . by element
 *
 * Parameter: M, 2 or 4. Undefines it. B, G and A evaluate polynomials at points and interpolate:
 *
 *   M = 2   0, 1, -1, infinity
 *   M = 4   0, sqrt 1/2, -sqrt 1/2, sqrt 2, -sqrt 2, infinity: half the error of the usual 0, +-1, +-2, infinity,
 *           for the same work
 *
 * The methods are Winograd's (1980), as Lavin and Gray (2016) apply them to convolution. */

#define A (M + 2)
#define CC_W(name) CC_K(CC_PASTE(CC_PASTE(winograd_, M), CC_PASTE(_, name)))

/* o = B' d */
CC_ALWAYS_INLINE void CC_W(of_inputs)(const V d[A], V o[A]) {
#if M == 2
  o[0] = d[0] - d[2];
  o[1] = d[1] + d[2];
  o[2] = d[2] - d[1];
  o[3] = d[3] - d[1];
#else
  const V root_half = v_splat((T)0x1.6a09e667f3bcdp-1), root_two = v_splat((T)0x1.6a09e667f3bcdp0);
  const V even_2 = v_fma(v_splat(-2), d[2], d[4]), odd_2 = v_fma(v_splat(-2), d[1], d[3]);
  const V even_half = v_fma(v_splat((T)-0.5), d[2], d[4]), odd_half = v_fma(v_splat((T)-0.5), d[1], d[3]);
  o[0] = v_fma(v_splat((T)-2.5), d[2], d[0] + d[4]);
  o[1] = v_fma(root_half, odd_2, even_2);
  o[2] = v_fma(-root_half, odd_2, even_2);
  o[3] = v_fma(root_two, odd_half, even_half);
  o[4] = v_fma(-root_two, odd_half, even_half);
  o[5] = v_fma(v_splat((T)-2.5), d[3], d[1] + d[5]);
#endif
}

/* o = G g */
CC_ALWAYS_INLINE void CC_W(of_taps)(const V g[3], V o[A]) {
#if M == 2
  const V half = v_splat((T)0.5), sum = g[0] + g[2];
  o[0] = g[0];
  o[1] = half * (sum + g[1]);
  o[2] = half * (sum - g[1]);
  o[3] = g[2];
#else
  const V root_half = v_splat((T)0x1.6a09e667f3bcdp-1), root_two = v_splat((T)0x1.6a09e667f3bcdp0);
  const V minus_two_thirds = v_splat((T)(-2.0 / 3)), sixth = v_splat((T)(1.0 / 6));
  const V even_half = v_fma(v_splat((T)0.5), g[2], g[0]), even_2 = v_fma(v_splat(2), g[2], g[0]);
  o[0] = g[0];
  o[1] = minus_two_thirds * v_fma(root_half, g[1], even_half);
  o[2] = minus_two_thirds * v_fma(-root_half, g[1], even_half);
  o[3] = sixth * v_fma(root_two, g[1], even_2);
  o[4] = sixth * v_fma(-root_two, g[1], even_2);
  o[5] = g[2];
#endif
}

/* y = A' s */
CC_ALWAYS_INLINE void CC_W(of_sums)(const V s[A], V y[M]) {
#if M == 2
  y[0] = s[0] + (s[1] + s[2]);
  y[1] = (s[1] - s[2]) + s[3];
#else
  const V root_half = v_splat((T)0x1.6a09e667f3bcdp-1);
  const V root_eighth = v_splat((T)0x1.6a09e667f3bcdp-2), root_eight = v_splat((T)0x1.6a09e667f3bcdp1);
  const V sum_1 = s[1] + s[2], sum_2 = s[3] + s[4], less_1 = s[1] - s[2], less_2 = s[3] - s[4];
  y[0] = s[0] + (sum_1 + sum_2);
  y[1] = root_half * v_fma(v_splat(2), less_2, less_1);
  y[2] = v_fma(v_splat(2), sum_2, v_splat((T)0.5) * sum_1);
  y[3] = v_fma(root_eight, less_2, v_fma(root_eighth, less_1, s[5]));
#endif
}

/* A strip of at most STRIP tiles, so that its columns stay in the level 1 cache. Columns first: neighbours share them. */
enum { CC_W(STRIP) = 4 };

CC_ALWAYS_INLINE void CC_W(input_strip)(const T *x, int64_t row, int64_t tiles, T *values, int64_t plane,
                                        int64_t pitch) {
  T columns[A * (M * CC_W(STRIP) + 2) * VL] __attribute__((aligned(64)));
  const int64_t width = (M * CC_W(STRIP) + 2) * VL;
  for (int64_t w = 0; w < (M * tiles + 2) * VL; w += VL) {
    V d[A], o[A];
    CC_UNROLL
    for (int i = 0; i < A; i++)
      d[i] = v_load(x + i * row + w);
    CC_W(of_inputs)(d, o);
    CC_UNROLL
    for (int i = 0; i < A; i++)
      v_store(columns + i * width + w, o[i]);
  }
  for (int64_t t = 0; t < tiles; t++, values += pitch) {
    const T *from = columns + t * M * VL;
    T *to = values;
    for (int i = 0; i < A; i++, from += width, to += A * plane) {
      V d[A], o[A];
      CC_UNROLL
      for (int j = 0; j < A; j++)
        d[j] = v_load(from + j * VL);
      CC_W(of_inputs)(d, o);
      CC_UNROLL
      for (int j = 0; j < A; j++)
        v_store(to + j * plane, o[j]);
    }
  }
}

static void CC_W(input)(const cc_winograd_input_job *job) {
  enum { STRIP = CC_W(STRIP) };
  const T *x = job->lanes;
  T *values = job->values;
  for (int64_t t = 0; t < job->tiles; t += STRIP)
    CC_W(input_strip)(x + t * M * VL, job->pitch, job->tiles - t < STRIP ? job->tiles - t : STRIP,
                      values + t * job->value_pitch, job->plane, job->value_pitch);
}

/* Rows of weights made at once: so few planes that they stay in the level 2 cache, with all else. */
enum { CC_W(WEIGHT_ROWS) = M == 2 ? 4 : 2 };

CC_ALWAYS_INLINE void CC_W(weight_rows)(const cc_winograd_weight_job *job, int row) {
  enum { ROWS = CC_W(WEIGHT_ROWS) };
  for (int64_t c = 0; c < job->channels; c++) {
    const T *taps = (const T *)job->taps + c * 9 * VL;
    T *to = (T *)job->weights + c * job->weight_pitch;
    V g[ROWS][3], o[A];
    CC_UNROLL
    for (int j = 0; j < 3; j++) {
      V column[3];
      CC_UNROLL
      for (int i = 0; i < 3; i++)
        column[i] = v_load(taps + (i * 3 + j) * VL);
      CC_W(of_taps)(column, o);
      CC_UNROLL
      for (int i = 0; i < ROWS; i++)
        g[i][j] = o[row + i];
    }
    CC_UNROLL
    for (int i = 0; i < ROWS; i++) {
      CC_W(of_taps)(g[i], o);
      CC_UNROLL
      for (int j = 0; j < A; j++)
        v_store(to + (i * A + j) * job->plane, o[j]);
    }
  }
}

static void CC_W(weight)(const cc_winograd_weight_job *job) {
  if (job->row == 0)
    CC_W(weight_rows)(job, 0);
#if M == 4
  else if (job->row == 2)
    CC_W(weight_rows)(job, 2);
  else
    CC_W(weight_rows)(job, 4);
#endif
}

/* Mark the outputs that are not finite. */
static CC_NOINLINE void CC_W(mark)(const cc_winograd_output_job *job) {
  const T *y = job->lanes;
  for (int64_t t = 0; t < job->tiles; t++) {
    job->flawed[t] = 0;
    for (int i = 0; i < M; i++)
      for (int p = 0; p < M * VL; p++) {
        const T value = y[i * job->pitch + t * M * VL + p];
        if (!(value - value == 0))
          job->flawed[t] |= (uint32_t)1 << p % VL;
      }
  }
}

static bool CC_W(output)(const cc_winograd_output_job *job) {
  V sum = {0}; /* of 0 y: NaN where any y is not finite */
  for (int64_t t = 0; t < job->tiles; t++) {
    const T *from = (const T *)job->sums + t * job->sum_pitch;
    T *to = (T *)job->lanes + t * M * VL;
    V rows[M][A];
    CC_UNROLL
    for (int j = 0; j < A; j++) {
      V s[A], y[M];
      CC_UNROLL
      for (int i = 0; i < A; i++)
        s[i] = v_load(from + (i * A + j) * job->plane);
      CC_W(of_sums)(s, y);
      CC_UNROLL
      for (int i = 0; i < M; i++)
        rows[i][j] = y[i];
    }
    CC_UNROLL
    for (int i = 0; i < M; i++) {
      V y[M], zero = {0};
      CC_W(of_sums)(rows[i], y);
      CC_UNROLL
      for (int j = 0; j < M; j++) {
        v_store(to + i * job->pitch + j * VL, y[j]);
        zero = v_fma(y[j], (V){0}, zero);
      }
      sum += zero;
    }
  }
  bool flawed = false;
  for (int l = 0; l < VL; l++)
    flawed |= sum[l] != sum[l];
  if (flawed)
    CC_W(mark)(job);
  return flawed;
}

#undef CC_W
#undef A
#undef M
