"""What ``tools/test.py`` leaves in a work folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mmdet_mitosis.coco_file import is_writable
from mmdet_mitosis.evaluation.comparison import COSTS, Contender
from mmdet_mitosis.evaluation.functional import MATCH_METHODS
from mmdet_mitosis.evaluation.results.reader import read_results
from mmdet_mitosis.evaluation.results.target import Target, load_target
from mmdet_mitosis.evaluation.results.threshold import Threshold
from mmdet_mitosis.evaluation.scoring import RADIUS_UM, score_fields, total
from mmdet_mitosis.json_file import finite, load_json, shown

MAX_RADIUS_UM = 1e6
"""A metre, beside which every match radius is small."""
MADE_BY = "tools/test.py writes it"


def read_work_folders(
    folders: Sequence[str | Path],
    split: str,
    target: Target | None = None,
    mpp: float | None = None,
) -> tuple[Target, list[Contender]]:
    """Read the results of several detectors on the same split.

    Args:
        folders: Work folders with ``<split>_scores.json`` and ``<split>_detections.json``.
        split: Name of the split.
        target: Its ground truth; None: that which the first folder names.
        mpp: Size of a pixel of the images that say none, µm.

    Returns:
        The ground truth, and a detector a folder, by the folder's name (its path where two have
        the same).

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is no such json, or the folders name different ground truths.
    """
    paths = [Path(folder) for folder in folders]
    names = [path.resolve().name for path in paths]
    contenders = []
    for path, name in zip(paths, names, strict=True):
        scores_file = path / f"{split}_scores.json"
        scores = load_json(scores_file, f"the scores of a test ({MADE_BY})")
        if not isinstance(scores, dict):
            raise ValueError(f"{scores_file} is no object; {MADE_BY}")
        _check_ann_file(scores_file, scores.get("ann_file"))
        target = _target(scores_file, scores.get("ann_file"), target, mpp)
        shown = name if names.count(name) == 1 else str(path)
        contenders.append(_contender(path, split, scores, target, shown))
    if target is None:
        raise ValueError("no work folders")
    return target, contenders


def _check_ann_file(scores_file: Path, named: Any) -> None:
    """Refuse what can be the name of no ground truth."""
    if named is not None and not (isinstance(named, str) and is_writable(named)):
        raise ValueError(f"{scores_file}: ann_file is {shown(named)}; expected the name of a json")
    try:
        Path(named or "").is_file()
    except OSError as error:  # as a name that is too long
        raise ValueError(
            f"{scores_file}: ann_file is {shown(named)}: {error.strerror}; expected the name of a "
            "json"
        ) from error


def _check_scores(scores_file: Path, scores: dict) -> None:
    """Refuse a threshold, a radius or a matching that is none."""
    if "threshold" not in scores:
        raise ValueError(f"{scores_file} has no threshold; {MADE_BY}")
    if finite(scores["threshold"]) is None:
        raise ValueError(
            f"{scores_file}: threshold is {shown(scores['threshold'])}; expected a finite number"
        )
    radius_um, method = finite(scores.get("radius_um", RADIUS_UM)), scores.get("method", "optimal")
    if radius_um is None or not 0 < radius_um <= MAX_RADIUS_UM:
        raise ValueError(
            f"{scores_file}: radius_um is {shown(scores['radius_um'])}; expected a positive number "
            f"of up to {MAX_RADIUS_UM:g} µm"
        )
    if not isinstance(method, str) or method not in MATCH_METHODS:
        raise ValueError(
            f"{scores_file}: method is {shown(method)}; expected {', '.join(MATCH_METHODS)}"
        )


def _contender(path: Path, split: str, scores: dict, target: Target, name: str) -> Contender:
    """Read one detector."""
    scores_file, found_file = path / f"{split}_scores.json", path / f"{split}_detections.json"
    if not found_file.is_file():
        raise FileNotFoundError(f"no such file: {found_file}; {MADE_BY}: run it again")
    _check_scores(scores_file, scores)
    value = float(scores["threshold"])
    results = read_results(found_file, target.as_saved())
    radius_um, method = scores.get("radius_um", RADIUS_UM), scores.get("method", "optimal")
    counts = asdict(
        total(score_fields(target.fields, results.detections, value, radius_um, method))
    )
    if counts != {key: scores.get(key, own) for key, own in counts.items()}:
        remark = f"{scores_file.name} and {found_file.name} give different counts"
        results = replace(results, notes=(*results.notes, f"{remark}: are they of one test?"))
    costs = {key: scores[key] for key in COSTS if finite(scores.get(key)) is not None}
    origin = str(scores.get("threshold_from", scores_file))
    return Contender(name, results, Threshold(value, origin), costs)


def _target(
    scores_file: Path, named: str | None, target: Target | None, mpp: float | None
) -> Target:
    """Take the ground truth that a test was scored on, or check that it is the given one."""
    if named is None and target is None:
        raise ValueError(
            f"{scores_file} names no ground truth ('ann_file'): run tools/test.py again, or give "
            "--gt"
        )
    if target is None and not Path(named).is_file():
        raise FileNotFoundError(f"{scores_file} names {named}, which is not there: give --gt")
    if target is None:
        return load_target(named, mpp)
    if named is not None and Path(named).is_file() and not Path(named).samefile(target.path):
        own = load_target(named, mpp)
        if _content(own) != _content(target):
            raise ValueError(
                f"{scores_file} is of {named}, not of {target.path}: only detectors that were "
                "tested on the same ground truth can be compared"
            )
    return target


def _content(target: Target) -> list[tuple]:
    """What makes two ground truths the same."""
    return [
        (f.image_id, f.file_name, f.width, f.height, f.mpp, f.case, f.centroids_xy.tobytes())
        for f in target.fields
    ]
