"""Filters as passes over an array: what `cconv.ndimage` has the backend do.

A filter is a list of passes.  Each reads an array and gives one of the filter's output dtype, as
SciPy's passes do, so integers are rounded between the passes exactly where SciPy rounds them.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cconv import _arrays, _filters
from cconv._backend import backend, convolve
from cconv._filters import Array, Extreme, Output, Sum

FLOAT32_MOST = float(np.finfo(np.float32).max)


def apply(
    function: str, image: Array, output: Output, passes: Sequence[Sum | Extreme], threads: int
) -> Array:
    """Run the passes one after the other and deliver what `output` asks for."""
    dtype, target = _filters.output(function, output, image)
    result = image
    for number, one in enumerate(passes, 1):
        out = target if number == len(passes) else None
        if out is not None and (not _is_plain(out) or np.may_share_memory(out, result)):
            out = None
        if isinstance(one, Sum):
            result = _sum(function, result, one, dtype, out, threads)
        else:
            result = _extreme(function, result, one, dtype, out, threads)
    if result is target:
        return target
    if target is None and passes:
        return result
    if target is None:
        target = _arrays.allocate(function, "the output", image.shape, dtype)
    elif not passes and np.may_share_memory(target, result):
        result = result.copy()
    store(result, target)
    return target


def store(values: Array, target: Array) -> None:
    """Write values to an array of another dtype, as a C cast does; integers wrap around.

    Floats lose their fraction.  What 32 and 64 signed bits do not hold is as the machine has it, in
    SciPy and here.
    """
    dtype = target.dtype
    with np.errstate(all="ignore"):
        if values.dtype.kind != "f" or dtype.kind not in "iub":
            target[...] = values
        elif dtype.kind == "b":
            target[...] = abs(values) >= 1
        elif dtype.itemsize < 4:
            target[...] = values.astype(np.int32)
        elif dtype.kind == "i":
            target[...] = values
        elif dtype.itemsize == 4:
            target[...] = values.astype(np.int64)
        else:
            size = abs(values).astype(np.uint64)
            target[...] = np.where(values < 0, np.negative(size), size)


def _sum(
    function: str, image: Array, given: Sum, dtype: np.dtype[Any], out: Array | None, threads: int
) -> Array:
    """Sum in windows of the image, in `dtype`: in `out`, if there is one, or a new array."""
    kernel, result = _arithmetic(image.dtype, dtype, given)
    with np.errstate(all="ignore"):
        weights = given.weights.astype(kernel, copy=False)

    def compute(source: Array, target: Array) -> None:
        places, rank = _places(image.shape, given.axes), source.ndim - 2
        shape, before, after = _window(weights.shape, given.before, places, rank)
        taps, ones = weights.reshape(1, 1, *shape), (1,) * rank
        window = (ones, ones, before, after, given.padding, 1)
        convolve(source, taps, target, *window, threads)
        if given.divisor != 1:
            np.divide(target, given.divisor, out=target)

    return _run(function, image, given.axes, result, dtype, out, compute)


def _extreme(
    function: str,
    image: Array,
    given: Extreme,
    dtype: np.dtype[Any],
    out: Array | None,
    threads: int,
) -> Array:
    """Find the extremes in windows of the image, as _sum does sums."""
    if "constant" in given.modes:
        # What a result of another dtype has room for of the padding must not be lost on its way.
        lossy = image.dtype != dtype and not _holds(image.dtype, given.value)
        if lossy and given.footprint is None:
            image = _arrays.cast(function, "input", image, np.dtype(np.float64), dense=False)
        _check_padding(function, given, image.dtype)

    def compute(source: Array, target: Array) -> None:
        places, rank = _places(image.shape, given.axes), source.ndim - 2
        shape, before, after = _window(given.sizes, given.before, places, rank)
        modes = ["replicate"] * rank
        for place, mode in zip(places, given.modes, strict=True):
            modes[place] = mode
        taps = given.footprint
        if taps is not None:
            taps = np.ascontiguousarray(taps).reshape(shape)
        window = (shape, before, after, (tuple(modes), given.value))
        backend.filter_extreme(given.kind, source, target, taps, *window, threads)

    return _run(function, image, given.axes, image.dtype, dtype, out, compute)


def _arithmetic(
    source: np.dtype[Any], dtype: np.dtype[Any], given: Sum
) -> tuple[np.dtype[Any], np.dtype[Any]]:
    """The dtypes of the weights and of what is summed, for a pass from `source` to `dtype`."""
    double, single = np.dtype(np.float64), np.dtype(np.float32)
    if source != dtype or dtype.kind != "f" or dtype == double:
        return double, double
    # Nothing finite may become infinite on its way in.
    sizes = np.abs(np.append(given.weights, given.padding[1]))
    if (sizes[np.isfinite(sizes)] > FLOAT32_MOST).any():
        return double, double
    # A sum that is divided afterwards needs the room of float32.
    return single, single if given.divisor != 1 else dtype


def _holds(dtype: np.dtype[Any], value: float) -> bool:
    """Whether a dtype has this very value."""
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return math.isnan(value) or float(dtype.type(value)) == value
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return low <= value <= high and value == int(value)


def _check_padding(function: str, given: Extreme, dtype: np.dtype[Any]) -> None:
    """Refuse padding that could be the extreme, of integers that do not hold it."""
    if dtype.kind not in "iu":
        return
    limits = np.iinfo(dtype)
    # Beyond the other limit it never is the extreme.
    if given.kind == "max" and given.value < limits.max + 1:
        return
    if given.kind == "min" and given.value > limits.min - 1:
        return
    raise OverflowError(
        f"{function}: cval is {given.value!r}, which {dtype.name} does not hold; expected a number "
        f"from {limits.min} to {limits.max}, or an output of another dtype"
    )


def _window(
    sizes: tuple[int, ...], before: tuple[int, ...], places: tuple[int, ...], rank: int
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Kernel and pads before and after on `rank` axes, for a window along those at `places`."""
    shape, ahead = [1] * rank, [0] * rank
    for place, size, number in zip(places, sizes, before, strict=True):
        shape[place], ahead[place] = size, number
    behind = (size - 1 - number for size, number in zip(shape, ahead, strict=True))
    return tuple(shape), tuple(ahead), tuple(behind)


