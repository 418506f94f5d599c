/* SPDX-License-Identifier: BSD-3-Clause
 * tiles.tmpl.h - taps into Winograd's domain and sums out of it, lanes = channels: F(M x M, R x R) and F(M, R).
 *
 *   y = A' [sum over c of (G g G') . (B' d B)] A      d: M + R - 1 inputs a side, g: R taps, y: M outputs; . by element
 *
 * and of lines the same without the right-hand factors.
 *
 * Parameters: M and R, of which points.tmpl.h has the points. Undefines them. */

#define A (M + R - 1)
#define CC_MXR CC_PASTE(CC_PASTE(M, x), R)
#define CC_W(name) CC_K(CC_PASTE(CC_PASTE(winograd_, name), CC_PASTE(_, CC_MXR)))
#define CC_TAPS CC_K(CC_PASTE(taps_, CC_MXR))
#define CC_SUMS CC_K(CC_PASTE(sums_, CC_MXR))

/* Rows of weights made at once: so few planes that they stay in the level 2 cache, with all else. */
enum { CC_W(WEIGHT_ROWS) = A == 4 ? 4 : 2 };

CC_ALWAYS_INLINE void CC_W(weight_rows)(const cc_winograd_weight_job *job, int row) {
  enum { ROWS = CC_W(WEIGHT_ROWS) };
  for (int64_t c = 0; c < job->channels; c++)
    for (int64_t v = 0; v < job->vectors; v++) {
      T *to = (T *)job->weights + c * job->weight_pitch + v * VL;
      const T *taps = (const T *)job->taps + v * job->taps_pitch + c * R * R * VL;
      V g[ROWS][R], o[A];
      CC_UNROLL
      for (int j = 0; j < R; j++) {
        V column[R];
        CC_UNROLL
        for (int i = 0; i < R; i++)
          column[i] = v_load(taps + (i * R + j) * VL);
        CC_TAPS(column, o);
        CC_UNROLL
        for (int i = 0; i < ROWS; i++)
          g[i][j] = o[row + i];
      }
      CC_UNROLL
      for (int i = 0; i < ROWS; i++) {
        CC_TAPS(g[i], o);
        CC_UNROLL
        for (int j = 0; j < A; j++)
          v_store(to + (i * A + j) * job->plane, o[j]);
      }
    }
}

static void CC_W(plane_weight)(const cc_winograd_weight_job *job) {
  if (job->row == 0)
    CC_W(weight_rows)(job, 0);
#if A > 4
  else if (job->row == 2)
    CC_W(weight_rows)(job, 2);
  else
    CC_W(weight_rows)(job, 4);
#endif
}

static void CC_W(line_weight)(const cc_winograd_weight_job *job) {
  for (int64_t c = 0; c < job->channels; c++)
    for (int64_t v = 0; v < job->vectors; v++) {
      T *to = (T *)job->weights + c * job->weight_pitch + v * VL;
      const T *taps = (const T *)job->taps + v * job->taps_pitch + c * R * VL;
      V g[R], o[A];
      CC_UNROLL
      for (int j = 0; j < R; j++)
        g[j] = v_load(taps + j * VL);
      CC_TAPS(g, o);
      CC_UNROLL
      for (int j = 0; j < A; j++)
        v_store(to + j * job->plane, o[j]);
    }
}

static bool CC_W(plane_output)(const cc_winograd_output_job *job) {
  V sum = {0}; /* of 0 y: NaN where any y is not finite */
  for (int64_t t = 0; t < job->tiles; t++) {
    const T *from = (const T *)job->sums + t * job->sum_pitch;
    T *to = (T *)job->lanes + t * job->tile;
    V rows[M][A];
    CC_UNROLL
    for (int j = 0; j < A; j++) {
      V s[A], y[M];
      CC_UNROLL
      for (int i = 0; i < A; i++)
        s[i] = v_load(from + (i * A + j) * job->plane);
      CC_SUMS(s, y);
      CC_UNROLL
      for (int i = 0; i < M; i++)
        rows[i][j] = y[i];
    }
    CC_UNROLL
    for (int i = 0; i < M; i++) {
      V y[M], zero = {0};
      CC_SUMS(rows[i], y);
      CC_UNROLL
      for (int j = 0; j < M; j++) {
        v_store(to + i * job->row + j * job->column, y[j]);
        zero = v_fma(y[j], (V){0}, zero);
      }
      sum += zero;
    }
  }
  return CC_K(winograd_flawed)(job, sum, M, M);
}

static bool CC_W(line_output)(const cc_winograd_output_job *job) {
  const T *from = job->sums;
  T *to = job->lanes;
  V sum = {0};
  for (int64_t t = 0; t < job->tiles; t++, from += job->sum_pitch, to += job->tile) {
    V s[A], y[M], zero = {0};
    CC_UNROLL
    for (int i = 0; i < A; i++)
      s[i] = v_load(from + i * job->plane);
    CC_SUMS(s, y);
    CC_UNROLL
    for (int j = 0; j < M; j++) {
      v_store(to + j * job->column, y[j]);
      zero = v_fma(y[j], (V){0}, zero);
    }
    sum += zero;
  }
  return CC_K(winograd_flawed)(job, sum, 1, M);
}

#undef CC_W
#undef CC_MXR
#undef CC_TAPS
#undef CC_SUMS
#undef A
#undef M
#undef R
