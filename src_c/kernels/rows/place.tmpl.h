/* SPDX-License-Identifier: BSD-3-Clause
 * place.tmpl.h - vectors of inputs of rows that are read where they lie, under the taps of a row of outputs.
 *
 * Some lanes under the first vector of a row and the last look outside, at zeros: masks keep them from memory. The last
 * vector ends where the row ends, and what it shares with the one before is the same twice. */

#if CC_VECTOR_BYTES == 64 /* elsewhere masks take registers that sums need */

enum { CC_K(PLACE_HALF) = 3, CC_K(PLACE_ALL) = 4 * VL /* more inputs than a vector's taps look at */ };

/* Vectors of outputs that are summed together lie behind each other, but for the last one: where it begins, in bytes.
 * And which lanes look inside: of steps of 1 those of the first vector's first taps, of the last one's last, and of the
 * middle tap of a vector that is alone in its row; of steps of 2 those of the three vectors that all taps are taken
 * from: of the first vector's first, and of the last one's others. */
typedef struct CC_K(place_strip) {
  int64_t last;
  CC_MASK left[CC_K(PLACE_HALF)], right[CC_K(PLACE_HALF)], middle;
} CC_K(place_strip);

/* The first n lanes; of fewer than none none, of more than all all. */
CC_ALWAYS_INLINE CC_MASK CC_K(place_lanes)(int64_t n) { return (CC_MASK)(n <= 0 ? 0 : n >= VL ? ~0u : ~(~0u << n)); }

/* nv vectors, the first of a row or not, and the last or not: before those that end it lie `passed` outputs. */
static CC_K(place_strip)
    CC_K(place_strip_of)(const cc_place *place, int64_t nv, bool begins, bool ends, int64_t passed) {
  const int64_t side = place->side, step = place->step, before = place->before, half = side / 2;
  const int64_t last = !ends ? (nv - 1) * VL : place->columns < VL ? 0 : place->columns - VL;
  const int64_t left = begins ? before : 0, right = ends ? place->end - step * last + before : CC_K(PLACE_ALL);
  const int64_t alone =
      nv == 1 ? right : CC_K(PLACE_ALL); /* inputs from the first on that the vector looks at, and are there */
  CC_K(place_strip) s = {.last = (last - passed) * (int64_t)sizeof(T), .middle = CC_K(place_lanes)(alone - half)};
  for (int64_t k = 0; k < CC_K(PLACE_HALF); k++) {
    s.left[k] = (CC_MASK)(~CC_K(place_lanes)(left - k) & CC_K(place_lanes)(alone - k));
    s.right[k] = CC_K(place_lanes)(step == 1 ? right - (side - 1 - k) : right - (k + 1) * VL);
  }
  if (step == 2)
    s.right[1] &= CC_K(place_lanes)(side - 2);
  return s;
}

/* What tap kw of a vector of step 1 looks at, the first tap at `at`. */
CC_ALWAYS_INLINE V CC_K(place_tap)(const CC_K(place_strip) * s, const char *at, const int kw, const int side,
                                   const bool first, const bool last, const bool alone) {
  const int half = side / 2;
  at += kw * (int64_t)sizeof(T);
  return v_hold(first && kw < half  ? (V)CC_MM(maskz_loadu)(s->left[kw], at)
                : last && kw > half ? (V)CC_MM(maskz_loadu)(s->right[side - 1 - kw], at)
                : alone             ? (V)CC_MM(maskz_loadu)(s->middle, at)
                                    : v_load(at));
}

/* What taps 0 and 1 of a vector of step 2 look at, and all that lies behind both and others look at. */
CC_ALWAYS_INLINE void CC_K(place_pairs)(const CC_K(place_strip) * s, const char *at, V *even, V *odd, V *behind,
                                        const int side, const bool first, const bool last) {
  const CC_MASK inside = (CC_MASK)~0u, few = (CC_MASK)((1u << (side - 2)) - 1);
  const V a = (V)CC_MM(maskz_loadu)(first ? s->left[0] : inside, at);
  const V b = (V)CC_MM(maskz_loadu)(last ? s->right[0] : inside, at + CC_VECTOR_BYTES);
  *behind = (V)CC_MM(maskz_loadu)(last ? s->right[1] : few, at + 2 * CC_VECTOR_BYTES);
  *even = v_even(a, b);
  *odd = v_odd(a, b);
}

/* Tap kw, from what place_pairs() found. */
CC_ALWAYS_INLINE V CC_K(place_pair)(V e, V o, V c, const int kw) {
#if CC_DTYPE_BITS == 32
  return kw == 0   ? e
         : kw == 1 ? o
         : kw == 2 ? __builtin_shufflevector(e, c, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
         : kw == 3 ? __builtin_shufflevector(o, c, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17)
         : kw == 4 ? __builtin_shufflevector(e, c, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18)
         : kw == 5 ? __builtin_shufflevector(o, c, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 19)
                   : __builtin_shufflevector(e, c, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20);
#else
  return kw == 0   ? e
         : kw == 1 ? o
         : kw == 2 ? __builtin_shufflevector(e, c, 1, 2, 3, 4, 5, 6, 7, 8)
         : kw == 3 ? __builtin_shufflevector(o, c, 1, 2, 3, 4, 5, 6, 7, 9)
         : kw == 4 ? __builtin_shufflevector(e, c, 2, 3, 4, 5, 6, 7, 8, 10)
         : kw == 5 ? __builtin_shufflevector(o, c, 2, 3, 4, 5, 6, 7, 9, 11)
                   : __builtin_shufflevector(e, c, 3, 4, 5, 6, 7, 8, 10, 12);
#endif
}
#endif
