"""The threshold that results are scored at, and where it is from."""

from __future__ import annotations

from dataclasses import dataclass

from mmdet_mitosis.evaluation.results.results import Results
from mmdet_mitosis.evaluation.results.target import Target
from mmdet_mitosis.evaluation.scoring import RADIUS_UM, split_curve
from mmdet_mitosis.evaluation.truth import FieldTruth


@dataclass(frozen=True)
class Threshold:
    """The lowest score that counts, where it is from, and whether it was tuned on what it scores.

    The last makes every F-score one of an oracle.
    """

    value: float
    origin: str
    oracle: bool = False


def own_threshold(results: Results) -> Threshold | None:
    """Take the threshold that results themselves decide by.

    Args:
        results: As MIDOG's with names, or results without scores.

    Returns:
        The threshold; None where they decide nothing.
    """
    if results.own_threshold is None:
        return None
    return Threshold(results.own_threshold, results.own_origin)


def check_scores(results: Results, option: str) -> None:
    """Refuse an option that chooses among scores where there are none.

    Args:
        results: The results.
        option: The option, for the message.

    Raises:
        ValueError: If they have no scores.
    """
    if not results.has_scores:
        raise ValueError(
            f"{results.path} has no scores, so that every detection counts: leave {option} out"
        )


def choose_on(
    val: Target, val_results: Results, scored: Target, radius_um: float = RADIUS_UM
) -> Threshold:
    """Choose the threshold of the highest F-score on a validation split, by greedy matching.

    Args:
        val: Ground truth of the validation split.
        val_results: The detector's results on it.
        scored: The split that is to be scored.
        radius_um: Match radius, µm.

    Returns:
        The threshold.

    Raises:
        ValueError: If the splits have a field in common, or the results have no scores.
    """
    check_scores(val_results, "--choose-on")
    known = {_identity(field) for field in scored.fields}
    common = [field.file_name for field in val.fields if _identity(field) in known]
    if common:
        raise ValueError(
            f"{val.path} and {scored.path} have {len(common)} images in common, as {common[0]}: a "
            "threshold chosen on what it scores is an oracle's"
        )
    curve = split_curve(val.fields, val_results.detections, radius_um)
    return Threshold(curve.best_threshold(), f"{val.path} (validation)")


def tune(scored: Target, results: Results, radius_um: float = RADIUS_UM) -> Threshold:
    """Tune the threshold on the very split that is scored.

    Args:
        scored: The split.
        results: The detector's results on it.
        radius_um: Match radius, µm.

    Returns:
        The threshold of the highest F-score, by greedy matching; an oracle's.

    Raises:
        ValueError: If the results have no scores.
    """
    check_scores(results, "--oracle")
    curve = split_curve(scored.fields, results.detections, radius_um)
    origin = f"oracle: tuned on {scored.path}, the split that is scored"
    return Threshold(curve.best_threshold(), origin, oracle=True)


def _identity(field: FieldTruth) -> tuple:
    """Tell a field from others, also those of other data sets by the same name."""
    size = (field.width, field.height)
    return field.file_name, field.case, *size, field.centroids_xy.tobytes()
