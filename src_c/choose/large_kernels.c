/* SPDX-License-Identifier: BSD-3-Clause
 * large_kernels.c - which algorithm computes large kernels of one channel a group: a count of the work.
 *
 * Law: integers in, integers out; see algorithm.h. Times are microseconds of one thread for 2^18 outputs, as measured: 2.4
 * for a tap of direct sums. On another machine all grow alike. */
#include "base/checked.h"
#include "choose/algorithm.h"

enum {
  MOST_TAPS = 1 << 14,     /* of a kernel cut into pieces, and ... */
  MOST_SIDE = 256,         /* ... along an axis: then a thread's scratch is small, */
  PIECES_BYTES = 80 << 10, /* and with so many bytes of pieces in all groups that of their weights, 49 times as many */
  LEAST_TILES = 16,        /* along an axis: these fill vectors, and pieces look far beyond few */
  LONG_TAPS = 512,         /* of a row that is folded in longer ones */
  LEAST_TAPS = 64,         /* of a kernel that is worth transforms, whatever the tile */
  MOST_OUTPUTS = 1 << 18,  /* along an axis, that pieces tell apart, */
  MOST_ROWS = 1 << 14,     /* and transforms, of an image */
  MOST_SAMPLES = 1 << 20   /* and of a line: times of all have to fit */
};

/* Sizes of transforms, and times in 1/200 ns for an element of a pair of tiles, there and back. */
typedef struct transform {
  int64_t size, time;
} transform;

static const transform transforms[] = {{16, 154}, {32, 114},  {48, 125},  {64, 127},
                                       {96, 122}, {128, 137}, {192, 160}, {256, 172}};

enum { TRANSFORMS = sizeof transforms / sizeof *transforms };

bool cconv_is_line(const cc_conv_shape *shape) {
  const cc_axis *h = &shape->axis[1];
  return h->kernel == 1 && h->in == 1 && h->out == 1 && h->before == 0;
}

int64_t cconv_pieces_fold(const cc_conv_shape *shape) {
  return !cconv_is_line(shape) ? 0 : shape->axis[2].kernel < LONG_TAPS ? 16 : 32;
}

/* Are these floats of one channel in and out, of one slice, with strides and dilations of 1? */
static bool is_plain(int32_t asked, int32_t dtype, const cc_conv_shape *shape) {
  const cc_axis *slices = &shape->axis[0], *h = &shape->axis[1], *w = &shape->axis[2];
  return asked == CCONV_ALGORITHM_AUTO && (dtype == CCONV_FLOAT32 || dtype == CCONV_FLOAT64) && shape->ic == 1 &&
         shape->oc == 1 && slices->in == 1 && slices->out == 1 && slices->kernel == 1 && slices->before == 0 &&
         h->stride == 1 && h->dilation == 1 && w->stride == 1 && w->dilation == 1;
}

static int64_t direct_time(const cc_conv_shape *shape) { return cc_min(shape->taps, MOST_OUTPUTS) * 12 / 5; }

/* For the way into Winograd's domain and back 160 of a line and 300 of an image, of which the more is shared the more
 * tiles there are for each piece; 6 for a piece. INT64_MAX where pieces cannot serve. */
static int64_t pieces_time(int32_t dtype, const cc_conv_shape *shape) {
  const cc_axis *h = &shape->axis[1], *w = &shape->axis[2];
  const int64_t fold = cconv_pieces_fold(shape), element = dtype == CCONV_FLOAT32 ? 4 : 8;
  const int64_t kernel[2] = {fold ? fold : h->kernel, fold ? cc_ceil_div(w->kernel, fold) : w->kernel};
  const int64_t out[2] = {fold ? fold : h->out, fold ? w->out / fold : w->out};
  int64_t bytes, time = fold ? 160 : 300, count = 1;
  if (shape->taps > MOST_TAPS || kernel[0] > MOST_SIDE || kernel[1] > MOST_SIDE ||
      !cc_mul(shape->groups, cc_ceil_div(kernel[0], 4) * cc_ceil_div(kernel[1], 4) * element, &bytes) ||
      bytes > PIECES_BYTES || (!fold && out[0] < 4 * LEAST_TILES) || out[1] < 4 * LEAST_TILES)
    return INT64_MAX;
  for (int a = 0; a < 2; a++) {
    const int64_t pieces = cc_ceil_div(kernel[a], 4), tiles = cc_ceil_div(cc_min(out[a], MOST_OUTPUTS), 4);
    time = time * (tiles + pieces) / tiles;
    count *= pieces;
  }
  return time + 6 * count;
}

