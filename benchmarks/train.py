"""How fast training is beside MMDetection's own tools/train.py, on the same windows.

python benchmarks/train.py SOURCE ROOT --work DIR [--config CONFIG]

SOURCE and ROOT are those of data_prep/prepare.py. The same detector is trained from scratch, from
one seed, on the same windows in the same order:

- ours: tools/train.py, windows read from fields and normalised as the config says;
- stock: MMDetection's tools/train.py on CocoDataset, with the config's own augmentation, the
  default runtime of MMDetection, and the windows as PNG files that prepare.py --write-tiles
  --stain wrote. So that it runs where mmcv is not compiled, mmdet_mitosis.compat is installed
  before it.

They run in turn, --rounds times, the other one first each time. Times are medians over the
iterations after the first --warm-up ones, as MMEngine's IterTimerHook logs them; data time is what
the step waits for the loader. Processor time is that of all processes, start included: it says
more on a machine that others use too. Memory is the most of all processes of a run together.
Losses are printed beside each other: alike, for both do the same work, and not equal, for each
draws its flips and proposals in its own way.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import mmdet
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from terminaltables import AsciiTable

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.process_memory import Measured, measure
from mmdet_mitosis.cli import run_main, run_script
from mmdet_mitosis.datasets import MitosisDataset
from mmdet_mitosis.engine.config_options import ConfigOptions
from mmdet_mitosis.engine.launch import load_config
from mmdet_mitosis.fileio import write_json_atomic

REPO = Path(__file__).resolve().parents[1]
MIM = Path(mmdet.__file__).parent / ".mim"
SEED = 0
COLUMNS = [
    "s/iteration (least)",
    "data time, s",
    "share",
    "processor s/iteration",
    "memory, GiB",
    "on the GPU, GiB",
]
LOOK_S = 2.0
"""Time between two looks at the memory, s: each holds the training up for some ms."""
STOCK = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
from mmdet_mitosis import compat
compat.install()
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs MMDetection's script as it is, once mmcv's operators are answered."""


@dataclass(frozen=True)
class Run:
    """What a run took: its iterations as MMEngine logged them, and all in all."""

    iterations: list[dict]
    total: Measured


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="train.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", help="of prepare.py, such as mitos12")
    parser.add_argument("root", type=Path, help="folder of the archive")
    parser.add_argument("--work", type=Path, required=True, help="folder for all that it makes")
    parser.add_argument(
        "--config",
        default=str(REPO / "configs" / "maskrcnn_r101_tupac.py"),
        help="detector (default: maskrcnn_r101_tupac.py)",
    )
    parser.add_argument("--iterations", type=int, default=30, help="of a run (default: 30)")
    parser.add_argument("--warm-up", type=int, default=5, help="of them not timed (default: 5)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each (default: 3)")
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=ConfigOptions,
        help="settings of both, such as batch sizes",
    )
    parser.add_argument(
        "--ours", nargs="+", default=[], help="settings of ours alone, to see what they bring"
    )
    args = parser.parse_args(argv)
    if not 0 <= args.warm_up < args.iterations or args.rounds < 1:
        parser.error("--warm-up must be less than --iterations, and --rounds at least 1")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = load_config(args.config, None, args.cfg_options)
    fields, tiles = prepare(args, cfg)
    ours = our_config(args, cfg, fields)
    stock = stock_config(args, cfg, tiles, draw_windows(ours, args.iterations))
    commands = {
        "ours": [REPO / "tools" / "train.py", ours.filename, "--load-from", "none"],
        "stock": ["-c", STOCK, REPO, MIM / "tools" / "train.py", stock],
    }
    options = {"ours": ["--cfg-options", *args.ours] if args.ours else [], "stock": []}
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for number in range(args.rounds):
        for name in sorted(commands, reverse=bool(number % 2)):
            folder = args.work / "runs" / f"{name}_{number}"
            words = [*commands[name], "--work-dir", folder, *options[name]]
            runs[name].append(train(words, folder, args.iterations))
            print(table(runs, args.warm_up), flush=True)
    print(losses(runs))
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the end")


