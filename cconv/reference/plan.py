"""Convolutions and pools that are worked out once: here, their arguments kept for later calls."""

from typing import Any

from numpy.typing import NDArray

from cconv.reference.conv import conv
from cconv.reference.conv_transpose import conv_transpose
from cconv.reference.pool import pool
from cconv.reference.pool_adaptive import pool_adaptive
from cconv.reference.taps import images


class Plan:
    """What `_core.Plan` is, without any speed."""

    workspace_nbytes = 0

    def __init__(
        self,
        transposed: bool,
        input: NDArray[Any],
        weight: NDArray[Any],
        bias: NDArray[Any] | None,
        residual: NDArray[Any] | None,
        out: NDArray[Any],
        stride: tuple[int, ...],
        dilation: tuple[int, ...],
        before: tuple[int, ...],
        after: tuple[int, ...],
        padding: tuple[str, float],
        groups: int,
        activation: tuple[str | None, float, float],
        algorithm: str,
        threads: int,
        axes: tuple[int, ...],
        keep: bool,
    ) -> None:
        del residual, algorithm
        self._transposed = transposed
        self._window = (stride, dilation, before, after)
        self._padding, self._groups, self._activation = padding, groups, activation
        self._threads, self._axes = threads, axes
        self._kept = (weight.copy(), None if bias is None else bias.copy()) if keep else None
        # Outputs, and the products that each is a sum of; taps on the padding count.
        filters = weight.shape[1] * groups if transposed else weight.shape[0]
        self._operations = 2.0 * out.size * (weight.size / max(filters, 1))
        if transposed:  # of the taps some meet each output
            for axis, kernel in enumerate(weight.shape[2:]):
                size, step = out.shape[axes[2 + axis]], stride[axis]
                starts = ((tap * dilation[axis] - before[axis]) % step for tap in range(kernel))
                met = sum(len(range(start, size, step)) for start in starts)
                self._operations *= met / (size * kernel)
        self._bytes = input.nbytes + weight.nbytes + out.nbytes

    def run(self, input: Any, weight: Any, bias: Any, residual: Any, out: Any) -> None:
        """Compute."""
        if self._kept is not None:
            weight, bias = self._kept
        source, added, target = (images(array, self._axes) for array in (input, residual, out))
        given = (source, weight, bias, added, target, *self._window)
        if self._transposed:
            conv_transpose(*given, self._groups, self._activation, self._threads)
        else:
            conv(*given, self._padding, self._groups, self._activation, self._threads)

    def call(self, input: Any, weight: Any, bias: Any, residual: Any, out: Any) -> None:
        """Leave it to `run`: there is no short way here."""

    def info(self) -> dict[str, Any]:
        """Tell what there is to tell."""
        return {
            "algorithm": "reference",
            "threads": 1,
            "operations": self._operations,
            "bytes": self._bytes,
            "workspace": 0,
            "weights": 0 if self._kept is None else self._kept[0].nbytes,
            "blocks": (1, 1, 1),
            "block": (0, 0, 0),
            "chunks": 1,
            "rows": 1,
            "phases": 1,
            "passes": 1,
        }


class Pool:
    """What `_core.Pool` is, without any speed."""

    workspace_nbytes = 0

    def __init__(
        self,
        kind: str,
        input: NDArray[Any],
        out: NDArray[Any],
        indices: NDArray[Any] | None,
        *window: Any,
        axes: tuple[int, ...],
    ) -> None:
        del input, out, indices
        self._kind, self._window, self._axes = kind, window, axes

    def run(self, input: Any, out: Any, indices: Any) -> None:
        """Compute."""
        arrays = (images(array, self._axes) for array in (input, out, indices))
        pool(self._kind, *arrays, *self._window)

    def call(self, input: Any, out: Any) -> None:
        """Leave it to `run`: there is no short way here."""


class AdaptivePool:
    """What `_core.AdaptivePool` is, without any speed."""

    workspace_nbytes = 0

    def __init__(
        self,
        kind: str,
        input: NDArray[Any],
        out: NDArray[Any],
        p: float,
        threads: int,
        axes: tuple[int, ...],
        out_axes: tuple[int, ...],
    ) -> None:
        del input, out, threads
        self._kind, self._p, self._axes, self._out_axes = kind, p, axes, out_axes

    def run(self, input: Any, out: Any, indices: Any) -> None:
        """Compute."""
        result, places = (images(array, self._out_axes) for array in (out, indices))
        pool_adaptive(self._kind, images(input, self._axes), result, places, self._p, 1)

    def call(self, input: Any, out: Any) -> None:
        """Leave it to `run`: there is no short way here."""


def key(
    input: Any,
    weight: Any,
    bias: Any,
    residual: Any,
    out: Any,
    literals: tuple[Any, ...],
    numbers: tuple[Any, ...],
) -> None:
    """Tell no call from another: none is worth remembering."""
