"""Pictures of single findings, with their surroundings."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import cv2
import numpy as np

from mmdet_mitosis.datasets.fields import field_size, read_window
from mmdet_mitosis.inference.overlay import FALSE_ALARM, MISSED, TRUTH, WHITE
from mmdet_mitosis.inference.overlay import HIT as HIT_COLOR
from mmdet_mitosis.places import below
from mmdet_mitosis.report.findings import FALSE_POSITIVE, HIT, MISS, Finding

COLORS = {HIT: HIT_COLOR, FALSE_POSITIVE: FALSE_ALARM, MISS: MISSED}
LOOK_ALIKE = (160, 60, 200)
OUTSIDE = (222, 222, 222)
"""What is shown beyond the border of a field."""
CROP_UM = 64.0
"""Width of the tissue that a picture shows, µm."""
CROP_PX = 256
"""Side of a picture, px: at 0.25 µm/px those of the field, not resampled."""
LINE_PX = 2
JPEG_QUALITY = 82
SHIFT = 4
"""OpenCV draws at fractions of a pixel, of so many bits."""


def draw_crop(image_root: Path, finding: Finding, radius_um: float) -> np.ndarray:
    """Cut out a finding with its surroundings, and mark it and its neighbours.

    A circle of the match radius lies around the finding in the colour of its kind, and one around
    labelled mitoses (blue) and look-alikes (violet). A detection's mask is outlined.

    Args:
        image_root: Folder that the field's ``file_name`` is relative to.
        finding: The finding.
        radius_um: Match radius, µm.

    Returns:
        The picture, (CROP_PX, CROP_PX, 3) uint8 RGB, with the finding in its middle.

    Raises:
        FileNotFoundError: If there is no such image.
        ValueError: If the image cannot be read, is not the one that the annotations are of, or is
            named outside the folder.
    """
    truth = finding.field
    path = below(image_root, truth.file_name, f"image {truth.image_id!r}")
    size = field_size(path)
    if size != (truth.width, truth.height):
        raise ValueError(
            f"{path} is {size[0]} x {size[1]} px, and the annotation file says "
            f"{truth.width} x {truth.height}"
        )
    side_px = max(1, round(CROP_UM / truth.mpp))
    corner = np.rint(np.asarray(finding.center_xy) - side_px / 2).astype(int)
    picture = _cut(path, size, corner, side_px)
    scale = CROP_PX / side_px
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = cv2.resize(picture, (CROP_PX, CROP_PX), interpolation=method)
    radius_px = radius_um / truth.mpp * scale
    for points_xy, color in ((truth.look_alikes_xy, LOOK_ALIKE), (truth.centroids_xy, TRUTH)):
        for point in _near(points_xy, finding.center_xy, side_px / 2 + radius_um / truth.mpp):
            _circle(picture, (point - corner) * scale, radius_px, color)
    color = COLORS[finding.kind]
    for flat in finding.polygons:
        outline = (np.reshape(flat, (-1, 2)) - corner) * scale
        cv2.polylines(picture, [_fixed(outline)], True, color, 1, cv2.LINE_AA, SHIFT)
    _circle(picture, (np.asarray(finding.center_xy) - corner) * scale, radius_px, color)
    return picture


def to_data_uri(picture: np.ndarray) -> str:
    """Encode a picture for an ``img`` element.

    Args:
        picture: (H, W, 3) uint8 RGB.

    Returns:
        The JPEG as a data URI.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, jpeg = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), options)
    return f"data:image/jpeg;base64,{b64encode(jpeg.tobytes()).decode()}"


def _cut(path: Path, size: tuple[int, int], corner: np.ndarray, side_px: int) -> np.ndarray:
    """Cut a square out of a field; what lies beyond its border is gray."""
    picture = np.full((side_px, side_px, 3), OUTSIDE, dtype=np.uint8)
    (x1, y1), (x2, y2) = np.maximum(corner, 0), np.minimum(corner + side_px, size)
    if x1 < x2 and y1 < y2:
        left, top = x1 - corner[0], y1 - corner[1]
        part = read_window(path, tuple(int(v) for v in (x1, y1, x2, y2)))
        picture[top : top + y2 - y1, left : left + x2 - x1] = part
    return picture


def _near(
    points_xy: np.ndarray | None, center_xy: tuple[float, float], reach_px: float
) -> np.ndarray:
    """Choose the points that a picture shows, but for the one in its middle, (N, 2)."""
    if points_xy is None:
        return np.empty((0, 2))
    distances = np.abs(points_xy - center_xy).max(axis=1)
    return points_xy[(distances > 0) & (distances <= reach_px + 2)]


def _circle(
    picture: np.ndarray, center_xy: np.ndarray, radius_px: float, color: tuple[int, int, int]
) -> None:
    """Draw a circle with a white rim that sets it off from the tissue."""
    center, radius = tuple(_fixed(center_xy).tolist()), round(radius_px * 2**SHIFT)
    cv2.circle(picture, center, radius, WHITE, LINE_PX + 2, cv2.LINE_AA, SHIFT)
    cv2.circle(picture, center, radius, color, LINE_PX, cv2.LINE_AA, SHIFT)


def _fixed(points_xy: np.ndarray) -> np.ndarray:
    """Give coordinates of pixel corners in OpenCV's fixed-point ones, of pixel centres."""
    return np.rint((np.asarray(points_xy) - 0.5) * 2**SHIFT).astype(np.int32)
