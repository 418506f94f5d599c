"""Pools, adaptive pools, max_unpool, unfold and fold against torch on drawn cases.

Values that are chosen or moved have to be the same. An average of integer-valued data sums exactly
and divides once, so it is the same, too; sums of random data and norms have bounds.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from adapter import MAX_UNPOOL
from cases import AVG_POOL, LP_POOL, MAX_POOL, MIN_POOL
from drawing import (
    BATCH,
    FLOATS,
    MEMORY,
    RANKS,
    SEEDS,
    Array,
    Ints,
    arrange,
    equal,
    numbers,
    shape,
    tensor,
    unit_roundoff,
    windows,
    with_specials,
    within,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import cconv

TORCH_MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
TORCH_AVG = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
TORCH_LP = {1: F.lp_pool1d, 2: F.lp_pool2d, 3: F.lp_pool3d}
TORCH_UNPOOL = {1: F.max_unpool1d, 2: F.max_unpool2d, 3: F.max_unpool3d}
TORCH_ADAPTIVE_AVG = {
    1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d,
}  # fmt: skip
TORCH_ADAPTIVE_MAX = {
    1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d,
}  # fmt: skip
ADAPTIVE_AVG = {
    1: cconv.adaptive_avg_pool1d, 2: cconv.adaptive_avg_pool2d, 3: cconv.adaptive_avg_pool3d,
}  # fmt: skip
ADAPTIVE_MAX = {
    1: cconv.adaptive_max_pool1d, 2: cconv.adaptive_max_pool2d, 3: cconv.adaptive_max_pool3d,
}  # fmt: skip


@dataclass(frozen=True)
class Images:
    """Everything but the sizes and the values of an input."""

    batch: int | None
    channels: int
    dtype: str
    memory: str
    special: bool
    seed: int

    @property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def draw(self, size: Ints, *, whole: bool = True, special: bool | None = None) -> Array:
        """The input: small integers, or normal deviates; NaNs and infinities if wanted."""
        rng = self.rng
        x = numbers(rng, shape(self.batch, self.channels, *size), self.dtype, whole)
        if self.special if special is None else special:
            x = with_specials(rng, x)
        return arrange(x, self.memory, len(size))


IMAGES = st.builds(Images, BATCH, st.integers(1, 4), FLOATS, MEMORY, st.booleans(), SEEDS)
# torch pools no batch of size 0 in some of the functions.
SOME_IMAGES = IMAGES.filter(lambda images: images.batch != 0)


def equal_places(
    y: Array, indices: Array, wanted: torch.Tensor, empty: torch.Tensor | None = None
) -> None:
    """Equal indices, but of NaNs: torch takes the last of a window, and cconv the first.

    In `empty` windows, which have no element, ours is -1, and torch's any number.
    """
    places = wanted.numpy()
    assert indices.dtype == places.dtype
    assert indices.shape == places.shape
    none = np.zeros(y.shape, bool) if empty is None else empty.numpy()
    np.testing.assert_array_equal(indices == -1, none)
    known = ~(np.isnan(y) | none)
    np.testing.assert_array_equal(indices[known], places[known])


# ----------------------------------------------------------------------------------- max, min, avg

# torch takes pads of at most half the kernel; cconv any.


@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=250)
@given(st.data())
def test_max_and_min_pool(rank: int, draw: st.DataObject) -> None:
    g, images = draw.draw(windows(rank, half=True)), draw.draw(IMAGES)
    ceil_mode, as_kernel = draw.draw(st.booleans()), draw.draw(st.booleans())
    x = images.draw(g.size)
    where = {
        "stride": None if as_kernel else g.stride,
        "padding": g.padding,
        "dilation": g.dilation,
        "ceil_mode": ceil_mode,
        "return_indices": True,
    }
    # In channels-last memory torch gives a window of nothing but -inf the index 0, not its own.
    by_torch = torch.from_numpy(np.ascontiguousarray(x))
    empty = TORCH_MAX[rank](torch.zeros(x.shape), g.kernel, **where)[0] < 0
    y, indices = MAX_POOL[rank](x, g.kernel, **where)
    wanted, places = TORCH_MAX[rank](by_torch, g.kernel, **where)
    equal(y, wanted)
    equal_places(y, indices, places, empty)
    y, indices = MIN_POOL[rank](x, g.kernel, **where)
    wanted, places = TORCH_MAX[rank](-by_torch, g.kernel, **where)
    equal(y, -wanted)
    equal_places(y, indices, places, empty)


@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=250)
@given(st.data())
def test_avg_pool(rank: int, draw: st.DataObject) -> None:
    # torch has no dilation of averages, and with three axes no kernel larger than the input.
    g, images = draw.draw(windows(rank, dilation=1, half=True)), draw.draw(IMAGES)
    size = tuple(map(max, g.size, g.kernel)) if rank == 3 else g.size
    whole = draw.draw(st.booleans())
    x = images.draw(size, whole=whole, special=whole and images.special)
    where: dict[str, Any] = {
        "stride": draw.draw(st.sampled_from([None, g.stride])),
        "padding": g.padding,
        "ceil_mode": draw.draw(st.booleans()),
        "count_include_pad": draw.draw(st.booleans()),
    }
    if rank > 1:  # torch has no divisor_override with one axis
        where["divisor_override"] = draw.draw(st.sampled_from([None, None, 1, 3, 7]))
    y = AVG_POOL[rank](x, g.kernel, **where)
    if whole:
        equal(y, TORCH_AVG[rank](tensor(x), g.kernel, **where))
        return
    scale = TORCH_AVG[rank](tensor(abs(x), "float64"), g.kernel, **where)
    bound = (math.prod(g.kernel) + 1) * unit_roundoff(images.dtype) * abs(scale)
    within(y, TORCH_AVG[rank](tensor(x, "float64"), g.kernel, **where), bound, images.dtype)


# ------------------------------------------------------------------------------------------- norms


def norm_bound(wanted: torch.Tensor, terms: int, dtype: str) -> torch.Tensor:
    """Powers, their sum and its root each lose a few u of the norm."""
    return (terms + 12) * unit_roundoff(dtype) * wanted


@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=120)
@given(st.data())
def test_lp_pool(rank: int, draw: st.DataObject) -> None:
    # torch has neither dilation nor padding here, and takes powers of elements, not of their
    # magnitudes: any p but 2 gets an input without a sign.
    g, images = draw.draw(windows(rank, dilation=1, half=True)), draw.draw(IMAGES)
    p, ceil_mode = draw.draw(st.sampled_from([1, 2, 3, 2.5, np.inf])), draw.draw(st.booleans())
    size = tuple(map(max, g.size, g.kernel))
    x = images.draw(size, whole=False, special=False)
    x = x if p == 2 else abs(x)
    y = LP_POOL[rank](x, p, g.kernel, g.stride, ceil_mode)
    kernel = g.kernel[0] if rank == 1 else g.kernel
    wanted = TORCH_LP[rank](tensor(x, "float64"), p, kernel, g.stride, ceil_mode)
    assert y.shape == wanted.shape
    # torch scales up the sum of a window that reaches beyond the input; ours, as ONNX's, is zeros
    # there. So only windows inside are compared.
    geometry = zip(size, g.kernel, g.stride, strict=True)
    inside = (..., *(slice((n - k) // s + 1) for n, k, s in geometry))
    y, wanted = y[inside], wanted[inside]
    within(y, wanted, norm_bound(wanted, math.prod(g.kernel), images.dtype), images.dtype)


@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=60)
@given(st.data())
def test_global_pools(rank: int, draw: st.DataObject) -> None:
    size = draw.draw(st.tuples(*[st.integers(1, {1: 40, 2: 9, 3: 5}[rank])] * rank))
    images = draw.draw(IMAGES.filter(lambda images: images.batch is not None))
    axes, keepdims = tuple(range(2, rank + 2)), draw.draw(st.booleans())
    x = images.draw(size)
    equal(cconv.global_max_pool(x, keepdims=keepdims), torch.amax(tensor(x), axes, keepdims))
    x, terms = images.draw(size, whole=False, special=False), math.prod(size)
    exact = tensor(x, "float64")
    scale = (terms + 1) * unit_roundoff(images.dtype) * torch.mean(abs(exact), axes, keepdims)
    y = cconv.global_avg_pool(x, keepdims=keepdims)
    within(y, torch.mean(exact, axes, keepdims), scale, images.dtype)
    p = draw.draw(st.sampled_from([1, 2, 3, 2.5, np.inf]))
    wanted = torch.linalg.vector_norm(exact, p, axes, keepdims)
    y = cconv.global_lp_pool(x, p=p, keepdims=keepdims)
    within(y, wanted, norm_bound(wanted, terms, images.dtype), images.dtype)


# ---------------------------------------------------------------------------------------- adaptive


@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=150)
@given(st.data())
def test_adaptive_pools(rank: int, draw: st.DataObject) -> None:
    longest = {1: 20, 2: 9, 3: 6}[rank]
    size = draw.draw(st.tuples(*[st.integers(1, longest)] * rank))
    # An output axis of None has the input's size, in torch from two axes on.
    one = st.integers(1, longest) if rank == 1 else st.none() | st.integers(1, longest)
    to, images = draw.draw(st.tuples(*[one] * rank)), draw.draw(SOME_IMAGES)
    x = images.draw(size)
    y, indices = ADAPTIVE_MAX[rank](x, to, return_indices=True)
    wanted, places = TORCH_ADAPTIVE_MAX[rank](tensor(x), to, return_indices=True)
    equal(y, wanted)
    equal_places(y, indices, places)
    x = images.draw(size, whole=False, special=False)
    terms = math.prod(-(-n // (k or n)) + 1 for n, k in zip(size, to, strict=True))
    scale = TORCH_ADAPTIVE_AVG[rank](tensor(abs(x), "float64"), to)
    bound = (terms + 1) * unit_roundoff(images.dtype) * scale
    y = ADAPTIVE_AVG[rank](x, to)
    within(y, TORCH_ADAPTIVE_AVG[rank](tensor(x, "float64"), to), bound, images.dtype)


# ------------------------------------------------------------------------------------------ unpool


@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=120)
@given(st.data())
def test_max_unpool(rank: int, draw: st.DataObject) -> None:
    # Where windows overlap, several indices may be the same, and so are their values then. torch
    # has no dilation here, and asks for the size unless the windows tile the input.
    g = draw.draw(windows(rank, dilation=1, half=True))
    images = draw.draw(SOME_IMAGES)
    x = images.draw(g.size, special=False)
    pooled = TORCH_MAX[rank](tensor(x), g.kernel, g.stride, g.padding, return_indices=True)
    y, places = (t.numpy() for t in pooled)
    geometry = zip(y.shape[y.ndim - rank :], g.kernel, g.stride, g.padding, strict=True)
    implied = tuple((n - 1) * s - 2 * p + k for n, k, s, p in geometry)
    size = None if implied == g.size and draw.draw(st.booleans()) else g.size
    where = (g.kernel, g.stride, g.padding, size)
    y = arrange(y, images.memory, rank)
    equal(MAX_UNPOOL[rank](y, places, *where), TORCH_UNPOOL[rank](*pooled, *where))


# ---------------------------------------------------------------------------------- unfold and fold


@pytest.mark.parametrize("rank", [1, 2])
@settings(max_examples=200)
@given(st.data())
def test_unfold_and_fold(rank: int, draw: st.DataObject) -> None:
    g, images = draw.draw(windows(rank)), draw.draw(SOME_IMAGES)
    x = images.draw(g.size)
    where = (g.kernel, g.dilation, g.padding, g.stride)
    # torch has two axes here; one becomes the second of a single row.
    flat = rank == 1
    firsts = [(1,), (1,), (0,), (1,)] if flat else [()] * 4
    by_torch = [first + axis for first, axis in zip(firsts, where, strict=True)]
    row = tensor(x).unsqueeze(-2) if flat else tensor(x)
    columns = cconv.unfold(x, *where)
    equal(columns, F.unfold(row, *by_torch))
    columns = numbers(images.rng, columns.shape, images.dtype)
    wanted = F.fold(tensor(columns), (1, *g.size) if flat else g.size, *by_torch)
    equal(cconv.fold(columns, g.size, *where), wanted.squeeze(-2) if flat else wanted)
