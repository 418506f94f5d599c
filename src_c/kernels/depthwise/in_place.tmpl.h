/* SPDX-License-Identifier: BSD-3-Clause
 * in_place.tmpl.h - depthwise sums of planes whose inputs are read where they lie. See cc_depthwise_in_place_job.
 *
 * A tile is some rows of outputs, whose vectors go by from left to right: each input row is a stream, and a row
 * outside one of zeros. */

#if CC_VECTOR_BYTES == 64 /* as rows/place.tmpl.h */

enum { CC_K(MOST_PLACES) = 2, CC_K(PLACE_STREAMS) = CC_PLACE_ROWS(1) + 6 };

/* sum[j] += w[i - step j][kw] x[kw], for rows j of a tile and all kw: its input row i, x the first tap's first input. held,
 * where it is there, has the weights in registers. */
CC_ALWAYS_INLINE void CC_K(place_row)(const char *x, const T *w, const V *held, const CC_K(place_strip) * s, V *sum,
                                      const int i, const int side, const int step, const int nr, const int nv) {
  const int from = i < side ? 0 : (i - side + step) / step, to = i / step < nr ? i / step + 1 : nr;
  const int pairs = step == 2 ? nv : 0;
  V even[CC_K(MOST_PLACES)], odd[CC_K(MOST_PLACES)], behind[CC_K(MOST_PLACES)];
  if (!held) /* else compilers keep weights in registers for the next row, and none are left for the inputs */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
  CC_UNROLL
  for (int v = 0; v < pairs; v++)
    CC_K(place_pairs)(s, x + (v == nv - 1 ? step * s->last : v * step * CC_VECTOR_BYTES), &even[v], &odd[v], &behind[v],
                      side, v == 0, v == nv - 1);
  CC_UNROLL
  for (int kw = 0; kw < side; kw++) {
    V b[CC_K(MOST_PLACES)];
    CC_UNROLL
    for (int v = 0; v < nv; v++) {
      const char *at = x + (v == nv - 1 ? s->last : v * CC_VECTOR_BYTES);
      b[v] = step == 2 ? CC_K(place_pair)(even[v], odd[v], behind[v], kw)
                       : CC_K(place_tap)(s, at, kw, side, v == 0, v == nv - 1, false);
    }
    CC_UNROLL
    for (int j = from * nv; j < to * nv; j++) {
      const int k = kw + (i - j / nv * step) * side;
      sum[j] = v_fma(held ? held[k] : v_splat(w[k]), b[j % nv], sum[j]);
    }
  }
}

/* nr rows of the strip's vectors: input rows at row[0, 1, ...], each `along` bytes further, outputs from y on. */
CC_ALWAYS_INLINE void CC_K(place_tile)(const cc_depthwise_in_place_job *job, const char *const *row, int64_t along,
                                       const T *w, const V *held, V bias, char *y, const CC_K(place_strip) * strip,
                                       const int side, const int step, const int nr, const int nv) {
  const CC_K(place_strip) s = *strip; /* in registers */
  V sum[CC_PLACE_ROWS(1) * CC_K(MOST_PLACES)];
  CC_UNROLL
  for (int i = 0; i < nr * nv; i++)
    sum[i] = (V){0};
  CC_UNROLL
  for (int i = 0; i < (nr - 1) * step + side; i++)
    CC_K(place_row)(row[i] + along, w, held, &s, sum, i, side, step, nr, nv);
  CC_K(settle)(sum, nr * nv, bias, job->bounded, job->low, job->high);
  CC_UNROLL
  for (int i = 0; i < nr * nv; i++)
    v_store(y + i / nv * job->y_stride + (i % nv == nv - 1 ? s.last : i % nv * CC_VECTOR_BYTES), sum[i]);
}

/* A tile's rows of one plane, from output row `top` on: strips of nv vectors, then one of those that are left. strip
 * has the first one, others and the last one, which may be the first. */
