"""Which findings are shown, and what is said of those that are not."""

from pathlib import Path

import numpy as np
import pytest

from mmdet_mitosis.evaluation.truth import FieldTruth
from mmdet_mitosis.report import galleries
from mmdet_mitosis.report.findings import FALSE_POSITIVE, HIT, MISS, Finding
from mmdet_mitosis.report.galleries import MAX_SHOWN, make_gallery
from tests.evaluation.fields import truth


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """Take down what is drawn, in place of drawing it; fields of case ``gone`` have no image."""
    findings = []

    def draw(folder: Path, finding: Finding, radius_um: float) -> np.ndarray:
        if finding.field.case == "gone":
            raise FileNotFoundError(f"no such image: {finding.field.file_name}")
        findings.append(finding)
        return np.zeros((8, 8, 3), np.uint8)

    monkeypatch.setattr(galleries, "draw_crop", draw)
    return findings


def some(kind: str, n: int, case: str = "01", look_alike: bool | None = None) -> list[Finding]:
    """Findings of falling scores, each in a field of its own, in another order of names."""
    return [
        Finding(kind, truth(99 - i, case=case), (i, 2 * i), 1 - i / 1000, [], look_alike)
        for i in range(n)
    ]


def gallery(kind: str, findings: list[Finding]):
    return make_gallery(kind, findings, Path("images"), 7.5, 0.5)


def test_surest_false_positives_are_shown_and_counted(drawn: list) -> None:
    findings = some(FALSE_POSITIVE, 60)
    shown = gallery(FALSE_POSITIVE, findings)
    assert [card.label for card in shown.cards] == [
        f"score {finding.score:.3f}" for finding in findings[:MAX_SHOWN]
    ]
    assert shown.notes[0] == "48 of 60 are shown, the surest first."
    assert len(drawn) == MAX_SHOWN


def test_hits_are_spread_over_all_scores(drawn: list) -> None:
    findings = some(HIT, 95)
    shown = gallery(HIT, findings)
    assert [card.label for card in shown.cards] == [
        f"score {finding.score:.3f}" for finding in findings[::2]
    ]
    assert shown.notes[0] == "48 of 95 are shown, spread evenly over all scores, the surest first."
    few = gallery(HIT, findings[:5])
    assert few.notes[0] == "5 of 5 are shown, the surest first."


def test_a_card_says_what_and_where(drawn: list) -> None:
    (card,) = gallery(FALSE_POSITIVE, [Finding(FALSE_POSITIVE, truth(7), (10.4, 20.6), 0.75)]).cards
    assert (card.label, card.case, card.file_name) == ("score 0.750", "01", "7.tif")
    assert card.place == "x 10, y 21 px"
    assert card.picture.startswith("data:image/jpeg;base64,")
    assert card.alt == "false positive, score 0.750, case 01"
    assert not card.is_look_alike


def test_misses_have_the_best_score_or_say_that_there_is_none(drawn: list) -> None:
    findings = [Finding(MISS, truth(1), (5, 5), score) for score in (None, 0.25)]
    labels = [card.label for card in gallery(MISS, findings).cards]
    assert labels == ["nothing within 7.5 µm", "best score 0.250"]


def test_look_alikes_are_told(drawn: list) -> None:
    findings = some(FALSE_POSITIVE, 3, look_alike=True) + some(FALSE_POSITIVE, 2, look_alike=False)
    shown = gallery(FALSE_POSITIVE, findings)
    assert [card.is_look_alike for card in shown.cards] == [True, True, True, False, False]
    assert "3 of 5 are labelled look-alikes." in shown.notes
    unknown = gallery(FALSE_POSITIVE, some(FALSE_POSITIVE, 2))
    assert "Look-alikes are not labelled in this data" in unknown.notes[1]
    field = FieldTruth(**{**vars(truth(1)), "look_alikes_xy": np.empty((0, 2))})
    keyed = gallery(MISS, [Finding(MISS, field, (5, 5), None)])
    assert [name for name, _ in keyed.key] == ["miss", "labelled mitosis", "labelled look-alike"]
    assert len(shown.key) == 2


def test_images_that_cannot_be_read_are_counted_and_the_first_is_named(drawn: list) -> None:
    findings = some(HIT, 2) + some(HIT, 3, case="gone")
    shown = gallery(HIT, findings)
    assert len(shown.cards) == 2
    assert shown.notes[0] == "2 of 5 are shown, the surest first."
    assert shown.notes[1] == (
        "3 more have no picture, because the images of 3 fields cannot be read; the first is "
        "97.tif: no such image: 97.tif."
    )


@pytest.mark.parametrize("kind", [HIT, FALSE_POSITIVE, MISS])
def test_nothing_is_said(drawn: list, kind: str) -> None:
    assert gallery(kind, []).notes == ["There is none at threshold 0.500."]
    assert gallery(kind, []).cards == []
