/* SPDX-License-Identifier: BSD-3-Clause
 * windows_extreme.c - the greatest or least element of every window, one axis after the other.
 *
 * Each row of the slab is the extreme of the input rows under its windows. Then passes along the rows, each
 * over what the one before has made, widen what an element stands for from one tap to the window.
 *
 * Law: rows first, then columns, each in sequence: with the law of kernels/pool/extreme.tmpl.h the result is
 * the same bit for bit, however blocks are cut and passes grouped. */
#include <string.h>

#include "base/checked.h"
#include "ops/windows.h"

enum { DIRECT_TAPS = 7 /* that one pass takes in as little time as two take */ };

/* Along the rows. Of an even step and an even window, halves; then windows of growing width c, every
 * pass taking four of those of the one before; last the windows of the outputs, which begin `step` apart. */
void cconv_windows_passes(cc_windows *e) {
  const cc_axis *axis = &e->axis[2];
  const int64_t apart = axis->dilation * e->group;
  int64_t kernel = axis->kernel, step = axis->stride;
  e->passes = 0;
  const bool near = apart == 1; /* a tap's neighbour in memory is the next tap */
  while (near && e->passes < CC_MOST_HALVINGS && step > 2 && step % 2 == 0 && kernel % 2 == 0) {
    e->pass[e->passes++] = (cc_extreme_pass){.taps = 1, .pairs = 1, .step = 2};
    kernel /= 2;
    step /= 2;
  }
  cc_extreme_pass *last;
  if (near && step == 2 && kernel <= CC_EXTREME_TAPS) {
    last = &e->pass[e->passes++];
    *last = (cc_extreme_pass){.taps = (int32_t)(kernel + 1) / 2, .pairs = (int32_t)kernel / 2, .step = 2};
    for (int32_t i = 0; i < last->taps; i++)
      last->offset[i] = 2 * i;
    return;
  }
  const bool picks = e->group == 1 && step > 2; /* elements are picked one by one, from finished windows */
  int64_t width = 1;
  while (width < kernel || (e->passes == 0 && !picks)) {
    const int64_t left = cc_ceil_div(kernel, width);
    const int32_t taps = left <= DIRECT_TAPS ? (int32_t)left : 4;
    cc_extreme_pass *pass = &e->pass[e->passes++];
    *pass = (cc_extreme_pass){.taps = taps, .step = 1};
    for (int32_t i = 0; i < taps; i++)
      pass->offset[i] = cc_min(i * width, kernel - width) * apart;
    width = cc_min(taps * width, kernel);
  }
  if (picks)
    e->pass[e->passes++] = (cc_extreme_pass){.taps = 1, .step = step};
  else
    e->pass[e->passes - 1].step = step;
}

static void run_job(const cc_windows *e, const cc_extreme_job *job) {
  (e->least ? e->kernels->extreme_min : e->kernels->extreme_max)(job);
}

/* Rows [r, r + rows) of the slab, whose windows meet the same rows of the input, each `stride` further. */
static void reduce_rows(const cc_windows *e, const cc_windows_block *b, int64_t r, int64_t rows) {
  const cc_axis *h = &e->axis[1];
  const int64_t es = e->element, n = b->inside * e->group;
  cc_extreme_job job = {.step = 1,
                        .planes = b->planes,
                        .rows = rows,
                        .n = n,
                        .x_plane = b->x_plane,
                        .x_row = h->stride * b->x_row,
                        .y_plane = b->rows * e->line * es,
                        .y_row = e->line * es,
                        .y = cconv_windows_slab_row(e, b, r)};
  for (int64_t k = 0; k < e->axis[0].kernel; k++)
    for (int64_t i = 0; i < h->kernel; i++) {
      const char *row = cconv_windows_row(e, b, k, r * h->stride + i * h->dilation);
      if (!row)
        continue;
      job.x[job.taps++] = row;
      if (job.taps == CC_EXTREME_TAPS) {
        run_job(e, &job);
        job.more = true;
        job.taps = 0;
      }
    }
  if (job.taps)
    run_job(e, &job);
  else if (!job.more) /* no window meets an element */
    for (int64_t p = 0; p < b->planes; p++)
      for (int64_t i = 0; i < rows; i++)
        memcpy((char *)job.y + p * job.y_plane + i * job.y_row, b->scratch, (size_t)(n * es));
}

static void reduce_all_rows(const cc_windows *e, const cc_windows_block *b) {
  for (int64_t r = 0, rows; r < b->rows; r += rows) {
    rows = cconv_windows_alike(e, b, r, b->rows);
    reduce_rows(e, b, r, rows);
  }
}

