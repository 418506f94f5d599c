"""The pictures of the applications: the sheet of the demo and the bars of the benchmark.

The only file that needs Matplotlib, which is imported when a picture is wanted. It draws with the
Agg canvas and without pyplot, so no display is needed and no global state is touched.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Bars", "Panel", "Sheet", "bars", "draw", "require"]

PATTERNS = {(0, 0): "mean", (0, 1): "across", (1, 0): "down", (1, 1): "twist"}
INK, FAINT = "#1b1f24", "#66707a"
COLUMNS = 8
DPI = 120
# inches
CELL, GAP, MARGIN = 1.4, 0.07, 0.4
LABEL = 0.2  # a line of small text above a panel
HEADING = 0.62  # a section's title and caption


@dataclass(frozen=True)
class Sheet:
    """What goes on the sheet.

    Attributes
    ----------
    photo : ndarray of uint8, shape (height, width, 3)
        The input.
    filters : ndarray of float32, shape (16, 3, k, k)
        Filters of layer 1.
    names : sequence of str
        One a filter; its feature map has the same name.
    first, second : ndarray of float32, shape (channels, height, width)
        Feature maps of the two convolutions, none negative.
    labels : sequence of (u, v, q)
        Frequencies in space and over the channels of each map of `second`.
    title, subtitle, photo_caption, first_caption, second_caption : str
        Lines of text.
    """

    photo: NDArray[np.uint8]
    filters: NDArray[np.float32]
    names: Sequence[str]
    first: NDArray[np.float32]
    second: NDArray[np.float32]
    labels: Sequence[tuple[int, int, int]]
    title: str
    subtitle: str
    photo_caption: str
    first_caption: str
    second_caption: str


class _Canvas:
    """A figure measured in inches from its top left corner."""

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
        FigureCanvasAgg(self.figure)

    def text(
        self, x: float, y: float, line: str, size: float, *, bold: bool = False, faint: bool = False
    ) -> None:
        """Write a line whose baseline is at y."""
        self.figure.text(
            x / self.width,
            1.0 - y / self.height,
            line,
            size=size,
            color=FAINT if faint else INK,
            weight="bold" if bold else "normal",
            va="baseline",
            ha="left",
            parse_math=False,
        )

    def heading(self, x: float, y: float, title: str, caption: str) -> None:
        """Write a section's title and the caption below it."""
        self.text(x, y + 0.26, title, 13, bold=True)
        self.text(x, y + 0.48, caption, 9, faint=True)

    def image(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        pixels: NDArray[np.generic],
        *,
        top: float = 1.0,
        label: str = "",
        interpolation: str = "antialiased",
    ) -> None:
        """Show an RGB picture, or a map of one channel between 0 and `top`."""
        from matplotlib.colors import PowerNorm

        if label:
            self.text(x, y - 0.05, label, 8)
        box = (x / self.width, 1.0 - (y + height) / self.height)
        axes = self.figure.add_axes((*box, width / self.width, height / self.height))
        axes.imshow(
            pixels,
            cmap="magma",
            norm=PowerNorm(0.6, vmin=0.0, vmax=top),
            aspect="equal",
            interpolation=interpolation,
        )
        axes.set_anchor("NW")  # pictures that do not fill their cell stay by their label
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)

    def maps(self, y: float, height: float, maps: NDArray[np.float32], labels: list[str]) -> float:
        """Show a row of feature maps, each between 0 and its own top; return the y below."""
        y += LABEL if labels else 0.0
        for i, pixels in enumerate(np.nan_to_num(maps, posinf=0.0)):  # a failed check is drawn too
            peak = float(np.quantile(pixels, 0.995)) or float(pixels.max()) or 1.0
            label = labels[i] if labels else ""
            x = MARGIN + i * (CELL + GAP)
            self.image(x, y, CELL, height, pixels, top=peak, label=label)
        return y + height + GAP


