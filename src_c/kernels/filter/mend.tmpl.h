/* SPDX-License-Identifier: BSD-3-Clause
 * mend.tmpl.h - which sums are not finite, other ones in their place, and a kernel as a product of a column and a row.
 * See cc_factor_job. */

/* Are all of n elements finite? */
static bool CC_K(is_finite)(const void *given, int64_t n) {
  const T *x = given;
  V zero[4] = {{0}, {0}, {0}, {0}}; /* sums of 0 x: NaN where an x is not finite */
  int64_t j = 0;
  for (; j + 4 * VL <= n; j += 4 * VL) {
    CC_UNROLL
    for (int v = 0; v < 4; v++)
      zero[v] = v_fma(v_load(x + j + v * VL), (V){0}, zero[v]);
  }
  for (; j < n; j += VL)
    zero[0] = v_fma(n - j < VL ? v_load_part(x + j, n - j) : v_load(x + j), (V){0}, zero[0]);
  const V sum = (zero[0] + zero[1]) + (zero[2] + zero[3]);
  bool finite = true;
  for (int l = 0; l < VL; l++)
    finite &= sum[l] == sum[l];
  return finite;
}

/* y[j] = x[j] where y[j] is not finite      j < n */
static void CC_K(mend)(const void *given, void *target, int64_t n) {
  const T *x = given;
  T *y = target;
  for (int64_t j = 0; j < n; j++)
    y[j] = y[j] - y[j] == 0 ? y[j] : x[j];
}

/* to[i] = sum over j of w[i step + j by] with[j] / sum over j of with[j]^2      i < n, j < terms */
CC_ALWAYS_INLINE void CC_K(project)(const T *w, int64_t step, int64_t by, const T *with, int64_t terms, T *to,
                                    int64_t n) {
  double square = 0;
  for (int64_t j = 0; j < terms; j++)
    square += (double)with[j] * (double)with[j];
  for (int64_t i = 0; i < n; i++) {
    double sum = 0;
    for (int64_t j = 0; j < terms; j++)
      sum += (double)w[i * step + j * by] * (double)with[j];
    to[i] = (T)(sum / square);
  }
}

static bool CC_K(factor)(const cc_factor_job *job) {
  const int64_t rows = job->rows, columns = job->columns;
  const T *w = job->w;
  T *u = job->u, *v = job->v;
  double most = 0, least = 0, total = 0, rest = 0;
  int64_t at = 0;
  for (int64_t i = 0; i < rows * columns; i++) {
    const double size = w[i] < 0 ? -(double)w[i] : (double)w[i];
    total += size;
    if (size > most) {
      most = size;
      at = i;
    }
  }
  if (!(most >= CC_FACTOR_LEAST))
    return false;
  const T *largest = w + at / columns * columns, *next = w + (at / columns + 1) % rows * columns;
  for (int64_t j = 0; j < columns; j++) { /* two rows tell most of those that are none */
    const double minor = (double)next[j] * (double)w[at] - (double)next[at % columns] * (double)largest[j];
    if (!((minor < 0 ? -minor : minor) <= 64 * job->tolerance * most * most))
      return false;
  }
  /* In steps of its least element, where that is not much smaller, a column of integers is one of integers. And sums
   * across rows, which come first, are then no smaller than the inputs: none is denormal where the result is not. */
  const T *column = w + at % columns;
  least = most;
  for (int64_t i = 0; i < rows; i++) {
    const double x = (double)column[i * columns], size = x < 0 ? -x : x;
    least = size < least && size > most * 0x1p-10 ? size : least;
  }
  for (int64_t i = 0; i < rows; i++)
    u[i] = (T)((double)column[i * columns] / least);
  CC_K(project)(w, 1, columns, u, rows, v, columns);
  CC_K(project)(w, columns, 1, v, columns, u, rows);
  for (int64_t i = 0; i < rows * columns; i++) {
    const double less = (double)w[i] - (double)u[i / columns] * (double)v[i % columns];
    rest += less < 0 ? -less : less;
  }
  return rest <= job->tolerance * total;
}
