/* SPDX-License-Identifier: BSD-3-Clause
 * filter_separable.c - a weighted sum or an average across the rows of images, then another along them.
 *
 * A block of outputs is made from a slab of rows that stays in the cache: each is a sum of input rows, which are read
 * where they lie, or packed first where they do not lie as they are computed. Margins of the slab hold what stands for
 * columns outside. A second pass goes from the slab to the output.
 *
 * Law: which terms are added in which order follows from the window and the coordinates of the output alone. Averages
 * of tall windows share sums, so their blocks begin at multiples of the window's height. */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/index_map.h"
#include "base/layout.h"
#include "base/parallel.h"
#include "ops/conv_mend.h"
#include "ops/filter_separable.h"
#include "shape/axis.h"

enum {
  MOST_TAPS = 1 << 12,    /* of an axis, ... */
  MOST_WINDOW = 1 << 18,  /* ... and of the whole window, for then a slab fits */
  TALL_TAPS = 16,         /* of an average, from which on rows share sums: a window of one has as few additions */
  WIDE_TAPS = 8,          /* along a row, likewise */
  MOST_LEVELS = 6,        /* of sums of 4, 16, ... elements of a row */
  MOST_TERMS = 24,        /* three of each, and one */
  SLAB_BYTES = 32 << 10,  /* with what is read for it, it stays near */
  STAGE_BYTES = 32 << 10, /* of rows that are packed */
  LEAST_ROWS = 4,         /* that a kernel computes together */
  LEAST_COLUMNS = 64,
  UNITS_A_THREAD = 4,
  ELEMENT_OPERATIONS = 4, /* an element takes the time of so many multiply-adds beside its own */
  LEAST_TAPS = 3,         /* of an axis, for a kernel to be factored, ... */
  LEAST_WINDOW = 25,      /* ... and in all: of fewer the sums take no longer than the memory */
  LEAST_OUTPUTS = 1 << 14 /* then factoring takes no time beside them */
};

typedef struct separable {
  cc_view input, output;
  const cc_conv *conv; /* NULL for a filter */
  cc_mend mend;
  const cc_kernels *kernels;
  int32_t dtype;   /* of the arithmetic */
  cc_axis axis[2]; /* across rows, along them */
  const void *weights[2];
  double fill;
  int64_t element; /* bytes */

  bool tall, wide;     /* averages that share sums */
  bool in_place;       /* input rows are read where they lie */
  bool direct;         /* results go to the output at once */
  int64_t rows, count; /* of a block; blocks of rows */
  int64_t columns, strips;
  int64_t line, stage; /* columns of the slab; of rows that are packed together */
  int64_t units, parts;
  /* A thread's scratch, which begins with a row of fill. */
  int64_t ones_at, lines_at, slab_at, stage_at, suffixes_at, levels_at, result_at, mend_at, thread_bytes;
  char *workspace;
} separable;

/* A block of outputs of one image. */
typedef struct block {
  int64_t n;
  char *x, *y; /* the image's first element, the block's first output */
  int64_t row, rows, column, columns;
  int64_t extent;    /* columns of the slab */
  int64_t low, high; /* those that sums across rows make; what others hold is copied */
  char *scratch, *slab;
} block;

/* ---------------------------------------------------------------------------- what to do */

/* An average over one element changes nothing. */
static bool is_idle(const separable *s, int a) { return !s->weights[a] && s->axis[a].kernel == 1; }

