# Copyright (c) The cconv developers. BSD-3-Clause; see LICENSE.
"""The frozen workloads, how libraries are called, what is made of figures; no time is judged."""

from __future__ import annotations

import os
import sys
import time
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toolchain
from toolchain import ROOT

import cconv

shapes = toolchain.load_benchmarks()
from benchmarks import libraries, peers, prepacked, report, worker  # noqa: E402
from benchmarks.workloads import Conv, ConvTranspose, Filter, Pool, Workload  # noqa: E402

ROWS = pytest.mark.parametrize("row", shapes.WORKLOADS, ids=lambda row: row.name)


def expected_shape(row: Workload) -> tuple[int, ...]:
    """The output shape by cconv's own shape functions."""
    if isinstance(row, Filter):
        one = (1, 1, *row.input_shape)
        return cconv.conv_output_shape(one, (1, 1, *row.kernel), padding="same")[2:]
    if isinstance(row, Conv):
        return cconv.conv_output_shape(
            row.input_shape, row.weight_shape, row.stride, row.padding, row.dilation, row.groups
        )
    if isinstance(row, ConvTranspose):
        return cconv.conv_transpose_output_shape(
            row.input_shape,
            row.weight_shape,
            row.stride,
            row.padding,
            row.output_padding,
            row.groups,
            row.dilation,
        )
    assert isinstance(row, Pool)
    return cconv.pool_output_shape(
        row.input_shape, row.kernel, row.stride, row.padding, row.dilation
    )


@ROWS
def test_output_shape_is_that_of_cconv(row: Workload) -> None:
    assert row.output_shape == expected_shape(row)


@ROWS
def test_work_and_bytes(row: Workload) -> None:
    if isinstance(row, Pool):
        assert row.flops is None
    if row.flops is not None:
        assert row.flops >= 2 * row.weight_size
    least = prod(row.input_shape) + prod(row.output_shape)
    assert row.least_bytes(4) == 4 * (least + row.weight_size)
    assert row.least_bytes(8) == 2 * row.least_bytes(4)
    assert row.terms >= 1


def test_names_are_unique() -> None:
    names = [row.name for row in shapes.WORKLOADS]
    assert len(set(names)) == len(names)
    assert all(row.name.startswith(f"{row.family}/") for row in shapes.WORKLOADS)


def test_layers_are_distinct() -> None:
    layers = [row.name.partition("/")[2] for row in shapes.WORKLOADS]
    assert len(set(layers)) == len(layers)


@pytest.mark.parametrize(
    "name",
    [
        "resnet50/conv7x7s2-3-64-at224",
        "resnet50/conv3x3-64-64-at56",
        "resnet50/max3x3s2-64-at112",
        "mobilenet_v2/conv3x3g144-144-144-at56",
        "inception_v3/conv1x7-128-128-at17",
        "unet/conv3x3p0-1-64-at572",
        "unet/up2x2s2-1024-512-at28",
        "fsrcnn/up9x9s3o2-56-1-at256",
        "wavenet/conv2d64p0-64-128-at16064",
        "deepbench/conv5x20s2p0-1-32-at161x700",
        "yolo/max9x9-256-at20",
        "image/dense31x31-at2048",
        "signal/dense1023-at1048576",
        "tiny/conv3x3-8-8-at8",
    ],
)
def test_names_are_stable(name: str) -> None:
    assert [row.name for row in shapes.WORKLOADS].count(name) == 1


