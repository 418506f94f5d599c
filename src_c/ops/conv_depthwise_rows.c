/* SPDX-License-Identifier: BSD-3-Clause
 * conv_depthwise_rows.c - depthwise convolution of floating dtypes over packed rows of inputs.
 *
 * Law: a piece of work is one block of one slice of outputs, of as many channels as fit the level 1 cache, or of one
 * in each lane where channels lie side by side. Its rows of inputs are packed once, its sums made in registers and
 * written where they belong; only what needs more than bias and bounds goes through a slab. */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/layout.h"
#include "ops/conv_depthwise.h"

enum {
  PACKED_BYTES = 24 << 10, /* of a piece: half of a level 1 cache, for outputs and weights live there too */
  LEAST_COLUMNS = 256,     /* of a block, where there are as many: of narrower ones much is border */
  PACK_COST = 4,           /* multiply-adds that take the time of packing one element */
  TILE_ROWS = 4,           /* a kernel computes so many, though fewer are written */
  MOST_TAPS = 64,          /* of an axis: with these three no size overflows */
  MOST_STEP = 2,           /* from row to row: with longer ones there is little to share */
  MOST_OUTPUTS = 1 << 20,
  UNITS_A_THREAD = 16
};

/* What prepare() works out; a run adds the convolution and the workspace. */
typedef struct depthwise_rows {
  const cc_conv *conv;
  int64_t lane;                                        /* elements of a pixel: 1, or VL channels */
  int64_t tile;                                        /* rows that the kernel sums at once: blocks have whole ones */
  int64_t rows, columns, row_blocks, column_blocks;    /* of outputs of a block */
  int64_t slices;                                      /* of outputs of an image */
  int64_t length, pitch, slice, phases, phase, packed; /* of packed rows: see pack(); the last of a channel */
  int64_t channels, channel_blocks;                    /* of a piece */
  int64_t pieces, units, parts;
  int64_t slab;                                  /* bytes of an output channel's */
  int64_t slab_at, turned_at, panel_at, bias_at; /* a thread's scratch: packed rows, slabs, weights, bias */
  int64_t thread_bytes, offsets_bytes;
  bool direct; /* sums go straight to the output */
  char *workspace;
} depthwise_rows;

_Static_assert(sizeof(depthwise_rows) <= CC_WORK_STATE, "a driver's struct must fit");

static bool fits(const cc_conv *conv) {
  const cc_axis *axis = conv->shape.axis;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    if (axis[a].kernel > MOST_TAPS || (a > 0 && (axis[a].stride > MOST_STEP || axis[a].out > MOST_OUTPUTS)))
      return false;
  return conv->kernels->depthwise_lanes && axis[1].kernel > 1 && axis[1].kernel >= axis[1].stride &&
         axis[1].dilation == 1 && axis[1].out > 1 && axis[2].dilation <= MOST_TAPS;
}

/* Do channels lie side by side, enough of them for the lanes? A part of a vector costs more without masks. */
static bool is_side_by_side(const cc_conv *conv) {
  const int64_t es = conv->element, *stride = conv->input.stride, vector = conv->kernels->vector_length;
  return conv->shape.oc == 1 && conv->input.dtype == conv->dtype && stride[CC_CHANNEL] == es &&
         stride[CC_WIDTH] != es && conv->shape.groups >= (conv->kernels->depthwise_rows ? vector / 2 : 4 * vector);
}

/* Sizes of the packed rows of blocks of so many rows and columns of outputs; bytes of them. */
static int64_t lay_out(const cc_conv *conv, int64_t rows, int64_t columns, depthwise_rows *d) {
  const cc_axis *a = conv->shape.axis;
  const int64_t vector = conv->kernels->vector_length;
  d->rows = rows;
  d->columns = columns;
  d->length = columns + (a[2].kernel - 1) * a[2].dilation / a[2].stride;
  d->pitch = d->lane > 1 ? d->length * d->lane : cc_ceil_div(d->length, vector) * vector;
  d->slice = ((rows - 1) * a[1].stride + a[1].kernel) * d->pitch;
  d->phases = cc_min(a[2].kernel, cconv_axis_period(&a[2]));
  /* Behind the last row what tiles read for rows that are not, and a vector. */
  d->phase = a[0].kernel * d->slice + cc_max(0, TILE_ROWS - rows) * a[1].stride * d->pitch + vector;
  d->packed = cc_lines(d->phases * d->phase * conv->element);
  return d->packed;
}

