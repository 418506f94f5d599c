/* SPDX-License-Identifier: BSD-3-Clause
 * parallel.h - run the units of a call on several threads, OpenMP's or the host's, until it is told to stop. */
#ifndef CC_PARALLEL_H
#define CC_PARALLEL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "cconv.h"

/* One call under way. */
typedef struct cc_run {
  const cconv_context *context;
  int64_t asked;       /* when the host was last asked whether to stop, in nanoseconds */
  bool serial;         /* every part runs on the thread that called */
  atomic_bool stopped; /* it said so */
} cc_run;

void cconv_run_begin(cc_run *run, const cconv_context *context);

/* body(arg, unit, first, part) for every unit in [0, units): part p of `parts` takes the units from
 * cc_part(units, p, parts) on, in sequence, at most `parts` at a time; `first` marks a part's first.
 * Parts may run one after the other, so a body never waits for another part. Returns when all are done:
 * CCONV_OK, or CCONV_CANCELLED with units left out when the context's poll asked to stop. */
typedef void cc_unit_fn(void *arg, int64_t unit, bool first, int64_t part);
cconv_status cconv_parallel(cc_run *run, cc_unit_fn *body, void *arg, int64_t units, int64_t parts);

/* Has the call been told to stop? For a body to ask between pieces of a long unit, and to return if so: on
 * the thread that called it asks the host, now and then. */
bool cconv_run_stopped(cc_run *run, int64_t part);

#endif
