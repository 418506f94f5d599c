/* SPDX-License-Identifier: BSD-3-Clause
 * conv_panels.c - direct convolution from panels of positions.
 *
 * Law: what each tile of positions looks at is gathered once into a panel and read for every channel: in whole lines,
 * in the order of memory, and without the garbage between the rows of a halo. It is gathered from the input itself
 * where windows neither overlap nor reach outside, as of 1 x 1 kernels and patches; else from a halo, which pays where
 * sums are short and channels many. Few channels read single inputs where they lie: only the last positions of an
 * image, behind which a tile may not read, have a panel. Positions of an image count through, row after row. A unit is
 * one run of panels, and one run of the channels; sums are those of conv_direct.c, term by term. */
#include "base/checked.h"
#include "base/layout.h"
#include "choose/tiles.h"
#include "ops/conv_driver.h"

enum {
  LEAST_BYTES = 192,     /* of a panel's row, where inputs follow each other */
  LEAST_CHANNELS = 24,   /* that pay for a panel, each of them a little; ... */
  PLACE_CHANNELS = 40,   /* ... in place at most, for more would rather write long rows of outputs, and of inputs ... */
  NEAR_BYTES = 40 << 10, /* ... that stay in the level 1 cache from one tile of channels to the next, ... */
  FAR_BYTES = 20 << 10,  /* ... or that come from beyond the level 2 cache, by so many rows (all measured) */
  HALO_TERMS = 48,       /* at most, beside a halo: else its rows are long enough to do without panels, ... */
  HALO_CHANNELS = 48,    /* ... and so many channels at least */
  HALO_POSITIONS = 128,  /* channels fill the lanes of fewer */
  GATHER = 16,           /* instructions that take as long as gathering a vector from afar, as in choose/tiles.c */
  MOST_CUTS = 16,        /* numbers of blocks looked at, */
  WORTH = 32,            /* where one saves more than such a part over the last: larger blocks are easier to read */
  MOST_POSITIONS = 1024, /* of a block */
  PARTS_OF_BUDGET = 4,   /* one for a block's panels where weights fit too: inputs and outputs want the rest */
  MOST_TERMS = 1 << 24   /* so that no size below overflows */
};

/* What prepare() works out; a run adds the convolution and the workspace. */
typedef struct panels {
  const cc_conv *conv;
  cc_blocks blocks;
  int64_t positions, columns, blocks_an_image; /* of an image: outputs, panels, runs of panels */
  int64_t runs;                                /* of channels, each with panels of its own */
  bool windows;                                /* from a halo */
  int64_t strip;                               /* outputs whose inputs are read where they lie, at a time; else 0 */
  bool by_lines;                               /* ... from the start of a line on, as in all channels */
  bool adjacent;                               /* outputs follow each other in memory, row after row */
  bool plain;                                  /* ... and tiles may write there */
  int64_t width, pitch;                        /* of a panel; elements from one to the next */
  int64_t tiles, rows;                         /* of channels in a group, as in conv_direct.c */
  int64_t units, parts;
  int64_t offsets_bytes, runs_at, slab_at, weights_at, halo_at, thread_bytes; /* panels are first */
  char *workspace;
  cc_run *run;
} panels;

_Static_assert(sizeof(panels) <= CC_WORK_STATE, "a driver's struct must fit");

/* Does no input element belong to two windows? */
static bool has_lone_windows(const cc_conv *conv) {
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    const cc_axis *axis = &conv->shape.axis[a];
    if (axis->kernel > 1 && (axis->dilation > 1 || axis->kernel > axis->stride))
      return false;
  }
  return true;
}

/* Do single inputs lie in one row, and near enough for each tile of so many to be read again where they are? */
static bool reads_in_place(const cc_conv *conv, int64_t positions, int64_t tiles, int64_t width) {
  const cc_conv_shape *shape = &conv->shape;
  const cc_view *input = &conv->input;
  const int64_t stride = shape->ic > 1 ? input->stride[CC_CHANNEL] : 0, row = shape->ic * conv->element;
  const int64_t near = positions <= 2 * cconv_operation_budget() / row ? NEAR_BYTES : FAR_BYTES;
  int64_t last;
  return (shape->oc < LEAST_CHANNELS || (shape->oc <= PLACE_CHANNELS && width <= near / row)) && shape->taps == 1 &&
         shape->axis[0].out == 1 && shape->axis[1].out == 1 && shape->axis[2].stride == 1 &&
         shape->axis[0].before == 0 && shape->axis[1].before == 0 && shape->axis[2].before == 0 &&
         (conv->weight.in_place || tiles == 1) && positions >= width && input->dtype == conv->dtype &&
         input->stride[CC_WIDTH] == conv->element && stride % conv->element == 0 &&
         cc_mul(stride / conv->element, shape->ic, &last) && last <= INT32_MAX && last >= INT32_MIN;
}

