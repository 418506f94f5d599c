/* SPDX-License-Identifier: BSD-3-Clause
 * deposit.tmpl.h - adds vectors where they fall.
 *
 *   y[at[i]][l] += x[i][l]      i < n in this order, l < VL      see cc_deposit_job */

static void CC_K(deposit)(const cc_deposit_job *job) {
  const T *x = job->x;
  for (int64_t i = 0; i < job->n; i++) {
    T *y = (T *)job->y + job->at[i] * VL;
    v_store(y, v_add(v_load(y), v_load(x + i * VL)));
  }
}
