/* SPDX-License-Identifier: BSD-3-Clause
 * windows.c - how poolings of whole windows are cut into blocks, and what a block looks at.
 *
 * A block of outputs is made from a slab of rows: for extremes each is the extreme of the input rows under
 * one row of windows (windows_extreme.c), for sums they are the input rows themselves (windows_sum.c). Margins of
 * the slab hold what stands for elements outside. The input is read where it lies; rows that do
 * not lie there as they are computed, for their dtype or their strides, are packed first.
 *
 * Law: nothing here changes a bit of a result. */
#include "ops/windows.h"

#include <string.h>

#include "base/checked.h"
#include "base/index_map.h"
#include "base/layout.h"

enum {
  MOST_STEP = 1 << 20,
  SLAB_BYTES = 16 << 10, /* with what is made of it, it stays in a level 1 cache */
  HERK_TAPS = 10,        /* rows of a window from which on three passes are less work than one */
  LANES_ROW = 2,         /* vectors of a row, up to which lanes are better filled by planes than by it */
  UNITS_A_THREAD = 4,
  UNIT_TERMS = 1 << 26,   /* of sums: some milliseconds, for between units a call may be stopped */
  ELEMENT_OPERATIONS = 3, /* an element of a row takes the time of so many multiply-adds, ... */
  BYTE_OPERATIONS = 5     /* ... and a byte that the level 2 cache does not have */
};

/* ---------------------------------------------------------------------------- what to do */

int64_t cconv_windows_end(const cc_axis *axis) { return axis->map == CCONV_PADDING_CONSTANT ? axis->end : axis->in; }

/* The input index that stands for i, -1 for none. */
static int64_t index_of(const cc_axis *axis, int64_t i) {
  if (i >= 0 && i < cconv_windows_end(axis))
    return i;
  return axis->map == CCONV_PADDING_CONSTANT ? -1 : cc_index_map(axis->map, i, axis->in);
}

int64_t cconv_windows_extent(const cc_axis *axis, int64_t outputs) {
  return (outputs - 1) * axis->stride + (axis->kernel - 1) * axis->dilation + 1;
}

/* Is there an element under every window of the axis? */
static bool all_meet_elements(const cc_axis *axis) {
  if (axis->map != CCONV_PADDING_CONSTANT)
    return true;
  return axis->end > 0 && axis->before < axis->kernel && (axis->out - 1) * axis->stride - axis->before < axis->end;
}

/* Do neighbours along an axis lie so many bytes apart? The stride of a single place says nothing: whoever asked for
 * the workspace may have had another one. */
static bool lies_apart(const cc_view *view, int axis, int64_t bytes) {
  return view->shape[axis] <= 1 || view->stride[axis] == bytes;
}

/* Are rows so short that a lane for each plane pays for bringing them there and back? */
static bool fills_lanes(const cc_windows *e) {
  const int64_t vector = e->kernels->vector_length;
  /* Of every other window, sums waste half of a row's lanes, but when they halve, where that is as good down to half a
   * vector; extremes are had from rows in as little time (measured: 0.6 to 1.15 times as fast). */
  const int64_t most = e->axis[2].stride == 1 ? LANES_ROW * vector
                       : !e->sums             ? 0
                       : e->halves            ? vector / 2
                                              : 2 * LANES_ROW * vector;
  int64_t step;
  if (!e->kernels->lanes || e->group > 1 || e->planes < vector || e->axis[2].in > most || e->input->dtype != e->dtype ||
      e->output->dtype != e->dtype || e->plane[1] % e->element)
    return false;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    if (e->axis[a].map != CCONV_PADDING_CONSTANT)
      return false;
  for (int v = 0; v < 2; v++)
    if (!lies_apart(v ? e->output : e->input, CC_WIDTH, e->element) || !cc_mul(e->plane[v], vector, &step))
      return false;
  return true;
}

