"""No mitosis is lost or invented on the way from archive to json to windows."""

import json
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_prep.prepare import main
from mmdet_mitosis.datasets import MitosisDataset
from tests.data_prep.archives import CASES, write_image, write_label

WINDOW = 100
side = st.integers(40, 260)
point = st.tuples(st.integers(-3, 270), st.integers(-3, 270))
field = st.tuples(side, side, st.lists(point, max_size=6))
archive = st.fixed_dictionaries({case: st.lists(field, min_size=1, max_size=2) for case in CASES})


def write(root: Path, cases: dict) -> dict[str, Counter]:
    """Write an archive; give the centroids that each field should keep."""
    (root / "mitoses_ground_truth").mkdir(parents=True)
    kept = {}
    for case, fields in cases.items():
        for number, (width, height, points) in enumerate(fields, start=1):
            name = f"{case}/{number:02d}"
            part = root / f"mitoses_image_data_part_{CASES[case]}"
            write_image(part / f"{name}.tif", width, height)
            if points:
                rows = "".join(f"{y},{x}\n" for x, y in points)
                write_label(root / "mitoses_ground_truth" / f"{name}.csv", rows)
            inside = {(x, y) for x, y in points if 0 <= x <= width and 0 <= y <= height}
            kept[name] = Counter(inside)
    return kept


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(cases=archive, shape=st.sampled_from(["circle", "ellipse", "mixed"]))
def test_every_mitosis_arrives_once_and_nothing_else(cases: dict, shape: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder, "archive"), Path(folder, "data")
        kept = write(root, cases)
        words = ["tupac16", str(root), "--out", str(out), "--shape", shape]
        if not any(kept.values()):
            with pytest.raises(ValueError, match="no mitosis at all"):
                main(words)
            return
        main(words)
        found: dict[str, Counter] = {}
        for part in ("train", "val", "test"):
            coco = json.loads((out / "annotations" / f"{part}.json").read_text())
            names = {image["id"]: image["name"] for image in coco["images"]}
            found.update({name: Counter() for name in names.values()})
            for annotation in coco["annotations"]:
                found[names[annotation["image_id"]]][tuple(annotation["centroid"])] += 1
            check_windows(out / "annotations" / f"{part}.json", coco)
        assert found == kept


def check_windows(ann_file: Path, coco: dict) -> None:
    """See that each mitosis is an object of just the windows that its centroid lies in."""
    dataset = MitosisDataset(ann_file=str(ann_file), window_size=WINDOW, test_mode=True)
    sizes = {image["id"]: (image["width"], image["height"]) for image in coco["images"]}
    met: Counter = Counter()
    for i in range(len(dataset)):
        record = dataset.get_data_info(i)
        x1, y1, x2, y2 = record["window_xyxy"]
        width, height = sizes[record["img_id"]]
        held = [
            annotation["id"]
            for annotation in coco["annotations"]
            if annotation["image_id"] == record["img_id"]
            and (x1 <= annotation["centroid"][0] < x2 or annotation["centroid"][0] == x2 == width)
            and (y1 <= annotation["centroid"][1] < y2 or annotation["centroid"][1] == y2 == height)
        ]
        assert len(record["instances"]) == len(held)
        met.update(held)
    assert set(met) == {annotation["id"] for annotation in coco["annotations"]}
