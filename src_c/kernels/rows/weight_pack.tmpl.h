/* SPDX-License-Identifier: BSD-3-Clause
 * weight_pack.tmpl.h - gathers a tile's weights where they do not lie in the order of the sum, or are not of type T.
 *
 *   target[m][c][kd][kh][kw] = weight element (m, c, kd, kh, kw) */

static void CC_K(weight_pack)(const cc_weight_pack_job *job) {
  const int64_t *count = job->count, *stride = job->stride;
  T *y = job->target;
  for (int64_t m = 0; m < count[0]; m++)
    for (int64_t c = 0; c < count[1]; c++)
      for (int64_t d = 0; d < count[2]; d++)
        for (int64_t h = 0; h < count[3]; h++) {
          const char *x = job->weight + m * stride[0] + c * stride[1] + d * stride[2] + h * stride[3];
          CC_K(read_row)(y, x, stride[4], count[4], job->source);
          y += count[4];
        }
}
