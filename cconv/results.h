/* SPDX-License-Identifier: BSD-3-Clause
 * results.h - new arrays, whose memory begins with a line of the cache where they are large.
 *
 * Law: such an array is in all else one that NumPy has made: it owns its memory, which comes from NumPy. Results are
 * stored by lines; NumPy's memory begins behind 16 bytes of one, and each store then takes two (measured: 1.1 to 1.4
 * times as long where storing is what takes the time). Who has given NumPy another allocator gets what it allocates. */
#ifndef CCONV_RESULTS_H
#define CCONV_RESULTS_H

#include <Python.h>
#include <stdint.h>
#include <string.h>

#include <numpy/arrayobject.h>

enum {
  CCONV_LINE = 64,      /* bytes */
  CCONV_LARGE = 1 << 16 /* bytes of a result; less is over before it matters */
};

/* The first line behind the start of memory, which has room for one more: before it stands how far behind. */
static void *cconv_to_line(char *memory) {
  if (!memory)
    return NULL;
  const unsigned char behind = (unsigned char)(CCONV_LINE - (uintptr_t)memory % CCONV_LINE);
  memory[behind - 1] = (char)behind;
  return memory + behind;
}

static char *cconv_from_line(void *line) { return (char *)line - ((unsigned char *)line)[-1]; }

static void *cconv_line_malloc(void *numpy, size_t size) {
  const PyDataMemAllocator *of = numpy;
  return size > SIZE_MAX - CCONV_LINE ? NULL : cconv_to_line(of->malloc(of->ctx, size + CCONV_LINE));
}

static void *cconv_line_calloc(void *numpy, size_t count, size_t size) {
  const PyDataMemAllocator *of = numpy;
  if (size && count > (SIZE_MAX - CCONV_LINE) / size)
    return NULL;
  return cconv_to_line(of->calloc(of->ctx, 1, count * size + CCONV_LINE));
}

static void *cconv_line_realloc(void *numpy, void *line, size_t size) {
  const PyDataMemAllocator *of = numpy;
  if (!line)
    return cconv_line_malloc(numpy, size);
  if (size > SIZE_MAX - CCONV_LINE)
    return NULL;
  char *memory = cconv_from_line(line);
  const ptrdiff_t behind = (char *)line - memory;
  memory = of->realloc(of->ctx, memory, size + CCONV_LINE);
  if (!memory)
    return NULL;
  const ptrdiff_t now = CCONV_LINE - (ptrdiff_t)((uintptr_t)memory % CCONV_LINE);
  memmove(memory + now, memory + behind, size);
  return cconv_to_line(memory);
}

static void cconv_line_free(void *numpy, void *line, size_t size) {
  const PyDataMemAllocator *of = numpy;
  if (line)
    of->free(of->ctx, cconv_from_line(line), size + CCONV_LINE);
}

/* What has NumPy make memory that begins with a line, to be asked for once; NULL with an exception. */
static PyObject *cconv_line_handler(void) {
  static PyDataMem_Handler handler = {
      "cconv_lines", 1, {NULL, cconv_line_malloc, cconv_line_calloc, cconv_line_realloc, cconv_line_free}};
  PyDataMem_Handler *numpy = (PyDataMem_Handler *)PyCapsule_GetPointer(PyDataMem_DefaultHandler, "mem_handler");
  if (!numpy)
    return NULL;
  handler.allocator.ctx = &numpy->allocator;
  return PyCapsule_New(&handler, "mem_handler", NULL);
}

/* Is a new array to begin with a line? A large one is, where NumPy allocates by itself. */
static int cconv_begins_with_line(PyObject *handler, int rank, const npy_intp *shape, int type) {
  PyArray_Descr *dtype = PyArray_DescrFromType(type);
  npy_intp nbytes = PyDataType_ELSIZE(dtype);
  Py_DECREF(dtype);
  for (int axis = 0; axis < rank && nbytes < CCONV_LARGE; axis++)
    nbytes = shape[axis] < CCONV_LARGE ? nbytes * shape[axis] : CCONV_LARGE;
  return nbytes >= CCONV_LARGE && handler == PyDataMem_DefaultHandler;
}

#endif
