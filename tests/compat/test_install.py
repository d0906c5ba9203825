"""What answers mmcv's operators, and that nothing else is touched."""

import importlib.machinery
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import mmcv
import mmcv.ops
import pytest
import torch

from mmdet_mitosis import compat
from mmdet_mitosis.compat.compiled import lay_out_inputs
from mmdet_mitosis.compat.operators import MissingOperatorError, Operators
from tests.installed import needs_safe_loading

ROOT = Path(compat.__file__).parents[2]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder that mmcv's compiled module would lie in, with no module loaded."""
    monkeypatch.setattr(mmcv, "__path__", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "mmcv._ext", raising=False)
    # Undone after the test, whatever install() puts there.
    monkeypatch.setitem(sys.modules, "mmcv._ext", None)
    del sys.modules["mmcv._ext"]
    return tmp_path


@needs_safe_loading
def test_install_twice_is_as_once() -> None:
    module = sys.modules["mmcv._ext"]
    allowed = set(torch.serialization.get_safe_globals())
    backend = compat.TORCHVISION if isinstance(module, Operators) else compat.COMPILED
    assert compat.install() == compat.install() == backend
    assert sys.modules["mmcv._ext"] is module
    assert set(torch.serialization.get_safe_globals()) == allowed


@needs_safe_loading
def test_torchvision_answers_where_nothing_is_compiled(package: Path, recwarn) -> None:
    assert compat.install() == compat.TORCHVISION
    assert isinstance(sys.modules["mmcv._ext"], Operators)
    assert sys.modules["mmcv._ext"].fault == ""
    assert importlib.util.find_spec("mmcv._ext").name == "mmcv._ext"
    assert not recwarn.list


def test_compiled_module_that_does_not_load_is_told(package: Path) -> None:
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    (package / f"_ext{suffix}").write_bytes(b"built for another torch")
    with pytest.warns(UserWarning, match="compiled mmcv does not import") as told:
        assert compat.install() == compat.TORCHVISION
    (message,) = (str(one.message) for one in told if "compiled mmcv" in str(one.message))
    assert f"_ext{suffix}" in message
    assert torch.__version__ in message
    assert "mmcv-lite" in message
    assert "\n" not in message
    assert isinstance(sys.modules["mmcv._ext"], Operators)
    assert f"_ext{suffix}" in sys.modules["mmcv._ext"].fault


def test_module_that_the_compiled_one_lacks_is_told(package: Path) -> None:
    (package / "_ext.py").write_text("import no_such_module")
    with pytest.warns(UserWarning, match="no_such_module"):
        assert compat.install() == compat.TORCHVISION


def test_lack_of_mmcv_is_not_hidden(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mmcv", None)
    with pytest.raises(ImportError, match="mmcv"):
        compat.install()
    assert "mmcv._ext" not in sys.modules


COMPILED = """
import builtins, sys
import mmcv, torch, torchvision
import mmengine.runner.checkpoint as loading
mmcv.__path__ = [sys.argv[1], *mmcv.__path__]
owners = [(torch, "load"), (builtins, "getattr"), (torchvision.ops, "nms"),
          (torchvision.ops, "roi_align"), (loading, "load_from_local"), (loading, "torch")]
before = [getattr(*owner) for owner in owners]
from mmdet_mitosis import compat
assert compat.install() == compat.COMPILED
module = sys.modules["mmcv._ext"]
assert module.__file__.startswith(sys.argv[1]), module
import mmcv.ops
print(mmcv.ops.nms(torch.zeros(3, 4), torch.zeros(3), 0.5)[1].tolist())
assert all(a is getattr(*owner) for a, owner in zip(before, owners)), "patched"
"""


def test_compiled_module_that_loads_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "_ext.py").write_text(
        "import torch\n"
        "def nms(boxes, scores, iou_threshold, offset):\n"
        "    return torch.tensor([2, 0])\n"
        "def __getattr__(name):\n"
        "    if name.startswith('__'):\n"
        "        raise AttributeError(name)\n"
        "    return print\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMPILED, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[2, 0]\n"


def test_operator_without_a_source_fails_when_called_and_not_before() -> None:
    operator = Operators().carafe_forward
    with pytest.raises(MissingOperatorError, match=r"'carafe_forward'.*install compiled mmcv"):
        operator(1, key=2)


def test_stand_in_is_an_ordinary_module() -> None:
    assert not hasattr(Operators(), "__path__")
    assert not hasattr(Operators(), "__wrapped__")
    assert Operators().__spec__.name == "mmcv._ext"


def test_missing_operators_are_named_through_mmcv(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("nms", "roi_align"):
        monkeypatch.setattr(sys.modules[f"mmcv.ops.{module}"], "ext_module", Operators())
    boxes, scores = torch.tensor([[0.0, 0, 4, 4]]), torch.ones(1)
    with pytest.raises(MissingOperatorError, match="softnms"):
        mmcv.ops.soft_nms(boxes, scores)
    rois = torch.tensor([[0.0, 0, 0, 4, 4]])
    with pytest.raises(MissingOperatorError, match="pool_mode='max'"):
        mmcv.ops.RoIAlign(2, pool_mode="max")(torch.zeros(1, 1, 8, 8), rois)


def test_report_on_the_environment_says_that_nothing_is_compiled() -> None:
    assert Operators().get_compiler_version() == "n/a"
    assert Operators().get_compiling_cuda_version() == "n/a"


def test_the_layout_of_features_does_not_matter() -> None:
    features = torch.rand(2, 8, 24, 20)
    rois = torch.tensor([[0.0, 1, 2, 15, 20], [1, 4, 4, 9, 18]])
    expected = mmcv.ops.roi_align(features, rois, (4, 4), 1.0, 2)
    last = features.contiguous(memory_format=torch.channels_last)
    assert torch.equal(mmcv.ops.roi_align(last, rois, (4, 4), 1.0, 2), expected)


def test_compiled_operators_get_features_plane_by_plane() -> None:
    seen = []
    module = ModuleType("mmcv._ext")
    module.roi_align_forward = lambda features, rois, *, scale: seen.append((features, rois, scale))
    module.nms = nms = lambda boxes: boxes
    lay_out_inputs(module)
    wrapped = module.roi_align_forward
    lay_out_inputs(module)
    assert module.roi_align_forward is wrapped and module.nms is nms
    last = torch.rand(1, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    module.roi_align_forward(last, "rois", scale=2)
    ((features, rois, scale),) = seen
    assert features.is_contiguous() and torch.equal(features, last)
    assert (rois, scale) == ("rois", 2)
