/* SPDX-License-Identifier: BSD-3-Clause
 * parallel.h - run the parts of a body on several threads: OpenMP's or the host's. */
#ifndef CC_PARALLEL_H
#define CC_PARALLEL_H

#include "cconv.h"

/* body(arg, part) once for every part in [0, parts), at most parts at a time; returns when all are
 * done. Parts may run one after the other, so a body never waits for another part. */
void cconv_parallel(const cconv_context *context, void (*body)(void *arg, int64_t part), void *arg, int64_t parts);

#endif
