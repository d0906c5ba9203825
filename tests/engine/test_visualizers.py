"""One line of a config sends the curves to TensorBoard or to W&B as well."""

import sys
from pathlib import Path

import pytest
from mmdet.registry import VISUALIZERS
from mmengine.config import Config

from mmdet_mitosis.engine.launch import build_runner
from tests.make_data import CONFIGS

LOCAL = 'dict(type="LocalVisBackend")'
LINES = {
    "TensorboardVisBackend": 'dict(type="TensorboardVisBackend")',
    "WandbVisBackend": 'dict(type="WandbVisBackend", init_kwargs=dict(mode="offline"))',
}


def config(tmp_path: Path, backend: str) -> Config:
    """Read a child of the demo's config that has the line."""
    path = tmp_path / "child.py"
    path.write_text(
        f'_base_ = "{CONFIGS}/maskrcnn_r18_demo.py"\n'
        f"visualizer = dict(vis_backends=[{LOCAL}, {LINES[backend]}])\n"
    )
    return Config.fromfile(path)


@pytest.mark.parametrize("backend", LINES)
def test_the_line_adds_to_the_local_log(tmp_path, backend, mmdet_scope):
    cfg = config(tmp_path, backend)
    visualizer = VISUALIZERS.build(cfg.visualizer | {"save_dir": str(tmp_path), "name": backend})
    assert list(visualizer._vis_backends) == ["LocalVisBackend", backend]


@pytest.mark.parametrize(
    ("backend", "package"), [("TensorboardVisBackend", "tensorboard"), ("WandbVisBackend", "wandb")]
)
def test_what_is_not_installed_is_named_with_the_command(tmp_path, monkeypatch, backend, package):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    cfg = Config({"model": {}, "work_dir": str(tmp_path), "default_scope": "mmdet"})
    cfg.visualizer = config(tmp_path, backend).visualizer
    cfg.visualizer.name = cfg.experiment_name = f"{tmp_path.name}_{backend}"
    cfg.launcher = "none"
    with pytest.raises(ValueError, match=rf"cannot be built: .*pip install .*{package}"):
        build_runner(cfg)


def test_tensorboard_gets_the_scores_at_their_iterations(tmp_path, mmdet_scope):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    cfg = config(tmp_path, "TensorboardVisBackend")
    settings = cfg.visualizer | {"save_dir": str(tmp_path), "name": "tensorboard"}
    visualizer = VISUALIZERS.build(settings)
    visualizer.add_scalars({"loss": 0.5}, step=20)
    visualizer.add_scalars({"mitosis/f_score": 0.75}, step=40)
    visualizer.close()
    events = accumulator.EventAccumulator(str(tmp_path / "vis_data")).Reload()
    found = {
        tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]
    }
    assert found == {"loss": [(20, 0.5)], "mitosis/f_score": [(40, 0.75)]}
