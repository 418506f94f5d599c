/* SPDX-License-Identifier: BSD-3-Clause
 * cconv.h - the manual of the cconv core, and its whole interface: convolution and pooling on the CPU.
 *
 * Law: the only public header. The core prints nothing and keeps no state but atomics: the caller owns
 * every buffer, asks for the workspace size, and reads a status. Only a plan owns memory, through the
 * allocator it was made with.
 *
 * A call
 *
 *   Describe the arrays by tensors and the operation by its params, say in a context how the call may run, ask
 *   how large a workspace it needs, and call:
 *
 *     cconv_tensor x = {sizeof x, CCONV_FLOAT32, 4, image, {1, 3, 32, 32}, {12288, 4096, 128, 4}};
 *     cconv_tensor w = {sizeof w, CCONV_FLOAT32, 4, filters, {8, 3, 3, 3}, {108, 36, 12, 4}};
 *     cconv_tensor y = {sizeof y, CCONV_FLOAT32, 4, result, {1, 8, 30, 30}, {28800, 3600, 120, 4}};
 *     cconv_conv_params params = {.struct_size = sizeof params, .groups = 1, .stride = {1, 1}, .dilation = {1, 1}};
 *     cconv_context context = {.struct_size = sizeof context, .num_threads = 1};
 *     size_t bytes;
 *     cconv_status status = cconv_conv_workspace(&params, &x, &w, NULL, NULL, &y, &context, &bytes, NULL);
 *     void *workspace = status ? NULL : malloc(bytes);
 *     if (workspace)
 *       status = cconv_conv(&params, &x, &w, NULL, NULL, &y, &context, workspace, bytes, NULL);
 *     free(workspace);
 *
 *   What is done again and again with the same weights is better a plan: cconv_conv_plan, cconv_plan_execute.
 *
 * Structs
 *
 *   The first member, struct_size, is the sizeof the struct, which the core checks: BAD_ARGUMENT if it is less. Set the
 *   others to 0 and then those you need: 0 is what is usual, but for strides, dilations, kernels, groups and
 *   num_threads, which are at least 1. Structs are only read during the call they are given to, and so are arrays.
 *
 * Memory
 *
 *   No call allocates or frees, but those that make and destroy a plan. A workspace is scratch: of any alignment and
 *   content, for one call at a time. A query, cconv_..._workspace, checks all that the call would check, also that data
 *   is not NULL, but reads no element: any address aligned to the dtype stands for memory that is still to come. Its
 *   answer depends on dtypes, shapes, strides, params and the number of threads alone. An output may not share memory
 *   with another tensor of the call; cconv_tensors_overlap tells.
 *
 * Failures
 *
 *   Every call answers a cconv_status. One that fails has written nothing, but for CCONV_CANCELLED. Where it takes a
 *   cconv_error and that is not NULL, it says which argument was wrong.
 *
 * Threads
 *
 *   Any number of threads may call any function at the same time, also with the same plan; each needs a workspace and
 *   an output of its own. A call itself runs on context.num_threads threads at most: OpenMP's, where the core was
 *   compiled with it, or those of context.parallel_for, else on one. In a forked child OpenMP's threads are gone, and
 *   calls run on one.
 *
 * Reproducibility
 *
 *   On one instruction set a result has the same bits for any number of threads, any strides, any batch an image is
 *   part of, and whether a plan or a call computes it. The instruction set is chosen once, by the CPU and the
 *   environment variable CCONV_ISA. No call changes the processor's rounding or its treatment of subnormal numbers. */
#ifndef CCONV_H
#define CCONV_H

#include <stddef.h>
#include <stdint.h>

/* Of this header; cconv_version() is that of the core which runs. */
#define CCONV_VERSION_MAJOR 0
#define CCONV_VERSION_MINOR 1
#define CCONV_VERSION_PATCH 0

/* Raised when programs have to be compiled anew: a member, a constant or a parameter that was there changes its place,
 * value or meaning. What is new alone does not raise it. */
#define CCONV_ABI 1

