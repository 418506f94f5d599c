/* SPDX-License-Identifier: BSD-3-Clause
 * conv_in_place.tmpl.h - register tiles of convolution of few channels, whose inputs are read where they lie. See
 * cc_conv_in_place_job.
 *
 * A tile is mr filters of nv vectors: of one row of outputs, or, where a row is at most a vector, of as many rows.
 * Rows that are outside are rows of zeros, the same for all channels. Of steps of 2 fewer vectors fit the registers, for
 * all taps are taken from three vectors of each. */

#if CC_VECTOR_BYTES == 64 /* as rows/place.tmpl.h */

enum { CC_K(FEW_VECTORS) = 4, CC_K(FEW_ROWS) = CC_PLACE_TAPS + 2 * (CC_PLACE_LEAST - 1) };

/* a * b + c as v_fma, in the register of c: else GCC 12 takes that of a factor it needs no more, and copies sums around
 * where a loop ends. */
CC_ALWAYS_INLINE V CC_K(few_sum)(V a, V b, V c) {
#if CC_DTYPE_BITS == 32
  __asm__("vfmadd231ps %2, %1, %0" : "+v"(c) : "v"(a), "v"(b));
#else
  __asm__("vfmadd231pd %2, %1, %0" : "+v"(c) : "v"(a), "v"(b));
#endif
  return c;
}

/* What the tiles of some rows of outputs look at. */
typedef struct CC_K(few_rows) {
  const char *x[CC_K(FEW_ROWS)]; /* of the first channel, under the first tap of the first output */
  int64_t next[CC_K(FEW_ROWS)];  /* bytes to the next channel's: 0 where zeros stand for all */
} CC_K(few_rows);

CC_ALWAYS_INLINE void CC_K(few_find)(const cc_conv_in_place_job *job, int64_t top, int64_t count,
                                     CC_K(few_rows) * rows) {
  for (int64_t i = 0; i < count; i++) {
    const int64_t h = top * job->place.step - job->above + i;
    const bool inside = h >= 0 && h < job->end;
    rows->x[i] = (inside ? job->x + h * job->x_stride : job->zeros) - job->place.before * (int64_t)sizeof(T);
    rows->next[i] = inside ? job->next_x : 0;
  }
}

/* Filters [m, m + mr), vectors `along` bytes of outputs behind the first; with `tall` each of a row of its own. */
CC_ALWAYS_INLINE void CC_K(few_tile)(const cc_conv_in_place_job *job, const CC_K(few_rows) * rows,
                                     const CC_K(place_strip) * strip, int64_t m, int64_t along, char *y, const int side,
                                     const int step, const int mr, const int nv, const bool tall) {
  const CC_K(place_strip) s = *strip; /* in registers */
  const int64_t next_w = job->next_w, taps = job->taps, channels = job->channels;
  const T *w = (const T *)job->w + m * next_w;
  V sum[8 * CC_K(FEW_VECTORS)];
  CC_UNROLL
  for (int i = 0; i < mr * nv; i++)
    sum[i] = (V){0};
  for (int64_t c = 0; c < channels; c++)
    for (int64_t h = 0; h < taps; h++, w += side) {
      const T *const filter[] = {w, w + (mr > 4 ? 4 * next_w : 0)};
      const int64_t at[] = {0, next_w, 2 * next_w, 3 * next_w};
      V even[CC_K(FEW_VECTORS)], odd[CC_K(FEW_VECTORS)], behind[CC_K(FEW_VECTORS)];
      const char *x[CC_K(FEW_VECTORS)];
      CC_UNROLL
      for (int v = 0; v < nv; v++) {
        const int64_t row = h + (tall ? v * step : 0);
        x[v] = rows->x[row] + c * rows->next[row] + step * along;
        x[v] += tall ? 0 : v == nv - 1 ? step * s.last : v * step * CC_VECTOR_BYTES;
        if (step == 2)
          CC_K(place_pairs)(&s, x[v], &even[v], &odd[v], &behind[v], side, tall || v == 0, tall || v == nv - 1);
      }
      CC_UNROLL
      for (int kw = 0; kw < side; kw++) {
        V b[CC_K(FEW_VECTORS)];
        CC_UNROLL
        for (int v = 0; v < nv; v++)
          b[v] = step == 2 ? CC_K(place_pair)(even[v], odd[v], behind[v], kw)
                           : CC_K(place_tap)(&s, x[v], kw, side, tall || v == 0, tall || v == nv - 1, tall);
        CC_UNROLL
        for (int i = 0; i < mr * nv; i++)
          sum[i] = CC_K(few_sum)(v_splat(filter[i / nv / 4][at[i / nv % 4] + kw]), b[i % nv], sum[i]);
      }
    }
  const T *bias = job->bias;
  CC_UNROLL
  for (int i = 0; i < mr; i++)
    CC_K(settle)(sum + i * nv, nv, bias ? v_splat(bias[m + i]) : (V){0}, job->bounded, job->low, job->high);
  y += m * job->next_y + along;
  const CC_MASK part = CC_K(place_lanes)(job->place.columns);
  CC_UNROLL
  for (int i = 0; i < mr * nv; i++) {
    char *to = y + i / nv * job->next_y;
    if (tall)
      CC_MM(mask_storeu)(to + i % nv * job->y_stride, part, (CC_MM_VECTOR)sum[i]);
    else
      v_store(to + (i % nv == nv - 1 ? s.last : i % nv * CC_VECTOR_BYTES), sum[i]);
  }
}

