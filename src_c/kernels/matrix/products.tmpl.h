/* SPDX-License-Identifier: BSD-3-Clause
 * products.tmpl.h - products of squares on the matrix unit: see cc_matrix_job.
 *
 * Law: of registers 0 to 3 are sums, the others squares of x and of weights; instructions want their numbers as
 * literals. Whatever the number of positions and lanes, each sum is the same: per step the products of the parts
 *
 *   x0 w2, x0 w1, x1 w1, x1 w0, x0 w0, x2 w0
 *
 * in which each has a square in common with the one before. Two by two squares need 14 loads for 24 products, which the
 * unit hides; a sum is ready after the time of four products. Lines are whole and aligned: those across two lines of the
 * cache take seven times as long.
 *
 * Parameters: CC_PLANES, 1 for planes and 0 for lines. Undefines it. */

#if CC_PLANES
#define CC_MATRIX_KERNEL cconv_f32_matrix_planes__amx
#define CC_PRODUCTS(name) CC_PASTE(planes_, name)
#define CC_PRODUCT(sum, x, w) _tile_dpbf16ps(sum, w, x)
#define square_of square_of_planes
#else
#define CC_MATRIX_KERNEL cconv_f32_matrix_lines__amx
#define CC_PRODUCTS(name) CC_PASTE(lines_, name)
#define CC_PRODUCT(sum, x, w) _tile_dpbf16ps(sum, x, w)
#define square_of square_of_lines
#endif

/* The sums of square x of positions and square w of lanes. */
CC_ALWAYS_INLINE float *square_of(const cc_matrix_job *job, float *sums, int x, int w) {
  return CC_PLANES ? sums + w * CC_SQUARE_LANES * job->pitch + x * CC_SQUARE_LANES
                   : sums + x * CC_SQUARE_LANES * job->pitch + w * CC_SQUARE_LANES;
}

/* 32 positions and 32 lanes. */
static CC_NOINLINE void CC_PRODUCTS(of_2x2)(const cc_matrix_job *job, const char *positions, float *sums) {
  const char *w = job->w;
  const int64_t row = job->pitch * (int64_t)sizeof(float);
  if (job->fresh) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, square_of(job, sums, 0, 0), row);
    _tile_loadd(1, square_of(job, sums, 0, 1), row);
    _tile_loadd(2, square_of(job, sums, 1, 0), row);
    _tile_loadd(3, square_of(job, sums, 1, 1), row);
  }
  for (int64_t s = 0; s < job->steps; s++, w += 2 * CC_PARTS * CC_SQUARE_BYTES) {
    const char *x = positions + job->off[s] * (int64_t)CC_LINE_BYTES;
    _tile_loadd(4, lines_of(job, x, 0, 0), CC_LINE_BYTES);
    _tile_loadd(5, lines_of(job, x, 0, 1), CC_LINE_BYTES);
    _tile_loadd(6, w + 4 * CC_SQUARE_BYTES, CC_LINE_BYTES);
    _tile_loadd(7, w + 5 * CC_SQUARE_BYTES, CC_LINE_BYTES);
    CC_PRODUCT(0, 4, 6);
    CC_PRODUCT(1, 4, 7);
    CC_PRODUCT(2, 5, 6);
    CC_PRODUCT(3, 5, 7);
    _tile_loadd(6, w + 2 * CC_SQUARE_BYTES, CC_LINE_BYTES);
    _tile_loadd(7, w + 3 * CC_SQUARE_BYTES, CC_LINE_BYTES);
    CC_PRODUCT(0, 4, 6);
    CC_PRODUCT(1, 4, 7);
    CC_PRODUCT(2, 5, 6);
    CC_PRODUCT(3, 5, 7);
    _tile_loadd(4, lines_of(job, x, 1, 0), CC_LINE_BYTES);
    _tile_loadd(5, lines_of(job, x, 1, 1), CC_LINE_BYTES);
    CC_PRODUCT(0, 4, 6);
    CC_PRODUCT(1, 4, 7);
    CC_PRODUCT(2, 5, 6);
    CC_PRODUCT(3, 5, 7);
    _tile_loadd(6, w, CC_LINE_BYTES);
    _tile_loadd(7, w + CC_SQUARE_BYTES, CC_LINE_BYTES);
    CC_PRODUCT(0, 4, 6);
    CC_PRODUCT(1, 4, 7);
    CC_PRODUCT(2, 5, 6);
    CC_PRODUCT(3, 5, 7);
    _tile_loadd(4, lines_of(job, x, 0, 0), CC_LINE_BYTES);
    _tile_loadd(5, lines_of(job, x, 0, 1), CC_LINE_BYTES);
    CC_PRODUCT(0, 4, 6);
    CC_PRODUCT(1, 4, 7);
    CC_PRODUCT(2, 5, 6);
    CC_PRODUCT(3, 5, 7);
    _tile_loadd(4, lines_of(job, x, 2, 0), CC_LINE_BYTES);
    _tile_loadd(5, lines_of(job, x, 2, 1), CC_LINE_BYTES);
    CC_PRODUCT(0, 4, 6);
    CC_PRODUCT(1, 4, 7);
    CC_PRODUCT(2, 5, 6);
    CC_PRODUCT(3, 5, 7);
  }
  _tile_stored(0, square_of(job, sums, 0, 0), row);
  _tile_stored(1, square_of(job, sums, 0, 1), row);
  _tile_stored(2, square_of(job, sums, 1, 0), row);
  _tile_stored(3, square_of(job, sums, 1, 1), row);
}