CC_ALWAYS_INLINE void CC_K(place_band)(const cc_depthwise_in_place_job *job, const char *x, char *y, int64_t top,
                                       const T *w, const V *held, V bias, const CC_K(place_strip) strip[3],
                                       const int side, const int step, const int nr, const int nv) {
  const int64_t all = (job->place.columns + VL - 1) / VL, wide = nv * CC_VECTOR_BYTES;
  const char *row[CC_K(PLACE_STREAMS)];
  CC_UNROLL
  for (int i = 0; i < (nr - 1) * step + side; i++) {
    const int64_t h = top * step - job->place.before + i;
    row[i] = (h < 0 || h >= job->end ? job->zeros : x + h * job->x_stride) - job->place.before * (int64_t)sizeof(T);
  }
  __asm__ volatile("" : : "r"(row) : "memory"); /* there are more rows than registers */
  y += top * job->y_stride;
  int64_t v = 0, along = 0;
  for (; v + nv <= all; v += nv, along += step * wide, y += wide)
    CC_K(place_tile)(job, row, along, w, held, bias, y, strip + (v + nv == all ? 2 : v > 0), side, step, nr, nv);
  if (v < all)
    CC_K(place_tile)(job, row, along, w, held, bias, y, strip + 2, side, step, nr, 1);
}

CC_ALWAYS_INLINE void CC_K(place_planes)(const cc_depthwise_in_place_job *given, const int side, const int step,
                                         const int nv) {
  const int nr = CC_PLACE_ROWS(step);
  cc_depthwise_in_place_job job = *given; /* one that writing to y cannot change */
  const int64_t end = job.first + job.rows, passed = (job.place.columns - 1) / VL / nv * nv * VL;
  const CC_K(place_strip) strip[3] = {
      CC_K(place_strip_of)(&job.place, nv, true, false, 0),
      CC_K(place_strip_of)(&job.place, nv, false, false, 0),
      CC_K(place_strip_of)(&job.place, nv, passed == 0, true, passed),
  };
  for (int64_t i = 0; i < job.planes; i++) {
    const T *w = (const T *)job.w + i * job.next_w, *bias = job.bias;
    V held[9];
    CC_UNROLL
    for (int k = 0; k < 9; k++)
      held[k] = side == 3 ? v_splat(w[k]) : (V){0};
    const V add = bias ? v_splat(bias[i]) : (V){0};
    for (int64_t top = job.first; top < end; top += nr) {
      top = top + nr > end ? end - nr : top; /* what is written twice is the same */
      CC_K(place_band)(&job, job.x + i * job.next_x, (char *)job.y + i * job.next_y, top, w, side == 3 ? held : NULL,
                       add, strip, side, step, nr, nv);
    }
  }
}

static CC_NOINLINE void CC_K(in_place_3)(const cc_depthwise_in_place_job *job) { CC_K(place_planes)(job, 3, 1, 1); }

static CC_NOINLINE void CC_K(in_place_5)(const cc_depthwise_in_place_job *job) { CC_K(place_planes)(job, 5, 1, 2); }

static CC_NOINLINE void CC_K(in_place_7)(const cc_depthwise_in_place_job *job) { CC_K(place_planes)(job, 7, 1, 2); }

static CC_NOINLINE void CC_K(in_place_3s2)(const cc_depthwise_in_place_job *job) { CC_K(place_planes)(job, 3, 2, 2); }

static CC_NOINLINE void CC_K(in_place_5s2)(const cc_depthwise_in_place_job *job) { CC_K(place_planes)(job, 5, 2, 2); }

static void CC_K(depthwise_in_place)(const cc_depthwise_in_place_job *job) {
  if (job->place.step == 1)
    (job->place.side == 3 ? CC_K(in_place_3) : job->place.side == 5 ? CC_K(in_place_5) : CC_K(in_place_7))(job);
  else
    (job->place.side == 3 ? CC_K(in_place_3s2) : CC_K(in_place_5s2))(job);
}
#endif