def test_flops_of_resnet50() -> None:
    """The whole network has 4.087 G multiply-adds in its convolutions; counted by hand."""
    layers = [row for row in shapes.select(family="resnet50") if isinstance(row, Conv)]
    assert len(layers) == 23
    by_name = {row.name.partition("/")[2]: row.flops // 2 for row in layers}
    times = {
        "conv7x7s2-3-64-at224": 1,
        "conv1x1-64-64-at56": 1,
        "conv3x3-64-64-at56": 3,
        "conv1x1-64-256-at56": 4,  # three blocks and the projection
        "conv1x1-256-64-at56": 2,
    }
    for size, width, blocks in ((56, 128, 4), (28, 256, 6), (14, 512, 3)):
        half = size // 2
        times[f"conv1x1-{2 * width}-{width}-at{size}"] = 1
        times[f"conv3x3s2-{width}-{width}-at{size}"] = 1
        times[f"conv1x1-{width}-{4 * width}-at{half}"] = blocks
        times[f"conv1x1s2-{2 * width}-{4 * width}-at{size}"] = 1
        times[f"conv1x1-{4 * width}-{width}-at{half}"] = blocks - 1
        times[f"conv3x3-{width}-{width}-at{half}"] = blocks - 1
    assert by_name.keys() == times.keys()
    assert by_name["conv7x7s2-3-64-at224"] == 112 * 112 * 64 * 147
    assert by_name["conv3x3-64-64-at56"] == 115_605_504
    assert sum(by_name[name] * count for name, count in times.items()) == 4_087_136_256


def test_flops_of_vgg16() -> None:
    """15.35 G multiply-adds in the convolutions."""
    layers = [row for row in shapes.select(family="vgg16") if isinstance(row, Conv)]
    times = [1, 1, 1, 1, 1, 2, 1, 2, 3]
    total = sum(row.flops // 2 * count for row, count in zip(layers, times, strict=True))
    assert total == 15_346_630_656


def test_flops_of_others() -> None:
    def flops(name: str) -> int | None:
        (row,) = shapes.select(name)
        return row.flops

    assert flops("mobilenet_v2/conv3x3g144-144-144-at56") == 2 * 144 * 56 * 56 * 9
    assert flops("unet/up2x2s2-1024-512-at28") == 2 * 1024 * 512 * 28 * 28 * 4
    assert flops("image/dense31x31-at2048") == 2 * 31 * 31 * 2048 * 2048
    assert flops("image/gaussian31x31-at2048") == 2 * 62 * 2048 * 2048
    assert flops("image/box63x63-at2048") is None


def test_select() -> None:
    assert shapes.select() == shapes.WORKLOADS
    assert {row.family for row in shapes.select(family="tiny")} == {"tiny"}
    assert {row.operator for row in shapes.select("up", "dcgan")} == {"conv_transpose"}
    assert [row.name for row in shapes.select("tiny/*8-at64")] == ["tiny/conv3-8-8-at64"]
    with pytest.raises(ValueError, match="no family 'resnet51'; there are resnet50"):
        shapes.select(family="resnet51")
    with pytest.raises(ValueError, match="no workload of vgg16 has '9x9' in its name"):
        shapes.select("9x9", "vgg16")


# ---------------------------------------------------------------------------- libraries beside it


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", shapes.select(family="tiny"), ids=lambda row: row.name)
def test_call_of_cconv(row: Workload, dtype: str) -> None:
    library = libraries.Cconv(cconv.get_num_threads())
    result = library.prepare(row, dtype)()
    assert result.shape == row.output_shape
    assert result.dtype == dtype
    x, w = libraries.inputs(row, dtype)
    if isinstance(row, Conv | ConvTranspose):
        assert w.shape == row.weight_shape
    assert 0.0 <= libraries.tolerance(row, dtype) < 1e-3 * np.abs(x).max()


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("row", shapes.select(family="tiny"), ids=lambda row: row.name)
def test_cconv_in_a_run_with_plans(row: Workload) -> None:
    """Plans of convolutions, functions of the rest; each writes where the last call wrote."""
    threads = cconv.get_num_threads()
    ((mode, call),) = prepacked.PREPACKED["cconv"](threads).ways(row, "float32").items()
    planned = isinstance(row, Conv | ConvTranspose)
    assert mode == ("plan with out" if planned else "function with out")
    result = call()
    assert call() is result
    ((mode, call),) = libraries.LIBRARIES["cconv"](threads).ways(row, "float32").items()
    assert mode == "function"
    assert call() is not result
    np.testing.assert_array_equal(call(), result)


# In a process of its own, for libraries keep settings for the life of a process.
COMPARE = """
import sys
import numpy as np
import toolchain
shapes = toolchain.load_benchmarks()
from benchmarks import libraries, prepacked
name, dtype = sys.argv[1:]
mine = libraries.Cconv(1)
try:
    library = prepacked.PREPACKED[name](1)
except ImportError:
    print("missing")
    sys.exit()
for row in shapes.select(family="tiny"):
    try:
        ways = library.ways(row, dtype)
    except libraries.Declined:
        continue
    expected, limit = mine.prepare(row, dtype)(), libraries.tolerance(row, dtype)
    for mode, call in ways.items():
        call()
        error = np.abs(call() - expected).max()
        print(row.name, mode, call().dtype, "right" if error <= limit else f"off by {error}")
"""


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [name for name in prepacked.PREPACKED if name != "cconv"])
def test_prepacked_libraries_compute_the_same(name: str, dtype: str) -> None:
    toolchain.once()
    places = (ROOT / "tests", Path(cconv.__file__).parent.parent)
    given = toolchain.clean_environment(PYTHONPATH=os.pathsep.join(map(str, places)))
    command = [sys.executable, "-c", COMPARE, name, dtype]
    text = toolchain.succeed(command, env=given, cwd=toolchain.scratch()).decode()
    if text == "missing\n":
        pytest.skip(f"no {name} here")
    lines = text.splitlines()
    assert lines
    assert all(line.endswith(f" {dtype} right") for line in lines), text
    if name == "torch" and dtype == "float32":
        assert sum(" prepacked " in line for line in lines) == 6


def test_both_kinds_of_run_have_the_same_libraries() -> None:
    assert list(prepacked.PREPACKED) == list(libraries.LIBRARIES)


def test_filters_have_the_same_weights_everywhere() -> None:
    row = Filter("image", (31, 31), "gaussian", 7)
    one = np.zeros(31)
    one[15] = 1.0
    found = cconv.ndimage.gaussian_filter(one, row.sigma, radius=3, mode="constant")
    np.testing.assert_allclose(found[12:19], libraries.gaussian(row), rtol=1e-13)


def test_a_pool_of_one_channel_is_a_filter() -> None:
    (pool,) = shapes.select("pools/max13x13-1-at1024")
    assert libraries.one_channel(pool) == Filter("pools", (1024, 1024), "max", 13)
    for name, reason in (
        ("pools/max2x2s2-1-at2048", "no stride"),
        ("yolo/max9x9-256-at20", "one channel"),
        ("resnet50/conv3x3-64-64-at56", "filters and pools"),
    ):
        (row,) = shapes.select(name)
        with pytest.raises(libraries.Declined, match=reason):
            libraries.one_channel(row)


def test_agreeing_is_the_majority() -> None:
    right, wrong = np.ones(3), np.array([1.0, 1.0, 1.5])
    assert peers.agreeing({"a": right, "b": right + 1e-7}, 1e-6) == {"a", "b"}
    assert peers.agreeing({"a": wrong, "b": right, "c": right}, 1e-6) == {"b", "c"}
    assert peers.agreeing({"a": right}, 0.0) == {"a"}
    assert peers.agreeing({"a": right, "b": wrong}, 1e-6) == set()
    assert peers.agreeing({"a": right, "b": right[:2], "c": right}, 1e-6) == {"a", "c"}
    assert peers.agreeing({"a": right, "b": right * np.nan, "c": right}, 1e-6) == {"a", "c"}
    assert peers.agreeing({"a": right, "b": right.astype("f4"), "c": right}, 1.0) == {"a", "c"}


def figures(mine: float, peer: float, wrong: float, *, agrees: bool = True) -> dict[str, Any]:
    """The document of a run with one row and three libraries."""
    (workload,) = shapes.select("resnet50/conv3x3-64-64-at56")
    row = report.Row(workload, 4, declined={"opencv": "one channel only"})
    row.peaks, row.bandwidths = [100e9, 90e9], [10e9]
    row.libraries = {
        "cconv": report.Figures("function", agrees, [[mine, mine], [mine]]),
        "torch": report.Figures("function", True, [[peer], [peer * 1.1], [peer]]),
        "other": report.Figures("session", False, [[wrong]]),
    }
    return {
        "date": "2026-01-01",
        "processor": "a processor",
        "dtype": "float32",
        "threads": 2,
        "peak": 100e9,
        "bandwidth": 10e9,
        "versions": {"cconv": "1", "torch": "2"},
        "modes": {"cconv": "function", "torch": "function", "other": "session"},
        "missing": {"onnxruntime": "no module"},
        "rows": [row.document(100e9, 10e9)],
    }


def test_ratio_and_roof() -> None:
    run = figures(4e-3, 3e-3, 1e-3)
    (row,) = run["rows"]
    assert row["best_peer"] == "torch"  # the fastest computes something else
    assert row["ratio"] == pytest.approx(0.75)
    assert (row["ratio_low"], row["ratio_high"]) == pytest.approx((0.75, 0.825))
    assert row["share"] == pytest.approx(231_211_008 / 100e9 / 4e-3)
    text = report.report(run)
    for part in (
        "MISSING onnxruntime: no module",
        "cconv (function)",
        "other (session)",
        "!1000",
        "LOSS",
        "opencv not in 1 of 1 rows: one channel only",
        "not the same result: other",
        "FMA peak 100 GFLOP/s",
    ):
        assert part in text
    assert "0 win, 0 tie, 1 LOSS, 0 no peer" in report.summary(run)
    assert "0.75  resnet50/conv3x3-64-64-at56  (torch)" in report.summary(run)


def mixed() -> dict[str, Any]:
    """The document of a run whose rows were called in two modes."""
    names = "resnet50/conv3x3-64-64-at56", "resnet50/conv1x1-64-64-at56", "resnet50/max"
    rows = []
    for name, mode in zip(names, ("plan", "plan", "function"), strict=True):
        row = report.Row(shapes.select(name)[0], 4, peaks=[100e9], bandwidths=[10e9])
        row.libraries = {
            "cconv": report.Figures(f"{mode} with out", True, [[2e-3]]),
            "torch": report.Figures("prepacked" if mode == "plan" else "function", True, [[3e-3]]),
        }
        rows.append(row)
    run = figures(1.0, 1.0, 1.0)
    run["modes"] = {name: report.call_modes(rows, name) for name in ("cconv", "torch", "opencv")}
    run["rows"] = [row.document(100e9, 10e9) for row in rows]
    return run


def test_every_row_says_its_mode() -> None:
    run = mixed()
    both = "plan with out in 2 rows, function with out in 1 rows"
    assert run["modes"]["cconv"] == both
    assert run["modes"]["opencv"] == ""
    assert [row["libraries"]["cconv"]["mode"] for row in run["rows"]] == [
        "plan with out",
        "plan with out",
        "function with out",
    ]
    lines = report.report(run).splitlines()
    (head,) = [line for line in lines if line.startswith("name")]
    assert "cconv (plan with out)" in head
    assert "torch (prepacked)" in head
    cells = [line for line in lines if line.startswith("resnet50/")]
    marked = [("[function with out]" in line, "[function]" in line) for line in cells]
    assert marked == [(False, False), (False, False), (True, True)]
    assert f"cconv ({both}) against the best peer" in report.summary(run)


@pytest.mark.parametrize("run", [figures(4e-3, 3e-3, 1e-3), mixed()], ids=["one mode", "two"])
def test_pictures_say_the_modes(run: dict[str, Any]) -> None:
    pytest.importorskip("matplotlib")
    from benchmarks import pictures

    all_modes = {row["libraries"]["cconv"]["mode"] for row in run["rows"]}
    for draw in (pictures.roofline, pictures.ratios, pictures.families):
        figure = draw(run)
        (axes,) = figure.axes
        legend = axes.get_legend()
        words = [text.get_text() for text in legend.get_texts()] if legend else []
        assert run["modes"]["cconv"] in figure.get_suptitle()
        drawn = all_modes - {"function with out"} if draw is pictures.roofline else all_modes
        assert all_modes & set(words) == (drawn if len(all_modes) > 1 else set())
    (axes,) = pictures.ratios(run).axes
    notes = [text.get_text() for text in axes.texts]
    assert sorted(note.partition("(")[2] for note in notes) == sorted(
        f"{row['libraries']['torch']['mode']})" for row in run["rows"]
    )


def test_the_fastest_way_is_timed() -> None:
    calls: list[str] = []

    def slow() -> np.ndarray:
        time.sleep(2e-3)
        return np.ones(1)

    def fast() -> np.ndarray:
        calls.append("fast")
        return np.zeros(1)

    assert worker.fastest({"plain": slow, "prepared": fast}) == ("prepared", fast)
    assert worker.fastest({"prepared": fast, "plain": slow}) == ("prepared", fast)
    calls.clear()
    assert worker.fastest({"only": fast}) == ("only", fast)
    assert calls == []


def test_bar() -> None:
    run = figures(4e-3, 3e-3, 1e-3)
    assert peers.failures(run, None) == []
    assert peers.failures(run, 0.7) == []
    assert "0.75 of torch, the bar is 0.8" in peers.failures(run, 0.8)[0]
    wrong = figures(4e-3, 3e-3, 1e-3, agrees=False)
    assert wrong["rows"][0]["ratio"] is None
    assert "do not compute the same" in peers.failures(wrong, None)[0]


@pytest.mark.parametrize(
    ("ratio", "word"),
    [(None, "no peer"), (1.06, "win"), (1.04, "tie"), (0.96, "tie"), (0.94, "LOSS")],
)
def test_verdict(ratio: float | None, word: str) -> None:
    assert report.verdict(ratio) == word


def test_blocks_are_seconds_a_call() -> None:
    calls: list[int] = []
    times = worker.time_blocks(lambda: calls.append(1), 0.005)
    assert len(calls) > len(times) >= 1
    assert 0.0 < min(times) < 1e-3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--family", "lenet"], "no family 'lenet'"),
        (["--rounds", "0"], "start at 1"),
        (["--threads", "100000"], "processors"),
        (["--json", "no/such/folder/file.json"], "no directory"),
    ],
)
def test_command_line_errors(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        peers.main(arguments)
    assert stop.value.code == 2
    assert words in capsys.readouterr().err
