/* SPDX-License-Identifier: BSD-3-Clause
 * digits.tmpl.h - float32 with a common exponent in digits of 8 bits, for the matrix unit: see digit_jobs.h.
 *
 * Law: a digit is a byte with its sign, so a number of units is its digits' sum as it stands. Adding 128 to each makes
 * the bytes of an ordinary integer of them, and flipping their upper bits then takes it away again. */

#define CC_DIGITS_128 0x808080

/* One above the exponents of magnitudes, biased, so that the digits hold the greatest: 0x7f7f7f units are the most. */
CC_ALWAYS_INLINE __m512i exponents_of(__m512i bits) {
  return _mm512_max_epi32(_mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x10101)), 23),
                          _mm512_set1_epi32(CC_DIGIT_LEAST));
}

/* The greatest of lanes' magnitudes, above all numbers where one has not all digits. */
CC_ALWAYS_INLINE uint32_t greatest_of_lanes(__m512i bits) {
  const __m512i exponents = _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x10101)), 23);
  const __mmask16 few = _mm512_cmplt_epi32_mask(exponents, _mm512_set1_epi32(CC_DIGIT_LEAST));
  return _mm512_mask_test_epi32_mask(few, bits, bits) ? 0x7fffffff : _mm512_reduce_max_epu32(bits);
}

/* 2^(23 - e), which makes units of values. */
CC_ALWAYS_INLINE __m512 units_of(__m512i exponents) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_sub_epi32(_mm512_set1_epi32(127 + 23 + 126), exponents), 23));
}

/* 2^(e - 7), which makes values of sums of digits. */
CC_ALWAYS_INLINE __m512 scale_of(__m512i exponents) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_sub_epi32(exponents, _mm512_set1_epi32(126 + 7 - 127)), 23));
}

/* Units, to the nearest, and 128 more in each digit. */
CC_ALWAYS_INLINE __m512i digits_of(__m512 x, __m512 units) {
  const __m512i q = _mm512_cvt_roundps_epi32(_mm512_mul_ps(x, units), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  return _mm512_add_epi32(q, _mm512_set1_epi32(CC_DIGITS_128));
}

CC_ALWAYS_INLINE void store_digits(char *y, __m512i bytes) {
  _mm512_storeu_si512(y, _mm512_xor_si512(bytes, _mm512_set1_epi8((char)0x80)));
}

static void magnitudes_of_pixels(const cc_magnitudes_job *job) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  for (int64_t c = 0; c < job->channels; c += 16) {
    const __mmask16 there = (__mmask16)(job->channels - c < 16 ? (1U << (job->channels - c)) - 1 : 0xffff);
    const float *x = job->x + c;
    __m512i greatest = _mm512_setzero_si512();
    for (int64_t i = 0; i < job->n; i++, x += job->step) {
      const __m512i v = _mm512_and_si512(_mm512_maskz_loadu_epi32(there, x), magnitude);
      const uint32_t most = _mm512_reduce_max_epu32(v);
      greatest = _mm512_max_epu32(greatest, v);
      job->places[i] = job->places[i] > most ? job->places[i] : most;
    }
    _mm512_storeu_si512(job->greatest + c, greatest);
  }
}

enum { MAGNITUDE_ROWS = 4 }; /* read at once: more of them are on their way, and places are raised once */

/* Raise the greatest of some rows, and those of places [i, i + 16). */
CC_ALWAYS_INLINE void raise_at(const float *const *x, int64_t i, __mmask16 there, uint32_t *places, __m512i *greatest,
                               const int rows) {
  __m512i here = _mm512_loadu_si512(places + i);
  CC_UNROLL
  for (int r = 0; r < rows; r++) {
    const __m512i v = _mm512_and_si512(_mm512_maskz_loadu_epi32(there, x[r] + i), _mm512_set1_epi32(0x7fffffff));
    greatest[r] = _mm512_max_epu32(greatest[r], v);
    here = _mm512_max_epu32(here, v);
  }
  _mm512_storeu_si512(places + i, here);
}

