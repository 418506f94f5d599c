/* SPDX-License-Identifier: BSD-3-Clause
 * rows.tmpl.h - depthwise sums of several rows of outputs at once: each packed row of inputs is loaded for all of
 * those that look at it. See cc_depthwise_rows_job.
 *
 * A tile is 4 or 2 rows of nv vectors of outputs. Of its packed rows the first look at row 0 alone, then at rows 0
 * and 1 and so on, the middle ones at all, the last at the last row alone: runs of packed rows, each with literal
 * bounds of the rows, and the size and step of the kernel as numbers of loops. 4 nv sums, nv inputs and a weight
 * must fit the register file. */

enum { CC_K(DEPTHWISE_ACROSS) = CC_VECTOR_BYTES == 64 ? 4 : 2 };

/* Term k of row 0 of a tile, term k - j back of row j: times inputs x, for rows [from, to). held, where it is there,
 * has the weights in registers. */
CC_ALWAYS_INLINE void CC_K(depthwise_column)(const cc_depthwise_rows_job *job, const T *x, int64_t k, int64_t back,
                                             const V *held, V *sum, const int from, const int to, const int nv,
                                             const bool lanes) {
  const T *w = job->w;
  V b[CC_K(DEPTHWISE_ACROSS)];
  CC_UNROLL
  for (int v = 0; v < nv; v++)
    b[v] = to - from > 1 ? v_hold(v_load(x + v * VL)) : v_load(x + v * VL);
  CC_UNROLL
  for (int i = from * nv; i < to * nv; i++) { /* one loop: clang 14 does not unroll one that holds another */
    const int64_t t = k - i / nv * back;
    sum[i] = v_fma(held ? held[t] : lanes ? v_load(w + t * VL) : v_splat(w[t]), b[i % nv], sum[i]);
  }
}

/* Packed rows [first, first + count), which rows [from, to) of the tile look at. */
CC_ALWAYS_INLINE void CC_K(depthwise_run)(const cc_depthwise_rows_job *job, const T *x, int64_t k, int64_t first,
                                          int64_t count, V *sum, const int from, const int to, const int nv,
                                          const bool lanes) {
  const int64_t columns = job->taps[2], back = job->step * columns;
  x += first * job->pitch;
  k += first * columns;
  for (; count > 0; count--, x += job->pitch)
    for (int64_t kw = 0; kw < columns; kw++, k++)
      CC_K(depthwise_column)(job, x + job->off[kw], k, back, NULL, sum, from, to, nv, lanes);
}

/* Packed row `row` of a tile under a 3 x 3 kernel with held weights. */
CC_ALWAYS_INLINE void CC_K(depthwise_row3)(const cc_depthwise_rows_job *job, const T *x, const int64_t off[3],
                                           const V *held, V *sum, const int step, const int row, const int from,
                                           const int to, const int nv) {
  x += row * job->pitch;
  CC_K(depthwise_column)(job, x + off[0], row * 3, 3 * step, held, sum, from, to, nv, false);
  CC_K(depthwise_column)(job, x + off[1], row * 3 + 1, 3 * step, held, sum, from, to, nv, false);
  CC_K(depthwise_column)(job, x + off[2], row * 3 + 2, 3 * step, held, sum, from, to, nv, false);
}

/* Add bias, bound, and write `rows` of a tile to y. */
CC_ALWAYS_INLINE void CC_K(depthwise_end)(const cc_depthwise_rows_job *job, char *y, int64_t rows, const bool cut,
                                          V *sum, const int nr, const int nv, const bool lanes) {
  const int64_t y_step = lanes ? job->y_step : VL * (int64_t)sizeof(T);
  if (job->whole) {
    const T *bias = job->bias;
    const V add = !bias ? (V){0} : lanes ? v_load(bias) : v_splat(*bias);
    CC_K(settle)(sum, nr * nv, add, job->bounded, job->low, job->high);
  }
  CC_UNROLL
  for (int i = 0; i < nr * nv; i++) {
    char *to = y + i / nv * job->y_stride + i % nv * y_step;
    if (i / nv >= rows)
      break;
    if (cut && (lanes || i % nv == nv - 1))
      v_store_part(to, job->part, sum[i]);
    else
      v_store(to, sum[i]);
  }
}

