"""Identities of convolution, also transposed, exact on integers, over drawn parameters."""

import math
from dataclasses import replace
from typing import Any

import cases
import numpy as np
import pytest
import test_conv_transpose as transposed
import test_padding_modes
from cases import CONV, RANKS, ConvCase, assert_same_bits
from operators import EVERY, OPERATORS, drawn
from test_conv_transpose import TRANSPOSE
from test_depthwise import DEPTHWISE

COUNT = 40 if cases.CORE else 12


def draws(name: str, rank: int, count: int = COUNT, draw: Any = cases.draw_conv) -> Any:
    return cases.sweep(f"{name}/{rank}", count, lambda random: draw(random, rank))


def data(case: ConvCase) -> Any:
    return cases.conv_data(case, np.random.default_rng(case.seed))


def spatially(*slices: slice) -> tuple[slice, ...]:
    """An index into (n, c, *spatial)."""
    return (slice(None), slice(None), *slices)


def stuffed(a: cases.Array, steps: cases.Ints) -> cases.Array:
    """The array with steps - 1 zeros between the elements of each spatial axis."""
    sizes = (s * (n - 1) + 1 if n else 0 for n, s in zip(a.shape[2:], steps, strict=True))
    wide = np.zeros((*a.shape[:2], *sizes), a.dtype)
    wide[spatially(*(slice(None, None, s) for s in steps))] = a
    return wide


# ------------------------------------------------------------------------- a map and its transpose


@pytest.mark.parametrize("rank", RANKS)
def test_adjoint_of_convolution(rank: int) -> None:
    """<conv x, y> = <x, conv_transpose y>, with one and the same weight."""
    for case in draws("adjoint", rank, 100):
        with cases.naming(case):
            x, w, _ = data(case)
            y = cases.integers(np.random.default_rng(1), case.out_shape, case.dtype)
            forth = cases.run_conv(case, x, w, None)
            sizes = {"output_size": case.spatial, "algorithm": "direct"}
            back = TRANSPOSE[rank](y, w, **sizes, **case.arguments)
            assert back.shape == x.shape
            assert np.vdot(forth.astype("f8"), y) == np.vdot(x, back.astype("f8"))


@pytest.mark.parametrize("rank", RANKS)
def test_adjoint_of_transposed_convolution(rank: int) -> None:
    """<conv_transpose x, y> = <x, conv y>, whatever the output padding.

    One of at least the stride gives `conv` windows beyond those that x has.
    """
    for case in draws("adjoint of transposed", rank, 100, transposed.draw):
        with cases.naming(case):
            x, w, _ = transposed.data(case, np.random.default_rng(case.seed))
            y = cases.integers(np.random.default_rng(1), case.out_shape, case.dtype)
            forth = transposed.run(case, x, w, None)
            arguments = {k: v for k, v in case.arguments.items() if k != "output_padding"}
            back = CONV[rank](y, w, algorithm="direct", **arguments)
            back = back[spatially(*map(slice, case.spatial))]
            assert back.shape == x.shape
            assert np.vdot(forth.astype("f8"), y) == np.vdot(x, back.astype("f8"))


@pytest.mark.parametrize(
    ("name", "rank"), [(name, rank) for name, rank in EVERY if OPERATORS[name].linear]
)
def test_linear(name: str, rank: int) -> None:
    for call in drawn("linear", name, rank, 30, cases.integers):
        with cases.naming(call):
            x = call.batched[0]
            y = cases.integers(np.random.default_rng(1), x.shape, x.dtype.name)
            changes: dict[str, Any] = {"bias": 0, "padding_value": 0.0}
            plain = {
                k: None if k == "bias" else v for k, v in changes.items() if k in call.keywords
            }
            (both,), (first,), (second,) = (call(a, **plain) for a in (2 * x - 3 * y, x, y))
            np.testing.assert_array_equal(both, 2 * first - 3 * second)


# ------------------------------------------------------------------------------------------ kernels


