/* SPDX-License-Identifier: BSD-3-Clause
 * tile_blocks.h - how the tiles of Winograd's algorithm are cut into blocks, so that scratch fits the caches and
 * no thread idles. */
#ifndef CC_TILE_BLOCKS_H
#define CC_TILE_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

/* What the driver asks for. */
typedef struct cc_tile_request {
  int64_t m[2], halo[2];         /* outputs of a tile along an axis, and how many more inputs */
  int64_t tiles[2];              /* of a plane: rows and columns */
  int64_t group;                 /* tiles that each of these stands for, of phases side by side */
  int64_t planes;                /* images, groups, phases on their own, and slices out that share no block */
  int64_t depth, taps;           /* slices out that may share one; slices in that one of them wants */
  int64_t terms, vectors;        /* channels in, times taps of the first axis; vectors of channels out */
  int64_t vector_length;         /* elements */
  int64_t channel_blocks;        /* of channels out, that have their sums together */
  int64_t value_bytes;           /* a tile's values of one slice in */
  int64_t sum_bytes;             /* a tile's sums of one slice out and one block of channels */
  int64_t weight_bytes;          /* of one group in the domain */
  bool weights_kept;             /* they are there before the blocks are computed: else each has its own made */
  int64_t cache, most;           /* bytes of level 2 cache; of values and sums at once */
  int64_t products;              /* of a tile */
  int64_t input, output, weight; /* cycles a vector, as in algorithm.h; those of weights where they are made */
  int64_t threads;
} cc_tile_request;

/* Block i of an axis holds tiles cc_tile_from(tiles, i, count) up to the next one's, at most `size` of them; of slices
 * out likewise, and of slices in taps - 1 more. A block's channels are dealt out in so many runs. */
typedef struct cc_tile_blocks {
  int64_t count[2], size[2];
  int64_t slice_count, slices;
  int64_t runs;
} cc_tile_blocks;

/* Where block i of `count` begins: unlike with cc_part, neighbours together are as even as single ones. */
static inline int64_t cc_tile_from(int64_t tiles, int64_t i, int64_t count) {
  return tiles / count * i + tiles % count * i / count;
}

/* Pure function of the request; its answer never changes a result, only the speed. */
void cconv_choose_tile_blocks(const cc_tile_request *request, cc_tile_blocks *blocks);

#endif
