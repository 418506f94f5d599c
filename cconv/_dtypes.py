"""Dtypes: which are accepted, which one a result has, and which numbers it holds.

Rules of results: floats, and floats with integers, follow `numpy.result_type`.  Sums of products of
integers are int32 where both factors have 8 bits, else uint64 where NumPy would promote to it, else
int64; bool counts as one of the wider.  Averages and norms of integers are float64.
"""

import functools
import math
from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOATS = ("float16", "float32", "float64")
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
NATIVE = {np.dtype(name): np.dtype(name) for name in (*FLOATS, *SIGNED, *UNSIGNED, "bool")}
EXPECTED = "float16, float32, float64, bool or an integer dtype of 8 to 64 bits"

FLOAT16, FLOAT32, FLOAT64 = (np.dtype(name) for name in FLOATS)
INT32, INT64, UINT64 = np.dtype(np.int32), np.dtype(np.int64), np.dtype(np.uint64)
BYTES = (np.dtype(np.int8), np.dtype(np.uint8))


@functools.lru_cache(maxsize=256)
def of_sum(factors: tuple[np.dtype[Any], ...], addend: np.dtype[Any] | None) -> np.dtype[Any]:
    """The dtype of a sum of products of `factors`, and of a bias perhaps."""
    together = np.result_type(*factors, *(() if addend is None else (addend,)))
    if any(dtype.kind == "f" for dtype in (*factors, addend) if dtype is not None):
        return NATIVE[together]
    if all(dtype in BYTES for dtype in factors):
        return INT32
    return UINT64 if together == UINT64 else INT64


def of_average(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of averages and norms."""
    return dtype if dtype.kind == "f" else FLOAT64


def arithmetic(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype that a result of `dtype` is computed in; it is rounded when it is stored."""
    return FLOAT32 if dtype is FLOAT16 else dtype


def bounded(
    function: str,
    factors: dict[str, np.dtype[Any]],
    terms: int,
    fill: float,
    addends: dict[str, NDArray[Any] | None],
) -> None:
    """Refuse a sum in int32 that the 8-bit dtypes of its factors would let overflow.

    It has K = `terms` products of `factors` of these dtypes, of which the first may be the padding
    `fill` instead, and an element of each addend.
    """
    largest = [_magnitude(dtype) for dtype in factors.values()]
    largest[0] = max(largest[0], int(abs(fill)))
    bound = terms * math.prod(largest)
    for array in addends.values():
        if array is not None and array.size:
            bound += max(abs(int(array.min())), abs(int(array.max())))
    most = int(np.iinfo(np.int32).max)
    if bound > most:
        given = " and ".join(f"{name} ({factor.name})" for name, factor in factors.items())
        more = "".join(f", with {name}" for name, array in addends.items() if array is not None)
        raise OverflowError(
            f"{function}: a sum of K = {terms} products of {given}{more} may reach {bound}, but "
            f"the result is int32; expected at most {most}: convert {' or '.join(factors)} to "
            "int16 or wider, which is summed in int64"
        )


def _magnitude(dtype: np.dtype[Any]) -> int:
    """The greatest magnitude of an integer dtype."""
    return max(-int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))


def number(function: str, name: str, value: float, dtype: np.dtype[Any]) -> float:
    """The number as backends take it, a double; `dtype` has to hold it."""
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            rounded = float(dtype.type(float(value)))
        if math.isinf(rounded) and not math.isinf(value):
            raise OverflowError(
                f"{function}: {name} is {value!r}, which does not fit in {dtype.name}; expected at "
                f"most {float(np.finfo(dtype).max)!r} in magnitude"
            )
        return rounded
    if not math.isfinite(value) or int(value) != value:
        raise ValueError(
            f"{function}: {name} is {value!r}, but the result is {dtype.name}; expected an integer"
        )
    whole, info = int(value), np.iinfo(dtype)
    if not info.min <= whole <= info.max:
        raise OverflowError(
            f"{function}: {name} is {value!r}, which does not fit in {dtype.name}; expected "
            f"{info.min} to {info.max}"
        )
    return _exact(function, name, whole)


def limits(
    function: str, name: str, low: float, high: float, dtype: np.dtype[Any]
) -> tuple[float, float]:
    """The integers of `dtype` from `low` to `high`, as doubles, infinite where that limits nothing.

    Neither is NaN, and `low` is at most `high`.
    """
    info = np.iinfo(dtype)
    a, b = _rounded(low, math.ceil), _rounded(high, math.floor)
    if a > b:
        raise ValueError(
            f"{function}: {name} is ({low!r}, {high!r}), but the result is {dtype.name}; expected "
            "limits with an integer between them"
        )
    if a > info.max or b < info.min:
        raise OverflowError(
            f"{function}: {name} is ({low!r}, {high!r}), which leaves no value of {dtype.name}; "
            f"expected limits that let some of {info.min} to {info.max} through"
        )
    least = -math.inf if a <= info.min else _exact(function, name, int(a))
    most = math.inf if b >= info.max else _exact(function, name, int(b))
    return least, most


def _rounded(value: float, rounding: Callable[[float], int]) -> float:
    """`value` rounded to an integer, without a detour over a float64; infinities as they are."""
    if isinstance(value, Integral):
        return int(value)
    return rounding(value) if math.isfinite(value) else value


def _exact(function: str, name: str, value: int) -> float:
    """The integer as a float64, which has to hold it."""
    if int(float(value)) != value:
        raise OverflowError(
            f"{function}: {name} is {value}, which a float64 does not hold exactly; expected "
            "fewer significant bits"
        )
    return float(value)
