/* SPDX-License-Identifier: BSD-3-Clause
 * conv_channels.c - direct convolution with output channels in the lanes: of pixels, whose channels lie side by side,
 * and of planes too small to fill lanes with positions.
 *
 * Law: a unit is one panel of weights, of so many channels, and one block of positions, which look at the input
 * where it is, or at a padded copy of what the block sees: no step, stride or layout matters to the tiles but by
 * their offsets. The panel is transposed piece by piece and used while it is near. Sums are those of
 * conv_direct.c, term by term. */
#include <string.h>

#include "base/checked.h"
#include "base/layout.h"
#include "choose/tiles.h"
#include "ops/conv_driver.h"

enum {
  TRANSPOSE = 16,         /* instructions that take as long as transposing a vector from afar, as in choose/tiles.c */
  MOST_LINE = 64,         /* outputs a row, and rows, of planes */
  MANY = 128,             /* positions that make up for fetching any number of weights */
  FEW = 16,               /* positions that use a panel once or twice */
  MOST_POSITIONS = 512,   /* of a block */
  PIECE_BYTES = 1 << 17,  /* of a panel between transposing and use, ... */
  NEAR_BYTES = 1 << 14,   /* ... and where few positions use it: then transposing takes as long as they do */
  UNITS_A_THREAD = 4,     /* so that dealing them out leaves no thread idle for long */
  MOST_TERMS = 1 << 24,   /* so that no size below overflows */
  MOST_OFFSET = INT32_MAX /* elements */
};

/* What tiles look at: the input where it is, or a copy, of pixels with the channels of all groups or of one group's
 * planes. */
typedef enum source { IN_PLACE, PIXELS, PLANES } source;

/* What prepare() works out; a run adds the convolution and the workspace. */
typedef struct channels {
  const cc_conv *conv;
  cc_blocks blocks;
  source source;
  bool adjacent;                     /* outputs follow each other in memory, row after row */
  int64_t stride[CCONV_MAX_RANK];    /* elements from channel to channel, ... of what is looked at */
  int64_t length[CCONV_MAX_SPATIAL]; /* of the copy, for the largest block */
  int64_t blocks_an_image, panels;   /* panels of a group */
  int64_t width, piece;              /* a panel's channels; terms of it transposed at a time */
  int64_t rows;                      /* positions of a tile, at most */
  int64_t positions;                 /* of a block, at most */
  int64_t units, parts;
  int64_t offsets_bytes, panel_at, slab_at, thread_bytes; /* the copy is first */
  char *workspace;
} channels;

_Static_assert(sizeof(channels) <= CC_WORK_STATE, "a driver's struct must fit");

/* Input elements that `out` outputs of an axis see, one after the other. */
static int64_t seen(const cc_axis *axis, int64_t out) {
  return (out - 1) * axis->stride + (axis->kernel - 1) * axis->dilation + 1;
}

/* Can every window be read from the input itself? */
static bool reads_in_place(const cc_conv *conv) {
  if (conv->input.dtype != conv->dtype || !cconv_conv_stays_inside(conv))
    return false;
  for (int a = CC_CHANNEL; a < CCONV_MAX_RANK; a++)
    if (conv->input.stride[a] % conv->element)
      return false;
  return true;
}

/* Do all channels of a pixel, and the pixels of a row, follow each other, with nothing but fill outside? */
static bool has_dense_rows(const cc_conv *conv) {
  return conv->input.dtype == conv->dtype &&
         conv->input.stride[CC_WIDTH] == conv->shape.groups * conv->shape.ic * conv->element &&
         conv->shape.axis[2].map == CCONV_PADDING_CONSTANT;
}

/* Bytes that a block of so many outputs sees; false where they overflow. */
static bool seen_bytes(const cc_conv *conv, const channels *d, const int64_t out[3], int64_t *bytes) {
  *bytes = d->source == PLANES ? 1 : conv->shape.groups;
  bool fits = cc_mul(*bytes, conv->shape.ic * conv->element, bytes);
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    fits = fits && cc_mul(*bytes, seen(&conv->shape.axis[a], out[a]), bytes);
  return fits;
}

