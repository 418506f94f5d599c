/* SPDX-License-Identifier: BSD-3-Clause
 * pack.tmpl.h - packs rows of inputs with their border, as halo_pack.tmpl.h does, for depthwise_rows and _lanes.
 *
 * Rows are short here and as many as the sums: each holds whole vectors, and its border is written in such. */

#if CC_VECTOR_BYTES > 16 /* without masks and broadcasts, positions across rows are faster than rows */
/* y[w] = x[w step] for w in [low, high), of other w in [0, n) fill, in whole vectors; step is 1 or 2. */
CC_ALWAYS_INLINE void CC_K(pack_row)(T *y, const char *x, const int step, int64_t low, int64_t high, int64_t n,
                                     V fill) {
  const int64_t size = sizeof(T), end = step * (high - 1) + 1; /* what is behind the last may not be there */
  for (int64_t w = 0; w < n; w += VL) {
    const char *from = x + w * step * size;
    if (w >= low && step * (w + VL) <= end)
      v_store(y + w, step == 1 ? v_load(from) : v_even(v_load(from), v_load(from + VL * size)));
    else if (step == 1)
      v_store(y + w, v_load_between(from, low - w, high - w, fill));
    else
      v_store(y + w, CC_K(even_between)(from, low - w, high - w, fill));
  }
}

CC_ALWAYS_INLINE void CC_K(fill_rows)(T *y, int64_t rows, int64_t pitch, int64_t n, V fill) {
  for (; rows > 0; rows--, y += pitch)
    for (int64_t w = 0; w < n; w += VL)
      v_store(y + w, fill);
}

/* One slice of one phase of a channel, of dense elements T bordered by fill; x is its first row, of none NULL. */
CC_ALWAYS_INLINE void CC_K(pack_dense)(const cc_halo_pack_job *job, const char *x, T *y, int64_t w0, const int step) {
  const V fill = v_splat(CC_K(number)(job->fill));
  const int64_t n = job->length[2], rows = job->length[1], pitch = job->pitch[2];
  int64_t low, high, top, bottom;
  CC_K(inside)(w0, step, job->end[2], n, &low, &high);
  CC_K(inside)(job->first[1], 1, x ? job->end[1] : 0, rows, &top, &bottom);
  if (low == high)
    bottom = top;
  CC_K(fill_rows)(y, top, pitch, n, fill);
  CC_K(fill_rows)(y + bottom * pitch, rows - bottom, pitch, n, fill);
  if (top == bottom) /* a pad may be longer than any memory */
    return;
  x += (job->first[1] + top) * job->stride[1] + w0 * (int64_t)sizeof(T);
  y += top * pitch;
  const int64_t last = (n - 1) / VL * VL, size = sizeof(T);
  if (last == 0) /* loops of their own: the lanes of a vector are found out once for all rows */
    for (int64_t h = top; h < bottom; h++, x += job->stride[1], y += pitch)
      CC_K(pack_row)(y, x, step, low, high, VL, fill);
  else if (low <= VL &&
           step * last <= step * (high - 1) + 1) /* and all between the first vector and the last is input */
    for (int64_t h = top; h < bottom; h++, x += job->stride[1], y += pitch) {
      CC_K(pack_row)(y, x, step, low, high, VL, fill);
      for (int64_t w = VL; w < last; w += VL)
        CC_K(pack_row)(y + w, x + w * step * size, step, 0, 2 * VL, VL, fill);
      CC_K(pack_row)(y + last, x + last * step * size, step, low - last, high - last, VL, fill);
    }
  else
    for (int64_t w = 0; w < n; w += VL)
      for (int64_t h = 0; h < bottom - top; h++)
        CC_K(pack_row)(y + h * pitch + w, x + h * job->stride[1] + w * step * size, step, low - w, high - w, VL, fill);
}

