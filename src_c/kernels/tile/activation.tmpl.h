/* SPDX-License-Identifier: BSD-3-Clause
 * activation.tmpl.h - the activations of a convolution's store, on vectors.
 *
 *   relu          max(x, 0)                  sigmoid    1 / (1 + e^-x)
 *   leaky_relu    x < 0 ? a x : x            silu       x sigmoid(x)
 *   elu           x < 0 ? a (e^x - 1) : x    tanh       (e^2x - 1) / (e^2x + 1)
 *   clip          min(max(x, a), b)          gelu_erf   x Phi(x), Phi(x) = (1 + erf(x / sqrt 2)) / 2
 *   hard_sigmoid  clip(x/6 + 1/2, 0, 1)      gelu_tanh  x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
 *   hard_swish    x hard_sigmoid(x)
 *
 * Law: no branch and no table on a lane's value; a lane's bits depend on that lane alone.
 *
 * NaN gives NaN, an infinity the limit; silu, gelu and hard_swish of -inf are -0. clip wants a <= b.
 *
 * Largest error found on any instruction set, in units in the last place of the true result, rounded up (elu
 * with a = 1):
 *
 *             elu  tanh  sigmoid  silu  gelu_erf  gelu_tanh  hard_sigmoid  hard_swish
 *   float32   1.4  2.6   3.3      3.7   3.7       3.9        1.4           2.5
 *   float64   1.5  2.6   3.3      3.7   3.4       3.8        1.4           2.5
 *
 * So relative accuracy holds near 0, and in the tails where 1 + erf and 1 + tanh cancel. Results below the least
 * normal number are within 2 of the least subnormal. float32: every value with 2^-30 <= |x| < 256 and each 101st
 * of the others, against libm in double; float64: 4 * 10^7 values each, most within +-8, against 113-bit
 * arithmetic. avx2 and avx512 agree to the bit, and tanh is odd to the bit.
 *
 * Polynomials are minimax: Remez's exchange in 50 digits on the relative error, then a random search over
 * neighbours of the rounded coefficients. Where a product meets an addition outside v_fma it is exact, so
 * compilers that contract the two change nothing. */

/* x, but not below (above) the bound; NaN stays, for every comparison with it is false. */
CC_ALWAYS_INLINE V CC_K(at_least)(V x, V bound) { return v_select(x < bound, bound, x); }
CC_ALWAYS_INLINE V CC_K(at_most)(V x, V bound) { return v_select(x > bound, bound, x); }

/* Add bias to n sums, and bound them. */
CC_ALWAYS_INLINE void CC_K(settle)(V *sum, const int n, V bias, bool bounded, double low, double high) {
  CC_UNROLL
  for (int i = 0; i < n; i++)
    sum[i] = v_add(sum[i], bias);
  if (bounded) {
    const V least = v_splat((T)low), most = v_splat((T)high);
    CC_UNROLL
    for (int i = 0; i < n; i++)
      sum[i] = CC_K(at_most)(CC_K(at_least)(sum[i], least), most);
  }
}

CC_ALWAYS_INLINE V CC_K(absolute)(V x) { return (V)((VI)x & ~(VI)v_splat((T)-0.0)); }
CC_ALWAYS_INLINE V CC_K(minus_absolute)(V x) { return (V)((VI)x | (VI)v_splat((T)-0.0)); }
CC_ALWAYS_INLINE V CC_K(with_sign_of)(V x, V sign) {
  const VI bit = (VI)v_splat((T)-0.0);
  return (V)(((VI)x & ~bit) | ((VI)sign & bit));
}

/* x without its lower 12 of 24 (27 of 53) digits: the product of two such numbers is exact, and so is x
 * less its upper half. No fused multiply-add in it: generic is as accurate as the others. */
CC_ALWAYS_INLINE V CC_K(upper_half)(V x) { return (V)((VI)x & v_splat_i(-((TI)1 << (CC_DTYPE_BITS == 32 ? 12 : 27)))); }

/* c[0] x^degree + ... + c[degree], by Horner's rule. */
CC_ALWAYS_INLINE V CC_K(polynomial)(const T *c, int degree, V x) {
  V sum = v_splat(c[0]);
  CC_UNROLL
  for (int i = 1; i <= degree; i++)
    sum = v_fma(sum, x, v_splat(c[i]));
  return sum;
}

/* e^x = (1 + q) s^2, where x = r + k log 4, |r| <= log 2, q = e^r - 1, s = 2^k. */
typedef struct CC_K(power) {
  V q, s;
} CC_K(power);

