# Copyright (c) The cconv developers. BSD-3-Clause; see LICENSE.
"""Direct transposed convolutions have the same bits whichever way they are computed.

The standard is an ordinary direct convolution of the input with zeros between its elements: it adds
the same products in the same order, and products of zeros, which change no sum.
"""

from typing import Any

import cases
import numpy as np
import pytest
from cases import Array, assert_same_bits

import cconv

pytestmark = pytest.mark.usefixtures("core")  # the reference has one way, and rounds once

CONV = {1: cconv.conv1d, 2: cconv.conv2d, 3: cconv.conv3d}
TRANSPOSE = {1: cconv.conv_transpose1d, 2: cconv.conv_transpose2d, 3: cconv.conv_transpose3d}

# Input without batch, output channels of a group, kernel, and arguments.
SHAPES: list[tuple[tuple[int, ...], int, tuple[int, ...], dict[str, Any]]] = [
    # Small maps of many channels. The kernel is the stride: rows follow each other.
    ((70, 7, 6), 48, (2, 2), {"stride": 2}),
    ((150, 4, 3, 4), 40, (2, 2, 2), {"stride": 2}),
    ((40, 11), 67, (4,), {"stride": 4}),
    ((70, 5, 6), 48, (2, 2), {"stride": 2, "padding": ((1, 0), (0, 1))}),
    # Windows of two and three inputs, phases of as many taps, and of fewer
    ((130, 4, 4), 70, (4, 4), {"stride": 2, "padding": 1}),
    ((64, 8, 8), 33, (3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    ((64, 3, 5), 32, (5, 7), {"stride": (2, 3), "padding": (1, 2), "output_padding": (1, 2)}),
    ((24, 3, 4, 3), 20, (3, 2, 4), {"stride": (2, 1, 3), "padding": ((0, 1), (1, 0), (2, 3))}),
    ((100, 1, 1), 80, (4, 4), {}),
    ((48, 5, 4), 64, (3, 3), {"stride": (1, 2), "padding": (-1, 1)}),
    ((33, 9), 130, (8,), {"stride": 4, "padding": 2}),
    # Rows longer than are stored at once, and several blocks
    ((200, 3, 150), 32, (2, 2), {"stride": 2}),
    ((300, 40, 41), 20, (3, 3), {"stride": 2}),
    ((700, 44, 41), 20, (2, 2), {"stride": 2}),
    # Large maps, few channels, and one
    ((16, 40, 37), 12, (2, 2), {"stride": 2}),
    ((8, 33, 30), 3, (4, 4), {"stride": 2, "padding": 1}),
    ((5, 21, 22), 1, (9, 9), {"stride": 3, "padding": 4, "output_padding": 2}),
    ((5, 21, 22), 1, (9, 9), {"stride": 4, "padding": 4, "output_padding": 3}),
    ((3, 17, 90), 5, (5, 10), {"stride": (2, 9), "padding": (2, 3)}),
    ((4, 300), 7, (16,), {"stride": 16}),
    ((4, 100), 7, (12,), {"stride": 8}),
    ((30, 5, 9), 40, (4, 8), {"stride": (4, 8)}),
    ((4, 9, 10, 11), 6, (3, 3, 3), {"stride": 2, "padding": 1}),
    # Groups
    ((8, 20, 21), 3, (3, 3), {"stride": 2, "groups": 4}),
    ((60, 5, 6), 34, (4, 4), {"stride": 2, "padding": 1, "groups": 2}),
    # Crops of whole phases, outputs that see no input
    ((20, 4, 4), 24, (3, 3), {"stride": 3, "padding": ((4, 5), (0, 7))}),
    ((20, 4, 4), 24, (2, 3), {"stride": 2, "padding": ((-3, -2), (-5, -4))}),
    ((20, 4, 4), 2, (2, 3), {"stride": 2, "padding": ((-3, -2), (-5, -4))}),
]


def last(a: Array) -> Array:
    """The same numbers with channels last in memory."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1)


def flipped(a: Array) -> Array:
    """The same numbers in the same order of axes, with negative strides."""
    memory = np.flip(a).copy(order="K")
    return np.flip(memory)


def each(value: Any, rank: int) -> tuple[Any, ...]:
    return (value,) * rank if isinstance(value, int) else tuple(value)


def spread(x: Array, w: Array, bias: Array | None, arguments: dict[str, Any], **more: Any) -> Array:
    """By an ordinary convolution of the input with zeros between its elements."""
    rank, groups = x.ndim - 2, arguments.get("groups", 1)
    s, extra = (each(arguments.get(k, d), rank) for k, d in (("stride", 1), ("output_padding", 0)))
    pads = [(p, p) if isinstance(p, int) else p for p in each(arguments.get("padding", 0), rank)]
    sizes = [(n - 1) * t + 1 for n, t in zip(x.shape[2:], s, strict=True)]
    holes = np.zeros((*x.shape[:2], *sizes), x.dtype)
    into: tuple[Any, ...] = (..., *(slice(None, None, t) for t in s))
    holes[into] = x
    around = [
        (k - 1 - b, k - 1 - a + e) for k, (b, a), e in zip(w.shape[2:], pads, extra, strict=True)
    ]
    parts = w.reshape(groups, -1, *w.shape[1:]).swapaxes(1, 2)
    turned = np.flip(parts, tuple(range(3, 3 + rank))).reshape(
        -1, w.shape[0] // groups, *w.shape[2:]
    )
    result: Array = CONV[rank](
        holes, turned, bias, padding=tuple(around), groups=groups, algorithm="direct", **more
    )
    return result


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize(("image", "filters", "kernel", "arguments"), SHAPES)
def test_all_ways_give_the_same_bits(
    image: tuple[int, ...],
    filters: int,
    kernel: tuple[int, ...],
    arguments: dict[str, Any],
    dtype: type,
) -> None:
    rng = np.random.default_rng(filters)
    run = TRANSPOSE[len(kernel)]
    x: Array = rng.standard_normal((2, *image)).astype(dtype)
    w: Array = rng.standard_normal((image[0], filters, *kernel)).astype(dtype)
    bias: Array = rng.standard_normal(filters * arguments.get("groups", 1)).astype(dtype)
    expected = spread(x, w, bias, arguments, activation="silu")
    clip = ("clip", -0.5, 1.5)
    for given in (x, last(x)):  # rows are joined where they belong, or on the way there
        bounded = spread(x, w, bias, arguments, activation=clip)
        y = run(given, w, bias, **arguments, activation=clip, algorithm="direct", threads=2)
        assert_same_bits(y, bounded)
    residual: Array = rng.standard_normal(expected.shape).astype(dtype)
    added = spread(x, w, None, arguments, residual=residual)
    options: dict[str, Any] = {**arguments, "algorithm": "direct"}
    for given, weight, standard in (
        (x, w, expected),
        (last(x), last(w), expected),
        (flipped(x), flipped(w), expected),
        (x[::-1], w, expected[::-1]),
    ):
        assert_same_bits(run(given, weight, bias, activation="silu", **options), standard)
        out = last(np.empty_like(expected))
        run(given, weight, bias, activation="silu", out=out, **options, threads=3)
        assert_same_bits(out, standard)
    for other in (residual, last(residual)):
        assert_same_bits(run(x, w, residual=other, **options, threads=1), added)
    for made, threads in ((x, 2), (x[:1], 1), (last(x), 2)):
        plan = cconv.ConvPlan(
            flipped(w), bias, transposed=True, activation="silu", input_shape=made.shape,
            threads=threads, **options,
        )  # fmt: skip
        assert_same_bits(plan(x), expected)
        assert_same_bits(plan(last(x)), expected)


@pytest.mark.parametrize("filters", [1, 40])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_special_values_reach_their_windows_alone(filters: int, value: float) -> None:
    for k, s in ((2, 2), (4, 2), (3, 2), (5, 3)):
        x = np.ones((1, 60, 5, 6), "f4")
        x[0, 3, 2, 4] = value
        y = cconv.conv_transpose2d(x, np.ones((60, filters, k, k), "f4"), stride=s)
        seen = np.zeros(y.shape[2:], bool)
        seen[2 * s : 2 * s + k, 4 * s : 4 * s + k] = True
        for channel in y[0]:
            np.testing.assert_array_equal(~np.isfinite(channel), seen)


@pytest.mark.skipif(not cases.CORE, reason="the reference has one way")
def test_explain_says_how_many_passes() -> None:
    weight = np.ones((8, 32, 4, 4), "f4")
    for stride, words in (
        (2, "4 convolutions, one a phase of the stride, in one pass"),
        (5, "16 convolutions, one a phase of the stride"),
    ):
        plan = cconv.ConvPlan(
            weight, transposed=True, stride=stride, input_shape=(1, 8, 9, 9), algorithm="direct"
        )
        assert f"{words}\n" in plan.explain()
