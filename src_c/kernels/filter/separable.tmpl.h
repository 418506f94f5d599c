/* SPDX-License-Identifier: BSD-3-Clause
 * separable.tmpl.h - the passes of a separable filter: sums across rows and along rows. See cc_filter_rows_job and
 * cc_filter_line_job.
 *
 * Law: an element's bits do not depend on where a block of columns begins, so the last block of a row ends where the
 * row does, and what it shares with the one before is the same twice. */

enum { CC_K(FILTER_ACROSS) = CC_VECTOR_BYTES == 64 ? 4 : 2, CC_K(FILTER_BLOCK) = 8 };

/* sum / divisor, correctly rounded. A remainder is exact where a multiply-add is fused, and with it the product with
 * the reciprocal is put right: two operations and not the time of ten. The remainder of an infinity is NaN. */
CC_ALWAYS_INLINE V CC_K(quotient)(V sum, V divisor, V inverse) {
#if CC_VECTOR_BYTES > 16
  const V first = sum * inverse, rest = v_fma(-first, divisor, sum);
  return v_select(v_is_nan(rest), first, v_fma(rest, inverse, first));
#else
  (void)inverse;
  return sum / divisor;
#endif
}

/* Divide by job->divisor, where there is one, and write nv vectors; of a single one its first `part` lanes, if any. */
CC_ALWAYS_INLINE void CC_K(filter_end)(T *y, V *sum, double divisor, int64_t part, const int nv) {
  if (divisor != 0) {
    const V by = v_splat((T)divisor), inverse = v_splat(1 / (T)divisor);
    CC_UNROLL
    for (int v = 0; v < nv; v++)
      sum[v] = CC_K(quotient)(sum[v], by, inverse);
  }
  if (nv == 1 && part)
    v_store_part(y, part, sum[0]);
  else {
    CC_UNROLL
    for (int v = 0; v < nv; v++)
      v_store(y + v * VL, sum[v]);
  }
}

/* Row i of the inputs, times weight i - r, to row r of a tile, for rows [from, to). */
CC_ALWAYS_INLINE void CC_K(filter_row)(const cc_filter_rows_job *job, const char *const *x, int64_t i, int64_t at,
                                       int64_t part, V *sum, const int from, const int to, const int nv) {
  const T *w = (const T *)job->w + i;
  const char *row = x[i] + at * (int64_t)sizeof(T);
  V b[CC_K(FILTER_ACROSS)];
  CC_UNROLL
  for (int v = 0; v < nv; v++)
    b[v] = nv == 1 && part ? v_load_part(row, part) : v_load(row + v * CC_VECTOR_BYTES);
  CC_UNROLL
  for (int j = from * nv; j < to * nv; j++) /* one loop: clang 14 does not unroll one that holds another */
    sum[j] = v_fma(v_splat(w[-(j / nv)]), b[j % nv], sum[j]);
}

/* nr rows of nv vectors, from row `row` and column `at` on; four rows need three taps. */
CC_ALWAYS_INLINE void CC_K(filter_tile)(const cc_filter_rows_job *job, int64_t row, int64_t at, int64_t part,
                                        const int nr, const int nv) {
  const char *const *x = job->x + row;
  const int64_t k = job->taps;
  V sum[4 * CC_K(FILTER_ACROSS)];
  CC_UNROLL
  for (int j = 0; j < nr * nv; j++)
    sum[j] = (V){0};
  if (nr == 1) {
    for (int64_t i = 0; i < k; i++)
      CC_K(filter_row)(job, x, i, at, part, sum, 0, 1, nv);
  } else {
    CC_K(filter_row)(job, x, 0, at, part, sum, 0, 1, nv);
    CC_K(filter_row)(job, x, 1, at, part, sum, 0, 2, nv);
    CC_K(filter_row)(job, x, 2, at, part, sum, 0, 3, nv);
    for (int64_t i = 3; i < k; i++)
      CC_K(filter_row)(job, x, i, at, part, sum, 0, 4, nv);
    CC_K(filter_row)(job, x, k, at, part, sum, 1, 4, nv);
    CC_K(filter_row)(job, x, k + 1, at, part, sum, 2, 4, nv);
    CC_K(filter_row)(job, x, k + 2, at, part, sum, 3, 4, nv);
  }
  CC_UNROLL
  for (int r = 0; r < nr; r++)
    CC_K(filter_end)((T *)(void *)((char *)job->y + (row + r) * job->y_row) + at, sum + r * nv, job->divisor, part, nv);
}

/* All columns of nr rows. */
CC_ALWAYS_INLINE void CC_K(filter_strip)(const cc_filter_rows_job *job, int64_t row, const int nr) {
  const int64_t n = job->n, wide = CC_K(FILTER_ACROSS) * VL;
  if (n >= wide)
    for (int64_t j = 0; j < n; j += wide) {
      j = j + wide > n ? n - wide : j;
      CC_K(filter_tile)(job, row, j, 0, nr, CC_K(FILTER_ACROSS));
    }
  else
    for (int64_t j = 0; j < n; j += VL) {
      j = j + VL > n && j ? n - VL : j;
      CC_K(filter_tile)(job, row, j, n < VL ? n : 0, nr, 1);
    }
}

