"""Work folders as ``tools/test.py`` leaves them, made without a detector."""

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import tifffile

from mmdet_mitosis.evaluation.detections import save_detections
from mmdet_mitosis.evaluation.report import summarize
from mmdet_mitosis.evaluation.truth import load_fields
from mmdet_mitosis.report.provenance import versions
from tests.evaluation.fields import annotation, coco, found, write

CONFIG = 'randomness = dict(seed=7)\ntrain_cfg = dict(max_iters=20, type="X", val_interval=8)\n'
MITOSES = {1: [(100, 100), (300, 120)], 2: [(400, 300)], 3: [(500, 500), (50, 50)], 4: []}
DETECTIONS = {
    1: found((100, 90, 0.9), (700, 500, 0.6), (302, 121, 0.3)),
    2: found((600, 400, 0.8)),
    3: found((500, 500, 0.95), (60, 50, 0.7), (400, 100, 0.55)),
}
"""At 0.5: three hits; three false positives; two misses, one of them with a lower score."""
N_HITS, N_FALSE, N_MISSED = 3, 3, 2
VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "source"}


def make_run(
    root: Path,
    mitoses: dict = MITOSES,
    detections: dict = DETECTIONS,
    split: str = "test",
    images: bool = True,
    log: bool = True,
    look_alikes: dict | None = None,
    change=lambda coco: coco,
    **scores: object,
) -> Path:
    """Write images, annotations and a work folder; ``scores`` are changes of the scores file."""
    truth = coco(mitoses)
    if look_alikes is None:
        truth["categories"] = truth["categories"][:1]
    for image_id, points in (look_alikes or {}).items():
        first = len(truth["annotations"]) + 1
        truth["annotations"] += [
            annotation(n, image_id, point, 2) for n, point in enumerate(points, first)
        ]
    truth = change(truth)
    ann_file, work = root / "annotations.json", root / "work"
    work.mkdir(parents=True, exist_ok=True)
    write(ann_file, truth)
    if images:
        for image in truth["images"]:
            path = root / "images" / image["file_name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, paint(image["id"], mitoses[image["id"]]))
    save_detections(work / f"{split}_detections.json", detections)
    summary = summarize(
        split, load_fields(ann_file), detections, 0.5, "val.json (validation)", 7.5
    ) | {
        "ann_file": str(ann_file),
        "image_root": str(root / "images"),
        "checkpoint": "work/best_mitosis_f_score_iter_16.pth",
        "config": "tiny.py",
        "versions": versions(),
    }
    write(work / f"{split}_scores.json", summary | scores)
    (work / "tiny.py").write_text(CONFIG)
    if log:
        write_log(work / "20260101_000000", train_lines(20, 4, {8: 0.5, 16: 0.75, 20: 0.7}))
    return work


def paint(number: int, mitoses: list) -> np.ndarray:
    """A field of pink noise with a dark disc at each mitosis."""
    rng = np.random.default_rng(number)
    rgb = rng.integers(190, 235, (600, 800, 3)).astype(np.uint8)
    yy, xx = np.mgrid[:600, :800]
    for x, y in mitoses:
        rgb[(xx - x) ** 2 + (yy - y) ** 2 < 100] = (60, 20, 90)
    return rgb


def train_lines(last: int, interval: int, validations: dict, start: int = 0) -> list[dict]:
    """Lines of MMEngine's log; the loss is 2 less a hundredth of the iteration."""
    lines = []
    for step in range(start + 1, last + 1):
        if step % interval == 0:
            lines.append({"lr": 0.1, "loss": 2 - step / 100, "iter": step, "step": step})
        if step in validations:
            lines.append({"mitosis/f_score": validations[step], "mitosis/ap": 0.1, "step": 0})
    return lines


def write_log(run: Path, lines: list, config: str | None = CONFIG) -> None:
    """Write the log of a run: text lines as they are."""
    folder = run / "vis_data"
    folder.mkdir(parents=True, exist_ok=True)
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / "scalars.json").write_text("\n".join(texts))
    if config is not None:
        (folder / "config.py").write_text(config)


class Page(HTMLParser):
    """The elements of a page, as a browser's parser sees them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self._texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] not in ("style", "script"):
            self._texts.append(data)

    @property
    def text(self) -> str:
        """What is read, with single spaces."""
        return " ".join(" ".join(self._texts).split())

    def all(self, tag: str) -> list[dict]:
        """Attributes of the elements of a kind."""
        return [attrs for name, attrs in self.elements if name == tag]
