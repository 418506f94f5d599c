/* SPDX-License-Identifier: BSD-3-Clause
 * dtype.tmpl.h - every kernel of one instruction set for one dtype, and the table that lists them.
 *
 * Parameters, defined by isa.tmpl.h: CC_DTYPE, CC_DTYPE_BITS, CC_MM_SUFFIX, CC_MM_VECTOR, CC_MASK, T, TI, TA,
 * CC_FLOATING, CC_SIGNED (of integers), CC_LOWEST, CC_HIGHEST. Undefines them all, and the vocabulary of vec.h. */
#include "kernels/vec.h"

#include "kernels/rows/read.tmpl.h"

#include "kernels/rows/write.tmpl.h"

#if CC_FLOATING
#include "kernels/rows/transpose_vectors.tmpl.h"

#include "kernels/rows/transpose.tmpl.h"

#include "kernels/rows/panel.tmpl.h"

#include "kernels/rows/phases.tmpl.h"

#include "kernels/rows/deposit.tmpl.h"
#endif

#include "kernels/rows/halo_pack.tmpl.h"

#include "kernels/rows/weight_pack.tmpl.h"

#include "kernels/rows/add.tmpl.h"

#if CC_FLOATING
#include "kernels/tile/activation.tmpl.h"
#else
#include "kernels/tile/activation_integer.tmpl.h"
#endif

#include "kernels/tile/store.tmpl.h"

#if CC_FLOATING
#include CC_TILES
#else
#include "kernels/tile/tiles_integer.inc"
#endif

#include "kernels/depthwise/depthwise.tmpl.h"

#if CC_FLOATING
#include "kernels/depthwise/pack.tmpl.h"

#include "kernels/depthwise/rows.tmpl.h"

#include "kernels/depthwise/planes.tmpl.h"

#include "kernels/rows/place.tmpl.h"

#include "kernels/depthwise/in_place.tmpl.h"

#include "kernels/tile/conv_in_place.tmpl.h"
#endif

#include "kernels/pool/pool.tmpl.h"

#if CC_FLOATING
#include "kernels/pool/sum.tmpl.h"

#include "kernels/pool/power.tmpl.h"

#include "kernels/peak.tmpl.h"
#endif

#include "kernels/pool/box.tmpl.h"

#if CC_FLOATING
#include "kernels/rows/lanes.tmpl.h"

#include "kernels/winograd/points.tmpl.h"

#define A 4
#include "kernels/winograd/inputs.tmpl.h"

#define A 6
#include "kernels/winograd/inputs.tmpl.h"

#define M 2
#define R 3
#include "kernels/winograd/tiles.tmpl.h"

#define M 4
#define R 3
#include "kernels/winograd/tiles.tmpl.h"

#define M 2
#define R 5
#include "kernels/winograd/tiles.tmpl.h"

#include CC_PRODUCTS

#include "kernels/winograd/pieces.tmpl.h"

#include "kernels/fft/passes.tmpl.h"

#include "kernels/fft/tiles.tmpl.h"

#include "kernels/fft/tables.tmpl.h"
#endif

#include "kernels/pool/extreme.tmpl.h"

#include "kernels/pool/halving.tmpl.h"

#if CC_FLOATING
#include "kernels/pool/planes.tmpl.h"

#include "kernels/filter/separable.tmpl.h"

#include "kernels/filter/mend.tmpl.h"
#endif

