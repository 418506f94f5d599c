"""Convolution in one, two and three dimensions."""

from __future__ import annotations

from typing import SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from cconv import _arguments, _arrays, _check, _threads
from cconv._arguments import Activation, ConvArguments, FloatArray, Geometry, Ints, Padding
from cconv._backend import backend


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
    out: FloatArray | None = None,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> FloatArray:
    """Convolve images with a bank of filters, as neural networks do (the kernel is not flipped).

    With one group, stride (sh, sw), dilation (dh, dw) and the padding before each axis (bh, bw)::

        out[n, o, y, x] = act(bias[o] + sum over c, i, j of
                              weight[o, c, i, j] * input[n, c, y*sh + i*dh - bh, x*sw + j*dw - bw])

    where elements of `input` outside its bounds are zeros, or what `padding_mode` says.  Each of
    `groups` equal parts of the output channels sees only the same part of the input channels.

    Parameters
    ----------
    input : array_like, (n, c, h, w) or (c, h, w), float32 or float64
        One image or a batch of them, with any strides.
    weight : array_like, (oc, c / groups, kh, kw), float32 or float64
        The filters.  Where dtypes differ, `numpy.result_type` decides in which one to compute.
    bias : array_like, (oc,), float32 or float64, optional
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
        What 'constant' pads with, and 0 with every other mode.
    layout : {'NCHW', 'NHWC'}
        Whether the channels of input and output are before or after the spatial axes, however many
        of these there are: with 'NHWC' input and output are (n, h, w, c) or (h, w, c).  The weight
        is the same in both.  No array is copied to change its layout.
    activation : str or tuple, optional
        'relu', 'relu6', 'leaky_relu' (slope 0.01) or ``('leaky_relu', slope)``, 'elu', 'gelu' (the
        same as 'gelu_erf') or 'gelu_tanh', 'silu', 'hard_swish', 'hard_sigmoid', 'sigmoid', 'tanh'
        or ``('clip', lo, hi)``.  Applied last; NaN goes through all of them.
    out : ndarray, of the shape and dtype of the result, optional
        Written and returned.  It may have any strides, and may overlap the other arrays.
    algorithm : {'auto', 'direct'}
        The two are the same today.  The environment variable CCONV_ALGORITHM says what 'auto' is.
    threads : int, optional
        At least 1; by default `get_num_threads()`.

    Returns
    -------
    ndarray, (n, oc, oh, ow) or (oc, oh, ow)
        With ``oh = floor((h + before + after - dh*(kh - 1) - 1) / sh) + 1``, and `ow` likewise.

    Raises
    ------
    ValueError
        If shapes or values do not fit together, or no window fits into the padded input.
    TypeError
        If an array is neither float32 nor float64, or an argument has the wrong type.
    OverflowError
        If a size does not fit in 63 bits, or `padding_value` in the dtype.
    MemoryError
        If the result cannot be allocated.

    See Also
    --------
    conv_output_shape : The shape of the result.

    Notes
    -----
    The core computes an element as one chain of multiply-adds, fused but on generic vectors, over
    K = c / groups * kh * kw products in the order (c, kh, kw).  Before the activation its error is
    at most ``(K + 2) * u * sum(|weight| * |input|)``, u being half an ulp of 1.  Its bits
    depend neither on `threads`, nor on what else is in the batch, nor on strides in memory.

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
    where = ConvArguments(stride, padding, dilation, groups, padding_mode, padding_value, layout)
    return _conv("conv2d", 2, input, weight, bias, where, activation, out, algorithm, threads)


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
    out: FloatArray | None = None,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> FloatArray:
    """Convolve signals with a bank of filters: `conv2d` with one spatial axis.

    All that is said there holds here.

    Parameters
    ----------
    input : array_like, (n, c, w) or (c, w), float32 or float64
        One signal of c channels, or a batch of them.
    weight : array_like, (oc, c / groups, kw), float32 or float64
        The filters.
    bias : array_like, (oc,), float32 or float64, optional
        Added to every element of its output channel.
    stride, dilation : int or (int,)
        Steps between windows and between taps.
    padding : int, (int,), ((int, int),) or str
        As in `conv2d`, and 'causal': ``dilation * (kw - 1)`` zeros before the signal and none
        after it, so that no output sees a later input.
    groups, padding_mode, padding_value, layout, activation, out, algorithm, threads
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
    where = ConvArguments(stride, padding, dilation, groups, padding_mode, padding_value, layout)
    return _conv("conv1d", 1, input, weight, bias, where, activation, out, algorithm, threads)


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
    out: FloatArray | None = None,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> FloatArray:
    """Convolve volumes with a bank of filters: `conv2d` with three spatial axes.

    All that is said there holds here.

    Parameters
    ----------
    input : array_like, (n, c, d, h, w) or (c, d, h, w), float32 or float64
        One volume of c channels, or a batch of them.
    weight : array_like, (oc, c / groups, kd, kh, kw), float32 or float64
        The filters.
    bias : array_like, (oc,), float32 or float64, optional
        Added to every element of its output channel.
    stride, dilation : int or (int, int, int)
        Steps between windows and between taps.
    padding : int, three ints, three (int, int) or str
        As in `conv2d`.
    groups, padding_mode, padding_value, layout, activation, out, algorithm, threads
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
    where = ConvArguments(stride, padding, dilation, groups, padding_mode, padding_value, layout)
    return _conv("conv3d", 3, input, weight, bias, where, activation, out, algorithm, threads)


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
    out: FloatArray | None = None,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> FloatArray:
    """Convolve each channel with filters of its own: `conv2d` with as many groups as channels.

    Parameters
    ----------
    input : array_like, (n, c, h, w) or (c, h, w), float32 or float64
        One image or a batch of them.
    weight : array_like, (c * m, 1, kh, kw), float32 or float64
        The filters, m for each channel: output channel o sees input channel ``o // m``.
    bias : array_like, (c * m,), float32 or float64, optional
        Added to every element of its output channel.
    stride, padding, dilation, padding_mode, padding_value
        As in `conv2d`.
    layout, activation, out, algorithm, threads
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
    where = ConvArguments(stride, padding, dilation, None, padding_mode, padding_value, layout)
    return _conv(
        "depthwise_conv2d", 2, input, weight, bias, where, activation, out, algorithm, threads
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
    out: FloatArray | None = None,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> FloatArray:
    """Convolve each channel with filters of its own: `conv1d` with as many groups as channels.

    Parameters
    ----------
    input : array_like, (n, c, w) or (c, w), float32 or float64
        One signal of c channels, or a batch of them.
    weight : array_like, (c * m, 1, kw), float32 or float64
        The filters, m for each channel: output channel o sees input channel ``o // m``.
    bias : array_like, (c * m,), float32 or float64, optional
        Added to every element of its output channel.
    stride, padding, dilation, padding_mode, padding_value
        As in `conv1d`.
    layout, activation, out, algorithm, threads
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
    where = ConvArguments(stride, padding, dilation, None, padding_mode, padding_value, layout)
    return _conv(
        "depthwise_conv1d", 1, input, weight, bias, where, activation, out, algorithm, threads
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
    out: FloatArray | None = None,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> FloatArray:
    """Convolve each channel with filters of its own: `conv3d` with as many groups as channels.

    Parameters
    ----------
    input : array_like, (n, c, d, h, w) or (c, d, h, w), float32 or float64
        One volume of c channels, or a batch of them.
    weight : array_like, (c * m, 1, kd, kh, kw), float32 or float64
        The filters, m for each channel: output channel o sees input channel ``o // m``.
    bias : array_like, (c * m,), float32 or float64, optional
        Added to every element of its output channel.
    stride, padding, dilation, padding_mode, padding_value
        As in `conv3d`.
    layout, activation, out, algorithm, threads
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
    where = ConvArguments(stride, padding, dilation, None, padding_mode, padding_value, layout)
    return _conv(
        "depthwise_conv3d", 3, input, weight, bias, where, activation, out, algorithm, threads
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
    out: FloatArray | None = None,
    algorithm: str = "auto",
    threads: SupportsIndex | None = None,
) -> FloatArray:
    """Convolve each channel by itself, then mix the channels: two convolutions in one call.

    It is ``conv2d(depthwise_conv2d(input, depthwise_weight, ...), pointwise_weight, bias)``, with
    the activation at the end.  The image between the two is held in memory, in the result's dtype.

    Parameters
    ----------
    input : array_like, (n, c, h, w) or (c, h, w), float32 or float64
        One image or a batch of them.
    depthwise_weight : array_like, (c * m, 1, kh, kw), float32 or float64
        The filters, m for each channel.
    pointwise_weight : array_like, (oc, c * m, 1, 1), float32 or float64
        What each output channel takes of the filtered ones.
    bias : array_like, (oc,), float32 or float64, optional
        Added to every element of its output channel.
    stride, padding, dilation, padding_mode, padding_value
        As in `conv2d`, of the depthwise convolution.
    layout, activation, out, algorithm, threads
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
    x = _arrays.operand(function, "input", input)
    depth = _arrays.operand(function, "depthwise_weight", depthwise_weight)
    point = _arrays.operand(function, "pointwise_weight", pointwise_weight)
    b = None if bias is None else _arrays.operand(function, "bias", bias)
    where = ConvArguments(stride, padding, dilation, None, padding_mode, padding_value, layout)
    names = ("input.shape", "depthwise_weight.shape")
    first = _arguments.conv_geometry(function, 2, x.shape, depth.shape, where, names)
    _check.pointwise(function, point.shape)
    names = ("the shape between the convolutions", "pointwise_weight.shape")
    where = ConvArguments(1, 0, 1, 1, layout=layout)
    second = _arguments.conv_geometry(function, 2, first.output_shape, point.shape, where, names)
    if b is not None:
        _check.bias(function, b.shape, point.shape[0])
    act = _arguments.activation(function, activation)
    _arguments.algorithm(function, algorithm)
    count = _threads.resolve(function, threads)

    dtype = np.result_type(*(array.dtype for array in (x, depth, point, b) if array is not None))
    x = _arrays.cast(function, "input", x, dtype, dense=False)
    depth = _arrays.cast(function, "depthwise_weight", depth, dtype, dense=True)
    point = _arrays.cast(function, "pointwise_weight", point, dtype, dense=True)
    b = None if b is None else _arrays.cast(function, "bias", b, dtype, dense=True)
    between = _compute(function, first, x, depth, None, (None, 0.0, 0.0), None, count)
    return _compute(function, second, between, point, b, act, out, count)


def _conv(
    function: str,
    rank: int,
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None,
    where: ConvArguments,
    activation: Activation,
    out: FloatArray | None,
    algorithm: str,
    threads: SupportsIndex | None,
) -> FloatArray:
    x, w, b = _arrays.of_convolution(function, input, weight, bias)
    geometry = _arguments.conv_geometry(function, rank, x.shape, w.shape, where)
    if b is not None:
        _check.bias(function, b.shape, w.shape[0])
    act = _arguments.activation(function, activation)
    _arguments.algorithm(function, algorithm)
    count = _threads.resolve(function, threads)
    x, w, b = _arrays.of_one_dtype(function, x, w, b)
    return _compute(function, geometry, x, w, b, act, out, count)


def _compute(
    function: str,
    geometry: Geometry,
    x: FloatArray,
    w: FloatArray,
    b: FloatArray | None,
    activation: tuple[str | None, float, float],
    out: FloatArray | None,
    threads: int,
) -> FloatArray:
    """Convolve checked operands of one dtype."""
    _, _, stride, dilation, before, after = zip(*geometry.axes, strict=True)
    mode, value = geometry.padding
    padding = (mode, _arrays.scalar(function, "padding_value", value, x.dtype))
    window = (stride, dilation, before, after, padding, geometry.groups)

    def compute(result: FloatArray) -> None:
        source = _arrays.images(x, w.ndim - 2, geometry.channels_last)
        target = _arrays.images(result, w.ndim - 2, geometry.channels_last)
        backend.conv(source, w, b, target, *window, activation, threads)

    sources = (x, w) if b is None else (x, w, b)
    return _arrays.deliver(function, out, geometry.output_shape, x.dtype, sources, compute)
