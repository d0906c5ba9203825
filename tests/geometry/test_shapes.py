"""Polygons from centroids and from pixels."""

import numpy as np
import pytest
import shapely
from pycocotools import mask as coco_mask

from mmdet_mitosis.geometry.shapes import clip_to_field, pixel_polygons, synthetic_polygon
from tests.data_prep.archives import REAL_DATA, needs_real_data

CENTERS = [(float(x), float(y)) for x in range(20, 400, 20) for y in range(20, 400, 20)]


def draw(center=(50.0, 60.0), mpp=0.25, key="01|01/01", shape="mixed", seed=0):
    return synthetic_polygon(center, mpp, key, shape, seed)


def half_axes(outline: np.ndarray) -> tuple[float, float]:
    radii = np.linalg.norm(outline - outline.mean(axis=0), axis=1)
    return radii.min(), radii.max()


def rasterise(polygons, width: int, height: int) -> np.ndarray:
    flat = [np.ravel(polygon).tolist() for polygon in polygons]
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(flat, height, width))) > 0


def paint(pixels_xy, width: int, height: int) -> np.ndarray:
    image = np.zeros((height, width), bool)
    x, y = np.transpose(pixels_xy)
    image[y, x] = True
    return image


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def test_same_object_has_the_same_polygon_in_any_order() -> None:
    forwards = {center: draw(center) for center in CENTERS}
    np.random.seed(7)  # a global generator must not matter
    for center in reversed(CENTERS):
        kind, outline = draw(center)
        assert kind == forwards[center][0]
        np.testing.assert_array_equal(outline, forwards[center][1])


def test_polygon_does_not_change_between_runs_and_versions() -> None:
    # hash() is salted by the run, and a generator may change with its library
    assert draw()[0] == "circle"
    np.testing.assert_allclose(draw()[1][0], (64.97093636, 60))
    first, ninth = draw(shape="ellipse")[1][[0, 8]]
    np.testing.assert_allclose(first, (50, 70.59082256))
    np.testing.assert_allclose(ninth, (38.37208485, 60))


@pytest.mark.parametrize(
    "other",
    [{"seed": 1}, {"key": "02|02/01"}, {"key": "01|01/02"}, {"center": (50.0, 61.0)}],
    ids=["seed", "case", "field", "centroid"],
)
def test_another_object_has_another_polygon(other: dict) -> None:
    size = np.subtract(*half_axes(draw(shape="ellipse")[1]))
    assert np.subtract(*half_axes(draw(shape="ellipse", **other)[1])) != pytest.approx(size)


def test_swapped_centroid_has_another_polygon() -> None:
    first, second = draw((50.0, 60.0), shape="circle")[1], draw((60.0, 50.0), shape="circle")[1]
    assert half_axes(first)[0] != pytest.approx(half_axes(second)[0])


def test_circle_radii_fill_the_range_of_the_paper() -> None:
    radii = np.array([half_axes(draw(c, shape="circle")[1]) for c in CENTERS])
    np.testing.assert_allclose(radii[:, 0], radii[:, 1])  # an ellipse is no circle
    assert 10 <= radii.min() < 10.3
    assert 15.7 < radii.max() <= 16


def test_ellipse_axes_and_directions_are_those_of_the_paper() -> None:
    angles = set()
    for center in CENTERS:
        kind, outline = draw(center, shape="ellipse")
        assert kind == "ellipse"
        low, high = half_axes(outline)
        assert 5 * 0.99 <= low <= high <= 13
        # the first vertex lies on the first axis, whose direction is 60° or 90°
        angles.add(round(np.degrees(np.arctan2(*(outline[0] - center)[::-1]))))
    assert angles == {60, 90}


def test_mixed_draws_circles_and_ellipses_alike_often() -> None:
    kinds = [draw(center)[0] for center in CENTERS]
    assert set(kinds) == {"circle", "ellipse"}
    assert 0.4 < np.mean([kind == "circle" for kind in kinds]) < 0.6


def test_polygon_lies_around_the_centroid_x_first() -> None:
    outline = draw((300.0, 20.0))[1]
    assert outline.shape == (32, 2)
    np.testing.assert_allclose(outline.mean(axis=0), (300, 20), atol=1e-9)