/* Cut the outputs into blocks of rows, or of a part of one. */
static bool choose_blocks(const cc_conv *conv, int64_t wanted, channels *d) {
  const cc_axis *axis = conv->shape.axis;
  int64_t out[3] = {1, 1, axis[2].out}, bytes;
  out[1] = cc_min(axis[1].out, cc_max(1, MOST_POSITIONS / out[2]));
  if (out[1] == axis[1].out)
    out[0] = cc_min(axis[0].out, cc_max(1, MOST_POSITIONS / (out[1] * out[2])));
  for (;;) {
    int64_t count = 1;
    for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
      count *= cc_ceil_div(axis[a].out, out[a]);
    if (out[0] * out[1] * out[2] <= MOST_POSITIONS && seen_bytes(conv, d, out, &bytes) &&
        bytes <= cconv_operation_budget() / 2 && (count >= wanted || out[0] * out[1] * out[2] < 4 * d->rows))
      break;
    const int cut = out[0] > 1 ? 0 : out[1] > 1 ? 1 : 2;
    if (out[cut] == 1)
      return false;
    out[cut] = cc_ceil_div(out[cut], 2);
  }
  d->blocks = (cc_blocks){.channels = conv->shape.ic, .chunks = 1};
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    d->blocks.count[a] = cc_ceil_div(axis[a].out, out[a]);
    d->blocks.out[a] = cc_ceil_div(axis[a].out, d->blocks.count[a]);
    d->blocks.taps[a] = axis[a].kernel;
    d->length[a] = seen(&axis[a], d->blocks.out[a]);
  }
  d->blocks_an_image = d->blocks.count[0] * d->blocks.count[1] * d->blocks.count[2];
  d->positions = d->blocks.out[0] * d->blocks.out[1] * d->blocks.out[2];
  return true;
}

/* Elements from channel to channel, slice to slice, ... and the copy's size; false where offsets overflow. */
static bool lay_out(const cc_conv *conv, channels *d, int64_t *copy) {
  const cc_conv_shape *shape = &conv->shape;
  const int64_t unit = CC_ALIGNMENT / conv->element;
  int64_t *stride = d->stride, farthest = 0, step;
  *copy = 0;
  if (d->source == IN_PLACE) {
    for (int a = CC_CHANNEL; a < CCONV_MAX_RANK; a++)
      stride[a] = conv->input.stride[a] / conv->element;
  } else if (d->source == PLANES) {
    stride[CC_WIDTH] = 1;
    stride[CC_HEIGHT] = d->length[2];
    stride[CC_DEPTH] = d->length[1] * stride[CC_HEIGHT];
    stride[CC_CHANNEL] = (cc_ceil_div(d->length[0] * stride[CC_DEPTH], unit) | 1) * unit; /* odd: other sets */
    *copy = shape->ic * stride[CC_CHANNEL];
  } else {
    stride[CC_CHANNEL] = 1;
    stride[CC_WIDTH] = shape->groups * shape->ic;
    stride[CC_HEIGHT] = cc_ceil_div(d->length[2] * stride[CC_WIDTH], unit) * unit;
    stride[CC_DEPTH] = d->length[1] * stride[CC_HEIGHT];
    *copy = d->length[0] * stride[CC_DEPTH];
    if (!cc_mul(shape->axis[2].before, stride[CC_WIDTH], &step) ||
        !cc_mul((shape->axis[2].out - 1) * shape->axis[2].stride, stride[CC_WIDTH], &step))
      return false;
  }
  for (int a = CC_CHANNEL; a < CCONV_MAX_RANK; a++) {
    const int64_t last =
        a == CC_CHANNEL ? shape->ic - 1 : (shape->axis[a - CC_DEPTH].kernel - 1) * shape->axis[a - CC_DEPTH].dilation;
    /* A step that is never taken may not fit. */
    if (last > 0 &&
        (!cc_mul(last, stride[a] < 0 ? -stride[a] : stride[a], &step) || !cc_add(farthest, step, &farthest)))
      return false;
  }
  return farthest <= MOST_OFFSET;
}

