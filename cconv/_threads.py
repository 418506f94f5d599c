"""How many threads a call uses: its argument, the context, the process, the environment, the core.

A thread count never changes a result, so nothing but speed hangs on the order in which several
Python threads change these settings.
"""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import SupportsIndex

from cconv import _check
from cconv._backend import backend

MOST = 2**31 - 1  # the C core counts threads in an int

_in_context: ContextVar[int | None] = ContextVar("cconv_num_threads", default=None)
_in_process: int | None = None


def resolve(function: str, threads: SupportsIndex | None) -> int:
    """The thread count of a call that was given `threads`."""
    return current() if threads is None else checked(function, "threads", threads)


def current() -> int:
    """The thread count of a call that was given none."""
    return _in_context.get() or _in_process or default()


def default() -> int:
    """The thread count where nobody has set one in this process."""
    return _in_environment() or backend.max_threads()


def set_for_process(threads: int) -> None:
    """Set the count that holds wherever no context sets one."""
    global _in_process
    _in_process = threads


@contextmanager
def set_for_context(threads: int) -> Iterator[None]:
    """Set the count for the body of a `with` statement."""
    token = _in_context.set(threads)
    try:
        yield
    finally:
        _in_context.reset(token)


def checked(function: str, name: str, threads: SupportsIndex) -> int:
    """`threads` as an int in the range of counts."""
    number = _check.integer(function, name, threads, least=1)
    if number > MOST:
        raise ValueError(f"{function}: {name} is {number}; expected at most {MOST}")
    return number


@functools.cache
def _in_environment() -> int | None:
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
