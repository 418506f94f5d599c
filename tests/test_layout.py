"""layout='NHWC': the same numbers with the channels behind the spatial axes, and no copies."""

import tracemalloc
from collections.abc import Callable
from random import Random
from typing import Any

import cases
import numpy as np
import pytest
import test_conv_transpose as transposed
import test_padding_modes
from cases import CONV, RANKS, ConvCase, assert_same_bits
from test_depthwise import DEPTHWISE
from test_errors import check, ones

import cconv
from cconv import conv_output_shape, conv_transpose_output_shape


def last(a: cases.Array) -> cases.Array:
    """The same numbers in the layout NHWC: a view of (n, c, *spatial)."""
    return np.moveaxis(a, 1, -1)


def check_layout(run: Callable[..., Any], x: cases.Array, canvas: cases.Canvas) -> None:
    """Batches, single images and outs of any strides give what the other layout gives."""
    expected = run(x)
    y = run(last(x), layout="NHWC")
    assert_same_bits(y, last(expected))
    dense = run(last(x).copy(), layout="NHWC")
    assert_same_bits(dense, y)
    assert dense.flags.c_contiguous
    if canvas.array is not None:
        out = last(canvas.array)
        assert run(last(x), layout="NHWC", out=out) is out
        assert_same_bits(canvas.array, expected)
    if len(x):
        assert_same_bits(run(last(x)[0], layout="NHWC"), y[0])


def draw(random: Random) -> ConvCase:
    return test_padding_modes.draw(random) if random.random() < 0.5 else cases.draw_conv(random)


def test_convolution_in_both_layouts() -> None:
    for case in cases.sweep("layout/conv", 400, draw):
        with cases.naming(case):
            rng = np.random.default_rng(case.seed)
            x, w, bias = cases.conv_data(case, rng, cases.normals)
            canvas = cases.Canvas(case.out_shape, case.dtype, case.out_layout, rng)

            def run(x: Any, **keywords: Any) -> Any:
                return cases.run_conv(case, x, w, bias, **keywords)  # noqa: B023

            check_layout(run, x, canvas)
            shape = (x.shape[0], *case.spatial, case.in_channels)
            arguments = {k: v for k, v in case.arguments.items() if "_" not in k}
            expected = (case.batch, *case.out_spatial, case.out_channels)
            assert conv_output_shape(shape, w.shape, **arguments, layout="NHWC") == expected


def test_transposed_convolution_in_both_layouts() -> None:
    for case in cases.sweep("layout/transposed", 300, transposed.draw):
        with cases.naming(case):
            rng = np.random.default_rng(case.seed)
            x, w, bias = transposed.data(case, rng, cases.normals)
            canvas = cases.Canvas(case.out_shape, case.dtype, case.out_layout, rng)

            def run(x: Any, **keywords: Any) -> Any:
                return transposed.run(case, x, w, bias, **keywords)  # noqa: B023

            check_layout(run, x, canvas)
            shape = (x.shape[0], *case.spatial, case.in_channels)
            y = conv_transpose_output_shape(shape, w.shape, **case.arguments, layout="NHWC")
            assert y == (case.batch, *case.out_shape[2:], case.out_channels)


@pytest.mark.parametrize("rank", RANKS)
def test_depthwise_and_separable_in_both_layouts(rank: int) -> None:
    rng = np.random.default_rng(rank)
    x = cases.normals(rng, (2, 6, *(5, 8, 19)[-rank:]), "float32")
    w = cases.normals(rng, (12, 1, *(2, 3, 3)[-rank:]), "float32")
    y = DEPTHWISE[rank](last(x), w, padding=1, layout="NHWC")
    assert_same_bits(y, last(DEPTHWISE[rank](x, w, padding=1)))
    if rank == 2:
        point, bias = cases.normals(rng, (3, 12, 1, 1), "float32"), np.ones(3, "f4")
        arguments: dict[str, Any] = {"stride": 2, "padding": "same", "activation": "silu"}
        y = cconv.separable_conv2d(last(x), w, point, bias, layout="NHWC", **arguments)
        assert_same_bits(y, last(cconv.separable_conv2d(x, w, point, bias, **arguments)))


@pytest.mark.parametrize("rank", RANKS)
def test_axes_of_length_one_and_threads(rank: int) -> None:
    rng = np.random.default_rng(rank)
    for channels in (1, 3, 64):
        x = cases.normals(rng, (1, channels, *(1, 9, 33)[-rank:]), "float32")
        w = cases.normals(rng, (7, channels, *(1, 3, 3)[-rank:]), "float32")
        expected = last(CONV[rank](x, w, padding=1))
        for threads in (1, 2, 3, 7):
            y = CONV[rank](last(x), w, padding=1, layout="NHWC", threads=threads)
            assert_same_bits(y, expected)


def test_out_may_overlap_the_input() -> None:
    rng = np.random.default_rng(7)
    x = cases.integers(rng, (2, 9, 8, 4), "float32")
    w = cases.integers(rng, (4, 4, 3, 3), "float32")
    expected = cconv.conv2d(x.copy(), w, padding=1, layout="NHWC")
    assert cconv.conv2d(x, w, padding=1, layout="NHWC", out=x) is x
    assert_same_bits(x, expected)


def test_no_copy_of_the_image(core: Any) -> None:
    """Beside the scratch, nothing the size of the image is allocated."""
    x, w = np.ones((1, 300, 300, 16), "f4"), np.ones((1, 16, 3, 3), "f4")
    out = np.empty((1, 300, 300, 1), "f4")
    reflect = {"padding": 1, "padding_mode": "reflect", "layout": "NHWC", "out": out}
    cconv.conv2d(x, w, **reflect)  # keeps its scratch
    tracemalloc.start()
    try:
        cconv.conv2d(x, w, **reflect)
        assert tracemalloc.get_traced_memory()[1] < x.nbytes // 8
    finally:
        tracemalloc.stop()


X, W = ones(2, 9, 9, 8), ones(6, 8, 3, 3)
ERRORS: dict[str, tuple[type[Exception], Callable[[], Any], list[str]]] = {
    "unknown": (
        ValueError, lambda: cconv.conv2d(X, W, layout="nhwc"),
        ["conv2d: layout is 'nhwc'", "'NCHW' or 'NHWC'"],
    ),
    "name of another rank": (
        ValueError, lambda: cconv.conv1d(X[0], W[0], layout="NWC"),
        ["conv1d: layout is 'NWC'", "'NCHW' or 'NHWC'", "1 and 3"],
    ),
    "no string": (ValueError, lambda: cconv.conv2d(X, W, layout=None), ["layout is None"]),
    "rank": (
        ValueError, lambda: cconv.conv2d(X[0, 0], W, layout="NHWC"),
        ["input.shape (9, 8)", "(n, h, w, c)", "(h, w, c)"],
    ),
    "transposed rank": (
        ValueError, lambda: cconv.conv_transpose2d(X[0, 0], W, layout="NHWC"), ["(n, h, w, c)"],
    ),
    "channels": (
        ValueError, lambda: cconv.conv2d(X[..., :3], W, layout="NHWC"),
        ["weight.shape[1] is 8", "3 channels"],
    ),
    "out": (
        ValueError, lambda: cconv.conv2d(X, W, layout="NHWC", out=ones(2, 6, 7, 7)),
        ["out", "(2, 6, 7, 7)", "(2, 7, 7, 6)"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    error, call, fragments = ERRORS[name]
    check(error, call, *fragments)
