"""How each library computes a workload, at its best: NumPy arrays in, a NumPy array out.

A library is a class whose constructor imports it and sets its threads, so an ImportError says that
it is not there. `prepare` does beforehand what the library lets one do beforehand, and gives the
call that is timed. A row that a library has no function for is declined with the reason: it
appears in the output and is never silently left out. Here weights are plain arrays and each call
allocates its result; `prepacked.py` has the libraries of a run with plans.
"""

import functools
from collections.abc import Callable
from math import prod
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from benchmarks.workloads import Conv, ConvTranspose, Filter, Pool, Workload

__all__ = ["LIBRARIES", "Declined", "inputs", "tolerance"]

Array = NDArray[Any]
Call = Callable[[], Array]

# A dense filter of SciPy's ndimage needs about a second for this; oaconvolve is there instead.
NDIMAGE_FLOPS = 2e9


class Declined(Exception):
    """The library has no function for the row, or does not take its dtype."""


def gaussian(row: Filter) -> Array:
    """Give the weights along one axis, those of `scipy.ndimage.gaussian_filter`.

    Parameters
    ----------
    row : Filter
        For its width and sigma.

    Returns
    -------
    ndarray of float64, shape (width,)
        They sum to 1.
    """
    steps = np.arange(row.width) - row.width // 2
    weights = np.exp(-0.5 * (steps / row.sigma) ** 2)
    return np.asarray(weights / weights.sum())


def inputs(row: Workload, dtype: str) -> tuple[Array, Array]:
    """Draw the arrays of a row, the same in every process.

    Parameters
    ----------
    row : Workload
        Its name is the seed.
    dtype : {'float32', 'float64'}
        Of both arrays.

    Returns
    -------
    x, weight : ndarray
        Normal deviates; the weights are scaled so that results are near 1. The weight of a pool,
        a box and a maximum is empty, that of a gaussian is one axis.
    """
    random = np.random.default_rng(crc32(row.name.encode()))
    x = random.standard_normal(row.input_shape).astype(dtype)
    match row:
        case Conv() | ConvTranspose():
            shape: tuple[int, ...] = row.weight_shape
        case Filter(kind="dense"):
            shape = row.kernel
        case Filter(kind="gaussian"):
            return x, gaussian(row).astype(dtype)
        case _:
            return x, np.empty(0, dtype)
    return x, (random.standard_normal(shape) / np.sqrt(row.terms)).astype(dtype)


def tolerance(row: Workload, dtype: str) -> float:
    """Give the greatest difference between two right results.

    The arrays of `inputs` make the sum of |w| |x| about the root of the terms; the factor 64
    admits fast algorithms and no lower precision, such as a product in bfloat16.

    Parameters
    ----------
    row : Workload
        For its operator and terms.
    dtype : {'float32', 'float64'}
        Of the arrays.

    Returns
    -------
    float
        Absolute; 0 for maxima.
    """
    if "max" in row.operator:
        return 0.0
    drawn = row.operator in ("conv", "conv_transpose", "dense_filter")
    return 64.0 * float(np.finfo(dtype).eps) * (row.terms**0.5 if drawn else 1.0)


class Library:
    """What all libraries have.

    Attributes
    ----------
    name : str
        Column of the table.
    mode : str
        How it is called; stands beside every figure.
    version : str
        Set by the constructor.
    """

    name = ""
    mode = "function"
    version = ""

    def ways(self, row: Workload, dtype: str) -> dict[str, Call]:
        """Give the calls of which the fastest is timed, by mode; most libraries have one.

        Parameters
        ----------
        row : Workload
            What to compute.
        dtype : {'float32', 'float64'}
            Of the arrays.

        Returns
        -------
        dict of str to callable
            At least one.

        Raises
        ------
        Declined
            There is no such function here.
        """
        return {self.mode: self.prepare(row, dtype)}

    def prepare(self, row: Workload, dtype: str) -> Call:
        """Give the call of `mode`.

        Parameters
        ----------
        row : Workload
            What to compute.
        dtype : {'float32', 'float64'}
            Of the arrays.

        Returns
        -------
        callable
            Takes nothing, gives the result.

        Raises
        ------
        Declined
            There is no such function here.
        """
        raise NotImplementedError

    def _out(self, shape: tuple[int, ...], dtype: Any) -> Array | None:
        """Make the array that a call writes into; None: it allocates one."""
        return None


