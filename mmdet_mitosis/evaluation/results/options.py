"""What the commands that score results have in common on their command lines."""

from __future__ import annotations

import argparse
import math

from mmdet_mitosis.evaluation.functional import MATCH_METHODS
from mmdet_mitosis.evaluation.scoring import RADIUS_UM


def add_scoring_options(parser: argparse.ArgumentParser) -> None:
    """Add how results are matched.

    Args:
        parser: Parser of a command; it gets ``method``, ``radius_um`` and ``mpp``.
    """
    parser.add_argument(
        "--method",
        choices=MATCH_METHODS,
        default=MATCH_METHODS[0],
        help="matching of the headline (default: %(default)s)",
    )
    parser.add_argument(
        "--radius-um",
        type=positive,
        default=RADIUS_UM,
        metavar="R",
        help="match radius, µm (default: %(default)s)",
    )
    parser.add_argument(
        "--mpp", type=positive, metavar="X", help="µm a pixel, of images whose json says none"
    )


def positive(text: str) -> float:
    """Read a positive number.

    Args:
        text: A word of a command line.

    Returns:
        The number.

    Raises:
        argparse.ArgumentTypeError: If it is none.
    """
    number = finite_number(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"must be positive, got {text}")
    return number


def finite_number(text: str) -> float:
    """Read a finite number.

    Args:
        text: A word of a command line.

    Returns:
        The number.

    Raises:
        argparse.ArgumentTypeError: If it is none.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"must be a finite number, got {text}")
    return number
