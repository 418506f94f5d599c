/* SPDX-License-Identifier: BSD-3-Clause
 * isa_avx512.c - the kernels for AVX-512 F, BW, DQ and VL: 32 registers of 64 bytes.
 *
 * Law: facts only; every line of code is in the templates. */
#include "base/compiler.h"

#if defined(__x86_64__)
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#endif

#define CC_ISA avx512
#define CC_VECTOR_BYTES 64
#define CC_MM_PREFIX _mm512_
#define CC_TILES "kernels/tile/tiles_avx512.inc"
#define CC_PRODUCTS "kernels/winograd/products_avx512.inc"
#define CC_PEAK_CHAINS 24
#include "kernels/isa.tmpl.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