/* Rows of outputs that the kernel sums at once. */
static int64_t tile_of(const cc_conv *conv, bool lanes) {
  const cc_axis *a = conv->shape.axis;
  const bool square = !lanes && a[0].kernel == 1 && a[1].kernel == a[2].kernel && a[1].stride == 1 &&
                      a[2].stride == 1 && a[2].dilation == 1 && (a[1].kernel == 5 || a[1].kernel == 7);
  return square && conv->kernels->depthwise_square ? conv->kernels->depthwise_square
         : a[1].kernel >= 3 * a[1].stride          ? TILE_ROWS
                                                   : TILE_ROWS / 2;
}

/* The block whose outputs cost least: rows under two blocks are packed twice, and a tile that is cut is computed
 * whole. */
static void choose_block(const cc_conv *conv, depthwise_rows *d) {
  const cc_axis *a = conv->shape.axis;
  const int64_t vector = d->lane > 1 ? 1 : conv->kernels->vector_length, out = a[1].out;
  const int64_t least = cc_max(1, LEAST_COLUMNS / d->lane), taps = a[0].kernel * a[1].kernel * a[2].kernel;
  double lowest = HUGE_VAL;
  int64_t best[2] = {out, a[2].out};
  for (int64_t columns = a[2].out;; columns = cc_max(least, cc_ceil_div(columns, 2))) {
    int64_t tiles = 1; /* as many as fit */
    for (int64_t most = cc_ceil_div(out, d->tile); tiles < most;) {
      const int64_t middle = most - (most - tiles) / 2;
      if (lay_out(conv, cc_min(middle * d->tile, out), columns, d) <= PACKED_BYTES)
        tiles = middle;
      else
        most = middle - 1;
    }
    const int64_t summed_rows = tiles * d->tile, rows = cc_min(summed_rows, out);
    lay_out(conv, rows, columns, d);
    const double packed = (double)d->phases * (double)a[0].kernel * (double)d->slice / (double)d->lane;
    const double summed = (double)summed_rows * (double)(cc_ceil_div(columns, vector) * vector) * (double)taps;
    const double cost = (PACK_COST * packed + summed) / ((double)rows * (double)columns);
    if (cost < lowest && (d->packed <= PACKED_BYTES || columns <= least)) {
      lowest = cost;
      best[0] = rows;
      best[1] = columns;
    }
    if (columns <= least)
      break;
  }
  d->rows = best[0];
  d->columns = best[1];
}

bool cconv_depthwise_rows_prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work) {
  depthwise_rows *d = (depthwise_rows *)(void *)work->state;
  const cc_conv_shape *shape = &conv->shape;
  const cc_axis *axis = shape->axis;
  const int64_t es = conv->element, vector = conv->kernels->vector_length;
  const int64_t slices = shape->n * axis[0].out, taps = axis[0].kernel * axis[1].kernel * axis[2].kernel;
  if (!fits(conv))
    return false;
  const bool lanes = is_side_by_side(conv);
  /* Three rows are computed as four, and few columns fill no vector: positions across rows do. */
  if (!lanes && (!conv->kernels->depthwise_rows || axis[1].out == 3 || axis[2].out * 3 <= vector))
    return false;
  *d = (depthwise_rows){.lane = lanes ? vector : 1, .slices = axis[0].out, .tile = tile_of(conv, lanes)};
  d->direct = cconv_conv_is_simple(conv) &&
              (conv->output.stride[lanes ? CC_CHANNEL : CC_WIDTH] == es || (!lanes && axis[2].out == 1));

  choose_block(conv, d);
  const int64_t tiles = cc_ceil_div(axis[1].out, d->tile);
  d->row_blocks = cc_ceil_div(axis[1].out, d->rows);
  d->column_blocks = cc_ceil_div(axis[2].out, d->columns);
  const double operations = CC_DEPTHWISE_COST * cconv_conv_operations(conv);
  threads = cconv_operation_parts(threads, threads, operations);
  const int64_t channels = lanes ? cc_ceil_div(shape->groups, vector) : shape->groups;
  const int64_t wanted = 4 * threads, have = cc_max(1, slices * channels * d->column_blocks);
  if (threads > 1 && have * d->row_blocks < wanted)
    d->row_blocks = cc_max(d->row_blocks, cc_min(tiles, cc_ceil_div(wanted, have)));
  lay_out(conv, cc_min(axis[1].out, cc_ceil_div(tiles, d->row_blocks) * d->tile),
          cc_ceil_div(axis[2].out, d->column_blocks), d);

  const int64_t most = lanes ? vector : cc_max(1, PACKED_BYTES / d->packed);
  d->channel_blocks = cc_ceil_div(shape->groups, most);
  if (!lanes && d->channel_blocks * slices * d->row_blocks * d->column_blocks < wanted)
    d->channel_blocks = cc_min(shape->groups, wanted);
  d->channels = lanes ? vector : cc_ceil_div(shape->groups, d->channel_blocks);
  d->pieces = slices * d->channel_blocks * d->row_blocks * d->column_blocks;
  d->units = cc_min(d->pieces, UNITS_A_THREAD * threads);
  d->parts = cconv_operation_parts(threads, d->units, operations);

  /* Slabs are there whether this call needs them or not: a workspace may serve any activation and residual. A store
   * reads a vector from the last element on. */
  const int64_t row = lanes ? d->columns : cc_ceil_div(d->columns, vector) * vector;
  d->slab = (d->rows * row + vector) * es;
  d->offsets_bytes = cc_lines(axis[2].kernel * (int64_t)sizeof(int32_t));
  d->slab_at = (lanes ? 1 : d->channels) * d->packed;
  d->turned_at = d->slab_at + cc_lines(d->channels * shape->oc * d->slab);
  d->panel_at = d->turned_at + (lanes ? cc_lines(vector * d->slab) : 0);
  d->bias_at = d->panel_at + (conv->weight.in_place && !lanes ? 0 : cc_lines(d->channels * shape->oc * taps * es));
  d->thread_bytes = d->bias_at + (lanes ? cc_lines(vector * es) : 0);
  work->parts = d->parts;
  work->workspace = d->offsets_bytes + d->parts * d->thread_bytes;
  if (d->offsets_bytes + d->thread_bytes > cconv_operation_budget() - CC_ALIGNMENT)
    return false;
  work->driver = &cconv_depthwise_rows;
  return true;
}

