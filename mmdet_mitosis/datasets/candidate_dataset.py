"""The refiner's dataset: what ``tools/mine_candidates.py`` found."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path

from mmdet.registry import DATASETS
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from mmdet_mitosis.datasets.draws import DrawnItems

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
            content = json.loads(path.read_text(encoding="utf-8"))
            info, images = content["info"], {image["id"]: image for image in content["images"]}
            n_missed = int(info["n_mitoses"]) - int(info["n_mitoses_found"])
            records = [self._record(candidate, images) for candidate in content["candidates"]]
        except KeyError as error:
            raise ValueError(
                f"{path} is no json of candidates: it lacks {error}; {HINT}"
            ) from error
        except (ValueError, TypeError, AttributeError) as error:
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
        name, label = f"candidate {candidate['id']!r}", candidate["label"]
        x, y = (float(value) for value in candidate["point"])
        if not (math.isfinite(x) and math.isfinite(y)):
            raise ValueError(f"the point of {name} must be finite, got {candidate['point']}")
        if label not in (0, 1):
            raise ValueError(f"the label of {name} must be 0 or 1, got {label!r}")
        if candidate["image_id"] not in images:
            raise ValueError(f"{name} is of no image: {candidate['image_id']!r}")
        image = images[candidate["image_id"]]
        folder = self.data_prefix.get("img", self.data_root or "")
        return {
            "img_id": image["id"],
            "img_path": str(Path(folder, image["file_name"])),
            "field_shape": (image["height"], image["width"]),
            "case": image.get("case"),
            "scanner": image.get("scanner"),
            "mpp": image.get("mpp"),
            "id": candidate["id"],
            "point": (x, y),
            "label": int(label),
            "instances": [{"bbox_label": 0}] * int(label),
        }
