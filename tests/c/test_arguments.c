/* SPDX-License-Identifier: BSD-3-Clause
 * test_arguments.c - bad and extreme arguments from C: the right status, and nothing touched.
 *
 * Every case is a good call with one thing changed. The query and the call must agree. */
#include "guarded.h"

#include <math.h>

#include "check.h"

#define IN(status) (1u << (status))

enum { ANY = IN(CCONV_BAD_ARGUMENT) | IN(CCONV_BAD_SHAPE) | IN(CCONV_TOO_LARGE) };

static long cases;
static region input_memory, weight_memory, bias_memory, residual_memory, output_memory, indices_memory,
    workspace_memory;

typedef struct call {
  cconv_conv_params conv;
  cconv_pool_params pool;
  cconv_tensor input, weight, bias, residual, output, indices;
  cconv_context context;
  bool no_params, no_input, no_weight, no_output, no_context, no_residual, indexed;
} call;

typedef enum operation { CONVOLUTION, POOLING, TRANSPOSED } operation;

/* Two images of 4 channels of 6x7, in two groups to 6 channels of 5x3; pooled, 4 channels of 5x3;
 * transposed, 6 channels of 7x14. */
static call good(operation op) {
  const bool up = op == TRANSPOSED;
  const int64_t x[] = {2, 4, 6, 7}, b[] = {6}, w[] = {up ? 4 : 6, up ? 3 : 2, 3, 3};
  const int64_t y[] = {2, op == POOLING ? 4 : 6, up ? 7 : 5, up ? 14 : 3};
  call c = {.conv = {.struct_size = sizeof c.conv, .groups = 2},
            .pool = {.struct_size = sizeof c.pool, .kind = CCONV_POOL_AVERAGE},
            .input = tensor_of(CCONV_FLOAT32, 4, x, NULL),
            .weight = tensor_of(CCONV_FLOAT32, 4, w, NULL),
            .bias = tensor_of(CCONV_FLOAT32, 1, b, NULL),
            .residual = tensor_of(CCONV_FLOAT32, 4, y, NULL),
            .output = tensor_of(CCONV_FLOAT32, 4, y, NULL),
            .indices = tensor_of(CCONV_INT64, 4, y, NULL),
            .context = {.struct_size = sizeof c.context, .num_threads = 1}};
  for (int a = 0; a < 2; a++) {
    c.conv.stride[a] = c.pool.stride[a] = 1 + a;
    c.conv.dilation[a] = c.pool.dilation[a] = 1;
    c.conv.pad_before[a] = c.pool.pad_before[a] = a;
    c.conv.pad_after[a] = c.pool.pad_after[a] = 1 - a;
    c.pool.kernel[a] = 3;
  }
  c.input.data = region_place(input_memory, (size_t)bytes_of(&c.input), AT_END);
  c.weight.data = region_place(weight_memory, (size_t)bytes_of(&c.weight), AT_END);
  c.bias.data = region_place(bias_memory, (size_t)bytes_of(&c.bias), AT_END);
  c.residual.data = region_place(residual_memory, (size_t)bytes_of(&c.residual), AT_END);
  c.output.data = region_place(output_memory, (size_t)bytes_of(&c.output), AT_END);
  c.indices.data = region_place(indices_memory, (size_t)bytes_of(&c.indices), AT_END);
  return c;
}

static cconv_status query(const call *c, operation op, size_t *bytes, cconv_error *error) {
  const cconv_tensor *x = c->no_input ? NULL : &c->input, *y = c->no_output ? NULL : &c->output;
  const cconv_context *context = c->no_context ? NULL : &c->context;
  const cconv_tensor *w = c->no_weight ? NULL : &c->weight, *r = c->no_residual ? NULL : &c->residual;
  const cconv_conv_params *params = c->no_params ? NULL : &c->conv;
  if (op == POOLING)
    return cconv_pool_workspace(c->no_params ? NULL : &c->pool, x, y, c->indexed ? &c->indices : NULL, context, bytes,
                                error);
  if (op == TRANSPOSED)
    return cconv_conv_transpose_workspace(params, x, w, &c->bias, r, y, context, bytes, error);
  return cconv_conv_workspace(params, x, w, &c->bias, r, y, context, bytes, error);
}