/* As few strips of a row as come out even: some of `wide` vectors, then others of one less. The first, one of each, and
 * the last, which may be the first. */
typedef struct CC_K(few_strips) {
  int64_t count, wider, wide;
  CC_K(place_strip) first, inner[2], last;
} CC_K(few_strips);

static CC_K(few_strips) CC_K(few_strips_of)(const cc_place *place, int64_t nv) {
  const int64_t all = (place->columns + VL - 1) / VL, count = (all + nv - 1) / nv, wide = (all + count - 1) / count;
  const int64_t wider = all - (wide - 1) * count, last = wider == count ? wide : wide - 1;
  return (CC_K(few_strips)){
      .count = count,
      .wider = wider,
      .wide = wide,
      .first = CC_K(place_strip_of)(place, wide, true, false, 0),
      .inner = {CC_K(place_strip_of)(place, wide, false, false, 0),
                CC_K(place_strip_of)(place, wide - 1, false, false, 0)},
      .last = CC_K(place_strip_of)(place, last, count == 1, true, (all - last) * VL),
  };
}

/* Filters [m, m + mr) of a row of outputs, in strips of at most nv vectors. */
CC_ALWAYS_INLINE void CC_K(few_row)(const cc_conv_in_place_job *job, const CC_K(few_rows) * rows,
                                    const CC_K(few_strips) * strips, int64_t m, char *y, const int side, const int step,
                                    const int mr, const int nv) {
  int64_t along = 0;
  for (int64_t i = 0; i < strips->count; i++) {
    const bool wider = i < strips->wider;
    const int64_t n = strips->wide - !wider;
    const CC_K(place_strip) *s = i == strips->count - 1 ? &strips->last
                                 : i == 0               ? &strips->first
                                                        : &strips->inner[!wider];
    if (n == nv)
      CC_K(few_tile)(job, rows, s, m, along, y, side, step, mr, nv, false);
    else if (nv > 3 && n == 3)
      CC_K(few_tile)(job, rows, s, m, along, y, side, step, mr, 3, false);
    else if (nv > 2 && n == 2)
      CC_K(few_tile)(job, rows, s, m, along, y, side, step, mr, 2, false);
    else
      CC_K(few_tile)(job, rows, s, m, along, y, side, step, mr, 1, false);
    along += n * CC_VECTOR_BYTES;
  }
}