/* Tiles of channels for panels, or for inputs in place. */
static void choose_tiles(panels *d, const cc_conv *conv, bool panel) {
  const cc_kernels *kernels = conv->kernels;
  d->tiles = cconv_choose_tiles(kernels, conv->shape.oc, cc_ceil_div(d->positions, kernels->vector_length), panel);
  d->rows = cc_ceil_div(conv->shape.oc, d->tiles);
  d->width = kernels->conv_tiles[d->rows - 1].width[0].nv * kernels->vector_length;
}

/* The time of a unit of so many positions, in instructions for each term. */
static int64_t unit_time(const panels *d, const cc_conv *conv, int64_t runs, int64_t positions) {
  const int64_t vectors = cc_ceil_div(positions, conv->kernels->vector_length), tiles = cc_ceil_div(d->tiles, runs);
  const int64_t rows = cc_min(conv->shape.oc, tiles * d->rows);
  return cconv_tiles_cost(conv->kernels, rows, tiles, vectors, !d->strip) + (d->strip ? 0 : GATHER * vectors);
}

/* The time of the first thread, which has the most: for each run of channels blocks come in order of their size. */
static int64_t longest_time(const panels *d, const cc_conv *conv, int64_t threads, int64_t blocks, int64_t runs) {
  const int64_t units = cc_ceil_div(conv->shape.n * conv->shape.groups * blocks * runs, threads);
  const int64_t all = units / blocks, more = units % blocks, size = d->columns / blocks, larger = d->columns % blocks;
  const int64_t last = cc_part(d->columns, blocks - 1, blocks) * d->width;
  const int64_t large = larger ? unit_time(d, conv, runs, (size + 1) * d->width) : 0;
  const int64_t small = blocks - 1 > larger ? unit_time(d, conv, runs, size * d->width) : 0;
  return (all * larger + cc_min(more, larger)) * large +
         (all * cc_max(0, blocks - 1 - larger) + cc_max(0, more - larger)) * small +
         all * unit_time(d, conv, runs, d->positions - last);
}

/* Cut an image into blocks, at least so many, and the channels into runs, so that no thread waits for others long. */
static void cut(panels *d, const cc_conv *conv, int64_t threads, int64_t fewest) {
  int64_t least = INT64_MAX;
  for (int64_t runs = 1; runs <= cc_min(threads, d->tiles); runs += cc_max(1, threads - 1))
    for (int64_t i = 0; i < cc_min(threads, MOST_CUTS) && fewest + i <= d->columns; i++) {
      const int64_t time = longest_time(d, conv, threads, fewest + i, runs);
      if (time < least - least / WORTH) {
        least = time;
        d->blocks_an_image = fewest + i;
        d->runs = runs;
      }
    }
}

/* Can panels be gathered from a halo, and may it pay? Of planes, whose rows are long enough to be copied. */
static bool takes_windows(const cc_conv *conv, int64_t positions) {
  const cc_conv_shape *shape = &conv->shape;
  return shape->reduction <= HALO_TERMS && shape->oc >= HALO_CHANNELS && positions >= HALO_POSITIONS &&
         shape->axis[0].out == 1 && shape->axis[0].kernel == 1 &&
         shape->axis[2].out >= conv->kernels->vector_length / 2;
}

