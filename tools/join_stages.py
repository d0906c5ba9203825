"""Join the two stages: python tools/join_stages.py CONFIG CANDIDATES REFINER --out JOINED.pth."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmdet_mitosis.cli import printable, run_main
from mmdet_mitosis.engine.checkpoints import find_checkpoint, read_checkpoint
from mmdet_mitosis.engine.config_options import ConfigOptions
from mmdet_mitosis.engine.joining import load_part, write_joined
from mmdet_mitosis.engine.launch import build_runner, for_testing, load_config
from mmdet_mitosis.engine.threshold_hook import KEY, choose_threshold
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
        action=ConfigOptions,
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
        load_part(getattr(runner.model, name), read[name], path)
    runner.model.candidate_threshold.fill_(threshold)
    sources = {name: str(path) for name, path in stages.items()}
    record = write_joined(args.out, cfg, runner, read.values(), sources)
    print(
        f"joined: candidates of at least {threshold:.4f}; threshold {record['threshold']:.3f}, "
        f"F-score {record['f_score']:.3f} on {record['chosen_on']} (validation)\n"
        f"checkpoint: {args.out}"
    )


def candidate_threshold(path: Path, stored: dict, given: float | None) -> float:
    """Take the threshold of the command line, else that of stage 1's checkpoint."""
    threshold, _ = choose_threshold(stored, path, given, "--candidate-threshold")
    if given is None:
        print(f"candidate threshold {threshold:.4f} from {path}, {printable(_aim(stored[KEY]))}")
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


if __name__ == "__main__":
    run_main(main, "join_stages.py")
