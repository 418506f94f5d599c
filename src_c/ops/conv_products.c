/* SPDX-License-Identifier: BSD-3-Clause
 * conv_products.c - a transposed convolution of few inputs: see conv_products.h.
 *
 * A unit is some output channels of some images, whose inputs are the rows of tiles; the columns are the channels'
 * weights, one input channel's after the other's. Input channels come by in steps of few: as many rows of weights are
 * read side by side as the hardware prefetches. Sums of a tile stay in scratch from step to step. */
#include "ops/conv_products.h"

#include <stdatomic.h>
#include <string.h>

#include "base/checked.h"
#include "base/layout.h"
#include "choose/tiles.h"

enum {
  MOST_INPUTS = 32,        /* of an image: laying out the weights of more, by phases, takes less time than their sums */
  LEAST_CHANNELS = 4,      /* of the input, for each of its elements: of fewer, adding up takes too long (measured) */
  LEAST_WEIGHTS = 1 << 11, /* of a group: those of fewer are laid out in no time */
  MOST_WEIGHTS = 1 << 26,  /* of an input channel, so that no offset overflows */
  MOST_CHANNELS = 1 << 14, /* of the input, and ... */
  MOST_SUMS = 1 << 12,     /* ... of an output channel, inputs times taps, and ... */
  MOST_OUTPUTS = 1 << 12,  /* ... of an image and a channel, so that scratch is small; ... */
  MOST_VALUES = 1 << 18,   /* ... and inputs of all channels */
  MOST_ROWS = 96,          /* inputs of several images that share the weights read */
  STEP = 32,               /* input channels read side by side, at most ... */
  PACKED_BYTES = 1 << 19,  /* ... of weights that are packed */
  ROW_BYTES = 1 << 13,     /* of weights that a unit reads of an input channel: pages, rather than parts of them */
  UNITS_A_THREAD = 2
};

static int64_t product(const cc_axis axis[CCONV_MAX_SPATIAL], int64_t most, int64_t (*size)(const cc_axis *)) {
  int64_t all = 1;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    all = cc_min(all, most) * cc_min(size(&axis[a]), most);
  return all;
}

static int64_t inputs_of(const cc_axis *axis) { return axis->in; }
static int64_t outputs_of(const cc_axis *axis) { return axis->out; }
static int64_t taps_of(const cc_axis *axis) { return axis->kernel; }

/* Pairs of an output and a tap that are made of an input, were there inputs all around. */
static double pairs_of(const cc_conv *conv) {
  double all = 1;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    const cc_axis *axis = &conv->shape.axis[a];
    int64_t pairs = 0;
    for (int64_t k = 0; k < axis->kernel; k++) { /* outputs o with o = k dilation - before, modulo the stride */
      const int64_t first = ((k * axis->dilation - axis->before) % axis->stride + axis->stride) % axis->stride;
      pairs += first < axis->out ? (axis->out - 1 - first) / axis->stride + 1 : 0;
    }
    all *= (double)pairs;
  }
  return all;
}

/* Twice the multiply-adds of so many pairs. */
static double operations_of(const cc_conv *conv, double pairs) {
  const cc_conv_shape *shape = &conv->shape;
  return 2.0 * (double)shape->n * (double)shape->groups * (double)shape->oc * (double)shape->ic * pairs;
}

bool cconv_products_fit(const cc_conv *conv) {
  const cc_conv_shape *shape = &conv->shape;
  const int64_t inputs = product(shape->axis, MOST_INPUTS + 1, inputs_of);
  const int64_t taps = product(shape->axis, MOST_SUMS + 1, taps_of);
  return conv->kernels->deposit && inputs > 0 && inputs <= MOST_INPUTS && taps > 1 && inputs * taps <= MOST_SUMS &&
         product(shape->axis, MOST_OUTPUTS + 1, outputs_of) <= MOST_OUTPUTS && shape->ic >= LEAST_CHANNELS * inputs &&
         shape->ic <= MOST_CHANNELS && 2 * inputs * taps <= 3 * pairs_of(conv) && inputs * shape->ic <= MOST_VALUES &&
         shape->oc > 0 && shape->oc <= MOST_WEIGHTS / taps && shape->ic * shape->oc * taps >= LEAST_WEIGHTS;
}

