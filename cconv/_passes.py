"""Filters as passes over an array: what `cconv.ndimage` has the backend do.

A filter is a list of passes.  Each reads an array and gives one of the filter's output dtype, as
SciPy's passes do, so integers are rounded between the passes exactly where SciPy rounds them.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex, TypeAlias

import numpy as np

from cconv import _arrays, _cache, _dtypes, _filters, _threads
from cconv._backend import Filter, Plan, backend
from cconv._cache import Key
from cconv._filters import Array, Extreme, Output, Sum

Ints: TypeAlias = tuple[int, ...]
Call: TypeAlias = Callable[[Any, Any], Any]

FLOAT32_MOST = float(np.finfo(np.float32).max)
MOST_KEY = 4096  # bytes of weights that tell a call
MOST_TAPS, MOST_WINDOW = 2**12, 2**18  # as in src_c/ops/filter_separable.c
LONG_SIGNAL_TAPS = 48  # from which on a convolution of a signal is faster, by any number of threads


def again(
    function: str,
    image: Any,
    weights: Any,
    output: Any,
    threads: SupportsIndex | None,
    literals: tuple[Any, ...],
    numbers: tuple[Any, ...],
) -> tuple[Key | None, Array | None]:
    """The result, if an earlier call was alike, and what tells this call from others, if anything.

    A call is told by the headers of its arrays, by what is in its weights, and by its arguments.
    """
    count = _threads.current() if threads is None else threads
    key = backend.key(image, weights, None, None, output, (function, count, *literals), numbers)
    if key is None:
        return None, None
    if weights is not None:
        if weights.nbytes > MOST_KEY:
            return None, None
        key = (*key, weights.tobytes())
    call = _cache.recent.filters.get(key)
    if call is None:
        return key, None
    try:
        return key, call(image, output)
    except MemoryError:
        return key, None  # the long way tells of what


def apply(
    function: str,
    image: Array,
    output: Output,
    passes: Sequence[Sum | Extreme],
    threads: int,
    key: Key | None,
) -> Array:
    """Run the passes one after the other and deliver what `output` asks for.

    A call with this key is remembered if it is a single step that reads the image itself and writes
    what is delivered.
    """
    dtype, target = _filters.output(function, output, image)
    steps = _steps(image, dtype, passes)
    result, call = image, None
    for number, step in enumerate(steps, 1):
        out = target if number == len(steps) else None
        if out is not None and (not _is_plain(out) or np.may_share_memory(out, result)):
            out = None
        result, call = _run_step(function, result, step, dtype, out, threads)
    direct = target is None or result is target
    if key is not None and call is not None and len(steps) == 1 and direct:
        _cache.remember(_cache.recent.filters, key, call)
    if result is target:
        return target
    if target is None and steps:
        return result
    if target is None:
        target = _arrays.allocate(function, "the output", image.shape, dtype)
    elif not steps and np.may_share_memory(target, result):
        result = result.copy()
    store(result, target)
    return target


def _steps(
    image: Array, dtype: np.dtype[Any], passes: Sequence[Sum | Extreme]
) -> list[tuple[Sum, ...] | Sum | Extreme]:
    """The passes, those together that the backends do together."""
    steps: list[tuple[Sum, ...] | Sum | Extreme] = []
    last, source = image.ndim - 1, image.dtype
    for one in passes:
        before = steps[-1] if steps else None
        if isinstance(one, Extreme):
            # What is between passes of the same dtype is what it was.
            if isinstance(before, Extreme) and last < 3 and image.dtype == dtype:
                steps[-1] = _together(before, one)
            else:
                steps.append(one)
        elif not _is_separable(source, dtype, one) or (
            last == 0 and one.divisor == 1 and one.weights.size >= LONG_SIGNAL_TAPS
        ):
            steps.append(one)
        elif (
            isinstance(before, tuple)
            and len(before) == 1
            and last < 3
            and (before[0].axes, one.axes) == ((last - 1,), (last,))
            and before[0].weights.size * one.weights.size <= MOST_WINDOW
        ):
            steps[-1] = (*before, one)
        else:
            steps.append((one,))
        source = dtype
    return steps


def _together(first: Extreme, second: Extreme) -> Extreme:
    """The extremes of two passes over boxes at once."""
    axes = (*first.axes, *second.axes)
    sizes, before, modes = (
        tuple(_filters.sorted_by(axes, (*getattr(first, name), *getattr(second, name))))
        for name in ("sizes", "before", "modes")
    )
    return Extreme(first.kind, tuple(sorted(axes)), sizes, None, before, modes, first.value)


def _is_separable(source: np.dtype[Any], dtype: np.dtype[Any], one: Sum) -> bool:
    """Whether the backends' separable filters do it: along one axis, in the dtype of the result."""
    return (
        len(one.axes) == 1
        and one.weights.size <= MOST_TAPS
        and dtype in (_dtypes.FLOAT32, _dtypes.FLOAT64)
        and _arithmetic(source, dtype, one) == (dtype, dtype)
    )


def _run_step(
    function: str,
    image: Array,
    step: tuple[Sum, ...] | Sum | Extreme,
    dtype: np.dtype[Any],
    out: Array | None,
    threads: int,
) -> tuple[Array, Call | None]:
    if isinstance(step, Sum):
        return _sum(function, image, step, dtype, out, threads)
    if isinstance(step, Extreme):
        return _extreme(function, image, step, dtype, out, threads)
    return _separable(function, image, step, dtype, out, threads)


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


