"""Plots: the same for the same data, in the page's colours, and with the right points."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from mmdet_mitosis.evaluation.counting import CaseCount, agreement_of_cases
from mmdet_mitosis.evaluation.functional import Counts, free_response, threshold_curve
from mmdet_mitosis.report.count_plots import MAX_NAMED, plot_bland_altman, plot_counts
from mmdet_mitosis.report.curve_plots import plot_f_score, plot_froc, plot_precision_recall
from mmdet_mitosis.report.plots import COLORS, draw_svg, short_name, signed
from mmdet_mitosis.report.training_plot import plot_loss, plot_validation, thin

CURVE = threshold_curve(
    np.array([0.9, 0.8, 0.7, 0.6, 0.3]), np.array([1, 1, 0, 1, 0], dtype=bool), 4
)
COUNTS = Counts(tp=2, fp=1, fn=2)
CASES = [CaseCount("a", 3, 5, 1.0), CaseCount("b", 8, 6, 1.0), CaseCount("c", 1, 1, 1.0)]
AGREEMENT = agreement_of_cases(CASES)
STEPS = np.array([[5, 2.0], [10, 1.5], [15, np.nan], [20, 1.2]])
PLOTS = {
    "precision-recall": lambda: plot_precision_recall(CURVE, COUNTS),
    "f-score": lambda: plot_f_score(CURVE, COUNTS, 0.65),
    "froc": lambda: plot_froc(free_response(CURVE, 0.5), COUNTS, 0.5),
    "counts": lambda: plot_counts(CASES),
    "bland-altman": lambda: plot_bland_altman(CASES, AGREEMENT),
    "loss": lambda: plot_loss(STEPS, 10),
    "validation": lambda: plot_validation(STEPS / [1, 3], 10),
}
SVG = "{http://www.w3.org/2000/svg}"


def parse(svg: str) -> ElementTree.Element:
    head = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return ElementTree.fromstring(str(svg).replace("<svg", head, 1))


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in parse(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", PLOTS)
def test_same_data_same_picture_and_nothing_from_elsewhere(name: str) -> None:
    svg = PLOTS[name]()
    assert svg == PLOTS[name]()
    assert svg.startswith("<svg viewBox=")
    for word in ("http", "<style", "<?xml", "<!DOCTYPE", "metadata", "20"):
        assert word not in re.sub(r'>[^<]*<|="[^"]*"', "", svg)
    assert "http" not in svg
    assert len(svg) < 60_000


@pytest.mark.parametrize("name", PLOTS)
def test_colours_are_those_of_the_page(name: str) -> None:
    svg = PLOTS[name]()
    styles = ";".join(element.get("style", "") for element in parse(svg).iter())
    assert not set(re.findall(r"(?:fill|stroke): ([^; ]+)", styles)) - {
        "none",
        *(f"var(--{color})" for color in COLORS.values()),
    }
    assert all("fill: var(" in t.get("style") for t in parse(svg).iter(f"{SVG}text"))


def test_ids_of_two_plots_differ_and_references_are_met() -> None:
    seen: set[str] = set()
    for plot in PLOTS.values():
        svg = plot()
        ids = re.findall(r'\bid="([^"]+)"', svg)
        assert len(ids) == len(set(ids))
        assert not seen & set(ids)
        seen |= set(ids)
        references = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg)
        assert {a or b for a, b in references} <= set(ids)


def test_the_user_s_defaults_are_no_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib as mpl

    expected = PLOTS["counts"]()
    monkeypatch.setitem(mpl.rcParams, "font.size", 30)
    monkeypatch.setitem(mpl.rcParams, "svg.fonttype", "path")
    monkeypatch.setitem(mpl.rcParams, "axes.grid", False)
    assert PLOTS["counts"]() == expected
    assert mpl.rcParams["font.size"] == 30


def marks(svg: str, color: str) -> list[tuple[float, float]]:
    """Places of the marks of a colour, SVG px."""
    return [
        (float(use.get("x")), float(use.get("y")))
        for use in parse(svg).iter(f"{SVG}use")
        if f"fill: var(--{color})" in use.get("style", "")
    ]


def test_each_case_has_its_point_and_name() -> None:
    svg = plot_counts(CASES)
    points = np.array(marks(svg, "first"))
    assert len(points) == 3
    truth, predicted = np.array([3, 8, 1]), np.array([5, 6, 1])
    # Linear in the counts, up to the right.
    assert np.corrcoef(points[:, 0], truth)[0, 1] == pytest.approx(1)
    assert np.corrcoef(points[:, 1], predicted)[0, 1] == pytest.approx(-1)
    assert {"a", "b", "c"} <= set(texts(svg))
    many = [CaseCount(f"case{i}", i, i, 1.0) for i in range(MAX_NAMED + 1)]
    assert not any(text.startswith("case") for text in texts(plot_counts(many)))


def test_bland_altman_has_the_bias_and_its_limits() -> None:
    svg = plot_bland_altman(CASES, AGREEMENT)
    found = " ".join(texts(svg))
    assert f"bias {signed(AGREEMENT.bias)}" in found
    assert f"limits {signed(AGREEMENT.limit_low)}, {signed(AGREEMENT.limit_high)}" in found
    points = np.array(marks(svg, "first"))
    assert np.corrcoef(points[:, 0], [4, 7, 1])[0, 1] == pytest.approx(1)
    assert np.corrcoef(points[:, 1], [2, -2, 0])[0, 1] == pytest.approx(-1)
    alone = plot_bland_altman(CASES[:1], agreement_of_cases(CASES[:1]))
    assert "limit" not in " ".join(texts(alone))


@pytest.mark.parametrize("name", ["precision-recall", "f-score", "froc"])
def test_threshold_of_the_report_is_marked(name: str) -> None:
    svg = PLOTS[name]()
    assert "threshold of this report" in texts(svg)
    assert len(marks(svg, "second")) == 2  # in the plot and in its legend


def test_hostile_names_stay_text() -> None:
    names = ["<script>alert(1)</script>", "$x_{$", "--><b>", "a\nb\0\u2028c", "\ud800", "#010101"]
    svg = plot_counts([CaseCount(name, 1, i, 1.0) for i, name in enumerate(names)])
    assert "<script" not in svg and "<b>" not in svg
    found = texts(svg)
    assert "<script>alert…" in found
    assert "$x_{$" in found
    assert "--><b>" in found
    assert "a b c" in found


def test_short_names() -> None:
    assert short_name("  a \t\n b ") == "a b"
    assert short_name("abcdefghij", 5) == "abcd…"
    assert short_name("abcde", 5) == "abcde"


def test_signed_numbers() -> None:
    minus = "\N{MINUS SIGN}"
    assert [signed(v) for v in (1.25, -1.25, 0, -0.01)] == ["+1.2", f"{minus}1.2", "0.0", "0.0"]
    assert [signed(v, 0) for v in (3, -3, 0)] == ["+3", f"{minus}3", "0"]


def test_many_points_become_means() -> None:
    points = np.column_stack([np.arange(1000.0), np.arange(1000.0) * 2])
    few = thin(points, 100)
    np.testing.assert_allclose(few, [[10 * i + 4.5, 20 * i + 9] for i in range(100)])
    assert thin(points, 1000) is points
    assert len(plot_loss(np.column_stack([np.arange(1e5), np.ones(int(1e5))]), None)) < 60_000


@pytest.mark.parametrize("threshold", [0.0, 0.95, 1.0])
def test_threshold_that_lets_in_all_or_nothing(threshold: float) -> None:
    counts = Counts(fn=4) if threshold > 0.9 else Counts(3, 2, 1)
    for svg in (plot_precision_recall(CURVE, counts), plot_f_score(CURVE, counts, threshold)):
        assert "nan" not in svg


def test_a_single_point_can_be_drawn() -> None:
    one = threshold_curve(np.array([0.5]), np.array([False]), 3)
    for svg in (
        plot_precision_recall(one, Counts(0, 1, 3)),
        plot_f_score(one, Counts(0, 1, 3), 0.5),
        plot_froc(free_response(one, 1e-3), Counts(0, 1, 3), 1e-3),
        plot_counts([CaseCount("a", 0, 0, 1.0)]),
        plot_bland_altman([CaseCount("a", 0, 0, 1.0)], agreement_of_cases(CASES[:1])),
        plot_loss(np.array([[5.0, 0.0]]), None),
        plot_validation(np.array([[5.0, 0.0]]), None),
    ):
        assert len(parse(svg)) and "nan" not in svg


def test_label_is_escaped() -> None:
    svg = draw_svg("x", '"><img src=x>', lambda axes: axes.plot([0, 1]))
    assert parse(svg).get("aria-label") == '"><img src=x>'
    assert "<img" not in svg
