"""From the command line to a config and its weights."""

import hashlib
import io
from email.message import Message
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from mmengine.config import Config

from mmdet_mitosis.engine.launch import (
    build_runner,
    fetch_weights,
    for_testing,
    load_config,
    lock_work_dir,
    set_start,
)
from mmdet_mitosis.launchers import VARIABLES
from tests.make_data import CONFIGS

DIGEST = hashlib.sha256(b"contents").hexdigest()[:8]
NAME = f"detector_r101-{DIGEST}.pth"
URL = f"https://example.org/models/{NAME}?download=1"
DEMO = str(CONFIGS / "maskrcnn_r18_demo.py")


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_a_missing_config_is_named(tmp_path):
    for path in (tmp_path / "none.py", tmp_path):
        with pytest.raises(FileNotFoundError, match=f"no such config: {path}"):
            load_config(str(path), None, None)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.py", "model = dict(", "never closed"),
        ("a.py", "model = dict(depth=deep)", "'deep' is not defined"),
        ("a.py", "_base_ = 'nobody.py'\nmodel = dict()", r"nobody\.py"),
        ("a.py", "model = dict(1)", "not iterable"),
        ("a.py", "lr = 0.1", "no detector's config: it has no 'model'"),
        ("a.txt", "model = dict()", "Only py/yml/yaml/json"),
    ],
    ids=["syntax", "name", "base", "type", "no model", "suffix"],
)
def test_what_is_no_config_is_named(tmp_path, name, text, message):
    path = write(tmp_path / name, text)
    with pytest.raises(ValueError, match=message) as caught:
        load_config(path, None, None)
    assert path in str(caught.value)


def test_the_command_line_goes_over_the_config(tmp_path, monkeypatch):
    for name in VARIABLES["slurm"]:
        monkeypatch.setenv(name, "0")
    path = write(tmp_path / "tiny.py", "model = dict(depth=18)\nmax_iters = 5")
    cfg = load_config(path, None, {"model.depth": 34, "train_cfg.max": 7}, "slurm")
    assert (cfg.model.depth, cfg.train_cfg.max, cfg.max_iters, cfg.launcher) == (34, 7, 5, "slurm")
    assert load_config(path, None, None).model.depth == 18


@pytest.mark.parametrize(
    ("given", "in_config", "work_dir"),
    [
        (None, "", "work_dirs/tiny"),
        (None, "work_dir = 'mine'", "mine"),
        ("given", "work_dir = 'mine'", "given"),
    ],
)
def test_the_work_folder_is_the_given_one_then_the_configs_then_its_name(
    tmp_path, given, in_config, work_dir
):
    path = write(tmp_path / "tiny.py", f"model = dict()\n{in_config}")
    assert load_config(path, given, None).work_dir == work_dir


def test_a_config_of_the_tree_is_read():
    cfg = load_config(DEMO, None, {"train_cfg.max_iters": 3})
    assert cfg.train_cfg.max_iters == 3 and cfg.work_dir == "work_dirs/maskrcnn_r18_demo"


def test_a_local_file_is_taken_as_it_is(tmp_path):
    path = write(tmp_path / "weights.pth", "")
    assert fetch_weights(path) == path
    assert fetch_weights(None) is None
    with pytest.raises(FileNotFoundError, match=r"no such weights: nowhere/x\.pth"):
        fetch_weights("nowhere/x.pth")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder that weights are downloaded to."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    return tmp_path / "hub" / "checkpoints"


class Response(io.BytesIO):
    """A server's answer that breaks off where it is told to."""

    def __init__(self, content: bytes, error: Exception | None = None):
        super().__init__(content)
        self.error = error

    def info(self):
        return Message()

    def read(self, size=-1):
        found = super().read(size)
        if not found and self.error:
            raise self.error
        return found


def serve(monkeypatch, response: Response) -> list[str]:
    asked = []
    monkeypatch.setattr(
        torch.hub, "urlopen", lambda request: asked.append(request.full_url) or response
    )
    return asked


def test_weights_are_downloaded_once(cache, monkeypatch):
    asked = serve(monkeypatch, Response(b"contents"))
    path = fetch_weights(URL)
    assert Path(path) == cache / NAME and Path(path).read_bytes() == b"contents"
    assert fetch_weights(URL) == path and asked == [URL]


