"""Intervals of one detector and the difference of two, by resampling."""

import numpy as np
import pytest

from mmdet_mitosis.evaluation.functional import (
    Counts,
    bootstrap,
    bootstrap_difference,
    bootstrap_interval,
)


def draw_units(seed: int, n_units: int = 15) -> list[Counts]:
    rng = np.random.default_rng(seed)
    return [Counts(*rng.integers((3, 0, 0), (12, 5, 5)).tolist()) for _ in range(n_units)]


def rival(units: list[Counts], seed: int) -> list[Counts]:
    """Counts on the same mitoses: now some more hits and false alarms, now some fewer."""
    rng = np.random.default_rng(seed)
    found = []
    for unit in units:
        n_gt = unit.tp + unit.fn
        tp = int(np.clip(unit.tp + rng.integers(-2, 3), 0, n_gt))
        found.append(Counts(tp, max(0, unit.fp + int(rng.integers(-2, 3))), n_gt - tp))
    return found


def worse(units: list[Counts], seed: int, share: float) -> list[Counts]:
    """Counts on the same mitoses: some hits lost, some false alarms more."""
    rng = np.random.default_rng(seed)
    found = []
    for unit in units:
        lost = int(rng.binomial(unit.tp, share))
        found.append(Counts(unit.tp - lost, unit.fp + int(rng.integers(0, 3)), unit.fn + lost))
    return found


def test_bootstrap_holds_the_pooled_f_score_and_repeats_itself() -> None:
    rng = np.random.default_rng(1)
    units = [Counts(*rng.integers((3, 0, 0), (12, 5, 5)).tolist()) for _ in range(15)]
    low, high = bootstrap_interval(units)
    assert low < sum(units, Counts()).f_score < high
    assert bootstrap_interval(units) == (low, high)
    assert bootstrap_interval(units, seed=1) != (low, high)
    assert bootstrap_interval(units, level=0.5)[0] > low
    assert bootstrap_interval(units, level=0.5)[1] < high


def test_bootstrap_is_what_a_loop_over_resamples_gives() -> None:
    units = [Counts(5, 1, 0), Counts(2, 4, 3), Counts(0, 1, 6), Counts(8, 0, 1)]
    draws = np.random.default_rng(3).integers(0, 4, (200, 4))
    f_scores = [sum((units[i] for i in draw), Counts()).f_score for draw in draws]
    expected = np.quantile(f_scores, [0.05, 0.95])
    found = bootstrap_interval(units, n_resamples=200, seed=3, level=0.9)
    assert found == pytest.approx(tuple(expected))


def test_bootstrap_of_little() -> None:
    assert bootstrap_interval([]) == (0.0, 0.0)
    assert bootstrap_interval([Counts(2, 1, 1)]) == pytest.approx((2 / 3, 2 / 3))
    assert bootstrap_interval([Counts(), Counts()]) == (0.0, 0.0)


@pytest.mark.parametrize("name", ["f_score", "precision", "recall"])
def test_every_ratio_has_its_interval(name: str) -> None:
    units = draw_units(1)
    draws = np.random.default_rng(0).integers(0, 15, (300, 15))
    values = [getattr(sum((units[i] for i in draw), Counts()), name) for draw in draws]
    found = bootstrap_interval(units, name, n_resamples=300)
    assert found == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))


def test_draws_in_blocks_are_those_drawn_at_once(monkeypatch) -> None:
    units = draw_units(2)
    expected = bootstrap_interval(units, n_resamples=101)
    monkeypatch.setattr(bootstrap, "BLOCK", 60)  # four resamples of 15 at a time
    assert bootstrap_interval(units, n_resamples=101) == expected


@pytest.mark.parametrize("name", ["f_score", "precision", "recall"])
def test_difference_is_what_a_loop_over_the_same_cases_gives(name: str) -> None:
    units = draw_units(3)
    other = rival(units, 3)
    draws = np.random.default_rng(7).integers(0, 15, (400, 15))
    values = np.array(
        [
            getattr(sum((units[i] for i in draw), Counts()), name)
            - getattr(sum((other[i] for i in draw), Counts()), name)
            for draw in draws
        ]
    )
    found = bootstrap_difference(units, other, name, n_resamples=400, seed=7, level=0.9)
    observed = [getattr(sum(side, Counts()), name) for side in (units, other)]
    assert found.difference == pytest.approx(observed[0] - observed[1])
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(values, [0.05, 0.95])))
    tail = min(sum(values <= 0), sum(values >= 0))
    assert found.p_value == pytest.approx(min(1, 2 * (tail + 1) / 401))
    assert 0.01 < found.p_value < 1  # some resamples lie on either side
    swapped = bootstrap_difference(other, units, name, n_resamples=400, seed=7, level=0.9)
    assert (swapped.difference, swapped.low) == pytest.approx((-found.difference, -found.high))
    assert swapped.p_value == found.p_value


def test_a_detector_does_not_differ_from_itself() -> None:
    units = draw_units(4)
    found = bootstrap_difference(units, units)
    assert (found.difference, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_a_detector_that_is_better_in_every_case_is_so_in_every_resample() -> None:
    units = [Counts(tp=unit.tp + unit.fn, fp=0, fn=0) for unit in draw_units(5)]
    found = bootstrap_difference(units, worse(units, 5, share=0.8))
    assert found.low > 0
    assert found.p_value == pytest.approx(2 / 2001)


def test_pairing_takes_out_what_is_hard_for_both() -> None:
    # Hard and easy cases, and the other detector a little worse in each of them.
    units = [Counts(2, 8, 18), Counts(19, 1, 1)] * 8
    other = [Counts(c.tp - 1, c.fp, c.fn + 1) for c in units]
    paired = bootstrap_difference(units, other)
    widths = [np.subtract(*bootstrap_interval(side)[::-1]) for side in (units, other)]
    assert paired.high - paired.low < 0.2 * min(widths)
    assert paired.low > 0


def test_detectors_on_other_cases_are_not_compared() -> None:
    units = draw_units(6)
    with pytest.raises(ValueError, match="cannot pair 15 units with 14"):
        bootstrap_difference(units, units[:-1])
    wrong = [*units[:3], units[3] + Counts(fn=2), *units[4:]]
    n_gt = units[3].tp + units[3].fn
    message = f"unit 3 has {n_gt} ground-truth points for one detector and {n_gt + 2} for the other"
    with pytest.raises(ValueError, match=message):
        bootstrap_difference(units, wrong)
    with pytest.raises(ValueError, match="'ap'; choose one of precision, recall, f_score"):
        bootstrap_difference(units, units, "ap")


def test_difference_of_little() -> None:
    nothing = bootstrap_difference([], [])
    assert (nothing.difference, nothing.low, nothing.high, nothing.p_value) == (0, 0, 0, 1)
    one = bootstrap_difference([Counts(2, 0, 2)], [Counts(1, 0, 3)])
    assert one.difference == one.low == one.high == pytest.approx(2 / 3 - 2 / 5)
