/* SPDX-License-Identifier: BSD-3-Clause
 * conv_phases_digits.c - a transposed convolution whose places are computed by int8x3.
 *
 * Law: all phases of a place look at its window, so they are output channels of one ordinary convolution of stride 1,
 * the `places`: its channels are 16 of the output's, for every phase, and then the next 16. Two phases that are
 * neighbours along the last axis share the sums of two records, which are joined to rows of outputs. Images that
 * int8x3 leaves to others are computed as without it. */
#include <string.h>

#include "base/checked.h"
#include "choose/algorithm.h"
#include "ops/conv_int8x3.h"
#include "ops/conv_phases.h"

enum {
  PAIR = CC_MATRIX_LANES / CC_DIGIT_LANES, /* phases along the last axis */
  LEAST_PLACES = 48,                       /* for fewer weights are split faster in parts of bfloat16 (measured) */
  MOST_DIGIT_TERMS = 1 << 14               /* of all phases: their weights for 16 lanes are made at once */
};

extern const cc_conv_driver cconv_conv_int8x3;

static void make_places(const cc_phases *p, cc_conv *places) {
  *places = *p->conv;
  cc_conv_shape *shape = &places->shape;
  shape->taps = 1;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    shape->axis[a] = places->given[a] = p->axis[a];
    shape->taps *= p->axis[a].kernel;
  }
  shape->reduction = shape->ic * shape->taps;
  shape->oc = cc_ceil_div(shape->oc, CC_DIGIT_LANES) * CC_DIGIT_LANES * p->phases;
  places->phases = p;
}

/* By shapes alone. Every phase has a whole window, and its lanes are not mostly empty. */
static bool pays(const cc_phases *p, const cc_conv *places) {
  const cc_conv_shape *shape = &places->shape;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    if (p->window[a].fuller != p->window[a].stride)
      return false;
  return p->conv->matrix && p->conv->algorithm == CCONV_ALGORITHM_AUTO && p->window[2].stride == PAIR &&
         p->conv->shape.oc >= CC_DIGIT_LANES && cc_outputs_of(shape) >= LEAST_PLACES && !cconv_choose_windows(shape) &&
         cc_ceil_div(shape->ic, CC_DIGIT_CHANNELS) * CC_DIGIT_CHANNELS <=
             MOST_DIGIT_TERMS / (shape->taps * p->phases) &&
         cconv_choose_int8x3(CCONV_ALGORITHM_AUTO, p->conv->dtype, shape);
}

bool cconv_phases_digits_prepare(cc_phases *p, int64_t threads, const char *kept) {
  make_places(p, &p->places);
  if (!pays(p, &p->places))
    return false;
  p->places.weight.prepared = kept;
  p->places.weight.kept = kept != NULL;
  p->work = (cc_conv_work){.driver = &cconv_conv_int8x3, .threads = threads};
  p->work.driver->prepare(&p->places, threads, &p->work);
  return true;
}

void cconv_phases_digits_weights(const cc_int8x3 *d, int64_t g, int64_t group, char *rows, char *records,
                                 uint32_t *greatest) {
  const cc_phases *p = d->conv->phases;
  const int64_t ic = p->conv->shape.ic, window = d->taps * CC_DIGIT_LANES, channels = d->slices * d->width;
  const int64_t m = group * CC_DIGIT_LANES;
  cc_tap_place table[MOST_DIGIT_TERMS / CC_DIGIT_CHANNELS];
  for (int64_t t = 0; t < p->taps; t++) {
    cc_phase phase;
    const int64_t number = cconv_phase_of_tap(p, t, &phase);
    table[t] = (cc_tap_place){
        .at = phase.before / d->taps * channels * window + number * CC_DIGIT_LANES, .step = window, .lead = 1};
  }
  for (int64_t f = 0; f < p->phases; f++) /* channels that are not there */
    memset(rows + (f * channels + ic) * window * (int64_t)sizeof(float), 0,
           (size_t)((channels - ic) * window) * sizeof(float));
  cconv_phases_spread(p, table, true, g, 0, ic, m, cc_min(CC_DIGIT_LANES, p->conv->shape.oc - m), rows);
  cc_digit_weights_job job = {.slices = d->slices,
                              .width = d->width,
                              .rows = d->rows,
                              .row_taps = d->conv->given[2].kernel,
                              .greatest = *greatest};
  for (int64_t f = 0; f < p->phases; f++, records += d->record) {
    job.x = (const float *)(const void *)rows + f * channels * window;
    job.squares = records;
    job.scale = (float *)(void *)(records + cc_digit_scale_at(d));
    job.shares = d->taps > 1 ? (uint8_t *)records + cc_digit_shares_at(d) : NULL;
    d->matrix->digit_weights(&job);
  }
  *greatest = job.greatest;
}

