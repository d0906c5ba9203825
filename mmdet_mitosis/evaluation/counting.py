"""Mitoses counted by case, and how the counts agree with the ground truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from mmdet_mitosis.evaluation.functional import (
    CountAgreement,
    count_agreement,
    mitoses_per_mm2,
    mitotic_score,
)
from mmdet_mitosis.evaluation.scoring import FieldScore, group_by, total


@dataclass(frozen=True)
class CaseCount:
    """A case, its true and predicted mitoses, and the area of its fields in mm²."""

    case: str
    n_truth: int
    n_predicted: int
    area_mm2: float


def count_cases(scores: Iterable[FieldScore]) -> list[CaseCount]:
    """Count the mitoses of each case.

    Args:
        scores: Fields with their counts at a threshold. What a method counts as nothing (a second
            hit, by the paper's rule) is no predicted mitosis.

    Returns:
        One record a case, sorted by name.
    """
    found = []
    for case, group in group_by(scores, lambda field: field.case).items():
        counts = total(group)
        area_mm2 = sum(score.field.area_mm2 for score in group)
        found.append(CaseCount(case, counts.tp + counts.fn, counts.tp + counts.fp, area_mm2))
    return found


def agreement_of_cases(cases: list[CaseCount]) -> CountAgreement:
    """Compare the predicted counts of cases with the true ones.

    Args:
        cases: The cases with their counts.

    Returns:
        The agreement.
    """
    return count_agreement(*_columns(cases))


def summarize_counts(scores: Iterable[FieldScore]) -> dict:
    """Read the counts as a pathologist does.

    Args:
        scores: Fields with their counts at a threshold.

    Returns:
        Ready for json: ``cases``: by name, true and predicted mitoses, area in mm², density per
        mm², score of the count as it is and of the count scaled to 2 mm²; ``agreement``, as
        :class:`~mmdet_mitosis.evaluation.functional.CountAgreement`.
    """
    cases = count_cases(scores)
    truth, predicted, area_mm2 = _columns(cases)
    columns: dict[str, np.ndarray] = {}
    for side, counts in (("truth", truth), ("predicted", predicted)):
        columns[f"{side}_per_mm2"] = mitoses_per_mm2(counts, area_mm2)
        columns[f"{side}_score"] = mitotic_score(counts)
        columns[f"{side}_score_scaled"] = mitotic_score(counts, area_mm2)
    rows = {}
    for i, case in enumerate(cases):
        figures = {name: values[i].item() for name, values in columns.items()}
        rows[case.case] = {"n_truth": case.n_truth, "n_predicted": case.n_predicted}
        rows[case.case] |= {"area_mm2": case.area_mm2, **figures}
    return {"cases": rows, "agreement": asdict(agreement_of_cases(cases))}


def _columns(cases: list[CaseCount]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True counts, predicted counts and areas, (N,) each."""
    return (
        np.array([case.n_truth for case in cases], dtype=int),
        np.array([case.n_predicted for case in cases], dtype=int),
        np.array([case.area_mm2 for case in cases], dtype=float),
    )
