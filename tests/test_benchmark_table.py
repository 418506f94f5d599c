"""The README's table of a run, and the agreement of two."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import table


def document(**ratios: float | None) -> dict[str, Any]:
    rows = [
        {"name": f"{name[0]}/{name}", "family": name[0], "ratio": ratio}
        for name, ratio in ratios.items()
    ]
    return {
        "date": "2026-01-31",
        "processor": "A Processor",
        "dtype": "float32",
        "threads": 2,
        "peak": 1e11,
        "versions": {"cconv": "1, C core", "torch": "2", "scipy": ""},
        "modes": {"cconv": "function"},
        "rows": [{**row, "peaks": [1e11]} for row in rows],
    }


RUN = document(a1=2.0, a2=0.5, a3=1.0, b1=4.0, b2=None)


def test_the_table_has_a_line_a_family_and_every_loss_counts() -> None:
    lines = table.markdown(RUN).splitlines()
    assert lines[0].startswith("2026-01-31, A Processor, float32, 2 threads; cconv 1, torch 2.")
    assert "Call mode of cconv: function" in lines[0]
    assert lines[-3:] == [
        "| a | 3 | 1 | 0.5 | 2 | 1 | 1 | 1 |",
        "| b | 1 | 4 | 4 | 4 | 1 | 0 | 0 |",
        "| **all** | 4 | 1.4 | 0.5 | 4 | 2 | 1 | 1 |",
    ]


def test_a_tie_agrees_with_a_win_and_a_loss_but_these_not_with_each_other() -> None:
    again = document(a1=0.99, a2=0.97, a3=0.5, b1=0.9, c1=2.0)
    text = table.agreement(RUN, again)
    assert text.splitlines() == [
        "3 of 4 rows have the same winner in both runs",
        "  b/b1: 4.00 and 0.90",
    ]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / "one.json", tmp_path / "two.json"]
    for file in files:
        file.write_text(json.dumps(RUN))
    assert table.main([str(files[0])]) == 0
    assert capsys.readouterr().out.strip() == table.markdown(RUN)
    assert table.main(list(map(str, files))) == 0
    assert capsys.readouterr().out.endswith("4 of 4 rows have the same winner in both runs\n")
