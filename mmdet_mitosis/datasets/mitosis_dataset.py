"""The dataset: COCO json per field in, windows out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS
from mmengine.logging import print_log

from mmdet_mitosis.coco_file import CocoParts, annotation_name, need, read_parts
from mmdet_mitosis.coco_values import centroid_of, mpp_of, polygons_of
from mmdet_mitosis.datasets.draws import DrawnItems
from mmdet_mitosis.geometry.expansion import Outline, Window, expand_field, expand_window
from mmdet_mitosis.geometry.windows import polygons_bbox
from mmdet_mitosis.json_file import parse_json, shown
from mmdet_mitosis.places import below

SHIFTS = 10
"""So often a window is moved at most until it can be trained on; then it stays."""
HINT = "data_prep/prepare.py makes it"


@dataclass(frozen=True)
class _Objects:
    """The objects of a field, and their labels."""

    outlines: list[Outline]
    labels: list[int]

    def seen_in(self, window: Window) -> dict[str, Any]:
        """Say of a window where it lies and what it holds, as records do."""
        x1, y1, x2, y2 = window.xyxy
        return {
            "window_xyxy": window.xyxy,
            "height": y2 - y1,
            "width": x2 - x1,
            "instances": [
                {
                    "bbox": polygons_bbox(polygons),
                    "bbox_label": self.labels[index],
                    "mask": polygons,
                    "ignore_flag": 0,
                }
                for index, polygons in window.objects
            ],
        }


@DATASETS.register_module()
class MitosisDataset(DrawnItems, CocoDataset):
    """Expand the fields of a COCO json into overlapping windows.

    One record a window. A mitosis whose centroid lies inside the window is an object, cut to the
    window. In training, a window that shows more than a quarter of a mitosis whose centroid lies
    outside is left out: a neighbour has that mitosis whole, and here it would be an object that
    is called background. A field that is not labelled is no negative either. In testing every
    window is kept.

    Args:
        window_size: Side of a window, px.
        overlap: Overlap of neighbouring windows as a fraction of their size. The paper has 0.6.
        max_shift: In training, each window is moved by up to so many px along each axis, at random
            and within its field, each time that it is drawn. One with objects keeps at least one,
            one without has none.
        **kwargs: Those of ``mmdet.datasets.CocoDataset``. ``filter_cfg`` has no meaning here:
            negative windows are kept, and ``NegativeRatioSampler`` chooses among them.

    Raises:
        FileNotFoundError: If there is no such annotation file.
        ValueError: If it is no COCO json of mitoses with centroids, or no window is left.
    """

    METAINFO = {"classes": ("mitosis",), "palette": [(0, 160, 60)]}  # noqa: RUF012 (mmdet's form)

    def __init__(
        self, window_size: int = 512, overlap: float = 0.6, max_shift: int = 0, **kwargs: Any
    ) -> None:
        if max_shift < 0:
            raise ValueError(f"max_shift must not be negative, got {max_shift} px")
        self.window_size = window_size
        self.overlap = overlap
        self.max_shift = max_shift
        self._objects: dict[int, _Objects] = {}
        super().__init__(**kwargs)

    def prepare_data(self, idx: int) -> Any:
        """Read a window, in training perhaps a shifted one.

        Args:
            idx: Its index.

        Returns:
            What the pipeline makes of it.
        """
        if not self.max_shift or self.test_mode:
            return super().prepare_data(idx)
        return self.pipeline(self._shifted(self.get_data_info(idx)))

    def load_data_list(self) -> list[dict]:
        """List the windows of all fields.

        Returns:
            One record a window, with ``img_id`` and ``img_path`` of its field, ``window_xyxy``
            (field px) and ``instances`` (window px).
        """
        fields = self._load_fields()
        windows: list[dict] = []
        counts: Counter[str] = Counter()
        for field in fields:
            if not (field.pop("labelled") or self.test_mode):
                counts["fields not labelled"] += 1
                continue
            try:
                found = self._field_windows(field)
            except ValueError as error:
                raise ValueError(f"{self.ann_file}, {field['img_path']}: {error}") from error
            trainable = [w for w in found if not w.pop("shows_foreign") or self.test_mode]
            counts["windows"] += len(found)
            counts["left out"] += len(found) - len(trainable)
            counts["mitoses"] += len(field["objects"])
            seen = {i for w in trainable for i in w.pop("object_indices")}
            counts["mitoses in no window"] += len(field["objects"]) - len(seen)
            counts["of other categories"] += field["n_other"]
            windows.extend(trainable)
        self._report(len(fields), counts)
        if not windows:
            left_out = counts["left out"]
            raise ValueError(
                f"{self.ann_file}: no window to read ({len(fields)} fields, {left_out} windows "
                "left out)"
            )
        return windows

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """Read one field of the json.

        Args:
            raw_data_info: ``raw_img_info`` and ``raw_ann_info`` as pycocotools gives them.

        Returns:
            The field: what its windows share, and ``objects`` with ``centroid`` and ``polygons``
            in field px.

        Raises:
            ValueError: If the name of its image leads outside the folder of the images.
        """
        image = raw_data_info["raw_img_info"]
        mitoses = [a for a in raw_data_info["raw_ann_info"] if a["category_id"] in self.cat2label]
        objects = []
        for ann in mitoses:
            objects.append(
                {
                    "centroid": tuple(ann["centroid"]),
                    "polygons": ann["segmentation"],
                    "label": self.cat2label[ann["category_id"]],
                }
            )
        folder = self.data_prefix.get("img", self.data_root or "")
        where = f"{self.ann_file}, image {image['img_id']!r}"
        return {
            "img_id": image["img_id"],
            "img_path": str(below(folder, image["file_name"], where)),
            "field_shape": (image["height"], image["width"]),
            "case": image.get("case"),
            "scanner": image.get("scanner"),
            "mpp": image.get("mpp"),
            "labelled": image.get("labelled", True),
            "objects": objects,
            "n_other": len(raw_data_info["raw_ann_info"]) - len(mitoses),
        }

    def filter_data(self) -> list[dict]:
        """Keep every window: those without objects are the negatives.

        Returns:
            All records.
        """
        return self.data_list

    def _load_fields(self) -> list[dict]:
        """Read the fields of the json; what is wrong with the file is said with its name."""
        if not Path(self.ann_file).is_file():
            raise FileNotFoundError(f"no such annotation file: {self.ann_file} ({HINT})")
        try:
            self._check(read_parts(parse_json(Path(self.ann_file).read_bytes())))
            fields = super().load_data_list()
        except (ValueError, KeyError, TypeError, AssertionError) as error:
            reason = error if type(error) is ValueError else repr(error)
            raise ValueError(
                f"{self.ann_file} is no field-level COCO json: {reason}; {HINT}"
            ) from error
        if not self.cat_ids:
            raise ValueError(
                f"{self.ann_file} has no category named {' or '.join(self.metainfo['classes'])}"
            )
        return fields

    def _check(self, coco: CocoParts) -> None:
        """Refuse mitoses without a centroid in their image or without polygons."""
        for image in coco.images.values():
            mpp_of(image)
        for number, ann in enumerate(coco.annotations, start=1):
            name = annotation_name(ann, number)
            need(ann, "id", name)
            if coco.categories[ann["category_id"]] not in self.metainfo["classes"]:
                continue
            centroid_of(ann, coco.images[ann["image_id"]], name)
            if not polygons_of(ann, name):
                raise ValueError(
                    f"{name} has the segmentation {shown(ann.get('segmentation'))}, expected "
                    "polygons"
                )

    def _field_windows(self, field: dict) -> list[dict]:
        """Expand one field; ``shows_foreign`` marks windows that are not trained on."""
        height, width = field["field_shape"]
        shared = {key: value for key, value in field.items() if key not in ("objects", "n_other")}
        found = field["objects"]
        outlines = [Outline(obj["centroid"], obj["polygons"]) for obj in found]
        objects = _Objects(outlines, [obj["label"] for obj in found])
        if self.max_shift and not self.test_mode:
            self._objects[field["img_id"]] = objects
        return [
            {
                **shared,
                **objects.seen_in(window),
                "object_indices": [index for index, _ in window.objects],
                "shows_foreign": window.shows_foreign,
            }
            for window in expand_field(width, height, outlines, self.window_size, self.overlap)
        ]

    def _shifted(self, record: dict) -> dict:
        """Move a window at random."""
        height, width = record["field_shape"]
        x1, y1, x2, y2 = record["window_xyxy"]
        objects = self._objects[record["img_id"]]
        for _ in range(SHIFTS):
            dx, dy = np.random.randint(-self.max_shift, self.max_shift + 1, 2).tolist()
            left, top = (
                min(max(x1 + dx, 0), width - (x2 - x1)),
                min(max(y1 + dy, 0), height - (y2 - y1)),
            )
            place = (left, top, left + x2 - x1, top + y2 - y1)
            window = expand_window(place, width, height, objects.outlines)
            if not window.shows_foreign and bool(window.objects) == bool(record["instances"]):
                return record | objects.seen_in(window)
        return record

    def _report(self, n_fields: int, counts: Counter[str]) -> None:
        """Log what the windows hold and what was left out."""
        text = (
            f"{self.ann_file}: {n_fields} fields, {counts['mitoses']} mitoses, "
            f"{counts['windows'] - counts['left out']} windows"
        )
        if counts["left out"]:
            text += f"; {counts['left out']} left out that show part of a mitosis centred outside"
        if counts["mitoses in no window"]:
            text += f"; {counts['mitoses in no window']} mitoses are in no window"
        if counts["of other categories"]:
            text += f"; {counts['of other categories']} annotations of other categories not read"
        if counts["fields not labelled"]:
            text += f"; {counts['fields not labelled']} fields left out that nobody has labelled"
        print_log(text, logger="current")
