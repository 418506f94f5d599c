/* SPDX-License-Identifier: BSD-3-Clause
 * isa.tmpl.h - every kernel, for one instruction set: the whole of kernels/ but the dispatch.
 *
 * Parameters, defined by isa_<name>.c inside its target region:
 *   CC_ISA           name
 *   CC_VECTOR_BYTES  16, 32 or 64
 *   CC_MM_PREFIX     of its intrinsics, unused at 16
 *   CC_TILES         the file that lists its tiles
 *   CC_PEAK_CHAINS   accumulators that fit its registers, at least 2 * FMA latency
 * Undefines them all. */
#include <stdint.h>

#include "base/index_map.h"
#include "kernels/kernels.h"

#define CC_PASTE3(a, b, c) CC_PASTE(CC_PASTE(a, b), c)
#define CC_K(name) CC_PASTE3(CC_PASTE3(cconv_, CC_DTYPE, _), name, CC_PASTE(__, CC_ISA))
#define CC_MM(op) CC_PASTE3(CC_PASTE3(CC_MM_PREFIX, op, _), p, CC_MM_LETTER)
#define CC_MM_MASK(op) CC_PASTE(CC_MM(op), _mask)

#define CC_DTYPE f32
#define CC_DTYPE_BITS 32
#define CC_MM_LETTER s
#define CC_MASK __mmask16
#define T float
#define TI int32_t
#include "kernels/dtype.tmpl.h"

#define CC_DTYPE f64
#define CC_DTYPE_BITS 64
#define CC_MM_LETTER d
#define CC_MASK __mmask8
#define T double
#define TI int64_t
#include "kernels/dtype.tmpl.h"

extern const cc_isa CC_PASTE(cconv_isa__, CC_ISA); /* dispatch.c declares it again, from isa_list.inc */
const cc_isa CC_PASTE(cconv_isa__, CC_ISA) = {
    .name = CC_STRING(CC_ISA),
    .f32 = &CC_PASTE(cconv_f32_kernels__, CC_ISA),
    .f64 = &CC_PASTE(cconv_f64_kernels__, CC_ISA),
};

#undef CC_ISA
#undef CC_VECTOR_BYTES
#undef CC_MM_PREFIX
#undef CC_TILES
#undef CC_PEAK_CHAINS
#undef CC_PASTE3
#undef CC_K
#undef CC_MM
#undef CC_MM_MASK