CC_ALWAYS_INLINE void magnitudes_of_rows(const cc_magnitudes_job *job, int64_t c, const int rows) {
  const float *x[MAGNITUDE_ROWS];
  __m512i greatest[MAGNITUDE_ROWS];
  CC_UNROLL
  for (int r = 0; r < rows; r++) {
    x[r] = row_of(job->x, job->off, job->stride, c + r);
    greatest[r] = _mm512_setzero_si512();
  }
  const int64_t whole = job->n & ~(int64_t)15;
  for (int64_t i = 0; i < whole; i += 16)
    raise_at(x, i, 0xffff, job->places, greatest, rows);
  if (whole < job->n)
    raise_at(x, whole, (__mmask16)((1U << (job->n - whole)) - 1), job->places, greatest, rows);
  CC_UNROLL
  for (int r = 0; r < rows; r++)
    job->greatest[c + r] = _mm512_reduce_max_epu32(greatest[r]);
}

static CC_NOINLINE void cconv_f32_magnitudes__amx(const cc_magnitudes_job *job) {
  if (job->pixels) {
    magnitudes_of_pixels(job);
    return;
  }
  int64_t c = 0;
  for (; c + MAGNITUDE_ROWS <= job->channels; c += MAGNITUDE_ROWS)
    magnitudes_of_rows(job, c, MAGNITUDE_ROWS);
  for (; c < job->channels; c++)
    magnitudes_of_rows(job, c, 1);
}

/* Which lanes of four vectors are there. */
CC_ALWAYS_INLINE void lanes_there(int64_t lanes, __mmask16 there[4]) {
  for (int v = 0; v < 4; v++, lanes -= 16)
    there[v] = (__mmask16)(lanes >= 16 ? 0xffff : lanes > 0 ? (1U << lanes) - 1 : 0);
}

/* A line of 64 values, for each digit. */
CC_ALWAYS_INLINE void store_line(const float *x, const __mmask16 there[4], __m512 units, char *y, int64_t digit) {
  /* Of each lane the bytes 2, 1, 0: one quarter each. */
  const __m512i quarters =
      _mm512_set_epi8(3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 60, 56, 52, 48, 44, 40, 36, 32, 28, 24, 20, 16,
                      12, 8, 4, 0, 61, 57, 53, 49, 45, 41, 37, 33, 29, 25, 21, 17, 13, 9, 5, 1, 62, 58, 54, 50, 46, 42,
                      38, 34, 30, 26, 22, 18, 14, 10, 6, 2);
  __m512i q[4];
  CC_UNROLL
  for (int v = 0; v < 4; v++)
    q[v] = _mm512_permutexvar_epi8(quarters, digits_of(_mm512_maskz_loadu_ps(there[v], x + 16 * v), units));
  const __m512i upper = _mm512_shuffle_i32x4(q[0], q[1], 0x44), upper2 = _mm512_shuffle_i32x4(q[2], q[3], 0x44);
  const __m512i lower = _mm512_shuffle_i32x4(q[0], q[1], 0xee), lower2 = _mm512_shuffle_i32x4(q[2], q[3], 0xee);
  store_digits(y, _mm512_shuffle_i32x4(upper, upper2, 0x88));
  store_digits(y + digit, _mm512_shuffle_i32x4(upper, upper2, 0xdd));
  store_digits(y + 2 * digit, _mm512_shuffle_i32x4(lower, lower2, 0x88));
}

static CC_NOINLINE void cconv_f32_digits__amx(const cc_digits_job *job) {
  const __m512 units = units_of(_mm512_set1_epi32(job->exponent));
  __mmask16 there[4];
  lanes_there(job->channels, there);
  const float *x = job->x;
  char *y = job->y;
  for (int64_t i = 0; i < job->n; i++, x += job->step, y += CC_DIGIT_LINE)
    store_line(x, there, units, y, job->y_digit);
}

