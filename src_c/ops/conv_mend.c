/* SPDX-License-Identifier: BSD-3-Clause
 * conv_mend.c - direct sums in place of those of another algorithm that are not finite. */
#include "ops/conv_mend.h"

#include "base/checked.h"
#include "base/layout.h"

enum { COLUMNS = 256 }; /* that are summed at once, of few that are not finite */

void cconv_mend_prepare(const cc_conv *conv, cc_mend *mend) {
  const cc_axis *axis = conv->shape.axis;
  const int64_t es = conv->element, vector = conv->kernels->vector_length, terms = conv->shape.taps;
  cc_blocks *blocks = &mend->blocks;
  *blocks = (cc_blocks){.out = {1, 1, cc_min(COLUMNS, axis[2].out)}, .channels = 1, .chunks = 1};
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    blocks->taps[a] = axis[a].kernel;
  cconv_halo_of(axis, blocks->out, blocks->taps, CC_ALIGNMENT / es, &blocks->halo);
  mend->slab_at = cc_lines((blocks->halo.channel + vector) * es);
  mend->panel_at = mend->slab_at + cc_lines((blocks->halo.positions + vector) * es);
  mend->offsets_at = mend->panel_at + (conv->weight.in_place ? 0 : cc_lines(terms * es));
  mend->bytes = mend->offsets_at + cc_lines(terms * (int64_t)sizeof(int32_t));
}

/* One piece of a row, summed to the slab. */
static void sum_directly(const cc_conv *conv, const cc_mend *mend, int64_t n, int64_t g, const cc_block *outputs,
                         char *scratch) {
  const cc_axis *axis = conv->shape.axis;
  cc_chunk chunk = {.channels = 1, .terms = conv->shape.taps};
  int32_t *offsets = (int32_t *)(void *)(scratch + mend->offsets_at);
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    chunk.taps[a] = axis[a].kernel;
  cconv_operation_offsets(&mend->blocks, axis, offsets);
  cconv_operation_clear(&mend->blocks, conv->element, conv->kernels->vector_length, scratch);
  cconv_operation_pack(conv->kernels, &mend->blocks, axis, &conv->input, n, g, outputs, &chunk, conv->padding_value,
                       scratch);
  conv->kernels->depthwise(
      &(cc_depthwise_job){.k = chunk.terms,
                          .w = cconv_conv_weights(conv, g, 0, 1, &chunk, scratch + mend->panel_at).data,
                          .x = scratch,
                          .off = offsets,
                          .n = outputs->size[2],
                          .slab = scratch + mend->slab_at,
                          .fresh = true});
}

void cconv_mend(const cc_conv *conv, const cc_mend *mend, const cc_sums *sums, char *scratch) {
  for (int64_t r = 0; r < sums->rows; r++) {
    char *row = sums->y + r * sums->y_row;
    if (conv->kernels->is_finite(row, sums->columns))
      continue;
    for (int64_t c = 0, n; c < sums->columns; c += n) {
      n = cc_min(mend->blocks.out[2], sums->columns - c);
      char *at = row + c * conv->element;
      if (conv->kernels->is_finite(at, n))
        continue;
      const cc_block outputs = {.from = {0, sums->from[0] + r, sums->from[1] + c}, .size = {1, 1, n}};
      sum_directly(conv, mend, sums->n, sums->g, &outputs, scratch);
      conv->kernels->mend(scratch + mend->slab_at, at, n);
    }
  }
}
