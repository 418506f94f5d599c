"""Validation of numbers and shapes: what is accepted, and what an error says.

A message names the function, the argument, what was given, what was expected and, where there is
one, the remedy.  Wrong values and shapes are a ValueError, wrong types a TypeError, and whatever
does not fit in a signed 64-bit integer an OverflowError.
"""

import math
import operator
from collections.abc import Sequence
from numbers import Real
from typing import Any, Literal

import numpy as np

from cconv import _shape
from cconv._shape import Axis

LARGEST = 2**63 - 1

Shape = tuple[int, ...]


def integer(function: str, name: str, value: Any, least: int | None = None) -> int:
    """`value` as an int: anything with `__index__` except bools, at least `least`."""
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        given = f"{value!r}" if np.isscalar(value) or value is None else type(value).__name__
        raise TypeError(f"{function}: {name} is {given}; expected an int") from None
    fits(function, name, number)
    if least is not None and number < least:
        raise ValueError(f"{function}: {name} is {number}; expected at least {least}")
    return number


def fits(function: str, name: str, number: int) -> None:
    """Refuse an integer that needs more than 63 bits."""
    if abs(number) > LARGEST:
        bits = number.bit_length()
        given = number if bits < 256 else f"an int of {bits} bits"
        raise OverflowError(
            f"{function}: {name} is {given}; expected at most 2**63 - 1 = {LARGEST} in magnitude"
        )


def real(function: str, name: str, value: Any) -> float:
    """`value` as a float: any real number but a bool."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{function}: {name} is {value!r}; expected a number")
    try:
        return float(value)
    except OverflowError:
        raise OverflowError(
            f"{function}: {name} does not fit in a float64; expected less than 2**1024 in magnitude"
        ) from None


def entries(value: Any) -> tuple[Any, ...] | None:
    """The items of a sequence; None for a number, a string, or whatever else has none."""
    if isinstance(value, str | bytes):
        return None
    try:
        return tuple(value)
    except TypeError:
        return None


def flag(function: str, name: str, value: Any) -> bool:
    """`value` as a bool, which it must be: an int here is a misplaced positional argument."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{function}: {name} is {value!r}; expected True or False")
    return bool(value)


def axis_names(rank: int) -> tuple[str, ...]:
    """Names of the spatial axes: 'w', 'h w' or 'd h w'."""
    return tuple("dhw"[3 - rank :])


def input_rank(
    function: str, name: str, shape: Shape, rank: int, channels_last: bool = False
) -> None:
    """Refuse an input that is neither (n, c, *spatial) nor (c, *spatial)."""
    if len(shape) not in (rank + 1, rank + 2):
        spatial = axis_names(rank)
        one = ", ".join((*spatial, "c") if channels_last else ("c", *spatial))
        raise ValueError(
            f"{function}: {name} {shape} has {len(shape)} axes; expected {rank + 2}, (n, {one}), "
            f"or {rank + 1}, ({one})"
        )


def no_empty_axis(function: str, shape: Shape, spatial: Shape) -> None:
    """Refuse an input of which a spatial axis has no element."""
    for name, size in zip(axis_names(len(spatial)), spatial, strict=True):
        if size == 0:
            raise ValueError(
                f"{function}: input.shape {shape} has no element along {name}; expected at least 1"
            )


def weight_rank(
    function: str, name: str, shape: Shape, rank: int, form: str = "oc, c/groups"
) -> None:
    """Refuse a weight that is not (oc, c/groups, *kernel), or of another `form`."""
    if len(shape) != rank + 2:
        raise ValueError(
            f"{function}: {name} {shape} has {len(shape)} axes; expected {rank + 2}, "
            f"({form}, {_kernel_names(rank)})"
        )


def spatial_rank(
    function: str, name: str, given: Sequence[Any], other_axes: Literal[0, 2] = 2
) -> None:
    """Refuse what does not have 1, 2 or 3 spatial axes beside `other_axes` others."""
    if len(given) - other_axes not in (1, 2, 3):
        least = 1 + other_axes
        raise ValueError(
            f"{function}: {name} is {tuple(given)}, {len(given)} long; expected {least}, "
            f"{least + 1} or {least + 2}: 1, 2 or 3 spatial axes"
            + (" after batch (or output channels) and channels" if other_axes else "")
        )


