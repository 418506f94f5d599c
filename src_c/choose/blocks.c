/* SPDX-License-Identifier: BSD-3-Clause
 * blocks.c - block and chunk sizes from the cache size.
 *
 * Law: integers in, integers out, and never a bit of a result: every sum keeps its order, whatever
 * is chosen here. */
#include "choose/blocks.h"

#include "base/checked.h"
#include "base/layout.h"

/* Do blocks of `out` outputs, summed in such chunks, fit the budget? A sum in several chunks keeps
 * partial results. */
static bool fits(const cc_block_request *r, const int64_t out[3], int64_t channels, const int64_t taps[3], bool cut) {
  int64_t unit = CC_ALIGNMENT / r->element, left = r->budget - r->slack * r->element, terms = channels, spent;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    if (!cc_mul(terms, taps[a], &terms))
      return false;
  if (!cc_mul(terms, r->term, &spent) || spent > left)
    return false;
  left -= spent;
  if (!cconv_halo_fits(r->axis, out, taps, unit, channels, left / r->element))
    return false;
  cc_halo halo;
  cconv_halo_of(r->axis, out, taps, unit, &halo);
  left -= halo.channel * channels * r->element;
  return !(cut || r->slab_always) || (cc_mul(halo.positions + r->slack, r->slab, &spent) && spent <= left);
}

/* The largest v in [1, most] for which blocks and chunks fit with *v in place, else 1: *v is an
 * entry of out or taps, or the channels. */
static void grow(const cc_block_request *r, int64_t out[3], int64_t *channels, int64_t taps[3], bool cut, int64_t *v,
                 int64_t most) {
  int64_t good = 1;
  while (good < most) { /* which may be INT64_MAX */
    *v = most - (most - good) / 2;
    if (fits(r, out, *channels, taps, cut))
      good = *v;
    else
      most = *v - 1;
  }
  *v = good;
}

void cconv_choose_blocks(const cc_block_request *r, cc_blocks *blocks) {
  const cc_axis *axis = r->axis;
  int64_t taps[3] = {axis[0].kernel, axis[1].kernel, axis[2].kernel}, channels = r->channels;
  /* The smallest block worth running: one row, or as many rows and slices as fill the lanes. */
  int64_t out[3] = {1, 1, axis[2].out};
  out[1] = cc_min(axis[1].out, cc_ceil_div(r->lanes, out[2]));
  out[0] = cc_min(axis[0].out, cc_ceil_div(r->lanes, out[1] * out[2]));
  bool cut = false;
  if (!fits(r, out, channels, taps, false)) {
    /* Cut the row first: it costs nothing but a halo; then the sum, from the outside in. */
    out[2] = cc_min(out[2], r->lanes);
    cut = !fits(r, out, channels, taps, false);
    if (cut) {
      grow(r, out, &channels, taps, true, &channels, r->channels);
      for (int a = 0; a < CCONV_MAX_SPATIAL && !fits(r, out, channels, taps, true); a++)
        grow(r, out, &channels, taps, true, &taps[a], axis[a].kernel);
    } else {
      grow(r, out, &channels, taps, false, &out[2], axis[2].out);
    }
  } else {
    if (out[1] < axis[1].out)
      grow(r, out, &channels, taps, false, &out[1], axis[1].out);
    else if (out[0] < axis[0].out && out[1] * out[2] < 2 * r->lanes)
      grow(r, out, &channels, taps, false, &out[0], axis[0].out);
  }

  /* More, smaller blocks where threads would idle: slices, then rows, then columns. */
  int64_t have = 1;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    blocks->count[a] = cc_ceil_div(axis[a].out, out[a]);
    have *= blocks->count[a];
  }
  for (int a = 0; a < CCONV_MAX_SPATIAL && have < r->blocks; a++) {
    int64_t inner = 1;
    for (int b = a + 1; b < CCONV_MAX_SPATIAL; b++)
      inner *= out[b];
    int64_t least = cc_min(out[a], cc_ceil_div(r->lanes, inner)); /* outputs of a block still worth running */
    int64_t most = axis[a].out / least, others = have / blocks->count[a];
    int64_t count = cc_max(blocks->count[a], cc_min(most, cc_ceil_div(r->blocks, others)));
    have = others * count;
    blocks->count[a] = count;
  }

  blocks->channels = channels;
  blocks->chunks = cc_max(1, channels ? cc_ceil_div(r->channels, channels) : 1);
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    blocks->out[a] = cc_ceil_div(axis[a].out, blocks->count[a]);
    blocks->taps[a] = taps[a];
    blocks->chunks *= cc_ceil_div(axis[a].kernel, taps[a]);
  }
  cconv_halo_of(axis, blocks->out, blocks->taps, CC_ALIGNMENT / r->element, &blocks->halo);
}

void cconv_chunk_of(const cc_blocks *blocks, const cc_axis axis[3], int64_t channels, int64_t index, cc_chunk *chunk) {
  for (int a = CCONV_MAX_SPATIAL - 1; a >= 0; a--) {
    int64_t count = cc_ceil_div(axis[a].kernel, blocks->taps[a]);
    chunk->tap[a] = index % count * blocks->taps[a];
    chunk->taps[a] = cc_min(blocks->taps[a], axis[a].kernel - chunk->tap[a]);
    index /= count;
  }
  chunk->channel = index * blocks->channels;
  chunk->channels = cc_min(blocks->channels, channels - chunk->channel);
  chunk->first = chunk->channel;
  chunk->terms = chunk->channels;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    chunk->first = chunk->first * axis[a].kernel + chunk->tap[a];
    chunk->terms *= chunk->taps[a];
  }
}