/* Which elements of the caller's memory are rows as they stand? */
static void choose_layout(cc_windows *e) {
  const cc_view *views[] = {e->input, e->output};
  const int64_t es = e->element, n = e->input->shape[CC_BATCH], c = e->input->shape[CC_CHANNEL];
  bool native = true, pixels = c > 1, even = true; /* even: are images as far apart as planes are? */
  for (int v = 0; v < 2; v++) {
    const cc_view *view = views[v];
    native = native && view->dtype == e->dtype;
    pixels = pixels && lies_apart(view, CC_CHANNEL, es) && lies_apart(view, CC_WIDTH, c * es);
    even = even && (c == 1 || lies_apart(view, CC_BATCH, c * view->stride[CC_CHANNEL]));
  }
  const int64_t room = cconv_operation_budget() / es / 32; /* for the elements of a window's row */
  e->group = native && pixels && cconv_windows_extent(&e->axis[2], 1) <= room / c ? c : 1;
  e->staged = e->fill_counts || (e->group == 1 && !(e->input->dtype == e->dtype && lies_apart(e->input, CC_WIDTH, es)));
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    if (e->axis[a].map != CCONV_PADDING_CONSTANT && (e->axis[a].before < 0 || e->axis[a].after < 0))
      e->staged = true; /* what is cropped may still be mirrored */
  if (e->staged)
    e->group = 1;
  e->direct = e->group > 1 || (e->output->dtype == e->dtype && lies_apart(e->output, CC_WIDTH, es));
  const bool images = e->group > 1 || c == 1; /* that are planes */
  for (int v = 0; v < 2; v++) {
    e->image[v] = views[v]->stride[CC_BATCH];
    e->plane[v] = images ? e->image[v] : views[v]->stride[CC_CHANNEL];
  }
  e->planes = images ? n : even ? n * c : c;
  e->images = images || even ? 1 : n;
  e->channels = e->planes;
  e->halves = cconv_windows_halves(e);
  if ((e->lanes = fills_lanes(e))) {
    e->halves = false;
    e->group = e->kernels->vector_length;
    e->staged = true;
    e->direct = false;
    e->planes = cc_ceil_div(e->planes, e->group);
    for (int v = 0; v < 2; v++)
      e->plane[v] *= e->group;
  }
}

/* Elements between rows of the slab. Where all columns are in one block, the margin before a row is
 * that behind the row above. */
static int64_t line_of(const cc_windows *e, int64_t columns) {
  const cc_axis *axis = &e->axis[2];
  int64_t line = cconv_windows_extent(axis, columns);
  if (e->staged && e->sums) /* the slab is the stage */
    return line * e->group;
  if (!e->staged && columns == axis->out && axis->map == CCONV_PADDING_CONSTANT) {
    const int64_t low = cc_min(cc_max(axis->before, 0), line);
    line = cc_max(1, cc_max(line - low, cc_min(low + axis->end, line)));
  }
  line *= e->group;
  const int64_t unit = CC_ALIGNMENT / e->element;
  const int64_t halved = 1 << CC_MOST_HALVINGS;
  if (line >= 16 * unit) /* an odd number of cache lines: rows apart by powers of two crowd each other out */
    return (cc_ceil_div(line, unit) | 1) * unit;
  return e->passes > 1 && e->pass[0].step == 2 ? cc_ceil_div(line, halved) * halved : line;
}

/* Blocks as wide as the slab has room for, but not more margin than window. */
static void choose_columns(cc_windows *e) {
  const cc_axis *d = &e->axis[0], *h = &e->axis[1], *w = &e->axis[2];
  const int64_t budget = cconv_operation_budget() / e->element, slab = SLAB_BYTES / e->element;
  const int64_t window = cconv_windows_extent(w, 1);
  int64_t width = cc_max(slab / e->group, 2 * window);
  if (!e->sums && h->kernel >= HERK_TAPS && h->stride == 1 && h->dilation == 1) /* by van Herk's method */
    width = cc_max(2 * window, cc_min(width, budget / (cc_min(h->kernel, h->out) * e->group)));
  e->columns = cc_min(w->out, (width - window) / w->stride + 1);
  if (e->columns < w->out && w->map != CCONV_PADDING_CONSTANT)
    e->staged = true; /* what stands for a column outside may lie in another block */
  if (e->staged || e->sums) {
    const int64_t tall = cconv_windows_extent(h, 1) * d->kernel * e->group;
    width = cc_max(cc_min(width, budget / 4 / tall), 2 * window);
    e->columns = cc_min(w->out, (width - window) / w->stride + 1);
  }
  e->line = line_of(e, e->columns);
}

/* Rows of outputs whose slab has at most so many elements, but at least one. */
static int64_t rows_of_sums(const cc_windows *e, int64_t elements) {
  const cc_axis *h = &e->axis[1];
  const int64_t rows = elements / (e->line * e->axis[0].kernel) - cconv_windows_extent(h, 1);
  return rows < 0 ? 1 : cc_min(h->out, rows / h->stride + 1);
}

