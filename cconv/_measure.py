"""Timing for the applications (`demo`, `bench`): calls, the FMA peak, plain tables.

The law of a measurement: the peak and the call are timed in the same run, turn by turn, because
the clock of a shared or warm machine drifts within seconds. A share of a peak that was measured
at another time is worth nothing.
"""

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cconv import _backend

__all__ = ["FmaPeak", "Timing", "backend_line", "busy_note", "has_core", "table", "time_call"]

BLOCK_SECONDS = 2e-3  # one timed block of calls; far above the clock's resolution
# One sample of the peak: as long as a block, so that on a busy machine both have the same chance
# of an undisturbed one (with 5 ms, shares above 100 % came out there).
PEAK_SECONDS = 2e-3
WARM_SECONDS = 0.1  # at most; caches, clock and thread pool settle well within this
MIN_ROUNDS = 3
BUSY = 0.8  # of the best sample of the peak; a lower median says that others use the machine


@dataclass(frozen=True)
class Timing:
    """Seconds one call takes.

    Attributes
    ----------
    best, median : float
        Shortest and middle block of the run, in seconds a call.
    rounds : int
        Number of blocks.
    """

    best: float
    median: float
    rounds: int


_CORE: Any = _backend.backend if _backend.name == "c" else None


def has_core() -> bool:
    """Say whether the compiled core is in use.

    Returns
    -------
    bool
        False on the NumPy reference, for which no FMA peak can be measured.
    """
    return _CORE is not None


def backend_line(threads: int | None = None) -> str:
    """Say in a few words what computes.

    Parameters
    ----------
    threads : int, optional
        Number of threads to name; the reference always has one.

    Returns
    -------
    str
        For instance ``C core (avx512), 2 threads``.
    """
    if _CORE is None:
        return "NumPy reference, 1 thread"
    line = f"C core ({_CORE.isa()})"
    return line if threads is None else f"{line}, {threads} thread{'s' if threads > 1 else ''}"


class FmaPeak:
    """The fused-multiply-add peak of this machine, sampled while something else is timed.

    The core runs a loop of independent FMA accumulators on each thread and says how many
    floating-point operations that was; the peak is the highest rate of all samples.

    Parameters
    ----------
    dtype : str
        ``'float32'`` or ``'float64'``.
    threads : int
        Number of threads that run the loop.

    Attributes
    ----------
    rates : list of float
        Operations a second, one a sample; stays empty on the NumPy reference, which has no such
        loop.
    """

    def __init__(self, dtype: str, threads: int) -> None:
        self.dtype = dtype
        self.threads = threads
        self.rates: list[float] = []
        self._iterations = 0

    @property
    def best(self) -> float | None:
        """The peak: the highest rate; None without samples."""
        return max(self.rates, default=None)

    @property
    def median(self) -> float | None:
        """The middle rate, well below the peak on a busy machine; None without samples."""
        return statistics.median(self.rates) if self.rates else None

    def sample(self) -> None:
        """Run the loop once, for about 2 ms; does nothing on the NumPy reference."""
        if _CORE is None:
            return
        if self._iterations == 0:
            self._iterations = self._calibrate()
        flops, seconds = self._run(self.threads, self._iterations)
        self.rates.append(flops / seconds)

    def _run(self, threads: int, iterations: int) -> tuple[int, float]:
        start = time.perf_counter()
        flops = _CORE.fma_peak(self.dtype, threads, iterations)
        return flops, time.perf_counter() - start

    def _calibrate(self) -> int:
        """Find the iterations of one sample.

        One thread, best of three: waiting for other threads, or for a turn on a busy machine,
        must not pass for work.
        """
        iterations = 1 << 10
        while True:
            seconds = min(self._run(1, iterations)[1] for _ in range(3))
            if seconds >= PEAK_SECONDS / 8:
                return max(1, round(iterations * PEAK_SECONDS / seconds))
            iterations *= 4


def busy_note(best: float, median: float) -> str:
    """Say so when the samples of the peak show that the machine had other work.

    Parameters
    ----------
    best, median : float
        Best and median rate of an `FmaPeak`.

    Returns
    -------
    str
        One sentence, or nothing when the samples agree.
    """
    if median >= BUSY * best:
        return ""
    share = 100.0 * median / best
    return (
        f"The machine was busy: the median sample of the peak is {share:.0f} % of the best. "
        "Run this again."
    )


def time_call(
    call: Callable[[], object], *, seconds: float, peaks: Iterable[FmaPeak] = ()
) -> Timing:
    """Time a call in blocks, with samples of the peak between the blocks.

    Parameters
    ----------
    call : callable
        What is timed; its result is dropped.
    seconds : float
        Time to spend, warming up not counted. At least three blocks are run.
    peaks : iterable of FmaPeak
        Sampled once before every block.

    Returns
    -------
    Timing
        Best and median seconds a call.
    """
    peaks = tuple(peaks)
    clock = time.perf_counter
    fastest = float("inf")
    warm_until = clock() + min(WARM_SECONDS, seconds)
    while True:
        start = clock()
        call()
        end = clock()
        fastest = min(fastest, end - start)
        if end >= warm_until:
            break
    block = max(1, -int(-BLOCK_SECONDS // fastest)) if fastest > 0 else 1000
    times: list[float] = []
    finish = clock() + seconds
    while len(times) < MIN_ROUNDS or clock() < finish:
        for peak in peaks:
            peak.sample()
        start = clock()
        for _ in range(block):
            call()
        times.append((clock() - start) / block)
    return Timing(best=min(times), median=statistics.median(times), rounds=len(times))


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """Lay cells out in columns.

    Parameters
    ----------
    header : sequence of str
        One title a column.
    rows : iterable of sequences of str
        The cells, as many a row as the header has.
    left : int
        The first `left` columns are set flush left, the others flush right.

    Returns
    -------
    str
        Lines without trailing blanks, joined by newlines.

    Examples
    --------
    >>> from cconv._measure import table
    >>> print(table(["case", "ms"], [["conv", "1.5"], ["pool", "12.0"]]))
    case    ms
    ----  ----
    conv   1.5
    pool  12.0
    """
    body = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in body) for i in range(len(header))]
    body.insert(1, ["-" * width for width in widths])
    lines = (
        "  ".join(
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in body
    )
    return "\n".join(line.rstrip() for line in lines)
