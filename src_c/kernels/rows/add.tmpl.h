/* SPDX-License-Identifier: BSD-3-Clause
 * add.tmpl.h - adds a row of any storage type to one of elements T.
 *
 *   y[j] += x[j]      j < n; nothing beyond n is read or written */

enum { CC_K(ADD_PIECE) = 64 }; /* elements on their way */

static void CC_K(add)(const cc_add_job *job) {
  T *y = job->y;
  for (int64_t from = 0; from < job->n; from += CC_K(ADD_PIECE)) {
    const int64_t n = job->n - from < CC_K(ADD_PIECE) ? job->n - from : CC_K(ADD_PIECE);
    T x[CC_K(ADD_PIECE)];
    CC_K(read_row)(x, job->x + from * job->x_step, job->x_step, n, job->source);
    int64_t j = 0;
    for (; j + VL <= n; j += VL)
      v_store(y + from + j, v_add(v_load(y + from + j), v_load(x + j)));
    if (j < n)
      v_store_part(y + from + j, n - j, v_add(v_load_part(y + from + j, n - j), v_load_part(x + j, n - j)));
  }
}