extern const cc_kernels CC_K(kernels); /* another instruction set may have the same */
const cc_kernels CC_K(kernels) = {
    .vector_length = VL,
    .conv_rows = (int32_t)(sizeof CC_K(conv_tiles) / sizeof *CC_K(conv_tiles)),
    .conv_tiles = CC_K(conv_tiles),
    .depthwise = CC_K(depthwise),
    .halo_pack = CC_K(halo_pack),
    .weight_pack = CC_K(weight_pack),
    .store = CC_K(store),
    .scatter = CC_K(scatter),
    .add = CC_K(add),
    .pool_max = CC_K(pool_max),
    .pool_min = CC_K(pool_min),
    .pool_max_taps = CC_K(pool_max_taps),
    .pool_min_taps = CC_K(pool_min_taps),
    .pool_box = CC_K(pool_box),
#if CC_FLOATING
    .pool_sum = CC_K(pool_sum),
    .average = CC_K(average),
    .pool_power = CC_K(pool_power),
    .fma_peak = CC_K(fma_peak),
    .lanes = CC_K(lanes),
    .rows = CC_K(rows),
    .winograd =
        {
            {2, 3, 2, CC_K(winograd_WEIGHT_ROWS_2x3), CC_K(winograd_plane_input_4), CC_K(winograd_plane_weight_2x3),
             CC_K(winograd_plane_output_2x3)},
            {4, 3, 2, CC_K(winograd_WEIGHT_ROWS_4x3), CC_K(winograd_plane_input_6), CC_K(winograd_plane_weight_4x3),
             CC_K(winograd_plane_output_4x3)},
            {2, 5, 2, CC_K(winograd_WEIGHT_ROWS_2x5), CC_K(winograd_plane_input_6), CC_K(winograd_plane_weight_2x5),
             CC_K(winograd_plane_output_2x5)},
            {2, 3, 1, 1, CC_K(winograd_line_input_4), CC_K(winograd_line_weight_2x3), CC_K(winograd_line_output_2x3)},
            {4, 3, 1, 1, CC_K(winograd_line_input_6), CC_K(winograd_line_weight_4x3), CC_K(winograd_line_output_4x3)},
            {2, 5, 1, 1, CC_K(winograd_line_input_6), CC_K(winograd_line_weight_2x5), CC_K(winograd_line_output_2x5)},
        },
    .products = CC_K(winograd_products),
    .product_vectors = (int32_t)(sizeof CC_K(winograd_products) / sizeof *CC_K(winograd_products)),
    .window_sum = CC_K(window_sum),
    .pool_planes = CC_K(pool_planes),
    .transpose = CC_K(transpose),
    .panel = CC_K(panel),
    .windows = CC_K(windows),
    .taps = CC_K(taps),
    .interleave = CC_K(interleave),
    .deposit = CC_K(deposit),
    .depthwise_pack_lanes = CC_K(depthwise_pack_lanes),
    .depthwise_lanes = CC_K(depthwise_lanes),
#if CC_VECTOR_BYTES > 16
    .depthwise_pack = CC_K(depthwise_pack),
    .depthwise_rows = CC_K(depthwise_rows),
    .depthwise_square = CC_K(SQUARE_ROWS),
    .halving_mean = CC_K(halving_mean),
#endif
    .pieces_input = CC_K(pieces_input),
    .pieces_output = CC_K(pieces_output),
    .pieces_weight = CC_K(pieces_weight),
    .fft_tables = CC_K(fft_tables),
    .fft_columns = CC_K(fft_columns),
    .fft_rows = CC_K(fft_rows),
    .filter_rows = CC_K(filter_rows),
    .filter_means = CC_K(filter_means),
    .filter_line = CC_K(filter_line),
    .is_finite = CC_K(is_finite),
    .mend = CC_K(mend),
    .factor = CC_K(factor),
#if CC_VECTOR_BYTES == 64
    .depthwise_planes = CC_K(depthwise_planes),
    .depthwise_in_place = CC_K(depthwise_in_place),
    .conv_in_place = CC_K(conv_in_place),
#endif
#endif
    .extreme_max = CC_K(extreme_max),
    .extreme_min = CC_K(extreme_min),
#if CC_VECTOR_BYTES == 64
    .halving_max = CC_K(halving_max),
    .halving_min = CC_K(halving_min),
#endif
};

#undef V
#undef VU
#undef TU
#undef VI
#undef VA
#undef VL
#undef v_load
#undef v_store
#undef v_load_part
#undef v_store_part
#undef v_load_between
#undef v_splat
#undef v_splat_i
#undef v_add
#undef v_fma
#undef v_is_nan
#undef v_select
#undef v_max_nan
#undef v_min_nan
#undef v_even
#undef v_odd
#undef v_next
#undef CC_DTYPE
#undef CC_DTYPE_BITS
#undef CC_MM_SUFFIX
#undef CC_MM_VECTOR
#undef CC_MASK
#undef T
#undef TI
#undef TA
#undef CC_FLOATING
#undef CC_SIGNED
#undef CC_LOWEST
#undef CC_HIGHEST
