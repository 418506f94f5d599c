/* SPDX-License-Identifier: BSD-3-Clause
 * windows.h - extremes, averages and Lp norms of windows, over rows of the input as they lie in memory.
 *
 * For poolings whose windows are whole boxes and that do not ask where an extreme was found. */
#ifndef CC_WINDOWS_H
#define CC_WINDOWS_H

#include "base/parallel.h"
#include "ops/operation.h"

/* y[j] = extreme over i < taps of x[offset[i] + j step], and of the element behind it for i < pairs */
typedef struct cc_extreme_pass {
  int32_t taps, pairs;
  int64_t step, offset[CC_EXTREME_TAPS];
} cc_extreme_pass;

enum {
  CC_EXTREME_PASSES = 16,
  CC_MOST_HALVINGS = 3 /* of a row before its last pass */
};

typedef struct cc_windows {
  /* What is asked for. */
  const cc_kernels *kernels;
  const cc_view *input, *output;
  const cc_axis *axis; /* three; outside is as each one's map says */
  int32_t dtype;       /* of the arithmetic */
  bool sums;           /* not extremes */
  bool least;          /* of extremes */
  bool fill_counts;    /* where the map is constant, `fill` is an element outside: else there is none */
  double fill;
  double exponent, root;  /* of the elements of a sum, and of the sum; 0 for none */
  const cc_axis *counted; /* three: `axis` with all taps, over which a sum is divided */
  bool count_pads;
  int64_t divisor; /* instead; 0 for none */

  /* What cconv_windows_prepare makes of it; sizes in elements unless it says bytes. */
  int64_t element;                         /* bytes */
  int64_t group;                           /* channels whose elements lie together: 1, or all of them; or with */
  bool lanes;                              /* a vector of planes, which are brought to lie so, and count as one */
  int64_t channels;                        /* planes, but with lanes, each for itself */
  int64_t planes, images;                  /* planes follow each other at equal distance, images need not */
  int64_t plane[2], image[2];              /* bytes from one to the next, of the input and of the output */
  bool staged;                             /* rows are packed first: they do not lie in memory as they are computed */
  bool direct;                             /* results go to the output at once, for they do */
  bool herk;                               /* rows by van Herk's method: suffixes, then prefixes */
  bool halves;                             /* from the input to the results, without a slab */
  int64_t count[3], batch;                 /* blocks of rows and columns, at [1] and [2]; planes in a block */
  int64_t rows, columns;                   /* of the largest block of outputs */
  int64_t line;                            /* from one row of the slab to the next */
  int64_t lines;                           /* rows of outputs that are worked on together along the last axis */
  int64_t stage_rows, stage_line;          /* rows and columns of the input under a block */
  int64_t slab_rows;                       /* of one plane */
  cc_extreme_pass pass[CC_EXTREME_PASSES]; /* along the rows */
  int32_t passes;
  int64_t taps; /* of a sum */
  int64_t units, parts;
  int64_t offsets_bytes;                                               /* of a sum's terms, which all threads read */
  int64_t run_at, stage_at, slab_at, next_at, result_at, thread_bytes; /* a thread's scratch, a row of fill first */
  char *workspace;
} cc_windows;

/* Choose how to do it; false where it cannot be done here, for no block of such windows fits the cache or a sum's
 * windows are more than two columns apart, or is done sooner elsewhere. */
bool cconv_windows_prepare(cc_windows *w, int64_t threads);

/* Bytes of workspace that a run needs, aligned to CC_ALIGNMENT. */
int64_t cconv_windows_workspace(const cc_windows *w);

cconv_status cconv_windows_run(cc_windows *w, const cconv_context *context, char *workspace);

/* ---- What follows is between windows.c, windows_extreme.c, windows_sum.c and windows_halving.c. */

typedef struct cc_windows_block {
  int64_t image, plane, planes; /* of the first plane; planes */
  int64_t channels;             /* with lanes those of the plane */
  int64_t od;
  int64_t row, rows, column, columns; /* outputs */
  int64_t extent;                     /* columns of the slab */
  int64_t low, inside;                /* those of them that the input has: the first, their number */
  const char *x;                      /* input, or stage, at the first of those; strides in bytes */
  int64_t x_plane, x_depth, x_row;
  char *scratch, *slab; /* the slab's column 0 */
} cc_windows_block;

/* The first index at or behind the end of what lies inside. */
int64_t cconv_windows_end(const cc_axis *axis);

/* From the first to the last element under so many windows of the axis. */
int64_t cconv_windows_extent(const cc_axis *axis, int64_t outputs);

/* Row i of those the block looks at, in the slice of tap k; NULL outside. */
const char *cconv_windows_row(const cc_windows *w, const cc_windows_block *b, int64_t k, int64_t i);

/* Row r of the slab, at the first column inside. */
char *cconv_windows_slab_row(const cc_windows *w, const cc_windows_block *b, int64_t r);

/* Where the results of row r of the first plane go, and how far rows and planes are apart, in bytes. */
void cconv_windows_target(const cc_windows *w, const cc_windows_block *b, int64_t r, char **y, int64_t *plane,
                          int64_t *row);

/* So many rows of outputs from r on, before `end`, have windows that meet the same rows of the input, each a stride
 * further. */
int64_t cconv_windows_alike(const cc_windows *w, const cc_windows_block *b, int64_t r, int64_t end);

/* How extremes go along the rows. */
void cconv_windows_passes(cc_windows *w);

/* Fill the block's slab with the extremes of the rows under its windows, by columns. */
void cconv_windows_reduce_rows(const cc_windows *w, const cc_windows_block *b);

/* Lines [from, from + lines) of the slab through all passes to where results go. */
void cconv_windows_reduce_columns(const cc_windows *w, const cc_windows_block *b, int64_t from, int64_t lines);

/* Are results had straight from the input, or from the stage? Of what is chosen, only the layout is looked at. */
bool cconv_windows_halves(const cc_windows *w);

/* Lines [from, from + lines) of results, to where they go. */
void cconv_windows_halve(const cc_windows *w, const cc_windows_block *b, int64_t from, int64_t lines);

/* The offset of each term of a sum from the place of its output in the slab. */
void cconv_windows_offsets(const cc_windows *w, int32_t *offsets);

/* Fill the block's slab with the rows under its windows, all slices. */
void cconv_windows_copy_rows(const cc_windows *w, const cc_windows_block *b);

/* Sums of the slab's windows, divided, to where results go. */
void cconv_windows_sum(const cc_windows *w, const cc_windows_block *b);

#endif
