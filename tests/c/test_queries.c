/* SPDX-License-Identifier: BSD-3-Clause
 * test_queries.c - the functions that answer a question: statuses, instruction sets, the machine. */
#include "guarded.h"

#include <limits.h>
#include <sys/wait.h>

#include "check.h"

static void statuses(void) {
  const char *none = cconv_status_text(CCONV_CANCELLED + 1);
  for (int s = CCONV_OK; s <= CCONV_CANCELLED; s++) {
    const char *text = cconv_status_text(s);
    if (!CHECK(text && strlen(text) > 10))
      continue;
    CHECK(text[0] >= 'A' && text[0] <= 'Z' && text[strlen(text) - 1] == '.');
    CHECK(strcmp(text, none) != 0);
    for (int other = CCONV_OK; other < s; other++)
      CHECK(strcmp(text, cconv_status_text(other)) != 0);
  }
  CHECK(none && strlen(none) > 10);
  CHECK(strcmp(cconv_status_text(-1), none) == 0);
  CHECK(strcmp(cconv_status_text(INT_MAX), none) == 0);
  CHECK(strcmp(cconv_status_text(INT_MIN), none) == 0);
}

static void instruction_sets(void) {
  int count = 0, in_use = -1;
  const char *isa = cconv_isa();
  for (; cconv_isa_name(count); count++)
    if (isa && strcmp(isa, cconv_isa_name(count)) == 0)
      in_use = count;
  CHECK(count >= 1 && strcmp(cconv_isa_name(count - 1), "generic") == 0);
  CHECK(in_use >= 0);
  CHECK(cconv_isa() == isa || strcmp(cconv_isa(), isa) == 0);
  CHECK(!cconv_isa_name(-1) && !cconv_isa_name(INT_MIN) && !cconv_isa_name(INT_MAX));

  int features = 0;
  while (cconv_cpu_feature(features))
    CHECK(strlen(cconv_cpu_feature(features++)) >= 2);
  CHECK(!cconv_cpu_feature(-1) && !cconv_cpu_feature(INT_MIN) && !cconv_cpu_feature(INT_MAX));
#if defined(__x86_64__)
  const int tiles = strcmp(cconv_isa_name(0), "amx") == 0; /* which not every compiler and system knows */
  CHECK(count == 3 + tiles && features >= 1);
#endif
}

static void machine(void) {
  CHECK(cconv_cache_l2() >= 64 << 10 && cconv_cache_l2() <= 1 << 28);
  CHECK(cconv_cache_l2() == cconv_cache_l2());
  CHECK(cconv_max_threads() >= 1);
  CHECK(cconv_openmp_version() == 0 || cconv_openmp_version() >= 199810);
}

static void peak(void) {
  cconv_context context = {.struct_size = sizeof context, .num_threads = 1};
  int64_t once = 0, twice = 0, threads = 0, untouched = -1;
  for (int dtype = CCONV_FLOAT32; dtype <= CCONV_FLOAT64; dtype++) {
    CHECK(cconv_fma_peak((cconv_dtype)dtype, 1000, &context, &once) == CCONV_OK && once >= 1000 * 2 * 16);
    CHECK(cconv_fma_peak((cconv_dtype)dtype, 2000, &context, &twice) == CCONV_OK && twice == 2 * once);
    context.num_threads = 2;
    CHECK(cconv_fma_peak((cconv_dtype)dtype, 1000, &context, &threads) == CCONV_OK && threads == 2 * once);
    context.num_threads = 1;
  }
  CHECK(cconv_fma_peak(CCONV_FLOAT32, 1000, &context, NULL) == CCONV_BAD_ARGUMENT);
  CHECK(cconv_fma_peak(CCONV_FLOAT32, 0, &context, &untouched) == CCONV_BAD_ARGUMENT);
  CHECK(cconv_fma_peak(CCONV_FLOAT32, -1, &context, &untouched) == CCONV_BAD_ARGUMENT);
  CHECK(cconv_fma_peak(CCONV_FLOAT32, 1000, NULL, &untouched) == CCONV_BAD_ARGUMENT);
  CHECK(cconv_fma_peak((cconv_dtype)0, 1000, &context, &untouched) == CCONV_BAD_DTYPE);
  CHECK(cconv_fma_peak((cconv_dtype)99, 1000, &context, &untouched) == CCONV_BAD_DTYPE);
  context.num_threads = 0;
  CHECK(cconv_fma_peak(CCONV_FLOAT32, 1000, &context, &untouched) == CCONV_BAD_ARGUMENT);
  CHECK(untouched == -1);
}

/* In a child: 1 until a call was to have several threads, then 2; never in the parent. */
static void forks(void) {
  const int openmp = cconv_openmp_version() != 0;
  cconv_context context = {.struct_size = sizeof context, .num_threads = 1};
  int64_t done;
  int status = -1;
  CHECK(cconv_forked() == 0);
  const pid_t child = fork();
  if (child == 0) {
    int wrong = cconv_forked() != openmp;
    wrong |= cconv_fma_peak(CCONV_FLOAT32, 1000, &context, &done) != CCONV_OK || cconv_forked() != openmp;
    context.num_threads = 2;
    wrong |= cconv_fma_peak(CCONV_FLOAT32, 1000, &context, &done) != CCONV_OK || cconv_forked() != 2 * openmp;
    cconv_set_forked();
    wrong |= cconv_forked() != 2 * openmp;
    _exit(wrong);
  }
  CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
  CHECK(cconv_forked() == 0);
  cconv_set_forked();
  CHECK(cconv_forked() == openmp);
}

int main(void) {
  statuses();
  instruction_sets();
  machine();
  peak();
  forks(); /* the last: the process counts as forked from here on */
  return check_report("queries", 5);
}
