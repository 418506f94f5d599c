# Copyright (c) The cconv developers. BSD-3-Clause; see LICENSE.
"""What asv finds, and what it must not time; no time is judged."""

from __future__ import annotations

import importlib
import inspect
import itertools
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import toolchain
from toolchain import ROOT

import cconv

shapes = toolchain.load_benchmarks()
from benchmarks import libraries  # noqa: E402
from benchmarks.workloads import Conv, ConvTranspose  # noqa: E402

HISTORY = ROOT / "benchmarks" / "history"
FILES = sorted(path.stem for path in HISTORY.glob("[a-z]*.py") if path.stem != "common")


def configuration() -> dict[str, Any]:
    return json.loads((ROOT / "benchmarks" / "asv.conf.json").read_text(encoding="utf-8"))


def measures() -> Iterator[tuple[str, type]]:
    """The classes that asv finds, with the names it gives them."""
    for name in FILES:
        module = importlib.import_module(f"benchmarks.history.{name}")
        for attribute, value in vars(module).items():
            found = isinstance(value, type) and value.__module__ == module.__name__
            if found and not inspect.isabstract(value):
                yield f"{name}.{attribute}", value


def test_asv_is_pinned_alike_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asv, runner = project["dependency-groups"]["bench"]
    assert re.fullmatch(r"asv\[virtualenv\]==[\d.]+", asv)
    assert re.fullmatch(r"asv_runner==[\d.]+", runner)
    conf = configuration()
    assert (
        sum(command.endswith(f"pip install {runner}") for command in conf["install_command"]) == 1
    )
    names = {re.split("[<>=]", text)[0] for text in project["build-system"]["requires"]}
    assert conf["matrix"]["req"].keys() == names


def test_asv_builds_the_core_or_nothing_and_writes_into_build() -> None:
    conf = configuration()
    assert conf["matrix"]["env"] == {"CCONV_REQUIRE_EXT": ["1"]}
    assert all("--no-build-isolation" in command for command in conf["build_command"])
    assert conf["benchmark_dir"] == HISTORY.name
    for name in ("env_dir", "results_dir", "html_dir"):
        assert conf[name].startswith("../build/asv/")


@pytest.mark.usefixtures("core")
def test_asv_finds_a_file_for_each_family() -> None:
    assert FILES == ["conv", "conv_transpose", "filter", "overhead", "pool"]
    assert [name for name, _ in measures()] == [
        "conv.Time",
        "conv.PlanTime",
        "conv.Memory",
        "conv.Rate",
        "conv_transpose.Time",
        "conv_transpose.PlanTime",
        "conv_transpose.Memory",
        "conv_transpose.Rate",
        "filter.Time",
        "filter.Memory",
        "filter.Rate",
        "overhead.Time",
        "overhead.PlanTime",
        "overhead.Import",
        "pool.Time",
        "pool.Memory",
    ]


@pytest.mark.usefixtures("core")
def test_rows_of_asv_are_frozen_ones_of_every_family() -> None:
    from benchmarks.history import common

    timed: set[str] = set()
    for name, measure in measures():
        if name == "overhead.Import":
            continue
        rows, modes, threads = measure.params
        assert set(rows) <= common.ROWS.keys()
        assert len(set(rows)) == len(rows) > 0
        assert threads in ((1,), (1, 2))
        planned = set(modes) & set(common.PLAN_MODES)
        assert modes[0] == ("plan" if measure.__name__ == "PlanTime" else "function")
        assert not planned or all(isinstance(common.ROWS[r], Conv | ConvTranspose) for r in rows)
        assert len(measure.param_names) == len(measure.params)
        if measure.__name__ == "Rate":
            assert all(common.ROWS[row].flops for row in rows)
        if issubclass(measure, common.Time):
            assert measure.rounds * measure.repeat[0] >= 6
            timed |= set(rows)
    assert {row.partition("/")[0] for row in timed} == set(shapes.FAMILIES)
    assert len(timed) <= 130  # or a run takes too long


@pytest.mark.usefixtures("core")
def test_rows_of_asv_are_the_ends_of_their_kind() -> None:
    from benchmarks.history import common

    names = common.largest_and_smallest(Conv)
    (most,) = [n for n in common.largest(Conv) if n.startswith("convnext_t/") and "g" in n]
    assert most == "convnext_t/conv7x7g96-96-96-at56"
    assert {n for n in names if n.startswith("convnext_t/") and "g" in n} == {
        most,
        "convnext_t/conv7x7g768-768-768-at7",
    }
    assert not any(name.startswith("tiny/") for name in names)
    rows = {row.name: row for row in shapes.WORKLOADS}
    same = "resnet50/conv3x3-64-64-at56", "resnet50/conv3x3-128-128-at28"
    other = "resnet50/conv3x3s2-128-128-at56", "resnet50/conv1x1-64-64-at56"
    assert len({common.kind(rows[name]) for name in same}) == 1
    assert len({common.kind(rows[name]) for name in (*same, *other)}) == 3


