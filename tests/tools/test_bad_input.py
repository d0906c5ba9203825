"""What the commands say to a user's mistake: one sentence, status 2, nothing half-written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.installed import needs_safe_loading
from tests.tools.commands import CONFIG, ROOT, options, run


@pytest.fixture
def end(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    """Run a command in this process; give its status and what it said to stderr."""
    import runpy

    monkeypatch.chdir(ROOT)

    def run(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", [str(word) for word in words])
        with pytest.raises(SystemExit) as caught:
            runpy.run_path(str(ROOT / str(words[0])), run_name="__main__")
        return caught.value.code, capsys.readouterr().err

    return run


def weights(path: Path) -> Path:
    """Write a checkpoint of nothing."""
    torch.save({"state_dict": {}}, path)
    return path


@pytest.mark.parametrize("command", ["tools/train.py", "tools/test.py"])
def test_config_that_is_not_there(end, command: str, tmp_path: Path) -> None:
    status, said = end(command, "configs/none.py", *(["x.pth"] * (command == "tools/test.py")))
    assert (status, said) == (2, f"{Path(command).name}: error: no such config: configs/none.py\n")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("model = dict(", "cannot read the config"),
        ("a = 1", "it has no 'model'"),
        ("_base_ = 'nothing.py'", "cannot read the config"),
    ],
)
def test_config_that_is_none(end, tmp_path: Path, text: str, part: str) -> None:
    config = tmp_path / "bad.py"
    config.write_text(text)
    status, said = end("tools/train.py", config)
    assert status == 2
    assert part in said
    assert str(config) in said
    assert said.count("\n") == 1


def test_model_that_is_not_registered(end, tmp_path: Path) -> None:
    work = tmp_path / "work"
    status, said = end(
        *(
            "tools/train.py",
            CONFIG,
            "--work-dir",
            work,
            "--cfg-options",
            "model.type=NoSuchDetector",
        )
    )
    assert status == 2
    assert "NoSuchDetector" in said
    assert "Traceback" not in said


def test_checkpoint_that_is_not_there(end, tmp_path: Path) -> None:
    for path, part in [("none.pth", "no such checkpoint"), (tmp_path, "no best_*.pth in")]:
        status, said = end("tools/test.py", CONFIG, path)
        assert status == 2
        assert f"{part}" in said
        assert said.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 cut off"])
def test_checkpoint_that_is_none(end, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.pth"
    path.write_bytes(content)
    status, said = end("tools/test.py", CONFIG, path)
    assert status == 2
    assert f"cannot read {path} as a checkpoint" in said
    assert said.count("\n") == 1


def test_annotations_that_are_not_there(end, tmp_path: Path) -> None:
    missing = tmp_path / "val.json"
    status, said = end(
        *("tools/test.py", CONFIG, weights(tmp_path / "w.pth"), "--threshold", 0.5),
        *("--work-dir", tmp_path, "--cfg-options", f"test_evaluator.ann_file={missing}"),
        *(f"test_dataloader.dataset.ann_file={missing}", "test_dataloader.dataset.data_root="),
    )
    assert status == 2
    assert f"no such annotation file: {missing}" in said
    assert "Traceback" not in said


def test_folder_that_is_a_file(end, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    status, said = end("tools/train.py", CONFIG, "--work-dir", blocked / "work")
    assert status == 2
    assert f"{blocked} is no folder" in said
    checkpoint = weights(tmp_path / "w.pth")
    for option, value in (("--show-dir", blocked), ("--out", blocked / "a.json")):
        status, said = end("tools/test.py", CONFIG, checkpoint, option, value)
        assert status == 2
        assert f"{blocked} is no folder" in said


def test_weights_that_are_not_there(end, tmp_path: Path) -> None:
    for option in ("--load-from", "--resume"):
        status, said = end(
            "tools/train.py", CONFIG, option, "none_such.pth", "--work-dir", tmp_path / "work"
        )
        assert (status, said.count("\n")) == (2, 1)
        assert "no such weights: none_such.pth" in said
    assert not (tmp_path / "work").exists()


@needs_safe_loading
@pytest.mark.parametrize("option", ["--load-from", "--resume"])
def test_weights_that_would_run_code_do_not(end, option: str, tmp_path: Path) -> None:
    path, proof = tmp_path / "evil.pth", tmp_path / "proof"

    class Evil:
        def __reduce__(self) -> tuple:
            return os.system, (f"touch {proof}",)

    torch.save({"state_dict": {"a": Evil()}}, path)
    status, said = end("tools/train.py", CONFIG, option, path, "--work-dir", tmp_path / "work")
    assert (status, said.count("\n")) == (2, 1)
    assert f"cannot read {path} as a checkpoint: it holds" in said
    assert not proof.exists()


def test_without_network_the_paper_config_names_the_ways_out(
    end, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from urllib.error import URLError

    def fail(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    status, said = end(
        "tools/train.py", "configs/maskrcnn_r101_tupac.py", "--work-dir", tmp_path / "work"
    )
    assert (status, said.count("\n")) == (2, 1)
    assert "--load-from FILE" in said
    assert "--load-from none" in said


def test_out_is_json(end) -> None:
    status, said = end("tools/test.py", CONFIG, "x.pth", "--out", "found.pkl")
    assert status == 2
    assert "--out must end in .json" in said


def test_demo_stops_with_the_command_that_failed(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "archive").write_text("in the way")
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/demo.py"), "--out", str(tmp_path / "demo")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "archive is a file; --out takes a folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_training_that_diverges_ends_and_keeps_its_checkpoint(data: Path, tmp_path: Path) -> None:
    words = [*options(data), "default_hooks.checkpoint.interval=1", "optim_wrapper.clip_grad=None"]
    # The first step of the warm-up is as good as none, the second destroys all weights.
    words += ["optim_wrapper.optimizer.lr=1e38", "param_scheduler.0.start_factor=1e-45"]
    done = run("tools/train.py", CONFIG, "--work-dir", tmp_path, "--cfg-options", *words)
    assert done.returncode == 2, done.stderr[-2000:]
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("train.py: error: training has diverged: after step 3 the weight ")
    assert "Traceback" not in done.stderr
    kept = {path.name for path in tmp_path.glob("*.pth")}
    assert kept == {"iter_2.pth", "best_mitosis_f_score_iter_2.pth"}
    assert f"The last checkpoint is {tmp_path / 'iter_2.pth'}." in last
