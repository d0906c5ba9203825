"""MITOS14's archive: x40 frames, two label files each, a confidence in each line."""

from pathlib import Path

import pytest

from data_prep.records import Field
from data_prep.sources import mitos14
from tests.data_prep.archives import (
    REAL_DATA,
    centroids,
    make_mitos14,
    needs_real_data,
    write_image,
    write_label,
)

FRAME = "A03_03Ab"


def make_one(root: Path, mitoses: str | None = "10,110,1.0\n", others: str | None = "") -> Path:
    return make_mitos14(root, {FRAME: (mitoses, others)})


def label(root: Path, kind: str = "mitosis", frame: str = FRAME) -> Path:
    return root / frame.split("_")[0] / "mitosis" / f"{frame}_{kind}.csv"


def cells(field: Field, which: str) -> list[tuple]:
    return [(cell.centroid_xy, cell.confidence, cell.line) for cell in getattr(field, which)]


def test_x_comes_first_and_the_confidence_is_kept(tmp_path: Path) -> None:
    mitoses, others = "10,110,1.0\n\n20,30,0.65\n", "50,60,0.2\n70,80,0.0\n"
    archive = mitos14.read(make_one(tmp_path, mitoses, others))
    (field,) = archive.fields
    # y 110 would lie outside as a column: the image is 100 x 120
    assert cells(field, "mitoses") == [((10, 110), 1.0, 1), ((20, 30), 0.65, 3)]
    assert cells(field, "look_alikes") == [((50, 60), 0.2, 1), ((70, 80), 0.0, 2)]
    assert field.mitoses[0].label_file == label(tmp_path)
    assert field.look_alikes[0].label_file == label(tmp_path, "not_mitosis")
    assert (archive.source, archive.left_out, archive.notes) == ("mitos14", (), ())


def test_slide_scanner_resolution_and_size(tmp_path: Path) -> None:
    labels = dict.fromkeys(("H05_00Aa", "A03_03Ab"), ("", ""))
    aperio, hamamatsu = mitos14.read(make_mitos14(tmp_path, labels)).fields
    assert (aperio.case, aperio.name, aperio.labelled) == ("A03", "A03_03Ab", True)
    assert (aperio.scanner, aperio.mpp) == ("Aperio ScanScope XT", 0.2456)
    assert (hamamatsu.scanner, hamamatsu.mpp) == ("Hamamatsu NanoZoomer", 0.2275)
    assert (aperio.width, aperio.height) == (100, 120)
    assert (aperio.mitoses, aperio.look_alikes) == ((), ())  # empty files: a frame with none


def test_majority_makes_a_mitosis_whatever_the_name_of_the_file(tmp_path: Path) -> None:
    mitoses, others = "1,1,0.5\n2,2,0.51\n3,3,0.4\n", "4,4,0.5\n5,5,0.6\n6,6,0.1\n"
    archive = mitos14.read(make_one(tmp_path, mitoses, others))
    assert centroids(archive.fields)[FRAME] == [(2, 2), (5, 5)]
    assert [c.centroid_xy for c in archive.fields[0].look_alikes] == [
        (1, 1),
        (3, 3),
        (4, 4),
        (6, 6),
    ]
    tail = "whatever the name of the file"
    file, other = label(tmp_path), label(tmp_path, "not_mitosis")
    assert archive.notes == (
        f"{file}, line 1: a confidence of 0.5 makes it a look-alike, {tail}",
        f"{file}, line 3: a confidence of 0.4 makes it a look-alike, {tail}",
        f"{other}, line 2: a confidence of 0.6 makes it a mitosis, {tail}",
    )
    assert archive.left_out == ()


@pytest.mark.parametrize("suffix", ["tiff", "bmp", "png", "jpg", "TIF"])
def test_kinds_of_image(tmp_path: Path, suffix: str) -> None:
    write_image(tmp_path / "A03" / "frames" / "x40" / f"{FRAME}.{suffix}")
    for kind in ("mitosis", "not_mitosis"):
        write_label(label(tmp_path, kind), "")
    assert len(mitos14.read(tmp_path).fields) == 1


def test_of_two_images_of_a_frame_the_lossless_one_counts(tmp_path: Path) -> None:
    jpeg = write_image(make_one(tmp_path) / "A03" / "frames" / "x40" / f"{FRAME}.jpg")
    archive = mitos14.read(tmp_path)
    assert [field.image_path for field in archive.fields] == [jpeg.with_suffix(".png")]
    assert archive.notes == (f"{jpeg}: {FRAME}.png of the same field is read instead",)


