/* SPDX-License-Identifier: BSD-3-Clause
 * sweep_pool.c - small poolings of every kind against a plain loop, exactly, between guard pages.
 *
 *   sweep_pool [cases]
 *
 * Integers: sums are exact; an average is one division and a norm one root, rounded alike here and
 * there, to a half once more. */
#include "sweep.h"

enum { COMMON_DIGITS = DTYPE_DIGITS * 3 * 2 * 2 * 2 * 2 * 2 * 2 * 3 * 3 * 2 * 2 * 2 };

typedef struct pooling {
  int32_t rank, kind; /* rank of the tensors */
  bool ceil, count_pads, indexed;
  int64_t divisor;
  small_axis axis[3];
  cconv_tensor input, output, indices;
} pooling;

static region input_memory, output_memory, indices_memory, workspace_memory;
static long empty_outputs;

static int64_t index_get(const cconv_tensor *indices, int64_t i) {
  int64_t index;
  return memcpy(&index, element_at(indices, i), sizeof index), index;
}

/* The size rounded up, less the windows that would start behind the input and the leading pad. */
static void round_up(small_axis *a) {
  const int64_t free = a->in + a->before + a->after - a->dilation * (a->kernel - 1) - 1;
  const int64_t end = a->in + (a->after < 0 ? a->after : 0) + a->before;
  a->out = 1 - floor_div(-free, a->stride);
  while (a->out > 0 && (a->out - 1) * a->stride >= end)
    a->out--;
}

static void next_pooling(int32_t rank, pooling *p) {
  const int32_t dtype = sweep_each_dtype[next_digit(DTYPE_DIGITS)];
  const int order = next_digit(3), out_order = next_digit(2), flip = next_digit(2), shift = next_digit(2);
  *p = (pooling){.rank = rank, .kind = 2 * next_digit(2) + next_digit(2), .ceil = next_digit(2)};
  int64_t x[5] = {1 + next_digit(3), 1 + next_digit(3)}, y[5] = {x[0], x[1]};
  p->count_pads = next_digit(2);
  p->divisor = next_digit(2) ? 3 : 0;
  p->indexed = next_digit(2) && (p->kind == CCONV_POOL_MAX || p->kind == CCONV_POOL_MIN);
  for (int a = 0; a < rank - 2; a++) {
    small_axis axis = rank == 5 && a == 0 ? next_depth() : next_axis();
    if (p->ceil)
      round_up(&axis);
    p->axis[a] = axis;
    x[2 + a] = axis.in;
    y[2 + a] = axis.out > 0 ? axis.out : 1; /* an empty output must be refused, whatever is claimed */
  }
  p->input = tensor_of(dtype, rank, x, sweep_orders[rank - 3][order]);
  const bool extreme = p->kind == CCONV_POOL_MAX || p->kind == CCONV_POOL_MIN;
  p->output = tensor_of(extreme || facts_of(dtype).kind == 'f' ? dtype : CCONV_FLOAT64, rank, y,
                        sweep_orders[rank - 3][out_order]);
  const place where = shift ? AT_END : AT_START;
  p->input.data = region_place(input_memory, (size_t)(bytes_of(&p->input) + shift), where);
  p->output.data = region_place(output_memory, (size_t)bytes_of(&p->output), shift ? AT_START : AT_END);
  p->indices = tensor_of(CCONV_INT64, rank, y, sweep_orders[rank - 3][out_order]);
  p->indices.data = region_place(indices_memory, (size_t)bytes_of(&p->indices), where);
  if (flip)
    tensor_flip(&p->input, rank - 1);
}

static void compare(const pooling *p, const cconv_pool_params *params) {
  const int64_t count = count_of(&p->output);
  for (int64_t i = 0; i < count; i++) {
    int64_t found;
    const double got = element_get(&p->output, i), want = naive_pool(params, &p->input, &p->output, i, &found);
    if (!CHECK(got == want || (isnan(got) && isnan(want))))
      return;
    if (p->indexed && !CHECK(index_get(&p->indices, i) == found))
      return;
  }
}

static void test(const pooling *p, uint64_t seed) {
  cconv_pool_params params = {.struct_size = sizeof params,
                              .kind = p->kind,
                              .ceil_mode = p->ceil,
                              .count_include_pad = p->count_pads,
                              .p = p->divisor      ? INFINITY
                                   : p->count_pads ? 1
                                                   : 2,
                              .divisor = p->divisor};
  bool empty = false;
  for (int a = 0; a < p->rank - 2; a++) {
    params.kernel[a] = p->axis[a].kernel;
    params.stride[a] = p->axis[a].stride;
    params.dilation[a] = p->axis[a].dilation;
    params.pad_before[a] = p->axis[a].before;
    params.pad_after[a] = p->axis[a].after;
    empty |= p->axis[a].out < 1;
  }
  const cconv_context context = {.struct_size = sizeof context, .num_threads = 1 + (int)(seed % 3)};
  size_t bytes = 0;
  const cconv_tensor *indices = p->indexed ? &p->indices : NULL;
  const cconv_status status = cconv_pool_workspace(&params, &p->input, &p->output, indices, &context, &bytes, NULL);
  if (empty) {
    empty_outputs++;
    CHECK(status == CCONV_BAD_SHAPE);
    return;
  }
  if (!CHECK(status == CCONV_OK))
    return;
  for (int64_t i = 0; i < count_of(&p->input); i++) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    element_set(&p->input, i, (double)(int64_t)(seed >> 56) - 127.0);
  }
  canaries_set(output_memory, &p->output);
  canaries_set(indices_memory, &p->indices);
  void *workspace = region_place(workspace_memory, bytes, seed >> 63 ? AT_START : AT_END);
  CHECK(cconv_pool(&params, &p->input, &p->output, indices, &context, workspace, bytes, NULL) == CCONV_OK);
  CHECK(canaries_whole(output_memory, &p->output));
  CHECK(canaries_whole(indices_memory, &p->indices));
  compare(p, &params);
}

int main(int argc, char **argv) {
  const uint64_t total[] = {(uint64_t)COMMON_DIGITS * AXIS_DIGITS, (uint64_t)COMMON_DIGITS * AXIS_DIGITS * AXIS_DIGITS,
                            (uint64_t)COMMON_DIGITS * AXIS_DIGITS * AXIS_DIGITS * DEPTH_DIGITS};
  const long count = sweep_count(argc, argv, 100000);
  input_memory = region_new(1 << 19);
  output_memory = region_new(1 << 19);
  indices_memory = region_new(1 << 20);
  workspace_memory = region_new((size_t)cconv_cache_l2());
  for (long i = 0; i - empty_outputs < count; i++) { /* cases with an output */
    pooling p;
    const int spatial = (int)(i % 3);
    const uint64_t number = (uint64_t)(i / 3) % total[spatial];
    sweep_begin(number, total[spatial]);
    next_pooling(3 + spatial, &p);
    const long before = check_failures;
    test(&p, (uint64_t)i);
    if (check_failures > before && check_failures <= 20)
      fprintf(stderr, "  in case %ld\n", i);
  }
  CHECK(empty_outputs > count / 100);
  return check_report("sweep_pool", count);
}
