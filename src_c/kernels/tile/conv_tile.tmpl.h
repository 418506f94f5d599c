/* SPDX-License-Identifier: BSD-3-Clause
 * conv_tile.tmpl.h - one register tile of convolution over a haloed block.
 *
 *   slab[m][p] (+)= sum over k of w[m][k] x[off[k] + p]      m < MR, p < NV VL
 *
 * Parameters: MR rows, NV vectors. MR NV accumulators, the fewer of MR weights and NV inputs, and one
 * of the other must fit the register file: 8x3 leaves 4 of 32 zmm, 6x2 leaves 1 of 16 ymm. The layout of the buffers is
 * cc_conv_tile_job's. Undefines MR and NV.
 *
 * The epilogue is not in here: with branches beside the loop GCC 12 spills accumulators. */

#define CC_TILE CC_K(CC_PASTE(CC_PASTE(CC_PASTE(conv_tile_, MR), x), NV))

#define CC_TERM CC_K(CC_PASTE(CC_PASTE(CC_PASTE(conv_term_, MR), x), NV))

/* One term of all sums: acc[m][p] += x[m step] y[p] */
CC_ALWAYS_INLINE void CC_TERM(V acc[MR][NV], const TU *x, int64_t step, const T *y) {
  if (MR < NV) { /* hold the fewer: elements ... */
    V a[MR];
    CC_UNROLL
    for (int i = 0; i < MR; i++)
      a[i] = v_splat(x[i * step]);
    CC_UNROLL
    for (int j = 0; j < NV; j++) {
      const V b = v_load(y + j * VL);
      CC_UNROLL
      for (int i = 0; i < MR; i++)
        acc[i][j] = v_fma(a[i], b, acc[i][j]);
    }
  } else { /* ... or vectors */
    V b[NV];
    CC_UNROLL
    for (int j = 0; j < NV; j++)
      b[j] = v_load(y + j * VL);
    CC_UNROLL
    for (int i = 0; i < MR; i++) {
      const V a = v_splat(x[i * step]);
      CC_UNROLL
      for (int j = 0; j < NV; j++)
        acc[i][j] = v_fma(a, b[j], acc[i][j]);
    }
  }
}

static CC_NOINLINE void CC_TILE(const cc_conv_tile_job *job) {
  const T *restrict w = job->w;
  const T *restrict x = job->x;
  const int32_t *restrict off = job->off;
  T *restrict slab = job->slab;
  const int64_t terms = job->k, ldw = job->ldw;
  V acc[MR][NV];
  if (job->fresh) {
    CC_UNROLL
    for (int i = 0; i < MR; i++) {
      CC_UNROLL
      for (int j = 0; j < NV; j++)
        acc[i][j] = (V){0};
    }
  } else {
    CC_UNROLL
    for (int i = 0; i < MR; i++) {
      CC_UNROLL
      for (int j = 0; j < NV; j++)
        acc[i][j] = v_load(slab + (i * NV + j) * VL);
    }
  }
  for (int64_t k = 0; k < terms; k++)
    CC_TERM(acc, (const TU *)w + k, ldw, x + off[k]);
  CC_UNROLL
  for (int i = 0; i < MR; i++) {
    CC_UNROLL
    for (int j = 0; j < NV; j++)
      v_store(slab + (i * NV + j) * VL, acc[i][j]);
  }
}

#undef CC_TILE

#if CC_FLOATING
#include "kernels/tile/conv_panel.tmpl.h"
#endif

#undef CC_TERM
#undef MR
#undef NV
