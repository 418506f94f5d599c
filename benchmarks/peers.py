"""cconv beside other libraries: ``python -m benchmarks.peers``.

Each library has a process of its own with as many threads on the same processors. In every round
each library in turn warms up and is timed in blocks of at least 2 ms; every other round goes
backwards. Between the rounds the peak of multiply-adds and the bandwidth of memory are sampled.
Before a row is timed, its results are compared: a library that computes something else is named
and cannot win. With --plan everything that can be done before a call is: see `prepacked.py`.
"""

import argparse
import datetime
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.libraries import LIBRARIES, tolerance
from benchmarks.report import TIE, Figures, Row, call_modes, report, summary
from benchmarks.shapes import FAMILIES, select
from benchmarks.worker import Worker
from benchmarks.workloads import Workload

__all__ = ["agreeing", "main"]

DTYPES = ("float32", "float64")
PATIENCE = 3.0  # times its share of a row; a library slower than that sits out further rounds
MIN_TURNS = 2


def agreeing(results: dict[str, NDArray[Any]], limit: float) -> set[str]:
    """Find the libraries that compute the same.

    Parameters
    ----------
    results : dict of str to ndarray
        The result of each library.
    limit : float
        Greatest difference of two elements.

    Returns
    -------
    set of str
        The largest group within the limit of one of its members; empty when there is no majority:
        two groups are equally large.
    """

    def same(a: NDArray[Any], b: NDArray[Any]) -> bool:
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        return a.size == 0 or bool(np.max(np.abs(a - b)) <= limit)  # False for NaN

    best: set[str] = set()
    tied = False
    for result in results.values():
        group = {name for name, other in results.items() if same(result, other)}
        if len(group) == len(results):
            return group
        if len(group) > len(best):
            best, tied = group, False
        elif len(group) == len(best) and group != best:
            tied = True
    return set() if tied else best


def measure(
    workload: Workload, workers: Sequence[Worker], machine: Worker, options: argparse.Namespace
) -> Row:
    """Compare and time one row.

    Parameters
    ----------
    workload : Workload
        What to compute.
    workers : sequence of Worker
        The libraries that are there.
    machine : Worker
        Samples the peak and the bandwidth.
    options : Namespace
        Of the command line.

    Returns
    -------
    Row
        Its figures.
    """
    row = Row(workload, np.dtype(options.dtype).itemsize)
    results, modes, playing = {}, {}, []
    for worker in workers:
        answer, value = worker.prepare(workload)
        if answer == "result":
            modes[worker.name], results[worker.name] = value
            playing.append(worker)
        else:
            row.declined[worker.name] = value if answer == "declined" else f"failed: {value}"
    trusted = agreeing(results, tolerance(workload, options.dtype))
    row.libraries = {w.name: Figures(modes[w.name], agrees=w.name in trusted) for w in playing}
    results.clear()
    share = options.seconds / options.rounds
    for turn in range(options.rounds):
        peak, bandwidth = machine.sample()
        row.bandwidths.append(bandwidth)
        if peak is not None:
            row.peaks.append(peak)
        for worker in playing if turn % 2 == 0 else reversed(playing):
            figures = row.libraries[worker.name]
            if len(figures.turns) >= MIN_TURNS and figures.spent > PATIENCE * options.seconds:
                continue
            start = time.perf_counter()
            answer, value = worker.time(share)
            if answer != "times":
                row.declined[worker.name] = f"failed: {value}"
                figures.agrees = False
                continue
            figures.turns.append(value)
            figures.spent += time.perf_counter() - start
    row.libraries = {name: f for name, f in row.libraries.items() if f.turns}
    return row


