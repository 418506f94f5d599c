/* SPDX-License-Identifier: BSD-3-Clause
 * conv_driver.h - what a driver of convolution is, and what all of them do to a block.
 *
 * Law: drivers.inc lists them. Those of one algorithm sum in the same order, so which one runs changes no bit. */
#ifndef CC_CONV_DRIVER_H
#define CC_CONV_DRIVER_H

#include "base/parallel.h"
#include "ops/conv.h"
#include "ops/operation.h"

enum { CC_WORK_STATE = 768 }; /* bytes, for the largest driver's own struct */

struct cc_conv_driver;

/* A convolution worked out but for its data: all that shapes, strides and the number of threads decide. */
typedef struct cc_conv_work {
  const struct cc_conv_driver *driver;
  int64_t workspace; /* bytes of scratch */
  int64_t weights;   /* bytes of prepared weights, in whole lines; 0 for none */
  int64_t parts;     /* threads it deals its units to */
  int64_t threads;   /* it was worked out for */
  bool separable;    /* a run asks first whether the kernel is a column times a row, see filter_separable.h */
  _Alignas(16) char state[CC_WORK_STATE];
} cc_conv_work;

typedef struct cc_conv_driver {
  const char *name;
  /* Can it run? By shapes of one image and of the weight, parameters and dtype; never by batch, strides or threads. */
  bool (*fits)(const cc_conv *conv);
  void (*prepare)(const cc_conv *conv, int64_t threads, cc_conv_work *work);
  /* Write the prepared weights; NULL for a driver that has none. */
  void (*pack)(const cc_conv *conv, const cc_conv_work *work, char *weights);
  /* workspace: as many bytes as asked for, aligned to CC_ALIGNMENT */
  cconv_status (*run)(const cc_conv *conv, const cc_conv_work *work, cc_run *run, char *workspace);
  void (*describe)(const cc_conv_work *work, cconv_plan_info *info);
} cc_conv_driver;

/* Work out an ordinary convolution with outputs, which may be a phase of a transposed one, for the first
 * driver that fits. */
void cconv_conv_work_out(const cc_conv *conv, int64_t threads, cc_conv_work *work);

/* Run what was worked out, with as much workspace as that says. */
cconv_status cconv_conv_run(const cc_conv *conv, const cc_conv_work *work, cc_run *run, char *workspace);

/* Is that the direct driver? */
bool cconv_conv_is_direct(const cc_conv *conv);

/* Ways of the direct driver, which asks before it works out its own: true where one pays and has been worked
 * out, with its run and describe as work->driver. Strides and threads may decide, for no bit depends on it. */
extern const cc_conv_driver cconv_conv_direct, cconv_conv_channels, cconv_conv_panels;
bool cconv_conv_channels_prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work);
/* The same for planes, where it takes less than `time`, in instructions for each term of an image and group. */
bool cconv_conv_planes_prepare(const cc_conv *conv, int64_t threads, int64_t time, cc_conv_work *work);
bool cconv_conv_panels_prepare(const cc_conv *conv, int64_t threads, cc_conv_work *work);

/* Twice the multiply-adds of the whole convolution. */
double cconv_conv_operations(const cc_conv *conv);

/* Do all windows see elements of the input and nothing else? Pads do not say: those of a transposed convolution's
 * phases are the windows' own, and `after` is not looked at. */
bool cconv_conv_stays_inside(const cc_conv *conv);

/* Does the next row of outputs begin where one ends? A phase has fewer than its view, further apart. */
bool cconv_conv_is_adjacent(const cc_axis axis[3], const cc_view *view);

/* Bytes of a convolution's weights, dense in the dtype of the arithmetic. */
int64_t cconv_conv_dense_bytes(const cc_conv *conv);

/* Copy a convolution's weights so, [g][m][c][k], and have conv->weight describe the copy. */
void cconv_conv_keep_weights(cc_conv *conv, char *dense);

/* Have conv->weight describe such a copy, made before. */
void cconv_conv_kept_weights(cc_conv *conv, const char *dense);

/* Rows of weights, pitch elements apart. */
typedef struct cc_rows {
  const char *data;
  int64_t pitch;
} cc_rows;

/* The weights of a chunk for channels [oc, oc + rows) of group g: where they are, or packed to panel. */
cc_rows cconv_conv_weights(const cc_conv *conv, int64_t g, int64_t oc, int64_t rows, const cc_chunk *chunk,
                           char *panel);

/* Rows of sums, on their way from the slab to the output. A row is one of a channel's, and the rows are of
 * one channel or of several; or with `channels`, of floats only, a row is one position's channels, and the bias is
 * that of each. */
typedef struct cc_conv_rows {
  bool channels;
  char *slab;  /* overwritten */
  int64_t lds; /* elements from row to row */
  int64_t rows, n;
  const char *bias;  /* of the first row, NULL for none */
  int64_t bias_step; /* elements from row to row: 0 where all are of one channel, or a row of all */
  char *y;
  int64_t y_stride;     /* bytes from row to row */
  const char *residual; /* NULL for none */
  int64_t residual_stride;
} cc_conv_rows;

/* Does the output take sums as they come from registers, with bias and bounds? */
bool cconv_conv_is_simple(const cc_conv *conv);

/* What its activation bounds such sums by. */
typedef struct cc_bounds {
  bool bounded;
  double low, high;
} cc_bounds;

cc_bounds cconv_conv_bounds(const cc_conv *conv);

/* Is the output sums and biases and nothing else, its rows contiguous? Then a tile may write there itself, with lds
 * output.stride[CC_CHANNEL] / element, and the bias that follows. */
bool cconv_conv_is_plain(const cc_conv *conv);

/* The bias of channels from m on, *step elements apart: 0 where there is none, so that no sum stays -0. */
const char *cconv_conv_bias(const cc_conv *conv, int64_t m, int64_t *step);

/* y = activation(slab + residual + bias), in the dtype of the output. */
void cconv_conv_store(const cc_conv *conv, const cc_conv_rows *rows);

#endif
