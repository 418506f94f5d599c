/* SPDX-License-Identifier: BSD-3-Clause
 * inputs.tmpl.h - tiles of inputs into Winograd's domain, lanes = channels: B' d B of planes, B' d of lines.
 *
 * Parameter: A, points along an axis, 4 or 6. Undefines it. See points.tmpl.h. */

#define CC_W(name) CC_K(CC_PASTE(CC_PASTE(winograd_, name), CC_PASTE(_, A)))
#define CC_INPUTS CC_K(CC_PASTE(inputs_, A))

/* A strip of at most STRIP tiles, so that its columns stay in the level 1 cache. Columns first: neighbours share them. */
enum { CC_W(STRIP) = 4 };

CC_ALWAYS_INLINE void CC_W(input_strip)(const cc_winograd_input_job *job, const T *x, int64_t tiles, T *values) {
  enum { MOST = (A - 2) * CC_W(STRIP) + 2 }; /* columns; tiles are no more than A - 2 apart */
  T columns[A * MOST * VL] __attribute__((aligned(64)));
  const int64_t m = job->m, plane = job->plane, row = job->row, column = job->column;
  for (int64_t w = 0; w < m * (tiles - 1) + A; w++) {
    V d[A], o[A];
    CC_UNROLL
    for (int i = 0; i < A; i++)
      d[i] = v_load(x + i * row + w * column);
    CC_INPUTS(d, o);
    CC_UNROLL
    for (int i = 0; i < A; i++)
      v_store(columns + (i * MOST + w) * VL, o[i]);
  }
  for (int64_t t = 0; t < tiles; t++, values += job->value_pitch) {
    const T *from = columns + t * m * VL;
    T *to = values;
    for (int i = 0; i < A; i++, from += MOST * VL, to += A * plane) {
      V d[A], o[A];
      CC_UNROLL
      for (int j = 0; j < A; j++)
        d[j] = v_load(from + j * VL);
      CC_INPUTS(d, o);
      CC_UNROLL
      for (int j = 0; j < A; j++)
        v_store(to + j * plane, o[j]);
    }
  }
}

static void CC_W(plane_input)(const cc_winograd_input_job *job) {
  enum { STRIP = CC_W(STRIP) };
  for (int64_t t = 0; t < job->tiles; t += STRIP)
    CC_W(input_strip)(job, (const T *)job->lanes + t * job->m * job->column,
                      job->tiles - t < STRIP ? job->tiles - t : STRIP, (T *)job->values + t * job->value_pitch);
}

static void CC_W(line_input)(const cc_winograd_input_job *job) {
  const T *x = job->lanes;
  T *values = job->values;
  for (int64_t t = 0; t < job->tiles; t++, x += job->tile, values += job->value_pitch) {
    V d[A], o[A];
    CC_UNROLL
    for (int j = 0; j < A; j++)
      d[j] = v_load(x + j * job->column);
    CC_INPUTS(d, o);
    CC_UNROLL
    for (int j = 0; j < A; j++)
      v_store(values + j * job->plane, o[j]);
  }
}

#undef CC_W
#undef CC_INPUTS
#undef A