#define CCONV_MAX_SPATIAL 3 /* spatial axes: depth, height, width */
#define CCONV_MAX_RANK 5    /* batch, channels and the spatial axes */

#ifdef __cplusplus
extern "C" {
#endif

/* What a call answers. cconv_status_text() has one sentence for each. */
typedef enum cconv_status {
  CCONV_OK = 0,
  CCONV_BAD_ARGUMENT,        /* a null pointer, a wrong struct_size, a parameter out of range */
  CCONV_BAD_SHAPE,           /* shapes that do not fit each other */
  CCONV_BAD_DTYPE,           /* a dtype the operation does not take */
  CCONV_UNSUPPORTED,         /* valid, but not built */
  CCONV_TOO_LARGE,           /* a size or an address span does not fit 63 bits */
  CCONV_NO_MEMORY,           /* an allocator gave nothing */
  CCONV_WORKSPACE_TOO_SMALL, /* fewer bytes than the workspace query asked for */
  CCONV_CANCELLED            /* the context's poll stopped the call; the output is undefined */
} cconv_status;

/* Arithmetic is in the dtype of an output: FLOAT32, FLOAT64, INT32 (modulo 2^32), INT64 or UINT64 (modulo
 * 2^64), or in FLOAT32 for a FLOAT16 output, rounded once when stored. An input of another dtype is
 * converted as it is read, at no cost of memory: integers read integers no wider, modulo as they compute;
 * FLOAT32 reads FLOAT16, BOOL and integers of 8 and 16 bits; FLOAT64 reads all, and rounds integers of 64. */
typedef enum cconv_dtype {
  CCONV_FLOAT32 = 1,
  CCONV_FLOAT64,
  CCONV_INT64,
  CCONV_INT32,
  CCONV_INT16,
  CCONV_INT8,
  CCONV_UINT64,
  CCONV_UINT32,
  CCONV_UINT16,
  CCONV_UINT8,
  CCONV_BOOL,   /* one byte, 0 or 1 */
  CCONV_FLOAT16 /* IEEE binary16 */
} cconv_dtype;

/* What is done to convolution + residual + bias before it is stored; a and b are the params' activation_a, _b. */
typedef enum cconv_activation {
  CCONV_ACTIVATION_NONE = 0,
  CCONV_ACTIVATION_RELU,         /* max(x, 0) */
  CCONV_ACTIVATION_LEAKY_RELU,   /* x < 0 ? a x : x */
  CCONV_ACTIVATION_ELU,          /* x < 0 ? a (exp(x) - 1) : x */
  CCONV_ACTIVATION_GELU_ERF,     /* x/2 (1 + erf(x / sqrt 2)) */
  CCONV_ACTIVATION_GELU_TANH,    /* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
  CCONV_ACTIVATION_SILU,         /* x sigmoid(x) */
  CCONV_ACTIVATION_HARD_SWISH,   /* x hard_sigmoid(x) */
  CCONV_ACTIVATION_HARD_SIGMOID, /* clip(x/6 + 1/2, 0, 1) */
  CCONV_ACTIVATION_SIGMOID,      /* 1 / (1 + exp(-x)) */
  CCONV_ACTIVATION_TANH,
  CCONV_ACTIVATION_CLIP /* min(max(x, a), b) */
} cconv_activation;

/* What stands for input outside its bounds, at any distance: of a b c d */
typedef enum cconv_padding_mode {
  CCONV_PADDING_CONSTANT = 0, /* k k (a b c d) k k, k being the params' padding_value */
  CCONV_PADDING_REFLECT,      /* c b (a b c d) c b, mirrored, the edge not repeated */
  CCONV_PADDING_SYMMETRIC,    /* b a (a b c d) d c, mirrored, the edge repeated */
  CCONV_PADDING_REPLICATE,    /* a a (a b c d) d d, the edge */
  CCONV_PADDING_CIRCULAR      /* c d (a b c d) a b, the other end */
} cconv_padding_mode;

/* How a convolution is computed. DIRECT sums the K products as the formula has them: exactly where the values are
 * integers whose sums the dtype holds, else to within (K + 2) u sum |weight| |input|, u being the unit roundoff.
 * WINOGRAD needs fewer multiplications, for FLOAT32 and FLOAT64. It transforms the last two axes where both have 3 taps
 * or both have 5, else the last where it has 3 or 5, else the one before where it has and the last has one; they have
 * strides of 1, and any dilation. Of the other axes one may have any taps, stride and dilation, the rest has one tap and
 * stride 1. Its error is larger, and integers are not exact. AUTO computes large kernels of one channel a group likewise,
 * piece by piece, or by Fourier transforms, to within G eps max |input| sum |weight| with G 16 for FLOAT32 and 32 for
 * FLOAT64, the maximum taken over two tiles of up to 256 x 256 inputs, or 65536 of a line; and such kernels of one
 * channel that are a column times a row but for roundings, which only their values say, by a pass along each axis.
 * BF16X3 computes in FLOAT32, from windows of 16 values on, where the CPU has a matrix unit for bfloat16 (cconv_isa() is
 * "amx"): a value is the sum of three bfloat16, and six of the nine products of such parts are summed by the unit, to
 * within (K + 24) u sum |weight| |input| + K 1e-37 max(1, |input|, |weight|), and exactly where values are integers and
 * sum |weight| |input| is below 0.99 * 2^24. DIRECT computes images, as a whole, in which a value is not finite or
 * beyond 1e15, or whose greatest product with a weight is below 1e-24, and all where a weight is so.
 * INT8X3 serves where BF16X3 does, of fewer terms. Inputs and weights are whole numbers of units, 2^-23 of the power of
 * two above the greatest input that a block of outputs looks at, and above the greatest weight of the filter; of the
 * products of their digits of 8 bits six are summed, exactly. To within G eps sum over channels of max |input| sum
 * |weight|, with the maximum over that block, the image or some of its rows; G is 16 where roundings are independent and
 * 600 where they repeat. BF16X3 computes images, as a whole, that are too uneven for that: with 16 neighbouring positions
 * whose values are all below 1/64 of the greatest of the block, but not all 0, or where that sum is, for some filter,
 * below about 1/64 of K times the greatest input times the greatest weight. */
typedef enum cconv_algorithm {
  CCONV_ALGORITHM_AUTO = 0, /* what is fastest, by shapes and parameters alone but for a column times a row */
  CCONV_ALGORITHM_DIRECT,
  CCONV_ALGORITHM_WINOGRAD, /* UNSUPPORTED where it cannot serve, */
  CCONV_ALGORITHM_BF16X3,   /* and these, too */
  CCONV_ALGORITHM_INT8X3
} cconv_algorithm;

/* What a window of a pooling or a filter becomes. */
typedef enum cconv_pool_kind { CCONV_POOL_MAX = 0, CCONV_POOL_AVERAGE, CCONV_POOL_MIN, CCONV_POOL_LP } cconv_pool_kind;

/* An array somebody else owns. Axes are always batch, channels, spatial (1 to 3 of them); strides
 * are signed bytes, so a channels-last or reversed array is a stride pattern, not another layout:
 * with C channels of H x W floats in the order (N, H, W, C), stride is {4 H W C, 4, 4 W C, 4 C}. An
 * input may have strides of 0, which repeat its elements.
 * A weight is (out channels, in channels / groups, kernel...), a bias has rank 1. Elements are
 * native, and aligned to their size everywhere but in an input or a residual. An output that begins
 * with a line of the cache, at a multiple of 64 bytes, is written fastest. Batch and channels may be
 * 0; data may then be NULL. */
typedef struct cconv_tensor {
  uint32_t struct_size; /* sizeof(cconv_tensor) */
  int32_t dtype;        /* cconv_dtype */
  int32_t rank;
  void *data;
  int64_t shape[CCONV_MAX_RANK];
  int64_t stride[CCONV_MAX_RANK];
} cconv_tensor;

/* Of a convolution. Spatial entries are given for the tensors' spatial axes, first axis first; the rest is
 * ignored. A negative pad crops. */
typedef struct cconv_conv_params {
  uint32_t struct_size; /* sizeof(cconv_conv_params) */
  int32_t activation;   /* cconv_activation */
  double activation_a, activation_b;
  double padding_value;
  int32_t padding_mode; /* cconv_padding_mode; constant for a transposed convolution, which crops */
  int32_t algorithm;    /* cconv_algorithm */
  int64_t groups;
  int64_t stride[CCONV_MAX_SPATIAL];
  int64_t dilation[CCONV_MAX_SPATIAL];
  int64_t pad_before[CCONV_MAX_SPATIAL];
  int64_t pad_after[CCONV_MAX_SPATIAL];
} cconv_conv_params;

/* Of a pooling; spatial entries are as in cconv_conv_params. */
typedef struct cconv_pool_params {
  uint32_t struct_size;      /* sizeof(cconv_pool_params) */
  int32_t kind;              /* cconv_pool_kind */
  int32_t ceil_mode;         /* round the output size up; the last window starts inside input or leading pad */
  int32_t count_include_pad; /* average: the declared pads count as elements */
  double p;                  /* Lp: the exponent, above 0; INFINITY for the greatest magnitude */
  int64_t divisor;           /* average: divide by this instead; 0 for none */
  int64_t kernel[CCONV_MAX_SPATIAL];
  int64_t stride[CCONV_MAX_SPATIAL];
  int64_t dilation[CCONV_MAX_SPATIAL];
  int64_t pad_before[CCONV_MAX_SPATIAL];
  int64_t pad_after[CCONV_MAX_SPATIAL];
} cconv_pool_params;

/* Of unfold and of fold. */
typedef struct cconv_unfold_params {
  uint32_t struct_size; /* sizeof(cconv_unfold_params) */
  int64_t kernel[CCONV_MAX_SPATIAL];
  int64_t stride[CCONV_MAX_SPATIAL];
  int64_t dilation[CCONV_MAX_SPATIAL];
  int64_t pad_before[CCONV_MAX_SPATIAL];
  int64_t pad_after[CCONV_MAX_SPATIAL];
} cconv_unfold_params;

/* Windows of the output's making: see cconv_pool_adaptive. */
typedef struct cconv_adaptive_params {
  uint32_t struct_size; /* sizeof(cconv_adaptive_params) */
  int32_t kind;         /* cconv_pool_kind */
  double p;             /* Lp: as in cconv_pool_params */
} cconv_adaptive_params;

/* Of a filter over a footprint: a window of kernel elements an axis, one step apart. */
typedef struct cconv_filter_params {
  uint32_t struct_size;     /* sizeof(cconv_filter_params) */
  int32_t kind;             /* cconv_pool_kind: MAX or MIN */
  const uint8_t *footprint; /* taps of the kernel in C order: those that are not 0 count; NULL for all */
  double padding_value;
  int32_t padding_mode[CCONV_MAX_SPATIAL]; /* cconv_padding_mode of each axis */
  int64_t kernel[CCONV_MAX_SPATIAL];
  int64_t pad_before[CCONV_MAX_SPATIAL];
  int64_t pad_after[CCONV_MAX_SPATIAL];
} cconv_filter_params;

/* Of a filter along the last two axes: across the rows of images, then along the rows. A window stands on each
 * element, pad_before of its own elements before it. */
typedef struct cconv_separable_params {
  uint32_t struct_size;    /* sizeof(cconv_separable_params) */
  int32_t padding_mode[2]; /* cconv_padding_mode of each axis */
  double padding_value;    /* where that is constant, along either */
  const void *weights[2];  /* of the output's dtype, aligned; NULL for the average */
  int64_t kernel[2];       /* at most 2^12, and 2^18 in all: else UNSUPPORTED */
  int64_t pad_before[2];   /* 0 to kernel - 1 */
} cconv_separable_params;

/* How one call may run. A short call runs on the thread that called, whatever it may.
 *
 * parallel_for, where given, replaces OpenMP: it calls body(arg, part) once for every part in [0, parts), in any order,
 * together or one after the other, and returns when all are done. There are at least 2 parts, and at most num_threads.
 * A call may come to it several times, one after the other; calls of several threads with the same host, at once.
 *
 * poll, where given, is asked every 20 milliseconds or so, and at the next block of outputs: a call ends with
 * CCONV_CANCELLED when it answers with anything but 0. It is asked by the thread that called, and under parallel_for by
 * the one that has part 0.
 *
 * Both return: no exception and no longjmp may leave them through the core. In a forked child parallel_for is called
 * as ever, and to have threads there is the host's care. host is theirs. */
typedef struct cconv_context {
  uint32_t struct_size; /* sizeof(cconv_context) */
  int32_t num_threads;  /* at least 1 */
  void (*parallel_for)(void *host, void (*body)(void *arg, int64_t part), void *arg, int64_t parts);
  int (*poll)(void *host);
  void *host;
} cconv_context;

/* Where a status came from, for the caller's message; optional wherever it is a parameter. Set struct_size, or nothing
 * is written; nothing is where the call succeeds. */
typedef struct cconv_error {
  uint32_t struct_size; /* sizeof(cconv_error) */
  int32_t axis;         /* of the argument, -1 where none is meant */
  const char *argument; /* name of a parameter or a member; static */
  int64_t given, expected;
} cconv_error;

/* output[n, m, o] = activation(sum over c, k of weight[m, c, k] input[n, c, o s + k d - before]
 *                              + residual[n, m, o] + bias[m])
 *
 * c runs over the channels of m's group; input outside its bounds is as padding_mode says. Along each spatial axis the
 * output has floor((in + before + after - d (kernel - 1) - 1) / s) + 1 elements, at least 1. bias, of the
 * dtype of the arithmetic, and residual, of the output's shape and dtype, may be NULL. Integers have the
 * activations RELU and CLIP; of a padding value or a limit they take the whole part, or the dtype's own
 * limit for what lies beyond.
 * By CCONV_ALGORITHM_DIRECT every sum is one chain of multiply-adds in the order channel, then tap, first tap first,
 * fused where the instruction set can (not on generic). By any algorithm it is bitwise the same for any number of
 * threads, any batch and any strides. The bias must be contiguous, the output aligned and apart from the inputs; the
 * workspace may have any alignment, and its size depends on the number of threads. */
cconv_status cconv_conv_workspace(const cconv_conv_params *params, const cconv_tensor *input,
                                  const cconv_tensor *weight, const cconv_tensor *bias, const cconv_tensor *residual,
                                  const cconv_tensor *output, const cconv_context *context, size_t *bytes,
                                  cconv_error *error);
cconv_status cconv_conv(const cconv_conv_params *params, const cconv_tensor *input, const cconv_tensor *weight,
                        const cconv_tensor *bias, const cconv_tensor *residual, const cconv_tensor *output,
                        const cconv_context *context, void *workspace, size_t bytes, cconv_error *error);

/* The transpose of cconv_conv: output[n, m, i s + k d - before] sums weight[c, m, k] input[n, c, i].
 *
 * The weight is (in channels, out channels / groups, kernel...). The output's size is (in - 1) s -
 * before - after + d (kernel - 1) + 1 + an output padding below max(s, d), which its shape implies.
 * Every output is one chain of multiply-adds as in cconv_conv, but of its taps the last comes first; AUTO computes FLOAT32
 * as CCONV_ALGORITHM_BF16X3 or CCONV_ALGORITHM_INT8X3 does where that is faster, and other images of at most 32 elements
 * and many channels, of any floating dtype, by "col2im": a sum over channels for each element and tap, and then sums of
 * those. An image with a sum of either kind that is not finite is computed as by DIRECT. */
cconv_status cconv_conv_transpose_workspace(const cconv_conv_params *params, const cconv_tensor *input,
                                            const cconv_tensor *weight, const cconv_tensor *bias,
                                            const cconv_tensor *residual, const cconv_tensor *output,
                                            const cconv_context *context, size_t *bytes, cconv_error *error);
cconv_status cconv_conv_transpose(const cconv_conv_params *params, const cconv_tensor *input,
                                  const cconv_tensor *weight, const cconv_tensor *bias, const cconv_tensor *residual,
                                  const cconv_tensor *output, const cconv_context *context, void *workspace,
                                  size_t bytes, cconv_error *error);

/* Memory for a plan: allocate answers NULL when it has none, else memory aligned as malloc's; release gets
 * the same number of bytes back. The thread calls them that makes, or destroys, the plan. */
typedef struct cconv_allocator {
  uint32_t struct_size; /* sizeof(cconv_allocator) */
  void *(*allocate)(void *host, size_t bytes);
  void (*release)(void *host, void *memory, size_t bytes);
  void *host;
} cconv_allocator;

/* The tensors of one convolution; bias and residual may be NULL. */
typedef struct cconv_conv_tensors {
  uint32_t struct_size; /* sizeof(cconv_conv_tensors) */
  const cconv_tensor *input, *weight, *bias, *residual, *output;
} cconv_conv_tensors;

/* A convolution, ordinary or transposed, checked and worked out once, to be executed many times. It never
 * changes, so any number of threads may execute it at once, each with a workspace of its own.
 *
 * A plan is made for tensors: their dtypes, shapes and strides; no data of input, residual or output is
 * looked at. It owns the weights where weight->data is given, dense in the dtype of the arithmetic and
 * prepared as the algorithm likes them, and the bias where bias->data is: an execution then ignores its own,
 * which may be NULL. Where the data is NULL each execution brings it. An execution may have any batch size,
 * any strides and any number of threads; those that the plan was made for are the fastest. Bit for bit the
 * results are those of cconv_conv.
 *
 * Making one fails as cconv_conv does, or with NO_MEMORY; *plan is then NULL. */
typedef struct cconv_plan cconv_plan;

cconv_status cconv_conv_plan(const cconv_conv_params *params, const cconv_conv_tensors *tensors,
                             const cconv_context *context, const cconv_allocator *allocator, cconv_plan **plan,
                             cconv_error *error);
cconv_status cconv_conv_transpose_plan(const cconv_conv_params *params, const cconv_conv_tensors *tensors,
                                       const cconv_context *context, const cconv_allocator *allocator,
                                       cconv_plan **plan, cconv_error *error);

/* Are these the dtypes, shapes and strides, that bias and residual or none, which the plan was made for? */
int cconv_plan_matches(const cconv_plan *plan, const cconv_conv_tensors *tensors);

/* The bytes an execution with these tensors and this context needs. */
cconv_status cconv_plan_workspace(const cconv_plan *plan, const cconv_conv_tensors *tensors,
                                  const cconv_context *context, size_t *bytes, cconv_error *error);
cconv_status cconv_plan_execute(const cconv_plan *plan, const cconv_conv_tensors *tensors, const cconv_context *context,
                                void *workspace, size_t bytes, cconv_error *error);

/* Free the plan and all it owns; NULL is nothing. */
void cconv_plan_destroy(cconv_plan *plan);

/* What a plan does, with the tensors and the number of threads it was made for. */
typedef struct cconv_plan_info {
  uint32_t struct_size;              /* sizeof(cconv_plan_info) */
  int32_t threads;                   /* that work */
  const char *algorithm;             /* static: "direct", "depthwise", "winograd", "fft", "col2im" ... */
  double operations;                 /* twice the multiply-adds of the plain sum */
  int64_t bytes_moved;               /* input, weight, bias, residual and output, once each */
  int64_t workspace;                 /* bytes an execution needs */
  int64_t weights;                   /* bytes of weights and bias that the plan owns */
  int64_t blocks[CCONV_MAX_SPATIAL]; /* of outputs, along each of the spatial axes: leading ones are 1 */
  int64_t block[CCONV_MAX_SPATIAL];  /* outputs of the largest */
  int64_t chunks;                    /* that a sum is cut into to fit the cache */
  int64_t rows;                      /* output channels of the largest register tile */
  int64_t phases;                    /* ordinary convolutions that a transposed one comes to; else 1 */
  int64_t passes;                    /* over the input, in which they are computed: one each, or one for all */
} cconv_plan_info;

cconv_status cconv_plan_describe(const cconv_plan *plan, cconv_plan_info *info);

/* May the elements of two tensors share memory? Looks at the bytes from the first to the last of each. */
int cconv_tensors_overlap(const cconv_tensor *a, const cconv_tensor *b);

/* output[n, c, o] = max, min, average or Lp norm over k of input[n, c, o s + k d - before]
 *
 * max, min: of any dtype, which the output shares; outside elements do not count; NaN wins; a window of none
 * gives -inf, inf, or what is least, greatest in an integer dtype. average and Lp: the output is FLOAT16, FLOAT32
 * or FLOAT64 as the input is, or FLOAT64 where that has integers or BOOL. average: the
 * sum over the window, in 16 partial sums by tap index modulo 16 added pairwise, divided by the count;
 * taps that are outside in every window are left out before they are numbered. Lp: (sum of
 * |x|^p)^(1/p), the sum likewise, in the dtype of the arithmetic: it may overflow where the norm would
 * not; a window of none gives 0.
 *
 * indices may be NULL. For max and min it is a CCONV_INT64 tensor of the output's shape, aligned and
 * apart from the others: where in its channel's spatial plane, counted in C order from 0 and without
 * padding, the output's element lies. Of equals it is the first in the window, of NaNs likewise; -1
 * for a window without elements. */
cconv_status cconv_pool_workspace(const cconv_pool_params *params, const cconv_tensor *input,
                                  const cconv_tensor *output, const cconv_tensor *indices, const cconv_context *context,
                                  size_t *bytes, cconv_error *error);
cconv_status cconv_pool(const cconv_pool_params *params, const cconv_tensor *input, const cconv_tensor *output,
                        const cconv_tensor *indices, const cconv_context *context, void *workspace, size_t bytes,
                        cconv_error *error);

/* output[n, c, o] = max, min, average or Lp norm of input[n, c, i], floor(o in / out) <= i < ceil((o + 1) in / out)
 *
 * along each spatial axis, with the sizes in and out of that axis: the windows cover the input and
 * follow each other as evenly as they can. An output of size 1 along every axis pools all of a
 * channel. Sums are as in cconv_pool, counted in the window, and so are indices. */
cconv_status cconv_pool_adaptive(const cconv_adaptive_params *params, const cconv_tensor *input,
                                 const cconv_tensor *output, const cconv_tensor *indices, const cconv_context *context,
                                 cconv_error *error);

/* output[n, c, indices[n, c, i]] = input[n, c, i], and 0 where no index points
 *
 * Input and output have the same dtype, any.
 * indices, of the input's shape, count a channel's spatial plane of the output in C order, as the
 * indices of cconv_pool do its input's; -1 points nowhere. Of several elements for one place the last
 * in C order stays. Fails with BAD_ARGUMENT on any other index, the first in C order being the given
 * number and the size of the plane the expected one, before anything is written. The output's
 * spatial axes are the caller's choice. */
cconv_status cconv_max_unpool(const cconv_tensor *input, const cconv_tensor *indices, const cconv_tensor *output,
                              const cconv_context *context, cconv_error *error);

/* output[n, c K + k, o] = input[n, c, o s + k d - before], 0 outside its bounds
 *
 * The K taps k of a window and its L places o are counted in C order: the output is (n, c K, L). Input and
 * output have the same dtype, any. */
cconv_status cconv_unfold_workspace(const cconv_unfold_params *params, const cconv_tensor *input,
                                    const cconv_tensor *output, const cconv_context *context, size_t *bytes,
                                    cconv_error *error);
cconv_status cconv_unfold(const cconv_unfold_params *params, const cconv_tensor *input, const cconv_tensor *output,
                          const cconv_context *context, void *workspace, size_t bytes, cconv_error *error);

/* The transpose of cconv_unfold: output[n, c, o s + k d - before] sums input[n, c K + k, o].
 *
 * Every output is one chain of additions to 0 in the order of taps; one that no window reaches is 0. Dtypes are as
 * in cconv_conv. */
cconv_status cconv_fold_workspace(const cconv_unfold_params *params, const cconv_tensor *input,
                                  const cconv_tensor *output, const cconv_context *context, size_t *bytes,
                                  cconv_error *error);
cconv_status cconv_fold(const cconv_unfold_params *params, const cconv_tensor *input, const cconv_tensor *output,
                        const cconv_context *context, void *workspace, size_t bytes, cconv_error *error);

/* output[n, c, o] = max or min over the footprint's taps k of input[n, c, o + k - before]
 *
 * of any dtype, which the output shares. Outside its bounds the input is as padding_mode says; where that is
 * constant, padding counts, unlike in cconv_pool: an integer dtype compares the whole part of padding_value, and
 * stores its own limit for one beyond it. NaN wins. The footprint has at least one tap. */
cconv_status cconv_filter_extreme_workspace(const cconv_filter_params *params, const cconv_tensor *input,
                                            const cconv_tensor *output, const cconv_context *context, size_t *bytes,
                                            cconv_error *error);
cconv_status cconv_filter_extreme(const cconv_filter_params *params, const cconv_tensor *input,
                                  const cconv_tensor *output, const cconv_context *context, void *workspace,
                                  size_t bytes, cconv_error *error);

/* output[n, c, h, w] = sum over l of weights[1][l] t[n, c, h, w + l - before[1]]
 *     with t[n, c, h, w] = sum over k of weights[0][k] input[n, c, h + k - before[0], w]
 *
 * or averages in their places. t has the output's dtype, FLOAT32 or FLOAT64, which holds the values of the input's, and
 * its own padding. Tensors have rank 4, and output and input the same shape. A weighted sum is one chain of
 * multiply-adds in the order of the weights; an average is a sum, divided, whose order depends on the place of the
 * window in its row or column alone. */
cconv_status cconv_filter_separable_workspace(const cconv_separable_params *params, const cconv_tensor *input,
                                              const cconv_tensor *output, const cconv_context *context, size_t *bytes,
                                              cconv_error *error);
cconv_status cconv_filter_separable(const cconv_separable_params *params, const cconv_tensor *input,
                                    const cconv_tensor *output, const cconv_context *context, void *workspace,
                                    size_t bytes, cconv_error *error);

/* Run `iterations` rounds of independent fused multiply-adds on every thread, in registers only;
 * *operations gets the floating-point operations done. For measuring the machine's peak. At most
 * 2^30 iterations. */
cconv_status cconv_fma_peak(cconv_dtype dtype, int64_t iterations, const cconv_context *context, int64_t *operations);

/* A static English sentence for a status, also for a value that is none. */
const char *cconv_status_text(int status);

/* The instruction set in use ("avx512", "avx2", "generic"), capped by CCONV_ISA in the environment
 * when the first call was made; NULL when CCONV_ISA names none. */
const char *cconv_isa(void);

/* The index-th compiled instruction set, best first, and the index-th feature of this CPU that cconv
 * looks at; NULL past the last. */
const char *cconv_isa_name(int index);
const char *cconv_cpu_feature(int index);

const char *cconv_version(void);  /* of the core that runs, "0.1.0" */
const char *cconv_compiler(void); /* its name and version */

int64_t cconv_cache_l2(void);   /* bytes of level 2 cache a core, as found, else an estimate */
int cconv_max_threads(void);    /* OpenMP's present maximum; 1 when built without OpenMP */
int cconv_openmp_version(void); /* the _OPENMP the core was built with, 0 for none */

/* 1 in a process that was forked after the core was loaded: calls run on one thread there, for OpenMP's do not
 * survive a fork. 2 there once a call was to have several. 0 in any other process, and without OpenMP. */
int cconv_forked(void);

/* Make this process count as one: for a host that loads the core after a fork, from a parent whose OpenMP may have
 * started threads. */
void cconv_set_forked(void);

#ifdef __cplusplus
}
#endif
#endif
