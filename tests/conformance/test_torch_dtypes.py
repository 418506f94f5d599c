"""Integers, half precision and bool against torch, and tensors handed in through DLPack.

Where torch lacks a dtype it computes in a wider one that holds the values.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from adapter import CONV_TRANSPOSE
from cases import AVG_POOL, CONV, LP_POOL, MAX_POOL, MIN_POOL
from drawing import (
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

TORCH_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TORCH_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
TORCH_MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
TORCH_AVG = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}

NARROW = ["int8", "uint8"]
INTEGERS = [*NARROW, "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"]
BATCH = st.sampled_from([2, 1, None])


@dataclass(frozen=True)
class Case:
    """A convolution of two dtypes; channels and filters are those of one group."""

    windows: Windows
    batch: int | None
    groups: int
    channels: int
    filters: int
    dtypes: tuple[str, str]
    bias: bool
    memory: str
    seed: int

    @property
    def rank(self) -> int:
        return self.windows.rank

    @property
    def shapes(self) -> tuple[Ints, Ints, Ints]:
        """Of input, weight and transposed weight."""
        g, ic, oc = self.windows, self.groups * self.channels, self.groups * self.filters
        weight = (oc, self.channels, *g.kernel)
        return shape(self.batch, ic, *g.size), weight, (ic, self.filters, *g.kernel)

    @property
    def where(self) -> dict[str, Any]:
        g = self.windows
        where = {"stride": g.stride, "padding": g.padding, "dilation": g.dilation}
        return where | {"groups": self.groups}


@st.composite
def conv_cases(draw: st.DrawFn, rank: int, dtypes: list[str]) -> Case:
    few, dtype = st.integers(1, 3 if rank < 3 else 2), st.sampled_from(dtypes)
    g = draw(windows(rank, inside=True))
    return Case(
        g, draw(BATCH), draw(few), draw(few), draw(few), draw(st.tuples(dtype, dtype)),
        draw(st.booleans()), draw(MEMORY), draw(SEEDS),
    )  # fmt: skip


def any_values(rng: np.random.Generator, of: Ints, dtype: str) -> Array:
    """Values from the whole range of an integer dtype."""
    if dtype == "bool":
        return rng.integers(0, 1, of, endpoint=True).astype(bool)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, of, dtype, endpoint=True)


def int64(x: Array) -> torch.Tensor:
    """As int64, modulo 2**64."""
    return torch.from_numpy(x.astype(np.int64))


# ------------------------------------------------------------------------------ integer convolution


def result_dtype(dtypes: tuple[str, str]) -> str:
    """int32 of two 8-bit dtypes; else int64, or uint64 where NumPy says so."""
    if set(dtypes) <= set(NARROW):
        return "int32"
    return "uint64" if np.result_type(*dtypes) == np.uint64 else "int64"


@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=150)
@given(st.data())
def test_integer_conv(rank: int, draw: st.DataObject) -> None:
    """8-bit numbers exactly, all others modulo 2**64, as torch's int64 wraps around."""
    case = draw.draw(conv_cases(rank, INTEGERS))
    rng, (of_x, of_w, of_transposed) = np.random.default_rng(case.seed), case.shapes
    x = arrange(any_values(rng, of_x, case.dtypes[0]), case.memory, rank)
    w, v = (any_values(rng, of, case.dtypes[1]) for of in (of_w, of_transposed))
    bias = any_values(rng, (len(w),), case.dtypes[1]) if case.bias else None
    dtype = result_dtype(case.dtypes)
    b = None if bias is None else int64(bias)
    y = CONV[rank](x, w, bias, **case.where, algorithm="direct")
    equal(y, TORCH_CONV[rank](int64(x), int64(w), b, **case.where).numpy().astype(dtype))
    y = CONV_TRANSPOSE[rank](x, v, bias, **case.where, algorithm="direct")
    equal(y, TORCH_TRANSPOSE[rank](int64(x), int64(v), b, **case.where).numpy().astype(dtype))


# ---------------------------------------------------------------------------------- float16, mixed


@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=60)
@given(st.data())
def test_half_conv(rank: int, draw: st.DataObject) -> None:
    """Computed in float32, rounded once."""
    case = draw.draw(conv_cases(rank, ["float16"]))
    rng, (of_x, of_w, _) = np.random.default_rng(case.seed), case.shapes
    x = arrange(numbers(rng, of_x, "float16", whole=False), case.memory, rank)
    w = numbers(rng, of_w, "float16", whole=False)
    bias = numbers(rng, (len(w),), "float16", whole=False) if case.bias else None
    operands = [x, w] if bias is None else [x, w, bias]
    y = CONV[rank](*operands, **case.where, algorithm="direct")
    wide = [tensor(a, "float64") for a in operands]
    wanted = TORCH_CONV[rank](*wide, **case.where)
    terms = case.channels * math.prod(case.windows.kernel)
    scale = TORCH_CONV[rank](*map(torch.abs, wide), **case.where)
    sums = (terms + 2) * unit_roundoff("float32") * scale
    rounding = unit_roundoff("float16") * (abs(wanted) + sums)
    within(y, wanted, sums + rounding + float(np.finfo("float16").smallest_subnormal), "float16")


@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=60)
@given(st.data())
def test_mixed_conv(rank: int, draw: st.DataObject) -> None:
    """Floats with integers and with other floats: the dtype is NumPy's, small integers exact."""
    kinds = ["float16", "float32", "float64", "int8", "uint16", "int64", "bool"]
    case = draw.draw(conv_cases(rank, kinds))
    dtype = np.result_type(*case.dtypes)
    rng, (of_x, of_w, _) = np.random.default_rng(case.seed), case.shapes
    x, w = (abs(numbers(rng, of, "float64")) for of in (of_x, of_w))
    x, w = (x % 2).astype(case.dtypes[0]), (w % 2).astype(case.dtypes[1])
    y = CONV[rank](arrange(x, case.memory, rank), w, **case.where, algorithm="direct")
    if dtype.kind != "f":
        dtype = np.dtype(result_dtype(case.dtypes))
    wanted = TORCH_CONV[rank](tensor(x, "float64"), tensor(w, "float64"), **case.where)
    equal(y, wanted.numpy().astype(dtype))


