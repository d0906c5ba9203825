"""What is to be written, whether it was read from an archive or joined from prepared folders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data_prep.coco import subset
from data_prep.duplicates import divided_slides, repeated_images
from data_prep.splits import slide
from data_prep.summary import shown


@dataclass(frozen=True)
class Product:
    """COCO json of several splits, before it is written.

    Attributes:
        whole: The COCO dictionary of all images.
        parts: Ids of the images of each part, by its name (``train``, ``fold_1/test``).
        head: What the summary says first: source, shape, seed, split.
        links: The folders of images, by the first part of their file names.
        left_out: One sentence for each thing that was left out.
        notes: What is worth saying and no fault.
    """

    whole: dict
    parts: dict[str, set[int]]
    head: dict
    links: dict[str, Path]
    left_out: list[str]
    notes: list[str]

    def image_path(self, image: dict) -> Path:
        """Find the file of an image.

        Args:
            image: The image, as COCO json has it.

        Returns:
            Its path.
        """
        return self.links[source_of(image)] / image["file_name"].partition("/")[2]

    def cocos(self) -> Iterator[tuple[str, dict]]:
        """Make the COCO dictionary of one part after the other.

        Yields:
            The name of the part, and its dictionary.
        """
        for part, image_ids in self.parts.items():
            coco = subset(self.whole, image_ids)
            fold, _, split = part.rpartition("/")
            coco["info"].update(split=split, split_name=self.head["split_name"])
            if fold:
                coco["info"]["fold"] = fold
            yield part, coco

    def repeated(self) -> list[str]:
        """Find images that are there more than once, and cases in more than one split.

        Returns:
            One sentence for each.

        Raises:
            OSError: If an image cannot be read.
        """
        parts = self.parts_of_images()
        cases, files = [], {}
        for image in self.whole["images"]:
            source = source_of(image)
            case = image["case"].removeprefix(f"{source}:")  # as merge names it, if it is shared
            for part in parts.get(image["id"], ()):
                cases.append((slide(source, case), f"{source} {case}", part))
                files.setdefault(self.image_path(image), part)
        return [*divided_slides(cases), *repeated_images(files)]

    def parts_of_images(self) -> dict[int, list[str]]:
        """Tell in which parts an image is: of folds the one that tests it, if there is one.

        Returns:
            The names of the parts, by the image's id; one each, but for json that was made or
            changed by others.
        """
        found: dict[int, list[str]] = {}
        for part, image_ids in self.parts.items():
            for image_id in image_ids if shown(part) else ():
                found.setdefault(image_id, []).append(part)
        for part, image_ids in self.parts.items():
            for image_id in image_ids:
                found.setdefault(image_id, [part])
        return found


def source_of(image: dict) -> str:
    """Name the archive of an image.

    Args:
        image: The image, as COCO json has it.

    Returns:
        The first part of its file name.
    """
    return image["file_name"].partition("/")[0]
