"""A quick benchmark against the machine's own FMA peak: ``python -m cconv bench``.

Method: every call is warm and writes into a preallocated ``out=``; calls are timed in blocks of
at least 2 ms; between the blocks the peak is sampled (a loop of independent FMA accumulators,
about 2 ms), and a share is taken of the best sample of the run. Operations are those of the
plain sum, 2 K for an output element, taps on the padding counted; bias and activation are not.
Bytes of a pool are its input and output, once each.
"""

import datetime
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import cconv
from cconv import _measure, _picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CASES", "Case", "Result", "run"]

DTYPES = ("float32", "float64")
Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Case:
    """One line of the benchmark; the first one is the figure the README quotes.

    Attributes
    ----------
    name : str
        For the table.
    op : {'conv', 'max', 'avg'}
        What is called.
    input_shape : tuple of int
        Batch, channels, height, width.
    kernel : int
        The same on both axes.
    stride, padding, groups : int
        As in `cconv.conv2d`.
    channels : int
        Output channels of a convolution; 0 for a pool.
    """

    name: str
    op: str
    input_shape: tuple[int, int, int, int]
    kernel: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    channels: int = 0


CASES = (
    Case("conv 3x3 64->64", "conv", (1, 64, 56, 56), 3, padding=1, channels=64),
    Case("conv 3x3 128->128", "conv", (1, 128, 28, 28), 3, padding=1, channels=128),
    Case("conv 3x3 s2 64->128", "conv", (1, 64, 56, 56), 3, stride=2, padding=1, channels=128),
    Case("conv 1x1 64->256", "conv", (1, 64, 56, 56), 1, channels=256),
    Case("conv 7x7 s2 3->64", "conv", (1, 3, 224, 224), 7, stride=2, padding=3, channels=64),
    Case("depthwise 3x3", "conv", (1, 144, 56, 56), 3, padding=1, groups=144, channels=144),
    Case("max pool 3x3 s2", "max", (1, 64, 112, 112), 3, stride=2, padding=1),
    Case("avg pool 2x2 s2", "avg", (1, 64, 112, 112), 2, stride=2),
)


@dataclass(frozen=True)
class Result:
    """Figures of one case; everything in SI units.

    Attributes
    ----------
    case, dtype : str
        What ran.
    threads : int
        Threads asked for.
    input_shape, weight_shape, output_shape : tuple of int
        Shapes; the weight of a pool is empty.
    flops, bytes : int
        Work of one call.
    best_seconds, median_seconds : float
        Time of one call.
    blocks : int
        Number of timed blocks.
    peak, median_peak : float or None
        FMA operations a second with as many threads, best and middle sample of the run; None on
        the reference.
    one_thread_peak : float or None
        The same with one thread, best sample.
    """

    case: str
    dtype: str
    threads: int
    input_shape: tuple[int, ...]
    weight_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    flops: int
    bytes: int
    best_seconds: float
    median_seconds: float
    blocks: int
    peak: float | None = None
    median_peak: float | None = None
    one_thread_peak: float | None = None

    @property
    def share(self) -> float | None:
        """Best rate over the peak of as many threads; None for pools and on the reference."""
        return self.flops / self.best_seconds / self.peak if self.flops and self.peak else None

    @property
    def scaled_share(self) -> float | None:
        """Best rate over `threads` times the one-thread peak; None where `share` is."""
        if not (self.flops and self.one_thread_peak):
            return None
        return self.flops / self.best_seconds / (self.threads * self.one_thread_peak)


def prepare(
    case: Case, dtype: str, threads: int
) -> tuple[Callable[[], object], tuple[int, ...], tuple[int, ...]]:
    """Allocate the arrays of a case.

    Parameters
    ----------
    case : Case
        What will be called.
    dtype : {'float32', 'float64'}
        Of every array; the values are normal deviates from a fixed seed.
    threads : int
        Passed to the call.

    Returns
    -------
    call : callable
        Takes nothing, writes into its own ``out=``.
    weight_shape, output_shape : tuple of int
        The weight's shape is empty for a pool.
    """
    random = np.random.default_rng(0)
    x: Array = random.standard_normal(case.input_shape).astype(dtype)
    if case.op != "conv":
        pool = cconv.max_pool2d if case.op == "max" else cconv.avg_pool2d
        pooled: Array = pool(x, case.kernel, case.stride, case.padding)
        return (
            lambda: pool(x, case.kernel, case.stride, case.padding, out=pooled, threads=threads),
            (),
            pooled.shape,
        )
    in_group = case.input_shape[1] // case.groups
    w: Array = random.standard_normal((case.channels, in_group, case.kernel, case.kernel))
    w = (w / np.sqrt(w[0].size)).astype(dtype)
    b: Array = random.standard_normal(case.channels).astype(dtype)
    options: dict[str, Any] = {
        "stride": case.stride,
        "padding": case.padding,
        "groups": case.groups,
    }
    out: Array = np.empty(cconv.conv_output_shape(x.shape, w.shape, **options), dtype)
    return (
        lambda: cconv.conv2d(x, w, b, out=out, threads=threads, **options),
        w.shape,
        out.shape,
    )


