"""Filters over a footprint: the greatest or least element under it, the border included."""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cconv.reference import taps

Ints = tuple[int, ...]


def filter_extreme(
    kind: str,
    input: NDArray[Any],
    out: NDArray[Any],
    footprint: NDArray[Any] | None,
    kernel: Ints,
    before: Ints,
    after: Ints,
    padding: tuple[tuple[str, ...], float],
    threads: int,
) -> None:
    """Write the extreme of `kind` 'max' or 'min' over the footprint's taps to `out`."""
    del after, threads
    modes, value = padding
    better = np.maximum if kind == "max" else np.minimum
    fill = _as_element(value, input.dtype)
    present = np.ones(kernel, bool) if footprint is None else footprint
    for image, result in zip(input, out, strict=True):
        best = None
        for tap in itertools.compress(np.ndindex(*kernel), present.flat):
            seen = image
            for axis, mode in enumerate(modes):
                seen = _shifted(
                    seen, axis, out.shape[2 + axis], tap[axis], before[axis], mode, fill
                )
            best = seen if best is None else better(best, seen)
        result[...] = best


def _shifted(
    image: NDArray[Any], axis: int, windows: int, tap: int, before: int, mode: str, fill: Any
) -> NDArray[Any]:
    """What the tap sees of an image (c, *spatial) along one axis, in all windows."""
    size = image.shape[1:]

    def along(here: int, elsewhere: Ints) -> Ints:
        return (*elsewhere[:axis], here, *elsewhere[axis + 1 :])

    none, ones = (0,) * len(size), (1,) * len(size)
    where = (along(tap, none), along(windows, size), ones, ones, along(before, none))
    if mode == "constant":
        return taps.seen(image, *where, none, fill, image.dtype)
    return taps.mapped(image, *where, mode)


def _as_element(value: float, dtype: np.dtype[Any]) -> Any:
    """The value as an element; an integer dtype takes its own limit for what lies beyond."""
    with np.errstate(over="ignore"):
        if dtype.kind == "f":
            return dtype.type(value)
        limits = np.iinfo(dtype if dtype.kind in "iu" else np.dtype(np.uint8))
        low, high = (0, 1) if dtype.kind == "b" else (limits.min, limits.max)
        if not value > low:
            return dtype.type(low)
        return dtype.type(high if value >= high else int(value))
