"""Shapes of results, from shapes alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, SupportsIndex

from cconv import _arguments, _check, _shape
from cconv._arguments import (
    ConvArguments,
    Ints,
    Padding,
    PoolArguments,
    TransposeArguments,
)


def conv_output_shape(
    input_shape: Sequence[SupportsIndex],
    weight_shape: Sequence[SupportsIndex],
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: SupportsIndex = 1,
    *,
    layout: str = "NCHW",
) -> tuple[int, ...]:
    """Give the shape that `conv1d`, `conv2d` or `conv3d` returns.

    Along a spatial axis: floor((in + before + after - d*(k - 1) - 1) / s) + 1.

    Parameters
    ----------
    input_shape : sequence of int, (n, c, *spatial) or (c, *spatial)
        The input's shape, batched or not.
    weight_shape : sequence of int, (oc, c / groups, *kernel)
        The weight's shape; its length says how many spatial axes there are.
    stride, padding, dilation, groups, layout
        As in `conv2d`; padding 'causal' for one spatial axis only.

    Returns
    -------
    tuple of int
        (n, oc, *spatial) or (oc, *spatial).

    Raises
    ------
    ValueError, TypeError, OverflowError
        As in `conv2d`.

    Examples
    --------
    >>> import cconv
    >>> cconv.conv_output_shape((8, 3, 224, 224), (64, 3, 7, 7), stride=2, padding=3)
    (8, 64, 112, 112)
    """
    function = "conv_output_shape"
    size = _arguments.shape(function, "input_shape", input_shape)
    weight = _arguments.shape(function, "weight_shape", weight_shape)
    _check.spatial_rank(function, "weight_shape", weight)
    geometry = _arguments.conv_geometry(
        function,
        len(weight) - 2,
        size,
        weight,
        ConvArguments(stride, padding, dilation, groups, layout=layout),
        names=("input_shape", "weight_shape"),
    )
    _check.total_size(function, geometry.output_shape)
    return geometry.output_shape


def conv_transpose_output_shape(
    input_shape: Sequence[SupportsIndex],
    weight_shape: Sequence[SupportsIndex],
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: SupportsIndex = 1,
    dilation: Ints = 1,
    *,
    output_size: Ints | None = None,
    layout: str = "NCHW",
) -> tuple[int, ...]:
    """Give the shape that `conv_transpose1d`, `conv_transpose2d` or `conv_transpose3d` returns.

    Along a spatial axis: (in - 1)*s - before - after + d*(k - 1) + output_padding + 1.

    Parameters
    ----------
    input_shape : sequence of int, (n, c, *spatial) or (c, *spatial)
        The input's shape, batched or not.
    weight_shape : sequence of int, (c, oc / groups, *kernel)
        The weight's shape; its length says how many spatial axes there are.
    stride, padding, output_padding, groups, dilation, output_size, layout
        As in `conv_transpose2d`.

    Returns
    -------
    tuple of int
        (n, oc, *spatial) or (oc, *spatial).

    Raises
    ------
    ValueError, TypeError, OverflowError
        As in `conv_transpose2d`.

    Examples
    --------
    >>> import cconv
    >>> cconv.conv_transpose_output_shape((8, 64, 56, 56), (64, 32, 2, 2), stride=2)
    (8, 32, 112, 112)
    >>> cconv.conv_transpose_output_shape((1, 4, 10), (4, 2, 5), stride=3, padding="same")
    (1, 2, 30)
    """
    function = "conv_transpose_output_shape"
    size = _arguments.shape(function, "input_shape", input_shape)
    weight = _arguments.shape(function, "weight_shape", weight_shape)
    _check.spatial_rank(function, "weight_shape", weight)
    geometry = _arguments.transpose_geometry(
        function,
        len(weight) - 2,
        size,
        weight,
        TransposeArguments(stride, padding, output_padding, groups, dilation, output_size, layout),
        names=("input_shape", "weight_shape"),
    )
    _check.total_size(function, geometry.output_shape)
    return geometry.output_shape


def pool_output_shape(
    input_shape: Sequence[SupportsIndex],
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    *,
    layout: str = "NCHW",
) -> tuple[int, ...]:
    """Give the shape that `max_pool1d`, `avg_pool2d` and the other pools return.

    Along a spatial axis: floor((in + before + after - d*(k - 1) - 1) / s) + 1.  With `ceil_mode`
    it is ceil in place of floor, less the windows that would start after the end of the input.

    Parameters
    ----------
    input_shape : sequence of int, (n, c, *spatial) or (c, *spatial)
        The input's shape.  It counts as batched if `kernel_size` is one int, which does not say
        how many spatial axes there are.
    kernel_size : int or sequence of int
        Taps of the window along each spatial axis.
    stride, padding, dilation, ceil_mode, layout
        As in `max_pool2d`.

    Returns
    -------
    tuple of int
        (n, c, *spatial) or (c, *spatial).

    Raises
    ------
    ValueError, TypeError, OverflowError
        As in `max_pool2d`.

    Examples
    --------
    >>> import cconv
    >>> cconv.pool_output_shape((8, 64, 112, 112), 3, stride=2, padding=1)
    (8, 64, 56, 56)
    >>> cconv.pool_output_shape((64, 112, 112), (3, 3), stride=2, ceil_mode=True)
    (64, 56, 56)
    """
    function = "pool_output_shape"
    size = _arguments.shape(function, "input_shape", input_shape)
    kernel = _check.entries(kernel_size)
    if kernel is None:
        _check.spatial_rank(function, "input_shape", size)
        rank = len(size) - 2
    else:
        _check.spatial_rank(function, "kernel_size", kernel, other_axes=0)
        rank = len(kernel)
    given = PoolArguments(kernel_size, stride, padding, dilation, ceil_mode, layout)
    geometry = _arguments.pool_geometry(function, rank, size, given, name="input_shape")
    _check.total_size(function, geometry.output_shape)
    return geometry.output_shape


class ReceptiveField(NamedTuple):
    """The input that an output of a stack of layers sees, along each spatial axis.

    Output i sees inputs ``i*stride - padding`` to ``i*stride - padding + size - 1``.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]


