"""The libraries of a run with plans, each at its best: ``python -m benchmarks.peers --plan``.

cconv calls its plans with `out` on convolutions, and its functions with `out` elsewhere. The others
may do as much: weights in the order that the library likes best, no copy of input or result, a
result that goes where the last one was. What is meant to be faster is not so on every row, so
`ways` gives the plain call as well, and the faster of them is timed, under its own mode.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.libraries import (
    LIBRARIES,
    Array,
    Call,
    Cconv,
    Library,
    OnnxRuntime,
    OpenCV,
    ScipyNdimage,
    Torch,
    TorchChannelsLast,
    inputs,
)
from benchmarks.workloads import Conv, ConvTranspose, Filter, Pool, Workload

__all__ = ["PREPACKED"]


class Into(Library):
    """What a library whose functions take `out` has: each call writes into one array."""

    def _out(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return np.empty(shape, dtype)


class PlannedCconv(Cconv):
    """The library of this checkout, its plans where there are any."""

    def ways(self, row: Workload, dtype: str) -> dict[str, Call]:
        """Give the one call that is timed: nothing is chosen for cconv."""
        what = "plan" if isinstance(row, Conv | ConvTranspose) else "function"
        mode = f"{what} with out"
        return {mode: self.call(row, *inputs(row, dtype), mode)}


class PrepackedTorch(Torch):
    """PyTorch with weights that oneDNN reordered beforehand; pools write into one array.

    Of PyTorch's ways to such weights this was the fastest on every row that was looked at: it is
    what its compiler makes of a frozen module. `torch.jit.optimize_for_inference` reorders the
    input and the result in each call, `mkldnn_prepacked.conv2d_run` the result. The result has its
    channels last in memory, whatever the input's order.
    """

    def ways(self, row: Workload, dtype: str) -> dict[str, Call]:
        """Give the plain call, and that which has more prepared where there is one."""
        ways = super().ways(row, dtype)
        match row:
            case Conv() | ConvTranspose() if dtype == "float32":  # oneDNN has no float64
                try:
                    call = self._packed(row, dtype)
                    call()
                except (AttributeError, RuntimeError):  # a PyTorch without oneDNN, or not this row
                    return ways
                ways["prepacked"] = call
            case Pool() if not row.kind.startswith("global") and len(row.kernel) > 1:
                ways["function with out"] = self._pool_into(row, dtype)
        return ways

    def _packed(self, row: Conv | ConvTranspose, dtype: str) -> Call:
        x, w = inputs(row, dtype)
        x, weight, tensor = self._layout(x), self._weight(w), self._torch.from_numpy
        s, p, d, g = list(row.stride), list(row.padding), list(row.dilation), row.groups
        shape, line = list(x.shape), len(row.kernel) == 1
        if line:  # these operators want two axes: an image one row high
            s, p, d, weight = [1, *s], [0, *p], [1, *d], weight[:, :, None]
            shape.insert(2, 1)
        ops = self._torch.ops.mkldnn
        if isinstance(row, Conv):
            conv = ops._convolution_pointwise
            packed = ops._reorder_convolution_weight(weight, p, s, d, g, shape)
            last = (packed, None, p, s, d, g, "none", [], "")
        else:
            conv = ops._convolution_transpose_pointwise
            o = [0] * line + list(row.output_padding)
            packed = ops._reorder_convolution_transpose_weight(weight, p, o, s, d, g, shape)
            last = (packed, None, p, o, s, d, g, "none", [], "")
        if line:
            return lambda: conv(tensor(x)[:, :, None], *last)[:, :, 0].numpy()
        return lambda: conv(tensor(x), *last).numpy()

    def _pool_into(self, row: Pool, dtype: str) -> Call:
        x, _ = inputs(row, dtype)
        x, out = self._layout(x), self._layout(np.empty(row.output_shape, dtype))
        aten, tensor = self._torch.ops.aten, self._torch.from_numpy
        k, s, p, target, rank = row.kernel, row.stride, row.padding, tensor(out), len(row.kernel)
        if row.kind == "avg":
            average = getattr(aten, f"avg_pool{rank}d").out
            return lambda: average(tensor(x), k, s, p, out=target).numpy()
        places = tensor(self._layout(np.empty(row.output_shape, np.int64)))
        largest = getattr(aten, f"max_pool{rank}d_with_indices").out
        return lambda: largest(tensor(x), k, s, p, out=target, indices=places)[0].numpy()


class PrepackedTorchChannelsLast(PrepackedTorch, TorchChannelsLast):
    """The same on arrays whose memory has the channels last."""


class BoundOnnxRuntime(OnnxRuntime):
    """ONNX Runtime whose sessions read and write NumPy's memory, in its own layout and in NCHW.

    It orders the weights when the session is made. The optimizations of the last level compute in
    blocks of channels, and reorder the input and the result of a model this small.
    """

    def ways(self, row: Workload, dtype: str) -> dict[str, Call]:
        """Give each session as it is, and with the input and the result bound to it."""
        x, w = inputs(row, dtype)
        ways = {}
        for words, level in (("", "ORT_ENABLE_ALL"), ("NCHW ", "ORT_ENABLE_EXTENDED")):
            session = self._session(row, x, w, level)
            ways[f"{words}session"] = self._run(row, x, session)
            ways[f"bound {words}session"] = self._bind(row, x, session)
        return ways

    def _bind(self, row: Workload, x: Array, session: Any) -> Call:
        y = np.empty(row.output_shape, x.dtype)
        image = isinstance(row, Filter)
        binding, value = session.io_binding(), self._runtime.OrtValue.ortvalue_from_numpy
        binding.bind_ortvalue_input("x", value(x[None, None] if image else x))
        binding.bind_ortvalue_output("y", value(y[None, None] if image else y))

        def call() -> Array:
            session.run_with_iobinding(binding)
            return y

        return call


class IntoOpenCV(Into, OpenCV):
    """OpenCV with `dst`."""

    mode = "function with out"


class IntoScipyNdimage(Into, ScipyNdimage):
    """SciPy's ndimage with `output`."""

    mode = "function with out, one thread"


PREPACKED: dict[str, Callable[[int], Library]] = LIBRARIES | {
    library.name: library
    for library in (
        PlannedCconv,
        PrepackedTorch,
        PrepackedTorchChannelsLast,
        BoundOnnxRuntime,
        IntoOpenCV,
        IntoScipyNdimage,
    )
}
