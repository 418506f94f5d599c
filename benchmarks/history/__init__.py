"""What asv runs: a file for each family of calls, over rows of the frozen workloads.

asv imports this package by its own path and gives it no other of the checkout, so that the cconv
which is timed is the one that is installed, and not the folder beside. Two things could still be
timed by mistake, and no process gets past this import with them: the NumPy reference, and a cconv
from outside the environment that asv built for a commit.
"""

import importlib.util
import os
import sys
from pathlib import Path

__all__: list[str] = []


def _find_benchmarks() -> None:
    """Make `benchmarks` importable, and not its parent folder, in which a cconv lies."""
    folder = Path(__file__).resolve().parent.parent
    spec = importlib.util.spec_from_file_location(
        "benchmarks", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["benchmarks"] = package
    spec.loader.exec_module(package)


def _refuse_the_wrong_code() -> None:
    """Raise unless the C core runs, in a commit's own environment where asv has made one."""
    import cconv

    facts = cconv.show_config("dicts")
    if facts["backend"] != "c":
        raise RuntimeError(
            f"this cconv runs on its NumPy reference, which is not timed: {facts['reason']}"
        )
    environment = os.environ.get("ASV_ENV_DIR")
    place = Path(cconv.__file__).resolve()
    if environment and not place.is_relative_to(Path(environment).resolve()):
        raise RuntimeError(
            f"asv built {os.environ.get('ASV_COMMIT', 'a commit')} into {environment!r}, but the "
            f"cconv that would be timed is {cconv.__file__!r}"
        )


if "benchmarks" not in sys.modules:
    _find_benchmarks()
_refuse_the_wrong_code()
