"""The figures of a run: median, minimum, spread, ratios, shares; the table and what it says."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.workloads import Workload
from cconv._measure import busy_note, table

__all__ = ["TIE", "Figures", "Row", "busy", "call_modes", "report", "summary", "verdict"]

TIE = 0.05  # a ratio this near to 1 is nobody's win
COPY = "numpy.copyto of 128 MiB by the same threads"
LEGEND = """\
cells: median and minimum of a call in us, spread (10 to 90 % of the blocks, over the median);
       ! is a result that is not that of the others; [] is the call mode where it is not that
       at the head of the column
ratio: median of the best peer / median of cconv, and the range of that over single rounds
roof:  least possible time at that peak and bandwidth / median of cconv; above 100 % where caches,
       not the memory, hold the arrays""".splitlines()


@dataclass
class Figures:
    """The times of one library on one row.

    Attributes
    ----------
    mode : str
        How it was called.
    agrees : bool
        Whether its result is that of the others.
    turns : list of list of float
        Seconds a call: for each turn, its blocks.
    spent : float
        Seconds that all its turns took.
    """

    mode: str
    agrees: bool
    turns: list[list[float]] = field(default_factory=list)
    spent: float = 0.0

    @property
    def blocks(self) -> list[float]:
        """All blocks."""
        return [seconds for turn in self.turns for seconds in turn]

    @property
    def median(self) -> float:
        """The middle block."""
        return statistics.median(self.blocks)

    def document(self) -> dict[str, Any]:
        """Give the figures for JSON."""
        low, high = np.quantile(self.blocks, (0.1, 0.9))
        return {
            "mode": self.mode,
            "agrees": self.agrees,
            "median": self.median,
            "best": min(self.blocks),
            "spread": float(high - low) / self.median,
            "blocks": len(self.blocks),
            "turns": [statistics.median(turn) for turn in self.turns],
        }


@dataclass
class Row:
    """One workload, all libraries.

    Attributes
    ----------
    workload : Workload
        What was computed.
    itemsize : int
        Bytes of an element.
    libraries : dict of str to Figures
        Those that were timed.
    declined : dict of str to str
        The others, with the reason.
    peaks, bandwidths : list of float
        Samples of the machine between the rounds.
    """

    workload: Workload
    itemsize: int
    libraries: dict[str, Figures] = field(default_factory=dict)
    declined: dict[str, str] = field(default_factory=dict)
    peaks: list[float] = field(default_factory=list)
    bandwidths: list[float] = field(default_factory=list)

    def document(self, peak: float | None, bandwidth: float) -> dict[str, Any]:
        """Give the figures for JSON.

        Parameters
        ----------
        peak : float or None
            Operations a second, of the whole run.
        bandwidth : float
            Bytes a second, of the whole run.

        Returns
        -------
        dict
            The ratio is the time of the best peer over that of cconv: above 1, cconv is faster.
            The roofline is the least time that the operations at the peak, or the least bytes at
            the bandwidth of memory, could take.
        """
        w = self.workload
        flops, moved = w.flops, w.least_bytes(self.itemsize)
        least = max(moved / bandwidth, flops / peak if flops and peak else 0.0)
        mine = self.libraries.get("cconv")
        peers = {n: f for n, f in self.libraries.items() if n != "cconv" and f.agrees}
        best = min(peers, key=lambda name: peers[name].median, default=None)
        ratio = low = high = None
        if mine is not None and best is not None and mine.agrees:
            ratio = peers[best].median / mine.median
            pairs = zip(peers[best].turns, mine.turns, strict=False)
            of_rounds = [statistics.median(a) / statistics.median(b) for a, b in pairs]
            low, high = min(of_rounds), max(of_rounds)
        return {
            "name": w.name,
            "family": w.family,
            "operator": w.operator,
            "input_shape": w.input_shape,
            "output_shape": w.output_shape,
            "flops": flops,
            "bytes": moved,
            "least_seconds": least,
            "share": least / mine.median if mine is not None else None,
            "best_peer": best,
            "ratio": ratio,
            "ratio_low": low,
            "ratio_high": high,
            "peaks": self.peaks,
            "bandwidths": self.bandwidths,
            "libraries": {name: f.document() for name, f in self.libraries.items()},
            "declined": self.declined,
        }


def call_modes(rows: Sequence[Row], name: str) -> str:
    """Say how a library was called.

    Parameters
    ----------
    rows : sequence of Row
        Of a run.
    name : str
        Of the library.

    Returns
    -------
    str
        The mode, or where there are several each with the number of its rows; empty without rows.
    """
    counts = Counter(row.libraries[name].mode for row in rows if name in row.libraries)
    if len(counts) < 2:
        return "".join(counts)
    return ", ".join(f"{mode} in {count} rows" for mode, count in counts.most_common())


def verdict(ratio: float | None) -> str:
    """Say who is faster.

    Parameters
    ----------
    ratio : float or None
        Time of the best peer over that of cconv.

    Returns
    -------
    str
        win, tie, LOSS, or no peer.
    """
    if ratio is None:
        return "no peer"
    if ratio > 1.0 + TIE:
        return "win"
    return "tie" if ratio >= 1.0 / (1.0 + TIE) else "LOSS"


def _time(seconds: float) -> str:
    microseconds = 1e6 * seconds
    return f"{microseconds:.2f}" if microseconds < 100 else f"{microseconds:.0f}"


def _ratio(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.3f}"


def _cell(figures: dict[str, Any] | None, mode: str) -> str:
    """Write median, minimum and spread; a result that differs is marked, a mode that does named."""
    if figures is None:
        return "-"
    mark = "" if figures["agrees"] else "!"
    spread = f"{100 * figures['spread']:.0f}%"
    other = "" if figures["mode"] == mode else f" [{figures['mode']}]"
    return f"{mark}{_time(figures['median'])} {_time(figures['best'])} {spread}{other}"


def busy(figures: dict[str, Any]) -> str:
    """Say so when the samples of the peak show that the machine had other work.

    Parameters
    ----------
    figures : dict
        The document of a run.

    Returns
    -------
    str
        A sentence, or nothing.
    """
    peaks = [peak for row in figures["rows"] for peak in row["peaks"]]
    return busy_note(max(peaks), statistics.median(peaks)) if peaks else ""


def report(figures: dict[str, Any]) -> str:
    """Write the tables, one a family.

    Parameters
    ----------
    figures : dict
        The document of a run.

    Returns
    -------
    str
        Head, tables, reasons.
    """
    threads = f"{figures['threads']} thread{'s' if figures['threads'] > 1 else ''}"
    lines = [
        f"{figures['date']}, {figures['processor']}, {figures['dtype']}, {threads}",
        *(f"{name} {version}" for name, version in figures["versions"].items()),
        *(f"MISSING {name}: {reason}" for name, reason in figures["missing"].items()),
    ]
    if figures["peak"]:
        count = sum(len(row["peaks"]) for row in figures["rows"])
        peak = f"{figures['peak'] / 1e9:.0f} GFLOP/s"
        lines += [f"FMA peak {peak}, the best of {count} samples", busy(figures)]
    bandwidth = f"{figures['bandwidth'] / 1e9:.0f} GB/s"
    lines.append(f"memory {bandwidth} read and written, {COPY}, the best sample")
    lines += LEGEND
    text = "\n".join(line for line in lines if line) + "\n"
    families = dict.fromkeys(row["family"] for row in figures["rows"])
    for family in families:
        text += "\n" + _family([r for r in figures["rows"] if r["family"] == family], figures)
    return text


def _family(rows: list[dict[str, Any]], figures: dict[str, Any]) -> str:
    names = [n for n in figures["modes"] if any(n in row["libraries"] for row in rows)]
    modes = {n: _most_common_mode(rows, n) for n in names}
    header = ["name", *(f"{n} ({modes[n]})" for n in names)]
    header += ["best peer", "ratio", "of rounds", "", "roof"]
    cells = []
    for row in rows:
        ratio = row["ratio"]
        cells.append(
            [
                row["name"],
                *(_cell(row["libraries"].get(name), modes[name]) for name in names),
                row["best_peer"] or "-",
                "-" if ratio is None else _ratio(ratio),
                "-" if ratio is None else f"{_ratio(row['ratio_low'])}-{_ratio(row['ratio_high'])}",
                verdict(ratio),
                "-" if row["share"] is None else f"{100 * row['share']:.0f}%",
            ]
        )
    reasons = Counter((name, reason) for row in rows for name, reason in row["declined"].items())
    text = table(header, cells) + "\n"
    for (name, reason), count in reasons.items():
        text += f"  {name} not in {count} of {len(rows)} rows: {reason}\n"
    for row in rows:
        wrong = [name for name, f in row["libraries"].items() if not f["agrees"]]
        if wrong:
            text += f"  {row['name']}: not the same result: {', '.join(wrong)}\n"
    return text


def _most_common_mode(rows: list[dict[str, Any]], name: str) -> str:
    found = Counter(row["libraries"][name]["mode"] for row in rows if name in row["libraries"])
    return found.most_common(1)[0][0]


def summary(figures: dict[str, Any]) -> str:
    """Count wins and losses, and list the losses, worst first.

    Parameters
    ----------
    figures : dict
        The document of a run.

    Returns
    -------
    str
        A few lines.
    """
    rows = figures["rows"]
    counts = Counter(verdict(row["ratio"]) for row in rows)
    parts = [f"{counts[word]} {word}" for word in ("win", "tie", "LOSS", "no peer")]
    ratios = [row["ratio"] for row in rows if row["ratio"] is not None]
    mode = figures["modes"].get("cconv", "")
    text = f"cconv ({mode}) against the best peer of each row: {', '.join(parts)}"
    if ratios:
        text += f"; geometric mean of the ratios {statistics.geometric_mean(ratios):.2f}"
    losses = sorted((r for r in rows if verdict(r["ratio"]) == "LOSS"), key=lambda r: r["ratio"])
    lines = [f"  {_ratio(row['ratio'])}  {row['name']}  ({row['best_peer']})" for row in losses]
    if lines:
        lines.insert(0, "losses, worst first:")
    return "\n".join([text, *lines, *filter(None, [busy(figures)])])