/* Cut positions into blocks and channels into panels, and lay out the scratch. */
static bool work_out(const cc_conv *conv, int64_t threads, cc_conv_work *work) {
  const cc_conv_shape *shape = &conv->shape;
  const cc_kernels *kernels = conv->kernels;
  const int64_t es = conv->element, vl = kernels->vector_length, k = shape->reduction;
  channels *d = (channels *)(void *)work->state;
  int64_t copy;
  d->adjacent = cconv_conv_is_adjacent(shape->axis, &conv->output) &&
                (!conv->residual.data || cconv_conv_is_adjacent(shape->axis, &conv->residual));
  const int64_t row = cc_min(shape->axis[2].out, MOST_POSITIONS), lanes = cc_ceil_div(shape->oc, vl);
  const int64_t tiles = cconv_choose_tiles(kernels, row, lanes, true);
  d->rows = cc_ceil_div(row, tiles);
  d->width = cc_min(lanes, kernels->conv_tiles[d->rows - 1].width[0].nv) * vl;
  d->panels = cc_ceil_div(shape->oc, d->width);
  const double operations = cconv_conv_operations(conv);
  threads = cconv_operation_parts(threads, threads, operations);
  int64_t runs; /* of units, in a block */
  if (!cc_mul(shape->n * shape->groups, d->panels, &runs))
    return false;
  const int64_t wanted = threads == 1 ? 1 : cc_ceil_div(UNITS_A_THREAD * threads, runs);
  const bool even = wanted == 1 || runs % threads == 0;
  if (!choose_blocks(conv, d->source == PLANES ? 1 : wanted, d) || !lay_out(conv, d, &copy))
    return false;
  /* For each block panels are transposed anew. */
  if (d->source == PLANES && (!even || d->blocks_an_image > 1))
    return false;
  const bool kept = d->panels * shape->groups == 1 && runs > 1; /* one panel serves all images */
  const int64_t piece = d->positions < FEW && !kept ? NEAR_BYTES : PIECE_BYTES;
  d->piece = cc_min(k, cc_max(vl, piece / (d->width * es) / vl * vl));
  d->units = runs * d->blocks_an_image;
  d->parts = cconv_operation_parts(threads, d->units, operations);

  d->offsets_bytes = cc_lines(k * (int64_t)sizeof(int32_t));
  d->panel_at = cc_lines(copy * es);
  d->slab_at = d->panel_at + cc_lines(d->piece * d->width * es);
  d->thread_bytes = d->slab_at + cc_lines((d->positions * d->width + vl) * es); /* a store reads beyond the last */
  if (d->offsets_bytes + d->thread_bytes > cconv_operation_budget() - CC_ALIGNMENT)
    return false;
  work->parts = d->parts;
  work->workspace = d->offsets_bytes + d->parts * d->thread_bytes;
  return true;
}

/* Can channels be in the lanes, and may it pay? */
static bool serves(const cc_conv *conv) {
  const cc_conv_shape *shape = &conv->shape;
  int64_t positions = 1;
  if (!conv->kernels->transpose || conv->output.dtype != conv->dtype || !conv->weight.in_place ||
      shape->reduction == 0 || shape->reduction > MOST_TERMS || shape->oc < conv->kernels->vector_length / 2 ||
      shape->oc > MOST_TERMS || shape->groups > MOST_TERMS)
    return false;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    if (!cc_mul(positions, shape->axis[a].out, &positions))
      return false;
  /* Few positions do not hide where many weights come from, which transposing reads a little of each row at a
   * time (measured: 0.75 to 0.86 times as fast at 49 positions and 9 MB); tiles of positions read them in order. */
  return positions >= MANY || shape->reduction * shape->oc / 4 <= cconv_operation_budget() / conv->element;
}

