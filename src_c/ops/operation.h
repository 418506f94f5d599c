/* SPDX-License-Identifier: BSD-3-Clause
 * operation.h - what every driver does alike: check the context, deal out work, pack a halo. */
#ifndef CC_OPERATION_H
#define CC_OPERATION_H

#include "choose/blocks.h"
#include "kernels/kernels.h"
#include "tensor/tensor.h"

enum {
  /* Below this many elementary operations a second thread costs more than it gives: a region takes
   * about a microsecond when its threads are awake, and 10 to 50 when they sleep. */
  CC_SERIAL_OPERATIONS = 2 << 20,
  /* More threads than any machine has; OpenMP ends the program when it cannot start one. */
  CC_MOST_PARTS = 256
};

/* The kernels that compute in a dtype; fails on a dtype there are none for, naming the argument that asked
 * for it, or when CCONV_ISA names no instruction set. */
cconv_status cconv_operation_kernels(int32_t dtype, const char *name, const cc_kernels **kernels, cconv_error *error);

/* The products of a matrix unit in a dtype, NULL where there are none. */
const cc_matrix_kernels *cconv_operation_matrix(int32_t dtype);

/* Check that an argument's elements can be read into such arithmetic. */
cconv_status cconv_operation_reads(int32_t arithmetic, const cconv_tensor *tensor, const char *name,
                                   cconv_error *error);

/* Check a context. */
cconv_status cconv_operation_context(const cconv_context *context, cconv_error *error);

/* Check that a view has the shape of another; `rank` is its tensor's own. */
cconv_status cconv_operation_like(const char *name, int32_t rank, const cc_view *view, const cc_view *like,
                                  cconv_error *error);

/* Check indices, which must have the shape of another view, and fill *view. */
cconv_status cconv_operation_indices(const cconv_tensor *indices, int32_t rank, const cc_view *like, cc_view *view,
                                     cconv_error *error);

/* Check the dtypes of a pooling and find the one it is computed in. */
cconv_status cconv_operation_pool_dtype(bool extreme, const cconv_tensor *input, const cconv_tensor *output,
                                        int32_t *dtype, cconv_error *error);

/* Check the kind of a pooling, the exponent if it has one, and that only extremes come with indices. */
cconv_status cconv_operation_pool_kind(int32_t kind, double p, const cconv_tensor *indices, cconv_error *error);

/* Align the workspace and check that `bytes` hold `needed`; *base gets the aligned start. */
cconv_status cconv_operation_workspace(void *workspace, size_t bytes, int64_t needed, char **base, cconv_error *error);

/* Scratch for one thread: half of the level 2 cache, so that halo and slab stay in it. */
int64_t cconv_operation_budget(void);

/* Parts to deal `units` pieces of work to, `operations` in all, for so many threads. */
int64_t cconv_operation_parts(int64_t threads, int64_t units, double operations);

/* Say how outputs and sums are cut. */
void cconv_operation_describe(const cc_blocks *blocks, cconv_plan_info *info);

/* Which outputs a block covers: from[a] up to from[a] + size[a]. */
typedef struct cc_block {
  int64_t from[CCONV_MAX_SPATIAL], size[CCONV_MAX_SPATIAL];
} cc_block;

/* Block (d, h, w) counted row by row as `index`. */
cc_block cconv_block_of(const cc_blocks *blocks, const cc_axis axis[3], int64_t index);

/* Positions of a block in its halo, from its first output to its last. */
int64_t cconv_block_positions(const cc_halo *halo, const cc_block *block);

/* Pack the halo of a block and a chunk of one image: input's channels from `channel` on. */
void cconv_operation_pack(const cc_kernels *kernels, const cc_blocks *blocks, const cc_axis axis[3],
                          const cc_view *input, int64_t n, int64_t channel, const cc_block *block,
                          const cc_chunk *chunk, double fill, void *target);

/* Make zero what packing never writes: the ends of the channels, and `slack` elements behind the last. Kernels
 * compute there, for nothing; whatever a scratch happens to hold may be denormal, which costs some
 * processors a hundred cycles an operation. */
void cconv_operation_clear(const cc_blocks *blocks, int64_t element, int64_t slack, char *target);

/* Write the offset of every term of a whole chunk; those of a shorter one are the first of them. */
void cconv_operation_offsets(const cc_blocks *blocks, const cc_axis axis[3], int32_t *offsets);

/* The part of one output row that starts at a position of a block's halo. */
typedef struct cc_segment {
  int64_t position, n; /* in the halo; outputs */
  int64_t od, oh, ow;  /* of the first */
} cc_segment;

/* Step through the rows of a block that lie in positions [segment->position, end): true with the
 * next segment, false when there is none. Start with n = 0. */
bool cconv_next_segment(const cc_halo *halo, const cc_block *block, int64_t end, cc_segment *segment);

/* Where the first output of a segment lies in image n and channel c of a view. */
char *cconv_segment_at(const cc_view *view, int64_t n, int64_t c, const cc_segment *segment);

#endif
