"""One thread for torch, and the number of drawn cases: counted, shown, and enough of them.

A drawn case counts when its test has come to an end without an exception: an example that
hypothesis gives up, or a test that does not run, adds nothing.
"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

FOLDER = Path(__file__).parent
LEAST = 5000  # drawn cases of a run of the whole folder

torch.set_num_threads(1)


class Count:
    """Counts the drawn cases of a session, and whether a part of the tests was left out."""

    def __init__(self) -> None:
        self.cases = 0
        self.partial = False

    def counting(self, test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(*arguments: Any, **keywords: Any) -> None:
            test(*arguments, **keywords)
            self.cases += 1

        return run

    def __str__(self) -> str:
        return f"{self.cases} drawn cases compared; at least {LEAST} expected of the whole folder"


COUNT = pytest.StashKey[Count]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[COUNT] = Count()


def pytest_collection_modifyitems(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Count in the function that hypothesis calls for each example, once for each function."""
    ours = [getattr(item, "obj", None) for item in items if FOLDER in item.path.parents]
    for test in set(ours):
        if hasattr(test, "hypothesis"):
            test.hypothesis.inner_test = config.stash[COUNT].counting(test.hypothesis.inner_test)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    for item in items[:1]:
        item.config.stash[COUNT].partial = True


def is_whole(config: pytest.Config) -> bool:
    """Whether the tests of this folder were all asked for, and to be run."""
    asked = {(config.invocation_params.dir / argument).resolve() for argument in config.args}
    named = not asked.isdisjoint((FOLDER, *FOLDER.parents))
    return named and not config.stash[COUNT].partial and not config.option.collectonly


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    enough = session.config.stash[COUNT].cases >= LEAST
    if exitstatus == pytest.ExitCode.OK and is_whole(session.config) and not enough:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    count = config.stash[COUNT]
    short = is_whole(config) and count.cases < LEAST
    terminalreporter.section("conformance", red=short)
    terminalreporter.write_line(str(count), red=short)
