"""Transposed convolution in one, two and three dimensions."""

from __future__ import annotations

from typing import SupportsIndex

from numpy.typing import ArrayLike

from cconv import _convolution
from cconv._activations import Activation
from cconv._arguments import Array, Ints, Padding


def conv_transpose2d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: SupportsIndex = 1,
    dilation: Ints = 1,
    *,
    output_size: Ints | None = None,
    layout: str = "NCHW",
    activation: Activation = None,
    residual: ArrayLike | None = None,
    out: Array | None = None,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> Array:
    """Apply the transpose of `conv2d`: spread each input element over a window of the output.

    With one group, stride (sh, sw), dilation (dh, dw) and the padding before each axis (bh, bw),
    element ``input[n, c, y, x]`` adds to the output, for all o, i and j::

        out[n, o, y*sh + i*dh - bh, x*sw + j*dw - bw] += weight[c, o, i, j] * input[n, c, y, x]

    Each output gets its bias, its residual and the activation after its sum.  With the weight and
    arguments of a `conv2d`, this maps arrays of the shape of its output to arrays of the shape of
    its input.  Each of `groups` equal parts of the output channels sees only the same part of the
    input channels.

    Parameters
    ----------
    input : array_like, (n, c, h, w) or (c, h, w), float, int or bool
        One image or a batch of them, with any strides.  The notes of `conv2d` on dtypes hold here.
    weight : array_like, (c, oc / groups, kh, kw), float, int or bool
        The filters.
    bias : array_like, (oc,), float, int or bool, optional
        Added to every element of its output channel.
    stride : int or (int, int)
        Step in the output between the windows of neighbouring input elements.
    padding : int, (int, int), ((int, int), (int, int)) or str
        Cut off both sides of the output; a pair an axis gives (before, after), and negative numbers
        add elements no window reaches.  'valid' cuts nothing.  'same' makes the output
        `output_size`, by default ``size * stride``: it cuts half on each side, an odd element at
        the end (SAME_UPPER of ONNX), or adds at the end what is missing.  'same_lower' cuts an odd
        element at the start.
    output_padding : int or (int, int)
        Elements added at the end of the output, less than the stride or the dilation.
    groups : int
        Divides both c and oc.
    dilation : int or (int, int)
        Step from one tap of the kernel to the next.
    output_size : int or (int, int), optional
        Spatial size of the output, in place of `output_padding`: of the sizes that it can give.
        With 'same' it may be any.
    layout : {'NCHW', 'NHWC'}
        Whether the channels of input and output are before or after the spatial axes; see `conv2d`.
    activation : str or tuple, optional
        As in `conv2d`.
    residual : array_like, of the shape and dtype of the result, optional
        As in `conv2d`.
    out : ndarray, of the shape and dtype of the result, optional
        Written and returned.  It may have any strides, and may overlap the other arrays.
    algorithm : {'auto', 'direct'}
        'auto' computes float32 on a matrix unit where that is faster, as 'bf16x3' and 'int8x3' of
        `conv2d` do, and small images by 'col2im', see Notes; none of these can be asked for.  The
        environment variable CCONV_ALGORITHM says what 'auto' is.
    threads : int, optional
        At least 1; by default `get_num_threads()`.

    Returns
    -------
    ndarray, (n, oc, oh, ow) or (oc, oh, ow)
        With ``oh = (h - 1)*sh - before - after + dh*(kh - 1) + output_padding + 1``, and `ow`
        likewise.  Memory order is as in `conv2d`.

    Raises
    ------
    ValueError
        If shapes or values do not fit together, or the output would be empty.
    TypeError
        If an array is masked or has another dtype, or an argument has the wrong type.
    OverflowError
        If a size does not fit in 63 bits, or a sum of products of 8-bit integers perhaps in int32.
    MemoryError
        If the result cannot be allocated.

    See Also
    --------
    conv_transpose_output_shape : The shape of the result.

    Notes
    -----
    Outputs that are a stride apart are an ordinary convolution of the input with some of the taps,
    and are computed as one; no zeros are inserted.  As in `conv2d` there are zeros around the
    input: an infinite weight that meets them makes NaN.  By 'direct' an element is one chain of
    multiply-adds over its K products, as in `conv2d`, by input channels, then taps, the last first;
    its error is at most ``(K + 2) * u * sum(|weight| * |input|)`` before the activation, u being
    half an ulp of 1.  On a matrix unit it is as of 'bf16x3' and 'int8x3' in `conv2d`, of the taps
    that an output has; the second computes kernels that are whole multiples of the stride, which is
    2 along the last axis.  Images of at most 32 elements, of many channels, that neither of these
    computes are computed by 'col2im': every element times every tap, summed over channels, and then
    added up where that falls, to within the bound of 'direct'.  An image with a sum of either kind
    that is not finite is computed by 'direct'.
    The bits of the result depend neither on `threads`, nor on what else is in the batch, nor on
    strides in memory.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> image = np.array([[[1, 2], [3, 4]]], np.float32)
    >>> cconv.conv_transpose2d(image, np.ones((1, 1, 2, 2), np.float32), stride=2)
    array([[[1., 1., 2., 2.],
            [1., 1., 2., 2.],
            [3., 3., 4., 4.],
            [3., 3., 4., 4.]]], dtype=float32)

    Three sizes become two with a stride of 2, and `output_size` says which one to go back to:

    >>> kernel = np.array([[[[1, 2, 1]]]], np.float32)
    >>> cconv.conv_transpose2d(image, kernel, stride=(1, 2), output_size=(2, 6))
    array([[[1., 2., 3., 4., 2., 0.],
            [3., 6., 7., 8., 4., 0.]]], dtype=float32)
    """
    operands = (input, weight, bias, residual, out)
    where = (stride, padding, output_padding, groups, dilation, output_size, layout)
    name = "conv_transpose2d"
    return _convolution.call(name, 2, operands, where, None, activation, algorithm, threads)


