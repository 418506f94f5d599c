"""depthwise_conv and separable_conv2d: they are convolutions in groups, and two in a row."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import cases
import numpy as np
import pytest
from cases import CONV, DTYPES, RANKS, ConvCase, assert_same_bits
from test_errors import check, ones

import cconv

DEPTHWISE: dict[int, Callable[..., Any]] = {
    1: cconv.depthwise_conv1d,
    2: cconv.depthwise_conv2d,
    3: cconv.depthwise_conv3d,
}


def draw(random: Random, rank: int | None = None, dtype: str | None = None) -> ConvCase:
    """A convolution with as many groups as channels, and any padding mode."""
    channels, multiplier = random.randint(1, 20), random.choice([1, 1, 2, 3])
    mode = random.choice(["zeros", "constant", "reflect", "symmetric", "replicate", "circular"])
    return replace(
        cases.draw_conv(random, rank, dtype),
        in_channels=channels,
        out_channels=channels * multiplier,
        groups=channels,
        padding_mode=mode,
        padding_value=2.0 if mode == "constant" else 0.0,
    )


def run(case: ConvCase, x: Any, w: Any, bias: Any, **keywords: Any) -> Any:
    arguments = {key: value for key, value in case.arguments.items() if key != "groups"}
    return DEPTHWISE[case.rank](x, w, bias, **arguments, **keywords)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", RANKS)
def test_sweep_equals_groups(rank: int, dtype: str) -> None:
    for case in cases.sweep(f"depthwise/{rank}/{dtype}", 200, lambda r: draw(r, rank, dtype)):
        with cases.naming(case):
            rng = np.random.default_rng(case.seed)
            x, w, bias = cases.conv_data(case, rng, cases.normals)
            canvas = cases.Canvas(case.out_shape, case.dtype, case.out_layout, rng)
            y = run(case, x, w, bias, out=canvas.array, threads=case.threads)
            canvas.check(y)
            assert_same_bits(y, cases.run_conv(case, x, w, bias))


def draw_map(random: Random, dtype: str) -> ConvCase:
    """Maps of some vectors across and some tiles of rows down, kernels with rows to share."""

    def axis(longest: int, *, kernels: list[int], strides: list[int], dilation: int) -> Any:
        kernel = random.choice(kernels)
        reach = (kernel - 1) * dilation
        size, pads = random.randint(1, longest) + reach, (0, 0)
        if random.random() < 0.8:
            size, pads = size - reach, (reach // 2 + random.randint(0, 3), reach - reach // 2)
        return size, kernel, random.choice(strides), dilation, pads

    rank = random.choice([2, 2, 2, 3])
    axes = [
        axis(3, kernels=[2, 3], strides=[1], dilation=1),
        axis(20, kernels=[2, 3, 3, 4, 5, 7, 9], strides=[1, 1, 2, 3], dilation=1),
        axis(150 if rank == 2 else 40, kernels=[1, 2, 3, 3, 5, 7], strides=[1, 1, 2, 3],
             dilation=random.choice([1, 1, 2])),
    ]  # fmt: skip
    spatial, kernel, stride, dilation, pads = zip(*axes[-rank:], strict=True)
    return replace(
        draw(random, rank, dtype),
        batch=random.randint(1, 2),
        spatial=spatial,
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        pads=pads,
        layout=random.choice(["contiguous", "contiguous", "channels_last", "scattered"]),
        out_layout=random.choice(["contiguous", "contiguous", "channels_last", "scattered"]),
    )


def draw_narrow(random: Random, dtype: str) -> ConvCase:
    """Maps whose rows are about a vector or less: what of two channels may share one."""

    def axis(longest: int, strides: list[int]) -> Any:
        kernel, dilation = random.choice([1, 2, 3, 3, 3, 5, 5, 7]), random.choice([1, 1, 1, 2, 3])
        stride, out, reach = (
            random.choice(strides),
            random.randint(1, longest),
            (kernel - 1) * dilation,
        )
        before, after = (
            random.choice([reach // 2, reach // 2, 0, random.randint(-2, 9)]) for _ in "ab"
        )
        size = (out - 1) * stride + reach + 1 - before - after + random.randint(0, stride - 1)
        return (max(1, size), kernel, stride, dilation, (before, after + max(0, 1 - size)))

    axes = [axis(30, [1, 1, 2, 3]), axis(random.choice([4, 8, 9, 17]), [1, 1, 2, 2, 3, 4])]
    spatial, kernel, stride, dilation, pads = zip(*axes, strict=True)
    channels = random.randint(1, 40)
    return replace(
        draw(random, 2, dtype),
        batch=random.randint(1, 3),
        in_channels=channels,
        out_channels=channels,
        groups=channels,
        spatial=spatial,
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        pads=pads,
        padding_mode=random.choice(["zeros", "zeros", "constant"]),
        layout=random.choice(["contiguous", "contiguous", "unaligned", "scattered"]),
        out_layout=random.choice(["contiguous", "contiguous", "channels_last", "scattered"]),
    )


def draw_square(random: Random, dtype: str) -> ConvCase:
    """Square kernels of plain arrays, whose inputs may be read where they lie."""
    side, stride, channels = (
        random.choice([3, 3, 5, 7]),
        random.choice([1, 1, 2]),
        random.randint(1, 4),
    )
    before = random.choice([side // 2, side // 2, random.randint(0, side // 2 + 1)])

    def axis(longest: int) -> Any:
        out, after = random.randint(1, longest), random.randint(-1, side // 2 + 1)
        size = (out - 1) * stride + side - before - after + random.randint(0, stride - 1)
        return max(1, size), (before, after + max(0, 1 - size))

    spatial, pads = zip(axis(25), axis(random.choice([20, 40, 80, 130])), strict=True)
    return replace(
        draw(random, 2, dtype),
        batch=random.randint(1, 2),
        in_channels=channels,
        out_channels=channels,
        groups=channels,
        spatial=spatial,
        kernel=(side, side),
        stride=(stride, stride),
        dilation=(1, 1),
        pads=pads,
        padding_mode=random.choice(["zeros", "zeros", "zeros", "constant"]),
        layout=random.choice(["contiguous", "contiguous", "contiguous", "unaligned"]),
        out_layout="contiguous",
    )


@pytest.mark.parametrize("draw_one", [draw_map, draw_narrow, draw_square])
@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_are_those_of_groups_with_more_filters(
    dtype: str, draw_one: Callable[[Random, str], ConvCase]
) -> None:
    """Every filter three times in its group takes another way through the core: the same bits."""
    name = {draw_map: "maps", draw_narrow: "narrow", draw_square: "squares"}[draw_one]
    for case in cases.sweep(f"depthwise/{name}/{dtype}", 300, lambda r: draw_one(r, dtype)):
        with cases.naming(case):
            rng = np.random.default_rng(case.seed)
            x, w, bias = cases.conv_data(case, rng, cases.normals)
            activation = [None, "relu", ("clip", -0.5, 1), "silu"][case.seed % 4]
            many = None if bias is None else bias.repeat(3)
            added = cases.normals(rng, case.out_shape, dtype) if case.seed % 5 == 0 else None
            more = None if added is None else added.repeat(3, axis=1)
            expected = cases.run_conv(
                case, x, w.repeat(3, axis=0), many, activation=activation, residual=more
            )
            canvas = cases.Canvas(case.out_shape, case.dtype, case.out_layout, rng)
            y = cases.run_conv(
                case, x, w, bias, activation=activation, residual=added, out=canvas.array
            )
            canvas.check(y)
            assert_same_bits(y, expected[:, ::3].copy())


@pytest.mark.parametrize("size", [3, 7, 8, 14, 19])
def test_what_is_not_finite_stays_in_its_channel(size: int) -> None:
    """Channels may share vectors, a row's neighbours, and the lanes that nobody looks at."""
    rng = np.random.default_rng(size)
    x, w = cases.normals(rng, (1, 9, size, size), "f4"), cases.normals(rng, (9, 1, 3, 3), "f4")
    expected = cconv.depthwise_conv2d(x, w, padding=1)
    for channel in range(9):
        for value in (np.nan, np.inf, -np.inf):
            spoilt, weight = x.copy(), w.copy()
            spoilt[0, channel] = value
            y = cconv.depthwise_conv2d(spoilt, w, padding=1)
            assert not np.isfinite(y[0, channel]).any()
            weight[channel] = value
            z = cconv.depthwise_conv2d(x, weight, padding=1)
            assert not np.isfinite(z[0, channel]).any()
            others = np.arange(9) != channel
            assert_same_bits(y[:, others].copy(), expected[:, others].copy())
            assert_same_bits(z[:, others].copy(), expected[:, others].copy())


