"""Pictures of what was found and missed."""

import numpy as np
import pytest

from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.inference.overlay import FALSE_ALARM, HIT, MISSED, TRUTH, draw_field
from tests.evaluation.fields import found, truth

TISSUE = (200, 150, 190)


def blank(width: int = 800, height: int = 600) -> np.ndarray:
    return np.full((height, width, 3), TISSUE, np.uint8)


def draw(mitoses=(), detections=(), image: np.ndarray | None = None, mpp: float = 0.25):
    return draw_field(
        blank() if image is None else image, truth(1, *mitoses, mpp=mpp), found(*detections), 7.5
    )


def is_near(pixels: np.ndarray, color: tuple) -> np.ndarray:
    """Tell which pixels have a colour, also where a thin line's edges are smoothed."""
    return np.abs(pixels.astype(int) - color).max(axis=-1) <= 60


def shows(picture: np.ndarray, color: tuple, x: int, y: int, reach: int = 60) -> bool:
    """Tell whether a colour is anywhere around a place."""
    part = picture[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
    return bool(is_near(part, color).any())


def test_a_hit_has_a_green_box_where_the_detection_is() -> None:
    picture = draw([(400, 300)], [(410, 290, 0.9)])
    # The box is 24 px wide, from 398 to 422 and from 278 to 302: x and y swapped, it is elsewhere.
    for x, y in ((398, 290), (422, 290), (410, 278), (410, 302)):
        assert tuple(picture[y, x]) == HIT
    assert tuple(picture[292, 405]) == TISSUE  # what is marked stays to be seen
    assert shows(picture, TRUTH, 400, 300)
    assert not shows(picture, FALSE_ALARM, 400, 300)
    assert not shows(picture, MISSED, 400, 300)


def test_a_false_alarm_is_red_and_a_miss_is_yellow() -> None:
    picture = draw([(200, 300)], [(600, 300, 0.9)])
    assert tuple(picture[300, 588]) == FALSE_ALARM
    assert not shows(picture, HIT, 600, 300)
    assert not shows(picture, TRUTH, 200, 300)
    for x, y in ((230, 300), (170, 300), (200, 330)):  # the match radius: 30 px
        assert tuple(picture[y, x]) == MISSED
    assert tuple(picture[300, 200]) == TISSUE


def test_a_second_hit_on_a_mitosis_is_a_false_alarm() -> None:
    picture = draw([(400, 300)], [(400, 300, 0.9), (425, 300, 0.8)])
    assert tuple(picture[311, 388]) == HIT
    assert tuple(picture[311, 437]) == FALSE_ALARM


def test_the_circle_is_of_the_match_radius_in_micrometres() -> None:
    for mpp, radius in ((0.25, 30), (0.5, 15)):
        picture = draw([(400, 300)], mpp=mpp)
        assert tuple(picture[300, 400 + radius]) == MISSED
    # 20 px away: 5 µm is a hit, 10 µm is none
    assert shows(draw([(400, 300)], [(420, 300, 0.9)]), HIT, 420, 300)
    assert shows(draw([(400, 300)], [(420, 300, 0.9)], mpp=0.5), FALSE_ALARM, 420, 300)


def test_the_image_is_not_changed() -> None:
    image = blank()
    image.setflags(write=False)  # as fields of the cache are
    picture = draw([(400, 300)], [(400, 300, 0.9), (100, 100, 0.8)], image)
    assert (image == TISSUE).all()
    assert picture.shape == image.shape
    assert picture.dtype == np.uint8
    assert (picture != TISSUE).any()


def test_a_mask_is_outlined() -> None:
    one = found((400, 300, 0.9))
    outline = [395.0, 295, 405, 295, 405, 305, 395, 305]
    masked = FieldDetections(one.centers_xy, one.scores, one.bboxes_xyxy, [[outline]])
    picture = draw_field(blank(), truth(1, (400, 300)), masked, 7.5)
    assert is_near(picture[300, 395], HIT)
    assert tuple(picture[300, 400]) == TISSUE
    assert tuple(draw([(400, 300)], [(400, 300, 0.9)])[300, 395]) == TISSUE


@pytest.mark.parametrize("at", [(3, 300), (797, 300), (400, 3), (400, 597), (797, 597)])
def test_a_score_is_written_inside_the_picture(at: tuple) -> None:
    middle = (draw(detections=[(400, 300, 0.9)]) == FALSE_ALARM).all(axis=2)
    plate, frame = middle[260:285, 370:440], middle[285:316, 384:417]  # the score lies above
    assert plate.sum() > 250
    left, top = at[0] - 16, at[1] - 15
    frame = frame[max(0, -top) : 600 - top, max(0, -left) : 800 - left]
    picture = draw(detections=[(*at, 0.9)])
    red = (picture == FALSE_ALARM).all(axis=2)
    red[:100, :200] = False  # the legend
    # All of the plate is there beside what the picture's border leaves of the frame.
    assert red.sum() == pytest.approx(frame.sum() + plate.sum(), rel=0.1)
    assert tuple(picture[at[1], at[0]]) == TISSUE  # the score does not cover what it is of


def legend_corner(picture: np.ndarray) -> tuple[int, int]:
    """The corner of the picture that is all white, as column and row (0 or -1)."""
    white = [(x, y) for y in (0, -1) for x in (0, -1) if (picture[y, x] == 255).all()]
    assert len(white) == 1
    return white[0]


def test_the_legend_hides_no_mark() -> None:
    assert legend_corner(draw()) == (0, 0)
    assert legend_corner(draw([(50, 40)])) == (-1, 0)
    assert legend_corner(draw([(50, 40)], [(750, 40, 0.9)])) == (0, -1)
    assert legend_corner(draw([(50, 40), (50, 560)], [(750, 40, 0.9)])) == (-1, -1)
    # Where every corner is taken, the marks are drawn over the legend.
    corners = [(50, 40, 0.9), (750, 40, 0.9), (50, 560, 0.9), (750, 560, 0.9)]
    assert tuple(draw(detections=corners)[40, 38]) == FALSE_ALARM


@pytest.mark.parametrize("size", [(60, 40), (150, 900), (1, 1)])
def test_a_small_field_is_drawn_too(size: tuple) -> None:
    image = blank(*size)
    assert draw([(5, 5)], [(40, 30, 0.9)], image).shape == image.shape


def test_a_score_with_no_room_above_or_below_is_kept_inside() -> None:
    picture = draw(detections=[(30, 20, 0.9)], image=blank(60, 40))
    assert (picture[25, 20:45] == FALSE_ALARM).all()  # the plate ends with the picture


def test_marks_grow_with_the_field() -> None:
    # A field of 5657 px is looked at from afar: lines of 2 px would vanish.
    def line_width(side: int) -> int:
        row = draw(detections=[(500, 900, 0.9)], image=blank(side, side))[900, 400:500]
        return int((row == FALSE_ALARM).all(axis=1).sum())

    assert line_width(2000) == 3
    assert line_width(5657) == 8


def test_an_empty_field_has_its_legend_only() -> None:
    picture = draw()
    assert (picture[100:] == TISSUE).all()
    assert (picture[:, 200:] == TISSUE).all()
