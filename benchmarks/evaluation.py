"""How long it takes to score a split of TUPAC16's size, beside plain Python double loops.

python benchmarks/evaluation.py

656 fields of 73 cases (606 of 2000 px and 50 of 5657 px) with 1552 mitoses and 100 000 detections,
drawn at random: counts, precision, recall and F-score at every threshold, average precision, FROC,
the best threshold and the F-score there by optimal matching, and 2000 bootstrap resamples by case.
All on one core, best of several runs.

Two loops give the same numbers, which is asserted. The plain one goes through detections and
mitoses anew for each threshold; it would take hours, is timed on some thresholds and scaled. The
other goes through them once, surest first, for all thresholds, as the project does.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from terminaltables import AsciiTable

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.plain_loops import (
    PlainField,
    as_plain,
    greedy_hits,
    loop_counts,
    loop_figures,
    loop_interval,
    loop_optimal,
)
from mmdet_mitosis.cli import run_main
from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.evaluation.functional import FROC_RATES
from mmdet_mitosis.evaluation.scoring import (
    RADIUS_UM,
    f_score_interval,
    score_fields,
    split_curve,
    split_froc,
    total,
)
from mmdet_mitosis.evaluation.truth import FieldTruth

MPP = 0.25
N_MITOSES, N_DETECTIONS, N_RESAMPLES = 1552, 100_000, 2000
SMALL_PX, LARGE_PX = 2000, 5657
N_SMALL, N_SMALL_CASES, N_LARGE = 606, 23, 50
LIMIT_S, LIMIT_TIMES = 5.0, 20.0
Numbers = dict[str, object]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="evaluation.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repeats", type=int, default=5, help="runs of each step (default: 5)")
    parser.add_argument(
        "--loop-thresholds",
        type=int,
        default=40,
        help="thresholds that the plain loop is timed on (default: 40)",
    )
    args = parser.parse_args(argv)
    for name in ("repeats", "loop_thresholds"):
        if getattr(args, name) < 1:
            option = name.replace("_", "-")
            parser.error(f"--{option} must be at least 1, got {getattr(args, name)}")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    with one_core():
        compare(args.repeats, args.loop_thresholds, sys.argv[1:] if argv is None else argv)


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Keep this process on one core, where the system lets it."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def compare(repeats: int, loop_thresholds: int, words: Sequence[str]) -> None:
    """Time the project and the loops, and print the table."""
    fields, detections = draw_split(np.random.default_rng(0))
    plain = [as_plain(field, detections[field.image_id]) for field in fields]
    own, own_s = measure_own(fields, detections, repeats)
    once, once_s = measure_loop(plain, own)
    check_same(own, once)
    anew_s = time_anew(plain, own, loop_thresholds)
    rows = [["", "this project", "loop, anew at each threshold", "loop, once for all"]]
    for step, seconds in own_s.items():
        anew = anew_s if step == "counts" else once_s[step]
        rows.append([STEPS[step], *(shown(s) for s in (seconds, anew, once_s[step]))])
    sums = sum(own_s.values()), sum(once_s.values()) - once_s["counts"] + anew_s
    sums += (sum(once_s.values()),)
    rows.append(["all", *(shown(s) for s in sums)])
    rows.append(["times as long", "1", *(f"{s / sums[0]:.0f}" for s in sums[1:])])
    table = AsciiTable(rows)
    table.inner_footing_row_border = True
    n_thresholds = len(own["tp"])
    print(f"$ python benchmarks/evaluation.py {' '.join(words)}".rstrip())
    print(table.table)
    print(
        f"{len(fields)} fields, {own['n_mitoses']} mitoses, {N_DETECTIONS} detections, "
        f"{n_thresholds} thresholds; one core, best of {repeats}. Loop anew: "
        f"{loop_thresholds} thresholds timed, scaled to {n_thresholds}."
    )
    print(f"F {own['f_score']:.3f} ({own['low']:.3f} to {own['high']:.3f}), AP {own['ap']:.3f}")
    verdict(sums)


def verdict(sums: tuple[float, ...]) -> None:
    """Say whether it is as fast as it should be."""
    own_s, anew_s, _ = sums
    kept = own_s < LIMIT_S and anew_s > LIMIT_TIMES * own_s
    print(
        f"under {LIMIT_S:g} s and {LIMIT_TIMES:g} times as fast as the loop at each threshold: "
        f"{'yes' if kept else 'NO'}"
    )


def draw_split(
    rng: np.random.Generator,
) -> tuple[list[FieldTruth], dict[int, FieldDetections]]:
    """Draw fields, mitoses by area, a detection or two near most of them, and false ones."""
    sides = np.array([SMALL_PX] * N_SMALL + [LARGE_PX] * N_LARGE)
    cases = [f"{1 + i * N_SMALL_CASES // N_SMALL:02d}" for i in range(N_SMALL)]
    cases += [f"{1 + N_SMALL_CASES + i:02d}" for i in range(N_LARGE)]
    share = sides**2 / np.sum(sides**2)
    of_field = rng.choice(len(sides), N_MITOSES, p=share)
    mitoses = rng.uniform(0, 1, (N_MITOSES, 2)) * sides[of_field, None]
    seen = np.concatenate([np.flatnonzero(rng.random(N_MITOSES) < p) for p in (0.85, 0.1)])
    n_false = N_DETECTIONS - len(seen)
    false_of_field = rng.choice(len(sides), n_false, p=share)
    false = rng.uniform(0, 1, (n_false, 2)) * sides[false_of_field, None]
    points = np.concatenate([mitoses[seen] + rng.normal(0, 8, (len(seen), 2)), false])
    scores = np.concatenate([rng.beta(4, 2, len(seen)), rng.beta(1, 12, n_false)])
    detection_of_field = np.concatenate([of_field[seen], false_of_field])
    fields, detections = [], {}
    for i, side in enumerate(sides.tolist()):
        own = mitoses[of_field == i]
        scanner = "Aperio ScanScope XT" if side == SMALL_PX else "Leica SCN400"
        place = (i, f"{i}.tif", side, side, MPP, cases[i], scanner)
        fields.append(FieldTruth(*place, own, [[] for _ in own]))
        rows = np.flatnonzero(detection_of_field == i)
        rows = rows[np.argsort(-scores[rows])]
        boxes = np.concatenate([points[rows] - 12, points[rows] + 12], axis=1)
        detections[i] = FieldDetections(points[rows], scores[rows], boxes, [[] for _ in rows])
    return fields, detections


STEPS = {
    "counts": "counts at all thresholds",
    "figures": "F at all thresholds, AP, FROC",
    "optimal": "optimal matching at the best one",
    "bootstrap": f"{N_RESAMPLES} resamples of the cases",
}


def measure_own(
    fields: list[FieldTruth], detections: dict[int, FieldDetections], repeats: int
) -> tuple[Numbers, dict[str, float]]:
    """Score with the project; its numbers and the seconds of each step."""

    def figures() -> Numbers:
        return {
            "f_scores": curve.f_score,
            "ap": curve.average_precision,
            "froc": split_froc(curve, fields).recall_at(FROC_RATES),
            "threshold": curve.best_threshold(),
        }

    seconds = {}
    curve, seconds["counts"] = best_of(repeats, lambda: split_curve(fields, detections))
    numbers, seconds["figures"] = best_of(repeats, figures)
    scores, seconds["optimal"] = best_of(
        repeats, lambda: score_fields(fields, detections, numbers["threshold"])
    )
    interval, seconds["bootstrap"] = best_of(repeats, lambda: f_score_interval(scores))
    numbers |= {"tp": curve.tp, "fp": curve.fp, "thresholds": curve.thresholds}
    numbers |= {"f_score": total(scores).f_score, "low": interval[0], "high": interval[1]}
    return numbers | {"n_mitoses": curve.n_gt}, seconds


def best_of(repeats: int, step: Callable[[], object]) -> tuple[object, float]:
    """Run a step several times; its result and the shortest time."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = step()
        times.append(time.perf_counter() - start)
    return result, min(times)


