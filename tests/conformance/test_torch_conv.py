"""Convolutions against torch on drawn cases.

Integer-valued data have to agree exactly. On random data torch computes in float64, and a result
is within (K + 2) u sum(|w| |x|) of it, where K terms make a sum.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from adapter import CONV_TRANSPOSE
from cases import CONV
from drawing import (
    BATCH,
    FLOATS,
    MEMORY,
    RANKS,
    SEEDS,
    Array,
    Ints,
    Windows,
    arrange,
    channels_first,
    channels_last,
    equal,
    numbers,
    shape,
    tensor,
    unit_roundoff,
    windows,
    within,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import cconv

Function = Callable[..., Array]
TORCH_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TORCH_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
DEPTHWISE = {1: cconv.depthwise_conv1d, 2: cconv.depthwise_conv2d, 3: cconv.depthwise_conv3d}


@dataclass(frozen=True)
class Case:
    """Everything but the values; channels and filters are those of one group."""

    windows: Windows
    batch: int | None
    groups: int
    channels: int
    filters: int
    bias: bool
    dtype: str
    whole: bool
    memory: str
    layout: str
    seed: int

    @property
    def rank(self) -> int:
        return self.windows.rank

    @property
    def terms(self) -> int:
        return self.channels * math.prod(self.windows.kernel)


@st.composite
def conv_cases(draw: st.DrawFn, rank: int, drawn: st.SearchStrategy[Windows] | None = None) -> Case:
    few = st.integers(1, 4 if rank < 3 else 2)
    return Case(
        draw(windows(rank) if drawn is None else drawn),
        draw(BATCH),
        draw(st.integers(1, 3)),
        draw(few),
        draw(few),
        draw(st.booleans()),
        draw(FLOATS),
        draw(st.booleans()),
        draw(MEMORY),
        draw(st.sampled_from(["NCHW", "NCHW", "NHWC"])),
        draw(SEEDS),
    )


def data(case: Case, *, transposed: bool = False) -> tuple[Array, Array, Array | None]:
    """Input, weight, and bias or None."""
    rng = np.random.default_rng(case.seed)
    ic, oc = case.groups * case.channels, case.groups * case.filters
    x = numbers(rng, shape(case.batch, ic, *case.windows.size), case.dtype, case.whole)
    channels = (ic, case.filters) if transposed else (oc, case.channels)
    w = numbers(rng, (*channels, *case.windows.kernel), case.dtype, case.whole)
    bias = numbers(rng, (oc,), case.dtype, case.whole) if case.bias else None
    return arrange(x, case.memory, case.rank), w, bias


def call(case: Case, function: Function, x: Array, *rest: Any, **keywords: Any) -> Array:
    """The result, channels first, of a call in the layout of the case."""
    keywords = {"layout": case.layout, "algorithm": "direct", **keywords}
    if case.layout == "NCHW":
        return function(x, *rest, **keywords)
    return channels_first(function(channels_last(x, case.rank), *rest, **keywords), case.rank)


def compare(
    case: Case,
    y: Array,
    function: Callable[..., torch.Tensor],
    operands: tuple[Array, Array, Array | None],
    scale: Callable[..., torch.Tensor] | None = None,
) -> None:
    """Compare y with `function` of the operands as tensors: exactly, or within the bound.

    `scale`, if it is another function, sums the magnitudes.
    """

    def tensors(dtype: str | None, *, sizes: bool = False) -> list[torch.Tensor | None]:
        arrays = [None if a is None else abs(a) if sizes else a for a in operands]
        return [None if a is None else tensor(a, dtype) for a in arrays]

    if case.whole:
        equal(y, function(*tensors(None)))
    else:
        sums = (scale or function)(*tensors("float64", sizes=True))
        bound = (case.terms + 2) * unit_roundoff(case.dtype) * sums
        within(y, function(*tensors("float64")), bound, case.dtype)


# ------------------------------------------------------------------------------------ convolutions


@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=300)
@given(st.data())
def test_conv(rank: int, draw: st.DataObject) -> None:
    case = draw.draw(conv_cases(rank))
    x, w, bias = operands = data(case)
    g = case.windows
    where = {"stride": g.stride, "padding": g.padding, "dilation": g.dilation}
    y = call(case, CONV[rank], x, w, bias, **where, groups=case.groups)

    def by_torch(*tensors: torch.Tensor) -> torch.Tensor:
        return TORCH_CONV[rank](*tensors, **where, groups=case.groups)

    compare(case, y, by_torch, operands)


def one_channel(case: Case) -> Case:
    return replace(case, channels=1)


@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=60)
@given(st.data())
def test_depthwise_conv(rank: int, draw: st.DataObject) -> None:
    case = draw.draw(conv_cases(rank).map(one_channel))
    x, w, bias = operands = data(case)
    g = case.windows
    where = {"stride": g.stride, "padding": g.padding, "dilation": g.dilation}
    y = call(case, DEPTHWISE[rank], x, w, bias, **where)

    def by_torch(*tensors: torch.Tensor) -> torch.Tensor:
        return TORCH_CONV[rank](*tensors, **where, groups=case.groups)

    compare(case, y, by_torch, operands)


@settings(max_examples=80)
@given(conv_cases(2), st.integers(1, 4))
def test_separable_conv2d(case: Case, filters: int) -> None:
    """A depthwise convolution, then one of single elements: exact on integers in both."""
    g = case.windows
    rng = np.random.default_rng(case.seed)
    middle = case.groups * case.filters
    x = numbers(rng, shape(case.batch, case.groups, *g.size), case.dtype)
    depthwise = numbers(rng, (middle, 1, *g.kernel), case.dtype)
    pointwise = numbers(rng, (filters, middle, 1, 1), case.dtype)
    bias = numbers(rng, (filters,), case.dtype) if case.bias else None
    where = {"stride": g.stride, "padding": g.padding, "dilation": g.dilation}
    x = arrange(x, case.memory, 2)
    y = call(case, cconv.separable_conv2d, x, depthwise, pointwise, bias, **where)
    inner = F.conv2d(tensor(x), tensor(depthwise), **where, groups=case.groups)
    equal(y, F.conv2d(inner, tensor(pointwise), None if bias is None else tensor(bias)))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=60)
@given(st.data())
def test_same_padding(rank: int, draw: st.DataObject) -> None:
    # torch refuses 'same' with a stride. At stride 1 it, too, pads the end where kernels are even.
    case = draw.draw(conv_cases(rank, windows(rank, stride=1)))
    x, w, bias = operands = data(case)
    where = {"padding": "same", "dilation": case.windows.dilation, "groups": case.groups}
    y = call(case, CONV[rank], x, w, bias, **where)

    def by_torch(*tensors: torch.Tensor) -> torch.Tensor:
        return TORCH_CONV[rank](*tensors, **where)

    compare(case, y, by_torch, operands)


# ------------------------------------------------------------------------------------ padding modes


@dataclass(frozen=True)
class Padded:
    """One axis: its size, pads, and windows that fit into all of it."""

    size: int
    before: int
    after: int
    kernel: int
    stride: int
    dilation: int


@st.composite
def padded_axis(draw: st.DrawFn, rank: int, mode: str) -> Padded:
    # torch reflects less than the size, and repeats a period at most once; cconv any number of
    # times. Only constant pads may be negative in torch, as all may in cconv.
    size = draw(st.integers(1, 10 if rank < 3 else 5))
    widest = {"reflect": size - 1, "circular": size}.get(mode, 5)
    pads = st.integers(-1 if mode == "constant" and size > 2 else 0, min(widest, 5))
    before, after = draw(pads), draw(pads)
    total = size + before + after
    kernel = draw(st.integers(1, min(4 if rank < 3 else 3, total)))
    furthest = min(3, (total - 1) // (kernel - 1)) if kernel > 1 else 3
    return Padded(
        size, before, after, kernel, draw(st.integers(1, 3)), draw(st.integers(1, furthest))
    )


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular", "constant"])
@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=60)
@given(st.data())
def test_padding_mode(rank: int, mode: str, draw: st.DataObject) -> None:
    axes = draw.draw(st.tuples(*[padded_axis(rank, mode)] * rank))
    size, kernel, stride, dilation = (
        tuple(getattr(axis, name) for axis in axes)
        for name in ("size", "kernel", "stride", "dilation")
    )
    pads = [(axis.before, axis.after) for axis in axes]
    g = Windows(size, kernel, stride, (0,) * rank, dilation)
    # torch pads batches of size 0 in some modes only.
    case = draw.draw(conv_cases(rank, st.just(g)).filter(lambda case: case.batch != 0))
    value = draw.draw(st.integers(-3, 3)) if mode == "constant" else 0
    x, w, bias = operands = data(case)
    where = {"stride": stride, "dilation": dilation, "groups": case.groups}
    y = call(
        case, CONV[rank], x, w, bias, **where,
        padding=pads, padding_mode=mode, padding_value=value,
    )  # fmt: skip
    widths = [width for pair in reversed(pads) for width in pair]

    def by_torch(value: int, x: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        constant = {"value": value} if mode == "constant" else {}
        return TORCH_CONV[rank](F.pad(x, widths, mode, **constant), *rest, **where)

    compare(case, y, partial(by_torch, value), operands, partial(by_torch, abs(value)))


# --------------------------------------------------------------------------- transposed convolution


@st.composite
def transposed_windows(draw: st.DrawFn, rank: int) -> tuple[Windows, Ints]:
    """Windows and output_padding, which both want below the greater of stride and dilation."""
    axes, extras = [], []
    for _ in range(rank):
        kernel = draw(st.integers(1, 5 if rank < 3 else 3))
        stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        extra = draw(st.integers(0, max(stride, dilation) - 1))
        padding = draw(st.integers(0, 3))
        size = draw(st.integers(1, 8 if rank < 3 else 4))
        fixed = dilation * (kernel - 1) + extra + 1 - 2 * padding
        while (size - 1) * stride + fixed < 1:
            size += 1
        axes.append((size, kernel, stride, padding, dilation))
        extras.append(extra)
    return Windows(*zip(*axes, strict=True)), tuple(extras)


@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=250)
@given(st.data())
def test_conv_transpose(rank: int, draw: st.DataObject) -> None:
    g, extra = draw.draw(transposed_windows(rank))
    case = draw.draw(conv_cases(rank, st.just(g)))
    x, w, bias = operands = data(case, transposed=True)
    where = {"stride": g.stride, "padding": g.padding, "dilation": g.dilation}
    where["groups"] = case.groups

    def by_torch(*tensors: torch.Tensor) -> torch.Tensor:
        return TORCH_TRANSPOSE[rank](*tensors, **where, output_padding=extra)

    y = call(case, CONV_TRANSPOSE[rank], x, w, bias, **where, output_padding=extra)
    compare(case, y, by_torch, operands)
    size = y.shape[y.ndim - rank :]
    by_size = call(case, CONV_TRANSPOSE[rank], x, w, bias, **where, output_size=size)
    np.testing.assert_array_equal(by_size, y)


# -------------------------------------------------------------------------------------- activations

ACTIVATIONS: dict[Any, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    ("leaky_relu", 0.3): lambda x: F.leaky_relu(x, 0.3),
    "elu": F.elu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "hard_swish": F.hardswish,
    "hard_sigmoid": F.hardsigmoid,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    ("clip", -1.5, 2): lambda x: torch.clamp(x, -1.5, 2),
}


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@settings(max_examples=40)
@given(conv_cases(2), st.booleans())
def test_activation(activation: Any, case: Case, plus: bool) -> None:
    """Sums of multiples of 1/16 are exact, so that the activation alone is in error."""
    x, w, bias = data(replace(case, whole=True))
    x, w, bias = x / 4, w / 4, None if bias is None else bias / 4
    g = case.windows
    where = {"stride": g.stride, "padding": g.padding, "dilation": g.dilation}
    where["groups"] = case.groups
    tensors = [None if a is None else tensor(a, "float64") for a in (x, w, bias)]
    exact = F.conv2d(*tensors, **where)
    added = {}
    if plus:
        residual = numbers(np.random.default_rng(case.seed), tuple(exact.shape), case.dtype) / 4
        exact += tensor(residual)
        added["residual"] = channels_last(residual, 2) if case.layout == "NHWC" else residual
    y = call(case, CONV[2], x, w, bias, **where, activation=activation, **added)
    wanted = ACTIVATIONS[activation](exact)
    # 4 u of the value are ours. Torch's formulas lose the argument's u where they cancel.
    bound = 4 * unit_roundoff(case.dtype) * abs(wanted) + 4 * unit_roundoff("float64") * abs(exact)
    within(y, wanted, bound + float(np.finfo(case.dtype).smallest_subnormal), case.dtype)
