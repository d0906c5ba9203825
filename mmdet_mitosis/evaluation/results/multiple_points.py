"""MIDOG's submissions: grand-challenge.org's ``Multiple points``, in millimetres of the image.

Source: the organisers' ``MIDOG_reference_docker`` and ``MIDOG_evaluation_docker`` (2021 and 2022)
and ``MIDOG25_T1_evaluation_docker``: x, y and z (always 0) in mm; since 2022 ``name`` is the
detector's decision and ``probability`` its confidence that the cell is a mitosis, whatever the
name. 2021 had points alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmdet_mitosis.evaluation.results.reading import Reading
from mmdet_mitosis.evaluation.results.target import Target
from mmdet_mitosis.evaluation.truth import FieldTruth
from mmdet_mitosis.json_file import finite, finite_list, load_json, shown
from mmdet_mitosis.places import below

FORM = "MIDOG submission"
EXPECTED = "an object with 'points', as in MIDOG's submissions"
NAMES = ("mitotic figure", "non-mitotic figure")
OUTSIDE_MM = 0.1
"""A point this far outside its image is not in millimetres."""
SLUG = "mitotic-figures"


class PointsReader:
    """Collects the points of images.

    Args:
        target: The ground truth.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.reading = Reading(FORM)
        self._keys: tuple[bool, bool] | None = None
        self._decided: tuple[list[float], list[float]] = ([], [])

    def add(self, name: str, value: Any, where: str) -> None:
        """Take the points of an image.

        Args:
            name: Its file name.
            value: The object with ``points``.
            where: File and place, for messages.

        Raises:
            ValueError: If it is no such object, or of an image that the ground truth does not
                have; names the point, from 1.
        """
        points = value.get("points") if isinstance(value, dict) else None
        if not isinstance(points, list):
            raise ValueError(f"{where} is {shown(value)}; expected {EXPECTED}")
        field = self.target.field_named(name, where)
        if field is None:
            self.reading.left_out["detections in images that nobody has labelled"] += len(points)
            return
        self.reading.open_image(field.image_id, where)
        for number, point in enumerate(points, start=1):
            self._add_point(field, point, f"{where}, point {number}")

    def _add_point(self, field: FieldTruth, point: Any, where: str) -> None:
        """Take a point."""
        if not isinstance(point, dict) or "point" not in point:
            raise ValueError(f"{where} is {shown(point)}; expected an object with 'point'")
        keys = ("name" in point, "probability" in point)
        if self._keys not in (None, keys):
            raise ValueError(
                f"{where} is {shown(point)}; expected the same keys as in the points before it"
            )
        self._keys = keys
        xy = _pixels(point["point"], field, where)
        name = point.get("name", NAMES[0])
        if name not in NAMES:
            raise ValueError(
                f"{where}: name is {shown(name)}; expected {' or '.join(map(repr, NAMES))}"
            )
        mitotic = name == NAMES[0]
        if "probability" in point:
            score = finite(point["probability"])
            if score is None:
                raise ValueError(
                    f"{where}: probability is {shown(point['probability'])}; expected a finite "
                    "number"
                )
            self._decided[mitotic].append(score)
            self.reading.add(field.image_id, xy, score)
        elif mitotic:
            self.reading.add(field.image_id, xy, 1.0)
        else:
            self.reading.left_out["points named 'non-mitotic figure', without probability"] += 1

    def finish(self) -> Reading:
        """Tell the decision that the names hold.

        Returns:
            What was read.
        """
        has_name, has_probability = self._keys or (False, False)
        if not has_probability:
            self.reading.scored_once("the submission itself, which has no probabilities")
        elif has_name:
            self._use_names(*self._decided)
        return self.reading

    def _use_names(self, others: list[float], mitoses: list[float]) -> None:
        """Take the threshold that the names agree with."""
        highest, lowest = max(others, default=None), min(mitoses, default=None)
        if lowest is None or highest is None or highest < lowest:
            # Between neighbouring floats; above all where nothing is named a mitosis.
            self.reading.own_threshold = lowest if lowest is not None else highest + 1.0
            self.reading.own_origin = "the names in the submission"
        else:
            self.reading.remarks.append(
                f"the names agree with no threshold: a non-mitotic figure has probability "
                f"{highest:g}, a mitotic figure {lowest:g}; the probability is taken to be that of "
                "a mitosis, as MIDOG takes it, and the names are no matter"
            )