def channels(function: str, weight_name: str, channels: int, weight: Shape, groups: int) -> None:
    """Refuse channel counts that do not fit the weight and the groups."""
    if channels % groups:
        raise ValueError(
            f"{function}: groups is {groups}, which does not divide the {channels} channels of "
            f"input; expected a divisor of {channels}"
        )
    if weight[1] != channels // groups:
        in_groups = "" if groups == 1 else f" in {groups} groups"
        raise ValueError(
            f"{function}: {weight_name}[1] is {weight[1]}, but input has {channels} "
            f"{_plural(channels, 'channel')}{in_groups}; expected weight of shape "
            f"(oc, {channels // groups}, {_kernel_names(len(weight) - 2)})"
        )
    if weight[0] < 1:
        raise ValueError(f"{function}: {weight_name}[0] is 0; expected at least 1 output channel")
    if weight[0] % groups:
        raise ValueError(
            f"{function}: {weight_name}[0] is {weight[0]}, but groups is {groups}; expected a "
            f"multiple of {groups} output channels"
        )


def bias(function: str, shape: Shape, channels: int) -> None:
    """Refuse a bias that is not one number an output channel."""
    if shape != (channels,):
        raise ValueError(
            f"{function}: bias.shape is {shape}; expected ({channels},), one number for each "
            "output channel of weight"
        )


def depthwise_channels(function: str, weight_name: str, channels: int, weight: Shape) -> None:
    """Refuse a weight that does not have the same number of filters for each channel."""
    if channels < 1:
        raise ValueError(f"{function}: input has no channels; expected at least 1")
    if weight[1] != 1 or weight[0] < 1 or weight[0] % channels:
        raise ValueError(
            f"{function}: {weight_name} is {weight}, but input has {channels} "
            f"{_plural(channels, 'channel')}; expected (m*{channels}, 1, "
            f"{_kernel_names(len(weight) - 2)}), m filters for each channel"
        )


def pointwise(function: str, weight: Shape) -> None:
    """Refuse a pointwise weight that looks at more than one position."""
    weight_rank(function, "pointwise_weight.shape", weight, 2)
    if weight[2:] != (1, 1):
        raise ValueError(
            f"{function}: pointwise_weight.shape is {weight}; expected (oc, {weight[1]}, 1, 1)"
        )


def transposed_channels(
    function: str, weight_name: str, channels: int, weight: Shape, groups: int
) -> None:
    """Refuse channel counts that do not fit the weight of a transposed convolution."""
    if weight[0] != channels:
        raise ValueError(
            f"{function}: {weight_name}[0] is {weight[0]}, but input has {channels} "
            f"{_plural(channels, 'channel')}; expected weight of shape ({channels}, oc/groups, "
            f"{_kernel_names(len(weight) - 2)})"
        )
    if channels % groups:
        raise ValueError(
            f"{function}: groups is {groups}, which does not divide the {channels} channels of "
            f"input; expected a divisor of {channels}"
        )
    if weight[1] < 1:
        raise ValueError(f"{function}: {weight_name}[1] is 0; expected at least 1 output channel")


def output_padding(function: str, axes: Sequence[Axis], paddings: Sequence[int]) -> None:
    """Refuse an output padding that another input size would be right for."""
    for i, (axis, padding) in enumerate(zip(axes, paddings, strict=True)):
        limit = max(axis.stride, axis.dilation)
        if not 0 <= padding < limit:
            raise ValueError(
                f"{function}: output_padding[{i}] is {padding}; expected 0 to {limit - 1}: less "
                f"than the stride ({axis.stride}) or the dilation ({axis.dilation})"
            )


def output_size(function: str, axes: Sequence[Axis], sizes: Sequence[int]) -> None:
    """Refuse a size that no output padding gives."""
    for i, (axis, size) in enumerate(zip(axes, sizes, strict=True)):
        least = _shape.transposed_size(axis)
        most = least + max(axis.stride, axis.dilation) - 1
        if not least <= size <= most:
            raise ValueError(
                f"{function}: output_size[{i}] is {size}; expected {least} to {most} for an input "
                f"of {axis.size} with padding ({axis.before}, {axis.after})"
            )


def transposed_extents(function: str, axes: Sequence[Axis]) -> None:
    """Refuse an empty axis, and extents that leave 63 bits."""
    for name, axis in zip(axis_names(len(axes)), axes, strict=True):
        if axis.size < 1:
            raise ValueError(f"{function}: input has no element along {name}; expected at least 1")
        fits(
            function,
            f"the extent of the output along {name}",
            (axis.size - 1) * axis.stride
            + _shape.span(axis)
            + max(axis.stride, axis.dilation)
            + abs(axis.before)
            + abs(axis.after),
        )


