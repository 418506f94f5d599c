/* SPDX-License-Identifier: BSD-3-Clause
 * halo.c - sizes and offsets of the packed sub-image.
 *
 * Law: integers only; the elements are moved by kernels/rows/halo_pack.tmpl.h. */
#include "shape/halo.h"

#include "base/checked.h"

/* Outputs 0 .. out-1 and taps 0 .. taps-1 reach phase element out - 1 + floor((taps - 1) d / s). */
static cc_halo_axis halo_axis_of(const cc_axis *axis, int64_t out, int64_t taps) {
  const int64_t period = cconv_axis_period(axis), length = out + (taps - 1) * axis->dilation / axis->stride;
  return (cc_halo_axis){.period = period, .phases = cc_min(taps, period), .length = length, .pitch = length};
}

/* Elements of fill at the end of every phase that the next row or slice has at its start as well. A
 * pitch below the number of outputs would let their positions overlap. */
static int64_t shared_fill(const cc_axis *axis, const cc_halo_axis *h) {
  int64_t shared = axis->map == CCONV_PADDING_CONSTANT ? h->length - axis->out : 0;
  for (int64_t i = 0; i < h->phases && shared > 0; i++) {
    const int64_t first = i * axis->dilation % axis->stride - axis->before;
    const int64_t outside = first < 0 ? -(first + 1) / axis->stride + 1 : 0;
    const int64_t inside = first < axis->end ? (axis->end - first - 1) / axis->stride + 1 : 0;
    shared = cc_min(shared, cc_min(outside, h->length - cc_min(inside, h->length)));
  }
  return shared;
}

void cconv_halo_of(const cc_axis axis[3], const int64_t out[3], const int64_t taps[3], int64_t unit, cc_halo *halo) {
  cc_halo_axis *h = halo->axis;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    h[a] = halo_axis_of(&axis[a], out[a], taps[a]);
    /* Only where all blocks and chunks have the same border: there is one of each. */
    if (a > 0 && out[a] == axis[a].out && taps[a] == axis[a].kernel)
      h[a].pitch -= shared_fill(&axis[a], &h[a]);
  }
  halo->phase = ((h[0].length - 1) * h[1].pitch + h[1].length - 1) * h[2].pitch + h[2].length;
  halo->channel = (cc_ceil_div(h[0].phases * h[1].phases * h[2].phases * halo->phase, unit) | 1) * unit;
  halo->positions = ((out[0] - 1) * h[1].pitch + out[1] - 1) * h[2].pitch + out[2];
}

bool cconv_halo_fits(const cc_axis axis[3], const int64_t out[3], const int64_t taps[3], int64_t unit, int64_t channels,
                     int64_t limit) {
  int64_t elements = 1;
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++) {
    cc_halo_axis h = halo_axis_of(&axis[a], out[a], taps[a]);
    if (!cc_mul(elements, h.length, &elements) || !cc_mul(elements, h.phases, &elements) || elements > limit)
      return false;
  }
  return cc_mul(elements + 2 * unit, channels, &elements) && elements <= limit;
}

int64_t cconv_halo_offset(const cc_halo *halo, const cc_axis axis[3], int a, int64_t k) {
  const cc_halo_axis *h = halo->axis;
  int64_t phase = k % h[a].period, element = k * axis[a].dilation / axis[a].stride;
  for (int i = a + 1; i < CCONV_MAX_SPATIAL; i++) {
    phase *= h[i].phases;
    element *= h[i].pitch;
  }
  return phase * halo->phase + element;
}
