# cconv.h for Cython: `cimport cconv`, with cconv.get_include() among the include folders.
# The functions are those of the library, or of the C file, that the module is linked with.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t


cdef extern from "cconv.h" nogil:
    enum: CCONV_VERSION_MAJOR
    enum: CCONV_VERSION_MINOR
    enum: CCONV_VERSION_PATCH
    enum: CCONV_ABI
    enum: CCONV_MAX_SPATIAL
    enum: CCONV_MAX_RANK
    enum: CCONV_OK
    enum: CCONV_BAD_ARGUMENT
    enum: CCONV_BAD_SHAPE
    enum: CCONV_BAD_DTYPE
    enum: CCONV_UNSUPPORTED
    enum: CCONV_TOO_LARGE
    enum: CCONV_NO_MEMORY
    enum: CCONV_WORKSPACE_TOO_SMALL
    enum: CCONV_CANCELLED
    enum: CCONV_FLOAT32
    enum: CCONV_FLOAT64
    enum: CCONV_INT64
    enum: CCONV_INT32
    enum: CCONV_INT16
    enum: CCONV_INT8
    enum: CCONV_UINT64
    enum: CCONV_UINT32
    enum: CCONV_UINT16
    enum: CCONV_UINT8
    enum: CCONV_BOOL
    enum: CCONV_FLOAT16
    enum: CCONV_ACTIVATION_NONE
    enum: CCONV_ACTIVATION_RELU
    enum: CCONV_ACTIVATION_LEAKY_RELU
    enum: CCONV_ACTIVATION_ELU
    enum: CCONV_ACTIVATION_GELU_ERF
    enum: CCONV_ACTIVATION_GELU_TANH
    enum: CCONV_ACTIVATION_SILU
    enum: CCONV_ACTIVATION_HARD_SWISH
    enum: CCONV_ACTIVATION_HARD_SIGMOID
    enum: CCONV_ACTIVATION_SIGMOID
    enum: CCONV_ACTIVATION_TANH
    enum: CCONV_ACTIVATION_CLIP
    enum: CCONV_PADDING_CONSTANT
    enum: CCONV_PADDING_REFLECT
    enum: CCONV_PADDING_SYMMETRIC
    enum: CCONV_PADDING_REPLICATE
    enum: CCONV_PADDING_CIRCULAR
    enum: CCONV_ALGORITHM_AUTO
    enum: CCONV_ALGORITHM_DIRECT
    enum: CCONV_ALGORITHM_WINOGRAD
    enum: CCONV_ALGORITHM_BF16X3
    enum: CCONV_ALGORITHM_INT8X3
    enum: CCONV_POOL_MAX
    enum: CCONV_POOL_AVERAGE
    enum: CCONV_POOL_MIN
    enum: CCONV_POOL_LP

    ctypedef int cconv_status
    ctypedef int cconv_dtype

    ctypedef struct cconv_tensor:
        uint32_t struct_size
        int32_t dtype, rank
        void *data
        int64_t shape[5]
        int64_t stride[5]

    ctypedef struct cconv_conv_params:
        uint32_t struct_size
        int32_t activation
        double activation_a, activation_b
        double padding_value
        int32_t padding_mode, algorithm
        int64_t groups
        int64_t stride[3]
        int64_t dilation[3]
        int64_t pad_before[3]
        int64_t pad_after[3]

    ctypedef struct cconv_pool_params:
        uint32_t struct_size
        int32_t kind, ceil_mode, count_include_pad
        double p
        int64_t divisor
        int64_t kernel[3]
        int64_t stride[3]
        int64_t dilation[3]
        int64_t pad_before[3]
        int64_t pad_after[3]

    ctypedef struct cconv_unfold_params:
        uint32_t struct_size
        int64_t kernel[3]
        int64_t stride[3]
        int64_t dilation[3]
        int64_t pad_before[3]
        int64_t pad_after[3]

    ctypedef struct cconv_adaptive_params:
        uint32_t struct_size
        int32_t kind
        double p

    ctypedef struct cconv_filter_params:
        uint32_t struct_size
        int32_t kind
        const uint8_t *footprint
        double padding_value
        int32_t padding_mode[3]
        int64_t kernel[3]
        int64_t pad_before[3]
        int64_t pad_after[3]

    ctypedef struct cconv_separable_params:
        uint32_t struct_size
        int32_t padding_mode[2]
        double padding_value
        const void *weights[2]
        int64_t kernel[2]
        int64_t pad_before[2]

    ctypedef struct cconv_context:
        uint32_t struct_size
        int32_t num_threads
        void (*parallel_for)(void *host, void (*body)(void *arg, int64_t part) noexcept, void *arg,
                             int64_t parts) noexcept
        int (*poll)(void *host) noexcept
        void *host

    ctypedef struct cconv_error:
        uint32_t struct_size
        int32_t axis
        const char *argument
        int64_t given, expected

    ctypedef struct cconv_allocator:
        uint32_t struct_size
        void *(*allocate)(void *host, size_t bytes) noexcept
        void (*release)(void *host, void *memory, size_t bytes) noexcept
        void *host

    ctypedef struct cconv_conv_tensors:
        uint32_t struct_size
        const cconv_tensor *input
        const cconv_tensor *weight
        const cconv_tensor *bias
        const cconv_tensor *residual
        const cconv_tensor *output

    ctypedef struct cconv_plan:
        pass

    ctypedef struct cconv_plan_info:
        uint32_t struct_size
        int32_t threads
        const char *algorithm
        double operations
        int64_t bytes_moved, workspace, weights
        int64_t blocks[3]
        int64_t block[3]
        int64_t chunks, rows, phases, passes

    cconv_status cconv_conv_workspace(
        const cconv_conv_params *params, const cconv_tensor *input, const cconv_tensor *weight,
        const cconv_tensor *bias, const cconv_tensor *residual, const cconv_tensor *output,
        const cconv_context *context, size_t *bytes, cconv_error *error)
    cconv_status cconv_conv(
        const cconv_conv_params *params, const cconv_tensor *input, const cconv_tensor *weight,
        const cconv_tensor *bias, const cconv_tensor *residual, const cconv_tensor *output,
        const cconv_context *context, void *workspace, size_t bytes, cconv_error *error)
    cconv_status cconv_conv_transpose_workspace(
        const cconv_conv_params *params, const cconv_tensor *input, const cconv_tensor *weight,
        const cconv_tensor *bias, const cconv_tensor *residual, const cconv_tensor *output,
        const cconv_context *context, size_t *bytes, cconv_error *error)
    cconv_status cconv_conv_transpose(
        const cconv_conv_params *params, const cconv_tensor *input, const cconv_tensor *weight,
        const cconv_tensor *bias, const cconv_tensor *residual, const cconv_tensor *output,
        const cconv_context *context, void *workspace, size_t bytes, cconv_error *error)
    cconv_status cconv_conv_plan(
        const cconv_conv_params *params, const cconv_conv_tensors *tensors,
        const cconv_context *context, const cconv_allocator *allocator, cconv_plan **plan,
        cconv_error *error)
    cconv_status cconv_conv_transpose_plan(
        const cconv_conv_params *params, const cconv_conv_tensors *tensors,
        const cconv_context *context, const cconv_allocator *allocator, cconv_plan **plan,
        cconv_error *error)
    int cconv_plan_matches(const cconv_plan *plan, const cconv_conv_tensors *tensors)
    cconv_status cconv_plan_workspace(
        const cconv_plan *plan, const cconv_conv_tensors *tensors, const cconv_context *context,
        size_t *bytes, cconv_error *error)
    cconv_status cconv_plan_execute(
        const cconv_plan *plan, const cconv_conv_tensors *tensors, const cconv_context *context,
        void *workspace, size_t bytes, cconv_error *error)
    void cconv_plan_destroy(cconv_plan *plan)
    cconv_status cconv_plan_describe(const cconv_plan *plan, cconv_plan_info *info)
    int cconv_tensors_overlap(const cconv_tensor *a, const cconv_tensor *b)
    cconv_status cconv_pool_workspace(
        const cconv_pool_params *params, const cconv_tensor *input, const cconv_tensor *output,
        const cconv_tensor *indices, const cconv_context *context, size_t *bytes,
        cconv_error *error)
    cconv_status cconv_pool(
        const cconv_pool_params *params, const cconv_tensor *input, const cconv_tensor *output,
        const cconv_tensor *indices, const cconv_context *context, void *workspace, size_t bytes,
        cconv_error *error)
    cconv_status cconv_pool_adaptive(
        const cconv_adaptive_params *params, const cconv_tensor *input, const cconv_tensor *output,
        const cconv_tensor *indices, const cconv_context *context, cconv_error *error)
    cconv_status cconv_max_unpool(
        const cconv_tensor *input, const cconv_tensor *indices, const cconv_tensor *output,
        const cconv_context *context, cconv_error *error)
    cconv_status cconv_unfold_workspace(
        const cconv_unfold_params *params, const cconv_tensor *input, const cconv_tensor *output,
        const cconv_context *context, size_t *bytes, cconv_error *error)
    cconv_status cconv_unfold(
        const cconv_unfold_params *params, const cconv_tensor *input, const cconv_tensor *output,
        const cconv_context *context, void *workspace, size_t bytes, cconv_error *error)
    cconv_status cconv_fold_workspace(
        const cconv_unfold_params *params, const cconv_tensor *input, const cconv_tensor *output,
        const cconv_context *context, size_t *bytes, cconv_error *error)
    cconv_status cconv_fold(
        const cconv_unfold_params *params, const cconv_tensor *input, const cconv_tensor *output,
        const cconv_context *context, void *workspace, size_t bytes, cconv_error *error)
    cconv_status cconv_filter_extreme_workspace(
        const cconv_filter_params *params, const cconv_tensor *input, const cconv_tensor *output,
        const cconv_context *context, size_t *bytes, cconv_error *error)
    cconv_status cconv_filter_extreme(
        const cconv_filter_params *params, const cconv_tensor *input, const cconv_tensor *output,
        const cconv_context *context, void *workspace, size_t bytes, cconv_error *error)
    cconv_status cconv_filter_separable_workspace(
        const cconv_separable_params *params, const cconv_tensor *input,
        const cconv_tensor *output, const cconv_context *context, size_t *bytes, cconv_error *error)
    cconv_status cconv_filter_separable(
        const cconv_separable_params *params, const cconv_tensor *input,
        const cconv_tensor *output, const cconv_context *context, void *workspace, size_t bytes,
        cconv_error *error)
    cconv_status cconv_fma_peak(
        cconv_dtype dtype, int64_t iterations, const cconv_context *context, int64_t *operations)

    const char *cconv_status_text(int status)
    const char *cconv_isa()
    const char *cconv_isa_name(int index)
    const char *cconv_cpu_feature(int index)
    const char *cconv_version()
    const char *cconv_compiler()
    int64_t cconv_cache_l2()
    int cconv_max_threads()
    int cconv_forked()
    void cconv_set_forked()
    int cconv_openmp_version()