static cconv_status execute(const call *c, operation op, void *workspace, size_t bytes, cconv_error *error) {
  const cconv_tensor *x = c->no_input ? NULL : &c->input, *y = c->no_output ? NULL : &c->output;
  const cconv_context *context = c->no_context ? NULL : &c->context;
  const cconv_tensor *w = c->no_weight ? NULL : &c->weight, *r = c->no_residual ? NULL : &c->residual;
  const cconv_conv_params *params = c->no_params ? NULL : &c->conv;
  if (op == POOLING)
    return cconv_pool(c->no_params ? NULL : &c->pool, x, y, c->indexed ? &c->indices : NULL, context, workspace, bytes,
                      error);
  if (op == TRANSPOSED)
    return cconv_conv_transpose(params, x, w, &c->bias, r, y, context, workspace, bytes, error);
  return cconv_conv(params, x, w, &c->bias, r, y, context, workspace, bytes, error);
}

/* Query and call must both answer one of `allowed`, say where, and leave output and workspace be. */
static void refused(const call *c, operation op, unsigned allowed, int line) {
  const char canary = 0x5a;
  size_t bytes = 12345;
  cconv_error error = {.struct_size = sizeof error};
  memset(output_memory.data, canary, output_memory.bytes);
  memset(indices_memory.data, canary, indices_memory.bytes);
  memset(workspace_memory.data, canary, workspace_memory.bytes);
  const cconv_status asked = query(c, op, &bytes, &error);
  check_that(allowed >> asked & 1, "the query refuses this with the right status", __FILE__, line);
  check_that(error.argument && strlen(error.argument) > 0, "the query names an argument", __FILE__, line);
  check_that(bytes == 12345, "a refused query gives no size", __FILE__, line);
  error = (cconv_error){.struct_size = sizeof error};
  const cconv_status answer = execute(c, op, workspace_memory.data, workspace_memory.bytes, &error);
  check_that(answer == asked, "the call answers like the query", __FILE__, line);
  check_that(error.argument && strlen(error.argument) > 0, "the call names an argument", __FILE__, line);
  check_that(execute(c, op, workspace_memory.data, workspace_memory.bytes, NULL) == answer,
             "without an error struct the answer is the same", __FILE__, line);
  check_that(all_bytes(output_memory.data, output_memory.bytes, canary), "output untouched", __FILE__, line);
  check_that(all_bytes(indices_memory.data, indices_memory.bytes, canary), "indices untouched", __FILE__, line);
  check_that(all_bytes(workspace_memory.data, workspace_memory.bytes, canary), "workspace untouched", __FILE__, line);
  cases++;
}

/* The good call with one expression applied to `c`, for one operation or several. */
static call c;

#define CASE(op, allowed, change) (c = good(op), (change), refused(&c, op, allowed, __LINE__))
#define CONV(allowed, change) CASE(CONVOLUTION, allowed, change)
#define POOL(allowed, change) CASE(POOLING, allowed, change)
#define TRANSPOSE(allowed, change) CASE(TRANSPOSED, allowed, change)
#define INDEXED(allowed, change) POOL(allowed, (c.indexed = true, c.pool.kind = CCONV_POOL_MAX, (change)))
#define BOTH(allowed, change) (CONV(allowed, change), POOL(allowed, change))
#define CONVS(allowed, change) (CONV(allowed, change), TRANSPOSE(allowed, change))
#define ALL(allowed, change) (CONVS(allowed, change), POOL(allowed, change))

/* The arithmetic of integers, for a call of which nothing else is looked at. */
static void integers(void) {
  c.input.dtype = c.weight.dtype = c.bias.dtype = c.residual.dtype = c.output.dtype = CCONV_INT32;
}

static void good_calls(void) {
  for (operation op = CONVOLUTION; op <= TRANSPOSED; op++) {
    size_t bytes = 0;
    c = good(op);
    cconv_error error = {.struct_size = sizeof error};
    CHECK(query(&c, op, &bytes, &error) == CCONV_OK);
    CHECK(query(&c, op, &bytes, NULL) == CCONV_OK);
    CHECK(bytes <= workspace_memory.bytes);
    CHECK(execute(&c, op, workspace_memory.data, bytes, &error) == CCONV_OK);
    CHECK(execute(&c, op, workspace_memory.data, bytes, NULL) == CCONV_OK);
    CHECK(query(&c, op, NULL, NULL) == CCONV_BAD_ARGUMENT);
    error = (cconv_error){.struct_size = 1, .argument = "untouched"};
    c.output.rank = 17; /* an error struct of an unknown size is left alone */
    CHECK(query(&c, op, &bytes, &error) != CCONV_OK && strcmp(error.argument, "untouched") == 0);
  }
}

