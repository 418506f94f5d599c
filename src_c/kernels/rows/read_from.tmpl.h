/* SPDX-License-Identifier: BSD-3-Clause
 * read_from.tmpl.h - a row of one storage type as elements T.
 *
 *   y[j] = (T)x[j]      j < n; x's elements are `step` bytes apart and of any alignment
 *
 * Parameters: S, the storage type, and CC_STORAGE, its name. Undefines both. */

#define CC_READ CC_K(CC_PASTE(read_, CC_STORAGE))
#define VS CC_K(CC_PASTE(vector_of_, CC_STORAGE))

typedef S VS __attribute__((vector_size(VL * sizeof(S)), aligned(1), may_alias));

static CC_NOINLINE void CC_READ(T *restrict y, const char *x, int64_t step, int64_t n) {
  int64_t j = 0;
  if (step == (int64_t)sizeof(S))
    for (; j + VL <= n; j += VL)
      v_store(y + j, __builtin_convertvector(*(const VS *)(const void *)(x + j * step), V));
  for (; j < n; j++) {
    S value;
    __builtin_memcpy(&value, x + j * step, sizeof value);
    y[j] = (T)value;
  }
}

#undef VS
#undef CC_READ
#undef S
#undef CC_STORAGE
