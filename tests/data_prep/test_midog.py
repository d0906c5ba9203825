"""MIDOG's archive: boxes as x1,y1,x2,y2, images that nobody annotated, domains, no way out."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile

from data_prep.sources import midog
from data_prep.sources.domains import by_number, edition, scanner_name
from tests.data_prep.archives import (
    REAL_DATA,
    by_name,
    centroids,
    make_midog,
    midog_annotation,
    midog_labels,
    needs_real_data,
    write_image,
    write_label,
    write_same_tiles,
)

XR, S360 = "Hamamatsu NanoZoomer XR", "Hamamatsu NanoZoomer S360"


def test_boxes_are_corners_and_look_alikes_are_kept(tmp_path: Path) -> None:
    archive = midog.read(make_midog(tmp_path))
    # as x,y,width,height the first would be centred at 40, 130, below the image
    assert centroids(archive.fields) == {"001": [(30, 90)], "060": [(15.5, 25)]}
    found = by_name(archive)
    assert [cell.centroid_xy for cell in found["001"].look_alikes] == [(60, 60)]
    assert [cell.line for cell in found["001"].look_alikes] == [2]
    assert found["060"].look_alikes == ()
    assert found["060"].mitoses[0].label_file == tmp_path / "MIDOG.json"
    assert [field.case for field in archive.fields] == ["001", "060"]
    assert (found["001"].width, found["001"].height) == (100, 120)


def test_an_image_without_annotations_is_no_negative(tmp_path: Path) -> None:
    archive = midog.read(make_midog(tmp_path))
    label = tmp_path / "MIDOG.json"
    assert archive.left_out == (f"{label}: image 151.tiff is not annotated",)
    assert any("1 of the 3 images" in note and "no negatives" in note for note in archive.notes)


def test_an_image_with_look_alikes_only_is_a_negative(tmp_path: Path) -> None:
    fields = by_name(midog.read(make_midog(tmp_path, midog_annotation(category_id=2))))
    assert fields["001"].mitoses == ()
    assert len(fields["001"].look_alikes) == 1


@pytest.mark.parametrize("name", ["../out.tiff", "images/../../out.tiff", "C:\\out.tiff"])
def test_file_names_do_not_lead_outside(tmp_path: Path, name: str) -> None:
    write_image(tmp_path / "out.tiff", 100, 120)
    root = make_midog(tmp_path / "archive")
    for outside in (name, str(tmp_path / "out.tiff")):
        labels = midog_labels()
        labels["images"][0]["file_name"] = outside
        write_label(root / "MIDOG.json", json.dumps(labels))
        with pytest.raises(ValueError, match=r"MIDOG.json, image 1: .*out.* leads outside"):
            midog.read(root)


def test_images_lie_in_the_folder_or_in_images(tmp_path: Path) -> None:
    root = make_midog(tmp_path)
    (root / "images" / "001.tiff").rename(root / "001.TIFF")
    assert by_name(midog.read(root))["001"].image_path == root / "001.TIFF"
    write_image(root / "images" / "001.tiff", 100, 120)
    with pytest.raises(ValueError, match=r"image 1: '001.tiff' is there twice: "):
        midog.read(root)


def test_two_entries_of_one_name_are_an_error(tmp_path: Path) -> None:
    labels = midog_labels()
    labels["images"][1]["file_name"] = "001.png"
    with pytest.raises(ValueError, match=r"image 60 is '001.png', as is image 1"):
        midog.read(make_midog(tmp_path, labels))


def test_missing_and_unknown_images_are_named(tmp_path: Path) -> None:
    root = make_midog(tmp_path)
    (root / "images" / "001.tiff").unlink()
    stray = write_image(root / "images" / "999.tiff")
    archive = midog.read(root)
    assert [field.name for field in archive.fields] == ["060"]
    label = root / "MIDOG.json"
    assert archive.left_out == (
        f"{label}: there is no image 001.tiff to its 2 annotations",
        f"{label}: image 151.tiff is not annotated",
        f"{stray}: an image that MIDOG.json does not name",
    )
    (root / "images" / "060.tiff").unlink()
    with pytest.raises(FileNotFoundError, match="none of the 2 annotated images"):
        midog.read(root)


def test_labels_of_an_image_of_another_size_are_refused(tmp_path: Path) -> None:
    root = make_midog(tmp_path)
    path = write_image(root / "images" / "001.tiff", 50, 60)
    with pytest.raises(ValueError, match=rf"{path} is 50 x 60 px, but .* says 100 x 120"):
        midog.read(root)


def test_centre_beyond_the_edge_is_moved_to_it_and_a_box_beyond_is_named(tmp_path: Path) -> None:
    labels = midog_labels()
    box = labels["annotations"][0]["bbox"] = [-12, 50, 8, 70]
    archive = midog.read(make_midog(tmp_path, labels))
    assert centroids(archive.fields)["001"] == [(0, 60)]
    assert any("annotation 1: x -2, y 60 lies outside" in note for note in archive.notes)
    box[:] = [30, 120, 50, 140]
    archive = midog.read(make_midog(tmp_path, labels))
    assert centroids(archive.fields)["001"] == []
    assert archive.left_out[0].endswith(
        "annotation 1: x 40, y 130 lies outside the image (100 x 120 px)"
    )


def test_scanner_and_resolution_by_number_and_edition(tmp_path: Path) -> None:
    fields = by_name(midog.read(make_midog(tmp_path)))
    assert (fields["001"].scanner, fields["001"].mpp) == (XR, 0.23)
    assert (fields["060"].scanner, fields["060"].tumour) == (S360, "human breast cancer")
    # one number is another image in another edition
    assert by_number("160.tiff", "2022").tumour == "canine lung cancer"
    assert by_number("160.tiff", "2021").scanner == "Leica Aperio GT 450"
    assert by_number("320.tiff", "++").scanner == "Aperio ScanScope CS2"
    assert by_number("320.tiff", "2022").scanner == XR
    assert by_number("001.tiff", None).scanner is None
    assert by_number("²1.tiff", "2021").scanner is None


def test_edition_by_description() -> None:
    assert edition("MItosis Domain Generalization Challenge (MIDOG) 2021 - Training set") == "2021"
    assert edition("MIDOG2022_training") == "2022"
    assert edition("MIDOG++: A Comprehensive Multi-Domain Data Set") == "++"
    assert edition("made by MIDOG's tools in our lab, 2021") is None


def test_spellings_of_a_scanner_are_one() -> None:
    assert scanner_name("Hamammatsu XR") == scanner_name("Hamamatsu XR") == XR
    assert scanner_name("3D Histech") == "3DHistech Pannoramic Scan II"
    assert scanner_name("3DHistech Pannoramic 1000") == "3DHistech Pannoramic 1000"


def test_a_table_beside_the_labels_says_scanner_and_tumour(tmp_path: Path) -> None:
    root = make_midog(tmp_path)
    text = "Slide;Dataset;Tumor;Scanner\n1;train;melanoma;3D Histech\n60;test;melanoma;Aperio CS2\n"
    write_label(root / "datasets_xvalidation.csv", text)
    fields = by_name(midog.read(root))
    assert (fields["001"].scanner, fields["001"].mpp) == ("3DHistech Pannoramic Scan II", 0.25)
    assert (fields["060"].scanner, fields["060"].tumour) == ("Aperio ScanScope CS2", "melanoma")
    other = write_label(root / "own.csv", "slide,scanner,mpp\n1,Ours,0.2\n060.tiff,Ours,0.21\n")
    fields = by_name(midog.read(root, domains=other))
    assert [(f.scanner, f.mpp) for f in fields.values()] == [("Ours", 0.2), ("Ours", 0.21)]
    write_label(other, "slide,scanner\n1,Ours\n001.tiff,Ours\n")
    with pytest.raises(ValueError, match=r"own.csv, line 3: image 001.tiff is there a second"):
        midog.read(root, domains=other)


def test_tumour_of_the_labels_comes_first(tmp_path: Path) -> None:
    labels = midog_labels()
    for image in labels["images"]:
        image["tumor_type"] = "canine lymphosarcoma"
    root = make_midog(tmp_path, labels)
    text = "Slide;Tumor;Scanner\n1;canine lymphoma;Aperio CS2\n60;canine lymphosarcoma;Aperio CS2\n"
    write_label(root / "datasets_xvalidation.csv", text)
    archive = midog.read(root)
    assert {field.tumour for field in archive.fields} == {"canine lymphosarcoma"}
    assert any("the tumour of 1 images is 'canine lymphosarcoma'" in n for n in archive.notes)


def test_unknown_scanner_needs_the_resolution(tmp_path: Path) -> None:
    root = make_midog(tmp_path, midog_labels(info={"description": "ours"}))
    with pytest.raises(ValueError, match=r"size of a pixel of .*001.tiff is not known.*--mpp"):
        midog.read(root)
    archive = midog.read(root, mpp=0.3)
    assert {(field.scanner, field.mpp) for field in archive.fields} == {("unknown", 0.3)}
    assert any(
        "the scanner of 2 images of" in note and "--domains" in note for note in archive.notes
    )
    with pytest.raises(ValueError, match="--mpp: 250"):
        midog.read(root, mpp=250.0)


@pytest.mark.parametrize(
    ("resolution", "unit", "expected"),
    [
        ((40000, 40000), "CENTIMETER", 0.25),
        ((101600, 101600), "INCH", 0.25),
        ((72, 72), "INCH", None),  # what programs write that know nothing
        ((40000, 20000), "CENTIMETER", None),
        ((40000, 40000), "NONE", None),
    ],
)
def test_resolution_of_a_tiff(
    tmp_path: Path, resolution: tuple[int, int], unit: str, expected: float | None
) -> None:
    root = make_midog(tmp_path, midog_labels(info={}))
    for image in (root / "images").glob("*.tiff"):
        pixels = np.zeros((120, 100, 3), np.uint8)
        tifffile.imwrite(
            image, pixels, photometric="rgb", resolution=resolution, resolutionunit=unit
        )
    if expected is None:
        with pytest.raises(ValueError, match="--mpp"):
            midog.read(root)
    else:
        assert {field.mpp for field in midog.read(root).fields} == {expected}


def test_several_label_files_are_named(tmp_path: Path) -> None:
    root = make_midog(tmp_path)
    write_label(root / "MIDOG.sqlite", "")
    write_label(root / ".hidden.json", "")
    with pytest.raises(ValueError, match=r"2 label files .*--labels: MIDOG.json, MIDOG.sqlite"):
        midog.read(root)
    assert len(midog.read(root, labels=Path("MIDOG.json")).fields) == 2
    with pytest.raises(FileNotFoundError, match=r"no such label file: other\.json"):
        midog.read(root, labels=Path("other.json"))
    with pytest.raises(FileNotFoundError, match=r"no label file in .*\*.json and \*.sqlite"):
        midog.read(root / "images")


@needs_real_data
def test_real_labels_on_placeholders(tmp_path: Path) -> None:
    real = REAL_DATA / "midogpp"
    for file in ("MIDOG++.json", "datasets_xvalidation.csv"):
        (tmp_path / file).symlink_to((real / file).resolve())
    images = json.loads((real / "MIDOG++.json").read_text())["images"]
    for image in images:
        size = image["width"], image["height"]
        first = tmp_path / "sizes" / f"{size[0]}x{size[1]}.tiff"
        if not first.exists():
            write_same_tiles(first, *size)
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "images" / image["file_name"]).hardlink_to(first)
    archive = midog.read(tmp_path)
    assert len(archive.fields) == 503
    assert sum(len(field.mitoses) for field in archive.fields) == 11937
    assert sum(len(field.look_alikes) for field in archive.fields) == 14349
    assert len(archive.left_out) == 50
    assert archive.left_out[0].endswith("MIDOG++.json: image 151.tiff is not annotated")
    assert archive.left_out[-1].endswith("MIDOG++.json: image 200.tiff is not annotated")
    assert Counter(field.scanner for field in archive.fields) == {
        "3DHistech Pannoramic Scan II": 199,
        XR: 154,
        "Aperio ScanScope CS2": 100,
        S360: 50,
    }
    assert len({field.tumour for field in archive.fields}) == 7
    assert {f.mpp for f in archive.fields if f.scanner.startswith("Hamamatsu")} == {0.23}
    # two centres lie 2 and 5 px beyond the edge, their boxes do not
    assert sum("its box does not" in note for note in archive.notes) == 2


@needs_real_data
def test_csv_of_the_real_labels_names_just_the_annotated_images(tmp_path: Path) -> None:
    real = REAL_DATA / "midogpp"
    labels = midog.read_labels(real / "MIDOG++.json")
    rows = (real / "datasets_xvalidation.csv").read_text().splitlines()[1:]
    listed = {int(row.split(";")[0]) for row in rows}
    assert {image.id for image in labels.images if image.annotations} == listed
    assert labels.edition == "++"
    for line in rows:  # the table of editions says what the file says
        slide, _, tumour, scanner, *_ = line.split(";")
        domain = by_number(f"{int(slide):03d}.tiff", "++")
        assert domain.scanner == scanner_name(scanner)
        assert domain.tumour in {tumour, "canine lymphosarcoma"}
