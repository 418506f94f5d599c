/* SPDX-License-Identifier: BSD-3-Clause
 * cconv_import.h - the core that Python has loaded, for extension modules that are to use that one.
 *
 *   #include <Python.h>
 *   #include "cconv_import.h"
 *
 *   static const cconv_api *cconv;
 *
 *   if (!(cconv = cconv_import())) // once, when the module is made, holding the GIL
 *     return NULL;                 // an exception is set
 *   status = cconv->conv(&params, &input, &weight, NULL, NULL, &output, &context, workspace, bytes, NULL);
 *
 * The module links nothing: threads, forks and the choice of an instruction set are those of the one core in the
 * process. Calls need no GIL. */
#ifndef CCONV_IMPORT_H
#define CCONV_IMPORT_H

#include <Python.h>

#include "cconv.h"

/* The functions of cconv.h, each under its name without cconv_. Later versions add at the end. */
typedef struct cconv_api {
  uint32_t abi;  /* CCONV_ABI of the core */
  uint32_t size; /* sizeof(cconv_api) there */
  __typeof__(cconv_conv_workspace) *conv_workspace;
  __typeof__(cconv_conv) *conv;
  __typeof__(cconv_conv_transpose_workspace) *conv_transpose_workspace;
  __typeof__(cconv_conv_transpose) *conv_transpose;
  __typeof__(cconv_conv_plan) *conv_plan;
  __typeof__(cconv_conv_transpose_plan) *conv_transpose_plan;
  __typeof__(cconv_plan_matches) *plan_matches;
  __typeof__(cconv_plan_workspace) *plan_workspace;
  __typeof__(cconv_plan_execute) *plan_execute;
  __typeof__(cconv_plan_destroy) *plan_destroy;
  __typeof__(cconv_plan_describe) *plan_describe;
  __typeof__(cconv_tensors_overlap) *tensors_overlap;
  __typeof__(cconv_pool_workspace) *pool_workspace;
  __typeof__(cconv_pool) *pool;
  __typeof__(cconv_pool_adaptive) *pool_adaptive;
  __typeof__(cconv_max_unpool) *max_unpool;
  __typeof__(cconv_unfold_workspace) *unfold_workspace;
  __typeof__(cconv_unfold) *unfold;
  __typeof__(cconv_fold_workspace) *fold_workspace;
  __typeof__(cconv_fold) *fold;
  __typeof__(cconv_filter_extreme_workspace) *filter_extreme_workspace;
  __typeof__(cconv_filter_extreme) *filter_extreme;
  __typeof__(cconv_filter_separable_workspace) *filter_separable_workspace;
  __typeof__(cconv_filter_separable) *filter_separable;
  __typeof__(cconv_fma_peak) *fma_peak;
  __typeof__(cconv_status_text) *status_text;
  __typeof__(cconv_isa) *isa;
  __typeof__(cconv_isa_name) *isa_name;
  __typeof__(cconv_cpu_feature) *cpu_feature;
  __typeof__(cconv_version) *version;
  __typeof__(cconv_compiler) *compiler;
  __typeof__(cconv_cache_l2) *cache_l2;
  __typeof__(cconv_max_threads) *max_threads;
  __typeof__(cconv_openmp_version) *openmp_version;
  __typeof__(cconv_forked) *forked;
  __typeof__(cconv_set_forked) *set_forked;
} cconv_api;

/* The functions of the loaded core. NULL with an ImportError where cconv was installed without one, where its CCONV_ABI
 * is another one than this header's, or where it is older and has fewer functions or none. */
static inline const cconv_api *cconv_import(void) {
  static const char name[] = "cconv._core._C_API";
  const cconv_api *api = NULL;
  PyObject *core = PyImport_ImportModule("cconv._core");
  if (!core)
    return NULL;
  PyObject *capsule = PyObject_GetAttrString(core, "_C_API");
  if (PyCapsule_IsValid(capsule, name))
    api = (const cconv_api *)PyCapsule_GetPointer(capsule, name);
  Py_XDECREF(capsule);
  Py_DECREF(core);
  if (!api) {
    PyErr_Format(PyExc_ImportError, "%s is no table of cconv's functions: install another cconv", name);
    return NULL;
  }
  if (api->abi != CCONV_ABI) {
    PyErr_Format(PyExc_ImportError, "cconv has ABI %u, and this module was compiled for ABI %u: compile it anew",
                 (unsigned)api->abi, (unsigned)CCONV_ABI);
    return NULL;
  }
  if (api->size < sizeof *api) {
    PyErr_Format(PyExc_ImportError,
                 "cconv has %u bytes of functions, and this module was compiled for %u: install a newer cconv",
                 (unsigned)api->size, (unsigned)sizeof *api);
    return NULL;
  }
  return api;
}

#endif
