"""Transposed convolution: input i and tap k add weight * input to output i * s + k * d - before."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cconv.reference import activation as activations
from cconv.reference import sums, taps

Ints = tuple[int, ...]


def conv_transpose(
    input: NDArray[Any],
    weight: NDArray[Any],
    bias: NDArray[Any] | None,
    residual: NDArray[Any] | None,
    out: NDArray[Any],
    stride: Ints,
    dilation: Ints,
    before: Ints,
    after: Ints,
    groups: int,
    activation: tuple[str | None, float, float],
    threads: int,
) -> None:
    """Write the transposed convolution to `out`; the input has zeros around it that count, too."""
    del after, threads
    ic, oc, *kernel = weight.shape
    sizes = out.shape[2:]
    rank = len(sizes)
    dtype = sums.dtype_for(out.dtype)
    filters = weight.astype(dtype).reshape(groups, ic // groups, oc, *kernel)
    with np.errstate(all="ignore"):
        for number, (image, result) in enumerate(zip(input, out, strict=True)):
            total: NDArray[Any] = np.zeros((groups, oc, *sizes), dtype)
            for tap in np.ndindex(*kernel):
                # The tap reaches every stride-th output; each is reached from the next input.
                reach = [k * d - b for k, d, b in zip(tap, dilation, before, strict=True)]
                first = [r % s for r, s in zip(reach, stride, strict=True)]
                into: tuple[Any, ...] = tuple(map(slice, first, sizes, stride))
                count = total[(0, 0, *into)].shape
                start = [(r - f) // s for r, f, s in zip(reach, first, stride, strict=True)]
                ones, zeros = (1,) * rank, (0,) * rank
                seen = taps.seen(image, zeros, count, ones, ones, tuple(start), zeros, 0, dtype)
                seen = seen.reshape(groups, ic // groups, math.prod(count))
                product = np.einsum("gio,gip->gop", filters[(..., *tap)], seen)
                total[(..., *into)] += product.reshape(groups, oc, *count)
            total = total.reshape(groups * oc, *sizes)
            if bias is not None:
                total += bias.astype(dtype).reshape(groups * oc, *(1 for _ in sizes))
            if residual is not None:
                total += residual[number].astype(dtype)
            activations.store(total, result, activation)
