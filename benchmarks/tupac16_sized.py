"""Archives of TUPAC16's size and layout: as many images, of the same sizes, with as many labels.

The auxiliary set has 656 images: 606 of 2000 x 2000 px of the cases 01 to 23, and one of
5657 x 5657 px for each of the cases 24 to 73. Its original labels are 1552 mitoses; the alternative
ones (Bertram et al., arXiv 2007.05351) 1999 mitoses and 10483 look-alikes. Here, points are drawn
at random; their numbers add up to these.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import tifffile

from data_prep.synthetic.field import paint_field

IMAGES_OF_CASE = (
    *(39, 28, 16, 61, 10, 61, 43, 10, 10, 10, 13, 10, 10, 15, 49, 10, 10, 67, 10, 10, 44, 48, 22),
    *[1] * 50,
)
"""Of the cases 01 to 73."""

LABELS, LOOK_ALIKE_LABELS = "mitoses_ground_truth", "nonmitoses_ground_truth"
N_IMAGES, N_SMALL_CASES = 656, 23
SMALL_PX, LARGE_PX, PAINTED_PX = 2000, 5657, 1000
ORIGINAL, MITOSES, LOOK_ALIKES = 1552, 1999, 10483
LARGE_IMAGES_WEIGH = 6
"""How many more labels a large image gets: that many in the real set."""

MARGIN_PX = 20


def make_archive(root: Path, n_images: int, seed: int = 0, all_large: bool = False) -> Path:
    """Make an archive of white images, with alternative labels and, in ``original``, the others.

    Args:
        root: Its folder.
        n_images: How many images: of more than 656 each again under another name, of fewer a
            random choice.
        seed: Seed of the choice and of the labels.
        all_large: Whether all images are 5657 px wide.

    Returns:
        The folder.
    """
    rng = np.random.default_rng(seed)
    sides = [LARGE_PX if all_large else 0, SMALL_PX, LARGE_PX]
    white = {side: tiff_bytes(np.full((side, side, 3), 255, np.uint8)) for side in {*sides} - {0}}
    names = _names(n_images, rng)
    for name in names:
        side = LARGE_PX if all_large else _side(name)
        _write_image(root, name, white[side])
    weights = rng.gamma(2, size=len(names))
    weights *= [LARGE_IMAGES_WEIGH if _side(name) == LARGE_PX else 1 for name in names]
    draws = [
        rng.multinomial(round(total * n_images / N_IMAGES), weights / weights.sum()).tolist()
        for total in (MITOSES, LOOK_ALIKES, ORIGINAL)
    ]
    for name, n_mitoses, n_look_alikes, n_original in zip(names, *draws, strict=True):
        points = _points(f"{seed}|{name}", n_mitoses + n_look_alikes + n_original, _side(name))
        n_alternative = n_mitoses + n_look_alikes
        _write_label(root / LABELS, name, points[:n_mitoses])
        _write_label(root / LOOK_ALIKE_LABELS, name, points[n_mitoses:n_alternative])
        if n_original:  # else there is no CSV in the original set
            _write_label(root / "original" / LABELS, name, points[n_alternative:])
    return root


def make_large_fields(root: Path, n_images: int, seed: int = 0) -> Path:
    """Make an archive of large painted images alone, which compress as tissue does: 93 MB each.

    Args:
        root: Its folder.
        n_images: How many, at most 50.
        seed: Seed of the painting and of the labels.

    Returns:
        The folder.
    """
    repeats = -(-LARGE_PX // PAINTED_PX)
    painted = paint_field(seed, N_SMALL_CASES + 1, 1, PAINTED_PX).image_rgb
    data = tiff_bytes(np.tile(painted, (repeats, repeats, 1))[:LARGE_PX, :LARGE_PX])
    for case in range(N_SMALL_CASES + 1, N_SMALL_CASES + 1 + n_images):
        name = f"{case:02d}/01"
        _write_image(root, name, data)
        points = _points(f"{seed}|{name}", 70, LARGE_PX)
        _write_label(root / LABELS, name, points[:10])
        _write_label(root / LOOK_ALIKE_LABELS, name, points[10:])
    return root


def tiff_bytes(image_rgb: np.ndarray) -> bytes:
    """Write an image as a TIFF of LZW strips, of which no window is read fast.

    Args:
        image_rgb: (H, W, 3) uint8.

    Returns:
        The file.
    """
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, image_rgb, photometric="rgb", rowsperstrip=8, compression="lzw")
    return buffer.getvalue()


def _names(n_images: int, rng: np.random.Generator) -> list[str]:
    """Name images ``<case>/<image>``."""
    repeats = -(-n_images // N_IMAGES)
    names = [
        f"{case:02d}/{number + 100 * again:02d}"
        for again in range(repeats)
        for case, n_of_case in enumerate(IMAGES_OF_CASE, start=1)
        for number in range(1, n_of_case + 1)
    ]
    return [names[index] for index in sorted(rng.permutation(len(names))[:n_images].tolist())]


def _side(name: str) -> int:
    """Give the side of an image, px."""
    return SMALL_PX if int(name.partition("/")[0]) <= N_SMALL_CASES else LARGE_PX


def _points(key: str, n_points: int, side: int) -> list[tuple[int, int]]:
    """Draw different points, row and column, away from the border."""
    span = side - 2 * MARGIN_PX
    places = Random(key).sample(range(span * span), n_points)
    return [(place // span + MARGIN_PX, place % span + MARGIN_PX) for place in places]


def _write_image(root: Path, name: str, data: bytes) -> None:
    """Write an image; its name at the end of the file makes it unlike all others."""
    case = int(name.partition("/")[0])
    part = 1 if case <= N_SMALL_CASES else 2 if case <= 48 else 3
    path = root / f"mitoses_image_data_part_{part}" / f"{name}.tif"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data + name.encode().rjust(16))


def _write_label(folder: Path, name: str, points: Sequence[tuple[int, int]]) -> None:
    """Write a CSV."""
    path = folder / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row},{column}\n" for row, column in points))
