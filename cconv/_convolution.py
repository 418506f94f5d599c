"""The way of a convolution, ordinary or transposed: what functions and plans share.

A call like an earlier one takes the short way: its key finds the plan, which runs.  Any other is
checked, resolved and planned first.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, SupportsIndex, TypeAlias

import numpy as np

from cconv import _activations, _arguments, _arrays, _cache, _check, _dtypes, _threads
from cconv._activations import Activation, Resolved
from cconv._arguments import Array, ConvArguments, Geometry, TransposeArguments
from cconv._backend import Plan, backend, matrix_unit

Where: TypeAlias = ConvArguments | TransposeArguments
Operands: TypeAlias = tuple[Any, Any, Any, Any, Any]  # input, weight, bias, residual, out


class Convolution(NamedTuple):
    """A convolution that was checked."""

    function: str
    rank: int
    transposed: bool
    geometry: Geometry
    fill: float  # what constant padding pads with
    activation: Resolved
    dtype: np.dtype[Any]  # of the result
    algorithm: str
    threads: int

    def plan(
        self,
        x: Array,
        w: Array,
        b: Array | None,
        more: Array | None,
        out: Array,
        keep: bool = False,
    ) -> Plan:
        """Work it out for arrays like these."""
        geometry = self.geometry
        _, _, stride, dilation, before, after = zip(*geometry.axes, strict=True)
        window = (stride, dilation, before, after, (geometry.padding[0], self.fill))
        axes = _arrays.image_axes(x.ndim, self.rank, geometry.channels_last)
        how = (geometry.groups, self.activation, self.algorithm, self.threads, axes, keep)
        return backend.Plan(self.transposed, x, w, b, more, out, *window, *how)


def call(
    function: str,
    rank: int,
    operands: Operands,
    where: tuple[Any, ...],
    padding: tuple[str, float] | None,
    activation: Activation,
    algorithm: str,
    threads: SupportsIndex | None,
) -> Array:
    """Convolve; `padding` is mode and value, None for a transposed convolution."""
    literals = (function, _threads.current() if threads is None else threads, where, algorithm)
    key = backend.key(*operands, literals, (padding, activation))
    plan = None if key is None else _cache.recent.plans.get(key)
    if plan is not None:
        try:
            result = plan.call(*operands)
        except MemoryError:
            result = None  # the long way tells of what
        if result is not None:
            return result
    count = _threads.resolve(function, threads)
    given: Where = TransposeArguments(*where) if padding is None else _with(where, padding)
    input, weight, bias, residual, out = operands
    x, w, b = _arrays.of_convolution(function, input, weight, bias)
    conv = check(function, rank, (x.shape, x.dtype), w, b, given, activation, algorithm, count)
    more = _arrays.residual(function, residual, conv.geometry.output_shape, conv.dtype)
    check_bound(conv, x.dtype, w, b, more)
    taken = (x, w, cast_bias(conv, b), more, out)
    result, made = compute(conv, taken)
    if key is not None and made is not None and _lasts(conv, operands, taken, result):
        _cache.remember(_cache.recent.plans, key, made)
    return result


def check(
    function: str,
    rank: int,
    image: tuple[tuple[int, ...], np.dtype[Any]],
    w: Array,
    b: Array | None,
    where: Where,
    activation: Activation,
    algorithm: str,
    threads: int,
    names: tuple[str, str] = ("input.shape", "weight.shape"),
) -> Convolution:
    """Check everything about a convolution of an `image` (shape and dtype) but its data."""
    shape, dtype = image
    transposed = isinstance(where, TransposeArguments)
    if isinstance(where, TransposeArguments):
        geometry = _arguments.transpose_geometry(function, rank, shape, w.shape, where, names)
        channels = w.shape[1] * geometry.groups
    else:
        geometry = _arguments.conv_geometry(function, rank, shape, w.shape, where, names)
        channels = w.shape[0]
    if b is not None:
        _check.bias(function, b.shape, channels)
    dtype = _dtypes.of_sum((dtype, w.dtype), None if b is None else b.dtype)
    act = _activations.resolve(function, activation, dtype)
    products = None
    if not transposed:
        products = _arguments.Products(geometry.axes, w.shape[1], dtype.name, matrix_unit())
    chosen = _arguments.algorithm(function, algorithm, products)
    value = 0.0
    if not isinstance(where, TransposeArguments):
        value = fill(function, geometry, where.padding_value, dtype)
    return Convolution(function, rank, transposed, geometry, value, act, dtype, chosen, threads)


def check_bound(
    conv: Convolution, x: np.dtype[Any], w: Array, b: Array | None, more: Array | None
) -> None:
    """Refuse sums of 8-bit integers that might not fit in int32."""
    if conv.dtype is not _dtypes.INT32:
        return
    if conv.transposed:
        # Of a kernel's taps only these reach one output: those a step of the phases apart.
        reach = (
            -(-a.kernel // (a.stride // math.gcd(a.stride, a.dilation))) for a in conv.geometry.axes
        )
        terms = w.shape[0] // conv.geometry.groups * math.prod(reach)
    else:
        terms = math.prod(w.shape[1:])
    addends = {"bias": b, "residual": more}
    factors = {"input": x, "weight": w.dtype}
    _dtypes.bounded(conv.function, factors, terms, conv.fill, addends)


def cast_bias(conv: Convolution, b: Array | None) -> Array | None:
    """The bias as backends take it."""
    if b is None:
        return None
    return _arrays.cast(conv.function, "bias", b, _dtypes.arithmetic(conv.dtype), dense=True)


def compute(conv: Convolution, taken: Operands) -> tuple[Array, Plan | None]:
    """Convolve checked operands; the plan is for calls like this one, None where nothing ran."""
    x, w, b, more, out = taken
    plan: Plan | None = None

    def run(target: Array) -> None:
        nonlocal plan
        plan = conv.plan(x, w, b, more, target)
        plan.run(x, w, b, more, target)

    last = conv.geometry.channels_last
    order = None if out is not None else _arrays.order(x, conv.rank, last)
    shape, sources = conv.geometry.output_shape, (x, w, b, more)
    how = (shape, conv.dtype, sources, run, order, backend.empty)
    result = _arrays.deliver(conv.function, out, *how)
    return result, plan


def _with(where: tuple[Any, ...], padding: tuple[str, float]) -> ConvArguments:
    stride, pads, dilation, groups, layout = where
    return ConvArguments(stride, pads, dilation, groups, *padding, layout)


def _lasts(conv: Convolution, operands: Operands, taken: Operands, result: Array) -> bool:
    """Whether a call with equal headers and arguments is the same call but for its data."""
    if any(given is not used for given, used in zip(operands, taken, strict=True)):
        return False
    _, _, b, more, out = taken
    if conv.dtype is _dtypes.INT32 and not (b is None and more is None):
        return False  # the bound depends on their values
    return out is not None or result.flags.c_contiguous


def fill(function: str, geometry: Geometry, value: float, dtype: np.dtype[Any]) -> float:
    """What constant padding pads with, in the dtype of the result."""
    if geometry.padding[1] == 0:
        return 0.0
    return _dtypes.number(function, "padding_value", value, dtype)
