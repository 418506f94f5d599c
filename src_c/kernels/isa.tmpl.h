/* SPDX-License-Identifier: BSD-3-Clause
 * isa.tmpl.h - every kernel, for one instruction set: the whole of kernels/ but the dispatch.
 *
 * Parameters, defined by isa_<name>.c inside its target region:
 *   CC_ISA           name
 *   CC_VECTOR_BYTES  16, 32 or 64
 *   CC_MM_PREFIX     of its intrinsics, unused at 16
 *   CC_TILES         the file that lists its tiles
 *   CC_PRODUCTS      the file that lists its tiles in Winograd's domain
 *   CC_PEAK_CHAINS   accumulators that fit its registers, at least 2 * FMA latency
 * Undefines them all. */
#include <stdint.h>

#include "base/half.h"
#include "base/index_map.h"
#include "kernels/kernels.h"

#define CC_PASTE3(a, b, c) CC_PASTE(CC_PASTE(a, b), c)
#define CC_K(name) CC_PASTE3(CC_PASTE3(cconv_, CC_DTYPE, _), name, CC_PASTE(__, CC_ISA))
#define CC_MM(op) CC_PASTE3(CC_MM_PREFIX, op, CC_MM_SUFFIX)
#define CC_MM_MASK(op) CC_PASTE(CC_MM(op), _mask)

#define CC_DTYPE f32
#define CC_DTYPE_BITS 32
#define CC_MM_SUFFIX _ps
#define CC_MM_VECTOR __m512
#define CC_MASK __mmask16
#define T float
#define TI int32_t
#define TA float
#define CC_FLOATING 1
#define CC_SIGNED 0
#define CC_LOWEST -__builtin_inff()
#define CC_HIGHEST __builtin_inff()
#include "kernels/dtype.tmpl.h"

#define CC_DTYPE f64
#define CC_DTYPE_BITS 64
#define CC_MM_SUFFIX _pd
#define CC_MM_VECTOR __m512d
#define CC_MASK __mmask8
#define T double
#define TI int64_t
#define TA double
#define CC_FLOATING 1
#define CC_SIGNED 0
#define CC_LOWEST -__builtin_inf()
#define CC_HIGHEST __builtin_inf()
#include "kernels/dtype.tmpl.h"

#define CC_DTYPE i32
#define CC_DTYPE_BITS 32
#define CC_MM_SUFFIX _epi32
#define CC_MM_VECTOR __m512i
#define CC_MASK __mmask16
#define T int32_t
#define TI int32_t
#define TA uint32_t
#define CC_FLOATING 0
#define CC_SIGNED 1
#define CC_LOWEST INT32_MIN
#define CC_HIGHEST INT32_MAX
#include "kernels/dtype.tmpl.h"

#define CC_DTYPE i64
#define CC_DTYPE_BITS 64
#define CC_MM_SUFFIX _epi64
#define CC_MM_VECTOR __m512i
#define CC_MASK __mmask8
#define T int64_t
#define TI int64_t
#define TA uint64_t
#define CC_FLOATING 0
#define CC_SIGNED 1
#define CC_LOWEST INT64_MIN
#define CC_HIGHEST INT64_MAX
#include "kernels/dtype.tmpl.h"

#define CC_DTYPE u64
#define CC_DTYPE_BITS 64
#define CC_MM_SUFFIX _epi64
#define CC_MM_VECTOR __m512i
#define CC_MASK __mmask8
#define T uint64_t
#define TI int64_t
#define TA uint64_t
#define CC_FLOATING 0
#define CC_SIGNED 0
#define CC_LOWEST 0
#define CC_HIGHEST UINT64_MAX
#include "kernels/dtype.tmpl.h"

extern const cc_isa CC_PASTE(cconv_isa__, CC_ISA); /* dispatch.c declares it again, from isa_list.inc */
const cc_isa CC_PASTE(cconv_isa__, CC_ISA) = {
    .name = CC_STRING(CC_ISA),
    .f32 = &CC_PASTE(cconv_f32_kernels__, CC_ISA),
    .f64 = &CC_PASTE(cconv_f64_kernels__, CC_ISA),
    .i32 = &CC_PASTE(cconv_i32_kernels__, CC_ISA),
    .i64 = &CC_PASTE(cconv_i64_kernels__, CC_ISA),
    .u64 = &CC_PASTE(cconv_u64_kernels__, CC_ISA),
};

#undef CC_ISA
#undef CC_VECTOR_BYTES
#undef CC_MM_PREFIX
#undef CC_TILES
#undef CC_PRODUCTS
#undef CC_PEAK_CHAINS
#undef CC_PASTE3
#undef CC_K
#undef CC_MM
#undef CC_MM_MASK