def processor() -> str:
    """Name the processor, without the name of the machine."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description="Time cconv beside other libraries; see CONTRIBUTING.md on how to read it.",
    )
    add = parser.add_argument
    add("--dtype", choices=DTYPES, default="float32")
    add("--threads", type=int, help="of every library; all processors if not given")
    add("--only", default="", metavar="PATTERN", help="rows whose name contains this")
    add("--family", default="", metavar="NAME", help=f"one of {', '.join(FAMILIES)}")
    add("--rounds", type=int, default=5, help="turns of each library on a row")
    add("--seconds", type=float, default=0.2, help="for a library on a row, warming up left out")
    add("--json", type=Path, metavar="FILE", help="write all figures there")
    add("--bar", type=float, metavar="RATIO", help="fail if cconv is below this on any row")
    add("--plan", action="store_true", help="time plans with out=, and the others prepacked")
    options = parser.parse_args(arguments)
    affinity = getattr(os, "sched_getaffinity", None)
    usable = len(affinity(0)) if affinity else os.cpu_count() or 1
    options.threads = options.threads or usable
    if options.threads < 1 or options.rounds < 1 or not options.seconds > 0:
        parser.error("--threads and --rounds start at 1, --seconds above 0")
    if options.threads > usable:
        parser.error(f"--threads {options.threads}: there are {usable} processors")
    if options.json and not options.json.absolute().parent.is_dir():
        parser.error(f"--json: there is no directory {str(options.json.absolute().parent)!r}")
    try:
        options.rows = select(options.only, options.family)
    except ValueError as error:
        parser.error(str(error))
    return options


def start(options: argparse.Namespace) -> tuple[list[Worker], Worker]:
    """Start a process for each library, and that of the machine."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)  # for the processes, before they load anything
    processors: set[int] = set()
    if hasattr(os, "sched_getaffinity"):
        processors = set(sorted(os.sched_getaffinity(0))[: options.threads])
    given = (options.threads, options.dtype, processors, options.plan)
    workers = [Worker(name, *given) for name in ("machine", *LIBRARIES)]
    return workers[1:], workers[0]


def document(
    rows: Sequence[Row], workers: Sequence[Worker], options: argparse.Namespace
) -> dict[str, Any]:
    """Gather everything that was measured, for JSON."""
    peak = max((p for row in rows for p in row.peaks), default=None)
    bandwidth = max(b for row in rows for b in row.bandwidths)
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "processor": processor(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "dtype": options.dtype,
        "threads": options.threads,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "plan": options.plan,
        "peak": peak,
        "bandwidth": bandwidth,
        "tie": TIE,
        "versions": {w.name: w.version for w in workers if w.version},
        "modes": {w.name: call_modes(rows, w.name) for w in workers if w.version},
        "missing": {w.name: w.missing for w in workers if w.missing},
        "rows": [row.document(peak, bandwidth) for row in rows],
    }


def failures(figures: dict[str, Any], bar: float | None) -> list[str]:
    """List what makes the run fail.

    Parameters
    ----------
    figures : dict
        The document of the run.
    bar : float, optional
        Least ratio to the best peer.

    Returns
    -------
    list of str
        One sentence a row.
    """
    found = []
    for row in figures["rows"]:
        mine = row["libraries"].get("cconv")
        if mine is None:
            found.append(f"{row['name']}: cconv gave no figure: {row['declined'].get('cconv')}")
        elif not mine["agrees"]:
            found.append(f"{row['name']}: cconv and the others do not compute the same")
        elif bar is not None and row["ratio"] is not None and row["ratio"] < bar:
            best = row["best_peer"]
            found.append(f"{row['name']}: {row['ratio']:.2f} of {best}, the bar is {bar:g}")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the command line by default.

    Returns
    -------
    int
        0; 1 if a row is below the bar or cconv does not compute what the others do; 2 if there is
        no cconv to time.
    """
    options = parse(arguments)
    workers, machine = start(options)
    try:
        problem = workers[0].missing or machine.missing
        if problem:
            print(f"benchmarks.peers: error: cconv: {problem}", file=sys.stderr)
            return 2
        present = [worker for worker in workers if not worker.missing]
        rows = []
        for i, workload in enumerate(options.rows):
            if sys.stderr.isatty():
                print(f"\r{i + 1}/{len(options.rows)} {workload.name:60}", end="", file=sys.stderr)
            rows.append(measure(workload, present, machine, options))
            present = [worker for worker in present if not worker.missing]
        if sys.stderr.isatty():
            print(file=sys.stderr)
        figures = document(rows, workers, options)
    finally:
        for worker in (*workers, machine):
            worker.stop()
    print(report(figures))
    print(summary(figures))
    if options.json:
        text = json.dumps(figures, indent=1, allow_nan=False)
        options.json.write_text(text + "\n", encoding="utf-8")
        print(f"wrote {options.json}")
    found = failures(figures, options.bar)
    if found:
        print("\n".join(["", "FAILED", *found]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