/* Are weights of an input channel dense, so that a tile can read them? */
static bool has_dense_weights(const cc_conv *conv, int64_t taps) {
  const cc_weight *weight = &conv->weight;
  const int64_t es = conv->element, most = INT32_MAX / STEP;
  int64_t step = es;
  for (int a = CCONV_MAX_SPATIAL - 1; a >= 0; a--) {
    if (conv->shape.axis[a].kernel > 1 && weight->tap[a] != step)
      return false;
    step *= conv->shape.axis[a].kernel;
  }
  return weight->dtype == conv->dtype && (conv->shape.oc == 1 || weight->out == taps * es) && weight->in % es == 0 &&
         weight->in / es <= most && weight->in / es >= -most;
}

/* Elements of a row, not a multiple of a power of two lines, which would meet in few sets of the cache. */
static int64_t pitch_of(int64_t n, int64_t element) {
  const int64_t line = CC_ALIGNMENT / element;
  return (cc_ceil_div(n, line) | 1) * line;
}

void cconv_products_prepare(const cc_conv *conv, int64_t threads, cc_products *p) {
  const cc_conv_shape *shape = &conv->shape;
  const cc_kernels *kernels = conv->kernels;
  const int64_t es = conv->element, vl = kernels->vector_length;
  *p = (cc_products){.conv = conv,
                     .inputs = product(shape->axis, MOST_INPUTS + 1, inputs_of),
                     .outputs = product(shape->axis, MOST_OUTPUTS + 1, outputs_of),
                     .taps = product(shape->axis, MOST_SUMS + 1, taps_of)};
  p->in_place = has_dense_weights(conv, p->taps);
  const int64_t most = cc_min(MOST_ROWS, cc_min(MOST_SUMS / p->taps, MOST_VALUES / shape->ic));
  p->images = cc_max(1, cc_min(shape->n, most / p->inputs));
  p->image_groups = cc_ceil_div(shape->n, p->images);
  p->rows = p->images * p->inputs;
  p->lane_groups = cc_ceil_div(shape->oc, vl);
  const double operations = operations_of(conv, (double)(p->inputs * p->taps));
  threads = cconv_operation_parts(threads, threads, operations);
  const int64_t all = p->image_groups * shape->groups * p->lane_groups;
  p->groups_a_unit = cc_max(1, cc_min(ROW_BYTES / (vl * p->taps * es), all / (UNITS_A_THREAD * threads)));
  const int64_t columns = cc_min(p->groups_a_unit * vl, shape->oc) * p->taps;
  p->tiles = cconv_choose_tiles(kernels, p->rows, cc_ceil_div(columns, vl), false);
  p->width = kernels->conv_tiles[cc_ceil_div(p->rows, p->tiles) - 1].width[0].nv * vl;
  p->units = p->image_groups * shape->groups * cc_ceil_div(p->lane_groups, p->groups_a_unit);
  p->parts = cconv_operation_parts(threads, p->units, operations);
  p->step = p->in_place ? STEP : cc_max(1, cc_min(STEP, PACKED_BYTES / (columns * es)));
  p->x_pitch = pitch_of(shape->ic, es);
  p->pitch = pitch_of(columns, es);
  p->slab_rows = cc_ceil_div(p->outputs, vl) * vl;
  p->left_bytes = cc_lines(shape->n * (int64_t)sizeof(atomic_bool));
  p->at_bytes = cc_lines(p->inputs * p->taps * (int64_t)sizeof(int32_t));
  p->sums_at = p->rows * p->x_pitch * es;
  p->weights_at = p->sums_at + p->rows * p->pitch * es;
  p->tap_at = p->weights_at + cc_lines((p->step * (p->in_place ? vl : columns) + vl) * es);
  p->slab_at = p->tap_at + p->taps * vl * es;
  p->turned_at = p->slab_at + (p->slab_rows + 1) * vl * es;
  p->thread_bytes = p->turned_at + (p->slab_rows + 1) * vl * es;
  p->workspace = p->left_bytes + p->at_bytes + p->parts * cc_lines(p->thread_bytes);
}

/* Where the sums of input i and tap k fall: an output, or behind the last where it is cut off. */
static void write_at(const cc_products *p, int32_t *at) {
  const cc_axis *axis = p->conv->shape.axis;
  for (int64_t i = 0; i < p->inputs; i++)
    for (int64_t k = 0; k < p->taps; k++) {
      int64_t input = i, tap = k, place = 0, step = 1;
      bool inside = true;
      for (int a = CCONV_MAX_SPATIAL - 1; a >= 0; a--) {
        const int64_t o =
            input % axis[a].in * axis[a].stride + tap % axis[a].kernel * axis[a].dilation - axis[a].before;
        inside = inside && o >= 0 && o < axis[a].out;
        place += inside ? o * step : 0;
        step *= axis[a].out;
        input /= axis[a].in;
        tap /= axis[a].kernel;
      }
      *at++ = (int32_t)(inside ? place : p->slab_rows);
    }
}

