"""What was written, in numbers: by split and scanner."""

from __future__ import annotations

from collections.abc import Mapping

from terminaltables import AsciiTable

from data_prep.coco import LOOK_ALIKE, MITOSIS
from mmdet_mitosis.cli import printable

MAX_NAMED = 10


def counts(coco: dict) -> dict[str, int | float]:
    """Count what a COCO dictionary holds.

    Args:
        coco: The dictionary.

    Returns:
        ``cases``, ``fields``, ``mitoses``, ``look_alikes`` and the area, ``mm2``.
    """
    categories = [ann["category_id"] for ann in coco["annotations"]]
    area_um2 = sum(i["width"] * i["height"] * i["mpp"] ** 2 for i in coco["images"])
    return {
        "cases": len({image["case"] for image in coco["images"]}),
        "fields": len(coco["images"]),
        "mitoses": categories.count(MITOSIS["id"]),
        "look_alikes": categories.count(LOOK_ALIKE["id"]),
        "mm2": round(area_um2 / 1e6, 3),
    }


def summarise(coco: dict) -> dict:
    """Count for the whole split and for each scanner, and name the cases.

    Args:
        coco: What is written of the split.

    Returns:
        The counts, ``case_names``, and the counts of each of ``scanners``.
    """
    scanner_of = {image["id"]: image["scanner"] for image in coco["images"]}
    scanners = {}
    for scanner in sorted(set(scanner_of.values())):
        images = [image for image in coco["images"] if image["scanner"] == scanner]
        anns = [a for a in coco["annotations"] if scanner_of[a["image_id"]] == scanner]
        scanners[scanner] = counts({"images": images, "annotations": anns})
    names = sorted({image["case"] for image in coco["images"]})
    return {**counts(coco), "case_names": names, "scanners": scanners}


def shown(part: str) -> bool:
    """Tell whether a part counts for the whole: of folds only what they test, each case once.

    Args:
        part: Name of the part, as ``train`` or ``fold_1/train``.

    Returns:
        Whether it counts.
    """
    return "/" not in part or part.endswith("/test")


def format_table(parts: Mapping[str, dict], everything: dict[str, int | float]) -> str:
    """Lay out the counts by split and scanner, of folds what they test.

    Args:
        parts: What ``summarise`` counted of each part.
        everything: What ``counts`` counted of all together.

    Returns:
        The table.
    """
    rows = [["split", "scanner", "cases", "fields", "mitoses", "look-alikes", "mm²"]]
    for part, found in parts.items():
        for scanner, numbers in found["scanners"].items() if shown(part) else ():
            rows.append([part, printable(scanner), *map(str, numbers.values())])
    rows.append(["all", "", *map(str, everything.values())])
    return AsciiTable(rows).table


def without_mitoses(parts: Mapping[str, dict]) -> list[str]:
    """Say which splits hold no mitosis.

    Args:
        parts: What ``summarise`` counted of each part.

    Returns:
        A sentence for each.
    """
    return [
        f"{part} has no mitosis, so nothing can be measured on it"
        for part, found in parts.items()
        if not found["mitoses"]
    ]


def print_some(title: str, sentences: list[str]) -> None:
    """Print how many sentences there are, and the first ones.

    Args:
        title: What they are.
        sentences: The sentences.
    """
    if not sentences:
        return
    print(f"{title}: {len(sentences)}")
    for sentence in sentences[:MAX_NAMED]:
        print(f"  {printable(sentence)}")
    if len(sentences) > MAX_NAMED:
        print(f"  … and {len(sentences) - MAX_NAMED} more, all in summary.json")
