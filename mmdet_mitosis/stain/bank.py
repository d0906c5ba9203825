"""Fits of other scanners, which augmentation draws from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmdet_mitosis.datasets.fields import decode_field
from mmdet_mitosis.fileio import write_json_atomic
from mmdet_mitosis.json_file import parse_json, short
from mmdet_mitosis.stain.fit_cache import FIELD, kept_fits
from mmdet_mitosis.stain.fits import StainFit
from mmdet_mitosis.stain.separator import StainSeparator


@dataclass(frozen=True, eq=False)
class StainBank:
    """Stains to draw from.

    On disk it is a json list; each entry is a ``StainFit.to_dict`` and can have a ``name`` and a
    ``weight`` (1 if it has none).

    Args:
        fits: The fits, at least one.
        names: A name for each.
        weights: How often each is drawn, in proportion; not negative, and not all 0.

    Raises:
        ValueError: If there is none, the lengths differ, or a weight is wrong.
    """

    fits: tuple[StainFit, ...]
    names: tuple[str, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.fits or not len(self.fits) == len(self.names) == len(self.weights):
            raise ValueError(
                f"a bank has as many names and weights as fits and at least one, got "
                f"{len(self.fits)} fits, {len(self.names)} names and {len(self.weights)} weights"
            )
        weights = np.array(self.weights, dtype=float)
        if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
            raise ValueError(
                f"weights are not negative, and not all 0; got {', '.join(map(str, self.weights))}"
            )

    def __len__(self) -> int:
        return len(self.fits)

    @property
    def probabilities(self) -> np.ndarray:
        """How probable each fit is, (N,) float64 of sum 1."""
        weights = np.array(self.weights, dtype=float)
        return weights / weights.sum()

    def save(self, path: str | Path) -> None:
        """Write the bank as json; the file appears whole or not at all.

        Args:
            path: The file.

        Raises:
            OSError: If it cannot be written.
        """
        entries = [
            {"name": name, "weight": float(weight), **fit.to_dict()}
            for fit, name, weight in zip(self.fits, self.names, self.weights, strict=True)
        ]
        write_json_atomic(path, entries)

    @classmethod
    def load(cls, path: str | Path) -> StainBank:
        """Read a bank.

        Args:
            path: The json file.

        Returns:
            The bank.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it holds no list of fits.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"no such bank of stains: {path}")
        try:
            entries = parse_json(path.read_bytes())
            if not isinstance(entries, list) or not entries:
                got = "an empty one" if entries == [] else type(entries).__name__
                raise ValueError(f"expected a list of fits, got {got}")
            found = [_entry(index, entry) for index, entry in enumerate(entries)]
            return cls(*map(tuple, zip(*found, strict=True)))
        except ValueError as error:
            raise ValueError(f"bank of stains {path}: {short(error)}") from error

    @classmethod
    def of_images(cls, paths: Iterable[str | Path], normalizer: StainSeparator) -> StainBank:
        """Estimate the stains of some images.

        Args:
            paths: The image files, whole fields.
            normalizer: What estimates them.

        Returns:
            A bank with the files' names, all as probable.

        Raises:
            FileNotFoundError: If an image is not there.
            ValueError: If one cannot be read or shows too little tissue.
        """
        fits = {}
        for path in map(Path, paths):
            fit = normalizer.estimate(decode_field(path))
            if fit is None:
                raise ValueError(f"{path} shows too little stained tissue to be in a bank")
            fits[str(path)] = fit
        return cls(tuple(fits.values()), tuple(fits), (1.0,) * len(fits))

    @classmethod
    def of_prepared(cls, root: str | Path, normalizer: StainSeparator) -> StainBank:
        """Take the fits that are kept in a prepared folder, one of each case.

        Args:
            root: The folder that ``images`` is in.
            normalizer: What estimated them.

        Returns:
            A bank with the names of cases, or of the fields that were estimated on their own. Each
            is the more probable the more fields it is of.

        Raises:
            FileNotFoundError: If no fits are kept there.
            ValueError: If one is damaged, or none has enough tissue.
        """
        fits: dict[str, StainFit] = {}
        counts: dict[str, int] = {}
        for image, kept in kept_fits(Path(root), normalizer).items():
            if kept.fit is not None:
                name = image if kept.scope == FIELD else kept.scope
                fits[name] = kept.fit
                counts[name] = counts.get(name, 0) + 1
        return cls(tuple(fits.values()), tuple(fits), tuple(map(float, counts.values())))


def _entry(index: int, entry: Any) -> tuple[StainFit, str, float]:
    """Read one entry of a json: a fit, its name and its weight."""
    try:
        fit = StainFit.from_dict(entry)
        return fit, str(entry.get("name", index)), float(entry.get("weight", 1))
    except (ValueError, TypeError, OverflowError) as error:
        name = entry.get("name") if isinstance(entry, Mapping) else None
        raise ValueError(f"entry {index}{f' ({name})' if name else ''}: {error}") from error
