"""In which dtype sums are formed: float64 for floats, and exactly, modulo 2**64, for integers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

DOUBLE, WORD = np.dtype(np.float64), np.dtype(np.uint64)


def dtype_for(out: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the sums that become a result of dtype `out`.

    uint64 wraps around as two's complement does, so that int64 and int32 are its low bits.
    """
    return DOUBLE if out.kind == "f" else WORD


def constant(value: float, dtype: np.dtype[Any]) -> float:
    """A constant in the dtype of sums; a negative integer wraps around."""
    return value if dtype == DOUBLE else int(value) % 2**64


def rounded_as_powers(total: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[np.float64]:
    """Sums of powers of elements of `dtype`, as they overflow to infinity on the core.

    It forms them in float32 for float16 and float32, else in float64.
    """
    single = dtype.kind == "f" and dtype.itemsize <= 4
    return total.astype(np.float32).astype(np.float64) if single else total
