/* SPDX-License-Identifier: BSD-3-Clause
 * test_workspace.c - the workspace is what the query said and no more, and who runs the parts does
 * not matter to a single bit.
 *
 * Each layer is computed once as the standard: one thread, aligned workspace. On integers it must be
 * the naive sum; on other numbers, where the order of a sum shows, every other way to compute it
 * must give the same bits, with guard pages or canaries around the workspace. */
#include "naive.h"

#include "check.h"

enum { CANARY = 0xa5, FRAME = 4096 };

static long cases;
static region input_memory, weight_memory, output_memory, workspace_memory;

typedef struct layer {
  bool pooling;
  int32_t rank; /* of the tensors */
  int64_t input[5], output[5], kernel[3];
  int64_t groups, stride, dilation, pad;
  bool winograd; /* else direct */
  bool last;     /* a convolution's channels are last in memory */
} layer;

/* Small, cut into many blocks, wide, sums cut by channels, 3-d, strided, grouped; sums cut by taps; rows
 * that begin inside a vector of the last tile; windows that do not overlap; channels last in memory; Winograd; pools of
 * small planes, of tall windows, 3-d, of whole planes. */
static const layer layers[] = {
    {false, 4, {1, 2, 5, 6}, {1, 3, 3, 4}, {3, 3}, 1, 1, 1, 0, false, false},
    {false, 4, {2, 16, 60, 61}, {2, 24, 60, 61}, {3, 3}, 1, 1, 1, 1, false, false},
    {false, 3, {1, 8, 40000}, {1, 8, 40000}, {9}, 1, 1, 1, 4, false, false},
    {false, 4, {1, 3000, 8, 8}, {1, 40, 8, 8}, {3, 3}, 1, 1, 1, 1, false, false},
    {false, 5, {1, 8, 9, 20, 21}, {1, 17, 9, 20, 21}, {3, 3, 3}, 1, 1, 1, 1, false, false},
    {false, 4, {1, 12, 90, 90}, {1, 24, 45, 45}, {5, 5}, 4, 2, 1, 2, false, false},
    {false, 4, {3, 32, 50, 50}, {3, 32, 50, 50}, {3, 3}, 32, 1, 2, 2, false, false},
    {false, 4, {2, 20, 30, 41}, {2, 20, 30, 41}, {5, 5}, 20, 1, 1, 2, false, false},
    {false, 5, {1, 20, 5, 13, 40}, {1, 40, 5, 13, 40}, {3, 3, 3}, 20, 1, 1, 1, false, false},
    {false, 4, {1, 1, 300, 600}, {1, 1, 10, 9}, {291, 592}, 1, 1, 1, 0, false, false},
    {false, 4, {1, 3, 9, 50}, {1, 8, 7, 48}, {3, 3}, 1, 1, 1, 0, false, false},
    {false, 4, {1, 3, 9, 50}, {1, 6, 7, 48}, {3, 3}, 1, 1, 1, 0, false, false},
    {false, 4, {1, 3, 9, 47}, {1, 4, 7, 45}, {3, 3}, 1, 1, 1, 0, false, false},
    {false, 4, {2, 300, 20, 21}, {2, 70, 20, 21}, {1, 1}, 1, 1, 1, 0, false, false},
    {false, 4, {1, 12, 64, 61}, {1, 52, 16, 15}, {3, 3}, 2, 4, 1, 0, false, false},
    {false, 4, {2, 300, 20, 21}, {2, 70, 20, 21}, {1, 1}, 1, 1, 1, 0, false, true},
    {false, 4, {1, 64, 41, 40}, {1, 104, 21, 20}, {3, 3}, 2, 2, 1, 1, false, true},
    {false, 5, {1, 33, 9, 20, 21}, {1, 17, 9, 20, 21}, {3, 3, 3}, 1, 1, 1, 1, false, true},
    {false, 4, {2, 17, 30, 31}, {2, 35, 30, 31}, {3, 3}, 1, 1, 1, 1, true, false},
    {false, 4, {1, 300, 7, 7}, {1, 70, 7, 7}, {3, 3}, 1, 1, 1, 1, true, false},
    {false, 5, {1, 32, 4, 12, 13}, {1, 34, 7, 14, 15}, {2, 3, 3}, 2, 1, 1, 2, true, false},
    {false, 4, {1, 140, 17, 20}, {1, 34, 17, 20}, {5, 5}, 1, 1, 1, 2, true, false},
    {false, 4, {1, 20, 30, 90}, {1, 34, 30, 90}, {3, 3}, 1, 1, 20, 20, true, false},
    {false, 3, {1, 20, 2000}, {1, 34, 1200}, {5}, 1, 1, 200, 0, true, false},
    {false, 4, {2, 20, 12, 33}, {2, 17, 12, 29}, {1, 5}, 1, 1, 1, 0, true, false},
    {true, 4, {1, 2, 5, 6}, {1, 2, 2, 3}, {2, 2}, 1, 2, 1, 0, false, false},
    {true, 4, {2, 32, 112, 112}, {2, 32, 56, 56}, {4, 4}, 1, 2, 1, 1, false, false},
    {true, 3, {1, 3, 100000}, {1, 3, 99993}, {8}, 1, 1, 1, 0, false, false},
    {true, 4, {1, 1, 500, 500}, {1, 1, 11, 11}, {490, 490}, 1, 1, 1, 0, false, false},
    {true, 4, {2, 19, 20, 21}, {2, 19, 20, 21}, {5, 5}, 1, 1, 1, 2, false, false},
    {true, 4, {1, 2, 160, 131}, {1, 2, 160, 131}, {41, 41}, 1, 1, 1, 20, false, false},
    {true, 5, {1, 3, 6, 20, 21}, {1, 3, 2, 9, 10}, {3, 3, 3}, 1, 2, 1, 0, false, false},
    {true, 4, {2, 70, 9, 9}, {2, 70, 1, 1}, {9, 9}, 1, 1, 1, 0, false, false},
};

