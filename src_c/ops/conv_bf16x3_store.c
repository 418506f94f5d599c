/* SPDX-License-Identifier: BSD-3-Clause
 * conv_bf16x3_store.c - from the sums of products on a matrix unit to the output. */
#include "ops/conv_bf16x3.h"

/* Store `count` outputs of a row, from a segment on, of each channel. */
static void store_planes(const cc_bf16x3 *d, const cc_bf16x3_target *to, const cc_segment *s, int64_t count, char *sums,
                         int64_t pitch) {
  const cc_conv *conv = d->conv;
  const cc_view *residual = &conv->residual;
  cconv_conv_store(
      conv, &(cc_conv_rows){.slab = sums,
                            .lds = pitch,
                            .rows = to->rows,
                            .n = count,
                            .bias = conv->bias ? conv->bias + to->channel * conv->element : NULL,
                            .bias_step = 1,
                            .y = cconv_segment_at(&conv->output, to->n, to->channel, s),
                            .y_stride = conv->output.stride[CC_CHANNEL],
                            .residual = residual->data ? cconv_segment_at(residual, to->n, to->channel, s) : NULL,
                            .residual_stride = residual->stride[CC_CHANNEL]});
}

/* Store all channels of a segment's outputs. */
static void store_pixels(const cc_bf16x3 *d, const cc_bf16x3_target *to, const cc_segment *s, char *sums) {
  const cc_conv *conv = d->conv;
  const cc_view *residual = &conv->residual;
  cconv_conv_store(
      conv, &(cc_conv_rows){.channels = true,
                            .slab = sums,
                            .lds = CC_MATRIX_LANES,
                            .rows = s->n,
                            .n = to->rows,
                            .bias = conv->bias ? conv->bias + to->channel * conv->element : NULL,
                            .y = cconv_segment_at(&conv->output, to->n, to->channel, s),
                            .y_stride = conv->output.stride[CC_WIDTH],
                            .residual = residual->data ? cconv_segment_at(residual, to->n, to->channel, s) : NULL,
                            .residual_stride = residual->stride[CC_WIDTH]});
}

/* Store sums of lines: turned, but where outputs are pixels. */
static void store_lines(const cc_bf16x3 *d, const cc_bf16x3_target *to, char *sums, char *turned) {
  const cc_conv *conv = d->conv;
  const int64_t es = conv->element;
  const bool pixels = cc_has_pixels(&conv->output, es) && conv->output.dtype == conv->dtype;
  cc_segment s = {.position = to->at}, first = s;
  int64_t held = 0; /* outputs in `turned` */
  while (cconv_next_segment(&d->blocks.halo, to->block, to->end, &s)) {
    char *row = sums + (s.position - to->at) * CC_MATRIX_LANES * es;
    if (pixels) {
      store_pixels(d, to, &s, row);
      continue;
    }
    for (int64_t i = 0, size; i < s.n; i += size, row += size * CC_MATRIX_LANES * es) {
      if (held == CC_TURN || (held > 0 && !d->adjacent && i == 0)) {
        store_planes(d, to, &first, held, turned, CC_TURN_PITCH);
        held = 0;
      }
      if (held == 0) {
        first = s;
        first.ow += i;
      }
      size = cc_min(s.n - i, CC_TURN - held);
      conv->kernels->transpose(&(cc_transpose_job){.source = row,
                                                   .stride = CC_MATRIX_LANES * es,
                                                   .rows = size,
                                                   .n = to->rows,
                                                   .target = turned + held * es,
                                                   .ldt = CC_TURN_PITCH});
      held += size;
    }
  }
  if (held > 0)
    store_planes(d, to, &first, held, turned, CC_TURN_PITCH);
}

void cconv_bf16x3_store(const cc_bf16x3 *d, const cc_bf16x3_target *to, char *sums, char *turned) {
  if (!d->planes) {
    store_lines(d, to, sums, turned);
    return;
  }
  cc_segment s = {.position = to->at};
  while (cconv_next_segment(&d->blocks.halo, to->block, to->end, &s))
    store_planes(d, to, &s, s.n, sums + (s.position - to->at) * d->conv->element, d->sum_pitch);
}
