/* SPDX-License-Identifier: BSD-3-Clause
 * split.tmpl.h - float32 in parts of bfloat16, for the matrix unit: see cc_split_job.
 *
 * Law: a part is what is left of a value, rounded to 8 digits, ties away from 0. What remains has 16 and then 8 digits
 * at most, so every subtraction is exact, and the third part needs no rounding. */

/* One value's parts, in the upper halves of lanes. Infinity and NaN give NaN somewhere: `greatest` tells. */
typedef struct cconv_f32_parts__amx {
  __m512i part[CC_PARTS];
} cconv_f32_parts__amx;

CC_ALWAYS_INLINE cconv_f32_parts__amx parts_of(__m512 x) {
  const __m512i half = _mm512_set1_epi32(0x8000), upper = _mm512_set1_epi32((int32_t)0xffff0000);
  cconv_f32_parts__amx p;
  p.part[0] = _mm512_and_si512(_mm512_add_epi32(_mm512_castps_si512(x), half), upper);
  x = _mm512_sub_ps(x, _mm512_castsi512_ps(p.part[0]));
  p.part[1] = _mm512_and_si512(_mm512_add_epi32(_mm512_castps_si512(x), half), upper);
  p.part[2] = _mm512_castps_si512(_mm512_sub_ps(x, _mm512_castsi512_ps(p.part[1])));
  return p;
}

/* The greater of magnitudes, as bits. */
CC_ALWAYS_INLINE __m512i greater(__m512i greatest, __m512 x) {
  return _mm512_max_epu32(greatest, _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fffffff)));
}

/* A line of the pairs of two vectors, in its three parts. */
CC_ALWAYS_INLINE void store_pairs(__m512 low, __m512 high, char *y, int64_t y_part) {
  const cconv_f32_parts__amx first = parts_of(low), second = parts_of(high);
  const __m512i upper = _mm512_set1_epi32((int32_t)0xffff0000); /* of a third part that is subnormal, too */
  CC_UNROLL
  for (int k = 0; k < CC_PARTS; k++) /* a | (b & c) */
    _mm512_storeu_si512(y + k * y_part,
                        _mm512_ternarylogic_epi32(_mm512_srli_epi32(first.part[k], 16), second.part[k], upper, 0xf8));
}

static CC_NOINLINE void cconv_f32_split__amx(cc_split_job *job) {
  const __mmask16 low_lanes = (__mmask16)((1U << job->low_lanes) - 1);
  const __mmask16 high_lanes = (__mmask16)((1U << job->high_lanes) - 1);
  __m512i greatest = _mm512_set1_epi32((int32_t)job->greatest);
  const float *low = job->low, *high = job->high;
  const int64_t step = job->step, y_step = job->y_step, y_part = job->y_part;
  char *y = job->y;
  for (int64_t i = 0; i < job->n; i++, low += step, high += step, y += y_step) {
    const __m512 a = _mm512_maskz_loadu_ps(low_lanes, low), b = _mm512_maskz_loadu_ps(high_lanes, high);
    greatest = greater(greater(greatest, a), b);
    store_pairs(a, b, y, y_part);
  }
  job->greatest = _mm512_reduce_max_epu32(greatest);
}

/* Row c of planes, which lie as far apart as each other or anywhere. */
CC_ALWAYS_INLINE const float *row_of(const float *x, const int32_t *off, int64_t stride, int64_t c) {
  return x + (off ? off[c] : c * stride);
}

/* Some squares at a time, so that all their lines stay in the level 1 cache until they are full. */
static CC_NOINLINE void cconv_f32_squares__amx(cc_squares_job *job) {
  enum { TOGETHER = 4 * CC_SQUARE_LANES };
  __m512i greatest = _mm512_set1_epi32((int32_t)job->greatest);
  const int64_t y_part = job->y_part;
  char *y = job->y;
  for (int64_t p = 0; p < job->n; p += TOGETHER, y += TOGETHER * CC_LINE_BYTES) {
    const int64_t n = job->n - p < TOGETHER ? job->n - p : TOGETHER;
    for (int64_t c = 0; c < CC_SQUARE_LANES; c++) {
      const bool low = c < job->channels, high = c + CC_SQUARE_LANES < job->channels;
      const float *a = row_of(job->x, job->off, job->stride, low ? c : 0) + p;
      const float *b = row_of(job->x, job->off, job->stride, high ? c + CC_SQUARE_LANES : 0) + p;
      char *line = y + c * CC_LINE_BYTES;
      for (int64_t i = 0; i < n; i += CC_SQUARE_LANES, line += CC_SQUARE_BYTES) {
        const uint32_t lanes = n - i < CC_SQUARE_LANES ? (1U << (n - i)) - 1 : 0xffff;
        const __m512 v = _mm512_maskz_loadu_ps((__mmask16)(low ? lanes : 0), a + i);
        const __m512 u = _mm512_maskz_loadu_ps((__mmask16)(high ? lanes : 0), b + i);
        greatest = greater(greater(greatest, v), u);
        store_pairs(v, u, line, y_part);
      }
    }
  }
  job->greatest = _mm512_reduce_max_epu32(greatest);
}
