/* SPDX-License-Identifier: BSD-3-Clause
 * test_places.c - adaptive pooling and max-unpooling from C: against plain loops between guard pages,
 * and bad arguments, which must be refused with nothing touched. */
#include "naive.h"

#include "check.h"

#define IN(status) (1u << (status))

enum { CANARY = 0x5a, CALLS = 3000 };

static long cases;
static uint64_t state;
static region input_memory, output_memory, indices_memory;

typedef struct call {
  cconv_adaptive_params params;
  cconv_tensor input, output, indices;
  cconv_context context;
  bool no_params, no_input, no_output, no_indices, no_context;
} call;

static int64_t draw(int64_t count) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (int64_t)((state >> 33) % (uint64_t)count);
}

static int64_t index_get(const cconv_tensor *t, int64_t i) {
  int64_t index;
  return memcpy(&index, element_at(t, i), sizeof index), index;
}

static void index_set(const cconv_tensor *t, int64_t i, int64_t index) {
  memcpy(element_at(t, i), &index, sizeof index);
}

static cconv_status adaptive(const call *c, cconv_error *error) {
  return cconv_pool_adaptive(c->no_params ? NULL : &c->params, c->no_input ? NULL : &c->input,
                             c->no_output ? NULL : &c->output, c->no_indices ? NULL : &c->indices,
                             c->no_context ? NULL : &c->context, error);
}

static cconv_status unpool(const call *c, cconv_error *error) {
  return cconv_max_unpool(c->no_input ? NULL : &c->input, c->no_indices ? NULL : &c->indices,
                          c->no_output ? NULL : &c->output, c->no_context ? NULL : &c->context, error);
}

/* Tensors of drawn shapes against either end of their memory; indices are shaped like `like`. */
static call drawn(bool unpooling) {
  const int32_t rank = (int32_t)(3 + draw(3)), dtype = draw(2) ? CCONV_FLOAT64 : CCONV_FLOAT32;
  int64_t x[5] = {1 + draw(2), 1 + draw(3)}, y[5] = {x[0], x[1]};
  for (int a = 2; a < rank; a++) {
    x[a] = 1 + draw(a == rank - 1 ? 40 : 5);
    y[a] = 1 + draw(a == rank - 1 ? 40 : 5);
  }
  call c = {.params = {.struct_size = sizeof c.params, .kind = (int32_t)draw(4), .p = (double)(1 + draw(2))},
            .input = tensor_of(dtype, rank, x, draw(2) ? NULL : (const int[]){1, 0, 2, 3, 4}),
            .output = tensor_of(dtype, rank, y, draw(2) ? NULL : (const int[]){1, 0, 2, 3, 4}),
            .indices = tensor_of(CCONV_INT64, rank, unpooling ? x : y, NULL),
            .context = {.struct_size = sizeof c.context, .num_threads = (int32_t)(1 + draw(3))}};
  c.no_indices = !unpooling && (draw(2) || c.params.kind == CCONV_POOL_AVERAGE || c.params.kind == CCONV_POOL_LP);
  c.input.data = region_place(input_memory, (size_t)bytes_of(&c.input), draw(2) ? AT_START : AT_END);
  c.output.data = region_place(output_memory, (size_t)bytes_of(&c.output), draw(2) ? AT_START : AT_END);
  c.indices.data = region_place(indices_memory, (size_t)bytes_of(&c.indices), draw(2) ? AT_START : AT_END);
  if (draw(2))
    tensor_flip(&c.input, rank - 1);
  for (int64_t i = 0; i < count_of(&c.input); i++)
    element_set(&c.input, i, (double)draw(9) - 4);
  memset(c.output.data, CANARY, (size_t)bytes_of(&c.output));
  memset(c.indices.data, CANARY, (size_t)bytes_of(&c.indices));
  return c;
}

