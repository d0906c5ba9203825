import csv
import json

import numpy as np
import pytest
from pycocotools.coco import COCO

from mmdet_mitosis.evaluation.results import load_target, read_results
from mmdet_mitosis.inference.exports import (
    FORMATS,
    coco_images,
    multiple_points,
    write_coco,
    write_csv,
    write_multiple_points,
    write_points_by_image,
    write_table,
)
from mmdet_mitosis.inference.hotspot import find_slide_hotspot
from tests.inference.slide_results import make_result

CENTERS = [(100.126, 200.25), (2000.5, 1500), (3000, 2500), (12, 34)]
SCORES = [0.97, 0.81234567, 0.5, 0.3]
STRANGE = [
    '<script>alert("x")</script>',
    "two\nlines\r\n",
    "quote\"comma,semi;tab\t'",
    "\x1b[2J\x1b]0;title\x07\x9b31m",
    '=HYPERLINK("http://x")',
    "bytes\udcff\udc80",
    "Gewebe-Äß-細胞.svs",
]


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def truth_of(path, results):
    """Write a ground truth of the slides that tools/score.py takes."""
    coco = coco_images(results)
    for image in coco["images"]:
        image["labelled"] = True
    path.write_text(json.dumps(coco), encoding="utf-8")
    return load_target(path)


def test_the_table_has_what_counts(tmp_path):
    result = make_result(CENTERS, SCORES, mpp=0.5)
    write_csv(tmp_path / "new" / "d.csv", result, find_slide_hotspot(result, area_mm2=0.01))
    rows = read_csv(tmp_path / "new" / "d.csv")
    assert [row["score"] for row in rows] == ["0.97", "0.812346", "0.5"]
    assert rows[0] == {
        "case": "case-1",
        "slide": "slide-1",
        "file": "cases/slide-1.svs",
        "x_px": "100.13",
        "y_px": "200.25",
        "x_um": "50.06",
        "y_um": "100.12",
        "score": "0.97",
        "width_px": "40.0",
        "height_px": "30.0",
        "in_hotspot": "1",
    }
    assert [row["in_hotspot"] for row in rows] == ["1", "0", "0"]
    write_csv(tmp_path / "d.csv", result)
    assert [row["in_hotspot"] for row in read_csv(tmp_path / "d.csv")] == [""] * 3
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["d.csv"]


def test_a_table_without_mitoses_is_its_header(tmp_path):
    write_csv(tmp_path / "d.csv", make_result([(1, 1)], [0.1]))
    text = (tmp_path / "d.csv").read_text(encoding="utf-8")
    assert text.startswith("case,slide,file,x_px,") and text.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\\t=1"),
        ("\r=1", "'\\r=1"),
        ("\n=1", "'\\n=1"),
        ("\uff1d1", "'\uff1d1"),
        ("a;=1", "a;'=1"),
        ("a=b-c", "a=b-c"),
        ("a,b", "a,b"),
        ('say "x"', 'say "x"'),
        ("two\nlines", "two\\nlines"),
        ("\x1b[31m\x9b", "\\x1b[31m\\x9b"),
        ("\u2028", "\\u2028"),
        ("\udcff", "\\udcff"),
        ("", ""),
    ],
)
def test_names_are_no_formulas_and_no_commands(tmp_path, name, cell):
    write_csv(tmp_path / "d.csv", make_result(CENTERS, SCORES, case=name, file_name=name))
    rows = read_csv(tmp_path / "d.csv")
    assert len(rows) == 3
    assert rows[0]["case"] == rows[0]["file"] == cell
    text = (tmp_path / "d.csv").read_bytes()
    assert text.count(b"\n") == 4  # a line a row
    assert not set(text) & (set(range(32)) - {10})


def test_numbers_stay_numbers(tmp_path):
    write_table(tmp_path / "t.csv", ("=a", "b"), [(-1.5, None), ("-1.5", 3)])
    assert (tmp_path / "t.csv").read_text() == "'=a,b\n-1.5,\n'-1.5,3\n"


def test_coco_results_are_read_back(tmp_path):
    square = [[90.0, 190.0, 110.0, 190.0, 110.0, 210.0, 90.0, 210.0]]
    result = make_result(CENTERS, SCORES, polygons=[square, [], [], []])
    write_coco(tmp_path / "detections.json", result)
    coco = COCO(tmp_path / "detections_images.json")
    assert coco.loadImgs(1)[0]["file_name"] == "cases/slide-1.svs"
    assert coco.loadImgs(1)[0] | {"width": 4000, "height": 3000, "mpp": 0.25} == coco.loadImgs(1)[0]
    results = json.loads((tmp_path / "detections.json").read_text())
    assert len(results) == 4  # also what does not count
    assert results[0]["segmentation"] == square and "segmentation" not in results[1]
    loaded = coco.loadRes([{k: v for k, v in r.items() if k != "segmentation"} for r in results])
    assert loaded.loadAnns(1)[0]["bbox"] == [80.13, 185.25, 40.0, 30.0]
    assert [coco.cats[a["category_id"]]["name"] for a in loaded.anns.values()] == ["mitosis"] * 4