def _pixels(point: Any, field: FieldTruth, where: str) -> tuple[float, float]:
    """Bring a point from mm to px of the field."""
    place = finite_list(point, 2, 3)
    if place is None:
        raise ValueError(f"{where}: point is {shown(point)}; expected x, y and 0 in mm, finite")
    x, y = place[:2]
    width, height = (side * field.mpp / 1000 for side in (field.width, field.height))
    low, high = min(x, y), max(x - width, y - height)
    if low < -OUTSIDE_MM or high > OUTSIDE_MM:
        raise ValueError(
            f"{where}: point is {shown(point)}, outside the image of {width:.3g} x {height:.3g} "
            "mm; expected millimetres, not pixels"
        )
    return x * 1000 / field.mpp, y * 1000 / field.mpp


def read_points_files(folder: Path, files: list[Path], target: Target) -> Reading:
    """Read a folder of json files that are named by their images.

    Args:
        folder: The folder.
        files: The files in it.
        target: The ground truth.

    Returns:
        The detections by image id of the fields.

    Raises:
        ValueError: As :meth:`PointsReader.add`.
    """
    reader = PointsReader(target)
    for file in files:
        name = file.relative_to(folder).as_posix().removesuffix(file.suffix)
        reader.add(name, load_json(file, EXPECTED), str(file))
    return reader.finish()


def read_points_object(path: Path, value: dict, target: Target) -> Reading:
    """Read one json: the points of one image, or by image name those of several.

    Args:
        path: The file; of one image, its name is that of the image.
        value: Its content.
        target: The ground truth.

    Returns:
        As :func:`read_points_files`.

    Raises:
        ValueError: As :meth:`PointsReader.add`.
    """
    reader = PointsReader(target)
    if "points" in value:
        reader.add(path.stem, value, str(path))
    else:
        for name, points in value.items():
            reader.add(name, points, f"{path}, {shown(name)}")
    return reader.finish()


def read_jobs(path: Path, jobs: list, target: Target) -> Reading:
    """Read grand-challenge.org's ``predictions.json``: a list of jobs, one an image.

    Args:
        path: The file; the points of a job are in it, or beside it in
            ``<pk>/output/<relative_path>``.
        jobs: Its content.
        target: The ground truth.

    Returns:
        As :func:`read_points_files`.

    Raises:
        FileNotFoundError: If the points of a job are not there.
        ValueError: As :meth:`PointsReader.add`, and if a job lacks something.
    """
    reader = PointsReader(target)
    for number, job in enumerate(jobs, start=1):
        where = f"{path}, job {number}"
        name, points, file = _job(job, where)
        if points is None:
            found = below(path.parent, str(file), where)
            where = str(found)
            points = load_json(found, EXPECTED)
        reader.add(name, points, where)
    return reader.finish()


def _job(job: Any, where: str) -> tuple[str, Any, Path]:
    """Take the image name of a job, its points, and where it holds none the place of their file."""
    try:
        name = next(i["image"]["name"] for i in job["inputs"] if i.get("image"))
        output = next(o for o in job["outputs"] if o["interface"]["slug"] == SLUG)
        points, file = output.get("value"), Path()
        if points is None:
            file = Path(job["pk"], "output", output["interface"]["relative_path"])
    except (StopIteration, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{where} has no named input image and output {SLUG!r}; expected a job of "
            "grand-challenge.org"
        ) from error
    if not isinstance(name, str):
        raise ValueError(f"{where}: the name of its image is {shown(name)}; expected a text")
    return name, points, file
