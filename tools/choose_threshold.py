"""Choose a detector's threshold on validation anew.

python tools/choose_threshold.py CONFIG CHECKPOINT --out NEW.pth
python tools/choose_threshold.py CONFIG CHECKPOINT --min-recall 0.95 --out NEW.pth

NEW.pth is the checkpoint with the threshold: that of the highest F-score, or with --min-recall a
lower one, for a detector whose detections are to be refined. For weights from elsewhere, too,
which bring no threshold.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmdet_mitosis.cli import run_main
from mmdet_mitosis.engine.checkpoints import find_checkpoint, read_checkpoint, write_checkpoint
from mmdet_mitosis.engine.config_options import ConfigOptions
from mmdet_mitosis.engine.launch import build_runner, for_testing, load_config
from mmdet_mitosis.engine.threshold_hook import KEY, choose_on_validation
from mmdet_mitosis.evaluation.centroid_fscore import CHOOSE
from mmdet_mitosis.fileio import check_writable

TRAINING_ONLY = ("optimizer", "param_schedulers")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="choose_threshold.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", help="config file")
    parser.add_argument("checkpoint", help="checkpoint, or a work folder with its best_*.pth")
    parser.add_argument("--out", required=True, help="write the checkpoint here (.pth)")
    parser.add_argument(
        "--min-recall",
        type=float,
        help="recall that the threshold has to reach; where it is out of reach, the highest",
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
    if args.min_recall is not None and not 0 < args.min_recall <= 1:
        parser.error(f"--min-recall must be over 0 and at most 1, got {args.min_recall}")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = load_config(args.config, args.work_dir, args.cfg_options)
    checkpoint = find_checkpoint(args.checkpoint)
    for folder in (cfg.work_dir, Path(args.out).parent):
        check_writable(folder)
    stored = read_checkpoint(checkpoint)
    cfg.load_from, cfg.resume = str(checkpoint), False
    testing = for_testing(cfg, "val", CHOOSE)
    testing.test_evaluator.min_recall = args.min_recall
    record = choose_on_validation(build_runner(testing))
    kept = {key: value for key, value in stored.items() if key not in TRAINING_ONLY}
    write_checkpoint(args.out, {**kept, KEY: record})
    reached = f", recall {record['recall']:.3f}" if "recall" in record else ""
    print(
        f"threshold {record['threshold']:.4f}: F-score {record['f_score']:.3f}{reached} on "
        f"{record['chosen_on']} (validation)"
    )
    if "threshold_once" in record:
        print(
            f"threshold {record['threshold_once']:.4f} where each place is looked at once, as "
            f"tools/infer.py does: F-score {record['f_score_once']:.3f}"
        )
    print(f"checkpoint: {args.out}")


if __name__ == "__main__":
    run_main(main, "choose_threshold.py")