/* Add a halo to the scratch, for the rows that the largest block of positions touches; false where it does not fit. */
static bool add_halo(panels *d, const cc_conv *conv, int64_t positions) {
  const cc_axis *axis = conv->shape.axis;
  const int64_t unit = CC_ALIGNMENT / conv->element, slack = conv->kernels->vector_length;
  const int64_t left = cconv_operation_budget() - d->offsets_bytes - d->thread_bytes;
  const int64_t out[3] = {1, cc_min(axis[1].out, (positions - 1) / axis[2].out + 2), axis[2].out};
  const int64_t taps[3] = {1, axis[1].kernel, axis[2].kernel};
  if (left < slack * conv->element ||
      !cconv_halo_fits(axis, out, taps, unit, conv->shape.ic, left / conv->element - slack))
    return false;
  d->blocks.channels = conv->shape.ic;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    d->blocks.taps[a] = taps[a];
  cconv_halo_of(axis, out, taps, unit, &d->blocks.halo);
  d->halo_at = d->thread_bytes;
  d->thread_bytes += cc_lines((conv->shape.ic * d->blocks.halo.channel + slack) * conv->element);
  return true;
}

bool cconv_conv_panels_prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work) {
  panels *d = (panels *)(void *)work->state;
  const cc_conv_shape *shape = &conv->shape;
  const cc_kernels *kernels = conv->kernels;
  const int64_t es = conv->element, vl = kernels->vector_length, images = shape->n * shape->groups;
  const int64_t k = shape->reduction, unit = CC_ALIGNMENT / es;
  int64_t positions = 1;
  const bool windows = !has_lone_windows(conv) || !cconv_conv_stays_inside(conv);
  if (!kernels->panel || shape->oc > MOST_TERMS || k == 0 || k > MOST_TERMS)
    return false;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    if (!cc_mul(positions, shape->axis[a].out, &positions))
      return false;
  /* Pixels are read a channel at a time here, each again and again. */
  if (positions <= vl || (shape->ic > 1 && conv->input.stride[CC_CHANNEL] == es) ||
      (windows && !takes_windows(conv, positions)))
    return false;
  *d = (panels){
      .positions = positions, .windows = windows, .adjacent = cconv_conv_is_adjacent(shape->axis, &conv->output)};
  if (conv->residual.data)
    d->adjacent = d->adjacent && cconv_conv_is_adjacent(shape->axis, &conv->residual);
  d->plain = d->adjacent && cconv_conv_is_plain(conv);
  choose_tiles(d, conv, false);
  if (!windows && reads_in_place(conv, positions, d->tiles, d->width)) {
    d->by_lines = shape->ic > shape->oc && conv->input.stride[CC_CHANNEL] % CC_ALIGNMENT == 0;
    d->strip = d->tiles == 1 ? positions : cc_max(1, NEAR_BYTES / (d->width * k * es)) * d->width;
  } else if (shape->oc >= LEAST_CHANNELS) {
    choose_tiles(d, conv, true);
  } else {
    return false;
  }
  /* Copies of less than that cost more than their panels give: a halo is copied by whole rows. Other inputs come one
   * by one either way (measured on AVX2: 0.7 to 0.95 times as fast, and 1.1 times). */
  const bool follow = shape->axis[2].out > 1 && conv->input.stride[CC_WIDTH] * shape->axis[2].stride == es;
  if (!d->strip && (follow || windows) && d->width * es < LEAST_BYTES)
    return false;
  d->pitch = (cc_ceil_div(k * d->width + (windows ? vl : 0), unit) | 1) * unit; /* odd: other sets */
  d->columns = cc_ceil_div(positions, d->width);
  const int64_t weights = conv->weight.in_place ? 0 : cc_lines(k * d->rows * es);
  const int64_t offsets = (windows || d->strip ? 2 : 1) * cc_lines(k * (int64_t)sizeof(int32_t));
  const int64_t fixed = offsets + weights + cc_lines((d->rows * d->width + vl) * es) +
                        cc_lines(MOST_POSITIONS * (int64_t)sizeof(cc_panel_run)) + CC_ALIGNMENT;
  const int64_t budget = cconv_operation_budget(), fit = (budget - fixed) / (d->pitch * es);
  if (fit < 1)
    return false;
  /* Weights that do not stay in the cache come again for every block, and outputs are written a block's length at a
   * time: many channels of them want it long (measured: 0.93 times as fast with 256 in and out at 56 x 56). */
  const int64_t parts = shape->oc < k && k <= budget / es / shape->oc ? PARTS_OF_BUDGET : 1;
  const int64_t most = cc_max(1, cc_min(d->strip ? MOST_POSITIONS : fit / parts, MOST_POSITIONS / d->width));
  const double operations = cconv_conv_operations(conv);
  threads = cconv_operation_parts(threads, threads, operations);
  cut(d, conv, threads, cc_ceil_div(d->columns, most));
  d->units = images * d->blocks_an_image * d->runs;
  d->parts = cconv_operation_parts(threads, d->units, operations);
  const int64_t largest = cc_ceil_div(d->columns, d->blocks_an_image), packed = d->strip ? 1 : largest;
  d->blocks = (cc_blocks){.count = {1, 1, d->blocks_an_image}, .out = {1, 1, largest * d->width}, .chunks = 1};

  d->offsets_bytes = offsets;
  d->runs_at = packed * d->pitch * es;
  d->slab_at = d->runs_at + cc_lines(packed * d->width * (int64_t)sizeof(cc_panel_run));
  d->weights_at = d->slab_at + cc_lines((d->rows * d->width + vl) * es); /* a store reads beyond the last */
  d->thread_bytes = d->weights_at + weights;
  if (windows && !add_halo(d, conv, largest * d->width))
    return false;
  work->driver = &cconv_conv_panels;
  work->parts = d->parts;
  work->workspace = d->offsets_bytes + d->parts * d->thread_bytes;
  return true;
}