typedef struct problem {
  cconv_conv_params conv;
  cconv_pool_params pool;
  cconv_tensor input, weight, output;
  bool pooling;
} problem;

static uint64_t state;

/* From -2 to 2 for integers, else between -1 and 1 with all their bits. */
static void fill(const cconv_tensor *t, bool integers) {
  const int64_t count = count_of(t);
  for (int64_t i = 0; i < count; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    element_set(t, i, integers ? (double)((state >> 33) % 5) - 2 : (double)(state >> 20) / 0x1p43 - 1);
  }
}

static problem problem_of(const layer *l, int32_t dtype, int32_t kind, bool last) {
  int64_t weight[5] = {l->output[1], l->input[1] / l->groups};
  const int32_t algorithm = l->winograd ? CCONV_ALGORITHM_WINOGRAD : CCONV_ALGORITHM_DIRECT;
  problem p = {.conv = {.struct_size = sizeof p.conv, .algorithm = algorithm, .groups = l->groups},
               .pool = {.struct_size = sizeof p.pool, .kind = kind},
               .pooling = l->pooling};
  for (int a = 0; a < l->rank - 2; a++) {
    weight[2 + a] = p.pool.kernel[a] = l->kernel[a];
    p.conv.stride[a] = p.pool.stride[a] = l->stride;
    p.conv.dilation[a] = p.pool.dilation[a] = l->dilation;
    p.conv.pad_before[a] = p.pool.pad_before[a] = l->pad;
    p.conv.pad_after[a] = p.pool.pad_after[a] = l->pad;
  }
  const int channels_last[][5] = {{0, 2, 1}, {0, 2, 3, 1}, {0, 2, 3, 4, 1}};
  const int *order = last ? channels_last[l->rank - 3] : NULL;
  p.input = tensor_of(dtype, l->rank, l->input, order);
  p.weight = tensor_of(dtype, l->rank, weight, NULL);
  p.output = tensor_of(dtype, l->rank, l->output, order);
  p.input.data = region_place(input_memory, (size_t)bytes_of(&p.input), AT_END);
  p.weight.data = region_place(weight_memory, (size_t)bytes_of(&p.weight), AT_START);
  p.output.data = region_place(output_memory, (size_t)bytes_of(&p.output), AT_END);
  return p;
}

static bool is_winograd(const problem *p) { return !p->pooling && p->conv.algorithm == CCONV_ALGORITHM_WINOGRAD; }

/* The stride of an axis with one place says nothing, and may be another one when the call is made. */
static bool same_with_other_strides(const problem *p, const cconv_context *context, size_t bytes) {
  cconv_tensor x = p->input, y = p->output;
  size_t other = 0;
  for (int a = 0; a < x.rank; a++) {
    x.stride[a] += x.shape[a] == 1 ? size_of(x.dtype) * 1000 : 0;
    y.stride[a] += y.shape[a] == 1 ? size_of(y.dtype) * 1000 : 0;
  }
  return cconv_pool_workspace(&p->pool, &x, &y, NULL, context, &other, NULL) == CCONV_OK && other == bytes;
}