static void missing_and_mislabelled(void) {
  ALL(IN(CCONV_BAD_ARGUMENT), c.no_params = true);
  ALL(IN(CCONV_BAD_ARGUMENT), c.no_input = true);
  CONVS(IN(CCONV_BAD_ARGUMENT), c.no_weight = true);
  ALL(IN(CCONV_BAD_ARGUMENT), c.no_output = true);
  ALL(IN(CCONV_BAD_ARGUMENT), c.no_context = true);
  ALL(IN(CCONV_BAD_ARGUMENT), c.input.data = NULL);
  CONVS(IN(CCONV_BAD_ARGUMENT), c.weight.data = NULL);
  CONVS(IN(CCONV_BAD_ARGUMENT), c.bias.data = NULL);
  ALL(IN(CCONV_BAD_ARGUMENT), c.output.data = NULL);
  for (uint32_t size = 0; size < 16; size += 15) {
    CONVS(IN(CCONV_BAD_ARGUMENT), c.conv.struct_size = size);
    POOL(IN(CCONV_BAD_ARGUMENT), c.pool.struct_size = size);
    ALL(IN(CCONV_BAD_ARGUMENT), c.input.struct_size = size);
    CONVS(IN(CCONV_BAD_ARGUMENT), c.weight.struct_size = size);
    CONVS(IN(CCONV_BAD_ARGUMENT), c.bias.struct_size = size);
    ALL(IN(CCONV_BAD_ARGUMENT), c.output.struct_size = size);
    ALL(IN(CCONV_BAD_ARGUMENT), c.context.struct_size = size);
  }
  ALL(IN(CCONV_BAD_ARGUMENT), c.context.num_threads = 0);
  ALL(IN(CCONV_BAD_ARGUMENT), c.context.num_threads = INT32_MIN);
  ALL(IN(CCONV_BAD_DTYPE), c.input.dtype = 0);
  ALL(IN(CCONV_BAD_DTYPE), c.input.dtype = -1);
  ALL(IN(CCONV_BAD_DTYPE), c.input.dtype = CCONV_FLOAT64);
  CONVS(IN(CCONV_BAD_DTYPE), c.weight.dtype = CCONV_FLOAT64);
  CONVS(IN(CCONV_BAD_DTYPE), c.bias.dtype = 99);
  CONVS(IN(CCONV_BAD_DTYPE), c.residual.dtype = CCONV_FLOAT64);
  ALL(IN(CCONV_BAD_DTYPE), c.output.dtype = CCONV_INT16);
  ALL(IN(CCONV_BAD_DTYPE), c.output.dtype = CCONV_INT64);
  ALL(IN(CCONV_BAD_DTYPE), c.output.dtype = 0);
  POOL(IN(CCONV_BAD_DTYPE), c.output.dtype = CCONV_FLOAT64);
  CONVS(IN(CCONV_BAD_ARGUMENT), c.residual.struct_size = 0);
  CONVS(IN(CCONV_BAD_ARGUMENT), c.residual.data = NULL);
  CONVS(IN(CCONV_BAD_SHAPE), c.residual.rank = 3);
  for (int a = 0; a < 4; a++)
    CONVS(IN(CCONV_BAD_SHAPE), c.residual.shape[a]--);
}

