"""THE size formula: integers in, integers out; no arrays, no errors.

Both backends, the shape functions and the C core use this one rule.  Python integers are exact,
so nothing here can overflow; `_check` refuses what does not fit in the C core's 64-bit integers.
"""

from typing import NamedTuple


class Axis(NamedTuple):
    """One spatial axis: the input's size and the windows that run along it."""

    size: int
    kernel: int
    stride: int
    dilation: int
    before: int = 0
    after: int = 0


def span(axis: Axis) -> int:
    """Positions from the first to the last tap of one window, both counted."""
    return axis.dilation * (axis.kernel - 1) + 1


def padded_size(axis: Axis) -> int:
    """Size of the input with its padding; negative padding crops."""
    return axis.size + axis.before + axis.after


def output_size(axis: Axis, ceil_mode: bool = False) -> int:
    """Number of windows: floor((in + before + after - d*(k-1) - 1) / s) + 1.

    With `ceil_mode` the quotient is rounded up, so that a last window may hang over the end, but
    no window starts behind the input (as cropped) and the leading pad.  A result below 1 means
    that no window fits.
    """
    room = padded_size(axis) - span(axis)
    if not ceil_mode:
        return room // axis.stride + 1
    windows = -(-room // axis.stride) + 1
    end_of_input = axis.before + axis.size + min(axis.after, 0)
    return min(windows, -(-end_of_input // axis.stride))


def transposed_size(axis: Axis, output_padding: int = 0) -> int:
    """Outputs of a transposed convolution: (in-1)*s - before - after + d*(k-1) + op + 1."""
    reached = (axis.size - 1) * axis.stride + span(axis)
    return reached - axis.before - axis.after + output_padding


def pad_to_size(axis: Axis, output_padding: int, size: int, word: str) -> Axis:
    """The axis with pads that make the size of a transposed convolution `size`, as ONNX has it.

    'same' (SAME_UPPER) puts the odd element of the total at the end, 'same_lower' at the start.
    A negative total is zeros at the end.
    """
    total = transposed_size(axis, output_padding) - size
    if total < 0:
        return axis._replace(before=0, after=total)
    before = total // 2 if word == "same" else total - total // 2
    return axis._replace(before=before, after=total - before)


def adaptive_window(size: int, windows: int, index: int) -> slice:
    """Elements under window `index` of `windows` that cover an axis of `size` evenly."""
    return slice(index * size // windows, -(-(index + 1) * size // windows))


def pad_by_word(axis: Axis, word: str) -> Axis:
    """The axis with the padding that `word` stands for.

    'same' is SAME_UPPER of ONNX and TensorFlow: ceil(in / s) windows, the odd element at the end;
    'same_lower' puts it at the start.  'full' keeps every window with a tap on the input, 'causal'
    lets an output see no input after its own position.
    """
    reach = span(axis) - 1
    if word == "valid":
        return axis
    if word == "full":
        return axis._replace(before=reach, after=reach)
    if word == "causal":
        return axis._replace(before=reach)
    windows = -(-axis.size // axis.stride)
    total = max(0, (windows - 1) * axis.stride + span(axis) - axis.size)
    smaller, larger = total // 2, total - total // 2
    if word == "same":
        return axis._replace(before=smaller, after=larger)
    return axis._replace(before=larger, after=smaller)
