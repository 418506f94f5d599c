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
  MANY_UNITS = 8   /* a thread: then nothing need be balanced */
};

static int64_t size_of(int64_t tiles, int64_t count) { return cc_ceil_div(tiles, count); }

/* Cycles for the inputs of a tile, and its products and outputs, as in algorithm.c. */
static int64_t input_time(const cc_tile_request *r) { return (r->m == 4 ? 190 : 50) * r->terms / r->vector_length; }

static int64_t product_time(const cc_tile_request *r) {
  return r->vectors * ((r->m + 2) * (r->m + 2) * r->terms / 2 + (r->m == 4 ? 160 : 45));
}

/* Shape blocks of about `most` tiles: of those shapes the one whose inputs are read fastest. */
static void shape_blocks(const cc_tile_request *r, int64_t most, cc_tile_blocks *blocks) {
  int64_t least = INT64_MAX;
  const int64_t first = cc_ceil_div(r->tiles[1], most);
  for (int64_t count = first; count < first + 8 && count <= r->tiles[1]; count++) {
    const int64_t columns = size_of(r->tiles[1], count), rows = cc_max(1, cc_min(r->tiles[0], most / columns));
    const int64_t row_count = cc_ceil_div(r->tiles[0], rows), even_rows = size_of(r->tiles[0], row_count);
    const int64_t vectors = cc_ceil_div(r->m * columns + 2, r->vector_length);
    const int64_t inputs = row_count * count * (r->m * even_rows + 2) * (vectors + ROW_START);
    if (inputs < least) {
      least = inputs;
      *blocks = (cc_tile_blocks){.count = {row_count, count}, .runs = 1};
    }
  }
}

static int64_t units_of(const cc_tile_request *r, const cc_tile_blocks *b) {
  return r->planes * b->count[0] * b->count[1] * b->runs;
}

/* The time of the slowest thread. Only for few units. */
static int64_t slowest(const cc_tile_request *r, const cc_tile_blocks *b) {
  const int64_t units = units_of(r, b), input = input_time(r), product = product_time(r);
  int64_t most = 0;
  for (int64_t part = 0; part < r->threads; part++) {
    int64_t time = 0;
    const int64_t from = cc_part(units, part, r->threads), end = cc_part(units, part + 1, r->threads);
    for (int64_t unit = from; unit < end; unit++) {
      const int64_t run = unit % b->runs, place = unit / b->runs;
      const int64_t column = place % b->count[1], row = place / b->count[1] % b->count[0];
      const int64_t rows =
          cc_tile_from(r->tiles[0], row + 1, b->count[0]) - cc_tile_from(r->tiles[0], row, b->count[0]);
      const int64_t columns =
          cc_tile_from(r->tiles[1], column + 1, b->count[1]) - cc_tile_from(r->tiles[1], column, b->count[1]);
      const int64_t share = cc_part(r->channel_blocks, run + 1, b->runs) - cc_part(r->channel_blocks, run, b->runs);
      time += cc_max(rows * columns, FEW_TILES) * product / r->channel_blocks * share;
      if (run == 0 || unit == from)
        time += rows * columns * input;
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
  while (more.count[0] < r->tiles[0] && units_of(r, &more) % r->threads)
    more.count[0]++;
  consider(r, more, &least, blocks);
  if (r->tiles[0] * r->tiles[1] <= r->most / (r->value_bytes + r->sum_bytes))
    consider(r, (cc_tile_blocks){.count = {1, 1}}, &least, blocks);
}

void cconv_choose_tile_blocks(const cc_tile_request *r, cc_tile_blocks *blocks) {
  const int64_t bytes = r->value_bytes + r->sum_bytes;
  const bool near = r->weights_kept && r->weight_bytes <= r->cache / 2;
  const int64_t room = r->cache / 8 * 5 - (near ? r->weight_bytes : 0), least = r->weights_kept ? TILES : TILES_MADE;
  const int64_t tiles = cc_max(1, cc_max(room / bytes, near ? 0 : cc_min(least, r->most / bytes)));
  shape_blocks(r, tiles, blocks);
  const int64_t units = units_of(r, blocks);
  if (units < MANY_UNITS * r->threads && (units % r->threads || units < 2 * r->threads) && r->threads > 1)
    balance(r, blocks);
  for (int a = 0; a < 2; a++)
    blocks->size[a] = size_of(r->tiles[a], blocks->count[a]);
}
