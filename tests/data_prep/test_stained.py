"""Stains of whole cases: one fit a case, normalised fields that are written once."""

import json
import shutil

import numpy as np
import pytest
import tifffile

from data_prep import prepare, stained
from mmdet_mitosis.datasets.fields import read_window
from mmdet_mitosis.stain import MacenkoNormalizer
from tests.data_prep.archives import contents, write_label
from tests.data_prep.test_output import FORK, die_before_change

STAINS = np.array([[0.55, 0.22], [0.76, 0.84], [0.34, 0.50]])
OTHER = np.array([[0.65, 0.10], [0.70, 0.95], [0.29, 0.30]])


def tissue(seed, stains=STAINS, side=96):
    """Nuclei and stroma in two stains, with some glass."""
    rng = np.random.default_rng(seed)
    amounts = rng.uniform(0.4, 1.8, (side, side, 2))
    kind = rng.integers(0, 4, (side, side))
    amounts[kind == 0, 1] = 0
    amounts[kind == 1, 0] = 0
    amounts[kind == 2] *= 0.1
    density = amounts @ (stains / np.linalg.norm(stains, axis=0)).T
    return np.round(240 * np.exp(-density) - 1).clip(0, 255).astype(np.uint8)


@pytest.fixture
def archive(tmp_path):
    """Two fields of case 01 in different stains, and one of case 04 that is blank."""
    root = tmp_path / "archive"
    fields = {
        "01/01": tissue(0),
        "01/02": tissue(1, OTHER),
        "04/01": np.full((96, 96, 3), 245, np.uint8),
    }
    for name, rgb in fields.items():
        path = root / "mitoses_image_data_part_1" / f"{name}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, rgb, photometric="rgb")
        write_label(root / "mitoses_ground_truth" / f"{name}.csv", "48,48\n")
    return root, fields


def run(root, out, *more):
    words = ["tupac16", root, "--out", out, "--split", "none", "--workers", 1, *more]
    prepare.main([str(word) for word in words])
    return json.loads((out / "annotations" / "all.json").read_text())


def written(out, coco):
    """Read what the json names, by the name of the field."""
    return {i["name"]: tifffile.imread(out / "images" / i["file_name"]) for i in coco["images"]}


def test_fields_are_normalised_by_the_fit_of_their_case(archive, tmp_path):
    root, fields = archive
    out = tmp_path / "out"
    found = written(out, run(root, out, "--stain", "macenko"))
    normalizer = MacenkoNormalizer()
    case = normalizer.estimate_case([fields["01/01"], fields["01/02"]])
    for name in ("01/01", "01/02"):
        np.testing.assert_array_equal(found[name], normalizer.normalize(fields[name], case))
        assert (found[name] != normalizer.normalize(fields[name])).any()


def test_a_case_without_tissue_keeps_its_colours_and_is_said(archive, tmp_path, capsys):
    root, fields = archive
    out = tmp_path / "out"
    found = written(out, run(root, out, "--stain", "macenko"))
    np.testing.assert_array_equal(found["04/01"], fields["04/01"])
    assert "1 cases with too little tissue keep their colours: 04" in capsys.readouterr().out


def test_the_json_says_how_and_its_windows_are_read_in_parts(archive, tmp_path):
    root, _ = archive
    out = tmp_path / "out"
    coco = run(root, out, "--stain", "macenko")
    assert coco["info"]["stain"] == MacenkoNormalizer().to_dict()
    image = out / "images" / coco["images"][0]["file_name"]
    window = read_window(image, (10, 20, 50, 70))
    np.testing.assert_array_equal(window, tifffile.imread(image)[20:70, 10:50])
    moved = out.rename(tmp_path / "moved")
    assert (moved / "images" / coco["images"][0]["file_name"]).is_file()


def test_only_the_pixels_and_their_names_differ(archive, tmp_path):
    root, _ = archive
    plain, other = run(root, tmp_path / "a"), run(root, tmp_path / "b", "--stain", "macenko")
    assert other["annotations"] == plain["annotations"]
    for before, after in zip(plain["images"], other["images"], strict=True):
        assert after == {**before, "file_name": f"{before['file_name']}.tif"}


def test_a_second_run_writes_nothing_again_and_any_number_of_workers_the_same(archive, tmp_path):
    root, _ = archive
    out = tmp_path / "out"
    run(root, out, "--stain", "macenko")
    before = {p: p.stat().st_mtime_ns for p in (out / "stained").rglob("*.tif")}
    first = contents(out)
    run(root, out, "--stain", "macenko", "--workers", "2")
    assert {p: p.stat().st_mtime_ns for p in (out / "stained").rglob("*.tif")} == before
    run(root, tmp_path / "again", "--stain", "macenko", "--workers", "2")
    assert contents(out) == first == contents(tmp_path / "again")
    assert len(before) == 3


def test_another_target_writes_anew_and_clears_the_old(archive, tmp_path):
    root, _ = archive
    out, target = tmp_path / "out", tmp_path / "target.tif"
    tifffile.imwrite(target, tissue(7, OTHER), photometric="rgb")
    before = written(out, run(root, out, "--stain", "macenko"))
    after = written(out, run(root, out, "--stain", "macenko", "--target", target))
    assert (before["01/01"] != after["01/01"]).any()
    assert len(list((out / "stained").rglob("*.tif"))) == 3


def test_fits_are_kept_for_training_and_no_pixel_is_written(archive, tmp_path):
    root, fields = archive
    out = tmp_path / "out"
    coco = run(root, out, "--stain-fits", "macenko")
    assert coco == run(root, tmp_path / "plain")
    assert not (out / "stained").exists()
    case = MacenkoNormalizer().estimate_case([fields["01/01"], fields["01/02"]])
    for image in coco["images"]:
        path = out / "images" / image["file_name"]
        found = stained.cached_fit(path, path, MacenkoNormalizer())
        if image["case"] == "01":
            assert found.fit.to_dict() == case.to_dict() and found.scope.startswith("case 01")
        else:
            assert found.fit is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--target", "x.png"], "--target x.png says what --stain normalises to"),
        (["--stain", "macenko", "--target", "x.png"], "no such stain target: x.png"),
    ],
)
def test_bad_options_are_said_before_anything_is_made(archive, tmp_path, options, sentence):
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        run(archive[0], tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()


def test_what_is_normalised_is_not_normalised_again(archive, tmp_path):
    root, _ = archive
    run(root, tmp_path / "a", "--stain", "macenko")
    words = ["merge", tmp_path / "a", "--out", tmp_path / "b", "--stain", "macenko"]
    with pytest.raises(ValueError, match="normalised already"):
        prepare.main([str(word) for word in words])


def test_killed_anywhere_a_second_run_gives_what_one_run_gives(archive, tmp_path):
    root, _ = archive
    run(root, tmp_path / "expected", "--stain", "macenko")
    number, ended, out = 1, False, tmp_path / "out"
    while not ended:
        words = ("tupac16", root, "--out", out, "--split", "none", "--workers", 1)
        process = FORK.Process(
            target=die_before_change, args=(number, (*words, "--stain", "macenko"))
        )
        process.start()
        process.join()
        ended, number = process.exitcode == 0, number + 4
        run(root, out, "--stain", "macenko")
        assert contents(out) == contents(tmp_path / "expected")
        shutil.rmtree(out)
    assert number > 20
