/* SPDX-License-Identifier: BSD-3-Clause
 * checked.h - sums and products of sizes that say when they leave int64_t.
 *
 * Law: every size that comes from a caller passes through here before it is used. Each function
 * returns false on overflow, and *r is then unspecified. */
#ifndef CC_CHECKED_H
#define CC_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

static inline bool cc_add(int64_t a, int64_t b, int64_t *r) { return !__builtin_add_overflow(a, b, r); }
static inline bool cc_sub(int64_t a, int64_t b, int64_t *r) { return !__builtin_sub_overflow(a, b, r); }
static inline bool cc_mul(int64_t a, int64_t b, int64_t *r) { return !__builtin_mul_overflow(a, b, r); }

static inline int64_t cc_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t cc_max(int64_t a, int64_t b) { return a > b ? a : b; }

/* ceil(a / b) for a >= 0, b > 0, without a + b - 1. */
static inline int64_t cc_ceil_div(int64_t a, int64_t b) { return a / b + (a % b != 0); }

/* Where part i of n begins when a things are dealt out evenly: parts differ by at most one. */
static inline int64_t cc_part(int64_t a, int64_t i, int64_t n) { return a / n * i + cc_min(i, a % n); }

#endif
