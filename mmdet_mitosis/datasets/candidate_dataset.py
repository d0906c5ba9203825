"""The refiner's dataset: what ``tools/mine_candidates.py`` found."""

from __future__ import annotations

import logging
from pathlib import Path

from mmdet.registry import DATASETS
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from mmdet_mitosis.coco_file import by_id, need, objects, read_images
from mmdet_mitosis.coco_values import mpp_of
from mmdet_mitosis.datasets.draws import DrawnItems
from mmdet_mitosis.datasets.hard_points import candidate_name, point_of
from mmdet_mitosis.json_file import parse_json, shown
from mmdet_mitosis.places import below

HINT = "tools/mine_candidates.py makes it"


@DATASETS.register_module()
class CandidateDataset(DrawnItems, BaseDataset):
    """One record a candidate of ``candidates/<split>.json``.

    A record has ``img_path field_shape case scanner mpp point label img_id id``: ``point`` in px of
    the field, x first, and label 1 for a mitosis, else 0. It has ``instances`` too, empty for label
    0: with them ``NegativeRatioSampler`` draws an epoch of balanced classes. The mitoses that
    stage 1 missed are in no record; their number is ``n_missed`` in ``metainfo``.

    Args:
        ann_file: The json, relative to ``data_root`` unless absolute.
        **kwargs: Those of ``mmengine.dataset.BaseDataset``. ``data_prefix`` has the folder of the
            images under ``img``, as for ``MitosisDataset``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no json of candidates, or holds none.
    """

    METAINFO = {"classes": ("other", "mitosis")}  # noqa: RUF012 (mmengine's form)

    def load_data_list(self) -> list[dict]:
        """Read the candidates.

        Returns:
            One record a candidate, in the order of the file.
        """
        path = Path(self.ann_file)
        if not path.is_file():
            raise FileNotFoundError(f"no such file of candidates: {path} ({HINT})")
        try:
            content = parse_json(path.read_bytes())
            images, candidates = read_images(content), objects(content, "candidates")
            n_missed = _missed(content)
            by_id(candidates, "candidate", "candidates")
            records = [self._record(candidate, images) for candidate in candidates]
        except ValueError as error:
            raise ValueError(f"{path} is no json of candidates: {error}; {HINT}") from error
        if not records:
            raise ValueError(f"{path} holds no candidate: stage 1 found none at its threshold")
        self._metainfo["n_missed"] = n_missed
        n_mitoses = sum(record["label"] for record in records)
        print_log(
            f"{path}: {len(images)} fields, {len(records)} candidates, {n_mitoses} of them mitoses",
            "current",
        )
        if n_mitoses in (0, len(records)):
            print_log(
                f"{path} has candidates of one class alone: they can neither teach the refiner nor "
                "tell a good one from a bad one; mine with a lower --threshold",
                "current",
                level=logging.WARNING,
            )
        return records

    def _record(self, candidate: dict, images: dict[int, dict]) -> dict:
        """Make the record of one candidate."""
        name, (x, y) = candidate_name(candidate), point_of(candidate, images)
        label = need(candidate, "label", name)
        if isinstance(label, bool) or not isinstance(label, int) or label not in (0, 1):
            raise ValueError(f"the label of {name} must be 0 or 1, got {shown(label)}")
        image = images[candidate["image_id"]]
        folder = self.data_prefix.get("img", self.data_root or "")
        return {
            "img_id": image["id"],
            "img_path": str(below(folder, image["file_name"], f"image {image['id']!r}")),
            "field_shape": (image["height"], image["width"]),
            "case": image.get("case"),
            "scanner": image.get("scanner"),
            "mpp": mpp_of(image),
            "id": candidate["id"],
            "point": (x, y),
            "label": label,
            "instances": [{"bbox_label": 0}] * label,
        }


def _missed(content: dict) -> int:
    """Tell how many mitoses stage 1 missed."""
    info = need(content, "info", "it")
    if not isinstance(info, dict):
        raise ValueError(f"its info is {shown(info)}; expected an object")
    counts = [need(info, key, "its info") for key in ("n_mitoses", "n_mitoses_found")]
    if not all(type(count) is int for count in counts) or not 0 <= counts[1] <= counts[0]:
        raise ValueError(
            f"its info has n_mitoses {shown(counts[0])} and n_mitoses_found {shown(counts[1])}; "
            "expected whole numbers, the latter not above the former"
        )
    return counts[0] - counts[1]