def _run(
    function: str,
    image: Array,
    axes: tuple[int, ...],
    result: np.dtype[Any],
    dtype: np.dtype[Any],
    out: Array | None,
    compute: Callable[[Array, Array], None],
) -> Array:
    """Have `compute` fill an array of dtype `result` from the image, and give it in `dtype`."""
    source = _ordered(image, axes)
    if out is not None and out.dtype == result and _is_viewable(out, axes):
        work = out
    else:
        work = _arrays.allocate(function, "the result", source.shape, result)
    if work.size:
        try:
            compute(_as_images(source, axes), _as_images(work, axes))
        except MemoryError as error:
            raise MemoryError(f"{function}: {error}") from None
    if work is out or (out is None and result == dtype and source is image):
        return work
    if out is None:
        out = _arrays.allocate(function, "the output", image.shape, dtype)
    store(work, _ordered(out, axes))
    return out


# The backends take images of up to three spatial axes.  An array of more has the axes that are not
# filtered merged: around a single filtered axis to at most one before and one after it, and to a
# batch where several are filtered, which then come last.


def _is_merged(rank: int, axes: tuple[int, ...]) -> bool:
    return rank > 3 and len(axes) > 1


def _ordered(array: Array, axes: tuple[int, ...]) -> Array:
    """The array with its axes in the order that _as_images needs, a view; mostly itself."""
    if not _is_merged(array.ndim, axes):
        return array
    return np.moveaxis(array, axes, range(-len(axes), 0))


def _is_viewable(array: Array, axes: tuple[int, ...]) -> bool:
    """Whether _as_images gives a view of an array as it is."""
    return array.ndim <= 3 or (array.flags.c_contiguous and not _is_merged(array.ndim, axes))


def _as_images(array: Array, axes: tuple[int, ...]) -> Array:
    """An ordered array as images of one channel, (n, 1, *spatial): a view if strides allow."""
    if array.ndim <= 3:
        return array[np.newaxis, np.newaxis]
    if _is_merged(array.ndim, axes):
        return array.reshape(-1, 1, *array.shape[-len(axes) :])
    (axis,) = axes
    inner = math.prod(array.shape[axis + 1 :])
    if inner == 1:
        return array.reshape(1, 1, -1, array.shape[axis])
    return array.reshape(-1, 1, array.shape[axis], inner)


def _places(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """Which spatial axis of _as_images each filtered axis is."""
    if len(shape) <= 3:
        return axes
    if _is_merged(len(shape), axes):
        return tuple(range(len(axes)))
    return (1,) if math.prod(shape[axes[0] + 1 :]) == 1 else (0,)


def _is_plain(array: Array) -> bool:
    """Whether the backends can write the array."""
    return array.dtype.isnative and array.flags.aligned
