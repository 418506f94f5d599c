"""Adaptive pooling: as many windows as the output has places, of sizes that may differ by one."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cconv import _shape
from cconv.reference import sums


def pool_adaptive(
    kind: str,
    input: NDArray[Any],
    out: NDArray[Any],
    indices: NDArray[np.int64] | None,
    p: float,
    threads: int,
) -> None:
    """Write the pool of `kind` 'max', 'min', 'avg' or 'lp' to `out`, whose shape gives the windows.

    `indices`, of an extreme, gets where each came from.
    """
    del threads
    size, windows = input.shape[2:], out.shape[2:]
    plane = np.arange(np.prod(size, dtype=np.int64)).reshape(size)
    with np.errstate(all="ignore"):
        for place in np.ndindex(*windows):
            box: tuple[Any, ...] = tuple(map(_shape.adaptive_window, size, windows, place))
            terms = input[(..., *box)].reshape(*input.shape[:2], plane[box].size)
            out[(..., *place)] = _reduce(kind, terms, p)
            if indices is not None:
                found = terms.argmax(2) if kind == "max" else terms.argmin(2)
                indices[(..., *place)] = plane[box].ravel()[found]


def _reduce(kind: str, terms: NDArray[Any], p: float) -> NDArray[Any]:
    """The pool of each row of terms, (n, c, window)."""
    if kind == "max":
        return terms.max(2)
    if kind == "min":
        return terms.min(2)
    if kind == "avg":
        return _sum(terms.astype(np.float64)) / terms.shape[2]
    size = abs(terms.astype(np.float64))
    if p == np.inf:
        return size.max(2)
    return sums.rounded_as_powers(_sum(size**p), terms.dtype) ** (1 / p)


def _sum(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of each row in the order of its terms, which np.sum takes by their memory layout."""
    total = np.zeros(terms.shape[:2])
    for term in np.moveaxis(terms, 2, 0):
        total += term
    return total
