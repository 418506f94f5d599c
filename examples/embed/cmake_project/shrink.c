/* SPDX-License-Identifier: BSD-3-Clause
 * shrink.c - a program that CMake builds: averages of 2 x 2 pixels, to an image of half the size.
 *
 *   build/shrink portrait.pgm small.pfm */
#include "cconv.h"
#include "image.h"

int main(int argc, char **argv) {
  const image in = image_read(argc == 3 ? argv[1] : "");
  if (!in.pixels)
    return fprintf(stderr, "usage: shrink IMAGE.pgm RESULT.pfm\n"), 2;
  const int64_t h = in.height, w = in.width, oh = h / 2, ow = w / 2, d = sizeof(double);
  double *averages = malloc((size_t)(oh * ow * d) + 1); /* of integers they are FLOAT64 */
  float *out = malloc((size_t)(oh * ow) * sizeof *out + 1);

  cconv_tensor x = {sizeof x, CCONV_UINT8, 4, in.pixels, {1, 1, h, w}, {h * w, h * w, w, 1}};
  cconv_tensor y = {sizeof y, CCONV_FLOAT64, 4, averages, {1, 1, oh, ow}, {oh * ow * d, oh * ow * d, ow * d, d}};
  cconv_pool_params params = {.struct_size = sizeof params, .kind = CCONV_POOL_AVERAGE, .kernel = {2, 2}};
  for (int axis = 0; axis < 2; axis++)
    params.stride[axis] = 2, params.dilation[axis] = 1;
  cconv_context context = {.struct_size = sizeof context, .num_threads = cconv_max_threads()};

  size_t bytes = 0;
  cconv_status status = cconv_pool_workspace(&params, &x, &y, NULL, &context, &bytes, NULL);
  void *workspace = malloc(bytes + 1);
  if (!status)
    status = averages && out && workspace ? cconv_pool(&params, &x, &y, NULL, &context, workspace, bytes, NULL)
                                          : CCONV_NO_MEMORY;
  if (status)
    fprintf(stderr, "%s\n", cconv_status_text(status));
  for (int64_t i = 0; i < oh * ow && !status; i++)
    out[i] = (float)averages[i];
  if (!status && image_write(argv[2], (int)ow, (int)oh, out))
    status = 1, perror(argv[2]);
  free(workspace);
  free(averages);
  free(out);
  free(in.pixels);
  return status != CCONV_OK;
}
