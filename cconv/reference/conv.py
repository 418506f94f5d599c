"""Convolution: out = act(bias + sum over channels and taps of weight * input)."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cconv.reference import activation as activations
from cconv.reference import taps

Ints = tuple[int, ...]


def conv(
    input: NDArray[Any],
    weight: NDArray[Any],
    bias: NDArray[Any] | None,
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
    double = np.dtype(np.float64)
    filters = weight.astype(double).reshape(groups, oc // groups, ic, *kernel)
    with np.errstate(all="ignore"):
        for image, result in zip(input, out, strict=True):
            total = np.zeros((groups, oc // groups, math.prod(windows)))
            for tap in np.ndindex(*kernel):
                if mode == "constant":
                    where = (stride, dilation, before, after)
                    seen = taps.seen(image, tap, windows, *where, fill, double)
                else:
                    seen = taps.mapped(image, tap, windows, stride, dilation, before, mode)
                seen = seen.reshape(groups, ic, math.prod(windows))
                total += np.einsum("goi,gip->gop", filters[(..., *tap)], seen)
            total = total.reshape(oc, *windows)
            if bias is not None:
                total += bias.reshape(oc, *(1 for _ in windows))
            result[...] = activations.apply(total, *activation)
