/* SPDX-License-Identifier: BSD-3-Clause
 * write_to.tmpl.h - elements T as a row of one narrower integer type.
 *
 *   y[j] = x[j], but at least CC_LEAST and at most CC_MOST      j < n; y's elements are `step` bytes apart
 *
 * Parameters: S, the storage type, CC_STORAGE, its name, CC_LEAST, CC_MOST. Undefines them all. */

static CC_NOINLINE void CC_K(CC_PASTE(write_, CC_STORAGE))(char *y, int64_t step, const T *x, int64_t n) {
  for (int64_t j = 0; j < n; j++) {
    const S value = (S)(x[j] < CC_LEAST ? CC_LEAST : x[j] > CC_MOST ? CC_MOST : x[j]);
    __builtin_memcpy(y + j * step, &value, sizeof value);
  }
}

#undef S
#undef CC_STORAGE
#undef CC_LEAST
#undef CC_MOST
