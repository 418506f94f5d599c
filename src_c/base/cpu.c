/* SPDX-License-Identifier: BSD-3-Clause
 * cpu.c - CPU features and cache sizes, asked of the CPU itself.
 *
 * Law: the compiler's __builtin_cpu_supports decides on features (it checks that the system saves
 * the wide registers) but AMX, for which Linux wants to be asked; nothing here parses files or runs code to find
 * out. */
#include "base/cpu.h"

#include "base/compiler.h"
#include "cconv.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#define CC_X86 1
#endif
#if CC_AMX
#include <sys/syscall.h>
#endif

typedef struct cc_feature {
  const char *name;
  bool present;
} cc_feature;

bool cconv_cpu_has_any(void) { return true; }

#if defined(CC_X86)

bool cconv_cpu_has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool cconv_cpu_has_avx512(void) {
  return cconv_cpu_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

#if CC_AMX
/* Linux keeps the tiles of those who ask. Their header declares no syscall in ISO C. */
extern long syscall(long number, ...);
enum { ARCH_REQ_XCOMP_PERM = 0x1023, TILE_DATA = 18 };

bool cconv_cpu_has_amx(void) {
  const unsigned tiles = 1U << 22 | 1U << 24 | 1U << 25; /* of bfloat16, at all, and of bytes */
  unsigned a, b, c, d;
  return cconv_cpu_has_avx512() && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni") &&
         __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & tiles) == tiles &&
         syscall(SYS_arch_prctl, (long)ARCH_REQ_XCOMP_PERM, (long)TILE_DATA) == 0;
}
#endif

const char *cconv_cpu_feature(int index) {
  unsigned a, b, c, d = 0;
  __get_cpuid_count(7, 0, &a, &b, &c, &d);
  const cc_feature features[] = {
      {"sse2", __builtin_cpu_supports("sse2")},
      {"avx", __builtin_cpu_supports("avx")},
      {"avx2", __builtin_cpu_supports("avx2")},
      {"fma", __builtin_cpu_supports("fma")},
      {"avx512f", __builtin_cpu_supports("avx512f")},
      {"avx512bw", __builtin_cpu_supports("avx512bw")},
      {"avx512dq", __builtin_cpu_supports("avx512dq")},
      {"avx512vl", __builtin_cpu_supports("avx512vl")},
      {"avx512vbmi", __builtin_cpu_supports("avx512vbmi")},
      {"avx512vnni", __builtin_cpu_supports("avx512vnni")},
      {"amx-bf16", d >> 22 & 1},
      {"amx-int8", d >> 25 & 1},
      {"amx-tile", d >> 24 & 1},
  };
  int present = 0;
  for (int i = 0; i < (int)(sizeof features / sizeof *features); i++)
    if (features[i].present && present++ == index)
      return features[i].name;
  return NULL;
}

/* Leaf 4 (Intel) and leaf 0x8000001D (AMD) list the caches in the same form: type and level in EAX,
 * ways, partitions and line size in EBX, sets in ECX, each less one. */
static int64_t cache_of_leaf(unsigned leaf, unsigned level) {
  unsigned a, b, c, d;
  for (unsigned i = 0; i < 16 && __get_cpuid_count(leaf, i, &a, &b, &c, &d) && (a & 31); i++)
    if ((a & 31) != 2 && (a >> 5 & 7) == level) /* type 2 holds instructions */
      return (int64_t)((b >> 22) + 1) * ((b >> 12 & 1023) + 1) * ((b & 4095) + 1) * ((int64_t)c + 1);
  return 0;
}

static int64_t cache_l2(void) {
  int64_t bytes = cache_of_leaf(4, 2);
  return bytes ? bytes : cache_of_leaf(0x8000001D, 2);
}

#else

bool cconv_cpu_has_avx2(void) { return false; }
bool cconv_cpu_has_avx512(void) { return false; }
const char *cconv_cpu_feature(int index) {
  (void)index;
  return NULL;
}
static int64_t cache_l2(void) { return 0; }

#endif

int64_t cconv_cache_l2(void) {
  /* 0: not asked yet. Two threads that ask at once store the same value. 32 bits: some CPUs have no
   * atomics of 64 but in a library. */
  static _Atomic int32_t known_kib;
  int32_t kib = known_kib;
  if (!kib) {
    kib = (int32_t)(cache_l2() >> 10);
    if (kib < 128) /* hidden by a hypervisor, or another architecture: what any core has */
      kib = 256;
    known_kib = kib;
  }
  return (int64_t)kib << 10;
}
