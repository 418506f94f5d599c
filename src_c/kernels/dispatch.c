/* SPDX-License-Identifier: BSD-3-Clause
 * dispatch.c - which instruction set runs: the best this CPU has, capped by CCONV_ISA.
 *
 * Law: decided once, at the first call, and the same for every thread. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/cpu.h"
#include "kernels/kernels.h"

#define CC_ISA_ENTRY(isa, present) extern const cc_isa CC_PASTE(cconv_isa__, isa);
#include "kernels/isa_list.inc"
#undef CC_ISA_ENTRY

#define CC_ISA_ENTRY(isa, present) CC_STRING(isa),
static const char *const names[] = {
#include "kernels/isa_list.inc"
};
#undef CC_ISA_ENTRY

enum { ISA_COUNT = sizeof names / sizeof *names };

const char *cconv_isa_name(int index) { return index >= 0 && index < ISA_COUNT ? names[index] : NULL; }

typedef struct candidate {
  const cc_isa *isa;
  bool (*present)(void); /* asked only where it may be taken: one asks the system for more than a fact */
} candidate;

/* The best instruction set not above `cap` in the list; NULL when cap is the name of none. */
static const cc_isa *select_isa(const char *cap) {
#define CC_ISA_ENTRY(isa, present) {&CC_PASTE(cconv_isa__, isa), present},
  const candidate candidates[] = {
#include "kernels/isa_list.inc"
  };
#undef CC_ISA_ENTRY
  bool allowed = !cap || !*cap;
  for (int i = 0; i < ISA_COUNT; i++) {
    allowed = allowed || strcmp(cap, names[i]) == 0;
    if (allowed && candidates[i].present())
      return candidates[i].isa;
  }
  return NULL;
}

const cc_isa *cconv_isa_in_use(void) {
  static const cc_isa none = {.name = NULL};
  /* Threads that race here all store the same answer. */
  static const cc_isa *_Atomic known;
  const cc_isa *isa = known;
  if (!isa) {
    isa = select_isa(getenv("CCONV_ISA"));
    known = isa = isa ? isa : &none;
  }
  return isa->name ? isa : NULL;
}

const cc_kernels *cconv_isa_kernels(const cc_isa *isa, int32_t dtype) {
  switch ((cconv_dtype)dtype) {
  case CCONV_FLOAT32:
    return isa->f32;
  case CCONV_FLOAT64:
    return isa->f64;
  case CCONV_INT32:
    return isa->i32;
  case CCONV_INT64:
    return isa->i64;
  case CCONV_UINT64:
    return isa->u64;
  default:
    return NULL;
  }
}

const char *cconv_isa(void) {
  const cc_isa *isa = cconv_isa_in_use();
  return isa ? isa->name : NULL;
}
