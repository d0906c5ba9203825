"""Tables of points that are no CSV: QuPath's GeoJSON and Parquet."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from data_prep.records import Archive
from data_prep.sources import table
from data_prep.sources.geojson import read_points
from tests.data_prep.archives import (
    POINTS,
    by_name,
    centroids,
    make_table,
    write_image,
    write_label,
)


def read(root: Path, **options: object) -> Archive:
    """Read with a size of a pixel."""
    return table.read(root, **{"mpp": 0.25, **options})


def feature(kind: str, coordinates: object, name: str | None = None) -> dict:
    """Give a feature as QuPath writes it."""
    label = {} if name is None else {"classification": {"name": name, "color": [1, 2, 3]}}
    return {
        "type": "Feature",
        "geometry": {"type": kind, "coordinates": coordinates},
        "properties": {"objectType": "annotation", **label},
    }


def make_geojson(root: Path, features: list, wrap: bool = True) -> Path:
    """Make a folder of GeoJSON: a's features, and none for b."""
    make_table(root)
    content = {"type": "FeatureCollection", "features": features} if wrap else features
    write_label(root / "points" / "a.geojson", json.dumps(content))
    write_label(root / "points" / "b.geojson", '{"type": "FeatureCollection", "features": []}')
    return root


@pytest.mark.parametrize("wrap", [True, False])
def test_points_of_qupath(tmp_path: Path, wrap: bool) -> None:
    features = [
        feature("Point", [10.5, 110], "Mitosis"),
        feature("MultiPoint", [[1, 2], [3, 4]], "Mitosis"),
        feature("Point", [5, 6, 0], "Apoptosis"),
    ]
    root = make_geojson(tmp_path, features, wrap)
    archive = read(root, table=Path("points"), mitosis_label="Mitosis")
    # y 110 would lie outside as x: the image is 100 x 120
    assert centroids(archive.fields) == {"a": [(10.5, 110), (1, 2), (3, 4)], "b": []}
    assert [cell.centroid_xy for cell in archive.fields[0].look_alikes] == [(5, 6)]
    assert [cell.line for cell in archive.fields[0].mitoses] == [1, 2, 2]
    assert archive.fields[0].mitoses[0].label_file == root / "points" / "a.geojson"
    with pytest.raises(ValueError, match=r"labels 'Apoptosis', 'Mitosis': say by --mitosis-label"):
        read(root, table=Path("points"))


def test_one_file_of_qupath_lists_one_image(tmp_path: Path) -> None:
    root = make_geojson(tmp_path, [feature("Point", [1, 2])])
    (root / "points" / "a.geojson").rename(root / "a.png.geojson")
    archive = read(root, table=root / "a.png.geojson")
    assert centroids(archive.fields) == {"a": [(1, 2)]}
    assert len(archive.left_out) == 1  # b is not listed


def test_points_without_a_class_among_others_are_an_error(tmp_path: Path) -> None:
    root = make_geojson(tmp_path, [feature("Point", [1, 2], "M"), feature("Point", [3, 4])])
    with pytest.raises(ValueError, match=r"a.geojson, feature 2 has no label; expected one of 'M'"):
        read(root, table=Path("points"), mitosis_label="M")


def test_outlines_of_qupath_are_no_points_and_no_negative(tmp_path: Path) -> None:
    square = [[[0, 0], [9, 0], [9, 9], [0, 0]]]
    root = make_geojson(tmp_path, [feature("Polygon", square, "Mitosis")] * 2)
    archive = read(root, table=Path("points"))
    assert list(by_name(archive)) == ["b"]
    assert archive.left_out[0].endswith("a.geojson: 2 features are Polygon, no points")
    assert archive.left_out[1].startswith(str(root / "a.png"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no GeoJSON"),
        ('{"a": 1}', "holds no features"),
        ('{"type": "FeatureCollection"}', "holds no features"),
        ("[1]", "feature 1 has no geometry"),
        ('[{"geometry": null}]', "feature 1 has no geometry"),
        (
            json.dumps([feature("Point", [1])]),
            r"feature 1: coordinates are \[1\]; expected \[x, y\]",
        ),
        (json.dumps([feature("Point", ["1", 2])]), "feature 1: coordinates are"),
        (json.dumps([feature("Point", [float("nan"), 2])]), "feature 1: coordinates are"),
        (json.dumps([feature("MultiPoint", [[1, 2], 3])]), "feature 1: coordinates are 3"),
        (json.dumps([feature("MultiPoint", None)]), "feature 1: coordinates are"),
    ],
)
def test_wrong_geojson_names_file_and_feature(tmp_path: Path, text: str, message: str) -> None:
    root = make_geojson(tmp_path, [])
    path = write_label(root / "points" / "a.geojson", text)
    with pytest.raises(ValueError, match=message) as caught:
        read(root, table=Path("points"))
    assert str(path) in str(caught.value)


def test_geojson_has_no_columns(tmp_path: Path) -> None:
    root = make_geojson(tmp_path, [])
    with pytest.raises(ValueError, match="GeoJSON, which has no columns"):
        read(root, table=Path("points"), case_column="patient")
    with pytest.raises(FileNotFoundError, match=r"no \*.geojson in"):
        read(write_image(tmp_path / "sub" / "a.png").parent, table=tmp_path / "sub")


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    write_table = pytest.importorskip("pyarrow.parquet").write_table
    root = make_table(tmp_path)
    (root / "points.csv").unlink()
    columns = {
        "image": ["a.png", "b.png", "a", "b"],
        "x": [10, 30.5, 50, None],
        "y": [20, 40, 60, None],
        "label": [1, 1, 0, None],
    }
    write_table(pyarrow.table(columns), root / "points.parquet")
    options = {"label_column": "label", "mitosis_label": "1"}
    archive = read(root, **options)
    assert centroids(archive.fields) == {"a": [(10, 20)], "b": [(30.5, 40)]}
    assert [cell.centroid_xy for cell in archive.fields[0].look_alikes] == [(50, 60)]
    columns["y"][1] = float("nan")
    write_table(pyarrow.table(columns), root / "points.parquet")
    with pytest.raises(ValueError, match=r"points.parquet, row 2, y: 'nan' is no number"):
        read(root, **options)
    write_label(root / "points.parquet", POINTS)
    with pytest.raises(ValueError, match=r"cannot read .*points.parquet as Parquet"):
        read(root)


def test_parquet_without_its_packages_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_table(tmp_path, POINTS, "points.parquet")
    for name in ("pyarrow", "pandas"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=r"pip install 'mmdet-mitosis\[table\]'"):
        read(root)


def test_parquet_by_pandas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Frame(dict):
        columns = ("image", "x", "y")

    columns = {"image": ["a", "b"], "x": [1.5, 3], "y": [2, 4]}
    frame = Frame({name: np.array(values) for name, values in columns.items()})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(read_parquet=lambda path: frame))
    root = make_table(tmp_path, POINTS, "points.parquet")
    assert centroids(read(root).fields) == {"a": [(1.5, 2)], "b": [(3, 4)]}


def test_geojson_of_a_type_that_is_no_text(tmp_path: Path) -> None:
    geometry = {"type": ["Point"], "coordinates": [1, 2]}
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps([{"type": "Feature", "geometry": geometry}]))
    assert read_points(path) == ([], [f"{path}: 1 features are ['Point'], no points"])
