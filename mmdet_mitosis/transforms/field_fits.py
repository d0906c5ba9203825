"""The fits that windows are normalised or augmented by."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from mmdet_mitosis.datasets.fields import field_size, read_window
from mmdet_mitosis.stain import Fit, StainNormalizer
from mmdet_mitosis.stain.fit_cache import FIELD, cached_fit, fit_path, write_fit

_told: list[str] = []
"""Why fits are not kept, once it was said."""


class FieldFits:
    """Estimate once a field, on the whole field, and keep the fit for all workers and runs.

    A fit is looked up in memory, then on disk (see ``stain.fit_cache``), where data preparation
    can have put that of the whole case. Where none can be kept on disk, each process estimates
    its own, with the same result.

    Args:
        normalizer: What estimates.

    Attributes:
        fits: The fit of each field seen, by path; None for a field with too little tissue.
    """

    def __init__(self, normalizer: StainNormalizer) -> None:
        self.normalizer = normalizer
        self.fits: dict[str, Fit | None] = {}

    def find(self, results: dict, rgb: np.ndarray) -> Fit | None:
        """Take the fit that a record brings, else that of its field, else that of its image.

        Args:
            results: A pipeline's record; ``stain_fit`` and ``img_path`` are read if they are there.
            rgb: The record's image, (h, w, 3) uint8.

        Returns:
            The fit; None where there is too little tissue.

        Raises:
            FileNotFoundError: If there is no such field.
            ValueError: If ``stain_fit`` is no fit of the method, or the field cannot be read.
        """
        if "stain_fit" in results:
            prepared = results["stain_fit"]
            return None if prepared is None else self.normalizer.fit_type.from_dict(prepared)
        if results.get("img_path") is None:
            return self.normalizer.estimate(rgb)
        return self.of_field(str(results["img_path"]))

    def of_field(self, path: str) -> Fit | None:
        """Give the fit of a field.

        Args:
            path: The image file.

        Returns:
            The fit; None where there is too little tissue, which is logged once.

        Raises:
            FileNotFoundError: If there is no such field.
            ValueError: If it cannot be read.
        """
        if path not in self.fits:
            kept = cached_fit(Path(path), Path(path), self.normalizer)
            self.fits[path] = self._estimate(path) if kept is None else kept.fit
            if self.fits[path] is None:
                print_log(
                    f"{path}: too little stained tissue to estimate its stains (at least "
                    f"{self.normalizer.min_tissue} pixels in two stains); its windows keep their "
                    "colours",
                    "current",
                    level=logging.WARNING,
                )
        return self.fits[path]

    def _estimate(self, path: str) -> Fit | None:
        """Estimate on the whole field, and keep the fit if that is possible."""
        # A field that is read window by window is decoded here once, and not kept in memory.
        fit = self.normalizer.estimate(read_window(path, (0, 0, *field_size(path))))
        place = fit_path(Path(path), self.normalizer)
        if place is None:
            _tell_once(f"{Path(path).parent} is not below a folder called images")
            return fit
        try:
            write_fit(Path(path), Path(path), self.normalizer, fit, FIELD)
        except OSError as error:
            _tell_once(f"cannot write {place}: {error.strerror or error}")
        return fit


def _tell_once(reason: str) -> None:
    """Log, for the first field of a process, why fits are not kept on disk."""
    if not _told:
        print_log(
            f"stains are not kept for other processes and runs: {reason}",
            "current",
            level=logging.WARNING,
        )
        _told.append(reason)
