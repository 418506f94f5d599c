"""How many threads a call uses: its argument, context, process, environment, or the system.

A thread count never changes a result, so nothing but speed hangs on the order in which several
Python threads change these settings.

What the system allows is the least of three numbers.  OpenMP's maximum is asked for at every call,
so that whoever sets it later, such as threadpoolctl, sets it for cconv too.  Affinity and quota are
looked up when they are first needed and then kept for the life of the process: asking takes longer
than a small convolution.
"""

import math
import os
import re
import sys
import warnings
from contextlib import ContextDecorator
from contextvars import ContextVar
from pathlib import Path, PurePosixPath
from typing import Any, SupportsIndex

from cconv import _check, _openmp
from cconv._backend import backend

MOST = 2**31 - 1  # the C core counts threads in an int

# Where one of these is set, OpenMP ties threads to processors, among them the one that calls: its
# mask is then one place of many.  OpenMP counted the processors before it did so.
_BINDING = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")

_in_context: ContextVar[tuple[int, ...]] = ContextVar("cconv_num_threads", default=())
_in_process: int | None = None
_in_environment: int | None = None  # these three are known when `_processors` is not 0
_affinity: int | None = None
_quota: int | None = None
_processors = 0
_most_of_openmp = backend.max_threads


def resolve(function: str, threads: SupportsIndex | None) -> int:
    """The thread count of a call that was given `threads`."""
    return current() if threads is None else checked(function, "threads", threads)


def current() -> int:
    """The thread count of a call that was given none."""
    counts = _in_context.get()  # of the `with` statements around
    return counts[-1] if counts else _in_process or default()


def in_force() -> int:
    """The number of threads that such a call really gets."""
    return 1 if backend.forked() else current()


def default() -> int:
    """The thread count where nobody has set one in this process."""
    if not _processors:
        _look()
    if _in_environment:
        return _in_environment
    most = _most_of_openmp()
    return most if most < _processors else _processors  # min() takes longer than all the rest


def set_for_process(threads: int) -> None:
    """Set the count that holds wherever no context sets one."""
    global _in_process
    _in_process = threads


class ForContext(ContextDecorator):
    """Sets the count for the body of a `with` statement, or of several, also one in the other."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def __enter__(self) -> None:
        _in_context.set((*_in_context.get(), self._threads))

    def __exit__(self, *exception: object) -> None:
        _in_context.set(_in_context.get()[:-1])


def checked(function: str, name: str, threads: SupportsIndex) -> int:
    """`threads` as an int in the range of counts."""
    if type(threads) is int and 1 <= threads <= MOST:
        return threads  # what nearly every call gives needs no more questions
    number = _check.integer(function, name, threads, least=1)
    if number > MOST:
        raise ValueError(f"{function}: {name} is {number}; expected at most {MOST}")
    return number


def describe() -> dict[str, Any]:
    """Every number that has a say, for `show_config`; None for one that was not set or found."""
    return {
        "now": in_force(),
        "default": default(),  # looks up what comes below
        "forked": backend.forked(),
        "num_threads": next(reversed(_in_context.get()), None),
        "set_num_threads": _in_process,
        "CCONV_NUM_THREADS": _in_environment,
        "openmp": _most_of_openmp(),
        "affinity": _affinity,
        "quota": _quota,
        "runtimes": _openmp.runtimes(),
    }


def affinity() -> int | None:
    """Processors that the main thread may run on; None where only OpenMP knows."""
    if not hasattr(os, "sched_getaffinity") or any(name in os.environ for name in _BINDING):
        return None
    # Not those of the thread that happens to call first: a pool may tie its threads one by one.
    return len(os.sched_getaffinity(os.getpid()))


def quota(root: str = "/") -> int | None:
    """Processors' worth of time that control groups leave this process, rounded up.

    A limit binds all groups below it, so all from the process's own up to the root are asked.  A
    container often sees its own group as the root, and not under the name that the process has.
    """
    least = math.inf
    for line in _openmp.read(Path(root, "proc/self/cgroup")).splitlines():
        _, controllers, name = line.split(":", 2)
        own = PurePosixPath(name).relative_to("/")
        for group in (own, *own.parents):
            if not controllers:  # version 2
                limit = _openmp.read(Path(root, "sys/fs/cgroup", group, "cpu.max"))
            elif "cpu" in controllers.split(","):
                folder = Path(root, "sys/fs/cgroup/cpu", group)
                limit = _openmp.read(folder / "cpu.cfs_quota_us") + _openmp.read(
                    folder / "cpu.cfs_period_us"
                )
            else:
                break
            # Both in microseconds; a quota of "max" or -1 is none.
            if numbers := re.fullmatch(r"(\d+)\s+([1-9]\d*)\s*", limit):
                least = min(least, int(numbers[1]) / int(numbers[2]))
    return None if least == math.inf else max(1, math.ceil(least))


def _warn_of_fork() -> None:
    """Say, at the line outside cconv that made the call, why it ran on one thread."""
    level, frame = 1, sys._getframe()
    # A caller's code need have no name: that of exec() has none.
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("cconv."):
        level, frame = level + 1, frame.f_back
    warnings.warn(
        "cconv runs on one thread in this process, because it was forked from one that had OpenMP "
        "loaded, whose threads do not survive a fork. Start processes by 'spawn' or "
        "'forkserver', as in multiprocessing.get_context('spawn'), for cconv to use several, or "
        "call cconv.set_num_threads(1) in the child to confirm one.",
        RuntimeWarning,
        stacklevel=level,
    )


def _look() -> None:
    global _in_environment, _affinity, _quota, _processors
    _in_environment = _environment()
    _affinity, _quota = affinity(), quota()
    _processors = min(_affinity or MOST, _quota or MOST)


def _environment() -> int | None:
    text = os.environ.get("CCONV_NUM_THREADS")
    if not text:
        return None
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= MOST:
        raise ValueError(
            f"the environment variable CCONV_NUM_THREADS is {text!r}; expected an int from 1 to "
            f"{MOST}"
        )
    return number


backend.tell_when_held_back(_warn_of_fork)
if _openmp.forked:
    backend.set_forked()