/* A unit: output channels [first, first + channels) of group g, images [n, n + images). */
typedef struct unit_of {
  int64_t g, first, channels, n, images;
  char *scratch;
} unit_of;

/* Inputs of images, channels side by side. */
static void pack_inputs(const cc_products *p, const unit_of *u) {
  const cc_conv *conv = p->conv;
  const cc_axis *axis = conv->shape.axis;
  const cc_view *input = &conv->input;
  char *target = u->scratch;
  const char *group = input->data + (u->g > 0 ? u->g * conv->shape.ic * input->stride[CC_CHANNEL] : 0);
  for (int64_t n = u->n; n < u->n + u->images; n++)
    for (int64_t i = 0; i < p->inputs; i++, target += p->x_pitch * conv->element) {
      const char *x = group + n * input->stride[CC_BATCH];
      int64_t rest = i;
      for (int a = CCONV_MAX_SPATIAL - 1; a >= 0; a--) {
        const int64_t along = rest % axis[a].in;
        x += along > 0 ? along * input->stride[CC_DEPTH + a] : 0; /* the step of a lone input may be anything */
        rest /= axis[a].in;
      }
      conv->kernels->weight_pack(&(cc_weight_pack_job){.weight = x,
                                                       .source = input->dtype,
                                                       .count = {1, 1, 1, 1, conv->shape.ic},
                                                       .stride = {0, 0, 0, 0, input->stride[CC_CHANNEL]},
                                                       .target = target});
    }
}

/* Weights of one step, columns [from, end): rows `pitch` elements apart. */
typedef struct columns {
  const char *data;
  int64_t from, end, pitch;
} columns;

/* Add the products of input channels [c, c + step) to the sums. */
static void add_products(const cc_products *p, const unit_of *u, int64_t c, int64_t step, const columns *w) {
  const cc_conv *conv = p->conv;
  const cc_kernels *kernels = conv->kernels;
  const int64_t es = conv->element, vl = kernels->vector_length, rows = u->images * p->inputs;
  const int64_t tiles = cc_min(rows, p->tiles);
  int32_t offsets[STEP];
  for (int64_t k = 0; k < step; k++)
    offsets[k] = (int32_t)(k * w->pitch);
  cc_conv_tile_job job = {.k = step, .ldw = p->x_pitch, .off = offsets, .lds = p->pitch, .fresh = c == 0};
  for (int64_t from = w->from; from < w->end; from += p->width)
    for (int64_t t = 0; t < tiles; t++) {
      const int64_t m = cc_part(rows, t, tiles), mr = cc_part(rows, t + 1, tiles) - m;
      const int64_t end = cc_min(from + p->width, w->end);
      job.w = u->scratch + (m * p->x_pitch + c) * es;
      for (int64_t column = from, nv; column < end; column += nv * vl) {
        const cc_conv_tile *tile = cc_next_tile(kernels, mr, cc_ceil_div(end - column, vl));
        nv = tile->nv;
        job.x = w->data + (column - w->from) * es;
        job.slab = u->scratch + p->sums_at + (m * p->pitch + column) * es;
        tile->run(&job);
      }
    }
}

/* All products of a unit. */
static void multiply(const cc_products *p, const unit_of *u, int64_t part) {
  const cc_conv *conv = p->conv;
  const cc_axis *axis = conv->shape.axis;
  const cc_weight *weight = &conv->weight;
  const int64_t es = conv->element, vl = conv->kernels->vector_length, all = u->channels * p->taps;
  const int64_t whole = p->in_place ? all / vl * vl : 0;
  char *packed = u->scratch + p->weights_at;
  for (int64_t c = 0, step; c < conv->shape.ic && !cconv_run_stopped(p->run, part); c += step) {
    step = cc_min(p->step, conv->shape.ic - c);
    const char *from = weight->data + u->g * weight->group + c * weight->in + u->first * weight->out;
    if (whole > 0)
      add_products(p, u, c, step, &(columns){from, 0, whole, weight->in / es});
    if (whole == all)
      continue;
    cc_weight_pack_job job = {.weight = from, .source = weight->dtype, .target = packed};
    if (p->in_place) {
      job.weight += whole * es;
      memcpy(job.count, (int64_t[]){step, 1, 1, 1, all - whole}, sizeof job.count);
      memcpy(job.stride, (int64_t[]){weight->in, 0, 0, 0, es}, sizeof job.stride);
    } else {
      memcpy(job.count, (int64_t[]){step, u->channels, axis[0].kernel, axis[1].kernel, axis[2].kernel},
             sizeof job.count);
      memcpy(job.stride, (int64_t[]){weight->in, weight->out, weight->tap[0], weight->tap[1], weight->tap[2]},
             sizeof job.stride);
    }
    conv->kernels->weight_pack(&job);
    memset(packed + step * (all - whole) * es, 0, (size_t)(vl * es)); /* a tile reads beyond the last */
    add_products(p, u, c, step, &(columns){packed, whole, all, all - whole});
  }
}

