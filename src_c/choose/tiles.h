/* SPDX-License-Identifier: BSD-3-Clause
 * tiles.h - which tiles of a convolution cover so many rows and vectors. */
#ifndef CC_TILES_H
#define CC_TILES_H

#include "kernels/kernels.h"

/* The tile of mr rows for the next of so many vectors: the widest that they fill. */
static inline const cc_conv_tile *cc_next_tile(const cc_kernels *kernels, int64_t mr, int64_t vectors) {
  const cc_conv_tile *tile = kernels->conv_tiles[mr - 1].width;
  while (tile->nv > vectors)
    tile++;
  return tile;
}

/* Into how many tiles to cut `rows`, over so many vectors: the count with the least time. Sizes differ by at
 * most one: a short last tile would waste its loads. `panel`: vectors are a panel's, whole lines. */
int64_t cconv_choose_tiles(const cc_kernels *kernels, int64_t rows, int64_t vectors, bool panel);

/* The time of that many tiles, a term, in instructions at two a cycle. */
int64_t cconv_tiles_cost(const cc_kernels *kernels, int64_t rows, int64_t tiles, int64_t vectors, bool panel);

#endif
