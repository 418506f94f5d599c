"""conv1d, conv2d and conv3d with algorithm='direct': every geometry, dtype and layout, two oracles.

On integer-valued data every sum is exact, so results equal the oracles bit for bit. On random data
each output is within (K + 2) u (sum |w| |x| + |bias|) of the exact one, where K is the number of
products and u the unit roundoff: K multiply-adds round once each, which leaves two for the bias and
for second-order terms. The float64 reference errs as much itself, so against it float64 gets twice.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import cases
import numpy as np
import oracle
import pytest
from cases import CONV, DTYPES, RANKS, ConvCase, assert_same_bits
from hypothesis import given
from hypothesis import strategies as st

SAMPLE = 6 if cases.CORE else 40


def check_exact(case: ConvCase, reference: bool = True, sample: int = SAMPLE) -> None:
    """Integer data: the bits of both oracles; surroundings and inputs intact; scratch bounded."""
    with cases.naming(case):
        rng = np.random.default_rng(case.seed)
        x, w, bias = cases.conv_data(case, rng)
        before = x.copy()
        canvas = cases.Canvas(case.out_shape, case.dtype, case.out_layout, rng)
        y = cases.run_conv(case, x, w, bias, out=canvas.array)
        canvas.check(y)
        assert y.shape == case.out_shape
        assert_same_bits(x, before)
        positions = cases.some_positions(case.out_spatial, rng, sample)
        exact = cases.oracle_conv(case, x, w, bias, positions)
        assert_same_bits(cases.at(y, positions), exact.astype(case.dtype))
        if cases.CORE and reference:
            assert_same_bits(y, cases.reference_conv(case, x, w, bias))
        cases.check_conv_scratch(case, x, w, bias)


def check_bound(case: ConvCase, sample: int = SAMPLE) -> None:
    """Normal data: the componentwise bound, against both oracles."""
    with cases.naming(case):
        rng = np.random.default_rng(case.seed)
        x, w, bias = cases.conv_data(case, rng, cases.normals)
        y = cases.run_conv(case, x, w, bias)
        error = (case.terms + 2) * cases.unit_roundoff(case.dtype)
        positions = cases.some_positions(case.out_spatial, rng, sample)
        magnitudes = abs(x), abs(w), None if bias is None else abs(bias)
        cases.assert_within(
            cases.at(y, positions),
            cases.oracle_conv(case, x, w, bias, positions),
            cases.oracle_conv(case, *magnitudes, positions) * error * oracle.SLACK[case.dtype],
        )
        if cases.CORE:
            wide = replace(case, dtype="float64")
            data = (x.astype("f8"), w.astype("f8"), None if bias is None else bias.astype("f8"))
            sizes = [None if a is None else abs(a) for a in data]
            twice = 2 if case.dtype == "float64" else 1
            cases.assert_within(
                y,
                cases.reference_conv(wide, *data),
                cases.reference_conv(wide, *sizes) * error * twice,
            )


# ------------------------------------------------------------------------------------------ sweeps


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", RANKS)
def test_sweep_is_exact_on_integers(rank: int, dtype: str) -> None:
    draw = partial(cases.draw_conv, rank=rank, dtype=dtype)
    for case in cases.sweep(f"conv{rank}d/{dtype}", 1200, draw):
        check_exact(case)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", RANKS)
def test_sweep_keeps_the_error_bound(rank: int, dtype: str) -> None:
    draw = partial(cases.draw_conv, rank=rank, dtype=dtype)
    for case in cases.sweep(f"conv{rank}d/{dtype}/bound", 250, draw):
        check_bound(case)


@given(st.randoms(use_true_random=False).map(cases.draw_conv))
def test_any_case_is_exact_on_integers(case: ConvCase) -> None:
    check_exact(case)


@given(st.randoms(use_true_random=False).map(cases.draw_conv))
def test_any_case_keeps_the_error_bound(case: ConvCase) -> None:
    check_bound(case)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_small_geometry_of_one_axis(dtype: str) -> None:
    """Sizes to 9, kernels to 4, strides to 3, dilations to 2, pads from -1 to 3 on each side."""
    rng = np.random.default_rng(1)
    grid = np.ndindex(9, 4, 3, 2, 5, 5)
    for index in grid:
        size, k, s, d, b, a = (int(i) + 1 for i in index)
        pads = ((b - 2, a - 2),)
        if Random(str(index)).randrange(cases.SHARE):
            continue
        if oracle.window_count(size, k, s, d, *pads[0]) < 1:
            continue
        case = ConvCase(dtype, 1, 2, 3, 1, (size,), (k,), (s,), (d,), pads)
        with cases.naming(case):
            x, w, bias = cases.conv_data(case, rng)
            y = cases.run_conv(case, x, w, bias)
            if cases.CORE:
                assert_same_bits(y, cases.reference_conv(case, x, w, bias))
            else:
                exact = oracle.conv(x, w, bias, (s,), (d,), pads)
                assert_same_bits(y, exact.astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("filters", range(1, 21))
def test_every_width_for_every_number_of_filters(filters: int, dtype: str) -> None:
    """Widths 1 to 70: every vector tail and several tiles, for every number of tile rows."""
    for width in range(1, 71):
        kernel, stride = ((3, 3), (1, 1)) if width % 3 else ((2, 5), (1, 2))
        pads = ((1, 1), (kernel[1] // 2, kernel[1] // 2))
        case = ConvCase(
            dtype, 1, 1 + width % 3, filters, 1, (2, width), kernel, stride, (1, 1), pads,
            seed=filters * 100 + width,
        )  # fmt: skip
        if Random(case.seed).randrange(cases.SHARE) == 0:
            check_exact(case, sample=4)


# -------------------------------------------------------------------------------------- big shapes


def big(
    channels: tuple[int, int],
    spatial: cases.Ints,
    kernel: cases.Ints,
    *,
    pad: int = 0,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    batch: int = 1,
) -> ConvCase:
    rank = len(spatial)
    return ConvCase(
        "float32", batch, *channels, groups, spatial, kernel, (stride,) * rank, (dilation,) * rank,
        ((pad, pad),) * rank, seed=7,
    )  # fmt: skip


BIG = {
    "300 channels": big((300, 20), (9, 11), (3, 3), pad=1),
    "1500 channels": big((1500, 13), (7, 7), (3, 3), pad=1),
    "3000 channels": big((3000, 8), (4, 5), (3, 3), pad=1),
    "2048 channels 1x1": big((2048, 24), (7, 7), (1, 1)),
    "3000 channels on one pixel": big((3000, 17), (1, 1), (1, 1), batch=3),
    "700 filters": big((3, 700), (5, 9), (3, 3), pad=1),
    "256 channels on a long row": big((256, 8), (4000,), (3,), pad=1),
    "500 channels 11x11": big((500, 3), (15, 13), (11, 11), pad=2),
    "64 channels 3x3": big((64, 64), (28, 28), (3, 3), pad=1),
    "first layer": big((3, 64), (40, 47), (7, 7), pad=3, stride=2),
    "patches": big((3, 50), (48, 64), (16, 16), stride=16),
    "1x200": big((2, 3), (3, 400), (1, 200)),
    "200x1": big((2, 3), (400, 5), (200, 1)),
    "63x63": big((1, 1), (100, 130), (63, 63)),
    "63x63 on 10x10 with large pads": big((1, 2), (10, 10), (63, 63), pad=40),
    "300x300": big((1, 1), (303, 306), (300, 300)),
    "100000 taps": big((1, 1), (100_050,), (100_000,)),
    "40x60x60": big((1, 2), (41, 62, 63), (40, 60, 60)),
    "row of 10000": big((3, 4), (2, 10_000), (3, 3), pad=1),
    "16 channels of 10000": big((16, 16), (10_000,), (9,)),
    "row of 100000": big((1, 1), (100_000,), (5,), pad=2),
    "dilation 137": big((4, 6), (700,), (5,), dilation=137, pad=60),
    "dilation 101 in 2-d": big((2, 3), (230, 240), (3, 3), dilation=101),
    "dilation 1000 in 2-d": big((2, 5), (1002, 1003), (2, 2), dilation=1000),
    "dilation 300000": big((1, 3), (300_010,), (2,), dilation=300_000),
    "stride 1000": big((2, 2), (150_000,), (3,), stride=1000),
    "stride 9": big((5, 7), (40, 100), (3, 3), stride=9),
    "one voxel": big((2, 3), (1, 1, 1), (3, 3, 3), pad=1),
    "200 channels of one voxel": big((200, 9), (2, 2, 2), (3, 3, 3), pad=1),
    "deep volume": big((4, 4), (64, 3, 3), (5, 3, 3), pad=1),
    "wide volume": big((2, 3), (4, 6, 300), (3, 3, 3), pad=1),
    "512 groups": big((512, 512), (9, 9), (3, 3), pad=1, groups=512),
    "100 groups of 2 to 3": big((200, 300), (6, 9), (3, 3), pad=1, groups=100),
    "batch of 40": big((3, 5), (4, 6), (3, 3), batch=40),
    "pads of 50": big((2, 3), (5, 5), (3, 3), pad=50),
}
# The reference takes one pass over the image for each of their taps; the oracle alone judges them.
MANY_TAPS = {"300x300", "100000 taps", "40x60x60"}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BIG)
def test_big_shapes_are_exact(name: str, dtype: str) -> None:
    """Shapes that force channels, taps, rows or columns to be split into blocks."""
    check_exact(replace(BIG[name], dtype=dtype, threads=2), name not in MANY_TAPS, sample=12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", sorted(BIG.keys() - MANY_TAPS))
def test_big_shapes_keep_the_error_bound(name: str, dtype: str) -> None:
    check_bound(replace(BIG[name], dtype=dtype), sample=6)


# ----------------------------------------------------------------------------------- same bits


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", sorted(BIG.keys() - MANY_TAPS))
def test_bits_do_not_depend_on_threads(name: str, dtype: str) -> None:
    case = replace(BIG[name], dtype=dtype)
    rng = np.random.default_rng(2)
    data = cases.conv_data(case, rng, cases.normals)
    alone = cases.run_conv(case, *data, threads=1)
    for threads in (1, 2, 3, 7) if cases.CORE else (2,):
        out = np.full_like(alone, np.nan)
        assert_same_bits(cases.run_conv(case, *data, threads=threads, out=out), alone)


def draw_batch(random: Random) -> ConvCase:
    return replace(cases.draw_conv(random), batch=random.randint(2, 5), layout="contiguous")


@pytest.mark.parametrize("threads", [1, 3])
def test_bits_do_not_depend_on_batch_or_layout(threads: int) -> None:
    for case in cases.sweep(f"same bits/{threads}", 200, draw_batch):
        with cases.naming(case):
            rng = np.random.default_rng(case.seed)
            x, w, bias = cases.conv_data(case, rng, cases.normals)
            whole = cases.run_conv(case, x, w, bias, threads=threads)
            for image, y in zip(x, whole, strict=True):
                assert_same_bits(cases.run_conv(case, image, w, bias, threads=threads), y)
            for layout in ("fortran", "channels_last", "unaligned", "scattered"):
                moved = cases.arrange(x, layout, rng)
                canvas = cases.Canvas(case.out_shape, case.dtype, case.out_layout, rng)
                y = cases.run_conv(case, moved, w, bias, threads=threads, out=canvas.array)
                assert_same_bits(y, whole)


def chain(x: cases.Array, w: cases.Array, fused: bool) -> cases.Array:
    """One chain of multiply-adds an output, in the order (c, kh, kw), of integers in x and w.

    They are so small that a step is exact in the wider type, and so large that each one rounds.
    """
    wide = np.float64 if x.dtype == np.float32 else np.longdouble
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], (1, 2))
    terms = np.moveaxis(windows, (3, 4), (1, 2)).reshape(w[0].size, -1).astype(wide)
    filters = w.reshape(len(w), -1).astype(wide)
    total = np.zeros((len(w), terms.shape[1]), x.dtype)
    for k, term in enumerate(terms):
        product = filters[:, k, None] * term
        if not fused:
            product = product.astype(x.dtype)
        total = (total + product).astype(x.dtype)
    return total.reshape(len(w), *windows.shape[1:3])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("channels", "spatial", "kernel"),
    [
        (3, (9, 70), (3, 3)),
        (17, (5, 23), (5, 2)),
        (3000, (12, 12), (3, 3)),
        (1, (64, 70), (63, 63)),
        (1, (3, 230), (1, 200)),
    ],
)
def test_sum_is_one_chain_of_multiply_adds(
    core: Any, channels: int, spatial: cases.Ints, kernel: cases.Ints, dtype: str
) -> None:
    """The promise of 'direct', however it is cut into blocks; the generic kernels do not fuse."""
    bits = 13 if dtype == "float32" else 27
    if dtype == "float64" and not oracle.WIDE:
        pytest.skip("long double is no wider than float64 here: the steps cannot be followed")
    rng = np.random.default_rng(channels)
    x = cases.integers(rng, (channels, *spatial), dtype, 2**bits)
    w = cases.integers(rng, (5, channels, *kernel), dtype, 2**bits)
    bias = cases.integers(rng, (5,), dtype, 2**bits)
    total = chain(x, w, fused=core.isa() != "generic")
    assert_same_bits(CONV[2](x, w, algorithm="direct"), total)
    assert_same_bits(CONV[2](x, w, bias, algorithm="direct"), total + bias[:, None, None])


# ---------------------------------------------------------------------------------- special values


def assert_special(
    case: ConvCase, x: cases.Array, w: cases.Array, bias: cases.Array | None
) -> None:
    """Equal to the oracle where values are exact, NaN and Inf included; a zero has any sign."""
    y = cases.run_conv(case, x, w, bias)
    positions = list(np.ndindex(*case.out_spatial))
    exact = cases.oracle_conv(case, x, w, bias, positions).astype(case.dtype)
    np.testing.assert_array_equal(cases.at(y, positions), exact)


SPECIALS = [np.nan, np.inf, -np.inf, -0.0]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", SPECIALS)
def test_special_input_reaches_exactly_its_windows(value: float, dtype: str) -> None:
    for width in (1, 3, 4, 7, 8, 15, 16, 17, 31, 33, 65):
        for column in {0, width // 2, width - 1}:
            case = ConvCase(dtype, 1, 3, 5, 1, (4, width), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)))
            x, w, bias = cases.conv_data(case, np.random.default_rng(width))
            x[0, 1, 2, column] = value
            assert_special(case, x, w, bias)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", SPECIALS)
@pytest.mark.parametrize("filters", [1, 5, 8, 9])
def test_special_weight_meets_padding(filters: int, value: float, dtype: str) -> None:
    """A tap on padding contributes w * 0, so an infinite weight there gives NaN."""
    case = ConvCase(
        dtype, 1, 2, filters, 1, (3, 19), (3, 3), (1, 1), (1, 1), ((1, 1), (2, 1)), False
    )
    x, w, _ = cases.conv_data(case, np.random.default_rng(5))
    w[filters // 2, 1, 0, 2] = value
    assert_special(case, x, w, None)
    explicit = np.pad(x, ((0, 0), (0, 0), *case.pads))
    y = cases.run_conv(case, x, w, None)
    np.testing.assert_array_equal(y, CONV[2](explicit, w))
    if np.isinf(value):
        assert np.isnan(y[0, filters // 2, 0]).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [*SPECIALS, 3.0])
def test_special_bias_stays_in_its_channel(value: float, dtype: str) -> None:
    case = ConvCase(dtype, 2, 2, 9, 1, (21,), (3,), (1,), (1,), ((1, 1),))
    x, w, bias = cases.conv_data(case, np.random.default_rng(6))
    assert bias is not None
    bias[4] = value
    assert_special(case, x, w, bias)


@pytest.mark.parametrize("dtype", DTYPES)
def test_subnormal_values_are_not_flushed(dtype: str) -> None:
    """Sums of multiples of the smallest subnormal are exact, whichever operand holds them."""
    case = ConvCase(dtype, 1, 3, 4, 1, (37,), (3,), (1,), (1,), ((1, 1),), False)
    x, w, _ = cases.conv_data(case, np.random.default_rng(8))
    tiny = np.finfo(dtype).smallest_subnormal
    for small in [(x * tiny, w), (x, w * tiny)]:
        y = cases.run_conv(case, *small, None)
        assert np.count_nonzero(y) > y.size // 2
        assert_special(case, *small, None)


@pytest.mark.parametrize("dtype", DTYPES)
def test_overflow_gives_infinity(dtype: str) -> None:
    x = np.full((1, 1, 9), np.finfo(dtype).max, dtype)
    w = np.full((2, 1, 1), [[[2]], [[-2]]], dtype)
    with np.errstate(over="ignore"):
        y = CONV[1](x, w)
    assert (y[0, 0] == np.inf).all()
    assert (y[0, 1] == -np.inf).all()


# ------------------------------------------------------------------------------- arrays taken


def integer_case(rank: int) -> ConvCase:
    return ConvCase(
        "float32", 2, 4, 6, 1, (5, 6, 23)[-rank:], (2, 3, 3)[-rank:], (1, 1, 1)[-rank:],
        (1, 1, 1)[-rank:], ((0, 0),) * rank, seed=3,
    )  # fmt: skip


def data_of(case: ConvCase) -> tuple[cases.Array, cases.Array, cases.Array]:
    x, w, bias = cases.conv_data(case, np.random.default_rng(case.seed))
    assert bias is not None
    return x, w, bias


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("out", [False, True])
def test_unbatched_input_is_one_image(rank: int, out: bool) -> None:
    x, w, bias = data_of(integer_case(rank))
    batched = CONV[rank](x, w, bias)
    room = np.empty_like(batched[1]) if out else None
    assert_same_bits(CONV[rank](x[1], w, bias, out=room), batched[1])


@pytest.mark.parametrize(
    ("first", "second", "third", "result"),
    [
        ("f4", "f4", "f4", "f4"),
        ("f4", "f8", "f4", "f8"),
        ("f8", "f4", "f4", "f8"),
        ("f4", "f4", "f8", "f8"),
        ("f8", "f8", "f4", "f8"),
    ],
)
def test_mixed_dtypes_follow_result_type(first: str, second: str, third: str, result: str) -> None:
    x, w, bias = data_of(integer_case(2))
    y = CONV[2](x.astype(first), w.astype(second), bias.astype(third))
    assert_same_bits(y, CONV[2](x, w, bias).astype(result))


class Subclass(np.ndarray[Any, Any]):
    """An ndarray subclass that changes nothing."""


class Arrayish:
    """Offers its values through __array__ only."""

    def __init__(self, values: cases.Array) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> cases.Array:
        return self.values


CONVERSIONS: dict[str, Callable[[cases.Array], Any]] = {
    "list": lambda a: a.tolist(),
    "subclass": lambda a: a.view(Subclass),
    "__array__": Arrayish,
    "memoryview": memoryview,
    "fortran": np.asfortranarray,
    "reversed": lambda a: np.flip(np.flip(a).copy()),
    "unaligned": cases.unaligned,
}


@pytest.mark.parametrize("name", CONVERSIONS)
def test_whatever_asarray_takes(name: str) -> None:
    x, w, bias = (a.astype("f8") for a in data_of(integer_case(2)))
    convert = CONVERSIONS[name]
    y = CONV[2](convert(x), convert(w), convert(bias))
    assert type(y) is np.ndarray
    assert_same_bits(y, CONV[2](x, w, bias))


@pytest.mark.parametrize("rank", RANKS)
def test_readonly_inputs_are_taken(rank: int) -> None:
    data = data_of(integer_case(rank))
    expected = CONV[rank](*data)
    for a in data:
        a.flags.writeable = False
    assert_same_bits(CONV[rank](*data), expected)


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("filters", [1, 4])
def test_empty_batch_and_empty_channels(rank: int, filters: int) -> None:
    w, size = np.ones((filters, 3, *(2,) * rank), "f4"), (4,) * rank
    assert CONV[rank](np.ones((0, 3, *size), "f4"), w).shape == (0, filters, *(3,) * rank)
    bias = np.arange(filters, dtype="f4") + 1
    y = CONV[rank](np.ones((2, 0, *size), "f4"), w[:, :0], bias, activation="relu")
    assert y.shape == (2, filters, *(3,) * rank)
    assert (y == bias.reshape(-1, *(1,) * rank)).all()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shift", [0, 1, 7, 40, 200])
def test_out_may_overlap_the_input(shift: int, threads: int) -> None:
    rng = np.random.default_rng(9)
    buffer = cases.integers(rng, (2 * 4 * 9 * 11 + 200,), "float32")
    w = cases.integers(rng, (4, 4, 3, 3), "float32")
    x = buffer[: 2 * 4 * 9 * 11].reshape(2, 4, 9, 11)
    out = buffer[shift : shift + x.size].reshape(x.shape)
    expected = CONV[2](x.copy(), w, padding=1)
    y = CONV[2](x, w, padding=1, out=out, threads=threads)
    assert y is out
    assert_same_bits(y, expected)


@pytest.mark.parametrize("which", ["weight", "bias"])
def test_out_may_overlap_weight_and_bias(which: str) -> None:
    rng = np.random.default_rng(10)
    x = cases.integers(rng, (1, 2, 17), "float32")
    w, bias = cases.integers(rng, (8, 2, 3), "float32"), cases.integers(rng, (8,), "float32")
    expected = CONV[1](x, w, bias)
    room = np.zeros(8 * 15, "f4")
    if which == "weight":
        room[: w.size] = w.ravel()
        w = room[: w.size].reshape(w.shape)
    else:
        room[:8] = bias
        bias = room[:8]
    assert_same_bits(CONV[1](x, w, bias, out=room.reshape(1, 8, 15)), expected)


def test_out_may_be_reversed_input() -> None:
    x, _, _ = data_of(integer_case(1))
    w = np.ones((4, 4, 3), "f4")
    expected = CONV[1](x.copy(), w, padding=1)
    assert_same_bits(CONV[1](x, w, padding=1, out=x[::-1, ::-1, ::-1]), expected)
    assert_same_bits(x[::-1, ::-1, ::-1].copy(), expected)


def test_unaligned_out() -> None:
    x, w, bias = data_of(integer_case(2))
    expected = CONV[2](x, w, bias)
    room = cases.unaligned(np.zeros_like(expected))
    assert CONV[2](x, w, bias, out=room) is room
    assert_same_bits(room, expected)