def transposed_sizes(function: str, axes: Sequence[Axis], sizes: Sequence[int]) -> None:
    """Refuse an empty output."""
    for name, axis, size in zip(axis_names(len(axes)), axes, sizes, strict=True):
        if size < 1:
            raise ValueError(
                f"{function}: the output has no element along {name}: its size is {size} for an "
                f"input of {axis.size} with padding ({axis.before}, {axis.after}); expected at "
                "least 1: pad less"
            )


def something_to_repeat(function: str, mode: str, size: Shape) -> None:
    """Refuse an empty axis, which has nothing that a padding mode could repeat."""
    for name, elements in zip(axis_names(len(size)), size, strict=True):
        if elements == 0:
            raise ValueError(
                f"{function}: padding_mode is {mode!r}, but input has no element along {name}; "
                "expected at least 1, or padding_mode 'zeros' or 'constant'"
            )


def output_sizes(
    function: str, axes: Sequence[Axis], ceil_mode: bool = False, image: str = "input"
) -> Shape:
    """The number of windows an axis, at least 1, every extent on the way within 63 bits.

    Messages call what the windows run over `image`.
    """
    lacking = "the output has no element" if image == "input" else "there is no window"
    sizes = []
    for name, axis in zip(axis_names(len(axes)), axes, strict=True):
        span, pads = _shape.span(axis), f"padding ({axis.before}, {axis.after})"
        fits(function, f"the extent of the kernel along {name}", span)
        fits(
            function,
            f"the extent of {image} along {name} with its padding",
            axis.size + max(axis.before, 0) + max(axis.after, 0),
        )
        size = _shape.output_size(axis, ceil_mode)
        if size < 1:
            raise ValueError(
                f"{function}: {lacking} along {name}: {image} has {axis.size}, "
                f"with {pads} {_shape.padded_size(axis)}, but the kernel spans {span} (kernel "
                f"{axis.kernel}, dilation {axis.dilation}); expected at least {span}: "
                "pad more or use a smaller kernel"
            )
        fits(function, f"the end of the last window along {name}", (size - 1) * axis.stride + span)
        sizes.append(size)
    return tuple(sizes)


MOST_WINOGRAD_TERMS = 8192  # as in src_c/choose/algorithm.c
MOST_WINOGRAD_DILATION = 2**30

# What becomes of an axis: transformed (x), summed over like channels (s), or without a window (-).
WINOGRAD_WAYS = ("sxx", "s-x", "-sx", "sx-")


def _winograd_way(kernel: Shape, stride: Shape) -> str:
    """What becomes of three axes; nothing where Winograd's algorithm cannot serve."""
    for way in WINOGRAD_WAYS:
        axes = tuple(zip(way, kernel, stride, strict=True))
        taps = [k for role, k, _ in axes if role == "x"]
        fits = all(role == "s" or (s == 1 and (role == "x" or k == 1)) for role, k, s in axes)
        if fits and taps[0] in (3, 5) and taps[0] == taps[-1]:
            return way
    return ""


def winograd(axes: Sequence[Axis], channels: int, dtype: str) -> str:
    """Why Winograd's algorithm cannot serve, to follow "which"; nothing where it can."""
    if not dtype.startswith("float"):
        return f"computes float16, float32 and float64, but the result would be {dtype}"
    missing = (1,) * (3 - len(axes))
    kernel = missing + tuple(axis.kernel for axis in axes)
    stride = missing + tuple(axis.stride for axis in axes)
    given = f"but the kernel is {kernel[-len(axes) :]}"
    if not _winograd_way(kernel, (1, 1, 1)):
        return f"needs a kernel of 3 or 5 along w, or along h and 1 along w, {given}"
    way = _winograd_way(kernel, stride)
    if not way:
        given += f", the stride {stride[-len(axes) :]}"
        return f"needs a stride of 1 where it transforms, {given}"
    dilation = max(axis.dilation for axis in axes if axis.kernel > 1)
    if dilation > MOST_WINOGRAD_DILATION:
        return f"needs a dilation of at most {MOST_WINOGRAD_DILATION}, but it is {dilation}"
    terms = channels * math.prod(k for k, role in zip(kernel, way, strict=True) if role != "x")
    if not 1 <= terms <= MOST_WINOGRAD_TERMS:
        return (
            f"sums 1 to {MOST_WINOGRAD_TERMS} channels times taps that it does not transform, but "
            f"these are {terms}"
        )
    return ""