/* Rows of a block, and planes where a block has all rows. A sum's slab has all rows under the windows: blocks of
 * few outputs would read most of them twice. */
static void choose_rows(cc_windows *e) {
  const cc_axis *d = &e->axis[0], *h = &e->axis[1];
  const int64_t budget = cconv_operation_budget() / e->element, slab = SLAB_BYTES / e->element;
  const int64_t window = cconv_windows_extent(h, 1);
  const int64_t slice =
      cconv_windows_extent(&e->axis[2], e->columns) * e->group * d->kernel; /* to stage for each row */
  int64_t plane;                                                            /* elements of one in a block */
  if (e->sums) {
    e->rows = rows_of_sums(e, slab);
    if (e->rows < h->out && cconv_windows_extent(h, e->rows) < 4 * window)
      e->rows = rows_of_sums(e, budget / 4);
    e->rows = cc_max(1, cc_min(e->rows, UNIT_TERMS / (e->columns * e->group * e->taps)));
    plane = cconv_windows_extent(h, e->rows) * d->kernel * e->line;
  } else {
    int64_t room = slab;
    if (e->staged) /* rows under two blocks are packed twice: more for tall windows */
      room = cc_max(slab, cc_min(4 * window * e->line, budget / 8));
    e->rows = cc_max(1, cc_min(h->out, room / e->line));
    const bool flat = d->kernel == 1 && d->before <= 0 && (d->out - 1) * d->stride - d->before < cconv_windows_end(d);
    const int64_t tall = cc_min(h->kernel, h->out); /* prefixes of one block follow the suffixes of another */
    e->herk = flat && h->kernel >= HERK_TAPS && h->stride == 1 && h->dilation == 1 && h->out * e->line > slab &&
              tall * e->line <= budget && (e->staged || all_meet_elements(h));
    if (e->herk)
      e->rows = tall;
    if (e->staged)
      e->rows = cc_max(1, cc_min(e->rows, (budget / 2 / slice - window) / h->stride + 1));
    plane = e->rows * (e->staged ? slice : e->line);
  }
  e->batch = 1;
  if (e->rows == h->out && e->group == 1 && !e->herk)
    e->batch = cc_max(1, cc_min(e->planes, slab / plane));
}

/* Smaller blocks where threads would idle. */
static void choose_counts(cc_windows *e, int64_t threads) {
  const int64_t enough = threads > 1 ? UNITS_A_THREAD * threads : 0, out = e->axis[1].out;
  e->count[2] = cc_ceil_div(e->axis[2].out, e->columns);
  const int64_t others = e->images * e->axis[0].out * e->count[2];
  while (e->batch > 1 && others * cc_ceil_div(e->planes, e->batch) < enough)
    e->batch = cc_ceil_div(e->batch, 2);
  while (e->batch == 1 && e->rows > 1 && others * e->planes * cc_ceil_div(out, e->rows) < enough)
    e->rows = cc_ceil_div(e->rows, 2);
  e->count[1] = cc_ceil_div(out, e->rows);
  e->rows = cc_ceil_div(out, e->count[1]);
  e->units = others * cc_ceil_div(e->planes, e->batch) * e->count[1];
  e->lines = e->batch * e->rows;
  if (e->batch == 1 && !e->sums)
    e->lines = cc_max(1, cc_min(e->rows, SLAB_BYTES / e->element / e->line));
}

static double operations_of(const cc_windows *e) {
  const cc_axis *axis = e->axis;
  const double planes = (double)e->images * (double)e->planes * (double)e->group;
  double bytes = 0;
  for (int v = 0; v < 2; v++) {
    const cc_view *view = v ? e->output : e->input;
    double elements = planes;
    for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
      elements *= (double)view->shape[CC_DEPTH + a];
    bytes += elements * (double)cconv_element_size(view->dtype);
  }
  double taps = e->herk || e->sums ? 6 : (double)axis[0].kernel * (double)axis[1].kernel, outputs = (double)e->taps;
  for (int32_t i = 0; i < e->passes; i++)
    outputs += e->pass[i].taps;
  const double line = (double)cconv_windows_extent(&axis[2], axis[2].out) * taps + (double)axis[2].out * outputs;
  const double work = ELEMENT_OPERATIONS * planes * (double)axis[0].out * (double)axis[1].out * line;
  return work > BYTE_OPERATIONS * bytes ? work : BYTE_OPERATIONS * bytes;
}