def test_radius_in_um_is_the_same_at_any_resolution() -> None:
    fine, coarse = draw(mpp=0.25, shape="circle")[1], draw(mpp=0.5, shape="circle")[1]
    assert half_axes(fine)[0] == pytest.approx(2 * half_axes(coarse)[0])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shape": "square"}, "'square'; choose one of circle, ellipse, mixed"),
        ({"mpp": 0.0}, "mpp must be positive, got 0.0"),
        ({"mpp": float("nan")}, "mpp must be positive, got nan"),
    ],
)
def test_wrong_arguments_are_named(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(**wrong)


@pytest.mark.parametrize(
    "pixels",
    [
        [(3, 4)],
        [(3, 4), (4, 4), (5, 4)],
        [(0, 0), (0, 1), (1, 0)],
        [(29, 19)],  # the last pixel of the image
        [(10, 10), (11, 11), (12, 12)],  # parts that share a corner only
        [(x, y) for x in range(5, 15) for y in range(4, 16) if (x - 10) ** 2 + (y - 9) ** 2 < 24],
    ],
    ids=["pixel", "row", "corner", "far corner", "diagonal", "disc"],
)
def test_outline_of_pixels_gives_back_the_pixels(pixels: list) -> None:
    # an outline through pixel centres loses half a pixel on each side
    outlines = pixel_polygons(np.array(pixels))
    np.testing.assert_array_equal(rasterise(outlines, 30, 20), paint(pixels, 30, 20))


def test_outline_of_random_blobs_gives_back_the_pixels() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        y, x = np.mgrid[:40, :40]
        blob = np.zeros((40, 40), bool)
        for cx, cy, r in rng.uniform((8, 8, 2), (32, 32, 7), (5, 3)):
            blob |= (x - cx) ** 2 + (y - cy) ** 2 < r**2
        pixels = np.argwhere(blob)[:, ::-1]
        outlines = pixel_polygons(rng.permutation(pixels))
        assert iou(rasterise(outlines, 40, 40), blob) > 0.95


def test_two_parts_are_two_polygons_of_one_object_the_larger_first() -> None:
    pixels = [(2, 2), (3, 2), *((x, y) for x in range(10, 14) for y in range(5, 8))]
    large, small = pixel_polygons(np.array(pixels))
    assert (large.min(axis=0).tolist(), large.max(axis=0).tolist()) == ([10, 5], [14, 8])
    assert (small.min(axis=0).tolist(), small.max(axis=0).tolist()) == ([2, 2], [4, 3])


def test_hole_of_an_outline_is_filled() -> None:
    ring = [(x, y) for x in range(5) for y in range(5) if (x, y) != (2, 2)]
    (outline,) = pixel_polygons(np.array(ring))
    assert rasterise([outline], 8, 8).sum() == 25


def test_order_and_repetition_of_pixels_do_not_matter() -> None:
    pixels = np.array([(x, y) for x in range(4) for y in range(6)])
    shuffled = np.random.default_rng(0).permutation(np.concatenate([pixels, pixels[:5]]))
    np.testing.assert_array_equal(pixel_polygons(shuffled)[0], pixel_polygons(pixels)[0])


def test_no_pixel_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one pixel"):
        pixel_polygons(np.empty((0, 2)))


@needs_real_data
def test_outlines_of_all_real_mitoses_give_back_their_pixels() -> None:
    n_objects = 0
    for path in sorted((REAL_DATA / "mitos12").glob("*/*.csv")):
        for line in path.read_text().split():
            pixels = np.array(line.split(","), dtype=int).reshape(-1, 2)
            pixels -= pixels.min(axis=0) - 1
            width, height = (pixels.max(axis=0) + 2).tolist()
            outlines = pixel_polygons(pixels)
            found = rasterise(outlines, width, height)
            assert iou(found, paint(pixels, width, height)) > 0.9, f"{path} {line[:20]}"
            n_objects += 1
    assert n_objects == 184


@pytest.mark.parametrize("center", [(100.0, 40.0), (0.0, 40.0), (50.0, 80.0), (100.0, 80.0)])
def test_object_centred_on_the_edge_keeps_the_part_inside(center: tuple) -> None:
    outline = draw(center, shape="circle")[1]
    (flat,) = clip_to_field([outline], 100, 80)
    clipped = np.reshape(flat, (-1, 2))
    assert clipped.min() >= 0
    assert (clipped.max(axis=0) <= (100, 80)).all()
    n_edges = (center[0] in (0, 100)) + (center[1] in (0, 80))
    whole = shapely.Polygon(outline).area
    assert shapely.Polygon(clipped).area == pytest.approx(whole / 2**n_edges, rel=1e-3)


def test_clipping_leaves_what_lies_inside_as_it_is() -> None:
    outline = draw()[1]
    (flat,) = clip_to_field([outline], 200, 200)
    clipped = np.reshape(flat, (-1, 2))
    assert len(clipped) == len(outline)
    distances = np.abs(clipped[:, None] - outline[None]).max(axis=2).min(axis=1)
    assert distances.max() <= 0.005  # rounded to 0.01 px, and nothing else
    assert clip_to_field([outline + 1000], 200, 200) == []


def test_a_mixture_is_drawn_unless_another_shape_is_named() -> None:
    kinds = {synthetic_polygon(center, 0.25, "01|01/01")[0] for center in CENTERS}
    assert kinds == {"circle", "ellipse"}
    for center in CENTERS[:9]:
        for one, other in zip(
            synthetic_polygon(center, 0.25, "01|01/01"), draw(center, seed=0), strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_pixels_with_one_missing_between_them_are_two_parts() -> None:
    parts = pixel_polygons(np.array([[0, 0], [1, 0], [3, 0]]))
    covered = rasterise(parts, 6, 3)
    assert len(parts) == 2 and covered[0].tolist() == [True, True, False, True, False, False]


def test_outlines_end_at_the_field_s_borders_to_a_hundredth_of_a_pixel() -> None:
    outline = np.array([[-1.0, -1.0], [2.12345, -1.0], [2.12345, 0.4], [-1.0, 0.4]])
    (flat,) = clip_to_field([outline], 10, 10)
    corners = np.reshape(flat, (-1, 2))
    assert corners.min(axis=0).tolist() == [0, 0] and corners.max(axis=0).tolist() == [2.12, 0.4]