bool cconv_conv_channels_prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work) {
  const cc_conv_shape *shape = &conv->shape;
  const int64_t es = conv->element;
  if (!serves(conv) || conv->input.stride[CC_CHANNEL] != es || conv->output.stride[CC_CHANNEL] != es || shape->ic == 1)
    return false;
  const bool in_place = reads_in_place(conv);
  if (!in_place && !has_dense_rows(conv))
    return false;
  *(channels *)(void *)work->state = (channels){.source = in_place ? IN_PLACE : PIXELS};
  if (!work_out(conv, threads, work))
    return false;
  work->driver = &cconv_conv_channels;
  return true;
}

/* The time of one image and group, in instructions for each term. */
static int64_t time_of(const cc_conv *conv, const channels *d) {
  const cc_conv_shape *shape = &conv->shape;
  const int64_t line = shape->axis[2].out, lines = shape->axis[0].out * shape->axis[1].out;
  const int64_t vl = conv->kernels->vector_length, tiles = cc_ceil_div(line, d->rows);
  const int64_t rest = shape->oc - (d->panels - 1) * d->width, lanes = cc_ceil_div(shape->oc, vl);
  const int64_t whole = cconv_tiles_cost(conv->kernels, line, tiles, d->width / vl, true);
  const int64_t last = cconv_tiles_cost(conv->kernels, line, tiles, cc_ceil_div(rest, vl), true);
  return lines * ((d->panels - 1) * whole + last) + TRANSPOSE * lanes +
         TRANSPOSE * lanes * lines * line / shape->reduction;
}

bool cconv_conv_planes_prepare(const cc_conv *conv, int64_t threads, int64_t time, cc_conv_work *work) {
  channels *d = (channels *)(void *)work->state;
  const cc_axis *axis = conv->shape.axis;
  if (!serves(conv) || conv->output.stride[CC_WIDTH] != conv->element || axis[2].out > MOST_LINE ||
      axis[0].out * axis[1].out > MOST_LINE)
    return false;
  *d = (channels){.source = PLANES};
  if (!work_out(conv, threads, work) || time_of(conv, d) >= time)
    return false;
  work->driver = &cconv_conv_channels;
  return true;
}

/* Copy what a block sees of image n, with fill around it: rows of the channels of all pixels, or group g's planes. */
static void pack(const channels *d, int64_t n, int64_t g, const cc_block *block, char *copy) {
  const cc_conv *conv = d->conv;
  const cc_view *input = &conv->input;
  const int64_t pixel = d->stride[CC_WIDTH];
  cc_halo_pack_job job = {
      .input = input->data + n * input->stride[CC_BATCH],
      .source = input->dtype,
      .channels = 1,
      .target = copy,
      .fill = conv->padding_value,
  };
  if (d->source == PLANES) {
    job.input += g > 0 ? g * conv->shape.ic * input->stride[CC_CHANNEL] : 0;
    job.channels = conv->shape.ic;
    job.channel_stride = input->stride[CC_CHANNEL];
    job.channel_pitch = d->stride[CC_CHANNEL];
  }
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    const cc_axis *axis = &conv->shape.axis[a];
    job.stride[a] = input->stride[CC_DEPTH + a];
    job.end[a] = axis->map == CCONV_PADDING_CONSTANT ? axis->end : axis->in;
    job.map[a] = axis->map;
    job.first[a] = block->from[a] * axis->stride - axis->before;
    job.length[a] = seen(axis, block->size[a]);
    job.step[a] = job.dilation[a] = job.phases[a] = 1;
  }
  if (d->source == PIXELS) {
    job.stride[2] = conv->element;
    job.end[2] *= pixel;
    job.first[2] *= pixel;
    job.length[2] *= pixel;
  }
  job.pitch[2] = d->stride[CC_HEIGHT];
  job.pitch[1] = d->length[1];
  conv->kernels->halo_pack(&job);
}