/* A piece of work: channels [g, g + channels) of slice od of the outputs of image n, in a block of rows and columns. */
typedef struct piece {
  int64_t n, g, channels, od, oh, rows, ow, columns;
} piece;

static piece piece_of(const depthwise_rows *d, int64_t index) {
  const cc_conv_shape *shape = &d->conv->shape;
  const cc_axis *axis = shape->axis;
  piece p;
  const int64_t j = index % d->column_blocks;
  index /= d->column_blocks;
  const int64_t i = index % d->row_blocks;
  index /= d->row_blocks;
  const int64_t tiles = cc_ceil_div(axis[1].out, d->tile);
  p.oh = cc_part(tiles, i, d->row_blocks) * d->tile;
  p.rows = cc_min(axis[1].out, cc_part(tiles, i + 1, d->row_blocks) * d->tile) - p.oh;
  p.ow = cc_part(axis[2].out, j, d->column_blocks);
  p.columns = cc_part(axis[2].out, j + 1, d->column_blocks) - p.ow;
  p.od = index % axis[0].out;
  index /= axis[0].out;
  const int64_t k = index % d->channel_blocks;
  p.n = index / d->channel_blocks;
  if (d->lane > 1) { /* whole vectors of them but for the last */
    p.g = k * d->channels;
    p.channels = cc_min(d->channels, shape->groups - p.g);
  } else {
    p.g = cc_part(shape->groups, k, d->channel_blocks);
    p.channels = cc_part(shape->groups, k + 1, d->channel_blocks) - p.g;
  }
  return p;
}

/* Rows of inputs behind each other, split by the stride's phases of the columns: pixel w of phase l, slice d and row h
 * is at l phase + d slice + h pitch + w lane. */
static void pack(const depthwise_rows *d, const piece *p, char *target) {
  const cc_conv *conv = d->conv;
  const cc_axis *axis = conv->shape.axis;
  const cc_view *x = &conv->input;
  cc_halo_pack_job job = {
      .input = x->data + p->n * x->stride[CC_BATCH] + p->g * x->stride[CC_CHANNEL],
      .source = x->dtype,
      .channels = p->channels,
      .channel_stride = x->stride[CC_CHANNEL],
      .first = {p->od * axis[0].stride - axis[0].before, p->oh * axis[1].stride - axis[1].before,
                p->ow * axis[2].stride - axis[2].before},
      .step = {axis[0].dilation, 1, axis[2].stride},
      .dilation = {1, 1, axis[2].dilation},
      .phases = {1, 1, d->phases},
      .length = {axis[0].kernel, (p->rows - 1) * axis[1].stride + axis[1].kernel,
                 p->columns + (axis[2].kernel - 1) * axis[2].dilation / axis[2].stride},
      .target = target,
      .pitch = {0, d->slice / d->pitch, d->pitch},
      .phase_pitch = d->phase,
      .channel_pitch = d->packed / conv->element,
      .fill = conv->padding_value,
  };
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    job.stride[a] = x->stride[CC_DEPTH + a];
    job.end[a] = axis[a].map == CCONV_PADDING_CONSTANT ? axis[a].end : axis[a].in;
    job.map[a] = axis[a].map;
  }
  if (d->lane > 1)
    conv->kernels->depthwise_pack_lanes(&job, p->channels);
  else
    conv->kernels->depthwise_pack(&job);
}

