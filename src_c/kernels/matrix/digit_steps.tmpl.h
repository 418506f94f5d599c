/* SPDX-License-Identifier: BSD-3-Clause
 * digit_steps.tmpl.h - products of squares of digits on the matrix unit, step by step: see cc_digit_job.
 *
 * Law: of registers 0 to 2 are the sums of 16 positions, 3 to 5 those of the next 16, 6 a square of x and 7 one of
 * weights; instructions want their numbers as literals. Sums are exact, so their order is free.
 *
 * Parameters: CC_PLANES, 1 for planes and 0 for lines; CC_NEAR, 1 where all weights fit the level 1 cache and no square of
 * x is looked at by two steps. Undefines both. */

#if CC_NEAR
#define CC_DIGITS_OF(name) CC_PASTE(near_, name)
#elif CC_PLANES
#define CC_DIGITS_OF(name) CC_PASTE(planes_, name)
#else
#define CC_DIGITS_OF(name) CC_PASTE(lines_, name)
#endif
#if CC_PLANES
#define CC_PRODUCT(sum) _tile_dpbssd(sum, 7, 6)
#else
#define CC_PRODUCT(sum) _tile_dpbssd(sum, 6, 7)
#endif

#if CC_NEAR
/* One step. Weights stay in the level 1 cache from one block of positions to the next, for squares of x are loaded once
 * and pass by it; those of the next step are asked for on the way (measured alone, at eight steps: 1.8 times as fast
 * as what follows). */
CC_ALWAYS_INLINE void CC_DIGITS_OF(step)(const char *positions, const int32_t *off, const char *w, int64_t digit,
                                         int64_t turn) {
  const char *x = positions + off[0] * (int64_t)CC_DIGIT_LINE, *after = w + CC_DIGITS * CC_DIGIT_SQUARE;
  const char *next = x + CC_DIGIT_SQUARE, *w1 = w + CC_DIGIT_SQUARE, *w2 = w + 2 * CC_DIGIT_SQUARE;
  (void)turn;
  _tile_stream_loadd(6, x, CC_DIGIT_LINE);
  _tile_loadd(7, w, CC_DIGIT_LINE);
  CC_PRODUCT(0);
  ask_for(after, 0);
  _tile_loadd(7, w1, CC_DIGIT_LINE);
  CC_PRODUCT(1);
  ask_for(after, 1);
  _tile_loadd(7, w2, CC_DIGIT_LINE);
  CC_PRODUCT(2);
  ask_for(after, 2);
  _tile_stream_loadd(6, next, CC_DIGIT_LINE);
  CC_PRODUCT(5);
  ask_for(after, 3);
  _tile_loadd(7, w1, CC_DIGIT_LINE);
  CC_PRODUCT(4);
  ask_for(after, 4);
  _tile_loadd(7, w, CC_DIGIT_LINE);
  CC_PRODUCT(3);
  ask_for(after, 5);
  _tile_stream_loadd(6, x + digit, CC_DIGIT_LINE);
  CC_PRODUCT(1);
  ask_for(after, 6);
  _tile_loadd(7, w1, CC_DIGIT_LINE);
  CC_PRODUCT(2);
  ask_for(after, 7);
  _tile_stream_loadd(6, next + digit, CC_DIGIT_LINE);
  CC_PRODUCT(5);
  ask_for(after, 8);
  _tile_loadd(7, w, CC_DIGIT_LINE);
  CC_PRODUCT(4);
  ask_for(after, 9);
  _tile_stream_loadd(6, x + 2 * digit, CC_DIGIT_LINE);
  CC_PRODUCT(2);
  ask_for(after, 10);
  _tile_stream_loadd(6, next + 2 * digit, CC_DIGIT_LINE);
  CC_PRODUCT(5);
  ask_for(after, 11);
}
#else
/* One step. Asked for, on the way: weights of the next step, and of the lines three steps ahead one digit in turn, for
 * then as a rule another row of taps begins. */
CC_ALWAYS_INLINE void CC_DIGITS_OF(step)(const char *positions, const int32_t *off, const char *w, int64_t digit,
                                         int64_t turn) {
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
#endif

/* 32 positions and 16 lanes, all steps. */
static CC_NOINLINE void CC_DIGITS_OF(sum)(const cc_digit_job *job, const char *positions, int32_t *sums) {
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
  for (; s + DIGIT_STEPS <= steps; s += DIGIT_STEPS) {
    CC_UNROLL
    for (int i = 0; i < DIGIT_STEPS; i++, w += CC_DIGITS * CC_DIGIT_SQUARE)
      CC_DIGITS_OF(step)(positions, off + s + i, w, digit, i % CC_DIGITS);
  }
  for (; s < steps; s++, w += CC_DIGITS * CC_DIGIT_SQUARE)
    CC_DIGITS_OF(step)(positions, off + s, w, digit, s % CC_DIGITS);
  _tile_stored(0, sums, CC_DIGIT_LINE);
  _tile_stored(1, sums + 256, CC_DIGIT_LINE);
  _tile_stored(2, sums + 512, CC_DIGIT_LINE);
  _tile_stored(3, sums + 768, CC_DIGIT_LINE);
  _tile_stored(4, sums + 1024, CC_DIGIT_LINE);
  _tile_stored(5, sums + 1280, CC_DIGIT_LINE);
}

#undef CC_PRODUCT
#undef CC_DIGITS_OF
#undef CC_PLANES
#undef CC_NEAR
