/* SPDX-License-Identifier: BSD-3-Clause
 * image.h - grey images in files, for the examples: PGM is read, PFM (floating point) is written. */
#ifndef IMAGE_H
#define IMAGE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct image {
  int width, height;
  unsigned char *pixels; /* rows from the top; NULL if the file is no binary PGM of 8 bits; to be freed */
} image;

static inline image image_read(const char *path) {
  image i = {0, 0, NULL};
  int most = 0;
  FILE *file = fopen(path, "rb");
  if (file && fscanf(file, "P5 %d %d %d", &i.width, &i.height, &most) == 3 && fgetc(file) != EOF && most == 255 &&
      i.width > 0 && i.height > 0 && i.width < 32768 && i.height < 32768) {
    const size_t size = (size_t)i.width * (size_t)i.height;
    i.pixels = (unsigned char *)malloc(size);
    if (i.pixels && fread(i.pixels, 1, size, file) != size) {
      free(i.pixels);
      i.pixels = NULL;
    }
  }
  if (file)
    fclose(file);
  return i;
}

/* 0 where it succeeds. In a PFM the last row comes first, and the sign of the scale is the byte order. */
static inline int image_write(const char *path, int width, int height, const float *rows) {
  const uint16_t probe = 1;
  FILE *file = fopen(path, "wb");
  int bad = !file || fprintf(file, "Pf\n%d %d\n%d\n", width, height, *(const char *)&probe ? -1 : 1) < 0;
  for (int y = height - 1; y >= 0 && !bad; y--)
    bad = fwrite(rows + (size_t)y * (size_t)width, sizeof *rows, (size_t)width, file) != (size_t)width;
  return (file && fclose(file)) || bad;
}

#endif
