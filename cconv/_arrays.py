"""Arrays on their way in and out: conversion, memory order, allocation, overlap."""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cconv import _check, _dtypes
from cconv._arguments import Array, IndexArray
from cconv._check import Shape

Order = tuple[int, ...] | None  # axes from the slowest in memory to the fastest; None for C order
Empty = Callable[[Shape, np.dtype[Any]], NDArray[Any]]  # a new array, such as a backend gives

# DLPack's devices whose memory the processor reads: its own, pinned and managed memory.
HOST_DEVICES = (1, 3, 11, 13)
# The axes of (c, *spatial) or (n, c, *spatial) among those with the channels last, and back.
TO_CHANNELS_FIRST = {3: (0, 2, 1), 4: (0, 3, 1, 2), 5: (0, 4, 1, 2, 3)}


def operand(function: str, name: str, value: Any) -> Array:
    """`value` as a plain array in native byte order, of a dtype that is accepted.

    It is the array itself, or a view, but for a copy of what has the other byte order or is no
    array.
    """
    if type(value) is np.ndarray and _dtypes.NATIVE.get(value.dtype) is value.dtype:
        return value
    array = _as_array(function, name, value)
    native = array.dtype.newbyteorder("=") if array.dtype.kind in "fiub" else None
    if native not in _dtypes.NATIVE:
        # A dtype of the other byte order has the same name; its str begins with '>' or '<'.
        given = array.dtype.name if array.dtype.isnative else array.dtype.str
        raise TypeError(
            f"{function}: {name} has dtype {given}; expected {_dtypes.EXPECTED}: convert it, for "
            "example with .astype(np.float32)"
        )
    return cast(function, name, array, _dtypes.NATIVE[native])


def residual(function: str, value: Any, shape: Shape, dtype: np.dtype[Any]) -> Array | None:
    """What is added to a result, of its shape and dtype; None for none."""
    if value is None:
        return None
    array = operand(function, "residual", value)
    if array.dtype != dtype:
        raise TypeError(
            f"{function}: residual has dtype {array.dtype.name}; expected {dtype.name}, that of "
            f"the result: convert it with .astype(np.{dtype.name})"
        )
    if array.shape != shape:
        raise ValueError(
            f"{function}: residual.shape is {array.shape}; expected {shape}, that of the result"
        )
    return array


def indices(function: str, name: str, value: Any, shape: Shape) -> IndexArray:
    """`value` as an aligned int64 array of this shape, without a copy where it is one already."""
    array = _as_array(function, name, value)
    if array.dtype.kind not in "iu" or not np.can_cast(array.dtype, np.int64):
        raise TypeError(
            f"{function}: {name} has dtype {array.dtype.name}; expected integers that fit in int64"
        )
    if array.shape != shape:
        raise ValueError(
            f"{function}: {name}.shape is {array.shape}; expected {shape}, that of input"
        )
    return aligned(function, name, cast(function, name, array, _dtypes.INT64))


def cast(
    function: str, name: str, array: NDArray[Any], dtype: np.dtype[Any], *, dense: bool = False
) -> NDArray[Any]:
    """The array in `dtype`, if `dense` C-contiguous and aligned; itself if it is so already."""
    if array.dtype is not dtype and array.dtype == dtype:
        array = array.view(dtype)  # another name of the same numbers, such as longlong
    flags = array.flags
    if array.dtype is dtype and not (dense and not (flags.c_contiguous and flags.aligned)):
        return array
    try:
        return np.require(array, dtype, ("C_CONTIGUOUS", "ALIGNED") if dense else None)
    except MemoryError:
        raise MemoryError(
            f"{function}: a copy of {name}, {array.shape} of {dtype.name}, needs "
            f"{array.size * dtype.itemsize} bytes, which could not be allocated"
        ) from None


def aligned(function: str, name: str, array: NDArray[Any]) -> NDArray[Any]:
    """The array, or a copy of one whose elements are not where the processor wants them."""
    if array.flags.aligned:
        return array
    return cast(function, name, array, array.dtype, dense=True)


def weight(function: str, name: str, value: Any) -> Array:
    """`value` as an operand that is aligned, as backends take it."""
    return aligned(function, name, operand(function, name, value))


def of_convolution(
    function: str, input: Any, filters: Any, bias: Any, weight_name: str = "weight"
) -> tuple[Array, Array, Array | None]:
    """The operands of a convolution."""
    x = operand(function, "input", input)
    w = weight(function, weight_name, filters)
    return x, w, None if bias is None else operand(function, "bias", bias)


def images(array: Any, rank: int, channels_last: bool) -> Any:
    """A view (n, c, *spatial) of a batch or one image in either layout; of None, None."""
    if array is None:
        return None
    batch = array if array.ndim == rank + 2 else array[np.newaxis]
    return batch.transpose(TO_CHANNELS_FIRST[rank + 2]) if channels_last else batch


