"""Several detectors on the same split, side by side."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from terminaltables import AsciiTable, GithubFlavoredMarkdownTable

from mmdet_mitosis.cli import printable
from mmdet_mitosis.evaluation.results import Results, Target, Threshold
from mmdet_mitosis.evaluation.scoring import (
    RADIUS_UM,
    FieldScore,
    compare_f_scores,
    f_score_interval,
    score_fields,
    split_curve,
    total,
)
from mmdet_mitosis.texts import cell, markdown

COSTS = {
    "n_parameters": ("parameters", "{:,.0f}"),
    "train_hours": ("hours of training", "{:.2f}"),
    "seconds_per_mm2": ("s per mm²", "{:.3f}"),
}
"""What a detector may be known to cost: heading and form of a column that is shown where any has
it."""
COUNTS = ("tp", "fp", "fn")
RATIOS = ("precision", "recall", "f_score")


@dataclass(frozen=True)
class Contender:
    """A detector with its results, the threshold that they are scored at, and its ``COSTS``."""

    name: str
    results: Results
    threshold: Threshold
    costs: dict[str, float] = field(default_factory=dict)


def compare_detectors(
    target: Target,
    contenders: Sequence[Contender],
    radius_um: float = RADIUS_UM,
    method: str = "optimal",
) -> dict:
    """Score detectors on the same fields and compare each with the first.

    Args:
        target: The ground truth.
        contenders: The detectors.
        radius_um: Match radius, µm.
        method: Matching.

    Returns:
        Ready for json: ``split``, ``ground_truth``, ``method``, ``radius_um``, ``n_fields``,
        ``n_mitoses``, ``resampled`` (``case`` or ``field``) and ``detectors``, in order: ``name``,
        ``results``, ``threshold``, ``threshold_from``, counts and ratios, ``interval``, ``ap``
        (None without scores), those of ``COSTS`` that are known, ``notes``, and ``difference``:
        ``to`` (the first one's name), ``f_score`` (own less the first one's), ``low``, ``high``
        and ``p_value`` by a paired bootstrap; None of the first.

    Raises:
        ValueError: If there is no detector, or two have one name.
    """
    names = [contender.name for contender in contenders]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"cannot compare {', '.join(names) or 'no detectors'}: names must differ")
    scores = [
        score_fields(target.fields, one.results.detections, one.threshold.value, radius_um, method)
        for one in contenders
    ]
    rows = [
        _figures(target, one, own, radius_um) for one, own in zip(contenders, scores, strict=True)
    ]
    for row, own in zip(rows[1:], scores[1:], strict=True):
        row["difference"] = _difference(names[0], own, scores[0])
    return {
        "split": target.path.stem,
        "ground_truth": str(target.path),
        "method": method,
        "radius_um": radius_um,
        "n_fields": len(target.fields),
        "n_mitoses": sum(len(one.centroids_xy) for one in target.fields),
        "resampled": f_score_interval(scores[0])[2],
        "detectors": rows,
    }


def _figures(target: Target, one: Contender, scores: list[FieldScore], radius_um: float) -> dict:
    """Figures of one detector."""
    counts = total(scores)
    low, high, _ = f_score_interval(scores)
    curve = split_curve(target.fields, one.results.detections, radius_um)
    return {
        "name": one.name,
        "results": str(one.results.path),
        "threshold": one.threshold.value,
        "threshold_from": one.threshold.origin,
        **{name: getattr(counts, name) for name in (*COUNTS, *RATIOS)},
        "interval": {"low": low, "high": high, "level": 0.95},
        "ap": curve.average_precision if one.results.has_scores else None,
        **one.costs,
        "notes": list(one.results.notes),
        "difference": None,
    }


def _difference(first: str, scores: list[FieldScore], others: list[FieldScore]) -> dict:
    """Compare a detector with the first."""
    found = asdict(compare_f_scores(scores, others)[0])
    return {"to": first, "f_score": found.pop("difference"), **found}


def format_comparison(comparison: dict) -> str:
    """Lay out a comparison for a terminal.

    Args:
        comparison: Of :func:`compare_detectors`.

    Returns:
        Several lines.
    """
    parts = [_table(AsciiTable, _rows(comparison)), printable(_caption(comparison))]
    parts += [
        printable(f"{row['name']}: {text}")
        for row in comparison["detectors"]
        for text in _said(row)
    ]
    if len(comparison["detectors"]) > 1:
        parts += [_table(AsciiTable, _difference_rows(comparison)), _difference_caption(comparison)]
    return "\n".join(parts)


def comparison_markdown(comparison: dict) -> str:
    """Write a comparison as Markdown.

    Args:
        comparison: Of :func:`compare_detectors`.

    Returns:
        Two tables with their captions.
    """
    rows, caption = _rows(comparison), markdown(_caption(comparison))
    parts = [_table(GithubFlavoredMarkdownTable, rows), caption]
    said = [
        f"- {markdown(row['name'])}: {markdown(text)}"
        for row in comparison["detectors"]
        for text in _said(row)
    ]
    parts.append("\n".join(said))
    if len(comparison["detectors"]) > 1:
        rows, caption = _difference_rows(comparison), _difference_caption(comparison)
        parts += [_table(GithubFlavoredMarkdownTable, rows), caption]
    return "\n\n".join(parts) + "\n"


def comparison_csv(comparison: dict) -> str:
    """Write a comparison as CSV.

    Args:
        comparison: Of :func:`compare_detectors`.

    Returns:
        A line of headings, and a line a detector; numbers in full, texts as
        :func:`~mmdet_mitosis.texts.cell` makes them safe.
    """
    out = io.StringIO()
    known = _known_costs(comparison)
    plain = ("name", "threshold", "threshold_from", *COUNTS, *RATIOS, "ap", *known)
    ends = ("low", "high")
    headings = [f"f_score_{end}" for end in ends]
    headings += ["difference_to", "difference", "difference_low", "difference_high", "p_value"]
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow([*plain, *headings])
    for row in comparison["detectors"]:
        difference = row["difference"] or {}
        values = [row.get(key) for key in plain] + [row["interval"][end] for end in ends]
        values += [difference.get(key) for key in ("to", "f_score", *ends, "p_value")]
        lines.writerow([cell(value) if isinstance(value, str) else value for value in values])
    return out.getvalue()


def _known_costs(comparison: dict) -> list[str]:
    """Names of the costs that any detector has."""
    rows = comparison["detectors"]
    return [key for key in COSTS if any(row.get(key) is not None for row in rows)]


def _rows(comparison: dict) -> list[list[str]]:
    """Headings and a line a detector."""
    known = _known_costs(comparison)
    header = ["detector", "threshold", "TP", "FP", "FN", "precision", "recall", "F-score"]
    rows = [[*header, "95 % interval", "AP", *(COSTS[key][0] for key in known)]]
    for row in comparison["detectors"]:
        interval = row["interval"]
        rows.append(
            [
                row["name"],
                f"{row['threshold']:.3f}",
                *(str(row[key]) for key in COUNTS),
                *(f"{row[key]:.3f}" for key in RATIOS),
                f"{interval['low']:.3f} to {interval['high']:.3f}",
                _shown(row["ap"], "{:.3f}"),
                *(_shown(row.get(key), COSTS[key][1]) for key in known),
            ]
        )
    return rows


def _difference_rows(comparison: dict) -> list[list[str]]:
    """Headings and a line for each detector but the first."""
    first, *others = comparison["detectors"]
    rows = [[f"less {first['name']}", "difference of F", "95 % interval", "p"]]
    for row in others:
        found = row["difference"]
        interval = f"{found['low']:+.3f} to {found['high']:+.3f}"
        rows.append([row["name"], f"{found['f_score']:+.3f}", interval, f"{found['p_value']:.4f}"])
    return rows


def _said(row: dict) -> list[str]:
    """What is to be said of a detector: where its threshold is from, and notes."""
    return [f"threshold from {row['threshold_from']}", *row["notes"]]


def _caption(comparison: dict) -> str:
    """Say what the table is of."""
    return (
        f"{comparison['split']} ({comparison['ground_truth']}): {comparison['n_fields']} fields, "
        f"{comparison['n_mitoses']} mitoses; {comparison['method']} matching within "
        f"{comparison['radius_um']:g} µm; intervals by bootstrap of {comparison['resampled']}s"
    )


def _difference_caption(comparison: dict) -> str:
    """Say what the differences are."""
    return (
        f"differences by paired bootstrap of {comparison['resampled']}s, each detector at its "
        "threshold; p is two-sided, for no difference"
    )


def _shown(value: float | None, form: str) -> str:
    """Write a number, or a dash for none."""
    return "-" if value is None else form.format(value)


def _table(kind: type[AsciiTable], rows: list[list[str]]) -> str:
    """Lay out rows, all columns but the first to the right."""
    safe = markdown if kind is GithubFlavoredMarkdownTable else printable
    table = kind([[safe(text) for text in row] for row in rows])
    for column in range(1, len(rows[0])):
        table.justify_columns[column] = "right"
    return table.table
