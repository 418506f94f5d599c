"""What one tap of the kernel sees, over all windows at once."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = tuple[int, ...]


def images(array: Any, axes: Ints) -> Any:
    """A view (n, c, *spatial), whose axes of -1 are none of the array's; of None, None."""
    if array is None:
        return None
    view = array.transpose([axis for axis in axes if axis >= 0])
    return view[tuple(np.newaxis if axis < 0 else slice(None) for axis in axes)]


def positions(windows: int, tap: int, stride: int, dilation: int, before: int) -> NDArray[np.int64]:
    """Where along an axis of the input the tap stands in each window; outside it is padding."""
    return np.arange(windows, dtype=np.int64) * stride + tap * dilation - before


def mapped(
    image: NDArray[Any],
    tap: Ints,
    windows: Ints,
    stride: Ints,
    dilation: Ints,
    before: Ints,
    mode: str,
) -> NDArray[Any]:
    """Elements of `image` (c, *spatial) under the tap, outside those that stand for them."""
    geometry = zip(image.shape[1:], windows, tap, stride, dilation, before, strict=True)
    found = [_stand_in(mode, positions(*axis), size) for size, *axis in geometry]
    result: NDArray[Any] = image[np.ix_(np.arange(image.shape[0]), *found)]
    return result


def _stand_in(mode: str, i: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """The index in [0, n) that stands for each i, at any distance."""
    if mode == "replicate":  # a a | a b c d | d d
        return np.clip(i, 0, n - 1)
    if mode == "circular":  # c d | a b c d | a b
        return i % n
    if mode == "symmetric":  # b a | a b c d | d c
        i = i % (2 * n)
        return np.minimum(i, 2 * n - 1 - i)
    i = i % max(1, 2 * n - 2)  # reflect: c b | a b c d | c b
    return np.minimum(i, 2 * n - 2 - i)


def below(limit: int, first: Any, kernel: int, dilation: int) -> Any:
    """How many of the `kernel` taps at first, first + dilation, ... stand before `limit`."""
    return np.clip(-((first - limit) // dilation), 0, kernel)


def seen(
    image: NDArray[Any],
    tap: Ints,
    windows: Ints,
    stride: Ints,
    dilation: Ints,
    before: Ints,
    after: Ints,
    fill: float,
    dtype: np.dtype[Any],
) -> NDArray[Any]:
    """Elements of `image` (c, *spatial) under the tap, `fill` outside: a new (c, *windows)."""
    result = np.full((image.shape[0], *windows), fill, dtype)
    into: list[slice] = [slice(None)]
    source: list[slice] = [slice(None)]
    for axis, size in enumerate(image.shape[1:]):
        at = positions(windows[axis], tap[axis], stride[axis], dilation[axis], before[axis])
        # Negative padding crops.  At the start no window reaches what is cropped; at the end a
        # window that hangs over in ceil mode would.
        inside = np.flatnonzero((at >= 0) & (at < min(size, size + after[axis])))
        if inside.size == 0:
            return result
        first, last = inside[0], inside[-1]
        into.append(slice(first, last + 1))
        source.append(slice(at[first], at[last] + 1, stride[axis]))
    result[tuple(into)] = image[tuple(source)]
    return result


def places(
    size: Ints, tap: Ints, windows: Ints, stride: Ints, dilation: Ints, before: Ints, after: Ints
) -> NDArray[np.int64]:
    """Which element of a plane is under the tap, counted in C order, -1 for none: (*windows)."""
    result = np.zeros((), np.int64)
    outside = np.zeros((), bool)
    for axis, length in enumerate(size):
        at = positions(windows[axis], tap[axis], stride[axis], dilation[axis], before[axis])
        inside = (at >= 0) & (at < min(length, length + after[axis]))
        result = np.add.outer(result * length, np.where(inside, at, 0))
        outside = np.logical_or.outer(outside, ~inside)
    return np.where(outside, -1, result)
