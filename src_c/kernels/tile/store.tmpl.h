/* SPDX-License-Identifier: BSD-3-Clause
 * store.tmpl.h - from the slab to the output: bias and activation, and scattered outputs.
 *
 *   y[m][j] = activation(slab[m][j] + bias[m bias_step])      m < rows, j < n
 *
 * Tails run the same vector code as the body, so an element's bits do not depend on where it is. */

CC_ALWAYS_INLINE void CC_K(store_as)(const cc_store_job *job, int kind) {
  const V a = v_splat(CC_K(number)(job->a)), b = v_splat(CC_K(number)(job->b));
  const T *slab = job->slab, *bias = job->bias;
  for (int64_t m = 0; m < job->rows; m++) {
    const T *x = slab + m * job->lds;
    T *y = (T *)(void *)((char *)job->y + m * job->y_stride);
    const V add = v_splat(bias ? bias[m * job->bias_step] : (T)0);
    int64_t j = 0;
    for (; j + VL <= job->n; j += VL)
      v_store(y + j, CC_K(activate)(kind, v_add(v_load(x + j), add), a, b));
    if (j < job->n) /* the slab has a vector's slack */
      v_store_part(y + j, job->n - j, CC_K(activate)(kind, v_add(v_load(x + j), add), a, b));
  }
}

static void CC_K(store)(const cc_store_job *job) {
  switch ((cconv_activation)job->activation) {
  case CCONV_ACTIVATION_NONE:
    CC_K(store_as)(job, CCONV_ACTIVATION_NONE);
    break;
  case CCONV_ACTIVATION_RELU:
    CC_K(store_as)(job, CCONV_ACTIVATION_RELU);
    break;
  case CCONV_ACTIVATION_CLIP:
    CC_K(store_as)(job, CCONV_ACTIVATION_CLIP);
    break;
#if CC_FLOATING
  case CCONV_ACTIVATION_LEAKY_RELU:
    CC_K(store_as)(job, CCONV_ACTIVATION_LEAKY_RELU);
    break;
  case CCONV_ACTIVATION_ELU:
    CC_K(store_as)(job, CCONV_ACTIVATION_ELU);
    break;
  case CCONV_ACTIVATION_GELU_ERF:
    CC_K(store_as)(job, CCONV_ACTIVATION_GELU_ERF);
    break;
  case CCONV_ACTIVATION_GELU_TANH:
    CC_K(store_as)(job, CCONV_ACTIVATION_GELU_TANH);
    break;
  case CCONV_ACTIVATION_SILU:
    CC_K(store_as)(job, CCONV_ACTIVATION_SILU);
    break;
  case CCONV_ACTIVATION_HARD_SWISH:
    CC_K(store_as)(job, CCONV_ACTIVATION_HARD_SWISH);
    break;
  case CCONV_ACTIVATION_HARD_SIGMOID:
    CC_K(store_as)(job, CCONV_ACTIVATION_HARD_SIGMOID);
    break;
  case CCONV_ACTIVATION_SIGMOID:
    CC_K(store_as)(job, CCONV_ACTIVATION_SIGMOID);
    break;
  case CCONV_ACTIVATION_TANH:
    CC_K(store_as)(job, CCONV_ACTIVATION_TANH);
    break;
#else
  default: /* no other is defined on integers */
    break;
#endif
  }
}

/* For outputs of another type, or whose last axis is strided. */
static void CC_K(scatter)(const cc_scatter_job *job) {
#if CC_FLOATING
  if (job->y_stride == (int64_t)sizeof(T) && job->rows > 1 && CC_K(is_native)(job->target)) { /* channels last */
    CC_K(transpose)(&(cc_transpose_job){.source = (const char *)job->x,
                                        .stride = job->ldx * (int64_t)sizeof(T),
                                        .rows = job->rows,
                                        .n = job->n,
                                        .target = job->y,
                                        .ldt = job->y_step / (int64_t)sizeof(T)});
    return;
  }
#endif
  for (int64_t m = 0; m < job->rows; m++)
    CC_K(write_row)((char *)job->y + m * job->y_stride, job->y_step, (const T *)job->x + m * job->ldx, job->n,
                    job->target);
}