/* Is it quicker to pack blocks in the stride's phases and to take every tap? Of rows that must be packed and have
 * hardly any taps; of integers that are widened and skipped, in planes that fill a level 1 cache. */
static bool is_simple(const cc_windows *e) {
  const cc_axis *axis = e->axis;
  const int64_t taps = axis[0].kernel * axis[1].kernel * axis[2].kernel;
  const bool widened = e->input->dtype != e->dtype && !cconv_is_floating(e->dtype);
  if (!e->staged || e->sums || e->lanes)
    return false;
  return axis[2].stride == 1 ? taps <= 4 : widened && taps <= 9 && axis[1].in * axis[2].in > SLAB_BYTES / 2;
}

bool cconv_windows_prepare(cc_windows *e, int64_t threads) {
  e->element = cconv_element_size(e->dtype);
  /* A lone output is not stepped to, however far: with these limits no product of a step overflows. */
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    if (e->axis[a].stride > MOST_STEP)
      return false;
  /* The least block, staged: one row of outputs under as many columns as two windows. */
  int64_t least = 2;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    if (!cc_mul(least, a ? cconv_windows_extent(&e->axis[a], 1) : e->axis[a].kernel, &least))
      return false;
  if (least > cconv_operation_budget() / e->element / 4)
    return false;
  choose_layout(e);
  if (is_simple(e))
    return false;
  if (e->sums) {
    if (e->group == 1 && e->axis[2].stride > 2)
      return false;
    e->taps = e->axis[0].kernel * e->axis[1].kernel * e->axis[2].kernel;
    e->offsets_bytes = cc_lines(e->taps * (int64_t)sizeof(int32_t));
  } else {
    cconv_windows_passes(e);
  }
  const double operations = operations_of(e);
  choose_columns(e);
  choose_rows(e);
  choose_counts(e, cconv_operation_parts(threads, threads, operations));
  e->parts = cconv_operation_parts(threads, e->units, operations);
  const int64_t extent = cconv_windows_extent(&e->axis[2], e->columns) * e->group, es = e->element;
  const int64_t slack = 2 * extent + 4 * e->kernels->vector_length + CC_ALIGNMENT; /* read or written for nothing */
  e->stage_rows = cconv_windows_extent(&e->axis[1], e->rows);
  e->stage_line = extent;
  e->slab_rows = e->sums ? e->axis[0].kernel * e->stage_rows : e->rows;
  const int64_t staged = e->staged ? e->batch * e->axis[0].kernel * e->stage_rows * e->stage_line : 0;
  const bool in_stage = e->staged && e->sums;
  e->run_at = cc_lines((e->line + slack) * es);
  e->stage_at = e->run_at + (e->herk ? cc_lines((e->line + slack) * es) : 0);
  e->slab_at = e->stage_at + (staged ? cc_lines((staged + slack) * es) : 0);
  e->next_at = e->slab_at + (in_stage ? 0 : cc_lines((e->batch * e->slab_rows * e->line + slack) * es));
  e->result_at = e->next_at + (e->passes > 1 ? cc_lines((e->lines * e->line + slack) * es) : 0);
  e->thread_bytes = e->result_at + (e->direct ? 0 : cc_lines((e->lines * e->columns * e->group + slack) * es));
  return true;
}

int64_t cconv_windows_workspace(const cc_windows *e) { return e->offsets_bytes + e->parts * e->thread_bytes; }

/* ---------------------------------------------------------------------------- doing it */

/* n elements of what is no extreme, or of the padding that counts. */
static void fill_elements(const cc_windows *e, int64_t n, char *target) {
  e->kernels->halo_pack(&(cc_halo_pack_job){.input = target,
                                            .source = e->dtype,
                                            .channels = 1,
                                            .step = {1, 1, 1},
                                            .dilation = {1, 1, 1},
                                            .phases = {1, 1, 1},
                                            .length = {1, 1, n},
                                            .pitch = {n, n, n},
                                            .target = target,
                                            .fill = e->fill});
}

