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
} CC_K(plane_target);

CC_ALWAYS_INLINE void CC_K(pack_tap)(const CC_K(plane_target) * to, T *y, V a, V b, int64_t kw) {
  v_store(y + kw * to->pitch, (V)CC_MM(permutex2var)((CC_MM_VECTOR)a, (__m512i)to->index[kw], (CC_MM_VECTOR)b));
}

/* Taps of packed row y from vectors a and b. Of few what is permuted by stays in registers. */
CC_ALWAYS_INLINE void CC_K(pack_plane_row)(const CC_K(plane_target) * to, T *y, V a, V b, int64_t taps) {
  if (taps == 3 || taps == 5) {
    CC_K(pack_tap)(to, y, a, b, 0);
    CC_K(pack_tap)(to, y, a, b, 1);
    CC_K(pack_tap)(to, y, a, b, 2);
    if (taps == 3)
      return;
    CC_K(pack_tap)(to, y, a, b, 3);
    CC_K(pack_tap)(to, y, a, b, 4);
    return;
  }
  for (int64_t kw = 0; kw < taps; kw++)
    CC_K(pack_tap)(to, y, a, b, kw);
}

/* Pack the rows inside of what is at x and, with `two`, at `other`; and fetch what is `ahead` bytes behind them. */
CC_ALWAYS_INLINE void CC_K(pack_planes)(const cc_depthwise_planes_job *job, const CC_K(plane_set) * set, const char *x,
                                        const char *other, const bool two) {
  const int64_t n = set->n < VL ? set->n : VL, other_n = set->planes == 2 ? n : set->n - n, rows = set->rows;
  const int64_t ahead = set->ahead, taps = job->taps[1];
  const CC_MASK mask = (CC_MASK)((1u << n) - 1), other_mask = (CC_MASK)((1u << other_n) - 1);
  const cc_plane_row *walk = job->walk;
  const CC_K(plane_target) to = {job->packed, job->pitch, job->index};
  const CC_MM_VECTOR fill = (CC_MM_VECTOR)v_splat(CC_K(number)(job->fill));
  for (int64_t i = 0; i < rows; i++) {
    const char *from = x + walk[i].from, *other_from = other + walk[i].from;
    const V a = (V)CC_MM(mask_loadu)(fill, mask, from);
    const V b = two ? (V)CC_MM(mask_loadu)(fill, other_mask, other_from) : a;
    CC_K(pack_plane_row)(&to, to.packed + walk[i].to, a, b, taps);
    __builtin_prefetch(from + ahead);
    if (two)
      __builtin_prefetch(other_from + ahead);
  }
}

static CC_NOINLINE void CC_K(pack_one)(const cc_depthwise_planes_job *job, const CC_K(plane_set) * set, const char *x) {
  CC_K(pack_planes)(job, set, x, x, false);
}

static CC_NOINLINE void CC_K(pack_two)(const cc_depthwise_planes_job *job, const CC_K(plane_set) * set, const char *x,
                                       const char *other) {
  CC_K(pack_planes)(job, set, x, other, true);
}

/* Where the sums of one plane go, or of two: whose weights, bias and outputs. The second's lanes begin at `columns`:
 * they belong so far before its outputs. */
typedef struct CC_K(plane_sums) {
  const T *w, *other_w;
  V bias;
  char *y, *other_y;
  CC_MASK mask, other_mask;
} CC_K(plane_sums);

