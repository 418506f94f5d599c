"""How many threads calls use, and what memory they keep."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import SupportsIndex

from cconv import _cache, _threads
from cconv._backend import backend


def set_num_threads(n: SupportsIndex) -> None:
    """Set how many threads calls use, in the whole process.

    A call's own `threads=` and a surrounding `num_threads` go before it; it goes before the
    environment variable CCONV_NUM_THREADS.  Where none of these is set, a call uses what the system
    allows: the least of OpenMP's present maximum, of the processors that the process may run on
    (affinity) and of the processors' time that its control groups leave it (quota, rounded up).
    The last two are looked up once, when they are first needed; a process whose affinity or quota
    changes later calls this function.

    A count is a limit: a call that is too short to gain by a second thread uses one, and so does
    one inside a parallel region of OpenMP and one in a forked child.  Results do not depend on it.

    Parameters
    ----------
    n : int
        At least 1.

    Raises
    ------
    ValueError
        If `n` is out of range.
    TypeError
        If `n` is not an int.

    Examples
    --------
    >>> import cconv
    >>> before = cconv.get_num_threads()
    >>> cconv.set_num_threads(3)
    >>> cconv.get_num_threads()
    3
    >>> cconv.set_num_threads(before)
    """
    _threads.set_for_process(_threads.checked("set_num_threads", "n", n))


def get_num_threads() -> int:
    """Tell how many threads a call without `threads=` may use here and now.

    Returns
    -------
    int
        At least 1; 1 in a process that was forked from one that had OpenMP loaded, whose threads do
        not survive a fork, whatever was set.

    Raises
    ------
    ValueError
        If it comes to the environment variable CCONV_NUM_THREADS, and that is not an int from 1.

    Examples
    --------
    >>> import cconv
    >>> with cconv.num_threads(2):
    ...     cconv.get_num_threads()
    2
    """
    return _threads.in_force()


def num_threads(n: SupportsIndex) -> AbstractContextManager[None]:
    """Set how many threads calls use in the body of a `with` statement.

    The setting is a context variable: it holds in this Python thread or asynchronous task alone,
    and goes before `set_num_threads`.

    Parameters
    ----------
    n : int
        At least 1.

    Returns
    -------
    context manager
        It gives the former setting back when the body ends.  It may be used many times, and as a
        decorator.

    Raises
    ------
    ValueError
        If `n` is out of range.
    TypeError
        If `n` is not an int.

    Examples
    --------
    >>> import cconv
    >>> with cconv.num_threads(1):
    ...     y = cconv.max_pool1d([[1.0, 3.0, 2.0, 0.0]], 2)
    >>> y
    array([[3., 2.]])
    """
    return _threads.ForContext(_threads.checked("num_threads", "n", n))


def release_workspace() -> None:
    """Free the memory that cconv keeps between calls of this Python thread.

    That is its workspace, and what it remembers of the last calls to make the next ones short; not
    what a `ConvPlan` holds.  It is freed with the thread in any case.  The next call allocates what
    it needs again.

    Examples
    --------
    >>> import cconv
    >>> cconv.release_workspace()
    """
    _cache.clear()
    backend.release_workspace()
