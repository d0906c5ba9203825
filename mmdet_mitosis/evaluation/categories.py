"""What the name of a category says of its cells."""

from __future__ import annotations

import re

LOOK_ALIKE = re.compile(
    r"hard negative|look ?alike|impost[eo]r|\bnon ?mito|\b(not?|no) (a )?mito|mito\w+ like"
)
MITOSIS = re.compile(r"mitotic (figure|cell)|mitos[ie]s|^mitotic$")


def is_mitosis(category: str) -> bool | None:
    """Tell from a category's name what its cells are.

    Args:
        category: As ``mitotic figure``, ``hard negative``, ``not mitotic figure``.

    Returns:
        True for mitoses, False for look-alikes, None for neither.
    """
    words = re.sub(r"[^a-z]+", " ", category.lower()).strip()
    if LOOK_ALIKE.search(words):
        return False
    return True if MITOSIS.search(words) else None
