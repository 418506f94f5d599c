"""From the forms that users write to the plain numbers that the backends take."""

import functools
import math
import os
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple, SupportsIndex, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cconv import _check, _shape
from cconv._check import Shape
from cconv._shape import Axis

Array: TypeAlias = NDArray[Any]  # of one of the dtypes that `_dtypes` names
IndexArray: TypeAlias = NDArray[np.int64]
Ints: TypeAlias = SupportsIndex | Sequence[SupportsIndex]
OutputSize: TypeAlias = SupportsIndex | Sequence[SupportsIndex | None] | None
Padding: TypeAlias = str | SupportsIndex | Sequence[SupportsIndex | Sequence[SupportsIndex]]

ALGORITHMS = ("auto", "direct", "winograd", "bf16x3", "int8x3")
POOL_WORDS = ("valid", "same", "same_lower")
CONV_WORDS = (*POOL_WORDS, "full")
CONV1D_WORDS = (*CONV_WORDS, "causal")
LAYOUTS = ("NCHW", "NHWC")
PADDING_MODES = ("zeros", "constant", "reflect", "symmetric", "replicate", "circular")

# Types of which equal values mean the same.
PLAIN = frozenset({int, float, str, type(None)})


class ConvArguments(NamedTuple):
    """Where the windows of a convolution stand, as the user wrote it."""

    stride: Ints
    padding: Padding
    dilation: Ints
    groups: SupportsIndex | None  # None: as many as there are channels (depthwise)
    padding_mode: str = "zeros"
    padding_value: float = 0.0
    layout: str = "NCHW"


class TransposeArguments(NamedTuple):
    """Where a transposed convolution puts its outputs, as the user wrote it."""

    stride: Ints
    padding: Padding
    output_padding: Ints
    groups: SupportsIndex
    dilation: Ints
    output_size: Ints | None
    layout: str = "NCHW"


class PoolArguments(NamedTuple):
    """Where the windows of a pool stand, as the user wrote it."""

    kernel_size: Ints
    stride: Ints | None
    padding: Padding
    dilation: Ints
    ceil_mode: bool
    layout: str = "NCHW"


class UnpoolArguments(NamedTuple):
    """The pool that `max_unpool` undoes, as the user wrote it."""

    kernel_size: Ints
    stride: Ints | None
    padding: Padding
    output_size: Sequence[SupportsIndex] | None
    layout: str = "NCHW"


class Layer(NamedTuple):
    """One layer of a stack, as the user wrote it, and its spatial axes if it says how many."""

    kernel_size: Ints
    stride: Ints | None
    padding: Padding
    dilation: Ints
    rank: int | None


class UnfoldArguments(NamedTuple):
    """Where the windows of `unfold` and `fold` stand, as the user wrote it."""

    kernel_size: Ints
    dilation: Ints
    padding: Padding
    stride: Ints


class Geometry(NamedTuple):
    """What such arguments come to, for an input of a given shape."""

    axes: tuple[Axis, ...]
    groups: int
    output_shape: Shape
    padding: tuple[str, float] = ("constant", 0.0)  # mode and value as the backends take them
    channels_last: bool = False  # of input and output

    @property
    def windows(self) -> tuple[Shape, Shape, Shape, Shape, Shape]:
        """Kernel, stride, dilation, and pads before and after, one number an axis each."""
        _, kernel, stride, dilation, before, after = zip(*self.axes, strict=True)
        return kernel, stride, dilation, before, after


def conv_geometry(
    function: str,
    rank: int,
    input_shape: Shape,
    weight_shape: Shape,
    given: ConvArguments,
    names: tuple[str, str] = ("input.shape", "weight.shape"),
) -> Geometry:
    """Check shapes and arguments of a convolution; messages call the two shapes by `names`."""
    kinds = tuple(map(type, given))
    if PLAIN.issuperset(kinds):
        return _recent_conv_geometry(function, rank, input_shape, weight_shape, given, names, kinds)
    return _conv_geometry(function, rank, input_shape, weight_shape, given, names)


