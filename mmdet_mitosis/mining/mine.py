"""Mining a split: detect, match, choose, write."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config, ConfigDict
from mmengine.dataset import BaseDataset
from torch import nn
from tqdm import tqdm

import mmdet_mitosis
from mmdet_mitosis.datasets.fields import field_size, read_window
from mmdet_mitosis.evaluation.centroid_fscore import CentroidFScore
from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.fileio import clear_unfinished, write_json_atomic
from mmdet_mitosis.mining.candidates import (
    SOURCES,
    Candidate,
    Judged,
    drawn,
    judge_field,
    look_alikes_of,
    mitoses_of,
    random_nuclei_of,
    surest,
)
from mmdet_mitosis.mining.detector import (
    build_dataset,
    detect_fields,
    split_dataset,
    split_metric,
    windows_by_field,
)
from mmdet_mitosis.mining.nuclei import find_nuclei
from mmdet_mitosis.mining.store import MiningStore, digest_file
from mmdet_mitosis.places import below


@dataclass(frozen=True)
class Stage1:
    """A trained detector and the threshold that makes candidates of its detections."""

    cfg: Config
    checkpoint: Path
    threshold: float
    threshold_from: str
    model: nn.Module


def mine_split(stage1: Stage1, split: str, out: Path, ratio: float, seed: int = 0) -> dict:
    """Find the candidates of a split, and write ``OUT/candidates/<split>.json``.

    Training gets every mitosis, and negatives at a ratio to them: stage 1's false positives, the
    surest first, then labelled look-alikes, then random nuclei. Validation gets what stage 1 finds.

    Args:
        stage1: The detector.
        split: ``train`` or ``val``.
        out: Folder to write to.
        ratio: Negatives a mitosis that are asked for in training.
        seed: Seed of what is drawn at random.

    Returns:
        ``info`` of the json.

    Raises:
        FileNotFoundError: If annotations or images are not there.
        ValueError: If the split has no mitosis or cannot be mined.
    """
    dataset_cfg = split_dataset(stage1.cfg, split)
    dataset = build_dataset(dataset_cfg)
    metric = split_metric(stage1.cfg, dataset.ann_file, stage1.threshold)
    if metric.truth.tiles:
        raise ValueError(f"{dataset.ann_file} holds tiles: mining reads whole fields")
    n_mitoses = sum(len(truth.centroids_xy) for truth in metric.fields)
    if not n_mitoses:
        raise ValueError(f"{dataset.ann_file} has no labelled mitosis: there is nothing to refine")
    paths = _image_paths(dataset, metric)
    store = MiningStore(out, split, _what_decides(stage1, dataset_cfg, dataset.ann_file, paths))
    found = _detect(stage1, split, dataset, metric, store)
    judged = [judge_field(t, found[t.image_id], metric.radius_um) for t in metric.fields]
    if split == "train":
        chosen = _choose(judged, round(ratio * n_mitoses), paths, store, seed)
    else:
        chosen = [c for j in judged for c in (*j.hits, *j.false_positives, *j.second_hits)]
    info = _info(stage1, split, metric, judged, chosen)
    info |= {"seed": seed, "ratio_asked": ratio if split == "train" else None}
    path = out / "candidates" / f"{split}.json"
    clear_unfinished(path.parent, path.name)
    write_json_atomic(path, _content(info, dataset.ann_file, metric, chosen))
    return info


def _info(
    stage1: Stage1,
    split: str,
    metric: CentroidFScore,
    judged: Sequence[Judged],
    chosen: Sequence[Candidate],
) -> dict[str, Any]:
    """Say where candidates are from, and count them."""
    counts = Counter(candidate.source for candidate in chosen)
    n_mitoses = sum(len(truth.centroids_xy) for truth in metric.fields)
    return {
        "split": split,
        "config": str(stage1.cfg.filename),
        "checkpoint": str(stage1.checkpoint),
        "threshold": stage1.threshold,
        "threshold_from": stage1.threshold_from,
        "radius_um": metric.radius_um,
        "ratio_reached": round(sum(not c.label for c in chosen) / n_mitoses, 3),
        "n_fields": len(metric.fields),
        "n_fields_unlabelled": len(metric.truth.unlabelled),
        "n_mitoses": n_mitoses,
        "n_mitoses_found": sum(len(j.hits) for j in judged),
        "n_second_hits": sum(len(j.second_hits) for j in judged),
        "counts": {source: counts[source] for source in SOURCES},
    }


def _image_paths(dataset: BaseDataset, metric: CentroidFScore) -> dict[int, Path]:
    """Give the image file of each field."""
    folder = dataset.data_prefix.get("img", dataset.data_root or "")
    paths = {
        truth.image_id: below(
            folder, truth.file_name, f"{metric.ann_file}, image {truth.image_id!r}"
        )
        for truth in metric.fields
    }
    for path in paths.values():
        if not path.is_file():
            raise FileNotFoundError(f"no such image: {path}")
    return paths


def _what_decides(
    stage1: Stage1, dataset: ConfigDict, ann_file: str, paths: dict[int, Path]
) -> dict[str, Any]:
    """List all that decides what is found in a split."""
    files = {str(path): path.stat() for path in paths.values()}
    return {
        "version": mmdet_mitosis.__version__,
        "model": stage1.cfg.model,
        "checkpoint": digest_file(stage1.checkpoint),
        "threshold": stage1.threshold,
        "dataset": dataset,
        "batch_size": stage1.cfg.val_dataloader.batch_size,
        "evaluator": stage1.cfg.val_evaluator,
        "annotations": digest_file(ann_file),
        "images": {name: (status.st_size, status.st_mtime_ns) for name, status in files.items()},
    }


def _detect(
    stage1: Stage1, split: str, dataset: BaseDataset, metric: CentroidFScore, store: MiningStore
) -> dict[int, FieldDetections]:
    """Run stage 1 over the fields that are not done, and read all that were."""
    ids = [truth.image_id for truth in metric.fields]
    left = [image_id for image_id in ids if not store.has("detections", image_id)]
    if left:
        windows = windows_by_field(dataset)
        pending = {image_id: windows[image_id] for image_id in left}
        loader = stage1.cfg.val_dataloader
        with tqdm(total=len(ids), initial=len(ids) - len(left), desc=split, unit="field") as bar:
            for image_id, found in detect_fields(stage1.model, dataset, pending, metric, loader):
                points = np.round(found.centers_xy, 2).tolist()
                scores = np.round(found.scores, 6).tolist()
                store.write("detections", image_id, {"points": points, "scores": scores})
                bar.update()
    return {image_id: _read_detections(store, image_id) for image_id in ids}


def _read_detections(store: MiningStore, image_id: int) -> FieldDetections:
    """Read a field's detections; their boxes are not needed any more."""
    kept = store.read("detections", image_id)
    points = np.array(kept["points"], dtype=float).reshape(-1, 2)
    scores = np.array(kept["scores"], dtype=float)
    return FieldDetections(points, scores, np.tile(points, 2), [[] for _ in scores])


