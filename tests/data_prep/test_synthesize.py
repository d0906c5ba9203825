"""The synthetic archive: layout, labels, seeds, and going on where it stopped."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy.spatial.distance import pdist

from data_prep import synthesize
from data_prep.sources import tupac16
from data_prep.synthetic.archive import ArchiveArguments, claim, format_counts, paint_missing
from data_prep.synthetic.field import has_mitoses, paint_field
from mmdet_mitosis.cli import run_main

ROOT = Path(__file__).resolve().parents[2]
CASES = ("01", "04", "27", "34")  # all three parts; 04 01 has no mitoses
ARGUMENTS = ArchiveArguments(seed=3, size_px=256, fields_per_case=1, cases=CASES)


def make(out: Path, arguments: ArchiveArguments = ARGUMENTS, workers: int = 1) -> Path:
    claim(out, arguments)
    paint_missing(out, arguments, workers)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("synthetic") / "archive")


def test_layout_is_that_of_tupac16(archive: Path) -> None:
    assert set(contents(archive)) == {
        "synthesize.json",
        "mitoses_image_data_part_1/01/01.tif",
        "mitoses_image_data_part_1/04/01.tif",
        "mitoses_image_data_part_2/27/01.tif",
        "mitoses_image_data_part_3/34/01.tif",
        "mitoses_ground_truth/01/01.csv",
        "mitoses_ground_truth/27/01.csv",
        "mitoses_ground_truth/34/01.csv",
    }  # no CSV, not an empty one, for 04 01
    for path in archive.rglob("*.tif"):
        image = tifffile.imread(path)
        assert image.shape == (256, 256, 3)
        assert image.dtype == np.uint8
        assert image.min() < 100 < 200 < image.max()
    for path in archive.rglob("*.csv"):
        for line in path.read_text().splitlines():
            row, column = map(int, line.split(","))
            assert 0 <= row < 256
            assert 0 <= column < 256


def test_the_reader_of_tupac16_takes_it(archive: Path) -> None:
    read = tupac16.read(archive)
    assert [field.name for field in read.fields] == ["01/01", "04/01", "27/01", "34/01"]
    assert not read.left_out
    assert [bool(field.mitoses) for field in read.fields] == [True, False, True, True]


def test_labels_are_row_first_and_on_chromatin(tmp_path: Path) -> None:
    arguments = ArchiveArguments(seed=1, size_px=640, fields_per_case=1, cases=("02", "28"))
    make(tmp_path / "a", arguments)
    right, swapped = [], []
    for label in sorted((tmp_path / "a").rglob("*.csv")):
        (path,) = (tmp_path / "a").glob(f"mitoses_image*/{label.parent.name}/01.tif")
        red = tifffile.imread(path)[..., 0].astype(int)  # eosin hardly takes red, hematoxylin does
        usual = np.median(red)
        for row, column in np.loadtxt(label, delimiter=",", dtype=int, ndmin=2):
            for found, (y, x) in ((right, (row, column)), (swapped, (column, row))):
                around = red[max(y - 12, 0) : y + 13, max(x - 12, 0) : x + 13]
                found.append(np.mean(around < 0.62 * usual))
    assert len(right) >= 5
    assert min(right) > 0.1
    assert np.median(right) > 0.25 > 2 * np.median(swapped)


def test_a_label_is_the_middle_of_the_pair_and_mitoses_keep_apart() -> None:
    field = paint_field(0, 5, 2, 1000)
    assert 4 <= len(field.mitoses_xy) <= 20
    assert pdist(field.mitoses_xy).min() > 60  # placed 70 px apart; a centroid lies near its place
    assert field.mitoses_xy.min() > 5
    assert field.mitoses_xy.max() < 994


def test_look_alikes_are_labelled_as_in_the_alternative_set(tmp_path: Path) -> None:
    plain = ArchiveArguments(seed=1, size_px=400, fields_per_case=1, cases=("04", "28"))
    with_both = replace(plain, look_alikes=True)
    without, both = make(tmp_path / "without", plain), make(tmp_path / "both", with_both)
    kept = contents(without)
    kept.pop("synthesize.json")
    found = contents(both)
    assert {name: found[name] for name in kept} == kept
    assert set(found) - set(kept) == {
        "synthesize.json",
        "mitoses_ground_truth/04/01.csv",  # empty: 04 01 has no mitosis
        "nonmitoses_ground_truth/04/01.csv",
        "nonmitoses_ground_truth/28/01.csv",
    }
    read = tupac16.read(both, labels="alternative")
    assert not read.left_out
    assert [bool(field.mitoses) for field in read.fields] == [False, True]
    for field in read.fields:
        red = tifffile.imread(field.image_path)[..., 0].astype(int)
        places = np.array([cell.centroid_xy for cell in field.look_alikes])
        assert len(places)
        darkest = [red[max(y - 9, 0) : y + 10, max(x - 9, 0) : x + 10].min() for x, y in places]
        assert max(darkest) < 0.75 * np.median(red)
    assert format_counts(both, with_both).count(" look-alikes") == 2
    (both / "nonmitoses_ground_truth/04/01.csv").unlink()
    assert contents(make(both, with_both)) == found


def test_fields_do_not_depend_on_workers_order_or_neighbours(archive: Path, tmp_path: Path) -> None:
    assert contents(make(tmp_path / "two", workers=2)) == contents(archive)
    more = ArchiveArguments(3, 256, 1, ("34", "02", "27"))
    others = contents(make(tmp_path / "more", more))
    for name, data in contents(archive).items():
        if "/27/" in name or "/34/" in name:
            assert others[name] == data


def test_seed_case_and_number_each_give_another_field() -> None:
    images = [
        paint_field(seed, case, number, 128).image_rgb.tobytes()
        for seed, case, number in ((0, 1, 1), (1, 1, 1), (0, 2, 1), (0, 1, 2))
    ]
    assert len(set(images)) == 4


def test_scanners_stain_differently() -> None:
    def hue(case: int) -> float:
        density = -np.log((paint_field(0, case, 1, 256).image_rgb + 1.0) / 256)
        dark = density[density[..., 0] > np.quantile(density[..., 0], 0.97)]
        return float(np.mean(dark[:, 0] / dark[:, 2]))  # red to blue of the darkest: hematoxylin's

    aperio, leica = ([hue(case) for case in cases] for cases in ((1, 2, 23), (24, 25, 73)))
    assert max(aperio) < 1.3 < min(leica)


def test_one_field_in_eleven_has_no_mitosis() -> None:
    empty = [(c, n) for c in range(1, 74) for n in range(1, 12) if not has_mitoses(c, n)]
    assert len(empty) == 73
    case, number = empty[0]
    assert len(paint_field(0, case, number, 256).mitoses_xy) == 0


@pytest.mark.parametrize(
    "lost",
    [
        "mitoses_image_data_part_2/27/01.tif",
        "mitoses_ground_truth/34/01.csv",  # an image alone would count as one without mitoses
        "mitoses_image_data_part_1/04",
    ],
)
def test_goes_on_where_it_stopped(archive: Path, tmp_path: Path, lost: str) -> None:
    again = make(tmp_path / "again")
    before = {p: p.stat().st_mtime_ns for p in again.rglob("*.tif")}
    gone = again / lost
    for path in [*gone.glob("*"), gone] if gone.is_dir() else [gone]:
        path.rmdir() if path.is_dir() else path.unlink()
    half = again / "mitoses_image_data_part_2/27/.01.tif.99.tmp"
    half.write_bytes(b"half")
    make(again)
    assert contents(again) == contents(archive)
    kept = [p for p, time in before.items() if p.stat().st_mtime_ns == time]
    assert len(kept) == 3


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (ArchiveArguments(4, 256, 1, CASES), "seed 3 there, 4 now"),
        (ArchiveArguments(3, 300, 1, CASES), "size_px 256 there, 300 now"),
        (ArchiveArguments(3, 256, 2, CASES), "fields_per_case 1 there, 2 now"),
        (ArchiveArguments(3, 256, 1, ("01",)), "cases"),
        (ArchiveArguments(3, 256, 1, CASES, look_alikes=True), "look_alikes False there, True now"),
    ],
)
def test_refuses_an_archive_of_other_arguments(
    archive: Path, changed: ArchiveArguments, named: str
) -> None:
    before = contents(archive)
    with pytest.raises(ValueError, match=named):
        claim(archive, changed)
    assert contents(archive) == before


def test_goes_on_with_an_archive_of_an_earlier_version(tmp_path: Path) -> None:
    path = tmp_path / "synthesize.json"
    manifest = {**ARGUMENTS.manifest(), "version": "0.0.1"}
    del manifest["look_alikes"]
    path.write_text(json.dumps(manifest))
    before = contents(tmp_path)
    claim(tmp_path, ARGUMENTS)
    assert contents(tmp_path) == before
    with pytest.raises(ValueError, match=r"arguments: look_alikes False there, True now$"):
        claim(tmp_path, replace(ARGUMENTS, look_alikes=True))
    path.write_text(json.dumps({**manifest, "painting": 1, "blur": 2}))
    with pytest.raises(ValueError, match="painting 1 there, 2 now; it has also blur"):
        claim(tmp_path, ARGUMENTS)


def test_refuses_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="not empty"):
        claim(tmp_path, ARGUMENTS)
    with pytest.raises(ValueError, match="is a file"):
        claim(tmp_path / "thesis.txt", ARGUMENTS)
    (tmp_path / "synthesize.json").write_text("{")
    with pytest.raises(ValueError, match="no manifest"):
        claim(tmp_path, ARGUMENTS)
    assert set(contents(tmp_path)) == {"thesis.txt", "synthesize.json"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (ArchiveArguments(-1, 256, 1, CASES), "--seed .* -1"),
        (ArchiveArguments(0, 64, 1, CASES), "--size .* 64"),
        (ArchiveArguments(0, 256, 0, CASES), "--fields-per-case .* 0"),
        (ArchiveArguments(0, 256, 1, ("1",)), "two digits, as 01, got '1'"),
        (ArchiveArguments(0, 256, 1, ("74",)), "01 to 73, got 74"),
        (ArchiveArguments(0, 256, 1, ("02", "02")), "02 twice"),
    ],
)
def test_bad_arguments_are_named(arguments: ArchiveArguments, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        arguments.check()


def test_command(tmp_path: Path) -> None:
    out = tmp_path / "archive"
    words = ["--out", str(out), "--size", "128", "--fields-per-case", "1", "--cases", "01", "27"]
    command = [sys.executable, str(ROOT / "data_prep/synthesize.py"), *words, "--workers", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    arguments = ArchiveArguments(0, 128, 1, ("01", "27"))
    assert done.stdout.splitlines()[-1] == f"written: {out}: {format_counts(out, arguments)}"
    assert json.loads((out / "synthesize.json").read_text()) == arguments.manifest()


@pytest.mark.parametrize("wrong", [["--seed", "1"], ["--size", "5"], ["--workers", "0"]])
def test_command_refuses_in_one_sentence(
    archive: Path, wrong: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    before = contents(archive)
    monkeypatch.setattr(sys, "argv", ["synthesize.py", "--out", str(archive), *wrong])
    with pytest.raises(SystemExit) as left:
        run_main(synthesize.main, "synthesize.py")
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("synthesize.py: error: ")
    assert len(said.splitlines()) == 1
    assert contents(archive) == before