def measure_loop(plain: list[PlainField], own: Numbers) -> tuple[Numbers, dict[str, float]]:
    """Score with loops that go through the detections once; as :func:`measure_own`."""
    seconds, radius = {}, RADIUS_UM / MPP
    n_gt = sum(len(field.mitoses) for field in plain)
    (tp, fp), seconds["counts"] = best_of(1, lambda: loop_counts(plain, radius))
    numbers, seconds["figures"] = best_of(1, lambda: loop_figures(plain, tp, fp, n_gt))
    threshold = own["threshold"]
    counts, seconds["optimal"] = best_of(1, lambda: loop_optimal(plain, threshold, radius))
    interval, seconds["bootstrap"] = best_of(1, lambda: loop_interval(counts, N_RESAMPLES))
    tp_, fp_, fn_ = (sum(column) for column in zip(*counts.values(), strict=True))
    numbers |= {"tp": tp, "fp": fp, "f_score": 2 * tp_ / (2 * tp_ + fp_ + fn_)}
    return numbers | {"low": interval[0], "high": interval[1]}, seconds


def time_anew(plain: list[PlainField], own: Numbers, n_timed: int) -> float:
    """Match anew at some thresholds, assert their counts, and scale the time to all."""
    radius, n_all = RADIUS_UM / MPP, len(own["thresholds"])
    picked = np.unique(np.linspace(0, n_all - 1, n_timed).round().astype(int))
    start = time.perf_counter()
    for i in picked.tolist():
        threshold = float(own["thresholds"][i])
        found = [is_hit for f in plain for _, is_hit in greedy_hits(f, threshold, radius)]
        assert (sum(found), len(found) - sum(found)) == (own["tp"][i], own["fp"][i]), threshold
    return (time.perf_counter() - start) * n_all / len(picked)


def check_same(own: Numbers, loop: Numbers) -> None:
    """Assert that the loop gives the numbers of the project."""
    for name, value in loop.items():
        np.testing.assert_allclose(own[name], value, rtol=1e-12, err_msg=name)


def shown(seconds: float) -> str:
    """Write a time with a unit that suits it."""
    if seconds < 1:
        return f"{1000 * seconds:.1f} ms"
    return f"{seconds:.1f} s" if seconds < 600 else f"{seconds / 3600:.1f} h"


if __name__ == "__main__":
    run_main(main, "evaluation.py")
