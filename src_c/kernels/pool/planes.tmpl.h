/* SPDX-License-Identifier: BSD-3-Clause
 * planes.tmpl.h - the pools of whole planes, several at once, straight from the input.
 *
 *   y[p] = max or average over x[p][t]      p < planes, t < n
 *
 * Either the elements of a plane lie together, then lanes are terms; or those of all planes at one term do,
 * then lanes are planes. Term t goes to partial t % 16 and partials are combined pairwise, as in box.tmpl.h. */

enum { CC_K(POOL_PLANES_HALF) = CC_PARTIALS / 2 };

/* A whole vector's planes, by rows: as many vectors of partials as a plane has partials. */
CC_ALWAYS_INLINE V CC_K(pool_planes_rows)(const cc_pool_planes_job *job, const char *x, const int kind) {
  const V none = v_splat(kind == CCONV_POOL_MAX ? CC_LOWEST : 0);
  const int64_t whole = job->n / CC_PARTIALS * CC_PARTIALS, left = job->n - whole;
  VI lane;
  for (int j = 0; j < VL; j++)
    lane[j] = j;
  V sum[CC_PARTIALS];
  for (int p = 0; p < VL; p++, x += job->x_plane) {
    V acc[CC_K(POOL_BOX_VECTORS)];
    CC_UNROLL
    for (int j = 0; j < CC_K(POOL_BOX_VECTORS); j++)
      acc[j] = none;
    const T *terms = (const T *)(const void *)x;
    for (int64_t t = 0; t < whole; t += CC_PARTIALS) {
      CC_UNROLL
      for (int j = 0; j < CC_K(POOL_BOX_VECTORS); j++)
        acc[j] = CC_K(pool_box_step)(acc[j], v_load(terms + t + j * VL), kind);
    }
    CC_UNROLL
    for (int j = 0; j < CC_K(POOL_BOX_VECTORS); j++) {
      const int64_t n = left - j * VL;
      if (n >= VL)
        acc[j] = CC_K(pool_box_step)(acc[j], v_load(terms + whole + j * VL), kind);
      else if (n > 0)
        acc[j] = CC_K(pool_box_step)(
            acc[j], v_select(lane < v_splat_i((TI)n), v_load_part(terms + whole + j * VL, n), none), kind);
      sum[p * CC_K(POOL_BOX_VECTORS) + j] = acc[j];
    }
  }
  /* Neighbours are combined and move together, so four times leaves a plane a lane. */
  CC_UNROLL
  for (int n = CC_PARTIALS / 2; n > 0; n /= 2) {
    CC_UNROLL
    for (int j = 0; j < n; j++)
      sum[j] = CC_K(pool_box_step)(v_even(sum[2 * j], sum[2 * j + 1]), v_odd(sum[2 * j], sum[2 * j + 1]), kind);
  }
  return sum[0];
}

/* The same where lanes are planes: first the lower half of the partials, then the upper, which fit the registers. */
CC_ALWAYS_INLINE V CC_K(pool_planes_lanes)(const cc_pool_planes_job *job, const char *x, const int kind) {
  const V none = v_splat(kind == CCONV_POOL_MAX ? CC_LOWEST : 0);
  V half[2];
  for (int i = 0; i < 2; i++) {
    V sum[CC_K(POOL_PLANES_HALF)];
    CC_UNROLL
    for (int j = 0; j < CC_K(POOL_PLANES_HALF); j++)
      sum[j] = none;
    int64_t t = i * CC_K(POOL_PLANES_HALF);
    for (; t + CC_K(POOL_PLANES_HALF) <= job->n; t += CC_PARTIALS) {
      CC_UNROLL
      for (int j = 0; j < CC_K(POOL_PLANES_HALF); j++)
        sum[j] = CC_K(pool_box_step)(sum[j], v_load(x + (t + j) * job->x_step), kind);
    }
    CC_UNROLL
    for (int j = 0; j < CC_K(POOL_PLANES_HALF); j++)
      if (t + j < job->n)
        sum[j] = CC_K(pool_box_step)(sum[j], v_load(x + (t + j) * job->x_step), kind);
    CC_UNROLL
    for (int n = CC_K(POOL_PLANES_HALF) / 2; n > 0; n /= 2) {
      CC_UNROLL
      for (int j = 0; j < n; j++)
        sum[j] = CC_K(pool_box_step)(sum[2 * j], sum[2 * j + 1], kind);
    }
    half[i] = sum[0];
  }
  return CC_K(pool_box_step)(half[0], half[1], kind);
}

CC_ALWAYS_INLINE void CC_K(pool_planes_as)(const cc_pool_planes_job *job, const int kind) {
  const bool rows = job->x_step == (int64_t)sizeof(T);
  for (int64_t p = 0; p < job->planes; p += VL) {
    if (p + VL > job->planes)
      p = job->planes - VL; /* some once more */
    const char *x = job->x + p * job->x_plane;
    V total = rows ? CC_K(pool_planes_rows)(job, x, kind) : CC_K(pool_planes_lanes)(job, x, kind);
    if (kind == CCONV_POOL_AVERAGE)
      total /= v_splat((T)job->n);
    T y[VL];
    v_store(y, total);
    CC_K(write_row)(job->y + p * job->y_plane, job->y_plane, y, VL, job->target);
  }
}

static void CC_K(pool_planes)(const cc_pool_planes_job *job) {
  if (job->kind == CCONV_POOL_MAX)
    CC_K(pool_planes_as)(job, CCONV_POOL_MAX);
  else
    CC_K(pool_planes_as)(job, CCONV_POOL_AVERAGE);
}
