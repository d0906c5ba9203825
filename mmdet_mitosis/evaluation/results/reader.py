"""Reading results in whatever of the known formats they are."""

from __future__ import annotations

from pathlib import Path

from mmdet_mitosis.evaluation.results.coco_results import (
    images_of,
    read_coco_files,
    read_coco_results,
)
from mmdet_mitosis.evaluation.results.multiple_points import (
    read_jobs,
    read_points_files,
    read_points_object,
)
from mmdet_mitosis.evaluation.results.reading import Reading
from mmdet_mitosis.evaluation.results.results import Results, to_results
from mmdet_mitosis.evaluation.results.target import Target
from mmdet_mitosis.evaluation.results.tupac_submission import read_tupac_submission
from mmdet_mitosis.json_file import load_json

JOBS = "predictions.json"
EXPECTED = (
    "COCO results (a list of detections), tools/infer.py's folder, MIDOG's json or a folder of "
    "it, or a folder of TUPAC16's CSV"
)


def read_results(path: str | Path, target: Target) -> Results:
    """Read what a detector found on a split.

    Args:
        path: File or folder: COCO results; the folder that tools/infer.py has written, with COCO
            results of each slide; MIDOG's json of one image, of several by name, a folder of
            them, or grand-challenge.org's ``predictions.json`` or its folder; or a folder of
            TUPAC16's CSV files.
        target: The ground truth.

    Returns:
        The results, by field. Those of tiles are merged as
        :class:`~mmdet_mitosis.evaluation.centroid_fscore.CentroidFScore` merges those of windows.

    Raises:
        FileNotFoundError: If there is nothing, or a folder holds no results.
        ValueError: If it is in no such format, or a record of it is wrong: it names file and
            record.
    """
    path = Path(path)
    if path.is_dir():
        return to_results(path, _read_folder(path, target), target, in_tiles=False)
    value = load_json(path, EXPECTED)
    if isinstance(value, dict) and {"images", "annotations"} <= set(value):
        raise ValueError(f"{path} is a COCO json of ground truth; expected {EXPECTED}")
    if isinstance(value, dict):
        return to_results(path, read_points_object(path, value, target), target, in_tiles=False)
    if not isinstance(value, list):
        raise ValueError(f"{path} is neither list nor object; expected {EXPECTED}")
    if value and isinstance(value[0], dict) and "outputs" in value[0]:
        return to_results(path, read_jobs(path, value, target), target, in_tiles=False)
    in_tiles = bool(target.truth.tiles)
    return to_results(path, read_coco_results(path, value, target), target, in_tiles)


def _read_folder(folder: Path, target: Target) -> Reading:
    """Read a folder by what it holds."""
    jobs = folder / JOBS
    if jobs.is_file():
        value = load_json(jobs, "grand-challenge.org's list of jobs")
        if not isinstance(value, list):
            raise ValueError(f"{jobs} is no list; expected grand-challenge.org's list of jobs")
        return read_jobs(jobs, value, target)
    files = [p for p in sorted(folder.rglob("*")) if _is_shown(p.relative_to(folder))]
    by_suffix = {
        suffix: [p for p in files if p.suffix.lower() == suffix and p.is_file()]
        for suffix in (".json", ".csv")
    }
    of_slides = [p for p in by_suffix[".json"] if images_of(p).is_file()]
    if of_slides:
        return read_coco_files(folder, of_slides, target)
    if all(by_suffix.values()):
        raise ValueError(f"{folder} holds json and csv files; expected {EXPECTED}")
    if by_suffix[".json"]:
        return read_points_files(folder, by_suffix[".json"], target)
    if by_suffix[".csv"]:
        return read_tupac_submission(folder, by_suffix[".csv"], target)
    raise FileNotFoundError(f"no results in the folder {folder}; expected {EXPECTED}")


def _is_shown(path: Path) -> bool:
    """Tell whether no part of a path is hidden, as macOS's copies are."""
    return not any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
