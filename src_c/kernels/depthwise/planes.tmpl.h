/* SPDX-License-Identifier: BSD-3-Clause
 * planes.tmpl.h - depthwise sums of narrow planes: a row of outputs is at most a vector, and two planes lie in one
 * where both fit. See cc_depthwise_planes_job.
 *
 *   packed[kw][i][l] = what tap kw of lane l looks at in packed row i
 *
 * So the shifts of columns, strides and borders are made once, by one permutation a row and tap: the sums load whole
 * lines, as many as they multiply. Rows lie one stride's phase behind the other: those that a tap looks at follow each
 * other. Lanes behind the last column hold anything. */

#if CC_VECTOR_BYTES == 64 /* elsewhere vectors are short, and no instruction permutes two */

enum { CC_K(PLANE_ROWS) = 14 }; /* of a tile at most: as many sums */

/* Two vectors of inputs are permuted: elements [first, first + n) of a row, or of those of two planes. `rows` of the
 * packed rows look inside. */
typedef struct CC_K(plane_set) {
  int64_t planes, first, n, rows, tile, ahead;
} CC_K(plane_set);

/* Rows of a tile: as few tiles as come out even. */
static int64_t CC_K(plane_rows)(int64_t rows) {
  static const int64_t tiles[] = {CC_K(PLANE_ROWS), 8, 7, 4};
  int64_t best = 0, least = INT64_MAX;
  for (int i = 0; i < 4; i++) {
    const int64_t all = (rows + tiles[i] - 1) / tiles[i] * tiles[i];
    if (all < least) {
      least = all;
      best = tiles[i];
    }
  }
  return best;
}

/* Where lanes find their inputs, by column tap; where outside, at an element of fill. And packed rows theirs. */
static CC_NOINLINE CC_K(plane_set) CC_K(plane_set_of)(const cc_depthwise_planes_job *job, int64_t planes) {
  const int64_t step = job->step[1], dilation = job->dilation[1], end = job->end[1];
  const int64_t last = job->first[1] + (job->columns - 1) * step + (job->taps[1] - 1) * dilation;
  const int64_t low = job->first[1] < 0 ? 0 : job->first[1], high = last < end ? last + 1 : end;
  CC_K(plane_set) set = {.planes = planes, .tile = CC_K(plane_rows)(job->rows), .ahead = planes * job->next_x};
  if (low < high) {
    set.first = low;
    set.n = high - low;
  }
  TI *index = job->index;
  for (int64_t kw = 0; kw < job->taps[1]; kw++, index += VL)
    for (int64_t i = 0, l = 0; i < planes; i++) {
      int64_t w = job->first[1] + kw * dilation;
      for (int64_t j = 0; j < job->columns; j++, l++, w += step)
        index[l] = (TI)(w >= low && w < high ? w - low + i * VL : set.n);
    }
  for (int64_t j = 0; j < job->step[0]; j++)
    for (int64_t i = 0; i < job->length; i++) {
      const int64_t h = job->first[0] + j + i * job->step[0];
      if (h >= 0 && h < job->end[0])
        job->walk[set.rows++] = (cc_plane_row){h * job->x_stride, (j * job->length + i) * VL};
    }
  return set;
}

/* Where packed rows go and what they are permuted by. */
typedef struct CC_K(plane_target) {
  T *packed;
  int64_t pitch;
  const VI *index;
  V fill;
} CC_K(plane_target);

/* One packed row: of n elements at x and, with `two`, n more at `other`; fill behind them. */
CC_ALWAYS_INLINE void CC_K(pack_plane_row)(CC_K(plane_target) to, const char *x, CC_MASK n, const char *other,
                                           CC_MASK other_n, const int64_t taps, const bool two) {
  const V a = (V)CC_MM(mask_loadu)((CC_MM_VECTOR)to.fill, n, x);
  const V b = two ? (V)CC_MM(mask_loadu)((CC_MM_VECTOR)to.fill, other_n, other) : a;
  for (int64_t kw = 0; kw < taps; kw++)
    v_store(to.packed + kw * to.pitch, (V)CC_MM(permutex2var)((CC_MM_VECTOR)a, (__m512i)to.index[kw], (CC_MM_VECTOR)b));
}