/* nr rows from packed row `row` on, of which `rows` are written. */
CC_ALWAYS_INLINE void CC_K(planes_tile)(const cc_depthwise_planes_job *job, const CC_K(plane_sums) * to, int64_t row,
                                        int64_t rows, const int nr, const bool two) {
  const int64_t terms = job->taps[0] * job->taps[1], y_stride = job->y_stride;
  const int32_t *off = job->off;
  const T *w = to->w, *other_w = to->other_w, *x = (const T *)job->packed + row * VL;
  V sum[CC_K(PLANE_ROWS)];
  CC_UNROLL
  for (int r = 0; r < nr; r++)
    sum[r] = (V){0};
  for (int64_t k = 0; k < terms; k++) {
    V a = v_splat(w[k]);
    if (two)
      a = (V)CC_MM(mask_blend)(to->other_mask, (CC_MM_VECTOR)a, (CC_MM_VECTOR)v_splat(other_w[k]));
    const T *xk = x + off[k];
    CC_UNROLL
    for (int r = 0; r < nr; r++)
      sum[r] = v_fma(a, v_load(xk + r * VL), sum[r]);
  }
  if (job->whole)
    CC_K(settle)(sum, nr, to->bias, job->bounded, job->low, job->high);
  char *const y = to->y + row * y_stride, *const other_y = two ? to->other_y + row * y_stride : NULL;
  CC_UNROLL
  for (int r = nr - 1; r >= 0; r--) { /* rows that are none go where the last one goes, before it */
    const int64_t at = (r < rows ? r : rows - 1) * y_stride;
    CC_MM(mask_storeu)(y + at, to->mask, (CC_MM_VECTOR)sum[r]);
    if (two)
      CC_MM(mask_storeu)(other_y + at, to->other_mask, (CC_MM_VECTOR)sum[r]);
  }
}

/* All rows of plane i, or of planes i and i + 1. */
CC_ALWAYS_INLINE void CC_K(planes_sum)(const cc_depthwise_planes_job *job, int64_t tile, int64_t i, const bool two) {
  const int64_t rows = job->rows, columns = job->columns;
  const T *w = (const T *)job->w + i * job->next_w, *bias = job->bias;
  char *y = (char *)job->y + i * job->next_y;
  CC_K(plane_sums)
  to = {.w = w, .bias = bias ? v_splat(bias[i]) : (V){0}, .y = y, .mask = (CC_MASK)((1u << columns) - 1)};
  if (two) {
    to.other_w = w + job->next_w;
    to.other_mask = (CC_MASK)(to.mask << columns);
    to.other_y = y + job->next_y - columns * (int64_t)sizeof(T);
    if (bias)
      to.bias = (V)CC_MM(mask_blend)(to.other_mask, (CC_MM_VECTOR)to.bias, (CC_MM_VECTOR)v_splat(bias[i + 1]));
  }
  for (int64_t r = 0; r < rows; r += tile) {
    if (rows - r < tile && rows > tile) /* what is written twice is the same */
      r = rows - tile;
    if (tile == CC_K(PLANE_ROWS))
      CC_K(planes_tile)(job, &to, r, rows - r, CC_K(PLANE_ROWS), two);
    else if (tile == 8)
      CC_K(planes_tile)(job, &to, r, rows - r, 8, two);
    else if (tile == 7)
      CC_K(planes_tile)(job, &to, r, rows - r, 7, two);
    else
      CC_K(planes_tile)(job, &to, r, rows - r, 4, two);
  }
}

static CC_NOINLINE void CC_K(sum_one)(const cc_depthwise_planes_job *job, int64_t tile, int64_t i) {
  CC_K(planes_sum)(job, tile, i, false);
}

static CC_NOINLINE void CC_K(sum_two)(const cc_depthwise_planes_job *job, int64_t tile, int64_t i) {
  CC_K(planes_sum)(job, tile, i, true);
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
      CC_K(sum_two)(job, set.tile, i);
    }
  }
  if (i < job->planes) {
    const CC_K(plane_set) set = CC_K(plane_set_of)(job, 1);
    for (; i < job->planes; i++) {
      const char *x = job->x + i * job->next_x + set.first * (int64_t)sizeof(T);
      if (set.n < VL)
        CC_K(pack_one)(job, &set, x);
      else /* the second vector holds the fill, if nothing else */
        CC_K(pack_two)(job, &set, x, x + VL * (int64_t)sizeof(T));
      CC_K(sum_one)(job, set.tile, i);
    }
  }
}
#endif