/* One tile, from packed row x on. */
CC_ALWAYS_INLINE void CC_K(depthwise_tile)(const cc_depthwise_rows_job *job, const T *x, char *y, int64_t rows,
                                           const bool cut, const int nr, const int nv, const bool lanes) {
  const int64_t s = job->step, h = job->taps[1];
  V sum[4 * CC_K(DEPTHWISE_ACROSS)];
  CC_UNROLL
  for (int i = 0; i < nr * nv; i++)
    sum[i] = (V){0};
  for (int64_t kd = 0, k = 0; kd < job->taps[0]; kd++, k += h * job->taps[2], x += job->slice) {
    CC_K(depthwise_run)(job, x, k, 0, s, sum, 0, 1, nv, lanes);
    if (nr == 2) {
      CC_K(depthwise_run)(job, x, k, s, h - s, sum, 0, 2, nv, lanes);
      CC_K(depthwise_run)(job, x, k, h, s, sum, 1, 2, nv, lanes);
    } else {
      CC_K(depthwise_run)(job, x, k, s, s, sum, 0, 2, nv, lanes);
      CC_K(depthwise_run)(job, x, k, 2 * s, s, sum, 0, 3, nv, lanes);
      CC_K(depthwise_run)(job, x, k, 3 * s, h - 3 * s, sum, 0, 4, nv, lanes);
      CC_K(depthwise_run)(job, x, k, h, s, sum, 1, 4, nv, lanes);
      CC_K(depthwise_run)(job, x, k, h + s, s, sum, 2, 4, nv, lanes);
      CC_K(depthwise_run)(job, x, k, h + 2 * s, s, sum, 3, 4, nv, lanes);
    }
  }
  CC_K(depthwise_end)(job, y, rows, cut, sum, nr, nv, lanes);
}

/* The same for 4 rows and a 3 x 3 kernel of step 1 or 2. */
CC_ALWAYS_INLINE void CC_K(depthwise_tile3)(const cc_depthwise_rows_job *job, const T *x, char *y, int64_t rows,
                                            const bool cut, const int64_t off[3], const V *held, const int step,
                                            const int nv) {
  V sum[4 * CC_K(DEPTHWISE_ACROSS)];
  CC_UNROLL
  for (int i = 0; i < 4 * nv; i++)
    sum[i] = (V){0};
  CC_K(depthwise_row3)(job, x, off, held, sum, step, 0, 0, 1, nv);
  if (step == 1) {
    CC_K(depthwise_row3)(job, x, off, held, sum, 1, 1, 0, 2, nv);
    CC_K(depthwise_row3)(job, x, off, held, sum, 1, 2, 0, 3, nv);
    CC_K(depthwise_row3)(job, x, off, held, sum, 1, 3, 1, 4, nv);
    CC_K(depthwise_row3)(job, x, off, held, sum, 1, 4, 2, 4, nv);
    CC_K(depthwise_row3)(job, x, off, held, sum, 1, 5, 3, 4, nv);
  } else {
    CC_K(depthwise_row3)(job, x, off, held, sum, 2, 1, 0, 1, nv);
    CC_K(depthwise_row3)(job, x, off, held, sum, 2, 2, 0, 2, nv);
    CC_K(depthwise_row3)(job, x, off, held, sum, 2, 3, 1, 2, nv);
    CC_K(depthwise_row3)(job, x, off, held, sum, 2, 4, 1, 3, nv);
    CC_K(depthwise_row3)(job, x, off, held, sum, 2, 5, 2, 3, nv);
    CC_K(depthwise_row3)(job, x, off, held, sum, 2, 6, 2, 4, nv);
    CC_K(depthwise_row3)(job, x, off, held, sum, 2, 7, 3, 4, nv);
    CC_K(depthwise_row3)(job, x, off, held, sum, 2, 8, 3, 4, nv);
  }
  CC_K(depthwise_end)(job, y, rows, cut, sum, 4, nv, false);
}

