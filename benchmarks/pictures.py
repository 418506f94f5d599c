"""Pictures of a run, roofline and ratios: ``python -m benchmarks.pictures FILE``.

FILE is what ``python -m benchmarks.peers --json FILE`` wrote. Every row is in the pictures, the
lost ones in a colour of their own; if cconv was called in several modes, each has its mark. Drawn
on the Agg canvas without pyplot, like the demo's.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report import busy, verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["families", "main", "ratios", "roofline"]

COLOURS = {"win": "#1a7f5a", "tie": "#8a8f98", "LOSS": "#c2410c", "no peer": "#3b6fb6"}
MARKS = "os^Dv"  # of call modes, the most frequent first
INK, FAINT = "#1b1f24", "#66707a"
ROW = 0.16  # inches of a row in the chart of ratios
DPI = 120


def _figure(width: float, height: float, title: str, run: dict[str, Any]) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    threads = f"{run['threads']} thread{'s' if run['threads'] > 1 else ''}"
    versions = ", ".join(f"{name} {v.split(',')[0]}" for name, v in run["versions"].items() if v)
    figure.suptitle(
        f"{title}\n{run['date']}, {run['processor']}, {run['dtype']}, {threads}\n{versions}"
        + (f"\n{busy(run)}" if busy(run) else ""),
        size=9,
        color=INK,
    )
    return figure


def _logarithmic(axes: "Axes", *names: str) -> None:
    """Make axes logarithmic, with plain numbers beside them."""
    from matplotlib.ticker import FuncFormatter

    for name in names:
        getattr(axes, f"set_{name}scale")("log")
        axis = getattr(axes, f"{name}axis")

        def label(value: float, _: int, limits: Callable[..., Any] = axis.get_view_interval) -> str:
            low, high = limits()
            digits = "125" if high > 20 * low else "123456789"
            return f"{value:g}" if f"{value:e}"[0] in digits else ""

        axis.set_major_formatter(FuncFormatter(label))
        axis.set_minor_formatter(FuncFormatter(label))
        axis.set_tick_params(which="both", labelsize=8)
    axes.grid(True, axis="x", which="major", color="#e4e7eb", linewidth=0.6)


def _marks(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Give each call mode of cconv its mark."""
    modes = Counter(row["libraries"]["cconv"]["mode"] for row in rows)
    return dict(zip((mode for mode, _ in modes.most_common()), MARKS, strict=False))


def _points(
    axes: "Axes",
    run: dict[str, Any],
    rows: list[dict[str, Any]],
    place: Callable[[dict[str, Any]], tuple[float, float]],
    **options: float,
) -> None:
    """Draw a point for each row, coloured by who is faster, marked by the call mode."""
    marks = _marks(rows)
    for word, colour in COLOURS.items():
        chosen = [row for row in rows if verdict(row["ratio"]) == word]
        for mode, mark in marks.items():
            points = [place(row) for row in chosen if row["libraries"]["cconv"]["mode"] == mode]
            if points:
                xs, ys = zip(*points, strict=True)
                axes.scatter(xs, ys, color=colour, marker=mark, zorder=3, **options)
        if chosen:
            label = f"{word}: {len(chosen)}"
            axes.plot([], [], "o", color=colour, markersize=4, label=label)
    _name(axes, marks, run)


def _name(axes: "Axes", marks: dict[str, str], run: dict[str, Any]) -> None:
    """Say in the legend which mark is which mode, if the title does not."""
    for mode, mark in marks.items() if list(marks) != [run["modes"]["cconv"]] else ():
        axes.plot([], [], mark, color="none", markeredgecolor=INK, markersize=4, label=mode)


def roofline(run: dict[str, Any]) -> "Figure":
    """Draw each row with operations at its intensity and rate, below the roof.

    Parameters
    ----------
    run : dict
        The document of a run; it needs a peak.

    Returns
    -------
    matplotlib.figure.Figure
        Ready for ``savefig``.
    """
    peak, bandwidth, mode = run["peak"], run["bandwidth"], run["modes"]["cconv"]
    figure = _figure(9.0, 6.0, f"Roofline of cconv ({mode})", run)
    axes = figure.add_subplot()
    rows = [row for row in run["rows"] if row["flops"] and "cconv" in row["libraries"]]

    def place(row: dict[str, Any]) -> tuple[float, float]:
        rate = row["flops"] / row["libraries"]["cconv"]["median"]
        return row["flops"] / row["bytes"], rate / 1e9

    _points(axes, run, rows, place, s=16)
    intensities = [row["flops"] / row["bytes"] for row in rows] + [peak / bandwidth]
    ends = [min(intensities) / 2, peak / bandwidth, 2 * max(intensities)]
    roof = [min(peak, bandwidth * x) / 1e9 for x in ends]
    label = f"{peak / 1e9:.0f} GFLOP/s, {bandwidth / 1e9:.0f} GB/s, measured in this run"
    axes.plot(ends, roof, color=INK, linewidth=1.2, label=label)
    _logarithmic(axes, "x", "y")
    axes.set_xlabel("operations of the plain sum / least bytes")
    axes.set_ylabel("GFLOP/s, median")
    axes.legend(fontsize=8, frameon=False)
    return figure


