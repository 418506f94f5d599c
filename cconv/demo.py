"""A photograph through two convolution layers, checked and timed: ``python -m cconv demo``.

The network is small and every weight is a formula, so each picture can be understood:

1. convolution 7x7, 3 -> 16 channels, bias, ReLU: edges, bars, spots and colour contrasts
   (`cconv._banks`);
2. max pooling 3x3, stride 2;
3. convolution 3x3, 16 -> 32 channels, ReLU: cosine patterns of mixed channels;
4. average pooling 2x2, stride 2.

Every layer's answer is compared with `cconv.reference`, which sums in float64.
"""

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import cconv
from cconv import _measure, _picture, reference
from cconv._banks import contrast_bank, cosine_bank

__all__ = ["load_photo", "network", "run"]

MAX_SIDE = 1024  # pixels; larger photographs are reduced
SECONDS_PER_LAYER = 0.3
BIAS = -0.06  # contrast threshold of layer 1, for pixels in 0..1

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


# ------------------------------------------------------------------------------ the photograph


def load_photo(path: str | Path | None = None) -> NDArray[np.uint8]:
    """Read a photograph as RGB.

    Parameters
    ----------
    path : str or Path, optional
        An image file that Pillow can open. Without it, the NASA portrait 'astronaut' that
        ships with cconv (public domain; 256 x 256, means of 2 x 2 pixels of the original).

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        The picture; one with a side above 1024 pixels is reduced by area averaging.

    Raises
    ------
    ModuleNotFoundError
        A path is given and Pillow is not installed.
    OSError
        The file is missing or cannot be read.
    ValueError
        The file is not an image, or one with more than 8 bits a channel.
    """
    if path is None:
        data = resources.files("cconv").joinpath("data/astronaut.npz")
        with data.open("rb") as stream, np.load(stream) as archive:
            image: NDArray[np.uint8] = archive["image"]
        return image
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    if not path.is_file():
        raise OSError(f"{str(path)!r} is not a file")
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError as error:
        raise ModuleNotFoundError(
            f"reading {str(path)!r} needs Pillow ({error}): "
            'pip install "cconv[demo]"; without IMAGE the demo takes the photo it ships with'
        ) from error
    stream = path.open("rb")  # a permission error says so itself
    try:
        with stream, Image.open(stream) as opened:
            if opened.mode[0] in "IF":  # Pillow would cut these off at 255
                raise ValueError("its pixels have more than 8 bits a channel; convert it first")
            picture = ImageOps.exif_transpose(opened).convert("RGB")
            picture.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX, reducing_gap=None)
    except UnidentifiedImageError as error:
        raise ValueError(f"{str(path)!r} is not an image of a format that Pillow knows") from error
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(f"{str(path)!r} cannot be used as an image: {error}") from error
    return np.asarray(picture)


# --------------------------------------------------------------------------------- the network


@dataclass(frozen=True)
class Layer:
    """One layer: how to run it, and what it must answer.

    Attributes
    ----------
    name : str
        For the table.
    call : callable
        ``call(x, out, threads)`` runs the layer; `out` may be None.
    exact : callable
        ``exact(x)`` gives the answer with float64 sums and the bound on a float32 error,
        componentwise. A bound of 0 asks for equality.
    flops : int
        Operations for one output element; 0 for pools, which are not counted.
    """

    name: str
    call: Callable[[F32, F32 | None, int | None], F32]
    exact: Callable[[F32], tuple[F64, F64]]
    flops: int