static cconv_status validate(const cconv_separable_params *params, const cconv_tensor *input,
                             const cconv_tensor *output, const cconv_context *context, separable *s,
                             cconv_error *error) {
  if (!params || params->struct_size < sizeof *params)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "params", -1, params ? params->struct_size : 0, sizeof *params);
  if (!output)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "output", -1, 0, 1);
  const int32_t dtype = output->dtype, rank = 4;
  if (dtype != CCONV_FLOAT32 && dtype != CCONV_FLOAT64)
    return cc_fail(error, CCONV_BAD_DTYPE, "output", -1, dtype, CCONV_FLOAT32);
  *s = (separable){.dtype = dtype, .fill = params->padding_value};
  cconv_status status;
  if ((status = cconv_operation_context(context, error)) ||
      (status = cconv_operation_kernels(dtype, "output", &s->kernels, error)) ||
      (status = cconv_operation_reads(dtype, input, "input", error)) ||
      (status = cconv_view_of(input, "input", input->dtype, rank, false, &s->input, error)) ||
      (status = cconv_view_of(output, "output", dtype, rank, true, &s->output, error)) ||
      (status = cconv_operation_like("output", rank, &s->output, &s->input, error)))
    return status;
  s->element = cconv_element_size(dtype);
  for (int a = 0; a < 2; a++) {
    const int64_t kernel = params->kernel[a], before = params->pad_before[a];
    const int32_t map = params->padding_mode[a];
    const int64_t in = s->input.shape[CC_HEIGHT + a];
    if (kernel < 1)
      return cc_fail(error, CCONV_BAD_ARGUMENT, "kernel", a, kernel, 1);
    if (kernel > (a ? cc_min(MOST_TAPS, MOST_WINDOW / params->kernel[0]) : MOST_TAPS))
      return cc_fail(error, CCONV_UNSUPPORTED, "kernel", a, kernel, MOST_TAPS);
    if (before < 0 || before >= kernel)
      return cc_fail(error, CCONV_BAD_ARGUMENT, "pad_before", a, before, kernel - 1);
    if (map < CCONV_PADDING_CONSTANT || map > CCONV_PADDING_CIRCULAR)
      return cc_fail(error, CCONV_BAD_ARGUMENT, "padding_mode", a, map, CCONV_PADDING_CIRCULAR);
    s->axis[a] = (cc_axis){.in = in,
                           .out = in,
                           .kernel = kernel,
                           .stride = 1,
                           .dilation = 1,
                           .before = before,
                           .after = kernel - 1 - before,
                           .map = map,
                           .end = in};
    s->weights[a] = params->weights[a];
  }
  return CCONV_OK;
}

/* Do an image's rows lie as they are computed? The stride of a single place says nothing. */
static bool lies_in_rows(const separable *s, const cc_view *view) {
  return view->dtype == s->dtype && (view->shape[CC_WIDTH] == 1 || view->stride[CC_WIDTH] == s->element);
}

/* Rows and columns of a block. */
static void choose_blocks(separable *s, int64_t threads) {
  const cc_axis *h = &s->axis[0], *w = &s->axis[1];
  const int64_t es = s->element, margin = w->kernel - 1, budget = cconv_operation_budget() / es;
  const int64_t images = s->input.shape[CC_BATCH] * s->input.shape[CC_CHANNEL];
  const int64_t wanted = threads > 1 ? cc_max(1, cc_ceil_div(UNITS_A_THREAD * threads, images)) : 1;
  const int64_t tallest = s->tall ? h->kernel : LEAST_ROWS;
  const int64_t least = cc_max(LEAST_COLUMNS, margin);
  const int64_t room = s->tall ? budget / cc_min(tallest, h->out) : is_idle(s, 0) ? budget / 32 : budget / 16;
  s->columns = cc_min(w->out, cc_max(least, room - margin));
  s->rows = tallest;
  if (!s->tall) {
    int64_t most = SLAB_BYTES / es / (s->columns + margin);
    if (!lies_in_rows(s, &s->input)) /* rows under two blocks are packed twice: more for tall windows */
      most = cc_max(most, cc_min(4 * h->kernel, budget / 4 / (s->columns + margin)));
    s->rows = cc_max(LEAST_ROWS, cc_min(most, cc_ceil_div(h->out, wanted)) / LEAST_ROWS * LEAST_ROWS);
  }
  s->rows = cc_min(s->rows, h->out);
  s->count = cc_ceil_div(h->out, s->rows);
  s->strips = cc_ceil_div(w->out, s->columns);
  if (s->count * s->strips < wanted) /* threads would idle */
    s->strips = cc_max(s->strips, cc_min(cc_ceil_div(w->out, least), cc_ceil_div(wanted, s->count)));
  s->columns = cc_ceil_div(w->out, s->strips);
  s->line = s->columns + margin;
  s->units = images * s->count * s->strips;
}

