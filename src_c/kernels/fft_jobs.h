/* SPDX-License-Identifier: BSD-3-Clause
 * fft_jobs.h - what kernels of Fourier transforms are told: sums of large kernels as products of transforms.
 *
 * A tile is two planes of rows by columns elements, one behind the other: real parts, and imaginary ones. Sizes are powers
 * of two, or three times such, from 16 to CC_FFT_MOST, and of columns a multiple of VL, of rows too. Transforms come in
 * the order in which radices 3, 4 and 8 leave them, which nobody sorts.
 *
 * A part of kernels.h, whose law and glossary hold here. */
#ifndef CC_FFT_JOBS_H
#define CC_FFT_JOBS_H

#include <stdbool.h>
#include <stdint.h>

enum { CC_FFT_MOST = 256 };

/* Where transforms find the factors exp(-2 pi i f), in the dtype of the arithmetic. */
typedef struct cc_fft_tables {
  void *twiddles
      [2]; /* of columns' transforms, which are of `rows` elements, and of rows': 2 elements for each of theirs */
  /* Of a line alone, for row r, which has frequency k, of size[0]: exp(-2 pi i k l / N), l < VL, [r][re, im][VL], and
   * exp(-2 pi i k c VL / N), [r][c][re, im], c < size[1] / VL. */
  void *lanes, *steps;
} cc_fft_tables;

/* Writes the tables for tiles of so many rows and columns: of an image, or of a line of N elements in rows. */
typedef struct cc_fft_tables_job {
  int64_t size[2];
  bool line;
  double *roots; /* scratch: of CC_FFT_ROOTS numbers */
  cc_fft_tables tables;
} cc_fft_tables_job;

enum { CC_FFT_ROOTS = 4 * CC_FFT_MOST };

/* Transforms columns in place, the first `columns` of them, counted up to whole vectors: the sums over r of
 * x[r][c] exp(-2 pi i k r / rows), of a line times exp(-2 pi i k c / N) then; or back, with the signs of i turned, in
 * the opposite order. Back from there is rows times what was. */
typedef struct cc_fft_columns_job {
  void *x;
  int64_t size[2], columns;
  bool line, back;
  const cc_fft_tables *tables;
  void *scratch; /* 2 rows vectors */
} cc_fft_columns_job;

/* Transforms rows. With `make` to the spectrum, [r][k][re, im][lanes], lanes being VL neighbouring rows; else
 * multiplies them by its conjugate and by scale, and transforms them back to where they were. */
typedef struct cc_fft_rows_job {
  void *x, *spectrum;
  int64_t size[2];
  bool make;
  double scale;
  const cc_fft_tables *tables;
  void *scratch; /* 2 columns vectors */
} cc_fft_rows_job;

#endif
