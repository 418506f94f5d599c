"""Second oracle, independent of cconv.reference: one output position at a time.

cconv.reference loops over the taps of the kernel and moves whole images; this one loops over
output positions, gathers the window of each and sums it in np.longdouble, which is exact for
integers up to 2**53 everywhere and up to 2**64 on x86; with dtype=object it sums Python's ints,
which are exact without a limit. It is written from the formulas of the
interface and shares no code with the package. `positions` restricts the work to some output
positions of a large case.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.longdouble]
Pads = Sequence[tuple[int, int]]
Positions = Iterable[tuple[int, ...]]

# Against float64 results the oracle needs a margin of its own where long double is no wider.
WIDE = np.finfo(np.longdouble).nmant > np.finfo(np.float64).nmant
SLACK = {"float32": 1, "float64": 1 if WIDE else 2}


def window_count(
    size: int, kernel: int, stride: int, dilation: int, before: int, after: int, ceil: bool = False
) -> int:
    """Number of windows of one axis, found by sliding the window and looking.

    The padded axis has size + before + after elements (a negative pad crops). Without `ceil`,
    windows that end inside it count. With `ceil`, a window counts while the one before it has not
    reached the end, provided it starts inside the (cropped) input or the leading pad.
    """
    total = size + before + after
    extent = dilation * (kernel - 1) + 1
    count = 0
    while True:
        start = count * stride
        if ceil:
            wanted = start - stride + extent < total and start < size + before + min(after, 0)
        else:
            wanted = start + extent <= total
        if not wanted:
            return count
        count += 1


def same_pads(
    size: int, kernel: int, stride: int, dilation: int, upper: bool = True
) -> tuple[int, int]:
    """SAME_UPPER (the odd one last) or SAME_LOWER of ONNX: ceil(size / stride) outputs."""
    extent = dilation * (kernel - 1) + 1
    total = max((-(-size // stride) - 1) * stride + extent - size, 0)
    small, large = total // 2, total - total // 2
    return (small, large) if upper else (large, small)


def conv(
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    bias: npt.ArrayLike | None,
    stride: Sequence[int],
    dilation: Sequence[int],
    pads: Pads,
    groups: int = 1,
    positions: Positions | None = None,
    dtype: npt.DTypeLike = np.longdouble,
    fill: float = 0,
) -> Array:
    """Convolution of x (n, c, *spatial) with w (oc, c/groups, *k): an array (n, oc, positions).

    A tap on padding contributes w * fill.
    """
    x, w = np.asarray(x, dtype), np.asarray(w, dtype)
    n, c, *spatial = x.shape
    oc, _, *kernel = w.shape
    filters = w.reshape(groups, oc // groups, w[0].size)
    geometry = list(zip(spatial, kernel, stride, dilation, pads, strict=True))
    if positions is None:
        positions = np.ndindex(*(window_count(i, k, s, d, *pad) for i, k, s, d, pad in geometry))
    columns = [np.zeros((n, oc, 0), dtype)]
    with np.errstate(all="ignore"):
        for position in positions:
            taps = [
                p * s + d * np.arange(k) - pad[0]
                for p, (_, k, s, d, pad) in zip(position, geometry, strict=True)
            ]
            inside = [(t >= 0) & (t < i) for t, i in zip(taps, spatial, strict=True)]
            window = np.full((n, c, *kernel), fill, dtype)
            target = np.ix_(range(n), range(c), *(np.flatnonzero(ok) for ok in inside))
            read = [t[ok] for t, ok in zip(taps, inside, strict=True)]
            source = np.ix_(range(n), range(c), *read)
            window[target] = x[source]
            windows = window.reshape(n, groups, filters.shape[2])
            columns.append(np.einsum("ngk,gok->ngo", windows, filters).reshape(n, oc, 1))
    y = np.concatenate(columns, axis=2)
    return y if bias is None else y + np.asarray(bias, dtype)[:, None]


def pool(
    kind: str,
    x: npt.ArrayLike,
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    pads: Pads,
    ceil: bool = False,
    count_include_pad: bool = True,
    divisor: int | None = None,
    positions: Positions | None = None,
    p: float = 2,
    dtype: npt.DTypeLike = np.longdouble,
) -> Array:
    """'max', 'min', 'avg' or 'lp' pooling of x (n, c, *spatial): an array (n, c, positions).

    The average divides by `divisor`, else by the number of taps on input and declared pad
    (count_include_pad), else by the number of taps on input. Taps beyond the declared pad, which
    ceil mode may give the last window, and taps on cropped elements count for nothing.
    """
    x = np.asarray(x, dtype)
    n, c, *spatial = x.shape
    geometry = list(zip(spatial, kernel, stride, dilation, pads, strict=True))
    if positions is None:
        positions = np.ndindex(
            *(window_count(i, k, s, d, *pad, ceil) for i, k, s, d, pad in geometry)
        )
    columns = [np.zeros((n, c, 0), dtype)]
    with np.errstate(all="ignore"):
        for position in positions:
            taps, counted = [], 1
            for o, (i, k, s, d, (before, after)) in zip(position, geometry, strict=True):
                t = o * s + d * np.arange(k)
                t = t[t < i + before + after] - before
                counted *= len(t)
                taps.append(t[(t >= 0) & (t < i)])
            window = x[np.ix_(range(n), range(c), *taps)]
            window = window.reshape(n, c, math.prod(map(len, taps)))
            if kind == "max":
                column = np.max(window, axis=2, initial=-np.inf)
            elif kind == "min":
                column = np.min(window, axis=2, initial=np.inf)
            elif kind == "lp" and p == np.inf:
                column = np.max(abs(window), axis=2, initial=0)
            elif kind == "lp":
                column = (abs(window) ** p).sum(axis=2) ** (1 / np.longdouble(p))
            else:
                count = divisor or (counted if count_include_pad else window.shape[2])
                column = window.sum(axis=2).astype(np.longdouble) / np.longdouble(count)
            columns.append(column.reshape(n, c, 1))
    return np.concatenate(columns, axis=2)


def places(
    kind: str,
    x: npt.ArrayLike,
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    pads: Pads,
    positions: Positions,
) -> npt.NDArray[np.int64]:
    """Where 'max' or 'min' pooling finds its element: an array (n, c, positions).

    The flat index in the plane of the channel; of equals, or of NaNs, the first in the window; -1
    for a window without elements. np.argmax and np.argmin choose just so.
    """
    x = np.asarray(x)
    n, c, *spatial = x.shape
    geometry = list(zip(spatial, kernel, stride, dilation, pads, strict=True))
    plane = np.arange(math.prod(spatial)).reshape(spatial)
    find = {"max": np.argmax, "min": np.argmin}[kind]
    columns = [np.zeros((n, c, 0), np.int64)]
    for position in positions:
        taps = []
        for p, (i, k, s, d, (before, after)) in zip(position, geometry, strict=True):
            t = p * s + d * np.arange(k) - before
            taps.append(t[(t >= 0) & (t < i + min(after, 0))])
        window = x[np.ix_(range(n), range(c), *taps)].reshape(n, c, math.prod(map(len, taps)))
        if window.shape[2] == 0:
            columns.append(np.full((n, c, 1), -1))
        else:
            columns.append(plane[np.ix_(*taps)].ravel()[find(window, axis=2)][..., None])
    return np.concatenate(columns, axis=2)


def unfold(
    x: npt.NDArray[np.generic],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    pads: Pads,
) -> npt.NDArray[np.generic]:
    """Columns (n, c * K, L) of x (n, c, *spatial), cut from a padded copy window by window."""
    n, c, *spatial = x.shape
    geometry = list(zip(spatial, kernel, stride, dilation, pads, strict=True))
    padded = np.zeros((n, c, *(i + max(b, 0) + max(a, 0) for i, *_, (b, a) in geometry)), x.dtype)
    padded[(..., *(slice(max(b, 0), max(b, 0) + i) for i, *_, (b, _) in geometry))] = x
    counts = [window_count(i, k, s, d, *pad) for i, k, s, d, pad in geometry]
    columns = []
    for position in np.ndindex(*counts):
        cut = [
            slice(p * s - min(b, 0), p * s - min(b, 0) + d * (k - 1) + 1, d)
            for p, (_, k, s, d, (b, _)) in zip(position, geometry, strict=True)
        ]
        columns.append(padded[(..., *cut)].reshape(n, c * math.prod(kernel)))
    return np.stack(columns, axis=2)


def fold(
    columns: npt.NDArray[np.generic],
    size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    pads: Pads,
    dtype: npt.DTypeLike = np.longdouble,
) -> npt.NDArray[np.generic]:
    """The image (n, c, *size) that columns (n, c * K, L) add up to, tap by tap, in `dtype`."""
    taps = math.prod(kernel)
    geometry = list(zip(size, kernel, stride, dilation, pads, strict=True))
    counts = [window_count(i, k, s, d, *pad) for i, k, s, d, pad in geometry]
    image = np.zeros((columns.shape[0], columns.shape[1] // taps, *size), dtype)
    with np.errstate(all="ignore"):
        for t, tap in enumerate(np.ndindex(*kernel)):
            for o, position in enumerate(np.ndindex(*counts)):
                at = [
                    p * s + k * d - b
                    for p, k, (_, _, s, d, (b, _)) in zip(position, tap, geometry, strict=True)
                ]
                if all(0 <= i < n for i, n in zip(at, size, strict=True)):
                    image[(..., *at)] += columns[:, t::taps, o].astype(dtype)
    return image