def test_other_magnifications_and_pictures_of_mitoses_are_no_fields(tmp_path: Path) -> None:
    make_one(tmp_path)
    write_image(tmp_path / "A03" / "frames" / "x20" / "A03_03A.png")
    write_image(label(tmp_path).with_suffix(".jpg"))
    archive = mitos14.read(tmp_path)
    assert [field.name for field in archive.fields] == [FRAME]
    assert (archive.left_out, archive.notes) == ((), ())


def test_frame_without_labels_is_not_taken_for_one_without_mitoses(tmp_path: Path) -> None:
    labels = {"A03_00Aa": (None, None), "A03_00Ab": (None, "5,5,0.2\n"), "A03_00Ac": ("", None)}
    archive = mitos14.read(make_mitos14(tmp_path, labels))
    assert [field.name for field in archive.fields] == ["A03_00Ac"]
    frames = tmp_path / "A03" / "frames" / "x40"
    assert archive.left_out == (
        f"{frames / 'A03_00Aa.png'}: a frame without A03_00Aa_mitosis.csv is not labelled",
        f"{frames / 'A03_00Ab.png'}: a frame without A03_00Ab_mitosis.csv is not labelled",
        f"{frames / 'A03_00Ac.png'}: its look-alikes are unknown without A03_00Ac_not_mitosis.csv",
    )


def test_few_labels_without_a_frame_are_named_one_by_one(tmp_path: Path) -> None:
    make_one(tmp_path)
    strays = [label(tmp_path, frame=f"A04_0{n}Aa") for n in range(5)]
    for stray in strays:
        write_label(stray, "not even numbers")
        write_label(stray.with_name(stray.name.replace("_mitosis", "_not_mitosis")), "")
    archive = mitos14.read(tmp_path)
    assert [field.name for field in archive.fields] == [FRAME]
    assert archive.left_out == tuple(f"{stray}: labels without a frame" for stray in strays)


def test_many_are_counted_in_one_sentence_that_names_the_first(tmp_path: Path) -> None:
    make_mitos14(tmp_path, {f"A03_0{n}Aa": (None, None) for n in range(7)})
    make_one(tmp_path)
    for n in range(6):
        write_label(label(tmp_path, frame=f"A04_0{n}Ab"), "")
    assert mitos14.read(tmp_path).left_out == (
        "7 of 8 frames have no _mitosis.csv, so they are not labelled: "
        "A03_00Aa, A03_01Aa, A03_02Aa, A03_03Aa, A03_04Aa, …",
        "6 of 7 frames with labels have no image in frames/x40: "
        "A04_00Ab, A04_01Ab, A04_02Ab, A04_03Ab, A04_04Ab, …",
    )


def test_names_that_do_not_belong_to_their_slide_are_named(tmp_path: Path) -> None:
    make_one(tmp_path)
    image = write_image(tmp_path / "A03" / "frames" / "x40" / "A04_00Aa.png")
    odd = write_label(tmp_path / "A03" / "mitosis" / f"{FRAME}.csv", "1,1,1.0\n")
    other = write_label(tmp_path / "A03" / "mitosis" / "A04_00Aa_mitosis.csv", "")
    expected = "expected A03_…_mitosis.csv or A03_…_not_mitosis.csv"
    assert mitos14.read(tmp_path).left_out == (
        f"{image}: no frame of A03 by its name; expected A03_…",
        f"{odd}: no label file of A03 by its name; {expected}",
        f"{other}: no label file of A03 by its name; {expected}",
    )


def test_capital_suffixes_count_and_labels_twice_are_an_error(tmp_path: Path) -> None:
    file = label(make_one(tmp_path))
    file.rename(file.with_suffix(".CSV"))
    assert centroids(mitos14.read(tmp_path).fields)[FRAME] == [(10, 110)]
    write_label(file, "")
    with pytest.raises(ValueError, match=rf"labels of {FRAME} are there twice: .*CSV and .*csv"):
        mitos14.read(tmp_path)