/* What stands for input indices [first, first + n) of an axis: [*low, *high) is inside. */
static void find_inside(const cc_axis *axis, int64_t first, int64_t n, int64_t *low, int64_t *high) {
  *low = cc_min(cc_max(-first, 0), n);
  *high = cc_max(*low, cc_min(cconv_windows_end(axis) - first, n));
}

/* Bring what the block looks at to lanes, one slice under a tap after the other. */
static void stage_lanes(const cc_windows *e, const cc_windows_block *b, char *stage) {
  const cc_view *in = e->input;
  const cc_axis *d = &e->axis[0], *h = &e->axis[1], *w = &e->axis[2];
  const int64_t es = e->element;
  const int64_t first[2] = {b->row * h->stride - h->before, b->column * w->stride - w->before};
  cc_lanes_job job = {.channels = b->channels,
                      .channel_stride = e->plane[0] / e->group,
                      .stride = {in->stride[CC_HEIGHT], es},
                      .size = {cconv_windows_extent(h, b->rows), b->extent},
                      .fill = e->fill,
                      .pitch = e->stage_line};
  find_inside(h, first[0], job.size[0], &job.low[0], &job.high[0]);
  find_inside(w, first[1], job.size[1], &job.low[1], &job.high[1]);
  job.used[0] = job.size[0];
  job.used[1] = job.size[1];
  const int64_t rows = job.high[0], all = job.size[0];
  const bool whole = job.low[0] == 0 && rows == all && job.low[1] == 0 && job.high[1] == w->in &&
                     job.size[1] == w->in && e->stage_line == w->in * e->group && lies_apart(in, CC_HEIGHT, w->in * es);
  for (int64_t k = 0; k < d->kernel; k++) {
    const int64_t id = index_of(d, b->od * d->stride - d->before + k * d->dilation);
    job.lanes = stage + k * e->stage_rows * e->stage_line * es;
    job.high[0] = id < 0 ? job.low[0] : rows;
    job.x = in->data + b->image * e->image[0] + b->plane * e->plane[0];
    if (id >= 0 && job.high[0] > job.low[0] && job.high[1] > job.low[1])
      job.x +=
          id * in->stride[CC_DEPTH] + (first[0] + job.low[0]) * in->stride[CC_HEIGHT] + (first[1] + job.low[1]) * es;
    cc_lanes_job slice = job;
    if (whole && id >= 0) { /* its rows are one */
      slice.size[0] = slice.high[0] = slice.used[0] = 1;
      slice.size[1] = slice.high[1] = slice.used[1] = all * w->in;
    }
    e->kernels->lanes(&slice);
  }
}

/* Pack what the block looks at, with its border. */
static void stage_block(const cc_windows *e, cc_windows_block *b) {
  const cc_view *in = e->input;
  const int64_t es = e->element;
  char *stage = b->scratch + e->stage_at;
  b->x = stage;
  b->x_plane = e->axis[0].kernel * e->stage_rows * e->stage_line * es;
  b->x_depth = e->stage_rows * e->stage_line * es;
  b->x_row = e->stage_line * es;
  if (e->lanes) {
    stage_lanes(e, b, stage);
    return;
  }
  cc_halo_pack_job job = {.source = in->dtype,
                          .channels = b->planes,
                          .channel_stride = e->plane[0],
                          .input = in->data + b->image * e->image[0] + b->plane * e->plane[0],
                          .target = stage,
                          .channel_pitch = e->axis[0].kernel * e->stage_rows * e->stage_line,
                          .fill = e->fill};
  const int64_t first[] = {b->od, b->row, b->column};
  const int64_t length[] = {e->axis[0].kernel, cconv_windows_extent(&e->axis[1], b->rows), b->extent};
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    const cc_axis *axis = &e->axis[a];
    job.stride[a] = in->stride[CC_DEPTH + a];
    job.end[a] = cconv_windows_end(axis);
    job.map[a] = axis->map;
    job.first[a] = first[a] * axis->stride - axis->before;
    job.step[a] = a ? 1 : axis->dilation; /* of slices only those that a tap looks at */
    job.dilation[a] = 1;
    job.phases[a] = 1;
    job.length[a] = length[a];
  }
  job.pitch[1] = e->stage_rows;
  job.pitch[2] = e->stage_line;
  e->kernels->halo_pack(&job);
}

