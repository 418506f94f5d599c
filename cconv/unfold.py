"""Windows of an image as columns, and back: unfold (im2col) and fold (col2im)."""

from __future__ import annotations

import math
from typing import SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from cconv import _arguments, _arrays, _dtypes, _shape, _threads
from cconv._arguments import Array, Ints, Padding, UnfoldArguments
from cconv._backend import backend


def unfold(
    input: ArrayLike,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Padding = 0,
    stride: Ints = 1,
    *,
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array:
    """Copy every window of an image into a column (im2col).

    With kernel (kh, kw), stride (sh, sw), dilation (dh, dw), the padding before each axis (bh, bw)
    and ow windows in a row::

        out[n, (c*kh + i)*kw + j, y*ow + x] = input[n, c, y*sh + i*dh - bh, x*sw + j*dw - bw]

    where elements outside the input are zeros.  A convolution is then a product of matrices:
    ``weight.reshape(oc, -1) @ unfold(input, ...)``.  It takes kh*kw times the memory of the input;
    `conv2d` needs none of it.

    Parameters
    ----------
    input : array_like, (n, c, *spatial) or (c, *spatial), float, int or bool
        One image or a batch of them, with any strides.
    kernel_size : int or sequence of 1 to 3 ints
        Taps of the window along each axis.  Its length says how many spatial axes there are; one
        int means two of them.
    dilation : int or sequence of int
        Step from one tap of the window to the next.
    padding : int, one int an axis, one (int, int) an axis, or str
        Zeros added on both sides of each axis; a pair an axis gives (before, after), and negative
        numbers crop.  'valid' adds none.  'same' gives ``ceil(size / stride)`` windows with an
        odd zero at the end, 'same_lower' with it at the start.
    stride : int or sequence of int
        Step from one window to the next.
    out : ndarray, of the shape and dtype of the result, optional
        Written and returned.  It may have any strides, and may overlap `input`.
    threads : int, optional
        At least 1; by default `get_num_threads()`.

    Returns
    -------
    ndarray, (n, c * K, L) or (c * K, L)
        In the input's dtype, for K taps of a window and L windows, both in C order.  Along an axis
        there are ``floor((size + before + after - d*(k - 1) - 1) / s) + 1`` windows.

    Raises
    ------
    ValueError
        If shapes or values do not fit together, or no window fits into the padded input.
    TypeError
        If the input is masked or has a dtype that `conv2d` has not, or an argument has the wrong
        type.
    OverflowError
        If a size does not fit in 63 bits.
    MemoryError
        If the result cannot be allocated.

    See Also
    --------
    fold : The transpose: sums columns into an image.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> image = np.array([[[1, 2, 3], [4, 5, 6]]], np.float32)
    >>> cconv.unfold(image, 2)
    array([[1., 2.],
           [2., 3.],
           [4., 5.],
           [5., 6.]], dtype=float32)
    >>> cconv.unfold([[1.0, 2.0, 3.0]], (2,), padding=1)
    array([[0., 1., 2., 3.],
           [1., 2., 3., 0.]])
    """
    function = "unfold"
    x = _arrays.operand(function, "input", input)
    given = UnfoldArguments(kernel_size, dilation, padding, stride)
    geometry = _arguments.unfold_geometry(function, x.shape, given)
    count = _threads.resolve(function, threads)
    _, kernel, strides, dilations, before, after = zip(*geometry.axes, strict=True)
    window = (kernel, strides, dilations, before, after)
    batched = x.ndim == len(kernel) + 2

    def compute(result: Array) -> None:
        images = x if batched else x[np.newaxis]
        backend.unfold(images, result if batched else result[np.newaxis], *window, count)

    return _arrays.deliver(
        function, out, geometry.output_shape, x.dtype, (x,), compute, empty=backend.empty
    )


def fold(
    input: ArrayLike,
    output_size: Ints,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Padding = 0,
    stride: Ints = 1,
    *,
    out: Array | None = None,
    threads: SupportsIndex | None = None,
) -> Array:
    """Sum columns of windows into an image (col2im): the transpose of `unfold`.

    With kernel (kh, kw), stride (sh, sw), dilation (dh, dw), the padding before each axis (bh, bw)
    and ow windows in a row::

        out[n, c, y*sh + i*dh - bh, x*sw + j*dw - bw] sums input[n, (c*kh + i)*kw + j, y*ow + x]

    What falls on padding is dropped, and an element that no window reaches is 0.  So ``fold(
    unfold(x))`` is x times the number of windows that each of its elements is in.  Every element
    is one chain of additions in the order of the taps: exact on integers that the dtype holds,
    and the same bits for any number of threads and any split of the batch.

    Parameters
    ----------
    input : array_like, (n, c * K, L) or (c * K, L), float, int or bool
        Columns as `unfold` gives them, with any strides: K taps of a window, L windows.
    output_size : int or sequence of 1 to 3 ints
        Size of the image along each axis.  Its length says how many spatial axes there are; one
        int means two of them.
    kernel_size, dilation, padding, stride
        As in `unfold` of an image of that size.
    out : ndarray, of the shape and dtype of the result, optional
        Written and returned.  It may have any strides, and may overlap `input`.
    threads : int, optional
        At least 1; by default `get_num_threads()`.

    Returns
    -------
    ndarray, (n, c, *output_size) or (c, *output_size)
        In the input's dtype if that is a float.  Integers are summed exactly: of 8 bits in int32,
        others and bool modulo 2**64, in uint64 if they are uint64 and else in int64.

    Raises
    ------
    ValueError
        If shapes or values do not fit together, or no window fits into the padded image.
    TypeError
        If the input is masked or has a dtype that `conv2d` has not, or an argument has the wrong
        type.
    OverflowError
        If a size does not fit in 63 bits, or a sum of 8-bit integers perhaps in int32.
    MemoryError
        If the result cannot be allocated.

    See Also
    --------
    unfold : Gives the columns of an image.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> columns = np.ones((4, 2), np.float32)     # windows of 2 x 2 taps at 2 places
    >>> cconv.fold(columns, (2, 3), 2)
    array([[[1., 2., 1.],
            [1., 2., 1.]]], dtype=float32)
    """
    function = "fold"
    columns = _arrays.operand(function, "input", input)
    given = UnfoldArguments(kernel_size, dilation, padding, stride)
    geometry = _arguments.fold_geometry(function, columns.shape, output_size, given)
    count = _threads.resolve(function, threads)
    _, kernel, strides, dilations, before, after = zip(*geometry.axes, strict=True)
    window = (kernel, strides, dilations, before, after)
    batched = columns.ndim == 3

    def compute(result: Array) -> None:
        x = columns if batched else columns[np.newaxis]
        backend.fold(x, result if batched else result[np.newaxis], *window, count)

    dtype = _dtypes.of_sum((columns.dtype,), None)
    if dtype is _dtypes.INT32:
        # No element is in more windows than there are, nor under more taps.
        counts = map(_shape.output_size, geometry.axes)
        terms = math.prod(map(min, kernel, counts))
        _dtypes.bounded(function, {"input": columns.dtype}, terms, 0.0, {})
    return _arrays.deliver(
        function, out, geometry.output_shape, dtype, (columns,), compute, empty=backend.empty
    )