def conv_layer(name: str, weight: F32, bias: F32 | None = None) -> Layer:
    """Make a 'same' convolution with a fused ReLU.

    Parameters
    ----------
    name : str
        For the table.
    weight : ndarray of float32, shape (oc, ic, k, k)
        Filters with an odd k.
    bias : ndarray of float32, shape (oc,), optional
        Added before the ReLU.

    Returns
    -------
    Layer
        Its bound is (K + 2) u (conv(|x|, |w|) + |b|) for K products a sum and u = 2**-24; the
        ReLU cannot make an error larger.
    """
    terms = weight[0].size
    unit = (terms + 2) * 2.0**-24

    def call(x: F32, out: F32 | None, threads: int | None) -> F32:
        y: F32 = cconv.conv2d(
            x,
            weight,
            bias,
            padding="same",
            activation="relu",
            out=out,
            algorithm="direct",  # whose errors the bound is of
            threads=threads,
        )
        return y

    def sums(x: F64, w: F64, b: F64 | None) -> F64:
        out: F64 = np.empty((len(w), *x.shape[1:]))
        pad = (w.shape[-1] // 2,) * 2
        plain = (("constant", 0.0), 1, (None, 0.0, 0.0), 1)
        reference.conv(x[None], w, b, None, out[None], (1, 1), (1, 1), pad, pad, *plain)
        return out

    def exact(x: F32) -> tuple[F64, F64]:
        x64, w64 = x.astype(np.float64), weight.astype(np.float64)
        b64 = None if bias is None else bias.astype(np.float64)
        magnitude = None if b64 is None else np.abs(b64)
        answer = np.maximum(sums(x64, w64, b64), 0.0)
        return answer, unit * sums(np.abs(x64), np.abs(w64), magnitude)

    return Layer(name, call, exact, flops=2 * terms)


def pool_layer(name: str, kind: str, kernel: int, stride: int) -> Layer:
    """Make a 'same' pooling layer: an axis of n elements gives ceil(n / stride).

    Parameters
    ----------
    name : str
        For the table.
    kind : {'max', 'avg'}
        What is taken of a window; the padding has no part in it.
    kernel, stride : int
        The same on both axes.

    Returns
    -------
    Layer
        A maximum is exact; an average is bound by (K + 2) u avg(|x|) for K = kernel * kernel.
    """
    unit = 0.0 if kind == "max" else (kernel * kernel + 2) * 2.0**-24

    def call(x: F32, out: F32 | None, threads: int | None) -> F32:
        y: F32
        if kind == "max":
            y = cconv.max_pool2d(x, kernel, stride, "same", out=out, threads=threads)
        else:
            y = cconv.avg_pool2d(
                x, kernel, stride, "same", count_include_pad=False, out=out, threads=threads
            )
        return y

    def answer(x: F64) -> F64:
        sizes = [-(-n // stride) for n in x.shape[1:]]
        total = [
            max((m - 1) * stride + kernel - n, 0) for m, n in zip(sizes, x.shape[1:], strict=True)
        ]
        before, after = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
        out: F64 = np.empty((len(x), *sizes))
        k, s = (kernel, kernel), (stride, stride)
        images, results = x[None], out[None]
        reference.pool(
            kind, images, results, None, k, s, (1, 1), before, after, False, False, 0, 0.0, 1
        )
        return out

    def exact(x: F32) -> tuple[F64, F64]:
        x64 = x.astype(np.float64)
        return answer(x64), unit * answer(np.abs(x64))

    return Layer(name, call, exact, flops=0)


def network() -> tuple[Layer, ...]:
    """Build the four layers of the demo.

    Returns
    -------
    tuple of Layer
        Convolution, max pool, convolution, average pool.
    """
    first, _ = contrast_bank()
    second, _ = cosine_bank(len(first))
    bias = np.full(len(first), BIAS, np.float32)
    return (
        conv_layer("conv 7x7 + bias + ReLU", first, bias),
        pool_layer("max pool 3x3, stride 2", "max", 3, 2),
        conv_layer("conv 3x3 + ReLU", second),
        pool_layer("avg pool 2x2, stride 2", "avg", 2, 2),
    )


@dataclass(frozen=True)
class LayerResult:
    """What one layer gave.

    Attributes
    ----------
    layer : Layer
        The layer that ran.
    input, output : ndarray of float32
        Channels, height, width.
    seconds : float
        Median time of a warm call with ``out=``.
    error : float
        Worst error in units of the bound; 0 where both are 0, inf where only the bound is.
    """

    layer: Layer
    input: F32
    output: F32
    seconds: float
    error: float

    @property
    def passed(self) -> bool:
        """Whether every element keeps its bound (a NaN does not)."""
        return self.error <= 1.0

    @property
    def rate(self) -> float | None:
        """Floating-point operations a second, taps on the padding counted; None for pools."""
        return self.layer.flops * self.output.size / self.seconds if self.layer.flops else None


def worst_error(got: F32, exact: F64, bound: F64) -> float:
    """Find the largest |got - exact| / bound.

    Parameters
    ----------
    got : ndarray of float32
        The answer under test.
    exact, bound : ndarray of float64
        The right answer, and the error allowed for each element.

    Returns
    -------
    float
        0 / 0 counts as 0; NaN if any element is NaN.
    """
    error = np.abs(got.astype(np.float64) - exact)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(error == 0.0, 0.0, error / bound)
    return float(ratio.max(initial=0.0))


def run_layers(
    x: F32, layers: Sequence[Layer], threads: int | None, peak: _measure.FmaPeak, seconds: float
) -> list[LayerResult]:
    """Run, time and check the layers one after the other.

    Parameters
    ----------
    x : ndarray of float32, shape (channels, height, width)
        Input of the first layer.
    layers : sequence of Layer
        Each is fed, and checked on, the output of the one before.
    threads : int or None
        Passed to every call.
    peak : FmaPeak
        Sampled between the timed calls.
    seconds : float
        Time to spend on a layer.

    Returns
    -------
    list of LayerResult
        One a layer.
    """
    results = []
    for layer in layers:
        out = layer.call(x, None, threads)
        timing = _measure.time_call(
            functools.partial(layer.call, x, out, threads), seconds=seconds, peaks=(peak,)
        )
        with np.errstate(invalid="ignore"):  # a layer before may have failed with inf or NaN
            error = worst_error(out, *layer.exact(x))
        results.append(LayerResult(layer, x, out, timing.best, error))
        x = out
    return results


def report(results: Sequence[LayerResult], peak: _measure.FmaPeak) -> str:
    """Write the table of a run.

    Parameters
    ----------
    results : sequence of LayerResult
        What the layers gave.
    peak : FmaPeak
        The peak sampled in the same run.

    Returns
    -------
    str
        The table.
    """

    def size(x: F32) -> str:
        return " x ".join(map(str, x.shape))

    rows = []
    for result in results:
        rate = result.rate
        share = None if rate is None or peak.best is None else rate / peak.best
        exact = "equal" if result.error == 0.0 else f"{result.error:.3f}"
        rows.append(
            [
                result.layer.name,
                f"{size(result.input)} -> {size(result.output)}",
                f"{result.seconds * 1e3:.3f}",
                "n/a" if rate is None else f"{rate / 1e9:.1f}",
                "n/a" if share is None else f"{100.0 * share:.1f} %",
                exact,
                "pass" if result.passed else "FAIL",
            ]
        )
    header = ["layer", "input -> output", "ms", "GFLOP/s", "of peak", "error", "check"]
    return _measure.table(header, rows, left=2)


# ------------------------------------------------------------------------------------- the run


def run(
    image: str | Path | None = None,
    output: str | Path = "cconv-demo.png",
    threads: int | None = None,
) -> int:
    """Run the demo and print what it finds.

    Parameters
    ----------
    image : str or Path, optional
        A photograph; by default the one that ships with cconv.
    output : str or Path
        The PNG file to write.
    threads : int, optional
        Number of threads; by default what `cconv.get_num_threads` says.

    Returns
    -------
    int
        0 when every check passed and the picture is written; 1 when a check failed or an
        optional package is missing; 2 when the image cannot be read or the picture written.
    """
    output = Path(output)
    if output.suffix.lower() != ".png":
        return _fail(f"--output must name a .png file, but is {str(output)!r}", 2)
    if not output.absolute().parent.is_dir():
        return _fail(f"--output: there is no directory {str(output.absolute().parent)!r}", 2)
    try:
        photo = load_photo(image)
    except ModuleNotFoundError as error:
        return _fail(str(error), 1)
    except (OSError, ValueError) as error:
        return _fail(str(error), 2)

    source = "the NASA portrait 'astronaut'" if image is None else str(image)
    count = threads or cconv.get_num_threads()
    peak = _measure.FmaPeak("float32", count)
    print(f"cconv {cconv.__version__}, {_measure.backend_line(count)}, float32")
    print(f"photo: {source}, {photo.shape[1]} x {photo.shape[0]} pixels\n")
    x = np.ascontiguousarray(np.moveaxis(photo, -1, 0), dtype=np.float32) / np.float32(255)
    x -= x.mean()  # the filters do not see it, and the zero padding is as bright as the photo
    results = run_layers(x, network(), threads, peak, SECONDS_PER_LAYER)
    print(report(results, peak))
    print()
    if peak.best is None or peak.median is None:
        print("ms: best of warm calls. No FMA peak is known for the NumPy reference.")
    else:
        print(
            f"ms: best of warm calls with out=. FMA peak of the same run: "
            f"{peak.best / 1e9:.1f} GFLOP/s."
        )
        if note := _measure.busy_note(peak.best, peak.median):
            print(note)
    print(
        "error: the worst |answer - cconv.reference|, which sums in float64, in units of the\n"
        "bound (K + 2) u conv(|x|, |w|) that holds for each element; a max pool must be equal."
    )
    failed = [result.layer.name for result in results if not result.passed]
    if failed:
        _fail(f"wrong answers, with an error above the bound: {'; '.join(failed)}", 1)
    status = _draw(output, photo, results, source, count)
    return 1 if failed else status


def _draw(
    output: Path,
    photo: NDArray[np.uint8],
    results: Sequence[LayerResult],
    source: str,
    threads: int,
) -> int:
    weight, names = contrast_bank()
    _, labels = cosine_bank(len(weight))
    first, second = results[0], results[2]
    sheet = _picture.Sheet(
        photo=photo,
        filters=weight,
        names=names,
        first=first.output,
        second=second.output,
        labels=labels,
        title=f"cconv {cconv.__version__}: two convolution layers on a photograph",
        subtitle=_measure.backend_line(threads),
        photo_caption=f"{source}, {photo.shape[1]} x {photo.shape[0]} pixels",
        first_caption=f"{_caption(first)}; each map on its own scale",
        second_caption=f"{_caption(second)}; after {results[1].layer.name}; "
        "cosine patterns in space of cosine mixes of the layer 1 channels",
    )
    try:
        figure = _picture.draw(sheet)
    except ImportError as error:
        return _fail(
            f"no picture was written, because Matplotlib cannot be imported ({error}): "
            'pip install "cconv[demo]"',
            1,
        )
    try:
        figure.savefig(output, format="png")
    except OSError as error:
        return _fail(f"--output: the picture could not be written: {error}", 2)
    print(f"\nwrote {output}")
    return 0


def _caption(result: LayerResult) -> str:
    rate = "" if result.rate is None else f", {result.rate / 1e9:.0f} GFLOP/s"
    return f"{result.layer.name}: {result.seconds * 1e3:.2f} ms{rate}"


def _fail(message: str, status: int) -> int:
    sys.stdout.flush()
    print(f"cconv demo: error: {message}", file=sys.stderr)
    return status
