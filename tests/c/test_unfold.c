/* SPDX-License-Identifier: BSD-3-Clause
 * test_unfold.c - unfold and fold from C: bad and extreme arguments, the workspace, and who runs the parts.
 *
 * Every refused case is a good call with one thing changed: the right status, and nothing touched. */
#include "guarded.h"

#include "check.h"

#define IN(status) (1u << (status))

enum { ANY = IN(CCONV_BAD_ARGUMENT) | IN(CCONV_BAD_SHAPE) | IN(CCONV_TOO_LARGE), CANARY = 0x5a };

static long cases;
static region input_memory, output_memory, workspace_memory;

typedef struct call {
  bool fold;
  cconv_unfold_params params;
  cconv_tensor input, output;
  cconv_context context;
  bool no_params, no_input, no_output, no_context;
} call;

static call call_of(bool fold, int32_t dtype, int32_t rank, const int64_t *image, const int64_t *columns) {
  call c = {.fold = fold,
            .params = {.struct_size = sizeof c.params},
            .input = tensor_of(dtype, fold ? 3 : rank, fold ? columns : image, NULL),
            .output = tensor_of(dtype, fold ? rank : 3, fold ? image : columns, NULL),
            .context = {.struct_size = sizeof c.context, .num_threads = 1}};
  for (int a = 0; a < CCONV_MAX_SPATIAL; a++)
    c.params.kernel[a] = c.params.stride[a] = c.params.dilation[a] = 1;
  c.input.data = region_place(input_memory, (size_t)bytes_of(&c.input), AT_END);
  c.output.data = region_place(output_memory, (size_t)bytes_of(&c.output), AT_END);
  return c;
}

/* Two images of 4 channels of 6x7; windows of 3x2 taps, padded above and to the right: 5x4 of them. */
static call good(bool fold) {
  const int64_t image[] = {2, 4, 6, 7}, columns[] = {2, 24, 20};
  call c = call_of(fold, CCONV_FLOAT32, 4, image, columns);
  for (int a = 0; a < 2; a++) {
    c.params.kernel[a] = 3 - a;
    c.params.stride[a] = 1 + a;
    c.params.pad_before[a] = 1 - a;
    c.params.pad_after[a] = a;
  }
  return c;
}

static cconv_status query(const call *c, size_t *bytes, cconv_error *error) {
  return (c->fold ? cconv_fold_workspace : cconv_unfold_workspace)(
      c->no_params ? NULL : &c->params, c->no_input ? NULL : &c->input, c->no_output ? NULL : &c->output,
      c->no_context ? NULL : &c->context, bytes, error);
}

static cconv_status execute(const call *c, void *workspace, size_t bytes, cconv_error *error) {
  return (c->fold ? cconv_fold : cconv_unfold)(c->no_params ? NULL : &c->params, c->no_input ? NULL : &c->input,
                                               c->no_output ? NULL : &c->output, c->no_context ? NULL : &c->context,
                                               workspace, bytes, error);
}

/* Query and call must both answer one of `allowed`, say where, and leave output and workspace be. */
static void refused(const call *c, unsigned allowed, int line) {
  size_t bytes = 12345;
  cconv_error error = {.struct_size = sizeof error};
  memset(output_memory.data, CANARY, output_memory.bytes);
  memset(workspace_memory.data, CANARY, workspace_memory.bytes);
  const cconv_status asked = query(c, &bytes, &error);
  check_that(allowed >> asked & 1, "the query refuses this with the right status", __FILE__, line);
  check_that(error.argument && strlen(error.argument) > 0, "the query names an argument", __FILE__, line);
  check_that(bytes == 12345, "a refused query gives no size", __FILE__, line);
  error = (cconv_error){.struct_size = sizeof error};
  const cconv_status answer = execute(c, workspace_memory.data, workspace_memory.bytes, &error);
  check_that(answer == asked, "the call answers like the query", __FILE__, line);
  check_that(error.argument && strlen(error.argument) > 0, "the call names an argument", __FILE__, line);
  check_that(execute(c, workspace_memory.data, workspace_memory.bytes, NULL) == answer,
             "without an error struct the answer is the same", __FILE__, line);
  check_that(all_bytes(output_memory.data, output_memory.bytes, CANARY), "output untouched", __FILE__, line);
  check_that(all_bytes(workspace_memory.data, workspace_memory.bytes, CANARY), "workspace untouched", __FILE__, line);
  cases++;
}