static void parameters_out_of_range(void) {
  CONVS(IN(CCONV_BAD_ARGUMENT), c.conv.activation = -1);
  CONVS(IN(CCONV_BAD_ARGUMENT), c.conv.activation = CCONV_ACTIVATION_CLIP + 1);
  for (int kind = CCONV_ACTIVATION_LEAKY_RELU; kind < CCONV_ACTIVATION_CLIP; kind++)
    CONVS(IN(CCONV_UNSUPPORTED), (integers(), c.conv.activation = kind));
  CONVS(IN(CCONV_BAD_ARGUMENT), c.conv.padding_mode = -1);
  CONVS(IN(CCONV_BAD_ARGUMENT), c.conv.padding_mode = CCONV_PADDING_CIRCULAR + 1);
  TRANSPOSE(IN(CCONV_UNSUPPORTED), c.conv.padding_mode = CCONV_PADDING_REFLECT);
  CONVS(IN(CCONV_BAD_ARGUMENT), c.conv.groups = 0);
  CONVS(IN(CCONV_BAD_ARGUMENT), c.conv.groups = -2);
  CONVS(IN(CCONV_BAD_SHAPE), c.conv.groups = 3);
  CONVS(IN(CCONV_BAD_SHAPE), c.conv.groups = INT64_MAX);
  POOL(IN(CCONV_BAD_ARGUMENT), c.pool.kind = -1);
  POOL(IN(CCONV_BAD_ARGUMENT), c.pool.kind = CCONV_POOL_LP + 1);
  POOL(IN(CCONV_BAD_ARGUMENT), c.pool.kind = CCONV_POOL_LP);
  POOL(IN(CCONV_BAD_ARGUMENT), (c.pool.kind = CCONV_POOL_LP, c.pool.p = -1));
  POOL(IN(CCONV_BAD_ARGUMENT), (c.pool.kind = CCONV_POOL_LP, c.pool.p = NAN));
  for (int a = 0; a < 2; a++)
    for (int64_t bad = -1; bad <= 0; bad++) {
      CONVS(IN(CCONV_BAD_ARGUMENT), c.conv.stride[a] = bad);
      CONVS(IN(CCONV_BAD_ARGUMENT), c.conv.dilation[a] = bad);
      POOL(IN(CCONV_BAD_ARGUMENT), c.pool.stride[a] = bad);
      POOL(IN(CCONV_BAD_ARGUMENT), c.pool.dilation[a] = bad);
      POOL(IN(CCONV_BAD_ARGUMENT), c.pool.kernel[a] = bad);
      CONVS(ANY, c.weight.shape[2 + a] = bad);
    }
}

static void shapes_that_do_not_fit(void) {
  for (int rank = -1; rank <= 7; rank++) {
    if (rank != 4) {
      ALL(IN(CCONV_BAD_SHAPE), c.input.rank = rank);
      CONVS(IN(CCONV_BAD_SHAPE), c.weight.rank = rank);
      ALL(IN(CCONV_BAD_SHAPE), c.output.rank = rank);
    }
    if (rank != 1)
      CONVS(IN(CCONV_BAD_SHAPE), c.bias.rank = rank);
  }
  for (int a = 0; a < 4; a++) {
    BOTH(IN(CCONV_BAD_SHAPE), c.output.shape[a]++);
    TRANSPOSE(IN(CCONV_BAD_SHAPE), c.output.shape[a] += 2); /* one more is an output padding */
    ALL(IN(CCONV_BAD_SHAPE), c.output.shape[a]--);
    ALL(IN(CCONV_BAD_SHAPE), c.output.shape[a] = -1);
    ALL(IN(CCONV_BAD_SHAPE), c.output.shape[a] = 0);
    ALL(IN(CCONV_BAD_SHAPE), c.input.shape[a] = -1);
    ALL(IN(CCONV_BAD_SHAPE), c.input.shape[a] = INT64_MIN);
    CONVS(ANY, c.weight.shape[a] = INT64_MIN);
    CONVS(ANY, c.weight.shape[a] += 2);
  }
  CONVS(IN(CCONV_BAD_SHAPE), c.bias.shape[0]--);
  CONVS(IN(CCONV_BAD_SHAPE), c.bias.shape[0] = -1);
  /* A window larger than the padded input has no output. */
  CONV(IN(CCONV_BAD_SHAPE), c.conv.dilation[0] = 4);
  CONV(IN(CCONV_BAD_SHAPE), c.conv.pad_before[1] = -6);
  POOL(IN(CCONV_BAD_SHAPE), c.pool.kernel[1] = 9);
  ALL(IN(CCONV_BAD_SHAPE), c.input.shape[2] = 0);
  /* Padding alone makes an output, but not where it repeats what is not there. */
  CONV(IN(CCONV_BAD_SHAPE),
       (c.input.shape[2] = 0, c.conv.pad_before[0] = 6, c.conv.padding_mode = CCONV_PADDING_REFLECT));
}

