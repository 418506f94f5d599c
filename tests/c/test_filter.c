/* SPDX-License-Identifier: BSD-3-Clause
 * test_filter.c - filters over footprints: bad arguments, windows larger than the cache, and who runs the
 * parts does not matter. */
#include "naive_filter.h"

#include "check.h"

static long cases;
static region input_memory, output_memory, workspace_memory;

typedef struct call {
  cconv_filter_params params;
  cconv_tensor input, output;
  cconv_context context;
  size_t missing; /* bytes of the workspace */
  bool no_params, no_input, no_output, no_workspace;
} call;

static uint8_t two_taps[3 * 3] = {0, 1, 0, 0, 0, 0, 0, 1, 0};

/* Two images of 3 channels of 6x7, a window of 3x3. */
static call good_call(void) {
  const int64_t shape[] = {2, 3, 6, 7};
  call c = {.params = {.struct_size = sizeof c.params, .kernel = {3, 3}, .footprint = two_taps},
            .input = tensor_of(CCONV_FLOAT32, 4, shape, NULL),
            .output = tensor_of(CCONV_FLOAT32, 4, shape, NULL),
            .context = {.struct_size = sizeof c.context, .num_threads = 2}};
  for (int a = 0; a < 2; a++) {
    c.params.pad_before[a] = c.params.pad_after[a] = 1;
    c.params.padding_mode[a] = CCONV_PADDING_REFLECT;
  }
  c.input.data = input_memory.data;
  c.output.data = output_memory.data;
  return c;
}

static cconv_status run(const call *c, cconv_error *error) {
  const cconv_filter_params *params = c->no_params ? NULL : &c->params;
  const cconv_tensor *input = c->no_input ? NULL : &c->input, *output = c->no_output ? NULL : &c->output;
  size_t bytes = 0;
  cconv_status status = cconv_filter_extreme_workspace(params, input, output, &c->context, &bytes, error);
  if (status || bytes > workspace_memory.bytes)
    return status;
  void *workspace = c->no_workspace ? NULL : region_place(workspace_memory, bytes - c->missing, AT_END);
  return cconv_filter_extreme(params, input, output, &c->context, workspace, bytes - c->missing, error);
}

static call c; /* the one at hand */

/* The call is refused with this status, which names the argument. */
static void refused(cconv_status status, const char *argument) {
  cconv_error error = {.struct_size = sizeof error};
  cases++;
  CHECK(run(&c, &error) == status);
  CHECK(error.argument && !strcmp(error.argument, argument));
}

#define REFUSED(status, argument, change) (c = good_call(), (void)(change), refused(status, argument))

