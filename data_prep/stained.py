"""Stains of whole cases: fits that training takes, and fields that are normalised once.

A case's stains are estimated on all its fields together. ``--stain-fits`` keeps them in ``.stain``,
where ``StainNormalize`` finds them; ``--stain`` writes the normalised fields themselves to
``stained/<method>-<hash>``, as TIFFs of small tiles without loss, and the json then names these.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from data_prep.output import walk_own
from data_prep.parallel import run_all, shares
from data_prep.product import Product, source_of
from mmdet_mitosis.datasets.fields import decode_field
from mmdet_mitosis.datasets.stored_fields import version, write_tiled
from mmdet_mitosis.datasets.tiff_windows import open_tiff
from mmdet_mitosis.fileio import check_writable
from mmdet_mitosis.stain import NORMALIZERS, Fit, StainNormalizer, fit_cache
from mmdet_mitosis.stain.fit_cache import cached_fit, write_fit
from mmdet_mitosis.stain.targets import set_target

FOLDER = "stained"
MAX_NAMED = 10


@dataclass(frozen=True)
class Image:
    """A field: its file, its place below ``images``, where it is written normalised, and its size.

    ``size`` is width and height, px.
    """

    path: Path
    linked: Path
    stained: Path
    size: tuple[int, int]


@dataclass(frozen=True)
class Case:
    """The fields of one case, and what is to be made of them."""

    normalizer: StainNormalizer
    name: str
    images: tuple[Image, ...]
    write_pixels: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Args:
        parser: Gets them.
    """
    parser.add_argument(
        "--stain",
        choices=list(NORMALIZERS),
        help="write the fields with normalised stains, estimated case by case, to stained/; the "
        "json names these, so train with StainNormalize's method none",
    )
    parser.add_argument(
        "--stain-fits",
        choices=list(NORMALIZERS),
        help="estimate the stains case by case and keep them for StainNormalize of this method, "
        "which otherwise estimates them field by field; no pixel is written",
    )
    parser.add_argument(
        "--target",
        type=Path,
        metavar="FILE",
        help="what --stain normalises to: an image, or a json of a fit (default: the method's "
        "reference)",
    )


def check(args: argparse.Namespace) -> StainNormalizer | None:
    """Take the options, before anything is read.

    Args:
        args: Of the command.

    Returns:
        The normaliser of ``--stain`` with its target; None without.

    Raises:
        FileNotFoundError: If the target is not there.
        ValueError: If it is no target, or there is nothing that it is for.
    """
    if args.stain is None:
        if args.target is not None:
            raise ValueError(f"--target {args.target} says what --stain normalises to: give both")
        return None
    normalizer = NORMALIZERS[args.stain]()
    if args.target is not None:
        set_target(normalizer, args.target)
    return normalizer


def write(
    args: argparse.Namespace, normalizer: StainNormalizer | None, product: Product
) -> tuple[Product, list[str]]:
    """Write the fits and the normalised fields that are asked for.

    Args:
        args: Of the command.
        normalizer: Of ``--stain``.
        product: What is prepared.

    Returns:
        The product, whose images are the normalised ones if there are any, and what is worth
        saying.

    Raises:
        OSError: If something cannot be written; a second run goes on from there.
        ValueError: If an image cannot be read, or is normalised already.
    """
    notes = []
    if args.stain_fits is not None:
        check_writable(args.out)
        notes.append(_run(args, NORMALIZERS[args.stain_fits](), product, write_pixels=False))
    if normalizer is not None:
        check_writable(args.out / FOLDER)
        notes.append(_run(args, normalizer, product, write_pixels=True))
        product = _renamed(product, folder_of(args.out.resolve(), normalizer), normalizer)
    return product, notes


def _run(
    args: argparse.Namespace, normalizer: StainNormalizer, product: Product, write_pixels: bool
) -> str:
    """Deal with every case; give a sentence that counts."""
    done = [name for name, info in product.head.get("sources", {}).items() if "stain" in info]
    if done:
        raise ValueError(f"the fields of {', '.join(done)} are normalised already")
    cases = _cases(args.out, normalizer, product, write_pixels)
    n_images = sum(len(case.images) for case in cases)
    largest = [max((i.size for i in case.images), key=math.prod) for case in cases]
    parts = shares(largest, round(args.memory * 2**30))
    started = time.time()
    run_all(do_case, cases, args.workers, "field", n_images, parts)
    _clear_unfinished(args.out / fit_cache.FOLDER, started)
    bare = [case.name for case in cases if case_fit(case) is None]
    how = "written with normalised stains" if write_pixels else "given the stains of their case"
    sentence = f"{n_images} fields of {len(cases)} cases {how} ({normalizer.method})"
    if bare:
        sentence += (
            f"; {len(bare)} cases with too little tissue keep their colours: "
            f"{', '.join(bare[:MAX_NAMED])}{' …' if len(bare) > MAX_NAMED else ''}"
        )
    return sentence


