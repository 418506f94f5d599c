/* SPDX-License-Identifier: BSD-3-Clause
 * sweep_transpose.c - small transposed convolutions against a plain loop, exactly, between guard pages.
 *
 *   sweep_transpose [cases]
 *
 * Integers: every sum is exact in both dtypes, so the only right answer is the same number. */
#include "sweep.h"

/* groups, channels in, channels out */
static const int channels[][3] = {
    {1, 1, 1}, {1, 2, 1}, {1, 1, 3}, {1, 3, 2}, {2, 2, 4}, {3, 3, 3}, {2, 4, 2}, {1, 2, 13}, {1, 3, 21}, {2, 4, 34},
};

enum {
  COMMON_DIGITS = 3 * 10 * DTYPE_DIGITS * 2 * 3 * 3 * 2 * 2 * 2 * 2 * 2,
  SPACE_DIGITS = 6 * 4 * 4 * 4 * 6 * 6 * 4
};

/* One spatial axis: in 1..4, the last one to 5 or 18; kernel, stride, dilation 1..4, in a volume 1..2
 * but for the last; pads -2..3. */
typedef struct spread_axis {
  int64_t in, kernel, stride, dilation, before, after, out;
} spread_axis;

typedef struct transposed {
  int32_t rank; /* of the tensors */
  int64_t groups;
  bool biased, relu, added;
  spread_axis axis[3];
  cconv_tensor input, weight, bias, residual, output;
} transposed;

static region input_memory, weight_memory, bias_memory, residual_memory, output_memory, workspace_memory;
static long empty_outputs;

static spread_axis next_space(bool last, bool volume) {
  const int64_t sizes[2][6] = {{1, 1, 2, 2, 3, 4}, {1, 2, 3, 4, 5, 18}};
  const int few = volume && !last ? 2 : 1;
  spread_axis a = {.in = sizes[last][next_digit(6)]};
  a.kernel = 1 + next_digit(4) / few;
  a.stride = 1 + next_digit(4) / few;
  a.dilation = 1 + next_digit(4) / few;
  a.before = next_digit(6) - 2;
  a.after = next_digit(6) - 2;
  const int64_t limit = a.stride > a.dilation ? a.stride : a.dilation, extra = next_digit(4) % limit;
  a.out = (a.in - 1) * a.stride - a.before - a.after + a.dilation * (a.kernel - 1) + extra + 1;
  return a;
}

static void next_transposed(int32_t rank, transposed *c) {
  const int64_t batch = 1 + next_digit(3);
  const int *channel = channels[next_digit(10)];
  const int32_t *dtype = sweep_dtypes[next_digit(DTYPE_DIGITS)];
  const int order = next_digit(3), weight_order = next_digit(3), out_order = next_digit(2);
  const int flip = next_digit(2), shift = next_digit(2);
  *c = (transposed){.rank = rank, .groups = channel[0], .biased = next_digit(2), .relu = next_digit(2)};
  c->added = next_digit(2);
  int64_t x[5] = {batch, channel[1]}, w[5] = {channel[1], channel[2] / channel[0]}, y[5] = {batch, channel[2]};
  for (int a = 0; a < rank - 2; a++) {
    c->axis[a] = next_space(a == rank - 3, rank == 5);
    x[2 + a] = c->axis[a].in;
    w[2 + a] = c->axis[a].kernel;
    y[2 + a] = c->axis[a].out > 0 ? c->axis[a].out : 1; /* an empty output must be refused, whatever is claimed */
  }
  c->input = tensor_of(dtype[0], rank, x, sweep_orders[rank - 3][order]);
  c->weight = tensor_of(dtype[1], rank, w, sweep_orders[rank - 3][weight_order]);
  c->bias = tensor_of(dtype[3], 1, y + 1, NULL);
  c->output = tensor_of(dtype[2], rank, y, sweep_orders[rank - 3][out_order]);
  /* An input at the end of its region is one byte off its alignment, since any will do. */
  const place where = shift ? AT_END : AT_START;
  c->input.data = region_place(input_memory, (size_t)(bytes_of(&c->input) + shift), where);
  c->weight.data = region_place(weight_memory, (size_t)bytes_of(&c->weight), where);
  c->bias.data = region_place(bias_memory, (size_t)bytes_of(&c->bias), where);
  c->residual = tensor_of(dtype[2], rank, y, sweep_orders[rank - 3][order]);
  c->residual.data = region_place(residual_memory, (size_t)(bytes_of(&c->residual) + shift), where);
  c->output.data = region_place(output_memory, (size_t)bytes_of(&c->output), shift ? AT_START : AT_END);
  if (flip)
    tensor_flip(&c->input, rank - 1);
}

