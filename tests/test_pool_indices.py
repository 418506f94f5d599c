"""return_indices of max_pool and min_pool: where each extreme was found, against two oracles.

Data of few distinct values make ties the rule; NaN and infinities are mixed in, for an infinity
looks like padding to a kernel that only compares.
"""

import math
from dataclasses import replace
from random import Random
from typing import Any

import cases
import numpy as np
import oracle
import pytest
from cases import DTYPES, MAX_POOL, POOL, RANKS, PoolCase, assert_same_bits
from hypothesis import given
from hypothesis import strategies as st
from test_pool import BIG, WIDTHS, assert_equal_values

KINDS = ["max", "min"]
SAMPLE = 6 if cases.CORE else 40
SPECIAL = [np.nan, np.inf, -np.inf]


def ties(rng: np.random.Generator, shape: cases.Ints, dtype: str) -> cases.Array:
    """Integers from -1 to 1, with one in eight an infinity or NaN."""
    x = rng.integers(-1, 1, shape, endpoint=True).astype(dtype)
    special = rng.random(shape) < 0.125
    x[special] = rng.choice(SPECIAL, int(special.sum()))
    return x


def infinities(rng: np.random.Generator, shape: cases.Ints, dtype: str) -> cases.Array:
    """Nothing but infinities of both signs: each may be a window's extreme or its padding's."""
    return rng.choice(np.array([np.inf, -np.inf], dtype), shape, p=[0.4, 0.6])


def indexed(case: PoolCase, x: cases.Array, **keywords: Any) -> tuple[cases.Array, cases.Array]:
    return cases.run_pool(case, x, return_indices=True, **keywords)  # type: ignore[return-value]


def check(case: PoolCase, draw: Any = ties, sample: int = SAMPLE) -> None:
    """Values as without indices, indices as both oracles find them, surroundings intact."""
    with cases.naming(case):
        rng = np.random.default_rng(case.seed)
        x = cases.pool_data(case, rng, draw)
        before = x.copy()
        canvas = cases.Canvas(case.out_shape, case.dtype, case.out_layout, rng)
        values, places = indexed(case, x, out=canvas.array)
        canvas.check(values)
        assert_same_bits(x, before)
        assert_equal_values(values, cases.run_pool(case, x))
        assert places.shape == case.out_shape
        assert places.dtype == np.int64
        positions = cases.some_positions(case.out_spatial, rng, sample)
        expected = oracle.places(
            case.kind, x, case.kernel, case.stride, case.dilation, case.pads, positions
        )
        np.testing.assert_array_equal(cases.at(places, positions), expected)
        if cases.CORE:
            wanted = np.empty(case.out_shape, np.int64)
            cases.reference_pool(case, x, wanted)
            np.testing.assert_array_equal(places, wanted)
        cases.check_pool_scratch(case, x, places)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("kind", KINDS)
def test_sweep(kind: str, rank: int, dtype: str) -> None:
    def draw(random: Random) -> PoolCase:
        return cases.draw_pool(random, kind, rank, dtype)

    for number, case in enumerate(cases.sweep(f"indices/{kind}/{rank}/{dtype}", 300, draw)):
        check(case, [ties, ties, infinities][number % 3])


@given(st.randoms(use_true_random=False).map(lambda r: cases.draw_pool(r, r.choice(KINDS))))
def test_any_case(case: PoolCase) -> None:
    check(case)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ceil", [False, True])
def test_every_small_geometry_of_one_axis(kind: str, ceil: bool) -> None:
    """Sizes to 5, kernels and strides to 4, dilations to 2, pads from -1 to 3 on each side."""
    for index in np.ndindex(5, 4, 4, 2, 5, 5):
        size, k, s, d, b, a = (int(i) + 1 for i in index)
        pad = (b - 2, a - 2)
        if Random(str(index)).randrange(cases.SHARE):
            continue
        if oracle.window_count(size, k, s, d, *pad, ceil) >= 1:
            case = PoolCase(kind, "float32", 1, 3, (size,), (k,), (s,), (d,), (pad,), ceil)
            check(case, infinities if sum(index) % 2 else ties)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BIG)
def test_big_shapes(name: str, kind: str, dtype: str) -> None:
    case = replace(BIG[name], kind=kind, dtype=dtype)
    check(case, sample=12)
    check(case, cases.normals, sample=12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BIG)
def test_bits_do_not_depend_on_threads(name: str, dtype: str) -> None:
    case = replace(BIG[name], kind="max", dtype=dtype)
    x = cases.pool_data(case, np.random.default_rng(2), ties)
    values, places = indexed(case, x, threads=1)
    for threads in (2, 3, 7) if cases.CORE else (2,):
        again = indexed(case, x, threads=threads)
        assert_same_bits(again[0], values)
        np.testing.assert_array_equal(again[1], places)


