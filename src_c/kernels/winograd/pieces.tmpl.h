/* SPDX-License-Identifier: BSD-3-Clause
 * pieces.tmpl.h - into Winograd's domain and out of it: F(4 x 4, 4 x 4), lanes = tiles. See cc_pieces_input_job.
 *
 *   y = A' [sum over pieces of (G g G') . (B' d B)] A      d: 7 inputs a side, g: 4 taps, y: 4 outputs; . by element
 *
 * A large kernel is cut into pieces of 4 x 4. These are as far from each other as the tiles: values of one tile serve
 * every piece, and by element the sum is a convolution of one channel. The points are +-1/2, +-1, +-3/2 and infinity:
 * all factors of A and B are exact, and none is as large as with 2. */

enum { CC_K(PIECE_SIDE) = 7 };

/* o = the values at p and -p; sum and product are of the squares of the other two points. */
CC_ALWAYS_INLINE void CC_K(pieces_pair)(const V d[7], V *o, T p, T sum, T product) {
  const V even = v_fma(v_splat(-sum), d[2], v_fma(v_splat(product), d[0], d[4]));
  const V odd = v_fma(v_splat(-sum), d[3], v_fma(v_splat(product), d[1], d[5]));
  o[0] = v_fma(v_splat(p), even, odd);
  o[1] = v_fma(v_splat(-p), even, odd);
}

/* o = B' d */
CC_ALWAYS_INLINE void CC_K(pieces_of_inputs)(const V d[7], V o[7]) {
  CC_K(pieces_pair)(d, o, (T)0.5, (T)3.25, (T)2.25);
  CC_K(pieces_pair)(d, o + 2, 1, (T)2.5, (T)0.5625);
  CC_K(pieces_pair)(d, o + 4, (T)1.5, (T)1.25, (T)0.25);
  o[6] = v_fma(v_splat((T)-3.5), d[4], v_fma(v_splat((T)3.0625), d[2], v_fma(v_splat((T)-0.5625), d[0], d[6])));
}

/* y = A' s */
CC_ALWAYS_INLINE void CC_K(pieces_of_sums)(const V s[7], V y[4]) {
  const V a = s[0] + s[1], b = s[2] + s[3], c = s[4] + s[5];
  const V less_a = s[0] - s[1], less_b = s[2] - s[3], less_c = s[4] - s[5];
  y[0] = a + b + c;
  y[1] = v_fma(v_splat((T)0.5), less_a, v_fma(v_splat((T)1.5), less_c, less_b));
  y[2] = v_fma(v_splat((T)0.25), a, v_fma(v_splat((T)2.25), c, b));
  y[3] = v_fma(v_splat((T)0.125), less_a, v_fma(v_splat((T)3.375), less_c, less_b)) + s[6];
}

/* Columns first, for neighbours share them; then every fourth of them side by side. */
static void CC_K(pieces_input)(const cc_pieces_input_job *job) {
  const int64_t pitch = job->pitch, plane = job->plane, n = (job->tiles / VL + 1) * VL; /* one tile more is looked at */
  T *const phases = job->phases;
  for (int64_t j = 0; j < n; j += VL) {
    const T *x = (const T *)job->x + 4 * j;
    V made[CC_K(PIECE_SIDE)][4];
    for (int q = 0; q < 4; q++) {
      V d[7], o[7];
      CC_UNROLL
      for (int i = 0; i < 7; i++)
        d[i] = v_load(x + i * pitch + q * VL);
      CC_K(pieces_of_inputs)(d, o);
      CC_UNROLL
      for (int i = 0; i < 7; i++)
        made[i][q] = o[i];
    }
    for (int i = 0; i < 7; i++) {
      V a[8];
      CC_UNROLL
      for (int q = 0; q < 4; q++)
        a[q] = made[i][q];
      CC_K(separate)(a, 4);
      CC_UNROLL
      for (int q = 0; q < 4; q++)
        v_store(phases + (4 * i + q) * n + j, a[q]);
    }
  }
  for (int i = 0; i < 7; i++) {
    const T *x = phases + 4 * i * n;
    T *values = (T *)job->values + 7 * i * plane;
    for (int64_t j = 0; j < job->tiles; j += VL) {
      V d[7], o[7];
      CC_UNROLL
      for (int a = 0; a < 7; a++)
        d[a] = v_load(x + a % 4 * n + j + a / 4);
      CC_K(pieces_of_inputs)(d, o);
      CC_UNROLL
      for (int f = 0; f < 7; f++)
        v_store(values + f * plane + j, o[f]);
    }
  }
}