static cc_windows_block block_of(const cc_windows *e, int64_t unit, char *scratch) {
  const cc_axis *h = &e->axis[1], *w = &e->axis[2];
  const int64_t column = unit % e->count[2], row = unit / e->count[2] % e->count[1];
  const int64_t outer = unit / e->count[2] / e->count[1], batches = cc_ceil_div(e->planes, e->batch);
  const int64_t batch = outer / e->axis[0].out % batches;
  cc_windows_block b = {.image = outer / e->axis[0].out / batches,
                        .plane = cc_part(e->planes, batch, batches),
                        .od = outer % e->axis[0].out,
                        .row = cc_part(h->out, row, e->count[1]),
                        .column = cc_part(w->out, column, e->count[2]),
                        .scratch = scratch};
  b.planes = cc_part(e->planes, batch + 1, batches) - b.plane;
  b.channels = cc_min(e->group, e->channels - b.plane * e->group);
  b.rows = cc_part(h->out, row + 1, e->count[1]) - b.row;
  b.columns = cc_part(w->out, column + 1, e->count[2]) - b.column;
  b.extent = cconv_windows_extent(w, b.columns);
  const int64_t first = b.column * w->stride - w->before; /* input index of column 0 */
  if (e->staged) {
    b.inside = b.extent;
    stage_block(e, &b);
  } else {
    b.low = cc_min(cc_max(-first, 0), b.extent);
    b.inside = cc_max(0, cc_min(cconv_windows_end(w) - first, b.extent) - b.low);
    const int64_t *stride = e->input->stride;
    b.x = e->input->data + b.image * e->image[0] + b.plane * e->plane[0];
    if (b.inside)
      b.x += (first + b.low) * stride[CC_WIDTH];
    b.x_plane = e->plane[0];
    b.x_depth = stride[CC_DEPTH];
    b.x_row = stride[CC_HEIGHT];
  }
  const int64_t lead = b.low * e->group * e->element; /* so that the columns inside begin a cache line */
  b.slab = scratch + (e->staged && e->sums ? e->stage_at : e->slab_at + (-lead & (CC_ALIGNMENT - 1)));
  return b;
}

const char *cconv_windows_row(const cc_windows *e, const cc_windows_block *b, int64_t k, int64_t i) {
  if (e->staged)
    return b->x + k * b->x_depth + i * b->x_row;
  const cc_axis *d = &e->axis[0], *h = &e->axis[1];
  const int64_t id = index_of(d, b->od * d->stride - d->before + k * d->dilation);
  const int64_t ih = index_of(h, b->row * h->stride - h->before + i);
  return id < 0 || ih < 0 ? NULL : b->x + id * b->x_depth + ih * b->x_row;
}

int64_t cconv_windows_alike(const cc_windows *e, const cc_windows_block *b, int64_t r, int64_t end) {
  const cc_axis *h = &e->axis[1];
  const int64_t first = (b->row + r) * h->stride - h->before; /* input index of the first row */
  const int64_t last = cconv_windows_end(h) - 1 - (h->kernel - 1) * h->dilation - first;
  if (e->staged)
    return end - r;
  return first < 0 || last < 0 ? 1 : cc_min(end - r, last / h->stride + 1);
}

char *cconv_windows_slab_row(const cc_windows *e, const cc_windows_block *b, int64_t r) {
  return b->slab + (r * e->line + b->low * e->group) * e->element;
}

/* What stands for columns outside. One block of all columns has filled its margins when it was the first. */
static void write_margins(const cc_windows *e, const cc_windows_block *b) {
  const cc_axis *w = &e->axis[2];
  const int64_t es = e->element * e->group, high = b->low + b->inside;
  const bool fills = w->map == CCONV_PADDING_CONSTANT;
  if (b->inside == b->extent || (fills && e->count[2] == 1))
    return;
  const int64_t first = b->column * w->stride - w->before;
  for (int64_t r = 0; r < b->planes * (e->sums ? e->slab_rows : b->rows); r++) {
    char *row = b->slab + r * e->line * e->element;
    if (fills) {
      memcpy(row, b->scratch, (size_t)(b->low * es));
      memcpy(row + high * es, b->scratch, (size_t)((b->extent - high) * es));
      continue;
    }
    for (int64_t i = 0; i < b->extent; i++) {
      if (i == b->low)
        i = high;
      if (i == b->extent)
        break;
      memcpy(row + i * es, row + (index_of(w, first + i) - first) * es, (size_t)es);
    }
  }
}

