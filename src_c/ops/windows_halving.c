/* SPDX-License-Identifier: BSD-3-Clause
 * windows_halving.c - extremes and averages of windows two columns apart, without a slab.
 *
 * Law: bits are those of windows_extreme.c and windows_sum.c. */
#include <math.h>

#include "base/checked.h"
#include "ops/windows.h"

/* Are all windows of the axis inside? */
static bool all_are_inside(const cc_axis *axis) {
  return axis->before <= 0 &&
         (axis->out - 1) * axis->stride - axis->before + (axis->kernel - 1) * axis->dilation < cconv_windows_end(axis);
}

bool cconv_windows_halves(const cc_windows *e) {
  const cc_axis *axis = e->axis;
  const int64_t rows = axis[0].kernel * axis[1].kernel, taps = axis[2].kernel;
  if (e->group > 1 || axis[2].stride != 2 || axis[2].dilation != 1 ||
      (!e->staged && axis[2].map != CCONV_PADDING_CONSTANT))
    return false;
  if (!e->sums)
    return e->kernels->halving_max && rows <= CC_EXTREME_TAPS && (taps == 2 || taps == 3);
  return e->kernels->halving_mean && !e->staged && e->exponent == 0 && e->root == 0 && (rows == 2 || rows == 4) &&
         taps == 2 && all_are_inside(&axis[0]) && all_are_inside(&axis[1]) && all_are_inside(&axis[2]);
}

/* Rows [r, r + rows) of outputs of every plane, whose windows meet the same rows of the input, each `stride` further. */
static void halve_rows(const cc_windows *e, const cc_windows_block *b, int64_t r, int64_t rows, cc_halving_job *job) {
  const cc_axis *h = &e->axis[1];
  job->lines = rows;
  job->rows = 0;
  for (int64_t k = 0; k < e->axis[0].kernel; k++)
    for (int64_t i = 0; i < h->kernel; i++) {
      const char *row = cconv_windows_row(e, b, k, r * h->stride + i * h->dilation);
      if (row)
        job->x[job->rows++] = row;
    }
  job->columns = job->rows ? b->inside : 0;
  if (e->sums)
    e->kernels->halving_mean(job);
  else
    (e->least ? e->kernels->halving_min : e->kernels->halving_max)(job);
}

void cconv_windows_halve(const cc_windows *e, const cc_windows_block *b, int64_t from, int64_t lines) {
  const double divisor = (double)(e->divisor ? e->divisor : e->taps), inverse = 1 / divisor;
  const int64_t end = from + lines / b->planes;
  int exponent;
  char *y;
  cc_halving_job job = {.taps = (int32_t)e->axis[2].kernel,
                        .first = -b->low,
                        .planes = b->planes,
                        .n = b->columns,
                        .x_plane = b->x_plane,
                        .x_line = e->axis[1].stride * b->x_row,
                        .divisor = divisor,
                        .inverse = frexp(divisor, &exponent) == 0.5 ? inverse : 0};
  cconv_windows_target(e, b, from, &y, &job.y_plane, &job.y_line);
  for (int64_t r = from, rows; r < end; r += rows) {
    rows = cconv_windows_alike(e, b, r, end);
    job.y = y + (r - from) * job.y_line;
    halve_rows(e, b, r, rows, &job);
  }
}
