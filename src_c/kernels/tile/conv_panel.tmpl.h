/* SPDX-License-Identifier: BSD-3-Clause
 * conv_panel.tmpl.h - one register tile of convolution over a panel: see cc_conv_panel_job.
 *
 *   slab[m][p] (+)= sum over k of x[m step + off[k]] panel[k][p]      m < MR, p < NV VL
 *
 * Parameters: MR rows, NV vectors, and CC_TERM of conv_tile.tmpl.h, which includes this file.
 *
 * Terms go by in pairs: what counts them takes slots of multiply-adds on some processors (measured on an Intel
 * Xeon: 3 % of the peak). */

static CC_NOINLINE void CC_K(CC_PASTE(CC_PASTE(CC_PASTE(conv_panel_, MR), x), NV))(const cc_conv_panel_job *job) {
  const TU *restrict x = job->x;
  const T *restrict panel = job->panel;
  const int32_t *restrict off = job->off;
  T *restrict slab = job->slab;
  const int64_t terms = job->k, step = job->step, pitch = job->pitch, lds = job->lds;
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
        acc[i][j] = v_load(slab + i * lds + j * VL);
    }
  }
  int64_t k = 0;
  for (; k + 2 <= terms; k += 2) {
    CC_TERM(acc, x + off[k], step, panel);
    CC_TERM(acc, x + off[k + 1], step, panel + pitch);
    panel += 2 * pitch;
  }
  if (k < terms)
    CC_TERM(acc, x + off[k], step, panel);
  CC_UNROLL
  for (int i = 0; i < MR; i++) {
    CC_UNROLL
    for (int j = 0; j < NV; j++)
      v_store(slab + i * lds + j * VL, acc[i][j]);
  }
}
