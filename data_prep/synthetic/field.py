"""A whole synthetic field, from its seed to picture and centroids."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from data_prep.sources.tupac16 import LAST_APERIO_CASE
from data_prep.synthetic import mitoses, nuclei
from data_prep.synthetic.placing import draw_places, draw_regions
from data_prep.synthetic.scanner import APERIO, LEICA, Scanner, draw_staining, scan
from data_prep.synthetic.tissue import paint_ground


@dataclass(frozen=True)
class SyntheticField:
    """A painted field: RGB (H, W, 3) uint8, and centroids (N, 2), px, x first.

    ``look_alikes_xy`` are the places of dark cells that are no mitoses.
    """

    image_rgb: np.ndarray
    mitoses_xy: np.ndarray
    look_alikes_xy: np.ndarray


def scanner_of(case: int) -> Scanner:
    """Give the scanner of a case.

    Args:
        case: Its number in TUPAC16.

    Returns:
        The scanner.
    """
    return APERIO if case <= LAST_APERIO_CASE else LEICA


def has_mitoses(case: int, number: int) -> bool:
    """Tell whether a field has any mitosis: one in eleven has none.

    Args:
        case: Number of the case.
        number: Number of the field in its case, from 1.
    """
    return (case + 7 * number) % 11 != 0


def paint_field(seed: int, case: int, number: int, size_px: int) -> SyntheticField:
    """Paint a field; the same for the same arguments, whatever was painted before.

    Args:
        seed: Seed of the archive.
        case: Number of the case.
        number: Number of the field in its case, from 1.
        size_px: Side of the field, px at 0.25 µm/px.

    Returns:
        The field.
    """
    cv2.setNumThreads(1)
    case_rng = np.random.default_rng((seed, case))
    rng = np.random.default_rng((seed, case, number))
    scanner = scanner_of(case)
    staining = draw_staining(case_rng, scanner)
    nuclear_size, crowding = case_rng.uniform((0.9, 0.8), (1.1, 1.2))
    regions = draw_regions(rng, size_px)
    places = draw_places(rng, regions, crowding, has_mitoses(case, number))
    layers = paint_ground(rng, regions, places.epithelial)
    for at in places.epithelial:
        layers.lay(nuclei.interphase(rng, nuclear_size), at)
    for at in places.stromal:
        spindle = rng.random() < 0.35
        layers.lay(nuclei.pale_spindle(rng) if spindle else nuclei.interphase(rng, 0.8), at)
    for at in places.lymphocytes:
        layers.lay(nuclei.lymphocyte(rng), at)
    for at in places.look_alikes:
        layers.lay(nuclei.look_alike(rng), at)
    centroids = []
    for at in places.mitoses:
        cell = mitoses.mitosis(rng)
        layers.lay(cell, at)
        centroids.append(layers.centroid_xy(cell, at))
    image = scan(rng, layers, scanner, staining)
    mitoses_xy = np.array(centroids, dtype=float).reshape(-1, 2)
    return SyntheticField(image, mitoses_xy, places.look_alikes)