def test_without_a_network_one_sentence_tells_the_way_out(cache, monkeypatch):
    def no_network(url, target, digest):
        raise URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    with pytest.raises(ValueError, match="--load-from FILE") as caught:
        fetch_weights(URL)
    text = str(caught.value)
    assert URL in text and "service not known" in text and "\n" not in text
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    "error", [ConnectionResetError("reset by peer"), TimeoutError("timed out")]
)
def test_a_download_that_breaks_off_leaves_no_file(cache, monkeypatch, error):
    serve(monkeypatch, Response(b"cont", error))
    with pytest.raises(ValueError, match=f"{error}.*--load-from FILE"):
        fetch_weights(URL)
    assert list(cache.iterdir()) == []
    serve(monkeypatch, Response(b"contents"))
    assert Path(fetch_weights(URL)).read_bytes() == b"contents"


def test_a_download_that_ends_early_is_not_taken_for_a_whole_one(cache, monkeypatch):
    serve(monkeypatch, Response(b"cont"))
    with pytest.raises(ValueError, match=r"invalid hash value.*--load-from FILE"):
        fetch_weights(URL)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("launcher", VARIABLES)
def test_of_several_processes_the_first_one_of_a_machine_downloads(cache, monkeypatch, launcher):
    asked = serve(monkeypatch, Response(b"contents"))
    local_rank = VARIABLES[launcher][2]
    for name, value in zip(VARIABLES[launcher], "580", strict=True):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(local_rank, "1")
    assert Path(fetch_weights(URL, launcher)) == cache / NAME and asked == []
    monkeypatch.setenv(local_rank, "0")  # of the second machine: its rank is 5
    assert Path(fetch_weights(URL, launcher)).is_file() and asked == [URL]


@pytest.mark.parametrize("launcher", ["none", *VARIABLES])
def test_the_first_process_keeps_the_work_folder(tmp_path, monkeypatch, launcher):
    cfg = load_config(DEMO, str(tmp_path), None)
    cfg.launcher = launcher
    for names in VARIABLES.values():
        for name, value in zip(names, "121", strict=True):
            monkeypatch.setenv(name, value)
    held = launcher == "none"  # a run of its own, whatever has started it
    with lock_work_dir(cfg, "train"):
        assert (tmp_path / ".train.lock").exists() == held


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("log.pth", {"epoch": 3, "args": ["a"]}, r"log\.pth holds no weights: no tensors by name"),
        ("model.safetensors", {"a": torch.ones(1)}, r"torch\.save\(safetensors\.torch\.load_file"),
    ],
)
def test_what_training_cannot_start_from_is_named(tmp_path, name, content, said):
    torch.save(content, tmp_path / name)
    cfg = load_config(DEMO, str(tmp_path), None)
    with pytest.raises(ValueError, match=said):
        set_start(cfg, str(tmp_path / name), None)


def test_training_starts_from_the_weights_that_the_command_line_names(tmp_path):
    paths = [tmp_path / "own.pth", tmp_path / "other.pth"]
    for path in paths:
        torch.save({"conv1.weight": torch.ones(1)}, path)
    cfg = load_config(DEMO, str(tmp_path), {"load_from": str(paths[0])})
    set_start(cfg, None, None)
    assert (cfg.load_from, cfg.resume) == (str(paths[0]), False)
    set_start(cfg, str(paths[1]), None)
    assert cfg.load_from == str(paths[1])
    set_start(cfg, "none", None)
    assert cfg.load_from is None


def test_a_config_in_the_work_folder_is_not_written_over(tmp_path):
    text = """# mine
model = dict(type="BaseDataPreprocessor")
default_scope = "mmdet"
"""
    mine = Path(write(tmp_path / "mine.py", text))
    other = tmp_path / "other"
    for folder, named in ((tmp_path, False), (other, True)):
        cfg = load_config(str(mine), str(folder), None)
        cfg.experiment_name = f"{tmp_path.name}_{named}"
        build_runner(cfg)
        assert mine.read_text() == text
        kept = [p for p in folder.glob("*.py") if p != mine]
        assert len(kept) == 1 and (kept[0].name == mine.name) is named
        assert Config.fromfile(kept[0]).work_dir == str(folder)


def test_settings_that_cannot_be_tested_or_built_are_named(tmp_path):
    cfg = load_config(DEMO, str(tmp_path), {"test_evaluator": []})
    with pytest.raises(ValueError, match=r"demo\.py has the test_evaluator \[\]; expected a dict"):
        for_testing(cfg, "test", 0.5)
    cfg = load_config(DEMO, str(tmp_path), {"custom_hooks": [3]})
    with pytest.raises(ValueError, match=r"demo\.py has the custom_hooks \[3\]; expected a list"):
        for_testing(cfg, "test", 0.5)
    cfg = load_config(DEMO, str(tmp_path), {"model.backbone.base_channels": -1})
    with pytest.raises(ValueError, match=r"demo\.py cannot be built: "):
        build_runner(cfg)
