"""Convolution in one, two and three dimensions."""

from __future__ import annotations

import math
from typing import SupportsIndex

from numpy.typing import ArrayLike

from cconv import (
    _activations,
    _arguments,
    _arrays,
    _check,
    _convolution,
    _dtypes,
    _threads,
)
from cconv._activations import Activation
from cconv._arguments import Array, ConvArguments, Ints, Padding
from cconv._convolution import Convolution


def conv2d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: SupportsIndex = 1,
    *,
    padding_mode: str = "zeros",
    padding_value: float = 0.0,
    layout: str = "NCHW",
    activation: Activation = None,
    residual: ArrayLike | None = None,
    out: Array | None = None,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> Array:
    """Convolve images with a bank of filters, as neural networks do (the kernel is not flipped).

    With one group, stride (sh, sw), dilation (dh, dw) and the padding before each axis (bh, bw)::

        out[n, o, y, x] = act(bias[o] + residual[n, o, y, x] + sum over c, i, j of
                              weight[o, c, i, j] * input[n, c, y*sh + i*dh - bh, x*sw + j*dw - bw])

    where elements of `input` outside its bounds are zeros, or what `padding_mode` says.  Each of
    `groups` equal parts of the output channels sees only the same part of the input channels.

    Parameters
    ----------
    input : array_like, (n, c, h, w) or (c, h, w), float, int or bool
        One image or a batch of them, with any strides; also a tensor of another library, which is
        read where it is by DLPack.  The notes say more on dtypes.
    weight : array_like, (oc, c / groups, kh, kw), float, int or bool
        The filters.
    bias : array_like, (oc,), float, int or bool, optional
        Added to every element of its output channel.
    stride : int or (int, int)
        Step from one window to the next.
    padding : int, (int, int), ((int, int), (int, int)) or str
        Elements added on both sides of each axis; a pair an axis gives (before, after), negative
        numbers crop.  'valid' adds none.  'same' gives ``ceil(size / stride)`` windows, for any
        stride, with an odd element at the end (SAME_UPPER of ONNX and TensorFlow); 'same_lower' has
        it at the start.  'full' adds ``dilation * (kernel - 1)`` on both sides.
    dilation : int or (int, int)
        Step from one tap of the kernel to the next.
    groups : int
        Divides both c and oc.
    padding_mode : {'zeros', 'constant', 'reflect', 'symmetric', 'replicate', 'circular'}
        What stands outside the input: zeros; `padding_value`; the input mirrored without its edge
        (``c b | a b c | b a``), or with it (``b a | a b c | c b``); its edge; or its other end.
        The padding may be of any width.  No padded copy of the input is made.
    padding_value : float
        What 'constant' pads with, and 0 with every other mode; an integer if the result is one.
    layout : {'NCHW', 'NHWC'}
        Whether the channels of input and output are before or after the spatial axes, however many
        of these there are: with 'NHWC' input, residual and output are (n, h, w, c) or (h, w, c).
        The weight is the same in both.  No array is copied to change its layout.
    activation : str or tuple, optional
        'relu', 'relu6', 'leaky_relu' (slope 0.01) or ``('leaky_relu', slope)``, 'elu', 'gelu' (the
        same as 'gelu_erf') or 'gelu_tanh', 'silu', 'hard_swish', 'hard_sigmoid', 'sigmoid', 'tanh'
        or ``('clip', lo, hi)``.  Applied last; NaN goes through all of them.  Integers have 'relu',
        'relu6' and 'clip', whose limits may be fractional or infinite.
    residual : array_like, of the shape and dtype of the result, optional
        Added before the activation: ``act(convolution + bias + residual)``.
    out : ndarray, of the shape and dtype of the result, optional
        Written and returned.  It may have any strides, and may overlap the other arrays.
    algorithm : {'auto', 'direct', 'winograd', 'bf16x3', 'int8x3'}
        'direct' sums the products as the formula has them.  'winograd' needs fewer multiplications,
        for floats.  It transforms the last two axes where the kernel is 3 by 3 or 5 by 5 along
        them; else the last where it is 3 or 5 along it; else the one before, where it is 3 or 5
        along that and 1 along the last.  Their stride is 1, their dilation any.  Of the other
        axes one may have any kernel, stride and dilation; the rest has a kernel and stride of 1.
        Elsewhere it is refused.  'bf16x3' computes in float32 on the matrix unit of CPUs that have
        AMX, from windows of 16 values on, and is refused elsewhere; 'int8x3' likewise, and is
        faster still.  'auto' takes the fastest, 'int8x3' of kernels of one tap from 144 channels
        on, and of less than 16 channels from windows of 144 values on, also Winograd's or Fourier
        transforms for large kernels of one channel a group, which shapes and parameters alone
        decide: never threads, batch or memory order.  It looks at values in one case: a float
        kernel with one channel in and out, of 25 taps to 48 by 48, that is a column times a row but
        for roundings is summed along one axis and then the other.  The environment variable
        CCONV_ALGORITHM says what 'auto' is.
    threads : int, optional
        At least 1; by default `get_num_threads()`.

    Returns
    -------
    ndarray, (n, oc, oh, ow) or (oc, oh, ow)
        With ``oh = floor((h + before + after - dh*(kh - 1) - 1) / sh) + 1``, and `ow` likewise.  A
        new array has the memory order of `input`: where its channels are last in memory though
        `layout` has them first, or the other way round, they are so in the result.

    Raises
    ------
    ValueError
        If shapes or values do not fit together, or no window fits into the padded input.
    TypeError
        If an array is masked or has another dtype (complex and longdouble among them), or an
        argument has the wrong type.
    OverflowError
        If a size does not fit in 63 bits, a number in the dtype of the result, or a sum of products
        of 8-bit integers perhaps in int32.
    MemoryError
        If the result cannot be allocated.

    See Also
    --------
    conv_output_shape : The shape of the result.

    Notes
    -----
    By 'direct' the core computes an element as one chain of multiply-adds, fused but on generic
    vectors, over K = c / groups * kh * kw products in the order (c, kh, kw).  Before the activation
    its error is at most ``(K + 2) * u * sum(|weight| * |input|)``, u being half an ulp of 1.  By
    any algorithm its bits depend neither on `threads`, nor on what else is in the batch, nor on
    strides in memory.

    By Winograd's algorithm the error is at most ``G * eps * sum over c of max|input_c| *
    sum|weight_c|``, with the maximum over the tile of up to 6 by 6 inputs around the output (of a
    dilated kernel every d-th; taps of an axis that is not transformed count as channels), and
    G = 8 for float32 and 24 for float64.  Where many channels are exactly alike, in inputs and in
    weights, every rounding repeats in each, and where one weight outweighs all others none cancels
    another: G is then up to 40 and 60.  Integers in floats are then
    not exact, and sums of zeros need not be zero: use 'direct' where they must be.  NaN and
    infinities reach exactly the windows that hold them.  By 'auto' all this holds for large kernels
    of one channel, too, where a plan's `algorithm` is 'winograd': of those a tile is the inputs
    that up to 4 by 4 neighbouring outputs look at, the kernel's size rounded up to a multiple of 4,
    or along a signal what is within 256 elements of those that an output looks at.

    By Fourier transforms, where 'auto' takes them and a plan's `algorithm` is 'fft', the error is
    at most ``G * eps * max|input| * sum|weight|``, with G = 16 for float32 and 32 for float64, and
    the maximum over two tiles that are transformed together: neighbours, in the order of rows, of
    up to 256 by 256 inputs each, or 65536 of a signal; beside what is lost below the least normal
    number, at most ``K * 1e-42`` in float32.  Integers are not exact, nor sums of zeros beside what
    is not 0.  NaN and infinities reach exactly the windows that hold them; where there are any, and
    where a sum overflows on the way, both tiles are computed by 'direct', which takes longer.

    By 'bf16x3' [1]_ a float32 is the sum of three bfloat16, and six of the nine products of such
    parts, each exact, are summed.  The error is at most ``(K + 24) * u * S + K * 1e-37 * max(1,
    max|input|, max|weight|)`` with ``S = sum(|weight| * |input|)``, and in practice less than that
    of 'direct'.  Integers are exact where ``S`` is below ``0.99 * 2**24``.  An image in which a
    value is not finite or beyond 1e15, or whose greatest product with a weight is below 1e-24, is
    computed by 'direct', and so are all where a weight is so.

    By 'int8x3' [2]_ inputs are whole numbers of a unit, 2**-23 of the power of two above the
    greatest that a block of outputs looks at, which is the image or some of its rows, and weights
    of one above the greatest of their filter.  Of the products of their three digits of 8 bits six
    are summed, exactly.  The error is at most ``G * eps * sum_c max|input_c| * sum|weight_c|`` with
    the maximum over that block.  G is 16 where roundings are independent, and in practice the error
    is about that of 'winograd'; where they repeat, in flat images under filters of equal weights
    but for a far larger one, G is 600.  Integers up to 127 are exact where sums are below 2**24.
    By 'bf16x3', to the bit, is computed an image in which 16 neighbouring positions, the border
    counted, hold nothing but values below 1/64 of the greatest of the block, and not only 0, or
    where a group has less than 16 channels the windows of 16 neighbouring outputs do; one where,
    for some filter of K weights, the sum over channels, or so few channels' values of a window, of
    ``max|input_c| * sum|weight_c|`` is less than about ``max(1 / (4 sqrt(K)), 1 / 64)`` of K times
    the greatest input times the greatest weight (for kernels of one tap, and of less than 16
    channels, up to twice that: of the power of two above it); and one that 'bf16x3' computes by
    'direct'.

    Dtypes are float16, float32, float64, bool, and integers of 8 to 64 bits.  With a float among
    input, weight and bias the result follows `numpy.result_type`; float16 is computed in float32
    and rounded once.  Sums of integers are exact: in int32 if input and weight have 8 bits, where a
    sum that their dtypes might let overflow is refused, else modulo 2**64, in uint64 if
    `numpy.result_type` says so and in int64 otherwise.  Operands are converted while they are read,
    not copied, but for those in the other byte order.

    References
    ----------
    .. [1] G. Henry, P. T. P. Tang and A. Heinecke, "Leveraging the bfloat16 Artificial Intelligence
           Datatype For Higher-Precision Computations", IEEE ARITH 2019.
    .. [2] H. Ootomo, K. Ozaki and R. Yokota, "DGEMM on Integer Matrix Multiplication Unit", Int. J.
           High Performance Computing Applications 38(4), 2024.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> image = np.array([[[0, 0, 9, 9], [0, 0, 9, 9], [0, 0, 9, 9]]], np.float32)
    >>> edges = np.array([[[[-1, 1]]]], np.float32)
    >>> cconv.conv2d(image, edges)
    array([[[0., 9., 0.],
            [0., 9., 0.],
            [0., 9., 0.]]], dtype=float32)

    The same filter at every second position, with a zero before each row, a bias and a limit:

    >>> bias = np.array([-1], np.float32)
    >>> pads = ((0, 0), (1, 0))
    >>> cconv.conv2d(image, edges, bias, stride=2, padding=pads, activation="relu")
    array([[[0., 8.],
            [0., 8.]]], dtype=float32)

    Three elements around an image that repeats itself:

    >>> sums = cconv.conv2d(image, np.ones((1, 1, 1, 3)), padding="same", padding_mode="circular")
    >>> sums[0, 0]
    array([ 9.,  9., 18., 18.])
    """
    operands = (input, weight, bias, residual, out)
    where = (stride, padding, dilation, groups, layout)
    pads = (padding_mode, padding_value)
    return _convolution.call("conv2d", 2, operands, where, pads, activation, algorithm, threads)