/* Are sums all that the output wants? */
static bool wants_sums(const separable *s) {
  const cc_conv *conv = s->conv;
  return !conv || (!conv->bias && !conv->residual.data && conv->activation == CCONV_ACTIVATION_NONE);
}

static void prepare(separable *s, int64_t threads) {
  const cc_axis *h = &s->axis[0], *w = &s->axis[1];
  const int64_t es = s->element, vector = s->kernels->vector_length;
  s->tall = !s->weights[0] && h->kernel >= TALL_TAPS;
  s->wide = !s->weights[1] && w->kernel >= WIDE_TAPS;
  double operations = ELEMENT_OPERATIONS + (double)cc_min(h->kernel, s->tall ? TALL_TAPS : h->kernel) +
                      (double)cc_min(w->kernel, s->wide ? TALL_TAPS : w->kernel);
  for (int a = 0; a < CCONV_MAX_RANK; a++)
    operations *= (double)s->output.shape[a];
  choose_blocks(s, cconv_operation_parts(threads, threads, operations));
  s->parts = cconv_operation_parts(threads, s->units, operations);
  /* What stands for a column outside lies in the same block, if it is the only one. */
  s->in_place = !is_idle(s, 0) && lies_in_rows(s, &s->input) && (s->strips == 1 || w->map == CCONV_PADDING_CONSTANT);
  s->direct = lies_in_rows(s, &s->output) && wants_sums(s);
  const int64_t inputs = s->rows + h->kernel - 1, slack = 2 * vector;
  s->stage = cc_max(cc_min(LEAST_COLUMNS, s->line), cc_min(s->line, STAGE_BYTES / es / inputs));
  s->ones_at = cc_lines((s->line + slack) * es);
  s->lines_at = s->ones_at + cc_lines(TALL_TAPS * es);
  s->slab_at = s->lines_at + cc_lines(inputs * (int64_t)sizeof(char *));
  s->stage_at = s->slab_at + cc_lines((s->rows * s->line + slack) * es);
  s->suffixes_at = s->stage_at + (s->in_place || is_idle(s, 0) ? 0 : cc_lines((inputs * s->stage + slack) * es));
  s->levels_at = s->suffixes_at + (s->tall ? cc_lines(s->rows * 8 * vector * es) : 0);
  s->result_at = s->levels_at + (s->wide ? MOST_LEVELS * cc_lines((s->line + slack) * es) : 0);
  s->mend_at = s->result_at + (s->direct ? 0 : cc_lines((s->rows * s->columns + slack) * es));
  s->thread_bytes = s->mend_at + s->mend.bytes;
}

/* ---------------------------------------------------------------------------- doing it */

/* Columns [from, to) of the slab, and `rows` rows from the block's first window on, as they are in the input. */
static void pack(const separable *s, const block *b, int64_t from, int64_t to, int64_t rows, char *target,
                 int64_t pitch) {
  const cc_axis *h = &s->axis[0], *w = &s->axis[1];
  s->kernels->halo_pack(&(cc_halo_pack_job){.input = b->x,
                                            .source = s->input.dtype,
                                            .channels = 1,
                                            .stride = {0, s->input.stride[CC_HEIGHT], s->input.stride[CC_WIDTH]},
                                            .end = {1, h->in, w->in},
                                            .first = {0, b->row - h->before, b->column - w->before + from},
                                            .step = {1, 1, 1},
                                            .dilation = {1, 1, 1},
                                            .phases = {1, 1, 1},
                                            .length = {1, rows, to - from},
                                            .map = {CCONV_PADDING_CONSTANT, h->map, w->map},
                                            .target = target,
                                            .pitch = {0, rows, pitch},
                                            .fill = s->fill});
}

