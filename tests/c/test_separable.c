/* SPDX-License-Identifier: BSD-3-Clause
 * test_separable.c - filters along two axes against plain loops in double, between guard pages: bad arguments, odd
 * sizes and strides, tall and wide windows, and threads that do not show. */
#include "naive.h"

#include "check.h"

enum { MOST = 1 << 17 /* elements of an image */ };

static long cases;
static region input_memory, output_memory, workspace_memory, weights_memory[2];

typedef struct call {
  cconv_separable_params params;
  cconv_tensor input, output;
  cconv_context context;
  size_t missing; /* bytes of the workspace */
  bool no_params, no_input, no_output, no_workspace;
} call;

static call c; /* the one at hand */

static cconv_status run(cconv_error *error) {
  const cconv_separable_params *params = c.no_params ? NULL : &c.params;
  const cconv_tensor *input = c.no_input ? NULL : &c.input, *output = c.no_output ? NULL : &c.output;
  size_t bytes = 0;
  cconv_status status = cconv_filter_separable_workspace(params, input, output, &c.context, &bytes, error);
  if (status || bytes > workspace_memory.bytes)
    return status;
  void *workspace = c.no_workspace ? NULL : region_place(workspace_memory, bytes - c.missing, AT_END);
  return cconv_filter_separable(params, input, output, &c.context, workspace, bytes - c.missing, error);
}

static uint64_t state = 1;

static int64_t next_below(int64_t n) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (int64_t)((state >> 33) % (uint64_t)n);
}

static void good_call(void) {
  const int64_t shape[] = {2, 3, 6, 7};
  c = (call){.params = {.struct_size = sizeof c.params, .kernel = {3, 2}, .pad_before = {1, 0}},
             .input = tensor_of(CCONV_FLOAT32, 4, shape, NULL),
             .output = tensor_of(CCONV_FLOAT32, 4, shape, NULL),
             .context = {.struct_size = sizeof c.context, .num_threads = 2}};
  c.input.data = input_memory.data;
  c.output.data = output_memory.data;
}

/* The call is refused with this status, which names the argument. */
static void refused(cconv_status status, const char *argument) {
  cconv_error error = {.struct_size = sizeof error};
  cases++;
  CHECK(run(&error) == status);
  CHECK(error.argument && !strcmp(error.argument, argument));
}

#define REFUSED(status, argument, change) (good_call(), (void)(change), refused(status, argument))

static void test_arguments(void) {
  good_call();
  cases++;
  CHECK(run(NULL) == CCONV_OK);
  REFUSED(CCONV_BAD_ARGUMENT, "params", c.no_params = true);
  REFUSED(CCONV_BAD_ARGUMENT, "params", c.params.struct_size--);
  REFUSED(CCONV_BAD_ARGUMENT, "input", c.no_input = true);
  REFUSED(CCONV_BAD_ARGUMENT, "output", c.no_output = true);
  REFUSED(CCONV_BAD_ARGUMENT, "workspace", c.no_workspace = true);
  REFUSED(CCONV_WORKSPACE_TOO_SMALL, "workspace", c.missing = 1);
  REFUSED(CCONV_BAD_ARGUMENT, "padding_mode", c.params.padding_mode[1] = -1);
  REFUSED(CCONV_BAD_ARGUMENT, "padding_mode", c.params.padding_mode[0] = CCONV_PADDING_CIRCULAR + 1);
  REFUSED(CCONV_BAD_ARGUMENT, "kernel", c.params.kernel[0] = 0);
  REFUSED(CCONV_BAD_ARGUMENT, "kernel", c.params.kernel[1] = -1);
  REFUSED(CCONV_UNSUPPORTED, "kernel", c.params.kernel[0] = 4097);
  REFUSED(CCONV_UNSUPPORTED, "kernel", c.params.kernel[1] = INT64_MAX);
  REFUSED(CCONV_UNSUPPORTED, "kernel", (c.params.kernel[0] = 512, c.params.kernel[1] = 513));
  REFUSED(CCONV_BAD_ARGUMENT, "pad_before", c.params.pad_before[0] = 3);
  REFUSED(CCONV_BAD_ARGUMENT, "pad_before", c.params.pad_before[1] = -1);
  REFUSED(CCONV_BAD_ARGUMENT, "num_threads", c.context.num_threads = 0);
  REFUSED(CCONV_BAD_ARGUMENT, "context", c.context.struct_size = 0);
  REFUSED(CCONV_BAD_SHAPE, "output", c.output.shape[2] = 5);
  REFUSED(CCONV_BAD_SHAPE, "output", c.output.shape[0] = 1);
  REFUSED(CCONV_BAD_SHAPE, "input", c.input.rank = 3);
  REFUSED(CCONV_BAD_DTYPE, "output", c.output.dtype = CCONV_FLOAT16);
  REFUSED(CCONV_BAD_DTYPE, "input", c.input.dtype = CCONV_FLOAT64);
  REFUSED(CCONV_BAD_DTYPE, "input", c.input.dtype = CCONV_INT64);
}

