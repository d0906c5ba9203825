"""Fields put together again from their tiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmdet_mitosis.coco_file import MAX_SIDE, need, text
from mmdet_mitosis.json_file import shown


@dataclass(frozen=True)
class Tile:
    """A tile: the image id of its field, and its window x1, y1, x2, y2 there, px."""

    image_id: int
    window_xyxy: tuple[int, int, int, int]


def fields_of_tiles(
    tiles: dict[int, dict], cells: dict[int, list[dict]]
) -> tuple[dict[int, dict], dict[int, list[dict]], dict[int, Tile]]:
    """Put fields together from their tiles; a cell that several tiles show is one.

    Args:
        tiles: Images by their id, with ``field`` and ``window`` as ``prepare.py --write-tiles``
            gives them.
        cells: The cells of each, ``mitosis`` (bool), ``xy`` (2,) and ``polygons``, px of the tile.

    Returns:
        The fields by new ids, counted from 1 in the order of the tiles; their cells, px of the
        field; and the place of each tile, by its id.

    Raises:
        ValueError: If a tile does not say of which field it is and where, or tiles of a field say
            different things of it.
    """
    by_name: dict[str, list[dict]] = {}
    for tile in tiles.values():
        _check_tile(tile)
        by_name.setdefault(tile["field"], []).append(tile)
        _check_same(tile, by_name[tile["field"]][0])
    fields, whole, places = {}, {}, {}
    for image_id, (name, parts) in enumerate(by_name.items(), start=1):
        shown: dict[tuple, dict] = {}
        for tile in parts:
            offset = np.array(tile["window"][:2], dtype=float)
            places[tile["id"]] = Tile(image_id, tuple(tile["window"]))
            for cell in cells[tile["id"]]:
                moved = _moved(cell, offset)
                key = (moved["mitosis"], *moved["xy"].round(1).tolist())
                # Of what tiles show of its outline, the piece that reaches furthest is the whole.
                if key not in shown or _reach(moved) > _reach(shown[key]):
                    shown[key] = moved
        right, bottom = np.max([tile["window"][2:] for tile in parts], axis=0).tolist()
        fields[image_id] = {**parts[0], "id": image_id, "file_name": name}
        fields[image_id] |= {"width": right, "height": bottom}
        whole[image_id] = list(shown.values())
    return fields, whole, places


def _check_tile(tile: dict) -> None:
    """Refuse a tile that is of no field, or whose window is none or not of its size."""
    name = f"tile {shown(tile['id'])}"
    text(tile, "field", name)
    window = need(tile, "window", name)
    is_whole = isinstance(window, list) and all(type(v) is int for v in window)
    if not is_whole or len(window) != 4 or min(window) < 0 or max(window) > MAX_SIDE:
        raise ValueError(f"{name} has the window {shown(window)}; expected [x1, y1, x2, y2] in px")
    size = (window[2] - window[0], window[3] - window[1])
    if size != (tile["width"], tile["height"]):
        raise ValueError(
            f"{name} has the window {shown(window)}, but is {tile['width']} x {tile['height']} px"
        )


def _check_same(tile: dict, first: dict) -> None:
    """Refuse tiles of one field that say different things of it."""
    for key in ("case", "scanner", "mpp", "labelled"):
        if repr(tile.get(key)) != repr(first.get(key)):
            raise ValueError(
                f"tiles {shown(first['id'])} and {shown(tile['id'])} are of the same field, with "
                f"the {key} {shown(first.get(key))} and {shown(tile.get(key))}"
            )


def _moved(cell: dict, offset_xy: np.ndarray) -> dict:
    """Move a cell from its tile to its field."""
    polygons = [
        (np.reshape(flat, (-1, 2)) + offset_xy).ravel().tolist() for flat in cell["polygons"]
    ]
    return {**cell, "xy": cell["xy"] + offset_xy, "polygons": polygons}


def _reach(cell: dict) -> float:
    """Width and height of a cell's polygons, px, added up; 0 without any."""
    if not cell["polygons"]:
        return 0.0
    points = np.concatenate([np.reshape(flat, (-1, 2)) for flat in cell["polygons"]])
    return float(np.ptp(points, axis=0).sum())