/* Input row i, counted from the block's first window on, where it lies. */
static const char *row_in_place(const separable *s, const block *b, int64_t i) {
  const cc_axis *h = &s->axis[0];
  int64_t ih = b->row - h->before + i;
  if (ih < 0 || ih >= h->in) {
    if (h->map == CCONV_PADDING_CONSTANT)
      return b->scratch;
    ih = cc_index_map(h->map, ih, h->in);
  }
  return b->x + ih * s->input.stride[CC_HEIGHT] + (b->column - s->axis[1].before + b->low) * s->element;
}

/* Sums across rows: columns [low, high) of the slab, or of the output, whose element 0 is at y. */
static void sum_rows(const separable *s, const block *b, char *y, int64_t y_row) {
  const int64_t es = s->element, taps = s->axis[0].kernel, inputs = b->rows + taps - 1;
  const char **lines = (const char **)(void *)(b->scratch + s->lines_at);
  cc_filter_rows_job job = {.x = lines,
                            .w = s->weights[0] ? s->weights[0] : b->scratch + s->ones_at,
                            .taps = taps,
                            .rows = b->rows,
                            .divisor = s->weights[0] ? 0 : (double)taps,
                            .y_row = y_row,
                            .suffixes = b->scratch + s->suffixes_at};
  char *stage = b->scratch + s->stage_at;
  const int64_t most = s->in_place ? b->high - b->low : s->stage;
  for (int64_t c = b->low; c < b->high; c += job.n) {
    job.n = cc_min(most, b->high - c);
    if (!s->in_place)
      pack(s, b, c, c + job.n, inputs, stage, job.n);
    for (int64_t i = 0; i < inputs; i++)
      lines[i] = s->in_place ? row_in_place(s, b, i) : stage + i * job.n * es;
    job.y = y + c * es;
    (s->tall ? s->kernels->filter_means : s->kernels->filter_rows)(&job);
  }
}

/* What stands for the columns outside. */
static void write_margins(const separable *s, const block *b) {
  const cc_axis *w = &s->axis[1];
  const int64_t es = s->element, first = b->column - w->before; /* the input's column under the slab's first */
  for (int64_t r = 0; r < b->rows; r++) {
    char *row = b->slab + r * s->line * es;
    if (w->map == CCONV_PADDING_CONSTANT) {
      memcpy(row, b->scratch, (size_t)(b->low * es));
      memcpy(row + b->high * es, b->scratch, (size_t)((b->extent - b->high) * es));
      continue;
    }
    for (int64_t i = 0; i < b->extent; i++) {
      if (i == b->low)
        i = b->high;
      if (i < b->extent)
        memcpy(row + i * es, row + (cc_index_map(w->map, first + i, w->in) - first) * es, (size_t)es);
    }
  }
}

/* An average over a wide window: sums of 4, 16, ... neighbours, each of four of the ones before, then as few of them as
 * make a window, the widest first. */
static void average_wide(const separable *s, const block *b, cc_filter_line_job job) {
  const int64_t es = s->element, kernel = s->axis[1].kernel;
  const int64_t pitch = cc_lines((s->line + 2 * s->kernels->vector_length) * es);
  int32_t off[MOST_TERMS];
  char *y = job.y;
  job.off = off;
  job.rows = 1;
  cc_filter_line_job sums = job;
  sums.terms = 4;
  sums.divisor = 0;
  for (int64_t r = 0; r < b->rows; r++) {
    char *row = b->slab + r * s->line * es, *levels = b->scratch + s->levels_at;
    int64_t width = 1;
    sums.x = row;
    for (int l = 0; 4 * width <= kernel; l++, width *= 4) {
      for (int i = 0; i < 4; i++)
        off[i] = (int32_t)(i * width);
      sums.n = b->extent - 4 * width + 1;
      sums.y = levels + l * pitch;
      s->kernels->filter_line(&sums);
      sums.x = sums.y;
    }
    const char *level = sums.x;
    job.terms = 0;
    for (int64_t at = 0; at < kernel; at += width) {
      for (; at + width > kernel; width /= 4)
        level = width == 4 ? row : level - pitch;
      off[job.terms++] = (int32_t)((level - row) / es + at);
    }
    job.x = row;
    job.y = y + r * job.y_row;
    s->kernels->filter_line(&job);
  }
}