@pytest.mark.parametrize("rank", RANKS)
def test_delta_kernel_is_the_identity(rank: int) -> None:
    """Wherever the one stands, whatever the padding mode, in `conv`, depthwise and transposed."""
    for case in draws("delta", rank, COUNT, test_padding_modes.draw):
        with cases.naming(case):
            rng, channels = np.random.default_rng(case.seed), case.in_channels
            x = cases.arrange(
                cases.integers(rng, (case.batch, channels, *case.spatial), case.dtype),
                case.layout,
                rng,
            )
            one = tuple(int(rng.integers(k)) for k in case.kernel)
            delta = np.zeros((channels, 1, *case.kernel), case.dtype)
            delta[(slice(None), 0, *one)] = 1
            each = zip(case.kernel, case.dilation, one, strict=True)
            pads = tuple((d * i, d * (k - 1 - i)) for k, d, i in each)
            arguments = {"padding": pads, "dilation": case.dilation, "algorithm": "direct"}
            y = CONV[rank](x, delta, groups=channels, **arguments, **case.mode)
            assert_same_bits(y, x + 0)
            assert_same_bits(DEPTHWISE[rank](x, delta, **arguments, **case.mode), x + 0)
            assert_same_bits(TRANSPOSE[rank](x, delta, groups=channels, **arguments), x + 0)


@pytest.mark.parametrize("rank", RANKS)
def test_kernel_of_one_tap_is_a_matrix_product(rank: int) -> None:
    for case in draws("product", rank):
        none = ((0, 0),) * rank
        case = replace(case, kernel=(1,) * rank, pads=none, groups=1, bias=True)
        with cases.naming(case):
            x, w, bias = data(case)
            every = x[spatially(*(slice(None, None, s) for s in case.stride))]
            columns = every.reshape(*every.shape[:2], math.prod(every.shape[2:]))
            product = w.reshape(w.shape[:2]) @ columns + bias[:, None]
            y = cases.run_conv(case, x, w, bias)
            assert_same_bits(y.reshape(product.shape), product)


@pytest.mark.parametrize("rank", RANKS)
def test_dilation_is_a_kernel_stuffed_with_zeros(rank: int) -> None:
    for case in draws("dilation", rank, COUNT, test_padding_modes.draw):
        with cases.naming(case):
            x, w, bias = data(case)
            plain = replace(case, dilation=(1,) * rank)
            y = cases.run_conv(case, x, w, bias)
            assert_same_bits(y, cases.run_conv(plain, x, stuffed(w, case.dilation), bias))
    for other in draws("transposed dilation", rank, COUNT, transposed.draw):
        # Without the dilation, only an output padding below the stride is one.
        extra = tuple(min(e, s - 1) for e, s in zip(other.extra, other.stride, strict=True))
        other = replace(other, extra=extra)
        if min(other.out_shape[2:]) < 1:
            continue
        with cases.naming(other):
            x, w, bias = transposed.data(other, np.random.default_rng(other.seed))
            arguments = other.arguments | {"dilation": 1, "algorithm": "direct"}
            y = TRANSPOSE[rank](x, stuffed(w, other.dilation), bias, **arguments)
            assert_same_bits(transposed.run(other, x, w, bias), y)


@pytest.mark.parametrize("rank", RANKS)
def test_groups_are_separate(rank: int) -> None:
    def parts(array: Any, groups: int, axis: int) -> Any:
        return [None] * groups if array is None else np.split(array, groups, axis)

    for case in draws("groups", rank):
        with cases.naming(case):
            x, w, bias = data(case)
            arguments: dict[str, Any] = case.arguments | {"groups": 1, "algorithm": "direct"}
            pieces = zip(
                parts(x, case.groups, 1),
                parts(w, case.groups, 0),
                parts(bias, case.groups, 0),
                strict=True,
            )
            y = [CONV[rank](*piece, **arguments) for piece in pieces]
            assert_same_bits(cases.run_conv(case, x, w, bias), np.concatenate(y, 1))
    for other in draws("transposed groups", rank, COUNT, transposed.draw):
        with cases.naming(other):
            x, w, bias = transposed.data(other, np.random.default_rng(other.seed))
            arguments = other.arguments | {"groups": 1, "algorithm": "direct"}
            pieces = zip(
                parts(x, other.groups, 1),
                parts(w, other.groups, 0),
                parts(bias, other.groups, 0),
                strict=True,
            )
            y = [TRANSPOSE[rank](*piece, **arguments) for piece in pieces]
            assert_same_bits(transposed.run(other, x, w, bias), np.concatenate(y, 1))


