"""What the options of the command change in what is written."""

import json
from pathlib import Path

import pytest

from data_prep import prepare
from data_prep.coco import to_coco
from data_prep.sources import tupac16
from tests.data_prep.archives import (
    contents,
    make_mitos12,
    make_mitos14,
    make_tupac16,
    write_label,
)
from tests.data_prep.test_prepare import PARTS, fails, load, run


def test_split_none_writes_one_json_and_takes_the_place_of_the_others(tmp_path: Path) -> None:
    root, out = make_tupac16(tmp_path / "archive"), tmp_path / "out"
    run("tupac16", root, "--out", out)
    write_label(out / "annotations" / "mine.txt", "kept")
    run("tupac16", root, "--out", out, "--split", "none")
    files = {name for name in contents(out) if name.startswith("annotations")}
    assert files == {"annotations/all.json", "annotations/mine.txt"}  # no stale train.json
    assert [image["case"] for image in load(out, "all")["images"]] == ["01", "01", "04", "27"]
    assert load(out, "all")["info"]["split"] == "all"
    run("tupac16", root, "--out", out)
    assert not (out / "annotations" / "all.json").exists()


def test_folds_are_written_with_what_each_one_tests(tmp_path: Path, capsys) -> None:
    root, out = make_mitos12(tmp_path / "archive"), tmp_path / "out"
    run("mitos12", root, "--out", out, "--split", "kfold:4")
    tested = []
    for fold in range(1, 5):
        cases = {p: {i["case"] for i in load(out, f"fold_{fold}/{p}")["images"]} for p in PARTS}
        assert sorted(case for found in cases.values() for case in found) == [
            "A00",
            "A01",
            "A02",
            "A03",
        ]
        following = load(out, f"fold_{fold % 4 + 1}/test")["images"]
        assert cases["val"] == {image["case"] for image in following}
        tested += cases["test"]
        info = load(out, f"fold_{fold}/val")["info"]
        assert (info["split"], info["fold"]) == ("val", f"fold_{fold}")
        assert info["split_name"] == "kfold:4"
        ids = [ann["id"] for ann in load(out, f"fold_{fold}/train")["annotations"]]
        assert ids == [1, 2]
    assert sorted(tested) == ["A00", "A01", "A02", "A03"]
    printed = capsys.readouterr().out
    assert "| all         |                     | 4     | 4      | 4       |" in printed
    assert "fold_1/train |" not in printed  # each case counts once


def test_split_of_the_whole_agrees_with_json_of_its_fields_alone(tmp_path: Path) -> None:
    root = make_tupac16(tmp_path / "archive")
    run("tupac16", root, "--out", tmp_path / "out")
    fields = [f for f in tupac16.read(root).fields if f.case == "04"]
    alone = to_coco(tupac16.read(root), fields, "mixed", 0)
    alone["info"].update(split="val", split_name="paper")
    assert json.dumps(load(tmp_path / "out", "val")) == json.dumps(alone)


def test_look_alikes_are_a_second_category_on_demand(tmp_path: Path, capsys) -> None:
    labels = {"A03_00Aa": ("50,60,1.0\n", "20,30,0.0\n70,80,0.2\n")}
    root, out = make_mitos14(tmp_path / "archive", labels), tmp_path / "out"
    run("mitos14", root, "--out", out)
    assert "2 look-alikes are not written (--look-alikes" in capsys.readouterr().out
    assert [a["category_id"] for a in load(out, "all")["annotations"]] == [1]
    assert [c["name"] for c in load(out, "all")["categories"]] == ["mitosis"]
    run("mitos14", root, "--out", out, "--look-alikes")
    coco = load(out, "all")
    assert [c["name"] for c in coco["categories"]] == ["mitosis", "look-alike"]
    found = [(a["category_id"], a["centroid"]) for a in coco["annotations"]]
    assert found == [(1, [50, 60]), (2, [20, 30]), (2, [70, 80])]
    printed = capsys.readouterr().out
    assert "| all   |                     | 1     | 1      | 1       | 2 " in printed
    assert "not written" not in printed


def test_look_alikes_of_an_archive_without_any_are_an_error(tmp_path: Path, capsys) -> None:
    root = make_tupac16(tmp_path / "archive")
    sentence = fails(capsys, "tupac16", root, "--out", tmp_path / "out", "--look-alikes")
    assert sentence == f"no look-alike is labelled in {root}: leave out --look-alikes"
    assert not (tmp_path / "out").exists()


def test_each_source_has_its_defaults_and_options(capsys) -> None:
    for name, module in prepare.READERS.items():
        args = prepare.parse_args([name, "root", "--out", "out"])
        assert (args.split, args.shape) == (module.DEFAULT_SPLIT, module.DEFAULT_SHAPE)
        assert all(hasattr(args, option) for option in module.OPTIONS)
    with pytest.raises(SystemExit):
        prepare.parse_args(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for module in prepare.READERS.values():
        assert module.HELP.split()[0] in shown


@pytest.mark.parametrize("n", [0, -3])
def test_preview_of_nothing_is_refused(tmp_path: Path, capsys, n: int) -> None:
    root = make_tupac16(tmp_path / "archive")
    sentence = fails(capsys, "tupac16", root, "--out", tmp_path / "out", "--preview", n)
    assert sentence == f"--preview must be at least 1, got {n}"
    assert not (tmp_path / "out").exists()
