"""For all tests: mmcv's operators are answered before any of them imports mmdet."""

import os
import signal

if "PYTEST_XDIST_WORKER" in os.environ:
    # A process a core: more threads would only wait for one another.
    os.environ["OMP_NUM_THREADS"] = "1"

from collections.abc import Iterator

import pytest
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

import mmdet_mitosis  # noqa: F401 (importing it is what counts)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files that start commands first: the longest, last, would leave a core idle."""
    items.sort(key=lambda item: "tools" not in item.path.parts)


@pytest.fixture
def mmdet_scope():
    """Look names up among mmdet's modules, as a config with ``default_scope`` does."""
    with DefaultScope.overwrite_default_scope("mmdet"):
        yield


@pytest.fixture(autouse=True, scope="module")
def scope_as_before() -> Iterator[None]:
    """Take back the default scope that a runner has set, where later files find no names."""
    before = dict(DefaultScope._instance_dict)
    yield
    DefaultScope._instance_dict.clear()
    DefaultScope._instance_dict.update(before)


@pytest.fixture(autouse=True)
def no_logger_of_another_test() -> Iterator[None]:
    """Forget MMEngine's loggers: they are named by the second, and write where pytest listened."""
    yield
    MMLogger._instance_dict.clear()


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """Take back what a command does about signals: it keeps to that until its process ends."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, action in before.items():
        signal.signal(number, action)