LEAST_BF16X3_CHANNELS = 16  # these, too, as in src_c/choose/algorithm.c
MOST_WINDOW = 2**12
WINDOW_BYTES = 3 * 2**19
MOST_BF16X3_TAPS = 256
MOST_BF16X3_TERMS = 2**16
SPLIT_OUTPUTS = 128
BF16X3_BYTES = 2**22


def bf16x3(axes: Sequence[Axis], channels: int, dtype: str) -> str:
    """Why float32 in three parts of bfloat16 cannot serve, to follow "which"; nothing if it can."""
    if dtype not in ("float16", "float32"):
        return f"computes float16 and float32, but the result would be {dtype}"
    taps = math.prod(axis.kernel for axis in axes)
    if channels < LEAST_BF16X3_CHANNELS:
        if not LEAST_BF16X3_CHANNELS <= channels * taps <= MOST_WINDOW:
            return (
                f"sums {LEAST_BF16X3_CHANNELS} to {MOST_WINDOW} values of a window of less than "
                f"{LEAST_BF16X3_CHANNELS} channels, but these are {channels * taps}"
            )
        return _keeps(axes, channels * 4, WINDOW_BYTES)
    if taps > MOST_BF16X3_TAPS or channels > MOST_BF16X3_TERMS // taps:
        return (
            f"sums at most {MOST_BF16X3_TAPS} taps, and {MOST_BF16X3_TERMS} taps times channels, "
            f"but these are {taps} and {taps * channels}"
        )
    return _keeps(axes, -(-channels // 32) * 192, BF16X3_BYTES)


MOST_INT8X3_TERMS = 2**14  # these, too
INT8X3_BYTES = 5 * 2**20


def int8x3(axes: Sequence[Axis], channels: int, dtype: str) -> str:
    """Why float32 in three digits of 8 bits cannot serve, to follow "which"; nothing if it can."""
    lacks = bf16x3(axes, channels, dtype)
    if lacks or channels < LEAST_BF16X3_CHANNELS:
        return lacks
    taps = math.prod(axis.kernel for axis in axes)
    lines = -(-channels // 64)
    if lines * 64 > MOST_INT8X3_TERMS // taps:
        return (
            f"sums at most {MOST_INT8X3_TERMS} taps times whole 64 channels, but these are "
            f"{taps * lines * 64}"
        )
    return _keeps(axes, lines * 192 + 256, INT8X3_BYTES)


def _keeps(axes: Sequence[Axis], position: int, most: int) -> str:
    """Why what a row of outputs looks at, `position` bytes each, is too much; nothing if not."""
    positions = 1
    for i, axis in enumerate(axes, 1):
        outputs = min(_shape.output_size(axis), SPLIT_OUTPUTS) if i == len(axes) else 1
        phases = min(axis.kernel, axis.stride // math.gcd(axis.stride, axis.dilation))
        positions *= (outputs + (axis.kernel - 1) * axis.dilation // axis.stride) * phases
    kept = (positions + 2 * 64) * position
    if kept > most:
        return f"keeps {most} bytes of inputs at most, but a row of outputs needs {kept}"
    return ""


def columns(function: str, name: str, shape: Shape, kernel: Shape, windows: Shape) -> None:
    """Refuse what is not (n, c * K, L) or (c * K, L), for K taps and L windows."""
    taps, count = math.prod(kernel), math.prod(windows)
    expected = f"expected (n, c * {taps}, {count}) or (c * {taps}, {count})"
    if len(shape) not in (2, 3):
        raise ValueError(f"{function}: {name} {shape} has {len(shape)} axes; {expected}")
    if shape[-2] % taps:
        raise ValueError(
            f"{function}: {name}[-2] is {shape[-2]}, no multiple of the {taps} taps of kernel_size "
            f"{kernel}; {expected}"
        )
    if shape[-1] != count:
        raise ValueError(
            f"{function}: {name}[-1] is {shape[-1]}, but output_size, kernel_size, dilation, "
            f"padding and stride make {windows}, that is {count}, windows; {expected}"
        )


def total_size(function: str, shape: Shape, itemsize: int = 1) -> int:
    """Bytes of an output of this shape, within 63 bits even where an axis of size 0 hides them."""
    # NumPy, too, refuses a shape whose other axes overflow, whatever a zero makes of the product.
    what = "bytes" if itemsize > 1 else "elements"
    fits(
        function, f"the number of {what} of the output", itemsize * math.prod(s or 1 for s in shape)
    )
    return itemsize * math.prod(shape)


def _kernel_names(rank: int) -> str:
    return ", ".join(f"k{name}" for name in axis_names(rank))


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"