/* Output `number` of an adaptive pooling of integers, one element of the input after the other. */
static double naive_adaptive(const call *c, int64_t number, int64_t *found) {
  int64_t o[CCONV_MAX_RANK], i[CCONV_MAX_RANK], plane = 1, terms = 0;
  double best = 0, sum = 0;
  const bool least = c->params.kind == CCONV_POOL_MIN;
  split_index(&c->output, number, o);
  for (int a = 2; a < c->input.rank; a++)
    plane *= c->input.shape[a];
  for (int64_t p = 0; p < plane; p++) {
    const int64_t element = (o[0] * c->input.shape[1] + o[1]) * plane + p;
    bool inside = true;
    split_index(&c->input, element, i);
    for (int a = 2; a < c->input.rank; a++) {
      const int64_t in = c->input.shape[a], out = c->output.shape[a];
      inside = inside && i[a] * out < (o[a] + 1) * in && (i[a] + 1) * out > o[a] * in;
    }
    if (!inside)
      continue;
    const double value = element_get(&c->input, element);
    if (!terms++ || (least ? value < best : value > best)) {
      best = value;
      *found = p;
    }
    sum += c->params.kind == CCONV_POOL_AVERAGE ? value : c->params.p == 2 ? value * value : fabs(value);
  }
  if (c->params.kind == CCONV_POOL_MAX || least)
    return best;
  if (c->input.dtype == CCONV_FLOAT32 && c->params.kind == CCONV_POOL_AVERAGE)
    return (double)((float)sum / (float)terms);
  sum = c->params.kind == CCONV_POOL_AVERAGE ? sum / (double)terms : c->params.p == 2 ? sqrt(sum) : sum;
  return c->input.dtype == CCONV_FLOAT32 ? (double)(float)sum : sum;
}

static void adaptive_against_naive(void) {
  for (int n = 0; n < CALLS; n++, cases++) {
    const call c = drawn(false);
    if (!CHECK(adaptive(&c, NULL) == CCONV_OK))
      continue;
    for (int64_t i = 0; i < count_of(&c.output); i++) {
      int64_t found = -1;
      if (!CHECK(element_get(&c.output, i) == naive_adaptive(&c, i, &found)))
        break;
      if (!c.no_indices && !CHECK(index_get(&c.indices, i) == found))
        break;
    }
  }
}

static void unpool_against_naive(void) {
  for (int n = 0; n < CALLS; n++, cases++) {
    const call c = drawn(true);
    const int64_t channels = c.input.shape[0] * c.input.shape[1];
    const int64_t size = count_of(&c.input) / channels, plane = count_of(&c.output) / channels;
    double want[5 * 5 * 40];
    for (int64_t i = 0; i < count_of(&c.indices); i++)
      index_set(&c.indices, i, draw(plane + 1) - 1);
    if (!CHECK(unpool(&c, NULL) == CCONV_OK))
      continue;
    for (int64_t channel = 0; channel < channels; channel++) {
      memset(want, 0, sizeof want);
      for (int64_t i = channel * size; i < (channel + 1) * size; i++)
        if (index_get(&c.indices, i) >= 0)
          want[index_get(&c.indices, i)] = element_get(&c.input, i);
      for (int64_t i = 0; i < plane; i++)
        CHECK(element_get(&c.output, channel * plane + i) == want[i]);
    }
  }
}

/* The first of two indices that are none is the one given, whatever the threads; nothing is written. */
static void bad_indices(void) {
  for (int n = 0; n < CALLS; n++, cases++) {
    const call c = drawn(true);
    const int64_t count = count_of(&c.indices), plane = count_of(&c.output) / c.input.shape[0] / c.input.shape[1];
    const int64_t bad[] = {plane, -2, INT64_MAX, INT64_MIN}, first = draw(count), which = draw(4);
    cconv_error error = {.struct_size = sizeof error};
    for (int64_t i = 0; i < count; i++)
      index_set(&c.indices, i, i < first ? draw(plane + 1) - 1 : i == first ? bad[which] : -77);
    CHECK(unpool(&c, &error) == CCONV_BAD_ARGUMENT);
    CHECK(error.argument && strcmp(error.argument, "indices") == 0);
    CHECK(error.given == bad[which] && error.expected == plane);
    CHECK(all_bytes(c.output.data, (size_t)bytes_of(&c.output), CANARY));
  }
}

