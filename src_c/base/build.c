/* SPDX-License-Identifier: BSD-3-Clause
 * build.c - how this core was built. */
#include "base/compiler.h"
#include "cconv.h"

const char *cconv_version(void) {
  return CC_STRING(CCONV_VERSION_MAJOR) "." CC_STRING(CCONV_VERSION_MINOR) "." CC_STRING(CCONV_VERSION_PATCH);
}

const char *cconv_compiler(void) {
#if defined(__clang__)
  return __VERSION__;
#else
  return "GCC " __VERSION__;
#endif
}