def conv1d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: SupportsIndex = 1,
    *,
    padding_mode: str = "zeros",
    padding_value: float = 0.0,
    layout: str = "NCHW",
    activation: Activation = None,
    residual: ArrayLike | None = None,
    out: Array | None = None,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> Array:
    """Convolve signals with a bank of filters: `conv2d` with one spatial axis.

    All that is said there holds here.

    Parameters
    ----------
    input : array_like, (n, c, w) or (c, w), float, int or bool
        One signal of c channels, or a batch of them.
    weight : array_like, (oc, c / groups, kw), float, int or bool
        The filters.
    bias : array_like, (oc,), float, int or bool, optional
        Added to every element of its output channel.
    stride, dilation : int or (int,)
        Steps between windows and between taps.
    padding : int, (int,), ((int, int),) or str
        As in `conv2d`, and 'causal': ``dilation * (kw - 1)`` zeros before the signal and none
        after it, so that no output sees a later input.
    groups, padding_mode, padding_value, layout, activation, residual, out, algorithm, threads
        As in `conv2d`.

    Returns
    -------
    ndarray, (n, oc, ow) or (oc, ow)
        As in `conv2d`, which also says what is raised.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> signal = np.array([[1.0, 2.0, 4.0, 8.0]])
    >>> cconv.conv1d(signal, [[[-1.0, 1.0]]], padding="causal")
    array([[1., 1., 2., 4.]])
    """
    operands = (input, weight, bias, residual, out)
    where = (stride, padding, dilation, groups, layout)
    pads = (padding_mode, padding_value)
    return _convolution.call("conv1d", 1, operands, where, pads, activation, algorithm, threads)