static void CC_K(pieces_output)(const cc_pieces_output_job *job) {
  const int64_t plane = job->plane;
  for (int64_t j = 0; j < job->tiles; j += VL) {
    const T *sums = (const T *)job->sums + j;
    T *y = (T *)job->y + 4 * j;
    V made[4][CC_K(PIECE_SIDE)], rows[4][4];
    for (int i = 0; i < 7; i++) {
      V s[7], o[4];
      CC_UNROLL
      for (int f = 0; f < 7; f++)
        s[f] = v_load(sums + (7 * i + f) * plane);
      CC_K(pieces_of_sums)(s, o);
      CC_UNROLL
      for (int q = 0; q < 4; q++)
        made[q][i] = o[q];
    }
    for (int q = 0; q < 4; q++) {
      V o[4];
      CC_K(pieces_of_sums)(made[q], o);
      CC_UNROLL
      for (int i = 0; i < 4; i++)
        rows[i][q] = o[i];
    }
    for (int i = 0; i < 4; i++) {
      V a[8];
      CC_UNROLL
      for (int q = 0; q < 4; q++)
        a[q] = rows[i][q];
      CC_K(zip)(a, 4);
      CC_UNROLL
      for (int q = 0; q < 4; q++)
        v_store(y + i * job->pitch + q * VL, a[q]);
    }
  }
}

/* In float64, whatever the element is: rounded once. */
static void CC_K(pieces_weight)(const cc_pieces_weight_job *job) {
  static const double g[7][4] = {{1 / 1.5, 0.5 / 1.5, 0.25 / 1.5, 0.125 / 1.5},
                                 {-1 / 1.5, 0.5 / 1.5, -0.25 / 1.5, 0.125 / 1.5},
                                 {-1 / 1.875, -1 / 1.875, -1 / 1.875, -1 / 1.875},
                                 {1 / 1.875, -1 / 1.875, 1 / 1.875, -1 / 1.875},
                                 {1 / 7.5, 1.5 / 7.5, 2.25 / 7.5, 3.375 / 7.5},
                                 {-1 / 7.5, 1.5 / 7.5, -2.25 / 7.5, 3.375 / 7.5},
                                 {0, 0, 0, 1}};
  const int64_t *pieces = job->pieces, *size = job->size, *step = job->step;
  const T *w = job->w;
  for (int64_t piece = 0; piece < pieces[0] * pieces[1]; piece++) {
    const int64_t row = piece / pieces[1] * 4, column = piece % pieces[1] * 4;
    double half[4][7];
    for (int i = 0; i < 4; i++) {
      double taps[4];
      for (int j = 0; j < 4; j++) {
        const int64_t at = (row + i) * step[0] + (column + j) * step[1];
        taps[j] = row + i < size[0] && column + j < size[1] && at < job->taps ? (double)w[at] : 0;
      }
      for (int f = 0; f < 7; f++)
        half[i][f] = g[f][0] * taps[0] + g[f][1] * taps[1] + g[f][2] * taps[2] + g[f][3] * taps[3];
    }
    for (int e = 0; e < 7; e++)
      for (int f = 0; f < 7; f++)
        ((T *)job->weights)[(7 * e + f) * pieces[0] * pieces[1] + piece] =
            (T)(g[e][0] * half[0][f] + g[e][1] * half[1][f] + g[e][2] * half[2][f] + g[e][3] * half[3][f]);
  }
}
