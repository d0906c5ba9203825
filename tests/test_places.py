"""Names in files of others lead to files below the given folder, and nowhere else."""

import os
from pathlib import Path

import pytest

from data_prep import merge
from data_prep.output import Staging, walk_own
from mmdet_mitosis.datasets import CandidateDataset, MitosisDataset
from mmdet_mitosis.evaluation.results import load_target, read_results
from mmdet_mitosis.evaluation.truth import load_fields
from mmdet_mitosis.inference.inputs import find_inputs
from mmdet_mitosis.locks import locked
from mmdet_mitosis.mining.store import MiningStore
from mmdet_mitosis.places import as_file_name, below
from mmdet_mitosis.report.crops import draw_crop
from mmdet_mitosis.report.findings import MISS, Finding
from mmdet_mitosis.transforms.copy_paste_mitoses import list_sources
from tests import make_data
from tests.evaluation.fields import coco, write

OUTSIDE = ["../out.png", "a/../../out.png", "a/../b.png", "/etc/passwd", "//etc/passwd", ".."]
NONE = ["", ".", "a\0b.png"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_name_that_leads_outside_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"^a\.json, image 3: the name '.*' leads outside"):
        below(tmp_path, name, "a.json, image 3")


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="can be no name of a file"):
        below(tmp_path, name, "a.json, image 3")


@pytest.mark.parametrize("name", ["a.png", "a/b..png", "..a/b.png", "a b/=1.png", "a\\..\\b.png"])
def test_name_below_is_taken(tmp_path: Path, name: str, monkeypatch) -> None:
    assert below(tmp_path, name, "x") == below(tmp_path, str(tmp_path / name), "x")
    assert below(tmp_path, name, "x") == tmp_path / name
    monkeypatch.chdir(tmp_path)
    assert below("", name, "x") == Path(name)


def test_links_below_are_followed(tmp_path: Path) -> None:
    """As prepare.py makes them."""
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "a.txt").write_text("here")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "source").symlink_to(tmp_path / "archive")
    assert below(tmp_path / "images", "source/a.txt", "x").read_text() == "here"


def test_each_id_has_a_name_of_its_own() -> None:
    ids = [1, "1", "../../x", "/x", "a b", ".", "", "é"]
    names = [as_file_name(one) for one in ids]
    assert len(set(names)) == len(ids) and not [n for n in names if "/" in n or n.startswith(".")]
    assert as_file_name(7) == "7"


@pytest.mark.parametrize("name", ["../field0.png", "/etc/passwd"])
def test_datasets_name_file_record_and_value(tmp_path: Path, name: str) -> None:
    found = make_data.coco([(120, 100)], [[make_data.disc(50, 50, 9, 120, 100)]])
    found["images"][0]["file_name"] = name
    path = make_data.write_json(tmp_path / "train.json", found)
    refused = rf"train\.json.*image 1: the name '{name}' leads outside"
    with pytest.raises(ValueError, match=refused):
        MitosisDataset(ann_file=path, data_prefix={"img": str(tmp_path)}, window_size=100)
    candidate = {"id": 1, "image_id": 1, "point": [5, 5], "label": 1, "source": "mitosis"}
    info = {"n_mitoses": 1, "n_mitoses_found": 1}
    mined = {"info": info, "images": found["images"], "candidates": [candidate]}
    path = make_data.write_json(tmp_path / "mined" / "train.json", mined)
    with pytest.raises(ValueError, match=refused):
        CandidateDataset(ann_file=path, data_prefix={"img": str(tmp_path)})
    fields = load_fields(tmp_path / "train.json")
    with pytest.raises(ValueError, match=r"image 1: the name .* leads outside"):
        list_sources(fields, tmp_path, 2)
    with pytest.raises(ValueError, match=r"image 1: the name .* leads outside"):
        draw_crop(tmp_path, Finding(MISS, fields[0], (50.0, 50.0), None), 7.5)


@pytest.mark.parametrize(
    "name", ["../../secret.tif", "/etc/passwd", "../images/table/a.png", "..png"]
)
def test_merge_takes_no_name_that_leads_outside(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "theirs"
    (folder / "images").mkdir(parents=True)
    (tmp_path / "secret.tif").write_bytes(b"mine")
    info = {"source": "table", "shape": "circle", "seed": 0, "split_name": "none"}
    image = {"id": 1, "file_name": name, "width": 9, "height": 9, "case": "1", "name": "1"}
    image |= {"scanner": "A", "mpp": 0.25, "labelled": True}
    whole = {"info": info, "images": [image], "annotations": [], "categories": []}
    make_data.write_json(folder / "annotations" / "all.json", whole)
    with pytest.raises(ValueError, match=r"all\.json, image 1: .*(leads outside|no name of a sou)"):
        merge.join([folder], [])


def test_job_of_a_submission_reads_beside_itself_alone(tmp_path: Path) -> None:
    target = load_target(write(tmp_path / "test.json", coco({1: [(100, 100)]})))
    write(tmp_path / "secret.json", {"points": []})
    (tmp_path / "in").mkdir()
    interface = {"slug": "mitotic-figures", "relative_path": "../../../secret.json"}
    for pk in ("job", "/", ".."):
        job = {"pk": pk, "inputs": [{"image": {"name": "01.tif"}}]}
        path = write(
            tmp_path / "in" / "predictions.json", [job | {"outputs": [{"interface": interface}]}]
        )
        with pytest.raises(
            ValueError, match=r"predictions\.json, job 1: the name .* leads outside"
        ):
            read_results(path, target)


def test_id_does_not_lead_the_store_outside(tmp_path: Path) -> None:
    store = MiningStore(tmp_path / "out", "train", {})
    store.write("detections", "../../../escaped", [1])
    assert store.read("detections", "../../../escaped") == [1]
    assert len(list(store.folder.iterdir())) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_lock_does_not_empty_what_a_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".train.lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic link"), locked(tmp_path / "out", "train"):
        pytest.fail("locked")
    assert (tmp_path / "precious").read_text() == "mine"


def test_nothing_behind_a_link_is_cleared_away(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    (precious / "annotations").mkdir(parents=True)
    (precious / "annotations" / "a.tif").write_text("mine")
    out = tmp_path / "out"
    out.mkdir()
    for name in (".fields", ".prepare.new"):
        (out / name).symlink_to(precious)
    assert list(walk_own(out / ".fields")) == []
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "link").symlink_to(precious)
    assert [parent for parent, _ in walk_own(tmp_path / "real")] == [tmp_path / "real"]
    Staging(out, {})
    assert (precious / "annotations" / "a.tif").read_text() == "mine"
    assert not os.path.lexists(out / ".prepare.new")


def test_slide_does_not_take_the_place_of_the_summary(tmp_path: Path) -> None:
    for name in ("summary.json.png", "Summary.CSV.png", "...png", "a\n\x1b[2J=.png"):
        (tmp_path / name).write_bytes(b"")
    names = [given.name for given in find_inputs([tmp_path / "summary.json.png"])]
    names += [given.name for given in find_inputs([tmp_path / "Summary.CSV.png"])]
    assert names == ["summary.json_slide", "Summary.CSV_slide"]
    for given in find_inputs([str(path) for path in tmp_path.iterdir()]):
        assert given.name.isprintable() and given.name[0] not in ".=/"