@pytest.mark.usefixtures("core")
def test_a_call_of_asv_is_made_once() -> None:
    from benchmarks.history import overhead

    assert overhead.Time.params[1] == ("function", "function with out")
    assert overhead.PlanTime.params[1] == ("plan", "plan with out")
    before = cconv.get_num_threads()
    for timed in (overhead.Time(), overhead.PlanTime()):
        rows, modes, threads = timed.params
        for name, mode in itertools.product(rows, modes):
            timed.setup(name, mode, *threads)
            call, number = timed.call, timed.number
            timed.setup(name, mode, *threads)
            assert (timed.call, timed.number) == (call, number)
            assert number >= 1
            assert timed.call().shape == shapes.select(name)[0].output_shape
            assert (timed.call() is timed.call()) is mode.endswith("with out")
        with pytest.raises(NotImplementedError, match="more than there are"):
            timed.setup(rows[0], modes[0], 4096)
    cconv.set_num_threads(before)


@pytest.mark.usefixtures("core")
def test_asv_leaves_plans_out_where_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.history import overhead

    monkeypatch.delattr(cconv, "ConvPlan")
    timed = overhead.PlanTime()
    with pytest.raises(NotImplementedError, match="no plans"):
        timed.setup(timed.params[0][0], "plan", 1)


@pytest.mark.usefixtures("core")
def test_memory_is_that_of_the_call_and_not_of_drawing() -> None:
    from benchmarks.history import common

    for row in shapes.select(family="tiny"):
        x, weight = common.constant(row, "float32")
        drawn = libraries.inputs(row, "float32")
        assert (x.shape, x.dtype) == (drawn[0].shape, drawn[0].dtype)
        if drawn[1].size:
            assert (weight.shape, weight.dtype) == (drawn[1].shape, drawn[1].dtype)


@pytest.mark.usefixtures("core")
def test_rates_of_asv_are_in_their_units(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.history import common, conv

    monkeypatch.setattr(common, "RATE_SECONDS", 1e-3)
    rate = conv.Rate()
    arguments = ("tcn/conv7-25-25-at784", "function", 1)
    before = cconv.get_num_threads()
    rate.setup(*arguments)
    assert 0.01 < rate.track_gflops(*arguments) < 1e4
    # Of a peak that was measured for a moment, perhaps a busy one: any percentage may come out.
    assert 0.01 < rate.track_percent_of_peak(*arguments) < 1e4
    assert rate.track_gflops.unit == "GFLOP/s"
    assert rate.track_percent_of_peak.unit == "% of the FMA peak"
    cconv.set_num_threads(before)


def import_as_asv_does(**environment: str) -> subprocess.CompletedProcess[bytes]:
    """Import the classes of a family by the package's own path, outside this checkout."""
    code = (
        "import importlib.util, sys\n"
        f"folder = {str(HISTORY)!r}\n"
        "spec = importlib.util.spec_from_file_location('history', folder + '/__init__.py',\n"
        "                                              submodule_search_locations=[folder])\n"
        "sys.modules['history'] = package = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(package)\n"
        "import history.conv\n"
        "print(history.conv.Time.params[2])\n"
    )
    place = Path(cconv.__file__).parent.parent
    given = toolchain.clean_environment(PYTHONPATH=str(place), **environment)
    command = [sys.executable, "-W", "ignore", "-c", code]
    return toolchain.run(command, env=given, cwd=toolchain.scratch())


@pytest.mark.usefixtures("core")
def test_asv_times_the_core() -> None:
    done = import_as_asv_does()
    assert (done.returncode, done.stdout) == (0, b"(1, 2)\n"), done.stderr


def test_asv_refuses_the_reference() -> None:
    done = import_as_asv_does(CCONV_BACKEND="python")
    assert done.returncode == 1
    assert (
        b"RuntimeError: this cconv runs on its NumPy reference, which is not timed" in done.stderr
    )


@pytest.mark.usefixtures("core")
def test_asv_refuses_a_cconv_from_elsewhere(tmp_path: Path) -> None:
    done = import_as_asv_does(ASV_ENV_DIR=str(tmp_path), ASV_COMMIT="0123abcd")
    assert done.returncode == 1
    assert b"RuntimeError: asv built 0123abcd into" in done.stderr
