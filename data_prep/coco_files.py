"""COCO json written and checked piece by piece, so that no file has to fit in memory."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, TextIO

from pycocotools.coco import COCO

Piece = tuple[Sequence[dict], Sequence[dict]]
"""Some images and some annotations, in the order of the file."""

PIECE_ITEMS = 1000
READ_CHARS = 2**20
SPOOL_BYTES = 2**22

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_DECODER = json.JSONDecoder()


def json_bytes(value: Any) -> bytes:
    """Write json as bytes, the same for the same value.

    Args:
        value: What json can hold.

    Returns:
        One line without its end.
    """
    return _ENCODER.encode(value).encode()


def pieces_of(coco: dict) -> Iterator[Piece]:
    """Cut a COCO dictionary into pieces.

    Args:
        coco: The dictionary.

    Yields:
        At most a thousand images or annotations.
    """
    for start in range(0, len(coco["images"]), PIECE_ITEMS):
        yield coco["images"][start : start + PIECE_ITEMS], ()
    for start in range(0, len(coco["annotations"]), PIECE_ITEMS):
        yield (), coco["annotations"][start : start + PIECE_ITEMS]


def write_coco(
    path: Path, info: dict, categories: list[dict], pieces: Iterable[Piece], spool: Path
) -> tuple[int, int]:
    """Write a file as ``json.dumps`` would write the whole dictionary.

    Args:
        path: The file.
        info: What it says of itself.
        categories: The categories.
        pieces: Images and annotations, with ids from 1 upwards.
        spool: A folder in which annotations wait until all images are written.

    Returns:
        The numbers of images and annotations.

    Raises:
        OSError: If it cannot be written.
        ValueError: If a value is not finite.
    """
    n_images = n_annotations = 0
    with path.open("wb") as file, SpooledTemporaryFile(SPOOL_BYTES, dir=spool) as waiting:
        file.write(b'{"info":' + json_bytes(info) + b',"images":[')
        for images, annotations in pieces:
            _append(file, images, n_images == 0)
            _append(waiting, annotations, n_annotations == 0)
            n_images += len(images)
            n_annotations += len(annotations)
        file.write(b'],"annotations":[')
        waiting.seek(0)
        shutil.copyfileobj(waiting, file)
        file.write(b'],"categories":' + json_bytes(categories) + b"}\n")
    return n_images, n_annotations


def _append(file: BinaryIO, items: Sequence[dict], is_first: bool) -> None:
    """Append to a list in json."""
    if items:
        file.write((b"" if is_first else b",") + json_bytes(items)[1:-1])


def check_readable(
    path: Path, n_images: int, n_annotations: int, categories: list[dict], name: str
) -> None:
    """See that a file holds what it should, and that pycocotools takes all of it.

    Args:
        path: The file, as ``write_coco`` writes it.
        n_images: How many images were written.
        n_annotations: How many annotations were written.
        categories: The categories.
        name: What the file is called in an error.

    Raises:
        ValueError: If not.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            _check(_Scanner(file), (n_images, n_annotations), categories)
    except Exception as error:  # whatever pycocotools raises, the file is not usable
        raise ValueError(f"{name} is not written: pycocotools reads {error} in it") from error


def _check(scanner: _Scanner, expected: tuple[int, int], categories: list[dict]) -> None:
    """Read a file from its first to its last character."""
    scanner.expect('{"info":')
    scanner.value()
    scanner.expect(',"images":[')
    sizes = array("i")
    for number, image in enumerate(scanner.items(), start=1):
        if image["id"] != number:
            raise ValueError(f"image {image['id']} in the place of {number}")
        sizes.extend((image["height"], image["width"]))
    scanner.expect(',"annotations":[')
    n_annotations, items = 0, scanner.items()
    while annotations := list(islice(items, PIECE_ITEMS)):
        for number, ann in enumerate(annotations, start=n_annotations + 1):
            if ann["id"] != number:
                raise ValueError(f"annotation {ann['id']} in the place of {number}")
        _check_annotations(annotations, sizes, categories)
        n_annotations += len(annotations)
    scanner.expect(',"categories":')
    found = scanner.value()
    if found != categories:
        raise ValueError(f"the categories {found}")
    scanner.expect("}\n")
    scanner.expect_end()
    for key, n_found, n in zip(
        ("images", "annotations"), (len(sizes) // 2, n_annotations), expected, strict=True
    ):
        if n_found != n:
            raise ValueError(f"{n_found} {key} of {n}")


def _check_annotations(annotations: list[dict], sizes: array, categories: list[dict]) -> None:
    """Give some annotations and their images to pycocotools."""
    there = range(1, len(sizes) // 2 + 1)
    ids = [image_id for image_id in {ann["image_id"] for ann in annotations} if image_id in there]
    loaded = COCO()
    loaded.dataset = {
        "images": [{"id": i, "height": sizes[2 * i - 2], "width": sizes[2 * i - 1]} for i in ids],
        "annotations": annotations,
        "categories": categories,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        loaded.createIndex()
    for ann in loaded.anns.values():
        if ann["image_id"] not in loaded.imgs or ann["category_id"] not in loaded.cats:
            raise ValueError(f"annotation {ann['id']} without its image or category")
        if not ann["segmentation"] or min(map(len, ann["segmentation"])) < 6:
            raise ValueError(f"annotation {ann['id']} without a polygon of three points")
        loaded.annToRLE(ann)


class _Scanner:
    """Json without white space, read value by value; values are objects, lists or texts."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._text, self._at = file, "", 0

    def expect(self, literal: str) -> None:
        """Pass over what has to come next."""
        while len(self._text) - self._at < len(literal) and self._more():
            continue
        if not self._text.startswith(literal, self._at):
            found = self._text[self._at : self._at + len(literal)]
            raise ValueError(f"{found!r} in the place of {literal!r}")
        self._at += len(literal)

    def expect_end(self) -> None:
        """See that nothing comes any more."""
        if self._at < len(self._text) or self._more():
            raise ValueError(f"{self._text[self._at : self._at + 20]!r} after its end")

    def value(self) -> Any:
        """Read the next value."""
        while True:
            try:
                found, self._at = _DECODER.raw_decode(self._text, self._at)
                return found
            except json.JSONDecodeError:
                if not self._more():
                    raise

    def items(self) -> Iterator[Any]:
        """Read the values of a list that is open, and its end."""
        while not self._next_is("]"):
            yield self.value()
            if not self._next_is("]"):
                self.expect(",")
        self.expect("]")

    def _next_is(self, character: str) -> bool:
        """Look at the next character."""
        return (self._at < len(self._text) or self._more()) and self._text[self._at] == character

    def _more(self) -> bool:
        """Read on, and forget what is behind."""
        read = self._file.read(READ_CHARS)
        self._text, self._at = self._text[self._at :] + read, 0
        return bool(read)