/* One pass by its definition, over rows of n elements `step` apart, `count` of them; rounded to the dtype. */
static void naive_pass(int a, double *x, int64_t n, int64_t step, int64_t count, int64_t apart) {
  static double y[MOST], weights[1 << 12];
  const int64_t k = c.params.kernel[a], before = c.params.pad_before[a];
  const int32_t mode = c.params.padding_mode[a], dtype = c.output.dtype;
  const double fill = value_in(dtype, c.params.padding_value);
  cconv_tensor w = tensor_of(dtype, 1, &k, NULL);
  w.data = (void *)(uintptr_t)c.params.weights[a];
  for (int64_t t = 0; t < k; t++)
    weights[t] = w.data ? element_get(&w, t) : 1;
  for (int64_t r = 0; r < count; r++) {
    for (int64_t i = 0; i < n; i++) {
      double sum = 0;
      for (int64_t t = 0; t < k; t++) {
        int64_t at = i + t - before;
        if (mode != CCONV_PADDING_CONSTANT)
          at = naive_index(mode, at, n);
        sum += weights[t] * (at < 0 || at >= n ? fill : x[r * apart + at * step]);
      }
      y[i] = value_in(dtype, w.data ? sum : sum / (double)k);
    }
    for (int64_t i = 0; i < n; i++)
      x[r * apart + i * step] = y[i];
  }
}

/* Every output, exactly; where averages are made of quotients, but for the rounding of their sums. */
static void compare(void) {
  static double image[MOST];
  const int64_t h = c.input.shape[2], w = c.input.shape[3], images = c.input.shape[0] * c.input.shape[1];
  const double unit = c.output.dtype == CCONV_FLOAT32 ? 0x1p-24 : 0x1p-53;
  const bool exact = c.params.weights[0] || c.params.kernel[0] == 1;
  for (int64_t n = 0; n < images; n++) {
    for (int64_t i = 0; i < h * w; i++)
      image[i] = element_get(&c.input, n * h * w + i);
    naive_pass(0, image, h, w, w, 1);
    naive_pass(1, image, w, 1, h, w);
    for (int64_t i = 0; i < h * w; i++) {
      const double got = element_get(&c.output, n * h * w + i);
      const double slack = exact ? 0 : 2000 * unit * (double)(c.params.kernel[1] + 2);
      if (!CHECK(fabs(got - image[i]) <= slack))
        return;
    }
  }
}

/* Integers, in weights too, so that sums are exact. */
static void draw_weights(int a, bool average) {
  const int64_t k = c.params.kernel[a];
  const cconv_tensor weights = tensor_of(c.output.dtype, 1, &k, NULL);
  if (average)
    return;
  cconv_tensor w = weights;
  w.data = region_place(weights_memory[a], (size_t)bytes_of(&w), next_below(2) ? AT_END : AT_START);
  for (int64_t t = 0; t < k; t++)
    element_set(&w, t, (double)(next_below(9) - 4));
  c.params.weights[a] = w.data;
}

static const int *const orders[] = {NULL, (const int[]){0, 1, 3, 2}, (const int[]){0, 2, 3, 1},
                                    (const int[]){3, 2, 1, 0}};

static void draw(const int64_t *sizes, int64_t size_count, const int64_t *kernels, int64_t kernel_count) {
  static const int32_t sources[2][4] = {{CCONV_FLOAT32, CCONV_FLOAT32, CCONV_UINT8, CCONV_FLOAT16},
                                        {CCONV_FLOAT64, CCONV_FLOAT64, CCONV_INT16, CCONV_FLOAT32}};
  const int wide = (int)next_below(2);
  int64_t shape[] = {1 + next_below(2), 1 + next_below(2), sizes[next_below(size_count)],
                     sizes[next_below(size_count)]};
  if (shape[2] * shape[3] > MOST)
    shape[2 + next_below(2)] = 2;
  c = (call){.params = {.struct_size = sizeof c.params, .padding_value = (double)next_below(5)},
             .context = {.struct_size = sizeof c.context, .num_threads = 1 + (int)next_below(3)}};
  c.input = tensor_of(sources[wide][next_below(4)], 4, shape, orders[next_below(4)]);
  c.output = tensor_of(wide ? CCONV_FLOAT64 : CCONV_FLOAT32, 4, shape, orders[next_below(4)]);
  const int64_t shift = next_below(2); /* to an address of no alignment */
  c.input.data = region_place(input_memory, (size_t)(bytes_of(&c.input) + shift), shift ? AT_END : AT_START);
  c.output.data = region_place(output_memory, (size_t)bytes_of(&c.output), next_below(2) ? AT_END : AT_START);
  if (next_below(3) == 0)
    tensor_flip(&c.input, 2 + (int)next_below(2));
  for (int a = 0; a < 2; a++) {
    c.params.kernel[a] = kernels[next_below(kernel_count)];
    c.params.pad_before[a] = next_below(c.params.kernel[a]);
    c.params.padding_mode[a] = (int32_t)next_below(5);
    draw_weights(a, next_below(2));
  }
  for (int64_t i = 0; i < count_of(&c.input); i++)
    element_set(&c.input, i, (double)next_below(100));
  for (int a = 0; a < 4; a++) /* what the stride of a single place says is nothing */
    if (shape[a] == 1)
      c.input.stride[a] = c.output.stride[a] = next_below(2) ? INT64_MAX : INT64_MIN;
}