/* Store the outputs of image n, `lanes` channels from u->first + lane on, whose sums are in the slab. */
static void store(const cc_products *p, const unit_of *u, int64_t n, int64_t lane, int64_t lanes) {
  const cc_conv *conv = p->conv;
  const cc_axis *axis = conv->shape.axis;
  const int64_t es = conv->element, vl = conv->kernels->vector_length;
  const int64_t channel = u->g * conv->shape.oc + u->first + lane;
  const bool pixels = conv->output.stride[CC_CHANNEL] == es && conv->output.dtype == conv->dtype;
  const bool adjacent = !pixels && cconv_conv_is_adjacent(axis, &conv->output) &&
                        (!conv->residual.data || cconv_conv_is_adjacent(axis, &conv->residual));
  char *slab = u->scratch + p->slab_at;
  if (!pixels) {
    conv->kernels->transpose(&(cc_transpose_job){.source = slab,
                                                 .stride = vl * es,
                                                 .rows = p->slab_rows,
                                                 .n = vl,
                                                 .target = u->scratch + p->turned_at,
                                                 .ldt = p->slab_rows});
    slab = u->scratch + p->turned_at;
  }
  const int64_t line = adjacent ? p->outputs : axis[2].out;
  const int64_t apart = line > 1; /* the step of a lone output may be anything */
  for (int64_t o = 0; o < p->outputs; o += line) {
    const cc_segment at = {.od = o / axis[2].out / axis[1].out, .oh = o / axis[2].out % axis[1].out};
    cc_conv_rows rows = {.channels = pixels,
                         .slab = slab + o * (pixels ? vl : 1) * es,
                         .lds = pixels ? vl : p->slab_rows,
                         .rows = pixels ? line : lanes,
                         .n = pixels ? lanes : line,
                         .bias = conv->bias ? conv->bias + channel * es : NULL,
                         .bias_step = pixels ? 0 : 1,
                         .y = cconv_segment_at(&conv->output, n, channel, &at),
                         .y_stride = pixels ? apart * conv->output.stride[CC_WIDTH] : conv->output.stride[CC_CHANNEL],
                         .residual_stride =
                             pixels ? apart * conv->residual.stride[CC_WIDTH] : conv->residual.stride[CC_CHANNEL]};
    if (conv->residual.data)
      rows.residual = cconv_segment_at(&conv->residual, n, channel, &at);
    cconv_conv_store(conv, &rows);
  }
}

static atomic_bool *left(const cc_products *p, int64_t n) {
  return (atomic_bool *)(void *)(p->memory - p->left_bytes) + n;
}

/* Leave image n to others where rows of sums, `pitch` elements apart, are not all finite. */
static void judge(const cc_products *p, int64_t n, const char *sums, int64_t rows, int64_t pitch, int64_t length) {
  const cc_conv *conv = p->conv;
  for (int64_t i = 0; i < rows; i++)
    if (!conv->kernels->is_finite(sums + i * pitch * conv->element, length))
      atomic_store_explicit(left(p, n), true, memory_order_relaxed);
}

