import json
from dataclasses import replace

import numpy as np
import pytest

from mmdet_mitosis.fileio import write_json_atomic
from mmdet_mitosis.inference.hotspot import find_slide_hotspot
from mmdet_mitosis.inference.summary import LIMITS, summarize_case, summarize_slide
from tests.inference.slide_results import MODEL, make_result


def crowd(n, seed=0, **changes):
    """Make a slide of 4 x 3 mm with n mitoses that share a hotspot, and one apart."""
    centers = np.random.default_rng(seed).uniform(9000, 10000, (n, 2))
    values = {"width": 16_000, "height": 12_000, "tissue_mm2": 8.0} | changes
    return make_result([*centers, (1000, 1000)], [0.9] * (n + 1), **values)


def summary_of(result, area_mm2=2.0):
    return summarize_slide(result, find_slide_hotspot(result, area_mm2))


def test_a_slides_summary():
    result = crowd(14)
    result = replace(result, threshold=0.5, detections=result.detections)
    summary = summary_of(result)
    assert summary["slide"] == "slide-1" and summary["file_name"] == "cases/slide-1.svs"
    assert summary["case"] == "case-1"
    assert (summary["width_px"], summary["height_px"], summary["mpp"]) == (16_000, 12_000, 0.25)
    assert summary["area_mm2"] == 12.0 and summary["tissue_mm2"] == 8.0
    assert summary["tissue_fraction"] == pytest.approx(2 / 3, rel=1e-5)
    assert summary["n_mitoses"] == 15 and summary["mitoses_per_mm2"] == 15 / 8
    hotspot = summary["hotspot"]
    assert hotspot["n_mitoses"] == 14 and hotspot["mitoses_per_mm2"] == 7.0
    assert hotspot["shape"] == "square" and hotspot["area_mm2"] == hotspot["window_mm2"] == 2.0
    assert hotspot["center_um"] == pytest.approx([v * 0.25 for v in hotspot["center_px"]], abs=0.01)
    inside = np.abs(result.found.centers_xy * 0.25 - hotspot["center_um"]) <= 707.11
    assert inside.all(axis=1).sum() == 14 and hotspot["half_width_um"] == 707.11
    assert summary["threshold"] == 0.5 and summary["threshold_from"] == "validation split"
    assert summary["model"] == MODEL and summary["seconds"] == 12.5
    assert summary["limits"] == LIMITS and "Research use only" in LIMITS
    assert summary["notes"] == []
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


@pytest.mark.parametrize(("n", "score"), [(0, 1), (11, 1), (12, 2), (22, 2), (23, 3), (40, 3)])
def test_the_score_is_of_the_hotspots_count(n, score):
    """The mitosis apart would tip 11 and 22 over."""
    summary = summary_of(crowd(n))
    assert summary["mitotic_score"] == summary["mitotic_score_scaled"] == score
    assert "1 up to 11 mitoses in 2 mm², 2 up to 22, 3 from 23" in summary["mitotic_score_rule"]


def test_another_area_is_scaled():
    summary = summary_of(crowd(6), area_mm2=1.0)
    assert (summary["mitotic_score"], summary["mitotic_score_scaled"]) == (1, 2)
    summary = summary_of(crowd(24), area_mm2=4.0)
    assert (summary["mitotic_score"], summary["mitotic_score_scaled"]) == (3, 2)


def test_a_small_image_is_said_to_be_small():
    result = make_result([(100, 100)], [0.9])  # 0.75 mm²
    summary = summary_of(result)
    assert summary["hotspot"]["area_mm2"] == 0.75
    small, scaled = summary["notes"]
    assert small == "the image is too small for a hotspot of 2 mm²: it is 0.75 mm²"
    assert scaled == "a score scaled from 0.75 to 2 mm² rests on few mitoses"


def test_nothing_to_count_by_is_none():
    summary = summarize_slide(make_result(tissue_mm2=0.0))
    assert summary["n_mitoses"] == 0
    assert summary["mitoses_per_mm2"] is None and summary["hotspot"] is None
    assert summary["mitotic_score"] is None and summary["mitotic_score_scaled"] is None
    assert summary["notes"] == ["no tissue was found, so nothing was looked at"]


def test_strange_names_can_be_written(tmp_path):
    model = MODEL | {"config": "bad\udcff.py"}
    result = make_result(name="a\udcffb", case="\x1b[31m", file_name='<b>"\n', model=model)
    write_json_atomic(tmp_path / "summary.json", summary_of(result))
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["slide"] == "a\\udcffb" and summary["model"]["config"] == "bad\\udcff.py"
    assert summary["case"] == "\x1b[31m" and summary["file_name"] == '<b>"\n'


def test_a_case_has_the_totals_and_the_highest_hotspot():
    slides = [
        summary_of(crowd(5, name="a")),
        summary_of(crowd(13, name="b", tissue_mm2=2.0)),
        summary_of(crowd(13, seed=1, name="c")),
    ]
    case = summarize_case(slides)
    assert case["case"] == "case-1" and case["slides"] == ["a", "b", "c"]
    assert case["n_mitoses"] == 6 + 14 + 14
    assert case["tissue_mm2"] == 18.0 and case["area_mm2"] == 36.0
    assert case["mitoses_per_mm2"] == pytest.approx(34 / 18, rel=1e-5)
    assert case["hotspot_slide"] == "b" and case["hotspot"] == slides[1]["hotspot"]
    assert case["mitotic_score"] == case["mitotic_score_scaled"] == 2
    assert case["threshold"] == 0.5 and case["model"] == MODEL and case["seconds"] == 37.5
    json.dumps(case, allow_nan=False)


def test_a_case_without_hotspots_has_no_score():
    case = summarize_case([summarize_slide(crowd(3))])
    assert case["hotspot"] is None and case["hotspot_slide"] is None
    assert case["mitotic_score"] is None and case["n_mitoses"] == 4


def test_notes_of_a_case_name_the_slide():
    case = summarize_case([summary_of(make_result(name="a", tissue_mm2=0.0))])
    assert "a: no tissue was found, so nothing was looked at" in case["notes"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a"}, "slide 'a' is there twice"),
        ({"case": "case-2"}, "slide 'b' has case 'case-2', and 'a' has 'case-1'"),
        ({"threshold": 0.6}, "slide 'b' has threshold 0.6, and 'a' has 0.5"),
        ({"model": {}}, "slide 'b' has model"),
    ],
)
def test_what_does_not_belong_together_is_not_added_up(changes, message):
    slides = [
        summarize_slide(make_result(**({"name": name} | extra)))
        for name, extra in (("a", {}), ("b", changes))
    ]
    with pytest.raises(ValueError, match=message):
        summarize_case(slides)


def test_a_case_needs_a_slide():
    with pytest.raises(ValueError, match="at least one slide"):
        summarize_case([])