/* Terms [from, from + terms) of a panel: channels [oc, oc + rows) of group g, zero up to whole vectors. */
static void transpose_weights(const channels *d, int64_t g, int64_t oc, int64_t rows, int64_t from, int64_t terms,
                              char *panel) {
  const cc_weight *weight = &d->conv->weight;
  const int64_t es = d->conv->element;
  if (rows % d->conv->kernels->vector_length)
    memset(panel, 0, (size_t)(terms * d->width * es));
  d->conv->kernels->transpose(
      &(cc_transpose_job){.source = weight->data + g * weight->group + oc * weight->out + from * es,
                          .stride = weight->out,
                          .rows = rows,
                          .n = terms,
                          .target = panel,
                          .ldt = d->width});
}

/* Where a block's row (od, oh) begins in image n and channel c of a view. */
static char *row_of(const cc_view *view, int64_t n, int64_t c, const cc_block *block, int64_t od, int64_t oh) {
  const int64_t *stride = view->stride;
  return view->data + n * stride[CC_BATCH] + c * stride[CC_CHANNEL] + (block->from[0] + od) * stride[CC_DEPTH] +
         (block->from[1] + oh) * stride[CC_HEIGHT] + block->from[2] * stride[CC_WIDTH];
}

/* Store the sums of `rows` channels from `channel` on, slab[position][channel], at a block. */
static void store(const channels *d, int64_t n, int64_t channel, int64_t rows, const cc_block *block, char *slab) {
  const cc_conv *conv = d->conv;
  const cc_axis *axis = conv->shape.axis;
  int64_t size[CCONV_MAX_SPATIAL] = {block->size[0], block->size[1], block->size[2]};
  /* Rows that follow each other are one. */
  if (d->adjacent && (size[0] == 1 || size[1] == axis[1].out) && (size[0] * size[1] == 1 || size[2] == axis[2].out)) {
    size[2] *= size[0] * size[1];
    size[0] = size[1] = 1;
  }
  for (int64_t od = 0; od < size[0]; od++)
    for (int64_t oh = 0; oh < size[1]; oh++, slab += size[2] * d->width * conv->element)
      cconv_conv_store(
          conv,
          &(cc_conv_rows){.channels = true,
                          .slab = slab,
                          .lds = d->width,
                          .rows = size[2],
                          .n = rows,
                          .bias = conv->bias ? conv->bias + channel * conv->element : NULL,
                          .y = row_of(&conv->output, n, channel, block, od, oh),
                          .y_stride = conv->output.stride[CC_WIDTH],
                          .residual = conv->residual.data ? row_of(&conv->residual, n, channel, block, od, oh) : NULL,
                          .residual_stride = conv->residual.stride[CC_WIDTH]});
}

/* The sums of one piece of a panel, terms [from, from + terms), for every row of a block. x is what the first
 * position looks at. */
static void sum(const channels *d, const cc_block *block, int64_t rows, int64_t from, int64_t terms, const char *x,
                char *scratch) {
  const cc_kernels *kernels = d->conv->kernels;
  const cc_axis *axis = d->conv->shape.axis;
  const int64_t es = d->conv->element, vl = kernels->vector_length, line = block->size[2];
  const int64_t tiles = cc_ceil_div(line, d->rows);
  cc_conv_panel_job job = {.k = terms,
                           .step = line > 1 ? axis[2].stride * d->stride[CC_WIDTH] : 0,
                           .off = (const int32_t *)(const void *)d->workspace + from,
                           .pitch = d->width,
                           .lds = d->width,
                           .fresh = from == 0};
  for (int64_t r = 0; r < block->size[0] * block->size[1]; r++) {
    const int64_t od = r / block->size[1], oh = r % block->size[1];
    const char *row = x;
    if (od > 0)
      row += od * axis[0].stride * d->stride[CC_DEPTH] * es;
    if (oh > 0)
      row += oh * axis[1].stride * d->stride[CC_HEIGHT] * es;
    for (int64_t i = 0; i < tiles; i++) {
      const int64_t p = cc_part(line, i, tiles), mr = cc_part(line, i + 1, tiles) - p;
      job.x = row + p * job.step * es;
      for (int64_t lane = 0, nv; lane < rows; lane += nv * vl) {
        const cc_conv_tile *tile = cc_next_tile(kernels, mr, cc_ceil_div(rows - lane, vl));
        nv = tile->nv;
        job.panel = scratch + d->panel_at + lane * es;
        job.slab = scratch + d->slab_at + ((r * line + p) * d->width + lane) * es;
        tile->panel(&job);
      }
    }
  }
}