/* Row i again, but the nearest one for one outside: the windows that want it hold that too. */
static const char *nearest_row(const cc_windows *e, const cc_windows_block *b, int64_t i) {
  const cc_axis *h = &e->axis[1];
  if (!e->staged && h->map == CCONV_PADDING_CONSTANT) {
    const int64_t first = b->row * h->stride - h->before;
    i = cc_min(cc_max(first + i, 0), cconv_windows_end(h) - 1) - first;
  }
  return cconv_windows_row(e, b, 0, i);
}

/* The same by van Herk's method: with the window's height k and at most k rows r, row r of the slab is the
 * extreme of rows r .. k - 1, from the last to the first, and of rows k .. k + r - 1. One plane. */
static void reduce_by_herk(const cc_windows *e, const cc_windows_block *b) {
  const int64_t k = e->axis[1].kernel;
  char *run = b->scratch + e->run_at; /* the extreme of the rows so far */
  cc_extreme_job job = {.step = 1, .planes = 1, .rows = 1, .n = b->inside * e->group, .y = run};
  const char *next = NULL; /* the row below, or what stands for all below */
  if (b->rows < k) {
    for (int64_t i = b->rows; i < k; i++) {
      job.x[job.taps++] = nearest_row(e, b, i);
      if (job.taps == CC_EXTREME_TAPS || i == k - 1) {
        run_job(e, &job);
        job.more = true;
        job.taps = 0;
      }
    }
    next = run;
  }
  job.more = false;
  for (int64_t r = b->rows - 1; r >= 0; r--) {
    job.taps = next ? 2 : 1;
    job.x[0] = nearest_row(e, b, r);
    job.x[1] = next;
    job.y = cconv_windows_slab_row(e, b, r);
    next = job.y;
    run_job(e, &job);
  }
  const char *prefix = NULL;
  for (int64_t r = 1; r < b->rows; r++) {
    const char *row = nearest_row(e, b, k + r - 1);
    if (prefix) {
      job.taps = 2;
      job.more = false;
      job.x[0] = prefix;
      job.x[1] = row;
      job.y = run;
      run_job(e, &job);
      row = run;
    }
    prefix = row;
    job.taps = 1;
    job.more = true;
    job.x[0] = prefix;
    job.y = cconv_windows_slab_row(e, b, r);
    run_job(e, &job);
  }
}

/* Lines [from, from + lines) of the slab through all passes, to the output or to the result rows. */
void cconv_windows_reduce_columns(const cc_windows *e, const cc_windows_block *b, int64_t from, int64_t lines) {
  const int64_t es = e->element, n = b->columns * e->group, vector = e->kernels->vector_length;
  const char *x = b->slab + from * e->line * es;
  int64_t line = e->line, over = cc_max(0, b->extent * e->group - line); /* what the last line reads behind its end */
  for (int32_t i = 0; i < e->passes; i++) {
    const cc_extreme_pass *pass = &e->pass[i];
    cc_extreme_job job = {.taps = pass->taps, .pairs = pass->pairs, .step = pass->step, .planes = 1, .rows = 1};
    for (int32_t t = 0; t < pass->taps; t++)
      job.x[t] = x + pass->offset[t] * es;
    if (i < e->passes - 1) {
      line /= pass->step;
      over = cc_ceil_div(over, pass->step);
      job.n = cc_ceil_div(lines * line + over, vector) * vector;
      job.y = b->scratch + e->next_at;
      run_job(e, &job);
      x = job.y;
      continue;
    }
    job.planes = b->planes;
    job.rows = lines / b->planes;
    job.n = n;
    job.x_row = line * es;
    job.x_plane = job.rows * job.x_row;
    char *y;
    cconv_windows_target(e, b, from, &y, &job.y_plane, &job.y_row);
    job.y = y;
    if (e->group > 1 && pass->step > 1) { /* one plane: its rows, and in them the channels of each place */
      job.planes = job.rows;
      job.x_plane = job.x_row;
      job.y_plane = job.y_row;
      job.rows = b->columns;
      job.x_row = pass->step * e->group * es;
      job.y_row = e->group * es;
      job.n = e->group;
      job.step = 1;
    }
    /* Rows without gaps are one row, planes likewise. */
    if (job.rows == 1 || (job.x_row == job.n * job.step * es && job.y_row == job.n * es)) {
      job.n *= job.rows;
      job.rows = 1;
      if (job.x_plane == job.n * job.step * es && job.y_plane == job.n * es) {
        job.n *= job.planes;
        job.planes = 1;
      }
    }
    run_job(e, &job);
  }
}

void cconv_windows_reduce_rows(const cc_windows *e, const cc_windows_block *b) {
  if (e->herk)
    reduce_by_herk(e, b);
  else if (b->inside)
    reduce_all_rows(e, b);
}