/* Sums along rows, from the slab to y. */
static void sum_along(const separable *s, const block *b, char *y, int64_t y_row) {
  const int64_t taps = s->axis[1].kernel;
  const bool average = !s->weights[1];
  int32_t off[WIDE_TAPS];
  cc_filter_line_job job = {.x = b->slab,
                            .w = s->weights[1],
                            .off = off,
                            .terms = taps,
                            .rows = b->rows,
                            .n = b->columns,
                            .x_row = s->line,
                            .divisor = average && taps > 1 ? (double)taps : 0,
                            .y = y,
                            .y_row = y_row};
  if (s->wide) {
    average_wide(s, b, job);
    return;
  }
  for (int64_t t = 0; average && t < taps; t++)
    off[t] = (int32_t)t;
  s->kernels->filter_line(&job);
}

static block block_of(const separable *s, int64_t unit, char *scratch) {
  const cc_axis *w = &s->axis[1];
  const int64_t strip = unit % s->strips, image = unit / s->strips / s->count;
  const int64_t channels = s->input.shape[CC_CHANNEL], n = image / channels, c = image % channels;
  const int64_t *out = s->output.stride;
  block b = {.n = n,
             .row = unit / s->strips % s->count * s->rows,
             .column = cc_part(w->out, strip, s->strips),
             .scratch = scratch,
             .slab = scratch + s->slab_at};
  b.x = s->input.data + n * s->input.stride[CC_BATCH] + c * s->input.stride[CC_CHANNEL];
  b.y = s->output.data + n * out[CC_BATCH] + c * out[CC_CHANNEL] + b.row * out[CC_HEIGHT] + b.column * out[CC_WIDTH];
  b.rows = cc_min(s->rows, s->axis[0].out - b.row);
  b.columns = cc_part(w->out, strip + 1, s->strips) - b.column;
  b.extent = b.columns + w->kernel - 1;
  b.high = b.extent;
  if (s->in_place || w->map == CCONV_PADDING_CONSTANT) {
    const int64_t first = b.column - w->before;
    b.low = cc_min(cc_max(0, -first), b.extent);
    b.high = cc_max(b.low, cc_min(b.extent, w->in - first));
  }
  return b;
}

static void fill_row(const separable *s, char *target, int64_t n, double value) {
  s->kernels->halo_pack(&(cc_halo_pack_job){.input = target,
                                            .source = s->dtype,
                                            .channels = 1,
                                            .step = {1, 1, 1},
                                            .dilation = {1, 1, 1},
                                            .phases = {1, 1, 1},
                                            .length = {1, 1, n},
                                            .target = target,
                                            .fill = value});
}

/* From sums of a convolution to its output. */
static void store_sums(const separable *s, const block *b, char *sums) {
  const cc_conv *conv = s->conv;
  const int64_t *add = conv->residual.stride;
  cconv_conv_store(conv, &(cc_conv_rows){.slab = sums,
                                         .lds = b->columns,
                                         .rows = b->rows,
                                         .n = b->columns,
                                         .bias = conv->bias,
                                         .y = b->y,
                                         .y_stride = s->output.stride[CC_HEIGHT],
                                         .residual = conv->residual.data
                                                         ? conv->residual.data + b->n * add[CC_BATCH] +
                                                               b->row * add[CC_HEIGHT] + b->column * add[CC_WIDTH]
                                                         : NULL,
                                         .residual_stride = add[CC_HEIGHT]});
}

