"""Fits on disk, beside the images that they are of.

Below a root as ``data_prep/prepare.py`` writes it, the fit of ``images/a/b.jpg`` is kept in
``.stain/<method>-<hash of its arguments>/a/b.jpg.json``, with the size and time of change that the
image had: that of an image that was changed since counts for nothing. ``StainNormalize`` writes
there what it estimates field by field; data preparation, what it estimates case by case. The two
differ, so colours are the same in all runs only where all fits were written beforehand, or none.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

from mmengine.logging import print_log

from mmdet_mitosis.datasets.stored_fields import beside_images, version
from mmdet_mitosis.fileio import write_json_atomic
from mmdet_mitosis.json_file import parse_json, short
from mmdet_mitosis.stain.base import StainNormalizer
from mmdet_mitosis.stain.fits import Fit

FOLDER = ".stain"
EDITION = 1
"""Goes up whenever an estimator's figures change, so that fits of before are not mixed with new."""
FIELD = "field"
"""Scope of a fit that was estimated on one field alone."""


@dataclass(frozen=True)
class CachedFit:
    """A fit that was read.

    Attributes:
        fit: The fit; None where there was too little tissue.
        scope: What it was estimated on: ``field``, or the name of a case.
        image: The image's state then, as of ``stored_fields.version``.
    """

    fit: Fit | None
    scope: str
    image: str


def folder_name(normalizer: StainNormalizer) -> str:
    """Name the folder of a normaliser's fits.

    Args:
        normalizer: The normaliser; its target has no part in the name, nor in the fits.

    Returns:
        Its method and eight hexadecimal digits of its arguments and of ``EDITION``.
    """
    arguments = {
        name: float(value) if isinstance(value, Real) else value
        for name, value in normalizer.arguments().items()
    }
    text = json.dumps([EDITION, arguments], sort_keys=True)
    return f"{normalizer.method}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def fit_path(linked: Path, normalizer: StainNormalizer) -> Path | None:
    """Tell where the fit of an image belongs.

    Args:
        linked: The image, below a folder ``images``; links are not followed.
        normalizer: What estimates the fit.

    Returns:
        The path of its json, there or not; None if no folder above is called ``images``.
    """
    place = beside_images(linked, FOLDER)
    if place is None:
        return None
    return place[0] / folder_name(normalizer) / place[1].with_name(f"{linked.name}.json")


def cached_fit(linked: Path, path: Path, normalizer: StainNormalizer) -> CachedFit | None:
    """Read the fit of an image.

    Args:
        linked: The image, below a folder ``images``; it need not be there yet.
        path: The image file itself, which can be the same.
        normalizer: What estimated the fit.

    Returns:
        The fit; None if none is kept of the image as it is now. A file that is damaged counts for
        nothing too; that is logged, and so is a case's fit of an earlier state of the image.

    Raises:
        FileNotFoundError: If there is no such image.
    """
    place = fit_path(linked, normalizer)
    if place is None or not place.is_file():
        return None
    try:
        found = _read(place, normalizer)
    except (OSError, ValueError) as error:
        _warn(f"{place} is damaged, and the fit is estimated anew: {error}")
        return None
    if found.image == version(path):
        return found
    if found.scope != FIELD:
        _warn(f"{path} was changed since its stains were estimated ({found.scope}): not used")
    return None


def write_fit(
    linked: Path, path: Path, normalizer: StainNormalizer, fit: Fit | None, scope: str
) -> None:
    """Write the fit of an image; the file appears whole or not at all.

    Args:
        linked: The image, below a folder ``images``; it need not be there yet.
        path: The image file itself, which can be the same.
        normalizer: What estimated the fit.
        fit: The fit; None where there is too little tissue.
        scope: What it was estimated on: ``field``, or a name of the case.

    Raises:
        FileNotFoundError: If there is no such image.
        OSError: If the file cannot be written.
        ValueError: If no folder above the image is called ``images``.
    """
    place = fit_path(linked, normalizer)
    if place is None:
        raise ValueError(f"a fit is kept beside the folder images, and {linked} is not below one")
    kept = None if fit is None else fit.to_dict()
    write_json_atomic(place, {"image": version(path), "scope": scope, "fit": kept})


def kept_fits(root: Path, normalizer: StainNormalizer) -> dict[str, CachedFit]:
    """Read all fits of a prepared folder, whatever has become of the images.

    Args:
        root: The folder that ``images`` is in.
        normalizer: What estimated the fits.

    Returns:
        The fits by the images' names below ``images``, in alphabetical order.

    Raises:
        FileNotFoundError: If there are none.
        ValueError: If one is damaged.
    """
    folder = root / FOLDER / folder_name(normalizer)
    places = sorted(folder.rglob("*.json"))
    if not places:
        raise FileNotFoundError(f"no fits of {normalizer.method} with these arguments: {folder}")
    found = {}
    for place in places:
        try:
            found[place.relative_to(folder).with_suffix("").as_posix()] = _read(place, normalizer)
        except ValueError as error:
            raise ValueError(f"{place} is damaged: {short(error)}") from error
    return found


def _read(place: Path, normalizer: StainNormalizer) -> CachedFit:
    """Read a file of :func:`write_fit`."""
    data = parse_json(place.read_bytes())
    if not isinstance(data, Mapping) or not {"image", "scope", "fit"} <= set(data):
        raise ValueError("expected the entries image, scope and fit")
    kept, scope = data["fit"], data["scope"]
    if not isinstance(scope, str):
        raise ValueError(f"expected a name as its scope, got {scope!r}")
    fit = None if kept is None else normalizer.fit_type.from_dict(kept)
    return CachedFit(fit, scope, data["image"])


def _warn(text: str) -> None:
    """Log a warning."""
    print_log(text, "current", level=logging.WARNING)
