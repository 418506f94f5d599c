/* SPDX-License-Identifier: BSD-3-Clause
 * conv_int8x3_pack.c - weights and inputs in digits of 8 bits.
 *
 * Law: padding, strides, dtypes and memory order end here. Channels that are not there are 0. */
#include <string.h>

#include "ops/conv_int8x3.h"

enum { FAR_BELOW = 6 }; /* by two to this power */

/* The weights of `lanes` channels from oc on. */
static cc_rows rows_of(const cc_conv *conv, int64_t g, int64_t oc, int64_t lanes, char *copy) {
  cc_chunk chunk = {.channels = conv->shape.ic, .terms = conv->shape.reduction};
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    chunk.taps[a] = conv->given[a].kernel;
  return cconv_conv_weights(conv, g, oc, lanes, &chunk, copy);
}

void cconv_int8x3_make_weights(const cc_conv *conv, const cc_int8x3 *d, int64_t g, int64_t r, char *rows, char *record,
                               uint32_t *greatest) {
  const cc_conv_shape *shape = &conv->shape;
  const int64_t oc = r * CC_DIGIT_LANES, lanes = cc_min(CC_DIGIT_LANES, shape->oc - oc);
  float *scale = (float *)(void *)(record + cc_digit_scale_at(d));
  if (d->planes) {
    const cc_rows w = rows_of(conv, g, oc, lanes, rows);
    cc_digit_rows_job job = {.x = (const float *)(const void *)w.data,
                             .pitch = w.pitch,
                             .channels = d->terms,
                             .lanes = lanes,
                             .squares = record,
                             .scale = scale,
                             .greatest = *greatest};
    d->matrix->digit_rows(&job);
    *greatest = job.greatest;
    return;
  }
  const int64_t bytes = d->slices * d->width * shape->taps * CC_DIGIT_LANES * conv->element;
  const int64_t written = lanes < CC_DIGIT_LANES ? 0 : shape->reduction * CC_DIGIT_LANES * conv->element;
  const cc_rows w = rows_of(conv, g, oc, lanes, rows + cc_lines(bytes));
  memset(rows + written, 0, (size_t)(bytes - written));
  conv->kernels->transpose(&(cc_transpose_job){.source = w.data,
                                               .stride = w.pitch * conv->element,
                                               .rows = lanes,
                                               .n = shape->reduction,
                                               .target = rows,
                                               .ldt = CC_DIGIT_LANES});
  cc_digit_weights_job job = {.x = (const float *)(const void *)rows,
                              .slices = d->slices,
                              .width = d->width,
                              .rows = d->rows,
                              .row_taps = conv->given[2].kernel,
                              .squares = record,
                              .scale = scale,
                              .shares = shape->taps > 1 ? (uint8_t *)record + cc_digit_shares_at(d) : NULL,
                              .greatest = *greatest};
  d->matrix->digit_weights(&job);
  *greatest = job.greatest;
}

/* A slice of channels: halos, or where they lie in the input; or of the values of a window, from the halos of all. */
typedef struct cc_digit_slice {
  const float *x;
  const int32_t *off;   /* of the values of a window, or NULL, and then */
  int64_t stride, step; /* elements from channel to channel, and from position to position */
  int64_t channels, n;
} cc_digit_slice;

/* Where they are, and with `pack` they come to be there. */
static cc_digit_slice slice_of(const cc_int8x3 *d, int64_t n, int64_t g, int64_t slice, const cc_block *block,
                               bool pack, char *scratch) {
  const cc_conv *conv = d->conv;
  const cc_view *input = &conv->input;
  const cc_halo *halo = &d->blocks.halo;
  cc_chunk chunk = {.channel = d->windows ? 0 : slice * CC_DIGIT_CHANNELS};
  chunk.channels = cc_min(CC_DIGIT_CHANNELS, conv->shape.ic - chunk.channel);
  const int64_t channel = g * conv->shape.ic + chunk.channel;
  cc_digit_slice s = {.step = 1, .channels = chunk.channels};
  if (d->in_place) {
    const char *rows = input->data + n * input->stride[CC_BATCH] + channel * input->stride[CC_CHANNEL];
    const int64_t *from = block->from, *size = block->size;
    const int64_t first = (from[0] * conv->given[1].in + from[1]) * conv->given[2].in + from[2];
    s.step = input->stride[CC_WIDTH] / conv->element;
    s.x = (const float *)(const void *)rows + first * s.step;
    s.stride = chunk.channels > 1 ? input->stride[CC_CHANNEL] / conv->element : 0;
    s.n = size[0] * size[1] * size[2];
    return s;
  }
  const int64_t bytes = CC_DIGIT_CHANNELS * halo->channel * conv->element;
  char *packed = scratch + d->halo_at + (d->packed_once && !d->windows ? slice * bytes : 0);
  if (pack && (slice == 0 || !d->windows)) {
    cconv_operation_pack(conv->kernels, &d->blocks, conv->given, input, n, channel, block, &chunk, conv->padding_value,
                         packed);
    cconv_matrix_clear(conv, &d->blocks, block, chunk.channels, packed);
  }
  s.x = (const float *)(const void *)packed;
  s.stride = halo->channel;
  if (d->windows) {
    s.off = (const int32_t *)(const void *)(d->workspace + d->offsets_at) + slice * CC_DIGIT_CHANNELS;
    s.channels = cc_min(CC_DIGIT_CHANNELS, d->terms - slice * CC_DIGIT_CHANNELS);
    s.n = cconv_block_positions(halo, block);
    return s;
  }
  s.n = halo->axis[0].phases * halo->axis[1].phases * halo->axis[2].phases * halo->phase;
  return s;
}

