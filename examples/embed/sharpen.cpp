/* SPDX-License-Identifier: BSD-3-Clause
 * sharpen.cpp - a C++ program: a plan, with memory and threads of its own. The result is cut to 0 ... 255.
 *
 *   ./sharpen portrait.pgm sharp.pfm */
#include <algorithm>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "cconv.h"
#include "image.h"

namespace {

cconv_tensor plane(int32_t dtype, int64_t size, void *data, int64_t height, int64_t width) {
  return {sizeof(cconv_tensor),
          dtype,
          4,
          data,
          {1, 1, height, width, 0},
          {height * width * size, height * width * size, width * size, size, 0}};
}

void *allocate(void *, size_t bytes) { return ::operator new(bytes, std::nothrow); }
void release(void *, void *memory, size_t) { ::operator delete(memory); }

// Every part on a thread of its own; a larger program would have a pool of threads. No exception may leave it.
void parallel_for(void *, void (*body)(void *arg, int64_t part), void *arg, int64_t parts) noexcept {
  std::vector<std::thread> threads;
  int64_t part = 1;
  try {
    for (; part < parts; part++)
      threads.emplace_back(body, arg, part);
  } catch (const std::exception &) { // no more threads: what is left is done here
  }
  for (body(arg, 0); part < parts; part++)
    body(arg, part);
  for (std::thread &thread : threads)
    thread.join();
}

int check(cconv_status status) {
  if (status)
    fprintf(stderr, "%s\n", cconv_status_text(status));
  return status != CCONV_OK;
}

} // namespace

int main(int argc, char **argv) {
  const image in = image_read(argc == 3 ? argv[1] : "");
  const std::unique_ptr<unsigned char, decltype(&free)> pixels(in.pixels, free);
  if (!pixels)
    return fprintf(stderr, "usage: sharpen IMAGE.pgm RESULT.pfm\n"), 2;
  std::vector<float> out(size_t(in.width) * size_t(in.height));
  float weights[] = {-0.1f, -0.2f, -0.1f, -0.2f, 2.2f, -0.2f, -0.1f, -0.2f, -0.1f};

  const cconv_tensor x = plane(CCONV_UINT8, 1, in.pixels, in.height, in.width);
  const cconv_tensor y = plane(CCONV_FLOAT32, sizeof(float), out.data(), in.height, in.width);
  const cconv_tensor k = plane(CCONV_FLOAT32, sizeof(float), weights, 3, 3);
  const cconv_conv_tensors tensors{sizeof tensors, &x, &k, nullptr, nullptr, &y};
  cconv_conv_params params{};
  params.struct_size = sizeof params;
  params.groups = 1;
  params.activation = CCONV_ACTIVATION_CLIP;
  params.activation_b = 255;
  params.padding_mode = CCONV_PADDING_REPLICATE;
  for (int axis = 0; axis < 2; axis++)
    params.stride[axis] = params.dilation[axis] = params.pad_before[axis] = params.pad_after[axis] = 1;
  const int32_t threads = std::max<int32_t>(1, int32_t(std::thread::hardware_concurrency()));
  const cconv_context context{sizeof context, threads, parallel_for, nullptr, nullptr};
  const cconv_allocator allocator{sizeof allocator, allocate, release, nullptr};

  cconv_plan *made = nullptr; // owns the weights from now on
  if (check(cconv_conv_plan(&params, &tensors, &context, &allocator, &made, nullptr)))
    return 1;
  const std::unique_ptr<cconv_plan, decltype(&cconv_plan_destroy)> plan(made, cconv_plan_destroy);
  size_t bytes = 0;
  if (check(cconv_plan_workspace(plan.get(), &tensors, &context, &bytes, nullptr)))
    return 1;
  std::vector<char> workspace(bytes); // for any number of executions like this one
  if (check(cconv_plan_execute(plan.get(), &tensors, &context, workspace.data(), bytes, nullptr)))
    return 1;
  return image_write(argv[2], in.width, in.height, out.data());
}
