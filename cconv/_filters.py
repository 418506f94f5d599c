"""SciPy's forms of arguments, for the filters of `cconv.ndimage` and `cconv.signal`."""

import math
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from cconv import _arrays, _check, _dtypes

Array: TypeAlias = NDArray[Any]
Output: TypeAlias = Array | DTypeLike | None

# SciPy's names of what stands outside an image, and the backends' names.
MODES = {
    "reflect": "symmetric",
    "grid-mirror": "symmetric",
    "constant": "constant",
    "grid-constant": "constant",
    "nearest": "replicate",
    "mirror": "reflect",
    "wrap": "circular",
    "grid-wrap": "circular",
}
LEAST_SIGMA = 1e-15  # below it SciPy does not filter


class Sum(NamedTuple):
    """A weighted sum over windows along some axes, ascending, of an array."""

    axes: tuple[int, ...]
    weights: Array  # one axis for each of them
    before: tuple[int, ...]  # elements of the first window that stand before the array
    padding: tuple[str, float]  # mode and value as the backends take them
    divisor: int = 1


class Extreme(NamedTuple):
    """The greatest or least element in windows along some axes, ascending, of an array."""

    kind: str  # 'max' or 'min'
    axes: tuple[int, ...]
    sizes: tuple[int, ...]  # of the window, one for each axis
    footprint: Array | None  # which elements of the window count; None for all
    before: tuple[int, ...]
    modes: tuple[str, ...]
    value: float  # of padding where the mode is constant


def weighted(
    function: str,
    rank: int,
    weights: Any,
    along: tuple[int, ...],
    mode: Any,
    cval: Any,
    origin: Any,
    *,
    flipped: bool,
) -> Sum:
    """The sum of a correlation along some axes of an array, or, `flipped`, of a convolution."""
    if not 1 <= len(along) <= 3:
        raise ValueError(
            f"{function}: {len(along)} of the {rank} axes of input are to be filtered; expected 1, "
            "2 or 3: name them, with axes="
        )
    kernel = as_weights(function, weights, len(along))
    origins = sorted_by(along, per_axis(function, "origin", origin, len(along)))
    ahead = tuple(
        before(function, count, where, flipped=flipped)
        for count, where in zip(kernel.shape, origins, strict=True)
    )
    kernel = np.flip(kernel) if flipped else kernel
    return Sum(tuple(sorted(along)), kernel, ahead, padding(function, mode, cval))


def mean(function: str, along: int, count: Any, mode: Any, cval: Any, origin: Any) -> Sum:
    """The sum that makes the average of `count` elements along an axis."""
    number = _check.integer(function, "size", count, least=1)
    ahead = before(function, number, origin)
    return Sum((along,), np.ones(number), (ahead,), padding(function, mode, cval), number)


def extremes(
    function: str,
    kind: str,
    rank: int,
    size: Any,
    footprint: Any,
    mode: Any,
    cval: Any,
    origin: Any,
    axes: Any,
) -> list[Extreme]:
    """The passes that find the extreme of each window: one an axis, or one for a footprint."""
    along = axes_of(function, axes, rank)
    modes = per_axis(function, "mode", mode, len(along))
    origins = per_axis(function, "origin", origin, len(along))
    names = [padding(function, name, cval)[0] for name in modes]
    value = real(function, "cval", cval)
    mask = None if footprint is None else as_footprint(function, footprint, len(along))
    if mask is not None:
        sizes = list(mask.shape)
    elif size is not None:
        sizes = per_axis(function, "size", size, len(along))
    else:
        raise ValueError(f"{function}: neither size nor footprint is given; expected one of them")
    counts = [_check.integer(function, "size", count, least=1) for count in sizes]
    if mask is None or mask.all():
        windows = [
            Extreme(kind, (axis,), (n,), None, (before(function, n, where),), (name,), value)
            for axis, n, where, name in zip(along, counts, origins, names, strict=True)
        ]
        return [window for window in windows if window.sizes != (1,)]  # which changes nothing
    places = zip(counts, sorted_by(along, origins), strict=True)
    ahead = tuple(before(function, n, where) for n, where in places)
    kinds = tuple(sorted_by(along, names))
    return [Extreme(kind, tuple(sorted(along)), tuple(counts), mask, ahead, kinds, value)]


