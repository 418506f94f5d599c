/* SPDX-License-Identifier: BSD-3-Clause
 * lanes.tmpl.h - channels from behind each other to side by side, and back: transposes of VL x VL elements.
 *
 *   lanes[p][l] = row l's element p      l < VL
 *
 * Law: elements are moved, never changed. */

/* n elements of VL channels, `at` bytes from x each; y takes n vectors. */
static CC_NOINLINE void CC_K(lanes_of_rows)(const char *x, const int64_t *at, int64_t n, T *y) {
  V r[VL];
  if (n < VL) {
    CC_UNROLL
    for (int l = 0; l < VL; l++)
      r[l] = v_load_part(x + at[l], n);
    CC_K(transpose_vectors)(r);
    CC_UNROLL
    for (int p = 0; p < VL; p++)
      if (p < n)
        v_store(y + p * VL, r[p]);
    return;
  }
  for (int64_t p = 0;; p = p + 2 * VL > n ? n - VL : p + VL) { /* the last vectors end where the row does */
    CC_UNROLL
    for (int l = 0; l < VL; l++)
      r[l] = v_load(x + at[l] + p * (int64_t)sizeof(T));
    CC_K(transpose_vectors)(r);
    CC_UNROLL
    for (int i = 0; i < VL; i++)
      v_store(y + (p + i) * VL, r[i]);
    if (p + VL == n)
      return;
  }
}

CC_ALWAYS_INLINE void CC_K(splat_lanes)(T *y, int64_t n, V value) {
  for (int64_t p = 0; p < n; p++)
    v_store(y + p * VL, value);
}

/* See cc_lanes_job. */
static void CC_K(lanes)(const cc_lanes_job *job) {
  const int64_t low = job->low[1], n = job->high[1] - low, used = job->used[1];
  const V fill = v_splat(CC_K(number)(job->fill));
  int64_t at[VL];
  for (int l = 0; l < VL; l++)
    at[l] = l < job->channels ? l * job->channel_stride : 0; /* lanes that nobody looks at take the first's */
  for (int64_t h = 0; h < job->size[0]; h++) {
    T *y = (T *)job->lanes + h * job->pitch;
    if (h < job->low[0] || h >= job->high[0] || n <= 0) {
      CC_K(splat_lanes)(y, used, h < job->used[0] ? fill : (V){0});
    } else {
      const char *x = job->x + (h - job->low[0]) * job->stride[0];
      CC_K(splat_lanes)(y, low, fill);
      if (job->channel_stride != (int64_t)sizeof(T))
        CC_K(lanes_of_rows)(x, at, n, y + low * VL);
      else if (job->channels == VL)
        for (int64_t p = 0; p < n; p++)
          v_store(y + (low + p) * VL, v_load(x + p * job->stride[1]));
      else
        for (int64_t p = 0; p < n; p++)
          v_store(y + (low + p) * VL, v_load_part(x + p * job->stride[1], job->channels));
      CC_K(splat_lanes)(y + (low + n) * VL, used - low - n, fill);
    }
    CC_K(splat_lanes)(y + used * VL, job->size[1] - used, (V){0});
  }
}

/* See cc_rows_job. */
static void CC_K(rows)(const cc_rows_job *job) {
  const T *x = job->lanes;
  T *y = job->rows;
  for (int64_t p = 0; p < job->n; p += VL) {
    V r[VL];
    CC_UNROLL
    for (int i = 0; i < VL; i++)
      r[i] = v_load(x + (p + i) * VL);
    CC_K(transpose_vectors)(r);
    CC_UNROLL
    for (int l = 0; l < VL; l++)
      v_store(y + l * job->pitch + p, r[l]);
  }
}
