"""Score any detector's results against a ground truth: python tools/score.py GT.json RESULTS.

RESULTS are COCO results, MIDOG's json or a folder of it, or a folder of TUPAC16's CSV files; see
docs/scoring.md. Choose the threshold on the validation split (--choose-on), or give one that was
chosen there (--threshold).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmdet_mitosis.cli import run_main
from mmdet_mitosis.evaluation.results import (
    Results,
    Target,
    Threshold,
    as_oracle,
    check_scores,
    choose_on,
    format_results,
    load_target,
    own_threshold,
    read_results,
    score_results,
    tune,
)
from mmdet_mitosis.evaluation.results.options import add_scoring_options, finite_number
from mmdet_mitosis.fileio import check_writable, write_json_atomic
from mmdet_mitosis.texts import json_line


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="score.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ground_truth", type=Path, metavar="GT.json", help="COCO json of the split")
    parser.add_argument("results", type=Path, metavar="RESULTS", help="file or folder")
    threshold = parser.add_mutually_exclusive_group()
    threshold.add_argument(
        "--threshold",
        type=finite_number,
        metavar="T",
        help="lowest score that counts, of results that have scores",
    )
    threshold.add_argument(
        "--choose-on",
        nargs=2,
        type=Path,
        metavar=("VAL_GT.json", "VAL_RESULTS"),
        help="choose the threshold on the validation split",
    )
    threshold.add_argument(
        "--oracle",
        action="store_true",
        help="tune the threshold on the split itself; no F-score of a detector comes of it",
    )
    add_scoring_options(parser)
    parser.add_argument(
        "--json", action="store_true", help="print one json object and nothing else"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write that json here too")
    args = parser.parse_args(argv)
    if args.out and args.out.suffix != ".json":
        parser.error(f"--out must end in .json, got {args.out}")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    if args.out:
        check_writable(args.out.parent)
    target = load_target(args.ground_truth, args.mpp)
    results = read_results(args.results, target)
    threshold = choose_threshold(args, target, results)
    summary = score_results(target, results, threshold, args.radius_um, args.method)
    figures = as_oracle(summary) if threshold.oracle else summary
    if args.json:
        print(json_line(figures))
    else:
        print(format_results(summary, threshold.oracle))
    if args.out:
        write_json_atomic(args.out, figures)
        if not args.json:
            print(f"figures: {args.out}")


def choose_threshold(args: argparse.Namespace, target: Target, results: Results) -> Threshold:
    """Take the threshold that the command line asks for, else the results' own.

    Where results have no scores, every detection counts whatever threshold is given.
    """
    if args.threshold is not None and results.has_scores:
        return Threshold(args.threshold, "--threshold")
    if args.choose_on:
        check_scores(results, "--choose-on")
        val = load_target(args.choose_on[0], args.mpp)
        return choose_on(val, read_results(args.choose_on[1], val), target, args.radius_um)
    if args.oracle:
        return tune(target, results, args.radius_um)
    own = own_threshold(results)
    if own is None:
        raise ValueError(
            f"no threshold for {results.path}: give --choose-on VAL_GT.json VAL_RESULTS, or "
            "--threshold T that was chosen on a validation split; --oracle tunes it on the split "
            "itself, for a figure of that name"
        )
    return own


if __name__ == "__main__":
    run_main(main, "score.py")
