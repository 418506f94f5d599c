/* SPDX-License-Identifier: BSD-3-Clause
 * box.tmpl.h - the pool of one box of elements, straight from the input.
 *
 *   y = max, min, average or Lp norm over x[d][h][w]
 *
 * Terms are taken 16 at a time: term t goes to lane t % 16 of CC_PARTIALS lanes, which are combined
 * pairwise at the end. Rows that lie densely are read as vectors, others element by element. */

enum { CC_K(POOL_BOX_VECTORS) = CC_PARTIALS / VL }; /* that hold 16 lanes */

CC_ALWAYS_INLINE V CC_K(pool_box_step)(V a, V b, const int kind) {
  return kind == CCONV_POOL_MAX ? v_max_nan(a, b) : kind == CCONV_POOL_MIN ? v_min_nan(a, b) : a + b;
}

CC_ALWAYS_INLINE void CC_K(pool_box_merge)(V *acc, const void *terms, const int kind) {
  CC_UNROLL
  for (int j = 0; j < CC_K(POOL_BOX_VECTORS); j++)
    acc[j] = CC_K(pool_box_step)(acc[j], v_load((const T *)terms + j * VL), kind);
}

/* Lane j with lane j + 1, then pairs with pairs: the order of the kernel `average`, on every vector. */
CC_ALWAYS_INLINE T CC_K(pool_box_total)(const V *acc, const int kind) {
  T lane[CC_PARTIALS];
  for (int j = 0; j < CC_K(POOL_BOX_VECTORS); j++)
    v_store(lane + j * VL, acc[j]);
  CC_UNROLL
  for (int n = CC_PARTIALS / 2; n > 0; n /= 2) {
    CC_UNROLL
    for (int j = 0; j < n; j++) {
      const T a = lane[2 * j], b = lane[2 * j + 1];
      const bool first = kind == CCONV_POOL_MAX ? a > b || a != a : a < b || a != a;
      lane[j] = kind != CCONV_POOL_MAX && kind != CCONV_POOL_MIN ? a + b : first ? a : b;
    }
  }
  return lane[0];
}

/* An extreme or, for any other kind, the sum; of |x|^exponent where `powers` is set. */
CC_ALWAYS_INLINE T CC_K(pool_box_as)(const cc_pool_box_job *job, const int kind, const bool powers, double exponent) {
  const T inf = (T)__builtin_inf();
  const T none = powers ? 0 : kind == CCONV_POOL_MAX ? -inf : kind == CCONV_POOL_MIN ? inf : 0;
  const int64_t step = job->stride[2], n = job->size[2], size = sizeof(T);
  T terms[CC_PARTIALS];
  V acc[CC_K(POOL_BOX_VECTORS)];
  const cc_pool_power_job power = {.x = terms, .y = terms, .n = CC_PARTIALS, .exponent = exponent};
  CC_UNROLL
  for (int j = 0; j < CC_K(POOL_BOX_VECTORS); j++)
    acc[j] = v_splat(none);
  int64_t waiting = 0; /* in `terms`, for the other lanes */
  for (int64_t d = 0; d < job->size[0]; d++)
    for (int64_t h = 0; h < job->size[1]; h++) {
      const char *x = job->x + d * job->stride[0] + h * job->stride[1];
      for (int64_t w = 0; w < n;) {
        if (waiting == 0 && step == size && n - w >= CC_PARTIALS && !powers) {
          CC_K(pool_box_merge)(acc, x + w * size, kind);
          w += CC_PARTIALS;
          continue;
        }
        for (; waiting < CC_PARTIALS && w < n; waiting++, w++)
          __builtin_memcpy(&terms[waiting], x + w * step, sizeof(T));
        if (waiting == CC_PARTIALS) {
          if (powers)
            CC_K(pool_power)(&power);
          CC_K(pool_box_merge)(acc, terms, kind);
          waiting = 0;
        }
      }
    }
  if (waiting) {
    for (; waiting < CC_PARTIALS; waiting++)
      terms[waiting] = none;
    if (powers)
      CC_K(pool_power)(&power);
    CC_K(pool_box_merge)(acc, terms, kind);
  }
  return CC_K(pool_box_total)(acc, kind);
}

/* The extreme and its number: a later value wins only if it is better, or the first NaN. */
CC_ALWAYS_INLINE T CC_K(pool_box_tap)(const cc_pool_box_job *job, const bool least) {
  T best = 0;
  int64_t tap = 0;
  *job->tap = -1;
  for (int64_t d = 0; d < job->size[0]; d++)
    for (int64_t h = 0; h < job->size[1]; h++) {
      const char *x = job->x + d * job->stride[0] + h * job->stride[1];
      for (int64_t w = 0; w < job->size[2]; w++, tap++) {
        T value;
        __builtin_memcpy(&value, x + w * job->stride[2], sizeof(T));
        const bool better = least ? value < best : value > best;
        if (tap == 0 || better || (value != value && best == best)) {
          best = value;
          *job->tap = tap;
        }
      }
    }
  return best;
}

static T CC_K(pool_box_norm)(const cc_pool_box_job *job) {
  if (job->p == __builtin_inf())
    return CC_K(pool_box_as)(job, CCONV_POOL_MAX, true, 1);
  T sum = CC_K(pool_box_as)(job, CCONV_POOL_LP, true, job->p);
  CC_K(pool_power)(&(cc_pool_power_job){.x = &sum, .y = &sum, .n = 1, .exponent = 1 / job->p});
  return sum;
}

static void CC_K(pool_box)(const cc_pool_box_job *job) {
  T *y = job->y;
  switch ((cconv_pool_kind)job->kind) {
  case CCONV_POOL_MAX:
    *y = job->tap ? CC_K(pool_box_tap)(job, false) : CC_K(pool_box_as)(job, CCONV_POOL_MAX, false, 1);
    break;
  case CCONV_POOL_MIN:
    *y = job->tap ? CC_K(pool_box_tap)(job, true) : CC_K(pool_box_as)(job, CCONV_POOL_MIN, false, 1);
    break;
  case CCONV_POOL_AVERAGE:
    *y = CC_K(pool_box_as)(job, CCONV_POOL_AVERAGE, false, 1) /
         (T)((double)job->size[0] * (double)job->size[1] * (double)job->size[2]);
    break;
  case CCONV_POOL_LP:
    *y = CC_K(pool_box_norm)(job);
    break;
  }
}
