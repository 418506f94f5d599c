"""Filters of plain arrays, under the names and rules of `scipy.ndimage`, on all cores.

An array has no channel axis here, and the result has its shape.  Arguments, their order, names and
defaults are SciPy's, and so are dtypes: a result has the dtype of the input unless `output` says
otherwise, and integers are rounded and wrap around as SciPy's do.  Keyword-only are `threads` and,
where a filter is a convolution, `algorithm`.  Beyond SciPy float16 is taken.

Five things differ from SciPy.  A filter from float32 to float32, or float16 to float16, sums in
float32, where SciPy sums in float64 (`output=np.float64` makes it do so).  NaN and infinity reach
every window that holds them, also where the weight is zero.  Sums that are not exact may round
differently, so that of a truncated one the integer may be off by one.  Complex arrays are a
TypeError.  Wrong shapes and values are a ValueError, where SciPy often has a RuntimeError.
"""

import warnings
from collections.abc import Sequence
from typing import SupportsIndex, TypeAlias

from numpy.typing import ArrayLike

from cconv import _arguments, _arrays, _filters, _passes, _threads
from cconv._filters import Array, Output, Sum

Floats: TypeAlias = float | Sequence[float]
Ints: TypeAlias = SupportsIndex | Sequence[SupportsIndex]
Modes: TypeAlias = str | Sequence[str]

__all__ = [
    "convolve",
    "convolve1d",
    "correlate",
    "correlate1d",
    "gaussian_filter",
    "maximum_filter",
    "minimum_filter",
    "uniform_filter",
    "uniform_filter1d",
]