/* The result rows of lines [from, from + lines) from lanes to the output's planes. */
static void store_lanes(const cc_windows *e, const cc_windows_block *b, int64_t from, int64_t lines) {
  const cc_view *out = e->output;
  const int64_t es = e->element, line = e->group * es;
  const bool adjacent = b->columns == e->axis[2].out && lies_apart(out, CC_HEIGHT, b->columns * es);
  const int64_t together = adjacent ? lines : 1;
  for (int64_t i = 0; i < lines; i += together)
    e->kernels->transpose(&(cc_transpose_job){.source = b->scratch + e->result_at + i * b->columns * line,
                                              .stride = line,
                                              .rows = together * b->columns,
                                              .n = b->channels,
                                              .target = out->data + b->image * e->image[1] + b->plane * e->plane[1] +
                                                        b->od * out->stride[CC_DEPTH] +
                                                        (b->row + from + i) * out->stride[CC_HEIGHT] + b->column * es,
                                              .ldt = e->plane[1] / e->group / es});
}

/* The result rows of lines [from, from + lines) to an output of another dtype, or not contiguous. */
static void scatter_rows(const cc_windows *e, const cc_windows_block *b, int64_t from, int64_t lines) {
  const cc_view *out = e->output;
  if (e->lanes) {
    store_lanes(e, b, from, lines);
    return;
  }
  for (int64_t i = 0; i < lines; i++) {
    const int64_t p = (from + i) / b->rows, r = (from + i) % b->rows;
    e->kernels->scatter(&(cc_scatter_job){.x = b->scratch + e->result_at + i * b->columns * e->element,
                                          .rows = 1,
                                          .n = b->columns,
                                          .y = out->data + b->image * e->image[1] + (b->plane + p) * e->plane[1] +
                                               b->od * out->stride[CC_DEPTH] + (b->row + r) * out->stride[CC_HEIGHT] +
                                               b->column * out->stride[CC_WIDTH],
                                          .target = out->dtype,
                                          .y_step = out->stride[CC_WIDTH]});
  }
}

void cconv_windows_target(const cc_windows *e, const cc_windows_block *b, int64_t r, char **y, int64_t *plane,
                          int64_t *row) {
  const cc_view *out = e->output;
  if (e->direct) {
    *y = out->data + b->image * e->image[1] + b->plane * e->plane[1] + b->od * out->stride[CC_DEPTH] +
         (b->row + r) * out->stride[CC_HEIGHT] + b->column * out->stride[CC_WIDTH];
    *plane = e->plane[1];
    *row = out->stride[CC_HEIGHT];
  } else {
    *y = b->scratch + e->result_at;
    *row = b->columns * e->group * e->element;
    *plane = b->rows * *row;
  }
}

static void run_unit(void *arg, int64_t unit, bool first, int64_t part) {
  const cc_windows *e = arg;
  char *scratch = e->workspace + e->offsets_bytes + part * e->thread_bytes;
  if (first && !e->lanes) { /* of lanes none is left out */
    fill_elements(e, e->line, scratch);
    fill_elements(e, (e->next_at - e->stage_at) / e->element, scratch + e->stage_at);
  }
  const cc_windows_block b = block_of(e, unit, scratch);
  if (e->sums && !e->halves) {
    if (!e->staged) {
      cconv_windows_copy_rows(e, &b);
      write_margins(e, &b);
    }
    cconv_windows_sum(e, &b);
    if (!e->direct)
      scatter_rows(e, &b, 0, b.planes * b.rows);
    return;
  }
  if (!e->halves) {
    cconv_windows_reduce_rows(e, &b);
    write_margins(e, &b);
  }
  const int64_t lines = b.planes * b.rows, together = b.planes > 1 ? lines : e->lines;
  for (int64_t from = 0; from < lines; from += together) {
    const int64_t n = cc_min(together, lines - from);
    (e->halves ? cconv_windows_halve : cconv_windows_reduce_columns)(e, &b, from, n);
    if (!e->direct)
      scatter_rows(e, &b, from, n);
  }
}

cconv_status cconv_windows_run(cc_windows *e, const cconv_context *context, char *workspace) {
  e->workspace = workspace;
  if (e->sums)
    cconv_windows_offsets(e, (int32_t *)(void *)workspace);
  cc_run run;
  cconv_run_begin(&run, context);
  return cconv_parallel(&run, run_unit, e, e->units, e->parts);
}