/* How great channels are beside the greatest, in 127ths, rounded down. */
static void level(const uint32_t *greatest, int64_t channels, uint32_t most, int8_t *levels) {
  float whole;
  memcpy(&whole, &most, sizeof whole);
  for (int64_t c = 0; c < channels; c++) {
    float one;
    memcpy(&one, &greatest[c], sizeof one);
    levels[c] = (int8_t)(one < whole ? one / whole * 127 : 127);
  }
}

/* Is there no place, of 16 positions, whose values are all far below the greatest, but are not 0? They could drown. */
static bool is_even(const uint32_t *places, int64_t positions, uint32_t most) {
  const uint32_t least = most > (FAR_BELOW << 23) ? most - (FAR_BELOW << 23) : 0;
  for (int64_t p = 0; p < positions; p += CC_DIGIT_LANES) {
    uint32_t here = 0;
    for (int64_t i = 0; i < CC_DIGIT_LANES; i++)
      here = here > places[p + i] ? here : places[p + i];
    if (here > 0 && here < least)
      return false;
  }
  return true;
}

/* Lines of the halos of a slice. Those of several positions overlap: the last looks at what comes next. */
static void make_lines(const cc_int8x3 *d, const cc_digit_slice *s, int32_t exponent, char *turned, char *lines) {
  const cc_conv *conv = d->conv;
  const int64_t together = CC_DIGIT_CHANNELS / d->width, most = CC_TURN - (together - 1);
  cc_digits_job job = {.x = (const float *)(const void *)turned,
                       .step = d->width,
                       .channels = together > 1 ? CC_DIGIT_CHANNELS : s->channels,
                       .exponent = exponent,
                       .y_digit = d->plane * CC_DIGIT_LINE};
  if (d->in_place) { /* pixels */
    job.x = s->x;
    job.step = s->step;
    job.n = s->n;
    job.y = lines;
    d->matrix->digits(&job);
    return;
  }
  for (int64_t p = 0; p < s->n; p += most) {
    conv->kernels->transpose(&(cc_transpose_job){.source = (const char *)(s->x + p),
                                                 .stride = s->stride * conv->element,
                                                 .rows = s->channels,
                                                 .n = cc_min(CC_TURN, s->n - p),
                                                 .target = turned,
                                                 .ldt = d->width});
    job.n = cc_min(most, s->n - p);
    job.y = lines + p * CC_DIGIT_LINE;
    d->matrix->digits(&job);
  }
}

void cconv_int8x3_pack(const cc_int8x3 *d, int64_t n, int64_t g, const cc_block *block, char *scratch) {
  cc_digit_block *head = (cc_digit_block *)(void *)scratch;
  int8_t *levels = (int8_t *)(scratch + d->levels_at);
  char *turned = scratch + d->turned_at;
  /* Magnitudes lie where lines come to be. */
  uint32_t *greatest = (uint32_t *)(void *)(scratch + d->lines_at), *places = greatest + d->slices * CC_DIGIT_CHANNELS;
  cc_digit_slice s = {.n = 0};
  memset(places, 0, (size_t)(d->plane * (int64_t)sizeof *places));
  head->greatest = 0;
  for (int64_t slice = 0; slice < d->slices; slice++) {
    s = slice_of(d, n, g, slice, block, true, scratch);
    cc_magnitudes_job job = {.x = s.x,
                             .off = s.off,
                             .stride = s.stride,
                             .step = s.step,
                             .channels = s.channels,
                             .n = s.n,
                             .pixels = d->in_place && !d->planes,
                             .greatest = greatest + slice * CC_DIGIT_CHANNELS,
                             .places = places};
    d->matrix->magnitudes(&job);
    for (int64_t c = 0; c < s.channels; c++)
      head->greatest = head->greatest > job.greatest[c] ? head->greatest : job.greatest[c];
  }
  /* As the weights': see exponents_of() of the kernels. */
  const uint32_t exponent = (head->greatest + 0x10101) >> 23;
  head->exponent = exponent > CC_DIGIT_LEAST ? (int32_t)exponent : CC_DIGIT_LEAST;
  head->even = is_even(places, s.n, head->greatest) && (exponent >= CC_DIGIT_LEAST || head->greatest == 0);
  memset(levels, 0, (size_t)(d->slices * CC_DIGIT_CHANNELS));
  level(greatest, d->terms, head->greatest, levels);
  if (!d->planes && !d->in_place)
    memset(turned, 0, (size_t)((CC_TURN + CC_DIGIT_CHANNELS) * d->width * (int64_t)sizeof(float)));
  for (int64_t slice = 0; slice < d->slices; slice++) {
    char *lines = scratch + d->lines_at + slice * CC_DIGITS * d->plane * CC_DIGIT_LINE;
    s = slice_of(d, n, g, slice, block, d->slices > 1 && !d->packed_once, scratch);
    if (d->planes)
      d->matrix->digit_squares(&(cc_digit_squares_job){.x = s.x,
                                                       .off = s.off,
                                                       .stride = s.stride,
                                                       .channels = s.channels,
                                                       .n = s.n,
                                                       .exponent = head->exponent,
                                                       .y = lines,
                                                       .y_digit = d->plane * CC_DIGIT_LINE});
    else
      make_lines(d, &s, head->exponent, turned, lines);
  }
}
