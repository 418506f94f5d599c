/* SPDX-License-Identifier: BSD-3-Clause
 * host.c - a host with threads and memory of its own: the core uses them and nothing else.
 *
 * Every operation runs on a pool of threads and gives the bits of one thread, without a call of malloc or of OpenMP;
 * both are replaced here by functions that count. Plans take all of their memory from the allocator, also where that
 * fails at any of their allocations. Prints a line for each operation, and on stderr what is wrong. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cconv.h"

static int failures;

static void check(int right, const char *name, const char *what) {
  if (!right)
    fprintf(stderr, "%s: %s\n", name, what), failures++;
}

/* ------------------------------------------------------------------------------------- what the process has, counted */

static atomic_int mallocs, openmp_calls, openmp_regions;

#if defined(__GLIBC__)
enum { COUNTS_MALLOC = 1 };
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void *memory);
int posix_memalign(void **memory, size_t alignment, size_t bytes);

void *malloc(size_t bytes) {
  mallocs++;
  return __libc_malloc(bytes);
}
void *calloc(size_t count, size_t bytes) {
  mallocs++;
  return __libc_calloc(count, bytes);
}
void *realloc(void *memory, size_t bytes) {
  mallocs++;
  return __libc_realloc(memory, bytes);
}
void *aligned_alloc(size_t alignment, size_t bytes) {
  mallocs++;
  return __libc_memalign(alignment, bytes);
}
void free(void *memory) {
  mallocs++;
  __libc_free(memory);
}
int posix_memalign(void **memory, size_t alignment, size_t bytes) {
  mallocs++;
  *memory = __libc_memalign(alignment, bytes);
  return !*memory;
}
#else
enum { COUNTS_MALLOC = 0 };
#endif

/* Regions of GCC's OpenMP and of Clang's; nobody runs the body. */

void GOMP_parallel(void (*body)(void *), void *arg, unsigned threads, unsigned flags);
void GOMP_parallel(void (*body)(void *), void *arg, unsigned threads, unsigned flags) {
  (void)body, (void)arg, (void)threads, (void)flags;
  openmp_calls++;
  openmp_regions++;
}
void __kmpc_fork_call(void *place, int32_t count, void (*body)(int32_t *, int32_t *, ...), ...);
void __kmpc_fork_call(void *place, int32_t count, void (*body)(int32_t *, int32_t *, ...), ...) {
  (void)place, (void)count, (void)body;
  openmp_calls++;
  openmp_regions++;
}
int omp_in_parallel(void);
int omp_in_parallel(void) {
  openmp_calls++;
  return 0;
}
int omp_get_thread_num(void);
int omp_get_thread_num(void) {
  openmp_calls++;
  return 0;
}
int omp_get_num_threads(void);
int omp_get_num_threads(void) {
  openmp_calls++;
  return 1;
}

/* ---------------------------------------------------------------------------------------------------- a pool of threads */

enum { THREADS = 3 };

typedef struct pool {
  pthread_mutex_t mutex;
  pthread_cond_t begin, end;
  pthread_t threads[THREADS];
  void (*body)(void *arg, int64_t part);
  void *arg;
  int64_t next, parts, done;
  int calls, stopped;
} pool;

/* Take parts until there are none; the mutex is held in between. */
static void take_parts(pool *p) {
  while (p->next < p->parts) {
    const int64_t part = p->next++;
    pthread_mutex_unlock(&p->mutex);
    p->body(p->arg, part);
    pthread_mutex_lock(&p->mutex);
    if (++p->done == p->parts)
      pthread_cond_signal(&p->end);
  }
}

static void *thread_main(void *arg) {
  pool *p = arg;
  pthread_mutex_lock(&p->mutex);
  while (!p->stopped) {
    take_parts(p);
    pthread_cond_wait(&p->begin, &p->mutex);
  }
  pthread_mutex_unlock(&p->mutex);
  return NULL;
}

static void pool_run(void *host, void (*body)(void *arg, int64_t part), void *arg, int64_t parts) {
  pool *p = host;
  pthread_mutex_lock(&p->mutex);
  p->body = body, p->arg = arg, p->next = p->done = 0, p->parts = parts;
  p->calls++;
  pthread_cond_broadcast(&p->begin);
  take_parts(p);
  while (p->done < parts)
    pthread_cond_wait(&p->end, &p->mutex);
  pthread_mutex_unlock(&p->mutex);
}

