/* SPDX-License-Identifier: BSD-3-Clause
 * conv_phases.c - a transposed convolution in one pass: which way, and what both ways share. */
#include "ops/conv_phases.h"

#include "base/checked.h"
#include "base/layout.h"
#include "ops/conv_matrix.h"

enum {
  MOST_PHASES = 64,
  MOST_TERMS = 1 << 24,   /* so that no size below overflows, ... */
  MOST_WEIGHTS = 1 << 30, /* ... nor those of all */
  OUTPUTS_A_WEIGHT = 15   /* that take as long to turn as a weight takes to lay out for lanes of places (measured) */
};

static bool has_windows(const cc_conv *conv, cc_phases *p) {
  const cc_conv_shape *shape = &conv->shape;
  int64_t terms = shape->ic, weights;
  if (!conv->kernels->taps || shape->ic < 1 || shape->oc < 1 || shape->oc > MOST_TERMS)
    return false;
  *p = (cc_phases){.conv = conv, .phases = 1, .taps = 1};
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    cc_transpose_window *window = &p->window[a];
    if (!cconv_transpose_window_of(&shape->axis[a], window) || window->stride > MOST_PHASES ||
        !cc_mul(terms, shape->axis[a].kernel, &terms) || terms > MOST_TERMS)
      return false;
    p->axis[a] = window->axis;
    p->phases *= window->stride;
    p->taps *= shape->axis[a].kernel;
  }
  return p->phases <= MOST_PHASES && cc_mul(terms * shape->oc, shape->groups, &weights) && weights < MOST_WEIGHTS;
}

/* Lanes of channels want outputs turned, lanes of places want weights so: which are fewer, of one channel? */
static bool has_few_places(const cc_phases *p) {
  const int64_t most = OUTPUTS_A_WEIGHT * p->conv->shape.ic * p->taps;
  int64_t outputs = p->phases;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    outputs = cc_min(outputs, most) * cc_min(p->axis[a].out, most);
  return outputs < most;
}

/* Are output channels side by side? Then nothing need be turned. */
static bool has_pixels(const cc_conv *conv) {
  return conv->output.stride[CC_CHANNEL] == conv->element && conv->output.dtype == conv->dtype;
}

static bool work_out(cc_phases *p, int64_t threads, bool lanes_are_channels) {
  int64_t offsets = p->conv->shape.ic;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    offsets *= p->window[a].taps + (p->window[a].fuller < p->window[a].stride ? p->window[a].taps - 1 : 0);
  if (p->matrix)
    offsets = p->taps * cc_ceil_div(p->conv->shape.ic, CC_LINE_CHANNELS);
  p->offsets_bytes = cc_lines(offsets * (int64_t)sizeof(int32_t));
  p->table_bytes = cc_lines(p->taps * (int64_t)sizeof(cc_tap_place));
  p->threads = threads;
  p->lanes_are_channels = lanes_are_channels;
  if (!(lanes_are_channels ? cconv_phases_channels_prepare : cconv_phases_rows_prepare)(p, threads))
    return false;
  p->workspace = p->offsets_bytes + p->table_bytes + p->weights_bytes + p->parts * p->thread_bytes;
  return true;
}

/* The pass that computes an image for which the matrix unit will not do: whatever the cache, as the unit's. */
static bool work_out_directly(const cc_phases *p, const cc_conv *one, cc_phases *direct) {
  *direct = *p;
  direct->conv = one;
  direct->matrix = NULL;
  direct->greatest_bytes = 0;
  return work_out(direct, p->threads, true);
}

static bool prepare_pass(const cc_conv *conv, int64_t threads, const char *kept, cc_phases *p) {
  if (!has_windows(conv, p))
    return false;
  p->kept = kept ? kept + CC_ALIGNMENT : NULL;
  p->bounded = cconv_phases_matrix_pays(p);
  p->matrix = p->bounded ? conv->matrix : NULL;
  if (!p->matrix) {
    const bool channels = has_pixels(conv) || has_few_places(p);
    if (kept)
      return work_out(p, threads, *(const int64_t *)(const void *)kept);
    return work_out(p, threads, channels) || work_out(p, threads, !channels);
  }
  cc_phases direct;
  const cc_conv one = cconv_matrix_directly(conv, 0);
  if (!work_out(p, threads, true) || !work_out_directly(p, &one, &direct))
    return false;
  p->greatest_bytes = cc_lines((conv->shape.n + 1) * (int64_t)sizeof(uint32_t));
  p->workspace = p->greatest_bytes + cc_max(p->workspace, direct.workspace);
  return true;
}

static int64_t packed_bytes(const cc_phases *p) {
  const cc_conv_shape *shape = &p->conv->shape;
  const int64_t channels = p->lanes_are_channels ? p->panels * p->width : shape->oc;
  return cc_lines(shape->groups * channels * p->taps * shape->ic * p->conv->element);
}

static const char *kept_of(const cc_phases *p) { return p->kept ? p->kept - CC_ALIGNMENT : NULL; }

