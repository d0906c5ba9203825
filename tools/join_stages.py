"""Join the two stages: python tools/join_stages.py CONFIG CANDIDATES REFINER --out JOINED.pth."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import DictAction
from mmengine.runner.checkpoint import weights_to_cpu
from torch import nn

from mmdet_mitosis.cli import run_main
from mmdet_mitosis.engine.checkpoints import (
    check_weights,
    find_checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from mmdet_mitosis.engine.costs import joined_training
from mmdet_mitosis.engine.launch import build_runner, for_testing, load_config
from mmdet_mitosis.engine.threshold_hook import KEY, choose_on_validation, choose_threshold
from mmdet_mitosis.engine.timing_hook import KEY as TRAINING
from mmdet_mitosis.evaluation.centroid_fscore import CHOOSE
from mmdet_mitosis.fileio import check_writable
from mmdet_mitosis.models import TwoStageMitosisDetector


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="join_stages.py", description=__doc__)
    parser.add_argument("config", help="config of the joined detector")
    parser.add_argument("candidates", help="checkpoint of stage 1, or its work folder")
    parser.add_argument("refiner", help="checkpoint of stage 2, or its work folder")
    parser.add_argument("--out", required=True, help="write the joined checkpoint here (.pth)")
    parser.add_argument(
        "--candidate-threshold",
        type=float,
        help="lowest score of stage 1 that is refined, instead of the one in its checkpoint",
    )
    parser.add_argument("--work-dir", help="folder for logs")
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=DictAction,
        help="override settings of the config: key=value, with dotted keys",
    )
    args = parser.parse_args(argv)
    if Path(args.out).suffix != ".pth":
        parser.error(f"--out must end in .pth, got {args.out}")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = load_config(args.config, args.work_dir, args.cfg_options)
    stages = {name: find_checkpoint(getattr(args, name)) for name in ("candidates", "refiner")}
    for folder in (cfg.work_dir, Path(args.out).parent):
        check_writable(folder)
    read = {name: read_checkpoint(path) for name, path in stages.items()}
    threshold = candidate_threshold(
        stages["candidates"], read["candidates"], args.candidate_threshold
    )
    cfg.load_from, cfg.resume = None, False
    runner = build_runner(for_testing(cfg, "val", CHOOSE))
    if not isinstance(runner.model, TwoStageMitosisDetector):
        raise ValueError(
            f"{args.config} builds a {type(runner.model).__name__}; expected a config of a "
            "TwoStageMitosisDetector"
        )
    for name, path in stages.items():
        load_stage(getattr(runner.model, name), read[name]["state_dict"], path)
    runner.model.candidate_threshold.fill_(threshold)
    record = choose_on_validation(runner)
    meta = {
        "cfg": cfg.pretty_text,
        "dataset_meta": runner.test_dataloader.dataset.metainfo,
        **{name: str(path) for name, path in stages.items()},
    }
    state = weights_to_cpu(runner.model.state_dict())
    joined = {"meta": meta, "state_dict": state, KEY: record}
    training = joined_training(read.values())
    if training is not None:
        joined[TRAINING] = training
    write_checkpoint(args.out, joined)
    print(
        f"joined: candidates of at least {threshold:.4f}; threshold {record['threshold']:.3f}, "
        f"F-score {record['f_score']:.3f} on {record['chosen_on']} (validation)\n"
        f"checkpoint: {args.out}"
    )


def candidate_threshold(path: Path, stored: dict, given: float | None) -> float:
    """Take the threshold of the command line, else that of stage 1's checkpoint."""
    threshold, _ = choose_threshold(stored, path, given, "--candidate-threshold")
    if given is None:
        print(f"candidate threshold {threshold:.4f} from {path}, {_aim(stored[KEY])}")
    return threshold


def _aim(record: dict) -> str:
    """Say what stage 1's threshold was chosen for."""
    if "min_recall" not in record:
        return "which was chosen for the F-score: candidates want one that is chosen for recall"
    reached = "" if record["recall"] >= record["min_recall"] else ", which is out of reach"
    return (
        f"chosen for a recall of {record['min_recall']:g}{reached}: "
        f"{record['recall']:.3f} on {record['chosen_on']}"
    )


def load_stage(stage: nn.Module, given: dict, path: Path) -> None:
    """Load the weights of a stage; refuse those of another model."""
    check_weights(stage, given, path)
    given = {key.removeprefix("module."): value for key, value in given.items()}
    stage.load_state_dict({key: given[key] for key in stage.state_dict()})


if __name__ == "__main__":
    run_main(main, "join_stages.py")
