"""Joining prepared folders."""

import contextlib
import io
import json
import shutil
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
    make_mitos14,
    make_tupac16,
    needs_real_data,
)

PARTS = ("train", "val", "test")


def run(*words: object) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        prepare.main([str(word) for word in words])
    return out.getvalue()


def fails(capsys: pytest.CaptureFixture, *words: object) -> str:
    """Run the command, which must fail, and give its sentence."""
    capsys.readouterr()
    with pytest.raises(SystemExit):
        run_main(lambda: run(*words), "prepare.py")
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "error: " in x]
    return line.partition("error: ")[2]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Prepare three archives, without two images of equal content."""
    make_tupac16(tmp_path / "archives" / "t")
    make_mitos12(tmp_path / "archives" / "m12")
    make_mitos14(tmp_path / "archives" / "m14", {"A07_00Aa": ("9,9,1.0\n", "50,60,0.2\n")})
    make_distinct(tmp_path / "archives")
    for source, name in (("tupac16", "t"), ("mitos12", "m12"), ("mitos14", "m14")):
        split = () if name == "t" else ("--split", "none", "--shape", "mixed")
        run(source, tmp_path / "archives" / name, "--out", tmp_path / name, *split)
    return tmp_path


def load(out: Path, part: str) -> dict:
    return json.loads((out / "annotations" / f"{part}.json").read_text())


def objects(coco: dict) -> list:
    """Give each object with its file name, without ids."""
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    plain = ("id", "image_id")
    return [
        (names[ann["image_id"]], {key: ann[key] for key in ann if key not in plain})
        for ann in coco["annotations"]
    ]


def test_table_1_of_the_paper_is_one_command(made: Path) -> None:
    only = ("--train-only", made / "m12", made / "m14")
    printed = run("merge", made / "t", *only, "--out", made / "out", "--strict")
    cases = {part: [i["case"] for i in load(made / "out", part)["images"]] for part in PARTS}
    assert cases == {
        "train": ["01", "01", "A00", "A01", "A02", "A03", "A07"],
        "val": ["04"],
        "test": ["27"],
    }
    everything = [o for part in PARTS for o in objects(load(made / "out", part))]
    expected = [o for part in PARTS for o in objects(load(made / "t", part))]
    expected += [o for name in ("m12", "m14") for o in objects(load(made / name, "all"))]
    assert sorted(everything, key=str) == sorted(expected, key=str)  # none lost, none redrawn
    assert "| all   |                     | 8     | 9      | 9 " in printed


def test_merged_json_has_new_ids_and_finds_its_images(made: Path) -> None:
    run("merge", made / "t", "--train-only", made / "m12", "--out", made / "out")
    for part in PARTS:
        loaded = COCO(made / "out" / "annotations" / f"{part}.json")
        assert list(loaded.imgs) == list(range(1, len(loaded.imgs) + 1))
        assert list(loaded.anns) == list(range(1, len(loaded.anns) + 1))
        for image in loaded.imgs.values():
            assert (made / "out" / "images" / image["file_name"]).is_file()
    links = {p.name: p.readlink() for p in (made / "out" / "images").iterdir()}
    assert links == {"tupac16": made / "archives" / "t", "mitos12": made / "archives" / "m12"}
    shutil.rmtree(made / "t")  # the archives are needed, the prepared folders are not
    assert (made / "out" / "images" / load(made / "out", "val")["images"][0]["file_name"]).is_file()


def test_merged_json_says_what_it_was_made_of(made: Path) -> None:
    run("mitos12", made / "archives" / "m12", "--out", made / "m12", "--seed", 4)
    printed = run("merge", made / "t", "--train-only", made / "m12", "--out", made / "out")
    info = load(made / "out", "train")["info"]
    assert info == {
        "source": "tupac16+mitos12",
        "shape": "mixed+contour",
        "seed": "0+4",
        "sources": {
            "tupac16": {"shape": "mixed", "seed": 0, "split_name": "paper"},
            "mitos12": {"shape": "contour", "seed": 4, "split_name": "mitos12"},
        },
        "split": "train",
        "split_name": "paper+mitos12",
    }
    assert f"{made / 'm12'}: val and test do not join (--train-only)" in printed
    cases = [image["case"] for image in load(made / "out", "train")["images"]]
    assert cases == ["01", "01", "A01", "A03"]  # the training cases only
    again = load(made / "out", "train")
    run("merge", made / "out", "--out", made / "again")
    assert load(made / "again", "train") == again


def test_folders_are_joined_split_by_split(made: Path) -> None:
    run("mitos12", made / "archives" / "m12", "--out", made / "m12", "--shape", "mixed")
    run("merge", made / "t", made / "m12", "--out", made / "out")
    cases = {part: {i["case"] for i in load(made / "out", part)["images"]} for part in PARTS}
    assert cases == {"train": {"01", "A01", "A03"}, "val": {"04", "A00"}, "test": {"27", "A02"}}


def test_folds_are_joined_fold_by_fold_and_take_training_cases(made: Path) -> None:
    for source, name in (("tupac16", "t"), ("mitos12", "m12")):
        archive = made / "archives" / name
        run(source, archive, "--out", made / name, "--split", "kfold:3", "--shape", "mixed")
    only = ("--train-only", made / "m14")
    run("merge", made / "t", made / "m12", *only, "--out", made / "out", "--strict")
    summary = json.loads((made / "out" / "summary.json").read_text())
    assert f"{made / 'm14'}: its 1 fields are trained on in every fold" in summary["notes"]
    tested = []
    for fold in ("fold_1", "fold_2", "fold_3"):
        parts = {p: load(made / "out", f"{fold}/{p}") for p in PARTS}
        cases = {p: {i["case"] for i in coco["images"]} for p, coco in parts.items()}
        assert "A07" in cases["train"]
        assert sum(map(len, cases.values())) == 8
        for p, coco in parts.items():
            both = [load(made / name, f"{fold}/{p}") for name in ("t", "m12")]
            expected = [o for made_of in both for o in objects(made_of)]
            found = [o for o in objects(coco) if not o[0].startswith("mitos14")]
            assert sorted(found, key=str) == sorted(expected, key=str)
        tested += cases["test"]
    assert sorted(tested) == ["01", "04", "27", "A00", "A01", "A02", "A03"]


def test_two_merges_are_byte_identical(made: Path) -> None:
    for out in ("a", "b", "b"):
        run("merge", made / "t", "--train-only", made / "m12", "--out", made / out)
    assert contents(made / "a") == contents(made / "b")


def test_same_image_in_two_folders_is_found(made: Path, capsys) -> None:
    source = made / "archives" / "m12" / "A01_v2" / "A01_00.png"
    target = made / "archives" / "t" / "mitoses_image_data_part_1" / "04" / "01.tif"
    shutil.copy(source, target)
    words = ("merge", made / "t", "--train-only", made / "m12")
    printed = run(*words, "--out", made / "out")
    sentence = f"one image 2 times, in 2 splits: {source} (train), {target} (val)"
    assert f"there more than once: 1\n  {sentence}" in printed
    assert json.loads((made / "out" / "summary.json").read_text())["repeated"] == [sentence]
    assert fails(capsys, *words, "--out", made / "strict", "--strict").startswith(sentence)
    assert not (made / "strict").exists()


def test_image_that_is_trained_on_in_every_fold_and_tested_in_one_is_found(made: Path) -> None:
    run("tupac16", made / "archives" / "t", "--out", made / "t", "--split", "loco")
    target = made / "archives" / "m12" / "A01_v2" / "A01_00.png"
    source = made / "archives" / "t" / "mitoses_image_data_part_1" / "04" / "01.tif"
    shutil.copy(source, target)
    printed = run("merge", made / "t", "--train-only", made / "m12", "--out", made / "out")
    sentence = f"one image 2 times, in 2 splits: {target} (fold_1/train), {source} (fold_2/test)"
    assert f"there more than once: 1\n  {sentence}" in printed
    assert "| all         |                     | 7     | 8      | 8 " in printed


def test_case_that_somebody_put_into_two_splits_is_found(made: Path) -> None:
    train, val = (made / "t" / "annotations" / f"{part}.json" for part in ("train", "val"))
    train.write_bytes(val.read_bytes())
    printed = run("merge", made / "t", "--out", made / "out")
    leak = "one case in 2 splits: tupac16 04 (train), tupac16 04 (val)"
    assert f"there more than once: 1\n  {leak}" in printed


def test_case_that_two_sources_share_is_told_apart_and_said(made: Path, capsys) -> None:
    make_mitos14(made / "archives" / "m14", {"H00_00Aa": ("70,70,1.0\n", "")})
    make_mitos14(made / "archives" / "m14", {"A01_00Aa": ("70,70,1.0\n", "")})
    make_distinct(made / "archives")
    split = made / "split.json"
    split.write_text('{"train": ["A07"], "val": ["A01"], "test": ["H00"]}')
    run("mitos14", made / "archives" / "m14", "--out", made / "m14", "--split", split)
    run("mitos12", made / "archives" / "m12", "--out", made / "m12", "--shape", "mixed")
    words = ("merge", made / "m12", made / "m14")
    printed = run(*words, "--out", made / "out")
    named = "case A01 is in mitos12 and in mitos14, and is named mitos12:A01 and mitos14:A01"
    assert named in printed
    cases = {part: {i["case"] for i in load(made / "out", part)["images"]} for part in PARTS}
    assert cases == {
        "train": {"mitos12:A01", "A03", "A07"},
        "val": {"A00", "mitos14:A01"},
        "test": {"A02", "H00"},
    }
    leak = "one case in 2 splits: mitos12 A00 (val), mitos14 H00 (test)"  # one slide, two scanners
    same_name = "one case in 2 splits: mitos12 A01 (train), mitos14 A01 (val)"
    assert f"there more than once: 2\n  {leak}\n  {same_name}\n" in printed
    assert fails(capsys, *words, "--out", made / "strict", "--strict").startswith(leak)


def test_folders_that_do_not_go_together_are_refused(made: Path, capsys) -> None:
    out = ("--out", made / "out")
    run("mitos14", made / "archives" / "m14", "--out", made / "la", "--look-alikes")
    shutil.copytree(made / "t", made / "t2", symlinks=True)
    run("mitos12", made / "archives" / "m12", "--out", made / "folds", "--split", "loco")
    t, m12 = made / "t", made / "m12"
    for words, expected in (
        ((t, m12), f"{m12} is divided in all, {t} in train, val, test: prepare both with the same"),
        ((t, made / "t2"), f"{t} and {made / 't2'} are both of the source tupac16: join one only"),
        ((t, "--train-only", made / "la"), "has the categories mitosis and look-alike, "),
        ((t, "--train-only", made / "folds"), "is divided in folds; --train-only needs --split"),
        ((m12, "--train-only", made / "m14"), f"{m12} has no training part that {made / 'm14'}"),
        ((t, t), f"{t} is named twice"),
        ((t, "--train-only", m12 / ".." / "t"), "/m12/../t is named twice"),
        ((t, made / "archives"), "archives is no folder that prepare.py has written: it has no"),
        ((t, made / "nowhere"), "nowhere is no folder that prepare.py has written"),
    ):
        assert expected in fails(capsys, "merge", *words, *out)
    assert "/t is the folder to write to: take another one" in fails(
        capsys, "merge", m12, t, "--out", t
    )
    assert not (made / "out").exists()


def test_json_that_is_not_of_prepare_is_named(made: Path, capsys) -> None:
    path = made / "t" / "annotations" / "val.json"
    for text in ("[1]", "{", '{"info": {"source": "x"}, "images": []}'):
        path.write_text(text)
        sentence = fails(capsys, "merge", made / "t", "--out", made / "out")
        assert sentence.startswith(f"{path} is no json of prepare.py")
    assert not (made / "out").exists()


def test_archive_that_has_moved_is_named(made: Path, capsys) -> None:
    (made / "archives" / "t").rename(made / "moved")
    sentence = fails(capsys, "merge", made / "t", "--out", made / "out")
    assert sentence.startswith(f"no such image: {made}/t/images/tupac16/mitoses_image_data_part_1")
    assert f"leads to {made}/archives/t: prepare {made}/t again" in sentence


@needs_real_data
def test_real_mitos12_joins_the_training_part(made: Path) -> None:
    run("mitos12", REAL_DATA / "mitos12", "--out", made / "real", "--split", "none")
    run("merge", made / "t", "--train-only", made / "real", "--out", made / "out", "--strict")
    splits = json.loads((made / "out" / "summary.json").read_text())["splits"]
    counts = {part: (v["fields"], v["mitoses"]) for part, v in splits.items()}
    assert counts == {"train": (2 + 28, 1 + 184), "val": (1, 2), "test": (1, 1)}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda c: c["images"][0].pop("case"), "image 1 lacks 'case'"),
        (lambda c: c["images"][0].update(name=["a"]), r"image 1 has the name \['a'\]; expected"),
        (lambda c: c.update(info=3), "its info is 3; expected an object"),
        (lambda c: c["info"].update(sources=[1]), r"the sources of its info are \[1\]"),
        (lambda c: c["annotations"][0].update(area=float("nan")), "annotation 1 has no finite"),
        (lambda c: c["annotations"][0].update(other=float("inf")), "never writes: Out of range"),
        (lambda c: c["annotations"][0].update(segmentation=[]), "annotation 1 has no polygons"),
    ],
)
def test_json_that_was_changed_is_refused(made: Path, spoil, said: str) -> None:
    path = made / "m12" / "annotations" / "all.json"
    coco = json.loads(path.read_text())
    spoil(coco)
    path.write_text(json.dumps(coco))
    with pytest.raises(ValueError, match=said) as caught:
        run("merge", made / "t", "--train-only", made / "m12", "--out", made / "out")
    assert str(path) in str(caught.value)
