/* SPDX-License-Identifier: BSD-3-Clause
 * peak.c - the fused multiply-add rate that all benchmarks are measured against. */
#include "base/error.h"
#include "base/parallel.h"
#include "ops/operation.h"

enum { MOST_ITERATIONS = 1 << 30 }; /* minutes; and no product below overflows */

typedef struct peak {
  const cc_kernels *kernels;
  int64_t iterations;
  int64_t operations; /* of one thread: the same for each */
} peak;

static void run_unit(void *arg, int64_t unit, bool first, int64_t part) {
  peak *p = arg;
  const int64_t operations = p->kernels->fma_peak(p->iterations, 1e-6);
  (void)first, (void)part;
  if (unit == 0)
    p->operations = operations;
}

cconv_status cconv_fma_peak(cconv_dtype dtype, int64_t iterations, const cconv_context *context, int64_t *operations) {
  peak p = {.iterations = iterations};
  cconv_status status = cconv_operation_context(context, NULL);
  if (status || (status = cconv_operation_kernels((int32_t)dtype, "dtype", &p.kernels, NULL)))
    return status;
  if (!p.kernels->fma_peak)
    return CCONV_BAD_DTYPE;
  if (iterations < 1 || !operations)
    return CCONV_BAD_ARGUMENT;
  if (iterations > MOST_ITERATIONS)
    return CCONV_TOO_LARGE;
  const int64_t parts = cconv_operation_parts(context->num_threads, context->num_threads, (double)CC_SERIAL_OPERATIONS);
  cc_run run;
  cconv_run_begin(&run, context);
  status = cconv_parallel(&run, run_unit, &p, parts, parts);
  *operations = p.operations * parts;
  return status;
}
