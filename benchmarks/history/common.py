"""What the files of the families share: the choice of rows, the calls, how they are measured.

The law of this file: a setup only looks up what was made before. asv repeats it before samples,
and versions of its runner differ in how often; here it costs nothing, and the length of a sample
is fixed, so that they would measure the same.

The rows. An asv run has to end within minutes, so not every workload is in it. Two rows of a
family are of one kind if they have the same operator, and neither or both have a stride, a
dilation, a kernel of one element, groups, or as many groups as channels. Of each kind of each
family the row with the most work is taken, and for the times that with the least too; work is
operations, and bytes where a row has none. A plan is timed on the rows with the most work, and
what it keeps is weighed there. The tiny rows are `overhead.py`'s.
"""

import functools
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from math import prod

import numpy as np

from benchmarks.libraries import Array, Call, Cconv, inputs
from benchmarks.shapes import WORKLOADS
from benchmarks.workloads import Workload

__all__ = [
    "MODES",
    "OUT_MODES",
    "PLAN_MODES",
    "THREADS",
    "Memory",
    "Rate",
    "Time",
    "largest",
    "largest_and_smallest",
    "tiny",
]

DTYPE = "float32"
THREADS = (1, 2)
MODES = ("function",)  # names that stand beside every figure
OUT_MODES = ("function", "function with out")
PLAN_MODES = ("plan", "plan with out")  # of convolutions
SAMPLE_SECONDS = 10e-3  # of one sample of a time
RATE_SECONDS = 0.5  # for one figure of a rate
WARM_SECONDS = 0.02

ROWS = {row.name: row for row in WORKLOADS}


# ------------------------------------------------------------------------------------ the choice


def kind(row: Workload) -> tuple[object, ...]:
    """Say what kind of row of its family this is: see the top of this file.

    Parameters
    ----------
    row : Workload
        Any.

    Returns
    -------
    tuple
        Equal for rows of one family and one kind.
    """
    groups = getattr(row, "groups", 1)
    return (
        row.family,
        row.operator,
        prod(row.kernel) == 1,
        set(getattr(row, "stride", ())) <= {1},
        set(getattr(row, "dilation", ())) <= {1},
        groups > 1,
        groups > 1 and groups == row.input_shape[1],
    )


def _ends(operation: type[Workload], *ends: Callable[..., Workload]) -> tuple[str, ...]:
    kinds: dict[tuple[object, ...], list[Workload]] = {}
    for row in WORKLOADS:
        if isinstance(row, operation) and row.family != "tiny":
            kinds.setdefault(kind(row), []).append(row)
    taken = {end(rows, key=_work) for rows in kinds.values() for end in ends}
    return tuple(row.name for row in WORKLOADS if row in taken)


def _work(row: Workload) -> int:
    return row.flops or row.least_bytes(np.dtype(DTYPE).itemsize)


def largest(operation: type[Workload], *, rated: bool = False) -> tuple[str, ...]:
    """Choose the row with the most work of each kind of each family.

    Parameters
    ----------
    operation : type
        Conv, ConvTranspose, Pool or Filter.
    rated : bool
        Leave out rows that have no operations to count.

    Returns
    -------
    tuple of str
        Names, in the order of the tables.
    """
    return tuple(name for name in _ends(operation, max) if ROWS[name].flops or not rated)


def largest_and_smallest(operation: type[Workload]) -> tuple[str, ...]:
    """Choose the row with the most work of each kind of each family, and that with the least.

    Parameters
    ----------
    operation : type
        Conv, ConvTranspose, Pool or Filter.

    Returns
    -------
    tuple of str
        Names, in the order of the tables.
    """
    return _ends(operation, max, min)


def tiny(*operations: type[Workload]) -> tuple[str, ...]:
    """Name the tiny rows.

    Parameters
    ----------
    *operations : type
        Conv, ConvTranspose, Pool or Filter; all by default.

    Returns
    -------
    tuple of str
        Names, in the order of the tables.
    """
    rows = [row for row in WORKLOADS if row.family == "tiny"]
    return tuple(row.name for row in rows if isinstance(row, operations or Workload))


# ------------------------------------------------------------------------------------- the calls


def constant(row: Workload, dtype: str) -> tuple[Array, Array]:
    """Make the arrays of a row without the larger ones that drawing needs for a while.

    Parameters
    ----------
    row : Workload
        For its shapes.
    dtype : {'float32', 'float64'}
        Of both arrays.

    Returns
    -------
    x, weight : ndarray
        All 0.5; the weight of a row without weights is not used.
    """
    weight_shape = getattr(row, "weight_shape", row.kernel)
    return np.full(row.input_shape, 0.5, dtype), np.full(weight_shape, 0.5, dtype)


