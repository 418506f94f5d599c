"""Unfold and fold: windows of an image as columns, and columns summed into an image."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cconv import _shape
from cconv._shape import Axis
from cconv.reference import sums, taps

Ints = tuple[int, ...]
Index = tuple[Any, ...]  # of every channel, and one array a spatial axis


def unfold(
    input: NDArray[Any],
    out: NDArray[Any],
    kernel: Ints,
    stride: Ints,
    dilation: Ints,
    before: Ints,
    after: Ints,
    threads: int,
) -> None:
    """Write what each tap sees in the windows of `input` to its rows of `out` (n, c * K, L)."""
    del threads
    axes = list(map(Axis, input.shape[2:], kernel, stride, dilation, before, after))
    count = math.prod(kernel)
    out[...] = 0
    for tap, inside, windows in _touching(axes):
        seen = np.zeros((*input.shape[:2], *map(_shape.output_size, axes)), input.dtype)
        seen[windows] = input[inside]
        out[:, _flat(tap, kernel) :: count] = seen.reshape(*input.shape[:2], out.shape[2])


def fold(
    input: NDArray[Any],
    out: NDArray[Any],
    kernel: Ints,
    stride: Ints,
    dilation: Ints,
    before: Ints,
    after: Ints,
    threads: int,
) -> None:
    """Write to `out` (n, c, *spatial) the sums of `input`'s rows, each where its tap stands."""
    del threads
    axes = list(map(Axis, out.shape[2:], kernel, stride, dilation, before, after))
    count = math.prod(kernel)
    total = np.zeros(out.shape, sums.dtype_for(out.dtype))
    with np.errstate(all="ignore"):
        for tap, inside, windows in _touching(axes):
            rows = input[:, _flat(tap, kernel) :: count]
            rows = rows.reshape(*out.shape[:2], *map(_shape.output_size, axes))
            total[inside] += rows[windows].astype(total.dtype)
        out[...] = total.astype(out.dtype)


def _touching(axes: list[Axis]) -> Iterator[tuple[Ints, Index, Index]]:
    """Each tap that may stand on the image: itself, where it stands, and in which windows."""
    for tap in itertools.product(*map(_taps, axes)):
        inside, windows = [], []
        for k, axis in zip(tap, axes, strict=True):
            count = _shape.output_size(axis)
            at = taps.positions(count, k, axis.stride, axis.dilation, axis.before)
            on = np.flatnonzero((at >= 0) & (at < axis.size))
            inside.append(at[on])
            windows.append(on)
        yield tap, (..., *np.ix_(*inside)), (..., *np.ix_(*windows))


def _taps(axis: Axis) -> range:
    """The taps that may stand on the image: few, even of a huge kernel on much padding."""
    first = -axis.before
    last = first + (_shape.output_size(axis) - 1) * axis.stride
    return range(
        taps.below(0, last, axis.kernel, axis.dilation),
        taps.below(axis.size, first, axis.kernel, axis.dilation),
    )


def _flat(tap: Ints, kernel: Ints) -> int:
    return int(np.ravel_multi_index(tap, kernel))