static call c;

#define BAD(allowed, change) (c = good(fold), (change), refused(&c, allowed, __LINE__))

static void missing_and_mislabelled(bool fold) {
  BAD(IN(CCONV_BAD_ARGUMENT), c.no_params = true);
  BAD(IN(CCONV_BAD_ARGUMENT), c.no_input = true);
  BAD(IN(CCONV_BAD_ARGUMENT), c.no_output = true);
  BAD(IN(CCONV_BAD_ARGUMENT), c.no_context = true);
  BAD(IN(CCONV_BAD_ARGUMENT), c.input.data = NULL);
  BAD(IN(CCONV_BAD_ARGUMENT), c.output.data = NULL);
  for (uint32_t size = 0; size < 16; size += 15) {
    BAD(IN(CCONV_BAD_ARGUMENT), c.params.struct_size = size);
    BAD(IN(CCONV_BAD_ARGUMENT), c.input.struct_size = size);
    BAD(IN(CCONV_BAD_ARGUMENT), c.output.struct_size = size);
    BAD(IN(CCONV_BAD_ARGUMENT), c.context.struct_size = size);
  }
  BAD(IN(CCONV_BAD_ARGUMENT), c.context.num_threads = 0);
  BAD(IN(CCONV_BAD_DTYPE), c.input.dtype = 0);
  BAD(IN(CCONV_BAD_DTYPE), c.input.dtype = CCONV_FLOAT64);
  BAD(IN(CCONV_BAD_DTYPE), c.output.dtype = CCONV_INT16);
  BAD(IN(CCONV_BAD_ARGUMENT), c.output.data = (char *)c.output.data - 3);
  BAD(IN(CCONV_BAD_ARGUMENT), c.output.stride[2] += 2);
}

static void numbers_that_do_not_fit(bool fold) {
  for (int a = 0; a < 2; a++)
    for (int64_t bad = -1; bad <= 0; bad++) {
      BAD(IN(CCONV_BAD_ARGUMENT), c.params.kernel[a] = bad);
      BAD(IN(CCONV_BAD_ARGUMENT), c.params.stride[a] = bad);
      BAD(IN(CCONV_BAD_ARGUMENT), c.params.dilation[a] = bad);
    }
  for (int rank = -1; rank <= 7; rank++) {
    if (rank != good(fold).input.rank)
      BAD(IN(CCONV_BAD_SHAPE), c.input.rank = rank);
    if (rank != good(fold).output.rank)
      BAD(IN(CCONV_BAD_SHAPE), c.output.rank = rank);
  }
  for (int a = 0; a < 4; a++) {
    if (a < good(fold).output.rank) {
      BAD(IN(CCONV_BAD_SHAPE), c.output.shape[a] = -1);
      BAD(IN(CCONV_BAD_SHAPE), c.output.shape[a] = 0);
    }
    if (a < good(fold).input.rank)
      BAD(IN(CCONV_BAD_SHAPE), c.input.shape[a] = -1);
    if (a < 2) {
      BAD(IN(CCONV_BAD_SHAPE), c.output.shape[a]++);
      BAD(IN(CCONV_BAD_SHAPE), c.input.shape[a]--);
    }
  }
  /* Of the columns; a pixel more may make no window more. */
  BAD(IN(CCONV_BAD_SHAPE), (fold ? &c.input : &c.output)->shape[2]++);
  BAD(IN(CCONV_BAD_SHAPE), (fold ? &c.input : &c.output)->shape[2]--);
  BAD(IN(CCONV_BAD_SHAPE), c.params.dilation[0] = 4);
  BAD(IN(CCONV_BAD_SHAPE), c.params.pad_before[1] = -7);
}

