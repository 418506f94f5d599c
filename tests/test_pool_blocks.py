# Copyright (c) The cconv developers. BSD-3-Clause; see LICENSE.
"""Extremes of planes that are cut into blocks: tall windows, long rows, many small planes.

The sweeps of test_pool.py draw shapes that fit one block. Here each way to cut a plane is met, and
the answer is that of NumPy's own maximum along one axis after the other.
"""

from typing import Any

import numpy as np
import pytest
from cases import assert_same_bits
from numpy.lib.stride_tricks import sliding_window_view

import cconv
from cconv import ndimage

pytestmark = pytest.mark.usefixtures("core")

Array = np.ndarray[Any, np.dtype[Any]]

# Spatial shape, window, stride, padding, dilation; channels.
SHAPES = [
    ((90, 131), (31, 5), (1, 1), (15, 2), (1, 1), 1),  # suffixes and prefixes of rows
    ((75, 400), (63, 63), (1, 1), (31, 31), (1, 1), 2),
    ((64, 257), (12, 3), (1, 2), (11, 1), (1, 1), 3),
    ((40, 200), (64, 1), (1, 1), (32, 0), (1, 1), 2),  # taller than the plane
    ((3, 9001), (2, 3), (1, 2), (1, 1), (1, 1), 2),  # columns in blocks
    ((1, 20000), (1, 51), (1, 1), (0, 25), (1, 1), 1),
    ((1, 20000), (1, 8), (1, 8), (0, 0), (1, 1), 2),  # halves
    ((5, 9000), (3, 6), (2, 4), (1, 3), (1, 1), 1),
    ((20, 20), (13, 13), (1, 1), (6, 6), (1, 1), 37),  # planes in batches
    ((7, 7), (3, 3), (2, 2), (1, 1), (1, 1), 101),
    ((14, 14), (2, 2), (2, 2), (0, 0), (1, 1), 67),
    ((35, 30), (3, 3), (3, 5), (1, 0), (2, 2), 19),
    ((17, 19), (5, 9), (2, 2), (2, 4), (1, 1), 11),
    ((30, 70), (3, 10), (1, 2), (0, 4), (1, 3), 5),
    ((9, 35), (3, 3), (2, 2), (1, 1), (1, 1), 13),  # two columns apart
    ((8, 131), (2, 3), (2, 2), (0, 1), (1, 1), 3),
    ((11, 66), (5, 2), (1, 2), (2, 1), (2, 1), 3),
    ((4, 97), (1, 3), (3, 2), (0, 1), (1, 1), 2),
]


def extreme(x: Array, window: Any, stride: Any, padding: Any, dilation: Any, least: bool) -> Array:
    """The pool of (n, c, h, w), one axis after the other."""
    reduce, worst = (np.min, np.inf) if least else (np.max, -np.inf)
    if x.dtype.kind in "iu":
        worst = np.iinfo(x.dtype).max if least else np.iinfo(x.dtype).min
    for axis in (0, 1):
        pads = [(0, 0)] * 4
        pads[2 + axis] = (padding[axis],) * 2
        x = np.pad(x, pads, constant_values=worst)
        extent = (window[axis] - 1) * dilation[axis] + 1
        windows = sliding_window_view(x, extent, 2 + axis)[..., :: dilation[axis]]
        chosen = [slice(None)] * 4
        chosen[2 + axis] = slice(None, None, stride[axis])
        x = reduce(windows[tuple(chosen)], axis=-1)
    return x


def draw(rng: np.random.Generator, shape: Any, dtype: str) -> Array:
    """Few different numbers, and of floats a NaN or two."""
    x: Array = rng.integers(-99, 99, shape).astype(dtype)
    if x.dtype.kind == "f":
        x.reshape(-1)[rng.integers(0, x.size, 2)] = np.nan
    return x


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32", "int8"])
@pytest.mark.parametrize("case", SHAPES, ids=str)
def test_planes_in_blocks(case: Any, dtype: str) -> None:
    size, window, stride, padding, dilation, channels = case
    x = draw(np.random.default_rng(channels), (2, channels, *size), dtype)
    for least, pool in ((False, cconv.max_pool2d), (True, cconv.min_pool2d)):
        expected = extreme(x, window, stride, padding, dilation, least)
        arguments = (window, stride, padding, dilation)
        for threads in (1, 3):
            assert_same_bits(pool(x, *arguments, threads=threads), expected)
        reversed_rows = np.ascontiguousarray(x[..., ::-1])[..., ::-1]
        assert_same_bits(pool(reversed_rows, *arguments), expected)
        last = np.moveaxis(x, 1, -1).copy()
        assert_same_bits(pool(last, *arguments, layout="NHWC"), np.moveaxis(expected, 1, -1))


