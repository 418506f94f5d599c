"""max_pool, min_pool and avg_pool: every geometry, dtype and layout against two oracles.

Integer-valued data sum exactly and the one division rounds once, so averages equal the oracle bit
for bit; on random data an average of K taps is within (K + 1) u of the mean magnitude. Extremes
are compared by value: the sign of a zero extreme is unspecified.
"""

import math
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import cases
import numpy as np
import oracle
import pytest
from cases import (
    AVG_POOL,
    DTYPES,
    MAX_POOL,
    MIN_POOL,
    POOL,
    RANKS,
    PoolCase,
    assert_same_bits,
)
from hypothesis import given
from hypothesis import strategies as st

KINDS = [*POOL]
SAMPLE = 6 if cases.CORE else 40
WIDTHS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 65, 70]


def assert_equal_values(actual: cases.Array, expected: cases.Array) -> None:
    """Same bits, but for the sign of zeros."""
    zero = actual.dtype.type(0)
    assert_same_bits(actual + zero, expected + zero)


def check(case: PoolCase, draw: Any = cases.integers, sample: int = SAMPLE) -> None:
    """Both oracles; surroundings and input intact; scratch bounded."""
    with cases.naming(case):
        rng = np.random.default_rng(case.seed)
        x = cases.pool_data(case, rng, draw)
        before = x.copy()
        canvas = cases.Canvas(case.out_shape, case.dtype, case.out_layout, rng)
        y = cases.run_pool(case, x, out=canvas.array)
        canvas.check(y)
        assert y.shape == case.out_shape
        assert_same_bits(x, before)
        positions = cases.some_positions(case.out_spatial, rng, sample)
        exact = cases.oracle_pool(case, x, positions)
        actual = cases.at(y, positions)
        if case.kind != "avg" or draw is cases.integers:
            assert_equal_values(actual, exact.astype(case.dtype))
            if cases.CORE:
                assert_equal_values(y, cases.reference_pool(case, x))
        else:
            u = (math.prod(case.kernel) + 1) * cases.unit_roundoff(case.dtype)
            bound = cases.oracle_pool(case, abs(x), positions) * u * oracle.SLACK[case.dtype]
            assert np.array_equal(np.isnan(actual), np.isnan(exact))
            known = ~np.isnan(exact)
            cases.assert_within(actual[known], exact[known], bound[known])
        cases.check_pool_scratch(case, x)


# ------------------------------------------------------------------------------------------ sweeps


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("kind", KINDS)
def test_sweep_is_exact_on_integers(kind: str, rank: int, dtype: str) -> None:
    draw = partial(cases.draw_pool, kind=kind, rank=rank, dtype=dtype)
    for case in cases.sweep(f"{kind}/{rank}/{dtype}", 600, draw):
        check(case)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_sweep_on_random_data(kind: str, dtype: str) -> None:
    draw = partial(cases.draw_pool, kind=kind, dtype=dtype)
    for case in cases.sweep(f"{kind}/{dtype}/random", 200, draw):
        check(case, cases.normals)


@given(st.randoms(use_true_random=False).map(cases.draw_pool))
def test_any_case_is_exact_on_integers(case: PoolCase) -> None:
    check(case)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ceil", [False, True])
def test_every_small_geometry_of_one_axis(kind: str, ceil: bool) -> None:
    """Sizes to 7, kernels and strides to 4, dilations to 2, pads from -1 to 3 on each side."""
    rng = np.random.default_rng(1)
    for index in np.ndindex(7, 4, 4, 2, 5, 5):
        size, k, s, d, b, a = (int(i) + 1 for i in index)
        pad = (b - 2, a - 2)
        if Random(str(index)).randrange(cases.SHARE):
            continue
        if oracle.window_count(size, k, s, d, *pad, ceil) < 1:
            continue
        for count_include_pad in [True, False] if kind == "avg" else [True]:
            case = PoolCase(
                kind, "float32", 1, 2, (size,), (k,), (s,), (d,), (pad,), ceil, count_include_pad
            )
            with cases.naming(case):
                x = cases.pool_data(case, rng)
                y = cases.run_pool(case, x)
                exact = cases.oracle_pool(case, x, list(np.ndindex(*case.out_spatial)))
                assert_equal_values(y, exact.astype("f4"))


