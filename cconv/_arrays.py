"""Arrays on their way in and out: conversion, dtypes, allocation, overlap."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cconv import _check
from cconv._arguments import FloatArray, IndexArray
from cconv._check import Shape

ACCEPTED = (np.dtype(np.float32), np.dtype(np.float64))


def operand(function: str, name: str, value: Any) -> FloatArray:
    """`value` as a plain float32 or float64 array, without a copy where it is one already."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{function}: {name} is a masked array; expected a plain one: fill the masked "
            "elements first, with .filled(value)"
        )
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{function}: {name} is {type(value).__name__}, not convertible to an array "
            f"({error}); expected a float32 or float64 array"
        ) from None
    if array.dtype not in ACCEPTED:
        # A dtype of the other byte order has the same name; its str begins with '>' or '<'.
        given = array.dtype.name if array.dtype.isnative else array.dtype.str
        raise TypeError(
            f"{function}: {name} has dtype {given}; expected float32 or float64 (in native byte "
            "order): convert it, for example with .astype(np.float32)"
        )
    return array


def indices(function: str, name: str, value: Any, shape: Shape) -> IndexArray:
    """`value` as a dense int64 array of this shape, without a copy where it is one already."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{function}: {name} is a masked array; expected a plain one")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{function}: {name} is {type(value).__name__}, not convertible to an array "
            f"({error}); expected an array of integers"
        ) from None
    if array.dtype.kind not in "iu" or not np.can_cast(array.dtype, np.int64):
        raise TypeError(
            f"{function}: {name} has dtype {array.dtype.name}; expected integers that fit in int64"
        )
    if array.shape != shape:
        raise ValueError(
            f"{function}: {name}.shape is {array.shape}; expected {shape}, that of input"
        )
    return cast(function, name, array, np.dtype(np.int64), dense=True)


def cast(
    function: str, name: str, array: NDArray[Any], dtype: np.dtype[Any], *, dense: bool
) -> NDArray[Any]:
    """The array in `dtype`, if `dense` C-contiguous and aligned; itself if it is so already."""
    try:
        if dense:
            return np.require(array, dtype, ("C_CONTIGUOUS", "ALIGNED"))
        return array.astype(dtype, copy=False)
    except MemoryError:
        raise MemoryError(
            f"{function}: a copy of {name}, {array.shape} of {dtype.name}, needs "
            f"{array.size * dtype.itemsize} bytes, which could not be allocated"
        ) from None


def of_convolution(
    function: str, input: Any, weight: Any, bias: Any
) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    """The operands of a convolution, checked but not yet of one dtype."""
    x = operand(function, "input", input)
    w = operand(function, "weight", weight)
    return x, w, None if bias is None else operand(function, "bias", bias)


def of_one_dtype(
    function: str, x: FloatArray, w: FloatArray, b: FloatArray | None
) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    """The operands of a convolution in the dtype that all have room in, and as backends take them.

    The result has the dtype of the first, the input.
    """
    dtype = np.result_type(*(array.dtype for array in (x, w, b) if array is not None))
    x = cast(function, "input", x, dtype, dense=False)
    w = cast(function, "weight", w, dtype, dense=True)
    return x, w, None if b is None else cast(function, "bias", b, dtype, dense=True)


def images(array: FloatArray, rank: int, channels_last: bool) -> FloatArray:
    """A view (n, c, *spatial) of a batch or one image in either layout."""
    batch = array if array.ndim == rank + 2 else array[np.newaxis]
    return np.moveaxis(batch, -1, 1) if channels_last else batch


def scalar(function: str, name: str, value: float, dtype: np.dtype[Any]) -> float:
    """The value rounded to `dtype`, which has to hold it."""
    with np.errstate(over="ignore"):
        rounded = float(dtype.type(value))
    if math.isinf(rounded) and not math.isinf(value):
        raise OverflowError(f"{function}: {name} is {value!r}, which does not fit in {dtype.name}")
    return rounded


def deliver(
    function: str,
    out: FloatArray | None,
    shape: Shape,
    dtype: np.dtype[Any],
    sources: Sequence[NDArray[Any]],
    compute: Callable[[FloatArray], None],
) -> FloatArray:
    """Have `compute` fill an array of this shape and dtype: `out`, or a new one.

    `compute` may write its argument before it has read all of `sources`, so where `out` may share
    memory with one of them it gets an array of its own, which is copied to `out` afterwards.
    """
    _check.total_size(function, shape, dtype.itemsize)
    if out is not None:
        _accept_out(function, out, shape, dtype)
        target = np.asarray(out)
        if target.flags.aligned and not any(np.may_share_memory(target, s) for s in sources):
            _run(function, compute, target)
            return out
    result = allocate(function, "the output", shape, dtype)
    _run(function, compute, result)
    if out is None:
        return result
    target[...] = result
    return out


def batched(array: Any, rank: int) -> Any:
    """Give a view with a batch axis; of None, None."""
    return array if array is None or array.ndim == rank + 2 else array[np.newaxis]


def allocate(function: str, what: str, shape: Shape, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Give a new C-contiguous array whose elements are yet to be written."""
    nbytes = _check.total_size(function, shape, dtype.itemsize)
    try:
        return np.empty(shape, dtype)
    except MemoryError:
        raise MemoryError(
            f"{function}: {what}, {shape} of {dtype.name}, needs {nbytes} bytes, which could "
            "not be allocated"
        ) from None


def _run(function: str, compute: Callable[[FloatArray], None], target: FloatArray) -> None:
    if target.size == 0:
        return
    try:
        compute(target)
    except MemoryError as error:
        raise MemoryError(f"{function}: {error}") from None


def _accept_out(function: str, out: Any, shape: Shape, dtype: np.dtype[Any]) -> None:
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise TypeError(f"{function}: out is {type(out).__name__}; expected a numpy.ndarray")
    if out.dtype != dtype:
        given = out.dtype.name if out.dtype.isnative else out.dtype.str
        raise TypeError(f"{function}: out has dtype {given}; expected {dtype.name}")
    if out.shape != shape:
        raise ValueError(f"{function}: out has shape {out.shape}; expected {shape}")
    if not out.flags.writeable:
        raise ValueError(f"{function}: out is read-only; expected an array that can be written")
