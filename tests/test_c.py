# Copyright (c) The cconv developers. BSD-3-Clause; see LICENSE.
"""The C core alone, without Python: the programs of tests/c, on every instruction set.

Their buffers lie between pages that must not be touched. With CCONV_SANITIZE, core and programs are
built with those sanitizers as well, the core once for them and for Python, and run on the best
instruction set alone, as the tests in Python then are. A sweep is whole on the best instruction set
and a quarter on the others, whose loops are the same; CCONV_TEST_SHARE=n takes an n-th of that.
"""

from __future__ import annotations

import functools
import os
import re
from typing import TYPE_CHECKING

import pytest
from cases import MATRIX_UNIT
from toolchain import (
    CORE,
    ROOT,
    SANITIZE,
    STRICT,
    built_objects,
    clean_environment,
    core_objects,
    core_sources,
    once,
    openmp_flags,
    run,
    scratch,
    succeed,
    tool,
)

if TYPE_CHECKING:
    from pathlib import Path

SANITIZERS = os.environ.get("CCONV_SANITIZE", "")
ISAS = [""] if SANITIZE else [*["amx"] * MATRIX_UNIT, "avx512", "avx2", "generic"]
SHARE = max(1, int(os.environ.get("CCONV_TEST_SHARE", "1")))
SWEEP = 50_000
SWEEPS = ["sweep_conv", "sweep_transpose", "sweep_pool", "sweep_unfold", "sweep_filter"]


@pytest.fixture(autouse=True, scope="module")
def _once() -> None:
    once()


@functools.cache
def program(name: str) -> Path:
    """Build tests/c/<name>.c with the core, OpenMP and the sanitizers of this run."""
    core_sources()
    compiler = tool("gcc")
    flags = ["-fno-pie", *openmp_flags(compiler)]
    if SANITIZE:
        flags += [f"-fsanitize={SANITIZERS}", "-fno-sanitize-recover=all", "-g", "-O1"]
    source, target = ROOT / "tests" / "c" / f"{name}.c", scratch() / name
    built = os.environ.get("CCONV_OBJECTS")
    objects = built_objects() if built else core_objects(compiler, tuple(flags)).values()
    include = f"-I{CORE / 'include'}"
    options = [compiler, "-std=c11", *STRICT, *flags, "-no-pie", include]
    succeed([*options, source, *objects, "-lm", "-o", target])
    return target


def cases(name: str, isa: str, *arguments: str) -> int:
    """Run a program, which must find no failure; the number of cases it says it tried."""
    # More threads than processors would otherwise spin in each other's way.
    env = clean_environment(CCONV_ISA=isa, OMP_WAIT_POLICY="passive", OMP_DYNAMIC="false")
    output = succeed([program(name), *arguments], env=env).decode()
    report = re.search(r"^(\w+): (\d+) cases, 0 failures$", output, re.MULTILINE)
    assert report is not None, output
    return int(report.group(2))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("test_queries", 5),
        ("test_arguments", 600),
        ("test_workspace", 300),
        ("test_unfold", 600),
        ("test_places", 9000),
        ("test_filter", 120),
        ("test_separable", 4050),
        ("test_large_kernels", 400),
        ("test_plan", 9),
    ],
)
def test_program(name: str, least: int, isa: str) -> None:
    if SANITIZE and name in {"test_filter", "test_workspace"}:
        pytest.skip(
            "takes minutes when watched; guard pages watch it, and the sweeps are watched too"
        )
    assert cases(name, isa) >= least


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", SWEEPS)
def test_sweep(name: str, isa: str) -> None:
    count = SWEEP // SHARE // (1 if isa == ISAS[0] else 4)
    assert cases(name, isa, str(count)) == count


def test_every_program_is_run() -> None:
    core_sources()
    known = {"test_queries", "test_arguments", "test_workspace", "test_unfold", "test_places"}
    known |= {"test_filter", "test_separable", "test_large_kernels", "test_plan"}
    known |= set(SWEEPS)
    assert {path.stem for path in (ROOT / "tests" / "c").glob("*.c")} == known


@pytest.mark.parametrize("name", ["test_queries", "sweep_conv"])
def test_unknown_instruction_set_fails_the_programs(name: str) -> None:
    assert run([program(name), "10"], env=clean_environment(CCONV_ISA="avx3")).returncode != 0
