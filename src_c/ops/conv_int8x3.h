/* SPDX-License-Identifier: BSD-3-Clause
 * conv_int8x3.h - what the steps of the driver of digits on a matrix unit share. */
#ifndef CC_CONV_INT8X3_H
#define CC_CONV_INT8X3_H

#include "base/checked.h"
#include "base/layout.h"
#include "ops/conv_matrix.h"

/* What prepare() works out; a run adds the convolution and the workspace.
 *
 * A workspace, in bytes from its start:
 *   greatest magnitudes of images, and behind them that of the weights
 *   offsets  of taps, or of the values of a window, and of steps, in lines
 *   shared   records of weights, where a phase of its own makes all
 *   threads  each thread's scratch:
 *     block    cc_digit_block
 *     levels   of channels
 *     lines    [slice][digit][position], or as many bytes of squares
 *     sums     of two records, [position][CC_MATRIX_LANES] or [CC_MATRIX_LANES][position]
 *     weights  records that are made or summed at once, if they are made for each block of outputs
 *     turned   sums or inputs on their way
 *     halo     of 64 channels, or of all; or weights on their way */
typedef struct cc_int8x3 {
  const cc_conv *conv;
  const cc_matrix_kernels *matrix;
  cc_blocks blocks;
  bool windows;        /* values of a window are summed as channels are, */
  int64_t terms, taps; /* of which there are so many then, and taps */
  int64_t width,
      slices;          /* channels in a line, and lines of a position; a line has CC_DIGIT_CHANNELS / width positions */
  int64_t rows, steps; /* of taps along the last axis; products of lines, in all */
  int64_t plane;       /* lines of one digit of a slice */
  int64_t record;      /* bytes of the weights of 16 lanes: squares, scale, and shares if there are several taps */
  int64_t records, blocks_an_image, runs, units, parts; /* records are a group's */
  bool channels_first;  /* units are those of all places and a run of channels, then of the next; else of one place */
  int64_t together;     /* records that are made at once: of all phases, or one */
  int32_t least_shares; /* of the levels: below, channels differ too much */
  bool packed_once;     /* the halos of all channels are kept until they are lines */
  bool shared;          /* a phase of its own makes all weights, once */
  bool planes;          /* one tap: inputs are planes, else lines */
  bool in_place;        /* which are read where they lie */
  bool turned;          /* sums are [lane][position], else [position][lane] */
  bool adjacent;        /* rows of outputs follow each other */
  int64_t offsets_at, steps_at, shared_at, threads_at, thread_bytes;    /* behind the greatest magnitudes */
  int64_t levels_at, lines_at, sums_at, weights_at, turned_at, halo_at; /* a thread's scratch */
  int64_t threads;                                                      /* it was worked out for */
  char *workspace;
} cc_int8x3;

_Static_assert(sizeof(cc_int8x3) <= CC_WORK_STATE, "a driver's struct must fit");

/* What a thread knows of its block's inputs. */
typedef struct cc_digit_block {
  uint32_t greatest; /* magnitude, as bits */
  int32_t exponent;  /* biased, and one above that of the greatest */
  bool even;         /* no place where all are far below it */
} cc_digit_block;

_Static_assert(sizeof(cc_digit_block) <= CC_ALIGNMENT, "it has a line");

/* Where scale and shares of a record begin. */
static inline int64_t cc_digit_scale_at(const cc_int8x3 *d) { return d->steps * CC_DIGITS * CC_DIGIT_SQUARE; }
static inline int64_t cc_digit_shares_at(const cc_int8x3 *d) { return cc_digit_scale_at(d) + CC_DIGIT_LINE; }

/* Make record r of a group, and raise the greatest magnitude. `rows` is scratch. */
void cconv_int8x3_make_weights(const cc_conv *conv, const cc_int8x3 *d, int64_t g, int64_t r, char *rows, char *record,
                               uint32_t *greatest);

/* Make the records of all phases of 16 channels, `group` of them before: d->together of them. */
void cconv_phases_digits_weights(const cc_int8x3 *d, int64_t g, int64_t group, char *rows, char *records,
                                 uint32_t *greatest);

/* Store sums of two records: those of two phases. joined: scratch, of CC_DIGIT_LANES rows of both. */
void cconv_phases_digits_store(const cc_matrix_target *to, char *sums, char *joined);

/* Lines and levels of a block of image n and group g. */
void cconv_int8x3_pack(const cc_int8x3 *d, int64_t n, int64_t g, const cc_block *block, char *scratch);

#endif