# ------------------------------------------------------------------------------------------ windows


@pytest.mark.parametrize("rank", RANKS)
def test_padding_is_explicit(rank: int) -> None:
    """Zeros are elements that np.pad writes, and negative pads cut.

    The other padding modes are compared with np.pad in test_padding_modes.
    """
    for case in draws("explicit", rank, 2 * COUNT):
        with cases.naming(case):
            x, w, bias = data(case)
            plain, wide = test_padding_modes.plain(case, x)
            y = cases.run_conv(plain, wide, w, bias)
            assert_same_bits(cases.run_conv(case, x, w, bias), y)


@pytest.mark.parametrize("rank", RANKS)
def test_stride_takes_every_nth_output(rank: int) -> None:
    for case in draws("stride", rank):
        with cases.naming(case):
            x, w, bias = data(case)
            whole = cases.run_conv(replace(case, stride=(1,) * rank), x, w, bias)
            every = whole[spatially(*(slice(None, None, s) for s in case.stride))]
            assert_same_bits(cases.run_conv(case, x, w, bias), every.copy())


@pytest.mark.parametrize("rank", RANKS)
def test_stride_of_transposed_is_an_image_stuffed_with_zeros(rank: int) -> None:
    for case in draws("stuffed image", rank, COUNT, transposed.draw):
        with cases.naming(case):
            x, w, bias = transposed.data(case, np.random.default_rng(case.seed))
            # An output padding is as many elements more, whatever the stride.
            pads = tuple((b, a - e) for (b, a), e in zip(case.pads, case.extra, strict=True))
            arguments = case.arguments | {"stride": 1, "output_padding": 0, "padding": pads}
            y = TRANSPOSE[rank](stuffed(x, case.stride), w, bias, algorithm="direct", **arguments)
            assert_same_bits(transposed.run(case, x, w, bias), y)


@pytest.mark.parametrize("rank", RANKS)
def test_transposed_of_unit_stride_is_convolution_with_the_flipped_kernel(rank: int) -> None:
    for case in draws("flipped kernel", rank, COUNT, transposed.draw):
        case = replace(case, stride=(1,) * rank, groups=1, extra=(0,) * rank)
        if min(case.out_shape[2:]) < 1:
            continue
        with cases.naming(case):
            x, w, bias = transposed.data(case, np.random.default_rng(case.seed))
            turned = np.flip(w, range(2, rank + 2)).swapaxes(0, 1)
            axes = zip(case.kernel, case.dilation, case.pads, strict=True)
            pads = tuple((d * (k - 1) - b, d * (k - 1) - a) for k, d, (b, a) in axes)
            arguments = {"padding": pads, "dilation": case.dilation, "algorithm": "direct"}
            y = transposed.run(case, x, w, bias)
            assert_same_bits(y, CONV[rank](x, turned, bias, **arguments))
            if cases.CORE:  # which adds in the same order
                normal = cases.normals(np.random.default_rng(1), x.shape, case.dtype)
                full = {"dilation": case.dilation, "algorithm": "direct"}
                y = CONV[rank](normal, turned, padding="full", **full)
                assert_same_bits(TRANSPOSE[rank](normal, w, **full) + 0, y + 0)


@pytest.mark.parametrize("rank", RANKS)
def test_pads_of_transposed_cut_and_negative_ones_add(rank: int) -> None:
    """What they add has only the bias."""
    for case in draws("transposed pads", rank, COUNT, transposed.draw):
        with cases.naming(case):
            x, w, bias = transposed.data(case, np.random.default_rng(case.seed))
            plain = replace(case, pads=((0, 0),) * rank, bias=False)
            whole = transposed.run(plain, x, w, None)
            wide = [(0, 0), (0, 0), *((max(-b, 0), max(-a, 0)) for b, a in case.pads)]
            starts = (max(b, 0) for b, _ in case.pads)
            cut = (slice(b, b + n) for b, n in zip(starts, case.out_shape[2:], strict=True))
            expected = np.pad(whole, wide)[spatially(*cut)]
            if bias is not None:
                expected = expected + bias.reshape(-1, *(1,) * rank)
            assert_same_bits(transposed.run(case, x, w, bias), expected.copy())


