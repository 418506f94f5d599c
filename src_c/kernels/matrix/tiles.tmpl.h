/* SPDX-License-Identifier: BSD-3-Clause
 * tiles.tmpl.h - what products on the matrix unit have in common. */

/* What the instructions of tiles are told: all 8 registers are whole squares. */
typedef struct cc_tile_config {
  uint8_t palette, start, none[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} cc_tile_config;

/* The intrinsics do not say which memory they read. */
CC_ALWAYS_INLINE void settle_memory(void) { __asm__ volatile("" ::: "memory"); }

static void cconv_f32_matrix_begin__amx(void) {
  cc_tile_config config = {.palette = 1};
  for (int i = 0; i < 8; i++) {
    config.row_bytes[i] = CC_LINE_BYTES;
    config.rows[i] = CC_SQUARE_LANES;
  }
  settle_memory();
  _tile_loadconfig(&config);
}

/* Tiles that are in use take the system time to keep, and some processors power. */
static void cconv_f32_matrix_end__amx(void) { _tile_release(); }

/* A square of one part of x. */
CC_ALWAYS_INLINE const char *lines_of(const cc_matrix_job *job, const char *x, int part, int square) {
  return x + part * job->x_part + square * CC_SQUARE_BYTES;
}

/* Ask for a quarter of a square before its time: what comes from a level 2 cache would keep the unit waiting. */
CC_ALWAYS_INLINE void ask_for(const char *square, int64_t quarter) {
  CC_UNROLL
  for (int i = 0; i < 4; i++)
    __builtin_prefetch(square + quarter * 256 + i * CC_DIGIT_LINE);
}

/* Steps in a round of a loop: the end of one of many rounds is not foreseen, and the unit then stands still (measured:
 * 900 cycles, as long as five steps take). */
enum { DIGIT_STEPS = 9 };