static void memory_that_does_not_fit(void) {
  CONVS(IN(CCONV_BAD_ARGUMENT), c.weight.data = (char *)c.weight.data - 1);
  CONVS(IN(CCONV_BAD_ARGUMENT), c.bias.data = (char *)c.bias.data - 2);
  ALL(IN(CCONV_BAD_ARGUMENT), c.output.data = (char *)c.output.data - 3);
  ALL(IN(CCONV_BAD_ARGUMENT), c.output.stride[2] += 2);
  for (int a = 0; a < 4; a++)
    CONVS(IN(CCONV_BAD_ARGUMENT), c.weight.stride[a] += 2);
  CONVS(IN(CCONV_BAD_ARGUMENT), c.bias.stride[0] = -4);
}

/* Indices come with extremes, are int64, and of the output's shape. */
static void indices_that_do_not_fit(void) {
  INDEXED(IN(CCONV_BAD_ARGUMENT), c.pool.kind = CCONV_POOL_AVERAGE);
  INDEXED(IN(CCONV_BAD_ARGUMENT), (c.pool.kind = CCONV_POOL_LP, c.pool.p = 2));
  INDEXED(IN(CCONV_BAD_ARGUMENT), c.indices.struct_size = 0);
  INDEXED(IN(CCONV_BAD_ARGUMENT), c.indices.data = NULL);
  INDEXED(IN(CCONV_BAD_ARGUMENT), c.indices.data = (char *)c.indices.data - 4);
  INDEXED(IN(CCONV_BAD_ARGUMENT), c.indices.stride[1] += 4);
  for (int dtype = 0; dtype <= CCONV_FLOAT16 + 1; dtype++)
    if (dtype != CCONV_INT64)
      INDEXED(IN(CCONV_BAD_DTYPE), c.indices.dtype = dtype);
  INDEXED(IN(CCONV_BAD_SHAPE), c.indices.rank = 3);
  for (int a = 0; a < 4; a++) {
    INDEXED(IN(CCONV_BAD_SHAPE), c.indices.shape[a]--);
    INDEXED(IN(CCONV_BAD_SHAPE), c.indices.shape[a]++);
  }
  BOTH(IN(CCONV_BAD_DTYPE), c.input.dtype = CCONV_INT64);
}

static void sizes_near_the_limit(void) {
  const int64_t large[] = {INT64_MAX,        INT64_MAX - 1, INT64_MAX / 2, (int64_t)1 << 62,
                           (int64_t)1 << 55, INT64_MIN,     INT64_MIN + 1, -((int64_t)1 << 62)};
  for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
    const int64_t v = large[i];
    for (int a = 0; a < 4; a++) {
      ALL(ANY, c.input.shape[a] = v);
      CONVS(ANY, c.weight.shape[a] = v);
      ALL(ANY, c.output.shape[a] = v);
      if (v > INT64_MAX / 8 || v < INT64_MIN / 8)
        ALL(IN(CCONV_TOO_LARGE), (c.input.shape[a] = 9, c.input.stride[a] = v));
    }
    for (int a = 0; a < 2; a++) {
      CONVS(ANY, c.conv.stride[a] = v);
      CONVS(ANY, c.conv.dilation[a] = v);
      CONVS(ANY, c.conv.pad_before[a] = v);
      CONVS(ANY, c.conv.pad_after[a] = v);
      CONV(ANY, (c.conv.pad_before[a] = v, c.conv.padding_mode = CCONV_PADDING_SYMMETRIC));
      POOL(ANY, c.pool.kernel[a] = v);
      POOL(ANY, c.pool.stride[a] = v);
      POOL(ANY, c.pool.dilation[a] = v);
      POOL(ANY, c.pool.pad_before[a] = v);
      POOL(ANY, c.pool.pad_after[a] = v);
      POOL(ANY, (c.pool.ceil_mode = 1, c.pool.stride[a] = v));
      CONVS(ANY, (c.conv.pad_before[a] = v, c.conv.pad_after[a] = v));
      CONVS(ANY, (c.conv.pad_before[a] = v, c.conv.dilation[a] = v));
    }
    CONVS(ANY, c.conv.groups = v);
    CONVS(ANY, (c.weight.shape[2] = v, c.weight.shape[3] = v));
  }
  /* Each axis is possible, the product is not. */
  for (int i = 1; i < 4; i++)
    ALL(IN(CCONV_TOO_LARGE), (c.input.shape[0] = (int64_t)1 << 31, c.input.shape[i] = (int64_t)1 << 32));
}

