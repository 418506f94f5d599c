/* SPDX-License-Identifier: BSD-3-Clause
 * test_plan.c - plans: the bits of the calls, every byte through the allocator, refusals, and stopping. */
#include "naive.h"

#include <string.h>
#include <time.h>

#include "check.h"

enum { MOST = 1 << 16 };

static long cases;

/* An allocator that counts, and gives nothing from some allocation on. */
typedef struct account {
  int64_t held, allocations, refuse_from;
} account;

static void *allocate(void *host, size_t bytes) {
  account *a = host;
  if (a->allocations++ >= a->refuse_from)
    return NULL;
  a->held += (int64_t)bytes;
  return malloc(bytes);
}

static void release(void *host, void *memory, size_t bytes) {
  account *a = host;
  a->held -= (int64_t)bytes;
  free(memory);
}

static cconv_allocator allocator_of(account *a) {
  return (cconv_allocator){.struct_size = sizeof(cconv_allocator), .allocate = allocate, .release = release, .host = a};
}

static cconv_tensor tensor(void *data, int32_t rank, const int64_t *shape) {
  cconv_tensor t = {.struct_size = sizeof t, .dtype = CCONV_FLOAT32, .rank = rank, .data = data};
  int64_t step = sizeof(float);
  for (int a = rank - 1; a >= 0; a--) {
    t.shape[a] = shape[a];
    t.stride[a] = step;
    step *= shape[a];
  }
  return t;
}

/* One layer, ordinary or transposed, of two spatial axes. */
typedef struct layer {
  bool transposed;
  int64_t input[4], weight[4], output[4];
  int64_t groups, stride, pad;
  bool winograd;
} layer;

static const layer layers[] = {
    {false, {2, 3, 9, 8}, {5, 3, 3, 3}, {2, 5, 9, 8}, 1, 1, 1, false},
    {false, {1, 6, 8, 8}, {6, 1, 3, 3}, {1, 6, 4, 4}, 6, 2, 1, false},
    {false, {3, 16, 5, 5}, {32, 16, 1, 1}, {3, 32, 5, 5}, 1, 1, 0, false},
    {false, {0, 2, 5, 5}, {4, 2, 3, 3}, {0, 4, 3, 3}, 1, 1, 0, false},
    {false, {2, 33, 9, 8}, {35, 33, 3, 3}, {2, 35, 9, 8}, 1, 1, 1, true},
    {false, {1, 6, 6, 5}, {4, 3, 3, 3}, {1, 4, 4, 3}, 2, 1, 0, true},
    {false, {0, 2, 5, 5}, {4, 2, 3, 3}, {0, 4, 3, 3}, 1, 1, 0, true},
    {true, {2, 3, 4, 5}, {3, 4, 3, 3}, {2, 4, 9, 11}, 1, 2, 0, false},
    {true, {1, 4, 4, 4}, {4, 2, 2, 2}, {1, 4, 8, 8}, 2, 2, 0, false},
    {true, {1, 2, 3, 3}, {2, 3, 1, 1}, {1, 3, 7, 7}, 1, 3, 0, false},
};

static float x[MOST], w[MOST], b[MOST], r[MOST], y[MOST], z[MOST], workspace[MOST * 16];

static void fill(float *values, uint64_t seed) {
  for (int i = 0; i < MOST; i++) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    values[i] = (float)(seed >> 40) / 0x1p23f - 1;
  }
}

typedef struct problem {
  cconv_conv_params params;
  cconv_tensor input, weight, bias, residual, output;
  cconv_conv_tensors all;
} problem;

static void problem_of(const layer *l, problem *p) {
  const int64_t channels[] = {l->output[1]};
  *p = (problem){.params = {.struct_size = sizeof p->params, .groups = l->groups, .activation = CCONV_ACTIVATION_RELU},
                 .input = tensor(x, 4, l->input),
                 .weight = tensor(w, 4, l->weight),
                 .bias = tensor(b, 1, channels),
                 .residual = tensor(r, 4, l->output),
                 .output = tensor(y, 4, l->output)};
  p->params.algorithm = l->winograd ? CCONV_ALGORITHM_WINOGRAD : CCONV_ALGORITHM_AUTO;
  for (int a = 0; a < 2; a++) {
    p->params.stride[a] = l->stride;
    p->params.dilation[a] = 1;
    p->params.pad_before[a] = p->params.pad_after[a] = l->pad;
  }
  p->all = (cconv_conv_tensors){sizeof p->all, &p->input, &p->weight, &p->bias, &p->residual, &p->output};
}

static cconv_status call(const layer *l, const problem *p, const cconv_context *context) {
  return (l->transposed ? cconv_conv_transpose : cconv_conv)(&p->params, &p->input, &p->weight, &p->bias, &p->residual,
                                                             &p->output, context, workspace, sizeof workspace, NULL);
}