bool cconv_choose_pieces(int32_t asked, int32_t dtype, const cc_conv_shape *shape) {
  return is_plain(asked, dtype, shape) && pieces_time(dtype, shape) < direct_time(shape);
}

/* 1/200 ns: of pairs of tiles, which two threads share, and of the spectrum that each of them makes. */
static int64_t work_of(int64_t tiles, const transform *rows, const transform *columns) {
  return (cc_ceil_div(tiles, 4) * 2 + 1) * rows->size * columns->size * (rows->time + columns->time);
}

/* Tiles along an axis; 0 where they are too small. */
static int64_t tiles_along(int64_t out, int64_t kernel, int64_t size) {
  return kernel > size ? 0 : cc_ceil_div(out, size - kernel + 1);
}

/* The least work for a line of n outputs, and its tile. */
static int64_t line_work(int64_t n, int64_t kernel, int64_t size[2]) {
  int64_t least = INT64_MAX;
  for (int i = 0; i < 2 * TRANSFORMS - 1; i++) { /* as square as can be */
    const transform *rows = &transforms[i / 2], *columns = &transforms[(i + 1) / 2];
    const int64_t tiles = tiles_along(n, kernel, rows->size * columns->size);
    const int64_t work = tiles ? work_of(tiles, rows, columns) : INT64_MAX;
    if (work < least) {
      least = work;
      size[0] = rows->size;
      size[1] = columns->size;
    }
  }
  return least;
}

/* The same of an image. */
static int64_t plane_work(const int64_t out[2], const int64_t kernel[2], int64_t size[2]) {
  int64_t least = INT64_MAX, tiles[2][TRANSFORMS];
  for (int a = 0; a < 2; a++)
    for (int i = 0; i < TRANSFORMS; i++)
      tiles[a][i] = tiles_along(out[a], kernel[a], transforms[i].size);
  for (int i = 0; i < TRANSFORMS; i++)
    for (int j = 0; j < TRANSFORMS; j++) {
      const int64_t count = tiles[0][i] * tiles[1][j];
      const int64_t work = count ? work_of(count, &transforms[i], &transforms[j]) : INT64_MAX;
      if (work < least) {
        least = work;
        size[0] = transforms[i].size;
        size[1] = transforms[j].size;
      }
    }
  return least;
}

bool cconv_choose_fft(int32_t asked, int32_t dtype, const cc_conv_shape *shape, int64_t size[2]) {
  const cc_axis *h = &shape->axis[1], *w = &shape->axis[2];
  if (shape->taps < LEAST_TAPS || !is_plain(asked, dtype, shape))
    return false;
  const bool line = cconv_is_line(shape);
  const int64_t kernel[2] = {h->kernel, w->kernel};
  const int64_t out[2] = {cc_min(h->out, MOST_ROWS), cc_min(w->out, line ? MOST_SAMPLES : MOST_ROWS)};
  const int64_t work = line ? line_work(out[1], kernel[1], size) : plane_work(out, kernel, size);
  const int64_t least = cc_min(direct_time(shape), pieces_time(dtype, shape));
  /* 2^18 / (200 * 1000), and a sixth more, for counts may be off. */
  return work != INT64_MAX && work / out[0] * 49 / 32 / out[1] < least;
}
