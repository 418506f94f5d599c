"""layout='NHWC' of the pools: the same numbers and indices, and no copies."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import cases
import numpy as np
import pytest
from cases import AVG_POOL, LP_POOL, MAX_POOL, MIN_POOL, RANKS, assert_same_bits
from test_dtypes import values
from test_errors import check, ones
from test_layout import last

import cconv
from cconv import pool_output_shape

ADAPTIVE_AVG = {n: getattr(cconv, f"adaptive_avg_pool{n}d") for n in RANKS}
ADAPTIVE_MAX = {n: getattr(cconv, f"adaptive_max_pool{n}d") for n in RANKS}
UNPOOL = {n: getattr(cconv, f"max_unpool{n}d") for n in RANKS}
GLOBAL = (cconv.global_avg_pool, cconv.global_max_pool, cconv.global_lp_pool)
SIZE = (4, 5, 7)


def test_drawn_pools_in_both_layouts() -> None:
    for case in cases.sweep("layout/pool", 300, cases.draw_pool):
        with cases.naming(case):
            rng = np.random.default_rng(case.seed)
            x = cases.pool_data(case, rng, cases.normals)
            expected = cases.run_pool(case, x)
            y = cases.run_pool(case, last(x), layout="NHWC")
            assert_same_bits(y, last(expected))
            dense = cases.run_pool(case, last(x).copy(), layout="NHWC")
            assert_same_bits(dense, y)
            assert dense.flags.c_contiguous
            canvas = cases.Canvas(case.out_shape, case.dtype, case.out_layout, rng)
            if canvas.array is not None:
                out = last(canvas.array)
                assert cases.run_pool(case, last(x), layout="NHWC", out=out) is out
                assert_same_bits(canvas.array, expected)
            if len(x):
                assert_same_bits(cases.run_pool(case, last(x)[0], layout="NHWC"), y[0])
            if case.kind in ("max", "min"):
                places = cases.run_pool(case, x, return_indices=True)[1]
                pair = cases.run_pool(case, last(x), layout="NHWC", return_indices=True)
                assert_same_bits(pair[0], y)
                np.testing.assert_array_equal(pair[1], last(places))
            keywords = {k: v for k, v in case.arguments.items() if "_o" not in k and "_i" not in k}
            shape = pool_output_shape(last(x).shape, case.kernel, **keywords, layout="NHWC")
            assert shape == y.shape


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "bool"])
@pytest.mark.parametrize("rank", RANKS)
def test_every_pool_in_both_layouts(rank: int, dtype: str) -> None:
    rng = np.random.default_rng(rank)
    x = values(rng, (2, 3, *SIZE[-rank:]), dtype)
    calls: list[Callable[..., Any]] = [
        lambda a, **k: MAX_POOL[rank](a, 2, **k),
        lambda a, **k: MIN_POOL[rank](a, 2, 1, 1, **k),
        lambda a, **k: AVG_POOL[rank](a, 2, ceil_mode=True, **k),
        lambda a, **k: LP_POOL[rank](a, 2, 3, 2, padding="same", **k),
        lambda a, **k: ADAPTIVE_AVG[rank](a, 3, **k),
        lambda a, **k: ADAPTIVE_MAX[rank](a, (None,) * rank, **k),
    ]
    for call in calls:
        assert_same_bits(call(last(x), layout="NHWC"), last(call(x)))
        assert_same_bits(call(last(x)[0], layout="NHWC"), last(call(x))[0])
        assert_same_bits(call(x, layout="NCHW"), call(x))
    for function in GLOBAL:
        assert_same_bits(function(last(x), layout="NHWC"), last(function(x)))
        flat = function(x, keepdims=False)
        assert_same_bits(function(last(x), layout="NHWC", keepdims=False), flat)
        out = np.zeros_like(flat)
        assert function(last(x), layout="NHWC", keepdims=False, out=out) is out
        assert_same_bits(out, flat)
        out = np.zeros((2, *(1,) * rank, 3), flat.dtype)
        assert function(last(x), layout="NHWC", out=out) is out
        assert_same_bits(out.reshape(2, 3), flat)


@pytest.mark.parametrize("rank", RANKS)
def test_indices_count_the_plane_in_both_layouts(rank: int) -> None:
    """And what one layout found, the other puts back."""
    rng = np.random.default_rng(rank)
    x = values(rng, (2, 3, *SIZE[-rank:]), "float32")
    for pool in (
        lambda a, **k: MAX_POOL[rank](a, 2, **k),
        lambda a, **k: ADAPTIVE_MAX[rank](a, 2, **k),
    ):
        top, places = pool(x, return_indices=True)
        other, found = pool(last(x), return_indices=True, layout="NHWC")
        np.testing.assert_array_equal(found, last(places))
        flat = x.reshape(2, 3, -1)
        picked = np.take_along_axis(flat, places.reshape(2, 3, -1), 2)
        assert_same_bits(picked, top.reshape(2, 3, -1))
        assert_same_bits(other, last(top))
        size = SIZE[-rank:]
        back = UNPOOL[rank](top, places, 2, output_size=size)
        for wanted in (size, (2, *size, 3)):
            y = UNPOOL[rank](other, found, 2, output_size=wanted, layout="NHWC")
            assert_same_bits(y, last(back))
        y = UNPOOL[rank](other[0], found[0], 2, output_size=(*size, 3), layout="NHWC")
        assert_same_bits(y, last(back)[0])
        out = np.zeros((2, *size, 3), "f4")
        dense = other.copy(), np.ascontiguousarray(found)
        assert UNPOOL[rank](*dense, 2, output_size=size, layout="NHWC", out=out) is out
        assert_same_bits(out, last(back))


def test_no_copy_of_the_image(core: Any) -> None:
    """Beside the scratch, nothing the size of the image is allocated."""
    x = np.ones((1, 300, 300, 16), "f4")
    small, places = cconv.max_pool2d(x, 2, layout="NHWC", return_indices=True)
    pools: list[Callable[..., Any]] = [
        lambda **k: cconv.max_pool2d(x, 2, **k),
        lambda **k: cconv.avg_pool2d(x, 2, **k),
        lambda **k: cconv.lp_pool2d(x, 2, 2, **k),
        lambda **k: cconv.adaptive_avg_pool2d(x, 150, **k),
    ]
    out = np.empty_like(small)
    for pool in pools:
        pool(layout="NHWC", out=out)  # keeps its scratch
        tracemalloc.start()
        try:
            pool(layout="NHWC", out=out)
            assert tracemalloc.get_traced_memory()[1] < x.nbytes // 16
        finally:
            tracemalloc.stop()
    tracemalloc.start()
    try:
        cconv.max_unpool2d(small, places, 2, layout="NHWC", out=x)
        assert tracemalloc.get_traced_memory()[1] < x.nbytes // 16
    finally:
        tracemalloc.stop()


X = ones(2, 9, 9, 8)
ERRORS: dict[str, tuple[type[Exception], Callable[[], Any], list[str]]] = {
    "unknown": (
        ValueError, lambda: cconv.max_pool2d(X, 2, layout="nhwc"),
        ["max_pool2d: layout is 'nhwc'", "'NCHW' or 'NHWC'"],
    ),
    "no string": (
        ValueError, lambda: cconv.adaptive_avg_pool2d(X, 2, layout=None), ["layout is None"],
    ),
    "global": (ValueError, lambda: cconv.global_max_pool(X, layout="NWC"), ["layout is 'NWC'"]),
    "rank": (
        ValueError, lambda: cconv.avg_pool2d(X[0, 0], 2, layout="NHWC"),
        ["input.shape (9, 8)", "(n, h, w, c)", "(h, w, c)"],
    ),
    "out": (
        ValueError, lambda: cconv.max_pool2d(X, 3, layout="NHWC", out=ones(2, 8, 3, 3)),
        ["out", "(2, 8, 3, 3)", "(2, 3, 3, 8)"],
    ),
    "window": (
        ValueError, lambda: cconv.max_pool2d(X[:, :, :2], 3, layout="NHWC"), ["along w", "2", "3"],
    ),
    "empty": (
        ValueError, lambda: cconv.global_avg_pool(X[:, :0], layout="NHWC"),
        ["(2, 0, 9, 8)", "along h"],
    ),
    "unpooled": (
        ValueError,
        lambda: cconv.max_unpool2d(
            X, np.zeros(X.shape, int), 2, output_size=(2, 18, 18, 7), layout="NHWC"
        ),
        ["output_size is (2, 18, 18, 7)", "(2, 8)"],
    ),
    "positional": (TypeError, lambda: cconv.max_pool2d(X, 2, 2, 0, 1, False, False, "NHWC"), []),  # type: ignore[call-overload]
    "shape": (
        ValueError, lambda: pool_output_shape((2, 9, 9, 8), 2, layout="HWC"),
        ["pool_output_shape: layout is 'HWC'"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    error, call, fragments = ERRORS[name]
    check(error, call, *fragments)
