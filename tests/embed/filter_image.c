/* SPDX-License-Identifier: BSD-3-Clause
 * filter_image.c - cconv from C: one image through one layer, bias and ReLU included.
 *
 *   cc -O2 $(python -m cconv config --cflags --sources) tests/embed/filter_image.c -lm
 *
 * Prints the output, a row on each line. */
#include <stdio.h>
#include <stdlib.h>

#include "cconv.h"

enum { IC = 5, IH = 20, IW = 23, OC = 13, KH = 3, KW = 3, OH = 10, OW = 23 };

static float image[IC * IH * IW], weight[OC * IC * KH * KW], bias[OC], output[OC * OH * OW];

static cconv_tensor image_of(float *data, int64_t n, int64_t c, int64_t h, int64_t w) {
  const int64_t f = sizeof *data;
  return (cconv_tensor){
      sizeof(cconv_tensor), CCONV_FLOAT32, 4, data, {n, c, h, w}, {c * h * w * f, h * w * f, w * f, f}};
}

int main(void) {
  for (int i = 0; i < IC * IH * IW; i++)
    image[i] = (float)(i * 37 % 101) / 7.0f - 7.0f;
  for (int i = 0; i < OC * IC * KH * KW; i++)
    weight[i] = (float)(i * 53 % 89) / 11.0f - 4.0f;
  for (int i = 0; i < OC; i++)
    bias[i] = (float)i / 3.0f;

  cconv_tensor x = image_of(image, 1, IC, IH, IW), w = image_of(weight, OC, IC, KH, KW);
  cconv_tensor b = {sizeof b, CCONV_FLOAT32, 1, bias, {OC}, {sizeof *bias}}, y = image_of(output, 1, OC, OH, OW);
  cconv_conv_params layer = {.struct_size = sizeof layer, .activation = CCONV_ACTIVATION_RELU, .groups = 1};
  for (int axis = 0; axis < 2; axis++)
    layer.stride[axis] = 2 - axis, layer.dilation[axis] = 1, layer.pad_before[axis] = 1 + axis;
  layer.pad_after[0] = 1;
  cconv_context context = {.struct_size = sizeof context, .num_threads = 2};

  size_t bytes;
  cconv_status status = cconv_conv_workspace(&layer, &x, &w, &b, NULL, &y, &context, &bytes, NULL);
  void *workspace = status ? NULL : malloc(bytes + 1);
  if (!status)
    status = workspace ? cconv_conv(&layer, &x, &w, &b, NULL, &y, &context, workspace, bytes, NULL) : CCONV_NO_MEMORY;
  free(workspace);
  if (status)
    return fprintf(stderr, "%s\n", cconv_status_text(status)), EXIT_FAILURE;
  for (int i = 0; i < OC * OH * OW; i++)
    printf("%.9g%c", (double)output[i], (i + 1) % OW ? ' ' : '\n');
  return EXIT_SUCCESS;
}