#if CC_VECTOR_BYTES > 16
enum { CC_K(SQUARE_ROWS) = CC_VECTOR_BYTES == 64 ? 7 : 4 }; /* of a tile; with 2 vectors and a weight they fit */

/* Packed row i of a tile, at x, under a side x side kernel whose columns are neighbours. */
CC_ALWAYS_INLINE void CC_K(square_row)(const T *x, const T *w, V *sum, const int i, const int side, const int nv) {
  const int from = i < side ? 0 : i - side + 1, to = i < CC_K(SQUARE_ROWS) ? i + 1 : CC_K(SQUARE_ROWS);
  /* Else compilers keep weights in registers for the next row, and none are left for the inputs. */
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  CC_UNROLL
  for (int kw = 0; kw < side; kw++) {
    V b[2];
    CC_UNROLL
    for (int v = 0; v < nv; v++)
      b[v] = v_hold(v_load(x + kw + v * VL));
    CC_UNROLL
    for (int j = from * nv; j < to * nv; j++)
      sum[j] = v_fma(v_splat(w[kw + (i - j / nv) * side]), b[j % nv], sum[j]);
  }
}

/* All rows of nv vectors, 1 or 2, from vector `first` of a row on, of all planes, under 5 x 5 or 7 x 7 kernels of step 1;
 * at least as many rows as a tile has. */
CC_ALWAYS_INLINE void CC_K(square_strip)(const cc_depthwise_rows_job *given, int64_t first, const int side,
                                         const int nv) {
  enum { ROWS = CC_K(SQUARE_ROWS) };
  cc_depthwise_rows_job job = *given; /* one that writing to y cannot change */
  const bool cut = job.part && first + nv == job.vectors;
  for (int64_t p = 0; p < job.planes; p++) {
    for (int64_t row = 0; row < job.rows; row += ROWS) {
      row = row + ROWS > job.rows ? job.rows - ROWS : row; /* what is written twice is the same */
      const T *x = (const T *)job.x + row * job.pitch + first * VL, *w = job.w;
      V sum[2 * ROWS];
      CC_UNROLL
      for (int i = 0; i < ROWS * nv; i++)
        sum[i] = (V){0};
      CC_UNROLL
      for (int i = 0; i < ROWS + side - 1; i++)
        CC_K(square_row)(x + i * job.pitch, w, sum, i, side, nv);
      CC_K(depthwise_end)(&job, (char *)job.y + row * job.y_stride + first * VL * (int64_t)sizeof(T), ROWS, cut, sum,
                          ROWS, nv, false);
    }
    job.x = (const T *)job.x + job.next_x;
    job.w = (const T *)job.w + job.next_w;
    job.bias = job.bias ? (const T *)job.bias + job.next_bias : NULL;
    job.y = (char *)job.y + job.next_y;
  }
}

CC_ALWAYS_INLINE void CC_K(square_strips)(const cc_depthwise_rows_job *job, const int side) {
  int64_t v = 0;
  for (; v + 2 <= job->vectors; v += 2)
    CC_K(square_strip)(job, v, side, 2);
  if (v < job->vectors)
    CC_K(square_strip)(job, v, side, 1);
}

static CC_NOINLINE void CC_K(depthwise_5s1)(const cc_depthwise_rows_job *job) { CC_K(square_strips)(job, 5); }

static CC_NOINLINE void CC_K(depthwise_7s1)(const cc_depthwise_rows_job *job) { CC_K(square_strips)(job, 7); }
#endif

/* All rows of nv vectors of outputs, from vector `first` of a row on, of all planes. Where rows do not come out even
 * the last tile begins earlier: what it writes twice is the same. Under 3 x 3 kernels, whose tiles are soon done,
 * weights stay in registers and columns are literals: `held`, the step, 0 for other kernels and with lanes. */