def _choose(
    judged: Sequence[Judged],
    n_negatives: int,
    paths: dict[int, Path],
    store: MiningStore,
    seed: int,
) -> list[Candidate]:
    """Choose what is trained on: all mitoses, and negatives of one source after the other."""
    negatives = surest([c for j in judged for c in j.false_positives], n_negatives)
    look_alikes = [c for j in judged for c in look_alikes_of(j)]
    negatives += drawn(look_alikes, n_negatives - len(negatives), seed)
    if len(negatives) < n_negatives:
        nuclei = [
            nucleus
            for j in tqdm(judged, "nuclei", unit="field")
            for nucleus in random_nuclei_of(j, _nuclei(j, paths, store))
        ]
        negatives += drawn(nuclei, n_negatives - len(negatives), seed)
    return [c for j in judged for c in mitoses_of(j)] + negatives


def _nuclei(judged: Judged, paths: dict[int, Path], store: MiningStore) -> np.ndarray:
    """Find the nuclei of a field, or read those found before."""
    truth = judged.truth
    if not store.has("nuclei", truth.image_id):
        path = paths[truth.image_id]
        rgb = read_window(path, (0, 0, *field_size(path)))
        points = find_nuclei(rgb, truth.mpp, judged.radius_px * truth.mpp)
        store.write("nuclei", truth.image_id, np.round(points, 2).tolist())
    return np.array(store.read("nuclei", truth.image_id), dtype=float).reshape(-1, 2)


def _content(
    info: dict, ann_file: str, metric: CentroidFScore, chosen: Sequence[Candidate]
) -> dict[str, Any]:
    """Put the file of a split together: by field, mitoses first."""
    order = {truth.image_id: number for number, truth in enumerate(metric.fields)}
    images = json.loads(Path(ann_file).read_text(encoding="utf-8"))["images"]
    chosen = sorted(chosen, key=lambda c: (order[c.image_id], SOURCES.index(c.source), c.point_xy))
    return {
        "info": info,
        "images": [image for image in images if image["id"] in order],
        "candidates": [
            {
                "id": number,
                "image_id": candidate.image_id,
                "point": [round(value, 2) for value in candidate.point_xy],
                "label": candidate.label,
                "source": candidate.source,
                "score": candidate.score,
            }
            for number, candidate in enumerate(chosen, start=1)
        ],
    }


def describe(info: dict) -> str:
    """Say what was mined.

    Args:
        info: Of :func:`mine_split`.

    Returns:
        A few lines.
    """
    counts = info["counts"]
    n_negatives = sum(counts[source] for source in SOURCES[1:])
    asked = "" if info["ratio_asked"] is None else f" (asked 1:{info['ratio_asked']:g})"
    lines = [
        f"{info['split']}: {info['n_fields']} fields, {info['n_mitoses']} mitoses, "
        f"{info['n_mitoses_found']} of them found by stage 1 at its threshold of "
        f"{info['threshold']:.4f}",
        f"  {n_negatives} negatives: {counts['false_positive']} false positives, "
        f"{counts['look_alike']} look-alikes, {counts['random']} random nuclei; "
        f"ratio 1:{info['ratio_reached']:.2f}{asked}",
    ]
    if not n_negatives:
        lines.append("  without negatives no refiner can be told from another: lower --threshold")
    second, unlabelled = info["n_second_hits"], info["n_fields_unlabelled"]
    if second:
        what = "left out" if info["split"] == "train" else "among the false positives"
        lines.append(f"  {second} second hits on a mitosis {what}")
    if unlabelled:
        lines.append(f"  {unlabelled} fields left out that nobody has labelled")
    return "\n".join(lines)