@functools.lru_cache(maxsize=128)
def _recent_conv_geometry(
    function: str,
    rank: int,
    input_shape: Shape,
    weight_shape: Shape,
    given: ConvArguments,
    names: tuple[str, str],
    kinds: tuple[type, ...],
) -> Geometry:
    """What a call like an earlier one came to; `kinds` tells True from 1, which are equal."""
    del kinds
    return _conv_geometry(function, rank, input_shape, weight_shape, given, names)


def _conv_geometry(
    function: str,
    rank: int,
    input_shape: Shape,
    weight_shape: Shape,
    given: ConvArguments,
    names: tuple[str, str],
) -> Geometry:
    last, input_shape = images_shape(function, names[0], input_shape, rank, given.layout)
    channels = input_shape[-rank - 1]
    if given.groups is None:
        _check.weight_rank(function, names[1], weight_shape, rank, "c*m, 1")
        _check.depthwise_channels(function, names[1], channels, weight_shape)
        groups = channels
    else:
        _check.weight_rank(function, names[1], weight_shape, rank)
        groups = _check.integer(function, "groups", given.groups, least=1)
        _check.channels(function, names[1], channels, weight_shape, groups)
    kernel = per_axis(function, names[1], weight_shape[2:], rank, first=2)
    words = CONV1D_WORDS if rank == 1 else CONV_WORDS
    size = input_shape[-rank:]
    axes = _axes(function, size, kernel, given.stride, given.padding, given.dilation, words)
    padding = _padding_mode(function, given.padding_mode, given.padding_value)
    if padding[0] != "constant":
        _check.something_to_repeat(function, given.padding_mode, size)
    sizes = _check.output_sizes(function, axes)
    output_shape = in_layout(last, input_shape[: -rank - 1], weight_shape[0], sizes)
    return Geometry(axes, groups, output_shape, padding, last)


def transpose_geometry(
    function: str,
    rank: int,
    input_shape: Shape,
    weight_shape: Shape,
    given: TransposeArguments,
    names: tuple[str, str] = ("input.shape", "weight.shape"),
) -> Geometry:
    """Check shapes and arguments of a transposed convolution, as `conv_geometry` does."""
    last, input_shape = images_shape(function, names[0], input_shape, rank, given.layout)
    _check.weight_rank(function, names[1], weight_shape, rank, "c, oc/groups")
    groups = _check.integer(function, "groups", given.groups, least=1)
    _check.transposed_channels(function, names[1], input_shape[-rank - 1], weight_shape, groups)
    kernel = per_axis(function, names[1], weight_shape[2:], rank, first=2)
    size, none = input_shape[-rank:], ((0, 0),) * rank
    word = given.padding if isinstance(given.padding, str) else None
    pads = none if word in POOL_WORDS else given.padding
    axes = _axes(function, size, kernel, given.stride, pads, given.dilation, POOL_WORDS)
    extra = per_axis(function, "output_padding", given.output_padding, rank, least=0)
    _check.transposed_extents(function, axes)
    _check.output_padding(function, axes, extra)
    sizes = tuple(map(_shape.transposed_size, axes, extra))
    if given.output_size is not None:
        if any(extra):
            raise ValueError(
                f"{function}: output_padding is {given.output_padding!r} and output_size "
                f"{given.output_size!r}; expected at most one of them"
            )
        sizes = per_axis(function, "output_size", given.output_size, rank)
    if word in ("same", "same_lower"):
        if given.output_size is None:
            sizes = tuple(axis.size * axis.stride for axis in axes)
        axes = tuple(map(_shape.pad_to_size, axes, extra, sizes, (word,) * rank))
        _check.transposed_extents(function, axes)
    elif given.output_size is not None:
        _check.output_size(function, axes, sizes)
    _check.transposed_sizes(function, axes, sizes)
    output_shape = in_layout(last, input_shape[: -rank - 1], weight_shape[1] * groups, sizes)
    return Geometry(axes, groups, output_shape, channels_last=last)