static CC_NOINLINE void cconv_f32_digit_rows__amx(cc_digit_rows_job *job) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  for (int64_t l = 0; l < CC_DIGIT_LANES; l++) {
    const float *x = job->x + (l < job->lanes ? l : 0) * job->pitch;
    const int64_t channels = l < job->lanes ? job->channels : 0;
    __m512i most = _mm512_setzero_si512();
    for (int64_t c = 0; c < channels; c += 16) {
      const __mmask16 there = (__mmask16)(channels - c < 16 ? (1U << (channels - c)) - 1 : 0xffff);
      most = _mm512_max_epu32(most, _mm512_and_si512(_mm512_maskz_loadu_epi32(there, x + c), magnitude));
    }
    const uint32_t greatest = _mm512_reduce_max_epu32(most);
    const __m512i exponents = exponents_of(_mm512_set1_epi32((int32_t)greatest));
    const __m512 units = units_of(exponents);
    const uint32_t noted = greatest_of_lanes(_mm512_set1_epi32((int32_t)greatest));
    job->greatest = job->greatest > noted ? job->greatest : noted;
    _mm512_mask_storeu_ps(job->scale + l, 1, scale_of(exponents));
    char *y = (char *)job->squares + l * CC_DIGIT_LINE;
    for (int64_t c = 0; c < job->channels; c += CC_DIGIT_CHANNELS, y += CC_DIGITS * CC_DIGIT_SQUARE) {
      __mmask16 there[4];
      lanes_there(channels - c, there);
      store_line(x + c, there, units, y, CC_DIGIT_SQUARE);
    }
  }
}

/* Of four channels the digits of 16 lanes or positions: a line of a square, for each digit. */
CC_ALWAYS_INLINE void store_four(const __m512 x[4], __m512 units, char *y, int64_t digit) {
  const __m512i low = _mm512_set1_epi32(0xffff);
  /* In each lane of bytes (a0, a1, b0, b1): (a0, b0, a1, b1). */
  const __m512i swapped = _mm512_broadcast_i32x4(_mm_set_epi8(15, 13, 14, 12, 11, 9, 10, 8, 7, 5, 6, 4, 3, 1, 2, 0));
  __m512i q[4], lower[2], upper[2];
  CC_UNROLL
  for (int i = 0; i < 4; i++)
    q[i] = digits_of(x[i], units);
  CC_UNROLL
  for (int i = 0; i < 2; i++) { /* a | (b & c), (a & b) | (c & ~b) */
    const __m512i a = q[2 * i], b = q[2 * i + 1];
    lower[i] = _mm512_ternarylogic_epi32(_mm512_slli_epi32(b, 16), a, low, 0xf8);
    upper[i] = _mm512_ternarylogic_epi32(_mm512_srli_epi32(a, 16), low, b, 0xe2);
    lower[i] = _mm512_shuffle_epi8(lower[i], swapped);
    upper[i] = _mm512_shuffle_epi8(upper[i], swapped);
  }
  store_digits(y, _mm512_ternarylogic_epi32(_mm512_slli_epi32(upper[1], 16), upper[0], low, 0xf8));
  store_digits(y + digit, _mm512_ternarylogic_epi32(_mm512_srli_epi32(lower[0], 16), low, lower[1], 0xe2));
  store_digits(y + 2 * digit, _mm512_ternarylogic_epi32(_mm512_slli_epi32(lower[1], 16), lower[0], low, 0xf8));
}

