/* SPDX-License-Identifier: BSD-3-Clause
 * passes.tmpl.h - Fourier transforms, each lane one of its own.
 *
 * A transform of s elements becomes r of s / r, their inputs being sums over r elements s / r apart, times twiddles;
 * at last r is 4 or 8 and there are none. So frequencies come out with their digits reversed, and the way back, the
 * same steps from the last to the first, takes them so. */

#define VC CC_K(vector_complex)
#define c_load CC_K(load_complex)
#define c_store CC_K(store_complex)
#define c_times CC_K(times_complex)
typedef struct VC {
  V re, im;
} VC;

/* Element i of the transforms is at x + i step, its imaginary part `im` behind; in elements. */
typedef struct CC_K(fft_place) {
  T *x;
  int64_t step, im;
} CC_K(fft_place);

CC_ALWAYS_INLINE VC c_load(const T *x, int64_t im) { return (VC){v_load(x), v_load(x + im)}; }

CC_ALWAYS_INLINE void c_store(T *x, int64_t im, VC a) {
  v_store(x, a.re);
  v_store(x + im, a.im);
}

/* a w, or with `back` a times w's conjugate */
CC_ALWAYS_INLINE VC c_times(VC a, V re, V im, const bool back) {
  if (back)
    return (VC){v_fma(a.re, re, a.im * im), v_fma(a.im, re, -(a.re * im))};
  return (VC){v_fma(a.re, re, -(a.im * im)), v_fma(a.re, im, a.im * re)};
}

/* a + b and a - b */
CC_ALWAYS_INLINE void CC_K(fft_two)(VC a, VC b, VC *sum, VC *rest) {
  *sum = (VC){a.re + b.re, a.im + b.im};
  *rest = (VC){a.re - b.re, a.im - b.im};
}

/* a - i b and a + i b; with `back` the other way round */
CC_ALWAYS_INLINE void CC_K(fft_turned)(VC a, VC b, VC *less, VC *more, const bool back) {
  const VC m = {a.re + b.im, a.im - b.re}, p = {a.re - b.im, a.im + b.re};
  *less = back ? p : m;
  *more = back ? m : p;
}

CC_ALWAYS_INLINE void CC_K(fft_three)(VC a[3], const bool back) {
  const V half = v_splat((T)0.5), side = v_splat((T)0.86602540378443864676);
  VC sum, rest;
  CC_K(fft_two)(a[1], a[2], &sum, &rest);
  const VC middle = {v_fma(-half, sum.re, a[0].re), v_fma(-half, sum.im, a[0].im)};
  a[0] = (VC){a[0].re + sum.re, a[0].im + sum.im};
  rest = (VC){rest.re * side, rest.im * side};
  CC_K(fft_turned)(middle, rest, &a[1], &a[2], back);
}

CC_ALWAYS_INLINE void CC_K(fft_four)(VC a[4], const bool back) {
  VC even[2], odd[2];
  CC_K(fft_two)(a[0], a[2], &even[0], &even[1]);
  CC_K(fft_two)(a[1], a[3], &odd[0], &odd[1]);
  CC_K(fft_two)(even[0], odd[0], &a[0], &a[2]);
  CC_K(fft_turned)(even[1], odd[1], &a[1], &a[3], back);
}

CC_ALWAYS_INLINE void CC_K(fft_eight)(VC a[8], const bool back) {
  const V root = v_splat((T)0.70710678118654752440);
  VC even[4] = {a[0], a[2], a[4], a[6]}, odd[4] = {a[1], a[3], a[5], a[7]};
  CC_K(fft_four)(even, back);
  CC_K(fft_four)(odd, back);
  VC less, more; /* (1 - i) odd[1] and (-1 - i) odd[3]; back their conjugates */
  CC_K(fft_turned)(odd[1], odd[1], &less, &more, back);
  odd[1] = (VC){less.re * root, less.im * root};
  CC_K(fft_turned)(odd[3], odd[3], &less, &more, back);
  odd[3] = (VC){more.re * -root, more.im * -root};
  CC_UNROLL
  for (int i = 0; i < 4; i++)
    if (i == 2)
      CC_K(fft_turned)(even[i], odd[i], &a[i], &a[i + 4], back);
    else
      CC_K(fft_two)(even[i], odd[i], &a[i], &a[i + 4]);
}

CC_ALWAYS_INLINE void CC_K(fft_of)(VC *a, const int r, const bool back) {
  if (r == 3)
    CC_K(fft_three)(a, back);
  else if (r == 4)
    CC_K(fft_four)(a, back);
  else
    CC_K(fft_eight)(a, back);
}

