"""Spoilt COCO json, results and candidates, into what reads them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmdet_mitosis.datasets import CandidateDataset, MitosisDataset
from mmdet_mitosis.datasets.hard_points import read_hard_points
from mmdet_mitosis.evaluation.results import load_target, read_results
from mmdet_mitosis.evaluation.truth import Truth, load_truth
from tests import make_data
from tests.evaluation.fields import coco
from tests.evaluation.result_files import (
    MITOSES,
    POINTS,
    as_job,
    as_multiple_points,
    as_records,
    ground_truth,
    write_tupac,
)
from tests.make_data import box
from tests.stress.judging import Judge, finite, generator
from tests.stress.mutations import spoil_json, spoil_lines

SIZES = [(120, 100), (90, 130)]


def fields_json() -> dict:
    """A json of two fields with three mitoses, as prepare.py writes it."""
    value = make_data.coco(
        SIZES, [[box(10, 10, 24, 22), box(80, 60, 100, 75)], [box(0, 100, 12, 130)]]
    )
    return {**value, "info": {"source": "a"}}


def tiles_json() -> dict:
    """The same as tiles, as prepare.py --write-tiles writes it."""
    value = fields_json()
    for image in value["images"]:
        width, height = image["width"], image["height"]
        image |= {"field": f"a/{image['id']}.tif", "window": [0, 0, width, height]}
    return value


def check_truth(truth: Truth, tree: Any) -> None:
    """See that what was read is finite, and that no annotation is lost."""
    for field in truth.fields:
        name = f"field {field.image_id!r}"
        sides = (field.width, field.height)
        assert all(type(s) is int and s > 0 for s in sides), f"{name} of {sides}"
        assert finite(field.mpp) and field.mpp > 0, f"{name} of {field.mpp}"
        assert finite(field.centroids_xy), f"{name}: {field.centroids_xy}"
        assert finite(field.polygons), f"{name}: {field.polygons}"
        assert len(field.polygons) == len(field.centroids_xy)
        texts = (field.file_name, field.case, field.scanner)
        assert all(isinstance(text, str) for text in texts), f"{name}: {texts}"
        json.dumps(texts, ensure_ascii=False).encode()
    if tree is not None and not truth.tiles:
        labelled = {f.image_id for f in truth.fields}
        mitoses = [
            a
            for a in tree["annotations"]
            if a["category_id"] in truth.mitosis_ids and a["image_id"] in labelled
        ]
        n_read = sum(len(f.centroids_xy) for f in truth.fields)
        assert n_read == len(mitoses), f"{n_read} of {len(mitoses)} mitoses"


def fuzz_truth(folder: Path, n: int, value: dict | None = None, name: str = "truth") -> Judge:
    """Give spoilt json of fields to ``load_truth``."""
    judge, path = Judge(f"load_truth, {name}"), folder / "test.json"
    good = value or fields_json()
    for case in range(n):
        data, tree = spoil_json(generator(name, case), good)
        path.write_bytes(data)
        judge.put(
            case, lambda: load_truth(path, 0.25), path, lambda t, tree=tree: check_truth(t, tree)
        )
    return judge


def fuzz_tiles(folder: Path, n: int) -> Judge:
    """Give spoilt json of tiles to ``load_truth``."""
    return fuzz_truth(folder, n, tiles_json(), "tiles")


def fuzz_boxes(folder: Path, n: int) -> Judge:
    """Give spoilt json without centroids to ``load_truth``."""
    value = coco(MITOSES)
    for ann in value["annotations"]:
        del ann["centroid"]
    return fuzz_truth(folder, n, value, "boxes")


def check_results(results: Any, n_records: int | None) -> None:
    """See that what was read is finite, and that no record is lost unsaid."""
    n_read = 0
    for found in results.detections.values():
        n_read += len(found)
        arrays = (found.centers_xy, found.scores, found.bboxes_xyxy)
        assert all(np.isfinite(array).all() for array in arrays), f"{arrays}"
        assert finite(found.polygons), f"{found.polygons}"
    if n_records is not None:
        told = n_read + results.n_left_out
        assert told == n_records, f"{n_read} read, {results.n_left_out} left out of {n_records}"


def count_points(tree: Any) -> int | None:
    """Count the detections of a tree of results; None if it is of none of the forms."""
    try:
        if isinstance(tree, dict):
            parts = [tree] if "points" in tree else tree.values()
            return sum(len(part["points"]) for part in parts)
        if tree and "outputs" in tree[0]:
            return sum(len(job["outputs"][1]["value"]["points"]) for job in tree)
        return len(tree)
    except (TypeError, KeyError, IndexError):
        return None


FORMS: dict[str, Any] = {
    "COCO results": [
        {**record, "segmentation": [[1, 2, 30, 2, 30, 40]]} for record in as_records(form="both")
    ],
    "MIDOG of an image": as_multiple_points(POINTS[1]),
    "MIDOG by image": {f"{i:02d}.tif": as_multiple_points(p) for i, p in POINTS.items()},
    "jobs": [as_job(i, as_multiple_points(p)) for i, p in POINTS.items()],
}


def fuzz_results(folder: Path, n: int, form: str) -> Judge:
    """Give spoilt results in json to ``read_results``."""
    judge, path = Judge(f"read_results, {form}"), folder / "01.json"
    target = load_target(ground_truth(folder))
    for case in range(n):
        data, tree = spoil_json(generator(form, case), FORMS[form])
        path.write_bytes(data)
        count = None if tree is None else count_points(tree)
        judge.put(
            case, lambda: read_results(path, target), folder, lambda r, n=count: check_results(r, n)
        )
    return judge


def fuzz_tupac_results(folder: Path, n: int) -> Judge:
    """Give spoilt CSV files to ``read_results``."""
    judge = Judge("read_results, TUPAC16 csv")
    target = load_target(ground_truth(folder))
    out = write_tupac(folder)
    path = out / "source/01.csv"
    good = path.read_text()
    for case in range(n):
        path.write_bytes(spoil_lines(generator("tupac results", case), good))
        judge.put(case, lambda: read_results(out, target), out, lambda r: check_results(r, None))
    return judge


def check_windows(dataset: MitosisDataset) -> None:
    """See that windows lie in their fields, and objects in their windows."""
    for index in range(len(dataset)):
        record = dataset.get_data_info(index)
        height, width = record["field_shape"]
        x1, y1, x2, y2 = record["window_xyxy"]
        assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height, f"{record}"
        for instance in record["instances"]:
            left, top, right, bottom = instance["bbox"]
            assert 0 <= left < right <= x2 - x1 and 0 <= top < bottom <= y2 - y1, f"{instance}"
            assert finite(instance["mask"])


def fuzz_windows(folder: Path, n: int) -> Judge:
    """Give spoilt json of fields to ``MitosisDataset``."""
    judge, path = Judge("MitosisDataset", memory=True), folder / "train.json"
    for case in range(n):
        path.write_bytes(spoil_json(generator("windows", case), fields_json())[0])
        judge.put(
            case,
            lambda: MitosisDataset(ann_file=str(path), window_size=64, serialize_data=False),
            path,
            check_windows,
        )
    return judge


def candidates_json() -> dict:
    """Candidates of two fields, as mining writes them."""
    found = [(30, 40, 1, "mitosis"), (60, 50, 0, "random"), (70, 90, 0, "false_positive")]
    return {
        "info": {"n_mitoses": 3, "n_mitoses_found": 1},
        "images": make_data.coco(SIZES, [[], []])["images"],
        "candidates": [
            {
                "id": i,
                "image_id": 1 + i % 2,
                "point": [x, y],
                "label": label,
                "source": source,
                "score": 0.5,
            }
            for i, (x, y, label, source) in enumerate(found)
        ],
    }


def check_candidates(dataset: CandidateDataset, tree: Any) -> None:
    """See that all candidates are read, with finite points."""
    records = [dataset.get_data_info(index) for index in range(len(dataset))]
    for record in records:
        assert finite(record["point"]), f"{record['point']}"
        assert record["label"] in (0, 1)
        assert all(type(s) is int and s > 0 for s in record["field_shape"]), f"{record}"
    if tree is not None:
        assert len(records) == len(tree["candidates"])


def fuzz_candidates(folder: Path, n: int) -> Judge:
    """Give spoilt candidates to ``CandidateDataset``."""
    judge, path = Judge("CandidateDataset"), folder / "candidates.json"
    for case in range(n):
        data, tree = spoil_json(generator("candidates", case), candidates_json())
        path.write_bytes(data)
        judge.put(
            case,
            lambda: CandidateDataset(
                ann_file=str(path), data_prefix={"img": "images/"}, serialize_data=False
            ),
            path,
            lambda d, tree=tree: check_candidates(d, tree),
        )
    return judge


def check_points(points: dict[str, np.ndarray]) -> None:
    """See that points are finite, by names."""
    for name, found in points.items():
        assert isinstance(name, str) and np.isfinite(found).all(), f"{name!r}: {found}"


def fuzz_hard_points(folder: Path, n: int) -> Judge:
    """Give spoilt candidates to ``read_hard_points``."""
    judge, path = Judge("read_hard_points"), folder / "candidates.json"
    for case in range(n):
        path.write_bytes(spoil_json(generator("hard points", case), candidates_json())[0])
        judge.put(case, lambda: read_hard_points(path), path, check_points)
    return judge


READERS: dict[str, tuple[Callable[[Path, int], Judge], int]] = {
    "truth": (fuzz_truth, 12000),
    "tiles": (fuzz_tiles, 8000),
    "boxes": (fuzz_boxes, 8000),
    **{form: (lambda folder, n, form=form: fuzz_results(folder, n, form), 6000) for form in FORMS},
    "TUPAC16 csv": (fuzz_tupac_results, 5000),
    "MitosisDataset": (fuzz_windows, 4000),
    "CandidateDataset": (fuzz_candidates, 6000),
    "hard points": (fuzz_hard_points, 6000),
}


@pytest.mark.parametrize("reader", READERS)
def test_spoilt_json(tmp_path: Path, reader: str) -> None:
    fuzz, n = READERS[reader]
    fuzz(tmp_path, n).finish()
    shutil.rmtree(tmp_path)