static cconv_status make(const layer *l, const problem *p, const cconv_context *context,
                         const cconv_allocator *allocator, cconv_plan **plan) {
  return (l->transposed ? cconv_conv_transpose_plan : cconv_conv_plan)(&p->params, &p->all, context, allocator, plan,
                                                                       NULL);
}

/* In a workspace of exactly the size the plan asks for, whatever the number of threads. */
static void execute(const cconv_plan *plan, const problem *p) {
  for (int32_t threads = 1; threads <= 3; threads++) {
    const cconv_context context = {.struct_size = sizeof context, .num_threads = threads};
    size_t bytes = 0;
    CHECK(cconv_plan_workspace(plan, &p->all, &context, &bytes, NULL) == CCONV_OK);
    CHECK(cconv_plan_execute(plan, &p->all, &context, workspace, bytes - 1, NULL) ==
          (p->output.shape[0] ? CCONV_WORKSPACE_TOO_SMALL : CCONV_OK));
    memset(y, 0x5a, sizeof y);
    CHECK(cconv_plan_execute(plan, &p->all, &context, workspace, bytes, NULL) == CCONV_OK);
    const size_t size = (size_t)count_of(&p->output) * sizeof(float);
    CHECK(memcmp(y, z, size) == 0);
    CHECK(y[size / sizeof(float)] == y[MOST - 1]);
  }
}

static void test_layer(const layer *l) {
  const cconv_context context = {.struct_size = sizeof context, .num_threads = 1};
  account a = {.refuse_from = 1};
  const cconv_allocator allocator = allocator_of(&a);
  problem p, bare;
  cconv_plan *plan = NULL;
  problem_of(l, &p);
  memset(y, 0x5a, sizeof y);
  CHECK(call(l, &p, &context) == CCONV_OK);
  memcpy(z, y, sizeof z);

  /* Its own weights and bias: what becomes of the caller's does not matter. */
  CHECK(make(l, &p, &context, &allocator, &plan) == CCONV_OK);
  CHECK(a.allocations == 1);
  bare = p;
  bare.all = (cconv_conv_tensors){sizeof bare.all, &bare.input, NULL, NULL, &bare.residual, &bare.output};
  CHECK(cconv_plan_matches(plan, &bare.all));
  execute(plan, &bare);
  cconv_plan_info info = {.struct_size = sizeof info};
  CHECK(cconv_plan_describe(plan, &info) == CCONV_OK);
  CHECK(info.weights >= count_of(&p.weight) * (int64_t)sizeof(float));
  CHECK(info.threads == 1 && info.operations >= 0 && info.algorithm);
  cconv_plan_destroy(plan);
  CHECK(a.held == 0);

  /* Weights of each execution. */
  a.refuse_from = 2;
  p.weight.data = p.bias.data = NULL;
  CHECK(make(l, &p, &context, &allocator, &plan) == CCONV_OK);
  CHECK(!cconv_plan_matches(plan, &bare.all));
  CHECK(cconv_plan_execute(plan, &bare.all, &context, workspace, sizeof workspace, NULL) == CCONV_BAD_ARGUMENT);
  p.weight.data = w;
  p.bias.data = b;
  execute(plan, &p);
  cconv_plan_destroy(plan);

  /* No memory. */
  plan = (cconv_plan *)(void *)x;
  CHECK(make(l, &p, &context, &allocator, &plan) == CCONV_NO_MEMORY);
  CHECK(plan == NULL && a.held == 0);
  cases++;
}

