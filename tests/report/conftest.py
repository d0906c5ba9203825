"""Pages whose plots are not drawn, where they are no matter."""

import pytest
from markupsafe import Markup

from mmdet_mitosis.report import sections


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put an empty picture in the place of each plot; drawing takes most of a page's time."""
    for name in [name for name in vars(sections) if name.startswith("plot_")]:
        monkeypatch.setattr(sections, name, lambda *_: Markup("<svg></svg>"))
