/* SPDX-License-Identifier: BSD-3-Clause
 * compiler.h - what differs between compilers, in one place.
 *
 * Law: names and annotations only. */
#ifndef CC_COMPILER_H
#define CC_COMPILER_H

#if !defined(__GNUC__)
#error "cconv needs GCC, or clang with GCC's macros: its kernels are written in their vector types"
#endif

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "compile cconv without -ffast-math and -Ofast: they break NaN, infinity and the rounding it promises"
#endif

/* A multiply and an add stay two operations unless fma is written, whatever the embedder's flags:
 * the answer may not depend on -std=gnu11 (which lets GCC contract) or on the compiler. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off")
#endif

/* Can code for the tiles of AMX be compiled, and the system be asked for them? */
#if defined(__x86_64__) && defined(__linux__) && defined(__has_include)
#if __has_include(<amxbf16intrin.h>) || __has_include(<amxintrin.h>)
#define CC_AMX 1
#endif
#endif
#ifndef CC_AMX
#define CC_AMX 0
#endif

#define CC_ALWAYS_INLINE static inline __attribute__((always_inline))
#define CC_NOINLINE __attribute__((noinline))

/* Before a loop over registers whose bounds are literals: at -O2 GCC keeps the array in memory
 * unless it is told to unroll (measured: 78 instead of 270 GFLOP/s); clang unrolls by itself. */
#if defined(__clang__)
#define CC_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CC_UNROLL _Pragma("GCC unroll 32")
#endif

#define CC_PASTE_(a, b) a##b
#define CC_PASTE(a, b) CC_PASTE_(a, b)
#define CC_STRING_(a) #a
#define CC_STRING(a) CC_STRING_(a)

#endif