static void test_arguments(void) {
  static const uint8_t no_taps[9] = {0};
  c = good_call();
  cases++;
  CHECK(run(&c, NULL) == CCONV_OK);
  REFUSED(CCONV_BAD_ARGUMENT, "params", c.no_params = true);
  REFUSED(CCONV_BAD_ARGUMENT, "params", c.params.struct_size--);
  REFUSED(CCONV_BAD_ARGUMENT, "input", c.no_input = true);
  REFUSED(CCONV_BAD_ARGUMENT, "output", c.no_output = true);
  REFUSED(CCONV_BAD_ARGUMENT, "workspace", c.no_workspace = true);
  REFUSED(CCONV_WORKSPACE_TOO_SMALL, "workspace", c.missing = 1);
  REFUSED(CCONV_BAD_ARGUMENT, "kind", c.params.kind = CCONV_POOL_AVERAGE);
  REFUSED(CCONV_BAD_ARGUMENT, "kind", c.params.kind = CCONV_POOL_LP);
  REFUSED(CCONV_BAD_ARGUMENT, "kind", c.params.kind = -1);
  REFUSED(CCONV_BAD_ARGUMENT, "padding_mode", c.params.padding_mode[1] = -1);
  REFUSED(CCONV_BAD_ARGUMENT, "padding_mode", c.params.padding_mode[0] = CCONV_PADDING_CIRCULAR + 1);
  REFUSED(CCONV_BAD_ARGUMENT, "footprint", c.params.footprint = no_taps);
  REFUSED(CCONV_BAD_ARGUMENT, "kernel", c.params.kernel[0] = 0);
  REFUSED(CCONV_BAD_ARGUMENT, "kernel", c.params.kernel[1] = -1);
  REFUSED(CCONV_BAD_ARGUMENT, "num_threads", c.context.num_threads = 0);
  REFUSED(CCONV_BAD_ARGUMENT, "context", c.context.struct_size = 0);
  REFUSED(CCONV_BAD_SHAPE, "output", c.params.pad_before[0] = 2);
  REFUSED(CCONV_BAD_SHAPE, "output", c.params.pad_after[1] = -9);
  REFUSED(CCONV_BAD_SHAPE, "output", c.output.shape[1] = 2);
  REFUSED(CCONV_BAD_SHAPE, "input", c.input.rank = c.output.rank = 2);
  REFUSED(CCONV_BAD_SHAPE, "output", c.output.rank = 3);
  REFUSED(CCONV_BAD_SHAPE, "input", (c.input.shape[2] = 0, c.params.pad_before[0] = 8));
  REFUSED(CCONV_BAD_DTYPE, "output", c.output.dtype = CCONV_FLOAT64);
  REFUSED(CCONV_BAD_DTYPE, "input", c.input.dtype = 99);
  REFUSED(CCONV_TOO_LARGE, "padding", c.params.pad_before[0] = INT64_MAX);
  REFUSED(CCONV_TOO_LARGE, "kernel",
          (c.params.footprint = NULL, c.params.kernel[0] = c.params.pad_before[0] = INT64_MAX / 4,
           c.params.kernel[1] = c.params.pad_before[1] = INT64_MAX / 4, c.params.pad_after[0] = 0,
           c.params.pad_after[1] = 0, c.output.shape[2] = 7, c.output.shape[3] = 8));
}

typedef struct layer {
  int32_t dtype, rank;
  int64_t shape[5], kernel[3];
  int kept; /* about one tap in so many; 0 for no footprint */
} layer;

/* Cut into many blocks; windows cut between slices, rows and inside a row; with few taps, so that chunks stay
 * without any. */
static const layer layers[] = {
    {CCONV_FLOAT32, 4, {1, 2, 150, 161}, {3, 5}, 0},      {CCONV_UINT8, 4, {1, 2, 150, 161}, {3, 5}, 2},
    {CCONV_FLOAT64, 3, {1, 1, 300}, {100001}, 0},         {CCONV_INT16, 3, {1, 1, 300}, {100001}, 3},
    {CCONV_FLOAT32, 4, {1, 1, 7, 9}, {500, 700}, 0},      {CCONV_INT64, 4, {1, 1, 7, 9}, {500, 700}, 100000},
    {CCONV_UINT32, 5, {1, 1, 3, 4, 5}, {60, 70, 80}, 40}, {CCONV_FLOAT16, 5, {2, 1, 3, 4, 5}, {60, 70, 80}, 0},
};

static uint8_t footprint[500000];