/* Bytes of weights that the pass keeps. */
static int64_t pass_bytes(const cc_phases *p) { return CC_ALIGNMENT + p->table_bytes + packed_bytes(p); }

bool cconv_phases_prepare(const cc_conv *conv, int64_t threads, const char *kept, cc_phases *p) {
  if (!prepare_pass(conv, threads, kept, p))
    return false;
  p->digits = cconv_phases_digits_prepare(p, threads, kept ? kept + pass_bytes(p) : NULL);
  if (p->digits)
    p->workspace = p->work.workspace;
  return true;
}

/* Image n, to be computed by the pass. */
static cc_conv image_of(const cc_phases *p, int64_t n) {
  cc_conv one = cconv_matrix_directly(p->conv, n);
  one.algorithm = p->conv->algorithm;
  return one;
}

int64_t cconv_phases_pass_workspace(const cc_phases *p, int64_t threads) {
  const cc_conv one = image_of(p, 0);
  cc_phases pass;
  return prepare_pass(&one, threads, kept_of(p), &pass) ? pass.workspace : 0;
}

double cconv_phases_operations(const cc_phases *p) {
  const cc_conv_shape *shape = &p->conv->shape;
  double operations = 2.0 * (double)shape->n * (double)shape->groups * (double)shape->oc * (double)shape->ic;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    double products = 0;
    for (int64_t j = 0; j < p->window[a].stride; j++) {
      int64_t from = 0, end = p->axis[a].out;
      cconv_transpose_clip(&p->window[a], j, &from, &end);
      products += (double)cc_phase_taps(&p->window[a], j) * (double)cc_max(0, end - from);
    }
    operations *= products;
  }
  return operations;
}

static void count_taps(const cc_phases *p, cc_phase *phase) {
  const cc_transpose_window *w = p->window;
  const int64_t *j = phase->j, *taps = phase->taps;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    phase->taps[a] = cc_phase_taps(&w[a], j[a]);
  phase->terms = taps[0] * taps[1] * taps[2];
  const int64_t height = p->conv->shape.axis[1].kernel, width = p->conv->shape.axis[2].kernel;
  phase->before = cc_taps_before(&w[0], j[0]) * height * width +
                  taps[0] * (cc_taps_before(&w[1], j[1]) * width + taps[1] * cc_taps_before(&w[2], j[2]));
}

void cconv_phase_of(const cc_phases *p, int64_t index, cc_phase *phase) {
  const cc_transpose_window *w = p->window;
  int64_t offsets = 0, all = 1; /* of the axes so far */
  for (int a = CCONV_MAX_SPATIAL - 1; a >= 0; a--) {
    phase->j[a] = index % w[a].stride;
    index /= w[a].stride;
  }
  count_taps(p, phase);
  /* Phases with as many taps share their offsets: those with more on an axis come first. */
  for (int a = CCONV_MAX_SPATIAL - 1; a >= 0; a--) {
    offsets = offsets * phase->taps[a] + (phase->j[a] < w[a].fuller ? 0 : w[a].taps * all);
    all *= w[a].taps + (w[a].fuller < w[a].stride ? w[a].taps - 1 : 0);
  }
  phase->offsets = offsets * p->conv->shape.ic;
}

int64_t cconv_phase_of_tap(const cc_phases *p, int64_t tap, cc_phase *phase) {
  int64_t t[CCONV_MAX_SPATIAL], number = 0;
  for (int a = CCONV_MAX_SPATIAL - 1; a >= 0; a--) {
    const int64_t kernel = p->conv->shape.axis[a].kernel, k = tap % kernel;
    tap /= kernel;
    phase->j[a] = k % p->window[a].stride;
    t[a] = k / p->window[a].stride;
  }
  count_taps(p, phase);
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) /* the later a tap, the earlier its input */
    number = number * phase->taps[a] + phase->taps[a] - 1 - t[a];
  return number;
}

/* The offsets of every phase's terms, once for those that share them. */
static void write_offsets(const cc_phases *p, int32_t *offsets) {
  const cc_halo *halo = &p->blocks.halo;
  for (int64_t f = 0; f < p->phases; f++) {
    cc_phase phase;
    cconv_phase_of(p, f, &phase);
    int32_t *off = offsets + phase.offsets;
    for (int64_t c = 0; c < p->conv->shape.ic; c++)
      for (int64_t d = p->window[0].taps - phase.taps[0]; d < p->window[0].taps; d++)
        for (int64_t h = p->window[1].taps - phase.taps[1]; h < p->window[1].taps; h++)
          for (int64_t w = p->window[2].taps - phase.taps[2]; w < p->window[2].taps; w++)
            *off++ = (int32_t)(c * halo->channel + (d * halo->axis[1].pitch + h) * halo->axis[2].pitch + w);
  }
}

