"""A synthetic archive on disk: its layout, its manifest, and going on where it stopped."""

from __future__ import annotations

import io
import json
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path

import tifffile

from data_prep.parallel import run_all
from data_prep.sources.tupac16 import LABELS, LOOK_ALIKES
from data_prep.synthetic.field import has_mitoses, paint_field, scanner_of
from mmdet_mitosis import __version__
from mmdet_mitosis.fileio import write_bytes_atomic, write_json_atomic

CASES = (
    *("01", "02", "03", "05", "24", "25", "28", "33"),
    *("04", "06", "26", "29"),
    *("27", "30", "32", "36"),
)
"""Of the paper's split: training, validation, test."""
MANIFEST = "synthesize.json"
MIN_SIZE_PX = 128
LAST_CASE = 73
JPEG_QUALITY = 88
PAINTING = 2
"""Counts the changes of the painting: the same seed paints other fields after each."""


@dataclass(frozen=True)
class ArchiveArguments:
    """What an archive is made from; the same arguments make the same bytes.

    With ``look_alikes`` it has the layout of TUPAC16's alternative labels, and the same images.
    """

    seed: int
    size_px: int
    fields_per_case: int
    cases: tuple[str, ...]
    look_alikes: bool = False

    def check(self) -> None:
        """Refuse arguments that no archive can be made from.

        Raises:
            ValueError: Naming the argument and its value.
        """
        if self.seed < 0:
            raise ValueError(f"--seed must not be negative, got {self.seed}")
        if self.size_px < MIN_SIZE_PX:
            raise ValueError(f"--size must be at least {MIN_SIZE_PX} px, got {self.size_px}")
        if not 1 <= self.fields_per_case <= 99:
            raise ValueError(f"--fields-per-case must be 1 to 99, got {self.fields_per_case}")
        for case in self.cases:
            if not (case.isascii() and case.isdigit() and len(case) == 2):
                raise ValueError(f"--cases are numbers of two digits, as 01, got {case!r}")
            if not 1 <= int(case) <= LAST_CASE:
                raise ValueError(f"--cases are 01 to {LAST_CASE}, got {case}")
            if self.cases.count(case) > 1:
                raise ValueError(f"--cases names {case} twice")

    def manifest(self) -> dict:
        """Give what the archive's manifest says."""
        arguments = asdict(self) | {"cases": list(self.cases)}
        return {**arguments, "painting": PAINTING, "version": __version__}


DEFAULTS = {one.name: one.default for one in fields(ArchiveArguments) if one.default is not MISSING}
"""Arguments that an archive of an earlier version may not know."""


@dataclass(frozen=True)
class FieldTask:
    """One field to paint: what it is, and where TUPAC16 has it."""

    out: Path
    case: int
    number: int
    seed: int
    size_px: int
    look_alikes: bool

    @property
    def image_path(self) -> Path:
        """Where the image belongs: cases 1 to 14, 15 to 33 and the rest are the three parts."""
        part = 1 if self.case <= 14 else 2 if self.case <= 33 else 3
        folder = self.out / f"mitoses_image_data_part_{part}" / f"{self.case:02d}"
        return folder / f"{self.number:02d}.tif"

    @property
    def label_path(self) -> Path:
        """Where the mitoses belong, if the field has any."""
        return self._label_path(LABELS)

    @property
    def look_alikes_path(self) -> Path:
        """Where the look-alikes belong, if they are written."""
        return self._label_path(LOOK_ALIKES)

    def label_paths(self) -> list[Path]:
        """Name the field's label files, mitoses first; with look-alikes it has both, if empty."""
        if self.look_alikes:
            return [self.label_path, self.look_alikes_path]
        return [self.label_path] if has_mitoses(self.case, self.number) else []

    def is_done(self) -> bool:
        """Tell whether the field is there with its labels."""
        return all(path.is_file() for path in (self.image_path, *self.label_paths()))

    def _label_path(self, kind: str) -> Path:
        """Where TUPAC16 has a file of labels."""
        return self.out / kind / f"{self.case:02d}" / f"{self.number:02d}.csv"


