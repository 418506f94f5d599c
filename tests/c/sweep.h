/* SPDX-License-Identifier: BSD-3-Clause
 * sweep.h - counts through every combination of small parameters, in an order that mixes them.
 *
 * A combination is a mixed-radix number, whose digits next_digit takes one by one. Visiting number
 * i * STRIDE modulo the total, for i = 0, 1, ..., meets each combination once, since all radices are
 * made of 2 and 3, and any part of the way is spread over all of them. */
#ifndef SWEEP_H
#define SWEEP_H

#include "naive.h"

#include "check.h"

#define STRIDE 0x9e3779b97f4a7c15u /* 2^64 over the golden ratio: odd, and no multiple of 3 */

__extension__ typedef unsigned __int128 wide_product;

static uint64_t sweep_rest;

/* Begin with combination number i * STRIDE of `total`. */
static inline void sweep_begin(uint64_t i, uint64_t total) {
  sweep_rest = (uint64_t)((wide_product)i * STRIDE % total);
}

static inline int next_digit(int radix) {
  const int digit = (int)(sweep_rest % (uint64_t)radix);
  sweep_rest /= (uint64_t)radix;
  return digit;
}

static inline int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* One spatial axis of a small case; `out` may come out below 1. */
typedef struct small_axis {
  int64_t in, kernel, stride, dilation, before, after, out;
} small_axis;

enum { AXIS_DIGITS = 9 * 4 * 3 * 4 * 4 * 2 };

/* in 1..7, 18 or 35; kernel 1..4; stride 1..3; pads -1..2; dilation 1..2 */
static inline small_axis next_axis(void) {
  const int64_t sizes[] = {1, 2, 3, 4, 5, 6, 7, 18, 35};
  small_axis a = {.in = sizes[next_digit(9)]};
  a.kernel = 1 + next_digit(4);
  a.stride = 1 + next_digit(3);
  a.before = next_digit(4) - 1;
  a.after = next_digit(4) - 1;
  a.dilation = 1 + next_digit(2);
  a.out = floor_div(a.in + a.before + a.after - a.dilation * (a.kernel - 1) - 1, a.stride) + 1;
  return a;
}

enum { DEPTH_DIGITS = 3 * 2 * 2 * 2 * 2 };

/* in 1..3; kernel, stride, dilation 1..2; pad before 0..1, none after */
static inline small_axis next_depth(void) {
  small_axis a = {.in = 1 + next_digit(3)};
  a.kernel = 1 + next_digit(2);
  a.stride = 1 + next_digit(2);
  a.dilation = 1 + next_digit(2);
  a.before = next_digit(2);
  a.out = floor_div(a.in + a.before - a.dilation * (a.kernel - 1) - 1, a.stride) + 1;
  return a;
}

/* Memory orders of a tensor of rank 3, 4 or 5: C, channels last, and spatial axes reversed. */
static const int *const sweep_orders[3][3] = {
    {NULL, (const int[]){0, 2, 1}, (const int[]){2, 1, 0}},
    {NULL, (const int[]){0, 2, 3, 1}, (const int[]){0, 1, 3, 2}},
    {NULL, (const int[]){0, 2, 3, 4, 1}, (const int[]){4, 0, 1, 3, 2}},
};

/* Dtypes of input, weight and output; the bias has the arithmetic's, float32 for a float16 output. */
static const int32_t sweep_dtypes[][4] = {
    {CCONV_FLOAT32, CCONV_FLOAT32, CCONV_FLOAT32, CCONV_FLOAT32},
    {CCONV_FLOAT64, CCONV_FLOAT64, CCONV_FLOAT64, CCONV_FLOAT64},
    {CCONV_FLOAT16, CCONV_FLOAT16, CCONV_FLOAT16, CCONV_FLOAT32},
    {CCONV_FLOAT16, CCONV_FLOAT32, CCONV_FLOAT32, CCONV_FLOAT32},
    {CCONV_UINT8, CCONV_FLOAT32, CCONV_FLOAT32, CCONV_FLOAT32},
    {CCONV_FLOAT32, CCONV_INT16, CCONV_FLOAT64, CCONV_FLOAT64},
    {CCONV_INT32, CCONV_FLOAT16, CCONV_FLOAT64, CCONV_FLOAT64},
    {CCONV_UINT64, CCONV_INT64, CCONV_FLOAT64, CCONV_FLOAT64},
    {CCONV_UINT8, CCONV_INT8, CCONV_INT32, CCONV_INT32},
    {CCONV_INT32, CCONV_BOOL, CCONV_INT32, CCONV_INT32},
    {CCONV_INT16, CCONV_UINT32, CCONV_INT64, CCONV_INT64},
    {CCONV_UINT64, CCONV_UINT16, CCONV_UINT64, CCONV_UINT64},
};

enum { DTYPE_DIGITS = 12 };

/* Every dtype, as the pools take and the unfolds copy them. */
static const int32_t sweep_each_dtype[] = {
    CCONV_FLOAT32, CCONV_FLOAT64, CCONV_FLOAT16, CCONV_INT8,   CCONV_INT16,  CCONV_INT32,
    CCONV_INT64,   CCONV_UINT8,   CCONV_UINT16,  CCONV_UINT32, CCONV_UINT64, CCONV_BOOL,
};

/* Integers from -7 to 8, or what an unsigned dtype has of them. */
static inline void fill_integers(const cconv_tensor *t, uint64_t seed) {
  const int64_t count = count_of(t);
  for (int64_t i = 0; i < count; i++) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    element_set(t, i, (double)(int64_t)(seed >> 60) - 7.0);
  }
}

enum { CANARIES = 256 };

/* The open side of an output that lies at one end of its region: the other is a guard page. */
static inline char *canaries_of(region r, const cconv_tensor *t) {
  char *data = t->data;
  return data == r.data ? data + bytes_of(t) : data - CANARIES;
}

static inline void canaries_set(region r, const cconv_tensor *t) {
  memset(t->data, 0x77, (size_t)bytes_of(t));
  memset(canaries_of(r, t), 0x77, CANARIES);
}

static inline bool canaries_whole(region r, const cconv_tensor *t) {
  return all_bytes(canaries_of(r, t), CANARIES, 0x77);
}

/* The number of cases asked for on the command line, else the default. */
static inline long sweep_count(int argc, char **argv, long otherwise) {
  return argc > 1 ? strtol(argv[1], NULL, 10) : otherwise;
}

#endif
