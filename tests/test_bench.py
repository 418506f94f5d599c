"""The benchmark: its figures are finite, positive and add up. No time is judged here."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cconv
from cconv import _measure, bench
from cconv.__main__ import main

SMALL = (
    bench.Case("conv", "conv", (1, 4, 9, 8), 3, stride=2, padding=1, groups=2, channels=6),
    bench.Case("max", "max", (1, 3, 9, 8), 3, stride=2, padding=1),
    bench.Case("avg", "avg", (1, 3, 8, 8), 2, stride=2),
)

# ---------------------------------------------------------------------------------- measurements


def test_a_call_is_timed_in_at_least_three_blocks() -> None:
    calls: list[None] = []
    timing = _measure.time_call(lambda: calls.append(None), seconds=1e-6)
    assert timing.rounds >= 3
    assert len(calls) > 3
    assert 0.0 < timing.best <= timing.median


def test_the_peak_is_sampled_before_every_block() -> None:
    class Counter(_measure.FmaPeak):
        def sample(self) -> None:
            self.rates.append(1.0)

    peak = Counter("float32", 1)
    timing = _measure.time_call(lambda: None, seconds=0.01, peaks=(peak,))
    assert len(peak.rates) == timing.rounds


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_peak_is_known_on_the_core_alone(dtype: str) -> None:
    peak = _measure.FmaPeak(dtype, 2)
    assert peak.best is peak.median is None
    for _ in range(3):
        peak.sample()
    if _measure.has_core():
        low, middle, high = sorted(peak.rates)
        assert (peak.median, peak.best) == (middle, high)
        assert low > 0.0
        assert math.isfinite(high)
    else:
        assert peak.rates == []
        assert peak.best is peak.median is None


def test_a_table_is_aligned() -> None:
    text = _measure.table(["a", "bb"], [["long name", "1"], ["x", "12.5"]])
    assert text.split("\n") == [
        "a            bb",
        "---------  ----",
        "long name     1",
        "x          12.5",
    ]


def test_the_line_on_the_backend() -> None:
    line = _measure.backend_line(2)
    if _measure.has_core():
        assert line.startswith("C core (")
        assert line.endswith("2 threads")
    else:
        assert line == "NumPy reference, 1 thread"


# -------------------------------------------------------------------------------------- the cases


def test_the_first_case_is_the_one_that_is_quoted() -> None:
    case = bench.CASES[0]
    call, weight_shape, output_shape = bench.prepare(case, "float32", 1)
    assert case.input_shape == (1, 64, 56, 56)
    assert weight_shape == (64, 64, 3, 3)
    assert output_shape == (1, 64, 56, 56)
    assert np.shape(call()) == output_shape


def test_cases_have_names_of_their_own() -> None:
    assert len({case.name for case in bench.CASES}) == len(bench.CASES)


@pytest.mark.parametrize("dtype", bench.DTYPES)
@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_a_case_computes_what_it_says(case: bench.Case, dtype: str) -> None:
    call, weight_shape, output_shape = bench.prepare(case, dtype, 1)
    x = np.random.default_rng(0).standard_normal(case.input_shape).astype(dtype)
    got = call()
    assert isinstance(got, np.ndarray)
    assert got is call()  # the same preallocated array
    assert got.dtype == dtype
    assert got.shape == output_shape
    if case.op == "conv":
        assert weight_shape == (6, 2, 3, 3)
    elif case.op == "max":
        assert got[0, 1, 2, 2] == x[0, 1, 3:6, 3:6].max()
    else:
        assert got[0, 1, 2, 2] == pytest.approx(x[0, 1, 4:6, 4:6].mean(), rel=1e-5)


def test_operations_and_bytes_are_counted_right() -> None:
    conv, largest, average = bench.measure("float64", 1, 1e-4, SMALL)
    assert conv.output_shape == (1, 6, 5, 4)
    assert conv.flops == 2 * (2 * 3 * 3) * (6 * 5 * 4)
    assert conv.bytes == 8 * (4 * 9 * 8 + 6 * 2 * 3 * 3 + 6 * 5 * 4)
    assert largest.flops == average.flops == 0
    assert largest.bytes == 8 * (3 * 9 * 8 + 3 * 5 * 4)
    assert largest.share is average.share is None
    assert len({r.peak for r in (conv, largest, average)}) == 1


def result_of(median_peak: float) -> bench.Result:
    return bench.Result(
        case="c",
        dtype="float32",
        threads=2,
        input_shape=(1, 1),
        weight_shape=(1,),
        output_shape=(1, 1),
        flops=100,
        bytes=8,
        best_seconds=0.5,
        median_seconds=1.0,
        blocks=3,
        peak=400.0,
        median_peak=median_peak,
        one_thread_peak=250.0,
    )


def test_shares_are_rates_over_peaks() -> None:
    result = result_of(390.0)
    assert result.share == 0.5
    assert result.scaled_share == 0.4
    table = bench.report([result])
    assert "50.0 %" in table
    assert "40.0 %" in table
    assert "of 2 x 1 thread" in table


def test_a_busy_machine_is_told() -> None:
    assert "busy" not in bench.report([result_of(390.0)])
    note = "The machine was busy: the median sample of the peak is 25 % of the best."
    assert note in bench.report([result_of(100.0)])


# ------------------------------------------------------------------------------------ the picture


def test_the_bars_are_the_figures_of_the_table() -> None:
    pytest.importorskip("matplotlib", reason="Matplotlib, which draws the picture, is not here")
    results = [
        replace(result_of(390.0), case=case, dtype=dtype, threads=threads, flops=flops)
        for dtype in ("float32", "float64")
        for threads in (1, 2)
        for case, flops in (("conv", 100_000_000_000), ("pool", 0))
    ]
    results = [replace(r, peak=400e9, median_peak=390e9) for r in results]
    figure = bench.draw(results)
    assert [axes.get_title("left") for axes in figure.axes] == ["float32", "float64"] * 2
    counted, moved = figure.axes[0], figure.axes[2]
    assert "GFLOP/s" in counted.get_xlabel()
    assert "GB/s" in moved.get_xlabel()
    assert [bar.get_width() for bars in counted.containers for bar in bars] == [200.0, 200.0]
    assert [bar.get_width() for bars in moved.containers for bar in bars] == pytest.approx(
        [16e-9, 16e-9]
    )
    assert [line.get_xdata()[0] for line in counted.lines] == [400.0, 400.0]
    assert not moved.lines
    assert {text.get_text() for text in counted.texts} == {"200 (50.0 %)"}
    assert [label.get_text() for label in counted.get_yticklabels()] == ["conv"]
    assert [text.get_text() for text in figure.legends[0].texts] == ["1 thread", "2 threads"]
    title = figure.get_suptitle()
    assert cconv.__version__ in title
    assert "functions with out=" in title
    assert "busy" not in title
    busy = bench.draw([replace(r, median_peak=100e9) for r in results])
    assert "The machine was busy" in busy.get_suptitle()


def test_a_picture_is_written_when_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="Matplotlib, which draws the picture, is not here")
    path = tmp_path / "picture.png"
    assert bench.run([1], ["float32"], 1e-4, picture_path=path, cases=SMALL) == 0
    assert path.read_bytes().startswith(b"\x89PNG\r\n")
    out, err = capsys.readouterr()
    assert f"wrote {path}" in out
    assert err == ""


def test_without_matplotlib_a_picture_is_an_error_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)
    assert bench.run([1], picture_path=tmp_path / "picture.png") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "Matplotlib cannot be imported" in err
    assert 'pip install "cconv[demo]"' in err
    assert bench.run([1], ["float32"], 1e-4, cases=SMALL) == 0  # which needs no Matplotlib


# ---------------------------------------------------------------------------------- the whole run


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in numbers(item)]
    if isinstance(value, list):
        return [number for item in value for number in numbers(item)]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return [float(value)] if is_number else []


def test_the_figures_are_finite_and_positive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "figures.json"
    arguments = ["--threads", "1", "2", "--dtype", "float32", "--seconds", "0.001"]
    assert main(["bench", *arguments, "--json", str(path)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["cconv"] == cconv.__version__
    results = document["results"]
    core = _measure.has_core()
    threads = (1, 2) if core else (1,)
    assert [(r["threads"], r["case"]) for r in results] == [
        (count, case.name) for count in threads for case in bench.CASES
    ]
    for result in results:
        assert result["case"] in out
        pool = result["rate_unit"] == "B/s"
        for key in ("bytes", "best_seconds", "median_seconds", "best_rate", "median_rate"):
            assert result[key] > 0, (result["case"], key)
        assert all(math.isfinite(number) for number in numbers(result))
        assert result["best_seconds"] <= result["median_seconds"]
        assert result["blocks"] >= 3
        assert (result["flops"] == 0) is pool
        assert (result["peak"] is not None) is core
        assert (result["share"] is not None) is (core and not pool)
        if core:
            assert result["peak"] > 0
            assert pool or result["share"] > 0
    assert ("The NumPy reference is being timed" in out) is not core
    assert ("FMA peak" in out.split("float32")[-1]) is core


def test_both_dtypes_and_the_default_threads(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.run(seconds=1e-4, cases=SMALL) == 0
    out = capsys.readouterr().out
    tables = 2 if _measure.has_core() and cconv.get_num_threads() > 1 else 1
    assert out.count("\nfloat32, ") == out.count("\nfloat64, ") == tables


@pytest.mark.parametrize("option", ["json", "picture"])
def test_a_file_that_cannot_be_written_exits_2(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "no" / "figures"
    assert bench.run([1], **{f"{option}_path": path}) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert f"--{option}: there is no directory" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--threads"],
        ["--threads", "0"],
        ["--threads", "1,2"],
        ["--dtype", "float16"],
        ["--seconds", "0"],
        ["--seconds", "nan"],
        ["--seconds", "inf"],
        ["--seconds", "soon"],
        ["a.png"],
    ],
)
def test_bad_usage_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["bench", *arguments])
    assert stop.value.code == 2
    assert "usage: python -m cconv" in capsys.readouterr().err


def test_arguments_reach_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(bench, "run", lambda *args: calls.append(args) or 0)
    main(["bench"])
    files = ["--json", "f", "--picture", "p"]
    main(["bench", "--threads", "1", "4", "--dtype", "float64", "--seconds", "2", *files])
    assert calls == [
        (None, ("float32", "float64"), 0.5, None, None),
        ([1, 4], ("float64",), 2.0, "f", "p"),
    ]
