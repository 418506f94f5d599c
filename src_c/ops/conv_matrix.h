/* SPDX-License-Identifier: BSD-3-Clause
 * conv_matrix.h - what drivers of products on a matrix unit have in common: lines of inputs, and images that the unit
 * cannot compute.
 *
 * The unit flushes what is subnormal, and a part of infinity is NaN. So the greatest magnitude of each image and of the
 * weights is noted, and images where either could matter are computed directly, as a whole, once all are done. */
#ifndef CC_CONV_MATRIX_H
#define CC_CONV_MATRIX_H

#include <stdatomic.h>

#include "base/checked.h"
#include "base/layout.h"
#include "ops/conv_driver.h"

enum {
  CC_TURN = 64,                /* positions, or outputs, that are turned at once: both copies stay near */
  CC_TURN_PITCH = CC_TURN + 16 /* and a vector that a store may read */
};

extern const cc_conv_driver cconv_conv_bf16x3; /* which computes what int8x3 cannot */

/* What begins prepared weights. */
typedef struct cc_matrix_heading {
  uint32_t greatest; /* magnitude, as bits */
  bool planes;       /* for inputs that are taken as planes, else lines */
} cc_matrix_heading;

_Static_assert(sizeof(cc_matrix_heading) <= CC_ALIGNMENT, "it has a line");

/* Outputs of an image and channel, up to more than there are weights for any. */
static inline int64_t cc_outputs_of(const cc_conv_shape *shape) {
  const int64_t most = (int64_t)1 << 31;
  return cc_min(most, cc_min(most, shape->axis[0].out * shape->axis[1].out) * shape->axis[2].out);
}

/* Had threads rather share the channels of a lone image than its places? All make its inputs then; else, where one's
 * places end, two of them write parts of a line of every channel. */
bool cconv_matrix_shares_channels(const cc_conv *conv, int64_t threads, int64_t lane_blocks);

/* Can kernels read channels and positions of the input where they lie? Steps that are taken are whole elements then. */
bool cconv_matrix_reads(const cc_conv *conv);

/* A workspace begins with the greatest magnitudes of images, and behind them that of the weights. */
static inline _Atomic uint32_t *cc_matrix_greatest(char *workspace, int64_t n) {
  return (_Atomic uint32_t *)(void *)workspace + n;
}

/* Raise the greatest magnitude of an image or of the weights, as the bits of a float32. */
void cconv_matrix_raise(_Atomic uint32_t *greatest, uint32_t value);

/* Is nothing flushed that counts, and all finite? */
bool cconv_matrix_is_ordinary(uint32_t image, uint32_t weights);

/* Products of a convolution: units of work, which `arg` knows. They note the greatest magnitudes. */
typedef struct cc_matrix_work {
  const cc_conv *conv;
  void *arg;
  char *workspace;
  cc_unit_fn *make; /* weights first, which none keeps, in `making` units; NULL for none */
  cc_unit_fn *run;
  int64_t making, units, parts;
  /* Compute image n otherwise, which the unit cannot. */
  cconv_status (*otherwise)(void *arg, int64_t n, cc_run *run);
} cc_matrix_work;

cconv_status cconv_matrix_run(const cc_matrix_work *work, cc_run *run);

/* Image n alone, to be computed directly. */
cc_conv cconv_matrix_directly(const cc_conv *conv, int64_t n);

/* Make zero what no window of a block looks at, of channels packed as a larger block's: then the greatest magnitude does
 * not depend on how outputs are cut. */
void cconv_matrix_clear(const cc_conv *conv, const cc_blocks *blocks, const cc_block *block, int64_t channels,
                        char *packed);

/* Are channels side by side? */
static inline bool cc_has_pixels(const cc_view *view, int64_t element) {
  return view->shape[CC_CHANNEL] > 1 && view->stride[CC_CHANNEL] == element;
}

/* The lines of so many channels at `n` positions, from planes `stride` bytes apart, which are turned first. */
void cconv_matrix_turn(const cc_conv *conv, const char *rows, int64_t stride, int64_t channels, int64_t n, char *turned,
                       cc_split_job *job);

/* Where sums of a block of lanes go: from positions [at, end) of a block of image n, for `rows` channels from `channel`
 * on. */
typedef struct cc_matrix_target {
  const cc_conv *conv;
  const cc_halo *halo;
  const cc_block *block;
  bool planes;   /* sums are [channel][pitch], else [position][CC_MATRIX_LANES] */
  bool adjacent; /* rows of outputs follow each other */
  int64_t pitch;
  int64_t n, channel, rows;
  int64_t at, end;
} cc_matrix_target;

/* Do rows of outputs, and those of the residual, follow each other? */
bool cconv_matrix_is_adjacent(const cc_conv *conv);

/* Store sums of positions [at, end); turned: scratch, of CC_MATRIX_LANES rows of CC_TURN_PITCH. */
void cconv_matrix_store(const cc_matrix_target *to, char *sums, char *turned);

#endif
