/* SPDX-License-Identifier: BSD-3-Clause
 * unpool.tmpl.h - elements back to the places of a plane that their indices name, zeros elsewhere.
 *
 *   y = 0, then y[tap[i]] = x[i] in C order */

static void CC_K(unpool_clear)(const cc_unpool_job *job) {
  for (int64_t d = 0; d < job->out[0]; d++)
    for (int64_t h = 0; h < job->out[1]; h++) {
      char *row = job->y + d * job->y_stride[0] + h * job->y_stride[1];
      for (int64_t w = 0; w < job->out[2]; w++)
        *(T *)(void *)(row + w * job->y_stride[2]) = 0;
    }
}

static void CC_K(unpool)(const cc_unpool_job *job) {
  const int64_t *xs = job->x_stride, *ts = job->tap_stride, *ys = job->y_stride, *out = job->out;
  CC_K(unpool_clear)(job);
  for (int64_t d = 0; d < job->size[0]; d++)
    for (int64_t h = 0; h < job->size[1]; h++) {
      const char *x = job->x + d * xs[0] + h * xs[1], *taps = job->taps + d * ts[0] + h * ts[1];
      for (int64_t w = 0; w < job->size[2]; w++) {
        const int64_t tap = *(const int64_t *)(const void *)(taps + w * ts[2]);
        if (tap < 0)
          continue;
        const int64_t row = tap / out[2];
        char *y = job->y + row / out[1] * ys[0] + row % out[1] * ys[1] + tap % out[2] * ys[2];
        __builtin_memcpy(y, x + w * xs[2], sizeof(T));
      }
    }
}
