/* SPDX-License-Identifier: BSD-3-Clause
 * test_large_kernels.c - large kernels of one channel, dense and products of a column and a row, against the formula in
 * double, between guard pages: odd sizes and strides, pads, padding modes, and threads that do not show. */
#include "naive.h"

#include "check.h"

enum { MOST_BYTES = 1 << 21 /* of a tensor */, SAMPLES = 40 /* outputs of a case that are compared */ };

static long cases;
static region input_memory, weight_memory, output_memory, workspace_memory;
static uint64_t state = 1;

static int64_t next_below(int64_t n) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (int64_t)((state >> 33) % (uint64_t)n);
}

static double next_value(void) { return (double)(next_below(2001) - 1000) / 256; }

static cconv_conv_params params;
static cconv_context context;
static cconv_tensor x, w, y, bias;
static float bias_value[4];

static cconv_status run(void) {
  size_t bytes = 0;
  const cconv_tensor *b = params.activation ? &bias : NULL;
  cconv_status status = cconv_conv_workspace(&params, &x, &w, b, NULL, &y, &context, &bytes, NULL);
  if (status || !CHECK(bytes <= workspace_memory.bytes))
    return status;
  char *workspace = region_place(workspace_memory, bytes, AT_END);
  memset(workspace, 0x7f, bytes); /* large numbers, and no zeros */
  return cconv_conv(&params, &x, &w, b, NULL, &y, &context, workspace, bytes, NULL);
}

/* Some outputs, to within what algorithms other than the direct one promise. */
static void compare(void) {
  double most = fabs(params.padding_value), weights = 0;
  const double unit = y.dtype == CCONV_FLOAT64 ? 24 * 0x1p-52 : 8 * 0x1p-23;
  const cconv_tensor *b = params.activation ? &bias : NULL;
  for (int64_t i = 0; i < count_of(&x); i++)
    most = fmax(most, fabs(element_get(&x, i)));
  for (int64_t i = 0; i < count_of(&w); i++)
    weights += fabs(element_get(&w, i));
  for (int i = 0; i < SAMPLES; i++) {
    const int64_t at = i < 4 ? i % 2 * (count_of(&y) - 1) : next_below(count_of(&y));
    const double exact = naive_conv(&params, &x, &w, b, NULL, &y, at);
    if (!CHECK(fabs(element_get(&y, at) - (params.activation ? fmax(exact, 0) : exact)) <= unit * most * weights))
      return;
  }
}

static const int *const orders[2][3] = {{NULL, (const int[]){0, 2, 1}, (const int[]){2, 0, 1}},
                                        {NULL, (const int[]){0, 1, 3, 2}, (const int[]){3, 2, 1, 0}}};

static void draw(int rank) {
  static const int32_t sources[2][3] = {{CCONV_FLOAT32, CCONV_FLOAT32, CCONV_UINT8},
                                        {CCONV_FLOAT64, CCONV_FLOAT64, CCONV_FLOAT32}};
  const int wide = (int)next_below(2), dense = (int)next_below(2), groups = 1 + (int)next_below(4) / 3;
  const int64_t shift = next_below(2);
  int64_t in[4] = {1 + next_below(2), groups}, kernel[4] = {groups, 1}, out[4] = {in[0], groups};
  params = (cconv_conv_params){.struct_size = sizeof params,
                               .groups = groups,
                               .padding_mode = (int32_t)next_below(5),
                               .activation = next_below(3) ? CCONV_ACTIVATION_NONE : CCONV_ACTIVATION_RELU};
  params.padding_value = params.padding_mode || next_below(2) ? 0 : next_value();
  context = (cconv_context){.struct_size = sizeof context, .num_threads = 1};
  for (int a = 2; a < rank; a++) {
    kernel[a] = rank == 3 ? 60 + next_below(600) : 5 + next_below(36);
    params.stride[a - 2] = params.dilation[a - 2] = 1;
    params.pad_before[a - 2] = next_below(2 * kernel[a] / 3);
    params.pad_after[a - 2] = next_below(2 * kernel[a] / 3);
    out[a] = rank == 3 ? 1000 + next_below(9000) : 60 + next_below(120);
    in[a] = out[a] + kernel[a] - 1 - params.pad_before[a - 2] - params.pad_after[a - 2];
    for (; in[a] < 1; in[a]++)
      out[a]++;
  }
  x = tensor_of(sources[wide][next_below(3)], rank, in, orders[rank - 3][next_below(3)]);
  w = tensor_of(wide ? CCONV_FLOAT64 : CCONV_FLOAT32, rank, kernel, orders[rank - 3][next_below(3)]);
  y = tensor_of(w.dtype, rank, out, orders[rank - 3][next_below(3)]);
  bias = (cconv_tensor){.struct_size = sizeof bias, .dtype = w.dtype, .rank = 1, .data = bias_value};
  bias.shape[0] = groups;
  bias.stride[0] = size_of(w.dtype);
  x.data = region_place(input_memory, (size_t)(bytes_of(&x) + shift), shift ? AT_END : AT_START);
  w.data = region_place(weight_memory, (size_t)bytes_of(&w), next_below(2) ? AT_END : AT_START);
  y.data = region_place(output_memory, (size_t)bytes_of(&y), next_below(2) ? AT_END : AT_START);
  if (next_below(3) == 0)
    tensor_flip(&x, rank - 1);
  for (int64_t i = 0; i < count_of(&x); i++)
    element_set(&x, i, x.dtype == CCONV_UINT8 ? (double)next_below(256) : next_value());
  for (int64_t i = 0; i < groups; i++)
    element_set(&bias, i, next_value());
  for (int64_t i = 0; i < count_of(&w); i++) /* small integers, lest products of them are rounded */
    element_set(&w, i,
                dense ? next_value()
                      : (double)((i / kernel[rank - 1] * 7 % 5 - 2) * (i % kernel[rank - 1] * 11 % 7 - 3)));
  for (int a = 0; a < 2; a++) /* what the stride of a single place says is nothing */
    if (in[a] == 1)
      x.stride[a] = y.stride[a] = next_below(2) ? INT64_MAX : INT64_MIN;
}

int main(void) {
  static char standard[MOST_BYTES];
  input_memory = region_new(MOST_BYTES);
  weight_memory = region_new(MOST_BYTES);
  output_memory = region_new(MOST_BYTES);
  workspace_memory = region_new(1 << 26);
  for (int i = 0; i < 400; i++) {
    long calls = 0;
    draw(i % 3 ? 4 : 3);
    const size_t bytes = (size_t)bytes_of(&y);
    cases++;
    if (!CHECK(run() == CCONV_OK))
      continue;
    compare();
    memcpy(standard, y.data, bytes);
    memset(y.data, 0x77, bytes);
    context.num_threads = 5;
    context.parallel_for = parts_backwards;
    context.host = &calls;
    CHECK(run() == CCONV_OK);
    CHECK(!memcmp(standard, y.data, bytes));
  }
  return check_report("large_kernels", cases);
}