/* ---------------------------------------------------------------------------------------------------------- operations */

enum { C = 32, H = 60, W = 61, MOST = 4 * C * 9 * H * W };

static float x[MOST], w[MOST], y[MOST], z[MOST];
static int64_t places[MOST];

static int sizing; /* there are no arrays yet: their tensors point to where no memory is */

static cconv_tensor tensor(int32_t dtype, void *data, int64_t c, int64_t h, int64_t v) {
  const int64_t e = dtype == CCONV_INT64 ? 8 : 4;
  if (sizing)
    data = (void *)(uintptr_t)4096;
  return (cconv_tensor){sizeof(cconv_tensor), dtype, 4, data, {1, c, h, v}, {c * h * v * e, h * v * e, v * e, e}};
}

static cconv_tensor floats(float *data, int64_t c, int64_t h, int64_t v) {
  return tensor(CCONV_FLOAT32, data, c, h, v);
}

static cconv_tensor weights(int64_t oc, int64_t ic, int64_t k) {
  cconv_tensor t = floats(w, ic, k, k);
  t.shape[0] = oc;
  return t;
}

/* An operation states the bytes it needs where workspace is NULL, else runs. */
typedef cconv_status operation(const cconv_context *context, void *workspace, size_t *bytes);

static cconv_conv_params conv_params(int64_t stride, int64_t pad, int64_t groups, int32_t algorithm) {
  cconv_conv_params p = {.struct_size = sizeof p, .groups = groups, .algorithm = algorithm};
  for (int a = 0; a < 2; a++)
    p.stride[a] = stride, p.dilation[a] = 1, p.pad_before[a] = p.pad_after[a] = pad;
  return p;
}

static cconv_status conv(const cconv_conv_params *p, const cconv_tensor *in, const cconv_tensor *k,
                         const cconv_tensor *out, const cconv_context *context, void *workspace, size_t *bytes) {
  return workspace ? cconv_conv(p, in, k, NULL, NULL, out, context, workspace, *bytes, NULL)
                   : cconv_conv_workspace(p, in, k, NULL, NULL, out, context, bytes, NULL);
}

static cconv_status direct(const cconv_context *context, void *workspace, size_t *bytes) {
  const cconv_conv_params p = conv_params(1, 1, 1, CCONV_ALGORITHM_DIRECT);
  const cconv_tensor in = floats(x, C, H, W), k = weights(C, C, 3), out = floats(y, C, H, W);
  return conv(&p, &in, &k, &out, context, workspace, bytes);
}

static cconv_status winograd(const cconv_context *context, void *workspace, size_t *bytes) {
  const cconv_conv_params p = conv_params(1, 1, 1, CCONV_ALGORITHM_WINOGRAD);
  const cconv_tensor in = floats(x, C, H, W), k = weights(C, C, 3), out = floats(y, C, H, W);
  return conv(&p, &in, &k, &out, context, workspace, bytes);
}

static cconv_status depthwise(const cconv_context *context, void *workspace, size_t *bytes) {
  const cconv_conv_params p = conv_params(1, 1, C, CCONV_ALGORITHM_AUTO);
  const cconv_tensor in = floats(x, C, H, W), k = weights(C, 1, 3), out = floats(y, C, H, W);
  return conv(&p, &in, &k, &out, context, workspace, bytes);
}

static cconv_status channels_last(const cconv_context *context, void *workspace, size_t *bytes) {
  const cconv_conv_params p = conv_params(1, 0, 1, CCONV_ALGORITHM_AUTO);
  const cconv_tensor k = weights(C, C, 1);
  cconv_tensor in = floats(x, C, H, W), out = floats(y, C, H, W);
  in.stride[1] = out.stride[1] = 4, in.stride[2] = out.stride[2] = 4 * C * W, in.stride[3] = out.stride[3] = 4 * C;
  return conv(&p, &in, &k, &out, context, workspace, bytes);
}

static cconv_status transposed(const cconv_context *context, void *workspace, size_t *bytes) {
  const cconv_conv_params p = conv_params(2, 0, 1, CCONV_ALGORITHM_AUTO);
  const cconv_tensor in = floats(x, C, H, W), k = weights(C, C, 2), out = floats(y, C, 2 * H, 2 * W);
  return workspace ? cconv_conv_transpose(&p, &in, &k, NULL, NULL, &out, context, workspace, *bytes, NULL)
                   : cconv_conv_transpose_workspace(&p, &in, &k, NULL, NULL, &out, context, bytes, NULL);
}

