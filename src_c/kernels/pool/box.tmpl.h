/* SPDX-License-Identifier: BSD-3-Clause
 * box.tmpl.h - the pool of one box of elements, straight from the input.
 *
 *   y = max, min, average or Lp norm over x[d][h][w]
 *
 * Terms are taken 16 at a time: term t goes to lane t % 16 of CC_PARTIALS lanes, which are combined
 * pairwise at the end. A box that comes in pieces has its lanes kept between them. */

enum {
  CC_K(POOL_BOX_VECTORS) = CC_PARTIALS / VL, /* that hold 16 lanes */
  CC_K(POOL_BOX_TERMS) = 16 * CC_PARTIALS    /* read together */
};

CC_ALWAYS_INLINE V CC_K(pool_box_step)(V a, V b, const int kind) {
  return kind == CCONV_POOL_MAX ? v_max_nan(a, b) : kind == CCONV_POOL_MIN ? v_min_nan(a, b) : v_add(a, b);
}

/* n terms, a multiple of 16 */
CC_ALWAYS_INLINE void CC_K(pool_box_merge)(V *acc, const T *terms, int64_t n, const int kind) {
  for (int64_t t = 0; t < n; t += CC_PARTIALS) {
    CC_UNROLL
    for (int j = 0; j < CC_K(POOL_BOX_VECTORS); j++)
      acc[j] = CC_K(pool_box_step)(acc[j], v_load(terms + t + j * VL), kind);
  }
}

CC_ALWAYS_INLINE bool CC_K(is_nan_element)(T a) {
#if CC_FLOATING
  return a != a;
#else
  (void)a;
  return false;
#endif
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
      const bool first = (kind == CCONV_POOL_MAX ? a > b : a < b) || CC_K(is_nan_element)(a);
      lane[j] = kind != CCONV_POOL_MAX && kind != CCONV_POOL_MIN ? (T)((TA)a + (TA)b) : first ? a : b;
    }
  }
  return lane[0];
}

#if CC_FLOATING
/* The terms to the power `exponent`, where it is not 0. */
CC_ALWAYS_INLINE void CC_K(pool_box_raise)(T *terms, int64_t n, double exponent) {
  if (exponent != 0)
    CC_K(pool_power)(&(cc_pool_power_job){.x = terms, .y = terms, .n = n, .exponent = exponent});
}
#else
CC_ALWAYS_INLINE void CC_K(pool_box_raise)(T *terms, int64_t n, double exponent) {
  (void)terms, (void)n, (void)exponent; /* integers have extremes only */
}
#endif

/* An extreme or, for any other kind, the sum; of |x|^exponent where that is not 0. Of a box to be continued 0. */
CC_ALWAYS_INLINE T CC_K(pool_box_as)(const cc_pool_box_job *job, const int kind, double exponent) {
  const T none = exponent != 0 ? 0 : kind == CCONV_POOL_MAX ? CC_LOWEST : kind == CCONV_POOL_MIN ? CC_HIGHEST : 0;
  const int64_t step = job->stride[2], n = job->size[2];
  T terms[CC_K(POOL_BOX_TERMS)];
  V acc[CC_K(POOL_BOX_VECTORS)];
  CC_UNROLL
  for (int j = 0; j < CC_K(POOL_BOX_VECTORS); j++)
    acc[j] = job->first ? v_load((const T *)job->partials + j * VL) : v_splat(none);
  int64_t have = job->first % CC_PARTIALS; /* of terms; those of earlier pieces once more as nothing */
  for (int64_t t = 0; t < have; t++)
    terms[t] = none;
  for (int64_t d = 0; d < job->size[0]; d++)
    for (int64_t h = 0; h < job->size[1]; h++) {
      const char *x = job->x + d * job->stride[0] + h * job->stride[1];
      for (int64_t w = 0, count; w < n; w += count) {
        count = n - w < CC_K(POOL_BOX_TERMS) - have ? n - w : CC_K(POOL_BOX_TERMS) - have;
        CC_K(read_row)(terms + have, x + w * step, step, count, job->source);
        have += count;
        if (have == CC_K(POOL_BOX_TERMS)) {
          CC_K(pool_box_raise)(terms, have, exponent);
          CC_K(pool_box_merge)(acc, terms, have, kind);
          have = 0;
        }
      }
    }
  CC_K(pool_box_raise)(terms, have, exponent);
  for (; have % CC_PARTIALS; have++)
    terms[have] = none;
  CC_K(pool_box_merge)(acc, terms, have, kind);
  if (!job->unfinished)
    return CC_K(pool_box_total)(acc, kind);
  for (int j = 0; j < CC_K(POOL_BOX_VECTORS); j++)
    v_store((T *)job->partials + j * VL, acc[j]);
  return 0;
}

