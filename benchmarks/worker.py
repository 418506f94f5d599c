"""A process for each library, and one that measures the machine.

The thread pools of one library spin for a while after a call and would slow the next one down, so
no two libraries share a process, and no two processes work at the same time.
"""

import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from benchmarks.libraries import LIBRARIES, Call, Declined
from benchmarks.prepacked import PREPACKED
from benchmarks.workloads import Workload

__all__ = ["Machine", "Worker", "fastest", "settle", "time_blocks"]

BLOCK_SECONDS = 2e-3  # one timed block of calls; far above the clock's resolution
WARM_SHARE = 0.2  # of a turn, before it is timed: caches, clock and thread pool come back
QUIET = 5e-3  # a process is looked at for so long
QUIET_SHARE = 0.1  # and is at rest if it computed for less than this part of it
SETTLE_SECONDS = 0.5  # nothing was seen to spin for longer than a tenth of that
TRIALS, TRIAL_SECONDS = 3, 4e-3  # of each of several ways to call a library, before a row is timed
COPY_BYTES = 1 << 27  # read and written by one sample of the bandwidth


def time_blocks(call: Callable[[], object], seconds: float) -> list[float]:
    """Time a call in blocks of at least 2 ms, after warming up.

    Parameters
    ----------
    call : callable
        What is timed; its result is dropped.
    seconds : float
        Time to spend, a fifth more for warming up. One call and one block are always run.

    Returns
    -------
    list of float
        Seconds a call, one entry a block.
    """
    clock = time.perf_counter
    fastest = float("inf")
    warm_until = clock() + WARM_SHARE * seconds
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
    while not times or clock() < finish:
        start = clock()
        for _ in range(block):
            call()
        times.append((clock() - start) / block)
    return times


def fastest(ways: dict[str, Call]) -> tuple[str, Call]:
    """Choose how to call a library, by the best block of a few short turns of each way.

    Parameters
    ----------
    ways : dict of str to callable
        By mode; at least one.

    Returns
    -------
    mode : str
        Of the fastest.
    call : callable
        The fastest.
    """
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(TRIALS if len(ways) > 1 else 0):
        for mode, call in ways.items():
            best[mode] = min(best[mode], *time_blocks(call, TRIAL_SECONDS))
    mode = min(best, key=best.__getitem__)
    return mode, ways[mode]


def settle() -> None:
    """Wait until no thread of this process spins.

    ONNX Runtime's were seen to do so for 20 to 30 ms after a call, libgomp's for 4 ms; they would
    take a processor from the library whose turn is next.
    """
    finish = time.perf_counter() + SETTLE_SECONDS
    while time.perf_counter() < finish:
        before = time.process_time()
        time.sleep(QUIET)
        if time.process_time() - before < QUIET_SHARE * QUIET:
            return


class Machine:
    """The peak of multiply-adds and the bandwidth of memory; a library to its process.

    The peak is the core's loop of independent accumulators. The bandwidth is `numpy.copyto` of
    128 MiB, a part a thread, reading and writing counted.

    Parameters
    ----------
    threads : int
        Of both.
    dtype : {'float32', 'float64'}
        Of the peak.
    """

    def __init__(self, threads: int, dtype: str) -> None:
        from cconv import _measure

        self._peak = _measure.FmaPeak(dtype, threads)
        self._pool = ThreadPoolExecutor(threads)
        source, target = np.ones(COPY_BYTES, np.uint8), np.zeros(COPY_BYTES, np.uint8)
        self._parts = list(
            zip(np.array_split(target, threads), np.array_split(source, threads), strict=True)
        )

    def sample(self) -> tuple[float | None, float]:
        """Measure both once.

        Returns
        -------
        peak : float or None
            Operations a second; None without the compiled core.
        bandwidth : float
            Bytes a second.
        """
        self._peak.sample()
        start = time.perf_counter()
        for done in [self._pool.submit(np.copyto, *part) for part in self._parts]:
            done.result()
        bandwidth = 2 * COPY_BYTES / (time.perf_counter() - start)
        return (self._peak.rates[-1] if self._peak.rates else None), bandwidth