/* The same of any elements, step and mode; x is the channel's first element. */
CC_ALWAYS_INLINE void CC_K(pack_any)(const cc_halo_pack_job *job, const char *x, int64_t id, T *y, int64_t w0) {
  const int64_t n = job->length[2];
  int64_t low, high;
  CC_K(inside)(w0, job->step[2], job->end[2], n, &low, &high);
  const int64_t apart = high - low > 1 ? job->step[2] * job->stride[2] : 0; /* a lone element's step may not fit */
  for (int64_t h = 0; h < job->length[1]; h++, y += job->pitch[2]) {
    const int64_t ih = CC_K(mapped)(job, 1, job->first[1] + h);
    if (id < 0 || ih < 0) {
      CC_K(fill)(y, n, job->fill);
      continue;
    }
    const char *row = x + id * job->stride[0] + ih * job->stride[1];
    CC_K(border)(job, y, row, w0, 0, low);
    if (low < high)
      CC_K(read_row)(y + low, row + (w0 + low * job->step[2]) * job->stride[2], apart, high - low, job->source);
    CC_K(border)(job, y, row, w0, high, n);
  }
}

/* Phases of columns alone: job->phases[0] and [1] are 1. */
static CC_NOINLINE void CC_K(depthwise_pack)(const cc_halo_pack_job *given) {
  const cc_halo_pack_job job = *given; /* one that writing to the target cannot change */
  const int32_t own = CC_DTYPE_BITS == 32 ? CCONV_FLOAT32 : CCONV_FLOAT64;
  const bool dense = job.source == own && job.stride[2] == (int64_t)sizeof(T) && job.map[1] == CCONV_PADDING_CONSTANT &&
                     job.map[2] == CCONV_PADDING_CONSTANT;
  for (int64_t c = 0; c < job.channels; c++)
    for (int64_t l = 0; l < job.phases[2]; l++)
      for (int64_t d = 0; d < job.length[0]; d++) {
        const int64_t id = CC_K(mapped)(&job, 0, job.first[0] + d * job.step[0]);
        const int64_t w0 = job.first[2] + l * job.dilation[2] % job.step[2];
        const char *x = job.input + c * job.channel_stride;
        T *y = (T *)job.target + c * job.channel_pitch + l * job.phase_pitch + d * job.pitch[1] * job.pitch[2];
        if (dense && job.step[2] == 1)
          CC_K(pack_dense)(&job, id < 0 ? NULL : x + id * job.stride[0], y, w0, 1);
        else if (dense && job.step[2] == 2)
          CC_K(pack_dense)(&job, id < 0 ? NULL : x + id * job.stride[0], y, w0, 2);
        else
          CC_K(pack_any)(&job, x, id, y, w0);
      }
}

#endif

/* Of `lanes` channels side by side in the input and in elements T, a vector for each pixel. */
static CC_NOINLINE void CC_K(depthwise_pack_lanes)(const cc_halo_pack_job *given, int64_t lanes) {
  const cc_halo_pack_job job = *given;
  const V fill = v_splat(CC_K(number)(job.fill));
  for (int64_t l = 0; l < job.phases[2]; l++) {
    T *const target = (T *)job.target + l * job.phase_pitch;
    const int64_t w0 = job.first[2] + l * job.dilation[2] % job.step[2];
    for (int64_t d = 0; d < job.length[0]; d++) {
      const int64_t id = CC_K(mapped)(&job, 0, job.first[0] + d * job.step[0]);
      for (int64_t h = 0; h < job.length[1]; h++) {
        const int64_t ih = CC_K(mapped)(&job, 1, job.first[1] + h);
        T *y = target + (d * job.pitch[1] + h) * job.pitch[2];
        for (int64_t w = 0; w < job.length[2]; w++, y += VL) {
          const int64_t iw = CC_K(mapped)(&job, 2, w0 + w * job.step[2]);
          if (id < 0 || ih < 0 || iw < 0) {
            v_store(y, fill);
            continue;
          }
          const char *x = job.input + id * job.stride[0] + ih * job.stride[1] + iw * job.stride[2];
          v_store(y, lanes == VL ? v_load(x) : v_load_part(x, lanes));
        }
      }
    }
  }
}
