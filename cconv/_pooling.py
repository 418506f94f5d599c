"""The way of a pool with windows: what the functions of all kinds share.

A call like an earlier one takes the short way: its key finds the pool, which runs.  Any other is
checked and resolved first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, SupportsIndex

import numpy as np

from cconv import _arguments, _arrays, _cache, _dtypes, _threads
from cconv._arguments import Array, PoolArguments
from cconv._backend import backend
from cconv._signatures import Indexed


class Pooling(NamedTuple):
    """What is asked of every window."""

    kind: str
    dtype: np.dtype[Any]  # of the result
    count_include_pad: bool = True
    divisor: int = 0
    p: float = 0.0
    indexed: bool = False


def call(
    function: str,
    rank: int,
    input: Any,
    where: PoolArguments,
    more: tuple[Any, ...],
    out: Array | None,
    threads: SupportsIndex | None,
    resolve: Callable[[Array], Pooling],
) -> Array | Indexed:
    """Pool; `more` are the arguments that `resolve` looks at, given the input as an array."""
    count = _threads.current() if threads is None else threads
    literals = (function, count, *map(_literal, where), *map(_literal, more))
    key = backend.key(input, None, None, None, out, literals, ())
    recent = None if key is None else _cache.recent.pools.get(key)
    if recent is not None:
        try:
            result: Array | None = recent.call(input, out)
        except MemoryError:
            result = None  # the long way tells of what
        if result is not None:
            return result
    return _long(function, rank, input, where, out, threads, resolve, key)


def _long(
    function: str,
    rank: int,
    input: Any,
    where: PoolArguments,
    out: Array | None,
    threads: SupportsIndex | None,
    resolve: Callable[[Array], Pooling],
    key: tuple[Any, ...] | None,
) -> Array | Indexed:
    """Check, resolve, pool, and remember what a call like this needs."""
    x = _arrays.operand(function, "input", input)
    given = resolve(x)
    geometry = _arguments.pool_geometry(function, rank, x.shape, where)
    count = _threads.resolve(function, threads)
    last, shape = geometry.channels_last, geometry.output_shape
    order = _arrays.order(x, rank, last)
    places = None
    if given.indexed:
        places = _arrays.allocate(function, "the indices", shape, _dtypes.INT64, order)

    def compute(result: Array) -> None:
        how = (bool(where.ceil_mode), given.count_include_pad, given.divisor, given.p, count)
        axes = _arrays.image_axes(x.ndim, rank, last)
        pool = backend.Pool(given.kind, x, result, places, *geometry.windows, *how, axes=axes)
        pool.run(x, result, places)
        lasts = out is result or (out is None and result.flags.c_contiguous)
        if key is not None and places is None and lasts:
            _cache.remember(_cache.recent.pools, key, pool)

    values = _arrays.deliver(function, out, shape, given.dtype, (x,), compute, order)
    return values if places is None else (values, places)


def _literal(value: Any) -> Any:
    """The value; of a bool what no argument can be, for as a key True would be 1."""
    return ("bool", int(value)) if value is True or value is False else value
