"""Pooling: the extreme element of each window, a sum divided by a count, or an Lp norm."""

import functools
import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cconv.reference import sums, taps

Ints = tuple[int, ...]


def pool(
    kind: str,
    input: NDArray[Any],
    out: NDArray[Any],
    indices: NDArray[np.int64] | None,
    kernel: Ints,
    stride: Ints,
    dilation: Ints,
    before: Ints,
    after: Ints,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int,
    p: float,
    threads: int,
) -> None:
    """Write the pool of `kind` 'max', 'min', 'avg' or 'lp' to `out`, whose shape gives the windows.

    `indices`, of an extreme, gets where each came from.
    """
    del ceil_mode, threads
    windows = out.shape[2:]
    window = (windows, stride, dilation, before, after)
    axes = (input.shape[2:], kernel, *window)
    touching = list(itertools.product(*map(_touching, *axes)))
    with np.errstate(all="ignore"):
        if kind in ("max", "min"):
            for number, (image, result) in enumerate(zip(input, out, strict=True)):
                result[...], places = _extreme(kind, image, touching, window)
                if indices is not None:
                    indices[number] = places
            return
        if kind == "lp":
            for image, result in zip(input, out, strict=True):
                result[...] = _norm(p, image, touching, window)
            return
        count_axis = functools.partial(_count, include_pad=count_include_pad)
        counts = divisor or functools.reduce(np.multiply.outer, map(count_axis, *axes))
        for image, result in zip(input, out, strict=True):
            total = np.zeros(result.shape)
            for tap in touching:
                total += taps.seen(image, tap, *window, 0.0, total.dtype)
            result[...] = total / counts


def _extreme(
    kind: str,
    image: NDArray[Any],
    touching: list[Ints],
    window: tuple[Ints, Ints, Ints, Ints, Ints],
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The best element of each window of an image (c, *spatial), and where in its plane it is."""
    worst = _worst(kind, image.dtype)
    better = np.greater if kind == "max" else np.less
    best = np.full((image.shape[0], *window[0]), worst, image.dtype)
    places = np.full(best.shape, -1, np.int64)
    for tap in touching:
        seen = taps.seen(image, tap, *window, worst, image.dtype)
        place = np.broadcast_to(taps.places(image.shape[1:], tap, *window), places.shape)
        wins = better(seen, best) | (places < 0)
        if image.dtype.kind == "f":
            wins |= np.isnan(seen) & ~np.isnan(best)
        wins &= place >= 0
        best[wins], places[wins] = seen[wins], place[wins]
    return best, places


def _worst(kind: str, dtype: np.dtype[Any]) -> Any:
    """What a window without elements gives: the lowest of the dtype for max, else the highest."""
    if dtype.kind == "f":
        return -np.inf if kind == "max" else np.inf
    if dtype.kind == "b":
        return kind == "min"
    info = np.iinfo(dtype)
    return info.min if kind == "max" else info.max


def _norm(
    p: float,
    image: NDArray[Any],
    touching: list[Ints],
    window: tuple[Ints, Ints, Ints, Ints, Ints],
) -> NDArray[Any]:
    """The Lp norm of each window of an image (c, *spatial)."""
    total = np.zeros((image.shape[0], *window[0]))
    for tap in touching:
        size = abs(taps.seen(image, tap, *window, 0.0, total.dtype))
        if p == np.inf:
            np.maximum(total, size, out=total)
        else:
            total += size**p
    return total if p == np.inf else sums.rounded_as_powers(total, image.dtype) ** (1 / p)


def _touching(
    size: int, kernel: int, windows: int, stride: int, dilation: int, before: int, after: int
) -> range:
    """Taps that stand on the input in some window: few, even of a huge kernel on much padding."""
    del after
    first, last = -before, (windows - 1) * stride - before
    return range(taps.below(0, last, kernel, dilation), taps.below(size, first, kernel, dilation))


def _count(
    size: int,
    kernel: int,
    windows: int,
    stride: int,
    dilation: int,
    before: int,
    after: int,
    include_pad: bool,
) -> NDArray[np.float64]:
    """Taps of each window along an axis that stand on the input, or also on its padding."""
    low, high = -before, size + after
    if not include_pad:
        low, high = max(low, 0), min(high, size)
    first = taps.positions(windows, 0, stride, dilation, before)
    on = taps.below(high, first, kernel, dilation) - taps.below(low, first, kernel, dilation)
    counts: NDArray[np.float64] = np.maximum(on, 0).astype(np.float64)
    return counts