def correlate(
    input: ArrayLike,
    weights: ArrayLike,
    output: Output = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: Ints = 0,
    *,
    axes: Ints | None = None,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> Array:
    """Sum the elements around each one with weights.

    In one dimension, with k weights::

        out[i] = sum over j of weights[j] * input[i + j - k // 2 - origin]

    Parameters
    ----------
    input : array_like, of 1 or more axes, float, int or bool
        At most three of its axes are filtered.
    weights : array_like, of 1 to 3 axes, float, int or bool
        One axis for each that is filtered.  They are taken as float64, or float32 where the sum is.
    output : ndarray or dtype, optional
        The array to write, which may overlap `input`, or the dtype of a new one; by default that of
        `input`.
    mode : str
        What stands outside the array: 'reflect' or 'grid-mirror' (``b a | a b c | c b``), 'mirror'
        (``c b | a b c | b a``), 'nearest' (``a a | a b c | c c``), 'wrap' or 'grid-wrap'
        (``b c | a b c | a b``), 'constant' or 'grid-constant': `cval`.
    cval : float
        What 'constant' pads with.
    origin : int or sequence of int
        Moves the window towards lower indices, from ``-(k // 2)`` to ``(k - 1) // 2``.
    axes : int or sequence of int, optional
        The axes to filter, by default all.  Entry i of `origin` is for ``axes[i]``; the axes of
        `weights` are in the order of those of `input`.
    algorithm : {'auto', 'direct'}
        The two are the same here.  The environment variable CCONV_ALGORITHM says what 'auto' is.
    threads : int, optional
        At least 1; by default `cconv.get_num_threads()`.

    Returns
    -------
    ndarray
        `output`, or a new array of the shape of `input`.

    Raises
    ------
    ValueError
        If a shape or a value does not fit.
    TypeError
        If an array has another dtype, among them complex, or an argument has the wrong type.
    MemoryError
        If the result cannot be allocated.

    Notes
    -----
    It differs from `scipy.ndimage.correlate` in what the module `cconv.ndimage` says: from float32
    to float32 the sum is in float32; NaN and infinity count under a weight of zero, too, which
    SciPy leaves out; complex arrays are refused.  SciPy filters more than three axes at once.  To
    other dtypes the sum is in float64, and integers are cut off and wrap around.

    Examples
    --------
    >>> import numpy as np
    >>> from cconv import ndimage
    >>> image = np.array([[1, 2, 3], [4, 5, 6]])
    >>> above_and_left = [[0, 1, 0], [1, 0, 0]]
    >>> ndimage.correlate(image, above_and_left, mode="constant")
    array([[0, 1, 2],
           [1, 6, 8]])
    """
    function = "correlate"
    literals = (mode, origin, axes, algorithm)
    key, result = _passes.again(function, input, weights, output, threads, literals, (cval,))
    if result is not None:
        return result
    x = _arrays.operand(function, "input", input)
    along = _filters.axes_of(function, axes, x.ndim)
    window = _filters.weighted(function, x.ndim, weights, along, mode, cval, origin, flipped=False)
    return _passes.apply(function, x, output, [window], _options(function, algorithm, threads), key)


def convolve(
    input: ArrayLike,
    weights: ArrayLike,
    output: Output = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: Ints = 0,
    *,
    axes: Ints | None = None,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> Array:
    """Convolve an array: `correlate` with the weights turned around.

    In one dimension, with k weights::

        out[i] = sum over j of weights[j] * input[i - j + k // 2 + origin]

    Parameters
    ----------
    input, weights, output, mode, cval, axes, algorithm, threads
        As in `correlate`.
    origin : int or sequence of int
        Moves the window towards higher indices, from ``-(k // 2)`` to ``(k - 1) // 2``.

    Returns
    -------
    ndarray
        As in `correlate`, which also says what is raised and what differs from SciPy.

    Examples
    --------
    >>> import numpy as np
    >>> from cconv import ndimage
    >>> point = np.array([0, 0, 1, 0, 0], np.uint8)
    >>> ndimage.convolve(point, [1, 2, 3])
    array([0, 1, 2, 3, 0], dtype=uint8)
    """
    function = "convolve"
    literals = (mode, origin, axes, algorithm)
    key, result = _passes.again(function, input, weights, output, threads, literals, (cval,))
    if result is not None:
        return result
    x = _arrays.operand(function, "input", input)
    along = _filters.axes_of(function, axes, x.ndim)
    window = _filters.weighted(function, x.ndim, weights, along, mode, cval, origin, flipped=True)
    return _passes.apply(function, x, output, [window], _options(function, algorithm, threads), key)


def correlate1d(
    input: ArrayLike,
    weights: ArrayLike,
    axis: SupportsIndex = -1,
    output: Output = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: SupportsIndex = 0,
    *,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> Array:
    """Sum the elements around each one, along one axis, with weights.

    Parameters
    ----------
    input : array_like, of 1 or more axes, float, int or bool
        Of any rank.
    weights : array_like, (k,), float, int or bool
        As in `correlate`.
    axis : int
        The axis to filter along.
    output, mode, cval, origin, algorithm, threads
        As in `correlate`.

    Returns
    -------
    ndarray
        As in `correlate`, which also says what is raised and what differs from SciPy.

    Examples
    --------
    >>> import numpy as np
    >>> from cconv import ndimage
    >>> ndimage.correlate1d([2, 8, 0, 4, 1, 9, 9, 0], [1, 3])
    array([ 8, 26,  8, 12,  7, 28, 36,  9])
    """
    function = "correlate1d"
    literals = (axis, mode, origin, algorithm)
    key, result = _passes.again(function, input, weights, output, threads, literals, (cval,))
    if result is not None:
        return result
    x = _arrays.operand(function, "input", input)
    along = (_filters.axis_of(function, "axis", axis, x.ndim),)
    window = _filters.weighted(function, x.ndim, weights, along, mode, cval, origin, flipped=False)
    return _passes.apply(function, x, output, [window], _options(function, algorithm, threads), key)


def convolve1d(
    input: ArrayLike,
    weights: ArrayLike,
    axis: SupportsIndex = -1,
    output: Output = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: SupportsIndex = 0,
    *,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> Array:
    """Convolve an array along one axis: `correlate1d` with the weights turned around.

    Parameters
    ----------
    input, weights, axis, output, mode, cval, algorithm, threads
        As in `correlate1d`.
    origin : int
        As in `convolve`.

    Returns
    -------
    ndarray
        As in `correlate`, which also says what is raised and what differs from SciPy.

    Examples
    --------
    >>> import numpy as np
    >>> from cconv import ndimage
    >>> ndimage.convolve1d([2, 8, 0, 4, 1, 9, 9, 0], [1, 3])
    array([14, 24,  4, 13, 12, 36, 27,  0])
    """
    function = "convolve1d"
    literals = (axis, mode, origin, algorithm)
    key, result = _passes.again(function, input, weights, output, threads, literals, (cval,))
    if result is not None:
        return result
    x = _arrays.operand(function, "input", input)
    along = (_filters.axis_of(function, "axis", axis, x.ndim),)
    window = _filters.weighted(function, x.ndim, weights, along, mode, cval, origin, flipped=True)
    return _passes.apply(function, x, output, [window], _options(function, algorithm, threads), key)


def uniform_filter1d(
    input: ArrayLike,
    size: SupportsIndex,
    axis: SupportsIndex = -1,
    output: Output = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: SupportsIndex = 0,
    *,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> Array:
    """Average the elements around each one, along one axis.

    Parameters
    ----------
    input : array_like, of 1 or more axes, float, int or bool
        Of any rank.
    size : int
        The elements of a window; at least 1.
    axis : int
        The axis to filter along.
    output, mode, cval, origin, algorithm, threads
        As in `correlate`.

    Returns
    -------
    ndarray
        As in `correlate`, which also says what is raised and what differs from SciPy.

    Notes
    -----
    An average is a sum that is divided, not a sum of quotients: of integers it is rounded once.
    Each element is summed anew, so neither an error nor NaN travels along the axis, as in SciPy.

    Examples
    --------
    >>> import numpy as np
    >>> from cconv import ndimage
    >>> ndimage.uniform_filter1d([2, 8, 0, 4, 1, 9, 9, 0], size=3)
    array([4, 3, 4, 1, 4, 6, 6, 3])
    """
    function = "uniform_filter1d"
    literals = (size, axis, mode, origin, algorithm)
    key, result = _passes.again(function, input, None, output, threads, literals, (cval,))
    if result is not None:
        return result
    x = _arrays.operand(function, "input", input)
    along = _filters.axis_of(function, "axis", axis, x.ndim)
    window = _filters.mean(function, along, size, mode, cval, origin)
    return _passes.apply(function, x, output, [window], _options(function, algorithm, threads), key)


def uniform_filter(
    input: ArrayLike,
    size: Ints = 3,
    output: Output = None,
    mode: Modes = "reflect",
    cval: float = 0.0,
    origin: Ints = 0,
    *,
    axes: Ints | None = None,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> Array:
    """Average the box of elements around each one.

    It is `uniform_filter1d` along each axis in turn; what is between two of them has the dtype of
    the result.

    Parameters
    ----------
    input : array_like, of 1 or more axes, float, int or bool
        Of any rank.
    size : int or sequence of int
        The elements of a window along each axis; at least 1.
    output, cval, algorithm, threads
        As in `correlate`.
    mode : str or sequence of str
        As in `correlate`, for all axes or for each.
    origin : int or sequence of int
        As in `correlate`.
    axes : int or sequence of int, optional
        The axes to filter, by default all.  Entry i of a sequence is for ``axes[i]``.

    Returns
    -------
    ndarray
        As in `correlate`, which also says what is raised and what differs from SciPy.

    Examples
    --------
    >>> import numpy as np
    >>> from cconv import ndimage
    >>> image = np.array([[9.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> ndimage.uniform_filter(image, 3, mode="constant")
    array([[1., 1., 0.],
           [1., 1., 0.]])
    """
    function = "uniform_filter"
    literals = (size, mode, origin, axes, algorithm)
    key, result = _passes.again(function, input, None, output, threads, literals, (cval,))
    if result is not None:
        return result
    x = _arrays.operand(function, "input", input)
    along = _filters.axes_of(function, axes, x.ndim)
    sizes, modes, origins = (
        _filters.per_axis(function, name, value, len(along))
        for name, value in (("size", size), ("mode", mode), ("origin", origin))
    )
    windows = [
        _filters.mean(function, number, count, kind, cval, where)
        for number, count, kind, where in zip(along, sizes, modes, origins, strict=True)
    ]
    # A window of one element changes nothing.
    needed = [window for window in windows if window.divisor > 1]
    return _passes.apply(function, x, output, needed, _options(function, algorithm, threads), key)


def gaussian_filter(
    input: ArrayLike,
    sigma: Floats,
    order: Ints = 0,
    output: Output = None,
    mode: Modes = "reflect",
    cval: float = 0.0,
    truncate: float = 4.0,
    *,
    radius: Ints | None = None,
    axes: Ints | None = None,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> Array:
    """Smooth an array with a Gaussian, or convolve it with a derivative of one.

    It is a correlation along each axis in turn with ``exp(-x**2 / (2 * sigma**2))``, scaled to a
    sum of 1 over x from -radius to radius, or with its derivatives; what is between two of them has
    the dtype of the result.

    Parameters
    ----------
    input : array_like, of 1 or more axes, float, int or bool
        Of any rank.
    sigma : float or sequence of float
        The standard deviation along each axis, in elements; an axis with 0 is not filtered.
    order : int or sequence of int
        Which derivative along each axis: 0 smooths.
    output, cval, algorithm, threads
        As in `correlate`.
    mode : str or sequence of str
        As in `correlate`, for all axes or for each.
    truncate : float
        The radius in standard deviations.
    radius : int or sequence of int, optional
        The radius in elements, instead of ``int(truncate * sigma + 0.5)``.
    axes : int or sequence of int, optional
        The axes to filter, by default all.  Entry i of a sequence is for ``axes[i]``.

    Returns
    -------
    ndarray
        As in `correlate`, which also says what is raised and what differs from SciPy.

    Notes
    -----
    A negative `sigma` is a ValueError; SciPy then does not filter.

    Examples
    --------
    >>> import numpy as np
    >>> from cconv import ndimage
    >>> point = np.array([0, 0, 0, 100, 0, 0, 0])
    >>> ndimage.gaussian_filter(point, 1)
    array([ 0,  5, 24, 39, 24,  5,  0])
    >>> ndimage.gaussian_filter(point, 1, order=1, output=np.float64).round(1)
    array([  1.3,  10.8,  24.2,   0. , -24.2, -10.8,  -1.3])
    """
    function = "gaussian_filter"
    literals, numbers = (order, mode, radius, axes, algorithm), (sigma, cval, truncate)
    key, result = _passes.again(function, input, None, output, threads, literals, numbers)
    if result is not None:
        return result
    x = _arrays.operand(function, "input", input)
    along = _filters.axes_of(function, axes, x.ndim)
    sigmas, orders, modes, radii = (
        _filters.per_axis(function, name, value, len(along))
        for name, value in (("sigma", sigma), ("order", order), ("mode", mode), ("radius", radius))
    )
    windows = []
    for number, width, nth, kind, reach in zip(along, sigmas, orders, modes, radii, strict=True):
        kernel = _filters.gaussian(function, width, nth, truncate, reach)
        padding = _filters.padding(function, kind, cval)
        if kernel is not None:
            windows.append(Sum((number,), kernel, (kernel.size // 2,), padding))
    return _passes.apply(function, x, output, windows, _options(function, algorithm, threads), key)


def maximum_filter(
    input: ArrayLike,
    size: Ints | None = None,
    footprint: ArrayLike | None = None,
    output: Output = None,
    mode: Modes = "reflect",
    cval: float = 0.0,
    origin: Ints = 0,
    *,
    axes: Ints | None = None,
    threads: SupportsIndex | None = None,
) -> Array:
    """Give the greatest of the elements around each one.

    Parameters
    ----------
    input : array_like, of 1 or more axes, float, int or bool
        Of any rank.
    size : int or sequence of int
        The elements of a window along each axis; at least 1.  Either `size` or `footprint` is
        needed; `footprint` is taken, with a warning, where both are given.
    footprint : array_like, of as many axes as are filtered, bool, optional
        The window, and which of its elements count: at least one.  It has an axis for each that is
        filtered, and at most three where it is not all True.
    output, threads
        As in `correlate`.
    mode : str or sequence of str
        As in `correlate`, for all axes or for each.
    cval : float
        What 'constant' pads with; an integer array takes its whole part.
    origin : int or sequence of int
        As in `correlate`.
    axes : int or sequence of int, optional
        The axes to filter, by default all.  Entry i of a sequence is for ``axes[i]``, as is axis i
        of a footprint that is all True; the axes of another are in the order of those of `input`.

    Returns
    -------
    ndarray
        As in `correlate`, which also says what is raised.

    Raises
    ------
    OverflowError
        If `cval` is greater than what an integer dtype holds.

    Notes
    -----
    It differs from `scipy.ndimage.maximum_filter` in this: NaN is the extreme of every window that
    holds it; 64-bit integers are compared exactly, and not as float64; each axis may have a mode of
    its own whatever the footprint; complex arrays are refused there as here.

    Examples
    --------
    >>> import numpy as np
    >>> from cconv import ndimage
    >>> image = np.array([[1, 2, 3], [6, 5, 4]], np.uint8)
    >>> ndimage.maximum_filter(image, size=(1, 3))
    array([[2, 3, 3],
           [6, 6, 5]], dtype=uint8)
    >>> ndimage.maximum_filter(image, footprint=[[1, 0, 1]], mode="constant", cval=9)
    array([[9, 3, 9],
           [9, 6, 9]], dtype=uint8)
    """
    function = "maximum_filter"
    literals = (size, footprint, mode, origin, axes)
    key, result = _passes.again(function, input, None, output, threads, literals, (cval,))
    if result is not None:
        return result
    if size is not None and footprint is not None:
        warnings.warn(f"{function}: size is ignored, for footprint is given", stacklevel=2)
    x = _arrays.operand(function, "input", input)
    windows = _filters.extremes(function, "max", x.ndim, size, footprint, mode, cval, origin, axes)
    return _passes.apply(function, x, output, windows, _threads.resolve(function, threads), key)


def minimum_filter(
    input: ArrayLike,
    size: Ints | None = None,
    footprint: ArrayLike | None = None,
    output: Output = None,
    mode: Modes = "reflect",
    cval: float = 0.0,
    origin: Ints = 0,
    *,
    axes: Ints | None = None,
    threads: SupportsIndex | None = None,
) -> Array:
    """Give the least of the elements around each one.

    All that `maximum_filter` says holds here.

    Parameters
    ----------
    input, size, footprint, output, mode, origin, axes, threads
        As in `maximum_filter`.
    cval : float
        As in `maximum_filter`; if it is less than what an integer dtype holds, an OverflowError.

    Returns
    -------
    ndarray
        As in `correlate`, which also says what is raised.

    Examples
    --------
    >>> import numpy as np
    >>> from cconv import ndimage
    >>> ndimage.minimum_filter([2.0, 8.0, np.nan, 4.0, 1.0, 9.0, 9.0], size=3)
    array([ 2., nan, nan, nan,  1.,  1.,  9.])
    """
    function = "minimum_filter"
    literals = (size, footprint, mode, origin, axes)
    key, result = _passes.again(function, input, None, output, threads, literals, (cval,))
    if result is not None:
        return result
    if size is not None and footprint is not None:
        warnings.warn(f"{function}: size is ignored, for footprint is given", stacklevel=2)
    x = _arrays.operand(function, "input", input)
    windows = _filters.extremes(function, "min", x.ndim, size, footprint, mode, cval, origin, axes)
    return _passes.apply(function, x, output, windows, _threads.resolve(function, threads), key)


def _options(function: str, algorithm: str, threads: SupportsIndex | None) -> int:
    """Check the algorithm; give the number of threads."""
    _arguments.algorithm(function, algorithm)
    return _threads.resolve(function, threads)