static void sizes_near_the_limit(bool fold) {
  const int64_t large[] = {INT64_MAX,        INT64_MAX - 1, INT64_MAX / 2, (int64_t)1 << 62,
                           (int64_t)1 << 55, INT64_MIN,     INT64_MIN + 1, -((int64_t)1 << 62)};
  for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
    const int64_t v = large[i];
    for (int a = 0; a < 3; a++) {
      BAD(ANY, c.input.shape[a] = v);
      BAD(ANY, c.output.shape[a] = v);
      if (v > INT64_MAX / 8 || v < INT64_MIN / 8)
        BAD(IN(CCONV_TOO_LARGE), (c.input.shape[a] = 9, c.input.stride[a] = v));
    }
    for (int a = 0; a < 2; a++) {
      BAD(ANY, c.params.kernel[a] = v);
      BAD(ANY, c.params.stride[a] = v);
      BAD(ANY, c.params.dilation[a] = v);
      BAD(ANY, c.params.pad_before[a] = v);
      BAD(ANY, c.params.pad_after[a] = v);
      BAD(ANY, (c.params.pad_before[a] = v, c.params.pad_after[a] = v));
      BAD(ANY, (c.params.pad_before[a] = v, c.params.kernel[a] = v));
      BAD(ANY, (c.params.kernel[0] = v, c.params.kernel[1] = v, c.params.pad_before[a] = v));
      BAD(ANY, (c.params.pad_before[0] = v, c.params.pad_before[1] = v));
    }
  }
}

/* One row through windows that lie astronomically far outside; the numbers are still right. */
static void row(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t before, int64_t after,
                int64_t out) {
  const int64_t image[] = {1, 1, in}, columns[] = {1, kernel, out};
  for (int dtype = CCONV_FLOAT32; dtype <= CCONV_FLOAT64; dtype++)
    for (int fold = 0; fold < 2; fold++) {
      c = call_of(fold, dtype, 3, image, columns);
      c.params.kernel[0] = kernel;
      c.params.stride[0] = stride;
      c.params.dilation[0] = dilation;
      c.params.pad_before[0] = before;
      c.params.pad_after[0] = after;
      for (int64_t i = 0; i < count_of(&c.input); i++)
        element_set(&c.input, i, (double)(i % 7 + 1));
      size_t bytes = 0;
      cases++;
      if (!CHECK(query(&c, &bytes, NULL) == CCONV_OK))
        continue;
      CHECK((int64_t)bytes <= cconv_cache_l2() / 2);
      CHECK(execute(&c, region_place(workspace_memory, bytes, AT_END), bytes, NULL) == CCONV_OK);
      for (int64_t o = 0; o < out; o++)
        for (int64_t k = 0; k < kernel; k++) {
          const int64_t i = o * stride + k * dilation - before;
          const bool real = i >= 0 && i < in;
          if (!fold)
            CHECK(element_get(&c.output, k * out + o) == (real ? element_get(&c.input, i) : 0));
          else if (real) /* what is left at the end are zeros */
            element_set(&c.output, i, element_get(&c.output, i) - element_get(&c.input, k * out + o));
        }
      for (int64_t i = 0; fold && i < in; i++)
        CHECK(element_get(&c.output, i) == 0);
    }
}

static void large_but_valid(void) {
  const int64_t far = (int64_t)1 << 60;
  row(5, 2, 1, far, far, 0, 5);
  row(5, 2, 1, far, 0, far, 5);
  row(5, 3, 1, far, far, far, 5);
  row(5, 2, 3, far - 1, far - 1, 0, 2);
  row(5, 1, far, 1, 0, 0, 1);
  row(5, 1, far, 1, far, 0, 2);
  row(5, 3, far, far, far, 2 * far, 2);
  row(5, 2, far, 2, 0, far, 2);
  row(40, 2, 1, far, far - 7, 0, 33);
  row(40, 3, 2, (int64_t)1 << 20, (int64_t)1 << 20, (int64_t)1 << 20, 20);
  row(5, 2, 1, far + 1, -3, far, 1);
  row(3000, 40, 7, 3, 500, 500, 555);
}

/* No batch or no channels: the call succeeds. */
static void empty_axes(bool fold) {
  size_t bytes = 0;
  for (int a = 0; a < 2; a++) {
    c = good(fold);
    c.input.shape[a] = c.output.shape[a] = 0;
    c.input.data = c.output.data = NULL;
    CHECK(query(&c, &bytes, NULL) == CCONV_OK);
    CHECK(execute(&c, workspace_memory.data, bytes, NULL) == CCONV_OK);
    cases++;
  }
}