def conv3d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: SupportsIndex = 1,
    *,
    padding_mode: str = "zeros",
    padding_value: float = 0.0,
    layout: str = "NCHW",
    activation: Activation = None,
    residual: ArrayLike | None = None,
    out: Array | None = None,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> Array:
    """Convolve volumes with a bank of filters: `conv2d` with three spatial axes.

    All that is said there holds here.

    Parameters
    ----------
    input : array_like, (n, c, d, h, w) or (c, d, h, w), float, int or bool
        One volume of c channels, or a batch of them.
    weight : array_like, (oc, c / groups, kd, kh, kw), float, int or bool
        The filters.
    bias : array_like, (oc,), float, int or bool, optional
        Added to every element of its output channel.
    stride, dilation : int or (int, int, int)
        Steps between windows and between taps.
    padding : int, three ints, three (int, int) or str
        As in `conv2d`.
    groups, padding_mode, padding_value, layout, activation, residual, out, algorithm, threads
        As in `conv2d`.

    Returns
    -------
    ndarray, (n, oc, od, oh, ow) or (oc, od, oh, ow)
        As in `conv2d`, which also says what is raised.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> volume = np.arange(12.0).reshape(1, 2, 2, 3)
    >>> cconv.conv3d(volume, np.ones((1, 1, 2, 2, 2)))
    array([[[[40., 48.]]]])
    """
    operands = (input, weight, bias, residual, out)
    where = (stride, padding, dilation, groups, layout)
    pads = (padding_mode, padding_value)
    return _convolution.call("conv3d", 3, operands, where, pads, activation, algorithm, threads)


