/* SPDX-License-Identifier: BSD-3-Clause
 * conv_phases.h - all phases of a transposed convolution in one pass over the input.
 *
 * Law: a place of the input (shape/transpose_shape.h) has an output of every phase, and they all look at its window: it
 * is packed once. Each sum is that of the phase as an ordinary direct convolution, term by term, or on a matrix unit as
 * one by bf16x3 or by int8x3, whichever way is taken. How weights are laid out follows from the way, one image's shape, the weight's,
 * parameters and dtype; a plan's own say for which way they are. */
#ifndef CC_CONV_PHASES_H
#define CC_CONV_PHASES_H

#include <stdatomic.h>

#include "base/layout.h"
#include "ops/conv_driver.h"
#include "shape/transpose_shape.h"

/* A transposed convolution worked out but for its data. */
typedef struct cc_phases {
  const cc_conv *conv;
  cc_transpose_window window[CCONV_MAX_SPATIAL];
  cc_axis axis[CCONV_MAX_SPATIAL]; /* of the windows: outputs are places */
  int64_t phases, taps;            /* of all axes; taps of the kernel */
  cc_blocks blocks;                /* of places */
  int64_t blocks_an_image;
  bool lanes_are_channels; /* else places, row after row */
  int64_t rows;            /* of a tile: places, or channels of a run */
  int64_t width, panels;   /* channels of a panel of weights, panels of a group; or runs of `rows` channels */
  int64_t piece;           /* input channels whose weights are laid out at a time */
  int64_t units, parts;
  const cc_matrix_kernels *matrix; /* products, of lanes of channels; NULL for those of vectors */
  bool bounded;                    /* shapes say that a thread's scratch fits MOST_BYTES: the cache has no say */
  int64_t slices, plane;           /* with it: 32 channels each; lines of a part of them */
  int64_t threads;                 /* it was worked out for */
  int64_t greatest_bytes;          /* of magnitudes, before all else: of images, and behind them of the weights */
  int64_t squares_at, turned_at, halo_at;
  int64_t slab_places;                               /* of lanes of channels: from phase to phase */
  int64_t slack;                                     /* elements behind the halo that tiles of places read */
  int64_t offsets_bytes, table_bytes, weights_bytes; /* for all threads, in this order, ... */
  int64_t panel_at, slab_at, across_at, along_at, sets_at, thread_bytes; /* ... then for each, the halo first */
  int64_t workspace;
  const char *kept; /* weights; NULL for the caller's */
  char *memory;
  bool digits;       /* int8x3 comes before: all else is for the images that it leaves to others */
  cc_conv places;    /* with it: all phases as one convolution, */
  cc_conv_work work; /* worked out */
} cc_phases;

/* One phase, by number. */
typedef struct cc_phase {
  int64_t j[CCONV_MAX_SPATIAL], taps[CCONV_MAX_SPATIAL];
  int64_t terms;   /* taps in all */
  int64_t before;  /* those of the phases before */
  int64_t offsets; /* number of its first offset */
} cc_phase;

/* Is there such a pass? Then it has been worked out. That all phases are computed directly is for the caller to know. */
bool cconv_phases_prepare(const cc_conv *conv, int64_t threads, const char *kept, cc_phases *p);
cconv_status cconv_phases_run(cc_phases *p, cc_run *run, char *workspace);
double cconv_phases_operations(const cc_phases *p);
void cconv_phases_describe(const cc_phases *p, cconv_plan_info *info);

/* A plan's own copy of the weights: a line that says for which way, the table that laid them out, and they. */
int64_t cconv_phases_kept_bytes(const cc_phases *p);
void cconv_phases_keep(const cc_phases *p, char *kept);

/* For the two ways. */
void cconv_phase_of(const cc_phases *p, int64_t index, cc_phase *phase);
int64_t cconv_phase_of_tap(const cc_phases *p, int64_t tap, cc_phase *phase); /* returns its number in the phase */
/* Lay out the weights of channels [c, c + channels) for rows [m, m + rows) as the table says; with `lanes` zeros fill up
 * the vector of the last row. */
void cconv_phases_spread(const cc_phases *p, const cc_tap_place *table, bool lanes, int64_t g, int64_t c,
                         int64_t channels, int64_t m, int64_t rows, char *target);

/* The greatest magnitude of an image, or behind the last of the weights. */
static inline _Atomic uint32_t *cc_phases_greatest(const cc_phases *p, int64_t n) {
  return (_Atomic uint32_t *)(void *)(p->memory - p->greatest_bytes) + n;
}

/* Is the pass faster on a matrix unit? By shapes alone. */
bool cconv_phases_matrix_pays(const cc_phases *p);
/* Bytes of a thread's scratch beside lines, inputs and sums. */
int64_t cconv_phases_matrix_fixed(const cc_phases *p);
/* What a thread's scratch has before the panel, in bytes: lines, squares of a piece of a panel, and what they take. */
int64_t cconv_phases_matrix_lay_out(cc_phases *p);
void cconv_phases_matrix_offsets(const cc_phases *p, int32_t *offsets);
void cconv_phases_matrix_pack(const cc_phases *p, int64_t n, int64_t g, const cc_block *block, char *scratch);
/* The squares of one phase and a piece of `channels` channels, from its panel. */
void cconv_phases_matrix_weights(const cc_phases *p, const cc_phase *phase, const char *panel, int64_t channels,
                                 int64_t lanes, char *scratch);
/* Add such a piece, which begins with channel c, to the sums of all phases. */
void cconv_phases_matrix_sum(const cc_phases *p, int64_t positions, int64_t c, int64_t channels, char *scratch);

/* Are places computed by int8x3? Then that has been worked out. kept: its weights, NULL for the caller's. */
bool cconv_phases_digits_prepare(cc_phases *p, int64_t threads, const char *kept);
/* An image that it leaves to others: bytes of scratch, and how it is computed. */
int64_t cconv_phases_pass_workspace(const cc_phases *p, int64_t threads);
cconv_status cconv_phases_run_pass(const cc_phases *p, int64_t n, int64_t threads, cc_run *run, char *workspace);

bool cconv_phases_channels_prepare(cc_phases *p, int64_t threads);
void cconv_phases_channels_table(const cc_phases *p, int64_t channels, cc_tap_place *table);
void cconv_phases_channels_unit(void *arg, int64_t unit, bool first_unit, int64_t part);

bool cconv_phases_rows_prepare(cc_phases *p, int64_t threads);
void cconv_phases_rows_weights(const cc_phases *p, cc_tap_place *table, char *weights);
void cconv_phases_rows_unit(void *arg, int64_t unit, bool first_unit, int64_t part);

#endif
