"""The ground truth as files of results refer to it: by image id, category id and file name."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

from mmdet_mitosis.evaluation.truth import FieldTruth, Truth, load_truth
from mmdet_mitosis.json_file import shown


@dataclass(frozen=True)
class Target:
    """The ground truth of a split.

    Attributes:
        path: Its COCO json.
        truth: What it holds.
    """

    path: Path
    truth: Truth

    def as_saved(self) -> Target:
        """Give the ground truth as the files of ``save_detections`` refer to it.

        Returns:
            The same fields, by their own ids also where the json is of tiles.
        """
        return replace(self, truth=replace(self.truth, tiles={}))

    @property
    def mitosis_ids(self) -> frozenset[int]:
        """Ids of the categories of mitoses."""
        return self.truth.mitosis_ids

    @property
    def fields(self) -> list[FieldTruth]:
        """The labelled fields."""
        return self.truth.fields

    @cached_property
    def by_id(self) -> dict[int, FieldTruth]:
        """The labelled fields by their image id."""
        return {field.image_id: field for field in self.fields}

    @cached_property
    def images(self) -> dict[int, FieldTruth | None]:
        """The field of each image id of the json; None where nobody has labelled it."""
        if self.truth.tiles:
            return {i: self.by_id.get(tile.image_id) for i, tile in self.truth.tiles.items()}
        return {**dict.fromkeys(self.truth.unlabelled), **self.by_id}

    @cached_property
    def _by_name(self) -> dict[str, list[FieldTruth | str]]:
        """Fields by the endings of their paths; of unlabelled ones the names."""
        found: dict[str, list[FieldTruth | str]] = {}
        named = [(field.file_name, field) for field in self.fields]
        for name, one in [*named, *((name, name) for name in self.truth.unlabelled.values())]:
            for form in _forms(name):
                for ending in _endings(form):
                    found.setdefault(ending, []).append(one)
        return found

    @cached_property
    def _whole_names(self) -> frozenset[str]:
        """Whole paths of all fields, with and without the suffix."""
        names = [*(field.file_name for field in self.fields), *self.truth.unlabelled.values()]
        return frozenset(form for name in names for form in _forms(name))

    def field_named(self, name: str, where: str) -> FieldTruth | None:
        """Find a field by a file name, with or without suffix and leading folders.

        Args:
            name: As ``007.tiff``, ``007``, ``27/01``.
            where: What names it, for the message.

        Returns:
            The field; None for one that nobody has labelled.

        Raises:
            ValueError: If there is no such field, or several.
        """
        wanted = _clean(name)
        found = self._by_name.get(wanted)
        if found is None:
            whole = [ending for ending in _endings(wanted) if ending in self._whole_names]
            found = self._by_name[whole[0]] if whole else []
        if not found:
            example = self.fields[0].file_name if self.fields else "none"
            raise ValueError(
                f"{where}: {self.path} has no image named {shown(name)}; its images are named as "
                f"{example!r}"
            )
        exact = [one for one in found if wanted in _forms(_file_name(one))]
        found = exact or found
        if len(found) > 1:
            names = " or ".join(map(_file_name, found[:2]))
            raise ValueError(f"{where}: {shown(name)} may be {names} of {self.path}")
        return None if isinstance(found[0], str) else found[0]


def load_target(ann_file: str | Path, mpp: float | None = None) -> Target:
    """Read the ground truth of a split.

    Args:
        ann_file: As :func:`~mmdet_mitosis.evaluation.truth.load_truth`.
        mpp: Size of a pixel of the images that say none, µm.

    Returns:
        The ground truth.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no COCO json of fields, or has no labelled field.
    """
    path = Path(ann_file)
    truth = load_truth(path, mpp)
    if not truth.fields:
        raise ValueError(f"{path} has no labelled image: there is nothing to score")
    return Target(path, truth)


def _file_name(one: FieldTruth | str) -> str:
    """Give the file name of a field."""
    return one if isinstance(one, str) else one.file_name


def _clean(name: str) -> str:
    """Write a path in one way: forward slashes, and the form of accents that is no matter."""
    return unicodedata.normalize("NFC", PurePosixPath(name.replace("\\", "/")).as_posix())


def _forms(name: str) -> set[str]:
    """Give a path with and without its suffix."""
    path = PurePosixPath(_clean(name))
    return {path.as_posix(), path.with_suffix("").as_posix()}


def _endings(path: str) -> list[str]:
    """Give a path, then itself without its first folders, one by one."""
    parts = PurePosixPath(path).parts
    return ["/".join(parts[i:]) for i in range(len(parts))]
