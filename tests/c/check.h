/* SPDX-License-Identifier: BSD-3-Clause
 * check.h - the test framework: CHECK counts what does not hold and names the first few. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>

static long check_failures;

static inline int check_that(int holds, const char *text, const char *file, int line) {
  if (!holds && check_failures++ < 20)
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, text);
  return holds;
}

#define CHECK(condition) check_that(!!(condition), #condition, __FILE__, __LINE__)

/* The exit status of main. */
static inline int check_report(const char *what, long count) {
  printf("%s: %ld cases, %ld failures\n", what, count, check_failures);
  return check_failures != 0;
}

#endif