def receptive_field(layers: Sequence[Mapping[str, Any] | Sequence[Any]]) -> ReceptiveField:
    """Give the receptive field of a stack of convolution and pooling layers.

    From the first layer on, with size, stride and padding at 1, 1 and 0 before it::

        size    += dilation * (kernel_size - 1) * stride
        padding += padding of the layer, before the axis * stride
        stride  *= stride of the layer

    Parameters
    ----------
    layers : sequence of mapping or of tuple
        Each layer, the first one first, as a mapping with 'kernel_size' and, where they are not 1,
        0 and 1, 'stride', 'padding' and 'dilation'; or as a tuple of these in this order.  Each is
        one int or one an axis, a padding also one pair an axis, 'valid', 'full' or 'causal', and,
        with stride 1, 'same' or 'same_lower'.  A stride of None is the kernel size, as in pools.

    Returns
    -------
    ReceptiveField
        `size`, `stride` and `padding`, each with one int an axis; with one int where no layer says
        how many axes there are, for all are alike then.

    Raises
    ------
    ValueError, TypeError, OverflowError
        If a layer cannot be read, layers have different numbers of axes, a padding depends on the
        size of the input, or a number does not fit in 63 bits.

    Examples
    --------
    The first layers of ResNet-50, a 7x7 convolution and a 3x3 pool, both by 2:

    >>> import cconv
    >>> cconv.receptive_field([(7, 2, 3), {"kernel_size": 3, "stride": 2, "padding": 1}])
    ReceptiveField(size=(11,), stride=(4,), padding=(5,))

    All convolutions and pools of VGG-16:

    >>> conv, pool = (3, 1, "same"), (2, 2)
    >>> blocks = [2, 2, 3, 3, 3]
    >>> cconv.receptive_field([layer for n in blocks for layer in [conv] * n + [pool]])
    ReceptiveField(size=(212,), stride=(32,), padding=(90,))
    """
    function = "receptive_field"
    given = _check.entries(layers)
    if given is None:
        raise TypeError(f"{function}: layers is {layers!r}; expected a sequence of layers")
    stack = [_arguments.layer(function, i, layer) for i, layer in enumerate(given)]
    ranks = [(i, layer.rank) for i, layer in enumerate(stack) if layer.rank is not None]
    rank = ranks[0][1] if ranks else 1
    for i, other in ranks:
        if other != rank:
            raise ValueError(
                f"{function}: layers[{i}] has {other} spatial axes, layers[{ranks[0][0]}] has "
                f"{rank}; expected the same number"
            )
    size, step, start = [1] * rank, [1] * rank, [0] * rank
    for i, layer in enumerate(stack):
        for a, axis in enumerate(_arguments.layer_axes(function, i, layer, rank)):
            size[a] += (_shape.span(axis) - 1) * step[a]
            start[a] += axis.before * step[a]
            step[a] *= axis.stride
            for number in (size[a], start[a], step[a]):
                _check.fits(function, f"the receptive field of layers[{i}]", number)
    return ReceptiveField(tuple(size), tuple(step), tuple(start))
