/* SPDX-License-Identifier: BSD-3-Clause
 * conv_bf16x3.h - what the steps of the driver of products on a matrix unit share. */
#ifndef CC_CONV_BF16X3_H
#define CC_CONV_BF16X3_H

#include "base/checked.h"
#include "base/layout.h"
#include "ops/conv_matrix.h"

/* What prepare() works out; a run adds the convolution and the workspace.
 *
 * A workspace, in bytes from its start:
 *   greatest magnitudes of images, and behind them that of the weights
 *   offsets  of steps, in lines; where values of windows are gathered, behind them theirs
 *   shared   weights, where a phase of its own makes all
 *   threads  each thread's scratch:
 *     lines    [32 channels][part][position], or planes [32 channels][part][16 positions] squares
 *     sums     of a block of channels, [position][32] or [32][position]
 *     weights  of a block of channels, if it is made for each block of outputs: [step][part][square]
 *     turned   sums or inputs on their way
 *     halo     of 32 channels, or weights on their way
 *
 * Where channels are so few that lines would be nearly empty, the values of a window, in the order of its weights, are
 * summed as the channels of a kernel of one tap are, from planes. */
typedef struct cc_bf16x3 {
  const cc_conv *conv;
  const cc_matrix_kernels *matrix;
  cc_blocks blocks;    /* of 32 channels */
  bool windows;        /* values of a window are summed as channels are, */
  int64_t terms, taps; /* of which there are so many then, and taps */
  int64_t slices, steps;
  int64_t slices_made;              /* whose weights are made at once, and then summed */
  int64_t sum_positions, sum_pitch; /* that have sums at once; elements from one row to the next */
  int64_t plane;                    /* lines of one part of 32 channels */
  int64_t lane_blocks, blocks_an_image, runs, units, parts;
  bool planes;                                                         /* else lines */
  bool shared;                                                         /* a phase of its own makes all weights, once */
  bool in_place;                                                       /* they are made of the input itself */
  bool adjacent;                                                       /* rows of outputs follow each other */
  int64_t offsets_at, windows_at, shared_at, threads_at, thread_bytes; /* behind the greatest magnitudes */
  int64_t sums_at, weights_at, turned_at, halo_at;                     /* a thread's scratch; lines are first */
  int64_t threads;                                                     /* it was worked out for */
  char *workspace;
} cc_bf16x3;

_Static_assert(sizeof(cc_bf16x3) <= CC_WORK_STATE, "a driver's struct must fit");

/* Lanes of a block of channels: only the last may be narrower. */
static inline int64_t cc_bf16x3_lanes(int64_t oc, int64_t lane_block) {
  return oc - lane_block * CC_MATRIX_LANES > CC_SQUARE_LANES ? CC_MATRIX_LANES : CC_SQUARE_LANES;
}

/* Bytes of the weights of all blocks of channels before this one. */
static inline int64_t cc_bf16x3_before(int64_t steps, int64_t oc, int64_t g, int64_t lane_block) {
  const int64_t squares = g * cc_ceil_div(oc, CC_SQUARE_LANES) + lane_block * (CC_MATRIX_LANES / CC_SQUARE_LANES);
  return squares * steps * CC_PARTS * CC_SQUARE_BYTES;
}

/* The weights of slices [from, end) of one block of channels, and what they raise the greatest magnitude to. `rows` is
 * scratch. */
void cconv_bf16x3_make_weights(const cc_conv *conv, const cc_bf16x3 *d, int64_t g, int64_t lane_block, int64_t from,
                               int64_t end, char *rows, char *weights, uint32_t *greatest);

/* Lines or planes of a block of image n and group g; their greatest magnitude. */
uint32_t cconv_bf16x3_pack(const cc_bf16x3 *d, int64_t n, int64_t g, const cc_block *block, char *scratch);

#endif