/* One panel of channels at one block of positions. */
static void run_unit(void *arg, int64_t unit, bool first_unit, int64_t part) {
  const channels *d = arg;
  const cc_conv *conv = d->conv;
  const cc_conv_shape *shape = &conv->shape;
  const cc_view *input = &conv->input;
  const int64_t es = conv->element, k = shape->reduction;
  char *scratch = d->workspace + d->offsets_bytes + part * d->thread_bytes;
  const int64_t t = unit % d->panels, g = unit / d->panels % shape->groups, place = unit / d->panels / shape->groups;
  const int64_t n = place / d->blocks_an_image;
  const cc_block block = cconv_block_of(&d->blocks, shape->axis, place % d->blocks_an_image);
  const int64_t oc = t * d->width, rows = cc_min(d->width, shape->oc - oc);
  const char *x = scratch;
  if (d->source == IN_PLACE) {
    x = input->data + n * input->stride[CC_BATCH] + (g > 0 ? g * shape->ic * input->stride[CC_CHANNEL] : 0);
    for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
      const int64_t first = block.from[a] * shape->axis[a].stride - shape->axis[a].before;
      x += first > 0 ? first * input->stride[CC_DEPTH + a] : 0;
    }
  } else {
    /* Else the unit before left the copy in the scratch. */
    if (first_unit || (t == 0 && (g == 0 || d->source == PLANES)))
      pack(d, n, g, &block, scratch);
    x += d->source == PIXELS ? g * shape->ic * es : 0;
  }
  for (int64_t from = 0, terms; from < k; from += terms) {
    terms = cc_min(d->piece, k - from);
    if (first_unit || d->panels * shape->groups > 1 || terms < k)
      transpose_weights(d, g, oc, rows, from, terms, scratch + d->panel_at);
    sum(d, &block, rows, from, terms, x, scratch);
  }
  store(d, n, g * shape->oc + oc, rows, &block, scratch + d->slab_at);
}

static cconv_status run(const cc_conv *conv, const cc_conv_work *work, cc_run *run, char *workspace) {
  channels d = *(const channels *)(const void *)work->state;
  const cc_axis *axis = conv->shape.axis;
  int32_t *off = (int32_t *)(void *)workspace;
  d.conv = conv;
  d.workspace = workspace;
  for (int64_t c = 0; c < conv->shape.ic; c++)
    for (int64_t kd = 0; kd < axis[0].kernel; kd++)
      for (int64_t kh = 0; kh < axis[1].kernel; kh++)
        for (int64_t kw = 0; kw < axis[2].kernel; kw++) {
          int64_t at = c * d.stride[CC_CHANNEL];
          at += kd ? kd * axis[0].dilation * d.stride[CC_DEPTH] : 0;
          at += kh ? kh * axis[1].dilation * d.stride[CC_HEIGHT] : 0;
          at += kw ? kw * axis[2].dilation * d.stride[CC_WIDTH] : 0;
          *off++ = (int32_t)at;
        }
  return cconv_parallel(run, run_unit, &d, d.units, d.parts);
}

static void describe(const cc_conv_work *work, cconv_plan_info *info) {
  const channels *d = (const channels *)(const void *)work->state;
  cconv_operation_describe(&d->blocks, info);
  info->rows = d->width;
}

const cc_conv_driver cconv_conv_channels = {.name = "direct", .run = run, .describe = describe};