static cconv_status pool_of(int32_t kind, const cconv_context *context, void *workspace, size_t *bytes) {
  cconv_pool_params p = {.struct_size = sizeof p, .kind = kind, .p = 3};
  for (int a = 0; a < 2; a++)
    p.kernel[a] = 3, p.stride[a] = 2, p.dilation[a] = 1;
  const int64_t c = 9 * C, oh = (H - 3) / 2 + 1, ow = (W - 3) / 2 + 1; /* enough for several threads */
  const cconv_tensor in = floats(x, c, H, W), out = floats(y, c, oh, ow), at = tensor(CCONV_INT64, places, c, oh, ow);
  const cconv_tensor *indices = kind == CCONV_POOL_MAX ? &at : NULL;
  return workspace ? cconv_pool(&p, &in, &out, indices, context, workspace, *bytes, NULL)
                   : cconv_pool_workspace(&p, &in, &out, indices, context, bytes, NULL);
}

static cconv_status pool_max(const cconv_context *context, void *workspace, size_t *bytes) {
  return pool_of(CCONV_POOL_MAX, context, workspace, bytes);
}

static cconv_status pool_average(const cconv_context *context, void *workspace, size_t *bytes) {
  return pool_of(CCONV_POOL_AVERAGE, context, workspace, bytes);
}

static cconv_status pool_lp(const cconv_context *context, void *workspace, size_t *bytes) {
  return pool_of(CCONV_POOL_LP, context, workspace, bytes);
}

static cconv_status adaptive(const cconv_context *context, void *workspace, size_t *bytes) {
  const cconv_adaptive_params p = {.struct_size = sizeof p, .kind = CCONV_POOL_AVERAGE};
  const cconv_tensor in = floats(x, 9 * C, H, W), out = floats(y, 9 * C, 7, 7);
  *bytes = 0;
  return workspace ? cconv_pool_adaptive(&p, &in, &out, NULL, context, NULL) : CCONV_OK;
}

static cconv_status unpool(const cconv_context *context, void *workspace, size_t *bytes) {
  const cconv_tensor in = floats(x, C, H / 2, W / 2), out = floats(y, C, H, W);
  const cconv_tensor at = tensor(CCONV_INT64, places, C, H / 2, W / 2);
  for (int64_t i = 0; i < C * (H / 2) * (W / 2); i++)
    places[i] = i * 7 % (H * W);
  *bytes = 0;
  return workspace ? cconv_max_unpool(&in, &at, &out, context, NULL) : CCONV_OK;
}

static cconv_status unfold_or_fold(int fold, const cconv_context *context, void *workspace, size_t *bytes) {
  cconv_unfold_params p = {.struct_size = sizeof p};
  for (int a = 0; a < 2; a++)
    p.kernel[a] = 3, p.stride[a] = p.dilation[a] = p.pad_before[a] = p.pad_after[a] = 1;
  cconv_tensor image = floats(fold ? y : x, C, H, W), columns = floats(fold ? x : y, C * 9, H * W, 1);
  columns.rank = 3;
  if (fold)
    return workspace ? cconv_fold(&p, &columns, &image, context, workspace, *bytes, NULL)
                     : cconv_fold_workspace(&p, &columns, &image, context, bytes, NULL);
  return workspace ? cconv_unfold(&p, &image, &columns, context, workspace, *bytes, NULL)
                   : cconv_unfold_workspace(&p, &image, &columns, context, bytes, NULL);
}

static cconv_status unfold(const cconv_context *context, void *workspace, size_t *bytes) {
  return unfold_or_fold(0, context, workspace, bytes);
}

static cconv_status fold(const cconv_context *context, void *workspace, size_t *bytes) {
  return unfold_or_fold(1, context, workspace, bytes);
}

static cconv_status extreme(const cconv_context *context, void *workspace, size_t *bytes) {
  cconv_filter_params p = {.struct_size = sizeof p, .kind = CCONV_POOL_MIN};
  const cconv_tensor in = floats(x, 1, C * H, W), out = floats(y, 1, C * H, W);
  for (int a = 0; a < 2; a++)
    p.kernel[a] = 5, p.pad_before[a] = p.pad_after[a] = 2, p.padding_mode[a] = CCONV_PADDING_REFLECT;
  return workspace ? cconv_filter_extreme(&p, &in, &out, context, workspace, *bytes, NULL)
                   : cconv_filter_extreme_workspace(&p, &in, &out, context, bytes, NULL);
}

