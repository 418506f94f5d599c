"""Peak memory of a call, beside other libraries.

    python -m benchmarks.memory [--only PATTERN] [--family NAME] [--dtype float32] [--threads 2]

Each row is one call: the input and the weights are there, the result is allocated. A figure is by
how much the resident memory of the process grew at its peak, less the result, in MB (10**6 bytes):
what the call took beside input, weights and output. Each library has a process of its own, which
has computed a small layer before and gives back to the system what it can. Linux only.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import multiprocessing
import sys
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from benchmarks.libraries import LIBRARIES, Array, Declined
from benchmarks.shapes import FAMILIES, select
from benchmarks.workloads import Conv, ConvTranspose, Workload

LIMIT_MB = 8  # of scratch, a thread
# Pages of code, of stacks and of the allocator, which are no scratch: what a tiny call may take.
OTHER_MB = 1
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
PEERS = ("cconv", "torch", "torch-cl", "onnxruntime")


def resident(what: str) -> int:
    """Bytes of a line of this process's status: VmRSS, or VmHWM for the peak."""
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"{STATUS} has no line {what}")


def grown(call: Callable[[], Array]) -> float:
    """By how many MB the process grows during a call, at its peak, beside the result."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    CLEAR.write_text("5")  # the peak begins anew
    before = resident("VmRSS")
    result = call()
    return (resident("VmHWM") - before - result.nbytes) / 1e6


def serve(pipe: Connection, name: str, threads: int, dtype: str, rows: Sequence[Workload]) -> None:
    """Send the figure of each row, or why there is none."""
    import cconv

    library = LIBRARIES[name](threads)
    for row in (next(w for w in select("", "tiny") if isinstance(w, Conv)), *rows):
        try:
            call = library.prepare(row, dtype)
            cconv.release_workspace()
            pipe.send(grown(call))
        except Declined as error:
            pipe.send(str(error))


def measure(name: str, threads: int, dtype: str, rows: Sequence[Workload]) -> list[float | str]:
    """The figures of a library, each row computed once in one process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, name, threads, dtype, rows), daemon=True)
    process.start()
    theirs.close()
    try:
        return [ours.recv() for _ in range(1 + len(rows))][1:]
    except EOFError:
        return ["not there"] * len(rows)
    finally:
        process.join(10)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 where cconv is above 8 MB a thread."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory",
        description="Peak memory of a call beside input, weights and output, in MB.",
    )
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", metavar="PATTERN", help="rows whose name has this")
    parser.add_argument("--family", default="", metavar="NAME", help=f"of {', '.join(FAMILIES)}")
    options = parser.parse_args(arguments)
    if not sys.platform.startswith("linux"):
        parser.error("needs Linux, whose processes know their peaks")
    try:
        rows = [
            row
            for row in select(options.only, options.family)
            if isinstance(row, Conv | ConvTranspose)
        ]
    except ValueError as error:
        parser.error(str(error))
    columns = [measure(name, options.threads, options.dtype, rows) for name in PEERS]
    print(f"{options.dtype}, {options.threads} threads: MB beside input, weights and output")
    width = max(len(row.name) for row in rows)
    print(f"{'':{width}}  " + "  ".join(f"{name:>12}" for name in PEERS))
    for row, *figures in zip(rows, *columns, strict=True):
        cells = (f"{f:12.1f}" if isinstance(f, float) else f"{'-':>12}" for f in figures)
        print(f"{row.name:{width}}  " + "  ".join(cells))
    ours = np.array([f for f in columns[0] if isinstance(f, float)])
    most = LIMIT_MB * options.threads
    print(f"cconv takes at most {ours.max():.1f} MB, {most} are its limit; {len(ours)} rows")
    return int(ours.max() > most + OTHER_MB)


if __name__ == "__main__":
    sys.exit(main())
