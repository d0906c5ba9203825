"""What a test left in its work folder, read back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mmdet_mitosis.coco_file import is_writable
from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.evaluation.functional import MATCH_METHODS
from mmdet_mitosis.evaluation.results import Target, read_results
from mmdet_mitosis.evaluation.truth import FieldTruth, Truth, load_truth
from mmdet_mitosis.json_file import finite, parse_json, shown
from mmdet_mitosis.report.training_log import TrainingLog, read_training_log

TEXTS = ("threshold_from", "method", "ann_file", "image_root", "checkpoint", "config")
NUMBERS = ("threshold", "radius_um", "f_score", "n_fields", "n_mitoses", "tp", "fp", "fn")


@dataclass(frozen=True)
class ScoredRun:
    """A split's scores, ground truth and detections, and the training behind them.

    ``scores`` is the content of ``<split>_scores.json``, ``image_root`` the folder that the
    fields' ``file_name`` is relative to, ``n_unlabelled`` the number of fields that nobody has
    labelled. ``config_text`` is None where the work folder has no copy of the config.
    """

    split: str
    scores: dict
    tested: datetime
    fields: list[FieldTruth]
    n_unlabelled: int
    detections: dict[int, FieldDetections]
    image_root: Path
    config_text: str | None
    training: TrainingLog


def load_run(
    work_dir: str | Path,
    split: str = "test",
    ann_file: str | Path | None = None,
    image_root: str | Path | None = None,
) -> ScoredRun:
    """Read what ``tools/test.py`` left in a work folder.

    Args:
        work_dir: The folder, with ``<split>_scores.json`` and ``<split>_detections.json``.
        split: Name of the split.
        ann_file: Where the annotation file is now; None: where it was at the test.
        image_root: Where the images are now; None: where they were at the test.

    Returns:
        The run.

    Raises:
        FileNotFoundError: If one of the files is not there.
        ValueError: If one of them is damaged, or they do not belong together.
    """
    folder = Path(work_dir)
    scores_file = folder / f"{split}_scores.json"
    scores = _read_scores(scores_file)
    ann_file = Path(ann_file or scores["ann_file"])
    if not ann_file.is_file():
        raise FileNotFoundError(
            f"no such annotation file: {ann_file} ({scores_file} names it as that of the test; "
            "--ann-file says where it is now)"
        )
    target = Target(ann_file, load_truth(ann_file))
    _check_belongs(scores, scores_file, ann_file, target.truth)
    config = folder / Path(scores["config"]).name
    return ScoredRun(
        split=split,
        scores=scores,
        tested=datetime.fromtimestamp(scores_file.stat().st_mtime),
        fields=target.fields,
        n_unlabelled=len(target.truth.unlabelled),
        detections=_read_detections(folder / f"{split}_detections.json", target),
        image_root=Path(image_root or scores["image_root"]),
        config_text=config.read_text("utf-8", "replace") if config.is_file() else None,
        training=read_training_log(folder),
    )


def _read_scores(path: Path) -> dict:
    """Read the scores of a test, and check what the report takes from them."""
    if not path.is_file():
        raise FileNotFoundError(
            f"no {path.name} in {path.parent}: python tools/test.py CONFIG CHECKPOINT "
            f"--work-dir {path.parent} writes it"
        )
    try:
        scores = parse_json(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is no json: {error}") from error
    if not isinstance(scores, dict):
        raise ValueError(f"{path} holds no scores: expected an object, got {shown(scores)}")
    missing = [key for key in (*TEXTS, *NUMBERS) if key not in scores]
    if missing:
        raise ValueError(
            f"{path} lacks {', '.join(missing)}: run tools/test.py again, whose scores have it"
        )
    for key in TEXTS:
        value = scores[key]
        if not isinstance(value, str) or (value and not is_writable(value)):
            raise ValueError(f"{path}: {key} must be a text, got {shown(value)}")
    for key in NUMBERS:
        if finite(scores[key]) is None:
            raise ValueError(f"{path}: {key} must be a number, got {shown(scores[key])}")
    if scores["method"] not in MATCH_METHODS:
        known = ", ".join(MATCH_METHODS)
        raise ValueError(f"{path}: method must be one of {known}, got {shown(scores['method'])}")
    return scores


def _read_detections(path: Path, target: Target) -> dict[int, FieldDetections]:
    """Read what was found, by image id."""
    if not path.is_file():
        raise FileNotFoundError(
            f"no {path.name} in {path.parent}: run tools/test.py again, which writes it beside "
            "the scores"
        )
    return read_results(path, target.as_saved()).detections


def _check_belongs(scores: dict, scores_file: Path, ann_file: Path, truth: Truth) -> None:
    """Check that an annotation file is still the one that was scored."""
    n_mitoses = sum(len(field.centroids_xy) for field in truth.fields)
    now, then = (len(truth.fields), n_mitoses), (scores["n_fields"], scores["n_mitoses"])
    if now != then:
        raise ValueError(
            f"{ann_file} has {now[0]} fields and {now[1]} mitoses, and {scores_file} is of "
            f"{then[0]} and {then[1]}: it is another file, or it has changed; run tools/test.py "
            "again"
        )
