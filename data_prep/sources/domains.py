"""MIDOG's domains: which scanner and which tumour an image is of.

Every image of MIDOG is named by its number, but the numbers mean different images in different
editions from 151 on, so they are used only where the labels say what edition they are of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data_prep.sources.delimited import read_delimited, to_number
from data_prep.sources.resolution import check_mpp

XR = "Hamamatsu NanoZoomer XR"
S360 = "Hamamatsu NanoZoomer S360"
CS2 = "Aperio ScanScope CS2"
GT450 = "Leica Aperio GT 450"
SCAN_II = "3DHistech Pannoramic Scan II"

# Aubreville et al., Medical Image Analysis 84:102699 (2023), arXiv 2204.03742, section 2.2; the
# last one from Table 1 of Aubreville et al., Scientific Data 10:484 (2023). The images' areas of
# 2 mm² agree: they make it 0.226, 0.228 to 0.231, 0.251 to 0.254, 0.261 to 0.264 and 0.248.
MPP = {XR: 0.23, S360: 0.23, CS2: 0.25, GT450: 0.26, SCAN_II: 0.25}

ALIASES = {
    "hamamatsuxr": XR,
    "hamammatsuxr": XR,  # as datasets_xvalidation.csv has it for images 1 to 50
    "hamamatsunanozoomerxr": XR,
    "hamamatsus360": S360,
    "hamamatsunanozoomers360": S360,
    "aperiocs2": CS2,
    "aperioscanscopecs2": CS2,
    "leicascanscopecs2": CS2,
    "leicagt450": GT450,
    "aperiogt450": GT450,
    "leicaaperiogt450": GT450,
    "3dhistech": SCAN_II,
    "3dhistechpannoramicscanii": SCAN_II,
}


@dataclass(frozen=True)
class Domain:
    """What is known of an image's origin; ``mpp`` in µm."""

    tumour: str | None = None
    scanner: str | None = None
    mpp: float | None = None


BREAST = "human breast cancer"
FIRST_150 = ((1, 50, BREAST, XR), (51, 100, BREAST, S360), (101, 150, BREAST, CS2))

# The challenges' own descriptions of their training sets (midog.deepmicroscopy.org), and for
# MIDOG++ its datasets_xvalidation.csv. First and last number, tumour, scanner.
EDITIONS: dict[str, tuple[tuple[int, int, str, str], ...]] = {
    "2021": (*FIRST_150, (151, 200, BREAST, GT450)),
    "2022": (
        *FIRST_150,
        (151, 194, "canine lung cancer", SCAN_II),
        (195, 249, "canine lymphoma", SCAN_II),
        (250, 299, "canine cutaneous mast cell tumor", CS2),
        (300, 354, "human neuroendocrine tumor", XR),
        (355, 405, "human melanoma", XR),
    ),
    "++": (
        *FIRST_150,
        (151, 200, BREAST, GT450),
        (201, 244, "canine lung cancer", SCAN_II),
        (245, 299, "canine lymphosarcoma", SCAN_II),
        (300, 349, "canine cutaneous mast cell tumor", CS2),
        (350, 404, "human neuroendocrine tumor", XR),
        (405, 504, "canine soft tissue sarcoma", SCAN_II),
        (505, 553, "human melanoma", XR),
    ),
}

MAX_DIGITS = 9
"""Of a number that can be one of an image; thousands of them would be refused by Python."""


def edition(text: str) -> str | None:
    """Tell the edition from what a label file says of itself, or from its name.

    Args:
        text: As ``MIDOG++: A Comprehensive …`` or ``MIDOG2022_training``.

    Returns:
        A key of ``EDITIONS``, or None.
    """
    if re.search(r"MIDOG(\+\+|pp)", text):
        return "++"
    match = re.search(r"MIDOG\W*(2021|2022)", text)
    return match[1] if match else None


def by_number(name: str, edition: str | None) -> Domain:
    """Tell an image's domain from its number.

    Args:
        name: Name of the image, as ``007.tiff``.
        edition: The edition that it is of.

    Returns:
        The domain, empty if nothing is known.
    """
    stem = PurePosixPath(name).stem
    if edition is not None and stem.isascii() and stem.isdigit() and len(stem) <= MAX_DIGITS:
        for first, last, tumour, scanner in EDITIONS[edition]:
            if first <= int(stem) <= last:
                return Domain(tumour, scanner)
    return Domain()


def scanner_name(name: str) -> str:
    """Write a scanner's name in one way, so that one scanner is one domain.

    Args:
        name: As the archive has it.

    Returns:
        The name as in ``MPP`` where it is known there, else as it was.
    """
    return ALIASES.get(re.sub(r"[^a-z0-9]", "", name.lower()), name.strip())


def load_domains(path: Path) -> dict[str, Domain]:
    """Read the domains from a table: ``Slide;Scanner`` and, as it may be, ``Tumor``, ``mpp``.

    Args:
        path: CSV file, as MIDOG++'s ``datasets_xvalidation.csv``.

    Returns:
        The domain of each image, by its name without suffix; numbers have three digits.

    Raises:
        ValueError: If the file is no such table, or an image is in it twice.
    """
    domains: dict[str, Domain] = {}
    for line, row in read_delimited(path, ["Slide", "Scanner"], ["Tumor", "mpp"]):
        where = f"{path}, line {line}"
        name = PurePosixPath(row["Slide"]).stem
        name = name.zfill(3) if name.isascii() and name.isdigit() else name
        if name in domains:
            raise ValueError(f"{where}: image {row['Slide']} is there a second time")
        mpp = row.get("mpp")
        domains[name] = Domain(
            row.get("Tumor") or None,
            scanner_name(row["Scanner"]) or None,
            check_mpp(to_number(mpp, f"{where}, mpp"), where) if mpp else None,
        )
    return domains
