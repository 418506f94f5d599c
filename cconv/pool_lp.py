"""Lp norms over windows, in one, two and three dimensions."""

from __future__ import annotations

from typing import SupportsIndex, cast

from numpy.typing import ArrayLike

from cconv import _arguments, _dtypes, _pooling
from cconv._arguments import Array, Ints, Padding, PoolArguments
from cconv._pooling import Pooling, Value


def lp_pool2d(
    input: ArrayLike,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Ints = 1,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array:
    """Take the Lp norm of each window, channel by channel: ONNX's LpPool.

    With p = `norm_type`, stride (sh, sw), dilation (dh, dw) and the padding before each axis
    (bh, bw)::

        out[n, c, y, x] = (sum over i < kh, j < kw of
                           |input[n, c, y*sh + i*dh - bh, x*sw + j*dw - bw]| ** p) ** (1 / p)

    where elements outside the input are zeros.  `torch.nn.functional.lp_pool2d` takes powers of the
    elements themselves, not of their magnitudes: for an odd p it differs on negative elements.

    Parameters
    ----------
    input : array_like, (n, c, h, w) or (c, h, w), float, int or bool
        One image or a batch of them, with any strides.
    norm_type : float
        The exponent p, above 0.  1, 2 and inf, the greatest magnitude, take no powers and are fast.
    kernel_size, stride, padding, dilation, ceil_mode, layout, out, threads
        As in `max_pool2d`.

    Returns
    -------
    ndarray, (n, c, oh, ow) or (c, oh, ow)
        In the input's dtype, but float64 for integers and bool; else as in `max_pool2d`, which also
        says what is raised.  A window without any element of the input gives 0.

    Notes
    -----
    Powers and their sum are formed in the dtype of the result, in float32 for float16, as ONNX's
    runtimes and torch do: they may overflow to inf, or vanish, where the norm itself would not.

    See Also
    --------
    avg_pool2d : Averages instead.
    global_lp_pool : The norm of each channel.
    pool_output_shape : The shape of the result.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> image = np.array([[[3, 0, -1, 2], [0, -4, 2, 4]]], np.float32)
    >>> cconv.lp_pool2d(image, 2, 2)
    array([[[5., 5.]]], dtype=float32)
    >>> cconv.lp_pool2d(image, 1, 2)
    array([[[7., 9.]]], dtype=float32)
    >>> cconv.lp_pool2d(image, np.inf, 2)
    array([[[4., 4.]]], dtype=float32)
    """
    where = PoolArguments(kernel_size, stride, padding, dilation, ceil_mode, layout)
    return _norm(2, input, norm_type, where, out, threads)


def lp_pool1d(
    input: ArrayLike,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Ints = 1,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array:
    """Take the Lp norm of each window: `lp_pool2d` with one spatial axis.

    All that is said there holds here.

    Parameters
    ----------
    input : array_like, (n, c, w) or (c, w), float, int or bool
        One signal of c channels, or a batch of them.
    norm_type : float
        As in `lp_pool2d`.
    kernel_size, stride, padding, dilation, ceil_mode, layout, out, threads
        As in `max_pool1d`.

    Returns
    -------
    ndarray, (n, c, ow) or (c, ow)
        As in `lp_pool2d`.

    Examples
    --------
    >>> import cconv
    >>> cconv.lp_pool1d([[3.0, -4.0, 0.0, 5.0, 12.0]], 2, 2, stride=1)
    array([[ 5.,  4.,  5., 13.]])
    """
    where = PoolArguments(kernel_size, stride, padding, dilation, ceil_mode, layout)
    return _norm(1, input, norm_type, where, out, threads)


def lp_pool3d(
    input: ArrayLike,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
    *,
    padding: Padding = 0,
    dilation: Ints = 1,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array:
    """Take the Lp norm of each window: `lp_pool2d` with three spatial axes.

    All that is said there holds here.

    Parameters
    ----------
    input : array_like, (n, c, d, h, w) or (c, d, h, w), float, int or bool
        One volume of c channels, or a batch of them.
    norm_type : float
        As in `lp_pool2d`.
    kernel_size, stride, padding, dilation, ceil_mode, layout, out, threads
        As in `max_pool3d`.

    Returns
    -------
    ndarray, (n, c, od, oh, ow) or (c, od, oh, ow)
        As in `lp_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> cconv.lp_pool3d(np.arange(8.0).reshape(1, 2, 2, 2) - 4, 1, 2)
    array([[[[16.]]]])
    """
    where = PoolArguments(kernel_size, stride, padding, dilation, ceil_mode, layout)
    return _norm(3, input, norm_type, where, out, threads)


def _norm(
    rank: int,
    input: ArrayLike,
    norm_type: float,
    where: PoolArguments,
    out: Array | None,
    threads: SupportsIndex | None,
) -> Array:
    function = f"lp_pool{rank}d"

    def resolve(x: Array) -> Pooling:
        p = _arguments.norm(function, "norm_type", norm_type)
        value = Value("lp", _dtypes.of_average(x.dtype), p=p)
        return _pooling.windows(function, rank, x, where, value)

    given = (function, input, tuple(where), out, threads, resolve)
    return cast(Array, _pooling.call(*given, numbers=(norm_type,)))