static void test_drawn(void) {
  static const int64_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 33, 70}, kernels[] = {1, 1, 2, 3, 4, 5, 7, 8, 9, 45};
  for (int i = 0; i < 4000; i++) {
    draw(sizes, 12, kernels, 10);
    cases++;
    CHECK(run(NULL) == CCONV_OK);
    compare();
  }
}

/* Windows beyond the image, blocks of rows and strips of columns; parts one after the other, from the last. */
static void test_large(void) {
  static const int64_t sizes[] = {1, 60, 131, 200, 257}, kernels[] = {1, 3, 15, 16, 17, 39, 40, 65, 300};
  static char standard[MOST * 32];
  for (int i = 0; i < 60; i++) {
    long calls = 0;
    draw(sizes, 5, kernels, 9);
    const size_t bytes = (size_t)bytes_of(&c.output);
    c.context.num_threads = 1;
    cases++;
    CHECK(run(NULL) == CCONV_OK);
    compare();
    memcpy(standard, c.output.data, bytes);
    memset(c.output.data, 0x77, bytes);
    c.context.num_threads = 5;
    c.context.parallel_for = parts_backwards;
    c.context.host = &calls;
    CHECK(run(NULL) == CCONV_OK);
    CHECK(!memcmp(standard, c.output.data, bytes));
  }
}

/* Rows that no strip holds whole. */
static void test_long_rows(void) {
  static const int64_t sizes[] = {1, 2, 30011}, kernels[] = {1, 2, 5, 40, 127};
  for (int i = 0; i < 20; i++) {
    draw(sizes, 3, kernels, 5);
    cases++;
    CHECK(run(NULL) == CCONV_OK);
    compare();
  }
}

/* A quotient is rounded correctly whatever it is: infinite, of the largest numbers, or denormal. */
static void test_quotients(void) {
  const int64_t shape[] = {1, 1, 16, 40}, places = 16 * 40;
  for (int64_t k = 2; k <= 15; k++) {
    good_call();
    c.input = c.output = tensor_of(CCONV_FLOAT32, 4, shape, NULL);
    c.input.data = input_memory.data;
    c.output.data = output_memory.data;
    c.params.kernel[0] = k;
    c.params.kernel[1] = 1;
    c.params.pad_before[0] = 0;
    for (int64_t i = 0; i < places; i++) { /* one element of each window is not 0 */
      const double value = ldexp((double)(next_below(1 << 24) + 1), (int)next_below(250) - 145);
      element_set(&c.input, i, i / 40 % k ? 0 : i % 40 == 7 ? INFINITY : i % 40 == 8 ? -INFINITY : value);
    }
    cases++;
    CHECK(run(NULL) == CCONV_OK);
    for (int64_t i = 0; i < places; i++) {
      const int64_t row = (i / 40 + k - 1) / k * k;
      const float sum = row < 16 ? (float)element_get(&c.input, row * 40 + i % 40) : 0, exact = sum / (float)k;
      const float got = (float)element_get(&c.output, i);
      CHECK(got == exact || (fabsf(exact) < 0x1p-126f && fabsf(got - exact) <= 0x1p-149f));
    }
  }
}

int main(void) {
  input_memory = region_new(1 << 22);
  output_memory = region_new(1 << 22);
  weights_memory[0] = region_new(1 << 16);
  weights_memory[1] = region_new(1 << 16);
  workspace_memory = region_new(1 << 25);
  test_arguments();
  test_drawn();
  test_large();
  test_long_rows();
  test_quotients();
  return check_report("test_separable", cases);
}