/* Pack the rows inside of what is at x and, with `two`, at `other`; and fetch what is `ahead` bytes behind them. */
CC_ALWAYS_INLINE void CC_K(pack_planes)(const cc_depthwise_planes_job *job, const CC_K(plane_set) * set, const char *x,
                                        const char *other, const bool two) {
  const int64_t n = set->n < VL ? set->n : VL, other_n = set->planes == 2 ? n : set->n - n, rows = set->rows;
  const int64_t ahead = set->ahead, taps = job->taps[1];
  const CC_MASK mask = (CC_MASK)((1u << n) - 1), other_mask = (CC_MASK)((1u << other_n) - 1);
  const cc_plane_row *walk = job->walk;
  const CC_K(plane_target) all = {job->packed, job->pitch, job->index, v_splat(CC_K(number)(job->fill))};
  for (int64_t i = 0; i < rows; i++) {
    const int64_t from = walk[i].from;
    CC_K(plane_target) to = all;
    to.packed += walk[i].to;
    if (taps == 3)
      CC_K(pack_plane_row)(to, x + from, mask, other + from, other_mask, 3, two);
    else
      CC_K(pack_plane_row)(to, x + from, mask, other + from, other_mask, taps, two);
    __builtin_prefetch(x + from + ahead);
    if (two)
      __builtin_prefetch(other + from + ahead);
  }
}

static CC_NOINLINE void CC_K(pack_one)(const cc_depthwise_planes_job *job, const CC_K(plane_set) * set, const char *x) {
  CC_K(pack_planes)(job, set, x, x, false);
}

static CC_NOINLINE void CC_K(pack_two)(const cc_depthwise_planes_job *job, const CC_K(plane_set) * set, const char *x,
                                       const char *other) {
  CC_K(pack_planes)(job, set, x, other, true);
}

/* nr rows from packed row x on, of which `rows` are written: to y, and the other plane's to `other`. */
CC_ALWAYS_INLINE void CC_K(planes_tile)(const cc_depthwise_planes_job *job, const T *x, const T *w, V bias, char *y,
                                        char *other, int64_t rows, const int nr, const bool two) {
  const int64_t terms = job->taps[0] * job->taps[1], y_stride = job->y_stride;
  const int32_t *off = job->off;
  V sum[CC_K(PLANE_ROWS)];
  CC_UNROLL
  for (int r = 0; r < nr; r++)
    sum[r] = (V){0};
  for (int64_t k = 0; k < terms; k++) {
    const V a = two ? v_load(w + k * VL) : v_splat(w[k]);
    const T *xk = x + off[k];
    CC_UNROLL
    for (int r = 0; r < nr; r++)
      sum[r] = v_fma(a, v_load(xk + r * VL), sum[r]);
  }
  if (job->whole) {
    CC_UNROLL
    for (int r = 0; r < nr; r++)
      sum[r] = v_add(sum[r], bias);
  }
  if (job->bounded) {
    const V low = v_splat((T)job->low), high = v_splat((T)job->high);
    CC_UNROLL
    for (int r = 0; r < nr; r++)
      sum[r] = CC_K(at_most)(CC_K(at_least)(sum[r], low), high);
  }
  const uint32_t mask = (1u << job->columns) - 1;
  CC_UNROLL
  for (int r = nr - 1; r >= 0; r--) { /* rows that are none go where the last one goes, before it */
    const int64_t at = (r < rows ? r : rows - 1) * y_stride;
    CC_MM(mask_storeu)(y + at, (CC_MASK)mask, (CC_MM_VECTOR)sum[r]);
    if (two)
      CC_MM(mask_storeu)(other + at, (CC_MASK)(mask << job->columns), (CC_MM_VECTOR)sum[r]);
  }
}