def depthwise_conv2d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    *,
    padding_mode: str = "zeros",
    padding_value: float = 0.0,
    layout: str = "NCHW",
    activation: Activation = None,
    residual: ArrayLike | None = None,
    out: Array | None = None,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> Array:
    """Convolve each channel with filters of its own: `conv2d` with as many groups as channels.

    Parameters
    ----------
    input : array_like, (n, c, h, w) or (c, h, w), float, int or bool
        One image or a batch of them.
    weight : array_like, (c * m, 1, kh, kw), float, int or bool
        The filters, m for each channel: output channel o sees input channel ``o // m``.
    bias : array_like, (c * m,), float, int or bool, optional
        Added to every element of its output channel.
    stride, padding, dilation, padding_mode, padding_value
        As in `conv2d`.
    layout, activation, residual, out, algorithm, threads
        As in `conv2d`.

    Returns
    -------
    ndarray, (n, c * m, oh, ow) or (c * m, oh, ow)
        As in `conv2d`, which also says what is raised.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> image = np.arange(8.0).reshape(2, 2, 2)
    >>> weight = np.array([[[[1.0, 1.0]]], [[[-1.0, 1.0]]]])
    >>> cconv.depthwise_conv2d(image, weight)
    array([[[1.],
            [5.]],
           [[1.],
            [1.]]])
    """
    operands = (input, weight, bias, residual, out)
    where = (stride, padding, dilation, None, layout)
    pads = (padding_mode, padding_value)
    return _convolution.call(
        "depthwise_conv2d", 2, operands, where, pads, activation, algorithm, threads
    )


