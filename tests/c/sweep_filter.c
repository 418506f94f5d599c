/* SPDX-License-Identifier: BSD-3-Clause
 * sweep_filter.c - small filters over footprints against a plain loop, exactly, between guard pages.
 *
 *   sweep_filter [cases] */
#include "naive_filter.h"

#include "sweep.h"

enum {
  COMMON_DIGITS = DTYPE_DIGITS * 3 * 2 * 2 * 2 * 2 * 2 * 2 * 3 * 4,
  FILTER_DIGITS = 9 * 4 * 4 * 3 * 6,
  FILTER_DEPTH_DIGITS = 3 * 2 * 2 * 6,
  MOST_TAPS = 2 * 4 * 4
};

typedef struct filtering {
  int32_t rank; /* of the tensors */
  int footprint;
  bool empty;
  cconv_filter_params params;
  cconv_tensor input, output;
} filtering;

static region input_memory, output_memory, footprint_memory, workspace_memory;
static long empty_outputs;

/* Size of an axis, kernel, pads and mode. */
static int64_t next_filter_axis(filtering *f, int a, bool depth, int64_t *out) {
  const int64_t sizes[] = {1, 2, 3, 4, 5, 6, 7, 18, 35};
  cconv_filter_params *p = &f->params;
  const int64_t in = depth ? 1 + next_digit(3) : sizes[next_digit(9)];
  p->kernel[a] = 1 + next_digit(depth ? 2 : 4);
  p->pad_before[a] = depth ? next_digit(2) : next_digit(4);
  p->pad_after[a] = depth ? p->kernel[a] - 1 : next_digit(3);
  p->padding_mode[a] = next_digit(6) % 5;
  *out = in + p->pad_before[a] + p->pad_after[a] - p->kernel[a] + 1;
  return in;
}

static void next_filtering(int32_t rank, filtering *f) {
  const double values[] = {0, 7.5, -300, 300};
  const int32_t dtype = sweep_each_dtype[next_digit(DTYPE_DIGITS)];
  const int order = next_digit(3), out_order = next_digit(2), flip = next_digit(2), shift = next_digit(2);
  *f = (filtering){.rank = rank, .params = {.struct_size = sizeof f->params}};
  f->params.kind = next_digit(2) ? CCONV_POOL_MIN : CCONV_POOL_MAX;
  int64_t x[5] = {1 + next_digit(2), 1 + next_digit(2)}, y[5] = {x[0], x[1]};
  f->footprint = next_digit(3);
  f->params.padding_value = values[next_digit(4)];
  for (int a = 0; a < rank - 2; a++) {
    x[2 + a] = next_filter_axis(f, a, rank == 5 && a == 0, &y[2 + a]);
    f->empty |= y[2 + a] < 1;
    y[2 + a] = y[2 + a] > 0 ? y[2 + a] : 1; /* an empty output must be refused, whatever is claimed */
  }
  f->input = tensor_of(dtype, rank, x, sweep_orders[rank - 3][order]);
  f->output = tensor_of(dtype, rank, y, sweep_orders[rank - 3][out_order]);
  const place where = shift ? AT_END : AT_START;
  f->input.data = region_place(input_memory, (size_t)(bytes_of(&f->input) + shift), where);
  f->output.data = region_place(output_memory, (size_t)bytes_of(&f->output), shift ? AT_START : AT_END);
  if (flip)
    tensor_flip(&f->input, rank - 1);
}

/* No footprint, a single tap, or any. */
static void choose_footprint(filtering *f, uint64_t seed) {
  int64_t taps = 1;
  if (f->footprint == 0)
    return;
  for (int a = 0; a < f->rank - 2; a++)
    taps *= f->params.kernel[a];
  char *footprint = region_place(footprint_memory, (size_t)taps, seed & 1 ? AT_START : AT_END);
  for (int64_t k = 0; k < taps; k++)
    footprint[k] = f->footprint == 2 && seed >> (k + 8) & 1 ? (char)0xff : 0;
  footprint[seed / 2 % (uint64_t)taps] = 1;
  f->params.footprint = (const uint8_t *)footprint;
}

static void test(filtering *f, uint64_t seed) {
  const cconv_context context = {.struct_size = sizeof context, .num_threads = 1 + (int)(seed % 3)};
  const cconv_filter_params *p = &f->params;
  size_t bytes = 0;
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  choose_footprint(f, seed);
  const cconv_status status = cconv_filter_extreme_workspace(p, &f->input, &f->output, &context, &bytes, NULL);
  if (f->empty) {
    empty_outputs++;
    CHECK(status == CCONV_BAD_SHAPE);
    return;
  }
  if (!CHECK(status == CCONV_OK))
    return;
  for (int64_t i = 0; i < count_of(&f->input); i++) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    element_set(&f->input, i, (double)(int64_t)(seed >> 56) - 127.0);
  }
  canaries_set(output_memory, &f->output);
  void *workspace = region_place(workspace_memory, bytes, seed >> 63 ? AT_START : AT_END);
  CHECK(cconv_filter_extreme(p, &f->input, &f->output, &context, workspace, bytes, NULL) == CCONV_OK);
  CHECK(canaries_whole(output_memory, &f->output));
  const int64_t count = count_of(&f->output), step = 1 + count / 400; /* the plain loop is slow */
  for (int64_t i = (int64_t)(seed >> 32) % step; i < count; i += step)
    if (!CHECK(element_get(&f->output, i) == naive_filter(p, &f->input, &f->output, i)))
      return;
}

int main(int argc, char **argv) {
  const uint64_t common = COMMON_DIGITS, axis = FILTER_DIGITS, depth = FILTER_DEPTH_DIGITS;
  const uint64_t total[] = {common * axis, common * axis * axis, common * axis * axis * depth};
  const long count = sweep_count(argc, argv, 100000);
  input_memory = region_new(1 << 19);
  output_memory = region_new(1 << 19);
  footprint_memory = region_new(MOST_TAPS);
  workspace_memory = region_new((size_t)cconv_cache_l2());
  for (long i = 0; i - empty_outputs < count; i++) { /* cases with an output */
    filtering f;
    const int spatial = (int)(i % 3);
    const uint64_t number = (uint64_t)(i / 3) % total[spatial];
    sweep_begin(number, total[spatial]);
    next_filtering(3 + spatial, &f);
    const long before = check_failures;
    test(&f, (uint64_t)i);
    if (check_failures > before && check_failures <= 20)
      fprintf(stderr, "  in case %ld\n", i);
  }
  CHECK(empty_outputs > count / 100);
  return check_report("sweep_filter", count);
}
