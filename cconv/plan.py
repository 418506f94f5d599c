"""Plans: convolutions whose checks, choices and weights are done once."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from cconv import _arguments, _arrays, _check, _convolution, _dtypes, _threads
from cconv._activations import Activation
from cconv._arguments import Array, ConvArguments, Ints, Padding, TransposeArguments
from cconv._backend import backend
from cconv._convolution import Convolution

NAME = "ConvPlan"
MADE = ("_conv", "_weight", "_bias", "_arguments", "_shape", "_plan", "_info")  # of a ConvPlan
# What each algorithm of the core is, for someone who has not read it.
ALGORITHMS = {
    "direct": "direct: sums of products, as the formula has them",
    "depthwise": "direct, channel by channel: each group has one input channel",
    "winograd": "Winograd: fewer multiplications, on transformed tiles of the image",
    "bf16x3": "bf16x3: products on a matrix unit, of float32 in three parts of bfloat16",
    "col2im": "col2im: products of every input and every tap, added up where they fall",
    "int8x3": "int8x3: products on a matrix unit, of float32 in three digits of 8 bits",
    "fft": "FFT: products of Fourier transforms, on tiles of the image that overlap",
    "separable": "two passes of sums, for the kernel is a column times a row",
    "reference": "the NumPy reference, for there is no C core",
}


class ConvPlan:
    """A convolution with given weights, for images of a given size, to be called many times.

    It checks its arguments, chooses how to compute and prepares the weights once; a call then has
    little more to do than to compute.  Results are to the last bit those of `conv2d` and its
    kin with the same arguments.  A plan never changes: later changes of the arrays it was made from
    do not reach it, any number of Python threads may call it at once, and it can be pickled.

    Parameters
    ----------
    weight : array_like, (oc, c / groups, *kernel), transposed (c, oc / groups, *kernel)
        The filters, with one to three spatial axes.  Their dtype, with that of `bias`, says what is
        computed: inputs are of this dtype, or of one that does not change the result's.
    bias : array_like, (oc,), optional
        Added to every element of its output channel.
    transposed : bool
        Plan what `conv_transpose2d` and its kin compute, not `conv2d` and its kin.
    stride, padding, dilation, groups, layout, activation, algorithm
        As in `conv2d`, or in `conv_transpose2d`.
    output_padding, output_size
        As in `conv_transpose2d`; of a transposed convolution alone.
    padding_mode, padding_value
        As in `conv2d`; of an ordinary convolution alone.
    input_shape : sequence of int, (n, c, *spatial) or (c, *spatial)
        Of the images, in `layout`.  A plan for a batch takes batches of any size, and is fastest
        with n images.
    threads : int, optional
        At least 1; by default `get_num_threads()` where the plan is made.

    Attributes
    ----------
    input_shape, output_shape : tuple of int
        What it was made for, and what it gives then.
    dtype : numpy.dtype
        Of the result.
    algorithm : str
        What was chosen: 'direct', 'depthwise' (direct, channel by channel), 'winograd', 'bf16x3',
        'int8x3', 'fft' (products of Fourier transforms), 'separable' (a pass along each axis) or
        'col2im' (transposed: products of every input and tap, added up where they fall);
        'reference' without the C core.
    flops : int
        Twice the multiply-adds of a call, taps on the padding counted.
    workspace_nbytes : int
        Scratch a call uses, in bytes; each Python thread keeps one for all its calls.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As `conv2d` raises them, when the plan is made or when it is called.

    See Also
    --------
    release_workspace : Free the scratch.

    Examples
    --------
    >>> import numpy as np
    >>> import cconv
    >>> blur = np.full((1, 1, 3, 3), 1 / 9, np.float32)
    >>> plan = cconv.ConvPlan(blur, padding="same", input_shape=(1, 1, 4, 4))
    >>> y = plan(np.ones((1, 1, 4, 4), np.float32))
    >>> y.shape
    (1, 1, 4, 4)
    >>> plan.flops
    288

    Into an array that is there already:

    >>> plan(np.zeros((1, 1, 4, 4), np.float32), out=y) is y
    True
    """

    def __init__(
        self,
        weight: ArrayLike,
        bias: ArrayLike | None = None,
        *,
        transposed: bool = False,
        stride: Ints = 1,
        padding: Padding = 0,
        output_padding: Ints = 0,
        output_size: Ints | None = None,
        dilation: Ints = 1,
        groups: SupportsIndex = 1,
        padding_mode: str = "zeros",
        padding_value: float = 0.0,
        layout: str = "NCHW",
        activation: Activation = None,
        input_shape: Sequence[SupportsIndex],
        algorithm: str = "auto",
        threads: SupportsIndex | None = None,
    ) -> None:
        stride, padding, dilation = map(_settled, (stride, padding, dilation))
        output_padding, output_size = map(_settled, (output_padding, output_size))
        groups, activation = _settled(groups), _settled(activation)
        w = _arrays.weight(NAME, "weight", weight)
        b = None if bias is None else _arrays.operand(NAME, "bias", bias)
        shape = _arguments.shape(NAME, "input_shape", input_shape)
        _check.spatial_rank(NAME, "weight.shape", w.shape)
        rank = w.ndim - 2
        where: ConvArguments | TransposeArguments
        if _check.flag(NAME, "transposed", transposed):
            _unused("padding_mode", padding_mode, "zeros", "an ordinary convolution")
            _unused("padding_value", padding_value, 0.0, "an ordinary convolution")
            where = TransposeArguments(
                stride, padding, output_padding, groups, dilation, output_size, layout
            )
        else:
            _unused("output_padding", output_padding, 0, "a transposed convolution")
            _unused("output_size", output_size, None, "a transposed convolution")
            where = ConvArguments(
                stride, padding, dilation, groups, padding_mode, padding_value, layout
            )
        count = _threads.resolve(NAME, threads)
        given = ((shape, w.dtype), w, b, where, activation, algorithm, count)
        names = ("input_shape", "weight.shape")
        self._conv = conv = _convolution.check(NAME, rank, *given, names)
        _convolution.check_bound(conv, w.dtype, w, b, None)
        self._weight = w.copy()
        self._bias = None if b is None else b.copy()
        self._arguments: dict[str, Any] = {
            "weight": self._weight,
            "bias": self._bias,
            "transposed": transposed,
            "stride": stride,
            "padding": padding,
            "output_padding": output_padding,
            "output_size": output_size,
            "dilation": dilation,
            "groups": groups,
            "padding_mode": padding_mode,
            "padding_value": padding_value,
            "layout": layout,
            "activation": activation,
            "input_shape": shape,
            "algorithm": algorithm,
            "threads": threads,
        }
        self._shape = shape
        _check.total_size(NAME, shape, w.dtype.itemsize)
        _check.total_size(NAME, conv.geometry.output_shape, conv.dtype.itemsize)
        like = _arrays.stand_in(shape, w.dtype)
        out = _arrays.stand_in(conv.geometry.output_shape, conv.dtype)
        self._plan = conv.plan(like, w, _convolution.cast_bias(conv, b), None, out, keep=True)
        self._info = self._plan.info()

    def __call__(
        self, x: ArrayLike, *, residual: ArrayLike | None = None, out: Array | None = None
    ) -> Array:
        """Convolve.

        Parameters
        ----------
        x : array_like
            Images of the shape the plan was made for, but for the size of the batch.
        residual, out
            As in `conv2d`.

        Returns
        -------
        ndarray
            As `conv2d` gives it.
        """
        try:
            result = self._plan.call(x, None, None, residual, out)
        except MemoryError:
            result = None  # the long way tells of what
        return self._long(x, residual, out) if result is None else result

    def _long(self, x: ArrayLike, residual: ArrayLike | None, out: Array | None) -> Array:
        """Convolve what is not just as planned: another batch, memory order or kind of array."""
        conv, geometry = self._conv, self._conv.geometry
        image = _arrays.operand(NAME, "x", x)
        batch = len(self._shape) - conv.rank - 1
        if image.ndim != len(self._shape) or image.shape[batch:] != self._shape[batch:]:
            sizes = "n, " * batch + ", ".join(map(str, self._shape[batch:]))
            raise ValueError(
                f"{NAME}: x.shape is {image.shape}; expected ({sizes}), for which the plan was made"
            )
        bias = None if self._bias is None else self._bias.dtype
        of_result = _dtypes.of_sum((image.dtype, self._weight.dtype), bias)
        if of_result is not conv.dtype:
            raise TypeError(
                f"{NAME}: x has dtype {image.dtype.name}, with which the result would be "
                f"{of_result.name}; expected {conv.dtype.name}, for which the plan was made: "
                "convert x, or make a plan with weights of its dtype"
            )
        shape = (*image.shape[:batch], *geometry.output_shape[batch:])
        more = _arrays.residual(NAME, residual, shape, conv.dtype)
        _convolution.check_bound(conv, image.dtype, self._weight, self._bias, more)

        def run(target: Array) -> None:
            self._plan.run(image, None, None, more, target)

        order = _arrays.order(image, conv.rank, geometry.channels_last) if out is None else None
        how = (shape, conv.dtype, (image, more), run, order, backend.empty)
        return _arrays.deliver(NAME, out, *how)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """What it was made for."""
        return self._shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """What it gives for that."""
        return self._conv.geometry.output_shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the result."""
        return self._conv.dtype

    @property
    def algorithm(self) -> str:
        """What was chosen."""
        name: str = self._info["algorithm"]
        return name

    @property
    def flops(self) -> int:
        """Twice the multiply-adds of a call."""
        return int(self._info["operations"])

    @property
    def workspace_nbytes(self) -> int:
        """Scratch of a call, in bytes."""
        return self._plan.workspace_nbytes

    def explain(self) -> str:
        """Tell what a call does, in words.

        Returns
        -------
        str
            Lines on the algorithm, operations, bytes, threads, blocks, memory and copies.
        """
        return _explain(self._shape, self._weight.shape, self._conv, self._info)

    def __repr__(self) -> str:
        return (
            f"<{NAME} {self._shape} by {self._weight.shape} -> {self.output_shape}, "
            f"{self.dtype.name}, {self.algorithm}>"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        more = {name: value for name, value in vars(self).items() if name not in MADE}
        return _again, (type(self), self._arguments), more


def _again(kind: type[ConvPlan], arguments: dict[str, Any]) -> ConvPlan:
    """The plan with these arguments; what a subclass has beside them comes as its state."""
    plan = kind.__new__(kind)
    ConvPlan.__init__(plan, **arguments)
    return plan


def _settled(value: Any) -> Any:
    """The value, but a copy of what the caller may change and the items of what is used up."""
    if isinstance(value, str | bytes | np.ndarray):
        return copy.deepcopy(value)
    items = _check.entries(value)
    return value if items is None else tuple(map(_settled, items))


def _unused(name: str, value: Any, default: Any, where: str) -> None:
    """Refuse an argument that the other kind of convolution has."""
    if value is not default and not (type(value) is type(default) and value == default):
        raise ValueError(f"{NAME}: {name} is {value!r}, which {where} alone has; leave it out")


def _explain(
    input_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    conv: Convolution,
    info: dict[str, Any],
) -> str:
    """Lines on the algorithm, operations, bytes, threads, blocks, memory and copies."""
    kind = "transposed convolution" if conv.transposed else "convolution"
    blocks, block = info["blocks"], info["block"]
    count = blocks[0] * blocks[1] * blocks[2]
    phases = ""
    if info["phases"] > 1:
        phases = f", as {info['phases']} convolutions, one a phase of the stride"
        phases += ", in one pass" * (info["passes"] == 1)
    pieces = "whole" if info["chunks"] == 1 else f"in {info['chunks']} pieces that fit the cache"
    shapes = f"{input_shape} by {weight_shape} -> {conv.geometry.output_shape}"
    moved = _amount(info["bytes"], 1024, "B")
    lines = [
        f"{kind} of {shapes}, {conv.dtype.name}",
        f"algorithm   {ALGORITHMS[info['algorithm']]}{phases}",
        f"operations  {_amount(info['operations'], 1000, 'FLOP')}, counting taps on the padding",
        f"bytes       at least {moved} moved: input, weight and output once",
        f"threads     {info['threads']} of {conv.threads}",
    ]
    if info["algorithm"] != "reference":
        lines.append(
            f"blocks      {count} an image, of at most {' x '.join(map(str, block[-conv.rank :]))} "
            f"outputs, {info['rows']} channels at a time; sums {pieces}"
        )
    scratch, kept = (_amount(info[name], 1024, "B") for name in ("workspace", "weights"))
    lines += [
        f"memory      {scratch} of scratch a call, {kept} of weights in the plan,",
        "            which also keeps the arrays it was made from",
        "copies      none, whatever the strides; one of an out that overlaps an input or is",
        "            unaligned, and of an array that has the other byte order",
    ]
    return "\n".join(lines)


def _amount(number: float, base: int, unit: str) -> str:
    """A number with a prefix: 12.3 MFLOP, 1.5 MiB."""
    prefixes = ["", "k" if base == 1000 else "K", "M", "G", "T", "P"]
    index = 0
    while number >= base and index < len(prefixes) - 1:
        number /= base
        index += 1
    infix = "i" if base == 1024 and index else ""
    return f"{number:.4g} {prefixes[index]}{infix}{unit}"
