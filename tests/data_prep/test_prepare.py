"""The command: from an archive to json, all or nothing."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pycocotools.coco import COCO

from data_prep import prepare
from mmdet_mitosis.cli import run_main
from tests.data_prep.archives import (
    REAL_DATA,
    contents,
    make_distinct,
    make_mitos12,
    make_tupac16,
    needs_real_data,
    square,
    write_image,
    write_label,
)

CHECKOUT = Path(__file__).resolve().parents[2]
PARTS = ("train", "val", "test")


def run(*words: object) -> None:
    prepare.main([str(word) for word in words])


def fails(capsys: pytest.CaptureFixture, *words: object) -> str:
    """Run the command, which must fail, and give its sentence."""
    with pytest.raises(SystemExit) as caught:
        run_main(lambda: run(*words), "prepare.py")
    assert caught.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("prepare.py: error: ")  # on a line of its own, after the bar
    assert sum("error" in line for line in lines) == 1
    return lines[-1].removeprefix("prepare.py: error: ")


def load(out: Path, part: str) -> dict:
    return json.loads((out / "annotations" / f"{part}.json").read_text())


def objects(out: Path) -> dict[str, list]:
    """Give centroids and polygons of all splits, by field."""
    found: dict[str, list] = {}
    for coco in (load(out, part) for part in PARTS):
        names = {image["id"]: image["name"] for image in coco["images"]}
        for ann in coco["annotations"]:
            found.setdefault(names[ann["image_id"]], []).append(
                (ann["centroid"], ann["segmentation"])
            )
    return found


def test_tupac16_by_the_split_of_the_paper(tmp_path: Path) -> None:
    root, out = make_tupac16(tmp_path / "archive"), tmp_path / "out"
    run("tupac16", root, "--out", out)
    assert set(contents(out)) == {
        "annotations/train.json",
        "annotations/val.json",
        "annotations/test.json",
        "images/tupac16",
        "summary.json",
    }
    names = {part: [image["name"] for image in load(out, part)["images"]] for part in PARTS}
    assert names == {"train": ["01/01", "01/02"], "val": ["04/01"], "test": ["27/01"]}
    assert {name: [c for c, _ in found] for name, found in objects(out).items()} == {
        "01/01": [[40, 110]],
        "04/01": [[70, 30], [20, 20]],
        "27/01": [[60, 50]],
    }
    assert load(out, "val")["info"] == {
        "source": "tupac16",
        "shape": "mixed",
        "seed": 0,
        "split": "val",
        "split_name": "paper",
    }


def test_each_file_name_leads_to_its_image_and_pycocotools_reads_the_json(tmp_path: Path) -> None:
    root, out = make_tupac16(tmp_path / "my archive é"), tmp_path / "out"
    run("tupac16", root, "--out", out)
    for part in PARTS:
        for image in COCO(out / "annotations" / f"{part}.json").imgs.values():
            assert image["file_name"].startswith("tupac16/mitoses_image_data_part_")
            assert (out / "images" / image["file_name"]).is_file()


def test_two_runs_are_byte_identical_and_the_seed_matters(tmp_path: Path) -> None:
    root = make_tupac16(tmp_path / "archive")
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run("tupac16", root, "--out", tmp_path / name, "--seed", seed)
    run("tupac16", root, "--out", tmp_path / "a")  # into the same folder again
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert objects(tmp_path / "a") != objects(tmp_path / "c")


def test_polygons_do_not_depend_on_where_or_with_what_the_field_is_read(tmp_path: Path) -> None:
    run("tupac16", make_tupac16(tmp_path / "one"), "--out", tmp_path / "a")
    other = make_tupac16(tmp_path / "two")
    write_image(other / "mitoses_image_data_part_1" / "01" / "00.tif")
    write_label(other / "mitoses_ground_truth" / "01" / "00.csv", "9,9\n")
    run("tupac16", other, "--out", tmp_path / "b")
    expected = objects(tmp_path / "a")
    found = objects(tmp_path / "b")
    assert len(found.pop("01/00")) == 1
    assert found == expected


def test_mitos12_has_contours_or_the_same_objects_as_synthetic_shapes(tmp_path: Path) -> None:
    root = make_mitos12(tmp_path / "archive")
    run("mitos12", root, "--out", tmp_path / "contour")
    run("mitos12", root, "--out", tmp_path / "mixed", "--shape", "mixed")
    contour, mixed = objects(tmp_path / "contour"), objects(tmp_path / "mixed")
    assert set(contour) == set(mixed) == {"A00_01", "A01_00", "A02_02", "A03_02"}
    (centroid, (outline,)) = contour["A00_01"][0]
    assert centroid == mixed["A00_01"][0][0] == [13, 63]
    assert (len(outline), len(mixed["A00_01"][0][1][0])) == (8, 64)
    names = {part: [i["case"] for i in load(tmp_path / "mixed", part)["images"]] for part in PARTS}
    assert names == {"train": ["A01", "A03"], "val": ["A00"], "test": ["A02"]}
    shapes = {a["shape"] for p in PARTS for a in load(tmp_path / "contour", p)["annotations"]}
    assert shapes == {"contour"}


def test_split_of_a_file(tmp_path: Path) -> None:
    split = tmp_path / "mine.json"
    split.write_text('{"train": ["27"], "val": ["01"], "test": ["04"]}')
    out = tmp_path / "out"
    run("tupac16", make_tupac16(tmp_path / "archive"), "--out", out, "--split", split)
    assert [image["case"] for image in load(out, "train")["images"]] == ["27"]
    assert load(out, "train")["info"]["split_name"] == "mine.json"


def test_summary_and_table_count_everything(tmp_path: Path, capsys) -> None:
    root, out = make_tupac16(tmp_path / "archive", {"01/01": "5,5\n121,3\n", "04/01": "6,6"}), "out"
    write_image(root / "mitoses_image_data_part_1" / "99" / "01.tif")
    make_distinct(root)
    stray = write_label(root / "mitoses_ground_truth" / "30" / "01.csv", "1,1\n")
    run("tupac16", root, "--out", tmp_path / out)
    summary = json.loads((tmp_path / out / "summary.json").read_text())
    assert summary["splits"]["train"] == {
        "cases": 1,
        "fields": 2,
        "mitoses": 1,
        "look_alikes": 0,
        "mm2": 0.001,
        "case_names": ["01"],
        "scanners": {
            "Aperio ScanScope XT": {
                "cases": 1,
                "fields": 2,
                "mitoses": 1,
                "look_alikes": 0,
                "mm2": 0.001,
            }
        },
    }
    label = root / "mitoses_ground_truth" / "01" / "01.csv"
    assert summary["left_out"] == [
        f"{label}, line 2: row 121, column 3 lies outside the image (100 x 120 px)",
        f"{stray}: labels without an image",
        "case 99 is in no split (1 fields, 0 mitoses)",
    ]
    assert [note.split(":")[0] for note in summary["notes"]] == [
        "train",
        "val",
        "test",
        "test has no mitosis, so nothing can be measured on it",
    ]
    assert summary["notes"][1].startswith("val: 13 of 14 cases are not in the archive: 06 09")
    printed = capsys.readouterr().out
    assert "left out: 3\n" in printed
    assert all(sentence in printed for sentence in (*summary["left_out"], *summary["notes"]))
    assert (
        "| all   |                     | 3     | 4      | 2       | 0           | 0.003 |"
        in printed
    )


@pytest.mark.parametrize("fault", ["point", "labels", "case", "image"])
def test_strict_makes_an_error_of_what_is_left_out(tmp_path: Path, capsys, fault: str) -> None:
    root = make_distinct(make_tupac16(tmp_path / "archive"))
    run("tupac16", root, "--out", tmp_path / "out", "--strict")  # missing cases are no fault
    if fault == "point":
        write_label(root / "mitoses_ground_truth" / "01" / "01.csv", "121,3\n")
    elif fault == "labels":
        write_label(root / "mitoses_ground_truth" / "01" / "09.csv", "1,1\n")
    elif fault == "image":
        part = root / "mitoses_image_data_part_1"
        shutil.copy(part / "01" / "01.tif", part / "04" / "01.tif")
    else:
        write_image(root / "mitoses_image_data_part_1" / "99" / "01.tif")
    run("tupac16", root, "--out", tmp_path / "lax")
    summary = json.loads((tmp_path / "lax" / "summary.json").read_text())
    assert [len(summary["left_out"]), len(summary["repeated"])] == [
        fault != "image",
        fault == "image",
    ]
    sentence = fails(capsys, "tupac16", root, "--out", tmp_path / "strict", "--strict")
    expected = {
        "point": "row 121, column 3",
        "labels": "without an image",
        "case": "case 99",
        "image": "one image 2 times, in 2 splits: ",
    }
    assert expected[fault] in sentence
    assert sentence.endswith("(--strict; 1 in all)")
    assert not (tmp_path / "strict").exists()


def spoil(root: Path, fault: str) -> None:
    """Spoil an archive of TUPAC16."""
    image = root / "mitoses_image_data_part_2" / "27" / "01.tif"
    if fault == "truncated":
        image.write_bytes(image.read_bytes()[:200])
    elif fault == "empty":
        image.write_bytes(b"")
    elif fault == "folder":
        image.unlink()
        image.mkdir()
    elif fault == "letter":
        write_label(root / "mitoses_ground_truth" / "27" / "01.csv", "1,2\n3,o\n")
    elif fault == "no val":
        (root / "mitoses_image_data_part_1" / "04" / "01.tif").unlink()
    elif fault == "no mitosis":
        for label in root.glob("mitoses_ground_truth/*/*.csv"):
            label.unlink()
    elif fault == "no image":
        for path in root.glob("mitoses_image_data*/*/*"):
            path.unlink()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("truncated", r"part_2/27/01.tif"),
        ("empty", "part_2/27/01.tif is empty (0 bytes)"),
        ("folder", "part_2/27/01.tif is no image file"),
        ("letter", "27/01.csv, line 2: 'o' is no whole number; expected row,column"),
        ("no val", "no field for val: none of its cases (04 06 09 21"),
        ("no mitosis", "no mitosis at all in "),
        ("no image", "no image in "),
    ],
)
def test_bad_archive_ends_in_a_sentence_and_leaves_no_trace(
    tmp_path: Path, capsys, fault: str, expected: str
) -> None:
    root, out = make_tupac16(tmp_path / "archive"), tmp_path / "out"
    run("tupac16", root, "--out", out)
    before = contents(out)
    spoil(root, fault)
    assert expected in fails(capsys, "tupac16", root, "--out", out)
    assert contents(out) == before  # what was there stays whole
    fails(capsys, "tupac16", root, "--out", tmp_path / "new" / "deep")
    assert not (tmp_path / "new").exists()


def test_no_mitosis_names_what_was_left_out(tmp_path: Path, capsys) -> None:
    root = make_tupac16(tmp_path / "archive", {"01/01": "500,1\n500,2\n"})
    sentence = fails(capsys, "tupac16", root, "--out", tmp_path / "out")
    assert "4 labelled fields read, 2 things left out, first: " in sentence
    assert "01.csv, line 1: row 500, column 1 lies outside" in sentence


def test_missing_root_wrong_layout_and_unknown_split(tmp_path: Path, capsys) -> None:
    out = ("--out", tmp_path / "out")
    sentence = fails(capsys, "tupac16", tmp_path / "nowhere", *out)
    assert sentence == f"no such folder: {tmp_path / 'nowhere'}"
    root = make_tupac16(tmp_path / "archive")
    assert "looked for A00_v2/A00_01.jpg" in fails(capsys, "mitos12", root, *out)
    assert "looked for folders mitoses_image" in fails(capsys, "tupac16", tmp_path, *out)
    assert "no such split: 'papr'" in fails(capsys, "tupac16", root, *out, "--split", "papr")
    assert "centroids only" in fails(capsys, "tupac16", root, *out, "--shape", "contour")
    assert not (tmp_path / "out").exists()


def test_out_that_cannot_be_written(tmp_path: Path, capsys, monkeypatch) -> None:
    root = make_tupac16(tmp_path / "archive")
    file = write_label(tmp_path / "file", "")
    sentence = fails(capsys, "tupac16", root, "--out", file / "out")
    assert sentence == f"cannot write to {file / 'out'}: {file} is no folder"
    (tmp_path / "taken" / "images" / "tupac16").mkdir(parents=True)
    assert "is in the way" in fails(capsys, "tupac16", root, "--out", tmp_path / "taken")
    write_label(tmp_path / "mixed" / "annotations", "")
    sentence = fails(capsys, "tupac16", root, "--out", tmp_path / "mixed")
    assert sentence.endswith("annotations is no folder")
    assert set(contents(tmp_path / "mixed")) == {"annotations"}
    monkeypatch.setattr("os.access", lambda *_: False)
    sentence = fails(capsys, "tupac16", root, "--out", tmp_path / "out")
    assert sentence == f"cannot write to {tmp_path / 'out'}: no permission to write in {tmp_path}"


def test_link_follows_the_archive(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for name in ("one", "two", "two"):
        run("tupac16", make_tupac16(tmp_path / name), "--out", out)
        assert (out / "images" / "tupac16").readlink() == (tmp_path / name)


def test_two_sources_share_a_folder_of_images(tmp_path: Path) -> None:
    run("tupac16", make_tupac16(tmp_path / "t"), "--out", tmp_path / "out")
    run("mitos12", make_mitos12(tmp_path / "m"), "--out", tmp_path / "out")
    assert {p.name for p in (tmp_path / "out" / "images").iterdir()} == {"tupac16", "mitos12"}


def command(*words: object, cwd: Path) -> subprocess.CompletedProcess:
    line = [sys.executable, str(CHECKOUT / "data_prep" / "prepare.py"), *map(str, words)]
    return subprocess.run(line, cwd=cwd, capture_output=True, text=True, timeout=100)


def test_script_runs_from_elsewhere_with_relative_paths(tmp_path: Path) -> None:
    make_mitos12(tmp_path / "archive", {n: square(5, 5) for n in ("A00_1", "A01_1", "A02_1")})
    done = command("mitos12", "archive", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "images: 100%" in done.stderr
    (image,) = load(tmp_path / "out", "test")["images"]
    assert (tmp_path / "out" / "images" / image["file_name"]).is_file()


def test_script_ends_in_one_sentence_without_traceback(tmp_path: Path) -> None:
    root = make_tupac16(tmp_path / "archive")
    image = root / "mitoses_image_data_part_1" / "04" / "01.tif"
    image.write_bytes(image.read_bytes()[:184])  # of which tifffile has much to log
    done = command("tupac16", root, "--out", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    after_bar = done.stderr[done.stderr.rindex("image/s]") + len("image/s]") :].strip()
    assert after_bar.startswith(f"prepare.py: error: cannot read {image} as a TIFF: ")
    assert "\n" not in after_bar
    assert not (tmp_path / "out").exists()


@needs_real_data
def test_real_mitos12_is_split_by_slide(tmp_path: Path) -> None:
    run("mitos12", REAL_DATA / "mitos12", "--out", tmp_path, "--strict")
    summary = json.loads((tmp_path / "summary.json").read_text())
    counts = {part: (v["fields"], v["mitoses"]) for part, v in summary["splits"].items()}
    assert counts == {"train": (14, 138), "val": (8, 21), "test": (6, 25)}
