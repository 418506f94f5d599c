"""Adaptive and global pools: every shape, dtype and layout against two oracles.

The oracle here counts with integers only: window o of `windows` holds the elements i for which
i * windows < (o + 1) * size and (i + 1) * windows > o * size, one at a time.
"""

import math
from collections.abc import Callable
from random import Random
from typing import Any

import cases
import numpy as np
import pytest
from cases import DTYPES, RANKS, assert_same_bits
from hypothesis import given
from hypothesis import strategies as st

import cconv
from cconv import reference

AVG = {1: cconv.adaptive_avg_pool1d, 2: cconv.adaptive_avg_pool2d, 3: cconv.adaptive_avg_pool3d}
MAX = {1: cconv.adaptive_max_pool1d, 2: cconv.adaptive_max_pool2d, 3: cconv.adaptive_max_pool3d}
GLOBAL: dict[str, Callable[..., cases.Array]] = {
    "avg": cconv.global_avg_pool, "max": cconv.global_max_pool, "lp": cconv.global_lp_pool,
}  # fmt: skip
SPECIAL = [np.nan, np.inf, -np.inf]
BIG = {
    "row of 100000 to 7": ((3, 100_000), (7,)),
    "row of 7 to 1000": ((3, 7), (1000,)),
    "planes to 7x7": ((40, 60, 61), (7, 7)),
    "1000 channels": ((1000, 14, 13), (7, 3)),
    "one output of a large map": ((2, 300, 400), (1, 1)),
    "volume": ((3, 17, 20, 33), (4, 5, 6)),
    "volume to itself": ((2, 6, 7, 33), (6, 7, 33)),
}


def window(size: int, windows: int, o: int) -> list[int]:
    return [i for i in range(size) if i * windows < (o + 1) * size and (i + 1) * windows > o * size]


def pools(kind: str, x: cases.Array, shape: cases.Ints, p: float = 2) -> tuple[Any, Any]:
    """The oracle: pools of x (n, c, *spatial) in long double, and where extremes were found."""
    y = np.empty((*x.shape[:2], *shape), np.longdouble)
    found = np.empty(y.shape, np.int64)
    plane = np.arange(math.prod(x.shape[2:])).reshape(x.shape[2:])
    for o in np.ndindex(*shape):
        box = np.ix_(*map(window, x.shape[2:], shape, o))
        terms = x[(slice(None), slice(None), *box)].reshape(*x.shape[:2], plane[box].size)
        wide = terms.astype(np.longdouble)
        at = (slice(None), slice(None), *o)
        with np.errstate(all="ignore"):
            if kind == "avg":
                y[at] = wide.sum(2) / terms.shape[2]
            elif kind == "lp":
                total = (abs(wide) ** p).sum(2) if p < np.inf else wide
                y[at] = total ** (1 / np.longdouble(p)) if p < np.inf else abs(wide).max(2)
            else:
                y[at] = wide.max(2)
                found[at] = plane[box].ravel()[terms.argmax(2)]
    return y, found


def ties(rng: np.random.Generator, shape: cases.Ints, dtype: str) -> cases.Array:
    """Integers from -1 to 1, with one in sixteen an infinity or NaN."""
    x = rng.integers(-1, 1, shape, endpoint=True).astype(dtype)
    special = rng.random(shape) < 1 / 16
    x[special] = rng.choice(SPECIAL, int(special.sum()))
    return x


def values_equal(actual: cases.Array, expected: cases.Array) -> None:
    zero = actual.dtype.type(0)
    assert_same_bits(actual + zero, expected.astype(actual.dtype) + zero)


def draw(random: Random, rank: int, dtype: str) -> tuple[Any, ...]:
    longest = {1: [70], 2: [9, 40], 3: [4, 5, 20]}[rank]
    spatial = tuple(random.randint(1, n) for n in longest)
    shape = tuple(random.choice([1, 2, 3, n, random.randint(1, n + 3)]) for n in spatial)
    batch, channels = random.choice([0, 1, 2, 3]), random.choice([0, 1, 2, 5])
    layouts = random.choice(cases.LAYOUTS), random.choice(cases.OUT_LAYOUTS)
    return (batch, channels, *spatial), shape, dtype, layouts, random.randrange(2**32)