static char *row_at(const cc_view *view, int64_t n, int64_t channel, const int64_t o[3]) {
  char *at = view->data;
  if (!at)
    return NULL;
  at += n * view->stride[CC_BATCH] + channel * view->stride[CC_CHANNEL];
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    at += o[a] > 0 ? o[a] * view->stride[CC_DEPTH + a] : 0; /* the step of a lone output may be anything */
  return at;
}

/* Places [ow, ow + n) of both phases, channel by channel, joined in `joined`. */
static void store_rows(const cc_phases *p, const cc_matrix_target *to, const cc_segment *s, int64_t o[3],
                       const float *sums, char *joined) {
  const cc_conv *conv = p->conv;
  const cc_transpose_window *columns = &p->window[2];
  const int64_t ld = PAIR * to->pitch, first = s->ow * PAIR - columns->skip;
  const int64_t from = cc_max(first, 0), end = cc_min(columns->out, first + s->n * PAIR);
  conv->kernels->interleave(&(cc_interleave_job){.x = sums,
                                                 .plane = CC_DIGIT_LANES * to->pitch,
                                                 .ldx = to->pitch,
                                                 .phases = PAIR,
                                                 .rows = to->rows,
                                                 .n = s->n,
                                                 .y = joined,
                                                 .ldy = ld});
  o[2] = from;
  cconv_conv_store(conv, &(cc_conv_rows){.slab = joined + (from - first) * conv->element,
                                         .lds = ld,
                                         .rows = to->rows,
                                         .n = end - from,
                                         .bias = conv->bias ? conv->bias + to->channel * conv->element : NULL,
                                         .bias_step = 1,
                                         .y = row_at(&conv->output, to->n, to->channel, o),
                                         .y_stride = conv->output.stride[CC_CHANNEL],
                                         .residual = row_at(&conv->residual, to->n, to->channel, o),
                                         .residual_stride = conv->residual.stride[CC_CHANNEL]});
}

/* The same where channels lie side by side: place by place, of one phase and then of the other. */
static void store_pixels(const cc_phases *p, const cc_matrix_target *to, const cc_segment *s, int64_t o[3],
                         char *sums) {
  const cc_conv *conv = p->conv;
  const int64_t es = conv->element;
  for (int64_t j = 0; j < PAIR; j++) {
    int64_t from = s->ow, end = s->ow + s->n;
    cconv_transpose_clip(&p->window[2], j, &from, &end);
    if (from >= end)
      continue;
    const int64_t apart = end - from > 1 ? PAIR : 0;
    o[2] = cconv_transpose_output(&p->window[2], from, j);
    cconv_conv_store(conv, &(cc_conv_rows){.channels = true,
                                           .slab = sums + ((from - s->ow) * CC_MATRIX_LANES + j * CC_DIGIT_LANES) * es,
                                           .lds = CC_MATRIX_LANES,
                                           .rows = end - from,
                                           .n = to->rows,
                                           .bias = conv->bias ? conv->bias + to->channel * es : NULL,
                                           .y = row_at(&conv->output, to->n, to->channel, o),
                                           .y_stride = apart ? apart * conv->output.stride[CC_WIDTH] : 0,
                                           .residual = row_at(&conv->residual, to->n, to->channel, o),
                                           .residual_stride = apart ? apart * conv->residual.stride[CC_WIDTH] : 0});
  }
}

void cconv_phases_digits_store(const cc_matrix_target *sums_of, char *sums, char *joined) {
  const cc_phases *p = sums_of->conv->phases;
  const int64_t es = p->conv->element, pairs = p->phases / PAIR, heights = p->window[1].stride;
  cc_matrix_target to = *sums_of;
  const int64_t block = to.channel / CC_MATRIX_LANES, all = sums_of->conv->shape.oc / CC_MATRIX_LANES;
  const int64_t g = block / all, m = block % all / pairs * CC_DIGIT_LANES, pair = block % all % pairs;
  to.channel = g * p->conv->shape.oc + m;
  to.rows = cc_min(CC_DIGIT_LANES, p->conv->shape.oc - m);
  cc_segment s = {.position = to.at};
  while (cconv_next_segment(to.halo, to.block, to.end, &s)) {
    int64_t o[3] = {cconv_transpose_output(&p->window[0], s.od, pair / heights),
                    cconv_transpose_output(&p->window[1], s.oh, pair % heights)};
    char *row = sums + (s.position - to.at) * (to.planes ? 1 : CC_MATRIX_LANES) * es;
    if (o[0] < 0 || o[1] < 0)
      continue;
    if (to.planes)
      store_rows(p, &to, &s, o, (const float *)(const void *)row, joined);
    else
      store_pixels(p, &to, &s, o, row);
  }
}
