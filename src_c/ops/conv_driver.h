/* SPDX-License-Identifier: BSD-3-Clause
 * conv_driver.h - what a driver of convolution is, and what all of them do to a block.
 *
 * Law: drivers.inc lists them. All sum in the same order, so which one runs changes no bit. */
#ifndef CC_CONV_DRIVER_H
#define CC_CONV_DRIVER_H

#include "ops/conv.h"
#include "ops/operation.h"

typedef struct cc_conv_driver {
  bool (*fits)(const cc_conv *conv);
  int64_t (*workspace)(const cc_conv *conv, const cconv_context *context); /* bytes */
  /* workspace: as many bytes as asked for, aligned to CC_ALIGNMENT */
  void (*run)(const cc_conv *conv, const cconv_context *context, char *workspace);
} cc_conv_driver;

/* What an ordinary convolution needs, and the convolution, by the first driver that fits; it may be a phase of
 * a transposed one. */
int64_t cconv_conv_driver_workspace(const cc_conv *conv, const cconv_context *context);
void cconv_conv_driver_run(const cc_conv *conv, const cconv_context *context, char *workspace);

/* Twice the multiply-adds of the whole convolution. */
double cconv_conv_operations(const cc_conv *conv);

/* Rows of weights, pitch elements apart. */
typedef struct cc_rows {
  const char *data;
  int64_t pitch;
} cc_rows;

/* The weights of a chunk for channels [oc, oc + rows) of group g: where they are, or packed to panel. */
cc_rows cconv_conv_weights(const cc_conv *conv, int64_t g, int64_t oc, int64_t rows, const cc_chunk *chunk,
                           char *panel);

/* Rows of sums, on their way from the slab to the output. A row is one of a channel's, and the rows are of
 * one channel or of several. */
typedef struct cc_conv_rows {
  char *slab;  /* overwritten */
  int64_t lds; /* elements from row to row */
  int64_t rows, n;
  const char *bias;  /* of the first row, NULL for none */
  int64_t bias_step; /* elements from row to row: 0 where all are of one channel */
  char *y;
  int64_t y_stride;     /* bytes from row to row */
  const char *residual; /* NULL for none */
  int64_t residual_stride;
} cc_conv_rows;

/* y = activation(slab + residual + bias), in the dtype of the output. */
void cconv_conv_store(const cc_conv *conv, const cc_conv_rows *rows);

#endif
