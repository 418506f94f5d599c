/* SPDX-License-Identifier: BSD-3-Clause
 * conv_winograd.h - what the steps of the Winograd driver share. */
#ifndef CC_CONV_WINOGRAD_H
#define CC_CONV_WINOGRAD_H

#include "base/checked.h"
#include "base/layout.h"
#include "choose/algorithm.h"
#include "choose/tile_blocks.h"
#include "ops/conv_driver.h"

/* What prepare() works out; a run adds the convolution, the workspace and the weights.
 *
 * The convolution is turned, if at all, before anything looks at it: axis 0 is the one whose taps are summed over like
 * channels, slices; the last two, rows and columns, are those that tiles have. An axis with dilation d that is
 * transformed falls into d phases, every d-th output each: undilated convolutions of their own. Of rows of tiles those
 * of the first phase are counted first; phases of columns lie side by side in memory, and so they do in a block.
 *
 * A thread's scratch, in bytes from its start:
 *   values   [f][chunk of a slice][slice in][tile][term] of a block of tiles, all channels in
 *   sums     [f][slice out][tile][width] of one block of channels out
 *   chunk    [tile][width] of one register tile
 *   made     [f][term][width]: weights of one chunk, block of channels and some rows of f, where nobody keeps them
 *   taps     [vector][term][tap][lane] of a piece, or of a chunk and block of channels if its weights are made in
 *            several times
 *   lanes    of inputs and of outputs; panel and slab: rows of inputs or taps, and of outputs
 *   patch    for a tile that is summed directly: halo, slab, weights, offsets
 * A block's tiles are [row][phase][column]. Each plane and row is an odd number of cache lines, lest many of them share
 * the cache's sets. */
typedef struct cc_conv_winograd {
  const cc_conv *conv;
  const char *weights; /* [g][block][f][term][width], NULL where each block of tiles makes its own */
  char *workspace;
  const cc_winograd *kernels;
  cc_method method;
  cc_tile_blocks blocks;
  cc_blocks patch;
  int64_t m[2], halo[2], dilation[2]; /* of a tile: outputs, how many more inputs, and steps between them */
  int64_t phases[2], phase_parts;     /* with outputs; blocks that those of columns are in */
  int64_t domain_rows, planes_f;      /* rows of a tile in the domain, and all its products */
  int64_t planes_made;                /* of weights at once */
  int64_t transformed_taps;
  int64_t tiles[2], phase_rows; /* rows of tiles, of all phases and of one; columns of one */
  int64_t slices, terms;
  int64_t chunk_terms, chunks_a_slice, chunks; /* of a sum; no chunk is of two slices */
  int64_t piece;                               /* input channels whose taps are read at once */
  int64_t vectors, channel_blocks, width;      /* of output channels; elements of the widest block */
  int64_t lane_pitch, value_pitch, value_chunk, value_plane, sum_pitch, sum_plane, weight_plane, panel_pitch,
      output_pitch, slab_pitch; /* elements */
  int64_t store_rows;           /* rows of tiles that are stored at once */
  int64_t slack;                /* positions that the widest tile of direct sums may look at behind the last */
  int64_t units, parts;
  int64_t sums_at, chunk_at, made_at, lanes_at, outputs_at, taps_at, panel_at, slab_at, patch_at, thread_bytes;
  int64_t weights_bytes; /* of all groups */
  bool shared;           /* the first phase of a run makes all weights, in the workspace */
  bool keeps_taps;       /* of a chunk, for weights are made some rows at a time */
  bool gathers;          /* lanes are read from the input where it is, not from a packed panel */
  bool shares;           /* output slices next to each other look at the same input slices */
  bool merges;           /* rows of output follow each other in memory */
} cc_conv_winograd;

_Static_assert(sizeof(cc_conv_winograd) <= CC_WORK_STATE, "a driver's struct must fit");

/* A block of tiles of image n and group g: the same of each of so many output slices, the first of which is od, and of
 * `phases` column phases from `first_phase` on. */
typedef struct cc_tile_block {
  int64_t n, g, od, slices;
  int64_t first_phase, phases;
  int64_t from[2], size[2];
  int64_t tiles; /* of a slice */
  /* Of part of a block, whose rows are of one phase: which, and how many came before. from[0] counts its own. */
  int64_t phase, before;
} cc_tile_block;

/* Columns of a block that lie side by side in memory, run by run: all, or those of one step of its phases. */
static inline bool cc_is_one_run(const cc_conv_winograd *w, const cc_tile_block *block) {
  return block->phases == w->dilation[1];
}

/* Terms [from, end) of a sum: of one slice, and of its chunks one. */
typedef struct cc_terms {
  int64_t slice, chunk, from, end;
} cc_terms;

/* Weights in the domain for these terms and block b of group g's output channels, [f][term][width], planes `plane`
 * elements apart: the weight_rows rows from `row` on. Row 0 is made first, for it leaves taps in `taps`; panel: scratch. */
void cconv_winograd_make(const cc_conv_winograd *w, int64_t g, int64_t b, const cc_terms *terms, int64_t row,
                         int64_t plane, char *taps, char *panel, char *target);

/* The axes as the outputs of one tile see them, of which the first is `first`: it is then output 0, and what a dilation
 * leaves out is gone. */
void cconv_winograd_patch_axes(const cc_conv *conv, const cc_conv_winograd *w, const int64_t first[3],
                               cc_axis axis[CCONV_MAX_SPATIAL]);

/* Values in the domain of a block of tiles, from the input to a thread's scratch. */
void cconv_winograd_values(const cc_conv_winograd *w, const cc_tile_block *block, char *scratch);

/* From the sums of the v-th vector of output channels, whose first is `channel` of its group, to the output: those of
 * the block's slice d. */
void cconv_winograd_store(const cc_conv_winograd *w, const cc_tile_block *block, int64_t d, int64_t v, int64_t channel,
                          char *scratch);

/* Elements of a row of n, as an odd number of cache lines. */
static inline int64_t cc_odd_lines(int64_t n, int64_t element) {
  const int64_t line = CC_ALIGNMENT / element;
  return (cc_ceil_div(n, line) | 1) * line;
}

#endif
