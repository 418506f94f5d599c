/* SPDX-License-Identifier: BSD-3-Clause
 * digit_products.tmpl.h - products of squares of digits on the matrix unit: see cc_digit_job.
 *
 * Law: of registers 0 to 2 are the sums of 16 positions, 3 to 5 those of the next 16, 6 a square of x and 7 one of
 * weights; instructions want their numbers as literals. Sums are exact, so their order is free. */

#define CC_PRODUCT(sum)                                                                                                \
  do {                                                                                                                 \
    if (planes)                                                                                                        \
      _tile_dpbssd(sum, 7, 6);                                                                                         \
    else                                                                                                               \
      _tile_dpbssd(sum, 6, 7);                                                                                         \
  } while (0)

/* Ask for a quarter of a square before its time: what comes from a level 2 cache would keep the unit waiting. */
CC_ALWAYS_INLINE void ask_for(const char *square, int64_t quarter) {
  CC_UNROLL
  for (int i = 0; i < 4; i++)
    __builtin_prefetch(square + quarter * 256 + i * CC_DIGIT_LINE);
}

/* One step. Asked for, on the way: weights of the next step, and of the lines three steps ahead one digit in turn, for
 * then as a rule another row of taps begins. */
CC_ALWAYS_INLINE void digit_step(const char *positions, const int32_t *off, const char *w, int64_t digit, int64_t turn,
                                 bool planes) {
  const char *x = positions + off[0] * (int64_t)CC_DIGIT_LINE, *next = x + CC_DIGIT_SQUARE;
  const char *later = positions + off[CC_DIGITS] * (int64_t)CC_DIGIT_LINE + turn * digit;
  const char *after = w + CC_DIGITS * CC_DIGIT_SQUARE;
  _tile_loadd(7, w, CC_DIGIT_LINE);
  _tile_loadd(6, x, CC_DIGIT_LINE);
  CC_PRODUCT(0);
  ask_for(after, 0);
  _tile_loadd(6, next, CC_DIGIT_LINE);
  CC_PRODUCT(3);
  ask_for(after, 1);
  ask_for(later, 0);
  _tile_loadd(6, x + digit, CC_DIGIT_LINE);
  CC_PRODUCT(1);
  ask_for(after, 2);
  ask_for(later, 1);
  _tile_loadd(6, next + digit, CC_DIGIT_LINE);
  CC_PRODUCT(4);
  ask_for(after, 3);
  ask_for(later, 2);
  _tile_loadd(6, x + 2 * digit, CC_DIGIT_LINE);
  CC_PRODUCT(2);
  ask_for(after, 4);
  ask_for(later, 3);
  _tile_loadd(6, next + 2 * digit, CC_DIGIT_LINE);
  CC_PRODUCT(5);
  ask_for(after, 5);
  ask_for(later, 4);
  _tile_loadd(7, w + CC_DIGIT_SQUARE, CC_DIGIT_LINE);
  _tile_loadd(6, x, CC_DIGIT_LINE);
  CC_PRODUCT(1);
  ask_for(after, 6);
  ask_for(later, 5);
  _tile_loadd(6, next, CC_DIGIT_LINE);
  CC_PRODUCT(4);
  ask_for(after, 7);
  ask_for(later, 6);
  _tile_loadd(6, x + digit, CC_DIGIT_LINE);
  CC_PRODUCT(2);
  ask_for(after, 8);
  ask_for(later, 7);
  _tile_loadd(6, next + digit, CC_DIGIT_LINE);
  CC_PRODUCT(5);
  ask_for(after, 9);
  _tile_loadd(7, w + 2 * CC_DIGIT_SQUARE, CC_DIGIT_LINE);
  _tile_loadd(6, x, CC_DIGIT_LINE);
  CC_PRODUCT(2);
  ask_for(after, 10);
  _tile_loadd(6, next, CC_DIGIT_LINE);
  CC_PRODUCT(5);
  ask_for(after, 11);
}

/* Steps in a round of a loop: the end of one of many rounds is not foreseen, and the unit then stands still (measured:
 * 900 cycles, as long as five steps take). */
enum { DIGIT_STEPS = 9 };

/* 32 positions and 16 lanes, all steps. */
CC_ALWAYS_INLINE void sum_digits(const cc_digit_job *job, const char *positions, int32_t *sums, bool planes) {
  const int64_t digit = job->x_digit, steps = job->steps;
  const int32_t *off = job->off;
  const char *w = job->w;
  int64_t s = 0;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  for (; s + DIGIT_STEPS <= steps; s += DIGIT_STEPS)
    CC_UNROLL
  for (int i = 0; i < DIGIT_STEPS; i++, w += CC_DIGITS * CC_DIGIT_SQUARE)
    digit_step(positions, off + s + i, w, digit, i % CC_DIGITS, planes);
  for (; s < steps; s++, w += CC_DIGITS * CC_DIGIT_SQUARE)
    digit_step(positions, off + s, w, digit, s % CC_DIGITS, planes);
  _tile_stored(0, sums, CC_DIGIT_LINE);
  _tile_stored(1, sums + 256, CC_DIGIT_LINE);
  _tile_stored(2, sums + 512, CC_DIGIT_LINE);
  _tile_stored(3, sums + 768, CC_DIGIT_LINE);
  _tile_stored(4, sums + 1024, CC_DIGIT_LINE);
  _tile_stored(5, sums + 1280, CC_DIGIT_LINE);
}

static CC_NOINLINE void sum_lines(const cc_digit_job *job, const char *positions, int32_t *sums) {
  sum_digits(job, positions, sums, false);
}

static CC_NOINLINE void sum_planes(const cc_digit_job *job, const char *positions, int32_t *sums) {
  sum_digits(job, positions, sums, true);
}

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
  const char *x = job->x;
  for (int64_t p = 0; p < job->positions; p += CC_DIGIT_POSITIONS, x += CC_DIGIT_POSITIONS * CC_DIGIT_LINE) {
    settle_memory();
    (job->planes ? sum_planes : sum_lines)(job, x, held);
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

#undef CC_PRODUCT
