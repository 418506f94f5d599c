/* SPDX-License-Identifier: BSD-3-Clause
 * conv_matrix_store.c - from the sums of products on a matrix unit to the output. */
#include "ops/conv_matrix.h"

#include "base/checked.h"

/* Store `count` outputs of a row, from a segment on, of each channel. */
static void store_planes(const cc_matrix_target *to, const cc_segment *s, int64_t count, char *sums, int64_t pitch) {
  const cc_conv *conv = to->conv;
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
static void store_pixels(const cc_matrix_target *to, const cc_segment *s, char *sums) {
  const cc_conv *conv = to->conv;
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
static void store_lines(const cc_matrix_target *to, char *sums, char *turned) {
  const cc_conv *conv = to->conv;
  const int64_t es = conv->element;
  const bool pixels = cc_has_pixels(&conv->output, es) && conv->output.dtype == conv->dtype;
  cc_segment s = {.position = to->at}, first = s;
  int64_t held = 0; /* outputs in `turned` */
  while (cconv_next_segment(to->halo, to->block, to->end, &s)) {
    char *row = sums + (s.position - to->at) * CC_MATRIX_LANES * es;
    if (pixels) {
      store_pixels(to, &s, row);
      continue;
    }
    for (int64_t i = 0, size; i < s.n; i += size, row += size * CC_MATRIX_LANES * es) {
      if (held == CC_TURN || (held > 0 && !to->adjacent && i == 0)) {
        store_planes(to, &first, held, turned, CC_TURN_PITCH);
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
    store_planes(to, &first, held, turned, CC_TURN_PITCH);
}

/* Is a block one row, or does the next row begin where one ends, in the output as among positions? */
static bool rows_are_joined(const cc_matrix_target *to) {
  const int64_t *size = to->block->size;
  const cc_halo_axis *axis = to->halo->axis;
  const cc_axis *whole = to->conv->given;
  if (size[0] * size[1] == 1)
    return true;
  return to->adjacent && size[2] == whole[2].out && axis[2].pitch == size[2] &&
         (size[0] == 1 || (size[1] == whole[1].out && axis[1].pitch == size[1]));
}

void cconv_matrix_store(const cc_matrix_target *to, char *sums, char *turned) {
  if (!to->planes) {
    store_lines(to, sums, turned);
    return;
  }
  cc_segment s = {.position = to->at};
  for (bool joined = rows_are_joined(to); cconv_next_segment(to->halo, to->block, to->end, &s);) {
    store_planes(to, &s, joined ? to->end - to->at : s.n, sums + (s.position - to->at) * to->conv->element, to->pitch);
    if (joined)
      return;
  }
}

bool cconv_matrix_is_adjacent(const cc_conv *conv) {
  return cconv_conv_is_adjacent(conv->shape.axis, &conv->output) &&
         (!conv->residual.data || cconv_conv_is_adjacent(conv->shape.axis, &conv->residual));
}
