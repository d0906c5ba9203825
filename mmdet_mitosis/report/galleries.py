"""Galleries of findings: which of them are shown, and what stands below each picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmdet_mitosis.cli import one_line
from mmdet_mitosis.inference.overlay import TRUTH
from mmdet_mitosis.report.crops import COLORS, LOOK_ALIKE, draw_crop, to_data_uri
from mmdet_mitosis.report.findings import FALSE_POSITIVE, HIT, MISS, Finding

MAX_SHOWN = 48

TITLES = {FALSE_POSITIVE: "False positives", MISS: "Misses", HIT: "Hits"}
ORDERS = {
    FALSE_POSITIVE: "the surest first",
    MISS: "those first that nothing found at any score",
    HIT: "the surest first",
}


@dataclass(frozen=True)
class Card:
    """A picture (data URI) with what is said of it."""

    picture: str
    alt: str
    label: str
    is_look_alike: bool
    case: str
    file_name: str
    place: str


@dataclass(frozen=True)
class Gallery:
    """The pictures of one kind of finding, and sentences on what is shown and what is not.

    ``key`` says what the colours mean, RGB.
    """

    kind: str
    title: str
    cards: list[Card]
    notes: list[str]
    key: list[tuple[str, tuple[int, int, int]]]


def make_gallery(
    kind: str, findings: list[Finding], image_root: Path, radius_um: float, threshold: float
) -> Gallery:
    """Draw the findings of one kind, at most ``MAX_SHOWN``.

    Args:
        kind: ``HIT``, ``FALSE_POSITIVE`` or ``MISS``.
        findings: All of that kind, in the order in which they are shown. Of more hits than are
            shown, every so many-th is, so that also the least sure are seen; of the other kinds
            the first.
        image_root: Folder that the fields' ``file_name`` is relative to.
        radius_um: Match radius, µm.
        threshold: Lowest score that counts.

    Returns:
        The gallery. What lies in an image that cannot be read has no card; a note says so.
    """
    if not findings:
        return Gallery(kind, TITLES[kind], [], [f"There is none at threshold {threshold:.3f}."], [])
    chosen = _chosen(kind, findings)
    cards: dict[int, Card] = {}
    problems: dict[str, str] = {}
    # Field by field, so that each is decoded once.
    for i in sorted(range(len(chosen)), key=lambda i: chosen[i].field.file_name):
        finding = chosen[i]
        if finding.field.file_name in problems:
            continue
        try:
            picture = to_data_uri(draw_crop(image_root, finding, radius_um))
        except (OSError, ValueError) as error:
            problems[finding.field.file_name] = one_line(error)
            continue
        cards[i] = _card(finding, picture, radius_um)
    shown = [cards[i] for i in sorted(cards)]
    notes = [f"{len(shown)} of {len(findings)} are shown, {_order_said(kind, findings)}."]
    if kind == FALSE_POSITIVE:
        notes.append(_look_alikes_said(findings))
    if kind == MISS:
        notes.append(
            f"The best score is the highest of a detection within {radius_um:g} µm; all are below "
            f"the threshold, {threshold:.3f}."
        )
    if problems:
        name, reason = next(iter(problems.items()))
        notes.append(
            f"{len(chosen) - len(shown)} more have no picture, because the images of "
            f"{len(problems)} fields cannot be read; the first is {name}: {reason}."
        )
    key = [(kind, COLORS[kind]), ("labelled mitosis", TRUTH)]
    if any(finding.field.look_alikes_xy is not None for finding in findings):
        key.append(("labelled look-alike", LOOK_ALIKE))
    return Gallery(kind, TITLES[kind], shown, notes, key)


def _chosen(kind: str, findings: list[Finding]) -> list[Finding]:
    """Choose what is shown."""
    if kind != HIT or len(findings) <= MAX_SHOWN:
        return findings[:MAX_SHOWN]
    steps = np.rint(np.linspace(0, len(findings) - 1, MAX_SHOWN)).astype(int)
    return [findings[i] for i in steps]


def _order_said(kind: str, findings: list[Finding]) -> str:
    """Say in which order a gallery is, and what it leaves out."""
    if kind == HIT and len(findings) > MAX_SHOWN:
        return f"spread evenly over all scores, {ORDERS[kind]}"
    return ORDERS[kind]


def _look_alikes_said(findings: list[Finding]) -> str:
    """Say how many false positives are labelled look-alikes."""
    told = [f.is_look_alike for f in findings if f.is_look_alike is not None]
    if not told:
        return "Look-alikes are not labelled in this data, so it is unknown which of these are."
    return f"{sum(told)} of {len(findings)} are labelled look-alikes."


def _card(finding: Finding, picture: str, radius_um: float) -> Card:
    """Write what stands below a picture."""
    truth, (x, y) = finding.field, finding.center_xy
    if finding.kind != MISS:
        label = f"score {finding.score:.3f}"
    elif finding.score is None:
        label = f"nothing within {radius_um:g} µm"
    else:
        label = f"best score {finding.score:.3f}"
    return Card(
        picture=picture,
        alt=f"{finding.kind}, {label}, case {truth.case}",
        label=label,
        is_look_alike=bool(finding.is_look_alike),
        case=truth.case,
        file_name=truth.file_name,
        place=f"x {x:.0f}, y {y:.0f} px",
    )
