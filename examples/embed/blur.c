/* SPDX-License-Identifier: BSD-3-Clause
 * blur.c - a C program: reads a grey image, blurs it by a 5 x 5 filter, writes the result.
 *
 *   ./blur portrait.pgm blurred.pfm */
#include "cconv.h"
#include "image.h"

int main(int argc, char **argv) {
  const image in = image_read(argc == 3 ? argv[1] : "");
  if (!in.pixels)
    return fprintf(stderr, "usage: blur IMAGE.pgm RESULT.pfm\n"), 2;
  const int64_t h = in.height, w = in.width, f = sizeof(float);
  float *out = malloc((size_t)(h * w * f)), weights[25];
  for (int i = 0; i < 25; i++)
    weights[i] = 1.0f / (float)(5 + i % 5 + i / 5);

  /* Axes are batch, channels, rows and columns; strides are bytes. */
  cconv_tensor x = {sizeof x, CCONV_UINT8, 4, in.pixels, {1, 1, h, w}, {h * w, h * w, w, 1}};
  cconv_tensor k = {sizeof k, CCONV_FLOAT32, 4, weights, {1, 1, 5, 5}, {25 * f, 25 * f, 5 * f, f}};
  cconv_tensor y = {sizeof y, CCONV_FLOAT32, 4, out, {1, 1, h, w}, {h * w * f, h * w * f, w * f, f}};
  cconv_conv_params params = {.struct_size = sizeof params, .groups = 1, .padding_mode = CCONV_PADDING_REFLECT};
  for (int axis = 0; axis < 2; axis++) {
    params.stride[axis] = params.dilation[axis] = 1;
    params.pad_before[axis] = params.pad_after[axis] = 2;
  }
  cconv_context context = {.struct_size = sizeof context, .num_threads = cconv_max_threads()};
  cconv_error error = {.struct_size = sizeof error, .argument = ""};

  size_t bytes = 0;
  cconv_status status = cconv_conv_workspace(&params, &x, &k, NULL, NULL, &y, &context, &bytes, &error);
  void *workspace = malloc(bytes);
  if (!status)
    status = out && workspace ? cconv_conv(&params, &x, &k, NULL, NULL, &y, &context, workspace, bytes, &error)
                              : CCONV_NO_MEMORY;
  if (status)
    fprintf(stderr, "%s (%s)\n", cconv_status_text(status), error.argument);
  else if (image_write(argv[2], in.width, in.height, out))
    status = 1, perror(argv[2]);
  free(workspace);
  free(out);
  free(in.pixels);
  return status != CCONV_OK;
}
