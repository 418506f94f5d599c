/* SPDX-License-Identifier: BSD-3-Clause
 * sweep_conv.c - small convolutions of every kind against a plain loop, exactly, between guard pages.
 *
 *   sweep_conv [cases]
 *
 * Integers: every sum is exact in the arithmetic of every dtype, so the only right answer is the same
 * number, rounded once to a half. By Winograd's algorithm, every eighth case, it is near. Another
 * eighth is computed in parts of bfloat16, which must be refused where there is no matrix unit. */
#include "sweep.h"

/* groups, channels in, channels out: all up to 3, channel multipliers, more than one tile, and enough to fill
 * panels and vectors of channels. */
enum { CHANNELS = 18 };
static const int channels[CHANNELS][3] = {
    {1, 1, 1}, {1, 1, 2}, {1, 1, 3}, {1, 2, 1}, {1, 2, 2}, {1, 2, 3}, {1, 3, 1},  {1, 3, 2},  {1, 3, 3},
    {2, 2, 2}, {3, 3, 3}, {2, 2, 4}, {3, 3, 6}, {1, 2, 5}, {1, 1, 8}, {1, 1, 13}, {1, 3, 17}, {1, 2, 26},
};

/* For Winograd's algorithm: lanes full and not, vectors full and not, of every instruction set. */
static const int more_channels[][3] = {
    {1, 1, 1},  {1, 2, 3}, {1, 3, 9},  {1, 4, 4},  {1, 5, 17}, {1, 8, 8}, {1, 9, 4},  {1, 16, 2},
    {1, 17, 5}, {2, 6, 6}, {2, 18, 4}, {3, 12, 6}, {1, 1, 33}, {1, 2, 2}, {1, 33, 1}, {1, 16, 16},
};

/* For parts of bfloat16: lines full and not, one block of lanes and two, full and not; the last are too few channels. */
static const int split_channels[][3] = {
    {1, 16, 2}, {1, 17, 17}, {1, 31, 16}, {1, 3, 18}, {1, 33, 1}, {2, 32, 34}, {2, 34, 2}, {2, 30, 2},
};

/* Zeros, another constant, and the modes that map an index. */
enum { MODES = 6, COMMON_DIGITS = 3 * CHANNELS * DTYPE_DIGITS * 3 * 2 * 2 * 2 * 2 * 2 * 2 * MODES * 3 };

typedef struct convolution {
  int32_t rank; /* of the tensors */
  int64_t groups;
  int32_t algorithm;
  bool biased, relu, added;
  int mode; /* 0: zeros, else padding_mode + 1 */
  small_axis axis[3];
  cconv_tensor input, weight, bias, residual, output;
} convolution;

static region input_memory, weight_memory, bias_memory, residual_memory, output_memory, workspace_memory;
static long empty_outputs;

/* What Winograd's algorithm makes of the axes of three: transforms them (x), sums over them (s), or neither (-). */
static const char *const winograd_ways[] = {"sxx", "s-x", "-sx", "sx-"};

/* 3 or 5 taps at every place, or one; any dilation. */
static small_axis for_winograd(small_axis a, char role, int64_t taps) {
  if (role == 's')
    return a;
  a.kernel = role == 'x' ? taps : 1;
  a.stride = 1;
  a.after += a.dilation * (a.kernel - 1) / 2;
  a.out = a.in + a.before + a.after - a.dilation * (a.kernel - 1);
  return a;
}