def measure(
    dtype: str, threads: int, seconds: float, cases: Sequence[Case] = CASES
) -> list[Result]:
    """Run the cases with one dtype and thread count.

    Parameters
    ----------
    dtype : {'float32', 'float64'}
        Of every array.
    threads : int
        For every call.
    seconds : float
        Time to spend on a case.
    cases : sequence of Case
        What to run.

    Returns
    -------
    list of Result
        One a case, all with the same peaks: the best of the whole run.
    """
    peak = _measure.FmaPeak(dtype, threads)
    single = peak if threads == 1 else _measure.FmaPeak(dtype, 1)
    peaks = (peak,) if threads == 1 else (peak, single)
    timed = []
    for case in cases:
        call, weight_shape, output_shape = prepare(case, dtype, threads)
        timing = _measure.time_call(call, seconds=seconds, peaks=peaks)
        timed.append((case, weight_shape, output_shape, timing))
    width = np.dtype(dtype).itemsize
    results = []
    for case, weight_shape, output_shape, timing in timed:
        terms = int(np.prod(weight_shape[1:])) if weight_shape else 0
        touched = np.prod(case.input_shape) + np.prod(output_shape) + np.prod(weight_shape or 0)
        results.append(
            Result(
                case=case.name,
                dtype=dtype,
                threads=threads,
                input_shape=case.input_shape,
                weight_shape=weight_shape,
                output_shape=output_shape,
                flops=2 * terms * int(np.prod(output_shape)),
                bytes=width * int(touched),
                best_seconds=timing.best,
                median_seconds=timing.median,
                blocks=timing.rounds,
                peak=peak.best,
                median_peak=peak.median,
                one_thread_peak=single.best,
            )
        )
    return results


def report(results: Sequence[Result]) -> str:
    """Write the table of one dtype and thread count.

    Parameters
    ----------
    results : sequence of Result
        As `measure` gives them.

    Returns
    -------
    str
        A line on the peak and the table.
    """
    first = results[0]
    title = f"{first.dtype}, {first.threads} thread{'s' if first.threads > 1 else ''}"
    scaled = first.threads > 1 and first.one_thread_peak is not None
    if first.peak and first.median_peak and first.one_thread_peak:
        title += f": FMA peak {first.peak / 1e9:.1f} GFLOP/s"
        if scaled:
            title += f", one thread {first.one_thread_peak / 1e9:.1f}"
        note = _measure.busy_note(first.peak, first.median_peak)
        title += f"\n{note}" if note else ""
    header = [
        "case",
        "input -> output",
        "best ms",
        "median ms",
        "best",
        "median",
        "unit",
        "of peak",
    ]
    if scaled:
        header.append(f"of {first.threads} x 1 thread")
    rows = []
    for r in results:
        work, unit = _work(r)
        row = [
            r.case,
            f"{_size(r.input_shape)} -> {_size(r.output_shape)}",
            f"{r.best_seconds * 1e3:.3f}",
            f"{r.median_seconds * 1e3:.3f}",
            f"{work / r.best_seconds / 1e9:.1f}",
            f"{work / r.median_seconds / 1e9:.1f}",
            unit,
            _percent(r.share),
        ]
        rows.append([*row, _percent(r.scaled_share)] if scaled else row)
    return title + "\n\n" + _measure.table(header, rows, left=2)


def draw(results: Sequence[Result]) -> "Figure":
    """Draw the best rates: a panel for each dtype, pools in panels of their own.

    Parameters
    ----------
    results : sequence of Result
        Of all dtypes and thread counts.

    Returns
    -------
    matplotlib.figure.Figure
        Ready for ``savefig``.

    Raises
    ------
    ImportError
        Matplotlib cannot be imported.
    """
    panels = []
    for counted in (True, False):
        chosen = [r for r in results if bool(r.flops) is counted]
        dtypes = dict.fromkeys(r.dtype for r in chosen)
        if dtypes:
            panels.append([_panel([r for r in chosen if r.dtype == dtype]) for dtype in dtypes])
    title = f"cconv {cconv.__version__}, {_measure.backend_line()}"
    subtitle = f"{datetime.date.today().isoformat()}, functions with out=, warm; best block"
    notes = [_measure.busy_note(r.peak, r.median_peak) for r in results if r.peak and r.median_peak]
    busy = next(filter(None, notes), "")
    return _picture.bars(title, f"{subtitle}\n{busy}" if busy else subtitle, panels)