def depthwise_conv1d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    *,
    padding_mode: str = "zeros",
    padding_value: float = 0.0,
    layout: str = "NCHW",
    activation: Activation = None,
    residual: ArrayLike | None = None,
    out: Array | None = None,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> Array:
    """Convolve each channel with filters of its own: `conv1d` with as many groups as channels.

    Parameters
    ----------
    input : array_like, (n, c, w) or (c, w), float, int or bool
        One signal of c channels, or a batch of them.
    weight : array_like, (c * m, 1, kw), float, int or bool
        The filters, m for each channel: output channel o sees input channel ``o // m``.
    bias : array_like, (c * m,), float, int or bool, optional
        Added to every element of its output channel.
    stride, padding, dilation, padding_mode, padding_value
        As in `conv1d`.
    layout, activation, residual, out, algorithm, threads
        As in `conv1d`.

    Returns
    -------
    ndarray, (n, c * m, ow) or (c * m, ow)
        As in `conv2d`, which also says what is raised.

    Examples
    --------
    >>> import cconv
    >>> cconv.depthwise_conv1d([[1.0, 2.0, 4.0]], [[[1.0, 1.0]], [[-1.0, 1.0]]])
    array([[3., 6.],
           [1., 2.]])
    """
    operands = (input, weight, bias, residual, out)
    where = (stride, padding, dilation, None, layout)
    pads = (padding_mode, padding_value)
    return _convolution.call(
        "depthwise_conv1d", 1, operands, where, pads, activation, algorithm, threads
    )


def depthwise_conv3d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    *,
    padding_mode: str = "zeros",
    padding_value: float = 0.0,
    layout: str = "NCHW",
    activation: Activation = None,
    residual: ArrayLike | None = None,
    out: Array | None = None,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> Array:
    """Convolve each channel with filters of its own: `conv3d` with as many groups as channels.

    Parameters
    ----------
    input : array_like, (n, c, d, h, w) or (c, d, h, w), float, int or bool
        One volume of c channels, or a batch of them.
    weight : array_like, (c * m, 1, kd, kh, kw), float, int or bool
        The filters, m for each channel: output channel o sees input channel ``o // m``.
    bias : array_like, (c * m,), float, int or bool, optional
        Added to every element of its output channel.
    stride, padding, dilation, padding_mode, padding_value
        As in `conv3d`.
    layout, activation, residual, out, algorithm, threads
        As in `conv3d`.

    Returns
    -------
    ndarray, (n, c * m, od, oh, ow) or (c * m, od, oh, ow)
        As in `conv2d`, which also says what is raised.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> cconv.depthwise_conv3d(np.ones((3, 2, 2, 2)), np.ones((3, 1, 2, 2, 2))).ravel()
    array([8., 8., 8.])
    """
    operands = (input, weight, bias, residual, out)
    where = (stride, padding, dilation, None, layout)
    pads = (padding_mode, padding_value)
    return _convolution.call(
        "depthwise_conv3d", 3, operands, where, pads, activation, algorithm, threads
    )