# -------------------------------------------------------------------------------------------- pools


@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=120)
@given(st.data())
def test_pools_of_all_dtypes(rank: int, draw: st.DataObject) -> None:
    """Extremes keep the dtype; averages and norms of integers are float64."""
    g = draw.draw(windows(rank, dilation=1, half=True))
    dtype = draw.draw(st.sampled_from([*INTEGERS, "float16"]))
    rng = np.random.default_rng(draw.draw(SEEDS))
    of = shape(draw.draw(BATCH), 2, *map(max, g.size, g.kernel))
    x = numbers(rng, of, dtype) if dtype == "float16" else any_values(rng, of, dtype)
    if dtype in ("int64", "uint64"):
        x >>= 12  # a float64 holds them: torch's pools of one axis, and uint64 as such, do not
    x = arrange(x, draw.draw(MEMORY), rank)
    where = {"stride": g.stride, "padding": g.padding, "ceil_mode": draw.draw(st.booleans())}
    wide = torch.from_numpy(np.ascontiguousarray(x, np.float64))
    for pool, sign in ((MAX_POOL, 1), (MIN_POOL, -1)):
        y, indices = pool[rank](x, g.kernel, **where, return_indices=True)
        wanted, places = TORCH_MAX[rank](sign * wide, g.kernel, **where, return_indices=True)
        equal(y, (sign * wanted).numpy().astype(dtype))
        equal(indices, places)
    averages = TORCH_AVG[rank](wide, g.kernel, **where)
    if dtype == "float16":
        # Sums of small integers are exact; the one division rounds to float32, then to float16.
        quotient = averages.numpy().astype("float32").astype("float16")
        equal(AVG_POOL[rank](x, g.kernel, **where), quotient)
        return
    bound = math.prod(g.kernel) * unit_roundoff("float64")
    scale = TORCH_AVG[rank](abs(wide), g.kernel, **where)
    within(AVG_POOL[rank](x, g.kernel, **where), averages, bound * scale, "float64")
    greatest = TORCH_MAX[rank](abs(wide), g.kernel, **where)
    equal(LP_POOL[rank](x, np.inf, g.kernel, **where), greatest)


@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=60)
@given(st.data())
def test_channels_last_pools(rank: int, draw: st.DataObject) -> None:
    """layout='NHWC' of pools."""
    g, dtype = draw.draw(windows(rank, dilation=1, half=True)), draw.draw(FLOATS)
    rng = np.random.default_rng(draw.draw(SEEDS))
    x = numbers(rng, shape(draw.draw(BATCH), 3, *map(max, g.size, g.kernel)), dtype)
    last = channels_last(arrange(x, draw.draw(MEMORY), rank), rank)
    where = (g.kernel, g.stride, g.padding)
    y, indices = MAX_POOL[rank](last, *where, return_indices=True, layout="NHWC")
    wanted, places = TORCH_MAX[rank](tensor(x), *where, return_indices=True)
    equal(channels_first(y, rank), wanted)
    equal(channels_first(indices, rank), places)
    y = AVG_POOL[rank](last, *where, layout="NHWC")
    equal(channels_first(y, rank), TORCH_AVG[rank](tensor(x), *where))


# ---------------------------------------------------------------------------------- unfold and fold


@settings(max_examples=100)
@given(st.data())
def test_unfold_and_fold_of_all_dtypes(draw: st.DataObject) -> None:
    g, dtype = draw.draw(windows(2)), draw.draw(st.sampled_from([*INTEGERS, "float16"]))
    rng = np.random.default_rng(draw.draw(SEEDS))
    x = abs(numbers(rng, shape(draw.draw(BATCH), 2, *g.size), "float64")).astype(dtype)
    x = arrange(x, draw.draw(MEMORY), 2)
    where = (g.kernel, g.dilation, g.padding, g.stride)
    columns = cconv.unfold(x, *where)
    wide = F.unfold(tensor(x, "float64"), *where)
    equal(columns, wide.numpy().astype(dtype))
    sums = "float16" if dtype == "float16" else result_dtype((dtype, dtype))
    equal(cconv.fold(columns, g.size, *where), F.fold(wide, g.size, *where).numpy().astype(sums))


# ------------------------------------------------------------------------------------------- DLPack


@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=40)
@given(st.data())
def test_tensors_are_inputs(rank: int, draw: st.DataObject) -> None:
    """A tensor counts as the array of its values, whatever its strides."""
    case = draw.draw(conv_cases(rank, ["float32", "float64"]))
    rng, (of_x, of_w, _) = np.random.default_rng(case.seed), case.shapes
    x = tensor(arrange(numbers(rng, of_x, case.dtypes[0]), case.memory, rank))
    w = tensor(numbers(rng, of_w, case.dtypes[0]))
    y = CONV[rank](x, w, **case.where, algorithm="direct")
    equal(y, TORCH_CONV[rank](x, w, **case.where))
    g = case.windows
    half = tuple(min(p, k // 2) for p, k in zip(g.padding, g.kernel, strict=True))
    pooled = MAX_POOL[rank](x, g.kernel, g.stride, half, g.dilation)
    equal(pooled, TORCH_MAX[rank](x, g.kernel, g.stride, half, g.dilation))
