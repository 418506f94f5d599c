/* SPDX-License-Identifier: BSD-3-Clause
 * tables.tmpl.h - the factors of Fourier transforms. See cc_fft_tables_job.
 *
 * A power of exp(-2 pi i / n) is the product of two, of which there are about 2 sqrt(n): in double precision, for it
 * is an ulp or two of that off. */

/* The powers j < 2^bits of exp(-2 pi i / n), and from `coarse` on those of the 2^bits-th. */
typedef struct CC_K(fft_roots) {
  double *fine, *coarse;
  int64_t bits;
} CC_K(fft_roots);

static CC_K(fft_roots) CC_K(fft_roots_of)(int64_t n, double *roots) {
  int64_t bits = 0;
  while (n >> bits >> bits > 1)
    bits++;
  const CC_K(fft_roots) made = {.fine = roots, .coarse = roots + (2 << bits), .bits = bits};
  const double turn = -2 * 3.14159265358979323846 / (double)n;
  for (int64_t j = 0; j < 1 << bits; j++) {
    made.fine[2 * j] = __builtin_cos(turn * (double)j);
    made.fine[2 * j + 1] = __builtin_sin(turn * (double)j);
  }
  for (int64_t j = 0; j << bits < n; j++) {
    made.coarse[2 * j] = __builtin_cos(turn * (double)(j << bits));
    made.coarse[2 * j + 1] = __builtin_sin(turn * (double)(j << bits));
  }
  return made;
}

/* to[0] and to[step] = the real and imaginary parts of power k, below n */
CC_ALWAYS_INLINE void CC_K(fft_root)(const CC_K(fft_roots) * roots, int64_t k, T *to, int64_t step) {
  const double *a = roots->fine + 2 * (k & ((1 << roots->bits) - 1)), *b = roots->coarse + 2 * (k >> roots->bits);
  to[0] = (T)(a[0] * b[0] - a[1] * b[1]);
  to[step] = (T)(a[0] * b[1] + a[1] * b[0]);
}

/* The twiddles of transforms of n elements: from 2 s / r on those of the step from s to s / r. */
static void CC_K(fft_twiddles)(int64_t n, double *scratch, T *to) {
  const CC_K(fft_roots) roots = CC_K(fft_roots_of)(n, scratch);
  for (int64_t s = n, r; s > 8; s /= r) {
    r = CC_K(fft_radix)(s);
    T *w = to + 2 * (s / r);
    for (int64_t j = 0; j < s / r; j++)
      for (int64_t i = 1; i < r; i++, w += 2)
        CC_K(fft_root)(&roots, i * j * (n / s), w, 1);
  }
}

/* The frequency that a transform of n elements leaves at `place`. */
static int64_t CC_K(fft_frequency)(int64_t n, int64_t place) {
  int64_t frequency = 0, weight = 1;
  for (int64_t s = n, r; s > 1; s /= r, weight *= r) {
    r = s > 8 ? CC_K(fft_radix)(s) : s;
    frequency += place / (s / r) * weight;
    place %= s / r;
  }
  return frequency;
}

static void CC_K(fft_tables)(const cc_fft_tables_job *job) {
  const int64_t rows = job->size[0], vectors = job->size[1] / VL;
  for (int a = 0; a < 2; a++)
    CC_K(fft_twiddles)(job->size[a], job->roots, job->tables.twiddles[a]);
  if (!job->line)
    return;
  const CC_K(fft_roots) roots = CC_K(fft_roots_of)(rows * job->size[1], job->roots);
  T *lanes = job->tables.lanes, *steps = job->tables.steps;
  for (int64_t r = 0; r < rows; r++, lanes += 2 * VL) {
    const int64_t k = CC_K(fft_frequency)(rows, r);
    for (int64_t l = 0; l < VL; l++)
      CC_K(fft_root)(&roots, k * l, lanes + l, VL);
    for (int64_t c = 0; c < vectors; c++, steps += 2)
      CC_K(fft_root)(&roots, k * c * VL, steps, 1);
  }
}
