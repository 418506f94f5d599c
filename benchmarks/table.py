"""The README's table, and whether two runs agree: ``python -m benchmarks.table FILE [SECOND]``.

The files are what ``python -m benchmarks.peers --json FILE`` wrote. The table has a line for each
family of workloads, in Markdown. With a second run of the same rows it is followed by the rows that
one run won and the other lost; a tie agrees with everything.
"""

import argparse
import json
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import busy, verdict

__all__ = ["agreement", "main", "markdown"]


def markdown(run: dict[str, Any]) -> str:
    """Sum a run up, a line for each family.

    Parameters
    ----------
    run : dict
        The document of a run.

    Returns
    -------
    str
        A sentence on the run, and a table in Markdown.
    """
    rated = [row for row in run["rows"] if row["ratio"] is not None]
    versions = ", ".join(f"{name} {v.split(',')[0]}" for name, v in run["versions"].items() if v)
    machine = f"{run['date']}, {run['processor']}, {run['dtype']}, {run['threads']} threads"
    lines = [
        f"{machine}; {versions}. Call mode of cconv: {run['modes']['cconv']}.",
        *filter(None, [busy(run)]),
        "",
        "| workloads | rows | geometric mean | worst | best | wins | ties | losses |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    families = dict.fromkeys(row["family"] for row in rated)
    for family in families:
        lines.append(_line(family, [row for row in rated if row["family"] == family]))
    lines.append(_line("**all**", rated))
    return "\n".join(lines)


def _line(name: str, rows: list[dict[str, Any]]) -> str:
    ratios = [row["ratio"] for row in rows]
    counts = Counter(map(verdict, ratios))
    mean = statistics.geometric_mean(ratios)
    figures = " | ".join(f"{ratio:.2g}" for ratio in (mean, min(ratios), max(ratios)))
    words = " | ".join(str(counts[word]) for word in ("win", "tie", "LOSS"))
    return f"| {name} | {len(rows)} | {figures} | {words} |"


def agreement(run: dict[str, Any], again: dict[str, Any]) -> str:
    """Compare who wins in two runs.

    Parameters
    ----------
    run, again : dict
        Documents of runs.

    Returns
    -------
    str
        How many rows have the same winner, and those that do not.
    """
    second = {row["name"]: row["ratio"] for row in again["rows"]}
    pairs = {
        row["name"]: (row["ratio"], second[row["name"]])
        for row in run["rows"]
        if row["ratio"] is not None and second.get(row["name"]) is not None
    }
    opposite = {
        name: pair for name, pair in pairs.items() if set(map(verdict, pair)) == {"win", "LOSS"}
    }
    lines = [f"{len(pairs) - len(opposite)} of {len(pairs)} rows have the same winner in both runs"]
    lines += [f"  {name}: {first:.2f} and {then:.2f}" for name, (first, then) in opposite.items()]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the command line by default.

    Returns
    -------
    int
        0.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table", description=__doc__)
    parser.add_argument("file", type=Path, help="what benchmarks.peers --json wrote")
    parser.add_argument("second", type=Path, nargs="?", help="another run of the same rows")
    options = parser.parse_args(arguments)
    run = json.loads(options.file.read_text(encoding="utf-8"))
    print(markdown(run))
    if options.second:
        print("", agreement(run, json.loads(options.second.read_text(encoding="utf-8"))), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
