"""The functions of the core in a capsule, for cconv_import.h: a part of _core.pyx."""

from cpython.pycapsule cimport PyCapsule_New

cdef extern from *:
    """
    #include "cconv_import.h"

    static const cconv_api cconv_loaded = {
        .abi = CCONV_ABI,
        .size = sizeof(cconv_api),
        .conv_workspace = cconv_conv_workspace,
        .conv = cconv_conv,
        .conv_transpose_workspace = cconv_conv_transpose_workspace,
        .conv_transpose = cconv_conv_transpose,
        .conv_plan = cconv_conv_plan,
        .conv_transpose_plan = cconv_conv_transpose_plan,
        .plan_matches = cconv_plan_matches,
        .plan_workspace = cconv_plan_workspace,
        .plan_execute = cconv_plan_execute,
        .plan_destroy = cconv_plan_destroy,
        .plan_describe = cconv_plan_describe,
        .tensors_overlap = cconv_tensors_overlap,
        .pool_workspace = cconv_pool_workspace,
        .pool = cconv_pool,
        .pool_adaptive = cconv_pool_adaptive,
        .max_unpool = cconv_max_unpool,
        .unfold_workspace = cconv_unfold_workspace,
        .unfold = cconv_unfold,
        .fold_workspace = cconv_fold_workspace,
        .fold = cconv_fold,
        .filter_extreme_workspace = cconv_filter_extreme_workspace,
        .filter_extreme = cconv_filter_extreme,
        .filter_separable_workspace = cconv_filter_separable_workspace,
        .filter_separable = cconv_filter_separable,
        .fma_peak = cconv_fma_peak,
        .status_text = cconv_status_text,
        .isa = cconv_isa,
        .isa_name = cconv_isa_name,
        .cpu_feature = cconv_cpu_feature,
        .version = cconv_version,
        .compiler = cconv_compiler,
        .cache_l2 = cconv_cache_l2,
        .max_threads = cconv_max_threads,
        .openmp_version = cconv_openmp_version,
        .forked = cconv_forked,
        .set_forked = cconv_set_forked,
    };
    """
    void *_loaded "(void *)&cconv_loaded"


_C_API = PyCapsule_New(_loaded, "cconv._core._C_API", NULL)