/* The extreme and its number: a later value wins only if it is better, or the first NaN. */
CC_ALWAYS_INLINE T CC_K(pool_box_tap)(const cc_pool_box_job *job, const bool least) {
  const int64_t step = job->stride[2], n = job->size[2];
  T best = job->first ? *(const T *)job->partials : 0, terms[CC_K(POOL_BOX_TERMS)];
  int64_t tap = job->first;
  for (int64_t d = 0; d < job->size[0]; d++)
    for (int64_t h = 0; h < job->size[1]; h++) {
      const char *x = job->x + d * job->stride[0] + h * job->stride[1];
      for (int64_t w = 0, count; w < n; w += count) {
        count = n - w < CC_K(POOL_BOX_TERMS) ? n - w : CC_K(POOL_BOX_TERMS);
        CC_K(read_row)(terms, x + w * step, step, count, job->source);
        for (int64_t j = 0; j < count; j++, tap++) {
          const bool better = least ? terms[j] < best : terms[j] > best;
          if (tap == 0 || better || (CC_K(is_nan_element)(terms[j]) && !CC_K(is_nan_element)(best))) {
            best = terms[j];
            *job->tap = tap;
          }
        }
      }
    }
  if (job->unfinished)
    *(T *)job->partials = best;
  return best;
}

#if CC_FLOATING
static T CC_K(pool_box_average)(const cc_pool_box_job *job) {
  const double count = (double)job->first + (double)job->size[0] * (double)job->size[1] * (double)job->size[2];
  return CC_K(pool_box_as)(job, CCONV_POOL_AVERAGE, 0) / (T)count;
}

static T CC_K(pool_box_norm)(const cc_pool_box_job *job) {
  if (job->p == __builtin_inf())
    return CC_K(pool_box_as)(job, CCONV_POOL_MAX, 1);
  T sum = CC_K(pool_box_as)(job, CCONV_POOL_LP, job->p);
  CC_K(pool_power)(&(cc_pool_power_job){.x = &sum, .y = &sum, .n = 1, .exponent = 1 / job->p});
  return sum;
}
#endif

static void CC_K(pool_box)(const cc_pool_box_job *job) {
  T y = 0;
  switch ((cconv_pool_kind)job->kind) {
  case CCONV_POOL_MAX:
    y = job->tap ? CC_K(pool_box_tap)(job, false) : CC_K(pool_box_as)(job, CCONV_POOL_MAX, 0);
    break;
  case CCONV_POOL_MIN:
    y = job->tap ? CC_K(pool_box_tap)(job, true) : CC_K(pool_box_as)(job, CCONV_POOL_MIN, 0);
    break;
#if CC_FLOATING
  case CCONV_POOL_AVERAGE:
    y = CC_K(pool_box_average)(job);
    break;
  case CCONV_POOL_LP:
    y = CC_K(pool_box_norm)(job);
    break;
#else
  default: /* of floating-point numbers only */
    break;
#endif
  }
  if (!job->unfinished)
    CC_K(write_row)(job->y, 0, &y, 1, job->target);
}
