/* SPDX-License-Identifier: BSD-3-Clause
 * conv_tile.tmpl.h - one register tile of convolution over a haloed block.
 *
 *   slab[m][p] (+)= sum over k of w[m][k] x[off[k] + p], and bias[m bias_step] at last      m < MR, p < NV VL
 *
 * Parameters: MR rows, NV vectors. MR NV accumulators, the fewer of MR weights and NV inputs, and one
 * of the other must fit the register file: 8x3 leaves 4 of 32 zmm, 6x2 leaves 1 of 16 ymm. The layout of the buffers is
 * cc_conv_tile_job's. Undefines MR and NV.
 *
 * What is added at last, and what sums begin with, is always read from somewhere, and volatile pointers say where: GCC 12
 * else makes branches of them, and keeps every row's address on the stack. Activations are not in here: with branches
 * beside the loop it spills accumulators. Terms go by in pairs, for what counts them takes slots of multiply-adds. */

#define CC_TILE CC_K(CC_PASTE(CC_PASTE(CC_PASTE(conv_tile_, MR), x), NV))

#define CC_TERM CC_K(CC_PASTE(CC_PASTE(CC_PASTE(conv_term_, MR), x), NV))

/* Is an input for several rows, and a register left for it? */
#define CC_HOLDS (MR > 1 && MR <= 4 && MR * NV + MR + 2 <= (CC_VECTOR_BYTES == 64 ? 32 : 16))

/* One term of all sums: acc[m][p] += x[m step] y[p]. Rows go by in fours, which an address reaches without sums: they
 * would take slots of multiply-adds. */
CC_ALWAYS_INLINE void CC_TERM(V acc[MR][NV], const TU *x, int64_t step, const T *y) {
  const TU *const row[] = {x, MR > 4 ? x + 4 * step : x}; /* the step of a lone row may not fit */
  const int64_t at[] = {0, MR > 1 ? step : 0, MR > 2 ? 2 * step : 0, MR > 3 ? 3 * step : 0};
  if (MR < NV) { /* hold the fewer: elements ... */
    V a[MR];
    CC_UNROLL
    for (int i = 0; i < MR; i++)
      a[i] = v_splat(row[i / 4][at[i % 4]]);
    CC_UNROLL
    for (int j = 0; j < NV; j++) {
      const V b = CC_HOLDS ? v_hold(v_load(y + j * VL)) : v_load(y + j * VL);
      CC_UNROLL
      for (int i = 0; i < MR; i++)
        acc[i][j] = v_fma(a[i], b, acc[i][j]);
    }
  } else { /* ... or vectors */
    V b[NV];
    CC_UNROLL
    for (int j = 0; j < NV; j++)
      b[j] = CC_HOLDS ? v_hold(v_load(y + j * VL)) : v_load(y + j * VL);
    CC_UNROLL
    for (int i = 0; i < MR; i++) {
      const V a = v_splat(row[i / 4][at[i % 4]]);
      CC_UNROLL
      for (int j = 0; j < NV; j++)
        acc[i][j] = v_fma(a, b[j], acc[i][j]);
    }
  }
}

static CC_NOINLINE void CC_TILE(const cc_conv_tile_job *job) {
  static const T zeros[NV * VL], none = -(T)0; /* x + -0 is x for every x */
  const int64_t lds = job->lds ? job->lds : NV * VL, start_step = job->fresh ? 0 : lds;
  const int64_t bias_step = job->bias ? job->bias_step : 0;
  const T *const volatile start = job->fresh ? zeros : job->slab, *const volatile last = job->bias ? job->bias : &none;
  const T *restrict w = job->w;
  const T *restrict x = job->x;
  const int32_t *restrict off = job->off;
  const int64_t terms = job->k, ldw = job->ldw;
  V acc[MR][NV];
  const T *from = start;
  CC_UNROLL
  for (int i = 0; i < MR; i++, from += start_step) {
    CC_UNROLL
    for (int j = 0; j < NV; j++)
      acc[i][j] = v_load(from + j * VL);
  }
  int64_t k = 0;
#if CC_VECTOR_BYTES == 64 /* others have registers for one */
  for (; k + 2 <= terms; k += 2) {
    CC_TERM(acc, (const TU *)w + k, ldw, x + off[k]);
    CC_TERM(acc, (const TU *)w + k + 1, ldw, x + off[k + 1]);
  }
#endif
  for (; k < terms; k++)
    CC_TERM(acc, (const TU *)w + k, ldw, x + off[k]);
  T *to = job->slab;
  const T *bias = last;
  CC_UNROLL
  for (int i = 0; i < MR; i++, to += lds, bias += bias_step) {
    const V add = v_splat(*bias);
    CC_UNROLL
    for (int j = 0; j < NV; j++)
      v_store(to + j * VL, v_add(acc[i][j], add));
  }
}

#undef CC_TILE

#if CC_FLOATING
#include "kernels/tile/conv_panel.tmpl.h"
#endif

#undef CC_TERM
#undef CC_HOLDS
#undef MR
#undef NV
