"""tools/mine_candidates.py: from a trained detector to a trained refiner, and what goes wrong."""

import json
from pathlib import Path

import pytest
import torch

from mmdet_mitosis.engine.checkpoints import find_checkpoint, read_checkpoint
from mmdet_mitosis.evaluation.truth import load_fields
from tests.tools.commands import CONFIG, ROOT, end_here, options, succeed

REFINER = "configs/two_stage/refiner_demo.py"


@pytest.fixture
def end(monkeypatch, capsys):
    """Run the command in this process; give its status and what it said to stderr."""
    monkeypatch.chdir(ROOT)
    return lambda *words: end_here("mine_candidates", words, capsys)[::2]


def test_what_is_mined_trains_a_refiner(data: Path, work: Path, tmp_path: Path) -> None:
    printed = succeed(
        *("tools/mine_candidates.py", CONFIG, work, "--out", tmp_path, "--threshold", 0),
        *("--ratio", 4, "--cfg-options", *options(data)),
    )
    candidates = {s: tmp_path / "candidates" / f"{s}.json" for s in ("train", "val")}
    for split, path in candidates.items():
        content = json.loads(path.read_text())
        fields = load_fields(data / "annotations" / f"{split}.json")
        info = content["info"]
        assert info["n_mitoses"] == sum(len(field.centroids_xy) for field in fields) > 0
        assert info["checkpoint"] == str(find_checkpoint(work))
        assert f"ratio 1:{info['ratio_reached']:.2f}" in printed
        assert f"candidates: {path}" in printed
    train = json.loads(candidates["train"].read_text())
    labels = [candidate["label"] for candidate in train["candidates"]]
    assert sum(labels) == train["info"]["n_mitoses"]
    assert train["info"]["ratio_reached"] == round((len(labels) - sum(labels)) / sum(labels), 3)
    # The images are in the data's folder, the candidates are not.
    words = ["train_cfg.max_epochs=1", "model.backbone.base_channels=8"]
    for split, path in candidates.items():
        words.append(f"{split}_dataloader.dataset.data_root={data}")
        words.append(f"{split}_dataloader.dataset.ann_file={path}")
    folder = tmp_path / "refiner"
    succeed("tools/train.py", REFINER, "--work-dir", folder, "--cfg-options", *words)
    best = find_checkpoint(folder)
    assert best.name == "best_candidate_ap_epoch_1.pth"
    assert read_checkpoint(best)["state_dict"]["fc.weight"].shape == (2, 64)


def test_a_checkpoint_without_a_threshold_says_what_to_do(end, tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "weights.pth")
    words = (CONFIG, tmp_path / "weights.pth", "--out", tmp_path / "out")
    status, said = end(*words)
    assert (status, said.count("\n")) == (2, 1)
    assert "weights.pth stores no threshold" in said and "--threshold" in said
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_of_another_model_is_refused(end, tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "weights.pth")
    status, said = end(
        CONFIG, tmp_path / "weights.pth", "--threshold", 0.5, "--out", tmp_path / "out"
    )
    assert status == 2
    assert "weights.pth is of another model" in said.splitlines()[-1]
    assert not (tmp_path / "out" / "candidates").exists()


def test_mistakes_are_said_in_one_sentence(end, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    torch.save({"state_dict": {}}, tmp_path / "weights.pth")
    for words, part in [
        (("configs/none.py", "x.pth", "--out", tmp_path), "no such config: configs/none.py"),
        ((CONFIG, "none.pth", "--out", tmp_path), "no such checkpoint: none.pth"),
        ((CONFIG, tmp_path / "weights.pth", "--out", blocked / "out"), "file is no folder"),
    ]:
        status, said = end(*words)
        assert (status, said.count("\n")) == (2, 1)
        assert part in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--out"),
        (("--out", "o", "--ratio", "-1"), "--ratio must be a number of at least 0, got -1.0"),
        (("--out", "o", "--ratio", "inf"), "--ratio must be a number of at least 0, got inf"),
        (("--out", "o", "--threshold", "nan"), "--threshold must be a number, got nan"),
        (("--out", "o", "--seed", "-3"), "--seed must be at least 0, got -3"),
        (("--out", "o", "--splits", "test"), "invalid choice: 'test'"),
    ],
)
def test_wrong_options_are_named(end, words: tuple, said: str) -> None:
    status, text = end("a.py", "b.pth", *words)
    assert status == 2 and said in text
