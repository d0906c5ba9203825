"""The page: every figure of the test, and a sentence for whatever is missing."""

import json
import re
import shutil
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.report import render_page, write_report
from mmdet_mitosis.report.scored_run import load_run
from tests.evaluation.fields import found
from tests.report.runs import (
    DETECTIONS,
    MITOSES,
    N_FALSE,
    N_HITS,
    N_MISSED,
    Page,
    make_run,
    train_lines,
    write_log,
)


def page_of(tmp_path: Path, **options: object) -> Page:
    return Page(write_report(make_run(tmp_path, **options)).read_text())


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def page(work: Path) -> Page:
    return Page(write_report(work).read_text())


def test_headline_threshold_and_oracle(work: Path, page: Page) -> None:
    scores = json.loads((work / "test_scores.json").read_text())
    low, high = scores["interval"]["low"], scores["interval"]["high"]
    assert f"F-score {scores['f_score']:.3f} 95 % interval {low:.3f} to {high:.3f}" in page.text
    assert "The threshold is 0.500 , from val.json (validation) ." in page.text
    assert f"oracle_f_score , {scores['oracle_f_score']:.3f} : the highest" in page.text
    assert "no result of the detector" in page.text
    assert f"False positives {N_FALSE} look-alikes are not labelled" in page.text


def test_every_part_is_there(page: Page) -> None:
    labels = [svg["aria-label"] for svg in page.all("svg")]
    assert len(labels) == 7
    assert [table_name for attrs in page.all("div") if (table_name := attrs.get("aria-label"))] == [
        "By rule of matching",
        "By case",
        "By scanner",
        "Counts by case",
    ]
    assert len(page.all("img")) == N_FALSE + N_MISSED + N_HITS
    assert "best 0.750 at iteration 16" in page.text
    assert "randomness = dict(seed=7)" in page.text


def test_how_it_was_made(page: Page) -> None:
    made = page.text[page.text.rindex("How it was made") :]
    for word in ("torch", "mmdet", "mmengine", "mmcv", "mmdet_mitosis", "python"):
        assert re.search(rf"\b{word} \d+\.\d+", made), word
    assert "seed 7" in made
    assert "checkpoint work/best_mitosis_f_score_iter_16.pth" in made
    assert "annotations.json" in made
    assert re.search(r"tested \d{4}-\d\d-\d\d", made)