def claim(out: Path, arguments: ArchiveArguments) -> None:
    """Begin an archive in an empty folder, or go on with one of the same arguments.

    An earlier version's archive is one of the same arguments too: it paints alike while
    ``PAINTING`` is the same, and what it had no argument for is at its default.

    Args:
        out: Folder of the archive.
        arguments: Of the archive.

    Raises:
        ValueError: If the folder holds something else, or an archive of other arguments.
    """
    manifest, path = arguments.manifest(), out / MANIFEST
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; --out takes a folder")
    if path.is_file():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is no manifest of an archive: {error}") from error
        if difference := _difference(found, manifest):
            raise ValueError(f"{out} holds an archive of other arguments: {difference}")
        for leftover in out.rglob(".*.tmp"):
            leftover.unlink(missing_ok=True)
    elif out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty and holds no {MANIFEST}: name a new folder")
    else:
        write_json_atomic(path, manifest)


def _difference(found: object, manifest: dict) -> str:
    """Name the arguments in which two manifests differ, if they do."""
    known = found if isinstance(found, dict) else {}
    known = {**DEFAULTS, **known, "version": manifest["version"]}
    differing = [
        f"{key} {known.get(key)} there, {value} now"
        for key, value in manifest.items()
        if known.get(key) != value
    ]
    if more := sorted(set(known) - set(manifest)):
        differing.append(f"it has also {', '.join(more)}")
    return "; ".join(differing)


def tasks(out: Path, arguments: ArchiveArguments) -> list[FieldTask]:
    """List the fields of an archive.

    Args:
        out: Folder of the archive.
        arguments: Of the archive.

    Returns:
        One task a field.
    """
    return [
        FieldTask(out, int(case), number, arguments.seed, arguments.size_px, arguments.look_alikes)
        for case in arguments.cases
        for number in range(1, arguments.fields_per_case + 1)
    ]


def paint_missing(out: Path, arguments: ArchiveArguments, workers: int) -> None:
    """Paint the fields that are not there yet.

    Args:
        out: Folder of the archive.
        arguments: Of the archive.
        workers: Number of processes.

    Raises:
        OSError: If a file cannot be written, or a process was killed.
    """
    (out / LABELS).mkdir(exist_ok=True)
    waiting = [task for task in tasks(out, arguments) if not task.is_done()]
    run_all(paint, waiting, workers, "field", len(waiting))


def paint(task: FieldTask) -> int:
    """Paint one field and write it: labels first, so that a field with an image is complete.

    Args:
        task: The field.

    Returns:
        The number of fields painted: 1.
    """
    field = paint_field(task.seed, task.case, task.number, task.size_px)
    for path, cells_xy in zip(
        task.label_paths(), (field.mitoses_xy, field.look_alikes_xy), strict=False
    ):
        inside = cells_xy.round().clip(0, task.size_px - 1).astype(int)
        rows = "".join(f"{y},{x}\n" for x, y in inside.tolist())
        write_bytes_atomic(path, rows.encode())
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        field.image_rgb,
        photometric="rgb",
        tile=(256, 256),
        compression="jpeg",
        compressionargs={"level": JPEG_QUALITY},
        metadata=None,
        software=False,
    )
    write_bytes_atomic(task.image_path, buffer.getvalue())
    return 1


def format_counts(out: Path, arguments: ArchiveArguments) -> str:
    """Count cases, fields and mitoses by scanner, and the look-alikes if these are written.

    Args:
        out: Folder of a complete archive.
        arguments: Of the archive.

    Returns:
        One line.
    """
    by_scanner: dict[str, list[FieldTask]] = {}
    for task in tasks(out, arguments):
        by_scanner.setdefault(scanner_of(task.case).name, []).append(task)
    parts = []
    for scanner, members in sorted(by_scanner.items()):
        mitoses = [_count(task.label_path) for task in members]
        parts.append(
            f"{scanner} {len({task.case for task in members})} cases, {len(members)} fields, "
            f"{sum(mitoses)} mitoses ({mitoses.count(0)} fields without)"
        )
        if arguments.look_alikes:
            parts[-1] += f", {sum(_count(task.look_alikes_path) for task in members)} look-alikes"
    return "; ".join(parts)


def _count(label: Path) -> int:
    """Count the cells of a label file; without one there are none."""
    return len(label.read_text().split()) if label.is_file() else 0