static size_t query(const problem *p, const cconv_context *context) {
  size_t bytes = 0;
  const cconv_status status =
      p->pooling ? cconv_pool_workspace(&p->pool, &p->input, &p->output, NULL, context, &bytes, NULL)
                 : cconv_conv_workspace(&p->conv, &p->input, &p->weight, NULL, NULL, &p->output, context, &bytes, NULL);
  CHECK(status == CCONV_OK);
  CHECK(!p->pooling || same_with_other_strides(p, context, bytes));
  /* A thread needs no more scratch than half of the level 2 cache, or than 8 MB for Winograd's algorithm. */
  const int64_t most = is_winograd(p) ? 8000000 : cconv_cache_l2() / 2;
  CHECK((int64_t)bytes <= most * context->num_threads);
  CHECK(bytes + 2 * FRAME <= workspace_memory.bytes);
  return bytes;
}

static cconv_status execute(const problem *p, const cconv_context *context, void *workspace, size_t bytes) {
  if (p->pooling)
    return cconv_pool(&p->pool, &p->input, &p->output, NULL, context, workspace, bytes, NULL);
  return cconv_conv(&p->conv, &p->input, &p->weight, NULL, NULL, &p->output, context, workspace, bytes, NULL);
}

/* Some outputs, spread evenly, are the naive sums of integers; by Winograd's algorithm nearly. */
static void right(const problem *p, const cconv_context *context, size_t bytes) {
  const int64_t count = count_of(&p->output), step = count / 37 + 1;
  int64_t found;
  fill(&p->input, true);
  fill(&p->weight, true);
  CHECK(execute(p, context, workspace_memory.data, bytes) == CCONV_OK);
  for (int64_t i = 0; i < count; i += step) {
    const double want = p->pooling ? naive_pool(&p->pool, &p->input, &p->output, i, &found)
                                   : naive_conv(&p->conv, &p->input, &p->weight, NULL, NULL, &p->output, i);
    const double error = element_get(&p->output, i) - want;
    CHECK(is_winograd(p) ? fabs(error) < 0.01 : error == 0);
  }
  cases++;
}

/* An average's sum as cconv.h defines it: tap t goes to partial sum t mod 16, then pairs are added. */
static double sum_in_16(const problem *p, int64_t number) {
  const cconv_pool_params *q = &p->pool;
  int64_t o[CCONV_MAX_RANK], at[CCONV_MAX_SPATIAL], taps = 1;
  double d[16] = {0};
  float f[16] = {0};
  bool real;
  split_index(&p->output, number, o);
  for (int a = 0; a < p->input.rank - 2; a++)
    taps *= q->kernel[a];
  for (int64_t t = 0; t < taps; t++) {
    int64_t rest = t;
    for (int a = p->input.rank - 3; a >= 0; rest /= q->kernel[a--])
      at[a] = o[2 + a] * q->stride[a] + rest % q->kernel[a] * q->dilation[a] - q->pad_before[a];
    const double x = window_element(&p->input, o[0], o[1], at, q->pad_before, q->pad_after, &real);
    d[t % 16] += x;
    f[t % 16] += (float)x;
  }
  for (int width = 1; width < 16; width *= 2)
    for (int j = 0; j < 16; j += 2 * width) {
      d[j] += d[j + width];
      f[j] += f[j + width];
    }
  return p->input.dtype == CCONV_FLOAT32 ? (double)f[0] : d[0];
}

/* With a divisor of 1 an average is its sum. */
static void sums_in_16(problem *p, const cconv_context *context, size_t bytes) {
  const int64_t count = count_of(&p->output), step = count / 37 + 1;
  p->pool.divisor = 1;
  CHECK(execute(p, context, workspace_memory.data, bytes) == CCONV_OK);
  for (int64_t i = 0; i < count; i += step)
    CHECK(element_get(&p->output, i) == sum_in_16(p, i));
  p->pool.divisor = 0;
  cases++;
}

/* Run into a wiped output, from a workspace full of garbage, and compare with the standard. */
static void same(const problem *p, const cconv_context *context, void *workspace, size_t bytes, const char *standard,
                 int line) {
  const size_t size = (size_t)bytes_of(&p->output);
  memset(p->output.data, CANARY, size);
  memset(workspace, 0xff, bytes); /* NaN, were it read as numbers */
  check_that(execute(p, context, workspace, bytes) == CCONV_OK, "the call succeeds", __FILE__, line);
  check_that(memcmp(p->output.data, standard, size) == 0, "the same bits", __FILE__, line);
  cases++;
}

static void too_small(const problem *p, const cconv_context *context, size_t bytes) {
  const size_t size = (size_t)bytes_of(&p->output);
  char *workspace = region_place(workspace_memory, bytes, AT_END);
  memset(p->output.data, CANARY, size);
  memset(workspace, CANARY, bytes);
  CHECK(execute(p, context, workspace, bytes - 1) == CCONV_WORKSPACE_TOO_SMALL);
  CHECK(execute(p, context, workspace, 0) == CCONV_WORKSPACE_TOO_SMALL);
  CHECK(execute(p, context, NULL, bytes) == CCONV_BAD_ARGUMENT);
  CHECK(all_bytes(p->output.data, size, CANARY));
  CHECK(all_bytes(workspace, bytes, CANARY));
  cases++;
}

