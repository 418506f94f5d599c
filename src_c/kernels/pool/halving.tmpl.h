/* SPDX-License-Identifier: BSD-3-Clause
 * halving.tmpl.h - pools whose windows are two columns apart, straight from the input.
 *
 *   y[j] = max, min or mean over the rows x[i] of x[i][2j + first + k]      k < taps
 *
 * Of an extreme the rows come first, a vector of columns after the other; then even columns and odd ones are parted,
 * and a third tap is the next even one.
 *
 * Without masks of its own an instruction set gains nothing by it: extremes are of avx512 alone, means not of generic.
 *
 * Law: extremes are those of extreme.tmpl.h, rows first, each in sequence; means those of sum.tmpl.h. */

#if CC_VECTOR_BYTES == 64
/* Columns [from, to) of VL from `at` on, of all rows at `line`; for the others what is no extreme. */
CC_ALWAYS_INLINE V CC_K(halving_part)(const cc_halving_job *job, int64_t line, int64_t at, int64_t from, int64_t to,
                                      const bool least) {
  const V none = v_splat(least ? CC_HIGHEST : CC_LOWEST);
  line += at * (int64_t)sizeof(T);
  V acc = v_load_between(job->x[0] + line, from, to, none);
  for (int32_t i = 1; i < job->rows; i++)
    acc = CC_K(extreme_of)(acc, v_load_between(job->x[i] + line, from, to, none), least);
  return acc;
}

/* The same of those there are. */
CC_ALWAYS_INLINE V CC_K(halving_columns)(const cc_halving_job *job, int64_t line, int64_t at, const bool least) {
  const int64_t from = -at, to = job->columns - at;
  if (from >= VL || to <= 0)
    return v_splat(least ? CC_HIGHEST : CC_LOWEST);
  if (from > 0 || to < VL)
    return CC_K(halving_part)(job, line, at, from, to, least);
  line += at * (int64_t)sizeof(T);
  V acc = v_load(job->x[0] + line);
  for (int32_t i = 1; i < job->rows; i++)
    acc = CC_K(extreme_of)(acc, v_load(job->x[i] + line), least);
  return acc;
}

CC_ALWAYS_INLINE V CC_K(halving_value)(V low, V high, V next, int32_t taps, const bool least) {
  const V even = v_even(low, high), value = CC_K(extreme_of)(even, v_odd(low, high), least);
  return taps == 3 ? CC_K(extreme_of)(value, v_next(even, next), least) : value;
}

CC_ALWAYS_INLINE void CC_K(halving_line)(const cc_halving_job *job, int64_t line, T *y, const bool least) {
  const int64_t more = job->taps == 3 ? VL : VL + 1; /* outputs that look behind the columns of VL of them */
  int64_t at = job->first;
  V low = CC_K(halving_columns)(job, line, at, least), high = CC_K(halving_columns)(job, line, at + VL, least);
  for (int64_t j = 0; j < job->n; j += VL) {
    const V first = low, second = high;
    at += 2 * VL;
    if (job->n - j >= more) {
      low = CC_K(halving_columns)(job, line, at, least);
      high = CC_K(halving_columns)(job, line, at + VL, least);
    }
    const V value = CC_K(halving_value)(first, second, v_even(low, high), job->taps, least);
    if (job->n - j >= VL)
      v_store(y + j, value);
    else
      v_store_part(y + j, job->n - j, value);
  }
}

/* Lines of less than a vector: which lanes have columns is found out once for all. */
CC_ALWAYS_INLINE void CC_K(halving_short)(const cc_halving_job *job, int64_t x, char *y, const bool least) {
  const V none = v_splat(least ? CC_HIGHEST : CC_LOWEST);
  const int64_t first = job->first, to = job->columns - first, n = job->n, lines = job->lines;
  if (to <= VL)
    for (int64_t l = 0; l < lines; l++) {
      const V low = CC_K(halving_part)(job, x + l * job->x_line, first, -first, to, least);
      v_store_part(y + l * job->y_line, n, CC_K(halving_value)(low, none, none, job->taps, least));
    }
  else
    for (int64_t l = 0; l < lines; l++) {
      const V low = CC_K(halving_part)(job, x + l * job->x_line, first, -first, to, least);
      const V high = CC_K(halving_part)(job, x + l * job->x_line, first + VL, -first - VL, to - VL, least);
      v_store_part(y + l * job->y_line, n, CC_K(halving_value)(low, high, none, job->taps, least));
    }
}

CC_ALWAYS_INLINE void CC_K(halving)(const cc_halving_job *given, const bool least) {
  const cc_halving_job job = *given; /* which no store can be into */
  for (int64_t p = 0; p < job.planes; p++) {
    const int64_t x = p * job.x_plane;
    char *y = (char *)job.y + p * job.y_plane;
    if (job.n < VL)
      CC_K(halving_short)(&job, x, y, least);
    else
      for (int64_t l = 0; l < job.lines; l++)
        CC_K(halving_line)(&job, x + l * job.x_line, (T *)(void *)(y + l * job.y_line), least);
  }
}

static void CC_K(halving_max)(const cc_halving_job *job) { CC_K(halving)(job, false); }
static void CC_K(halving_min)(const cc_halving_job *job) { CC_K(halving)(job, true); }
#endif

#if CC_FLOATING && CC_VECTOR_BYTES > 16
/* The sums of VL windows; of their columns, the first of which is `at`, there are `left`, or 2 VL if `whole`. A row has
 * two terms, so a pair of partials is a row's. */
CC_ALWAYS_INLINE V CC_K(halving_total)(const cc_halving_job *job, int64_t line, int64_t at, int64_t left,
                                       const bool whole, const int rows) {
  const V none = v_splat(0);
  V sum[4];
  CC_UNROLL
  for (int i = 0; i < rows; i++) {
    const T *x = (const T *)(const void *)(job->x[i] + line) + at;
    const V low = whole ? v_load(x) : v_load_between(x, 0, left, none);
    const V high = whole ? v_load(x + VL) : v_load_between(x + VL, 0, left - VL, none);
    sum[i] = v_even(low, high) + v_odd(low, high);
  }
  CC_UNROLL
  for (int n = rows; n > 1; n /= 2) {
    CC_UNROLL
    for (int i = 0; i < n / 2; i++)
      sum[i] = sum[2 * i] + sum[2 * i + 1];
  }
  return sum[0] + none;
}

CC_ALWAYS_INLINE void CC_K(halving_means)(const cc_halving_job *given, const int rows) {
  const cc_halving_job job = *given;
  const V divisor = v_splat((T)job.divisor), inverse = v_splat((T)job.inverse);
  const bool exact = job.inverse != 0;
  const int64_t part = job.n % VL, all = job.n - part, last = job.first + 2 * all;
  for (int64_t p = 0; p < job.planes; p++)
    for (int64_t l = 0; l < job.lines; l++) {
      const int64_t line = p * job.x_plane + l * job.x_line;
      T *y = (T *)(void *)((char *)job.y + p * job.y_plane + l * job.y_line);
      for (int64_t j = 0; j < all; j += VL) {
        const V total = CC_K(halving_total)(&job, line, job.first + 2 * j, 0, true, rows);
        v_store(y + j, exact ? total * inverse : total / divisor);
      }
      if (part) {
        const V total = CC_K(halving_total)(&job, line, last, job.columns - last, false, rows);
        v_store_part(y + all, part, exact ? total * inverse : total / divisor);
      }
    }
}

static void CC_K(halving_mean)(const cc_halving_job *job) {
  job->rows == 2 ? CC_K(halving_means)(job, 2) : CC_K(halving_means)(job, 4);
}
#endif