static void run_unit(void *arg, int64_t unit, bool first, int64_t part) {
  const separable *s = arg;
  char *scratch = s->workspace + part * s->thread_bytes;
  const block b = block_of(s, unit, scratch);
  if (first) {
    if (s->columns < s->kernels->vector_length) /* then a vector is more than a row, and garbage may be denormal */
      memset(scratch, 0, (size_t)s->thread_bytes);
    fill_row(s, scratch, s->line, s->fill);
    fill_row(s, scratch + s->ones_at, TALL_TAPS, 1);
  }
  const bool only_rows = is_idle(s, 1) && !is_idle(s, 0); /* then there is no slab */
  char *y = s->direct ? b.y : scratch + s->result_at;
  const int64_t y_row = s->direct ? s->output.stride[CC_HEIGHT] : b.columns * s->element;
  if (is_idle(s, 0)) {
    pack(s, &b, 0, b.extent, b.rows, b.slab, s->line);
  } else if (only_rows) {
    sum_rows(s, &b, y, y_row);
  } else {
    sum_rows(s, &b, b.slab, s->line * s->element);
    write_margins(s, &b);
  }
  if (!only_rows)
    sum_along(s, &b, y, y_row);
  if (s->conv)
    cconv_mend(
        s->conv, &s->mend,
        &(cc_sums){.n = b.n, .from = {b.row, b.column}, .rows = b.rows, .columns = b.columns, .y = y, .y_row = y_row},
        scratch + s->mend_at);
  if (s->conv && !s->direct) {
    store_sums(s, &b, y);
    return;
  }
  for (int64_t r = 0; r < b.rows && !s->direct; r++)
    s->kernels->scatter(&(cc_scatter_job){.x = y + r * y_row,
                                          .rows = 1,
                                          .n = b.columns,
                                          .y = b.y + r * s->output.stride[CC_HEIGHT],
                                          .target = s->output.dtype,
                                          .y_step = s->output.stride[CC_WIDTH]});
}

cconv_status cconv_filter_separable_workspace(const cconv_separable_params *params, const cconv_tensor *input,
                                              const cconv_tensor *output, const cconv_context *context, size_t *bytes,
                                              cconv_error *error) {
  separable s;
  const cconv_status status = validate(params, input, output, context, &s, error);
  if (status)
    return status;
  if (!bytes)
    return cc_fail(error, CCONV_BAD_ARGUMENT, "bytes", -1, 0, 1);
  *bytes = CC_ALIGNMENT;
  if (!cconv_view_is_empty(&s.output)) {
    prepare(&s, context->num_threads);
    *bytes += (size_t)(s.parts * s.thread_bytes);
  }
  return CCONV_OK;
}

cconv_status cconv_filter_separable(const cconv_separable_params *params, const cconv_tensor *input,
                                    const cconv_tensor *output, const cconv_context *context, void *workspace,
                                    size_t bytes, cconv_error *error) {
  separable s;
  cconv_status status = validate(params, input, output, context, &s, error);
  if (status || cconv_view_is_empty(&s.output))
    return status;
  prepare(&s, context->num_threads);
  if ((status =
           cconv_operation_workspace(workspace, bytes, s.parts * s.thread_bytes + CC_ALIGNMENT, &s.workspace, error)))
    return status;
  cc_run run;
  cconv_run_begin(&run, context);
  return cconv_parallel(&run, run_unit, &s, s.units, s.parts);
}

/* ---------------------------------------------------------------------------- convolutions */

