/* SPDX-License-Identifier: BSD-3-Clause
 * isa_avx2.c - the kernels for AVX2 and FMA: 16 registers of 32 bytes.
 *
 * Law: facts only; every line of code is in the templates. */
#include "base/compiler.h"

#if defined(__x86_64__)
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

#define CC_ISA avx2
#define CC_VECTOR_BYTES 32
#define CC_MM_PREFIX _mm256_
#define CC_TILES "kernels/tile/tiles_avx2.inc"
#define CC_PRODUCTS "kernels/winograd/products_avx2.inc"
#define CC_PEAK_CHAINS 12
#include "kernels/isa.tmpl.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