/* Guard pages end at whole pages; a canary before and behind sees the first byte at any alignment. */
static void any_alignment(const problem *p, const cconv_context *context, size_t bytes, const char *standard) {
  unsigned char *memory = (unsigned char *)workspace_memory.data;
  for (size_t shift = 1; shift < 64; shift += shift == 1 ? 7 : 55) {
    memset(memory, CANARY, FRAME + shift);
    memset(memory + FRAME + shift + bytes, CANARY, FRAME - 128);
    same(p, context, memory + FRAME + shift, bytes, standard, __LINE__);
    CHECK(all_bytes(memory, FRAME + shift, CANARY));
    CHECK(all_bytes(memory + FRAME + shift + bytes, FRAME - 128, CANARY));
  }
}

/* A workspace one byte behind a multiple of 64 loses 63 to alignment, so the last byte it claims is never
 * used: here it lies on the guard page, and the core's own last byte right before it. */
static void no_slack(const problem *p, const cconv_context *context, size_t bytes, const char *standard) {
  char *workspace = region_place(workspace_memory, bytes, AT_END) + 1;
  memset(p->output.data, CANARY, (size_t)bytes_of(&p->output));
  memset(workspace, 0xff, bytes - 1);
  CHECK((uintptr_t)workspace % 64 == 1);
  CHECK(execute(p, context, workspace, bytes) == CCONV_OK);
  CHECK(memcmp(p->output.data, standard, (size_t)bytes_of(&p->output)) == 0);
  cases++;
}

static long test_layer(const layer *l, int32_t dtype, int32_t kind, bool last) {
  long hook_calls = 0;
  problem p = problem_of(l, dtype, kind, last);
  cconv_context one = {.struct_size = sizeof one, .num_threads = 1};
  size_t bytes = query(&p, &one);
  const size_t size = (size_t)bytes_of(&p.output);
  char *standard = malloc(size);
  if (!CHECK(standard != NULL))
    return 0;
  right(&p, &one, bytes);
  p.conv.activation = CCONV_ACTIVATION_SILU;
  fill(&p.input, false);
  fill(&p.weight, false);
  if (l->pooling && kind == CCONV_POOL_AVERAGE)
    sums_in_16(&p, &one, bytes);
  CHECK(execute(&p, &one, workspace_memory.data, bytes) == CCONV_OK);
  memcpy(standard, p.output.data, size);

  same(&p, &one, region_place(workspace_memory, bytes, AT_START), bytes, standard, __LINE__);
  same(&p, &one, region_place(workspace_memory, bytes, AT_END), bytes, standard, __LINE__);
  same(&p, &one, workspace_memory.data, workspace_memory.bytes, standard, __LINE__);
  too_small(&p, &one, bytes);
  any_alignment(&p, &one, bytes, standard);
  no_slack(&p, &one, bytes, standard);
  const int32_t threads[] = {2, 3, 7};
  for (int i = 0; i < 3; i++) {
    cconv_context many = {.struct_size = sizeof many, .num_threads = threads[i]};
    cconv_context host = {sizeof host, threads[i], parts_backwards, NULL, &hook_calls};
    bytes = query(&p, &many);
    CHECK(bytes == query(&p, &host));
    same(&p, &many, region_place(workspace_memory, bytes, AT_END), bytes, standard, __LINE__);
    same(&p, &host, region_place(workspace_memory, bytes, AT_START), bytes, standard, __LINE__);
    too_small(&p, &many, bytes);
  }
  free(standard);
  return hook_calls;
}

int main(void) {
  const int count = (int)(sizeof layers / sizeof *layers);
  const int32_t kinds[] = {CCONV_POOL_AVERAGE, CCONV_POOL_MAX, CCONV_POOL_MIN}; /* the last with channels last */
  int shared = 0;
  input_memory = region_new(8 << 20);
  weight_memory = region_new(9 << 20);
  output_memory = region_new(8 << 20);
  workspace_memory = region_new((size_t)cconv_cache_l2() / 2 * 7 + (16 << 20));
  for (int i = 0; i < count; i++)
    for (int dtype = CCONV_FLOAT32; dtype <= CCONV_FLOAT64; dtype++)
      for (int way = 0; way < (layers[i].pooling ? 3 : 1); way++)
        shared += test_layer(&layers[i], dtype, kinds[way], way == 2 || layers[i].last) > 0;
  /* With fewer layers worth sharing, the host's hook was hardly tried. */
  CHECK(shared >= count);
  return check_report("workspace", cases);
}