def test_result_does_not_depend_on_batch_or_layout() -> None:
    for case in cases.sweep("indices same", 100, lambda r: cases.draw_pool(r, r.choice(KINDS))):
        with cases.naming(case):
            case = replace(case, batch=3, layout="contiguous")
            rng = np.random.default_rng(case.seed)
            x = cases.pool_data(case, rng, ties)
            values, places = indexed(case, x)
            for image, y, where in zip(x, values, places, strict=True):
                alone = indexed(case, image)
                assert_same_bits(alone[0], y)
                np.testing.assert_array_equal(alone[1], where)
            for layout in ("fortran", "channels_last", "unaligned", "scattered"):
                moved = indexed(case, cases.arrange(x, layout, rng))
                assert_same_bits(moved[0], values)
                np.testing.assert_array_equal(moved[1], places)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", WIDTHS)
def test_nan_in_every_lane_and_tail(width: int, kind: str, dtype: str) -> None:
    """The first of two NaNs in each row is named by every window that holds it."""
    for kernel, stride, pad, dilation in [(3, 1, 1, 1), (2, 2, 0, 1), (3, 2, 2, 1), (2, 1, 1, 3)]:
        case = PoolCase(
            kind, dtype, 1, width, (width,), (kernel,), (stride,), (dilation,), ((pad, pad),)
        )
        if case.out_spatial[0] < 1:
            continue

        def draw(rng: np.random.Generator, shape: cases.Ints, dtype: str) -> cases.Array:
            x = cases.integers(rng, shape, dtype)
            x[0, range(shape[1]), range(shape[1])] = np.nan
            x[0, range(shape[1] - 1), range(1, shape[1])] = np.nan
            return x

        check(case, draw, sample=100)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [*SPECIAL, 0, 3])
def test_of_equals_the_first(value: float, kind: str) -> None:
    """Also when padding comes first, or the window is cut into chunks."""
    for rank in RANKS:
        x = np.full((1, 1, *(4,) * rank), value, "f4")
        _, places = POOL[kind][rank](x, 3, 1, 1, return_indices=True)
        steps = np.maximum(np.arange(4) - 1, 0)
        expected = 0
        for _ in range(rank):
            expected = np.add.outer(np.multiply(expected, 4), steps)
        np.testing.assert_array_equal(places[0, 0], expected)
    window = (300, 700) if cases.CORE else (30, 70)  # the reference cuts nothing, slowly
    x = np.full((1, 1, *window), value, "f4")
    _, places = POOL[kind][2](x, window, return_indices=True)
    assert places.ravel().tolist() == [0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rank", RANKS)
def test_windows_without_input_have_index_minus_one(rank: int, kind: str) -> None:
    x = np.ones((1, 2, *(3,) * rank), "f4")
    values, places = POOL[kind][rank](x, 3, 1, 5, return_indices=True)
    np.testing.assert_array_equal(places < 0, np.isinf(values))
    assert places.min() == -1
    assert (places < 0).any()
    _, places = POOL[kind][rank](x[..., :2], 2, 1, 2, dilation=4, return_indices=True)
    assert (places == -1).any()


@pytest.mark.parametrize("rank", RANKS)
def test_the_index_finds_the_value(rank: int) -> None:
    x = cases.normals(np.random.default_rng(3), (2, 3, *(11,) * rank), "float64")
    for arguments in [(2,), (3, 2, 1), (3, 1, 1, 2), (3, 2, "same_lower")]:
        values, places = MAX_POOL[rank](x, *arguments, return_indices=True)
        plane = x.reshape(2, 3, math.prod(x.shape[2:]))
        found = np.take_along_axis(plane, places.reshape(2, 3, -1), 2)
        assert_same_bits(found.reshape(values.shape), values)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rank", RANKS)
def test_forms_of_the_call(rank: int, kind: str) -> None:
    """Positional, as in torch; unbatched; into `out`, which may overlap; empty axes."""
    x = cases.integers(np.random.default_rng(4), (2, 3, *(7,) * rank), "float32")
    values, places = POOL[kind][rank](x, 3, 2, 1, 1, False, True)
    image = POOL[kind][rank](x[1], 3, 2, 1, 1, False, return_indices=True)
    assert isinstance(image, tuple)
    assert_same_bits(image[0], values[1])
    np.testing.assert_array_equal(image[1], places[1])
    out = np.empty_like(values)
    pair = POOL[kind][rank](x, 3, 2, 1, return_indices=True, out=out)
    assert pair[0] is out
    np.testing.assert_array_equal(pair[1], places)
    same = POOL[kind][rank](x.copy(), 3, 1, 1, return_indices=True)
    over = x.copy()
    pair = POOL[kind][rank](over, 3, 1, 1, return_indices=True, out=over)
    assert pair[0] is over
    assert_same_bits(over, same[0])
    np.testing.assert_array_equal(pair[1], same[1])
    for shape in [(0, 3), (2, 0)]:
        pair = POOL[kind][rank](x[: shape[0], : shape[1]], 3, return_indices=True)
        assert pair[0].shape == pair[1].shape == (*shape, *(2,) * rank)


def test_huge_pads_have_exact_indices() -> None:
    """The third of the windows stands on the input, 2**61 zeros from the start."""
    x = np.array([[[1, 2, 4, 8, 16]]], "f4")
    _, places = MAX_POOL[1](x, 3, 2**60, ((2**61, 0),), return_indices=True)
    assert places.ravel().tolist() == [-1, -1, 2]
