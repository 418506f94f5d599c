"""What the drawn comparisons share: windows, data, and the judges of a result.

Cases are small, for thousands of them run on the NumPy reference, too. Data follow from a seed.
"""

from dataclasses import dataclass
from typing import Any

import cases
import numpy as np
import torch
from hypothesis import strategies as st

Array = cases.Array
Ints = cases.Ints
RANKS = [1, 2, 3]
LONGEST = {1: 12, 2: 6, 3: 3}  # how much longer an axis may be than one window
KERNEL = {1: 6, 2: 4, 3: 3}
SEEDS = st.integers(0, 2**32 - 1)
MEMORY = st.sampled_from(["contiguous", "contiguous", "channels_last", "fortran", "sliced"])
FLOATS = st.sampled_from(["float32", "float64"])
BATCH = st.sampled_from([2, 1, None, 0])  # None: an input without that axis


@dataclass(frozen=True)
class Windows:
    """The spatial axes of a case, one number each; `padding` is before and after alike."""

    size: Ints
    kernel: Ints
    stride: Ints
    padding: Ints
    dilation: Ints

    @property
    def rank(self) -> int:
        return len(self.size)


@st.composite
def windows(
    draw: st.DrawFn,
    rank: int,
    *,
    stride: int = 3,
    dilation: int = 3,
    half: bool = False,
    inside: bool = False,
) -> Windows:
    """Windows with at least one output, and pads of any width.

    With `half`, pads are at most half the kernel. With `inside`, the input is no smaller than a
    window, and pads leave something of a transposed convolution.
    """
    axes = []
    for _ in range(rank):
        kernel = draw(st.integers(1, KERNEL[rank]))
        step = draw(st.integers(1, stride))
        apart = draw(st.integers(1, dilation))
        extent = apart * (kernel - 1) + 1
        widest = kernel // 2 if half else (extent - 1) // 2 if inside else kernel + 1
        padding = draw(st.integers(0, widest))
        least = extent if inside else max(1, extent - 2 * padding)
        size = least + draw(st.integers(0, LONGEST[rank]))
        axes.append((size, kernel, step, padding, apart))
    return Windows(*zip(*axes, strict=True))


# --------------------------------------------------------------------------------------------- data


def shape(batch: int | None, *rest: int) -> Ints:
    return rest if batch is None else (batch, *rest)


def numbers(rng: np.random.Generator, of: Ints, dtype: str, whole: bool = True) -> Array:
    """Small integers, so that every sum is exact, or normal deviates."""
    return (cases.integers if whole else cases.normals)(rng, of, dtype)


def with_specials(rng: np.random.Generator, x: Array) -> Array:
    """The array with a few NaNs and infinities in it."""
    special = rng.choice([np.nan, np.inf, -np.inf], x.shape)
    return np.where(rng.random(x.shape) < 0.05, special, x).astype(x.dtype)


def arrange(x: Array, memory: str, rank: int) -> Array:
    """The same values elsewhere in memory, with strides that torch can have, too."""
    match memory:
        case "channels_last":
            axis = x.ndim - rank - 1
            return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, axis, -1)), -1, axis)
        case "fortran":
            return np.asfortranarray(x)
        case "sliced":
            return np.repeat(x, 2, -1)[..., ::2]
    return x


def tensor(x: Array, dtype: str | None = None) -> torch.Tensor:
    """A tensor on the memory of the array, strides and all, unless the dtype is another."""
    return torch.from_numpy(x if dtype is None else x.astype(dtype, copy=False))


def channels_last(x: Array, rank: int) -> Array:
    return np.moveaxis(x, x.ndim - rank - 1, -1)


def channels_first(x: Array, rank: int) -> Array:
    return np.moveaxis(x, -1, x.ndim - rank - 1)


# ------------------------------------------------------------------------------------------- judges


def equal(actual: Array, expected: torch.Tensor | Array) -> None:
    """Equal dtype, shape and values; the sign of a zero is not looked at, NaN equals NaN."""
    wanted = np.asarray(expected)
    assert actual.dtype == wanted.dtype
    assert actual.shape == wanted.shape
    np.testing.assert_array_equal(actual, wanted)


def within(actual: Array, expected: torch.Tensor | Array, bound: Any, dtype: str) -> None:
    """|actual - expected| <= bound, where both are finite; elsewhere equal.

    `expected` is computed in float64. Where that is the dtype in question, its error is as large
    as ours, and the bound has to hold both.
    """
    wanted = np.asarray(expected)
    assert actual.dtype == dtype
    assert wanted.dtype == np.float64
    assert actual.shape == wanted.shape
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(actual[~finite], wanted[~finite])
    bound = np.broadcast_to(np.asarray(bound), wanted.shape)[finite]
    cases.assert_within(actual[finite], wanted[finite], bound * (2 if dtype == "float64" else 1))


unit_roundoff = cases.unit_roundoff
