/* SPDX-License-Identifier: BSD-3-Clause
 * embedded.c - times one layer in a C program: 3 x 3, 64 -> 64 channels, 56 x 56, pads of 1. See embedded.py.
 *
 * For each line read from stdin: prints the seconds of the fastest of so many calls, on the threads it was told. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cconv.h"

enum { C = 64, H = 56, K = 3 };

static float x[C * H * H], w[C * C * K * K], y[C * H * H];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static cconv_tensor tensor(float *data, int64_t n, int64_t h) {
  const int64_t f = sizeof *data;
  return (cconv_tensor){
      sizeof(cconv_tensor), CCONV_FLOAT32, 4, data, {n, C, h, h}, {C * h * h * f, h * h * f, h * f, f}};
}

int main(int argc, char **argv) {
  const cconv_tensor in = tensor(x, 1, H), weight = tensor(w, C, K), out = tensor(y, 1, H);
  const cconv_conv_params params = {.struct_size = sizeof params,
                                    .groups = 1,
                                    .stride = {1, 1},
                                    .dilation = {1, 1},
                                    .pad_before = {1, 1},
                                    .pad_after = {1, 1}};
  const cconv_context context = {.struct_size = sizeof context, .num_threads = argc > 1 ? atoi(argv[1]) : 1};
  for (int i = 0; i < C * H * H; i++)
    x[i] = (float)(i * 37 % 101) / 101;
  for (int i = 0; i < C * C * K * K; i++)
    w[i] = (float)(i * 53 % 89) / 89;
  size_t bytes;
  if (cconv_conv_workspace(&params, &in, &weight, NULL, NULL, &out, &context, &bytes, NULL))
    return 1;
  void *workspace = malloc(bytes);
  for (int calls; workspace && scanf("%d", &calls) == 1; fflush(stdout)) {
    double best = 1e9;
    for (int i = 0; i < calls; i++) {
      const double start = now();
      if (cconv_conv(&params, &in, &weight, NULL, NULL, &out, &context, workspace, bytes, NULL))
        return 1;
      const double seconds = now() - start;
      best = seconds < best ? seconds : best;
    }
    printf("%.9f\n", best);
  }
  free(workspace);
  return 0;
}
