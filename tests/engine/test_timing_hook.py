"""Durations that checkpoints and tests carry."""

from types import SimpleNamespace

import pytest

from mmdet_mitosis.engine import timing_hook
from mmdet_mitosis.engine.timing_hook import KEY, TimingHook

FRESH, RESUMED = SimpleNamespace(_resume=False), SimpleNamespace(_resume=True)


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(timing_hook.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(timing_hook.time, "perf_counter", lambda: clock.now)
    return clock


def saved(hook: TimingHook) -> dict:
    checkpoint = {}
    hook.before_save_checkpoint(FRESH, checkpoint)
    return checkpoint


def test_training_is_timed_from_its_first_step(clock) -> None:
    hook = TimingHook()
    clock.now = 150.0
    for now in (150.0, 160.0, 170.0):
        clock.now = now
        hook.before_train_iter(FRESH, 0)
    assert saved(hook)[KEY] == {
        "seconds": 20.0,
        "n_processes": 1,
        "device": timing_hook._device_name(),
    }


def test_a_resumed_training_adds_to_what_was(clock) -> None:
    first = TimingHook()
    first.before_train_iter(FRESH, 0)
    clock.now += 30
    checkpoint = saved(first)
    second = TimingHook()
    second.after_load_checkpoint(RESUMED, checkpoint)
    second.before_train_iter(RESUMED, 7)
    clock.now += 12
    assert saved(second)[KEY]["seconds"] == 42
    # weights to start from are not a run to go on from, nor does an old checkpoint know its time
    other = TimingHook()
    other.after_load_checkpoint(FRESH, checkpoint)
    other.after_load_checkpoint(RESUMED, {})
    other.before_train_iter(FRESH, 0)
    clock.now += 5
    assert saved(other)[KEY]["seconds"] == 5


def test_what_was_never_trained_here_has_no_time(clock) -> None:
    assert saved(TimingHook()) == {}


def test_a_test_is_timed_from_its_first_batch(clock) -> None:
    hook = TimingHook()
    assert hook.test_seconds is None
    hook.before_test_epoch(FRESH)
    clock.now = 120.0
    for index in range(3):
        hook.before_test_iter(FRESH, index)
        clock.now += 4
    hook.after_test_epoch(FRESH, {})
    assert hook.test_seconds == 12
    hook.before_test_epoch(FRESH)  # a test without a batch
    hook.after_test_epoch(FRESH, {})
    assert hook.test_seconds == 0
