"""The way of a pool: what the functions of all kinds share.

A call like an earlier one takes the short way: its key finds the pool, which runs.  Any other is
checked and resolved first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, SupportsIndex

import numpy as np

from cconv import _arguments, _arrays, _cache, _dtypes, _threads
from cconv._arguments import Array, IndexArray, PoolArguments
from cconv._arrays import Order
from cconv._backend import Pool, backend
from cconv._check import Shape
from cconv._signatures import Indexed


class Pooling(NamedTuple):
    """A call whose arguments are checked."""

    shape: Shape  # of the result
    dtype: np.dtype[Any]
    order: Order
    make: Callable[[Array, IndexArray | None, int], Pool]  # of result, indices and threads
    indexed: bool = False


class Value(NamedTuple):
    """What is asked of every window."""

    kind: str
    dtype: np.dtype[Any]  # of the result
    count_include_pad: bool = True
    divisor: int = 0
    p: float = 0.0
    indexed: bool = False


def call(
    function: str,
    input: Any,
    arguments: tuple[Any, ...],
    out: Array | None,
    threads: SupportsIndex | None,
    resolve: Callable[[Array], Pooling],
    numbers: tuple[Any, ...] = (),
) -> Array | Indexed:
    """Pool; `resolve` checks `arguments` and `numbers`, which may be floats, given the input."""
    count = _threads.current() if threads is None else threads
    literals = (function, count, *map(_literal, arguments))
    key = backend.key(input, None, None, None, out, literals, numbers)
    recent = None if key is None else _cache.recent.pools.get(key)
    if recent is not None:
        try:
            result: Array | None = recent.call(input, out)
        except MemoryError:
            result = None  # the long way tells of what
        if result is not None:
            return result
    return _long(function, input, out, threads, resolve, key)


def _long(
    function: str,
    input: Any,
    out: Array | None,
    threads: SupportsIndex | None,
    resolve: Callable[[Array], Pooling],
    key: tuple[Any, ...] | None,
) -> Array | Indexed:
    """Check, resolve, pool, and remember what a call like this needs."""
    x = _arrays.operand(function, "input", input)
    given = resolve(x)
    count = _threads.resolve(function, threads)
    places = None
    if given.indexed:
        what = (function, "the indices", given.shape, _dtypes.INT64, given.order, backend.empty)
        places = _arrays.allocate(*what)

    def compute(result: Array) -> None:
        pool = given.make(result, places, count)
        pool.run(x, result, places)
        lasts = out is result or (out is None and result.flags.c_contiguous)
        if key is not None and places is None and lasts:
            _cache.remember(_cache.recent.pools, key, pool)

    how = (given.shape, given.dtype, (x,), compute, given.order, backend.empty)
    values = _arrays.deliver(function, out, *how)
    return values if places is None else (values, places)


def windows(function: str, rank: int, x: Array, where: PoolArguments, value: Value) -> Pooling:
    """A pool over windows of one size."""
    geometry = _arguments.pool_geometry(function, rank, x.shape, where)
    last = geometry.channels_last

    def make(result: Array, places: IndexArray | None, threads: int) -> Pool:
        how = (bool(where.ceil_mode), value.count_include_pad, value.divisor, value.p, threads)
        axes = _arrays.image_axes(x.ndim, rank, last)
        return backend.Pool(value.kind, x, result, places, *geometry.windows, *how, axes=axes)

    order = _arrays.order(x, rank, last)
    return Pooling(geometry.output_shape, value.dtype, order, make, value.indexed)


def _literal(value: Any) -> Any:
    """The value; a stand-in for a bool, for as a key True would equal 1."""
    return ("bool", int(value)) if value is True or value is False else value