static char *output_of(const cc_view *view, const piece *p, int64_t c) {
  const int64_t *stride = view->stride;
  return view->data + p->n * stride[CC_BATCH] + c * stride[CC_CHANNEL] + p->od * stride[CC_DEPTH] +
         p->oh * stride[CC_HEIGHT] + p->ow * stride[CC_WIDTH];
}

/* The weights of a piece's channels, where they are or packed: [channel][output][taps], or [taps][lane]. Elements from
 * channel to channel and from output to output. */
static const char *weights_of(const depthwise_rows *d, const piece *p, char *panel, int64_t *next, int64_t *out) {
  const cc_conv *conv = d->conv;
  const cc_axis *axis = conv->shape.axis;
  const cc_weight *w = &conv->weight;
  const char *from = w->data + p->g * w->group;
  const int64_t kd = axis[0].kernel, kh = axis[1].kernel, kw = axis[2].kernel, taps = kd * kh * kw;
  if (d->lane == 1 && w->in_place) {
    *next = w->group / conv->element;
    *out = w->out / conv->element;
    return from;
  }
  *next = conv->shape.oc * taps;
  *out = taps;
  cc_weight_pack_job job = {.weight = from,
                            .source = w->dtype,
                            .count = {p->channels, conv->shape.oc, kd, kh, kw},
                            .stride = {w->group, w->out, w->tap[0], w->tap[1], w->tap[2]},
                            .target = panel};
  if (d->lane > 1)
    job = (cc_weight_pack_job){.weight = from,
                               .source = w->dtype,
                               .count = {1, kd, kh, kw, p->channels},
                               .stride = {0, w->tap[0], w->tap[1], w->tap[2], w->group},
                               .target = panel};
  conv->kernels->weight_pack(&job);
  /* Of fewer channels than lanes the rows are spread, the last first. */
  const int64_t row = p->channels * conv->element;
  for (int64_t k = taps - 1; d->lane > p->channels && k > 0; k--)
    memmove(panel + k * d->lane * conv->element, panel + k * row, (size_t)row);
  return panel;
}

/* Elements from row to row of a slab of positions. */
static int64_t slab_pitch(const depthwise_rows *d, const piece *p) {
  const int64_t vector = d->conv->kernels->vector_length;
  return cc_ceil_div(p->columns, vector) * vector;
}

/* From the slab of sums to the output; those of lanes are turned to rows on the way. */
static void store(const depthwise_rows *d, const piece *p, char *scratch) {
  const cc_conv *conv = d->conv;
  const int64_t oc = conv->shape.oc, es = conv->element, pixel = d->lane * es;
  const bool lanes = d->lane > 1;
  char *slabs = scratch + (lanes ? d->turned_at : d->slab_at);
  if (lanes)
    conv->kernels->weight_pack(&(cc_weight_pack_job){.weight = scratch + d->slab_at,
                                                     .source = conv->dtype,
                                                     .count = {1, 1, p->channels, p->rows, p->columns},
                                                     .stride = {0, 0, es, p->columns * pixel, pixel},
                                                     .target = slabs});
  for (int64_t i = 0; i < p->channels * oc; i++) {
    const int64_t c = p->g * oc + i;
    cconv_conv_store(conv, &(cc_conv_rows){.slab = slabs + i * (lanes ? p->rows * p->columns * es : d->slab),
                                           .lds = lanes ? p->columns : slab_pitch(d, p),
                                           .rows = p->rows,
                                           .n = p->columns,
                                           .bias = conv->bias ? conv->bias + c * es : NULL,
                                           .y = output_of(&conv->output, p, c),
                                           .y_stride = conv->output.stride[CC_HEIGHT],
                                           .residual = conv->residual.data ? output_of(&conv->residual, p, c) : NULL,
                                           .residual_stride = conv->residual.stride[CC_HEIGHT]});
  }
}