def serve(
    pipe: Connection, name: str, threads: int, dtype: str, processors: set[int], plan: bool
) -> None:
    """Answer the questions of a `Worker` until it says stop.

    Parameters
    ----------
    pipe : Connection
        Takes (question, argument), gives (answer, value).
    name : str
        Of the library, or ``'machine'``.
    threads : int
        For every call.
    dtype : {'float32', 'float64'}
        Of every array.
    processors : set of int
        Where to run; empty for anywhere.
    plan : bool
        Whether it is a library of a run with plans.
    """
    if processors:
        os.sched_setaffinity(0, processors)
    try:
        made: Any = PREPACKED if plan else LIBRARIES
        library: Any = Machine(threads, dtype) if name == "machine" else made[name](threads)
    except Exception as error:  # an ImportError, or a library that breaks while it is loaded
        pipe.send(("missing", f"{type(error).__name__}: {error}"))
        return
    pipe.send(("ready", getattr(library, "version", "")))
    call: Callable[[], Any] | None = None
    while True:
        question, value = pipe.recv()
        reply: tuple[str, Any]
        try:
            match question:
                case "stop":
                    return
                case "prepare":
                    call = None  # the arrays of the last row go before new ones come
                    mode, call = fastest(library.ways(value, dtype))
                    reply = "result", (mode, np.array(call()))
                case "time":
                    reply = "times", time_blocks(call, value)
                case "sample":
                    reply = "sample", library.sample()
            settle()
            pipe.send(reply)
        except Declined as error:
            pipe.send(("declined", str(error)))
        except Exception as error:
            pipe.send(("failed", f"{type(error).__name__}: {error}"))


class Worker:
    """A process and what it said at its start.

    Parameters
    ----------
    name : str
        Of a library, or ``'machine'``.
    threads : int
        For every call.
    dtype : {'float32', 'float64'}
        Of every array.
    processors : set of int
        Where to run; empty for anywhere.
    plan : bool
        Whether plans are timed, and libraries with as much prepared.

    Attributes
    ----------
    missing : str
        Why there is no such library here; empty when there is.
    version : str
        Of the library.
    """

    def __init__(
        self, name: str, threads: int, dtype: str, processors: set[int], plan: bool
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self.name, self.missing, self.version = name, "", ""
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, name, threads, dtype, processors, plan)
        self._process = context.Process(target=serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        answer, value = self._receive()
        if answer == "ready":
            self.version = value
        else:
            self.missing = value

    def prepare(self, row: Workload) -> tuple[str, Any]:
        """Make the arrays of a row, choose how to call the library and compute the row once.

        Parameters
        ----------
        row : Workload
            The row.

        Returns
        -------
        answer : {'result', 'declined', 'failed'}
            Whether it can be timed.
        value : tuple of str and ndarray, or str
            The mode and the result, or the reason.
        """
        return self._ask("prepare", row)

    def time(self, seconds: float) -> tuple[str, Any]:
        """Time the call of the last row, as `time_blocks` does."""
        return self._ask("time", seconds)

    def sample(self) -> tuple[float | None, float]:
        """Measure the machine."""
        answer, value = self._ask("sample", None)
        if answer != "sample":
            raise RuntimeError(f"the machine cannot be measured: {value}")
        return value

    def stop(self) -> None:
        """End the process."""
        if self._process.is_alive():
            with contextlib.suppress(OSError):
                self._pipe.send(("stop", None))
            self._process.join(5)
        if self._process.is_alive():
            self._process.kill()

    def _ask(self, question: str, value: object) -> tuple[str, Any]:
        try:
            self._pipe.send((question, value))
        except OSError:
            return self._lost()
        return self._receive()

    def _receive(self) -> tuple[str, Any]:
        try:
            return self._pipe.recv()
        except (EOFError, OSError):
            return self._lost()

    def _lost(self) -> tuple[str, Any]:
        self._process.join(5)
        self.missing = f"its process ended, exit code {self._process.exitcode}"
        return "failed", self.missing
