import json
import uuid

import numpy as np
import pytest
import shapely
from shapely.geometry import shape as as_shape

from mmdet_mitosis.inference.exports import write_geojson
from mmdet_mitosis.inference.exports.outlines import mask_outline
from mmdet_mitosis.inference.hotspot import find_slide_hotspot
from tests.inference.slide_results import make_result

SQUARE = [90.0, 190.0, 110.0, 190.0, 110.0, 210.0, 90.0, 210.0]
AWAY = [120.0, 190.0, 130.0, 190.0, 130.0, 200.0]
BOW_TIE = [0.0, 0.0, 10.0, 10.0, 10.0, 0.0, 0.0, 10.0]
CENTERS, SCORES = [(100.126, 200.25), (2000.5, 1500), (12, 34)], [0.97, 0.81234567, 0.3]


def written(path, result, hotspot=None, **options):
    write_geojson(path / "d.geojson", result, hotspot, **options)
    return json.loads((path / "d.geojson").read_text(encoding="utf-8"))


def test_objects_are_as_qupath_reads_them(tmp_path):
    value = written(tmp_path, make_result(CENTERS, SCORES))
    assert value["type"] == "FeatureCollection"
    first, second = value["features"]  # 0.3 does not count
    assert first["type"] == "Feature" and str(uuid.UUID(first["id"])) == first["id"]
    assert first["geometry"] == {"type": "Point", "coordinates": [100.13, 200.25]}
    assert first["properties"] == {
        "objectType": "annotation",
        "name": "Mitosis 0.97",
        "classification": {"name": "Mitosis", "color": [0, 170, 60]},
        "isLocked": False,
        "measurements": {"Score": 0.97},
    }
    assert second["properties"]["measurements"] == {"Score": 0.812346}
    assert value["slide"]["width"] == 4000 and value["slide"]["mpp"] == 0.25


def test_masks_are_outlines(tmp_path):
    result = make_result(CENTERS, SCORES, polygons=[[SQUARE], [SQUARE, AWAY], []])
    one, two = (as_shape(f["geometry"]) for f in written(tmp_path, result)["features"])
    assert one.equals(shapely.box(90, 190, 110, 210))
    assert two.geom_type == "MultiPolygon" and two.area == 400 + 50
    ring = written(tmp_path, result)["features"][0]["geometry"]["coordinates"][0]
    assert ring[0] == ring[-1] and len(ring) == 5


@pytest.mark.parametrize(
    ("polygons", "area"),
    [
        ([BOW_TIE], 50),
        ([SQUARE, SQUARE], 400),
        ([SQUARE, [95.0, 195.0, 105.0, 195.0, 105.0, 205.0, 95.0, 205.0]], 400),
        ([SQUARE, [110.0, 210.0, 120.0, 210.0, 120.0, 220.0, 110.0, 220.0]], 500),
        ([[*SQUARE, 90.0, 250.0, 90.0, 210.0]], 400),
        ([SQUARE, [0.0, 0.0, 5.0, 5.0]], 400),
        ([SQUARE, [0.0, 0.0, 5.0, 5.0, 9.0, 9.0]], 400),
    ],
)
def test_outlines_are_valid(tmp_path, polygons, area):
    """QuPath refuses the whole file for one that is not."""
    result = make_result([(100, 200)], [0.9], polygons=[polygons])
    outline = as_shape(written(tmp_path, result)["features"][0]["geometry"])
    assert outline.is_valid and outline.area == pytest.approx(area)


def test_outlines_are_valid_whatever_the_mask():
    rng = np.random.default_rng(0)
    for trial in range(300):
        polygons = [
            np.float32(rng.uniform(2e5, 2e5 + 30, (rng.integers(1, 14), 2))).ravel()
            for _ in range(rng.integers(1, 4))
        ]
        outline = mask_outline([np.round(flat, trial % 3).tolist() for flat in polygons])
        if outline is not None:
            again = shapely.from_geojson(shapely.to_geojson(outline))
            assert again.is_valid and again.area > 0
            coordinates = shapely.get_coordinates(again)
            np.testing.assert_array_equal(coordinates, np.round(coordinates, 2))


def test_a_mask_without_area_is_a_point(tmp_path):
    result = make_result([(100, 200)], [0.9], polygons=[[[1.0, 1.0, 2.0, 2.0, 3.0, 3.0]]])
    geometry = written(tmp_path, result)["features"][0]["geometry"]
    assert geometry == {"type": "Point", "coordinates": [100.0, 200.0]}


def test_detections_are_boxes_where_there_are_no_masks(tmp_path):
    """QuPath does not draw a detection that is a point."""
    result = make_result(CENTERS, SCORES, polygons=[[], [SQUARE], []])
    box, mask = written(tmp_path, result, object_type="detection")["features"]
    assert as_shape(box["geometry"]).equals(shapely.box(80.13, 185.25, 120.13, 215.25))
    assert as_shape(mask["geometry"]).area == 400
    assert box["properties"]["objectType"] == mask["properties"]["objectType"] == "detection"
    with pytest.raises(ValueError, match="unknown object type 'cell'; choose annotation or detect"):
        written(tmp_path, result, object_type="cell")


@pytest.mark.parametrize("shape", ["square", "circle"])
def test_the_hotspot_is_an_annotation(tmp_path, shape):
    result = make_result([(1000, 1200), (1100, 1200), (3000, 100)], [0.9, 0.8, 0.7])
    hotspot = find_slide_hotspot(result, 0.04, shape)
    feature = written(tmp_path, result, hotspot)["features"][0]
    outline = as_shape(feature["geometry"])
    assert outline.is_valid
    assert outline.area * 0.25**2 / 1e6 == pytest.approx(0.04, rel=1e-3)
    assert outline.centroid.coords[0] == pytest.approx(
        [mm * 4000 for mm in hotspot.center_xy], abs=0.02
    )
    assert ("isEllipse" in feature["geometry"]) == (shape == "circle")
    properties = feature["properties"]
    assert properties["objectType"] == "annotation" and properties["isLocked"] is True
    assert properties["classification"]["name"] == "Hotspot"
    assert properties["measurements"] == {"Mitoses": 2, "Area mm^2": 0.04}
    assert properties["name"] == "Hotspot: 2 in 0.04 mm²"


@pytest.mark.parametrize("shape", ["square", "circle"])
def test_the_hotspot_is_cut_by_the_slide(tmp_path, shape):
    result = make_result([(1000, 1200)], [0.9])  # 1 x 0.75 mm
    hotspot = find_slide_hotspot(result, 0.9, shape)
    geometry = written(tmp_path, result, hotspot)["features"][0]["geometry"]
    outline = as_shape(geometry)
    assert shapely.box(0, 0, 4000, 3000).covers(outline) and "isEllipse" not in geometry
    assert outline.area * 0.25**2 / 1e6 == pytest.approx(hotspot.area_mm2, rel=1e-3)


def test_a_hotspot_without_mitoses_is_not_drawn(tmp_path):
    result = make_result()
    assert written(tmp_path, result, find_slide_hotspot(result))["features"] == []


def test_ids_are_of_the_slide_and_the_object(tmp_path):
    same = make_result([(100, 200)] * 2, [0.9, 0.9])
    ids = [f["id"] for f in written(tmp_path, same, find_slide_hotspot(same))["features"]]
    assert len(set(ids)) == 3
    assert ids == [f["id"] for f in written(tmp_path, same, find_slide_hotspot(same))["features"]]
    other = make_result([(100, 200)] * 2, [0.9, 0.9], name="slide-2")
    assert not {f["id"] for f in written(tmp_path, other)["features"]} & set(ids)