def check(case: tuple[Any, ...], threads: int = 1) -> None:
    with cases.naming(case):
        full, shape, dtype, (layout, out_layout), seed = case
        rank, rng = len(shape), np.random.default_rng(seed)
        out_shape = (*full[:2], *shape)
        x = cases.arrange(cases.integers(rng, full, dtype), layout, rng)
        before = x.copy()
        canvas = cases.Canvas(out_shape, dtype, out_layout, rng)
        y = AVG[rank](x, shape, out=canvas.array, threads=threads)
        canvas.check(y)
        assert_same_bits(x, before)
        values_equal(y, pools("avg", x, shape)[0])
        x = cases.arrange(ties(rng, full, dtype), layout, rng)
        canvas = cases.Canvas(out_shape, dtype, out_layout, rng)
        values, places = MAX[rank](x, shape, True, out=canvas.array, threads=threads)
        canvas.check(values)
        expected, found = pools("max", x, shape)
        values_equal(values, expected)
        values_equal(MAX[rank](x, shape, threads=threads), expected)
        assert places.dtype == np.int64
        np.testing.assert_array_equal(places, found)
        again = np.empty(out_shape, dtype), np.empty(out_shape, np.int64)
        reference.pool_adaptive("max", x, again[0], again[1], 0.0, 1)
        values_equal(again[0], expected)
        np.testing.assert_array_equal(again[1], found)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", RANKS)
def test_sweep(rank: int, dtype: str) -> None:
    for index in range(0, 300, cases.SHARE):
        random = Random(f"adaptive/{rank}/{dtype}/{index}")
        check(draw(random, rank, dtype), random.choice([1, 2, 3]))


@given(st.randoms(use_true_random=False))
def test_any_case(random: Random) -> None:
    check(draw(random, random.choice(RANKS), random.choice(DTYPES)))


def test_every_small_axis() -> None:
    """Sizes to 20, windows to 25."""
    for size, windows in np.ndindex(20, 25):
        x = np.arange(size + 1, dtype="f8")[None, None] ** 2
        values_equal(AVG[1](x, int(windows) + 1), pools("avg", x, (int(windows) + 1,))[0])
        values, places = MAX[1](-x, int(windows) + 1, return_indices=True)
        first = [window(int(size) + 1, int(windows) + 1, o)[0] for o in range(int(windows) + 1)]
        assert places[0, 0].tolist() == first
        assert_same_bits(values[0, 0], -x[0, 0, first])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BIG)
