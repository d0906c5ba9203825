"""What the doctor finds, and what it tells to do."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.torch_version import TorchVersion

from mmdet_mitosis import compat, doctor
from mmdet_mitosis.compat.operators import Operators
from mmdet_mitosis.doctor import check, gpu, packages, trials
from tests.installed import needs_safe_loading

ROOT = Path(doctor.__file__).parents[2]
NAMES = [
    "Python",
    "setuptools",
    "torch",
    "torchvision",
    "numpy",
    "mmengine",
    "opencv",
    "mmcv",
    "mmdet",
    "GPU",
    "mmdet-mitosis",
    "operators",
    "safe loading",
    "self test",
]


def run_doctor(*python_options: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, *python_options, str(ROOT / "tools/doctor.py")],
        capture_output=True,
        text=True,
        cwd=ROOT.parent,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def rows(text: str) -> dict[str, str]:
    """Give the state of each row of the table."""
    table = text.split("\n\n")[0]
    return {line[6:].split("  ")[0].strip(): line[:4].strip() for line in table.splitlines()}


def with_versions(monkeypatch: pytest.MonkeyPatch, **versions: str | None) -> None:
    """Have distributions be of other versions, or, with None, not installed."""
    given = {name.replace("_", "-"): version for name, version in versions.items()}

    def installed(name: str) -> str | None:
        return given[name] if name in given else check.installed(name)

    monkeypatch.setattr(packages, "installed", installed)


def test_command_finds_this_installation_well() -> None:
    status, said = run_doctor()
    assert status == 0
    found = rows(said)
    assert list(found) == NAMES
    assert {state for name, state in found.items() if name != "GPU"} <= {"ok", "note"}
    assert found["self test"] == "ok"
    assert found["safe loading"] == ("ok" if compat.loads_safely() else "note")
    assert f"torch          {torch.__version__.partition('+')[0]}" in said
    assert said.endswith("\nThis installation can train.\n")


def test_command_without_any_package_tells_what_to_install() -> None:
    status, said = run_doctor("-I", "-S")
    assert status == 1
    found = rows(said)
    assert list(found) == NAMES
    missing = NAMES[1:9]
    assert [name for name, state in found.items() if state == "STOP"] == missing
    assert all(found[name] == "-" for name in NAMES[9:])
    todo = said.partition("What to do:\n")[2]
    for name in missing:
        assert f"  {name}: " in todo
    assert said.endswith(f"cannot train: {', '.join(missing)}.\n")


@pytest.mark.parametrize(
    ("name", "version", "wanted"),
    [
        ("torch", "2.0.1+cu118", "2.1 or later and below 3 is needed"),
        ("mmdet", "2.28.0", "3.3 or later and below 3.4 is needed"),
        ("mmdet", "3.4.0", "pip install mmdet==3.3.0"),
        ("mmengine", "0.10.6", "pip install mmengine==0.10.7"),
        ("numpy", "1.24.4", "1.26 or later"),
        ("mmcv-lite", "2.2.0", "pip install mmcv-lite==2.1.0"),
        ("torch", None, "pip install -c constraints.txt torch"),
        ("mmdet", None, "pip install mmdet==3.3.0"),
        ("mmcv-lite", None, "pip install mmcv-lite==2.1.0"),
        ("opencv-python-headless", None, "opencv-python-headless"),
    ],
)
def test_wrong_version_stops(monkeypatch, name: str, version: str | None, wanted: str) -> None:
    others = dict.fromkeys((*packages.MMCV_NAMES, *packages.OPENCV_NAMES))
    kept = {"mmcv-lite": "2.1.0", "opencv-python-headless": "4.13.0.92"}
    given = {**others, **kept, name: version}
    with_versions(monkeypatch, **given)
    wrong = [item for item in doctor.examine() if item.state == doctor.STOP]
    assert [item.name for item in wrong] == [
        name.removesuffix("-lite").removesuffix("-python-headless")
    ]
    assert wrong[0].found.endswith(version or "not installed")
    assert wanted in wrong[0].advice


def test_what_works_is_not_told_to_change(monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("2.1.0", "2.6.0+cu124", "2.14.1", "2.15.0a0+git1"):
        with_versions(monkeypatch, torch=version)
        assert packages.check_package(packages.PACKAGES[0]) == ("torch", version, doctor.OK, "")


def test_package_that_does_not_import_says_why(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_a.py").write_text("raise RuntimeError('operator nms\\n does not exist')")
    (tmp_path / "broken_b.py").write_text("import missing_c")
    monkeypatch.setattr(packages, "installed", lambda name: "1.0")
    broken = packages.Package("a", "broken_a", "1", "2", "reinstall it")
    assert packages.check_package(broken)[1:] == (
        "1.0",
        doctor.STOP,
        "it does not import (RuntimeError: operator nms does not exist): reinstall it",
    )
    broken = packages.Package("b", "broken_b", "1", "2", "reinstall it")
    assert packages.check_package(broken).advice == "it needs missing_c, which is not installed"


@pytest.mark.parametrize(
    ("examine", "names"),
    [
        (packages.check_opencv, {"opencv-python": "4.13.0", "opencv-python-headless": "4.13.0"}),
        (packages.check_mmcv, {"mmcv": "2.1.0", "mmcv-lite": "2.1.0"}),
    ],
)
def test_two_of_one_kind_are_told(monkeypatch, examine, names: dict[str, str]) -> None:
    monkeypatch.setattr(packages, "installed", names.get)
    found = examine()
    assert found.state == doctor.NOTE
    assert all(name in found.found for name in names)
    assert "they write over one another" in found.advice
    monkeypatch.setattr(packages, "installed", dict(list(names.items())[:1]).get)
    assert examine().state == doctor.OK


@pytest.mark.parametrize(
    ("version", "has_resources", "state"),
    [
        ("80.9.0", True, doctor.OK),
        ("81.0.0", True, doctor.NOTE),
        ("82.0.1", False, doctor.STOP),
        (None, False, doctor.STOP),
    ],
)
def test_setuptools(monkeypatch, version: str | None, has_resources: bool, state: str) -> None:
    with_versions(monkeypatch, setuptools=version)
    found = importlib.util.find_spec("json") if has_resources else None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)
    result = packages.check_setuptools()
    assert result.state == state
    assert ("setuptools<81" in result.advice) == (state != doctor.OK)


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ((3, 10, 2), doctor.STOP),
        ((3, 11, 0), doctor.OK),
        ((3, 12, 9), doctor.OK),
        ((3, 13, 0), doctor.NOTE),
    ],
)
def test_python(monkeypatch: pytest.MonkeyPatch, version: tuple, state: str) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    assert packages.check_python().state == state


@pytest.mark.parametrize(
    ("built", "driver", "hidden", "told"),
    [
        (None, "13.0", None, "built without CUDA"),
        ("13.0", None, None, "no NVIDIA driver"),
        ("13.0", "12.8", None, "knows CUDA up to 12.8 and torch is built for 13.0"),
        ("12.1", "12.8", "", "CUDA_VISIBLE_DEVICES is ''"),
        ("12.8", "12.4", None, "nvidia-smi"),
        ("9.2", "13.0", None, "nvidia-smi"),
    ],
)
def test_reason_for_no_gpu(monkeypatch, built, driver, hidden, told: str) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if hidden is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert told in gpu.no_gpu(built, driver)


def test_gpu_that_is_seen_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Card:
        name, total_memory = "Some card", 24 * 2**30

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: Card)
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(gpu, "driver_cuda", lambda: "13.1")
    found = gpu.check_gpu()
    assert found.state == doctor.OK
    assert found.found == (
        "Some card 24 GiB, Some card 24 GiB; torch is built for 12.8, the driver for 13.1"
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.check_gpu().state == doctor.NOTE


@needs_safe_loading
def test_older_torch_is_told_not_to_load_safely(monkeypatch: pytest.MonkeyPatch) -> None:
    assert trials.check_loading().state == doctor.OK
    monkeypatch.setattr(torch, "__version__", TorchVersion("2.5.1"))
    found = trials.check_loading()
    assert (found.state, found.found) == (doctor.NOTE, "not with torch 2.5.1")
    assert "2.6" in found.advice


@needs_safe_loading
def test_loading_that_fails_stops() -> None:
    names = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        found = trials.check_loading()
    finally:
        torch.serialization.add_safe_globals(names)
    assert found.state == doctor.STOP
    assert "history_buffer.HistoryBuffer" in found.advice


def test_compiled_mmcv_that_does_not_import_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mmcv._ext", Operators("undefined symbol: x"))
    found = trials.check_operators()
    assert (found.state, found.found) == (doctor.NOTE, "answered by torchvision")
    assert "undefined symbol: x" in found.advice


@pytest.mark.parametrize("wrong", ["nms", "roi_align_forward", "roi_align_backward"])
def test_operator_that_answers_wrongly_stops(monkeypatch, wrong: str) -> None:
    assert trials.check_by_running().state == doctor.OK
    module = sys.modules["mmcv.ops.nms" if wrong == "nms" else "mmcv.ops.roi_align"].ext_module

    def answer(boxes: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        return torch.arange(len(boxes))

    monkeypatch.setattr(module, wrong, answer)
    found = trials.check_by_running()
    assert found.state == doctor.STOP
    assert found.found == "nms or roi_align fails on cpu"
    assert f"{wrong.removesuffix('_forward').removesuffix('_backward')} " in found.advice


def test_check_that_fails_is_a_line_and_not_a_traceback(monkeypatch) -> None:
    monkeypatch.setitem(doctor.TRIALS, "operators", lambda: 1 / 0)
    found = {item.name: item for item in doctor.examine()}
    assert found["operators"].state == doctor.STOP
    assert found["operators"].advice == "ZeroDivisionError: division by zero"
    assert found["self test"].state == doctor.SKIPPED
    said = doctor.render(found.values())
    assert "  operators: ZeroDivisionError: division by zero\n" in said
    assert said.endswith("cannot train: operators.")
