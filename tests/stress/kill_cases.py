"""The commands that are stopped, on tiny data, and what of their output has to be the same."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from mmdet_mitosis.engine.checkpoints import read_checkpoint
from tests.data_prep.archives import contents
from tests.stress.killing import Attack, Server
from tests.tools.commands import CONFIG, options

CASES = ("01", "21", "27")
TIMELESS = ("seconds", "time", "data_time", "memory", "eta")
"""Fields that cannot be the same twice."""
TIMED = ("meta", "message_hub", "mitosis_training")
"""Parts of a checkpoint that name times."""
N_ITERS = 6


def make_data(server: Server, root: Path) -> Path:
    """Paint an archive of three fields and prepare it."""
    archive = root / "archive"
    words = ["--out", archive, "--size", 256, "--fields-per-case", 1, "--cases", *CASES]
    server.succeed("synthesize", [*words, "--workers", 1], archive)
    server.succeed("prepare", ["tupac16", archive, "--out", root / "data"], root / "data")
    return root / "data"


def tiny(data: Path, n_iters: int = N_ITERS, width: int = 16) -> list[str]:
    """Give the settings of a detector that takes a few steps a second."""
    head, channels = "model.roi_head", [8, 16, 32, 64]
    words = [
        *options(data),
        f"train_cfg.max_iters={n_iters}",
        "default_hooks.checkpoint.max_keep_ckpts=1",
        "default_hooks.logger.interval=1",
        "model.backbone.base_channels=8",
        f"model.neck.in_channels={channels}".replace(" ", ""),
        f"model.neck.out_channels={width}",
        f"model.rpn_head.in_channels={width}",
        f"model.rpn_head.feat_channels={width}",
        f"{head}.bbox_roi_extractor.out_channels={width}",
        f"{head}.mask_roi_extractor.out_channels={width}",
        f"{head}.bbox_head.in_channels={width}",
        f"{head}.bbox_head.fc_out_channels=16",
        f"{head}.mask_head.in_channels={width}",
        f"{head}.mask_head.conv_out_channels={width}",
        f"{head}.mask_head.num_convs=1",
        "model.train_cfg.rpn_proposal.max_per_img=20",
        "model.test_cfg.rpn.max_per_img=20",
        "model.test_cfg.rcnn.max_per_img=5",
        "val_dataloader.dataset.window_size=256",
        "log_level=WARNING",
    ]
    return words


def make_work(server: Server, data: Path) -> Path:
    """Train for a few steps."""
    work = data.parent / "work"
    words = [CONFIG, "--work-dir", work, "--cfg-options", *tiny(data, 2)]
    server.succeed("train", words, work)
    return work


def snapshot(server: Server, case: Attack, words: list, place: Path) -> Attack:
    """Run a command with other words, and let the attacks begin with what that left."""
    shutil.rmtree(case.out, ignore_errors=True)
    server.succeed(case.command, words, case.out)
    case.out.rename(place)
    return Attack(case.command, case.words, case.out, case.result, case.look, place)


def visible(out: Path) -> dict[str, Any]:
    """Read what is not hidden, without times."""
    return {n: data for n, data in everything(out).items() if not f"/{n}".count("/.")}


def everything(out: Path) -> dict[str, Any]:
    """Read all files, hidden ones too, without times; locks may stay."""
    return {
        name: timeless(name, data)
        for name, data in contents(out).items()
        if not name.endswith(".lock") and "/log/" not in name
    }


def timeless(name: str, data: bytes) -> Any:
    """Take out of a file what cannot be the same twice; json and tables are parsed by that."""
    if name.endswith((".json", ".geojson")) and b'"seconds"' in data:
        return json.loads(data, object_hook=without_times)
    if name.endswith("summary.csv"):
        rows = csv.DictReader(io.StringIO(data.decode()))
        return [without_times(row) for row in rows]
    return data


def without_times(record: dict) -> dict:
    return {key: value for key, value in record.items() if key not in TIMELESS}


def prepare_cases(server: Server, data: Path, root: Path) -> Iterator[Attack]:
    """Tiles and stained fields in two processes; copies and fits; json alone; over an old set."""
    archive, out = data.parent / "archive", root / "out"
    plain = ["tupac16", archive, "--out", out, "--preview", 3]
    pixels = ["--write-tiles", "--window", 96, "--workers", 2]
    sets = [
        [*plain, *pixels, "--stain", "reinhard"],
        [*plain, *pixels, "--store", "--stain-fits", "reinhard"],
        plain,
    ]
    cases = [Attack("prepare", words, out, everything, visible) for words in sets]
    yield from cases
    older = ["tupac16", archive, "--out", out, "--split", "none", "--seed", 1]
    yield snapshot(server, cases[2], older, root / "older")
    yield snapshot(server, cases[0], [*older, *pixels], root / "older_pixels")


def train_cases(server: Server, data: Path, root: Path, n_iters: int = N_ITERS) -> Iterator[Attack]:
    """A training with validations and checkpoints that replace each other."""
    out = root / "out"
    words = [CONFIG, "--work-dir", out, "--resume", "--cfg-options", *tiny(data, n_iters)]
    server.succeed("train", [*words, "default_hooks.checkpoint.max_keep_ckpts=-1"], out)
    passing = weights(out)
    (best,) = (path.name for path in out.glob("best_*"))
    prefix = best.partition("iter_")[0]
    passing |= {f"{prefix}{name}": held for name, held in passing.items() if name != best}
    yield Attack("train", words, out, trained, weights, None, passing)


def weights(out: Path) -> dict[str, str]:
    """Digest the weights of each checkpoint, which are the same whatever is yet to be noted."""
    found = out.glob("*.pth") if out.is_dir() else ()
    return {path.name: digest(read_checkpoint(path)["state_dict"]) for path in found}


def trained(out: Path) -> dict[str, Any]:
    """Read what a training is to end with: its checkpoints and curves; temporary files too."""
    lines = {}
    for path in sorted(out.glob("*/vis_data/scalars.json")):
        for line in path.read_text().splitlines():
            record = without_times(json.loads(line))
            kind = "loss" if "loss" in record else "score"
            lines.setdefault(f"{kind} {record['step']}", set()).add(json.dumps(record))
    left = {path.name: "" for path in out.iterdir() if path.name.startswith(".")}
    left.pop(".train.lock", None)
    return {**checkpoints(out), **lines, **left, "last": (out / "last_checkpoint").read_text()}


def checkpoints(out: Path) -> dict[str, Any]:
    """Digest the weights, and the state of the optimizer and the like, of each checkpoint."""
    found = {}
    for path in out.glob("*.pth"):
        held = read_checkpoint(path)
        found[path.name] = digest({k: v for k, v in held.items() if k not in TIMED})
    return found


def digest(value: Any) -> str:
    """Give a digest of what a checkpoint holds, to the last bit."""
    found = hashlib.sha256()

    def add(part: Any) -> None:
        if isinstance(part, torch.Tensor):
            found.update(f"{part.dtype}{tuple(part.shape)}".encode() + part.numpy().tobytes())
        elif isinstance(part, dict):
            for key in part:
                found.update(repr(key).encode())
                add(part[key])
        elif isinstance(part, list | tuple):
            found.update(repr(len(part)).encode())
            for item in part:
                add(item)
        else:
            found.update(repr(part).encode())

    add(value)
    return found.hexdigest()


def mine_cases(server: Server, data: Path, work: Path, root: Path) -> Iterator[Attack]:
    """Mine both splits; also where another threshold has mined before."""
    out = root / "out"
    start = [CONFIG, work, "--out", out, "--threshold"]
    last = ["--cfg-options", *tiny(data), "val_dataloader.num_workers=1"]
    case = Attack("mine_candidates", [*start, 0.02, *last], out, everything, visible)
    yield case
    yield snapshot(server, case, [*start, 0.3, *last], root / "older")


def infer_cases(server: Server, data: Path, work: Path, root: Path) -> Iterator[Attack]:
    """Count in two fields; also where another threshold has counted before."""
    out, slides = root / "out", root / "slides"
    slides.mkdir()
    fields = sorted((data.parent / "archive").rglob("*.tif*"))[:2]
    for number, path in enumerate(fields):
        shutil.copy(path, slides / f"{number}{path.suffix}")
    words = [slides, "--checkpoint", work, "--out", out, "--mpp", 0.25, "--device", "cpu"]
    words += ["--picture-side", 128, "--threshold"]
    case = Attack("infer", [*words, 0.01], out, everything, visible)
    yield case
    yield snapshot(server, case, [*words, 0.5], root / "older")
