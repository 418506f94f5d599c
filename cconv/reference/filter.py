"""Filters over a footprint: the greatest or least element under it, the border included."""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cconv.reference import taps

Ints = tuple[int, ...]


class Extreme:
    """What `_core.Extreme` is, without any speed."""

    workspace_nbytes = 0

    def __init__(
        self,
        kind: str,
        input: NDArray[Any],
        out: NDArray[Any],
        footprint: NDArray[Any] | None,
        kernel: Ints,
        before: Ints,
        after: Ints,
        padding: tuple[tuple[str, ...], float],
        threads: int,
        axes: Ints,
    ) -> None:
        del after, threads
        self._modes, value = padding
        self._fill = _as_element(value, input.dtype)
        self._better = np.maximum if kind == "max" else np.minimum
        present = np.ones(kernel, bool) if footprint is None else footprint
        self._taps = list(itertools.compress(np.ndindex(*kernel), present.flat))
        self._before, self._axes = before, axes

    def run(self, input: NDArray[Any], out: NDArray[Any]) -> None:
        """Write the extreme over the footprint's taps."""
        target = taps.images(out, self._axes)
        for image, result in zip(taps.images(input, self._axes), target, strict=True):
            best = None
            for tap in self._taps:
                seen = image
                for axis, mode in enumerate(self._modes):
                    where = (result.shape[1 + axis], tap[axis], self._before[axis])
                    seen = _shifted(seen, axis, *where, mode, self._fill)
                best = seen if best is None else self._better(best, seen)
            result[...] = best

    def call(self, input: Any, out: Any) -> None:
        """Leave it to `run`: there is no short way here."""


class Separable:
    """What `_core.Separable` is, without any speed."""

    workspace_nbytes = 0

    def __init__(
        self,
        input: NDArray[Any],
        out: NDArray[Any],
        weights: tuple[NDArray[Any] | None, NDArray[Any] | None],
        kernel: Ints,
        before: Ints,
        padding: tuple[tuple[str, ...], float],
        threads: int,
        axes: Ints,
    ) -> None:
        del threads
        self._weights, self._kernel, self._before = weights, kernel, before
        self._modes, value = padding
        self._fill = out.dtype.type(value)
        self._axes = axes

    def run(self, input: NDArray[Any], out: NDArray[Any]) -> None:
        """Write the sums along one axis of those along the other."""
        target = taps.images(out, self._axes)
        for image, result in zip(taps.images(input, self._axes), target, strict=True):
            seen = image.astype(out.dtype)
            with np.errstate(all="ignore"):
                for axis in range(2):
                    seen = self._sums(seen, axis).astype(out.dtype)
            result[...] = seen

    def _sums(self, image: NDArray[Any], axis: int) -> NDArray[Any]:
        """Of one image along one axis, in float64."""
        size, weights = self._kernel[axis], self._weights[axis]
        where = (self._before[axis], self._modes[axis], self._fill)
        total = np.zeros(image.shape)
        for tap in range(size):
            seen = _shifted(image, axis, image.shape[1 + axis], tap, *where).astype(np.float64)
            total += seen if weights is None else float(weights[tap]) * seen
        return total / size if weights is None else total

    def call(self, input: Any, out: Any) -> None:
        """Leave it to `run`: there is no short way here."""


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
