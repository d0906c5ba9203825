"""Slides that are held out of training, by the benchmark that trains without them."""

import json
from pathlib import Path

from benchmarks.slide_runs import EVERY, SlideRuns


def write(folder: Path, cases: list[str], n_fields: int = 5) -> Path:
    images = [
        {"id": i, "case": case, "file_name": f"{case}_{i}.png"}
        for i, case in enumerate(sorted(cases * n_fields), start=1)
    ]
    mitoses = [{"id": i, "image_id": image["id"]} for i, image in enumerate(images, start=1)]
    content = {"info": {"source": "mitos12"}, "images": images, "annotations": mitoses}
    path = folder / "annotations" / "all.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))
    return folder


def cases_of(runs: SlideRuns, held_out: list[str]) -> dict[str, list[str]]:
    """Name the cases of each split, a field each."""
    folder = runs.split(held_out)
    found = {}
    for split in ("train", "val", "test"):
        content = json.loads((folder / f"{split}.json").read_text())
        found[split] = [image["case"] for image in content["images"]]
        ids = [image["id"] for image in content["images"]]
        assert [one["image_id"] for one in content["annotations"]] == ids
    return found


def test_what_is_held_out_is_tested_alone_and_chooses_nothing(tmp_path: Path) -> None:
    data = write(tmp_path / "data", ["A00", "A01", "A02"])
    runs = SlideRuns(tmp_path / "c.py", data, tmp_path / "work")
    assert runs.slides() == ["A00", "A01", "A02"]
    n_val = -(-5 // EVERY)
    assert cases_of(runs, ["A01"]) == {
        "train": ["A00"] * (5 - n_val) + ["A02"] * (5 - n_val),
        "val": ["A00"] * n_val + ["A02"] * n_val,
        "test": ["A01"] * 5,
    }
    assert set(cases_of(runs, ["A02", "A00"])["train"]) == {"A01"}


def test_the_same_tissue_on_another_scanner_is_left_out(tmp_path: Path) -> None:
    data = write(tmp_path / "data", ["A00", "A01", "H00", "H01"])
    runs = SlideRuns(tmp_path / "c.py", data, tmp_path / "work")
    found = cases_of(runs, ["A01"])
    assert set(found["test"]) == {"A01"}
    assert set(found["train"]) == set(found["val"]) == {"A00", "H00"}
