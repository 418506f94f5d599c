"""Max-unpooling: elements back to the places that max pooling found them at."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def max_unpool(
    input: NDArray[Any], indices: NDArray[np.int64], out: NDArray[Any], threads: int
) -> None:
    """Write each element to the place of its channel's plane of `out` that its index counts to.

    -1 is nowhere, and the last of several elements for one place stays.
    """
    del threads
    size = out.shape[2:]
    if ((indices < -1) | (indices >= np.prod(size, dtype=np.int64))).any():
        raise ValueError("an index is outside the plane")
    out[...] = 0
    for channel in np.ndindex(*input.shape[:2]):
        plane = out[channel]
        for value, index in zip(input[channel].flat, indices[channel].flat, strict=True):
            if index >= 0:
                plane[np.unravel_index(index, size)] = value
