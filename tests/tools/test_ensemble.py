"""tools/ensemble.py: the checkpoint and config that it writes serve the other commands."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmdet_mitosis.engine.checkpoints import find_checkpoint, read_checkpoint
from mmdet_mitosis.engine.threshold_hook import KEY
from mmdet_mitosis.inference.detector import MitosisDetector
from tests.tools.commands import CONFIG, ROOT, load, options


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.chdir(ROOT)
    return load("ensemble")


def words(data: Path, out: Path, *more: object) -> list[str]:
    """The command line."""
    return [*map(str, (CONFIG, *more, "--out", out)), "--cfg-options", *options(data)]


def changed(path: Path, work: Path, **content) -> Path:
    """Write a checkpoint that differs from the trained one."""
    torch.save({**read_checkpoint(find_checkpoint(work)), **content}, path)
    return path


def test_an_ensemble_is_tested_and_counts_as_any_detector(
    tool, data, work, tmp_path, capsys
) -> None:
    out, best = tmp_path / "ensemble", find_checkpoint(work)
    other = changed(tmp_path / "other.pth", work, meta={})  # taken to be of the config's model
    tool.main(words(data, out, work, other, "--views", "flips"))
    assert "2 detectors, 4 views: threshold" in capsys.readouterr().out
    joined = read_checkpoint(find_checkpoint(out))
    weights = read_checkpoint(best)["state_dict"]
    assert set(joined["state_dict"]) == {f"detectors.{i}.{key}" for i in (0, 1) for key in weights}
    for key, value in weights.items():
        assert torch.equal(joined["state_dict"][f"detectors.1.{key}"], value)
    assert joined["meta"]["detectors"] == [str(best), str(other)]
    assert joined[KEY]["chosen_on"] == f"{data}/annotations/val.json"

    load("test").main([str(w) for w in (out / "ensemble.py", out, "--split", "val")])
    scores = json.loads((out / "work" / "val_scores.json").read_text())
    assert scores["threshold"] == joined[KEY]["threshold"]
    assert scores["f_score"] == pytest.approx(joined[KEY]["f_score"])
    cfg = Config.fromfile(out / "ensemble.py")
    assert cfg.test_evaluator.get("threshold") is None
    assert cfg.test_evaluator.ann_file == f"{data}/annotations/test.json"

    detector = MitosisDetector(out, device="cpu")
    assert detector.threshold == joined[KEY]["threshold"]
    assert (detector.model.views, len(detector.model.detectors)) == (
        ("identity", "flip_left_right", "flip_top_bottom", "rotate_180"),
        2,
    )


def refused(tool, arguments: list) -> str:
    """Run the command in this process; say why it ended."""
    with pytest.raises((ValueError, OSError)) as caught:
        tool.main(arguments)
    return str(caught.value)


def test_detectors_of_other_windows_are_refused(tool, data, work, tmp_path) -> None:
    arguments = words(data, tmp_path / "out", work)
    said = refused(tool, [*arguments, "val_dataloader.dataset.window_size=256", "mpp=0.5"])
    assert f"{find_checkpoint(work)} was made for other windows than {CONFIG} gives" in said
    assert said.endswith("its mpp is None, not 0.5")
    text = read_checkpoint(find_checkpoint(work))["meta"]["cfg"]
    assert "method='macenko'" in text
    meta = {"cfg": text.replace("method='macenko'", "method='none'")}
    other = changed(tmp_path / "other.pth", work, meta=meta)
    said = refused(tool, words(data, tmp_path / "out", other))
    assert f"{other} was made for other windows" in said and "its test pipeline is [" in said
    assert not (tmp_path / "out" / "best_ensemble.pth").exists()


def test_checkpoints_that_cannot_serve_are_named(tool, data, work, tmp_path) -> None:
    other = changed(tmp_path / "other.pth", work, state_dict={"weight": torch.zeros(3)})
    said = refused(tool, words(data, tmp_path / "out", work, other))
    assert f"{other} is of another model" in said
    bare = changed(tmp_path / "bare.pth", work, meta={"cfg": "a = 1\n"})
    assert f"{bare} is no detector's" in refused(tool, words(data, tmp_path / "out", bare))
    assert "no such checkpoint" in refused(tool, words(data, tmp_path / "out", "gone.pth"))


@pytest.mark.parametrize("views", [["all", "flips"], ["one", "rotate_90"], ["rotate_45"]])
def test_views_that_do_not_go_together_are_refused(tool, views, capsys) -> None:
    with pytest.raises(SystemExit):
        tool.main([CONFIG, "a.pth", "--out", "out", "--views", *views])
    assert "--views" in capsys.readouterr().err