# -------------------------------------------------------------------------------------- big shapes


def big(
    channels: int,
    spatial: cases.Ints,
    kernel: cases.Ints,
    *,
    stride: int = 1,
    pad: int = 0,
    dilation: int = 1,
    ceil: bool = False,
    count_include_pad: bool = True,
) -> PoolCase:
    rank = len(spatial)
    return PoolCase(
        "max", "float32", 1, channels, spatial, kernel, (stride,) * rank, (dilation,) * rank,
        ((pad, pad),) * rank, ceil, count_include_pad, seed=11, threads=2,
    )  # fmt: skip


BIG = {
    "3x3 stride 2": big(16, (57, 61), (3, 3), stride=2, pad=1),
    "2x2 stride 2": big(8, (64, 97), (2, 2), stride=2),
    "5x5 same": big(9, (20, 35), (5, 5), pad=2),
    "31x31": big(2, (70, 90), (31, 31)),
    "63x63 on 10x10": big(2, (10, 10), (63, 63), pad=40, count_include_pad=False),
    "1x200": big(3, (3, 400), (1, 200)),
    "200x1": big(3, (400, 5), (200, 1)),
    "20000 taps": big(2, (20_050,), (20_000,)),
    "row of 10000": big(3, (2, 10_000), (3, 3), pad=1),
    "row of 100000": big(1, (100_000,), (5,), stride=3),
    "dilation 137": big(3, (700,), (5,), dilation=137, pad=60),
    "dilation 300000": big(2, (300_010,), (2,), dilation=300_000),
    "dilation 1000 in 2-d": big(2, (1002, 1003), (2, 2), dilation=1000),
    "stride 1000": big(2, (100_000,), (3,), stride=1000, ceil=True),
    "stride 9": big(3, (40, 100), (3, 3), stride=9, ceil=True),
    "1000 channels": big(1000, (5, 6), (3, 3), pad=1),
    "global": big(64, (7, 7), (7, 7)),
    "global on a large map": big(2, (150, 160), (150, 160)),
    "one voxel": big(5, (1, 1, 1), (3, 3, 3), pad=1, count_include_pad=False),
    "deep volume": big(4, (64, 3, 3), (5, 3, 3), pad=1),
    "pads of 50": big(3, (5, 5), (3, 3), pad=50, count_include_pad=False),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BIG)
def test_big_shapes(name: str, kind: str, dtype: str) -> None:
    case = replace(BIG[name], kind=kind, dtype=dtype)
    check(case, sample=12)
    check(case, cases.normals, sample=12)


# ------------------------------------------------------------------------------------- same bits


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BIG)
def test_bits_do_not_depend_on_threads(name: str, kind: str, dtype: str) -> None:
    case = replace(BIG[name], kind=kind, dtype=dtype)
    x = cases.pool_data(case, np.random.default_rng(2), cases.normals)
    alone = cases.run_pool(case, x, threads=1)
    for threads in (1, 2, 3, 7) if cases.CORE else (2,):
        out = np.full_like(alone, 7)
        assert_same_bits(cases.run_pool(case, x, threads=threads, out=out), alone)


def draw_batch(random: Random) -> PoolCase:
    return replace(cases.draw_pool(random), batch=random.randint(2, 5), layout="contiguous")