@functools.lru_cache(maxsize=1)
def prepare(
    name: str,
    mode: str,
    threads: int,
    arrays: Callable[[Workload, str], tuple[Array, Array]] = inputs,
) -> Call:
    """Give the call of a row; the same one as before if the arguments are.

    Parameters
    ----------
    name : str
        Of a workload.
    mode : str
        One of `OUT_MODES`, of a convolution also one of `PLAN_MODES`.
    threads : int
        For the call.
    arrays : callable
        Makes the input and the weight from a row and a dtype.

    Returns
    -------
    callable
        Takes nothing, gives the result; it was called once.

    Raises
    ------
    NotImplementedError
        The core cannot use as many threads here, or this cconv has no plans: asv leaves the
        figure out.
    """
    import cconv
    from cconv import _backend

    if mode in PLAN_MODES and not hasattr(cconv, "ConvPlan"):
        raise NotImplementedError("this commit has no plans")

    affinity = getattr(os, "sched_getaffinity", None)
    processors = len(affinity(0)) if affinity else os.cpu_count() or 1
    if threads > min(processors, _backend.backend.max_threads()):
        raise NotImplementedError(f"{threads} threads are more than there are here")
    row = ROWS[name]
    call = Cconv(threads).call(row, *arrays(row, DTYPE), mode)
    call()
    return call


@functools.lru_cache(maxsize=1)
def calls_of_a_sample(call: Call) -> int:
    """Find how many calls take about `SAMPLE_SECONDS`.

    Parameters
    ----------
    call : callable
        Of `prepare`.

    Returns
    -------
    int
        At least 1.
    """
    clock = time.perf_counter
    fastest, warm_until = float("inf"), clock() + WARM_SECONDS
    while True:
        start = clock()
        call()
        end = clock()
        fastest = min(fastest, end - start)
        if end >= warm_until:
            return max(1, round(SAMPLE_SECONDS / fastest))


# --------------------------------------------------------------------------------- the measures


class Measure(ABC):
    """What all classes for asv have; it leaves out abstract ones, such as those of this file.

    Attributes
    ----------
    params : tuple
        Names of workloads, call modes, numbers of threads: the same wherever this runs.
    version : str
        asv compares only figures of the same version: another number for another measurement.
    """

    param_names = ("workload", "mode", "threads")
    timeout = 120
    version = "1"

    @property
    @abstractmethod
    def params(self) -> tuple[tuple[object, ...], ...]:
        """Of `asv`."""


class Time(Measure):
    """Seconds of one call: samples of 10 ms in two processes; asv shows the median."""

    rounds = 2
    repeat = (3, 30, 0.4)
    warmup_time = 0.1

    def setup(self, name: str, mode: str, threads: int) -> None:
        """Look the call up."""
        self.call = prepare(name, mode, threads)
        self.number = calls_of_a_sample(self.call)

    def time_call(self, name: str, mode: str, threads: int) -> None:
        """Be timed."""
        self.call()


class Memory(Measure):
    """The most memory the process ever had: Python, NumPy, the arrays, the result, the scratch."""

    def setup(self, name: str, mode: str, threads: int) -> None:
        """Look the call up."""
        self.call = prepare(name, mode, threads, constant)

    def peakmem_call(self, name: str, mode: str, threads: int) -> None:
        """Be weighed."""
        self.call()


class Rate(Measure):
    """Operations a second, and their share of the peak, which is sampled between the calls.

    asv takes every growing figure for a loss. Compare commits by the times, look at these.
    """

    def setup(self, name: str, mode: str, threads: int) -> None:
        """Look the call up."""
        self.call = prepare(name, mode, threads)

    def track_gflops(self, name: str, mode: str, threads: int) -> float:
        """Give the rate of the median block of calls."""
        from cconv import _measure

        timing = _measure.time_call(self.call, seconds=RATE_SECONDS)
        return _rounded(ROWS[name].flops / timing.median / 1e9)

    def track_percent_of_peak(self, name: str, mode: str, threads: int) -> float:
        """Give the rate of the best block over the best sample of the FMA peak, in per cent."""
        from cconv import _measure

        peak = _measure.FmaPeak(DTYPE, threads)
        timing = _measure.time_call(self.call, seconds=RATE_SECONDS, peaks=(peak,))
        return _rounded(100.0 * ROWS[name].flops / timing.best / peak.best)

    # For the pages that asv publishes; in a terminal it shows no units, so the names say them.
    track_gflops.unit = "GFLOP/s"
    track_percent_of_peak.unit = "% of the FMA peak"


def _rounded(figure: float) -> float:
    """Keep three digits, for asv prints them all."""
    return float(f"{figure:.3g}")
