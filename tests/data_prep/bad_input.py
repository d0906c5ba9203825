"""The table of bad input: rows, ways to spoil an archive, and the rows of images and names."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from data_prep.images import SUFFIXES
from tests.data_prep.bad_archives import SOURCES, Source

ERROR, LEFT_OUT, READ = "error", "left out", "read"
Spoil = Callable[[Path, Source], object]


@dataclass(frozen=True)
class Row:
    """A row of the table.

    ``sources`` are keys of ``SOURCES``; ``says`` is a pattern of the whole sentence, with the
    places ``{root}``, ``{image}``, ``{label}`` and ``{where}`` of each source; ``note`` is one of a
    sentence that is said besides.
    """

    thing: str
    sources: str
    spoil: Spoil
    outcome: str
    says: str = ""
    note: str = ""


def image(spoil: Callable[[Path], object]) -> Spoil:
    """Spoil the image."""
    return lambda root, source: spoil(root / source.image)


def label(spoil: Callable[[Path], object]) -> Spoil:
    """Spoil the label file."""
    return lambda root, source: spoil(root / source.label)


def named(name: str) -> Spoil:
    """Give the image another name in the label file."""
    return lambda root, source: source.name(
        root / source.label, Path(source.image).name, name.format(Path(source.image).name)
    )


def renamed(stem: str, suffix: str | None = None, listed: str | None = None) -> Spoil:
    """Rename the image, and in the label file too, there in another way if one is given."""

    def spoil(root: Path, source: Source) -> None:
        old = root / source.image
        end = old.suffix if suffix is None else suffix
        old.rename(old.with_name(stem + end))
        source.name(root / source.label, old.name, (listed or stem) + end)

    return spoil


def lengthened(image_end: str, label_end: str) -> Spoil:
    """Lengthen the stem of the image, and of the label files that go by it."""

    def spoil(root: Path, source: Source) -> None:
        stem = Path(source.image).stem
        folders = {(root / name).parent.name for name in (source.image, source.label)}
        for path in [p for p in root.rglob(f"{stem}*.*") if p.parent.name in folders]:
            end = image_end if path.suffix in SUFFIXES else label_end
            path.rename(path.with_name(path.name.replace(stem, stem + end, 1)))

    return spoil


def in_place(make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Put something in the place of a file."""

    def spoil(path: Path) -> None:
        path.unlink()
        make(path)

    return spoil


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def linked(root: Path, source: Source) -> None:
    """Move the image and the label file out of the archive, and leave links to them."""
    for name in (source.image, source.label):
        outside = root.with_name(f"outside{Path(name).suffix}")
        (root / name).rename(outside)
        (root / name).symlink_to(outside)


def folder_loops(root: Path, source: Source) -> None:
    for place in {root, (root / source.image).parent, (root / source.label).parent}:
        (place / "A_loop").symlink_to(place)
        (place / "A_itself").symlink_to("A_itself")


ALL = " ".join(SOURCES)
ROW_FIRST = "tupac16 alternative"
NUMBERS, TABLES = f"{ROW_FIRST} mitos12 mitos14", "csv tsv"
NAMING = f"midog sqlite {TABLES} parquet"
"""Sources whose label file names images, and is looked for by its suffix."""
BY_NAME = f"{NUMBERS} geojson"
"""Sources whose label files are named as their images."""
TEXT = f"{NUMBERS} {TABLES} midog geojson"

folder, pipe = in_place(Path.mkdir), in_place(os.mkfifo)
broken = in_place(lambda path: path.symlink_to("nowhere"))
loop = in_place(lambda path: path.symlink_to(path.name))
NO_FILES = {
    "folder": (folder, "a folder"),
    "pipe": (pipe, "a pipe or a device"),
    "broken link": (broken, "a link that leads nowhere"),
    "link to itself": (loop, "a link that leads nowhere"),
}
NAMED = r"{label}, (image 1|slide 1|line 2|row 1)"

IMAGE_ROWS = (
    Row("image cut off", ALL, image(cut), ERROR, r"{image} is truncated: .+"),
    Row("image of zero bytes", ALL, image(empty), ERROR, r"{image} is empty \(0 bytes\)"),
    *(
        Row(
            f"{kind} named as the image",
            ALL,
            image(spoil),
            ERROR,
            rf"(.+: )?{{image}} is no image file: it is {what}",
        )
        for kind, (spoil, what) in NO_FILES.items()
    ),
    Row(
        "text named as the image",
        ALL,
        image(lambda path: path.write_text("no image, but long enough to be looked into")),
        ERROR,
        r"cannot read {image} as (a TIFF|an image): .+",
    ),
    Row("loops of folders", ALL, folder_loops, READ),
    Row("files linked from elsewhere", ALL, linked, READ),
    Row(
        "image of another kind",
        NAMING,
        renamed("slide", ".svs"),
        ERROR,
        NAMED + r": {root}/.*slide\.svs is no image; expected \.tif, .+",
    ),
    Row(
        "name in Latin-1",
        ALL,
        lengthened("\udce9", ""),
        ERROR,
        r"the name of {root}/.+\\xe9\.\w+ is no UTF-8; rename the file",
    ),
    Row("name with spaces and accents", BY_NAME, lengthened(" é ł", " é ł"), READ),
    Row("name with spaces and accents", NAMING, renamed("é ł 1"), READ),
    Row(
        "accents written in two ways", f"{ROW_FIRST} geojson", lengthened("\u00e9", "e\u0301"), READ
    ),
    Row("accents written in two ways", NAMING, renamed("\u00e9", listed="e\u0301"), READ),
    *(
        Row(
            "path that leads outside",
            NAMING,
            named(name),
            ERROR,
            NAMED + ": '.+' leads outside {root}; expected a file in that folder",
        )
        for name in ("../{}", "sub/../../{}", "/etc/{}", "C:\\\\{}")
    ),
    Row("path that leads out and back in", NAMING, named("sub/../{}"), READ),
    *(
        Row(
            f"{kind} named as the label file",
            BY_NAME,
            label(spoil),
            ERROR,
            rf"cannot read {{label}}: it is {what}; expected .+",
        )
        for kind, (spoil, what) in NO_FILES.items()
    ),
    *(
        Row(
            f"{kind} named as the label file",
            NAMING,
            label(spoil),
            ERROR,
            r"no (label file|table) in {root}: looked for .+",
        )
        for kind, (spoil, _) in NO_FILES.items()
    ),
)