void cconv_phases_spread(const cc_phases *p, const cc_tap_place *table, bool lanes, int64_t g, int64_t c,
                         int64_t channels, int64_t m, int64_t rows, char *target) {
  const cc_weight *weight = &p->conv->weight;
  const cc_axis *axis = p->conv->shape.axis;
  p->conv->kernels->taps(&(cc_tap_job){
      .weight = weight->data + g * weight->group + c * weight->in + m * weight->out,
      .source = weight->dtype,
      .count = {channels, rows, axis[0].kernel, axis[1].kernel, axis[2].kernel},
      .stride = {weight->in, weight->out, weight->tap[0], weight->tap[1], weight->tap[2]},
      .places = table,
      .lanes = lanes,
      .target = target,
  });
}

int64_t cconv_phases_kept_bytes(const cc_phases *p) { return pass_bytes(p) + (p->digits ? p->work.weights : 0); }

void cconv_phases_keep(const cc_phases *p, char *kept) {
  const cc_conv_shape *shape = &p->conv->shape;
  cc_tap_place *table = (cc_tap_place *)(void *)(kept + CC_ALIGNMENT);
  char *at = kept + CC_ALIGNMENT + p->table_bytes;
  *(int64_t *)(void *)kept = p->lanes_are_channels;
  if (p->digits)
    p->work.driver->pack(&p->places, &p->work, kept + pass_bytes(p));
  if (!p->lanes_are_channels) {
    cconv_phases_rows_weights(p, table, at);
    return;
  }
  cconv_phases_channels_table(p, shape->ic, table);
  for (int64_t g = 0; g < shape->groups; g++)
    for (int64_t t = 0; t < p->panels; t++, at += p->width * p->taps * shape->ic * p->conv->element)
      cconv_phases_spread(p, table, true, g, 0, shape->ic, t * p->width, cc_min(p->width, shape->oc - t * p->width),
                          at);
}

static cconv_status run_units(cc_phases *p, cc_run *run, char *workspace) {
  cc_tap_place *table = (cc_tap_place *)(void *)(workspace + p->greatest_bytes + p->offsets_bytes);
  p->memory = workspace + p->greatest_bytes;
  if (p->matrix)
    cconv_phases_matrix_offsets(p, (int32_t *)(void *)p->memory);
  else
    write_offsets(p, (int32_t *)(void *)p->memory);
  for (int64_t n = 0; p->matrix && n <= p->conv->shape.n; n++)
    atomic_init(cc_phases_greatest(p, n), 0);
  if (p->lanes_are_channels && !p->kept)
    cconv_phases_channels_table(p, p->piece, table);
  else if (!p->kept)
    cconv_phases_rows_weights(p, table, p->memory + p->offsets_bytes + p->table_bytes);
  return cconv_parallel(run, p->lanes_are_channels ? cconv_phases_channels_unit : cconv_phases_rows_unit, p, p->units,
                        p->parts);
}

/* Directly those images that the matrix unit cannot compute. */
static cconv_status run_strange(const cc_phases *p, cc_run *run, char *workspace) {
  cconv_status status = CCONV_OK;
  const int64_t images = p->conv->shape.n;
  const uint32_t weights = atomic_load(cc_phases_greatest(p, images));
  for (int64_t n = 0; n < images && !status; n++) {
    if (cconv_matrix_is_ordinary(atomic_load(cc_phases_greatest(p, n)), weights))
      continue;
    cc_phases direct;
    const cc_conv one = cconv_matrix_directly(p->conv, n);
    status = work_out_directly(p, &one, &direct) ? run_units(&direct, run, workspace + p->greatest_bytes)
                                                 : CCONV_UNSUPPORTED; /* never: it was worked out before */
  }
  return status;
}

static cconv_status run_pass(cc_phases *p, cc_run *run, char *workspace) {
  const cconv_status status = run_units(p, run, workspace);
  return status || !p->matrix ? status : run_strange(p, run, workspace);
}

cconv_status cconv_phases_run_pass(const cc_phases *p, int64_t n, int64_t threads, cc_run *run, char *workspace) {
  const cc_conv one = image_of(p, n);
  cc_phases pass;
  return prepare_pass(&one, threads, kept_of(p), &pass) ? run_pass(&pass, run, workspace)
                                                        : CCONV_UNSUPPORTED; /* never: it was worked out before */
}

cconv_status cconv_phases_run(cc_phases *p, cc_run *run, char *workspace) {
  return p->digits ? p->work.driver->run(&p->places, &p->work, run, workspace) : run_pass(p, run, workspace);
}

void cconv_phases_describe(const cc_phases *p, cconv_plan_info *info) {
  if (p->digits)
    p->work.driver->describe(&p->work, info);
  else
    cconv_operation_describe(&p->blocks, info);
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    info->block[a] = cc_min(info->block[a] * p->window[a].stride, p->window[a].out);
  info->algorithm = p->digits ? p->work.driver->name : p->matrix ? "bf16x3" : "direct";
  info->operations = cconv_phases_operations(p);
  info->threads = (int32_t)(p->digits ? p->work.parts : p->parts);
  info->phases = p->phases;
  if (!p->digits)
    info->rows = p->lanes_are_channels ? p->width : p->rows;
}
