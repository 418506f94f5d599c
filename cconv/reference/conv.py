"""Convolution: out = act(bias + sum over channels and taps of weight * input)."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cconv.reference import activation as activations
from cconv.reference import sums, taps

Ints = tuple[int, ...]


def conv(
    input: NDArray[Any],
    weight: NDArray[Any],
    bias: NDArray[Any] | None,
    residual: NDArray[Any] | None,
    out: NDArray[Any],
    stride: Ints,
    dilation: Ints,
    before: Ints,
    after: Ints,
    padding: tuple[str, float],
    groups: int,
    activation: tuple[str | None, float, float],
    threads: int,
) -> None:
    """Write the convolution of `input` with `weight` to `out`; a tap on padding counts, too."""
    del threads
    mode, fill = padding
    oc, ic, *kernel = weight.shape
    windows = out.shape[2:]
    dtype = sums.dtype_for(out.dtype)
    fill = sums.constant(fill, dtype)
    filters = weight.astype(dtype).reshape(groups, oc // groups, ic, *kernel)
    with np.errstate(all="ignore"):
        for number, (image, result) in enumerate(zip(input, out, strict=True)):
            total = np.zeros((groups, oc // groups, math.prod(windows)), dtype)
            for tap in np.ndindex(*kernel):
                if mode == "constant":
                    where = (stride, dilation, before, after)
                    seen = taps.seen(image, tap, windows, *where, fill, dtype)
                else:
                    seen = taps.mapped(image, tap, windows, stride, dilation, before, mode)
                    seen = seen.astype(dtype)
                seen = seen.reshape(groups, ic, math.prod(windows))
                total += np.einsum("goi,gip->gop", filters[(..., *tap)], seen)
            total = total.reshape(oc, *windows)
            if bias is not None:
                total += bias.astype(dtype).reshape(oc, *(1 for _ in windows))
            if residual is not None:
                total += residual[number].astype(dtype)
            activations.store(total, result, activation)
