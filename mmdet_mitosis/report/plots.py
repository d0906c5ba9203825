"""From a matplotlib figure to SVG that lies in the page and takes its colours."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, MUTED, GRID = "#010101", "#020202", "#030303"
FIRST, SECOND = "#040404", "#050505"
COLORS = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    FIRST: "first",
    SECOND: "second",
}
"""Colours that stand for those of the page, which differ by its scheme, light or dark."""
SIZE_IN = (4.2, 3.2)
"""Small, so that the text keeps its size on a narrow screen."""
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 10.5,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.0,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "legend.facecolor": "none",
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.usetex": False,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
}
MINUS = "\N{MINUS SIGN}"
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def draw_svg(name: str, label: str, draw: Callable[[Axes], None]) -> Markup:
    """Draw a plot.

    Args:
        name: Tells the plots of a page apart: their SVG ids must differ.
        label: What it shows, for those who do not see it.
        draw: Draws into the axes, in the colours of this module.

    Returns:
        An ``svg`` element: the same for the same data. Text in it is text.
    """
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=SIZE_IN, layout="constrained")
        draw(figure.add_subplot())
        svg = StringIO()
        figure.savefig(svg, format="svg", transparent=True, metadata=NO_METADATA)
    return _inline(svg.getvalue(), label)


def short_name(name: str, most: int = 14) -> str:
    """Shorten a name to what fits beside a point.

    Args:
        name: Any text.
        most: Characters that fit.

    Returns:
        The text on one line, without what cannot be printed.
    """
    text = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    return text if len(text) <= most else text[: most - 1] + "…"


def signed(value: float, digits: int = 1) -> str:
    """Write a number with its sign, a true minus as in the axes.

    Args:
        value: The number.
        digits: Digits after the point.

    Returns:
        Such as ``+1.5``; 0 has no sign.
    """
    text = f"{value:+.{digits}f}"
    return text.replace("-", MINUS) if float(text) else text[1:]


def _inline(svg: str, label: str) -> Markup:
    """Turn an SVG file into an element of a page; its attributes hold none of the user's text."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    svg = re.sub(r"font-family: [^;\"]*", "font-family: inherit", svg)
    for color, name in COLORS.items():
        svg = svg.replace(color, f"var(--{name})")
    _, _, viewbox = svg.partition('viewBox="')
    box = viewbox.partition('"')[0]
    head = Markup('<svg viewBox="{}" role="img" aria-label="{}">').format(box, label)
    return head + Markup(svg[svg.index(">") + 1 :].strip())