/* The workspace is what the query said, at any alignment; threads and hosts give the same bits. */
static void workspace(bool fold, bool strided, int32_t dtype) {
  const int64_t image[] = {2, 3, 100, 4200}, columns[] = {2, 18, 50 * 1400};
  long hook_calls = 0;
  c = call_of(fold, dtype, 4, image, columns);
  cconv_tensor *tensor = fold ? &c.input : &c.output; /* the columns */
  if (strided) {                                      /* windows before taps in memory */
    tensor->stride[1] = size_of(dtype);
    tensor->stride[2] = tensor->shape[1] * size_of(dtype);
  }
  c.params.kernel[0] = 2;
  c.params.kernel[1] = 3;
  c.params.stride[0] = 2;
  c.params.stride[1] = 3;
  c.params.dilation[1] = 2;
  c.params.pad_before[1] = 4;
  for (int64_t i = 0; i < count_of(&c.input); i++)
    element_set(&c.input, i, (double)(i * 7919 % 1000003) / 1009.0);
  const size_t size = (size_t)bytes_of(&c.output);
  char *standard = malloc(size);
  if (!CHECK(standard != NULL))
    return;
  for (int32_t threads = 1; threads <= 7; threads += 2)
    for (int host = 0; host < 2; host++) {
      size_t bytes = 0;
      c.context = (cconv_context){sizeof c.context, threads, host ? parts_backwards : NULL, NULL, &hook_calls};
      CHECK(query(&c, &bytes, NULL) == CCONV_OK);
      CHECK((int64_t)bytes <= cconv_cache_l2() / 2 * threads);
      char *end = region_place(workspace_memory, bytes, AT_END), *middle = end - 100;
      memset(c.output.data, CANARY, size);
      memset(workspace_memory.data, 0xff, workspace_memory.bytes);
      CHECK(execute(&c, end, bytes - 1, NULL) == CCONV_WORKSPACE_TOO_SMALL);
      CHECK(execute(&c, NULL, bytes, NULL) == CCONV_BAD_ARGUMENT);
      CHECK(all_bytes(c.output.data, size, CANARY));
      CHECK(execute(&c, end, bytes, NULL) == CCONV_OK);
      if (threads == 1 && !host)
        memcpy(standard, c.output.data, size);
      CHECK(memcmp(c.output.data, standard, size) == 0);
      memset(c.output.data, CANARY, size);
      memset(workspace_memory.data, 0xff, workspace_memory.bytes);
      CHECK(execute(&c, middle + 1, bytes, NULL) == CCONV_OK);
      CHECK(memcmp(c.output.data, standard, size) == 0);
      CHECK(all_bytes(workspace_memory.data, (size_t)(middle + 1 - workspace_memory.data), 0xff));
      CHECK(all_bytes(middle + 1 + bytes, 99, 0xff));
      cases++;
    }
  CHECK(hook_calls == 6); /* all but the calls of one thread */
  free(standard);
}

static void good_call(bool fold) {
  size_t bytes = 0;
  cconv_error error = {.struct_size = 1, .argument = "untouched"};
  c = good(fold);
  CHECK(query(&c, &bytes, NULL) == CCONV_OK);
  CHECK(execute(&c, workspace_memory.data, bytes, NULL) == CCONV_OK);
  CHECK(query(&c, NULL, NULL) == CCONV_BAD_ARGUMENT);
  c.output.rank = 17; /* an error struct of an unknown size is left alone */
  CHECK(query(&c, &bytes, &error) != CCONV_OK && strcmp(error.argument, "untouched") == 0);
  cases++;
}

int main(void) {
  for (int fold = 0; fold < 2; fold++) {
    input_memory = region_new(1 << 17);
    output_memory = region_new(1 << 17);
    workspace_memory = region_new((size_t)cconv_cache_l2());
    good_call(fold);
    missing_and_mislabelled(fold);
    numbers_that_do_not_fit(fold);
    sizes_near_the_limit(fold);
    empty_axes(fold);
  }
  input_memory = region_new(1 << 18);
  output_memory = region_new(1 << 18);
  large_but_valid();
  input_memory = region_new(21 << 20);
  output_memory = region_new(21 << 20);
  workspace_memory = region_new((size_t)cconv_cache_l2() / 2 * 7);
  for (int i = 0; i < 8; i++)
    workspace(i & 1, i & 2, i & 4 ? CCONV_FLOAT64 : CCONV_FLOAT32);
  return check_report("unfold", cases);
}
