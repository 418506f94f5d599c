/* SPDX-License-Identifier: BSD-3-Clause
 * halo.h - the packed sub-image that one block of outputs looks at through one chunk of taps.
 *
 * The input is packed once per block, zeros (or another fill) where it has no element, split into
 * the stride's phases so that neighbouring outputs read neighbouring elements:
 *
 *   [channel][phase d][phase h][phase w][length d][length h][length w]
 *
 * with rows and slices `pitch` apart: where a row ends in fill and the next begins with it, they
 * share it (a 7 x 7 map under a 3 x 3 kernel then takes 8 positions a row, not 9).
 *
 * Output (od, oh, ow) of the block is position p = (od pitch_h + oh) pitch_w + ow, and tap
 * (c, kd, kh, kw) of position p is element p plus the channel's and each axis' cconv_halo_offset: im2col by address,
 * each input element stored once. Positions between the rows hold garbage that is never stored. */
#ifndef CC_HALO_H
#define CC_HALO_H

#include "shape/axis.h"

typedef struct cc_halo_axis {
  int64_t period; /* of the phases, see cconv_axis_period */
  int64_t phases; /* that the chunk's taps need: min(taps, period) */
  int64_t length; /* packed elements of one phase */
  int64_t pitch;  /* length, less the fill shared with the next */
} cc_halo_axis;

typedef struct cc_halo {
  cc_halo_axis axis[CCONV_MAX_SPATIAL];
  int64_t phase;     /* elements of one phase */
  int64_t channel;   /* elements from one channel to the next */
  int64_t positions; /* from the block's first output to its last, with the garbage between rows */
} cc_halo;

/* For blocks of at most `out` outputs and chunks of at most `taps` taps an axis. `unit` elements
 * fill a cache line; a channel is an odd number of lines. The product must not overflow: the caller
 * asks for block sizes whose elements exist, cconv_halo_fits says which. */
void cconv_halo_of(const cc_axis axis[3], const int64_t out[3], const int64_t taps[3], int64_t unit, cc_halo *halo);

/* Is the halo of such blocks and chunks at most `limit` elements for `channels` channels? */
bool cconv_halo_fits(const cc_axis axis[3], const int64_t out[3], const int64_t taps[3], int64_t unit, int64_t channels,
                     int64_t limit);

/* How far tap k of the chunk along an axis (of 3) begins behind tap 0. */
int64_t cconv_halo_offset(const cc_halo *halo, const cc_axis axis[3], int a, int64_t k);

#endif