@pytest.mark.parametrize("rank", RANKS)
def test_each_channel_has_its_own_filters(rank: int) -> None:
    rng = np.random.default_rng(rank)
    x = cases.integers(rng, (2, 3, *(5, 6, 7)[-rank:]), "float32")
    w = cases.integers(rng, (6, 1, *(2, 3, 3)[-rank:]), "float32")
    y = DEPTHWISE[rank](x, w, padding=1)
    for o in range(6):
        alone = CONV[rank](x[:, o // 2, None], w[o, None], padding=1)
        assert_same_bits(y[:, o, None].copy(), alone)


def test_activation_threads_and_words() -> None:
    rng = np.random.default_rng(1)
    x = cases.normals(rng, (2, 64, 40, 41), "float32")
    w, bias = cases.normals(rng, (64, 1, 5, 5), "float32"), cases.normals(rng, (64,), "float32")
    arguments: dict[str, Any] = {"stride": 2, "padding": "same", "activation": "relu6"}
    expected = cconv.conv2d(x, w, bias, groups=64, **arguments)
    for threads in (1, 2, 3, 7):
        y = cconv.depthwise_conv2d(x, w, bias, threads=threads, **arguments)
        assert_same_bits(y, expected)


def draw_separable(random: Random) -> ConvCase:
    return replace(draw(random, 2), bias=True)


def test_separable_is_depthwise_then_pointwise() -> None:
    for case in cases.sweep("separable", 150, draw_separable):
        with cases.naming(case):
            rng = np.random.default_rng(case.seed)
            filters = int(rng.integers(1, 9))
            x, w, _ = cases.conv_data(case, rng)
            point = cases.integers(rng, (filters, case.out_channels, 1, 1), case.dtype, 3)
            bias = cases.integers(rng, (filters,), case.dtype)
            arguments = {key: value for key, value in case.arguments.items() if key != "groups"}
            between = cconv.depthwise_conv2d(x, w, **arguments)
            expected = cconv.conv2d(between, point, bias, activation="relu")
            shape = (case.batch, filters, *case.out_spatial)
            canvas = cases.Canvas(shape, case.dtype, case.out_layout, rng)
            y = cconv.separable_conv2d(
                x, w, point, bias, activation="relu", out=canvas.array, **arguments
            )
            canvas.check(y)
            assert_same_bits(y, expected)


def test_separable_of_one_image_and_mixed_dtypes() -> None:
    rng = np.random.default_rng(3)
    x, w = cases.normals(rng, (4, 9, 9), "float32"), cases.normals(rng, (8, 1, 3, 3), "float32")
    point = cases.normals(rng, (5, 8, 1, 1), "float64")
    wide = cconv.depthwise_conv2d(x.astype("f8"), w.astype("f8"), padding=1)
    y = cconv.separable_conv2d(x, w, point, padding=1)
    assert_same_bits(y, cconv.conv2d(wide, point))
    small = cconv.separable_conv2d(x, w, point.astype("f4"), padding=1)
    assert small.dtype == np.float32


def test_separable_out_may_overlap_everything() -> None:
    rng = np.random.default_rng(4)
    x = cases.integers(rng, (1, 3, 8, 8), "float32")
    w, point = cases.integers(rng, (3, 1, 3, 3), "float32"), np.ones((3, 3, 1, 1), "f4")
    expected = cconv.separable_conv2d(x.copy(), w, point, padding=1)
    assert cconv.separable_conv2d(x, w, point, padding=1, out=x) is x
    assert_same_bits(x, expected)


X, W, P = ones(2, 4, 9, 9), ones(8, 1, 3, 3), ones(5, 8, 1, 1)
depthwise, separable = cconv.depthwise_conv2d, cconv.separable_conv2d
ERRORS: dict[str, tuple[type[Exception], Callable[[], Any], list[str]]] = {
    "rank": (ValueError, lambda: depthwise(X, ones(8, 3, 3)), ["weight", "(c*m, 1"]),
    "multiple": (
        ValueError, lambda: depthwise(X, ones(6, 1, 3, 3)),
        ["depthwise_conv2d: weight.shape is (6, 1, 3, 3)", "4 channels", "(m*4, 1, kh, kw)"],
    ),
    "depth": (ValueError, lambda: depthwise(X, ones(8, 2, 3, 3)), ["(8, 2, 3, 3)", "(m*4, 1,"]),
    "no filters": (ValueError, lambda: depthwise(X, W[:0]), ["(0, 1, 3, 3)", "(m*4, 1,"]),
    "no channels": (ValueError, lambda: depthwise(X[:, :0], W), ["no channels", "at least 1"]),
    "bias": (ValueError, lambda: depthwise(X, W, ones(4)), ["bias", "(4,)", "(8,)"]),
    "mode": (ValueError, lambda: depthwise(X, W, padding_mode="edge"), ["'edge'", "'replicate'"]),
    "groups": (TypeError, lambda: depthwise(X, W, None, 1, 0, 1, 4), ["positional"]),
    "separable weight": (
        ValueError, lambda: separable(X, ones(6, 1, 3, 3), P),
        ["separable_conv2d: depthwise_weight.shape is (6, 1, 3, 3)", "(m*4, 1, kh, kw)"],
    ),
    "pointwise channels": (
        ValueError, lambda: separable(X, W, ones(5, 4, 1, 1)),
        ["separable_conv2d: pointwise_weight.shape[1] is 4", "8 channels", "(oc, 8,"],
    ),
    "pointwise kernel": (
        ValueError, lambda: separable(X, W, ones(5, 8, 3, 1)),
        ["separable_conv2d: pointwise_weight.shape is (5, 8, 3, 1)", "(oc, 8, 1, 1)"],
    ),
    "pointwise kernel larger than the image": (
        ValueError, lambda: separable(X, W, ones(5, 8, 99, 9)), ["(5, 8, 99, 9)", "(oc, 8, 1, 1)"],
    ),
    "pointwise rank": (
        ValueError, lambda: separable(X, W, ones(5, 8)), ["pointwise_weight.shape (5, 8)", "4"],
    ),
    "separable bias": (ValueError, lambda: separable(X, W, P, ones(8)), ["bias", "(8,)", "(5,)"]),
    "separable dtype": (
        TypeError, lambda: separable(X, W, P.astype("c8")), ["pointwise_weight", "complex64"],
    ),
    "separable algorithm": (
        ValueError, lambda: separable(X, W, P, algorithm="fft"), ["separable_conv2d: ", "'fft'"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    error, call, fragments = ERRORS[name]
    check(error, call, *fragments)
