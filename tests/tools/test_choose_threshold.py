"""Choosing a threshold on validation anew: the checkpoint it writes, and what it refuses."""

from pathlib import Path

import pytest
import torch

from mmdet_mitosis.engine.checkpoints import find_checkpoint, read_checkpoint
from mmdet_mitosis.engine.threshold_hook import KEY
from tests.tools.commands import CONFIG, ROOT, load, options


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.chdir(ROOT)
    return load("choose_threshold")


def words(data: Path, checkpoint: Path, out: Path, *more: object) -> list[str]:
    """The command line."""
    given = (CONFIG, checkpoint, "--out", out, "--work-dir", out.parent / "log", *more)
    return [*map(str, given), "--cfg-options", *options(data)]


def test_the_threshold_for_recall_is_lower_and_the_weights_stay(
    tool, data, work, tmp_path, capsys
) -> None:
    bare, out, candidates = (tmp_path / f"{name}.pth" for name in ("bare", "best", "candidates"))
    stored = read_checkpoint(find_checkpoint(work))
    torch.save({"state_dict": stored["state_dict"], "optimizer": {"lr": 1}}, bare)
    tool.main(words(data, bare, out))
    chosen = read_checkpoint(out)
    # what training stored for these very weights
    assert set(chosen[KEY]) == set(stored[KEY])
    for name in ("threshold", "f_score"):
        assert chosen[KEY][name] == pytest.approx(stored[KEY][name], rel=1e-4)
    assert set(chosen) == {"state_dict", KEY}
    for key, value in stored["state_dict"].items():
        assert torch.equal(chosen["state_dict"][key], value)
    capsys.readouterr()
    tool.main(words(data, work, candidates, "--min-recall", 0.95))
    record = read_checkpoint(candidates)[KEY]
    assert record["min_recall"] == 0.95
    assert record["threshold"] <= chosen[KEY]["threshold"]
    printed = capsys.readouterr().out
    assert f"recall {record['recall']:.3f} on {data}" in printed
    assert f"threshold {record['threshold_once']:.4f} where each place is looked at once" in printed


def test_a_checkpoint_of_another_model_and_impossible_options_are_refused(
    tool, data, tmp_path, capsys
) -> None:
    other = tmp_path / "other.pth"
    torch.save({"state_dict": {"weight": torch.zeros(3)}}, other)
    with pytest.raises(ValueError, match="is of another model"):
        tool.main(words(data, other, tmp_path / "out.pth"))
    assert not (tmp_path / "out.pth").exists()
    for wrong, said in ((("--out", "x.json"), ".pth"), (("--min-recall", "1.5"), "at most 1")):
        with pytest.raises(SystemExit):
            tool.main([CONFIG, str(other), "--out", "out.pth", *wrong])
        assert said in capsys.readouterr().err