def _cases(
    out: Path, normalizer: StainNormalizer, product: Product, write_pixels: bool
) -> list[Case]:
    """Group the images of all parts by case; those of each scanner are a case of their own."""
    used = product.parts_of_images()
    groups: dict[tuple[str, str, str], list[Image]] = {}
    for image in product.whole["images"]:
        if image["id"] in used:
            name = image["file_name"]
            stained = folder_of(out, normalizer) / f"{name}.tif"
            paths = product.image_path(image), out / "images" / name, stained
            key = source_of(image), image["case"], image["scanner"]
            size = image["width"], image["height"]
            groups.setdefault(key, []).append(Image(*paths, size))
    return [Case(normalizer, key[1], tuple(images), write_pixels) for key, images in groups.items()]


def do_case(case: Case) -> int:
    """Estimate the stains of a case, and write what is not there yet.

    Args:
        case: The case.

    Returns:
        The number of its fields.

    Raises:
        OSError: If something cannot be written.
        ValueError: If an image cannot be read.
    """
    fit = case_fit(case)
    if case.write_pixels:
        for image in case.images:
            description = _description(case, image, fit)
            if not _is_there(image.stained, description):
                rgb = decode_field(image.path)
                done = rgb if fit is None else case.normalizer.normalize(rgb, fit)
                write_tiled(image.stained, done, description)
    return len(case.images)


def case_fit(case: Case) -> Fit | None:
    """Give the fit of a case: the one that is kept for all its fields, else a new one, kept.

    Args:
        case: The case.

    Returns:
        The fit; None where its fields show too little tissue.

    Raises:
        OSError: If it cannot be written.
        ValueError: If an image cannot be read.
    """
    scope = _scope(case)
    kept = [cached_fit(image.linked, image.path, case.normalizer) for image in case.images]
    if all(found is not None and found.scope == scope for found in kept):
        return kept[0].fit
    fit = case.normalizer.estimate_case(decode_field(image.path) for image in case.images)
    for image in case.images:
        write_fit(image.linked, image.path, case.normalizer, fit, scope)
    return fit


def _scope(case: Case) -> str:
    """Name a case and the state of all its fields."""
    state = json.dumps([[image.path.name, version(image.path)] for image in case.images])
    return f"case {case.name}, {hashlib.sha256(state.encode()).hexdigest()[:16]}"


def _description(case: Case, image: Image, fit: Fit | None) -> str:
    """Say of what a normalised field was made, and how."""
    return json.dumps(
        {
            "image": version(image.path),
            "normalizer": case.normalizer.to_dict(),
            "fit": None if fit is None else fit.to_dict(),
        }
    )


def _is_there(path: Path, description: str) -> bool:
    """Tell whether a normalised field is whole and was made of the same."""
    with suppress(ValueError):  # damaged: it is written anew
        layout = open_tiff(path) if path.is_file() else None
        return layout is not None and layout.description == description
    return False


def _clear_unfinished(folder: Path, before: float) -> None:
    """Remove what killed runs left half-written; what is newer can be a training's, at work."""
    for path in folder.rglob(".*.tmp"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()


def _renamed(product: Product, folder: Path, normalizer: StainNormalizer) -> Product:
    """Put the normalised fields in the place of the images."""
    images = [{**i, "file_name": f"{i['file_name']}.tif"} for i in product.whole["images"]]
    info = {**product.whole["info"], "stain": normalizer.to_dict()}
    return replace(
        product,
        whole={**product.whole, "info": info, "images": images},
        head={**product.head, "stain": normalizer.to_dict()},
        links={source: folder / source for source in product.links},
    )


def folder_of(out: Path, normalizer: StainNormalizer) -> Path:
    """Name the folder of what a normaliser writes.

    Args:
        out: The folder that ``stained`` is in.
        normalizer: The normaliser with its target.

    Returns:
        The folder, another one for each method, target and set of arguments.
    """
    made = json.dumps(normalizer.to_dict(), sort_keys=True)
    return out / FOLDER / f"{normalizer.method}-{hashlib.sha256(made.encode()).hexdigest()[:8]}"


def clear_others(out: Path, normalizer: StainNormalizer, product: Product) -> None:
    """Remove normalised fields that the product does not name; other files stay.

    Args:
        out: The folder that ``stained`` is in.
        normalizer: What they were made with.
        product: What was prepared.

    Raises:
        OSError: If something cannot be removed.
    """
    folder = folder_of(out, normalizer)
    kept = {str(folder / image["file_name"]) for image in product.whole["images"]}
    for parent, names in walk_own(out / FOLDER):
        for path in (parent / name for name in names):
            if str(path) not in kept and path.suffix in {".tif", ".tmp"}:
                path.unlink()
        with suppress(OSError):  # something is in it
            parent.rmdir()