static void test_layer(const layer *l, int32_t mode) {
  c = (call){.params = {.struct_size = sizeof c.params, .kind = mode % 2 ? CCONV_POOL_MIN : CCONV_POOL_MAX},
             .input = tensor_of(l->dtype, l->rank, l->shape, NULL),
             .output = tensor_of(l->dtype, l->rank, l->shape, NULL),
             .context = {.struct_size = sizeof c.context, .num_threads = 1}};
  uint64_t state = (uint64_t)mode + 1;
  int64_t taps = 1;
  for (int a = 0; a < l->rank - 2; a++) {
    taps *= c.params.kernel[a] = l->kernel[a];
    c.params.pad_before[a] = l->kernel[a] / 2;
    c.params.pad_after[a] = l->kernel[a] - 1 - l->kernel[a] / 2;
    c.params.padding_mode[a] = mode;
  }
  for (int64_t k = 0; l->kept && k < taps; k++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    footprint[k] = (state >> 33) % (uint64_t)l->kept == 0 || k == taps - 1;
  }
  c.params.footprint = l->kept ? footprint : NULL;
  c.params.padding_value = c.params.kind == CCONV_POOL_MAX ? 50 : -50;
  c.input.data = input_memory.data;
  c.output.data = output_memory.data;
  for (int64_t i = 0; i < count_of(&c.input); i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    element_set(&c.input, i, (double)(int64_t)(state >> 57) - 20);
  }
  cases++;
  CHECK(run(&c, NULL) == CCONV_OK);
  const int64_t count = count_of(&c.output), step = taps > 1000 ? count / 3 : 97;
  for (int64_t i = 0; i < count; i += step)
    CHECK(element_get(&c.output, i) == naive_filter(&c.params, &c.input, &c.output, i));

  static char standard[1 << 20];
  memcpy(standard, c.output.data, (size_t)bytes_of(&c.output));
  long calls = 0;
  c.context.num_threads = 5;
  for (int way = 0; way < 2; way++) {
    memset(c.output.data, 0x77, (size_t)bytes_of(&c.output));
    cases++;
    CHECK(run(&c, NULL) == CCONV_OK);
    CHECK(!memcmp(standard, c.output.data, (size_t)bytes_of(&c.output)));
    c.context.parallel_for = parts_backwards;
    c.context.host = &calls;
  }
}

/* One byte, repeated by a stride of 0 almost 2^63 times, and the windows that cross its last edge: neither twice
 * the axis nor an index plus the axis fits. */
static void test_longest_axis(int64_t in) {
  const int64_t ones[] = {1, 1, 1, 1}, out = 4;
  for (int32_t mode = CCONV_PADDING_REFLECT; mode <= CCONV_PADDING_CIRCULAR; mode++) {
    c = (call){.params = {.struct_size = sizeof c.params, .kernel = {1, 1}},
               .input = tensor_of(CCONV_UINT8, 4, ones, NULL),
               .output = tensor_of(CCONV_UINT8, 4, ones, NULL),
               .context = {.struct_size = sizeof c.context, .num_threads = 1}};
    c.input.shape[2] = in;
    c.input.stride[2] = 0;
    c.input.data = input_memory.data;
    c.output.shape[2] = out;
    c.output.data = output_memory.data;
    c.params.padding_mode[0] = c.params.padding_mode[1] = mode;
    c.params.pad_before[0] = 2 - in;
    c.params.pad_after[0] = 2;
    *input_memory.data = 42;
    cases++;
    CHECK(run(&c, NULL) == CCONV_OK);
    CHECK(all_bytes(output_memory.data, (size_t)out, 42));
  }
}

/* A window as long as any: nobody waits for its end, but the workspace is as small as ever. */
static void test_longest_window(void) {
  size_t bytes = 0;
  c = good_call();
  c.params.footprint = NULL;
  c.params.kernel[0] = INT64_MAX;
  c.params.pad_before[0] = INT64_MAX - c.input.shape[2];
  c.params.pad_after[0] = 0;
  c.params.kernel[1] = 1;
  c.params.pad_before[1] = c.params.pad_after[1] = 0;
  c.output.shape[2] = 1;
  cases++;
  CHECK(cconv_filter_extreme_workspace(&c.params, &c.input, &c.output, &c.context, &bytes, NULL) == CCONV_OK);
  CHECK((int64_t)bytes <= cconv_cache_l2());
}

int main(void) {
  input_memory = region_new(1 << 20);
  output_memory = region_new(1 << 20);
  workspace_memory = region_new((size_t)cconv_cache_l2() * 8);
  test_arguments();
  for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
    for (int32_t mode = CCONV_PADDING_CONSTANT; mode <= CCONV_PADDING_CIRCULAR; mode++)
      test_layer(&layers[i], mode);
  test_longest_window();
  test_longest_axis(INT64_MAX - 2);
  test_longest_axis(((int64_t)1 << 62) + 1);
  return check_report("test_filter", cases);
}
