/* SPDX-License-Identifier: BSD-3-Clause
 * status.c - one sentence for every status.
 *
 * Law: a status without its own sentence does not exist. */
#include "cconv.h"

const char *cconv_status_text(int status) {
  switch ((cconv_status)status) {
  case CCONV_OK:
    return "The call succeeded.";
  case CCONV_BAD_ARGUMENT:
    return "An argument is missing or out of range.";
  case CCONV_BAD_SHAPE:
    return "The shapes do not fit each other.";
  case CCONV_BAD_DTYPE:
    return "The operation does not take this dtype.";
  case CCONV_UNSUPPORTED:
    return "The request is valid but not supported.";
  case CCONV_TOO_LARGE:
    return "A size does not fit into 63 bits.";
  case CCONV_NO_MEMORY:
    return "Memory could not be allocated.";
  case CCONV_WORKSPACE_TOO_SMALL:
    return "The workspace is smaller than the workspace query asked for.";
  case CCONV_CANCELLED:
    return "The call was stopped by the caller.";
  }
  return "This is not a status of cconv.";
}
