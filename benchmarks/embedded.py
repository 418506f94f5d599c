"""Time a layer in C programs beside Python: the core in one C file, and the static library.

    python -m benchmarks.embedded [--threads 1 2] [--rounds 20]

Needs a built cconv and a compiler, cc.  Programs and Python take turns, all under OpenMP's usual
policy of waiting: threads spin for some milliseconds behind a call, and before the next turn comes
they sleep.  A figure is the median of the fastest calls of the turns, a ratio the median of
Python's time over the program's in one turn.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import cconv

SOURCE = Path(__file__).with_name("embedded.c")
CALLS = 60
SETTLE_SECONDS = 0.05  # nothing was seen to spin for as long


def config(name: str) -> list[str]:
    """What `python -m cconv config` answers."""
    command = [sys.executable, "-m", "cconv", "config", f"--{name}"]
    return shlex.split(subprocess.check_output(command, text=True))


def build(folder: Path) -> dict[str, Path]:
    """Both programs, as docs/embedding.md builds them, with OpenMP."""
    ways = {"one C file": ["-fopenmp", *config("sources"), "-lm"], "library": config("libs")}
    programs = {}
    for name, flags in ways.items():
        programs[name] = folder / name.replace(" ", "-")
        command = ["cc", "-O2", *config("cflags"), str(SOURCE), *flags, "-o", str(programs[name])]
        subprocess.run(command, check=True)
    return programs


def in_python(threads: int) -> Callable[[], float]:
    """Seconds of the fastest of CALLS calls of the function."""
    image = (np.arange(64 * 56 * 56) * 37 % 101).astype(np.float32).reshape(1, 64, 56, 56) / 101
    weight = (np.arange(64 * 64 * 9) * 53 % 89).astype(np.float32).reshape(64, 64, 3, 3) / 89
    out = np.empty_like(image)

    def turn() -> float:
        best = np.inf
        for _ in range(CALLS):
            start = time.perf_counter()
            cconv.conv2d(image, weight, padding=1, out=out, threads=threads)
            best = min(best, time.perf_counter() - start)
        return best

    return turn


def in_program(program: Path, threads: int) -> Callable[[], float]:
    """Seconds of the fastest of CALLS calls in the program, which waits between turns."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([program, str(threads)], **pipes)

    def turn() -> float:
        assert process.stdin is not None
        assert process.stdout is not None
        print(CALLS, file=process.stdin, flush=True)
        return float(process.stdout.readline())

    return turn


def compare(programs: dict[str, Path], threads: int, rounds: int) -> None:
    """Let them take turns, and print a line for each."""
    turns = {"Python": in_python(threads)}
    turns |= {name: in_program(path, threads) for name, path in programs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, turn in turns.items():
            time.sleep(SETTLE_SECONDS)
            seconds[name].append(turn())
    for name, times in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(seconds["Python"], times, strict=True))
        print(f"{threads} threads  {name:<12}{statistics.median(times) * 1e6:9.1f} us {ratio:7.3f}")


def main() -> None:
    """Read the options and compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        programs = build(Path(folder))
        for threads in given.threads:
            compare(programs, threads, given.rounds)


if __name__ == "__main__":
    main()
