/* SPDX-License-Identifier: BSD-3-Clause
 * isa_generic.c - the kernels for any CPU: vectors of 16 bytes, which compilers map to SSE2 or NEON.
 *
 * Law: facts only; every line of code is in the templates. */
#include "base/compiler.h"

#define CC_ISA generic
#define CC_VECTOR_BYTES 16
#define CC_TILES "kernels/tile/tiles_generic.inc"
#define CC_PRODUCTS "kernels/winograd/products_generic.inc"
#define CC_PEAK_CHAINS 12
#include "kernels/isa.tmpl.h"
