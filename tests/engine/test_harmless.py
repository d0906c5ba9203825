"""What a stranger's config names is looked up among what is registered, and nowhere else."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config

from mmdet_mitosis.engine.embedded_config import config_of_checkpoint
from mmdet_mitosis.engine.harmless import check_harmless
from mmdet_mitosis.inference import MitosisDetector
from tests.make_data import CONFIGS

TOUCH = {"type": "os.system", "command": "touch ran"}
EVAL = "__import__('os').system('touch ran')"


def checkpoint(path: Path, text: str) -> Path:
    """Write a checkpoint that carries a config."""
    torch.save({"state_dict": {}, "meta": {"cfg": text}, "mitosis_threshold": {}}, path)
    return path


def test_mmengine_would_run_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this there would be nothing to refuse."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TypeError):  # a status, and no module
        torch.nn.Sequential(MODELS.build(dict(TOUCH)))
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "text",
    [
        f"model = {TOUCH}\ntest_dataloader = dict()",
        f"model = dict(type='Sequential', backbone=[{TOUCH}])\ntest_dataloader = dict()",
        f"model = dict(type='MaskRCNN', test_cfg=dict(nms=dict(type={EVAL!r})))",
        f"model = dict(type='CameraMotionCompensation', warp_mode={EVAL!r})",
        "model = dict(type='KnowledgeDistillationSingleStageDetector', teacher_config='ran.py')",
        "model = dict(type='mmengine.load', file='ran.pkl')",
        "model = dict(type='subprocess.Popen', args=['touch', 'ran'])",
        "model = dict(type='antigravity')",
        "model = dict(type='exec')",
        "model = dict(type='')",
        "model = dict(type=1)",
        "model = dict(type='MaskRCNN', _scope_='antigravity')",
        "default_scope = 'antigravity'",
        """model = {"x': 1}\\nimport os\\n#": 1}""",
        "model = dict(name='{{ $HOME:x }}')",
    ],
)
def test_detector_does_not_run_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = checkpoint(tmp_path / "a.pth", text)
    with pytest.raises(ValueError, match=r"a\.pth cannot be read without running it .*--config"):
        MitosisDetector(path, threshold=0.5, device="cpu")
    assert [found.name for found in tmp_path.iterdir()] == ["a.pth"]


def test_what_is_written_of_a_config_is_read_back_as_it_was() -> None:
    """ensemble.py writes the models of checkpoints into a config, which is then run."""
    settings = {"e f": 1, "roi.x": 'it\'s "y"\\n', 3: None, "b": [{"c/d": {"e": (1, 2)}}]}
    found = config_of_checkpoint({"meta": {"cfg": f"a = {settings}"}}, "a.pth")
    again = config_of_checkpoint({"meta": {"cfg": found.pretty_text}}, "a.pth")
    assert again.to_dict() == found.to_dict()


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.py")), ids=lambda path: path.stem)
def test_configs_of_the_tree_are_harmless(path: Path) -> None:
    check_harmless(Config.fromfile(path).to_dict())


@pytest.mark.parametrize("name", ["mmdet.MaskRCNN", "MitosisDataset", "nms", "RoIAlign", "conv"])
def test_names_that_are_looked_up_are_taken(name: str) -> None:
    check_harmless({"a": [{"type": name}]})