/* Where output p of an image, or the first input of its window, lies. */
static int64_t place_of(const cc_conv *conv, const cc_view *view, bool input, int64_t p) {
  const cc_axis *axis = conv->shape.axis;
  int64_t at = 0;
  for (int a = CCONV_MAX_SPATIAL - 1; a >= 0; a--) {
    const int64_t i = p % axis[a].out, index = input ? i * axis[a].stride - axis[a].before : i;
    at += index > 0 ? index * view->stride[CC_DEPTH + a] : 0;
    p /= axis[a].out;
  }
  return at;
}

/* Gather what outputs [first, end) of image n and group g look at. */
static void gather(const panels *d, int64_t n, int64_t g, int64_t first, int64_t end, char *scratch) {
  const cc_conv *conv = d->conv;
  const cc_view *input = &conv->input;
  const cc_axis *axis = conv->shape.axis;
  const int64_t line = axis[2].out, vl = conv->kernels->vector_length;
  cc_panel_run *runs = (cc_panel_run *)(void *)(scratch + d->runs_at);
  cc_panel_job job = {
      .x = input->data + n * input->stride[CC_BATCH] + (g > 0 ? g * conv->shape.ic * input->stride[CC_CHANNEL] : 0),
      .source = input->dtype,
      .count = {conv->shape.ic, axis[0].kernel, axis[1].kernel, axis[2].kernel},
      .stride = {input->stride[CC_CHANNEL], input->stride[CC_DEPTH], input->stride[CC_HEIGHT], input->stride[CC_WIDTH]},
      .step = line > 1 ? axis[2].stride * input->stride[CC_WIDTH] : 0,
      .runs = runs,
      .panel = scratch,
      .pitch = d->width};
  for (int64_t p = first, size; p < end; p += size) {
    const int64_t in_panel = (p - first) % d->width;
    size = cc_min(cc_min(line - p % line, d->width - in_panel), end - p);
    job.end = (p - first) / d->width * d->pitch + in_panel;
    runs[job.runs_count++] = (cc_panel_run){place_of(conv, input, true, p), size, job.end};
    job.end += size;
  }
  job.rest = (vl - (end - first) % d->width % vl) % vl;
  conv->kernels->panel(&job);
}

/* The same from a halo, which is packed first. */
static void gather_windows(const panels *d, int64_t n, int64_t g, int64_t first, int64_t end, char *scratch) {
  const cc_conv *conv = d->conv;
  const cc_axis *axis = conv->shape.axis;
  const int64_t line = axis[2].out, vl = conv->kernels->vector_length, top = first / line;
  const cc_block block = {.from = {0, top, 0}, .size = {1, (end - 1) / line + 1 - top, line}};
  const cc_chunk chunk = {.channels = conv->shape.ic};
  cc_panel_run *runs = (cc_panel_run *)(void *)(scratch + d->runs_at);
  cc_window_job job = {.x = scratch + d->halo_at,
                       .off = (const int32_t *)(const void *)(d->workspace + d->offsets_bytes / 2),
                       .k = conv->shape.reduction,
                       .runs = runs,
                       .panel = scratch,
                       .pitch = d->width};
  cconv_operation_pack(conv->kernels, &d->blocks, axis, &conv->input, n, g * conv->shape.ic, &block, &chunk,
                       conv->padding_value, scratch + d->halo_at);
  for (int64_t p = first, size; p < end; p += size) {
    const int64_t in_panel = (p - first) % d->width;
    size = cc_min(cc_min(line - p % line, d->width - in_panel), end - p);
    job.end = (p - first) / d->width * d->pitch + in_panel;
    runs[job.runs_count++] = (cc_panel_run){(p / line - top) * d->blocks.halo.axis[2].pitch + p % line, size, job.end};
    job.end += size;
  }
  job.rest = (vl - (end - first) % d->width % vl) % vl;
  conv->kernels->windows(&job);
}

