"""Counts of a slide and of a case, for people and for ``summary.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet_mitosis.cli import encodable
from mmdet_mitosis.evaluation.functional.clinical import (
    HPF10_MM2,
    SCORE_CUTS,
    mitoses_per_mm2,
    mitotic_score,
)
from mmdet_mitosis.inference.hotspot import Hotspot
from mmdet_mitosis.inference.records import SlideResult
from mmdet_mitosis.texts import encodable_values

LIMITS = "Research use only. Not a medical device, and not for diagnosis."
SCORE_RULE = (
    f"1 up to {SCORE_CUTS[0] - 1} mitoses in {HPF10_MM2:g} mm², 2 up to {SCORE_CUTS[1] - 1}, "
    f"3 from {SCORE_CUTS[1]} (Sohail et al., arXiv 2003.08803)"
)
RUN = ("threshold", "threshold_from", "model")
"""What the slides of a case must have in common."""


def summarize_slide(result: SlideResult, hotspot: Hotspot | None = None) -> dict[str, Any]:
    """Give the counts of a slide and how they came about.

    Args:
        result: The slide.
        hotspot: Its hotspot. Without one there is no mitotic score.

    Returns:
        What json can hold, the same for the same arguments. ``n_mitoses`` are of the whole slide
        and ``mitoses_per_mm2`` is by its tissue, None where there is none. ``mitotic_score`` is
        that of the hotspot's count as it is, ``mitotic_score_scaled`` that of the count scaled to
        2 mm²; None without a hotspot. ``notes`` are sentences on what to beware of.
    """
    n_mitoses = len(result.found)
    return {
        "slide": encodable(result.name),
        "file_name": encodable(result.file_name),
        "case": encodable(result.case),
        "width_px": result.width,
        "height_px": result.height,
        "mpp": result.mpp,
        "area_mm2": _rounded(result.area_mm2),
        "tissue_mm2": _rounded(result.tissue_mm2),
        "tissue_fraction": _rounded(result.tissue_fraction),
        "n_mitoses": n_mitoses,
        "mitoses_per_mm2": _density(n_mitoses, result.tissue_mm2),
        "hotspot": None if hotspot is None else _hotspot(hotspot, result.mpp),
        **_scores(hotspot),
        "mitotic_score_rule": SCORE_RULE,
        "threshold": result.threshold,
        "threshold_from": encodable(result.threshold_from),
        "model": encodable_values(result.model),
        "seconds": round(result.seconds, 3),
        "notes": _notes(result, hotspot),
        "limits": LIMITS,
    }


def summarize_case(slides: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Add up the slides of a case.

    Args:
        slides: What :func:`summarize_slide` gives of each; at least one.

    Returns:
        What json can hold: totals, and hotspot and scores of the slide whose hotspot holds the
        most, the first of several; ``hotspot_slide`` names it.

    Raises:
        ValueError: For no slide, slides of several cases, a slide that is there twice, or slides
            that were read with different thresholds or models.
    """
    _check_together(slides)
    tissue_mm2 = sum(slide["tissue_mm2"] for slide in slides)
    n_mitoses = sum(slide["n_mitoses"] for slide in slides)
    with_hotspot = [slide for slide in slides if slide["hotspot"] is not None]
    top = max(with_hotspot, key=lambda slide: slide["hotspot"]["n_mitoses"], default=None)
    notes = [f"{slide['slide']}: {note}" for slide in slides for note in slide["notes"]]
    return {
        "case": slides[0]["case"],
        "slides": [slide["slide"] for slide in slides],
        "area_mm2": _rounded(sum(slide["area_mm2"] for slide in slides)),
        "tissue_mm2": _rounded(tissue_mm2),
        "n_mitoses": n_mitoses,
        "mitoses_per_mm2": _density(n_mitoses, tissue_mm2),
        "hotspot_slide": top and top["slide"],
        "hotspot": top and top["hotspot"],
        "mitotic_score": top and top["mitotic_score"],
        "mitotic_score_scaled": top and top["mitotic_score_scaled"],
        "mitotic_score_rule": SCORE_RULE,
        **{key: slides[0][key] for key in RUN},
        "seconds": round(sum(slide["seconds"] for slide in slides), 3),
        "notes": notes,
        "limits": LIMITS,
    }


def _hotspot(hotspot: Hotspot, mpp: float) -> dict[str, Any]:
    """Describe a hotspot."""
    return {
        "shape": hotspot.shape,
        "window_mm2": _rounded(hotspot.window_mm2),
        "area_mm2": _rounded(hotspot.area_mm2),
        "center_px": [round(mm * 1000 / mpp, 2) for mm in hotspot.center_xy],
        "center_um": [round(mm * 1000, 2) for mm in hotspot.center_xy],
        "half_width_um": round(hotspot.half_mm * 1000, 2),
        "n_mitoses": hotspot.count,
        "mitoses_per_mm2": _density(hotspot.count, hotspot.area_mm2),
    }


def _scores(hotspot: Hotspot | None) -> dict[str, int | None]:
    """Give the mitotic scores of a hotspot's count."""
    as_is = scaled = None
    if hotspot is not None:
        as_is = int(mitotic_score(hotspot.count))
        scaled = int(mitotic_score(hotspot.count, hotspot.area_mm2))
    return {"mitotic_score": as_is, "mitotic_score_scaled": scaled}


def _notes(result: SlideResult, hotspot: Hotspot | None) -> list[str]:
    """Tell what to beware of."""
    notes = []
    if result.tissue_mm2 <= 0:
        notes.append("no tissue was found, so nothing was looked at")
    if hotspot is not None and hotspot.area_mm2 < hotspot.window_mm2:
        notes.append(
            f"the image is too small for a hotspot of {hotspot.window_mm2:g} mm²: it is "
            f"{hotspot.area_mm2:.3g} mm²"
        )
    if hotspot is not None and hotspot.area_mm2 < HPF10_MM2 / 2:
        notes.append(
            f"a score scaled from {hotspot.area_mm2:.3g} to {HPF10_MM2:g} mm² rests on few mitoses"
        )
    return notes


def _check_together(slides: Sequence[dict[str, Any]]) -> None:
    """Check that slides can be added up."""
    if not slides:
        raise ValueError("a case needs at least one slide")
    names = [slide["slide"] for slide in slides]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"slide {name!r} is there twice; expected each slide of a case once")
    for key in ("case", *RUN):
        for slide in slides[1:]:
            if slide[key] != slides[0][key]:
                raise ValueError(
                    f"slide {slide['slide']!r} has {key} {slide[key]!r}, and {names[0]!r} has "
                    f"{slides[0][key]!r}; expected the same in all slides of a case"
                )


def _density(n_mitoses: int, area_mm2: float) -> float | None:
    """Give mitoses per mm², rounded; None without an area."""
    return _rounded(float(mitoses_per_mm2(n_mitoses, area_mm2))) if area_mm2 > 0 else None


def _rounded(value: float) -> float:
    """Round to six digits."""
    return float(f"{value:.6g}")