CC_ALWAYS_INLINE void CC_K(depthwise_strip)(const cc_depthwise_rows_job *given, int64_t first, const int nv,
                                            const bool lanes, const int held) {
  cc_depthwise_rows_job job = *given; /* one that writing to y cannot change */
  const bool cut = job.part && (lanes || first + nv == job.vectors), four = job.taps[1] >= 3 * job.step;
  const int64_t down = job.step * job.pitch, off[3] = {job.off[0], held ? job.off[1] : 0, held ? job.off[2] : 0};
  for (int64_t i = 0; i < job.planes; i++) {
    const T *x = (const T *)job.x + first * VL, *w = job.w;
    char *y = (char *)job.y + first * (lanes ? job.y_step : VL * (int64_t)sizeof(T));
    V weights[9];
    CC_UNROLL
    for (int k = 0; k < 9; k++)
      weights[k] = held ? v_splat(w[k]) : (V){0};
    for (int64_t row = 0, next; row < job.rows; row = next) {
      const int64_t left = job.rows - row, nr = held || (four && left > 2) ? 4 : 2;
      next = row + nr;
      if (left < nr && job.rows > nr)
        row = job.rows - nr;
      const T *from = x + row * down;
      char *to = y + row * job.y_stride;
      if (held)
        CC_K(depthwise_tile3)(&job, from, to, job.rows - row, cut, off, weights, held, nv);
      else if (nr == 4)
        CC_K(depthwise_tile)(&job, from, to, job.rows - row, cut, 4, nv, lanes);
      else
        CC_K(depthwise_tile)(&job, from, to, job.rows - row, cut, 2, nv, lanes);
    }
    job.x = (const T *)job.x + job.next_x;
    job.w = (const T *)job.w + job.next_w;
    job.bias = job.bias ? (const T *)job.bias + job.next_bias : NULL;
    job.y = (char *)job.y + job.next_y;
  }
}

CC_ALWAYS_INLINE void CC_K(depthwise_strips)(const cc_depthwise_rows_job *job, const bool lanes, const int held) {
  int64_t v = 0;
#if CC_VECTOR_BYTES == 64
  for (; v + 4 <= job->vectors; v += 4)
    CC_K(depthwise_strip)(job, v, 4, lanes, held);
#endif
  for (; v + 2 <= job->vectors; v += 2)
    CC_K(depthwise_strip)(job, v, 2, lanes, held);
  if (v < job->vectors)
    CC_K(depthwise_strip)(job, v, 1, lanes, held);
}

#if CC_VECTOR_BYTES > 16
static CC_NOINLINE void CC_K(depthwise_3s1)(const cc_depthwise_rows_job *job) { CC_K(depthwise_strips)(job, false, 1); }

static CC_NOINLINE void CC_K(depthwise_3s2)(const cc_depthwise_rows_job *job) { CC_K(depthwise_strips)(job, false, 2); }

static CC_NOINLINE void CC_K(depthwise_any)(const cc_depthwise_rows_job *job) { CC_K(depthwise_strips)(job, false, 0); }

static void CC_K(depthwise_rows)(const cc_depthwise_rows_job *job) {
  const int64_t side = job->taps[0] == 1 && job->taps[1] == job->taps[2] ? job->taps[1] : 0;
  const bool tall = side > 1 && job->step == 1 && job->rows >= CC_K(SQUARE_ROWS) && job->off[1] == 1;
  if (side == 3 && job->step == 1)
    CC_K(depthwise_3s1)(job);
  else if (side == 3 && job->step == 2)
    CC_K(depthwise_3s2)(job);
  else if (side == 5 && tall)
    CC_K(depthwise_5s1)(job);
  else if (side == 7 && tall)
    CC_K(depthwise_7s1)(job);
  else
    CC_K(depthwise_any)(job);
}
#endif

static CC_NOINLINE void CC_K(depthwise_lanes)(const cc_depthwise_rows_job *job) {
  CC_K(depthwise_strips)(job, true, 0);
}