/* e^(x + low), for |x| < 800 (115 for float32) and |low| < |x| / 400 or both near 0; -0 is no low.
 *
 * Steps of log 4, not log 2: one power of two, multiplied twice, then reaches every result, subnormal and
 * infinite ones too, with no comparison and no arithmetic on exponents. The price is two terms of Q.
 * Largest error of 1 + q from Q: 2^-28 for float32, 2^-55.3 for float64. */
CC_ALWAYS_INLINE CC_K(power) CC_K(power_of)(V x, V low) {
  /* Q(r) = (e^r - 1 - r) / r^2 */
#if CC_DTYPE_BITS == 32
  static const T c[] = {0x1.97db1ap-16, 0x1.a589e2p-13, 0x1.6c3ef4p-10, 0x1.110aecp-7,
                        0x1.555504p-5,  0x1.55555cp-3,  0x1p-1};
#else
  static const T c[] = {0x1.5ca6c379c1cc7p-33, 0x1.2152e2918be64p-29, 0x1.ae7616ee72d96p-26, 0x1.27e23b07d5abep-22,
                        0x1.71de25191fc7p-19,  0x1.a01a04931f5efp-16, 0x1.a01a01b67cac5p-13, 0x1.6c16c16aa4675p-10,
                        0x1.1111111106b3cp-7,  0x1.5555555555d82p-5,  0x1.55555555555bcp-3,  0x1.fffffffffffffp-2};
#endif
  /* Adding this rounds to an integer, k, and leaves k + the exponent's bias in the lowest bits. */
  const V rounder = v_splat(CC_DTYPE_BITS == 32 ? (T)(0x1.8p23 + 127) : (T)(0x1.8p52 + 1023));
  const V inverse_log4 = v_splat((T)0x1.71547652b82fep-1);
  /* log 4 in two parts, the first so short that k times it, and x less that, are exact. */
  const V log4_high = v_splat(CC_DTYPE_BITS == 32 ? (T)0x1.62e4p0 : (T)0x1.62e42fefa38p0);
  const V log4_low = v_splat(CC_DTYPE_BITS == 32 ? (T)0x1.7f7d1cp-19 : (T)0x1.ef35793c7673p-44);

  const V step = v_fma(x + low, inverse_log4, rounder);
  const V k = step - rounder;
  const V r = v_fma(k, -log4_high, x) + v_fma(k, -log4_low, low); /* rounded once: the first part is exact */
  CC_K(power) e;
  e.q = v_fma(r * r, CC_K(polynomial)(c, CC_DTYPE_BITS == 32 ? 6 : 11, r), r);
  e.s = (V)((VI)step << (CC_DTYPE_BITS == 32 ? 23 : 52));
  return e;
}

/* Below this e^x, and x e^x, round to zero. */
CC_ALWAYS_INLINE V CC_K(least_power)(void) { return v_splat(CC_DTYPE_BITS == 32 ? (T)-110 : (T)-760); }

/* e^x - 1 for x <= 0; near 0 it is q, with all its digits. Below -50 it is -1. */
CC_ALWAYS_INLINE V CC_K(exp_minus_one)(V x) {
  const CC_K(power) e = CC_K(power_of)(CC_K(at_least)(x, v_splat(-50)), v_splat((T)-0.0));
  const V square = e.s * e.s;
  return v_fma(e.q, square, square - v_splat(1));
}

/* From -2|x|, so that nothing overflows or cancels, and tanh(-x) = -tanh(x) to the bit. */
CC_ALWAYS_INLINE V CC_K(tanh)(V x) {
  const V m = CC_K(minus_absolute)(x);
  const V e = CC_K(exp_minus_one)(m + m);
  return CC_K(with_sign_of)(e / (e + v_splat(2)), x);
}

/* (x < 0 ? left e^z : right) / (1 + e^z) from e = e^z, z <= 0. The last factor s comes last, because the
 * numerator may be subnormal; the denominator is 1 by then. */
CC_ALWAYS_INLINE V CC_K(logistic)(V x, CC_K(power) e, V left, V right) {
  const V part = left * e.s;
  const V numerator = v_select(x < v_splat(0), v_fma(part, e.q, part) * e.s, right);
  return numerator / v_fma(v_fma(e.q, e.s, e.s), e.s, v_splat(1));
}

CC_ALWAYS_INLINE V CC_K(sigmoid)(V x) {
  const V m = CC_K(at_least)(CC_K(minus_absolute)(x), CC_K(least_power)());
  return CC_K(logistic)(x, CC_K(power_of)(m, v_splat((T)-0.0)), v_splat(1), v_splat(1));
}

