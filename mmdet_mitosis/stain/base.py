"""What all methods of stain normalisation share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from mmdet_mitosis.fileio import write_json_atomic
from mmdet_mitosis.json_file import parse_json, short
from mmdet_mitosis.stain.fits import Fit
from mmdet_mitosis.stain.sampling import Sample, draw, pool

MIN_TISSUE_PIXELS = 500
"""Fewest stained pixels from which anything is estimated."""
MAX_PIXELS = 2**20
"""Pixels used for an estimate; an image of up to 1024 x 1024 is used whole."""


class StainNormalizer(ABC):
    """Bring the colours of an image to those of a target.

    An image with too little tissue is left as it is: nothing here raises for what an image shows.

    Args:
        io: Transmitted light, grey level.
        beta: Optical density that a tissue pixel has in every channel.
        min_tissue: Fewest tissue pixels for an estimate.
        max_pixels: Pixels used for an estimate: a seeded subsample of a larger image.
        seed: Seed of that subsample.

    Attributes:
        target: The fit of the target.
        brightest_tissue: Grey level over which a pixel's brightest channel makes it background.

    Raises:
        ValueError: If an argument is out of its range.
    """

    method: ClassVar[str]
    fit_type: ClassVar[type]
    target: Fit

    def __init__(
        self,
        io: float = 240,
        beta: float = 0.15,
        min_tissue: int = MIN_TISSUE_PIXELS,
        max_pixels: int = MAX_PIXELS,
        seed: int = 0,
    ) -> None:
        if not 1 < io <= 256:
            raise ValueError(f"io must be in (1, 256], got {io}")
        if not 0 <= beta < np.log(io):
            raise ValueError(f"beta must be in [0, {np.log(io):.2f}), got {beta}")
        if max_pixels < 2 or min_tissue < 0:
            raise ValueError(
                f"max_pixels must be at least 2 and min_tissue at least 0, got {max_pixels} and "
                f"{min_tissue}"
            )
        self.io, self.beta = io, beta
        self.min_tissue, self.max_pixels, self.seed = min_tissue, max_pixels, seed
        # Its density is beta; the margin is for rounding.
        self.brightest_tissue = int(np.floor(io * np.exp(-beta) - 1 + 1e-9))

    @property
    def stain_matrix_(self) -> np.ndarray:
        """Stains of the target, (3, 2): hematoxylin and eosin in columns.

        Raises:
            ValueError: If the method knows no stains.
        """
        raise ValueError(f"{self.method} matches colours and knows no stains")

    def fit(self, target_rgb: np.ndarray) -> Self:
        """Take the target from an image.

        Args:
            target_rgb: (H, W, 3) uint8.

        Returns:
            The normaliser itself.

        Raises:
            ValueError: If the image has too little tissue or only one colour, or is no RGB image.
        """
        fit = self.estimate(target_rgb)
        if fit is None:
            raise ValueError(
                "cannot estimate the target's stains: it needs tissue in two colours, "
                f"at least {self.min_tissue} pixels of it"
            )
        self.target = fit
        return self

    def estimate(self, rgb: np.ndarray) -> Fit | None:
        """Estimate the stains, or colours, of an image.

        Args:
            rgb: (H, W, 3) uint8; best a whole field.

        Returns:
            The fit; None where too few pixels are tissue or they are too much alike.

        Raises:
            ValueError: If it is no 8-bit RGB image.
        """
        return self.estimate_sample(self.draw(rgb))

    def estimate_case(self, fields: Iterable[np.ndarray]) -> Fit | None:
        """Estimate the stains, or colours, that several fields of one slide share.

        Args:
            fields: Each (H, W, 3) uint8, at least one; one at a time is held.

        Returns:
            The fit; None as of :meth:`estimate`.

        Raises:
            ValueError: If one is no 8-bit RGB image.
        """
        return self.estimate_sample(pool(map(self.draw, fields), self.max_pixels, self.seed))

    def draw(self, rgb: np.ndarray) -> Sample:
        """Draw the pixels of an image that an estimate is made from.

        Args:
            rgb: (H, W, 3) uint8.

        Returns:
            The pixels.

        Raises:
            ValueError: If it is no 8-bit RGB image.
        """
        check_rgb(rgb)
        return draw(rgb, self.brightest_tissue, self.max_pixels, self.seed)

    def estimate_sample(self, sample: Sample) -> Fit | None:
        """Estimate the stains, or colours, of pixels that were drawn.

        Args:
            sample: The pixels.

        Returns:
            The fit; None as of :meth:`estimate`.
        """
        return self._estimate(sample) if self.is_enough(sample) else None

    def is_enough(self, sample: Sample) -> bool:
        """Tell whether a sample has tissue enough for an estimate.

        Args:
            sample: The pixels.

        Returns:
            Whether it has.
        """
        return len(sample.tissue) > 1 and sample.n_tissue >= self.min_tissue

    def normalize(self, rgb: np.ndarray, fit: Fit | None = None) -> np.ndarray:
        """Give an image the target's stains, or colours.

        Args:
            rgb: (H, W, 3) uint8.
            fit: Its own, as estimated on its whole field; estimated on the image itself if None.

        Returns:
            (H, W, 3) uint8; a copy of the image where nothing can be estimated.

        Raises:
            ValueError: If it is no 8-bit RGB image.
        """
        check_rgb(rgb)
        fit = fit or self.estimate(rgb)
        return rgb.copy() if fit is None else self._apply(rgb, fit)

    def concentrations(self, rgb: np.ndarray, fit: Fit | None = None) -> np.ndarray:
        """Split an image into its stains.

        Args:
            rgb: (H, W, 3) uint8.
            fit: Its own; estimated on the image itself if None, and where that cannot be, that of
                the target.

        Returns:
            Hematoxylin and eosin of each pixel, (H, W, 2) float32, in optical density.

        Raises:
            ValueError: If it is no 8-bit RGB image, or the method knows no stains.
        """
        raise ValueError(f"{self.method} matches colours and knows no stains")

    def to_dict(self) -> dict[str, Any]:
        """Give the normaliser, target and arguments, as lists and numbers.

        Returns:
            A dictionary for json.
        """
        return {"method": self.method, **self.arguments(), "target": self.target.to_dict()}

    def arguments(self) -> dict[str, Any]:
        """Give the arguments that it was made with.

        Returns:
            Them by name.
        """
        names = ("io", "beta", "min_tissue", "max_pixels", "seed")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Make a normaliser of what :meth:`to_dict` gave.

        Args:
            data: The dictionary.

        Returns:
            The normaliser.

        Raises:
            ValueError: If it is of another method, or an entry is wrong.
        """
        if not isinstance(data, Mapping) or data.get("method") != cls.method:
            got = data.get("method") if isinstance(data, Mapping) else type(data).__name__
            raise ValueError(f"expected a saved {cls.method} normaliser, got {got!r}")
        arguments = {key: data[key] for key in data if key not in ("method", "target")}
        try:
            made = cls(**arguments)
        except TypeError as error:
            raise ValueError(
                f"a saved {cls.method} normaliser has other entries: {error}"
            ) from error
        made.target = cls.fit_type.from_dict(data.get("target"))
        return made

    def save(self, path: str | Path) -> None:
        """Write the normaliser as json; the file appears whole or not at all.

        Args:
            path: The file.

        Raises:
            OSError: If it cannot be written.
        """
        write_json_atomic(Path(path), self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a normaliser that :meth:`save` wrote.

        Args:
            path: The file.

        Returns:
            The normaliser.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it holds none of this method.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"no such file: {path}")
        try:
            return cls.from_dict(parse_json(path.read_bytes()))
        except ValueError as error:
            raise ValueError(f"{path}: {short(error)}") from error

    @abstractmethod
    def _estimate(self, sample: Sample) -> Fit | None:
        """Estimate from enough tissue; None where it is all alike."""

    @abstractmethod
    def _apply(self, rgb: np.ndarray, fit: Fit) -> np.ndarray:
        """Give an image of this fit the target's colours."""


def check_rgb(rgb: np.ndarray) -> None:
    """Refuse what is no 8-bit RGB image.

    Args:
        rgb: What should be one.

    Raises:
        ValueError: If it is none.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise ValueError(f"expected RGB uint8 (H, W, 3), got {rgb.dtype} {rgb.shape}")