def stand_in(shape: Shape, dtype: np.dtype[Any]) -> Array:
    """An array in C order that has a shape and a dtype but no memory: not to be read."""
    strides = tuple(math.prod(map(int, shape[axis + 1 :])) for axis in range(len(shape)))
    steps = [step * dtype.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(np.empty(0, dtype), shape, steps, writeable=False)


def image_axes(dimensions: int, rank: int, channels_last: bool) -> tuple[int, ...]:
    """Which axes of a batch or one image are batch (-1: none), channels and spatial."""
    axes = TO_CHANNELS_FIRST[rank + 2] if channels_last else tuple(range(rank + 2))
    return axes if dimensions == rank + 2 else (-1, *(axis - 1 for axis in axes[1:]))


def order(array: Array, rank: int, channels_last: bool) -> Order:
    """The memory order of results from this input, in either layout: C order, or the input's.

    The latter where the channels of the input are on the other side of its spatial axes in memory
    than the layout says.
    """
    if array.flags.c_contiguous:
        return None
    return _order(array.shape, array.strides, rank, channels_last)


@functools.lru_cache(maxsize=128)
def _order(shape: Shape, strides: tuple[int, ...], rank: int, channels_last: bool) -> Order:
    """Only axes whose elements are more than one place in memory tell anything."""
    batch = tuple(range(len(shape) - rank - 1))
    first = len(batch)
    if channels_last:
        channels = len(shape) - 1
        axes = (*batch, channels, *range(first, channels))
    else:
        channels = first
        axes = (*batch, *range(first + 1, len(shape)), channels)
    steps = {axis: abs(strides[axis]) for axis in axes if shape[axis] > 1 and strides[axis]}
    spatial = steps.keys() - {channels, *batch}
    ordered = list(steps.values())
    descends = all(a > b for a, b in itertools.pairwise(ordered))
    return axes if channels in steps and spatial and descends else None


def deliver(
    function: str,
    out: Array | None,
    shape: Shape,
    dtype: np.dtype[Any],
    sources: Sequence[NDArray[Any] | None],
    compute: Callable[[Array], None],
    order: Order = None,
    empty: Empty = np.empty,
) -> Array:
    """Have `compute` fill an array of this shape and dtype: `out`, or a new one in memory order.

    `compute` may write its argument before it has read all of `sources`, so where `out` may share
    memory with one of them it gets an array of its own, which is copied to `out` afterwards.
    """
    _check.total_size(function, shape, dtype.itemsize)
    if out is not None:
        _accept_out(function, out, shape, dtype)
        target = np.asarray(out)
        if target.dtype is not dtype:
            target = target.view(dtype)  # another name of the same numbers, such as longlong
        if target.flags.aligned and not any(
            source is not None and np.may_share_memory(target, source) for source in sources
        ):
            _run(function, compute, target)
            return out
    result = allocate(function, "the output", shape, dtype, order, empty)
    _run(function, compute, result)
    if out is None:
        return result
    target[...] = result
    return out


def allocate(
    function: str,
    what: str,
    shape: Shape,
    dtype: np.dtype[Any],
    order: Order = None,
    empty: Empty = np.empty,
) -> NDArray[Any]:
    """Give a new array in memory order whose elements are yet to be written."""
    nbytes = _check.total_size(function, shape, dtype.itemsize)
    try:
        if order is None:
            return empty(shape, dtype)
        dense = empty(tuple(shape[axis] for axis in order), dtype)
        return dense.transpose([order.index(axis) for axis in range(len(order))])
    except MemoryError:
        raise MemoryError(
            f"{function}: {what}, {shape} of {dtype.name}, needs {nbytes} bytes, which could "
            "not be allocated"
        ) from None


def _as_array(function: str, name: str, value: Any) -> NDArray[Any]:
    """`value` as a plain array, without a copy where it has memory to share."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{function}: {name} is a masked array; expected a plain one: fill the masked "
            "elements first, with .filled(value)"
        )
    if hasattr(value, "__dlpack__") and not isinstance(value, np.ndarray | np.generic):
        return _from_dlpack(function, name, value)
    try:
        return np.asarray(value)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(
            f"{function}: {name} is {type(value).__name__}, not convertible to an array "
            f"({error}); expected an array of {_dtypes.EXPECTED}"
        ) from None


def _from_dlpack(function: str, name: str, value: Any) -> NDArray[Any]:
    """The memory of another library's tensor as an array."""
    try:
        device = value.__dlpack_device__()
    except Exception as error:
        device = (f"unknown to DLPack ({error})",)
    if device[0] not in HOST_DEVICES:
        raise ValueError(
            f"{function}: {name} is {type(value).__name__} on device {device[0]}; expected it in "
            "the processor's memory: move it there first, for example with .cpu()"
        )
    try:
        # torch hands out the memory of a view that is yet to be negated, such as z.conj().imag.
        resolve = getattr(value, "resolve_neg", None)
        return np.from_dlpack(value if resolve is None else resolve())
    except Exception as error:
        # What a library says no with is its own choice; torch and NumPy take different exceptions.
        given = f" of dtype {value.dtype}" if hasattr(value, "dtype") else ""
        raise TypeError(
            f"{function}: {name} is {type(value).__name__}{given}, which NumPy cannot read "
            f"({error}); expected {_dtypes.EXPECTED}: convert or detach it first"
        ) from None


def _run(function: str, compute: Callable[[Array], None], target: Array) -> None:
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