@pytest.mark.parametrize("mode", ["reflect", "mirror", "nearest", "wrap", "constant"])
@pytest.mark.parametrize("size", [(3, 5), (31, 7), (1, 51), (41, 1)])
@pytest.mark.parametrize("shape", [(60, 300), (2, 9000)])
def test_filters_in_blocks(shape: Any, size: Any, mode: str) -> None:
    x = draw(np.random.default_rng(1), shape, "float32")
    modes = {"reflect": "symmetric", "mirror": "reflect", "nearest": "edge"}
    before = [(k // 2, k - 1 - k // 2) for k in size]
    padded = np.pad(x, before, modes.get(mode, mode))  # type: ignore[call-overload]
    for least, function in ((False, ndimage.maximum_filter), (True, ndimage.minimum_filter)):
        expected = extreme(padded[None, None], size, (1, 1), (0, 0), (1, 1), least)[0, 0]
        for threads in (1, 2):
            assert_same_bits(function(x, size, mode=mode, threads=threads), expected)


@pytest.mark.parametrize(
    "shape", [(2, 2, 5, 5), (1, 67, 31, 7), (2, 1, 5, 40), (3, 3, 1, 1)], ids=str
)
def test_a_call_again_where_an_axis_of_the_result_has_one_place(shape: Any) -> None:
    """Its stride says nothing; the second call gets another one, and the workspace of the first."""
    x = draw(np.random.default_rng(0), shape, "float32")
    last = np.moveaxis(np.moveaxis(x, 1, -1).copy(), -1, 1)
    for pool in (cconv.max_pool2d, cconv.avg_pool2d):
        for window in {shape[2:], (1, shape[3]), (shape[2], 1)}:
            expected = pool(x, window, 1)
            for _ in range(3):
                assert_same_bits(pool(last, window, 1), expected)


APART = [
    ((10, 64), {"kernel_size": 2}),
    ((9, 37), {"kernel_size": 2, "divisor_override": 3}),
    ((6, 5, 131), {"kernel_size": 2}),
    ((5, 4, 40), {"kernel_size": (1, 2, 2), "stride": (1, 1, 2), "dilation": (1, 3, 1)}),
    ((12, 48), {"kernel_size": 2, "padding": -1}),
    ((12, 48), {"kernel_size": 2, "padding": 1, "count_include_pad": False}),
    ((8, 35), {"kernel_size": 3, "stride": 2, "padding": (1, 0)}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("size", "keywords"), APART, ids=str)
@pytest.mark.parametrize("kind", ["max_pool", "min_pool", "avg_pool"])
def test_windows_two_columns_apart(kind: str, size: Any, keywords: Any, dtype: str) -> None:
    """Straight from the input, or from packed rows: the same bits."""
    function = getattr(cconv, f"{kind}{len(size)}d")
    if kind != "avg_pool":
        keywords = {k: v for k, v in keywords.items() if k[0] not in "c" and k[:3] != "div"}
    x = np.random.default_rng(3).standard_normal((2, 5, *size)).astype(dtype)
    x.flat[[7, 91]] = np.nan, -np.inf
    x[1, 0] = np.where(x[1, 0] < 0, -0.0, 0.0)
    expected = function(np.repeat(x, 2, -1)[..., ::2], **keywords)  # rows with gaps are packed
    for threads in (1, 2):
        assert_same_bits(function(x, **keywords, threads=threads), expected)
    last = np.moveaxis(np.moveaxis(x, 1, -1).copy(), -1, 1)
    assert_same_bits(function(last, **keywords), expected)
    out = np.zeros((*expected.shape[:-1], 2 * expected.shape[-1]), dtype)[..., ::2]
    assert_same_bits(function(x, **keywords, out=out), expected)


PIECES = [(600_001,), (3, 200_003), (2, 3, 100_003), (700, 31, 29), (1, 600_001, 1), (530_000, 1)]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("size", PIECES, ids=str)
def test_mean_of_one_window_in_pieces(size: Any, dtype: str) -> None:
    """A huge window is taken in pieces, which no bit shows: term t goes to partial sum t mod 16."""
    x = np.random.default_rng(1).standard_normal(size).astype(dtype)
    sums = x.astype("float64" if dtype == "float64" else "float32").ravel()
    partials = np.cumsum(np.pad(sums, (0, -x.size % 16)).reshape(-1, 16), axis=0, dtype=sums.dtype)
    total = partials[-1]
    while total.size > 1:
        total = total[::2] + total[1::2]
    mean = (total / total.dtype.type(x.size)).astype(dtype)
    batch = x[None, None]
    last = np.moveaxis(batch, 1, -1)
    for threads in (1, 2):
        assert_same_bits(cconv.global_avg_pool(batch, threads=threads).ravel(), mean)
    assert_same_bits(cconv.global_avg_pool(last, layout="NHWC").ravel(), mean)
    both = np.concatenate([batch, batch[:, :, ::-1]], 1)  # channels that do not follow each other
    assert_same_bits(cconv.global_avg_pool(both[:, ::2]).ravel(), mean)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("size", PIECES, ids=str)
def test_extreme_of_one_window_in_pieces(size: Any, dtype: str) -> None:
    x = np.random.default_rng(1).standard_normal(size).astype(dtype)
    batch = x[None, None]
    x.flat[-7:] = 99  # the first of equals, and then the first NaN, of the last piece
    pool = getattr(cconv, f"adaptive_max_pool{x.ndim}d")
    values, places = pool(batch, 1, return_indices=True)
    assert (values.item(), places.item()) == (99, x.size - 7)
    assert cconv.global_max_pool(batch).item() == 99
    x.flat[-3:] = np.nan
    values, places = pool(batch, 1, return_indices=True)
    assert np.isnan(values.item())
    assert places.item() == x.size - 3
    assert np.isnan(cconv.global_max_pool(batch).item())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [(1, 1), (1, 3), (3, 5), (7, 7), (14, 14), (3, 100)])
@pytest.mark.parametrize("images", [(1, 40), (3, 17), (5, 1), (20, 1), (9, 3)])
def test_whole_planes(images: Any, size: Any, dtype: str) -> None:
    """Side by side in every layout, as one by one; NaN is seen in every place of every plane."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((*images, *size)).astype(dtype)
    places = [slice(None), slice(None, None, -1)]
    for nan in (False, True):
        if nan:
            x.reshape(len(x), images[1], -1)[:, ::2, rng.integers(x[0, 0].size)] = np.nan
        greatest = x.max((2, 3), keepdims=True)
        average = np.stack(
            [cconv.adaptive_avg_pool2d(plane[None], 1) for plane in x.reshape(-1, *size)]
        ).reshape(greatest.shape)
        for pool, expected in ((cconv.global_max_pool, greatest), (cconv.global_avg_pool, average)):
            for layout in (x, np.moveaxis(np.moveaxis(x, 1, -1).copy(), -1, 1)):
                for place in places:
                    for threads in (1, 3):
                        y = pool(layout[:, place], threads=threads)
                        assert_same_bits(y, expected[:, place])


NARROW = [
    ((9, 7), 37, {"kernel_size": 3, "padding": 1}),
    ((14, 28), 19, {"kernel_size": 2, "stride": 2}),
    ((13, 20), 33, {"kernel_size": (5, 4), "padding": (2, 1), "dilation": (1, 2)}),
    (
        (35, 23),
        18,
        {"kernel_size": 3, "stride": 2, "padding": ((0, 1), (2, -1)), "ceil_mode": True},
    ),
    ((40, 6), 40, {"kernel_size": (11, 2), "stride": (1, 3), "padding": (4, 0)}),
    ((4, 5, 9), 17, {"kernel_size": (3, 2, 3), "stride": (1, 2, 1), "padding": (2, 0, 1)}),
    ((11,), 50, {"kernel_size": 4, "padding": 2}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", NARROW, ids=str)
@pytest.mark.parametrize("kind", ["max_pool", "min_pool", "avg_pool", "lp_pool"])
def test_many_narrow_planes(kind: str, case: Any, dtype: str) -> None:
    """A lane for each plane, or for each element of a row: the same bits."""
    size, channels, keywords = case
    function = getattr(cconv, f"{kind}{len(size)}d")
    keywords = keywords | ({"norm_type": 3} if kind == "lp_pool" else {})
    x = np.random.default_rng(2).standard_normal((2, channels, *size)).astype(dtype)
    x.flat[[5, 77]] = np.nan, np.inf
    planes = x.reshape(-1, 1, 1, *size)
    expected = np.concatenate([function(plane, **keywords) for plane in planes])
    moved = np.stack([x, x])[1, :, ::-1]
    gaps = np.zeros((2, channels, *size[:-1], size[-1] + 3), dtype)[..., 1:-2]
    gaps[...] = x
    for threads in (1, 2, 3):
        y = function(x, **keywords, threads=threads)
        assert_same_bits(y.reshape(expected.shape), expected)
        assert_same_bits(function(gaps, **keywords, threads=threads), y)
        assert_same_bits(function(moved, **keywords, threads=threads), y[:, ::-1])
        out = np.zeros((*y.shape[:-1], y.shape[-1] + 2), dtype)[..., 2:]
        assert_same_bits(function(x, **keywords, threads=threads, out=out), y)