@pytest.mark.parametrize("threads", [1, 3])
def test_bits_do_not_depend_on_batch_or_layout(threads: int) -> None:
    for case in cases.sweep(f"pool same bits/{threads}", 200, draw_batch):
        with cases.naming(case):
            rng = np.random.default_rng(case.seed)
            x = cases.pool_data(case, rng, cases.normals)
            whole = cases.run_pool(case, x, threads=threads)
            for image, y in zip(x, whole, strict=True):
                assert_same_bits(cases.run_pool(case, image, threads=threads), y)
            for layout in ("fortran", "channels_last", "unaligned", "scattered"):
                moved = cases.arrange(x, layout, rng)
                canvas = cases.Canvas(case.out_shape, case.dtype, case.out_layout, rng)
                y = cases.run_pool(case, moved, threads=threads, out=canvas.array)
                assert_same_bits(y, whole)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "kernel", [(1, 5), (2, 2), (3, 3), (4, 4), (5, 5), (7, 5), (31, 9), (400, 401)]
)
def test_average_has_sixteen_partial_sums(core: Any, kernel: tuple[int, int], dtype: str) -> None:
    """Tap i goes to sum i mod 16, and neighbours are added first, however a window is cut."""
    shape = (kernel[0] + 1, kernel[1] + 3)
    x = cases.normals(np.random.default_rng(3), (1, 2, *shape), dtype)
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel, (2, 3)).reshape(2, 2, 4, -1)
    count = windows.shape[3]
    padded = np.zeros((2, 2, 4, -(-count // 16) * 16), dtype)
    padded[..., :count] = windows
    sums = np.add.accumulate(padded.reshape(2, 2, 4, -1, 16), axis=3)[..., -1, :]
    while sums.shape[3] > 1:
        sums = sums[..., ::2] + sums[..., 1::2]
    assert_same_bits(AVG_POOL[2](x, kernel, 1), (sums[..., 0] / np.asarray(count, dtype))[None])


# ----------------------------------------------------------------------------------- special values


def assert_special(case: PoolCase, x: cases.Array) -> None:
    """Equal to the oracle in every element, NaN and Inf included."""
    exact = cases.oracle_pool(case, x, list(np.ndindex(*case.out_spatial)))
    y = cases.run_pool(case, x).reshape(exact.shape)
    np.testing.assert_array_equal(y, exact.astype(case.dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", WIDTHS)
def test_nan_in_every_lane_and_tail(width: int, kind: str, dtype: str) -> None:
    """One NaN at each column in turn reaches exactly the windows that hold it."""
    for kernel, stride, pad, dilation in [(3, 1, 1, 1), (2, 2, 0, 1), (3, 2, 2, 1), (2, 1, 1, 3)]:
        case = PoolCase(
            kind, dtype, 1, width, (width,), (kernel,), (stride,), (dilation,), ((pad, pad),)
        )
        if case.out_spatial[0] < 1:
            continue
        x = cases.integers(np.random.default_rng(width), (1, width, width), dtype)
        x[0, range(width), range(width)] = np.nan
        assert_special(case, x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kernel", [(2, 2), (3, 3), (5, 4), (1, 7), (9, 9)])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_special_value_at_every_place_of_a_window(
    value: float, kernel: tuple[int, int], dtype: str
) -> None:
    places = math.prod(kernel)
    x = np.full((places, *kernel), -5, dtype)
    x.reshape(places, places)[range(places), range(places)] = value
    for kind in KINDS:
        case = PoolCase(kind, dtype, 1, places, kernel, kernel, (1, 1), (1, 1), ((0, 0), (0, 0)))
        assert_special(case, x[None])
        wide = np.tile(x, (1, 1, 17))[None]
        assert_special(replace(case, spatial=wide.shape[2:], stride=kernel), wide)


@pytest.mark.parametrize("value", [np.nan, -np.inf, np.inf, np.finfo("f4").min])
def test_windows_of_one_value(value: float) -> None:
    x = np.full((2, 3, 9, 21), value, "f4")
    for pool in (MAX_POOL[2], MIN_POOL[2]):
        y = pool(x, 3, stride=2, padding=2)
        np.testing.assert_array_equal(y, np.full_like(y, value))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", RANKS)
def test_windows_without_input(rank: int, dtype: str) -> None:
    """Pads wider than the window: max gives -inf, min inf; avg 0 when pads count, else NaN."""
    x = np.ones((1, 2, *(3,) * rank), dtype)
    inside = (slice(None), slice(None), *(slice(3, 8),) * rank)
    for y, empty in [
        (MAX_POOL[rank](x, 3, 1, 5), -np.inf),
        (MIN_POOL[rank](x, 3, 1, 5), np.inf),
        (AVG_POOL[rank](x, 3, 1, 5), 0),
        (AVG_POOL[rank](x, 3, 1, 5, count_include_pad=False), np.nan),
    ]:
        assert y.shape == (1, 2, *(11,) * rank)
        outside = np.ones(y.shape, bool)
        outside[inside] = False
        np.testing.assert_array_equal(y[outside], np.full(outside.sum(), empty, dtype))
        assert (y[inside] > 0).all()


@pytest.mark.parametrize("rank", RANKS)
def test_dilated_windows_that_straddle_the_input(rank: int) -> None:
    """A dilated window may have taps on both pads and none on the input between them."""
    x = np.ones((1, 1, *(2,) * rank), "f4")
    y = MAX_POOL[rank](x, 2, 1, 2, dilation=4)
    assert y.shape == (1, 1, *(2,) * rank)
    assert (y == -np.inf).all()
    assert (MIN_POOL[rank](x, 2, 1, 2, dilation=4) == np.inf).all()


# -------------------------------------------------------------- averages: what the divisor counts


def test_divisors_by_hand() -> None:
    """One row of six ones, windows of three, stride two, one declared zero on each side."""
    x = np.ones((1, 1, 6), "f4")

    def average(**keywords: Any) -> Any:
        return AVG_POOL[1](x, 3, 2, 1, **keywords)[0, 0].tolist()

    third = float(np.float32(2) / np.float32(3))
    assert average() == [third, 1, 1]
    assert average(count_include_pad=False) == [1, 1, 1]
    assert average(divisor_override=2) == [1, 1.5, 1.5]
    # The fourth window covers the last one, the declared zero, and one place beyond it.
    assert average(ceil_mode=True) == [third, 1, 1, 0.5]
    assert average(ceil_mode=True, count_include_pad=False) == [1, 1, 1, 1]
    assert average(ceil_mode=True, divisor_override=4) == [0.5, 0.75, 0.75, 0.25]


def test_ceil_mode_drops_a_window_that_starts_in_the_trailing_pad() -> None:
    x = np.arange(1, 5, dtype="f4").reshape(1, 1, 4)
    assert MAX_POOL[1](x, 2, 3, 1).shape == (1, 1, 2)
    assert MAX_POOL[1](x, 2, 3, 1, ceil_mode=True)[0, 0].tolist() == [1, 4]
    assert MAX_POOL[1](x, 1, 3, 1, ceil_mode=True).shape == (1, 1, 2)
    assert MAX_POOL[1](x, 1, 1, ((0, 3),), ceil_mode=True)[0, 0].tolist() == [1, 2, 3, 4]


def test_large_averages_do_not_drift() -> None:
    """Large and small values side by side: no running sum may carry one into the next window."""
    x = np.ones((1, 1, 1, 200), "f4")
    x[..., ::50] = 2.0**40
    y = AVG_POOL[2](x, (1, 4), 1)
    quiet = np.lib.stride_tricks.sliding_window_view(x, 4, 3).max(axis=4) == 1
    assert (y[quiet] == 1).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_division_is_correctly_rounded(dtype: str) -> None:
    """Averages divide by the count; a product with its reciprocal would differ in the last bit."""
    x = np.arange(1, 400, dtype=dtype).reshape(1, 1, -1)
    for count in (3, 5, 7, 11, 13):
        sums = np.lib.stride_tricks.sliding_window_view(x, count, 2).sum(axis=3)
        assert_same_bits(AVG_POOL[1](x, count, 1), sums / np.asarray(count, dtype))
        assert_same_bits(AVG_POOL[1](x, 1, divisor_override=count), x / np.asarray(count, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("divisor", [3, 7, 9, 25, 2**20 - 1, 2**20 + 1, 2**24 - 1, 2**25 - 2])
def test_division_is_correctly_rounded_at_any_size(divisor: int, dtype: str) -> None:
    """Numbers of every exponent, infinities and NaN, each alone in three windows of a row."""
    random = np.random.default_rng(divisor)
    values = random.integers(0, 256, 4000 * np.dtype(dtype).itemsize, np.uint8).view(dtype)
    near = np.ldexp(random.uniform(1, 2, 1000), random.integers(-10, 10, 1000)).astype(dtype)
    info = np.finfo(dtype)
    special = [0, -0.0, np.inf, -np.inf, np.nan, info.tiny, info.smallest_subnormal, info.max]
    with np.errstate(all="ignore"):
        values = np.concatenate([near, special, values]).astype(dtype)
        expected = ((values + 0).repeat(3) / np.asarray(divisor, dtype))[None, None]
    x = np.zeros((1, 1, 3 * len(values)), dtype)
    x[0, 0, 1::3] = values
    y = AVG_POOL[1](x, 3, 1, 1, divisor_override=divisor)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(np.signbit(y)[y == 0], np.signbit(expected)[y == 0])


# ------------------------------------------------------------------------------------ arrays taken


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("out", [False, True])
def test_unbatched_input_is_one_image(out: bool, kind: str, rank: int) -> None:
    x = cases.integers(np.random.default_rng(1), (2, 3, *(7,) * rank), "float32")
    batched = POOL[kind][rank](x, 3, 2, 1)
    room = np.empty_like(batched[1]) if out else None
    assert_same_bits(POOL[kind][rank](x[1], 3, 2, 1, out=room), batched[1])


@pytest.mark.parametrize("kind", KINDS)
def test_stride_defaults_to_the_kernel(kind: str) -> None:
    x = cases.integers(np.random.default_rng(1), (1, 3, 9, 11), "float32")
    y = POOL[kind][2](x, (2, 3))
    assert_same_bits(y, POOL[kind][2](x, (2, 3), stride=(2, 3)))
    assert y.shape == (1, 3, 4, 3)


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("kind", KINDS)
def test_empty_batch_and_empty_channels(kind: str, rank: int) -> None:
    for batch, channels in [(0, 3), (2, 0), (0, 0)]:
        x = np.ones((batch, channels, *(6,) * rank), "f4")
        assert POOL[kind][rank](x, 2).shape == (batch, channels, *(3,) * rank)


@pytest.mark.parametrize("kind", KINDS)
def test_lists_and_readonly_input(kind: str) -> None:
    x = cases.integers(np.random.default_rng(3), (2, 3, 9), "float64")
    expected = POOL[kind][1](x, 2)
    x.flags.writeable = False
    assert_same_bits(POOL[kind][1](x, 2), expected)
    assert_same_bits(POOL[kind][1](x.tolist(), 2), expected)


@pytest.mark.parametrize("shift", [0, 1, 5, 30])
@pytest.mark.parametrize("kind", KINDS)
def test_out_may_overlap_the_input(kind: str, shift: int) -> None:
    buffer = cases.integers(np.random.default_rng(4), (2 * 3 * 9 * 11 + 30,), "float32")
    x = buffer[: 2 * 3 * 9 * 11].reshape(2, 3, 9, 11)
    out = buffer[shift : shift + x.size].reshape(x.shape)
    expected = POOL[kind][2](x.copy(), 3, 1, 1)
    y = POOL[kind][2](x, 3, 1, 1, out=out)
    assert y is out
    assert_same_bits(y, expected)


@pytest.mark.parametrize("rank", RANKS)
def test_pool_of_one_tap_is_the_identity(rank: int) -> None:
    x = cases.normals(np.random.default_rng(5), (2, 3, *(7,) * rank), "float32")
    assert_same_bits(MAX_POOL[rank](x, 1), x)
    assert_same_bits(MIN_POOL[rank](x, 1), x)
    assert_same_bits(AVG_POOL[rank](x, 1), x)


@pytest.mark.parametrize("rank", RANKS)
def test_max_pool_of_max_pool_is_a_wider_one(rank: int) -> None:
    x = cases.normals(np.random.default_rng(6), (1, 2, *(12,) * rank), "float32")
    assert_same_bits(MAX_POOL[rank](MAX_POOL[rank](x, 3, 1), 4, 1), MAX_POOL[rank](x, 6, 1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", RANKS)
def test_min_pool_is_max_pool_upside_down(rank: int, dtype: str) -> None:
    x = cases.normals(np.random.default_rng(7), (2, 3, *(13,) * rank), dtype)
    x.flat[::7] = np.nan
    for arguments in [(3, 2, 1), (2,), (3, 1, 4, 2, True)]:
        assert_same_bits(MIN_POOL[rank](x, *arguments), -MAX_POOL[rank](-x, *arguments))