/* Some squares at a time, so that all their lines stay in the level 1 cache until they are full. */
static CC_NOINLINE void cconv_f32_digit_squares__amx(const cc_digit_squares_job *job) {
  enum { TOGETHER = 4 * CC_DIGIT_LANES };
  const __m512 units = units_of(_mm512_set1_epi32(job->exponent));
  const int64_t digit = job->y_digit;
  char *y = job->y;
  for (int64_t p = 0; p < job->n; p += TOGETHER, y += TOGETHER * CC_DIGIT_LINE) {
    const int64_t n = job->n - p < TOGETHER ? job->n - p : TOGETHER;
    for (int64_t r = 0; r < CC_DIGIT_LANES; r++) {
      const float *x[4];
      bool there[4];
      CC_UNROLL
      for (int i = 0; i < 4; i++) {
        there[i] = 4 * r + i < job->channels;
        x[i] = row_of(job->x, job->off, job->stride, there[i] ? 4 * r + i : 0) + p;
      }
      char *line = y + r * CC_DIGIT_LINE;
      for (int64_t i = 0; i < n; i += 16, line += CC_DIGIT_SQUARE) {
        const uint32_t lanes = n - i < 16 ? (1U << (n - i)) - 1 : 0xffff;
        __m512 v[4];
        CC_UNROLL
        for (int k = 0; k < 4; k++)
          v[k] = _mm512_maskz_loadu_ps((__mmask16)(there[k] ? lanes : 0), x[k] + i);
        store_four(v, units, line, digit);
      }
    }
  }
}

/* Shares of each channel in its lane; the greatest magnitude of each lane. Sums lie where squares come to be. */
static CC_NOINLINE __m512i shares_of(const cc_digit_weights_job *job) {
  const int64_t taps = job->rows * job->row_taps, channels = job->slices * job->width;
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff), all = _mm512_set1_epi32(255);
  float *sums = job->squares;
  const float *x = job->x;
  __m512i most = _mm512_setzero_si512();
  for (int64_t c = 0; c < channels; c++) {
    __m512 sum = _mm512_setzero_ps();
    for (int64_t t = 0; t < taps; t++, x += CC_DIGIT_LANES) {
      const __m512i v = _mm512_and_si512(_mm512_loadu_si512(x), magnitude);
      most = _mm512_max_epu32(most, v);
      sum = _mm512_add_ps(sum, _mm512_castsi512_ps(v));
    }
    if (job->shares) /* of several taps, whose squares have room */
      _mm512_storeu_ps(sums + c * CC_DIGIT_LANES, sum);
  }
  const __mmask16 any = _mm512_test_epi32_mask(most, most);
  const __m512 whole = _mm512_mul_ps(_mm512_castsi512_ps(most), _mm512_set1_ps((float)taps));
  const __m512 share = _mm512_maskz_div_ps(any, _mm512_set1_ps(255), whole);
  for (int64_t c = 0; job->shares && c < channels; c += 4) {
    __m512i four = _mm512_setzero_si512();
    CC_UNROLL
    for (int i = 0; i < 4; i++) {
      const __m512 sum = _mm512_mul_ps(_mm512_loadu_ps(sums + (c + i) * CC_DIGIT_LANES), share);
      /* Of NaN nothing. A lane without weights has nothing to lose. */
      const __m512i one = _mm512_max_epi32(_mm512_min_epi32(_mm512_cvttps_epi32(sum), all), _mm512_setzero_si512());
      four = _mm512_or_si512(four, _mm512_slli_epi32(_mm512_mask_blend_epi32(any, all, one), 8U * (unsigned)i));
    }
    _mm512_storeu_si512(job->shares + c * CC_DIGIT_LANES, four);
  }
  return most;
}