/* Of n elements in transforms of s, each becomes r; or back. */
CC_ALWAYS_INLINE void CC_K(fft_step)(CC_K(fft_place) from, CC_K(fft_place) to, int64_t n, int64_t s, const T *twiddles,
                                     const int r, const bool back) {
  const int64_t part = s / r;
  for (int64_t first = 0; first < n; first += s) {
    const T *w = twiddles + 2 * part;
    for (int64_t j = first; j < first + part; j++, w += 2 * (r - 1)) {
      VC a[8];
      CC_UNROLL
      for (int i = 0; i < r; i++) {
        a[i] = c_load(from.x + (j + i * part) * from.step, from.im);
        if (back && i > 0)
          a[i] = c_times(a[i], v_splat(w[2 * i - 2]), v_splat(w[2 * i - 1]), true);
      }
      CC_K(fft_of)(a, r, back);
      CC_UNROLL
      for (int i = 0; i < r; i++) {
        if (!back && i > 0)
          a[i] = c_times(a[i], v_splat(w[2 * i - 2]), v_splat(w[2 * i - 1]), false);
        c_store(to.x + (j + i * part) * to.step, to.im, a[i]);
      }
    }
  }
}

static CC_NOINLINE void CC_K(fft_split)(CC_K(fft_place) from, CC_K(fft_place) to, int64_t n, int64_t s,
                                        const T *twiddles) {
  if (s % 3 == 0)
    CC_K(fft_step)(from, to, n, s, twiddles, 3, false);
  else
    CC_K(fft_step)(from, to, n, s, twiddles, 4, false);
}

static CC_NOINLINE void CC_K(fft_join)(CC_K(fft_place) from, CC_K(fft_place) to, int64_t n, int64_t s,
                                       const T *twiddles) {
  if (s % 3 == 0)
    CC_K(fft_step)(from, to, n, s, twiddles, 3, true);
  else
    CC_K(fft_step)(from, to, n, s, twiddles, 4, true);
}

/* The step without twiddles: transforms of r elements. */
CC_ALWAYS_INLINE void CC_K(fft_plain)(CC_K(fft_place) from, CC_K(fft_place) to, int64_t n, const int r,
                                      const bool back) {
  for (int64_t first = 0; first < n; first += r) {
    VC a[8];
    CC_UNROLL
    for (int i = 0; i < r; i++)
      a[i] = c_load(from.x + (first + i) * from.step, from.im);
    CC_K(fft_of)(a, r, back);
    CC_UNROLL
    for (int i = 0; i < r; i++)
      c_store(to.x + (first + i) * to.step, to.im, a[i]);
  }
}

static CC_NOINLINE void CC_K(fft_ends)(CC_K(fft_place) from, CC_K(fft_place) to, int64_t n, int64_t r) {
  if (r == 4)
    CC_K(fft_plain)(from, to, n, 4, false);
  else
    CC_K(fft_plain)(from, to, n, 8, false);
}

static CC_NOINLINE void CC_K(fft_begins)(CC_K(fft_place) from, CC_K(fft_place) to, int64_t n, int64_t r) {
  if (r == 4)
    CC_K(fft_plain)(from, to, n, 4, true);
  else
    CC_K(fft_plain)(from, to, n, 8, true);
}

/* The radix of the first step of a transform of s > 8. */
CC_ALWAYS_INLINE int64_t CC_K(fft_radix)(int64_t s) { return s % 3 == 0 ? 3 : 4; }

/* All steps but the last: the size of the transforms that remain, 4 or 8. */
CC_ALWAYS_INLINE int64_t CC_K(fft_forth)(CC_K(fft_place) from, CC_K(fft_place) to, int64_t n, const T *twiddles) {
  int64_t s = n;
  for (; s > 8; s /= CC_K(fft_radix)(s)) {
    CC_K(fft_split)(from, to, n, s, twiddles);
    from = to;
  }
  return s;
}

/* All steps back but the first, of transforms of s elements. The last of them goes to `to`. */
CC_ALWAYS_INLINE void CC_K(fft_back)(CC_K(fft_place) from, CC_K(fft_place) to, int64_t n, int64_t s,
                                     const T *twiddles) {
  while (s < n) {
    s *= n % (4 * s) == 0 ? 4 : 3;
    CC_K(fft_join)(from, s < n ? from : to, n, s, twiddles);
  }
}
