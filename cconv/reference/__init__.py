"""The NumPy reference: the fallback without a C core, and the oracle that the core is tested by.

Slow, short and obviously right: loops over the taps of the kernel, NumPy inside, sums in float64
rounded once at the end.  It offers the functions of `cconv._core` that compute, with the same
arguments (`_core.pyi` says which arrays they take), and shares no code with it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cconv.reference.conv import conv
from cconv.reference.filter import Extreme, Separable
from cconv.reference.plan import AdaptivePool, Plan, Pool, key
from cconv.reference.pool import pool
from cconv.reference.pool_adaptive import pool_adaptive
from cconv.reference.unfold import fold, unfold
from cconv.reference.unpool import max_unpool

__all__ = [
    "AdaptivePool",
    "Extreme",
    "Plan",
    "Pool",
    "Separable",
    "conv",
    "cpu_features",
    "empty",
    "fold",
    "forked",
    "key",
    "max_threads",
    "max_unpool",
    "pool",
    "pool_adaptive",
    "release_workspace",
    "set_forked",
    "tell_when_held_back",
    "unfold",
]


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Give a new array."""
    return np.empty(shape, dtype)


def release_workspace() -> None:
    """Do nothing: the reference keeps no memory between calls."""


def max_threads() -> int:
    """Give 1: the reference does not divide its work."""
    return 1


def forked() -> bool:
    """Give False: the reference has no threads that a fork could lose."""
    return False


def set_forked() -> None:
    """Do nothing: see `forked`."""


def tell_when_held_back(function: Callable[[], None]) -> None:
    """Do nothing: see `forked`."""


def cpu_features() -> tuple[str, ...]:
    """Give nothing: the reference does not ask the processor."""
    return ()