def prepare(args: argparse.Namespace, cfg: Config) -> tuple[Path, Path]:
    """Write the fields, and their windows with normalised stains; give the two folders."""
    dataset = cfg.train_dataloader.dataset
    method = next(
        (step.method for step in dataset.pipeline if step.type == "StainNormalize"), "none"
    )
    run = partial(run_script, REPO, "data_prep/prepare.py", args.source, args.root.resolve())
    work = args.work.resolve()
    fits, pixels = [], []
    if method != "none":
        fits, pixels = ["--stain-fits", method], ["--stain", method]
    run("--out", work / "fields", *fits)
    size = ("--window", dataset.window_size, "--overlap", dataset.overlap)
    run("--out", work / "tiles", "--write-tiles", *size, *pixels)
    return work / "fields", work / "tiles"


def our_config(args: argparse.Namespace, cfg: Config, fields: Path) -> Config:
    """Point the config to the fields, and let it log every iteration; write it."""
    ours = Config(cfg.to_dict())
    for split in ("train", "val", "test"):
        ours[f"{split}_dataloader"].dataset.data_root = f"{fields}/"
    for split in ("val", "test"):
        ours[f"{split}_evaluator"].ann_file = str(fields / "annotations" / f"{split}.json")
    ours.train_dataloader.sampler.seed = SEED
    ours.train_cfg.val_begin = args.iterations + 1
    return _write(ours, args, Path(args.config).name)


def draw_windows(cfg: Config, iterations: int) -> list[int]:
    """Draw the windows that our run trains on, as indices into its dataset, in order."""
    init_default_scope(cfg.default_scope)
    loader = Runner.build_dataloader(
        {**cfg.train_dataloader, "num_workers": 0, "persistent_workers": False}
    )
    needed = iterations * loader.batch_size
    if needed > len(loader.sampler):
        raise ValueError(
            f"an epoch has {len(loader.sampler)} windows: {iterations} iterations of "
            f"{loader.batch_size} need {needed}; take fewer --iterations"
        )
    return [int(index) for index in islice(loader.sampler, needed)]


def stock_config(
    args: argparse.Namespace, cfg: Config, tiles: Path, indices: Sequence[int]
) -> Path:
    """Write MMDetection's config of the same training, and the json of the windows drawn."""
    stock = Config.fromfile(MIM / "configs" / "_base_" / "default_runtime.py")
    stock.merge_from_dict(
        {key: cfg[key] for key in ("model", "optim_wrapper", "param_scheduler", "randomness")}
    )
    content = json.loads((tiles / "annotations" / "tiles_train.json").read_text())
    images = [content["images"][index] for index in indices]
    drawn = {image["id"] for image in images}
    annotations = [a for a in content["annotations"] if a["image_id"] in drawn]
    chosen = tiles / "annotations" / "drawn.json"
    write_json_atomic(chosen, {**content, "images": images, "annotations": annotations})
    loader = cfg.train_dataloader
    stock.train_cfg = {"type": "IterBasedTrainLoop", "max_iters": args.iterations}
    stock.train_dataloader = {
        "batch_size": loader.batch_size,
        "num_workers": loader.num_workers,
        "persistent_workers": loader.num_workers > 0,
        "sampler": {"type": "DefaultSampler", "shuffle": False},
        "batch_sampler": {"type": "AspectRatioBatchSampler"},
        "dataset": {
            "type": "CocoDataset",
            "ann_file": str(chosen),
            "data_prefix": {"img": str(tiles / "tiles" / "train")},
            "metainfo": {"classes": MitosisDataset.METAINFO["classes"]},
            "pipeline": [step for step in map(stock_step, loader.dataset.pipeline) if step],
        },
    }
    return Path(_write(stock, args, "stock.py").filename)


