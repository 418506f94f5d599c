/* SPDX-License-Identifier: BSD-3-Clause
 * transpose.tmpl.h - rows become columns.
 *
 *   target[j][i] = source[i][j]      i < rows, j < n      see cc_transpose_job */

/* The same for one block of at most VL x VL. */
CC_ALWAYS_INLINE void CC_K(transpose_block)(const char *source, int64_t stride, int64_t rows, int64_t n, T *target,
                                            int64_t ldt) {
  V a[VL];
  CC_UNROLL
  for (int i = 0; i < VL; i++)
    a[i] = i >= rows ? (V){0} : n < VL ? v_load_part(source + i * stride, n) : v_load(source + i * stride);
  CC_K(transpose_vectors)(a);
  CC_UNROLL
  for (int j = 0; j < VL; j++)
    if (j < n) {
      if (rows < VL)
        v_store_part(target + j * ldt, rows, a[j]);
      else
        v_store(target + j * ldt, a[j]);
    }
}

static CC_NOINLINE void CC_K(transpose_whole)(const char *source, int64_t stride, T *target, int64_t ldt) {
  CC_K(transpose_block)(source, stride, VL, VL, target, ldt);
}

static CC_NOINLINE void CC_K(transpose_part)(const char *source, int64_t stride, int64_t rows, int64_t n, T *target,
                                             int64_t ldt) {
  CC_K(transpose_block)(source, stride, rows, n, target, ldt);
}

static void CC_K(transpose)(const cc_transpose_job *job) {
  const int64_t size = sizeof(T);
  for (int64_t i = 0; i < job->rows; i += VL) {
    const int64_t rows = job->rows - i < VL ? job->rows - i : VL;
    for (int64_t j = 0; j < job->n; j += VL) {
      const int64_t n = job->n - j < VL ? job->n - j : VL;
      const char *source = job->source + i * job->stride + j * size;
      T *target = (T *)job->target + j * job->ldt + i;
      if (rows == VL && n == VL)
        CC_K(transpose_whole)(source, job->stride, target, job->ldt);
      else
        CC_K(transpose_part)(source, job->stride, rows, n, target, job->ldt);
    }
  }
}
