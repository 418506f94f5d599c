/* SPDX-License-Identifier: BSD-3-Clause
 * blocks.h - how outputs are cut into blocks and sums into chunks, so that scratch fits the cache. */
#ifndef CC_BLOCKS_H
#define CC_BLOCKS_H

#include "shape/halo.h"

/* What the driver asks for. */
typedef struct cc_block_request {
  const cc_axis *axis; /* three */
  int64_t channels;    /* summed over, packed together */
  int64_t element;     /* bytes */
  int64_t budget;      /* bytes of scratch a thread */
  int64_t lanes;       /* positions worth having in a block: those of the widest tile */
  int64_t term;        /* bytes a term of a chunk needs, beside its halo */
  int64_t slack;       /* elements a kernel may read or write behind the last position */
  int64_t slab;        /* bytes of partial results a position needs when sums are cut */
  bool slab_always;    /* also when they are not */
  int64_t blocks;      /* at least so many, where the outputs allow, to occupy the threads */
} cc_block_request;

/* Block i of axis a holds outputs cc_part(out, i, count) up to cc_part(out, i + 1, count), at most
 * `out` of them. A sum runs over chunks of `channels` x `taps`, in the order of its terms: inner
 * axes are cut only where every outer one is cut to single taps. */
typedef struct cc_blocks {
  int64_t count[CCONV_MAX_SPATIAL], out[CCONV_MAX_SPATIAL];
  int64_t channels, taps[CCONV_MAX_SPATIAL];
  int64_t chunks;
  cc_halo halo;
} cc_blocks;

/* Pure function of the request; its answer never changes a result, only the speed. */
void cconv_choose_blocks(const cc_block_request *request, cc_blocks *blocks);

/* One chunk of a sum: channels from `channel`, taps from `tap`; `first` is its first term. */
typedef struct cc_chunk {
  int64_t channel, channels;
  int64_t tap[CCONV_MAX_SPATIAL], taps[CCONV_MAX_SPATIAL];
  int64_t first, terms;
} cc_chunk;

void cconv_chunk_of(const cc_blocks *blocks, const cc_axis axis[3], int64_t channels, int64_t index, cc_chunk *chunk);

#endif
