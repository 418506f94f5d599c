/* SPDX-License-Identifier: BSD-3-Clause
 * conv.h - one convolution, ordinary or transposed, as its drivers see it. */
#ifndef CC_CONV_H
#define CC_CONV_H

#include "kernels/kernels.h"
#include "shape/conv_shape.h"

/* Weight [g][m][c][k]: strides in bytes, of any sign. in_place: the terms of one output channel follow
 * each other in memory and in the dtype of the arithmetic, so tiles read them where they are; else each
 * tile's are packed first. kept: a plan has a dense copy; prepared is then what the driver's pack() made of it,
 * once it has. */
typedef struct cc_weight {
  const char *data, *prepared;
  int32_t dtype;
  int64_t group, out, in, tap[CCONV_MAX_SPATIAL];
  bool in_place, kept;
} cc_weight;

struct cc_phases;

/* One convolution, checked. The bias is contiguous or NULL; a residual without data is none. */
typedef struct cc_conv {
  cc_conv_shape shape;
  cc_axis given[CCONV_MAX_SPATIAL]; /* the axes before rows that follow each other in memory became one */
  cc_view input, residual, output;
  cc_weight weight;
  const char *bias;
  int32_t dtype;   /* of the arithmetic */
  int64_t element; /* its bytes */
  double padding_value;
  int32_t algorithm, activation;
  double activation_a, activation_b;
  const cc_kernels *kernels;
  const cc_matrix_kernels *matrix; /* NULL where there are none for the dtype */
  const struct cc_phases *phases;  /* of a transposed convolution, whose places these are (ops/conv_phases_digits.c) */
} cc_conv;

/* Its shape whatever the strides: what decides bits. */
static inline cc_conv_shape cc_given_shape(const cc_conv *conv) {
  cc_conv_shape shape = conv->shape;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    shape.axis[a] = conv->given[a];
  return shape;
}

/* Check everything and fill *conv. Of a transposed convolution the shape's axes are its own
 * (shape/transpose_shape.h). */
cconv_status cconv_conv_validate(const cconv_conv_params *params, const cconv_conv_tensors *tensors, bool transposed,
                                 const cconv_context *context, cc_conv *conv, cconv_error *error);

#endif
