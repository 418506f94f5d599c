/* SPDX-License-Identifier: BSD-3-Clause
 * digit_products.tmpl.h - from sums of digits to those of values: see cc_digit_job. */

enum { NEAR_STEPS = 11 }; /* whose weights fit the level 1 cache */

/* Rows of 16 positions become those of 16 lanes. */
CC_ALWAYS_INLINE void turn_square(__m512 a[16]) {
  __m512 b[16];
  CC_UNROLL
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
  }
  CC_UNROLL
  for (int i = 0; i < 16; i += 4) {
    const __m512d low = _mm512_castps_pd(b[i]), low2 = _mm512_castps_pd(b[i + 2]);
    const __m512d high = _mm512_castps_pd(b[i + 1]), high2 = _mm512_castps_pd(b[i + 3]);
    a[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, low2));
    a[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, low2));
    a[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high, high2));
    a[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high, high2));
  }
  CC_UNROLL
  for (int i = 0; i < 4; i++) { /* lanes i, 4 + i, 8 + i, 12 + i, of four positions each */
    b[i] = _mm512_shuffle_f32x4(a[i], a[4 + i], 0x88);
    b[4 + i] = _mm512_shuffle_f32x4(a[i], a[4 + i], 0xdd);
    b[8 + i] = _mm512_shuffle_f32x4(a[8 + i], a[12 + i], 0x88);
    b[12 + i] = _mm512_shuffle_f32x4(a[8 + i], a[12 + i], 0xdd);
  }
  CC_UNROLL
  for (int i = 0; i < 4; i++) {
    a[i] = _mm512_shuffle_f32x4(b[i], b[8 + i], 0x88);
    a[8 + i] = _mm512_shuffle_f32x4(b[i], b[8 + i], 0xdd);
    a[4 + i] = _mm512_shuffle_f32x4(b[4 + i], b[12 + i], 0x88);
    a[12 + i] = _mm512_shuffle_f32x4(b[4 + i], b[12 + i], 0xdd);
  }
}

static void cconv_f32_digit_products__amx(const cc_digit_job *job) {
  int32_t held[2 * CC_DIGITS * 256] __attribute__((aligned(CC_DIGIT_LINE)));
  const __m512 lanes = _mm512_loadu_ps(job->lane_scale), scale = _mm512_set1_ps(job->scale);
  const __m512 second = _mm512_set1_ps(0x1p-8F), third = _mm512_set1_ps(0x1p-16F);
  const int64_t position = job->planes || job->turned ? 1 : job->pitch;
  const bool near = job->planes && job->steps <= NEAR_STEPS;
  const char *x = job->x;
  for (int64_t p = 0; p < job->positions; p += CC_DIGIT_POSITIONS, x += CC_DIGIT_POSITIONS * CC_DIGIT_LINE) {
    settle_memory();
    (near ? near_sum : job->planes ? planes_sum : lines_sum)(job, x, held);
    settle_memory();
    for (int64_t half = 0; half < 2; half++) {
      const int32_t *s = held + half * CC_DIGITS * 256;
      float *y = job->sums + (p + 16 * half) * position;
      __m512 sums[16];
      CC_UNROLL
      for (int64_t i = 0; i < 16; i++) {
        const __m512 s0 = _mm512_cvtepi32_ps(_mm512_load_si512(s + 16 * i));
        const __m512 s1 = _mm512_cvtepi32_ps(_mm512_load_si512(s + 256 + 16 * i));
        const __m512 s2 = _mm512_cvtepi32_ps(_mm512_load_si512(s + 512 + 16 * i));
        const __m512 sum = _mm512_add_ps(s0, _mm512_fmadd_ps(s1, second, _mm512_mul_ps(s2, third)));
        sums[i] = _mm512_mul_ps(_mm512_mul_ps(sum, job->planes ? _mm512_set1_ps(job->lane_scale[i]) : lanes), scale);
      }
      if (job->turned)
        turn_square(sums);
      CC_UNROLL
      for (int64_t i = 0; i < 16; i++)
        _mm512_storeu_ps(y + i * job->pitch, sums[i]);
    }
  }
}
