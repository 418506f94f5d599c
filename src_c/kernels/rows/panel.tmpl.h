/* SPDX-License-Identifier: BSD-3-Clause
 * panel.tmpl.h - gathers what tiles of positions look at into panels, term by term: see cc_panel_job.
 *
 * A tile then reads whole lines in the order of memory. What follows in other channels is fetched ahead, for each may
 * be in a page of its own, which processors do not foresee. */

enum { CC_K(PANEL_AHEAD) = 8 }; /* channels */

/* A run of elements T that follow each other; the same `ahead` bytes further will be wanted soon. */
CC_ALWAYS_INLINE void CC_K(panel_row)(T *restrict y, const char *x, int64_t ahead, int64_t n) {
  const int64_t size = sizeof(T);
  int64_t j = 0;
  for (; j + VL <= n; j += VL) {
    __builtin_prefetch(x + j * size + ahead);
    v_store(y + j, v_load(x + j * size));
  }
  __builtin_prefetch(x + n * size - 1 + ahead);
  if (j < n)
    v_store_part(y + j, n - j, v_load_part(x + j * size, n - j));
}

CC_ALWAYS_INLINE void CC_K(panel_term)(const cc_panel_job *job, const char *x, int64_t ahead, T *panel, bool native) {
  for (int64_t r = 0; r < job->runs_count; r++) {
    const cc_panel_run *run = &job->runs[r];
    if (native && job->step == (int64_t)sizeof(T))
      CC_K(panel_row)(panel + run->at, x + run->from, ahead, run->n);
    else if (native)
      CC_K(copy_row)(panel + run->at, x + run->from, job->step, run->n);
    else
      CC_K(read_row)(panel + run->at, x + run->from, job->step, run->n, job->source);
  }
  for (int64_t j = 0; j < job->rest; j++)
    panel[job->end + j] = 0;
}

static void CC_K(panel)(const cc_panel_job *job) {
  const bool native = CC_K(is_native)(job->source);
  T *panel = job->panel;
  for (int64_t c = 0; c < job->count[0]; c++) {
    const int64_t ahead = c + CC_K(PANEL_AHEAD) < job->count[0] ? CC_K(PANEL_AHEAD) * job->stride[0] : 0;
    for (int64_t kd = 0; kd < job->count[1]; kd++)
      for (int64_t kh = 0; kh < job->count[2]; kh++)
        for (int64_t kw = 0; kw < job->count[3]; kw++, panel += job->pitch)
          CC_K(panel_term)(
              job, job->x + c * job->stride[0] + kd * job->stride[1] + kh * job->stride[2] + kw * job->stride[3], ahead,
              panel, native);
  }
}

/* See cc_window_job. Fetching ahead also keeps compilers from calling memmove for rows of a few vectors. */
static void CC_K(windows)(const cc_window_job *job) {
  T *panel = job->panel;
  for (int64_t k = 0; k < job->k; k++, panel += job->pitch) {
    const T *x = (const T *)job->x + job->off[k];
    const int64_t ahead = job->off[k + CC_K(PANEL_AHEAD) < job->k ? k + CC_K(PANEL_AHEAD) : k] - job->off[k];
    for (int64_t r = 0; r < job->runs_count; r++) {
      const cc_panel_run *run = &job->runs[r];
      for (int64_t j = 0; j < run->n; j += VL) {
        __builtin_prefetch(x + run->from + j + ahead);
        v_store(panel + run->at + j, v_load(x + run->from + j));
      }
    }
    for (int64_t j = 0; j < job->rest; j++)
      panel[job->end + j] = 0;
  }
}