/* One channel of 6x7 to 4x3; for unpooling the same the other way round. */
static call good(bool unpooling) {
  const int64_t large[] = {2, 4, 6, 7}, small[] = {2, 4, 4, 3};
  call c = {.params = {.struct_size = sizeof c.params, .kind = CCONV_POOL_MAX},
            .input = tensor_of(CCONV_FLOAT32, 4, unpooling ? small : large, NULL),
            .output = tensor_of(CCONV_FLOAT32, 4, unpooling ? large : small, NULL),
            .indices = tensor_of(CCONV_INT64, 4, small, NULL),
            .context = {.struct_size = sizeof c.context, .num_threads = 1}};
  c.input.data = region_place(input_memory, (size_t)bytes_of(&c.input), AT_END);
  c.output.data = region_place(output_memory, (size_t)bytes_of(&c.output), AT_END);
  c.indices.data = region_place(indices_memory, (size_t)bytes_of(&c.indices), AT_END);
  return c;
}

static call c;

static void refused(cconv_status (*run)(const call *c, cconv_error *error), unsigned allowed, int line) {
  cconv_error error = {.struct_size = sizeof error};
  memset(output_memory.data, CANARY, output_memory.bytes);
  memset(indices_memory.data, 0, indices_memory.bytes);
  const cconv_status status = run(&c, &error);
  check_that(allowed >> status & 1, "refused with the right status", __FILE__, line);
  check_that(error.argument && strlen(error.argument) > 0, "names an argument", __FILE__, line);
  check_that(run(&c, NULL) == status, "the same without an error struct", __FILE__, line);
  check_that(all_bytes(output_memory.data, output_memory.bytes, CANARY), "output untouched", __FILE__, line);
  check_that(all_bytes(indices_memory.data, indices_memory.bytes, 0), "indices untouched", __FILE__, line);
  cases++;
}

#define ADAPTIVE(allowed, change) (c = good(false), (change), refused(adaptive, allowed, __LINE__))
#define UNPOOL(allowed, change) (c = good(true), (change), refused(unpool, allowed, __LINE__))
#define BOTH(allowed, change) (ADAPTIVE(allowed, change), UNPOOL(allowed, change))

