"""Joining the two stages: the checkpoint it writes, and what it refuses."""

import json
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmdet_mitosis.engine.checkpoints import read_checkpoint
from mmdet_mitosis.engine.threshold_hook import KEY
from mmdet_mitosis.engine.timing_hook import KEY as TRAINING
from tests.tools.commands import ROOT, options, succeed
from tools.join_stages import candidate_threshold, main
from tools.test import main as score_main

CONFIG = "configs/two_stage/two_stage_demo.py"
THRESHOLD = 0.4321
RECORD = {
    "threshold": THRESHOLD,
    "f_score": 0.25,
    "chosen_on": "annotations/val.json",
    "radius_um": 7.5,
    "min_recall": 0.95,
    "recall": 0.96,
}


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Untrained stages that find something all over a window."""
    torch.manual_seed(0)
    model = Config.fromfile(ROOT / CONFIG).model
    with DefaultScope.overwrite_default_scope("mmdet"):
        first, second = MODELS.build(model.candidates), MODELS.build(model.refiner)
    for layer in (first.head.score_pool3, first.head.score_fc7):
        torch.nn.init.normal_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    folder = tmp_path_factory.mktemp("stages")
    paths = {name: folder / f"best_{name}.pth" for name in ("candidates", "refiner", "bare")}
    times = [{"seconds": s, "n_processes": 1, "device": "cpu"} for s in (3600, 1800)]
    torch.save(
        {"state_dict": first.state_dict(), KEY: RECORD, TRAINING: times[0]}, paths["candidates"]
    )
    torch.save({"state_dict": second.state_dict(), TRAINING: times[1]}, paths["refiner"])
    torch.save({"state_dict": first.state_dict()}, paths["bare"])
    return paths


def words(stages: dict, tmp_path: Path, first: str = "candidates", second: str = "refiner") -> list:
    """The command line, but for its settings."""
    out = ("--out", tmp_path / "out" / "joined.pth", "--work-dir", tmp_path / "work")
    return [str(word) for word in (CONFIG, stages[first], stages[second], *out)]


def test_the_joined_checkpoint_is_tested_like_any_other(
    data: Path, stages: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ("--cfg-options", *options(data))
    said = succeed("tools/join_stages.py", *words(stages, tmp_path), *settings)
    assert "chosen for a recall of 0.95: 0.960 on annotations/val.json" in said
    out = tmp_path / "out" / "joined.pth"
    assert [path.name for path in out.parent.iterdir()] == ["joined.pth"]
    joined = read_checkpoint(out)
    state = joined["state_dict"]
    floats = [value for value in state.values() if value.dtype == torch.float32]
    n_parameters = sum(v.numel() for v in floats) - sum(
        value.numel() for key, value in state.items() if key.endswith(("mean", "var"))
    )
    assert state.pop("candidate_threshold").item() == THRESHOLD
    for name in ("candidates", "refiner"):
        for key, value in read_checkpoint(stages[name])["state_dict"].items():
            assert torch.equal(state.pop(f"{name}.{key}"), value)
        assert joined["meta"][name] == str(stages[name])
    assert not state
    record = joined[KEY]
    assert record["chosen_on"] == f"{data}/annotations/val.json"
    assert "min_recall" not in record  # joined, the F-score counts
    assert joined["meta"]["dataset_meta"]["classes"] == ("mitosis",)
    found = tmp_path / "found.json"
    arguments = (CONFIG, out, "--work-dir", tmp_path, "--split", "val", "--out", found, *settings)
    monkeypatch.chdir(ROOT)
    score_main([str(word) for word in arguments])
    scores = json.loads((tmp_path / "val_scores.json").read_text())
    assert scores["threshold"] == record["threshold"]
    assert scores["f_score"] == pytest.approx(record["f_score"])
    assert (scores["train_hours"], scores["n_parameters"]) == (1.5, n_parameters)
    assert scores["seconds_per_mm2"] > 0
    records = json.loads(found.read_text())
    assert records and all(record["candidate_score"] >= THRESHOLD for record in records)


def refused(arguments: list, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the command in this process; say why it ended."""
    monkeypatch.chdir(ROOT)
    with pytest.raises((ValueError, OSError)) as caught:
        main(arguments)
    return str(caught.value)


def test_checkpoints_of_other_models_are_refused(stages, tmp_path, monkeypatch) -> None:
    said = refused(words(stages, tmp_path, "candidates", "candidates"), monkeypatch)
    assert f"{stages['candidates']} is of another model" in said
    assert "this config's CandidateRefiner are missing" in said
    arguments = words(stages, tmp_path, "refiner", "refiner")
    said = refused([*arguments, "--candidate-threshold", "0.5"], monkeypatch)
    assert f"{stages['refiner']} is of another model" in said
    assert "this config's CandidateDetector are missing" in said
    wider = ["--cfg-options", "model.refiner.backbone.base_channels=16"]
    said = refused([*words(stages, tmp_path), *wider], monkeypatch)
    assert f"{stages['refiner']} is of another model" in said
    assert not (tmp_path / "out").exists()


def test_a_config_of_another_detector_is_refused(stages, tmp_path, monkeypatch) -> None:
    other = "configs/two_stage/candidates_demo.py"
    said = refused([other, *words(stages, tmp_path)[1:]], monkeypatch)
    assert f"{other} builds a CandidateDetector" in said


def test_stage_1_without_a_threshold_says_what_to_do(stages, tmp_path, monkeypatch) -> None:
    said = refused(words(stages, tmp_path, "bare"), monkeypatch)
    assert f"{stages['bare']} stores no threshold" in said and "--candidate-threshold" in said
    assert not (tmp_path / "work").exists()


def test_a_checkpoint_that_is_not_there_is_named(stages, tmp_path, monkeypatch) -> None:
    gone = {**stages, "refiner": tmp_path / "gone.pth"}
    assert refused(words(gone, tmp_path), monkeypatch) == f"no such checkpoint: {gone['refiner']}"


def test_another_suffix_is_refused(stages, tmp_path, capsys) -> None:
    with pytest.raises(SystemExit):
        main([CONFIG, "a.pth", "b.pth", "--out", str(tmp_path / "joined.json")])
    assert "--out must end in .pth" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("record", "given", "threshold", "said"),
    [
        (RECORD, None, THRESHOLD, "for a recall of 0.95: 0.960 on annotations/val.json"),
        ({**RECORD, "recall": 0.9}, None, THRESHOLD, "0.95, which is out of reach: 0.900 on"),
        ({"threshold": 0.7, "chosen_on": "val.json"}, None, 0.7, "chosen for the F-score"),
        (RECORD, 0.2, 0.2, ""),
        (RECORD, 0.0, 0.0, ""),
        (None, 0.3, 0.3, ""),
    ],
)
def test_where_the_threshold_of_the_candidates_comes_from(
    capsys, record, given, threshold, said
) -> None:
    stored = {} if record is None else {KEY: record}
    assert candidate_threshold(Path("stage1.pth"), stored, given) == threshold
    printed = capsys.readouterr().out
    assert said in printed and bool(printed) == bool(said)
