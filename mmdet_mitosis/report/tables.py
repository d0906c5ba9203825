"""Tables of the page, with values to sort by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from mmdet_mitosis.report.plots import signed

FIGURES = ("fields", "mitoses", "TP", "FP", "FN", "precision", "recall", "F-score")
KEYS = ("n_fields", "n_mitoses", "tp", "fp", "fn", "precision", "recall", "f_score")


class Cell(NamedTuple):
    """What is shown, and the number to sort by; None where it sorts as text."""

    text: str
    number: float | None = None


@dataclass(frozen=True)
class Table:
    """A table: the first column sorts as text, the others as numbers.

    Attributes:
        name: Of the table, for those who do not see it.
        head: Names of the columns.
        rows: One cell a column.
        foot: Rows that stay below, whatever the order.
    """

    name: str
    head: tuple[str, ...]
    rows: list[list[Cell]]
    foot: list[list[Cell]]


def figures_table(
    name: str, of_what: str, groups: dict[str, dict], total: dict, split: str
) -> Table:
    """Lay out the figures of groups of fields.

    Args:
        name: Of the table.
        of_what: What a group is: ``case``, ``scanner``.
        groups: By name, as :func:`~mmdet_mitosis.evaluation.report.summarize` gives them.
        total: The figures of all fields.
        split: What all fields are.

    Returns:
        The table. It has a column of look-alikes where they are labelled.
    """
    keys, head = list(KEYS), list(FIGURES)
    if total["n_look_alikes"] is not None:
        keys.insert(KEYS.index("fp") + 1, "n_look_alikes")
        head.insert(KEYS.index("fp") + 1, "of them look-alikes")
    rows = [[Cell(group), *_cells(figures, keys)] for group, figures in groups.items()]
    foot = [[Cell(f"{split}, all"), *_cells(total, keys)]]
    return Table(name, (of_what, *head), rows, foot)


def methods_table(by_method: dict[str, dict]) -> Table:
    """Lay out the figures of the rules of matching.

    Args:
        by_method: As :func:`~mmdet_mitosis.evaluation.report.summarize` gives them.

    Returns:
        The table.
    """
    rows = [[Cell(name), *_cells(figures, KEYS[2:])] for name, figures in by_method.items()]
    return Table("By rule of matching", ("rule", *FIGURES[2:]), rows, [])


def counts_table(cases: dict[str, dict]) -> Table:
    """Lay out the counts of cases as a pathologist reads them.

    Args:
        cases: As :func:`~mmdet_mitosis.evaluation.counting.summarize_counts` gives them.

    Returns:
        The table.
    """
    head = ("case", "labelled", "predicted", "difference", "area, mm²")
    head += ("labelled per mm²", "predicted per mm²", "score, labelled", "score, predicted")
    head += ("scaled score, labelled", "scaled score, predicted")
    rows = []
    for name, case in cases.items():
        difference = case["n_predicted"] - case["n_truth"]
        cells = [_whole(case["n_truth"]), _whole(case["n_predicted"])]
        cells.append(Cell(signed(difference, digits=0), difference))
        cells.append(Cell(f"{case['area_mm2']:.2f}", case["area_mm2"]))
        densities = (case["truth_per_mm2"], case["predicted_per_mm2"])
        cells += [Cell(f"{density:.1f}", density) for density in densities]
        scores = ("truth_score", "predicted_score", "truth_score_scaled", "predicted_score_scaled")
        cells += [_whole(case[key]) for key in scores]
        rows.append([Cell(name), *cells])
    return Table("Counts by case", head, rows, [])


def _cells(figures: dict, keys: Iterable[str]) -> list[Cell]:
    """Make the cells of some figures: counts whole, ratios with three digits."""
    values = [figures[key] for key in keys]
    return [
        Cell("not labelled")
        if value is None
        else Cell(f"{value:.3f}", value)
        if isinstance(value, float)
        else _whole(value)
        for value in values
    ]


def _whole(value: int) -> Cell:
    """Make the cell of a whole number."""
    return Cell(str(value), value)
