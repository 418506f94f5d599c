/* SPDX-License-Identifier: BSD-3-Clause
 * split.tmpl.h - float32 in parts of bfloat16, for the matrix unit: see cc_split_job.
 *
 * Law: a part is what is left of a value, rounded to 8 digits, ties away from 0. What remains has 16 and then 8 digits
 * at most, so every subtraction is exact, and the third part needs no rounding. */

/* One value's parts, in the upper halves of lanes. Infinity and NaN give NaN somewhere: `greatest` tells. */
typedef struct parts {
  __m512i part[CC_PARTS];
} parts;

CC_ALWAYS_INLINE parts parts_of(__m512 x) {
  const __m512i half = _mm512_set1_epi32(0x8000), upper = _mm512_set1_epi32((int32_t)0xffff0000);
  parts p;
  p.part[0] = _mm512_and_si512(_mm512_add_epi32(_mm512_castps_si512(x), half), upper);
  x = _mm512_sub_ps(x, _mm512_castsi512_ps(p.part[0]));
  p.part[1] = _mm512_and_si512(_mm512_add_epi32(_mm512_castps_si512(x), half), upper);
  p.part[2] = _mm512_castps_si512(_mm512_sub_ps(x, _mm512_castsi512_ps(p.part[1])));
  return p;
}

static CC_NOINLINE void cconv_f32_split__amx(cc_split_job *job) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  const __mmask16 low_lanes = (__mmask16)((1U << job->low_lanes) - 1);
  const __mmask16 high_lanes = (__mmask16)((1U << job->high_lanes) - 1);
  __m512i greatest = _mm512_setzero_si512();
  const float *low = job->low, *high = job->high;
  const int64_t step = job->step, y_step = job->y_step, y_part = job->y_part;
  char *y = job->y;
  for (int64_t i = 0; i < job->n; i++, low += step, high += step, y += y_step) {
    const __m512 a = _mm512_maskz_loadu_ps(low_lanes, low), b = _mm512_maskz_loadu_ps(high_lanes, high);
    const parts first = parts_of(a), second = parts_of(b);
    greatest = _mm512_max_epu32(greatest, _mm512_and_si512(_mm512_castps_si512(a), magnitude));
    greatest = _mm512_max_epu32(greatest, _mm512_and_si512(_mm512_castps_si512(b), magnitude));
    CC_UNROLL
    for (int k = 0; k < CC_PARTS; k++)
      _mm512_storeu_si512(y + k * y_part, _mm512_or_si512(_mm512_srli_epi32(first.part[k], 16), second.part[k]));
  }
  const uint32_t found = _mm512_reduce_max_epu32(greatest);
  if (found > job->greatest)
    job->greatest = found;
}