static void run_piece(const depthwise_rows *d, const piece *p, char *scratch) {
  const cc_conv *conv = d->conv;
  const cc_axis *axis = conv->shape.axis;
  const int64_t es = conv->element, vector = conv->kernels->vector_length, oc = conv->shape.oc;
  const bool lanes = d->lane > 1;
  const cc_bounds bounds = cconv_conv_bounds(conv);
  char *slabs = scratch + d->slab_at;
  int64_t next_w, out_w;
  const char *w = weights_of(d, p, scratch + d->panel_at, &next_w, &out_w);
  const int64_t planes = lanes ? 1 : p->channels;
  const int64_t next =
      planes > 1 ? oc * conv->output.stride[CC_CHANNEL] : 0; /* a step that is never taken may not fit */
  cc_depthwise_rows_job job = {
      .planes = planes,
      .next_x = d->packed / es,
      .next_w = next_w,
      .next_bias = oc,
      .next_y = d->direct ? next : oc * d->slab,
      .x = scratch,
      .slice = d->slice,
      .pitch = d->pitch,
      .off = (const int32_t *)(const void *)d->workspace,
      .taps = {axis[0].kernel, axis[1].kernel, axis[2].kernel},
      .step = axis[1].stride,
      .rows = p->rows,
      .vectors = lanes ? p->columns : cc_ceil_div(p->columns, vector),
      .part = !d->direct ? 0 : (lanes ? p->channels : p->columns) % vector,
      .y_stride = d->direct ? conv->output.stride[CC_HEIGHT] : (lanes ? p->columns * vector : slab_pitch(d, p)) * es,
      .y_step = d->direct ? conv->output.stride[CC_WIDTH] : vector * es,
      .whole = d->direct,
      .bounded = d->direct && bounds.bounded,
      .low = bounds.low,
      .high = bounds.high,
  };
  pack(d, p, scratch);
  for (int64_t m = 0; m < oc; m++) {
    const int64_t c = p->g * oc + m;
    job.w = w + m * out_w * es;
    job.y = d->direct ? output_of(&conv->output, p, c) : slabs + m * d->slab;
    job.bias = conv->bias ? conv->bias + c * es : NULL;
    if (lanes && job.bias)
      job.bias = memcpy(scratch + d->bias_at, job.bias, (size_t)(p->channels * es));
    (lanes ? conv->kernels->depthwise_lanes : conv->kernels->depthwise_rows)(&job);
  }
  if (!d->direct)
    store(d, p, scratch);
}

static void run_unit(void *arg, int64_t unit, bool first, int64_t part) {
  const depthwise_rows *d = arg;
  char *scratch = d->workspace + d->offsets_bytes + part * d->thread_bytes;
  if (first) { /* kernels compute on what packing does not write, for nothing; garbage may be denormal, which is slow */
    memset(scratch, 0, (size_t)d->slab_at);
    memset(scratch + d->panel_at, 0, (size_t)(d->thread_bytes - d->panel_at));
  }
  const int64_t end = cc_part(d->pieces, unit + 1, d->units);
  for (int64_t i = cc_part(d->pieces, unit, d->units); i < end; i++) {
    const piece p = piece_of(d, i);
    run_piece(d, &p, scratch);
  }
}

static cconv_status run(const cc_conv *conv, const cc_conv_work *work, cc_run *run, char *workspace) {
  depthwise_rows d = *(const depthwise_rows *)(const void *)work->state;
  const cc_axis *axis = &conv->shape.axis[2];
  const int64_t period = cconv_axis_period(axis);
  int32_t *offsets = (int32_t *)(void *)workspace;
  for (int64_t kw = 0; kw < axis->kernel; kw++)
    offsets[kw] = (int32_t)(kw % period * d.phase + kw * axis->dilation / axis->stride * d.lane);
  d.conv = conv;
  d.workspace = workspace;
  return cconv_parallel(run, run_unit, &d, d.units, d.parts);
}

static void describe(const cc_conv_work *work, cconv_plan_info *info) {
  const depthwise_rows *d = (const depthwise_rows *)(const void *)work->state;
  info->blocks[0] = d->slices;
  info->block[0] = 1;
  info->blocks[1] = d->row_blocks;
  info->block[1] = d->rows;
  info->blocks[2] = d->column_blocks;
  info->block[2] = d->columns;
  info->chunks = 1;
  info->rows = d->lane;
}

const cc_conv_driver cconv_depthwise_rows = {.name = "depthwise", .run = run, .describe = describe};
