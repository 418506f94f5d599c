# Copyright (c) The cconv developers. BSD-3-Clause; see LICENSE.
"""What several test files need of the machine: the sources, compilers, binutils and the extension.

A check that cannot run on a machine is skipped with its reason. Where ``CI=true`` the tools are
expected to be there, so the same absence is a failure: otherwise a check could vanish unnoticed.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "src_c"
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
SANITIZE = os.environ.get("CCONV_SANITIZE", "") not in {"", "0"}

# What the core promises to compile with; every compile in the tests starts from these.
STRICT = ("-O2", "-Wall", "-Wextra", "-Wshadow", "-Werror")
INCLUDES = (f"-I{CORE / 'include'}", f"-I{CORE}")

_TOKEN = re.compile(
    r"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""", re.DOTALL | re.VERBOSE
)


def absent(reason: str) -> None:
    """Skip the test for `reason`; fail it where the continuous integration runs."""
    if IN_CI:
        pytest.fail(f"{reason} (a failure because CI is set)")
    pytest.skip(reason)


def once() -> None:
    """Skip in the runs that repeat the tests on another backend or instruction set.

    For tests that choose both themselves: they would only do the same again.
    """
    again = [name for name in ("CCONV_BACKEND", "CCONV_ISA") if os.environ.get(name)]
    if again:
        pytest.skip(f"does not depend on {' and '.join(again)}: tested in the run without")


def load_benchmarks() -> ModuleType:
    """Import the workloads, without the root of the checkout on the path, where a cconv may lie."""
    folder = ROOT / "benchmarks"
    if not folder.is_dir():
        pytest.skip("benchmarks is not beside the tests", allow_module_level=True)
    if "benchmarks" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "benchmarks", folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None
        assert spec.loader is not None
        sys.modules["benchmarks"] = package = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(package)
    return importlib.import_module("benchmarks.shapes")


def tool(name: str) -> str:
    """Path of the program `name`, or no test."""
    path = shutil.which(name)
    if path is None:
        absent(f"no {name} on this machine")
    assert path is not None
    return path


def core_sources() -> list[Path]:
    """Every C file of the core, or no test where the sources are not beside the tests."""
    if not (CORE / "include" / "cconv.h").is_file():
        pytest.skip("src_c is not beside the tests (they run against an installed package)")
    return sorted(CORE.rglob("*.c"))


def built_core() -> Path:
    """File of the compiled extension ``cconv._core``, or no test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        spec = importlib.util.find_spec("cconv._core")
    if spec is None or spec.origin is None or spec.origin.endswith(".py"):
        if os.environ.get("CCONV_REQUIRE_EXT") == "1":
            pytest.fail("cconv._core is not built, and CCONV_REQUIRE_EXT=1 asks for it")
        pytest.skip("cconv._core is not built: cconv runs on its NumPy reference")
    return Path(spec.origin)


def strip(text: str, *, strings: bool) -> str:
    """C without its comments, and without what its strings hold unless `strings`; lines stay."""

    def blank(match: re.Match[str]) -> str:
        token = match.group()
        if token[0] in "\"'":
            return token if strings else token[0] * 2
        return " " + "\n" * token.count("\n")

    return _TOKEN.sub(blank, text)


@functools.cache
def scratch() -> Path:
    """A folder for what is built once a session; removed at its end."""
    folder = Path(tempfile.mkdtemp(prefix="cconv-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def clean_environment(**extra: str) -> dict[str, str]:
    """The environment without cconv's variables and without preloaded libraries, plus `extra`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CCONV_") and name not in {"LD_PRELOAD", "PYTHONPATH"}
    }
    return kept | extra


def run(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = 900,
) -> subprocess.CompletedProcess[bytes]:
    """Run `command` and capture what it writes; the caller judges the exit status."""
    return subprocess.run(
        [str(part) for part in command],
        env=dict(clean_environment() if env is None else env),
        cwd=cwd,
        timeout=timeout,
        capture_output=True,
        check=False,
    )


def succeed(command: Sequence[str | Path], **options: object) -> bytes:
    """Run `command`, require exit status 0, and return its standard output."""
    done = run(command, **options)  # type: ignore[arg-type]
    assert done.returncode == 0, "\n".join(
        [
            f"exit status {done.returncode}: {' '.join(str(part) for part in command)}",
            done.stdout[-4000:].decode(errors="replace"),
            done.stderr[-8000:].decode(errors="replace"),
        ]
    )
    return done.stdout


@functools.cache
def openmp_flags(compiler: str) -> tuple[str, ...]:
    """``("-fopenmp",)`` where `compiler` compiles and links with it, else nothing."""
    source = scratch() / "probe.c"
    source.write_text("#include <omp.h>\nint main(void) { return !omp_get_max_threads(); }\n")
    done = run([compiler, "-fopenmp", source, "-o", scratch() / "probe"])
    return ("-fopenmp",) if done.returncode == 0 else ()


def of_kernels(flags: tuple[str, ...]) -> tuple[str, ...]:
    """The flags of the kernels' files, whose only sanitizer is that of addresses: see setup.py."""
    kept = tuple(flag for flag in flags if not flag.startswith("-fsanitize="))
    if any("address" in flag for flag in flags if flag not in kept):
        kept += ("-fsanitize=address", "--param=asan-instrumentation-with-call-threshold=0")
    return kept


def built_objects() -> list[Path]:
    """Objects of the core in the folder CCONV_OBJECTS, which `make asan` has built already."""
    folder = Path(os.environ["CCONV_OBJECTS"])
    return [folder / source.relative_to(ROOT).with_suffix(".o") for source in core_sources()]


@functools.cache
def core_objects(compiler: str, flags: tuple[str, ...]) -> dict[Path, Path]:
    """Compile each C file of the core alone; maps the source to its object. Done once a session."""
    sources = core_sources()
    folder = Path(tempfile.mkdtemp(dir=scratch()))

    def compile_one(source: Path) -> Path:
        target = folder / ("_".join(source.relative_to(CORE).parts) + ".o")
        own = of_kernels(flags) if source.name.startswith("isa_") else flags
        succeed([compiler, "-std=c11", *STRICT, *own, *INCLUDES, "-c", source, "-o", target])
        return target

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(sources, pool.map(compile_one, sources), strict=True))