/* 16 positions and 32 lanes. */
static CC_NOINLINE void CC_PRODUCTS(of_1x2)(const cc_matrix_job *job, const char *positions, float *sums) {
  const char *w = job->w;
  const int64_t row = job->pitch * (int64_t)sizeof(float);
  if (job->fresh) {
    _tile_zero(0);
    _tile_zero(1);
  } else {
    _tile_loadd(0, square_of(job, sums, 0, 0), row);
    _tile_loadd(1, square_of(job, sums, 0, 1), row);
  }
  for (int64_t s = 0; s < job->steps; s++, w += 2 * CC_PARTS * CC_SQUARE_BYTES) {
    const char *x = positions + job->off[s] * (int64_t)CC_LINE_BYTES;
    _tile_loadd(4, lines_of(job, x, 0, 0), CC_LINE_BYTES);
    _tile_loadd(6, w + 4 * CC_SQUARE_BYTES, CC_LINE_BYTES);
    _tile_loadd(7, w + 5 * CC_SQUARE_BYTES, CC_LINE_BYTES);
    CC_PRODUCT(0, 4, 6);
    CC_PRODUCT(1, 4, 7);
    _tile_loadd(6, w + 2 * CC_SQUARE_BYTES, CC_LINE_BYTES);
    _tile_loadd(7, w + 3 * CC_SQUARE_BYTES, CC_LINE_BYTES);
    CC_PRODUCT(0, 4, 6);
    CC_PRODUCT(1, 4, 7);
    _tile_loadd(4, lines_of(job, x, 1, 0), CC_LINE_BYTES);
    CC_PRODUCT(0, 4, 6);
    CC_PRODUCT(1, 4, 7);
    _tile_loadd(6, w, CC_LINE_BYTES);
    _tile_loadd(7, w + CC_SQUARE_BYTES, CC_LINE_BYTES);
    CC_PRODUCT(0, 4, 6);
    CC_PRODUCT(1, 4, 7);
    _tile_loadd(4, lines_of(job, x, 0, 0), CC_LINE_BYTES);
    CC_PRODUCT(0, 4, 6);
    CC_PRODUCT(1, 4, 7);
    _tile_loadd(4, lines_of(job, x, 2, 0), CC_LINE_BYTES);
    CC_PRODUCT(0, 4, 6);
    CC_PRODUCT(1, 4, 7);
  }
  _tile_stored(0, square_of(job, sums, 0, 0), row);
  _tile_stored(1, square_of(job, sums, 0, 1), row);
}