CC_ALWAYS_INLINE V CC_K(silu)(V x) {
  const V m = CC_K(at_least)(CC_K(minus_absolute)(x), CC_K(least_power)());
  return CC_K(logistic)(x, CC_K(power_of)(m, v_splat((T)-0.0)), m, x);
}

/* (1 + tanh y) / 2 = sigmoid(2y), so this is x sigmoid(z), z = x (c + d x^2), c = 2 sqrt(2/pi),
 * d = 0.044715 c. For x < 0 that is about x e^z, whose relative error is z's absolute error: z, down to
 * -110 (-750), is computed as a sum z_high + z_low. */
CC_ALWAYS_INLINE V CC_K(gelu_tanh)(V x) {
  const V c_high = v_splat(CC_DTYPE_BITS == 32 ? (T)0x1.988p0 : (T)0x1.988453p0);
  const V c_low = v_splat(CC_DTYPE_BITS == 32 ? (T)0x1.14cf5p-14 : (T)0x1.ea1b284687e5ap-27);
  const V d_high = v_splat(CC_DTYPE_BITS == 32 ? (T)0x1.244p-4 : (T)0x1.2444f28p-4);
  const V d_low = v_splat(CC_DTYPE_BITS == 32 ? (T)0x1.3ca936p-18 : (T)0x1.26c5a57a4def1p-31);
  /* Below -11 (-22) the result rounds to -0. */
  const V m = CC_K(at_least)(CC_K(minus_absolute)(x), v_splat(CC_DTYPE_BITS == 32 ? (T)-11 : (T)-22));

  /* m^2 = square_high + square_low */
  const V m_high = CC_K(upper_half)(m), m_low = m - m_high;
  const V square = m_high * m_high;
  const V square_high = CC_K(upper_half)(square);
  const V square_low = v_fma(m_low, m + m_high, square - square_high);
  /* c + d m^2 = f_high + f_low; the subtraction first, because it is exact and makes the addition so. */
  const V d_square = d_high * square_high;
  const V f_high = CC_K(upper_half)(c_high + d_square);
  const V rest = (c_high - f_high) + d_square;
  const V f_low = v_fma(d_high + d_low, square_low, v_fma(d_low, square_high, rest + c_low));
  const V z_low = v_fma(m, f_low, m_low * f_high);
  return CC_K(logistic)(x, CC_K(power_of)(m_high * f_high, z_low), m, x);
}

/* S(y) = erf(u) / u - 1, where y = 2 u^2 <= 1; error of 1 + S 2^-28.8 (2^-54.9). */
CC_ALWAYS_INLINE V CC_K(erf_centre)(V y) {
#if CC_DTYPE_BITS == 32
  static const T c[] = {-0x1.6b3732p-16, 0x1.5094ap-12, -0x1.b7ce16p-9, 0x1.ce2c64p-6, -0x1.81274p-3, 0x1.06eba8p-3};
#else
  static const T c[] = {-0x1.1885497a2c588p-32, 0x1.b0d244c85bb8fp-28, -0x1.f42a2dea8d548p-24, 0x1.f99bbc0dd83e6p-20,
                        -0x1.c02d7feaeec5bp-16, 0x1.565bcc2f130eep-12, -0x1.b82ce30e39c4ep-9,  0x1.ce2f21a037e95p-6,
                        -0x1.812746b03793dp-3,  0x1.06eba8214db68p-3};
#endif
  return CC_K(polynomial)(c, CC_DTYPE_BITS == 32 ? 5 : 9, y);
}

/* Beyond this x Phi(-x) rounds to 0. */
CC_ALWAYS_INLINE V CC_K(most_tail)(void) { return v_splat(CC_DTYPE_BITS == 32 ? (T)14.5 : (T)38.75); }

/* a Phi(-a) = t s for a from 1 to most_tail, as e^(-a^2/2) q P(q), q = a / (a + k). t lacks the last factor
 * s, a power of two, for the product may be subnormal. The square is split, because an error of a^2/2, up to
 * 105 (751), is a relative error of the result. Below 1, which erf_centre serves better, t is finite. */
