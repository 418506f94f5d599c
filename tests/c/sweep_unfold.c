/* SPDX-License-Identifier: BSD-3-Clause
 * sweep_unfold.c - small unfolds and folds of every kind against a plain loop, between guard pages.
 *
 *   sweep_unfold [cases]
 *
 * Integers: sums are exact, so the only right answer is the same number. */
#include "sweep.h"

enum { COMMON_DIGITS = DTYPE_DIGITS * 2 * 3 * 2 * 2 * 2 * 3 * 3 };

typedef struct unfolding {
  int32_t rank; /* of the image */
  bool fold;
  small_axis axis[3];
  cconv_tensor input, output;
} unfolding;

static region input_memory, output_memory, workspace_memory;
static long empty_outputs;

static void next_unfolding(int32_t rank, unfolding *u) {
  const int which = next_digit(DTYPE_DIGITS);
  *u = (unfolding){.rank = rank, .fold = next_digit(2)};
  const int32_t copied = sweep_each_dtype[which]; /* or summed, as a convolution sums its input */
  const int32_t from = u->fold ? sweep_dtypes[which][0] : copied, to = u->fold ? sweep_dtypes[which][2] : copied;
  const int order = next_digit(3), column_order = next_digit(2), flip = next_digit(2), shift = next_digit(2);
  int64_t image[5] = {1 + next_digit(3), 1 + next_digit(3)}, columns[3] = {image[0], image[1], 1};
  for (int a = 0; a < rank - 2; a++) {
    const small_axis axis = u->axis[a] = rank == 5 && a == 0 ? next_depth() : next_axis();
    image[2 + a] = axis.in;
    columns[1] *= axis.kernel;
    columns[2] *= axis.out > 0 ? axis.out : 1; /* no window must be refused, whatever is claimed */
  }
  const cconv_tensor x = tensor_of(u->fold ? to : from, rank, image, sweep_orders[rank - 3][order]);
  const cconv_tensor y = tensor_of(u->fold ? from : to, 3, columns, sweep_orders[0][column_order ? order : 0]);
  u->input = u->fold ? y : x;
  u->output = u->fold ? x : y;
  /* An input at the end of its region is one byte off its alignment, since any will do. */
  const place where = shift ? AT_END : AT_START;
  u->input.data = region_place(input_memory, (size_t)(bytes_of(&u->input) + shift), where);
  u->output.data = region_place(output_memory, (size_t)bytes_of(&u->output), shift ? AT_START : AT_END);
  if (flip)
    tensor_flip(&u->input, u->input.rank - 1);
}

/* Where in the image tap `tap` of window `window` of image n, channel c stands; false for padding. */
static bool place_of(const unfolding *u, const cconv_tensor *image, int64_t tap, int64_t window, int64_t *number) {
  int64_t scale = 1;
  *number = 0;
  for (int a = u->rank - 3; a >= 0; a--) {
    const small_axis *axis = &u->axis[a];
    const int64_t i = window % axis->out * axis->stride + tap % axis->kernel * axis->dilation - axis->before;
    if (i < 0 || i >= image->shape[2 + a])
      return false;
    *number += i * scale;
    scale *= image->shape[2 + a];
    window /= axis->out;
    tap /= axis->kernel;
  }
  return true;
}

static void compare(const unfolding *u) {
  const cconv_tensor *image = u->fold ? &u->output : &u->input, *columns = u->fold ? &u->input : &u->output;
  const int64_t channels = image->shape[0] * image->shape[1], windows = columns->shape[2];
  const int64_t taps = columns->shape[1] / image->shape[1], pixels = count_of(image) / channels;
  static double sums[1 << 15];
  for (int64_t c = 0; c < channels; c++) {
    memset(sums, 0, sizeof *sums * (size_t)pixels);
    for (int64_t k = 0; k < taps; k++)
      for (int64_t o = 0; o < windows; o++) {
        int64_t at;
        const bool real = place_of(u, image, k, o, &at);
        const double column = element_get(columns, (c * taps + k) * windows + o);
        if (!u->fold && !CHECK(column == (real ? element_get(image, c * pixels + at) : 0)))
          return;
        if (real)
          sums[at] += column;
      }
    for (int64_t i = 0; u->fold && i < pixels; i++)
      if (!CHECK(element_get(image, c * pixels + i) == value_in(image->dtype, sums[i])))
        return;
  }
}

static void test(const unfolding *u, uint64_t seed) {
  cconv_unfold_params params = {.struct_size = sizeof params};
  bool empty = false;
  for (int a = 0; a < u->rank - 2; a++) {
    params.kernel[a] = u->axis[a].kernel;
    params.stride[a] = u->axis[a].stride;
    params.dilation[a] = u->axis[a].dilation;
    params.pad_before[a] = u->axis[a].before;
    params.pad_after[a] = u->axis[a].after;
    empty |= u->axis[a].out < 1;
  }
  const cconv_context context = {.struct_size = sizeof context, .num_threads = 1 + (int)(seed % 3)};
  size_t bytes = 0;
  const cconv_status status =
      (u->fold ? cconv_fold_workspace : cconv_unfold_workspace)(&params, &u->input, &u->output, &context, &bytes, NULL);
  if (empty) {
    empty_outputs++;
    CHECK(status == CCONV_BAD_SHAPE);
    return;
  }
  if (!CHECK(status == CCONV_OK))
    return;
  for (int64_t i = 0; i < count_of(&u->input); i++) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    element_set(&u->input, i, (double)(int64_t)(seed >> 56) - 127.0);
  }
  canaries_set(output_memory, &u->output);
  void *workspace = region_place(workspace_memory, bytes, seed >> 63 ? AT_START : AT_END);
  CHECK((u->fold ? cconv_fold : cconv_unfold)(&params, &u->input, &u->output, &context, workspace, bytes, NULL) ==
        CCONV_OK);
  CHECK(canaries_whole(output_memory, &u->output));
  compare(u);
}

int main(int argc, char **argv) {
  const uint64_t total[] = {(uint64_t)COMMON_DIGITS * AXIS_DIGITS, (uint64_t)COMMON_DIGITS * AXIS_DIGITS * AXIS_DIGITS,
                            (uint64_t)COMMON_DIGITS * AXIS_DIGITS * AXIS_DIGITS * DEPTH_DIGITS};
  const long count = sweep_count(argc, argv, 100000);
  input_memory = region_new(1 << 24);
  output_memory = region_new(1 << 24);
  workspace_memory = region_new((size_t)cconv_cache_l2());
  for (long i = 0; i - empty_outputs < count; i++) { /* cases with an output */
    unfolding u;
    const int spatial = (int)(i % 3);
    const uint64_t number = (uint64_t)(i / 3) % total[spatial];
    sweep_begin(number, total[spatial]);
    next_unfolding(3 + spatial, &u);
    const long before = check_failures;
    test(&u, (uint64_t)i);
    if (check_failures > before && check_failures <= 20)
      fprintf(stderr, "  in case %ld\n", i);
  }
  CHECK(empty_outputs > count / 100);
  return check_report("sweep_unfold", count);
}