static cconv_status separable(const cconv_context *context, void *workspace, size_t *bytes) {
  cconv_separable_params p = {.struct_size = sizeof p, .weights = {w, w + 9}, .kernel = {9, 7}, .pad_before = {4, 3}};
  const cconv_tensor in = floats(x, 1, C * H, W), out = floats(y, 1, C * H, W);
  return workspace ? cconv_filter_separable(&p, &in, &out, context, workspace, *bytes, NULL)
                   : cconv_filter_separable_workspace(&p, &in, &out, context, bytes, NULL);
}

static cconv_plan *plan; /* of the layer of winograd or transposed */

static cconv_status execute(const cconv_context *context, void *workspace, size_t *bytes) {
  const cconv_tensor in = floats(x, C, H, W), out = floats(y, C, H, W);
  const cconv_conv_tensors t = {sizeof t, &in, NULL, NULL, NULL, &out};
  return workspace ? cconv_plan_execute(plan, &t, context, workspace, *bytes, NULL)
                   : cconv_plan_workspace(plan, &t, context, bytes, NULL);
}

static cconv_status execute_transposed(const cconv_context *context, void *workspace, size_t *bytes) {
  const cconv_tensor in = floats(x, C, H, W), out = floats(y, C, 2 * H, 2 * W);
  const cconv_conv_tensors t = {sizeof t, &in, NULL, NULL, NULL, &out};
  return workspace ? cconv_plan_execute(plan, &t, context, workspace, *bytes, NULL)
                   : cconv_plan_workspace(plan, &t, context, bytes, NULL);
}

static pool threads = {
    .mutex = PTHREAD_MUTEX_INITIALIZER, .begin = PTHREAD_COND_INITIALIZER, .end = PTHREAD_COND_INITIALIZER};

/* On one thread and on the pool: the same bits, and nothing of the process. */
static void run(const char *name, operation *op) {
  const cconv_context alone = {.struct_size = sizeof alone, .num_threads = 1};
  const cconv_context host = {
      .struct_size = sizeof host, .num_threads = THREADS + 1, .parallel_for = pool_run, .host = &threads};
  for (int i = 0; i < 2; i++) {
    const cconv_context *context = i ? &host : &alone;
    size_t bytes = 0, with_arrays = 1;
    sizing = 1;
    check(op(context, NULL, &bytes) == CCONV_OK, name, "the query failed without arrays");
    sizing = 0;
    check(op(context, NULL, &with_arrays) == CCONV_OK, name, "the query failed");
    check(bytes == with_arrays, name, "another size where the arrays are");
    const int none = mallocs;
    char *workspace = malloc(bytes + 1);
    check(mallocs == none + COUNTS_MALLOC, name, "a call of malloc was not counted");
    memset(y, 0x5a, sizeof y);
    const int calls = threads.calls, before = mallocs, openmp_before = openmp_calls;
    const cconv_status status = op(context, workspace, &bytes);
    const int after = mallocs, openmp_after = openmp_calls;
    check(status == CCONV_OK, name, cconv_status_text(status));
    check(after == before, name, "memory was allocated or freed");
    check(openmp_after == openmp_before, name, "OpenMP was called");
    check(i ? threads.calls > calls : threads.calls == calls, name, "the pool was used otherwise than it should");
    check(!i || !memcmp(y, z, sizeof y), name, "other bits on the pool");
    memcpy(z, y, sizeof y);
    free(workspace);
  }
  printf("%s\n", name);
}

/* What was not seen above would have been: without a pool the core calls the OpenMP it was built with. */
static void run_on_openmp(void) {
  const cconv_context context = {.struct_size = sizeof context, .num_threads = 2};
  size_t bytes = 0;
  check(direct(&context, NULL, &bytes) == CCONV_OK, "OpenMP", "the query failed");
  char *workspace = malloc(bytes + 1);
  check(direct(&context, workspace, &bytes) == CCONV_OK, "OpenMP", "the call failed");
  check((openmp_regions > 0) == (cconv_openmp_version() > 0), "OpenMP", "its regions are not counted");
  free(workspace);
}

