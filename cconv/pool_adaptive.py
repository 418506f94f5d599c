"""Adaptive pooling, over as many windows as are asked for, and global pooling, over one."""

from __future__ import annotations

from typing import Any, SupportsIndex, cast

import numpy as np
from numpy.typing import ArrayLike

from cconv import _arguments, _arrays, _check, _dtypes, _pooling
from cconv._arguments import Array, IndexArray, OutputSize
from cconv._backend import Pool, backend
from cconv._pooling import Pooling
from cconv._signatures import Indexed, adaptive_pool


def adaptive_avg_pool2d(
    input: ArrayLike,
    output_size: OutputSize,
    *,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array:
    """Average over as many windows as the output is to have, channel by channel.

    Along an axis of `in` elements and `out` windows, window y covers the elements::

        floor(y * in / out) <= i < ceil((y + 1) * in / out)

    so that windows cover the whole input, differ in size by at most one, and overlap by at most
    one element; where `out` divides `in`, they are those of `avg_pool2d` with kernel ``in // out``.

    Parameters
    ----------
    input : array_like, (n, c, h, w) or (c, h, w), float, int or bool
        One image or a batch of them, with any strides.
    output_size : int, None or (int or None, int or None)
        Windows along each axis, at least 1, also more than elements; None for as many as the
        input has.
    layout : {'NCHW', 'NHWC'}
        Whether the channels of input and output are before or after the spatial axes; see
        `max_pool2d`.
    out : ndarray, of the shape and dtype of the result, optional
        Written and returned.  It may have any strides, and may overlap `input`.
    threads : int, optional
        At least 1; by default `get_num_threads()`.

    Returns
    -------
    ndarray, (n, c, oh, ow) or (c, oh, ow)
        With the spatial shape `output_size`, in the input's dtype, but float64 for integers and
        bool.  Memory order is as in `conv2d`.

    Raises
    ------
    ValueError
        If shapes or values do not fit together, or a spatial axis is empty.
    TypeError
        If the input is masked or has a dtype that `conv2d` has not, or an argument has the wrong
        type.
    OverflowError
        If a size does not fit in 63 bits.
    MemoryError
        If the result cannot be allocated.

    See Also
    --------
    adaptive_max_pool2d : The greatest element instead.
    global_avg_pool : One window, of any number of axes.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> image = np.array([[[4, 8, 0, 2, 6], [8, 4, 2, 4, 6]]], np.float32)
    >>> cconv.adaptive_avg_pool2d(image, (1, 2))
    array([[[4.3333335, 3.3333333]]], dtype=float32)
    >>> cconv.adaptive_avg_pool2d(image, (None, 1))
    array([[[4. ],
            [4.8]]], dtype=float32)
    """
    return _average(2, input, output_size, layout, out, threads)


def adaptive_avg_pool1d(
    input: ArrayLike,
    output_size: OutputSize,
    *,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array:
    """Average over as many windows as asked for: `adaptive_avg_pool2d` with one spatial axis.

    All that is said there holds here.

    Parameters
    ----------
    input : array_like, (n, c, w) or (c, w), float, int or bool
        One signal of c channels, or a batch of them.
    output_size : int, None or (int or None,)
        As in `adaptive_avg_pool2d`.
    layout, out, threads
        As in `adaptive_avg_pool2d`.

    Returns
    -------
    ndarray, (n, c, ow) or (c, ow)
        As in `adaptive_avg_pool2d`, which also says what is raised.

    Examples
    --------
    >>> import cconv
    >>> cconv.adaptive_avg_pool1d([[1.0, 3.0, 2.0, 0.0, 5.0]], 2)
    array([[2.        , 2.33333333]])
    """
    return _average(1, input, output_size, layout, out, threads)


def adaptive_avg_pool3d(
    input: ArrayLike,
    output_size: OutputSize,
    *,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array:
    """Average over as many windows as asked for: `adaptive_avg_pool2d` with three spatial axes.

    All that is said there holds here.

    Parameters
    ----------
    input : array_like, (n, c, d, h, w) or (c, d, h, w), float, int or bool
        One volume of c channels, or a batch of them.
    output_size : int, None or three of them
        As in `adaptive_avg_pool2d`.
    layout, out, threads
        As in `adaptive_avg_pool2d`.

    Returns
    -------
    ndarray, (n, c, od, oh, ow) or (c, od, oh, ow)
        As in `adaptive_avg_pool2d`, which also says what is raised.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> volume = np.arange(16.0).reshape(1, 2, 2, 4)
    >>> cconv.adaptive_avg_pool3d(volume, (1, 1, 2))
    array([[[[6.5, 8.5]]]])
    """
    return _average(3, input, output_size, layout, out, threads)


@adaptive_pool
def adaptive_max_pool2d(
    input: ArrayLike,
    output_size: OutputSize,
    return_indices: bool = False,
    *,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array | Indexed:
    """Take the greatest element of as many windows as the output is to have.

    The windows are those of `adaptive_avg_pool2d`.  A NaN in a window makes its maximum NaN.

    Parameters
    ----------
    input : array_like, (n, c, h, w) or (c, h, w), float, int or bool
        One image or a batch of them, with any strides.
    output_size
        As in `adaptive_avg_pool2d`.
    return_indices : bool
        Also give where each maximum was found.
    layout, out, threads
        As in `adaptive_avg_pool2d`.

    Returns
    -------
    ndarray, (n, c, oh, ow) or (c, oh, ow)
        In the input's dtype.  What is raised is said in `adaptive_avg_pool2d`.
    ndarray, of the same shape, int64
        With `return_indices`, as second of a pair: the index ``y*w + x`` of the element in its
        channel's plane.  Of equal elements it is the first in the window, row by row, and of NaNs
        likewise.

    See Also
    --------
    adaptive_avg_pool2d : Averages instead.
    global_max_pool : One window, of any number of axes.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> image = np.array([[[4, 8, 0, 2, 6], [8, 4, 2, 4, 6]]], np.float32)
    >>> cconv.adaptive_max_pool2d(image, (1, 2))
    array([[[8., 6.]]], dtype=float32)
    >>> cconv.adaptive_max_pool2d(image, (1, 2), return_indices=True)[1]
    array([[[1, 4]]])
    """
    return _greatest(2, input, output_size, return_indices, layout, out, threads)


@adaptive_pool
def adaptive_max_pool1d(
    input: ArrayLike,
    output_size: OutputSize,
    return_indices: bool = False,
    *,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array | Indexed:
    """Greatest elements of as many windows as asked for: `adaptive_max_pool2d`, one spatial axis.

    All that is said there holds here.

    Parameters
    ----------
    input : array_like, (n, c, w) or (c, w), float, int or bool
        One signal of c channels, or a batch of them.
    output_size : int, None or (int or None,)
        As in `adaptive_max_pool2d`.
    return_indices, layout, out, threads
        As in `adaptive_max_pool2d`.

    Returns
    -------
    ndarray, (n, c, ow) or (c, ow)
        As in `adaptive_max_pool2d`, indices too.

    Examples
    --------
    >>> import cconv
    >>> cconv.adaptive_max_pool1d([[1.0, 3.0, 2.0, 0.0, 5.0]], 2)
    array([[3., 5.]])
    """
    return _greatest(1, input, output_size, return_indices, layout, out, threads)


@adaptive_pool
def adaptive_max_pool3d(
    input: ArrayLike,
    output_size: OutputSize,
    return_indices: bool = False,
    *,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array | Indexed:
    """Greatest elements of as many windows as asked for: `adaptive_max_pool2d`, three axes.

    All that is said there holds here.

    Parameters
    ----------
    input : array_like, (n, c, d, h, w) or (c, d, h, w), float, int or bool
        One volume of c channels, or a batch of them.
    output_size : int, None or three of them
        As in `adaptive_max_pool2d`.
    return_indices, layout, out, threads
        As in `adaptive_max_pool2d`.

    Returns
    -------
    ndarray, (n, c, od, oh, ow) or (c, od, oh, ow)
        As in `adaptive_max_pool2d`, indices too; an index is ``(z*h + y)*w + x``.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> volume = np.arange(16.0).reshape(1, 2, 2, 4)
    >>> cconv.adaptive_max_pool3d(volume, (1, 1, 2))
    array([[[[13., 15.]]]])
    """
    return _greatest(3, input, output_size, return_indices, layout, out, threads)


def global_avg_pool(
    input: ArrayLike,
    *,
    keepdims: bool = True,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array:
    """Average all elements of each channel: ONNX's GlobalAveragePool.

    Parameters
    ----------
    input : array_like, (n, c, *spatial), float, int or bool
        A batch with 1, 2 or 3 spatial axes, with any strides.
    keepdims : bool
        Keep the spatial axes, with size 1.
    layout : {'NCHW', 'NHWC'}
        Whether the channels are before or after the spatial axes; with 'NHWC' input and output are
        (n, *spatial, c).
    out : ndarray, of the shape and dtype of the result, optional
        Written and returned.  It may have any strides, and may overlap `input`.
    threads : int, optional
        At least 1; by default `get_num_threads()`.

    Returns
    -------
    ndarray, (n, c, 1, ...) or, without `keepdims`, (n, c)
        In the input's dtype, but float64 for integers and bool.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As in `adaptive_avg_pool2d`.

    See Also
    --------
    adaptive_avg_pool2d : More than one window.
    global_max_pool, global_lp_pool : The greatest element, or a norm, instead.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> batch = np.array([[[1.0, 2.0, 6.0], [5.0, 0.0, 1.0]]])
    >>> cconv.global_avg_pool(batch)
    array([[[3.],
            [2.]]])
    >>> cconv.global_avg_pool(batch, keepdims=False)
    array([[3., 2.]])
    """
    return _global("global_avg_pool", "avg", input, 0.0, keepdims, layout, out, threads)


def global_max_pool(
    input: ArrayLike,
    *,
    keepdims: bool = True,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array:
    """Take the greatest element of each channel: ONNX's GlobalMaxPool.

    A NaN in a channel makes its maximum NaN.

    Parameters
    ----------
    input, keepdims, layout, out, threads
        As in `global_avg_pool`.

    Returns
    -------
    ndarray, (n, c, 1, ...) or, without `keepdims`, (n, c)
        In the input's dtype.  What is raised is said in `global_avg_pool`.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> cconv.global_max_pool(np.array([[[1.0, 2.0, 6.0], [5.0, 0.0, 1.0]]]), keepdims=False)
    array([[6., 5.]])
    """
    return _global("global_max_pool", "max", input, 0.0, keepdims, layout, out, threads)


def global_lp_pool(
    input: ArrayLike,
    *,
    p: float = 2,
    keepdims: bool = True,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array:
    """Take the Lp norm of each channel: ONNX's GlobalLpPool.

    That is ``(sum |x|**p)**(1/p)``, as in `lp_pool2d`.

    Parameters
    ----------
    input : array_like, (n, c, *spatial), float, int or bool
        A batch with 1, 2 or 3 spatial axes, with any strides.
    p : float
        The exponent, above 0; inf gives the greatest magnitude.
    keepdims, layout, out, threads
        As in `global_avg_pool`.

    Returns
    -------
    ndarray, (n, c, 1, ...) or, without `keepdims`, (n, c)
        As in `global_avg_pool`, which also says what is raised.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> cconv.global_lp_pool(np.array([[[3.0, -4.0, 0.0], [1.0, 2.0, 2.0]]]), keepdims=False)
    array([[5., 3.]])
    """
    return _global("global_lp_pool", "lp", input, p, keepdims, layout, out, threads)


def _average(
    rank: int,
    input: ArrayLike,
    output_size: OutputSize,
    layout: str,
    out: Array | None,
    threads: SupportsIndex | None,
) -> Array:
    function = f"adaptive_avg_pool{rank}d"

    def resolve(x: Array) -> Pooling:
        dtype = _dtypes.of_average(x.dtype)
        return _adaptive(function, rank, "avg", x, output_size, layout, dtype)

    arguments = (output_size, layout)
    return cast(Array, _pooling.call(function, input, arguments, out, threads, resolve))


def _greatest(
    rank: int,
    input: ArrayLike,
    output_size: OutputSize,
    return_indices: bool,
    layout: str,
    out: Array | None,
    threads: SupportsIndex | None,
) -> Array | Indexed:
    function = f"adaptive_max_pool{rank}d"

    def resolve(x: Array) -> Pooling:
        pooling = _adaptive(function, rank, "max", x, output_size, layout, x.dtype)
        indexed = _check.flag(function, "return_indices", return_indices)
        return pooling._replace(indexed=indexed)

    arguments = (output_size, layout, return_indices)
    return _pooling.call(function, input, arguments, out, threads, resolve)


def _adaptive(
    function: str,
    rank: int,
    kind: str,
    x: Array,
    output_size: OutputSize,
    layout: str,
    dtype: np.dtype[Any],
) -> Pooling:
    last, shape = _arguments.adaptive_shape(function, rank, x.shape, output_size, layout)
    axes = _arrays.image_axes(x.ndim, rank, last)

    def make(result: Array, places: IndexArray | None, threads: int) -> Pool:
        return backend.AdaptivePool(kind, x, result, 0.0, threads, axes, axes)

    return Pooling(shape, dtype, _arrays.order(x, rank, last), make)


def _global(
    function: str,
    kind: str,
    input: ArrayLike,
    p: float,
    keepdims: bool,
    layout: str,
    out: Array | None,
    threads: SupportsIndex | None,
) -> Array:
    def resolve(x: Array) -> Pooling:
        _check.spatial_rank(function, "input.shape", x.shape)
        rank = x.ndim - 2
        last, batch = _arguments.images_shape(function, "input.shape", x.shape, rank, layout)
        _check.no_empty_axis(function, x.shape, batch[2:])
        kept = _check.flag(function, "keepdims", keepdims)
        places = (1,) * rank
        shape = _arguments.in_layout(last, batch[:1], batch[1], places) if kept else batch[:2]
        norm = _arguments.norm(function, "p", p) if kind == "lp" else 0.0
        axes = _arrays.image_axes(x.ndim, rank, last)
        out_axes = axes if kept else (0, 1, *(-1,) * rank)

        def make(result: Array, places: IndexArray | None, threads: int) -> Pool:
            return backend.AdaptivePool(kind, x, result, norm, threads, axes, out_axes)

        dtype = x.dtype if kind == "max" else _dtypes.of_average(x.dtype)
        return Pooling(shape, dtype, None, make)

    given = (function, input, (keepdims, layout), out, threads, resolve)
    return cast(Array, _pooling.call(*given, numbers=(p,)))