/* The sums of one plane, or of two: `other` is how far before the second's outputs its lanes begin. */
CC_ALWAYS_INLINE void CC_K(planes_sums)(const cc_depthwise_planes_job *job, const CC_K(plane_set) * set, const T *w,
                                        V bias, char *y, char *other, const bool two) {
  const int64_t rows = job->rows, tile = set->tile;
  for (int64_t r = 0; r < rows; r += tile) {
    if (rows - r < tile && rows > tile) /* what is written twice is the same */
      r = rows - tile;
    const T *x = (const T *)job->packed + r * VL;
    const int64_t at = r * job->y_stride;
    if (tile == CC_K(PLANE_ROWS))
      CC_K(planes_tile)(job, x, w, bias, y + at, other + at, rows - r, CC_K(PLANE_ROWS), two);
    else if (tile == 8)
      CC_K(planes_tile)(job, x, w, bias, y + at, other + at, rows - r, 8, two);
    else if (tile == 7)
      CC_K(planes_tile)(job, x, w, bias, y + at, other + at, rows - r, 7, two);
    else
      CC_K(planes_tile)(job, x, w, bias, y + at, other + at, rows - r, 4, two);
  }
}

static CC_NOINLINE void CC_K(plane_sums)(const cc_depthwise_planes_job *job, const CC_K(plane_set) * set, int64_t i) {
  char *y = (char *)job->y + i * job->next_y;
  const T *bias = job->bias;
  CC_K(planes_sums)(job, set, (const T *)job->w + i * job->next_w, bias ? v_splat(bias[i]) : (V){0}, y, y, false);
}

/* Of planes i and i + 1, the second in lanes `columns` to 2 columns: weights and bias there are its. */
static CC_NOINLINE void CC_K(pair_sums)(const cc_depthwise_planes_job *job, const CC_K(plane_set) * set, int64_t i) {
  const int64_t terms = job->taps[0] * job->taps[1], size = sizeof(T);
  const CC_MASK second = (CC_MASK)(~0u << job->columns);
  const T *w = (const T *)job->w + i * job->next_w, *other = w + job->next_w, *bias = job->bias;
  char *y = (char *)job->y + i * job->next_y;
  T *spread = job->spread;
  V add = {0};
  for (int64_t k = 0; k < terms; k++)
    v_store(spread + k * VL,
            (V)CC_MM(mask_blend)(second, (CC_MM_VECTOR)v_splat(w[k]), (CC_MM_VECTOR)v_splat(other[k])));
  if (bias)
    add = (V)CC_MM(mask_blend)(second, (CC_MM_VECTOR)v_splat(bias[i]), (CC_MM_VECTOR)v_splat(bias[i + 1]));
  CC_K(planes_sums)(job, set, spread, add, y, y + job->next_y - job->columns * size, true);
}

static void CC_K(depthwise_planes)(const cc_depthwise_planes_job *job) {
  const V fill = v_splat(CC_K(number)(job->fill));
  for (int64_t p = 0; p < job->taps[1] * job->pitch; p += VL)
    v_store((T *)job->packed + p, fill);
  int64_t i = 0;
  if (job->pairs && job->planes > 1) {
    const CC_K(plane_set) set = CC_K(plane_set_of)(job, 2);
    for (; i + 2 <= job->planes; i += 2) {
      const char *x = job->x + i * job->next_x + set.first * (int64_t)sizeof(T);
      CC_K(pack_two)(job, &set, x, x + job->next_x);
      CC_K(pair_sums)(job, &set, i);
    }
  }
  if (i < job->planes) {
    const CC_K(plane_set) set = CC_K(plane_set_of)(job, 1);
    for (; i < job->planes; i++) {
      const char *x = job->x + i * job->next_x + set.first * (int64_t)sizeof(T);
      if (set.n > VL)
        CC_K(pack_two)(job, &set, x, x + VL * (int64_t)sizeof(T));
      else
        CC_K(pack_one)(job, &set, x);
      CC_K(plane_sums)(job, &set, i);
    }
  }
}
#endif