/* ------------------------------------------------------------------------------------------------------------- memory */

typedef struct account {
  size_t held, used;        /* bytes of memory[] */
  int allocations, refused; /* the allocation that fails, counted from 1 */
} account;

static char memory[1 << 22]; /* and none of the process's */

static void *allocate(void *host, size_t bytes) {
  account *a = host;
  if (++a->allocations == a->refused || bytes > sizeof memory - a->used)
    return NULL;
  char *given = memory + a->used;
  a->held += bytes;
  a->used += (bytes + 63) / 64 * 64;
  return given;
}

static void release(void *host, void *given, size_t bytes) {
  account *a = host;
  check((char *)given >= memory && (char *)given < memory + a->used, "release", "memory that was not allocated");
  a->held -= bytes;
}

typedef cconv_status plan_maker(const cconv_conv_params *params, const cconv_conv_tensors *tensors,
                                const cconv_context *context, const cconv_allocator *allocator, cconv_plan **made,
                                cconv_error *error);

static void run_plan(const char *name, plan_maker *make, cconv_conv_params p, cconv_tensor k, cconv_tensor out,
                     operation *op) {
  const cconv_tensor in = floats(x, C, H, W);
  const cconv_conv_tensors t = {sizeof t, &in, &k, NULL, NULL, &out};
  const cconv_context alone = {.struct_size = sizeof alone, .num_threads = 1};
  cconv_status status = CCONV_NO_MEMORY;
  account a = {0};
  for (int refused = 1; status == CCONV_NO_MEMORY && refused < 100; refused++) {
    const cconv_allocator allocator = {sizeof allocator, allocate, release, &a};
    const int before = mallocs;
    a = (account){.refused = refused};
    plan = NULL;
    status = make(&p, &t, &alone, &allocator, &plan, NULL);
    check(mallocs == before, name, "memory that the allocator did not see");
    check(status != CCONV_NO_MEMORY || (!plan && !a.held), name, "a leak where there is no memory");
    check(status != CCONV_NO_MEMORY || a.allocations == refused, name, "went on without memory");
  }
  check(status == CCONV_OK && plan && a.allocations, name, cconv_status_text(status));
  run(name, op);
  check(a.held >= sizeof(float) * (size_t)(k.shape[0] * k.shape[1]), name, "its weights are not in its memory");
  cconv_plan_destroy(plan);
  check(!a.held, name, "a leak");
}

int main(void) {
  for (int i = 0; i < MOST; i++)
    x[i] = (float)(i * 37 % 101) / 7.0f - 7.0f, w[i] = (float)(i * 53 % 89) / 11.0f - 4.0f;
  for (int i = 0; i < THREADS; i++)
    check(!pthread_create(&threads.threads[i], NULL, thread_main, &threads), "pool", "no thread");
  static const struct {
    const char *name;
    operation *op;
  } all[] = {{"direct", direct},
             {"winograd", winograd},
             {"depthwise", depthwise},
             {"channels last", channels_last},
             {"transposed", transposed},
             {"max pool", pool_max},
             {"average pool", pool_average},
             {"lp pool", pool_lp},
             {"adaptive", adaptive},
             {"unpool", unpool},
             {"unfold", unfold},
             {"fold", fold},
             {"extreme", extreme},
             {"separable", separable}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    run(all[i].name, all[i].op);
  run_plan("plan", cconv_conv_plan, conv_params(1, 1, 1, CCONV_ALGORITHM_WINOGRAD), weights(C, C, 3),
           floats(y, C, H, W), execute);
  run_plan("direct plan", cconv_conv_plan, conv_params(1, 1, 1, CCONV_ALGORITHM_DIRECT), weights(C, C, 3),
           floats(y, C, H, W), execute);
  run_plan("transposed plan", cconv_conv_transpose_plan, conv_params(2, 0, 1, CCONV_ALGORITHM_AUTO), weights(C, C, 2),
           floats(y, C, 2 * H, 2 * W), execute_transposed);
  run_on_openmp();
  pthread_mutex_lock(&threads.mutex);
  threads.stopped = 1;
  pthread_cond_broadcast(&threads.begin);
  pthread_mutex_unlock(&threads.mutex);
  for (int i = 0; i < THREADS; i++)
    pthread_join(threads.threads[i], NULL);
  return failures > 0;
}
