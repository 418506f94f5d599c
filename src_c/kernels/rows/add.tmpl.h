/* SPDX-License-Identifier: BSD-3-Clause
 * add.tmpl.h - adds one row to another.
 *
 *   y[j] += x[j]      j < n; nothing beyond n is read or written */

static void CC_K(add)(const cc_add_job *job) {
  const int64_t size = sizeof(T), step = job->x_step, n = job->n;
  const char *x = job->x;
  T *y = job->y;
  int64_t j = 0;
  if (step == size) {
    for (; j + VL <= n; j += VL)
      v_store(y + j, v_load(y + j) + v_load(x + j * size));
    if (j < n)
      v_store_part(y + j, n - j, v_load_part(y + j, n - j) + v_load_part(x + j * size, n - j));
    return;
  }
  for (; j < n; j++) {
    T value; /* of any alignment */
    __builtin_memcpy(&value, x + j * step, sizeof(T));
    y[j] += value;
  }
}