def draw(sheet: Sheet) -> "Figure":
    """Lay out the sheet.

    Parameters
    ----------
    sheet : Sheet
        What to show.

    Returns
    -------
    matplotlib.figure.Figure
        Ready for ``savefig``.

    Raises
    ------
    ImportError
        Matplotlib cannot be imported.
    """
    aspect = sheet.photo.shape[0] / sheet.photo.shape[1]
    tall = CELL * min(max(aspect, 0.3), 1.6)  # of a feature map
    half = 4 * CELL + 3 * GAP
    photo_tall = half * min(max(aspect, 0.7), 1.3)
    small = min((photo_tall + GAP) / 4 - LABEL - GAP, 1.25)  # side of a filter
    first_rows, second_rows = len(sheet.first) // COLUMNS, len(sheet.second) // COLUMNS
    width = 2 * MARGIN + COLUMNS * (CELL + GAP) - GAP
    height = (
        2 * MARGIN
        + (0.65 + HEADING + photo_tall)
        + (0.2 + HEADING + first_rows * (LABEL + tall + GAP))
        + (0.2 + HEADING + second_rows * (LABEL + tall + GAP))
    )
    canvas = _Canvas(width, height)
    y = MARGIN
    canvas.text(MARGIN, y + 0.16, sheet.title, 15, bold=True)
    canvas.text(MARGIN, y + 0.42, sheet.subtitle, 9, faint=True)
    y += 0.65

    right = MARGIN + half + 0.4
    canvas.heading(MARGIN, y, "Input", sheet.photo_caption)
    k = sheet.filters.shape[-1]
    caption = f"{len(sheet.filters)} of 3 x {k} x {k}; grey is 0, each scaled to its largest weight"
    canvas.heading(right, y, "Filters of layer 1", caption)
    y += HEADING
    canvas.image(MARGIN, y, half, photo_tall, sheet.photo, interpolation="lanczos")
    step = (MARGIN + COLUMNS * (CELL + GAP) - GAP - right - small) / 3
    for i, (weight, name) in enumerate(zip(sheet.filters, sheet.names, strict=True)):
        row, column = divmod(i, 4)
        pixels = 0.5 + 0.5 * np.moveaxis(weight, 0, -1) / np.abs(weight).max()
        down = y + LABEL + row * (small + LABEL + GAP)
        canvas.image(
            right + column * step, down, small, small, pixels, label=name, interpolation="nearest"
        )
    y += photo_tall + 0.2

    canvas.heading(MARGIN, y, "Feature maps of layer 1", sheet.first_caption)
    y += HEADING
    for row in range(first_rows):
        part = slice(row * COLUMNS, (row + 1) * COLUMNS)
        y = canvas.maps(y, tall, sheet.first[part], list(sheet.names[part]))
    y += 0.2

    canvas.heading(MARGIN, y, "Feature maps of layer 2", sheet.second_caption)
    y += HEADING
    for row in range(second_rows):
        part = slice(row * COLUMNS, (row + 1) * COLUMNS)
        labels = [f"{PATTERNS[u, v]}, mix {q}" for u, v, q in sheet.labels[part]]
        y = canvas.maps(y, tall, sheet.second[part], labels)
    return canvas.figure


# --------------------------------------------------------------------------- the benchmark's bars

COLOURS = ("#9bb8d9", "#3b6fb6", "#1f4173", "#0d2240")  # of a series each, then over again
BAR = 0.2  # inches
WIDTH = 5.2  # of a panel


@dataclass(frozen=True)
class Bars:
    """One series of a panel: a bar for each label.

    Attributes
    ----------
    name : str
        For the legend.
    values : sequence of float
        Lengths of the bars.
    notes : sequence of str
        What stands behind each bar.
    limit : float, optional
        Where a line is drawn across the panel.
    """

    name: str
    values: Sequence[float]
    notes: Sequence[str]
    limit: float | None = None


@dataclass(frozen=True)
class Panel:
    """Bars over one axis.

    Attributes
    ----------
    title, unit : str
        Above the panel and below its axis.
    labels : sequence of str
        One a bar, from the top down.
    series : sequence of Bars
        Side by side at each label.
    """

    title: str
    unit: str
    labels: Sequence[str]
    series: Sequence[Bars]


def require() -> None:
    """Import what the pictures need, to hear before the work that it is missing.

    Raises
    ------
    ImportError
        Matplotlib cannot be imported.
    """
    import matplotlib.backends.backend_agg  # noqa: F401


def bars(title: str, subtitle: str, panels: Sequence[Sequence[Panel]]) -> "Figure":
    """Draw panels of horizontal bars.

    Parameters
    ----------
    title, subtitle : str
        Lines at the top.
    panels : sequence of sequences of Panel
        Rows from the top, each with as many panels as the first; panels of a row have the same
        labels, and all have the same series.

    Returns
    -------
    matplotlib.figure.Figure
        Ready for ``savefig``.

    Raises
    ------
    ImportError
        Matplotlib cannot be imported.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    tall = [
        len(row[0].labels) * (0.12 + BAR * max(len(panel.series) for panel in row))
        for row in panels
    ]
    figure = Figure(
        figsize=(1.6 + WIDTH * len(panels[0]), 1.0 + sum(tall) + 0.9 * len(tall)),
        dpi=DPI,
        facecolor="white",
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    figure.suptitle(f"{title}\n{subtitle}", size=10, color=INK)
    grid = figure.subplots(len(panels), len(panels[0]), squeeze=False, height_ratios=tall)
    for axes, panel in zip(grid.flat, (panel for row in panels for panel in row), strict=True):
        places = np.arange(len(panel.labels), dtype=np.float64)
        thick = 0.8 / len(panel.series)
        for i, series in enumerate(panel.series):
            colour = COLOURS[i % len(COLOURS)]
            at = places + (i - (len(panel.series) - 1) / 2) * thick
            drawn = axes.barh(at, series.values, 0.9 * thick, color=colour, label=series.name)
            axes.bar_label(drawn, labels=series.notes, padding=3, size=7, color=FAINT)
            if series.limit is not None:
                axes.axvline(series.limit, color=colour, linewidth=1.0, linestyle="--")
        axes.set_title(panel.title, size=10, color=INK, loc="left")
        axes.set_xlabel(panel.unit, size=9, color=FAINT)
        axes.set_yticks(places, panel.labels, size=8)
        axes.tick_params(axis="x", labelsize=8)
        axes.invert_yaxis()
        axes.margins(x=0.2)  # room for the notes
        axes.spines[["top", "right"]].set_visible(False)
    handles, names = grid.flat[0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside lower center", ncols=len(names), fontsize=8, frameon=False
    )
    return figure