def test_big_shapes_on_any_number_of_threads(name: str, dtype: str) -> None:
    full, shape = BIG[name]
    rng, rank = np.random.default_rng(1), len(shape)
    x = cases.normals(rng, (2, *full), dtype)
    if math.prod(shape) < 1000:
        exact = pools("avg", x, shape)[0]
        scale = pools("avg", abs(x), shape)[0]
        terms = math.prod(-(-s // w) + 1 for s, w in zip(full[1:], shape, strict=True))
        bound = scale * (terms + 1) * cases.unit_roundoff(dtype) * 2
        cases.assert_within(AVG[rank](x, shape), exact, bound)
        values, places = MAX[rank](x, shape, True)
        expected, found = pools("max", x, shape)
        values_equal(values, expected)
        np.testing.assert_array_equal(places, found)
    average, (values, places) = AVG[rank](x, shape, threads=1), MAX[rank](x, shape, True, threads=1)
    norms = [cconv.global_lp_pool(x, p=p, threads=1) for p in (1, 2, 3, np.inf)]
    for threads in (2, 3, 7) if cases.CORE else (2,):
        assert_same_bits(AVG[rank](x, shape, threads=threads), average)
        again = MAX[rank](x, shape, True, threads=threads)
        assert_same_bits(again[0], values)
        np.testing.assert_array_equal(again[1], places)
        for p, norm in zip((1, 2, 3, np.inf), norms, strict=True):
            assert_same_bits(cconv.global_lp_pool(x, p=p, threads=threads), norm)
    for image, y in zip(x, average, strict=True):
        assert_same_bits(AVG[rank](image, shape), y)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", RANKS)
def test_bits_do_not_depend_on_layout(rank: int, dtype: str) -> None:
    rng = np.random.default_rng(2)
    x = cases.normals(rng, (2, 3, *(37, 9, 5)[:rank]), dtype)
    shape = (4, 2, 3)[:rank]
    average, greatest = AVG[rank](x, shape), MAX[rank](x, shape)
    for layout in ("fortran", "channels_last", "unaligned", "scattered", "readonly"):
        moved = cases.arrange(x, layout, rng)
        assert_same_bits(AVG[rank](moved, shape), average)
        assert_same_bits(MAX[rank](moved, shape), greatest)
        for function in GLOBAL.values():
            assert_same_bits(function(moved), function(x))


@pytest.mark.parametrize("rank", RANKS)
def test_global_pools(rank: int) -> None:
    """Against the oracle, with and without the spatial axes, into `out` of any strides."""
    rng = np.random.default_rng(4)
    x = cases.integers(rng, (2, 5, *(11, 7, 3)[:rank]), "float32")
    ones = (1,) * rank
    for kind, function in GLOBAL.items():
        expected = pools(kind, x, ones)[0].astype("f4")
        values_equal(function(x), expected)
        values_equal(function(x, keepdims=False), expected.reshape(2, 5))
        for layout in cases.OUT_LAYOUTS[1:]:
            canvas = cases.Canvas((2, 5, *ones), "float32", layout, rng)
            y = function(x, out=canvas.array)
            canvas.check(y)
            values_equal(y, expected)
        canvas = cases.Canvas((2, 5), "float32", "scattered", rng)
        y = function(x, keepdims=False, out=canvas.array)
        canvas.check(y)
        values_equal(y, expected.reshape(2, 5))
        assert function(x[:0]).shape == (0, 5, *ones)
        assert function(x[:, :0], keepdims=False).shape == (2, 0)
    for p, norm in [(1, abs(x).sum((2, 3, 4)[:rank])), (np.inf, abs(x).max((2, 3, 4)[:rank]))]:
        values_equal(cconv.global_lp_pool(x, p=p, keepdims=False), norm)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", SPECIAL)
@pytest.mark.parametrize("width", [1, 2, 7, 15, 16, 17, 33, 65])
def test_special_value_at_every_place(width: int, value: float, dtype: str) -> None:
    x = np.full((1, width, width), -5, dtype)
    x[0, range(width), range(width)] = value
    values_equal(cconv.global_max_pool(x), pools("max", x, (1,))[0])
    values_equal(cconv.global_avg_pool(x), pools("avg", x, (1,))[0])
    for p in (1, 2, np.inf):
        values_equal(cconv.global_lp_pool(x, p=p), pools("lp", x, (1,), p)[0])
    values, places = MAX[1](x, 1, return_indices=True)
    expected, found = pools("max", x, (1,))
    values_equal(values, expected)
    np.testing.assert_array_equal(places, found)
    values, places = MAX[1](np.full_like(x, value), 1, True)
    assert (places == 0).all()


@pytest.mark.parametrize("rank", RANKS)
def test_forms_of_the_call(rank: int) -> None:
    """Unbatched; one int; None; `out` over the input."""
    x = cases.integers(np.random.default_rng(5), (2, 3, *(8,) * rank), "float64")
    assert_same_bits(AVG[rank](x, 3), AVG[rank](x, (3,) * rank))
    assert_same_bits(AVG[rank](x[1], [3] * rank), AVG[rank](x, 3)[1])
    values, places = MAX[rank](x[1], 3, return_indices=True)
    assert_same_bits(values, MAX[rank](x, 3)[1])
    np.testing.assert_array_equal(places, MAX[rank](x, 3, True)[1][1])
    for function in (AVG[rank], MAX[rank]):
        expected = function(x, (*(None,) * (rank - 1), 8))
        over = x.copy()
        assert function(over, None, out=over) is over
        assert_same_bits(over, expected)


ERRORS: dict[str, tuple[type[Exception], dict[str, Any], str]] = {
    "rank": (ValueError, {"input": np.ones((4, 4))}, "input.shape (4, 4) has 2 axes; expected 4"),
    "dtype": (TypeError, {"input": np.ones((1, 1, 4, 4), "c8")}, "input has dtype complex64"),
    "empty": (ValueError, {"input": np.ones((1, 1, 0, 4))}, "no element along h; expected at"),
    "zero": (ValueError, {"output_size": 0}, "output_size is 0; expected at least 1"),
    "negative": (ValueError, {"output_size": (2, -1)}, "output_size[1] is -1; expected at least 1"),
    "float": (TypeError, {"output_size": 2.5}, "output_size is 2.5; expected an int"),
    "string": (TypeError, {"output_size": "same"}, "output_size is 'same'; expected an int"),
    "count": (ValueError, {"output_size": (1, 2, 3)}, "output_size is (1, 2, 3), 3 long; expected"),
    "huge": (OverflowError, {"output_size": 2**62}, "output_size"),
    "larger": (OverflowError, {"output_size": (1, 2**80)}, "output_size[1]"),
    "threads": (ValueError, {"threads": -1}, "threads is -1; expected at least 1"),
    "out": (ValueError, {"out": np.ones((1, 1, 2, 3))}, "out has shape (1, 1, 2, 3); expected"),
}


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("kind", ["avg", "max"])
def test_errors(kind: str, name: str) -> None:
    error, changes, message = ERRORS[name]
    function = {"avg": AVG, "max": MAX}[kind][2]
    with pytest.raises(error, match=f"adaptive_{kind}_pool2d: ") as caught:
        function(**{"input": np.ones((1, 1, 4, 4)), "output_size": 2, **changes})
    assert message in str(caught.value)


def test_an_output_without_memory_is_refused() -> None:
    for size in (2**50, 2**58):
        with pytest.raises((MemoryError, OverflowError), match="adaptive_max_pool1d: "):
            MAX[1](np.ones((1, 1, 4)), size, True)


GLOBAL_ERRORS: dict[str, tuple[type[Exception], dict[str, Any], str]] = {
    "unbatched": (ValueError, {"input": np.ones((4, 4))}, "input.shape is (4, 4), 2 long; expect"),
    "rank": (ValueError, {"input": np.ones((1,) * 6)}, "6 long; expected 3, 4 or 5"),
    "empty": (ValueError, {"input": np.ones((1, 1, 4, 0))}, "no element along w; expected at"),
    "dtype": (TypeError, {"input": np.ones((1, 1, 4), "c8")}, "input has dtype complex64"),
    "keepdims": (TypeError, {"keepdims": 1}, "keepdims is 1; expected True or False"),
    "out": (ValueError, {"out": np.ones((1, 1))}, "out has shape (1, 1); expected (1, 1, 1, 1)"),
    "threads": (TypeError, {"threads": 1.0}, "threads is 1.0; expected an int"),
}  # fmt: skip


@pytest.mark.parametrize("name", GLOBAL_ERRORS)
@pytest.mark.parametrize("kind", GLOBAL)
def test_global_errors(kind: str, name: str) -> None:
    error, changes, message = GLOBAL_ERRORS[name]
    with pytest.raises(error, match=f"global_{kind}_pool: ") as caught:
        GLOBAL[kind](**{"input": np.ones((1, 1, 4, 4)), **changes})
    assert message in str(caught.value)


@pytest.mark.parametrize("p", [0, -1, np.nan, "2", None, True])
def test_bad_exponents(p: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"global_lp_pool: p is .*; expected a nu"):
        cconv.global_lp_pool(np.ones((1, 1, 4)), p=p)


def test_only_the_norm_has_an_exponent() -> None:
    for function in (cconv.global_avg_pool, cconv.global_max_pool):
        with pytest.raises(TypeError, match="unexpected keyword"):
            function(np.ones((1, 1, 4)), p=2)  # type: ignore[call-arg]