/* One row of small integers through `kernel` taps: what the formula gives, by plain sums. */
static void row(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t before, int64_t after,
                int64_t out) {
  const int64_t x[] = {1, 1, in}, w[] = {1, 1, kernel}, y[] = {1, 1, out};
  for (int dtype = CCONV_FLOAT32; dtype <= CCONV_FLOAT64; dtype++)
    for (operation op = CONVOLUTION; op <= POOLING; op++) {
      c = good(op);
      c.input = tensor_of(dtype, 3, x, NULL);
      c.weight = tensor_of(dtype, 3, w, NULL);
      c.output = tensor_of(dtype, 3, y, NULL);
      c.bias = tensor_of(dtype, 1, x, NULL);
      c.no_residual = true;
      c.conv.groups = 1;
      c.pool.kernel[0] = kernel;
      c.pool.divisor = 1;
      c.conv.stride[0] = c.pool.stride[0] = stride;
      c.conv.dilation[0] = c.pool.dilation[0] = dilation;
      c.conv.pad_before[0] = c.pool.pad_before[0] = before;
      c.conv.pad_after[0] = c.pool.pad_after[0] = after;
      c.input.data = region_place(input_memory, (size_t)bytes_of(&c.input), AT_END);
      c.weight.data = region_place(weight_memory, (size_t)bytes_of(&c.weight), AT_END);
      c.output.data = region_place(output_memory, (size_t)bytes_of(&c.output), AT_END);
      c.bias.data = region_place(bias_memory, 8, AT_START);
      element_set(&c.bias, 0, 0);
      for (int64_t i = 0; i < in; i++)
        element_set(&c.input, i, (double)(i % 7 + 1));
      for (int64_t i = 0; i < kernel; i++)
        element_set(&c.weight, i, (double)(op == POOLING ? 1 : i % 5 + 1));
      size_t bytes = 0;
      cases++;
      if (!CHECK(query(&c, op, &bytes, NULL) == CCONV_OK))
        continue;
      CHECK((int64_t)bytes <= cconv_cache_l2() / 2);
      CHECK(execute(&c, op, region_place(workspace_memory, bytes, AT_END), bytes, NULL) == CCONV_OK);
      for (int64_t o = 0; o < out; o++) {
        double sum = 0;
        for (int64_t k = 0; k < kernel; k++) {
          const int64_t i = o * stride + k * dilation - before;
          if (i >= 0 && i < in)
            sum += element_get(&c.input, i) * element_get(&c.weight, k);
        }
        CHECK(element_get(&c.output, o) == sum);
      }
    }
}

/* Most of the window may lie astronomically far outside; the numbers are still right. */
static void large_but_valid(void) {
  const int64_t far = (int64_t)1 << 60;
  row(5, 2, 1, far, far, 0, 5);
  row(5, 2, 1, far, 0, far, 5);
  row(5, 3, 1, far, far, far, 5);
  row(5, 2, 3, far - 1, far - 1, 0, 2);
  row(5, 1, far, 1, 0, 0, 1);
  row(5, 1, far, 1, far, 0, 2);
  row(5, 3, far, far, far, 2 * far, 2);
  row(5, 2, far, 2, 0, far, 2);
  row(40, 2, 1, far, far - 7, 0, 33);
  row(40, 3, 2, (int64_t)1 << 20, (int64_t)1 << 20, (int64_t)1 << 20, 20);
  row(3000, 1000, 7, 3, 500, 500, 144);
}

