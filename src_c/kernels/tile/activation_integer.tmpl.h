/* SPDX-License-Identifier: BSD-3-Clause
 * activation_integer.tmpl.h - the activations of a store that integers have.
 *
 *   relu   max(x, 0)      clip   min(max(x, a), b) */

/* The activation `kind` of x; a and b are its parameters. Callers pass a constant kind. */
CC_ALWAYS_INLINE V CC_K(activate)(int kind, V x, V a, V b) {
  switch (kind) {
  case CCONV_ACTIVATION_RELU:
    return v_max_nan(x, v_splat(0));
  case CCONV_ACTIVATION_CLIP:
    return v_min_nan(v_max_nan(x, a), b);
  default:
    return x;
  }
}
