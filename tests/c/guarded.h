/* SPDX-License-Identifier: BSD-3-Clause
 * guarded.h - buffers between two pages that must not be touched, and tensors over them.
 *
 * Place a buffer at either end of its region: one byte read or written beyond that end kills the
 * program. Include this header first: it asks the system for mmap's anonymous memory. */
#ifndef GUARDED_H
#define GUARDED_H

#define _DEFAULT_SOURCE 1

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "elements.h"

typedef struct region {
  char *data;
  size_t bytes; /* whole pages */
} region;

typedef enum place { AT_START, AT_END } place;

/* At least `bytes` readable and writable bytes with a forbidden page before and behind. */
static inline region region_new(size_t bytes) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (bytes + page - 1) / page * page;
  char *map = mmap(NULL, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED || mprotect(map + page, size, PROT_READ | PROT_WRITE)) {
    perror("guarded memory");
    exit(2);
  }
  return (region){map + page, size};
}

/* `bytes` bytes of the region at one of its ends. */
static inline char *region_place(region r, size_t bytes, place where) {
  if (bytes > r.bytes) {
    fprintf(stderr, "a region of %zu bytes is too small for %zu\n", r.bytes, bytes);
    exit(2);
  }
  return where == AT_START ? r.data : r.data + r.bytes - bytes;
}

static inline bool all_bytes(const void *data, size_t bytes, int value) {
  const unsigned char *p = data;
  return bytes == 0 || (p[0] == value && memcmp(p, p + 1, bytes - 1) == 0);
}

static inline int64_t count_of(const cconv_tensor *t) {
  int64_t count = 1;
  for (int a = 0; a < t->rank; a++)
    count *= t->shape[a];
  return count;
}

static inline int64_t bytes_of(const cconv_tensor *t) { return count_of(t) * size_of(t->dtype); }

/* A tensor without data whose axes follow each other in memory in `order`, outermost first; in C
 * order for NULL. */
static inline cconv_tensor tensor_of(int32_t dtype, int32_t rank, const int64_t *shape, const int *order) {
  cconv_tensor t = {.struct_size = sizeof t, .dtype = dtype, .rank = rank};
  int64_t step = size_of(dtype);
  for (int i = rank - 1; i >= 0; i--) {
    const int a = order ? order[i] : i;
    t.shape[a] = shape[a];
    t.stride[a] = step;
    step *= shape[a];
  }
  return t;
}

/* Turn an axis around: its first element becomes its last. */
static inline void tensor_flip(cconv_tensor *t, int axis) {
  t->data = (char *)t->data + (t->shape[axis] - 1) * t->stride[axis];
  t->stride[axis] = -t->stride[axis];
}

/* Where the element with C-order number `index` is. */
static inline char *element_at(const cconv_tensor *t, int64_t index) {
  char *p = t->data;
  for (int a = t->rank - 1; a >= 0; a--) {
    p += index % t->shape[a] * t->stride[a];
    index /= t->shape[a];
  }
  return p;
}

/* Elements of any alignment as double. */
static inline double element_get(const cconv_tensor *t, int64_t index) {
  return bytes_get(t->dtype, element_at(t, index));
}

static inline void element_set(const cconv_tensor *t, int64_t index, double value) {
  bytes_set(t->dtype, element_at(t, index), value);
}

/* A host that has one thread, and takes the parts from the last to the first; counts its calls. */
static inline void parts_backwards(void *host, void (*body)(void *arg, int64_t part), void *arg, int64_t parts) {
  ++*(long *)host;
  for (int64_t part = parts - 1; part >= 0; part--)
    body(arg, part);
}

#endif