def ratios(run: dict[str, Any]) -> "Figure":
    """Draw the ratio of each row that has a peer, best first, with the range of its rounds.

    Parameters
    ----------
    run : dict
        The document of a run.

    Returns
    -------
    matplotlib.figure.Figure
        Ready for ``savefig``.
    """
    rows = sorted((r for r in run["rows"] if r["ratio"] is not None), key=lambda r: r["ratio"])
    title = f"cconv ({run['modes']['cconv']}) against the best peer of each row: times as fast"
    figure = _figure(9.0, 1.6 + ROW * max(len(rows), 4), title, run)
    axes = figure.add_subplot()
    marks = _marks(rows)
    for place, row in enumerate(rows):
        mark, peer = marks[row["libraries"]["cconv"]["mode"]], row["libraries"][row["best_peer"]]
        colour, ratio = COLOURS[verdict(row["ratio"])], row["ratio"]
        axes.plot([1.0, ratio], [place, place], color=colour, linewidth=2.5)
        axes.plot([row["ratio_low"], row["ratio_high"]], [place, place], color=INK, linewidth=0.7)
        axes.plot([ratio], [place], mark, color=colour, markersize=4)
        note = f"{ratio:.2g}  {row['best_peer']} ({peer['mode']})"
        at = max(ratio, row["ratio_high"], 1.0)
        axes.annotate(
            note,
            (at, place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=6,
            color=FAINT,
        )
    axes.axvline(1.0, color=INK, linewidth=0.8)
    _logarithmic(axes, "x")
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows], fontsize=6)
    axes.set_ylim(-1, max(len(rows), 1))
    axes.margins(x=0.25)  # for the names of the peers and their modes
    _name(axes, marks, run)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=7, frameon=False, loc="lower right")
    axes.set_xlabel("time of the best peer / time of cconv, medians; left of 1 cconv is slower")
    return figure


def families(run: dict[str, Any]) -> "Figure":
    """Draw the ratios of all rows, a line for each family and a point for each row.

    Parameters
    ----------
    run : dict
        The document of a run.

    Returns
    -------
    matplotlib.figure.Figure
        Ready for ``savefig``.
    """
    rows = [row for row in run["rows"] if row["ratio"] is not None]
    names = list(dict.fromkeys(row["family"] for row in rows))[::-1]
    title = f"cconv ({run['modes']['cconv']}) against the best peer of each row: times as fast"
    figure = _figure(9.0, 1.8 + 0.26 * max(len(names), 3), title, run)
    axes = figure.add_subplot()

    def place(row: dict[str, Any]) -> tuple[float, float]:
        return row["ratio"], names.index(row["family"])

    _points(axes, run, rows, place, s=18, alpha=0.7, linewidths=0)
    axes.axvline(1.0, color=INK, linewidth=0.8)
    _logarithmic(axes, "x")
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.set_xlabel("time of the best peer / time of cconv, medians; left of 1 cconv is slower")
    axes.legend(fontsize=8, frameon=False)
    return figure


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the command line by default.

    Returns
    -------
    int
        0, or 2 when the figures cannot be read.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pictures",
        description="Draw the roofline and the ratios of a run of benchmarks.peers.",
    )
    parser.add_argument("figures", type=Path, help="what benchmarks.peers --json wrote")
    parser.add_argument("--to", type=Path, help="folder for the pictures; that of the figures")
    options = parser.parse_args(arguments)
    try:
        run = json.loads(options.figures.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        print(f"benchmarks.pictures: error: {error}", file=sys.stderr)
        return 2
    folder, stem = options.to or options.figures.parent, options.figures.stem
    pictures = {"ratios": ratios(run), "families": families(run)}
    if run["peak"] and any(row["flops"] for row in run["rows"]):
        pictures["roofline"] = roofline(run)
    for name, figure in pictures.items():
        target = folder / f"{stem}-{name}.png"
        figure.savefig(target)
        print(f"wrote {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
