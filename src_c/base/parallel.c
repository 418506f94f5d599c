/* SPDX-License-Identifier: BSD-3-Clause
 * parallel.c - the only file that knows OpenMP, forks and the host's threads.
 *
 * Law: one region a call, its size on the region itself, never a global setting; serial inside an
 * outer region and in a forked child. There libgomp's threads are gone and a region would hang,
 * whoever in the process had started them: so every child forked since the core was loaded is serial. */
#include "base/parallel.h"

#if defined(_OPENMP)
#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>

static atomic_int forked; /* 1 in a child */

static void in_child(void) { atomic_store(&forked, 1); }

__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(NULL, NULL, in_child); }

int cconv_max_threads(void) { return omp_get_max_threads(); }
int cconv_openmp_version(void) { return _OPENMP; }
#else
int cconv_max_threads(void) { return 1; }
int cconv_openmp_version(void) { return 0; }
#endif

void cconv_parallel(const cconv_context *context, void (*body)(void *arg, int64_t part), void *arg, int64_t parts) {
  if (parts > 1 && context->parallel_for) {
    context->parallel_for(context->host, body, arg, parts);
    return;
  }
#if defined(_OPENMP)
  if (parts > 1 && !atomic_load(&forked) && !omp_in_parallel()) {
    /* The runtime may give fewer threads than asked: whoever is there takes every team-th part. */
#pragma omp parallel num_threads((int)parts)
    for (int64_t part = omp_get_thread_num(); part < parts; part += omp_get_num_threads())
      body(arg, part);
    return;
  }
#endif
  for (int64_t part = 0; part < parts; part++)
    body(arg, part);
}