static void bad_arguments(void) {
  c = good(false);
  CHECK(adaptive(&c, NULL) == CCONV_OK);
  c = good(true);
  memset(indices_memory.data, 0, indices_memory.bytes);
  CHECK(unpool(&c, NULL) == CCONV_OK);
  ADAPTIVE(IN(CCONV_BAD_ARGUMENT), c.no_params = true);
  BOTH(IN(CCONV_BAD_ARGUMENT), c.no_input = true);
  BOTH(IN(CCONV_BAD_ARGUMENT), c.no_output = true);
  BOTH(IN(CCONV_BAD_ARGUMENT), c.no_context = true);
  UNPOOL(IN(CCONV_BAD_ARGUMENT), c.no_indices = true);
  ADAPTIVE(IN(CCONV_BAD_ARGUMENT), c.params.struct_size = 4);
  ADAPTIVE(IN(CCONV_BAD_ARGUMENT), c.params.kind = -1);
  ADAPTIVE(IN(CCONV_BAD_ARGUMENT), c.params.kind = CCONV_POOL_LP + 1);
  ADAPTIVE(IN(CCONV_BAD_ARGUMENT), c.params.kind = CCONV_POOL_AVERAGE);
  ADAPTIVE(IN(CCONV_BAD_ARGUMENT), (c.params.kind = CCONV_POOL_LP, c.params.p = 2));
  ADAPTIVE(IN(CCONV_BAD_ARGUMENT), (c.params.kind = CCONV_POOL_LP, c.no_indices = true, c.params.p = 0));
  ADAPTIVE(IN(CCONV_BAD_ARGUMENT), (c.params.kind = CCONV_POOL_LP, c.no_indices = true, c.params.p = NAN));
  BOTH(IN(CCONV_BAD_ARGUMENT), c.context.num_threads = 0);
  BOTH(IN(CCONV_BAD_ARGUMENT), c.context.struct_size = 0);
  BOTH(IN(CCONV_BAD_ARGUMENT), c.input.struct_size = 0);
  BOTH(IN(CCONV_BAD_ARGUMENT), c.output.struct_size = 0);
  BOTH(IN(CCONV_BAD_ARGUMENT), c.indices.struct_size = 0);
  BOTH(IN(CCONV_BAD_ARGUMENT), c.input.data = NULL);
  BOTH(IN(CCONV_BAD_ARGUMENT), c.output.data = NULL);
  BOTH(IN(CCONV_BAD_ARGUMENT), c.indices.data = NULL);
  BOTH(IN(CCONV_BAD_ARGUMENT), c.output.data = (char *)c.output.data - 1);
  BOTH(IN(CCONV_BAD_ARGUMENT), c.indices.data = (char *)c.indices.data - 4);
  BOTH(IN(CCONV_BAD_ARGUMENT), c.indices.stride[2] += 4);
  BOTH(IN(CCONV_BAD_DTYPE), c.input.dtype = CCONV_FLOAT64);
  BOTH(IN(CCONV_BAD_DTYPE), c.input.dtype = CCONV_INT64);
  BOTH(IN(CCONV_BAD_DTYPE), c.input.dtype = CCONV_FLOAT16 + 1);
  BOTH(IN(CCONV_BAD_DTYPE), c.output.dtype = 0);
  BOTH(IN(CCONV_BAD_DTYPE), c.indices.dtype = CCONV_FLOAT64);
  for (int rank = -1; rank <= 7; rank++)
    if (rank != 4) {
      BOTH(IN(CCONV_BAD_SHAPE), c.input.rank = rank);
      BOTH(IN(CCONV_BAD_SHAPE), c.output.rank = rank);
      BOTH(IN(CCONV_BAD_SHAPE), c.indices.rank = rank);
    }
  for (int a = 0; a < 4; a++) {
    BOTH(IN(CCONV_BAD_SHAPE), c.indices.shape[a]++);
    BOTH(IN(CCONV_BAD_SHAPE), c.output.shape[a] = -1);
    BOTH(IN(CCONV_BAD_SHAPE), c.output.shape[a] = 0);
    BOTH(IN(CCONV_BAD_SHAPE), c.input.shape[a] = -1);
    ADAPTIVE(IN(CCONV_BAD_SHAPE), c.input.shape[a] = 0);
    BOTH(IN(CCONV_TOO_LARGE) | IN(CCONV_BAD_SHAPE), c.input.shape[a] = INT64_MAX);
    BOTH(IN(CCONV_TOO_LARGE) | IN(CCONV_BAD_SHAPE), c.output.shape[a] = INT64_MAX / 2);
  }
  /* Sizes that fit alone, and whose product does not: the memory is never looked at. */
  const int64_t x[] = {1, 1, (int64_t)1 << 40}, y[] = {1, 1, (int64_t)1 << 30};
  ADAPTIVE(IN(CCONV_TOO_LARGE),
           (c.input = tensor_of(CCONV_FLOAT32, 3, x, NULL), c.input.data = input_memory.data,
            c.output = tensor_of(CCONV_FLOAT32, 3, y, NULL), c.output.data = output_memory.data, c.no_indices = true));
}

int main(void) {
  input_memory = region_new(1 << 18);
  output_memory = region_new(1 << 18);
  indices_memory = region_new(1 << 18);
  adaptive_against_naive();
  unpool_against_naive();
  bad_indices();
  bad_arguments();
  return check_report("places", cases);
}