static void CC_K(filter_rows)(const cc_filter_rows_job *given) {
  const cc_filter_rows_job job = *given; /* one that writing to y cannot change */
  const bool four = job.rows >= 4 && job.taps >= 3;
  for (int64_t row = 0; row < job.rows; row += four ? 4 : 1) {
    row = four && row + 4 > job.rows ? job.rows - 4 : row; /* some once more */
    if (four)
      CC_K(filter_strip)(&job, row, 4);
    else
      CC_K(filter_strip)(&job, row, 1);
  }
}

/* sum[v] += vector v of a row from x on */
CC_ALWAYS_INLINE void CC_K(filter_add)(const char *x, int64_t part, V *sum, const int nv) {
  CC_UNROLL
  for (int v = 0; v < nv; v++)
    sum[v] += nv == 1 && part ? v_load_part(x, part) : v_load(x + v * CC_VECTOR_BYTES);
}

/* nv vectors of columns of filter_means, all rows. */
CC_ALWAYS_INLINE void CC_K(filter_mean_columns)(const cc_filter_rows_job *job, int64_t at, int64_t part, const int nv) {
  const int64_t k = job->taps, from = at * (int64_t)sizeof(T);
  T *suffixes = job->suffixes;
  V sum[CC_K(FILTER_BLOCK)];
  CC_UNROLL
  for (int v = 0; v < nv; v++)
    sum[v] = (V){0};
  for (int64_t i = k - 1; i >= 0; i--) {
    CC_K(filter_add)(job->x[i] + from, part, sum, nv);
    if (i < job->rows) {
      CC_UNROLL
      for (int v = 0; v < nv; v++)
        v_store(suffixes + (i * nv + v) * VL, sum[v]);
    }
  }
  CC_UNROLL
  for (int v = 0; v < nv; v++)
    sum[v] = (V){0};
  for (int64_t r = 0; r < job->rows; r++) {
    if (r)
      CC_K(filter_add)(job->x[k + r - 1] + from, part, sum, nv);
    V all[CC_K(FILTER_BLOCK)];
    CC_UNROLL
    for (int v = 0; v < nv; v++)
      all[v] = v_load(suffixes + (r * nv + v) * VL) + sum[v];
    CC_K(filter_end)((T *)(void *)((char *)job->y + r * job->y_row) + at, all, job->divisor, part, nv);
  }
}

static void CC_K(filter_means)(const cc_filter_rows_job *given) {
  const cc_filter_rows_job job = *given;
  const int64_t n = job.n, wide = CC_K(FILTER_BLOCK) * VL;
  if (n >= wide)
    for (int64_t j = 0; j < n; j += wide) {
      j = j + wide > n ? n - wide : j;
      CC_K(filter_mean_columns)(&job, j, 0, CC_K(FILTER_BLOCK));
    }
  else
    for (int64_t j = 0; j < n; j += VL) {
      j = j + VL > n && j ? n - VL : j;
      CC_K(filter_mean_columns)(&job, j, n < VL ? n : 0, 1);
    }
}

/* nv vectors of a row of filter_line. */
CC_ALWAYS_INLINE void CC_K(filter_line_columns)(const cc_filter_line_job *job, const T *x, T *y, int64_t part,
                                                const int nv, const bool weighted) {
  const T *w = job->w;
  V sum[CC_K(FILTER_BLOCK)];
  CC_UNROLL
  for (int v = 0; v < nv; v++)
    sum[v] = weighted ? (V){0} : v_load(x + job->off[0] + v * VL);
  for (int64_t t = !weighted; t < job->terms; t++) {
    const T *from = x + (weighted ? t : job->off[t]);
    CC_UNROLL
    for (int v = 0; v < nv; v++)
      sum[v] = weighted ? v_fma(v_splat(w[t]), v_load(from + v * VL), sum[v]) : sum[v] + v_load(from + v * VL);
  }
  CC_K(filter_end)(y, sum, job->divisor, part, nv);
}

CC_ALWAYS_INLINE void CC_K(filter_line_as)(const cc_filter_line_job *given, const bool weighted) {
  const cc_filter_line_job job = *given;
  const int64_t n = job.n, wide = CC_K(FILTER_BLOCK) * VL;
  for (int64_t r = 0; r < job.rows; r++) {
    const T *x = (const T *)job.x + r * job.x_row;
    T *y = (T *)(void *)((char *)job.y + r * job.y_row);
    if (n >= wide)
      for (int64_t j = 0; j < n; j += wide) {
        j = j + wide > n ? n - wide : j;
        CC_K(filter_line_columns)(&job, x + j, y + j, 0, CC_K(FILTER_BLOCK), weighted);
      }
    else
      for (int64_t j = 0; j < n; j += VL) {
        j = j + VL > n && j ? n - VL : j;
        CC_K(filter_line_columns)(&job, x + j, y + j, n < VL ? n : 0, 1, weighted);
      }
  }
}

static void CC_K(filter_line)(const cc_filter_line_job *job) {
  if (job->w)
    CC_K(filter_line_as)(job, true);
  else
    CC_K(filter_line_as)(job, false);
}