/* Where output p of image n and a channel lies. */
static char *output_at(const cc_conv *conv, const cc_view *view, int64_t n, int64_t channel, int64_t p) {
  return view->data + n * view->stride[CC_BATCH] + channel * view->stride[CC_CHANNEL] + place_of(conv, view, false, p);
}

/* Store the sums of channels [first, first + rows) at outputs [p, end). */
static void store(const panels *d, int64_t n, int64_t first, int64_t rows, int64_t p, int64_t end, char *slab,
                  int64_t lds) {
  const cc_conv *conv = d->conv;
  const cc_view *y = &conv->output, *residual = &conv->residual;
  const int64_t line = conv->shape.axis[2].out;
  for (int64_t size; p < end; p += size, slab += size * conv->element) {
    size = d->adjacent ? end - p : cc_min(line - p % line, end - p);
    cconv_conv_store(conv, &(cc_conv_rows){.slab = slab,
                                           .lds = lds,
                                           .rows = rows,
                                           .n = size,
                                           .bias = conv->bias ? conv->bias + first * conv->element : NULL,
                                           .bias_step = 1,
                                           .y = output_at(conv, y, n, first, p),
                                           .y_stride = y->stride[CC_CHANNEL],
                                           .residual = residual->data ? output_at(conv, residual, n, first, p) : NULL,
                                           .residual_stride = residual->stride[CC_CHANNEL]});
  }
}

/* The sums of tile t of group g's channels at outputs [from, end) of image n, whose panels are in the scratch; or their
 * inputs are read from `input` on, where they lie. */
static void run_tile(const panels *d, int64_t n, int64_t g, int64_t t, int64_t from, int64_t end, const char *input,
                     char *scratch) {
  const cc_conv *conv = d->conv;
  const cc_conv_shape *shape = &conv->shape;
  const cc_kernels *kernels = conv->kernels;
  const int64_t es = conv->element, vl = kernels->vector_length;
  const int64_t oc = cc_part(shape->oc, t, d->tiles), mr = cc_part(shape->oc, t + 1, d->tiles) - oc;
  const int64_t first = g * shape->oc + oc;
  const cc_chunk chunk = {.channels = shape->ic,
                          .taps = {shape->axis[0].kernel, shape->axis[1].kernel, shape->axis[2].kernel},
                          .terms = shape->reduction};
  const cc_rows w = cconv_conv_weights(conv, g, oc, mr, &chunk, scratch + d->weights_at);
  cc_conv_tile_job job = {.k = shape->reduction,
                          .w = w.data,
                          .ldw = w.pitch,
                          .off = (const int32_t *)(const void *)(d->workspace + (input ? d->offsets_bytes / 2 : 0)),
                          .fresh = true};
  for (int64_t p = from, size; p < end; p += size) {
    const int64_t column = (p - from) / d->width, lane = (p - from) % d->width;
    const int64_t left = cc_min(end - p, d->width - lane);
    const cc_conv_tile *tile = cc_next_tile(kernels, mr, cc_ceil_div(left, vl));
    const int64_t length = tile->nv * vl;
    size = cc_min(length, left);
    const bool whole = d->plain && size == length;
    job.x = input ? input + (p - from) * es : scratch + (column * d->pitch + lane) * es;
    job.slab = whole ? output_at(conv, &conv->output, n, first, p) : scratch + d->slab_at;
    job.lds = whole ? conv->output.stride[CC_CHANNEL] / es : length;
    job.bias = whole ? cconv_conv_bias(conv, first, &job.bias_step) : NULL;
    tile->run(&job);
    if (!whole)
      store(d, n, first, mr, p, p + size, job.slab, job.lds);
  }
}

