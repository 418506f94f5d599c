/* SPDX-License-Identifier: BSD-3-Clause
 * tiles.c - tiles by a model of their time.
 *
 * Law: integers in, integers out, and never a bit of a result. */
#include "choose/tiles.h"

#include "base/checked.h"

enum { TIE = 64 }; /* fewer rows, which read the vectors again more often, must save more than such a part */

/* Of each tile the greater of its multiply-adds and its loads; vectors counted twice where they cross lines. Those
 * of a panel come from the level 2 cache, at half a line a cycle, and a term costs four more beside (measured on
 * an Intel Xeon: 8x3, 8x2 and 8x1 tiles take 14, 10 and 6 cycles). */
static int64_t tile_cost(const cc_kernels *kernels, int64_t mr, int64_t vectors, bool panel) {
  int64_t cost = 0;
  while (vectors > 0) {
    const int64_t nv = cc_next_tile(kernels, mr, vectors)->nv;
    const int64_t count = nv == kernels->conv_tiles[mr - 1].width[0].nv ? vectors / nv : 1;
    cost += count * (panel ? cc_max(mr * nv, cc_max(nv + mr, 5 * nv)) + 4 : cc_max(mr * nv, 2 * nv + mr + 1));
    vectors -= count * nv;
  }
  return cost;
}

int64_t cconv_tiles_cost(const cc_kernels *kernels, int64_t rows, int64_t tiles, int64_t vectors, bool panel) {
  const int64_t size = rows / tiles, larger = rows % tiles;
  int64_t cost = (tiles - larger) * tile_cost(kernels, size, vectors, panel);
  if (larger)
    cost += larger * tile_cost(kernels, size + 1, vectors, panel);
  return cost;
}

int64_t cconv_choose_tiles(const cc_kernels *kernels, int64_t rows, int64_t vectors, bool panel) {
  int64_t best = 0, least = INT64_MAX;
  for (int64_t most = kernels->conv_rows; most > 0; most--) {
    const int64_t count = cc_ceil_div(rows, most);
    const int64_t cost = cconv_tiles_cost(kernels, rows, count, vectors, panel);
    if (cost < least - least / TIE) {
      least = cost;
      best = count;
    }
  }
  return best;
}
