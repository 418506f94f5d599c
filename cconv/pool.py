"""Max, min and average pooling in one, two and three dimensions."""

from __future__ import annotations

from typing import SupportsIndex, cast

from numpy.typing import ArrayLike

from cconv import _check, _dtypes, _pooling
from cconv._arguments import Array, Ints, Padding, PoolArguments
from cconv._pooling import Pooling, Value
from cconv._signatures import Indexed, extreme_pool


@extreme_pool
def max_pool2d(
    input: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array | Indexed:
    """Take the greatest element of each window, channel by channel.

    With stride (sh, sw), dilation (dh, dw) and the padding before each axis (bh, bw)::

        out[n, c, y, x] = max over i < kh, j < kw of
                          input[n, c, y*sh + i*dh - bh, x*sw + j*dw - bw]

    where elements outside the input are left out.  A NaN in a window makes its maximum NaN, and a
    window without any element of the input gives -inf, or the lowest integer of the dtype, or
    False.  The sign of a maximum of zero is that of any zero in the window.

    Parameters
    ----------
    input : array_like, (n, c, h, w) or (c, h, w), float, int or bool
        One image or a batch of them, with any strides; dtypes are those of `conv2d`.
    kernel_size : int or (int, int)
        Taps of the window along each axis.
    stride : int or (int, int), optional
        Step from one window to the next; by default `kernel_size`, so that windows do not overlap.
    padding : int, (int, int), ((int, int), (int, int)) or str
        Positions added on both sides of each axis, of any number; a pair an axis gives (before,
        after), and negative numbers crop.  'valid' adds none.  'same' gives
        ``ceil(size / stride)`` windows with an odd position at the end, 'same_lower' with it at
        the start.
    dilation : int or (int, int)
        Step from one tap of the window to the next.
    ceil_mode : bool
        Round the number of windows up: a last window may then hang over the end, but none starts
        after the end of the input, on the padding behind it.
    return_indices : bool
        Also give where each maximum was found.
    layout : {'NCHW', 'NHWC'}
        Whether the channels of input and output are before or after the spatial axes, however many
        of these there are: with 'NHWC' input, output and indices are (n, h, w, c) or (h, w, c).
    out : ndarray, of the shape and dtype of the result, optional
        Written and returned.  It may have any strides, and may overlap `input`.
    threads : int, optional
        At least 1; by default `get_num_threads()`.

    Returns
    -------
    ndarray, (n, c, oh, ow) or (c, oh, ow)
        In the input's dtype, with ``oh = floor((h + before + after - dh*(kh - 1) - 1) / sh) + 1``
        (ceil in `ceil_mode`), and `ow` likewise.  Memory order is as in `conv2d`.
    ndarray, of the same shape, int64
        With `return_indices`, as second of a pair: the index ``y*w + x`` of the element in its
        channel's plane, padding not counted.  Of equal elements it is the first in the window,
        row by row, and of NaNs likewise; -1 for a window without any element of the input.

    Raises
    ------
    ValueError
        If shapes or values do not fit together, or no window fits into the padded input.
    TypeError
        If an array is masked or has another dtype, or an argument has the wrong type.
    OverflowError
        If a size does not fit in 63 bits.
    MemoryError
        If the result cannot be allocated.

    See Also
    --------
    min_pool2d : The least element instead.
    avg_pool2d : Averages instead.
    pool_output_shape : The shape of the result.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> image = np.array([[[1, 5, 2, 0, 7], [3, 4, 8, 6, 9]]], np.float32)
    >>> cconv.max_pool2d(image, 2)
    array([[[5., 8.]]], dtype=float32)
    >>> cconv.max_pool2d(image, 2, ceil_mode=True)
    array([[[5., 8., 9.]]], dtype=float32)
    >>> values, indices = cconv.max_pool2d(image, 2, return_indices=True)
    >>> indices
    array([[[1, 7]]])
    """
    where = PoolArguments(kernel_size, stride, padding, dilation, ceil_mode, layout)
    return _extreme("max", 2, input, where, return_indices, out, threads)


@extreme_pool
def max_pool1d(
    input: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array | Indexed:
    """Take the greatest element of each window: `max_pool2d` with one spatial axis.

    All that is said there holds here.

    Parameters
    ----------
    input : array_like, (n, c, w) or (c, w), float, int or bool
        One signal of c channels, or a batch of them.
    kernel_size, stride, dilation : int or (int,)
        As in `max_pool2d`.
    padding : int, (int,), ((int, int),) or str
        As in `max_pool2d`.
    ceil_mode, return_indices, layout, out, threads
        As in `max_pool2d`.

    Returns
    -------
    ndarray, (n, c, ow) or (c, ow)
        As in `max_pool2d`, indices and what is raised too.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> cconv.max_pool1d([[1.0, 3.0, 2.0, 0.0, 5.0]], 3, stride=1)
    array([[3., 3., 5.]])
    """
    where = PoolArguments(kernel_size, stride, padding, dilation, ceil_mode, layout)
    return _extreme("max", 1, input, where, return_indices, out, threads)


@extreme_pool
def max_pool3d(
    input: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array | Indexed:
    """Take the greatest element of each window: `max_pool2d` with three spatial axes.

    All that is said there holds here.

    Parameters
    ----------
    input : array_like, (n, c, d, h, w) or (c, d, h, w), float, int or bool
        One volume of c channels, or a batch of them.
    kernel_size, stride, dilation : int or (int, int, int)
        As in `max_pool2d`.
    padding : int, three ints, three (int, int) or str
        As in `max_pool2d`.
    ceil_mode, return_indices, layout, out, threads
        As in `max_pool2d`.

    Returns
    -------
    ndarray, (n, c, od, oh, ow) or (c, od, oh, ow)
        As in `max_pool2d`, indices and what is raised too; an index is ``(z*h + y)*w + x``.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> volume = np.arange(16.0).reshape(1, 2, 2, 4)
    >>> cconv.max_pool3d(volume, 2)
    array([[[[13., 15.]]]])
    """
    where = PoolArguments(kernel_size, stride, padding, dilation, ceil_mode, layout)
    return _extreme("max", 3, input, where, return_indices, out, threads)


@extreme_pool
def min_pool2d(
    input: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array | Indexed:
    """Take the least element of each window, channel by channel: `max_pool2d` upside down.

    All that is said there holds here, of the least element in place of the greatest.  A NaN in a
    window makes its minimum NaN, and a window without any element of the input gives inf, or the
    highest integer of the dtype, or True.

    Parameters
    ----------
    input : array_like, (n, c, h, w) or (c, h, w), float, int or bool
        One image or a batch of them, with any strides.
    kernel_size, stride, padding, dilation, ceil_mode, return_indices, layout, out, threads
        As in `max_pool2d`.

    Returns
    -------
    ndarray, (n, c, oh, ow) or (c, oh, ow)
        As in `max_pool2d`, indices and what is raised too.

    See Also
    --------
    max_pool2d : The greatest element instead.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> image = np.array([[[1, 5, 2, 0, 7], [3, 4, 8, 6, 9]]], np.float32)
    >>> cconv.min_pool2d(image, 2)
    array([[[1., 0.]]], dtype=float32)
    """
    where = PoolArguments(kernel_size, stride, padding, dilation, ceil_mode, layout)
    return _extreme("min", 2, input, where, return_indices, out, threads)


@extreme_pool
def min_pool1d(
    input: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array | Indexed:
    """Take the least element of each window: `min_pool2d` with one spatial axis.

    All that is said there holds here.

    Parameters
    ----------
    input : array_like, (n, c, w) or (c, w), float, int or bool
        One signal of c channels, or a batch of them.
    kernel_size, stride, dilation : int or (int,)
        As in `max_pool2d`.
    padding : int, (int,), ((int, int),) or str
        As in `max_pool2d`.
    ceil_mode, return_indices, layout, out, threads
        As in `max_pool2d`.

    Returns
    -------
    ndarray, (n, c, ow) or (c, ow)
        As in `max_pool2d`, indices and what is raised too.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> cconv.min_pool1d([[1.0, 3.0, 2.0, 0.0, 5.0]], 3, stride=1)
    array([[1., 0., 0.]])
    """
    where = PoolArguments(kernel_size, stride, padding, dilation, ceil_mode, layout)
    return _extreme("min", 1, input, where, return_indices, out, threads)


@extreme_pool
def min_pool3d(
    input: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array | Indexed:
    """Take the least element of each window: `min_pool2d` with three spatial axes.

    All that is said there holds here.

    Parameters
    ----------
    input : array_like, (n, c, d, h, w) or (c, d, h, w), float, int or bool
        One volume of c channels, or a batch of them.
    kernel_size, stride, dilation : int or (int, int, int)
        As in `max_pool2d`.
    padding : int, three ints, three (int, int) or str
        As in `max_pool2d`.
    ceil_mode, return_indices, layout, out, threads
        As in `max_pool2d`.

    Returns
    -------
    ndarray, (n, c, od, oh, ow) or (c, od, oh, ow)
        As in `max_pool2d`, indices and what is raised too; an index is ``(z*h + y)*w + x``.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> volume = np.arange(16.0).reshape(1, 2, 2, 4)
    >>> cconv.min_pool3d(volume, 2)
    array([[[[0., 2.]]]])
    """
    where = PoolArguments(kernel_size, stride, padding, dilation, ceil_mode, layout)
    return _extreme("min", 3, input, where, return_indices, out, threads)


def avg_pool2d(
    input: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: SupportsIndex | None = None,
    *,
    dilation: Ints = 1,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array:
    """Average the elements of each window, channel by channel.

    With stride (sh, sw), dilation (dh, dw) and the padding before each axis (bh, bw)::

        out[n, c, y, x] = (sum over i < kh, j < kw of
                           input[n, c, y*sh + i*dh - bh, x*sw + j*dw - bw]) / count

    where elements outside the input are zeros, and count is `divisor_override`, or the number of
    taps on the input and its padding, or on the input alone.

    Parameters
    ----------
    input : array_like, (n, c, h, w) or (c, h, w), float, int or bool
        One image or a batch of them, with any strides.
    kernel_size, stride, padding, ceil_mode
        As in `max_pool2d`.
    count_include_pad : bool
        Count the taps on padding, too.  What hangs over the end in `ceil_mode` never counts.
        A window without any element of the input gives 0 if the padding counts, NaN otherwise.
    divisor_override : int, optional
        At least 1; divides every sum in place of the count.
    dilation, layout, out, threads
        As in `max_pool2d`.

    Returns
    -------
    ndarray, (n, c, oh, ow) or (c, oh, ow)
        In the input's dtype, but float64 for integers and bool; else as in `max_pool2d`, which also
        says what is raised.

    See Also
    --------
    max_pool2d : The greatest element instead.
    pool_output_shape : The shape of the result.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> image = np.array([[[4, 8, 0, 2], [8, 4, 2, 4]]], np.float32)
    >>> cconv.avg_pool2d(image, 2)
    array([[[6., 2.]]], dtype=float32)
    >>> cconv.avg_pool2d(image, 2, padding=((0, 0), (1, 1)))
    array([[[3. , 3.5, 1.5]]], dtype=float32)
    >>> cconv.avg_pool2d(image, 2, padding=((0, 0), (1, 1)), count_include_pad=False)
    array([[[6. , 3.5, 3. ]]], dtype=float32)
    """
    where = PoolArguments(kernel_size, stride, padding, dilation, ceil_mode, layout)
    return _average(2, input, where, out, threads, count_include_pad, divisor_override)


def avg_pool1d(
    input: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: SupportsIndex | None = None,
    *,
    dilation: Ints = 1,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array:
    """Average the elements of each window: `avg_pool2d` with one spatial axis.

    All that is said there holds here.

    Parameters
    ----------
    input : array_like, (n, c, w) or (c, w), float, int or bool
        One signal of c channels, or a batch of them.
    kernel_size, stride, dilation : int or (int,)
        As in `max_pool2d`.
    padding : int, (int,), ((int, int),) or str
        As in `max_pool2d`.
    ceil_mode, count_include_pad, divisor_override, layout, out, threads
        As in `avg_pool2d`.

    Returns
    -------
    ndarray, (n, c, ow) or (c, ow)
        As in `avg_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> cconv.avg_pool1d([[1.0, 3.0, 5.0, 9.0]], 2, stride=1)
    array([[2., 4., 7.]])
    """
    where = PoolArguments(kernel_size, stride, padding, dilation, ceil_mode, layout)
    return _average(1, input, where, out, threads, count_include_pad, divisor_override)


def avg_pool3d(
    input: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: SupportsIndex | None = None,
    *,
    dilation: Ints = 1,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array:
    """Average the elements of each window: `avg_pool2d` with three spatial axes.

    All that is said there holds here.

    Parameters
    ----------
    input : array_like, (n, c, d, h, w) or (c, d, h, w), float, int or bool
        One volume of c channels, or a batch of them.
    kernel_size, stride, dilation : int or (int, int, int)
        As in `max_pool2d`.
    padding : int, three ints, three (int, int) or str
        As in `max_pool2d`.
    ceil_mode, count_include_pad, divisor_override, layout, out, threads
        As in `avg_pool2d`.

    Returns
    -------
    ndarray, (n, c, od, oh, ow) or (c, od, oh, ow)
        As in `avg_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> volume = np.arange(16.0).reshape(1, 2, 2, 4)
    >>> cconv.avg_pool3d(volume, 2)
    array([[[[6.5, 8.5]]]])
    """
    where = PoolArguments(kernel_size, stride, padding, dilation, ceil_mode, layout)
    return _average(3, input, where, out, threads, count_include_pad, divisor_override)


def _extreme(
    kind: str,
    rank: int,
    input: ArrayLike,
    where: PoolArguments,
    return_indices: bool,
    out: Array | None,
    threads: SupportsIndex | None,
) -> Array | Indexed:
    function = f"{kind}_pool{rank}d"

    def resolve(x: Array) -> Pooling:
        indexed = _check.flag(function, "return_indices", return_indices)
        value = Value(kind, x.dtype, indexed=indexed)
        return _pooling.windows(function, rank, x, where, value)

    return _pooling.call(function, input, (*where, return_indices), out, threads, resolve)


def _average(
    rank: int,
    input: ArrayLike,
    where: PoolArguments,
    out: Array | None,
    threads: SupportsIndex | None,
    count_include_pad: bool,
    divisor_override: SupportsIndex | None,
) -> Array:
    function = f"avg_pool{rank}d"

    def resolve(x: Array) -> Pooling:
        include_pad = _check.flag(function, "count_include_pad", count_include_pad)
        divisor = 0
        if divisor_override is not None:
            divisor = _check.integer(function, "divisor_override", divisor_override, least=1)
        value = Value("avg", _dtypes.of_average(x.dtype), include_pad, divisor)
        return _pooling.windows(function, rank, x, where, value)

    arguments = (*where, count_include_pad, divisor_override)
    return cast(Array, _pooling.call(function, input, arguments, out, threads, resolve))