static void test_refusals(void) {
  const cconv_context context = {.struct_size = sizeof context, .num_threads = 1};
  account a = {.refuse_from = 100};
  cconv_allocator allocator = allocator_of(&a);
  problem p;
  cconv_plan *plan = (cconv_plan *)(void *)x;
  problem_of(&layers[0], &p);
  CHECK(cconv_conv_plan(&p.params, NULL, &context, &allocator, &plan, NULL) == CCONV_BAD_ARGUMENT);
  CHECK(plan == NULL); /* so it may be destroyed */
  plan = (cconv_plan *)(void *)x;
  CHECK(cconv_conv_plan(&p.params, &p.all, &context, NULL, &plan, NULL) == CCONV_BAD_ARGUMENT);
  CHECK(cconv_conv_plan(&p.params, &p.all, NULL, &allocator, &plan, NULL) == CCONV_BAD_ARGUMENT);
  CHECK(cconv_conv_plan(&p.params, &p.all, &context, &allocator, NULL, NULL) == CCONV_BAD_ARGUMENT);
  allocator.release = NULL;
  CHECK(cconv_conv_plan(&p.params, &p.all, &context, &allocator, &plan, NULL) == CCONV_BAD_ARGUMENT);
  allocator.release = release;
  CHECK(plan == NULL);
  plan = (cconv_plan *)(void *)x;
  p.params.algorithm = 9;
  CHECK(cconv_conv_plan(&p.params, &p.all, &context, &allocator, &plan, NULL) == CCONV_BAD_ARGUMENT);
  CHECK(plan == NULL);
  for (int i = 0; i < (int)(sizeof layers / sizeof *layers); i++) {
    const layer *l = &layers[i];
    const bool serves = !l->transposed && l->weight[2] == 3 && l->stride == 1;
    problem_of(l, &p);
    p.params.algorithm = CCONV_ALGORITHM_WINOGRAD;
    CHECK(make(l, &p, &context, &allocator, &plan) == (serves ? CCONV_OK : CCONV_UNSUPPORTED));
    CHECK(call(l, &p, &context) == (serves ? CCONV_OK : CCONV_UNSUPPORTED));
    if (serves)
      cconv_plan_destroy(plan);
  }
  problem_of(&layers[0], &p);
  p.params.algorithm = CCONV_ALGORITHM_DIRECT;
  CHECK(cconv_conv_plan(&p.params, &p.all, &context, &allocator, &plan, NULL) == CCONV_OK);
  CHECK(cconv_plan_execute(NULL, &p.all, &context, workspace, sizeof workspace, NULL) == CCONV_BAD_ARGUMENT);
  CHECK(cconv_plan_execute(plan, NULL, &context, workspace, sizeof workspace, NULL) == CCONV_BAD_ARGUMENT);
  CHECK(cconv_plan_execute(plan, &p.all, &context, NULL, 0, NULL) == CCONV_BAD_ARGUMENT);
  CHECK(cconv_plan_describe(plan, NULL) == CCONV_BAD_ARGUMENT);
  /* Another image than it was made for, though the shapes fit each other. */
  p.input.shape[3]++;
  p.output.shape[3]++;
  CHECK(cconv_plan_execute(plan, &p.all, &context, workspace, sizeof workspace, NULL) == CCONV_BAD_SHAPE);
  problem_of(&layers[0], &p);
  p.output.data = (char *)y + 1;
  CHECK(cconv_plan_execute(plan, &p.all, &context, workspace, sizeof workspace, NULL) == CCONV_BAD_ARGUMENT);
  cconv_plan_destroy(plan);
  cconv_plan_destroy(NULL);
  CHECK(a.held == 0);
}

static void test_overlap(void) {
  const int64_t shape[] = {2, 3};
  cconv_tensor one = tensor(x, 2, shape), other = tensor(x + 6, 2, shape);
  CHECK(cconv_tensors_overlap(&one, &one) && !cconv_tensors_overlap(&one, &other));
  CHECK(!cconv_tensors_overlap(&other, &one) && !cconv_tensors_overlap(&one, NULL));
  other.stride[0] = -other.stride[0]; /* reaches back to x + 3 */
  CHECK(cconv_tensors_overlap(&one, &other) && cconv_tensors_overlap(&other, &one));
  other.shape[1] = 0;
  CHECK(!cconv_tensors_overlap(&one, &other));
}

static int asked, answer;

static int poll(void *host) {
  (void)host;
  asked++;
  return answer;
}

/* The host's threads take their time: by then the call has to ask. */
static void late(void *host, void (*body)(void *arg, int64_t part), void *arg, int64_t parts) {
  (void)host;
  const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
  for (int64_t part = 0; part < parts; part++) {
    nanosleep(&pause, NULL);
    body(arg, part);
  }
}

/* A call asks its host once in a while, and ends when it is told to. */
static void test_stopping(void) {
  enum { SIDE = 64, CHANNELS = 16 };
  static float image[CHANNELS * SIDE * SIDE], kernel[CHANNELS * CHANNELS * 9], result[CHANNELS * SIDE * SIDE];
  const int64_t shape[] = {1, CHANNELS, SIDE, SIDE}, weight[] = {CHANNELS, CHANNELS, 3, 3};
  cconv_conv_params params = {.struct_size = sizeof params, .groups = 1, .stride = {1, 1}, .dilation = {1, 1}};
  params.pad_before[0] = params.pad_before[1] = params.pad_after[0] = params.pad_after[1] = 1;
  const cconv_tensor in = tensor(image, 4, shape), filters = tensor(kernel, 4, weight), out = tensor(result, 4, shape);
  const cconv_context context = {.struct_size = sizeof context, .num_threads = 2, .parallel_for = late, .poll = poll};
  for (int i = 0; i < 4; i++) {
    answer = i % 2;
    asked = 0;
    params.algorithm = i < 2 ? CCONV_ALGORITHM_DIRECT : CCONV_ALGORITHM_WINOGRAD;
    CHECK(cconv_conv(&params, &in, &filters, NULL, NULL, &out, &context, workspace, sizeof workspace, NULL) ==
          (answer ? CCONV_CANCELLED : CCONV_OK));
    CHECK(i < 2 ? asked == 1 : asked >= 1); /* once in each phase */
    cases++;
  }
}

int main(void) {
  fill(x, 1);
  fill(w, 2);
  fill(b, 3);
  fill(r, 4);
  for (int i = 0; i < (int)(sizeof layers / sizeof *layers); i++)
    test_layer(&layers[i]);
  test_refusals();
  test_overlap();
  test_stopping();
  return check_report("plans", cases);
}