class Cconv(Library):
    """The library of this checkout."""

    name = "cconv"

    def __init__(self, threads: int) -> None:
        import cconv
        from cconv import _measure, ndimage

        if not _measure.has_core():
            raise ImportError("this cconv has no compiled core; its NumPy reference is not timed")
        cconv.set_num_threads(threads)
        self.version = f"{cconv.__version__}, {_measure.backend_line()}"
        self._cconv, self._ndimage = cconv, ndimage

    def prepare(self, row: Workload, dtype: str) -> Call:
        """Give a call of the public function."""
        return self.call(row, *inputs(row, dtype), self.mode)

    def call(self, row: Workload, x: Array, w: Array, mode: str = "function") -> Call:
        """Give a call on these arrays.

        Parameters
        ----------
        row : Workload
            What to compute.
        x, w : ndarray
            With the shapes that `inputs` gives them.
        mode : {'function', 'function with out', 'plan', 'plan with out'}
            Whether a plan of a convolution is called or a public function, and whether each call
            allocates its result or writes into one array.

        Returns
        -------
        callable
            Takes nothing, gives the result.
        """
        out = np.empty(row.output_shape, x.dtype) if mode.endswith("with out") else None
        if mode.startswith("plan"):
            assert isinstance(row, Conv | ConvTranspose)
            return functools.partial(self._plan(row, x, w), x, out=out)
        return self._function(row, x, w, out)

    def _plan(self, row: Conv | ConvTranspose, x: Array, w: Array) -> Callable[..., Array]:
        more: dict[str, Any] = {}
        if isinstance(row, ConvTranspose):
            more = {"transposed": True, "output_padding": row.output_padding}
        plan: Callable[..., Array] = self._cconv.ConvPlan(
            w,
            stride=row.stride,
            padding=row.padding,
            dilation=row.dilation,
            groups=row.groups,
            input_shape=x.shape,
            **more,
        )
        return plan

    def _function(self, row: Workload, x: Array, w: Array, out: Array | None) -> Call:
        cconv, rank, partial = self._cconv, len(row.input_shape) - 2, functools.partial
        options = {} if out is None else {"out": out}
        match row:
            case Conv():
                conv = getattr(cconv, f"conv{rank}d")
                s, p, d, g = row.stride, row.padding, row.dilation, row.groups
                return partial(conv, x, w, None, s, p, d, g, **options)
            case ConvTranspose():
                up = getattr(cconv, f"conv_transpose{rank}d")
                s, p, o = row.stride, row.padding, row.output_padding
                d, g = row.dilation, row.groups
                return partial(up, x, w, None, s, p, o, g, d, **options)
            case Pool():
                if row.kind.startswith("global"):
                    return partial(getattr(cconv, row.operator), x, **options)
                pool = getattr(cconv, f"{row.operator}{rank}d")
                return partial(pool, x, row.kernel, row.stride, row.padding, **options)
        assert isinstance(row, Filter)
        return partial(self._filter(row, x, w), mode="constant", output=out)

    def _filter(self, row: Filter, x: Array, w: Array) -> Call:
        ndimage, partial = self._ndimage, functools.partial
        match row.kind:
            case "dense":
                return partial(ndimage.correlate, x, w)
            case "gaussian":
                return partial(ndimage.gaussian_filter, x, row.sigma, radius=row.width // 2)
            case "box":
                return partial(ndimage.uniform_filter, x, row.width)
        return partial(ndimage.maximum_filter, x, row.width, cval=-np.inf)


class Torch(Library):
    """PyTorch on arrays whose channels come before the spatial axes; weights made beforehand."""

    name = "torch"

    def __init__(self, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self._inference = torch.inference_mode()
        self._inference.__enter__()  # for the life of the process: a call does not pay for it
        self.version = torch.__version__
        self._torch = torch

    def _layout(self, x: Array) -> Array:
        return x

    def _weight(self, w: Array) -> Any:
        return self._torch.from_numpy(w)

    def prepare(self, row: Workload, dtype: str) -> Call:
        """Give a call of `torch.nn.functional`."""
        x, w = inputs(row, dtype)
        if isinstance(row, Filter):
            return self._filter(row, x, w)
        x = self._layout(x)
        f, tensor = self._torch.nn.functional, self._torch.from_numpy
        rank = len(row.input_shape) - 2
        match row:
            case Conv():
                conv, weight = getattr(f, f"conv{rank}d"), self._weight(w)
                s, p, d, g = row.stride, row.padding, row.dilation, row.groups
                return lambda: conv(tensor(x), weight, None, s, p, d, g).numpy()
            case ConvTranspose():
                up, weight = getattr(f, f"conv_transpose{rank}d"), self._weight(w)
                s, p, o = row.stride, row.padding, row.output_padding
                d, g = row.dilation, row.groups
                return lambda: up(tensor(x), weight, None, s, p, o, g, d).numpy()
        assert isinstance(row, Pool)
        if row.kind.startswith("global"):
            whole = getattr(f, f"adaptive_{row.kind.removeprefix('global_')}_pool{rank}d")
            return lambda: whole(tensor(x), 1).numpy()
        pool = getattr(f, f"{row.operator}{rank}d")
        k, s, p = row.kernel, row.stride, row.padding
        return lambda: pool(tensor(x), k, s, p).numpy()

    def _filter(self, row: Filter, x: Array, w: Array) -> Call:
        f, tensor, rank = self._torch.nn.functional, self._torch.from_numpy, len(row.kernel)
        x = x[None, None]
        half, k = tuple(n // 2 for n in row.kernel), row.kernel
        conv = getattr(f, f"conv{rank}d")
        if row.kind == "dense":
            weight = tensor(w[None, None])
            return lambda: conv(tensor(x), weight, None, 1, half)[0, 0].numpy()
        if row.kind == "gaussian":
            down, across = tensor(w.reshape(1, 1, -1, 1)), tensor(w.reshape(1, 1, 1, -1))
            p = row.width // 2
            return lambda: conv(conv(tensor(x), down, None, 1, (p, 0)), across, None, 1, (0, p))[
                0, 0
            ].numpy()
        pool = getattr(f, f"{'avg' if row.kind == 'box' else 'max'}_pool{rank}d")
        return lambda: pool(tensor(x), k, 1, half)[0, 0].numpy()


class TorchChannelsLast(Torch):
    """PyTorch on arrays whose memory has the channels last: no reorder is timed."""

    name = "torch-cl"

    def _layout(self, x: Array) -> Array:
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)

    def _weight(self, w: Array) -> Any:
        last = self._torch.channels_last if w.ndim == 4 else self._torch.channels_last_3d
        return self._torch.from_numpy(w).to(memory_format=last)

    def prepare(self, row: Workload, dtype: str) -> Call:
        """Give a call on an array and weights with the channels last."""
        if isinstance(row, Filter) or row.input_shape[1] == 1:
            raise Declined("one channel has one memory order")
        if len(row.input_shape) == 3:
            raise Declined("PyTorch has no channels_last for one spatial axis")
        return super().prepare(row, dtype)


class OnnxRuntime(Library):
    """ONNX Runtime: a model of one node (a gaussian: two), its session made beforehand."""

    name = "onnxruntime"
    mode = "session"

    def __init__(self, threads: int) -> None:
        import onnx
        import onnxruntime

        self._threads, self._onnx, self._runtime = threads, onnx, onnxruntime
        self.version = onnxruntime.__version__

    def prepare(self, row: Workload, dtype: str) -> Call:
        """Make the session and give a call of its run."""
        x, w = inputs(row, dtype)
        return self._run(row, x, self._session(row, x, w, "ORT_ENABLE_ALL"))

    def _run(self, row: Workload, x: Array, session: Any) -> Call:
        if isinstance(row, Filter):
            image = {"x": x[None, None]}
            return lambda: session.run(None, image)[0][0, 0]
        feed = {"x": x}
        return lambda: session.run(None, feed)[0]

    def _session(self, row: Workload, x: Array, w: Array, level: str) -> Any:
        runtime, options = self._runtime, self._runtime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = getattr(runtime.GraphOptimizationLevel, level)
        options.log_severity_level = 4
        shape = (1, 1, *x.shape) if isinstance(row, Filter) else x.shape
        model = self._model(row, w, shape, x.dtype)
        try:
            return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            reason = str(error).splitlines()[0].rpartition(" : ")[2]
            raise Declined(reason.removesuffix(" node with name ''")) from error

    def _model(self, row: Workload, w: Array, shape: tuple[int, ...], dtype: Any) -> bytes:
        helper, rank = self._onnx.helper, len(shape) - 2
        kind = self._onnx.helper.np_dtype_to_tensor_dtype(dtype)
        weights, nodes = self._nodes(row, w, rank)
        graph = helper.make_graph(
            nodes,
            "row",
            [helper.make_tensor_value_info("x", kind, shape)],
            [helper.make_tensor_value_info("y", kind, None)],
            [self._onnx.numpy_helper.from_array(v, name) for name, v in weights.items()],
        )
        opset = [helper.make_opsetid("", 18)]
        return helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()

    def _nodes(self, row: Workload, w: Array, rank: int) -> tuple[dict[str, Array], list[Any]]:
        node = self._onnx.helper.make_node
        match row:
            case Conv() | ConvTranspose():
                options: dict[str, Any] = {
                    "strides": row.stride,
                    "pads": row.padding * 2,
                    "dilations": row.dilation,
                    "group": row.groups,
                }
                if isinstance(row, Conv):
                    return {"w": w}, [node("Conv", ["x", "w"], ["y"], **options)]
                options["output_padding"] = row.output_padding
                return {"w": w}, [node("ConvTranspose", ["x", "w"], ["y"], **options)]
            case Filter(kind="dense"):
                pads = [n // 2 for n in row.kernel] * 2
                return {"w": w[None, None]}, [node("Conv", ["x", "w"], ["y"], pads=pads)]
            case Filter(kind="gaussian"):
                p = row.width // 2
                weights = {"v": w.reshape(1, 1, -1, 1), "w": w.reshape(1, 1, 1, -1)}
                first = node("Conv", ["x", "v"], ["t"], pads=[p, 0, p, 0])
                return weights, [first, node("Conv", ["t", "w"], ["y"], pads=[0, p, 0, p])]
        names = {"max": "MaxPool", "avg": "AveragePool", "box": "AveragePool"}
        names |= {"global_max": "GlobalMaxPool", "global_avg": "GlobalAveragePool"}
        pads, strides = [0] * rank, [1] * rank
        if isinstance(row, Pool):
            pads, strides = list(row.padding), list(row.stride)
        else:
            assert isinstance(row, Filter)
            pads = [n // 2 for n in row.kernel]
        name, options = names[row.kind], {}
        if not name.startswith("Global"):
            options = {"kernel_shape": row.kernel, "pads": pads * 2, "strides": strides}
        if name == "AveragePool":
            options["count_include_pad"] = 1
        return {}, [node(name, ["x"], ["y"], **options)]


def one_channel(row: Workload) -> Filter:
    """Read a row as a filter of one image.

    Parameters
    ----------
    row : Workload
        A filter, or a pool of one channel with stride 1 and the output its input's size.

    Returns
    -------
    Filter
        That computes the same.

    Raises
    ------
    Declined
        It is something else.
    """
    if isinstance(row, Filter):
        return row
    if not isinstance(row, Pool):
        raise Declined("filters and pools of one channel only")
    if prod(row.input_shape[:2]) != 1 or row.kind.startswith("global"):
        raise Declined("pools of one channel only")
    if row.output_shape != row.input_shape or set(row.stride) != {1}:
        raise Declined("no stride")
    kind = "box" if row.kind == "avg" else "max"
    return Filter(row.family, row.input_shape[2:], kind, row.kernel[0])


class OpenCV(Library):
    """OpenCV: filter2D, sepFilter2D, boxFilter, dilate; resize for averages that do not overlap."""

    name = "opencv"

    def __init__(self, threads: int) -> None:
        import cv2

        cv2.setNumThreads(threads)
        self.version = cv2.__version__
        self._cv = cv2

    def prepare(self, row: Workload, dtype: str) -> Call:
        """Give a call on the image; a signal is an image one row high."""
        cv = self._cv
        x, w = inputs(row, dtype)
        apart = isinstance(row, Pool) and row.kernel == row.stride and not any(row.padding)
        if apart and row.operator == "avg_pool" and row.input_shape[:2] == (1, 1):
            whole, size = x[0, 0], row.output_shape[:1:-1]
            half = self._out(row.output_shape[2:], dtype)
            return lambda: cv.resize(whole, size, half, interpolation=cv.INTER_AREA)[None, None]
        image_row = one_channel(row)
        image = x.reshape(image_row.input_shape)
        call = self._filter(image_row, image, w)
        return call if isinstance(row, Filter) else lambda: call()[None, None]

    def _filter(self, row: Filter, x: Array, w: Array) -> Call:
        cv, border = self._cv, self._cv.BORDER_CONSTANT
        if row.kind == "dense" and x.ndim == 1:
            line, taps, out = x[None], w[None], self._out((1, x.size), x.dtype)
            return lambda: cv.filter2D(line, -1, taps, out, borderType=border)[0]
        out = self._out(x.shape, x.dtype)
        if row.kind == "dense":
            return lambda: cv.filter2D(x, -1, w, out, borderType=border)
        if row.kind == "gaussian":
            return lambda: cv.sepFilter2D(x, -1, w, w, out, borderType=border)
        if row.kind == "box":
            return lambda: cv.boxFilter(x, -1, row.kernel, out, borderType=border)
        element = cv.getStructuringElement(cv.MORPH_RECT, row.kernel)
        return lambda: cv.dilate(x, element, out)


class ScipyNdimage(Library):
    """SciPy's ndimage, which has one thread."""

    name = "scipy-ndimage"
    mode = "function, one thread"

    def __init__(self, threads: int) -> None:
        import scipy
        from scipy import ndimage

        self.version = scipy.__version__
        self._ndimage = ndimage

    def prepare(self, row: Workload, dtype: str) -> Call:
        """Give a call of the filter of the same name."""
        image_row = one_channel(row)
        if image_row.kind == "dense" and (image_row.flops or 0) > NDIMAGE_FLOPS:
            raise Declined("takes seconds a call; oaconvolve is SciPy's best there")
        x, w = inputs(row, dtype)
        call = self._filter(image_row, x.reshape(image_row.input_shape), w)
        return call if isinstance(row, Filter) else lambda: call()[None, None]

    def _filter(self, row: Filter, x: Array, w: Array) -> Call:
        ndimage, partial = self._ndimage, functools.partial
        options: dict[str, Any] = {"mode": "constant", "output": self._out(x.shape, x.dtype)}
        match row.kind:
            case "dense":
                return partial(ndimage.correlate, x, w, **options)
            case "gaussian":
                radius = row.width // 2
                return partial(ndimage.gaussian_filter, x, row.sigma, radius=radius, **options)
            case "box":
                return partial(ndimage.uniform_filter, x, row.width, **options)
        return partial(ndimage.maximum_filter, x, row.width, cval=-np.inf, **options)


class ScipyFft(Library):
    """SciPy's overlap-add convolution, its transforms with all the threads."""

    name = "scipy-oaconvolve"

    def __init__(self, threads: int) -> None:
        import scipy
        import scipy.fft
        from scipy.signal import oaconvolve

        self._workers = scipy.fft.set_workers(threads)
        self._workers.__enter__()  # for the life of the process
        self.version = scipy.__version__
        self._convolve = oaconvolve

    def prepare(self, row: Workload, dtype: str) -> Call:
        """Give a convolution with the kernel turned round."""
        if not (isinstance(row, Filter) and row.kind == "dense"):
            raise Declined("dense filters only")
        x, w = inputs(row, dtype)
        turned, convolve = np.flip(w).copy(), self._convolve
        return lambda: convolve(x, turned, mode="same")


LIBRARIES: dict[str, Callable[[int], Library]] = {
    library.name: library
    for library in (
        Cconv,
        Torch,
        TorchChannelsLast,
        OnnxRuntime,
        OpenCV,
        ScipyNdimage,
        ScipyFft,
    )
}