def known_dtype(function: str, name: str, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in native byte order, which has to be one that is accepted."""
    native = dtype.newbyteorder("=") if dtype.kind in "fiub" else None
    if native not in _dtypes.NATIVE:
        raise TypeError(f"{function}: {name} has dtype {dtype.name}; expected {_dtypes.EXPECTED}")
    return _dtypes.NATIVE[native]


def as_weights(function: str, value: Any, rank: int) -> Array:
    """The weights as float64, with an axis for each of `rank` filtered ones."""
    array = _arrays.operand(function, "weights", value)
    if array.ndim != rank:
        raise ValueError(
            f"{function}: weights.shape {array.shape} has {array.ndim} axes; expected {rank}, one "
            "for each axis that is filtered"
        )
    if array.size == 0:
        raise ValueError(f"{function}: weights.shape is {array.shape}; expected at least 1 element")
    return array.astype(np.float64, copy=False)


def as_footprint(function: str, value: Any, rank: int) -> Array:
    """A footprint as a bool array with an axis for each of `rank` filtered ones."""
    array = _arrays.operand(function, "footprint", value).astype(bool, copy=False)
    if array.ndim != rank:
        raise ValueError(
            f"{function}: footprint.shape {array.shape} has {array.ndim} axes; expected {rank}, "
            "one for each axis that is filtered"
        )
    if not array.any():
        raise ValueError(f"{function}: footprint has no True element; expected at least one")
    if not array.all() and rank > 3:
        raise ValueError(
            f"{function}: footprint.shape {array.shape} has {rank} axes; expected at most 3 where "
            "it is not all True: name the axes to filter, with axes="
        )
    return array


def sorted_by(axes: tuple[int, ...], items: Sequence[Any]) -> list[Any]:
    """The items of axes in the order of the axes."""
    return [item for _, item in sorted(zip(axes, items, strict=True), key=lambda pair: pair[0])]


def axis_of(function: str, name: str, value: Any, rank: int) -> int:
    """The number of an axis of an array with `rank` axes, not negative."""
    number = _check.integer(function, name, value)
    if not -rank <= number < rank:
        raise ValueError(
            f"{function}: {name} is {number}; expected {-rank} to {rank - 1}, for the {rank} axes "
            "of input"
        )
    return number % rank


def axes_of(function: str, value: Any, rank: int) -> tuple[int, ...]:
    """The axes to filter, in the order given; all of them for None."""
    if value is None:
        return tuple(range(rank))
    given = tuple(value) if isinstance(value, Iterable) else (value,)
    found = tuple(axis_of(function, f"axes[{i}]", number, rank) for i, number in enumerate(given))
    if len(set(found)) != len(found):
        raise ValueError(f"{function}: axes is {given}; expected each axis once")
    return found


def per_axis(function: str, name: str, value: Any, count: int) -> list[Any]:
    """One item for each filtered axis, from one for all or a sequence of them."""
    if isinstance(value, str) or not np.iterable(value):
        return [value] * count
    items = list(value)
    if len(items) != count:
        raise ValueError(
            f"{function}: {name} is {value!r}, {len(items)} long; expected one for all axes, or "
            f"{count}, one for each axis that is filtered"
        )
    return items


def padding(function: str, mode: Any, cval: Any) -> tuple[str, float]:
    """Mode and value as the backends take them; the value counts where the mode is constant."""
    if not isinstance(mode, str) or mode not in MODES:
        hint = "" if isinstance(mode, str) else ", one for all axes"
        raise ValueError(
            f"{function}: mode is {mode!r}; expected {', '.join(map(repr, MODES))}{hint}"
        )
    number = real(function, "cval", cval)
    return (MODES[mode], number if MODES[mode] == "constant" else 0.0)


def real(function: str, name: str, value: Any) -> float:
    """A real number as a float; also an array of one element."""
    item = value.item() if isinstance(value, np.ndarray | np.generic) and value.size == 1 else value
    if not isinstance(item, Real):
        raise TypeError(f"{function}: {name} is {value!r}; expected a number")
    try:
        return float(item)
    except OverflowError:
        raise OverflowError(
            f"{function}: {name} does not fit in a float64; expected less than 2**1024 in magnitude"
        ) from None


def before(function: str, size: int, origin: Any, *, flipped: bool = False) -> int:
    """How many elements of the first window of `size` stand before the array.

    A positive origin moves the window towards lower indices, or, of a kernel that is flipped to
    make a convolution, towards higher ones.
    """
    number = _check.integer(function, "origin", origin)
    found = (size - 1) // 2 - number if flipped else size // 2 + number
    if not 0 <= found < size:
        raise ValueError(
            f"{function}: origin is {number}; expected {-(size // 2)} to {(size - 1) // 2}, so "
            f"that a window of {size} covers the element it stands on"
        )
    return found


def gaussian(function: str, sigma: Any, order: Any, truncate: Any, radius: Any) -> Array | None:
    """The weights of a Gaussian or of a derivative, as a correlation has them; None of width 0."""
    width = real(function, "sigma", sigma)
    if not 0 <= width < math.inf:
        raise ValueError(f"{function}: sigma is {sigma!r}; expected a finite number, at least 0")
    nth = _check.integer(function, "order", order, least=0)
    if radius is None:
        most = real(function, "truncate", truncate) * width
        if not 0 <= most < _check.LARGEST:
            raise ValueError(
                f"{function}: truncate is {truncate!r}; expected at least 0, and finite"
            )
        reach = int(most + 0.5)
    else:
        reach = _check.integer(function, "radius", radius, least=0)
    if width <= LEAST_SIGMA:
        return None
    x = np.arange(-reach, reach + 1, dtype=np.float64)
    bell = np.exp(-0.5 / (width * width) * x**2)
    bell /= bell.sum()
    # The derivative of q(x) exp(-x**2 / (2 sigma**2)) is (q'(x) - q(x) x / sigma**2) exp(...).
    q = np.polynomial.Polynomial([1.0])
    for _ in range(nth):
        q = q.deriv() - q * np.polynomial.Polynomial([0.0, 1 / (width * width)])
    return (q(x) * bell)[::-1]


def output(function: str, given: Output, image: Array) -> tuple[np.dtype[Any], Array | None]:
    """The dtype to compute in, and the array to deliver where it is not a new one of that dtype."""
    if given is None:
        return image.dtype, None
    if isinstance(given, np.ndarray):
        dtype = known_dtype(function, "output", given.dtype)
        if isinstance(given, np.ma.MaskedArray):
            raise TypeError(f"{function}: output is a masked array; expected a plain one")
        if given.shape != image.shape:
            raise ValueError(
                f"{function}: output has shape {given.shape}; expected {image.shape}, that of input"
            )
        if not given.flags.writeable:
            raise ValueError(f"{function}: output is read-only; expected an array to write to")
        return dtype, given
    try:
        wanted = np.dtype(given)
    except TypeError:
        raise TypeError(
            f"{function}: output is {given!r}; expected None, an array or a dtype"
        ) from None
    dtype = known_dtype(function, "output", wanted)
    if wanted == dtype:
        return dtype, None
    return dtype, _arrays.allocate(function, "the output", image.shape, wanted)
