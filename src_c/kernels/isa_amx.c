/* SPDX-License-Identifier: BSD-3-Clause
 * isa_amx.c - AVX-512, and a matrix unit for bfloat16 and for integers of 8 bits.
 *
 * Law: facts only; every line of code is in the templates. All but its products is that of avx512. */
#include "base/compiler.h"

#if CC_AMX
#include <immintrin.h>

#include "kernels/kernels.h"

#if defined(__clang__)
#pragma clang attribute push(                                                                                          \
    __attribute__((target("amx-tile,amx-bf16,amx-int8,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni"))),    \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("amx-tile,amx-bf16,amx-int8,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")
#endif

#include "kernels/matrix/split.tmpl.h"

#include "kernels/matrix/tiles.tmpl.h"

#define CC_PLANES 0
#include "kernels/matrix/products.tmpl.h"

#define CC_PLANES 1
#include "kernels/matrix/products.tmpl.h"

#include "kernels/matrix/digits.tmpl.h"

#define CC_PLANES 0
#define CC_NEAR 0
#include "kernels/matrix/digit_steps.tmpl.h"

#define CC_PLANES 1
#define CC_NEAR 0
#include "kernels/matrix/digit_steps.tmpl.h"

#define CC_PLANES 1
#define CC_NEAR 1
#include "kernels/matrix/digit_steps.tmpl.h"

#include "kernels/matrix/digit_products.tmpl.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

extern const cc_kernels cconv_f32_kernels__avx512, cconv_f64_kernels__avx512, cconv_i32_kernels__avx512,
    cconv_i64_kernels__avx512, cconv_u64_kernels__avx512;

static const cc_matrix_kernels cconv_f32_matrix_kernels__amx = {.split = cconv_f32_split__amx,
                                                                .squares = cconv_f32_squares__amx,
                                                                .begin = cconv_f32_matrix_begin__amx,
                                                                .end = cconv_f32_matrix_end__amx,
                                                                .lines = cconv_f32_matrix_lines__amx,
                                                                .planes = cconv_f32_matrix_planes__amx,
                                                                .magnitudes = cconv_f32_magnitudes__amx,
                                                                .digits = cconv_f32_digits__amx,
                                                                .digit_squares = cconv_f32_digit_squares__amx,
                                                                .digit_weights = cconv_f32_digit_weights__amx,
                                                                .digit_rows = cconv_f32_digit_rows__amx,
                                                                .digit_shares = cconv_f32_digit_shares__amx,
                                                                .digit_products = cconv_f32_digit_products__amx};

extern const cc_isa cconv_isa__amx; /* dispatch.c declares it again, from isa_list.inc */
const cc_isa cconv_isa__amx = {
    .name = "amx",
    .f32 = &cconv_f32_kernels__avx512,
    .f64 = &cconv_f64_kernels__avx512,
    .i32 = &cconv_i32_kernels__avx512,
    .i64 = &cconv_i64_kernels__avx512,
    .u64 = &cconv_u64_kernels__avx512,
    .matrix = &cconv_f32_matrix_kernels__amx,
};
#endif