class _Weighted:
    """A weighted sum in windows, as the other filters of the backends are."""

    def __init__(self, plan: Plan, divisor: int) -> None:
        self._plan, self._divisor = plan, divisor

    def run(self, input: Array, out: Array) -> None:
        """Compute."""
        self._plan.run(input, None, None, None, out)
        if self._divisor != 1:
            np.divide(out, self._divisor, out=out)

    def call(self, input: Any, out: Any) -> Any:
        """Compute, if arrays and filter are as they were; else None."""
        return self._plan.call(input, None, None, None, out) if self._divisor == 1 else None


def _sum(
    function: str, image: Array, given: Sum, dtype: np.dtype[Any], out: Array | None, threads: int
) -> tuple[Array, Call | None]:
    """Sum in windows of the image, in `dtype`: in `out`, if there is one, or a new array."""
    kernel, result = _arithmetic(image.dtype, dtype, given)
    with np.errstate(all="ignore"):
        weights = given.weights.astype(kernel, copy=False)

    def make(source: Array, target: Array, axes: Ints) -> Filter:
        places, rank = _places(image.shape, given.axes), len(axes) - 2
        shape, before, after = _window(weights.shape, given.before, places, rank)
        taps, ones = weights.reshape(1, 1, *shape), (1,) * rank
        window = (ones, ones, before, after, given.padding, 1)
        how = ((None, 0.0, 0.0), "direct", threads, axes, True)
        plan = backend.Plan(False, source, taps, None, None, target, *window, *how)
        return _Weighted(plan, given.divisor)

    return _run(function, image, given.axes, result, dtype, out, make)


def _separable(
    function: str,
    image: Array,
    given: tuple[Sum, ...],
    dtype: np.dtype[Any],
    out: Array | None,
    threads: int,
) -> tuple[Array, Call | None]:
    """Sum along an axis, or along the last but one and then the last, as _sum does."""
    weights: list[Array | None] = [None, None]
    sizes, before, modes = [1, 1], [0, 0], ["replicate", "replicate"]
    # An axis before the last two has the last one beside it, and the other in place of a batch.
    first = image.ndim == 3 and given[0].axes == (0,)
    for one in given:
        place = 0 if first else _places(image.shape, one.axes)[0] + max(0, 2 - image.ndim)
        place -= image.ndim == 3 and not first
        sizes[place], before[place], modes[place] = one.weights.size, one.before[0], one.padding[0]
        if one.divisor == 1:
            weights[place] = np.ascontiguousarray(one.weights, dtype)
    # Of one call all axes have the same value, and those whose mode has none say 0.
    value = next((one.padding[1] for one in given if one.padding[0] == "constant"), 0.0)
    padding = ((modes[0], modes[1]), value)

    def make(source: Array, target: Array, axes: Ints) -> Filter:
        if image.ndim <= 3:
            axes = ((-1, -1, -1, 0), (-1, -1, 0, 1), (1, -1, 0, 2) if first else (0, -1, 1, 2))[
                image.ndim - 1
            ]
        window = (tuple(weights), tuple(sizes), tuple(before), padding)
        return backend.Separable(source, target, *window, threads, axes)

    return _run(function, image, given[0].axes, dtype, dtype, out, make)


def _extreme(
    function: str,
    image: Array,
    given: Extreme,
    dtype: np.dtype[Any],
    out: Array | None,
    threads: int,
) -> tuple[Array, Call | None]:
    """Find the extremes in windows of the image, as _sum does sums."""
    if "constant" in given.modes:
        # What a result of another dtype has room for of the padding must not be lost on its way.
        lossy = image.dtype != dtype and not _holds(image.dtype, given.value)
        if lossy and given.footprint is None:
            image = _arrays.cast(function, "input", image, np.dtype(np.float64), dense=False)
        _check_padding(function, given, image.dtype)

    def make(source: Array, target: Array, axes: Ints) -> Filter:
        places, rank = _places(image.shape, given.axes), len(axes) - 2
        shape, before, after = _window(given.sizes, given.before, places, rank)
        modes = ["replicate"] * rank
        for place, mode in zip(places, given.modes, strict=True):
            modes[place] = mode
        taps = given.footprint
        if taps is not None:
            taps = np.ascontiguousarray(taps).reshape(shape)
        window = (shape, before, after, (tuple(modes), given.value))
        return backend.Extreme(given.kind, source, target, taps, *window, threads, axes)

    return _run(function, image, given.axes, image.dtype, dtype, out, make)


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
    axes: Ints,
    result: np.dtype[Any],
    dtype: np.dtype[Any],
    out: Array | None,
    make: Callable[[Array, Array, Ints], Filter],
) -> tuple[Array, Call | None]:
    """Have a filter fill an array of dtype `result` from the image, and give it in `dtype`.

    With it comes the filter's call, if that does the same for arrays like these.
    """
    source, call = _ordered(image, axes), None
    if out is not None and out.dtype == result and _is_viewable(out, axes):
        work = out
    else:
        work = _arrays.allocate(function, "the result", source.shape, result, None, backend.empty)
    if work.size:
        views, places = (source, work), (-1, -1, *range(image.ndim))
        if image.ndim > 3:
            views = (_as_images(source, axes), _as_images(work, axes))
            places = tuple(range(views[0].ndim))
        try:
            filtering = make(*views, places)
            filtering.run(*views)
        except MemoryError as error:
            raise MemoryError(f"{function}: {error}") from None
        if image.ndim <= 3:
            call = filtering.call
    if work is out or (out is None and result == dtype and source is image):
        return work, call
    if out is None:
        out = _arrays.allocate(function, "the output", image.shape, dtype)
    store(work, _ordered(out, axes))
    return out, None


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
    """An ordered array of more than three axes as images of one channel, (n, 1, *spatial).

    It is a view if strides allow.
    """
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