/* No batch, no channels: the call succeeds, and a convolution of no channels is its bias. */
static void empty_axes(void) {
  size_t bytes = 0;
  c = good(CONVOLUTION);
  c.input.shape[0] = c.residual.shape[0] = c.output.shape[0] = 0;
  c.input.data = c.residual.data = c.output.data = NULL;
  CHECK(query(&c, CONVOLUTION, &bytes, NULL) == CCONV_OK);
  CHECK(execute(&c, CONVOLUTION, workspace_memory.data, bytes, NULL) == CCONV_OK);
  c = good(POOLING);
  c.input.shape[1] = c.output.shape[1] = 0;
  c.input.data = c.output.data = NULL;
  CHECK(query(&c, POOLING, &bytes, NULL) == CCONV_OK);
  CHECK(execute(&c, POOLING, workspace_memory.data, bytes, NULL) == CCONV_OK);
  c = good(CONVOLUTION);
  c.input.shape[1] = c.weight.shape[1] = 0;
  c.input.data = c.weight.data = NULL;
  for (int64_t i = 0; i < 6; i++)
    element_set(&c.bias, i, (double)(i + 1));
  CHECK(query(&c, CONVOLUTION, &bytes, NULL) == CCONV_OK);
  CHECK(execute(&c, CONVOLUTION, workspace_memory.data, bytes, NULL) == CCONV_OK);
  for (int64_t i = 0; i < count_of(&c.output); i++)
    CHECK(element_get(&c.output, i) == (double)(i / 15 % 6 + 1));
  c = good(TRANSPOSED);
  c.input.shape[1] = c.weight.shape[0] = 0;
  c.input.data = c.weight.data = NULL;
  CHECK(query(&c, TRANSPOSED, &bytes, NULL) == CCONV_OK);
  CHECK(execute(&c, TRANSPOSED, workspace_memory.data, bytes, NULL) == CCONV_OK);
  for (int64_t i = 0; i < count_of(&c.output); i++)
    CHECK(element_get(&c.output, i) == (double)(i / 98 % 6 + 1));
  /* Strides nobody follows: one more step than an axis has does not fit. */
  c = good(CONVOLUTION);
  c.input.shape[0] = c.residual.shape[0] = c.output.shape[0] = 0;
  c.input.shape[2] = c.residual.shape[2] = c.output.shape[2] = 2;
  c.input.shape[3] = c.residual.shape[3] = c.output.shape[3] = 2;
  c.input.stride[3] = c.residual.stride[3] = c.output.stride[3] = (int64_t)1 << 62;
  c.weight.shape[2] = c.weight.shape[3] = 1;
  c.conv.stride[1] = 1;
  for (int a = 0; a < 2; a++)
    c.conv.pad_before[a] = c.conv.pad_after[a] = 0;
  CHECK(query(&c, CONVOLUTION, &bytes, NULL) == CCONV_OK);
  CHECK(execute(&c, CONVOLUTION, workspace_memory.data, bytes, NULL) == CCONV_OK);
  for (operation op = CONVOLUTION; op <= TRANSPOSED; op += TRANSPOSED) {
    c = good(op);
    c.input.shape[1] = 0;
    c.weight.shape[op == TRANSPOSED ? 0 : 1] = 0;
    c.weight.stride[0] = (INT64_MAX / 5 - 64) & -4;
    c.conv.groups = 1;
    c.no_residual = true;
    c.weight.shape[1] = op == TRANSPOSED ? 6 : 0;
    CHECK(query(&c, op, &bytes, NULL) == CCONV_OK);
    CHECK(execute(&c, op, workspace_memory.data, bytes, NULL) == CCONV_OK);
  }
  cases += 7;
}