static void compare(const transposed *c, const cconv_conv_params *params, const cconv_tensor *bias,
                    const cconv_tensor *residual) {
  const int64_t count = count_of(&c->output);
  for (int64_t i = 0; i < count; i++) {
    const double sum = naive_conv_transpose(params, &c->input, &c->weight, bias, residual, &c->output, i);
    if (!CHECK(element_get(&c->output, i) == value_in(c->output.dtype, c->relu && sum < 0 ? 0 : sum)))
      return;
  }
}

static void test(const transposed *c, uint64_t seed) {
  cconv_conv_params params = {.struct_size = sizeof params, .groups = c->groups};
  params.activation = c->relu ? CCONV_ACTIVATION_RELU : CCONV_ACTIVATION_NONE;
  bool empty = false;
  for (int a = 0; a < c->rank - 2; a++) {
    params.stride[a] = c->axis[a].stride;
    params.dilation[a] = c->axis[a].dilation;
    params.pad_before[a] = c->axis[a].before;
    params.pad_after[a] = c->axis[a].after;
    empty |= c->axis[a].out < 1;
  }
  const cconv_context context = {.struct_size = sizeof context, .num_threads = 1 + (int)(seed % 3)};
  const cconv_tensor *bias = c->biased ? &c->bias : NULL, *residual = c->added ? &c->residual : NULL;
  size_t bytes = 0;
  if (empty) /* no output padding below 4 makes up for so much of a pad */
    for (int a = 0; a < c->rank - 2; a++)
      params.pad_after[a] += c->axis[a].out < 1 ? 4 : 0;
  const cconv_status status = cconv_conv_transpose_workspace(&params, &c->input, &c->weight, bias, residual, &c->output,
                                                             &context, &bytes, NULL);
  if (empty) {
    empty_outputs++;
    CHECK(status == CCONV_BAD_SHAPE);
    return;
  }
  if (!CHECK(status == CCONV_OK))
    return;
  fill_integers(&c->input, seed);
  fill_integers(&c->weight, seed + 1);
  fill_integers(&c->bias, seed + 2);
  fill_integers(&c->residual, seed + 3);
  canaries_set(output_memory, &c->output);
  void *workspace = region_place(workspace_memory, bytes, seed % 4 < 2 ? AT_START : AT_END);
  CHECK(cconv_conv_transpose(&params, &c->input, &c->weight, bias, residual, &c->output, &context, workspace, bytes,
                             NULL) == CCONV_OK);
  CHECK(canaries_whole(output_memory, &c->output));
  compare(c, &params, bias, residual);
}

int main(int argc, char **argv) {
  const uint64_t space = SPACE_DIGITS, common = COMMON_DIGITS;
  const uint64_t total[] = {common * space, common * space * space, common * space * space * space};
  const long count = sweep_count(argc, argv, 100000);
  input_memory = region_new(1 << 19);
  weight_memory = region_new(1 << 14);
  bias_memory = region_new(1 << 12);
  residual_memory = region_new(32 << 20);
  output_memory = region_new(32 << 20);
  workspace_memory = region_new(2 * (size_t)cconv_cache_l2());
  for (long i = 0; i - empty_outputs < count; i++) { /* cases with an output */
    transposed c;
    const int spatial = (int)(i % 3);
    sweep_begin((uint64_t)(i / 3), total[spatial]);
    next_transposed(3 + spatial, &c);
    const long before = check_failures;
    test(&c, (uint64_t)i);
    if (check_failures > before && check_failures <= 20)
      fprintf(stderr, "  in case %ld\n", i);
  }
  CHECK(empty_outputs > count / 100);
  return check_report("sweep_transpose", count);
}