def pool_geometry(
    function: str, rank: int, input_shape: Shape, given: PoolArguments, name: str = "input.shape"
) -> Geometry:
    """Check shape and arguments of a pool; messages call the shape by `name`."""
    last, input_shape = images_shape(function, name, input_shape, rank, given.layout)
    kernel = per_axis(function, "kernel_size", given.kernel_size, rank)
    stride = kernel if given.stride is None else given.stride
    size = input_shape[-rank:]
    axes = _axes(function, size, kernel, stride, given.padding, given.dilation, POOL_WORDS)
    ceil_mode = _check.flag(function, "ceil_mode", given.ceil_mode)
    sizes = _check.output_sizes(function, axes, ceil_mode)
    output_shape = in_layout(last, input_shape[: -rank - 1], input_shape[-rank - 1], sizes)
    return Geometry(axes, 1, output_shape, channels_last=last)


def images_shape(
    function: str, name: str, shape: Shape, rank: int, layout: str
) -> tuple[bool, Shape]:
    """Whether the layout has channels last, and the shape (n, c, *spatial) or (c, *spatial)."""
    last = channels_last(function, layout)
    _check.input_rank(function, name, shape, rank, last)
    return last, channels_first(shape, rank) if last else shape


def channels_last(function: str, layout: str) -> bool:
    """Whether a layout puts the channels behind the spatial axes; the names are those of rank 2."""
    if not isinstance(layout, str) or layout not in LAYOUTS:
        raise ValueError(
            f"{function}: layout is {layout!r}; expected {_one_of(LAYOUTS)}, for 1 and 3 spatial "
            "axes, too"
        )
    return layout == "NHWC"


def channels_first(shape: Shape, rank: int) -> Shape:
    """(c, *spatial) of (*spatial, c), after the batch if there is one."""
    return (*shape[: -rank - 1], shape[-1], *shape[-rank - 1 : -1])


def in_layout(last: bool, batch: Shape, channels: int, sizes: Shape) -> Shape:
    """The shape of an output."""
    return (*batch, *sizes, channels) if last else (*batch, channels, *sizes)


def layer(function: str, index: int, given: Any) -> Layer:
    """A layer from a mapping, or from a tuple of kernel_size, stride, padding, dilation."""
    names = Layer._fields[:4]
    name = f"layers[{index}]"
    if isinstance(given, Mapping):
        values = dict(given)
    else:
        items = _check.entries(given)
        if items is None or not 1 <= len(items) <= len(names):
            raise TypeError(
                f"{function}: {name} is {given!r}; expected a mapping or a tuple of {names}"
            )
        values = dict(zip(names, items, strict=False))
    unknown = [key for key in values if key not in names]
    if unknown or "kernel_size" not in values:
        problem = f"has {unknown[0]!r}" if unknown else "has no 'kernel_size'"
        raise ValueError(f"{function}: {name} {problem}; expected {_one_of(names)}")
    values = {"stride": 1, "padding": 0, "dilation": 1, **values}
    ranks = {len(found) for found in map(_check.entries, values.values()) if found is not None}
    if len(ranks) > 1 or not ranks <= {1, 2, 3}:
        raise ValueError(
            f"{function}: {name} is {given!r}; expected one int, or one int for each of 1, 2 or 3 "
            "spatial axes, wherever there are several"
        )
    return Layer(**values, rank=max(ranks, default=None))


def layer_axes(function: str, index: int, given: Layer, rank: int) -> tuple[Axis, ...]:
    """The axes of a layer over an input of unknown size, which may not matter to its padding."""
    within = f"{function}: layers[{index}]"
    kernel = per_axis(within, "kernel_size", given.kernel_size, rank)
    stride = kernel if given.stride is None else given.stride
    axes = _axes(within, (1,) * rank, kernel, stride, given.padding, given.dilation, CONV1D_WORDS)
    if given.padding in ("same", "same_lower") and any(axis.stride > 1 for axis in axes):
        raise ValueError(
            f"{within}: padding is {given.padding!r} with a stride, which depends on the size of "
            "the input; expected numbers"
        )
    return axes