def divisible(case: ConvCase) -> ConvCase:
    """The case with a last window that ends where the padded input does."""
    axes = zip(case.spatial, case.kernel, case.stride, case.dilation, case.pads, strict=True)
    rest = [(i + b + a - d * (k - 1) - 1) % s for i, k, s, d, (b, a) in axes]
    return replace(case, pads=tuple((b, a - r) for (b, a), r in zip(case.pads, rest, strict=True)))


@pytest.mark.parametrize("rank", RANKS)
def test_flipped_image_and_kernel_give_the_flipped_result(rank: int) -> None:
    axes = tuple(range(2, rank + 2))
    for case in draws("flipped", rank, COUNT, test_padding_modes.draw):
        case = divisible(case)
        with cases.naming(case):
            x, w, bias = data(case)
            turned = replace(case, pads=tuple((a, b) for b, a in case.pads))
            y = cases.run_conv(turned, np.flip(x, axes), np.flip(w, axes), bias)
            assert_same_bits(np.flip(cases.run_conv(case, x, w, bias), axes).copy(), y)
    for other in draws("flipped transposed", rank, COUNT, transposed.draw):
        with cases.naming(other):
            x, w, bias = transposed.data(other, np.random.default_rng(other.seed))
            # Output padding lies at the end; at the start it is so much less of a pad.
            pads = tuple((a - e, b) for (b, a), e in zip(other.pads, other.extra, strict=True))
            turned = replace(other, pads=pads, extra=(0,) * rank)
            y = transposed.run(turned, np.flip(x, axes), np.flip(w, axes), bias)
            assert_same_bits(np.flip(transposed.run(other, x, w, bias), axes).copy(), y)


@pytest.mark.parametrize("rank", RANKS)
def test_a_rotated_periodic_image_gives_the_rotated_result(rank: int) -> None:
    """Shift equivariance over the whole image: with circular padding there is no border."""
    for case in draws("rotated", rank):
        case = replace(case, padding_mode="circular", stride=(1,) * rank)
        with cases.naming(case):
            x, w, bias = data(case)
            arguments = case.arguments | {"padding": "same", "algorithm": "direct"}
            steps = tuple(int(i) for i in np.random.default_rng(case.seed).integers(-9, 9, rank))
            axes = tuple(range(2, rank + 2))
            y = CONV[rank](np.roll(x, steps, axes), w, bias, **arguments)
            assert_same_bits(y, np.roll(CONV[rank](x, w, bias, **arguments), steps, axes))


def long_enough(x: cases.Array, window: cases.Ints) -> cases.Array:
    """The image repeated along each axis until a window fits into it twice."""
    times = [2 * k // n + 1 for n, k in zip(x.shape[2:], window, strict=True)]
    return np.tile(x, (1, 1, *times))


SLIDING = ["conv", "depthwise_conv", "max_pool", "min_pool", "avg_pool", "lp_pool"]


@pytest.mark.parametrize(
    ("name", "rank"), [(name, rank) for name, rank in EVERY if name in SLIDING]
)
def test_an_image_moved_by_the_stride_moves_the_result_by_one(name: str, rank: int) -> None:
    """Shift equivariance, in bits, for random data."""
    for call in drawn("moved", name, rank, COUNT):
        with cases.naming(call):
            arguments = call.keywords
            changes = {"padding": 0, "ceil_mode": False}
            plain = {k: v for k, v in changes.items() if k in arguments}
            kernel = arguments.get("kernel_size") or arguments["weight"].shape[2:]
            stride, dilation = arguments["stride"], arguments["dilation"]
            spans = tuple(d * k + s for k, s, d in zip(kernel, stride, dilation, strict=True))
            x = long_enough(call.batched[0], spans)
            (whole,) = call(x, **plain)
            for axis in range(rank):
                moved = [slice(step if a == axis else 0, None) for a, step in enumerate(stride)]
                by_one = [slice(1 if a == axis else 0, None) for a in range(rank)]
                (y,) = call(x[spatially(*moved)], **plain)
                assert_same_bits(y, whole[spatially(*by_one)].copy())