/* Pads and steps that take all but a few outputs of a transposed row astronomically far away. */
static void spread_row(int64_t kernel, int64_t stride, int64_t dilation, int64_t before, int64_t after, int64_t out) {
  const int64_t x[] = {1, 1, 5}, w[] = {1, 1, kernel}, y[] = {1, 1, out}, b[] = {1};
  c = good(TRANSPOSED);
  const cconv_tensor good_bias = tensor_of(CCONV_FLOAT32, 1, b, NULL);
  c.input = tensor_of(CCONV_FLOAT32, 3, x, NULL);
  c.weight = tensor_of(CCONV_FLOAT32, 3, w, NULL);
  c.output = tensor_of(CCONV_FLOAT32, 3, y, NULL);
  c.bias = good_bias;
  c.no_residual = true;
  c.conv.groups = 1;
  c.conv.stride[0] = stride;
  c.conv.dilation[0] = dilation;
  c.conv.pad_before[0] = before;
  c.conv.pad_after[0] = after;
  c.input.data = region_place(input_memory, (size_t)bytes_of(&c.input), AT_END);
  c.weight.data = region_place(weight_memory, (size_t)bytes_of(&c.weight), AT_END);
  c.output.data = region_place(output_memory, (size_t)bytes_of(&c.output), AT_END);
  c.bias.data = region_place(bias_memory, (size_t)bytes_of(&c.bias), AT_END);
  element_set(&c.bias, 0, 100);
  for (int64_t i = 0; i < 5; i++)
    element_set(&c.input, i, (double)(i + 1));
  for (int64_t k = 0; k < kernel; k++)
    element_set(&c.weight, k, (double)(k + 1));
  size_t bytes = 0;
  cases++;
  if (!CHECK(query(&c, TRANSPOSED, &bytes, NULL) == CCONV_OK))
    return;
  CHECK(execute(&c, TRANSPOSED, region_place(workspace_memory, bytes, AT_END), bytes, NULL) == CCONV_OK);
  for (int64_t o = 0; o < out; o++) {
    double sum = 100;
    for (int64_t i = 0; i < 5; i++)
      for (int64_t k = 0; k < kernel; k++)
        if (i * stride + k * dilation - before == o)
          sum += (double)((i + 1) * (k + 1));
    CHECK(element_get(&c.output, o) == sum);
  }
}

static void spread_far(void) {
  const int64_t far = (int64_t)1 << 60;
  spread_row(2, far, 1, 2 * far, 2 * far - 8, 10);
  spread_row(3, far, 2, 2 * far + 1, 2 * far - 6, 10);
  spread_row(3, 2, far, far - 3, far + 9, 3);
  spread_row(2, far, far, far, 4 * far - 20, 21);
  spread_row(1, 1, 1, -7, -9, 21);
  spread_row(3, 300, 7, 290, 600, 325);
}

/* A query of as many outputs as can be numbered, by either algorithm: what it reckons of their time has to fit, which
 * the sanitizers watch. No element is read. */
static void reckoned_times(void) {
  const int64_t n = (int64_t)1 << 20, row = 4 * n, slice = row * n, volume = slice * n;
  const int32_t algorithms[] = {CCONV_ALGORITHM_AUTO, CCONV_ALGORITHM_DIRECT, CCONV_ALGORITHM_WINOGRAD};
  for (int i = 0; i < 3; i++) {
    const cconv_context context = {.struct_size = sizeof context, .num_threads = 2};
    cconv_conv_params params = {.struct_size = sizeof params, .algorithm = algorithms[i], .groups = 1};
    cconv_tensor x = {sizeof x, CCONV_FLOAT32, 5, input_memory.data, {1, 1, n, n, n}, {0}};
    cconv_tensor w = {sizeof w, CCONV_FLOAT32, 5, weight_memory.data, {1, 1, 3, 3, 3}, {0}};
    cconv_tensor y = {sizeof y, CCONV_FLOAT32, 5, output_memory.data, {1, 1, n, n, n}, {volume, volume, slice, row, 4}};
    for (int a = 0; a < 3; a++)
      params.stride[a] = params.dilation[a] = params.pad_before[a] = params.pad_after[a] = 1;
    size_t bytes = 0;
    CHECK(cconv_conv_workspace(&params, &x, &w, NULL, NULL, &y, &context, &bytes, NULL) == CCONV_OK);
    CHECK(bytes > 0);
    cases++;
  }
}

int main(void) {
  input_memory = region_new(1 << 16);
  weight_memory = region_new(1 << 14);
  bias_memory = region_new(1 << 12);
  residual_memory = region_new(1 << 16);
  output_memory = region_new(1 << 13);
  indices_memory = region_new(1 << 14);
  workspace_memory = region_new((size_t)cconv_cache_l2());
  good_calls();
  missing_and_mislabelled();
  parameters_out_of_range();
  shapes_that_do_not_fit();
  memory_that_does_not_fit();
  indices_that_do_not_fit();
  sizes_near_the_limit();
  large_but_valid();
  empty_axes();
  spread_far();
  reckoned_times();
  return check_report("arguments", cases);
}
