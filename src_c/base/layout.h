/* SPDX-License-Identifier: BSD-3-Clause
 * layout.h - how scratch is laid out: in whole cache lines. */
#ifndef CC_LAYOUT_H
#define CC_LAYOUT_H

#include <stdint.h>

enum { CC_ALIGNMENT = 64 }; /* bytes: a cache line, and the widest vector */

/* Round up to whole lines. */
static inline int64_t cc_lines(int64_t bytes) { return (bytes + CC_ALIGNMENT - 1) / CC_ALIGNMENT * CC_ALIGNMENT; }

#endif