def conv_transpose1d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: SupportsIndex = 1,
    dilation: Ints = 1,
    *,
    output_size: Ints | None = None,
    layout: str = "NCHW",
    activation: Activation = None,
    residual: ArrayLike | None = None,
    out: Array | None = None,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> Array:
    """Apply the transpose of `conv1d`: `conv_transpose2d` with one spatial axis.

    All that is said there holds here.

    Parameters
    ----------
    input : array_like, (n, c, w) or (c, w), float, int or bool
        One signal of c channels, or a batch of them.
    weight : array_like, (c, oc / groups, kw), float, int or bool
        The filters.
    bias : array_like, (oc,), float, int or bool, optional
        Added to every element of its output channel.
    stride, output_padding, dilation : int or (int,)
        As in `conv_transpose2d`.
    padding : int, (int,), ((int, int),) or str
        As in `conv_transpose2d`.
    output_size : int or (int,), optional
        As in `conv_transpose2d`.
    groups, layout, activation, residual, out, algorithm, threads
        As in `conv_transpose2d`.

    Returns
    -------
    ndarray, (n, oc, ow) or (oc, ow)
        As in `conv_transpose2d`, which also says what is raised.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> pulses = np.array([[1.0, 0.0, 2.0]])
    >>> cconv.conv_transpose1d(pulses, [[[3.0, 2.0, 1.0]]], stride=2, padding=((0, 1),))
    array([[3., 2., 1., 0., 6., 4.]])
    """
    operands = (input, weight, bias, residual, out)
    where = (stride, padding, output_padding, groups, dilation, output_size, layout)
    name = "conv_transpose1d"
    return _convolution.call(name, 1, operands, where, None, activation, algorithm, threads)


def conv_transpose3d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: SupportsIndex = 1,
    dilation: Ints = 1,
    *,
    output_size: Ints | None = None,
    layout: str = "NCHW",
    activation: Activation = None,
    residual: ArrayLike | None = None,
    out: Array | None = None,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> Array:
    """Apply the transpose of `conv3d`: `conv_transpose2d` with three spatial axes.

    All that is said there holds here.

    Parameters
    ----------
    input : array_like, (n, c, d, h, w) or (c, d, h, w), float, int or bool
        One volume of c channels, or a batch of them.
    weight : array_like, (c, oc / groups, kd, kh, kw), float, int or bool
        The filters.
    bias : array_like, (oc,), float, int or bool, optional
        Added to every element of its output channel.
    stride, output_padding, dilation : int or (int, int, int)
        As in `conv_transpose2d`.
    padding : int, three ints, three (int, int) or str
        As in `conv_transpose2d`.
    output_size : int or (int, int, int), optional
        As in `conv_transpose2d`.
    groups, layout, activation, residual, out, algorithm, threads
        As in `conv_transpose2d`.

    Returns
    -------
    ndarray, (n, oc, od, oh, ow) or (oc, od, oh, ow)
        As in `conv_transpose2d`, which also says what is raised.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> volume = np.array([[[[1.0, 2.0]]]])
    >>> cconv.conv_transpose3d(volume, np.ones((1, 1, 1, 2, 2)))
    array([[[[1., 3., 2.],
             [1., 3., 2.]]]])
    """
    operands = (input, weight, bias, residual, out)
    where = (stride, padding, output_padding, groups, dilation, output_size, layout)
    name = "conv_transpose3d"
    return _convolution.call(name, 3, operands, where, None, activation, algorithm, threads)
