"""Max-unpooling in one, two and three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from cconv import _arguments, _arrays, _threads
from cconv._arguments import Array, IndexArray, Ints, Padding, UnpoolArguments
from cconv._backend import backend
from cconv._check import Shape


def max_unpool2d(
    input: ArrayLike,
    indices: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    output_size: Sequence[SupportsIndex] | None = None,
    *,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array:
    """Put what a max pool found back in its place, and zeros everywhere else.

    Channel by channel, with the output's plane in row order::

        out[n, c].flat[indices[n, c, y, x]] = input[n, c, y, x]

    It inverts `max_pool2d` but for the elements that were the greatest of no window.

    Parameters
    ----------
    input : array_like, (n, c, h, w) or (c, h, w), float, int or bool
        One image or a batch of them, with any strides.
    indices : array_like, of the shape of `input`, of integers
        As `max_pool2d` gives them with ``return_indices=True``.  -1, the index of a window without
        elements, puts nothing anywhere.  Where several name one place, the last in C order stays.
    kernel_size, stride, padding
        Those of the pool, by which the size of the output is found; `padding` in numbers.
    output_size : sequence of int, optional
        The spatial shape of the output, or its whole shape: that of the pool's input, which
        several sizes may share with one result.  Any that holds all the places.
    layout : {'NCHW', 'NHWC'}
        Whether the channels of input and output are before or after the spatial axes; see
        `max_pool2d`.
    out : ndarray, of the shape and dtype of the result, optional
        Written and returned.  It may have any strides, and may overlap `input` and `indices`.
    threads : int, optional
        At least 1; by default `get_num_threads()`.

    Returns
    -------
    ndarray, (n, c, oh, ow) or (c, oh, ow)
        In the input's dtype, of `output_size`, else with ``oh = (h - 1)*sh - before - after + kh``
        and `ow` likewise.

    Raises
    ------
    ValueError
        If shapes or values do not fit together, or an index is outside the plane of the output.
    TypeError
        If the input is masked or has a dtype that `conv2d` has not, `indices` are no integers, or
        an argument has the wrong type.
    OverflowError
        If a size does not fit in 63 bits.
    MemoryError
        If the result cannot be allocated.

    See Also
    --------
    max_pool2d : The pool that this undoes.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> image = np.array([[[1, 5, 2, 0], [3, 4, 8, 6]]], np.float32)
    >>> greatest, indices = cconv.max_pool2d(image, 2, return_indices=True)
    >>> cconv.max_unpool2d(greatest, indices, 2)
    array([[[0., 5., 0., 0.],
            [0., 0., 8., 0.]]], dtype=float32)
    """
    where = UnpoolArguments(kernel_size, stride, padding, output_size, layout)
    return _unpool(2, input, indices, where, out, threads)


def max_unpool1d(
    input: ArrayLike,
    indices: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    output_size: Sequence[SupportsIndex] | None = None,
    *,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array:
    """Put what a max pool found back in its place: `max_unpool2d` with one spatial axis.

    All that is said there holds here.

    Parameters
    ----------
    input : array_like, (n, c, w) or (c, w), float, int or bool
        One signal of c channels, or a batch of them.
    indices : array_like, of the shape of `input`, of integers
        As `max_pool1d` gives them with ``return_indices=True``.
    kernel_size, stride, padding, output_size, layout, out, threads
        As in `max_unpool2d`.

    Returns
    -------
    ndarray, (n, c, ow) or (c, ow)
        As in `max_unpool2d`, which also says what is raised.

    Examples
    --------
    >>> import cconv
    >>> cconv.max_unpool1d([[5.0, 7.0]], [[1, 2]], 2, output_size=(5,))
    array([[0., 5., 7., 0., 0.]])
    """
    where = UnpoolArguments(kernel_size, stride, padding, output_size, layout)
    return _unpool(1, input, indices, where, out, threads)


def max_unpool3d(
    input: ArrayLike,
    indices: ArrayLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    output_size: Sequence[SupportsIndex] | None = None,
    *,
    layout: str = "NCHW",
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array:
    """Put what a max pool found back in its place: `max_unpool2d` with three spatial axes.

    All that is said there holds here.

    Parameters
    ----------
    input : array_like, (n, c, d, h, w) or (c, d, h, w), float, int or bool
        One volume of c channels, or a batch of them.
    indices : array_like, of the shape of `input`, of integers
        As `max_pool3d` gives them with ``return_indices=True``.
    kernel_size, stride, padding, output_size, layout, out, threads
        As in `max_unpool2d`.

    Returns
    -------
    ndarray, (n, c, od, oh, ow) or (c, od, oh, ow)
        As in `max_unpool2d`, which also says what is raised.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> cconv.max_unpool3d(np.full((1, 1, 1, 1), 9.0), np.full((1, 1, 1, 1), 6), 2)
    array([[[[0., 0.],
             [0., 0.]],
            [[0., 0.],
             [9., 0.]]]])
    """
    where = UnpoolArguments(kernel_size, stride, padding, output_size, layout)
    return _unpool(3, input, indices, where, out, threads)


def _unpool(
    rank: int,
    input: ArrayLike,
    indices: ArrayLike,
    where: UnpoolArguments,
    out: Array | None,
    threads: SupportsIndex | None,
) -> Array:
    function = f"max_unpool{rank}d"
    x = _arrays.operand(function, "input", input)
    geometry = _arguments.unpool_geometry(function, rank, x.shape, where)
    places = _arrays.indices(function, "indices", indices, x.shape)
    count = _threads.resolve(function, threads)
    shape, last = geometry.output_shape, geometry.channels_last

    def compute(result: Array) -> None:
        images, at, results = (_arrays.images(a, rank, last) for a in (x, places, result))
        try:
            backend.max_unpool(images, at, results, count)
        except ValueError:
            _refuse(function, places, results.shape[2:])

    order = None if out is not None else _arrays.order(x, rank, last)
    how = (shape, x.dtype, (x, places), compute, order, backend.empty)
    return _arrays.deliver(function, out, *how)


def _refuse(function: str, places: IndexArray, size: Shape) -> NoReturn:
    """Name the first index that is outside the plane: a backend only says that there is one."""
    count = int(np.prod(size, dtype=np.int64))
    at: tuple[Any, ...] = tuple(int(i) for i in np.argwhere((places < -1) | (places >= count))[0])
    raise ValueError(
        f"{function}: indices{list(at)} is {places[at]}; expected 0 to {count - 1}, a place in the "
        f"output's plane of {size}, or -1 for none"
    )