bool cconv_separable_fits(const cc_conv *conv) {
  const cc_conv_shape *shape = &conv->shape;
  const cc_axis *slices = &shape->axis[0];
  if (conv->algorithm != CCONV_ALGORITHM_AUTO || !cconv_is_floating(conv->dtype) || shape->groups != 1 ||
      shape->ic != 1 || shape->oc != 1 || slices->in != 1 || slices->out != 1 || slices->kernel != 1 ||
      slices->before != 0 || shape->taps < LEAST_WINDOW || conv->padding_value != 0) /* each pass would pad with it */
    return false;
  for (int a = 1; a < CCONV_MAX_SPATIAL; a++) {
    const cc_axis *axis = &shape->axis[a];
    if (axis->kernel < LEAST_TAPS || axis->kernel > CC_SEPARABLE_TAPS || axis->stride != 1 || axis->dilation != 1 ||
        axis->before < 0 || axis->after < 0)
      return false;
  }
  return (double)shape->axis[1].out * (double)shape->axis[2].out >= LEAST_OUTPUTS;
}

/* Where a run's factors, dense weights and scratch of threads begin. */
static int64_t dense_at(void) { return cc_lines(CC_FACTORS_BYTES); }

static int64_t scratch_at(const cc_conv *conv) {
  return dense_at() + (conv->weight.in_place ? 0 : cc_lines(conv->shape.taps * conv->element));
}

bool cconv_separable_factor(const cc_conv *conv, char *scratch) {
  const cc_axis *axis = conv->shape.axis;
  const cc_chunk whole = {.channels = 1, .taps = {1, axis[1].kernel, axis[2].kernel}, .terms = conv->shape.taps};
  /* The sums themselves err by as much again. */
  const double tolerance = conv->dtype == CCONV_FLOAT32 ? 3 * 0x1p-23 : 3 * 0x1p-52;
  return conv->kernels->factor(
      &(cc_factor_job){.w = cconv_conv_weights(conv, 0, 0, 1, &whole, scratch + dense_at()).data,
                       .rows = axis[1].kernel,
                       .columns = axis[2].kernel,
                       .tolerance = tolerance,
                       .u = scratch,
                       .v = scratch + CC_FACTORS_BYTES / 2});
}

static void take_conv(const cc_conv *conv, int64_t threads, char *factors, separable *s) {
  *s = (separable){.input = conv->input,
                   .output = conv->output,
                   .conv = conv,
                   .kernels = conv->kernels,
                   .dtype = conv->dtype,
                   .axis = {conv->shape.axis[1], conv->shape.axis[2]},
                   .weights = {factors, factors + CC_FACTORS_BYTES / 2},
                   .fill = conv->padding_value,
                   .element = conv->element};
  cconv_mend_prepare(conv, &s->mend);
  prepare(s, threads);
}

int64_t cconv_separable_workspace(const cc_conv *conv, int64_t threads) {
  char factors[CC_FACTORS_BYTES];
  separable s;
  take_conv(conv, threads, factors, &s);
  return scratch_at(conv) + s.parts * s.thread_bytes;
}

cconv_status cconv_separable_run(const cc_conv *conv, int64_t threads, cc_run *run, char *workspace) {
  separable s;
  take_conv(conv, threads, workspace, &s);
  s.workspace = workspace + scratch_at(conv);
  return cconv_parallel(run, run_unit, &s, s.units, s.parts);
}

void cconv_separable_describe(const cc_conv *conv, int64_t threads, cconv_plan_info *info) {
  char factors[CC_FACTORS_BYTES] __attribute__((aligned(CC_ALIGNMENT)));
  separable s;
  if (!cconv_separable_factor(conv, factors))
    return;
  take_conv(conv, threads, factors, &s);
  info->algorithm = "separable";
  info->threads = (int32_t)s.parts;
  info->passes = 2;
  info->chunks = 1;
  info->rows = 1;
  info->blocks[0] = info->block[0] = 1;
  info->blocks[1] = s.count;
  info->block[1] = s.rows;
  info->blocks[2] = s.strips;
  info->block[2] = s.columns;
}
