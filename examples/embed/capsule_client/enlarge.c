/* SPDX-License-Identifier: BSD-3-Clause
 * enlarge.c - an extension module that uses the core which `import cconv` has loaded: every pixel becomes 2 x 2. */
#include <Python.h>
#include <string.h>

#include "cconv_import.h"

static const cconv_api *cconv; /* as long as Python runs */

static cconv_tensor tensor_of(const Py_buffer *b) {
  cconv_tensor t = {.struct_size = sizeof t, .dtype = CCONV_FLOAT32, .rank = 4, .data = b->buf};
  for (int axis = 0; axis < 2; axis++) {
    t.shape[axis] = 1;
    t.shape[axis + 2] = b->shape[axis];
    t.stride[axis + 2] = b->strides[axis];
  }
  return t;
}

static cconv_status enlarge(const Py_buffer *input, const Py_buffer *output) {
  float ones[4] = {1, 1, 1, 1};
  const cconv_tensor x = tensor_of(input), y = tensor_of(output);
  const cconv_tensor w = {sizeof w, CCONV_FLOAT32, 4, ones, {1, 1, 2, 2}, {16, 16, 8, 4}};
  const cconv_conv_params params = {.struct_size = sizeof params, .groups = 1, .stride = {2, 2}, .dilation = {1, 1}};
  const cconv_context context = {.struct_size = sizeof context, .num_threads = 1};
  size_t bytes = 0;
  cconv_status status = cconv->conv_transpose_workspace(&params, &x, &w, NULL, NULL, &y, &context, &bytes, NULL);
  void *workspace = PyMem_RawMalloc(bytes);
  if (!status)
    status = workspace ? cconv->conv_transpose(&params, &x, &w, NULL, NULL, &y, &context, workspace, bytes, NULL)
                       : CCONV_NO_MEMORY;
  PyMem_RawFree(workspace);
  return status;
}

/* enlarge(input, output): two arrays of float32, the second of twice the size. */
static PyObject *call(PyObject *module, PyObject *arguments) {
  PyObject *source, *target;
  Py_buffer in, out;
  cconv_status status = CCONV_BAD_DTYPE;
  (void)module;
  if (!PyArg_ParseTuple(arguments, "OO", &source, &target) || PyObject_GetBuffer(source, &in, PyBUF_RECORDS_RO))
    return NULL;
  if (PyObject_GetBuffer(target, &out, PyBUF_RECORDS)) {
    PyBuffer_Release(&in);
    return NULL;
  }
  if (in.ndim == 2 && out.ndim == 2 && !strcmp(in.format, "f") && !strcmp(out.format, "f")) {
    Py_BEGIN_ALLOW_THREADS status = enlarge(&in, &out);
    Py_END_ALLOW_THREADS
  }
  PyBuffer_Release(&in);
  PyBuffer_Release(&out);
  if (status)
    return PyErr_SetString(PyExc_ValueError, cconv->status_text(status)), NULL;
  Py_RETURN_NONE;
}

static PyMethodDef methods[] = {{"enlarge", call, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "enlarge", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_enlarge(void) {
  cconv = cconv_import();
  return cconv ? PyModule_Create(&definition) : NULL;
}