/* Tiles [first, last) of outputs [from, end) of image n, strip by strip: what one has read is near for the next.
 * Blocks and strips begin `lead` outputs later, so that tiles begin with a line of the input; the first block also has
 * what is before it (measured with inputs that begin behind 16 bytes of a line: 1.05 to 1.25 times as fast). */
static void run_strips(const panels *d, int64_t n, int64_t g, int64_t first, int64_t last, int64_t from, int64_t end,
                       int64_t part, char *scratch) {
  const cc_view *view = &d->conv->input;
  const int64_t es = d->conv->element, ic = d->conv->shape.ic;
  const char *input = view->data + n * view->stride[CC_BATCH] + (g > 0 ? g * ic * view->stride[CC_CHANNEL] : 0);
  const int64_t before = d->by_lines ? (int64_t)(-(uintptr_t)input % CC_ALIGNMENT) / es : 0;
  const int64_t lead =
      before + d->conv->kernels->vector_length <= d->positions ? before : 0;   /* by whole vectors, inside */
  const int64_t in_place = lead + (d->positions - lead) / d->width * d->width; /* else tiles would read behind */
  from = from > 0 ? from + lead : 0;
  end = cc_min(end + lead, d->positions);
  for (int64_t p = from, next; p < end && !cconv_run_stopped(d->run, part); p = next) {
    const bool inside = p < in_place;
    next = p < lead ? lead : inside ? cc_min(cc_min(p + d->strip, end), in_place) : end;
    if (!inside)
      gather(d, n, g, p, end, scratch);
    for (int64_t t = first; t < last; t++)
      run_tile(d, n, g, t, p, next, inside ? input + p * es : NULL, scratch);
  }
}

/* One block of positions for one run of channels. */
static void run_unit(void *arg, int64_t unit, bool first_unit, int64_t part) {
  const panels *d = arg;
  const int64_t block = unit % d->blocks_an_image, place = unit / d->blocks_an_image;
  const int64_t run = place % d->runs, image = place / d->runs;
  const int64_t n = image / d->conv->shape.groups, g = image % d->conv->shape.groups;
  const int64_t from = cc_part(d->columns, block, d->blocks_an_image) * d->width;
  const int64_t end = cc_min(d->positions, cc_part(d->columns, block + 1, d->blocks_an_image) * d->width);
  const int64_t first = cc_part(d->tiles, run, d->runs), last = cc_part(d->tiles, run + 1, d->runs);
  char *scratch = d->workspace + d->offsets_bytes + part * d->thread_bytes;
  if (d->strip) {
    run_strips(d, n, g, first, last, from, end, part, scratch);
    return;
  }
  if (first_unit || run == 0 || d->blocks_an_image > 1) /* else the unit before left these panels in the scratch */
    (d->windows ? gather_windows : gather)(d, n, g, from, end, scratch);
  for (int64_t t = first; t < last && !cconv_run_stopped(d->run, part); t++)
    run_tile(d, n, g, t, from, end, NULL, scratch);
}

static cconv_status run(const cc_conv *conv, const cc_conv_work *work, cc_run *run, char *workspace) {
  panels d = *(const panels *)(const void *)work->state;
  d.conv = conv;
  d.workspace = workspace;
  d.run = run;
  if (d.windows)
    cconv_operation_offsets(&d.blocks, conv->shape.axis, (int32_t *)(void *)(workspace + d.offsets_bytes / 2));
  int32_t *offsets = (int32_t *)(void *)workspace, *in_place = (int32_t *)(void *)(workspace + d.offsets_bytes / 2);
  for (int64_t k = 0; k < conv->shape.reduction; k++)
    offsets[k] = (int32_t)(k * d.width);
  for (int64_t c = 0; d.strip > 0 && c < conv->shape.ic; c++)
    in_place[c] = (int32_t)(c * (conv->input.stride[CC_CHANNEL] / conv->element));
  return cconv_parallel(run, run_unit, &d, d.units, d.parts);
}

static void describe(const cc_conv_work *work, cconv_plan_info *info) {
  const panels *d = (const panels *)(const void *)work->state;
  cconv_operation_describe(&d->blocks, info);
  info->rows = d->rows;
}

const cc_conv_driver cconv_conv_panels = {.name = "direct", .run = run, .describe = describe};