def test_point_on_the_edge_is_kept_beyond_it_and_repeated_ones_are_named(tmp_path: Path) -> None:
    # the image is 100 wide and 120 high
    root = make_one(tmp_path, "100,120,1.0\n5,121,0.8\n-1,5,1.0\n", "7,7,0.0\n100,120,0.2\n")
    archive = mitos14.read(root)
    assert centroids(archive.fields)[FRAME] == [(100, 120)]
    assert cells(archive.fields[0], "look_alikes") == [((7, 7), 0.0, 1)]
    file, other = label(root), label(root, "not_mitosis")
    assert archive.left_out == (
        f"{file}, line 2: x 5, y 121 lies outside the image (100 x 120 px)",
        f"{file}, line 3: x -1, y 5 lies outside the image (100 x 120 px)",
        f"{other}, line 2: x 100, y 120 repeats {file}, line 1, which counts",
    )


def test_swapped_x_and_y_are_called_so(tmp_path: Path) -> None:
    archive = mitos14.read(make_one(tmp_path, "110,10,1.0\n"))
    (sentence,) = archive.left_out
    assert sentence.endswith("(100 x 120 px); inside it if x and y were swapped")
    assert archive.notes[0].startswith("1 of 1 labelled points lie outside their images, and 0")


def test_one_tissue_on_two_scanners_is_noted(tmp_path: Path) -> None:
    labels = dict.fromkeys(("A03_00Aa", "H03_00Aa", "H04_00Aa"), ("", ""))
    assert mitos14.read(make_mitos14(tmp_path, labels)).notes == (
        "A03 and H03 are the same tissue on two scanners: keep such slides in one split",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,1.0\n3,4\n", r"line 2: 2 values \(3,4\); expected x,y,confidence"),
        ("x,y,confidence\n", "line 1: 'x' is no whole number; expected x,y,confidence"),
        ("1;2;1.0\n", "line 1: '1;2;1.0' is no whole number"),
        ("1.5,2,1.0\n", "line 1: '1.5' is no whole number"),
        ("1,2,nan\n", "line 1: 'nan' is no decimal number"),
        ("\n1,2,65\n", r"line 2: a confidence of 65\.0 is not between 0 and 1; expected x,y"),
        ("1,2,-0.1\n", r"line 1: a confidence of -0\.1 is not between 0 and 1"),
    ],
)
@pytest.mark.parametrize("kind", ["mitosis", "not_mitosis"])
def test_wrong_label_names_file_and_line(
    tmp_path: Path, text: str, message: str, kind: str
) -> None:
    root = make_one(tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        write_label(label(root, kind), text)
        mitos14.read(root)
    assert str(label(root, kind)) in str(caught.value)


def test_wrong_layout_says_what_was_looked_for(tmp_path: Path) -> None:
    write_label(label(tmp_path), "1,2,1.0\n")
    with pytest.raises(FileNotFoundError, match=r"looked for A03/frames/x40/A03_03Ab\.tiff"):
        mitos14.read(tmp_path)


@needs_real_data
def test_real_archive_has_one_frame_and_labels_for_1198_others() -> None:
    archive = mitos14.read((REAL_DATA / "mitos14").resolve())
    (field,) = archive.fields
    assert (field.name, field.width, field.height) == (FRAME, 1539, 1376)
    assert [m.confidence for m in field.mitoses].count(0.65) == 4
    assert (len(field.mitoses), len(field.look_alikes)) == (6, 0)
    (sentence,) = archive.left_out
    assert sentence.startswith("1198 of 1199 frames with labels have no image in frames/x40: A03_")
    assert archive.notes == ()


@needs_real_data
def test_real_labels_have_748_mitoses_and_2877_look_alikes(tmp_path: Path) -> None:
    # no images are there: placeholders of the frames' size
    image = write_image(tmp_path / "image.png", 1539, 1376)
    for folder in (REAL_DATA / "mitos14").glob("A*/mitosis"):
        slide = tmp_path / folder.parent.name
        (slide / "frames" / "x40").mkdir(parents=True)
        (slide / "mitosis").symlink_to(folder.resolve())
        for file in folder.glob("*_not_mitosis.csv"):
            name = file.stem.removesuffix("_not_mitosis")
            (slide / "frames" / "x40" / f"{name}.png").hardlink_to(image)
    archive = mitos14.read(tmp_path)
    assert (archive.left_out, archive.notes) == ((), ())
    assert len(archive.fields) == 1199
    assert len({field.case for field in archive.fields}) == 11
    assert sum(len(field.mitoses) for field in archive.fields) == 748
    assert sum(len(field.look_alikes) for field in archive.fields) == 2877
    edge = [c.centroid_xy for f in archive.fields for c in f.look_alikes if c.centroid_xy[1] > 1375]
    assert sorted(edge) == [(134, 1376), (866, 1376)]