/* way: of winograd_ways, with 3 or 5 taps, for Winograd's algorithm. */
static void next_convolution(int32_t rank, int32_t algorithm, int way, int64_t taps, convolution *c) {
  const bool winograd = algorithm == CCONV_ALGORITHM_WINOGRAD, split = algorithm >= CCONV_ALGORITHM_BF16X3;
  const int64_t batch = 1 + next_digit(3);
  const int *channel = winograd ? more_channels[next_digit(16)]
                       : split  ? split_channels[next_digit(8)]
                                : channels[next_digit(CHANNELS)];
  const int32_t *dtype = sweep_dtypes[next_digit(DTYPE_DIGITS)];
  const int order = next_digit(3), out_order = next_digit(2), flip = next_digit(2), shift = next_digit(2);
  *c = (convolution){.rank = rank, .groups = channel[0], .algorithm = algorithm};
  c->biased = next_digit(2);
  c->relu = next_digit(2);
  c->added = next_digit(2);
  c->mode = next_digit(MODES);
  const int weight_order = next_digit(3);
  int64_t x[5] = {batch, channel[1]}, w[5] = {channel[2], channel[1] / channel[0]}, y[5] = {batch, channel[2]};
  for (int a = 0; a < rank - 2; a++) {
    const bool depth = rank == 5 && a == 0;
    small_axis axis = depth ? next_depth() : next_axis();
    c->axis[a] = axis = winograd ? for_winograd(axis, winograd_ways[way][5 - rank + a], taps) : axis;
    x[2 + a] = axis.in;
    w[2 + a] = axis.kernel;
    y[2 + a] = axis.out > 0 ? axis.out : 1; /* an empty output must be refused, whatever is claimed */
  }
  c->input = tensor_of(dtype[0], rank, x, sweep_orders[rank - 3][order]);
  c->weight = tensor_of(dtype[1], rank, w, sweep_orders[rank - 3][weight_order]);
  c->bias = tensor_of(dtype[3], 1, w, NULL);
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

/* What rounding may do: 24 units of what the largest inputs and weights give, and that of a half. */
static double tolerance(const convolution *c, double sum) {
  double terms = 1;
  for (int a = 1; a < c->rank; a++)
    terms *= (double)c->weight.shape[a];
  const bool wide = c->output.dtype == CCONV_FLOAT64;
  return 24 * (wide ? 0x1p-52 : 0x1p-23) * 64 * terms + (c->output.dtype == CCONV_FLOAT16 ? fabs(sum) * 0x1p-10 : 0);
}

static void compare(const convolution *c, const cconv_conv_params *params, const cconv_tensor *bias,
                    const cconv_tensor *residual) {
  const int64_t count = count_of(&c->output);
  for (int64_t i = 0; i < count; i++) {
    const double sum = naive_conv(params, &c->input, &c->weight, bias, residual, &c->output, i);
    const double want = value_in(c->output.dtype, c->relu && sum < 0 ? 0 : sum), got = element_get(&c->output, i);
    if (!CHECK(c->algorithm == CCONV_ALGORITHM_WINOGRAD ? fabs(got - want) <= tolerance(c, want) : got == want))
      return;
  }
}

/* Has the algorithm what it needs? */
static bool is_served(const convolution *c) {
  const bool single = c->output.dtype == CCONV_FLOAT16 || c->output.dtype == CCONV_FLOAT32;
  if (c->algorithm == CCONV_ALGORITHM_WINOGRAD)
    return single || c->output.dtype == CCONV_FLOAT64;
  if (c->algorithm == CCONV_ALGORITHM_BF16X3 || c->algorithm == CCONV_ALGORITHM_INT8X3)
    return single && count_of(&c->weight) / c->weight.shape[0] >= 16 && strcmp(cconv_isa(), "amx") == 0;
  return true;
}

static void test(const convolution *c, uint64_t seed) {
  cconv_conv_params params = {.struct_size = sizeof params, .groups = c->groups};
  params.algorithm = c->algorithm;
  params.activation = c->relu ? CCONV_ACTIVATION_RELU : CCONV_ACTIVATION_NONE;
  params.padding_mode = c->mode ? c->mode - 1 : CCONV_PADDING_CONSTANT;
  params.padding_value = c->mode == 1 ? 3 : 0;
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
  const cconv_status status =
      cconv_conv_workspace(&params, &c->input, &c->weight, bias, residual, &c->output, &context, &bytes, NULL);
  if (empty) {
    empty_outputs++;
    CHECK(status == CCONV_BAD_SHAPE);
    return;
  }
  if (!is_served(c)) {
    CHECK(status == CCONV_UNSUPPORTED);
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
  CHECK(cconv_conv(&params, &c->input, &c->weight, bias, residual, &c->output, &context, workspace, bytes, NULL) ==
        CCONV_OK);
  CHECK(canaries_whole(output_memory, &c->output));
  compare(c, &params, bias, residual);
}

int main(int argc, char **argv) {
  const uint64_t total[] = {(uint64_t)COMMON_DIGITS * AXIS_DIGITS, (uint64_t)COMMON_DIGITS * AXIS_DIGITS * AXIS_DIGITS,
                            (uint64_t)COMMON_DIGITS * AXIS_DIGITS * AXIS_DIGITS * DEPTH_DIGITS};
  const long count = sweep_count(argc, argv, 100000);
  input_memory = region_new(4 << 20);
  weight_memory = region_new(1 << 18);
  bias_memory = region_new(1 << 12);
  residual_memory = region_new(8 << 20);
  output_memory = region_new(8 << 20);
  workspace_memory = region_new((size_t)cconv_cache_l2() + (24 << 20));
  for (long i = 0; i - empty_outputs < count; i++) { /* cases with an output */
    convolution c;
    const int spatial = (int)(i % 3);
    const uint64_t number = (uint64_t)(i / 3) % total[spatial];
    sweep_begin(number, total[spatial]);
    /* One axis is the last of three. */
    const int way = spatial == 0 ? 1 : (int)(i / 24 % 4);
    const int32_t algorithm = i % 8 == 0   ? CCONV_ALGORITHM_WINOGRAD
                              : i % 8 == 4 ? CCONV_ALGORITHM_BF16X3
                              : i % 8 == 2 ? CCONV_ALGORITHM_INT8X3
                                           : CCONV_ALGORITHM_DIRECT;
    next_convolution(3 + spatial, algorithm, way, i / 96 % 2 ? 5 : 3, &c);
    const long before = check_failures;
    test(&c, (uint64_t)i);
    if (check_failures > before && check_failures <= 20)
      fprintf(stderr, "  in case %ld\n", i);
  }
  CHECK(empty_outputs > count / 100);
  return check_report("sweep_conv", count);
}