/* 64 positions and 16 lanes: fewer sums would wait for each other. */
static CC_NOINLINE void CC_PRODUCTS(of_4x1)(const cc_matrix_job *job, const char *positions, float *sums) {
  const char *w = job->w;
  const int64_t row = job->pitch * (int64_t)sizeof(float);
  if (job->fresh) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, square_of(job, sums, 0, 0), row);
    _tile_loadd(1, square_of(job, sums, 1, 0), row);
    _tile_loadd(2, square_of(job, sums, 2, 0), row);
    _tile_loadd(3, square_of(job, sums, 3, 0), row);
  }
  for (int64_t s = 0; s < job->steps; s++, w += CC_PARTS * CC_SQUARE_BYTES) {
    const char *x = positions + job->off[s] * (int64_t)CC_LINE_BYTES;
    _tile_loadd(7, w + 2 * CC_SQUARE_BYTES, CC_LINE_BYTES);
    _tile_loadd(4, lines_of(job, x, 0, 0), CC_LINE_BYTES);
    CC_PRODUCT(0, 4, 7);
    _tile_loadd(5, lines_of(job, x, 0, 1), CC_LINE_BYTES);
    CC_PRODUCT(1, 5, 7);
    _tile_loadd(6, lines_of(job, x, 0, 2), CC_LINE_BYTES);
    CC_PRODUCT(2, 6, 7);
    _tile_loadd(4, lines_of(job, x, 0, 3), CC_LINE_BYTES);
    CC_PRODUCT(3, 4, 7);
    _tile_loadd(7, w + CC_SQUARE_BYTES, CC_LINE_BYTES);
    _tile_loadd(4, lines_of(job, x, 0, 0), CC_LINE_BYTES);
    CC_PRODUCT(0, 4, 7);
    _tile_loadd(5, lines_of(job, x, 0, 1), CC_LINE_BYTES);
    CC_PRODUCT(1, 5, 7);
    _tile_loadd(6, lines_of(job, x, 0, 2), CC_LINE_BYTES);
    CC_PRODUCT(2, 6, 7);
    _tile_loadd(4, lines_of(job, x, 0, 3), CC_LINE_BYTES);
    CC_PRODUCT(3, 4, 7);
    _tile_loadd(4, lines_of(job, x, 1, 0), CC_LINE_BYTES);
    CC_PRODUCT(0, 4, 7);
    _tile_loadd(5, lines_of(job, x, 1, 1), CC_LINE_BYTES);
    CC_PRODUCT(1, 5, 7);
    _tile_loadd(6, lines_of(job, x, 1, 2), CC_LINE_BYTES);
    CC_PRODUCT(2, 6, 7);
    _tile_loadd(4, lines_of(job, x, 1, 3), CC_LINE_BYTES);
    CC_PRODUCT(3, 4, 7);
    _tile_loadd(7, w, CC_LINE_BYTES);
    _tile_loadd(4, lines_of(job, x, 1, 0), CC_LINE_BYTES);
    CC_PRODUCT(0, 4, 7);
    _tile_loadd(5, lines_of(job, x, 1, 1), CC_LINE_BYTES);
    CC_PRODUCT(1, 5, 7);
    _tile_loadd(6, lines_of(job, x, 1, 2), CC_LINE_BYTES);
    CC_PRODUCT(2, 6, 7);
    _tile_loadd(4, lines_of(job, x, 1, 3), CC_LINE_BYTES);
    CC_PRODUCT(3, 4, 7);
    _tile_loadd(4, lines_of(job, x, 0, 0), CC_LINE_BYTES);
    CC_PRODUCT(0, 4, 7);
    _tile_loadd(5, lines_of(job, x, 0, 1), CC_LINE_BYTES);
    CC_PRODUCT(1, 5, 7);
    _tile_loadd(6, lines_of(job, x, 0, 2), CC_LINE_BYTES);
    CC_PRODUCT(2, 6, 7);
    _tile_loadd(4, lines_of(job, x, 0, 3), CC_LINE_BYTES);
    CC_PRODUCT(3, 4, 7);
    _tile_loadd(4, lines_of(job, x, 2, 0), CC_LINE_BYTES);
    CC_PRODUCT(0, 4, 7);
    _tile_loadd(5, lines_of(job, x, 2, 1), CC_LINE_BYTES);
    CC_PRODUCT(1, 5, 7);
    _tile_loadd(6, lines_of(job, x, 2, 2), CC_LINE_BYTES);
    CC_PRODUCT(2, 6, 7);
    _tile_loadd(4, lines_of(job, x, 2, 3), CC_LINE_BYTES);
    CC_PRODUCT(3, 4, 7);
  }
  _tile_stored(0, square_of(job, sums, 0, 0), row);
  _tile_stored(1, square_of(job, sums, 1, 0), row);
  _tile_stored(2, square_of(job, sums, 2, 0), row);
  _tile_stored(3, square_of(job, sums, 3, 0), row);
}

static void CC_MATRIX_KERNEL(const cc_matrix_job *job) {
  const bool narrow = job->lanes == CC_SQUARE_LANES;
  const int64_t together = narrow ? CC_MATRIX_POSITIONS : CC_MATRIX_POSITIONS / 2;
  const char *x = job->x;
  float *sums = job->sums;
  settle_memory();
  for (int64_t p = 0; p < job->positions; p += together) {
    if (narrow)
      CC_PRODUCTS(of_4x1)(job, x, sums);
    else if (job->positions - p <= CC_SQUARE_LANES)
      CC_PRODUCTS(of_1x2)(job, x, sums);
    else
      CC_PRODUCTS(of_2x2)(job, x, sums);
    x += together * CC_LINE_BYTES;
    sums += CC_PLANES ? together : together * job->pitch;
  }
  settle_memory();
}

#undef CC_MATRIX_KERNEL
#undef CC_PRODUCTS
#undef CC_PRODUCT
#undef square_of
#undef CC_PLANES
