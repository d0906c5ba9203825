"""Let several detectors, or one in several views of each window, or both, judge together.

python tools/ensemble.py CONFIG CHECKPOINT… --views all --out work_dirs/ensemble

The folder gets the config ensemble.py and best_ensemble.pth, with the threshold that validation
chose for the ensemble: tools/test.py and tools/infer.py take them as those of any detector. Logs
and what tools/test.py writes go into its folder work.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmdet.utils import get_test_pipeline_cfg
from mmengine.config import Config, ConfigDict

from mmdet_mitosis.cli import run_main
from mmdet_mitosis.engine.checkpoints import find_checkpoint, read_checkpoint
from mmdet_mitosis.engine.config_options import ConfigOptions
from mmdet_mitosis.engine.embedded_config import config_of_checkpoint
from mmdet_mitosis.engine.joining import load_part, write_joined
from mmdet_mitosis.engine.launch import build_runner, for_testing, load_config
from mmdet_mitosis.evaluation.centroid_fscore import CHOOSE
from mmdet_mitosis.fileio import check_writable, write_bytes_atomic
from mmdet_mitosis.models.views import VIEW_SETS, VIEWS

NAME = "ensemble"
WORK = "work"
"""Folder for logs and results: a runner leaves its config there, under the name that it has."""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="ensemble.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", help="config of the data, as those of the detectors have it")
    parser.add_argument(
        "checkpoints",
        nargs="+",
        metavar="checkpoint",
        help="of a detector, or its work folder; it brings the detector's config",
    )
    parser.add_argument("--out", required=True, type=Path, help="folder for all that is written")
    parser.add_argument(
        "--views",
        nargs="+",
        default=["one"],
        choices=[*VIEW_SETS, *VIEWS],
        metavar="NAME",
        help="ways in which each window is looked at: one (as it is, the default), flips (the 4 "
        f"upright ones), all (8), or some of {', '.join(VIEWS)}",
    )
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=ConfigOptions,
        help="override settings of the config: key=value, with dotted keys",
    )
    args = parser.parse_args(argv)
    if len(args.views) == 1 and args.views[0] in VIEW_SETS:
        args.views = args.views[0]
    elif set(args.views) & set(VIEW_SETS):
        parser.error(f"--views takes one of {', '.join(VIEW_SETS)}, or names of views")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = load_config(args.config, str(args.out / WORK), args.cfg_options)
    paths = [find_checkpoint(path) for path in args.checkpoints]
    check_writable(args.out)
    read = [read_checkpoint(path) for path in paths]
    models = [model_of(*pair, cfg, args.config) for pair in zip(paths, read, strict=True)]
    settings = cfg.to_dict()
    settings["model"] = {"type": "EnsembleDetector", "detectors": models, "views": args.views}
    settings.update(load_from=None, resume=False)
    cfg = Config(settings, cfg.text, args.out / f"{NAME}.py")
    runner = build_runner(for_testing(cfg, "val", CHOOSE))
    for detector, stored, path in zip(runner.model.detectors, read, paths, strict=True):
        load_part(detector, stored, path)
    out = args.out / f"best_{NAME}.pth"
    record = write_joined(out, cfg, runner, read, {"detectors": [str(path) for path in paths]})
    write_bytes_atomic(cfg.filename, cfg.pretty_text.encode())
    print(
        f"{len(paths)} detectors, {len(runner.model.views)} views: threshold "
        f"{record['threshold']:.3f}, F-score {record['f_score']:.3f} on {record['chosen_on']} "
        f"(validation)\nconfig: {cfg.filename}\ncheckpoint: {out}"
    )


def model_of(path: Path, stored: dict, cfg: Config, config: str) -> ConfigDict:
    """Give the config of a checkpoint's model; refuse one that was made for other windows.

    A checkpoint that carries no config is taken to be of ``cfg``'s model.
    """
    if "cfg" not in stored.get("meta", {}):
        return cfg.model
    own = config_of_checkpoint(stored, path)
    for key in ("model", "test_dataloader"):
        if key not in own:
            raise ValueError(f"the config of {path} is no detector's: it has no {key!r}")
    for what, (given, wanted) in _windows_of(own, cfg).items():
        if given != wanted:
            raise ValueError(
                f"{path} was made for other windows than {config} gives: its {what} is {given}, "
                f"not {wanted}"
            )
    return own.model


def _windows_of(own: Config, cfg: Config) -> dict[str, tuple]:
    """Pair what two configs say of the windows that a detector is given."""
    both = (own, cfg)
    return {
        "test pipeline": tuple(get_test_pipeline_cfg(one) for one in both),
        "window_size": tuple(one.test_dataloader.dataset.get("window_size") for one in both),
        "mpp": tuple(one.get("mpp") for one in both),
    }


if __name__ == "__main__":
    run_main(main, "ensemble.py")
