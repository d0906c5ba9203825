"""Join folders that prepare.py has written: train with train, val with val, test with test.

Of a folder after --train-only only the training cases join, in the training part: its train.json,
or its all.json, where it was prepared with --split none. All training cases of MITOS12 and MITOS14
join those of TUPAC16, as in Table 1 of Sohail et al. (arXiv 2003.08803), by

  prepare.py tupac16 TUPAC16 --out data/tupac16
  prepare.py mitos12 MITOS12 --out data/mitos12 --split none --shape mixed
  prepare.py mitos14 MITOS14 --out data/mitos14 --split none
  prepare.py merge data/tupac16 --train-only data/mitos12 data/mitos14 --out data/paper

The prepared folders are not needed afterwards; the archives are.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from data_prep.output import OURS
from data_prep.prepared import load_prepared
from data_prep.product import Product, source_of
from mmdet_mitosis.places import below

TRAINING = ("train", "all")
SOURCE = re.compile(r"\w+")
"""Name of a source, which is that of a link below ``images``."""


@dataclass
class _Joined:
    """What has been joined so far; ``seen`` are ids of images by their file names."""

    images: list[dict] = field(default_factory=list)
    annotations: list[dict] = field(default_factory=list)
    parts: dict[str, set[int]] = field(default_factory=dict)
    links: dict[str, Path] = field(default_factory=dict)
    folder_of: dict[str, Path] = field(default_factory=dict)
    infos: dict[str, dict] = field(default_factory=dict)
    categories: tuple[list[dict], Path] | None = None
    notes: list[str] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of its own.

    Args:
        parser: The parser of the sub-command.
    """
    parser.add_argument(
        "folders", type=Path, nargs="+", metavar="FOLDER", help="prepared folders, divided alike"
    )
    parser.add_argument(
        "--train-only",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="prepared folders of which only the training cases join, in the training part",
    )


def check_folders(folders: Sequence[Path], train_only: Sequence[Path], out: Path) -> None:
    """Refuse folders that cannot be joined, before anything is read or made.

    Args:
        folders: The prepared folders.
        train_only: Those of which only the training cases join.
        out: The folder to write to.

    Raises:
        FileNotFoundError: If one is no prepared folder.
        ValueError: If one is named twice, or is the one to write to.
    """
    seen: set[Path] = set()
    for folder in (*folders, *train_only):
        if not _annotation_files(folder):
            raise FileNotFoundError(
                f"{folder} is no folder that prepare.py has written: it has no json of a split in "
                f"{folder / 'annotations'}"
            )
        place = folder.resolve()
        if place in seen:
            raise ValueError(f"{folder} is named twice")
        if place == out.resolve():
            raise ValueError(f"{folder} is the folder to write to: take another one")
        seen.add(place)


def join(folders: Sequence[Path], train_only: Sequence[Path]) -> Product:
    """Read prepared folders and join them.

    Args:
        folders: The prepared folders, all divided in the same parts.
        train_only: Those of which only the training cases join.

    Returns:
        What is to be written, with new ids, and a link to the images of each archive.

    Raises:
        FileNotFoundError: If images are not where the folder says.
        ValueError: If parts, categories or sources do not go together, or a json is none of ours.
    """
    joined = _Joined()
    for folder in folders:
        files = _annotation_files(folder)
        if joined.parts and set(files) != set(joined.parts):
            raise ValueError(
                f"{folder} is divided in {', '.join(files)}, {folders[0]} in "
                f"{', '.join(joined.parts)}: prepare both with the same kind of --split"
            )
        joined.parts = joined.parts or {part: set() for part in files}
        for part, path in files.items():
            joined.parts[part] |= _add(joined, folder, path)
    for folder in train_only:
        _add_training(joined, folder, folders[0])
    _tell_cases_apart(joined)
    _compare_stains(joined)
    infos = list(joined.infos.values())
    head = {
        "source": "+".join(joined.infos),
        **{key: _common([info[key] for info in infos]) for key in ("shape", "seed")},
    }
    whole = {
        "info": {**head, "sources": joined.infos},
        "images": joined.images,
        "annotations": joined.annotations,
        "categories": joined.categories[0] if joined.categories else [],
    }
    split_name = _common([info["split_name"] for info in infos])
    head = {**head, "split_name": split_name, "sources": joined.infos}
    return Product(whole, joined.parts, head, joined.links, [], joined.notes)


def _annotation_files(folder: Path) -> dict[str, Path]:
    """Find the json of each part, by its name, as ``train`` or ``fold_1/train``."""
    root = folder / "annotations"
    order = {"train": 0, "val": 1, "test": 2}
    found = [p for p in (*root.glob("*.json"), *root.glob("*/*.json")) if p.is_file()]
    names = {p.relative_to(root).with_suffix("").as_posix(): p for p in found}
    ours = {n: p for n, p in names.items() if OURS.fullmatch(p.relative_to(root).parts[0])}

    def place(name: str) -> tuple[int, int]:
        fold, _, part = name.rpartition("/")
        return int(fold.removeprefix("fold_") or 0), order.get(part, 3)

    return {name: ours[name] for name in sorted(ours, key=place)}


