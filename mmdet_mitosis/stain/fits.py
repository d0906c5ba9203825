"""What is estimated of an image, field or slide, and kept as json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

MAX_DENSITY = 10
"""Beyond any optical density of a stain; columns of unit length have at most 1."""
CONCENTRATIONS = (1e-3, 1000)
"""Beyond those that 8 bits show: densities of 0.004 to 5.6."""
MAX_LAB = 200
"""Beyond any colour: sRGB has L of up to 100, and a and b within ±128."""
MIN_LAB_STD = 1e-3
"""Below any deviation that 8 bits show; what divides by it stays finite."""


class Fit(Protocol):
    """An estimate: ``StainFit`` or ``ColorFit``. ``n_tissue`` is how many pixels were tissue."""

    n_tissue: int

    def to_dict(self) -> dict[str, Any]:
        """Give the fit as lists and numbers."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Make a fit of what ``to_dict`` gave."""


@dataclass(frozen=True, eq=False)
class StainFit:
    """The stains of one image, field or slide.

    Args:
        stain_matrix: (3, 2) float; optical density of R, G, B for hematoxylin and eosin, in columns
            of unit length.
        max_concentrations: (2,) float; their 99th percentiles.
        n_tissue: Stained pixels that the image shows.

    Raises:
        ValueError: If a shape is wrong, a value is not finite or absurd, the stains are
            parallel, or a maximum is next to nothing.
    """

    stain_matrix: np.ndarray
    max_concentrations: np.ndarray
    n_tissue: int = 0

    def __post_init__(self) -> None:
        matrix = np.array(self.stain_matrix, dtype=float)
        maxima = np.array(self.max_concentrations, dtype=float)
        if matrix.shape != (3, 2) or maxima.shape != (2,):
            raise ValueError(
                f"a stain fit has shapes (3, 2) and (2,), got {matrix.shape} and {maxima.shape}"
            )
        if not np.isfinite(matrix).all() or np.linalg.matrix_rank(matrix, tol=1e-3) < 2:
            raise ValueError(f"a stain fit needs two different stains, got {matrix.tolist()}")
        if np.abs(matrix).max() > MAX_DENSITY:
            raise ValueError(
                f"a stain fit has optical densities of up to {MAX_DENSITY}, got {matrix.tolist()}"
            )
        least, most = CONCENTRATIONS
        if not ((least <= maxima) & (maxima <= most)).all():
            raise ValueError(
                f"a stain fit needs maxima of {least:g} to {most:g}, got {maxima.tolist()}"
            )
        object.__setattr__(self, "stain_matrix", matrix)
        object.__setattr__(self, "max_concentrations", maxima)

    def to_dict(self) -> dict[str, Any]:
        """Give the fit as lists and numbers.

        Returns:
            A dictionary for json.
        """
        return {
            "stain_matrix": self.stain_matrix.tolist(),
            "max_concentrations": self.max_concentrations.tolist(),
            "n_tissue": int(self.n_tissue),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> StainFit:
        """Make a fit of what :meth:`to_dict` gave.

        Args:
            data: The dictionary.

        Returns:
            The fit.

        Raises:
            ValueError: If an entry is missing, of the wrong shape, or no stain.
        """
        return _from_dict(cls, data, "a stain fit", ("stain_matrix", "max_concentrations"))


@dataclass(frozen=True, eq=False)
class ColorFit:
    """The colours of tissue in one image, field or slide, in CIELAB (D65).

    Args:
        mean_lab: (3,) float; mean of L (0 to 100), a and b.
        std_lab: (3,) float; their standard deviations.
        n_tissue: Pixels of tissue that the image shows.

    Raises:
        ValueError: If a shape is wrong, a value is not finite or absurd, or a deviation is
            next to nothing.
    """

    mean_lab: np.ndarray
    std_lab: np.ndarray
    n_tissue: int = 0

    def __post_init__(self) -> None:
        mean, std = np.array(self.mean_lab, dtype=float), np.array(self.std_lab, dtype=float)
        if mean.shape != (3,) or std.shape != (3,):
            raise ValueError(
                f"a color fit has shapes (3,) and (3,), got {mean.shape} and {std.shape}"
            )
        if not (np.abs(mean) <= MAX_LAB).all():
            raise ValueError(f"a color fit needs means within ±{MAX_LAB}, got {mean.tolist()}")
        if not ((std >= MIN_LAB_STD) & (std <= MAX_LAB)).all():
            raise ValueError(
                f"a color fit needs deviations of {MIN_LAB_STD:g} to {MAX_LAB}, got {std.tolist()}"
            )
        object.__setattr__(self, "mean_lab", mean)
        object.__setattr__(self, "std_lab", std)

    def to_dict(self) -> dict[str, Any]:
        """Give the fit as lists and numbers.

        Returns:
            A dictionary for json.
        """
        return {
            "mean_lab": self.mean_lab.tolist(),
            "std_lab": self.std_lab.tolist(),
            "n_tissue": int(self.n_tissue),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ColorFit:
        """Make a fit of what :meth:`to_dict` gave.

        Args:
            data: The dictionary.

        Returns:
            The fit.

        Raises:
            ValueError: If an entry is missing, of the wrong shape, or no colour.
        """
        return _from_dict(cls, data, "a color fit", ("mean_lab", "std_lab"))


def _from_dict(kind: type, data: Mapping[str, Any], name: str, needed: tuple[str, str]) -> Any:
    """Make a fit of a dictionary, and say what is wrong with it."""
    if not isinstance(data, Mapping) or not all(key in data for key in needed):
        got = sorted(map(str, data)) if isinstance(data, Mapping) else type(data).__name__
        raise ValueError(f"{name} has the entries {', '.join(needed)}; got {got}")
    try:
        return kind(*(data[key] for key in needed), n_tissue=int(data.get("n_tissue", 0)))
    except (TypeError, OverflowError) as error:
        raise ValueError(f"{name} holds numbers, got {dict(data)}") from error
