/* SPDX-License-Identifier: BSD-3-Clause
 * windows_sum.c - averages and Lp norms of windows.
 *
 * The slab of a block holds the rows under its windows, every slice that a tap looks at:
 * [plane][slice][row][column]. A kernel adds up a window's terms at their offsets and divides.
 *
 * Law: the order of a sum is that of cconv_pool in cconv.h, and no part of it is shared between windows. */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "ops/windows.h"
#include "shape/pool_shape.h"

void cconv_windows_offsets(const cc_windows *e, int32_t *offsets) {
  const cc_axis *axis = e->axis;
  for (int64_t d = 0; d < axis[0].kernel; d++)
    for (int64_t h = 0; h < axis[1].kernel; h++)
      for (int64_t w = 0; w < axis[2].kernel; w++)
        *offsets++ = (int32_t)((d * e->stage_rows + h * axis[1].dilation) * e->line + w * axis[2].dilation * e->group);
}

void cconv_windows_copy_rows(const cc_windows *e, const cc_windows_block *b) {
  const int64_t es = e->element, rows = cconv_windows_extent(&e->axis[1], b->rows), n = b->inside * e->group;
  cc_extreme_job job = {.taps = 1,
                        .step = 1,
                        .planes = b->planes,
                        .n = n,
                        .x_plane = b->x_plane,
                        .x_row = b->x_row,
                        .y_plane = e->slab_rows * e->line * es,
                        .y_row = e->line * es};
  for (int64_t k = 0; k < e->axis[0].kernel && n; k++)
    for (int64_t i = 0; i < rows; i += job.rows) {
      char *y = cconv_windows_slab_row(e, b, k * e->stage_rows + i);
      job.x[0] = cconv_windows_row(e, b, k, i);
      job.y = y;
      job.rows = 1;
      if (job.x[0]) { /* all that follow and lie inside too: the windows' maps are constant */
        while (i + job.rows < rows && cconv_windows_row(e, b, k, i + job.rows))
          job.rows++;
        e->kernels->extreme_max(&job); /* of one row */
      } else {
        for (int64_t p = 0; p < b->planes; p++)
          memcpy(y + p * job.y_plane, b->scratch, (size_t)(n * es));
      }
    }
}

/* Outputs [*from, *to) of those that begin at `first` have windows that lie inside whole: all count alike. */
static void find_alike(const cc_windows *e, const cc_axis *axis, int64_t first, int64_t count, int64_t *from,
                       int64_t *to) {
  const int64_t low = e->count_pads ? -axis->before : 0;
  const int64_t high = axis->end + (e->count_pads ? cc_max(axis->after, 0) : 0);
  const int64_t start = first * axis->stride - axis->before; /* of the first window */
  const int64_t room = high - 1 - (axis->kernel - 1) * axis->dilation - start;
  *from = start < low ? cc_min(count, cc_ceil_div(low - start, axis->stride)) : 0;
  *to = room < 0 ? 0 : cc_min(count, room / axis->stride + 1);
  if (e->divisor)
    *from = 0, *to = count;
}

static int64_t taps_of(const cc_windows *e, int axis, int64_t o) {
  return cconv_pool_count(&e->counted[axis], o, e->count_pads);
}

/* The sums of rows [r, r + rows) and columns [c, c + columns) of the block, all divided by `count`. */
static void sum_part(const cc_windows *e, const cc_windows_block *b, int64_t r, int64_t rows, int64_t c,
                     int64_t columns, double count) {
  const cc_axis *axis = e->axis;
  const int64_t es = e->element;
  const double inverse = 1 / count;
  int exponent;
  cc_window_sum_job job = {.off = (const int32_t *)(const void *)e->workspace,
                           .k = e->taps,
                           .step = e->group == 1 ? axis[2].stride : 1,
                           .planes = b->planes,
                           .rows = rows,
                           .n = columns * e->group,
                           .x_plane = e->slab_rows * e->line * es,
                           .x_row = axis[1].stride * e->line * es,
                           .divisor = count,
                           .inverse = frexp(count, &exponent) == 0.5 ? inverse : 0};
  char *y;
  cconv_windows_target(e, b, r, &y, &job.y_plane, &job.y_row);
  if (!e->direct)
    y += r * job.y_row;
  job.y = y + c * e->group * es;
  job.x = b->slab + (r * axis[1].stride * e->line + c * axis[2].stride * e->group) * es;
  if (e->group > 1 && axis[2].stride > 1) { /* one plane: its rows, and in them the channels of each place */
    job.planes = rows;
    job.x_plane = job.x_row;
    job.y_plane = job.y_row;
    job.rows = columns;
    job.x_row = axis[2].stride * e->group * es;
    job.y_row = e->group * es;
    job.n = e->group;
  }
  e->kernels->window_sum(&job);
}

static void raise_to_power(const cc_windows *e, char *x, int64_t n, double exponent) {
  e->kernels->pool_power(&(cc_pool_power_job){.x = x, .y = x, .n = n, .exponent = exponent});
}

void cconv_windows_sum(const cc_windows *e, const cc_windows_block *b) {
  const int64_t es = e->element;
  if (e->exponent != 0)
    for (int64_t s = 0; s < b->planes * e->axis[0].kernel; s++)
      raise_to_power(e, b->slab + s * e->stage_rows * e->line * es,
                     cconv_windows_extent(&e->axis[1], b->rows) * e->line, e->exponent);
  int64_t top, bottom, left, right;
  find_alike(e, &e->counted[1], b->row, b->rows, &top, &bottom);
  find_alike(e, &e->counted[2], b->column, b->columns, &left, &right);
  for (int64_t r = 0, rows; r < b->rows; r += rows) {
    rows = r >= top && r < bottom ? bottom - r : 1;
    const double high =
        e->divisor ? (double)e->divisor : (double)taps_of(e, 0, b->od) * (double)taps_of(e, 1, b->row + r);
    for (int64_t c = 0, columns; c < b->columns; c += columns) {
      columns = c >= left && c < right ? right - c : 1;
      sum_part(e, b, r, rows, c, columns, e->divisor ? high : (double)taps_of(e, 2, b->column + c) * high);
    }
  }
  if (e->root == 0)
    return;
  char *y;
  int64_t plane, row;
  cconv_windows_target(e, b, 0, &y, &plane, &row);
  for (int64_t p = 0; p < b->planes; p++)
    for (int64_t r = 0; r < b->rows; r++)
      raise_to_power(e, y + p * plane + r * row, b->columns * e->group, e->root);
}