def _add_training(joined: _Joined, folder: Path, first: Path) -> None:
    """Add the training cases of a folder to each training part."""
    files = _annotation_files(folder)
    mine = [part for part in TRAINING if part in files]
    theirs = [part for part in joined.parts if part.rpartition("/")[2] == "train"]
    if not mine:
        raise ValueError(f"{folder} is divided in folds; --train-only needs --split none, or one")
    if not theirs:
        raise ValueError(f"{first} has no training part that {folder} could join")
    ids = _add(joined, folder, files[mine[0]])
    for part in theirs:
        joined.parts[part] |= ids
    if theirs != ["train"]:
        joined.notes.append(f"{folder}: its {len(ids)} fields are trained on in every fold")
    others = [part for part in files if part not in mine]
    if others:
        joined.notes.append(f"{folder}: {' and '.join(others)} do not join (--train-only)")


def _add(joined: _Joined, folder: Path, path: Path) -> set[int]:
    """Add the images of one json, and give their new ids."""
    coco = load_prepared(path)
    if joined.categories is None:
        joined.categories = (coco["categories"], path)
    elif joined.categories[0] != coco["categories"]:
        mine, theirs = (
            " and ".join(str(category.get("name")) for category in categories)
            for categories in (coco["categories"], joined.categories[0])
        )
        raise ValueError(
            f"{path} has the categories {mine}, {joined.categories[1]} has {theirs}: prepare both "
            "with --look-alikes, or both without"
        )
    new_ids: dict[int, int] = {}
    added: set[int] = set()
    for image in coco["images"]:
        _link(joined, folder, image, coco["info"], path)
        name = image["file_name"]
        if name not in joined.seen:
            joined.seen[name] = len(joined.images) + 1
            joined.images.append({**image, "id": joined.seen[name]})
            new_ids[image["id"]] = joined.seen[name]
        added.add(joined.seen[name])
    for ann in coco["annotations"]:
        if ann["image_id"] in new_ids:
            ids = {"id": len(joined.annotations) + 1, "image_id": new_ids[ann["image_id"]]}
            joined.annotations.append({**ann, **ids})
    return added


def _link(joined: _Joined, folder: Path, image: dict, info: dict, where: Path) -> None:
    """Note where the images of an archive are, and see that this one is there."""
    name = image["file_name"]
    source, path = source_of(image), below(folder / "images", name, f"{where}, image {image['id']}")
    if not SOURCE.fullmatch(source) or PurePath(name).is_absolute():
        raise ValueError(f"{where}, image {image['id']}: {name!r} begins with no name of a source")
    first = joined.folder_of.setdefault(source, folder)
    if first != folder:
        raise ValueError(f"{first} and {folder} are both of the source {source}: join one only")
    if source not in joined.links:
        joined.links[source] = (folder / "images" / source).resolve()
        mine = info.get("sources", {}).get(source, info)
        kept = ("shape", "seed", "split_name", "stain")
        joined.infos[source] = {key: mine[key] for key in kept if key in mine}
    if not path.is_file():
        raise FileNotFoundError(
            f"no such image: {path}, which leads to {joined.links[source]}: prepare {folder} again "
            "where the archive has moved"
        )


def _tell_cases_apart(joined: _Joined) -> None:
    """Put the source before the names of cases and fields that two sources share."""
    for key in ("case", "name"):
        sources: dict[str, set[str]] = {}
        for image in joined.images:
            sources.setdefault(image[key], set()).add(source_of(image))
        shared = {value: sorted(found) for value, found in sources.items() if len(found) > 1}
        for image in joined.images:
            if image[key] in shared:
                image[key] = f"{source_of(image)}:{image[key]}"
        if key == "case":
            joined.notes += [
                f"case {case} is in {' and in '.join(found)}, and is named "
                f"{' and '.join(f'{source}:{case}' for source in found)}"
                for case, found in sorted(shared.items())
            ]


def _compare_stains(joined: _Joined) -> None:
    """Say where some sources are normalised and others not, or otherwise."""
    stains = {source: info.get("stain") for source, info in joined.infos.items()}
    if any(stain != next(iter(stains.values())) for stain in stains.values()):
        said = [
            f"{source} {stain['method'] if stain else 'none'}" for source, stain in stains.items()
        ]
        joined.notes.append(f"the stains are not normalised alike: {', '.join(said)}")


def _common(values: list) -> object:
    """Give the value that all share, or all values in a row."""
    found = list(dict.fromkeys(values))
    return found[0] if len(found) == 1 else "+".join(map(str, found))
