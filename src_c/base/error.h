/* SPDX-License-Identifier: BSD-3-Clause
 * error.h - fill the optional cconv_error on the way out.
 *
 * Law: `return cc_fail(...)` is the only way a check fails. */
#ifndef CC_ERROR_H
#define CC_ERROR_H

#include "cconv.h"

static inline cconv_status cc_fail(cconv_error *error, cconv_status status, const char *argument, int axis,
                                   int64_t given, int64_t expected) {
  if (error && error->struct_size >= sizeof *error) {
    error->argument = argument;
    error->axis = axis;
    error->given = given;
    error->expected = expected;
  }
  return status;
}

#endif
