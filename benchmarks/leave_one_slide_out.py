"""The F-score of a config on slides that it has not seen, each slide held out in turn.

python data_prep/prepare.py mitos12 ROOT --out DATA --split none
python benchmarks/leave_one_slide_out.py CONFIG --data DATA --work DIR --load-from FILE

Of the other slides every fourth field is left out of training; the threshold is chosen on these,
after the last iteration, and no iteration is chosen: the held-out slide has no part in either.
With --pairs a second table has thresholds that were chosen on whole slides: on each of the other
slides, by a detector that has seen neither it nor the slide that is held out.
The oracle is what a threshold tuned on the held-out slide itself would give.
Runs that are done are not run again; two processes with other --seeds share the work, without
--pairs also two with other --slides.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from slide_runs import SlideRuns, Test
from terminaltables import GithubFlavoredMarkdownTable

from mmdet_mitosis.cli import run_main
from mmdet_mitosis.evaluation.functional import Counts
from mmdet_mitosis.evaluation.scoring import (
    FieldScore,
    f_score_interval,
    score_fields,
    split_curve,
    total,
)
from mmdet_mitosis.models.views import VIEW_SETS

COUNTED = ["TP", "FP", "FN", "precision", "recall", "F-score (95 %)"]
HEADER = ["held out", "seed", *COUNTED, "threshold", "AP", "oracle F"]
TOGETHER = "together"


class Row(NamedTuple):
    """A slide that was held out, with one seed, or with all of them judging together."""

    slide: str
    seed: str
    scores: list[FieldScore]
    threshold: float
    test: Test


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="leave_one_slide_out.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder with annotations/all.json")
    parser.add_argument("--work", type=Path, required=True, help="folder for all that it makes")
    parser.add_argument("--load-from", default="none", help="weights to start from (default: none)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="(default: 0 1 2)")
    parser.add_argument("--slides", nargs="+", help="those to hold out (default: each)")
    parser.add_argument("--ensemble", action="store_true", help="let the seeds judge together, too")
    parser.add_argument(
        "--views", choices=list(VIEW_SETS), default="one", help="of --ensemble (default: one)"
    )
    parser.add_argument("--pairs", action="store_true", help="choose thresholds on slides, too")
    parser.add_argument("--cfg-options", nargs="+", default=[], help="further settings")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    runs = SlideRuns(
        args.config,
        args.data,
        args.work,
        args.load_from,
        tuple(args.seeds),
        args.views,
        tuple(args.cfg_options),
    )
    slides = args.slides or runs.slides()
    show_tables("thresholds from other fields of the training slides", runs, slides, args, own_row)
    if args.pairs:
        show_tables(
            "thresholds from slides that were not trained on", runs, slides, args, pairs_row
        )


Tester = Callable[[Sequence[str]], Test]
"""Gives what detectors without these slides found on them."""


def show_tables(
    title: str,
    runs: SlideRuns,
    slides: Sequence[str],
    args: argparse.Namespace,
    make: Callable[[SlideRuns, str, str, Tester], Row],
) -> None:
    """Make all rows; print after each what there is."""
    testers: dict[str, Tester] = {str(seed): partial(runs.test, seed=seed) for seed in args.seeds}
    if args.ensemble:
        testers[TOGETHER] = runs.test_together
    rows = []
    for seed, tester in testers.items():
        for slide in slides:
            rows.append(make(runs, slide, seed, tester))
            print(f"\n{title}:\n{table(rows)}", flush=True)


def own_row(runs: SlideRuns, slide: str, seed: str, tester: Tester) -> Row:
    """Take the threshold that the detector's own validation fields have chosen."""
    test = tester([slide])
    return row(slide, seed, test, test.threshold)


def pairs_row(runs: SlideRuns, slide: str, seed: str, tester: Tester) -> Row:
    """Choose the threshold on all other slides, by detectors that have seen neither."""
    fields, detections = [], {}
    for other in runs.slides():
        if other != slide:
            without_both = tester([slide, other])
            fields += without_both.fields_of(other)
            detections |= without_both.detections
    threshold = split_curve(fields, detections).best_threshold()
    return row(slide, seed, tester([slide]), threshold)


def row(slide: str, seed: str, test: Test, threshold: float) -> Row:
    """Score a slide at a threshold."""
    scores = score_fields(test.fields, test.detections, threshold)
    return Row(slide, seed, scores, threshold, test)


def table(found: Sequence[Row]) -> str:
    """Lay out each run, and of each seed all slides together."""
    rows = []
    for one in sorted(found, key=lambda one: (one.slide, one.seed)):
        numbers = (one.threshold, one.test.ap, one.test.oracle)
        rows.append([one.slide, one.seed, *figures(one.scores), *(f"{x:.3f}" for x in numbers)])
    pooled = []
    for seed in sorted({one.seed for one in found}):
        fields = [field for one in found if one.seed == seed for field in one.scores]
        rows.append(["all", seed, *figures(fields), "", "", ""])
        if seed != TOGETHER:
            pooled.append(total(fields).f_score)
    shown = f"F-score of all, mean of {len(pooled)} seeds: {statistics.mean(pooled):.3f}"
    return f"\n{GithubFlavoredMarkdownTable([HEADER, *rows]).table}\n\n{shown}"


def figures(scores: list[FieldScore]) -> list[str]:
    """Lay out counts, ratios and the interval."""
    counts: Counts = total(scores)
    low, high, _ = f_score_interval(scores)
    return [
        *(str(n) for n in (counts.tp, counts.fp, counts.fn)),
        *(f"{value:.3f}" for value in (counts.precision, counts.recall)),
        f"{counts.f_score:.3f} ({low:.3f} to {high:.3f})",
    ]


if __name__ == "__main__":
    run_main(main, "leave_one_slide_out.py")