def test_nothing_is_fetched(work: Path, page: Page) -> None:
    html = re.sub(r'data:image/jpeg;base64,[^"]*', "", (work / "test_report.html").read_text())
    assert not re.findall(r"https?:|://|@import|url\((?!#)", html)
    links = ("src", "href", "xlink:href")
    sources = [attrs[name] for _, attrs in page.elements for name in links if name in attrs]
    assert all(source.startswith(("data:", "#")) for source in sources)
    (policy,) = (m["content"] for m in page.all("meta") if m.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_same_run_and_date_give_the_same_page(work: Path, no_plots: None) -> None:
    made = datetime(2026, 1, 1)
    run = load_run(work)
    assert render_page(run, made) == render_page(run, made)


def test_ids_are_unique_and_links_lead_somewhere(page: Page) -> None:
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {link["href"][1:] for link in page.all("a")} <= set(ids)


def test_page_stays_small_with_many_findings(tmp_path: Path, no_plots: None) -> None:
    rng = np.random.default_rng(0)
    grid = [(float(x), float(y)) for x in range(30, 720, 62) for y in range(30, 560, 62)]
    mitoses = {1: grid, 2: grid, 3: grid}
    rows = [(x, y, rng.uniform(0.5, 1)) for x, y in grid]
    detections = {
        1: found(*sorted(rows, key=lambda row: -row[2])),
        2: found(*((x + 31, y + 31, s) for x, y, s in sorted(rows, key=lambda row: -row[2]))),
    }
    page = page_of(tmp_path, mitoses=mitoses, detections=detections)
    assert len(page.all("img")) == 3 * 48
    assert page.text.count(f"48 of {len(grid)} are shown") == 2
    assert f"48 of {2 * len(grid)} are shown" in page.text
    assert (tmp_path / "work" / "test_report.html").stat().st_size < 6e6


def test_threshold_from_here_or_by_hand_is_warned_of(tmp_path: Path, no_plots: None) -> None:
    ann_file = tmp_path / "annotations.json"
    chosen = page_of(tmp_path, threshold_from=f"{ann_file} (validation)")
    assert "was chosen on this very split" in chosen.text
    assert "was given on the command line" in page_of(tmp_path, threshold_from="--threshold").text
    plain = page_of(tmp_path)
    assert not [p for p in plain.all("p") if p.get("class") == "warning"]


def test_detections_of_another_test_are_warned_of(tmp_path: Path, no_plots: None) -> None:
    text = page_of(tmp_path, tp=N_HITS - 1, fn=N_MISSED + 1).text
    assert "The detections give TP 3, FP 3 and FN 2;" in text
    assert "the scores file has TP 2, FP 3 and FN 3" in text


def test_look_alikes_are_told(tmp_path: Path, no_plots: None) -> None:
    page = page_of(tmp_path, look_alikes={1: [(702, 500)], 3: [(10, 10)]})
    assert "1 are labelled look-alikes" in page.text
    assert "1 of 3 are labelled look-alikes." in page.text
    assert len(page.all("mark")) == 1


def masked() -> dict:
    square = [[90.0, 80.0, 110.0, 80.0, 110.0, 100.0]]
    one = DETECTIONS[1]
    polygons = [square, [], []]
    return {**DETECTIONS, 1: FieldDetections(one.centers_xy, one.scores, one.bboxes_xyxy, polygons)}


NO_CURVES = "so there are no curves."
ONE_CASE = {1: MITOSES[1], 2: []}


@pytest.mark.parametrize(
    ("options", "said", "unsaid"),
    [
        ({}, "The detector gives no masks", "cannot be read"),
        ({"detections": masked()}, "F-score", "gives no masks"),
        ({"log": False}, "The work folder has no log of a training", "Training loss."),
        ({"images": False}, "3 more have no picture, because the images of", "µm of tissue"),
        ({"detections": {}}, f"There is no detection at any score, {NO_CURVES}", "gives no masks"),
        ({"detections": {}}, "The detector found nothing at any score.", "Dotted lines"),
        ({"detections": {1: found((9, 9, 0.1))}}, "No detection scores as high", NO_CURVES),
        ({"mitoses": {1: [], 2: [], 3: []}}, f"no labelled mitosis, {NO_CURVES}", "Dotted lines"),
        ({"mitoses": {1: [], 2: [], 3: []}}, "0 of 0, and given as 0", "Dotted lines"),
        (
            {"mitoses": ONE_CASE, "detections": {}},
            "one scanner: Aperio",
            "By scanner",
        ),
        ({"mitoses": ONE_CASE, "detections": {}}, "one case: 01", "By case"),
        (
            {"mitoses": {1: MITOSES[1]}, "detections": {}},
            "Limits of agreement need two cases.",
            "limits of agreement to",
        ),
        ({"mitoses": {}, "detections": {}}, "The split has no labelled field.", "By case"),
        ({"mitoses": {}, "detections": {}}, "There is no case to count in.", "Bland"),
        ({"versions": None}, "the scores file does not say", "mmengine 0."),
        ({"config": "other.py"}, "has no copy of the config other.py", "seed 7"),
    ],
)
def test_what_is_missing_is_said(
    tmp_path: Path, no_plots: None, options: dict, said: str, unsaid: str
) -> None:
    text = page_of(tmp_path, **options).text
    assert said in text
    assert unsaid not in text


def test_unlabelled_fields_are_counted(tmp_path: Path, no_plots: None) -> None:
    def change(truth: dict) -> dict:
        truth["images"][3]["labelled"] = False
        return truth

    assert "1 fields are not labelled and not scored." in page_of(tmp_path, change=change).text


def test_one_missing_image_leaves_the_others(tmp_path: Path, no_plots: None) -> None:
    work = make_run(tmp_path)
    (tmp_path / "images" / "source" / "01.tif").unlink()
    (tmp_path / "images" / "source" / "02.tif").write_bytes(b"no image")
    page = Page(write_report(work).read_text())
    assert len(page.all("img")) == 3
    assert "2 more have no picture, because the images of 2 fields cannot be read" in page.text


def test_log_of_losses_that_are_not_finite(tmp_path: Path, no_plots: None) -> None:
    work = make_run(tmp_path, log=False)
    write_log(work / "20260101_000000", ['{"loss": NaN, "step": 4}', '{"loss": NaN, "step": 8}'])
    write_log(work / "20260102_000000", [*train_lines(40, 4, {}, start=8), "{"])
    text = Page(write_report(work).read_text()).text
    assert "2 of 10 records have a loss that is not finite." in text
    assert "The log is of 2 runs" in text
    assert "1 lines of the logs could not be read." in text
    assert "The log has no F-score of a validation." in text
    shutil.rmtree(work / "20260102_000000")
    assert "The log has no finite loss." in Page(write_report(work).read_text()).text


def test_page_elsewhere_and_of_another_split(tmp_path: Path, no_plots: None) -> None:
    work = make_run(tmp_path, split="val")
    out = tmp_path / "new" / "page.html"
    assert write_report(work, "val", out) == out
    assert "on the val split" in Page(out.read_text()).text
    assert not list(work.glob("*.html"))