static CC_NOINLINE void cconv_f32_digit_weights__amx(cc_digit_weights_job *job) {
  static const float none[CC_DIGIT_LANES] = {0};
  const int64_t taps = job->rows * job->row_taps, width = job->width, together = CC_DIGIT_CHANNELS / width;
  const __m512i most = shares_of(job), exponents = exponents_of(most);
  const __m512 units = units_of(exponents);
  const uint32_t all = greatest_of_lanes(most);
  job->greatest = job->greatest > all ? job->greatest : all;
  _mm512_storeu_ps(job->scale, scale_of(exponents));
  char *y = job->squares;
  for (int64_t slice = 0; slice < job->slices; slice++)
    for (int64_t row = 0; row < job->rows; row++)
      for (int64_t first = 0; first < job->row_taps; first += together, y += (CC_DIGITS - 1) * CC_DIGIT_SQUARE)
        for (int64_t tap = first; tap < first + together; tap++) {
          const bool there = tap < job->row_taps;
          const float *x = there ? job->x + (slice * width * taps + row * job->row_taps + tap) * CC_DIGIT_LANES : none;
          const int64_t channel = there ? taps * CC_DIGIT_LANES : 0;
          for (int64_t c = 0; c < width; c += 4, x += 4 * channel, y += CC_DIGIT_LINE) {
            const __m512 four[4] = {_mm512_loadu_ps(x), _mm512_loadu_ps(x + channel), _mm512_loadu_ps(x + 2 * channel),
                                    _mm512_loadu_ps(x + 3 * channel)};
            store_four(four, units, y, CC_DIGIT_SQUARE);
          }
        }
}

/* Twice the first digits of weights with one tap: of lanes side by side, */
static int32_t least_of_lines(const cc_digit_shares_job *job) {
  const __m512i one = _mm512_set1_epi8(1);
  __m512i sums = _mm512_setzero_si512(), any = sums;
  for (int64_t c = 0; c < job->channels; c += 4) {
    const int64_t at = c / CC_DIGIT_CHANNELS * CC_DIGITS * CC_DIGIT_SQUARE + c % CC_DIGIT_CHANNELS * CC_DIGIT_LANES;
    const __m512i first = _mm512_abs_epi8(_mm512_loadu_si512((const char *)job->squares + at));
    const __m512i share = _mm512_subs_epu8(first, one);
    int32_t four;
    __builtin_memcpy(&four, job->levels + c, sizeof four);
    any = _mm512_or_si512(any, first);
    sums = _mm512_dpbusd_epi32(sums, share, _mm512_set1_epi32(four));
  }
  return _mm512_mask_reduce_min_epi32(_mm512_test_epi32_mask(any, any), _mm512_slli_epi32(sums, 1));
}

/* and of lanes below each other. */
static int32_t least_of_planes(const cc_digit_shares_job *job) {
  const __m512i one = _mm512_set1_epi8(1);
  int32_t least = INT32_MAX;
  for (int64_t l = 0; l < CC_DIGIT_LANES; l++) {
    const char *line = (const char *)job->squares + l * CC_DIGIT_LINE;
    __m512i sums = _mm512_setzero_si512(), any = sums;
    for (int64_t c = 0; c < job->channels; c += CC_DIGIT_CHANNELS, line += CC_DIGITS * CC_DIGIT_SQUARE) {
      const __m512i first = _mm512_abs_epi8(_mm512_loadu_si512(line));
      any = _mm512_or_si512(any, first);
      sums = _mm512_dpbusd_epi32(sums, _mm512_subs_epu8(first, one), _mm512_loadu_si512(job->levels + c));
    }
    const int32_t sum = 2 * _mm512_reduce_add_epi32(sums);
    if (_mm512_test_epi8_mask(any, any) && sum < least)
      least = sum;
  }
  return least;
}

static CC_NOINLINE int32_t cconv_f32_digit_shares__amx(const cc_digit_shares_job *job) {
  if (!job->shares)
    return job->planes ? least_of_planes(job) : least_of_lines(job);
  __m512i sums = _mm512_setzero_si512();
  for (int64_t c = 0; c < job->channels; c += 4) {
    int32_t four;
    __builtin_memcpy(&four, job->levels + c, sizeof four);
    sums = _mm512_dpbusd_epi32(sums, _mm512_loadu_si512((const char *)job->shares + c * CC_DIGIT_LANES),
                               _mm512_set1_epi32(four));
  }
  return _mm512_reduce_min_epi32(sums);
}

#undef CC_DIGITS_128