def separable_conv2d(
    input: ArrayLike,
    depthwise_weight: ArrayLike,
    pointwise_weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    *,
    padding_mode: str = "zeros",
    padding_value: float = 0.0,
    layout: str = "NCHW",
    activation: Activation = None,
    residual: ArrayLike | None = None,
    out: Array | None = None,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> Array:
    """Convolve each channel by itself, then mix the channels: two convolutions in one call.

    It is ``conv2d(depthwise_conv2d(input, depthwise_weight, ...), pointwise_weight, bias)``, with
    the activation at the end.  The image between the two is held in memory, in the result's dtype,
    or in float32 if that is float16.

    Parameters
    ----------
    input : array_like, (n, c, h, w) or (c, h, w), float, int or bool
        One image or a batch of them.
    depthwise_weight : array_like, (c * m, 1, kh, kw), float, int or bool
        The filters, m for each channel.
    pointwise_weight : array_like, (oc, c * m, 1, 1), float, int or bool
        What each output channel takes of the filtered ones.
    bias : array_like, (oc,), float, int or bool, optional
        Added to every element of its output channel.
    stride, padding, dilation, padding_mode, padding_value
        As in `conv2d`, of the depthwise convolution.
    layout, activation, residual, out, algorithm, threads
        As in `conv2d`.

    Returns
    -------
    ndarray, (n, oc, oh, ow) or (oc, oh, ow)
        As in `conv2d`, which also says what is raised.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> image = np.array([[[1.0, 2.0, 4.0]], [[0.0, 1.0, 0.0]]])
    >>> step = np.array([[[[-1.0, 1.0]]], [[[-1.0, 1.0]]]])
    >>> cconv.separable_conv2d(image, step, np.array([[[[1.0]], [[10.0]]]]))
    array([[[11., -8.]]])
    """
    function = "separable_conv2d"
    x, depth, b = _arrays.of_convolution(
        function, input, depthwise_weight, bias, weight_name="depthwise_weight"
    )
    point = _arrays.weight(function, "pointwise_weight", pointwise_weight)
    where = ConvArguments(stride, padding, dilation, None, padding_mode, padding_value, layout)
    names = ("input.shape", "depthwise_weight.shape")
    first = _arguments.conv_geometry(function, 2, x.shape, depth.shape, where, names)
    _check.pointwise(function, point.shape)
    names = ("the shape between the convolutions", "pointwise_weight.shape")
    mix = ConvArguments(1, 0, 1, 1, layout=layout)
    second = _arguments.conv_geometry(function, 2, first.output_shape, point.shape, mix, names)
    if b is not None:
        _check.bias(function, b.shape, point.shape[0])
    dtype = _dtypes.of_sum((x.dtype, depth.dtype, point.dtype), None if b is None else b.dtype)
    act = _activations.resolve(function, activation, dtype)
    chosen = _arguments.algorithm(function, algorithm)
    count = _threads.resolve(function, threads)
    more = _arrays.residual(function, residual, second.output_shape, dtype)
    fill = _convolution.fill(function, first, padding_value, dtype)
    if dtype is _dtypes.INT32:
        factors = {
            "input": x.dtype,
            "depthwise_weight": depth.dtype,
            "pointwise_weight": point.dtype,
        }
        terms = math.prod(depth.shape[1:]) * point.shape[1]
        _dtypes.bounded(function, factors, terms, fill, {"bias": b, "residual": more})
    between = _dtypes.arithmetic(dtype)
    plain = Convolution(function, 2, False, first, fill, _activations.NONE, between, chosen, count)
    y, _ = _convolution.compute(plain, (x, depth, None, None, None))
    mixing = Convolution(function, 2, False, second, 0.0, act, dtype, chosen, count)
    operands = (y, point, _convolution.cast_bias(mixing, b), more, out)
    return _convolution.compute(mixing, operands)[0]
