"""Compare detectors on the same split.

Tested with tools/test.py, by their work folders; the first is what the others are compared with:
  python tools/compare.py work_dirs/maskrcnn work_dirs/two_stage

Any detectors, by their results (see docs/scoring.md for the formats):
  python tools/compare.py --gt test.json --detector ours a.json 0.6 --detector theirs b.json 0.4

The same with thresholds chosen on the validation split:
  python tools/compare.py --gt test.json --choose-on val.json \\
      --detector ours a.json a_val.json --detector theirs b.json b_val.json
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmdet_mitosis.cli import run_main
from mmdet_mitosis.evaluation.comparison import (
    Contender,
    compare_detectors,
    comparison_csv,
    comparison_markdown,
    format_comparison,
)
from mmdet_mitosis.evaluation.results import (
    Target,
    Threshold,
    check_scores,
    choose_on,
    load_target,
    own_threshold,
    read_results,
)
from mmdet_mitosis.evaluation.results.options import add_scoring_options, finite_number
from mmdet_mitosis.evaluation.results.work_folder import read_work_folders
from mmdet_mitosis.fileio import check_writable, write_bytes_atomic
from mmdet_mitosis.texts import json_line

WRITERS = {
    ".md": comparison_markdown,
    ".csv": comparison_csv,
    ".json": lambda comparison: f"{json_line(comparison)}\n",
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="compare.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("work", nargs="*", type=Path, help="work folders of tools/test.py")
    parser.add_argument("--split", default="test", help="split of the work folders (default: test)")
    parser.add_argument("--gt", type=Path, metavar="GT.json", help="COCO json of the split")
    parser.add_argument(
        "--detector",
        nargs="+",
        action="append",
        default=[],
        metavar="WORD",
        help="NAME RESULTS THRESHOLD, with --choose-on NAME RESULTS VAL_RESULTS; two words are "
        "enough for results that have no scores or decide for themselves",
    )
    parser.add_argument(
        "--choose-on",
        type=Path,
        metavar="VAL_GT.json",
        help="choose the thresholds of --detector on the validation split",
    )
    add_scoring_options(parser)
    parser.add_argument(
        "--json", action="store_true", help="print one json object and nothing else"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write .md, .json or .csv too")
    args = parser.parse_args(argv)
    check_args(parser, args)
    return args


def check_args(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse what does not go together."""
    for words in args.detector:
        if len(words) not in (2, 3):
            parser.error(f"--detector takes NAME RESULTS [THRESHOLD], got {' '.join(words)}")
    if len(args.work) + len(args.detector) < 2:
        parser.error("give at least two detectors: work folders, or --detector")
    if args.detector and not args.work and not args.gt:
        parser.error("--detector needs the ground truth: --gt GT.json")
    if args.choose_on and not args.detector:
        parser.error("--choose-on is for --detector: work folders have their thresholds")
    if args.out and args.out.suffix not in WRITERS:
        parser.error(f"--out must end in {', '.join(WRITERS)}, got {args.out}")


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    if args.out:
        check_writable(args.out.parent)
    target = load_target(args.gt, args.mpp) if args.gt else None
    contenders = []
    if args.work:
        target, contenders = read_work_folders(args.work, args.split, target, args.mpp)
    val = load_target(args.choose_on, args.mpp) if args.choose_on else None
    contenders += [read_detector(words, target, val, args.radius_um) for words in args.detector]
    comparison = compare_detectors(target, contenders, args.radius_um, args.method)
    print(json_line(comparison) if args.json else format_comparison(comparison))
    if args.out:
        write_bytes_atomic(args.out, WRITERS[args.out.suffix](comparison).encode())
        if not args.json:
            print(f"comparison: {args.out}")


def read_detector(
    words: list[str], target: Target, val: Target | None, radius_um: float
) -> Contender:
    """Read the results of a --detector and take its threshold."""
    name, results = words[0], read_results(words[1], target)
    threshold = own_threshold(results)
    if len(words) == 3:
        check_scores(results, words[2])
        if val is None:
            threshold = Threshold(number(name, words[2]), "the command line")
        else:
            threshold = choose_on(val, read_results(words[2], val), target, radius_um)
    if threshold is None:
        raise ValueError(
            f"no threshold for {name}: --detector NAME RESULTS THRESHOLD, or --choose-on "
            "VAL_GT.json and --detector NAME RESULTS VAL_RESULTS"
        )
    return Contender(name, results, threshold)


def number(name: str, text: str) -> float:
    """Read the threshold of a --detector."""
    try:
        return finite_number(text)
    except argparse.ArgumentTypeError as error:
        raise ValueError(
            f"the threshold of {name} {error}; results on a validation split go with --choose-on"
        ) from error


if __name__ == "__main__":
    run_main(main, "compare.py")
