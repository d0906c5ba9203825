"""For all tests: mmcv's operators are answered before any of them imports mmdet."""

import pytest
from mmengine.registry import DefaultScope

import mmdet_mitosis  # noqa: F401 (importing it is what counts)


@pytest.fixture
def mmdet_scope():
    """Look names up among mmdet's modules, as a config with ``default_scope`` does."""
    with DefaultScope.overwrite_default_scope("mmdet"):
        yield