/* Add the sums of a unit up where they fall, a vector of channels at a time. */
static void add_up(const cc_products *p, const unit_of *u) {
  const cc_conv *conv = p->conv;
  const cc_kernels *kernels = conv->kernels;
  const int64_t es = conv->element, vl = kernels->vector_length;
  char *slab = u->scratch + p->slab_at, *taps = u->scratch + p->tap_at;
  for (int64_t n = 0; n < u->images; n++) {
    judge(p, u->n + n, u->scratch + p->sums_at + n * p->inputs * p->pitch * es, p->inputs, p->pitch,
          u->channels * p->taps);
    for (int64_t lane = 0; lane < u->channels; lane += vl) {
      const int64_t lanes = cc_min(vl, u->channels - lane);
      memset(slab, 0, (size_t)((p->slab_rows + 1) * vl * es));
      if (lanes < vl)
        memset(taps, 0, (size_t)(p->taps * vl * es));
      for (int64_t i = 0; i < p->inputs; i++) {
        kernels->transpose(&(cc_transpose_job){.source = u->scratch + p->sums_at +
                                                         ((n * p->inputs + i) * p->pitch + lane * p->taps) * es,
                                               .stride = p->taps * es,
                                               .rows = lanes,
                                               .n = p->taps,
                                               .target = taps,
                                               .ldt = vl});
        kernels->deposit(&(cc_deposit_job){
            .x = taps, .n = p->taps, .at = (const int32_t *)(const void *)p->memory + i * p->taps, .y = slab});
      }
      judge(p, u->n + n, slab, 1, 0, p->outputs * vl);
      store(p, u, u->n + n, lane, lanes);
    }
  }
}

static void run_unit(void *arg, int64_t unit, bool first_unit, int64_t part) {
  const cc_products *p = arg;
  const cc_conv_shape *shape = &p->conv->shape;
  const int64_t vl = p->conv->kernels->vector_length;
  const int64_t runs = cc_ceil_div(p->lane_groups, p->groups_a_unit), run = unit % runs, image = unit / runs;
  unit_of u = {.g = image % shape->groups, .first = cc_part(p->lane_groups, run, runs) * vl};
  u.channels = cc_min(shape->oc, cc_part(p->lane_groups, run + 1, runs) * vl) - u.first;
  u.n = image / shape->groups * p->images;
  u.images = cc_min(p->images, shape->n - u.n);
  u.scratch = p->memory + p->at_bytes + part * cc_lines(p->thread_bytes);
  if (first_unit || run == 0) /* else the unit before left these inputs in the scratch */
    pack_inputs(p, &u);
  multiply(p, &u, part);
  add_up(p, &u);
}

cconv_status cconv_products_run(cc_products *p, cc_run *run, char *workspace) {
  p->memory = workspace + p->left_bytes;
  for (int64_t n = 0; n < p->conv->shape.n; n++)
    atomic_init(left(p, n), false);
  p->run = run;
  write_at(p, (int32_t *)(void *)p->memory);
  return cconv_parallel(run, run_unit, p, p->units, p->parts);
}

bool cconv_products_left(const cc_products *p, int64_t n) {
  return atomic_load_explicit(left(p, n), memory_order_relaxed);
}

void cconv_products_describe(const cc_products *p, cconv_plan_info *info) {
  info->algorithm = "col2im";
  info->threads = (int32_t)p->parts;
  info->operations = operations_of(p->conv, pairs_of(p->conv));
  info->phases = info->passes = info->chunks = 1;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    info->blocks[a] = 1;
    info->block[a] = p->conv->shape.axis[a].out;
  }
  info->rows = cc_min(p->conv->shape.oc, p->groups_a_unit * p->conv->kernels->vector_length);
}

int64_t cconv_products_kept_bytes(const cc_conv *conv) {
  return cc_lines(conv->shape.groups * conv->shape.ic * conv->shape.oc *
                  product(conv->shape.axis, MOST_SUMS + 1, taps_of) * conv->element);
}

void cconv_products_kept(cc_conv *conv, const char *kept) {
  cc_weight *weight = &conv->weight;
  weight->data = kept;
  weight->dtype = conv->dtype;
  int64_t step = conv->element;
  for (int a = CCONV_MAX_SPATIAL - 1; a >= 0; a--) {
    weight->tap[a] = step;
    step *= conv->shape.axis[a].kernel;
  }
  weight->out = step;
  weight->in = step * conv->shape.oc;
  weight->group = weight->in * conv->shape.ic;
}

void cconv_products_keep(const cc_conv *conv, char *kept) {
  const cc_weight *weight = &conv->weight;
  const cc_conv_shape *shape = &conv->shape;
  cc_conv copy = *conv;
  cconv_products_kept(&copy, kept);
  for (int64_t g = 0; g < shape->groups; g++)
    conv->kernels->weight_pack(&(cc_weight_pack_job){
        .weight = weight->data + g * weight->group,
        .source = weight->dtype,
        .count = {shape->ic, shape->oc, shape->axis[0].kernel, shape->axis[1].kernel, shape->axis[2].kernel},
        .stride = {weight->in, weight->out, weight->tap[0], weight->tap[1], weight->tap[2]},
        .target = kept + g * copy.weight.group});
}