CC_ALWAYS_INLINE void CC_K(few_wide)(const cc_conv_in_place_job *given, const int side, const int step) {
  const int eight = step == 2 ? 2 : 3, four = step == 2 ? 3 : 4; /* vectors that so many filters leave registers for */
  const cc_conv_in_place_job job = *given;                       /* one that writing to y cannot change */
  const CC_K(few_strips) of_eight = CC_K(few_strips_of)(&job.place, eight);
  const CC_K(few_strips) of_four = CC_K(few_strips_of)(&job.place, four);
  for (int64_t r = job.first; r < job.first + job.rows; r++) {
    CC_K(few_rows) rows;
    char *y = (char *)job.y + r * job.y_stride;
    CC_K(few_find)(&job, r, job.taps, &rows);
    int64_t m = 0;
    for (; m + 8 <= job.filters; m += 8)
      CC_K(few_row)(&job, &rows, &of_eight, m, y, side, step, 8, eight);
    if (m < job.filters)
      CC_K(few_row)(&job, &rows, &of_four, m, y, side, step, 4, four);
  }
}

/* Rows of outputs that are at most a vector: of eight filters two at once, of four four. */
CC_ALWAYS_INLINE void CC_K(few_tall)(const cc_conv_in_place_job *given, const int step) {
  const cc_conv_in_place_job job = *given;
  const CC_K(place_strip) s = CC_K(place_strip_of)(&job.place, 1, true, true, 0);
  const int64_t end = job.first + job.rows;
  for (int64_t r = job.first; r < end; r += CC_PLACE_LEAST) {
    r = r + CC_PLACE_LEAST > end ? end - CC_PLACE_LEAST : r; /* what is written twice is the same */
    for (int64_t m = 0; m < job.filters; m += 8) {
      CC_K(few_rows) rows;
      char *y = (char *)job.y + r * job.y_stride;
      CC_K(few_find)(&job, r, (CC_PLACE_LEAST - 1) * step + job.taps, &rows);
      if (m + 8 > job.filters) {
        CC_K(few_tile)(&job, &rows, &s, m, 0, y, 3, step, 4, CC_PLACE_LEAST, true);
        break;
      }
      CC_K(few_tile)(&job, &rows, &s, m, 0, y, 3, step, 8, 2, true);
      CC_K(few_find)(&job, r + 2, step + job.taps, &rows);
      CC_K(few_tile)(&job, &rows, &s, m, 0, y + 2 * job.y_stride, 3, step, 8, 2, true);
    }
  }
}

static CC_NOINLINE void CC_K(few_3)(const cc_conv_in_place_job *job) { CC_K(few_wide)(job, 3, 1); }
static CC_NOINLINE void CC_K(few_5)(const cc_conv_in_place_job *job) { CC_K(few_wide)(job, 5, 1); }
static CC_NOINLINE void CC_K(few_7)(const cc_conv_in_place_job *job) { CC_K(few_wide)(job, 7, 1); }
static CC_NOINLINE void CC_K(few_3s2)(const cc_conv_in_place_job *job) { CC_K(few_wide)(job, 3, 2); }
static CC_NOINLINE void CC_K(few_5s2)(const cc_conv_in_place_job *job) { CC_K(few_wide)(job, 5, 2); }
static CC_NOINLINE void CC_K(few_7s2)(const cc_conv_in_place_job *job) { CC_K(few_wide)(job, 7, 2); }
static CC_NOINLINE void CC_K(few_tall_3)(const cc_conv_in_place_job *job) { CC_K(few_tall)(job, 1); }
static CC_NOINLINE void CC_K(few_tall_3s2)(const cc_conv_in_place_job *job) { CC_K(few_tall)(job, 2); }

static void CC_K(conv_in_place)(const cc_conv_in_place_job *job) {
  const int64_t side = job->place.side;
  if (job->place.columns <= VL)
    (job->place.step == 1 ? CC_K(few_tall_3) : CC_K(few_tall_3s2))(job);
  else if (job->place.step == 1)
    (side == 3 ? CC_K(few_3) : side == 5 ? CC_K(few_5) : CC_K(few_7))(job);
  else
    (side == 3 ? CC_K(few_3s2) : side == 5 ? CC_K(few_5s2) : CC_K(few_7s2))(job);
}
#endif
