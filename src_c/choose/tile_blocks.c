/* SPDX-License-Identifier: BSD-3-Clause
 * tile_blocks.c - blocks of tiles from the cache sizes and the number of threads.
 *
 * Law: integers in, integers out, and never a bit of a result: tiles lie on a grid from the plane's first
 * output on, and every sum keeps its order, whatever is chosen here. */
#include "choose/tile_blocks.h"

#include "base/checked.h"

enum {
  TILES = 28,      /* that should share one reading of the weights, where these are larger than the cache; */
  TILES_MADE = 96, /* where each block makes its own */
  ROW_START = 7,   /* vectors that take as long as beginning a row of each channel: it is on another page */
  FEW_TILES = 12,  /* products of fewer take as long: they wait for weights */
  MANY_UNITS = 8,  /* a thread: then nothing need be balanced */
  SLICES = 16      /* at most: more would hardly share more */
};

static int64_t size_of(int64_t tiles, int64_t count) { return cc_ceil_div(tiles, count); }

/* Tiles that block i of an axis has. */
static int64_t tiles_of(int64_t tiles, int64_t i, int64_t count) {
  return cc_tile_from(tiles, i + 1, count) - cc_tile_from(tiles, i, count);
}

/* Cycles for a tile's values of one slice, its products and outputs, and for the weights of one block of channels
 * where they are made. */
static int64_t input_time(const cc_tile_request *r) { return r->input * r->terms / r->taps / r->vector_length; }

static int64_t product_time(const cc_tile_request *r) {
  return r->vectors * (r->products * r->terms * 5 / 8 + r->output);
}

static int64_t weight_time(const cc_tile_request *r) { return r->weights_kept ? 0 : r->vectors * r->terms * r->weight; }

/* Bytes of values and sums of so many slices out, for a tile of each: those it stands for. */
static int64_t bytes_of(const cc_tile_request *r, int64_t slices) {
  return r->group * ((slices + r->taps - 1) * r->value_bytes + slices * r->sum_bytes);
}

/* Blocks of about `most` tiles of each of so many slices: of those shapes the one whose inputs are read fastest, if it
 * is faster than *least. */
static void shape_blocks(const cc_tile_request *r, int64_t most, int64_t slices, int64_t *least,
                         cc_tile_blocks *blocks) {
  const int64_t first = cc_ceil_div(r->tiles[1], most);
  for (int64_t count = first; count < first + 8 && count <= r->tiles[1]; count++) {
    const int64_t columns = size_of(r->tiles[1], count), rows = cc_max(1, cc_min(r->tiles[0], most / columns));
    const int64_t row_count = cc_ceil_div(r->tiles[0], rows), even_rows = size_of(r->tiles[0], row_count);
    const int64_t vectors = cc_ceil_div((r->m[1] * columns + r->halo[1]) * r->group, r->vector_length);
    const int64_t inputs = row_count * count * (r->m[0] * even_rows + r->halo[0]) * (vectors + ROW_START);
    if (inputs * (slices + r->taps - 1) / slices < *least) {
      *least = inputs * (slices + r->taps - 1) / slices;
      *blocks = (cc_tile_blocks){
          .count = {row_count, count}, .slice_count = size_of(r->depth, slices), .slices = slices, .runs = 1};
    }
  }
}

static int64_t units_of(const cc_tile_request *r, const cc_tile_blocks *b) {
  return r->planes * b->slice_count * b->count[0] * b->count[1] * b->runs;
}

/* The time of the slowest thread. Only for few units. */
static int64_t slowest(const cc_tile_request *r, const cc_tile_blocks *b) {
  const int64_t units = units_of(r, b), input = input_time(r), product = product_time(r), weight = weight_time(r);
  int64_t most = 0;
  for (int64_t part = 0; part < r->threads; part++) {
    int64_t time = 0;
    const int64_t from = cc_part(units, part, r->threads), end = cc_part(units, part + 1, r->threads);
    for (int64_t unit = from; unit < end; unit++) {
      const int64_t run = unit % b->runs, place = unit / b->runs;
      const int64_t column = place % b->count[1], row = place / b->count[1] % b->count[0];
      const int64_t tiles =
          r->group * tiles_of(r->tiles[0], row, b->count[0]) * tiles_of(r->tiles[1], column, b->count[1]);
      const int64_t slices = tiles_of(r->depth, place / b->count[1] / b->count[0] % b->slice_count, b->slice_count);
      const int64_t share = cc_part(r->channel_blocks, run + 1, b->runs) - cc_part(r->channel_blocks, run, b->runs);
      time += (cc_max(tiles * slices, FEW_TILES) * product + weight) / r->channel_blocks * share;
      if (run == 0 || unit == from)
        time += tiles * (slices + r->taps - 1) * input;
    }
    most = cc_max(most, time);
  }
  return most;
}

/* Take such blocks, in the best number of runs, if their slowest thread is faster than *least. */
static void consider(const cc_tile_request *r, cc_tile_blocks b, int64_t *least, cc_tile_blocks *blocks) {
  for (b.runs = 1; b.runs <= cc_min(r->channel_blocks, 2 * r->threads); b.runs *= 2) {
    const int64_t time = units_of(r, &b) <= 2 * MANY_UNITS * r->threads ? slowest(r, &b) : INT64_MAX;
    if (time < *least) {
      *least = time;
      *blocks = b;
    }
  }
}

/* Other blocks, or runs of channels, if that is what occupies all threads: more and smaller ones, or a single
 * one whose channels are dealt out. */
static void balance(const cc_tile_request *r, cc_tile_blocks *blocks) {
  const cc_tile_blocks shaped = *blocks;
  cc_tile_blocks more = shaped;
  int64_t least = INT64_MAX;
  consider(r, shaped, &least, blocks);
  const int axis = r->tiles[0] > 1 ? 0 : 1;
  while (more.count[axis] < r->tiles[axis] && units_of(r, &more) % r->threads)
    more.count[axis]++;
  consider(r, more, &least, blocks);
  if (r->tiles[0] * r->tiles[1] <= r->most / bytes_of(r, r->depth))
    consider(r, (cc_tile_blocks){.count = {1, 1}, .slice_count = 1}, &least, blocks);
}

void cconv_choose_tile_blocks(const cc_tile_request *r, cc_tile_blocks *blocks) {
  const bool near = r->weights_kept && r->weight_bytes <= r->cache / 2;
  const int64_t room = r->cache / 8 * 5 - (near ? r->weight_bytes : 0);
  const int64_t least = near ? 0 : r->weights_kept ? TILES : TILES_MADE;
  int64_t least_inputs = INT64_MAX;
  for (int64_t slices = 1; slices <= cc_min(r->depth, SLICES); slices++) {
    const int64_t bytes = bytes_of(r, slices);
    const int64_t tiles = cc_max(room / bytes, cc_min(cc_ceil_div(least, slices * r->group), r->most / bytes));
    if (tiles >= 1 || slices == 1)
      shape_blocks(r, cc_max(1, tiles), slices, &least_inputs, blocks);
  }
  const int64_t units = units_of(r, blocks);
  if (units < MANY_UNITS * r->threads && (units % r->threads || units < 2 * r->threads) && r->threads > 1)
    balance(r, blocks);
  blocks->slices = size_of(r->depth, blocks->slice_count);
  for (int a = 0; a < 2; a++)
    blocks->size[a] = size_of(r->tiles[a], blocks->count[a]);
}
