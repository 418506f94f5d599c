/* SPDX-License-Identifier: BSD-3-Clause
 * conv_products.h - a transposed convolution of few inputs, whose time is that of reading its weights: col2im.
 *
 * Law: every input is multiplied by every weight of its channel, with the weights' own order in the lanes, so they are
 * read once, and where they lie if they are dense; the sums over channels, one for each input and tap, are then added up
 * where they fall: input by input, tap by tap. An image with a sum of either kind that is not finite is left to direct
 * sums, which know that zeros are around it. */
#ifndef CC_CONV_PRODUCTS_H
#define CC_CONV_PRODUCTS_H

#include "ops/conv_driver.h"

/* A transposed convolution worked out but for its data. */
typedef struct cc_products {
  const cc_conv *conv;
  int64_t inputs, outputs, taps;      /* of an image and a channel; of the kernel */
  int64_t images, image_groups;       /* that share the weights read, and how many of those */
  int64_t rows, tiles, width;         /* inputs of a group of images, cut into tiles; columns of the widest */
  int64_t lane_groups, groups_a_unit; /* of output channels, a vector each */
  int64_t units, parts;
  int64_t step;           /* input channels whose weights are read side by side */
  int64_t x_pitch, pitch; /* elements from input to input: its channels, its sums */
  bool in_place;          /* weights, but for the end of a row */
  int64_t left_bytes;     /* the workspace: flags of images, which outlive the run, ... */
  int64_t at_bytes;       /* ... where sums fall, then for each thread ... */
  int64_t sums_at, weights_at, tap_at, slab_at, turned_at, thread_bytes; /* ... its inputs, and these */
  int64_t slab_rows;
  int64_t workspace;
  char *memory;
  cc_run *run;
} cc_products;

/* Is it one? By shapes of one image and of the weight, parameters and dtype. */
bool cconv_products_fit(const cc_conv *conv);
void cconv_products_prepare(const cc_conv *conv, int64_t threads, cc_products *p);
cconv_status cconv_products_run(cc_products *p, cc_run *run, char *workspace);
void cconv_products_describe(const cc_products *p, cconv_plan_info *info);

/* Was image n left to others? */
bool cconv_products_left(const cc_products *p, int64_t n);

/* A plan's own copy of the weights: its bytes, the copy, and to have conv->weight describe it. */
int64_t cconv_products_kept_bytes(const cc_conv *conv);
void cconv_products_keep(const cc_conv *conv, char *kept);
void cconv_products_kept(cc_conv *conv, const char *kept);

#endif