def _panel(results: Sequence[Result]) -> _picture.Panel:
    """The panel of one dtype, whose results all count operations, or all bytes."""
    first = results[0]
    series = []
    for threads in dict.fromkeys(r.threads for r in results):
        mine = [r for r in results if r.threads == threads]
        rates = [_work(r)[0] / r.best_seconds / 1e9 for r in mine]
        series.append(
            _picture.Bars(
                name=f"{threads} thread{'s' if threads > 1 else ''}",
                values=rates,
                notes=[
                    f"{rate:.3g}" + ("" if r.share is None else f" ({_percent(r.share)})")
                    for rate, r in zip(rates, mine, strict=True)
                ],
                limit=mine[0].peak / 1e9 if first.flops and mine[0].peak else None,
            )
        )
    labels = [r.case for r in results if r.threads == first.threads]
    peak = ", and share of the FMA peak (dashed)" if series[0].limit else ""
    return _picture.Panel(first.dtype, _work(first)[1] + peak, labels, series)


def run(
    threads: Sequence[int] | None = None,
    dtypes: Sequence[str] = DTYPES,
    seconds: float = 0.5,
    json_path: str | Path | None = None,
    picture_path: str | Path | None = None,
    cases: Sequence[Case] = CASES,
) -> int:
    """Run the benchmark and print its tables.

    Parameters
    ----------
    threads : sequence of int, optional
        Thread counts; by default one, and what `cconv.get_num_threads` says.
    dtypes : sequence of str
        Any of ``'float32'`` and ``'float64'``.
    seconds : float
        Time to spend on a case.
    json_path : str or Path, optional
        Where to write the figures.
    picture_path : str or Path, optional
        Where to write a picture of them, a PNG file.
    cases : sequence of Case
        What to run.

    Returns
    -------
    int
        0; 1 when a picture is wanted and Matplotlib is missing, 2 when a file cannot be written.
    """
    for option, path in (("--json", json_path), ("--picture", picture_path)):
        if path is not None and not Path(path).absolute().parent.is_dir():
            parent = str(Path(path).absolute().parent)
            return _fail(f"{option}: there is no directory {parent!r}")
    if picture_path is not None:
        try:
            _picture.require()
        except ImportError as error:
            return _fail(
                f"--picture: Matplotlib cannot be imported ({error}): "
                'pip install "cconv[demo]", or leave the option out',
                1,
            )
    counts = list(dict.fromkeys(threads or (1, cconv.get_num_threads())))
    if not _measure.has_core():
        counts = [1]
    print(f"cconv {cconv.__version__}, {_measure.backend_line()}")
    print("functions with out=, warm; blocks of calls of at least 2 ms; best and median block")
    if _measure.has_core():
        print("of peak: best rate / best sample of the FMA peak, taken between the blocks")
    else:
        print(
            "The NumPy reference is being timed, not the compiled core. It is made to be right,\n"
            "not fast; it runs in one thread, and no FMA peak is known for it."
        )
    everything: list[Result] = []
    for dtype in dtypes:
        for count in counts:
            results = measure(dtype, count, seconds, cases)
            print("\n" + report(results), flush=True)
            everything += results
    try:
        if json_path is not None:
            option = "--json"
            text = json.dumps(_document(everything, seconds), indent=1, allow_nan=False)
            Path(json_path).write_text(text + "\n", encoding="utf-8")
            print(f"\nwrote {json_path}")
        if picture_path is not None:
            option = "--picture"
            draw(everything).savefig(picture_path, format="png")
            print(f"\nwrote {picture_path}")
    except OSError as error:
        return _fail(f"{option}: {error}")
    return 0


def _document(results: Sequence[Result], seconds: float) -> dict[str, Any]:
    return {
        "cconv": cconv.__version__,
        "config": cconv.show_config("dicts"),
        "seconds_per_case": seconds,
        "results": [
            asdict(r)
            | {
                "best_rate": (r.flops or r.bytes) / r.best_seconds,
                "median_rate": (r.flops or r.bytes) / r.median_seconds,
                "rate_unit": "FLOP/s" if r.flops else "B/s",
                "share": r.share,
                "scaled_share": r.scaled_share,
            }
            for r in results
        ],
    }


def _work(result: Result) -> tuple[int, str]:
    """What one call does, and the unit of 1e9 of it a second."""
    return (result.flops, "GFLOP/s") if result.flops else (result.bytes, "GB/s")


def _size(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape[1:]))


def _percent(share: float | None) -> str:
    return "n/a" if share is None else f"{100.0 * share:.1f} %"


def _fail(message: str, status: int = 2) -> int:
    sys.stdout.flush()
    print(f"cconv bench: error: {message}", file=sys.stderr)
    return status
