"""Plans and pools of recent calls, so that a call like an earlier one need not be checked again.

Each Python thread has its own.  A call is told by the headers of its arrays and by its arguments,
never by where an array lies or what it holds.
"""

import threading
from collections.abc import Callable
from typing import Any

from cconv._backend import Plan, Pool

MOST = 64  # of each kind a thread; one takes up to 3 kB

Key = tuple[Any, ...]


class _Recent(threading.local):
    """What this thread keeps, by the calls it serves, the oldest first."""

    def __init__(self) -> None:
        self.plans: dict[Key, Plan] = {}
        self.pools: dict[Key, Pool] = {}
        self.filters: dict[Key, Callable[[Any, Any], Any]] = {}


recent = _Recent()


def remember(kept: dict[Key, Any], key: Key, value: Any) -> None:
    """Keep a plan or a pool for calls to come, in the place of the oldest if there are too many.

    A signal's handler may call cconv, which comes here, between any two of these lines.
    """
    oldest = list(kept)  # at once: an iterator would not outlive a change
    if len(oldest) >= MOST:
        kept.pop(oldest[0], None)
    kept[key] = value


def clear() -> None:
    """Forget what this thread keeps."""
    recent.plans.clear()
    recent.pools.clear()
    recent.filters.clear()