def test_coco_results_are_scored_as_they_are(tmp_path):
    result = make_result(CENTERS, SCORES)
    target = truth_of(tmp_path / "truth.json", [result])
    write_coco(tmp_path / "detections.json", result)
    found = read_results(tmp_path / "detections.json", target).detections[1]
    np.testing.assert_allclose(found.centers_xy, CENTERS, atol=0.0051)
    np.testing.assert_allclose(found.scores, SCORES, atol=1e-6)


def test_points_are_millimetres_of_the_slide():
    points = multiple_points(make_result(CENTERS, SCORES))
    assert points["name"] == "Points of interest" and points["type"] == "Multiple points"
    assert points["version"] == {"major": 1, "minor": 0}
    assert [p["name"] for p in points["points"]] == ["mitotic figure"] * 3 + ["non-mitotic figure"]
    assert points["points"][1]["point"] == pytest.approx([0.500125, 0.375, 0])
    assert points["points"][1]["probability"] == 0.81234567


def test_points_fit_grand_challenges_schema():
    """Its MPOI allows no other key, three numbers, and a probability of 0 to 1."""
    scores = np.array([1.0000001, 0.7, -1e-9], np.float32)
    value = multiple_points(make_result(CENTERS[:3], scores))
    assert set(value) <= {"name", "type", "points", "version"}
    for point in value["points"]:
        assert set(point) <= {"name", "type", "point", "probability"}
        assert len(point["point"]) == 3 and 0 <= point["probability"] <= 1


def test_a_point_is_named_as_it_is_counted():
    """0.7 is no float32: compared as a double, the score of 0.7 would be below it."""
    result = make_result([(1, 1)], np.array([0.7], np.float32), threshold=0.7)
    assert len(result.found) == 1
    assert multiple_points(result)["points"][0]["name"] == "mitotic figure"


@pytest.mark.parametrize("mpp", [0.25, 0.2456, 0.5])
def test_points_are_read_back(tmp_path, mpp):
    slides = [
        make_result(CENTERS, SCORES, mpp=mpp),
        make_result(CENTERS[:2], [0.9, 0.6], mpp=mpp, name="b", file_name="cases/b.svs"),
    ]
    target = truth_of(tmp_path / "truth.json", slides)
    folder = tmp_path / "points"
    for slide in slides:
        write_multiple_points(folder / f"{slide.name}.json", slide)
    write_points_by_image(tmp_path / "all.json", slides)
    for path in (folder, tmp_path / "all.json"):
        results = read_results(path, target)
        assert results.own_threshold == 0.5 and results.n_left_out == 0
        for image_id, slide in enumerate(slides, start=1):
            found = results.detections[image_id]
            np.testing.assert_allclose(found.centers_xy, slide.detections.centers_xy, atol=1e-9)
            np.testing.assert_array_equal(found.scores, slide.detections.scores)


def test_slides_of_the_same_file_name_do_not_hide_each_other(tmp_path):
    with pytest.raises(ValueError, match=r"two slides have the file name 'cases/slide-1.svs'"):
        write_points_by_image(tmp_path / "all.json", [make_result(), make_result(name="b")])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", STRANGE)
def test_no_name_breaks_a_format(tmp_path, form, name):
    result = make_result(CENTERS, SCORES, name=name, case=name, file_name=name)
    path = tmp_path / FORMATS[form].file_name
    FORMATS[form].write(path, result, find_slide_hotspot(result))
    text = path.read_text(encoding="utf-8")
    if form == "csv":
        assert len(read_csv(path)) == 3
    else:
        value = json.loads(text)
        shown = name.encode("utf-8", "backslashreplace").decode("utf-8")
        if form == "geojson":
            assert value["slide"]["name"] == value["slide"]["file_name"] == shown
            assert len(value["features"]) == 4
        if form == "coco":
            images = json.loads((tmp_path / "detections_images.json").read_text(encoding="utf-8"))
            assert images["images"][0]["file_name"] == images["images"][0]["case"] == shown
    assert "\x1b" not in text


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_result_gives_the_same_bytes(tmp_path, form):
    for name in ("a", "b"):
        result = make_result(CENTERS, SCORES)
        FORMATS[form].write(tmp_path / name, result, find_slide_hotspot(result))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_appears_whole_or_not_at_all(tmp_path, form, monkeypatch):
    path = tmp_path / "out"
    path.write_text("before")
    monkeypatch.setattr(
        "pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full"))
    )
    with pytest.raises(OSError, match="full"):
        FORMATS[form].write(path, make_result(CENTERS, SCORES))
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_each_format_has_its_own_file():
    names = [form.file_name for form in FORMATS.values()]
    assert len(set(names)) == len(names) == 4
    assert all(form.help for form in FORMATS.values())