CC_ALWAYS_INLINE V CC_K(normal_tail)(V a, V *s) {
  /* P(q) = (a + k) Phi(-a) e^(a^2/2) in powers of q - centre; error 2^-26.5 (2^-55.6). */
#if CC_DTYPE_BITS == 32
  const T k = (T)3.03125, centre = (T)0.5;
  static const T c[] = {-0x1.0e272cp-3, 0x1.62483cp-5, 0x1.ddad02p-3,  -0x1.307df6p-3,
                        -0x1.a49b6ep-2, 0x1.e2d43p-1,  -0x1.06d5a4p+0, 0x1.75deb8p-1};
#else
  const T k = 2.5, centre = 0.5625;
  static const T c[] = {0x1.1c7967f8077b6p+0,  -0x1.080bb18dc8d8p-1,  -0x1.cf2ce729d5e13p-1, 0x1.a91d2e54ca90cp-6,
                        0x1.b63695e21bf09p-2,  0x1.3089e877045a3p-2,  -0x1.192d277dab4dp-6,  -0x1.e3a94f4a98c4p-3,
                        -0x1.71336fd4cfce3p-3, 0x1.9dcfbc04d9e16p-5,  0x1.8264c12cbb384p-3,  0x1.6bfdef461fa9p-4,
                        -0x1.d7bd9eda61f52p-4, -0x1.403d7681cf18bp-3, 0x1.2e4318c3490ecp-5,  0x1.8b8285606995cp-3,
                        0x1.fbac0ed1e1556p-7,  -0x1.12af5218616eep-2, 0x1.d55e5d705f641p-8,  0x1.1236b5050a656p-1,
                        -0x1.9a004db630553p-1, 0x1.4f1d6f4e5d96bp-1};
#endif
  const V q = a / (a + v_splat(k));
  const V product = q * CC_K(polynomial)(c, CC_DTYPE_BITS == 32 ? 7 : 21, q - v_splat(centre));
  const V high = CC_K(upper_half)(a), minus_half = v_splat((T)-0.5);
  const CC_K(power) e = CC_K(power_of)(high * high * minus_half, (a - high) * (a + high) * minus_half);
  *s = e.s;
  return v_fma(product, e.q, product) * e.s;
}

/* x Phi(x): max(x, 0) - |x| Phi(-|x|), but x (1/2 + erf(x / sqrt 2) / 2) for |x| < 1 */
CC_ALWAYS_INLINE V CC_K(gelu_erf)(V x) {
  const V a = CC_K(at_most)(CC_K(absolute)(x), CC_K(most_tail)());
  const V inverse_sqrt8 = v_splat((T)0x1.6a09e667f3bcdp-2);
  const V centre = v_fma(x * inverse_sqrt8, CC_K(erf_centre)(a * a), v_fma(x, inverse_sqrt8, v_splat((T)0.5)));
  V s;
  const V t = CC_K(normal_tail)(a, &s);
  return v_select(a < v_splat(1), x * centre, v_fma(-t, s, CC_K(at_least)(x, v_splat((T)-0.0))));
}

/* As (x + 3) / 6, which does not cancel at -3. */
CC_ALWAYS_INLINE V CC_K(hard_sigmoid)(V x) {
  const V sum = CC_K(at_least)(x, v_splat(-3)) + v_splat(3);
  return CC_K(at_most)(sum, v_splat(6)) * v_splat((T)0x1.5555555555555p-3);
}

/* The activation `kind` of x; a and b are its parameters. Callers pass a constant kind. */
CC_ALWAYS_INLINE V CC_K(activate)(int kind, V x, V a, V b) {
  const V zero = v_splat(0);
  switch (kind) {
  case CCONV_ACTIVATION_RELU:
    return CC_K(at_least)(x, zero);
  case CCONV_ACTIVATION_LEAKY_RELU:
    return v_select(x < zero, a * x, x);
  case CCONV_ACTIVATION_ELU:
    return v_select(x < zero, a * CC_K(exp_minus_one)(CC_K(at_most)(x, zero)), x);
  case CCONV_ACTIVATION_GELU_ERF:
    return CC_K(gelu_erf)(x);
  case CCONV_ACTIVATION_GELU_TANH:
    return CC_K(gelu_tanh)(x);
  case CCONV_ACTIVATION_SILU:
    return CC_K(silu)(x);
  case CCONV_ACTIVATION_HARD_SWISH: /* bounded lest -inf * 0 be NaN */
    return CC_K(at_least)(x, v_splat(-3)) * CC_K(hard_sigmoid)(x);
  case CCONV_ACTIVATION_HARD_SIGMOID:
    return CC_K(hard_sigmoid)(x);
  case CCONV_ACTIVATION_SIGMOID:
    return CC_K(sigmoid)(x);
  case CCONV_ACTIVATION_TANH:
    return CC_K(tanh)(x);
  case CCONV_ACTIVATION_CLIP:
    return CC_K(at_most)(CC_K(at_least)(x, a), b);
  default:
    return x;
  }
}