def unfold_geometry(function: str, input_shape: Shape, given: UnfoldArguments) -> Geometry:
    """Check shape and arguments of `unfold`."""
    rank = _rank_of(function, "kernel_size", given.kernel_size)
    _check.input_rank(function, "input.shape", input_shape, rank)
    axes = _unfold_axes(function, input_shape[-rank:], given)
    windows = _check.output_sizes(function, axes)
    rows = input_shape[-rank - 1] * math.prod(axis.kernel for axis in axes)
    return Geometry(axes, 1, (*input_shape[: -rank - 1], rows, math.prod(windows)))


def fold_geometry(
    function: str, input_shape: Shape, output_size: Ints, given: UnfoldArguments
) -> Geometry:
    """Check shape and arguments of `fold`."""
    size = per_axis(
        function, "output_size", output_size, _rank_of(function, "output_size", output_size)
    )
    axes = _unfold_axes(function, size, given)
    windows = _check.output_sizes(function, axes, image="output_size")
    kernel = tuple(axis.kernel for axis in axes)
    _check.columns(function, "input.shape", input_shape, kernel, windows)
    return Geometry(axes, 1, (*input_shape[:-2], input_shape[-2] // math.prod(kernel), *size))


def shape(function: str, name: str, value: Sequence[SupportsIndex]) -> Shape:
    """A shape given as a sequence of ints, each at least 0."""
    sizes = _check.entries(value)
    if sizes is None:
        raise TypeError(f"{function}: {name} is {value!r}; expected a sequence of ints")
    return tuple(
        _check.integer(function, f"{name}[{i}]", size, least=0) for i, size in enumerate(sizes)
    )


def per_axis(
    function: str, name: str, value: Ints, rank: int, first: int = 0, least: int = 1
) -> tuple[int, ...]:
    """One int an axis, from one int or one an axis; `first` is the index in messages."""
    given = _check.entries(value)
    if given is None:
        return (_check.integer(function, name, value, least=least),) * rank
    _count(function, name, given, rank, "one int, or one int a spatial axis")
    return tuple(
        _check.integer(function, f"{name}[{i}]", number, least=least)
        for i, number in enumerate(given, first)
    )


def adaptive_shape(
    function: str, rank: int, input_shape: Shape, output_size: OutputSize, layout: str
) -> tuple[bool, Shape]:
    """Whether the channels are last, and the shape of the output of an adaptive pool."""
    last, shape = images_shape(function, "input.shape", input_shape, rank, layout)
    _check.no_empty_axis(function, input_shape, shape[-rank:])
    sizes = adaptive_size(function, output_size, shape[-rank:])
    return last, in_layout(last, shape[: -rank - 1], shape[-rank - 1], sizes)


def adaptive_size(function: str, value: OutputSize, size: Shape) -> Shape:
    """Windows along each axis of an input of spatial `size`, None standing for as many."""
    given = _check.entries(value)
    if given is None:
        given = (value,) * len(size)
    _count(function, "output_size", given, len(size), "one int or None a spatial axis")
    wanted = []
    for i, (number, here) in enumerate(zip(given, size, strict=True)):
        name = "output_size" if _check.entries(value) is None else f"output_size[{i}]"
        count = here if number is None else _check.integer(function, name, number, least=1)
        _check.fits(function, f"the product of {name} and the input's size", (here + 1) * count)
        wanted.append(count)
    return tuple(wanted)


def unpool_geometry(
    function: str, rank: int, input_shape: Shape, given: UnpoolArguments
) -> Geometry:
    """Check shape and arguments of `max_unpool`; only the output's shape and layout come of it."""
    last, shape = images_shape(function, "input.shape", input_shape, rank, given.layout)
    sizes = _unpooled_size(function, shape, given, rank)
    return Geometry(
        (), 1, in_layout(last, shape[: -rank - 1], shape[-rank - 1], sizes), channels_last=last
    )


def _unpooled_size(function: str, shape: Shape, given: UnpoolArguments, rank: int) -> Shape:
    """The spatial shape that an input (n, c, *spatial) had before it was pooled, or is said to."""
    kernel_size, stride, padding, output_size, layout = given
    kernel = per_axis(function, "kernel_size", kernel_size, rank)
    strides = kernel if stride is None else per_axis(function, "stride", stride, rank)
    if isinstance(padding, str):
        raise ValueError(
            f"{function}: padding is {padding!r}; expected ints or (before, after) pairs, which "
            "tell the size of the output"
        )
    pads = _pads(function, padding, rank)
    if output_size is not None:
        found = _check.entries(output_size)
        wanted = f"one int a spatial axis, or the {len(shape)} of the whole shape"
        if found is None or len(found) not in (rank, len(shape)):
            raise ValueError(
                f"{function}: output_size is {output_size!r}; expected {rank}: {wanted}"
            )
        sizes = tuple(
            _check.integer(function, f"output_size[{i}]", n, least=0) for i, n in enumerate(found)
        )
        whole = channels_first(sizes, rank) if layout == "NHWC" and len(sizes) > rank else sizes
        if whole[:-rank] not in ((), shape[:-rank]):
            raise ValueError(
                f"{function}: output_size is {sizes}; expected batch and channels in it to be "
                f"{shape[:-rank]}, as in input.shape"
            )
        sizes = whole[-rank:]
    else:
        windows = zip(shape[-rank:], kernel, strides, pads, strict=True)
        sizes = tuple((n - 1) * s - before - after + k for n, k, s, (before, after) in windows)
    for name, size in zip(_check.axis_names(rank), sizes, strict=True):
        _check.fits(function, f"the size of the output along {name}", size)
        if size < 1:
            raise ValueError(
                f"{function}: the output has {size} elements along {name}; expected at least 1: "
                "pad less, or give another output_size"
            )
    return sizes


def norm(function: str, name: str, value: float) -> float:
    """The exponent of an Lp norm: a number above 0, or inf."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{function}: {name} is {value!r}; expected a number above 0, or inf")
    try:
        number = float(value)
    except OverflowError:
        raise OverflowError(
            f"{function}: {name} does not fit in a float64; expected less than 2**1024 in magnitude"
        ) from None
    if not number > 0:
        raise ValueError(f"{function}: {name} is {value!r}; expected a number above 0, or inf")
    return number


class Products(NamedTuple):
    """The sums of a convolution that an algorithm other than 'direct' is asked to compute."""

    axes: tuple[Axis, ...]
    channels: int  # of the input, in a group
    dtype: str  # of the result
    matrix_unit: bool  # of bfloat16, which this machine has


def algorithm(function: str, value: str, products: Products | None = None) -> str:
    """The algorithm that the backends take; without `products` there are none but for 'direct'."""
    if not isinstance(value, str) or value not in ALGORITHMS:
        raise ValueError(f"{function}: algorithm is {value!r}; expected {_one_of(ALGORITHMS)}")
    chosen = default_algorithm() if value == "auto" else value
    if chosen in ("winograd", "bf16x3", "int8x3"):
        lacks = "cannot serve this call" if products is None else _lacks(chosen, products)
        if lacks:
            where = "" if value == chosen else " (from CCONV_ALGORITHM)"
            raise ValueError(
                f"{function}: algorithm is {chosen!r}{where}, which {lacks}; expected 'auto' or "
                "'direct'"
            )
    return chosen


def _lacks(chosen: str, products: Products) -> str:
    """Why an algorithm cannot serve, to follow "which"; nothing where it can."""
    axes, channels, dtype, matrix_unit = products
    if chosen == "winograd":
        return _check.winograd(axes, channels, dtype)
    if not matrix_unit:
        return "needs the AMX instructions of the CPU and Linux, but `show_config()` has no 'amx'"
    if chosen == "int8x3":
        return _check.int8x3(axes, channels, dtype)
    return _check.bf16x3(axes, channels, dtype)


@functools.cache
def default_algorithm() -> str:
    """What 'auto' means: the value of CCONV_ALGORITHM, read at the first call."""
    value = os.environ.get("CCONV_ALGORITHM") or "auto"
    if value not in ALGORITHMS:
        raise ValueError(
            f"the environment variable CCONV_ALGORITHM is {value!r}; expected {_one_of(ALGORITHMS)}"
        )
    return value


def _padding_mode(function: str, mode: str, value: float) -> tuple[str, float]:
    """The mode and value that the backends take; they know zeros as a constant."""
    if not isinstance(mode, str) or mode not in PADDING_MODES:
        raise ValueError(f"{function}: padding_mode is {mode!r}; expected {_one_of(PADDING_MODES)}")
    number = _check.real(function, "padding_value", value)
    if mode == "constant":
        return mode, number
    if number != 0:
        raise ValueError(
            f"{function}: padding_value is {value!r}, but padding_mode is {mode!r}; expected 0, or "
            "padding_mode='constant'"
        )
    return "constant" if mode == "zeros" else mode, 0.0


def _rank_of(function: str, name: str, value: Ints) -> int:
    """The number of spatial axes: of one int, two."""
    given = _check.entries(value)
    if given is None:
        return 2
    _check.spatial_rank(function, name, given, other_axes=0)
    return len(given)


def _unfold_axes(function: str, size: Shape, given: UnfoldArguments) -> tuple[Axis, ...]:
    kernel = per_axis(function, "kernel_size", given.kernel_size, len(size))
    return _axes(function, size, kernel, given.stride, given.padding, given.dilation, POOL_WORDS)


def _axes(
    function: str,
    size: Shape,
    kernel: Shape,
    stride: Ints,
    padding: Padding,
    dilation: Ints,
    words: tuple[str, ...],
) -> tuple[Axis, ...]:
    rank = len(size)
    strides = per_axis(function, "stride", stride, rank)
    dilations = per_axis(function, "dilation", dilation, rank)
    axes = tuple(map(Axis, size, kernel, strides, dilations))
    if not isinstance(padding, str):
        pads = _pads(function, padding, rank)
        return tuple(
            axis._replace(before=before, after=after)
            for axis, (before, after) in zip(axes, pads, strict=True)
        )
    if padding not in words:
        raise ValueError(
            f"{function}: padding is {padding!r}; expected {_one_of(words)}, or ints or "
            "(before, after) pairs"
        )
    return tuple(_shape.pad_by_word(axis, padding) for axis in axes)


def _pads(function: str, padding: Any, rank: int) -> list[tuple[int, int]]:
    given = _check.entries(padding)
    if given is None:
        return [(_check.integer(function, "padding", padding),) * 2] * rank
    wanted = "one int, or one int or (before, after) pair a spatial axis"
    _count(function, "padding", given, rank, wanted + (", as in ((1, 2),)" if rank == 1 else ""))
    pads = []
    for i, item in enumerate(given):
        pair = _check.entries(item)
        if pair is None:
            pair = (item, item)
        _count(function, f"padding[{i}]", pair, 2, "an int or a (before, after) pair")
        before, after = (_check.integer(function, f"padding[{i}]", number) for number in pair)
        pads.append((before, after))
    return pads


def _count(function: str, name: str, given: Sequence[Any], count: int, wanted: str) -> None:
    if len(given) != count:
        raise ValueError(
            f"{function}: {name} is {tuple(given)}, {len(given)} long; expected {count}: {wanted}"
        )


def _one_of(words: Sequence[str]) -> str:
    *most, last = map(repr, words)
    return f"{', '.join(most)} or {last}"
