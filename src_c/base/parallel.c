/* SPDX-License-Identifier: BSD-3-Clause
 * parallel.c - the only file that knows OpenMP, forks and the host's threads.
 *
 * Law: one region a call, its size on the region itself, never a global setting; serial inside an
 * outer region and in a forked child. There libgomp's threads are gone and a region would hang,
 * whoever in the process had started them: so every child forked since the core was loaded is serial. */
#include "base/parallel.h"

#include <time.h>

#include "base/checked.h"

#if defined(_OPENMP)
#include <omp.h>
#include <pthread.h>

static atomic_int forked; /* see cconv_forked */

void cconv_set_forked(void) {
  int never = 0;
  atomic_compare_exchange_strong(&forked, &never, 1);
}

__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(NULL, NULL, cconv_set_forked); }

/* Whether a call that was to have several threads gets one, which is then remembered. */
static bool held_back(void) {
  if (!atomic_load(&forked))
    return false;
  atomic_store(&forked, 2);
  return true;
}

int cconv_max_threads(void) { return omp_get_max_threads(); }
int cconv_forked(void) { return atomic_load(&forked); }
int cconv_openmp_version(void) { return _OPENMP; }
#else
int cconv_max_threads(void) { return 1; }
int cconv_forked(void) { return 0; }
void cconv_set_forked(void) {}
int cconv_openmp_version(void) { return 0; }
#endif

/* Asking may cost the host a lock it has to wait for; a stop within a fifth of a second is soon enough. */
enum { ASK_NANOSECONDS = 20 * 1000 * 1000 };

/* C11 has no monotonic clock. A clock that is set asks once too early or, at worst, late by the correction. */
static int64_t now(void) {
  struct timespec t;
  timespec_get(&t, TIME_UTC);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void cconv_run_begin(cc_run *run, const cconv_context *context) {
  run->context = context;
  run->asked = context->poll ? now() : 0;
  run->serial = true;
  atomic_init(&run->stopped, false);
}

static void ask(cc_run *run) {
  if (atomic_load_explicit(&run->stopped, memory_order_relaxed))
    return;
  const int64_t time = now();
  if (time - run->asked < ASK_NANOSECONDS && time >= run->asked)
    return;
  if (run->context->poll(run->context->host))
    atomic_store_explicit(&run->stopped, true, memory_order_relaxed);
  run->asked = now(); /* the answer may have taken a while */
}

typedef struct team {
  cc_run *run;
  cc_unit_fn *body;
  void *arg;
  int64_t units, parts;
} team;

/* Of OpenMP's threads the first is the one that called; under the host's the first part asks, whoever has it. */
static bool asks(const cc_run *run, int64_t part) {
  if (!run->context->poll || run->serial)
    return run->context->poll;
#if defined(_OPENMP)
  if (!run->context->parallel_for)
    return omp_get_thread_num() == 0;
#endif
  return part == 0;
}

bool cconv_run_stopped(cc_run *run, int64_t part) {
  if (asks(run, part))
    ask(run);
  return atomic_load_explicit(&run->stopped, memory_order_relaxed);
}

static void run_part(void *arg, int64_t part) {
  const team *t = arg;
  const int64_t from = cc_part(t->units, part, t->parts), end = cc_part(t->units, part + 1, t->parts);
  for (int64_t unit = from; unit < end && !cconv_run_stopped(t->run, part); unit++)
    t->body(t->arg, unit, unit == from, part);
}

cconv_status cconv_parallel(cc_run *run, cc_unit_fn *body, void *arg, int64_t units, int64_t parts) {
  const cconv_context *context = run->context;
  team t = {.run = run, .body = body, .arg = arg, .units = units, .parts = parts};
  run->serial = parts <= 1;
  if (!run->serial && context->parallel_for) {
    context->parallel_for(context->host, run_part, &t, parts);
  } else {
#if defined(_OPENMP)
    run->serial = run->serial || held_back() || omp_in_parallel();
    if (!run->serial) {
      /* The runtime may give fewer threads than asked: whoever is there takes every team-th part. */
#pragma omp parallel num_threads((int)parts)
      for (int64_t part = omp_get_thread_num(); part < parts; part += omp_get_num_threads())
        run_part(&t, part);
    }
#else
    run->serial = true;
#endif
    for (int64_t part = 0; run->serial && part < parts; part++)
      run_part(&t, part);
  }
  return atomic_load_explicit(&run->stopped, memory_order_relaxed) ? CCONV_CANCELLED : CCONV_OK;
}