def stock_step(step: dict) -> dict | None:
    """Give MMDetection's step in the place of one of ours; None for one that tiles do not need."""
    match step["type"]:
        case "LoadWindow":
            return {"type": "LoadImageFromFile"}
        case "StainNormalize":
            return None
        case "PackDetInputs":
            return {"type": "PackDetInputs"}
    return step


def _write(cfg: Config, args: argparse.Namespace, name: str) -> Config:
    """Set what both runs share, and write a config below the work folder."""
    cfg.train_cfg.max_iters = args.iterations
    cfg.randomness.seed = SEED
    cfg.log_processor = {"type": "LogProcessor", "window_size": 1, "by_epoch": False}
    cfg.default_hooks.logger.interval = 1
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=-1, save_last=False)
    path = args.work / "configs" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    cfg.dump(path)
    return Config.fromfile(path)


def train(words: Sequence[object], folder: Path, n: int) -> Run:
    """Run a training, and read its log."""
    print(f"\n$ {folder.name}", flush=True)
    before = set(folder.glob("*/vis_data/scalars.json"))
    measured = measure([sys.executable, *words], LOOK_S)
    (log,) = set(folder.glob("*/vis_data/scalars.json")) - before
    iterations = [json.loads(line) for line in log.read_text().splitlines()]
    if len(iterations) != n:
        raise ValueError(f"{log} has {len(iterations)} iterations, expected {n}")
    return Run(iterations, measured)


def table(runs: dict[str, list[Run]], warm_up: int) -> str:
    """Lay out what each took, and what that is of stock's."""
    rows = [["", *COLUMNS]]
    for name, done in runs.items():
        if not done:
            continue
        seconds = [value for run in done for value in _column(run, "time", warm_up)]
        waits = [value for run in done for value in _column(run, "data_time", warm_up)]
        processor = [run.total.processor_seconds / len(run.iterations) for run in done]
        on_gpu = max(row.get("memory", 0) for run in done for row in run.iterations) / 2**10
        rows.append(
            [
                name,
                f"{statistics.median(seconds):.3f} ({min(seconds):.3f})",
                f"{statistics.median(waits):.4f}",
                f"{sum(waits) / sum(seconds):.2%}",
                f"{statistics.median(processor):.3f}",
                f"{max(run.total.peak_bytes for run in done) / 2**30:.2f}",
                f"{on_gpu:.2f}" if on_gpu else "none",
            ]
        )
    return f"{AsciiTable(rows).table}\n{ratios(runs, warm_up)}"


def ratios(runs: dict[str, list[Run]], warm_up: int) -> str:
    """Say what ours takes of stock's, run by run."""
    parts = []
    for ours, stock in zip(runs["ours"], runs["stock"], strict=False):
        step = [statistics.median(_column(run, "time", warm_up)) for run in (ours, stock)]
        processor = [run.total.processor_seconds for run in (ours, stock)]
        parts.append((step[0] / step[1], processor[0] / processor[1]))
    if not parts:
        return ""
    step, processor = (statistics.median(column) for column in zip(*parts, strict=True))
    each = ", ".join(f"{ratio:.3f}" for ratio, _ in parts)
    return (
        f"ours takes {step:.3f} of stock's time an iteration (round by round: {each}), and "
        f"{processor:.3f} of its processor time"
    )


def _column(run: Run, key: str, warm_up: int) -> list[float]:
    """Give a value of every iteration that is timed."""
    return [row[key] for row in run.iterations[warm_up:]]


def losses(runs: dict[str, list[Run]]) -> str:
    """Say how far apart the losses of the first runs are."""
    ours, stock = ([row["loss"] for row in runs[name][0].iterations] for name in ("ours", "stock"))
    worst = max(abs(a - b) / abs(b) for a, b in zip(ours, stock, strict=True))
    return (
        f"loss of the first iteration: {ours[0]:.5f} ours, {stock[0]:.5f} stock; of the last: "
        f"{ours[-1]:.5f} and {stock[-1]:.5f}; largest difference of any: {worst:.2%}"
    )


if __name__ == "__main__":
    run_main(main, "train.py")
