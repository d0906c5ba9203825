"""Batches on their device get the grey levels that the NumPy classes give."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mmdet_mitosis import stain
from mmdet_mitosis.stain import NORMALIZERS, ColorFit, MacenkoNormalizer, StainFit, torch_batch
from mmdet_mitosis.stain.torch_batch import TorchNormalizer
from tests.installed import needs_half_precision

SCANNERS = (
    np.array([[0.57, 0.22], [0.72, 0.90], [0.40, 0.38]]),
    np.array([[0.49, 0.23], [0.78, 0.82], [0.38, 0.52]]),
)
WINDOW = 256
CROP = slice(30, 94)
IMPORTS_TORCH = r"(import|from) (torch|\S*stain(\.| import )torch)"


def tissue(seed, size=WINDOW, background=0.2):
    """A window of nuclei, stroma, what mixes them and background, with a sensor's noise."""
    rng = np.random.default_rng(seed)
    amounts = rng.uniform(0.2, 1.7, (size, size, 2))
    amounts[rng.random((size, size)) < 0.3, 0] *= 0.3
    amounts[rng.random((size, size)) < 0.3, 1] *= 0.3
    amounts[: round(background * size)] = 0
    amounts[:, : size // 8] = 9  # black
    light = 240 * np.exp(-amounts @ SCANNERS[seed % 2].T * (1 + 0.2 * (seed % 3)))
    return np.clip(light + rng.normal(0, 3, light.shape), 0, 255).astype(np.uint8)


def flat(color, size=WINDOW):
    return np.full((size, size, 3), color, np.uint8)


def batch_of(images, order="rgb"):
    step = -1 if order == "bgr" else 1
    return torch.from_numpy(np.stack(images)[..., ::step].copy()).permute(0, 3, 1, 2).contiguous()


def images_of(batch, order="rgb"):
    return batch.permute(0, 2, 3, 1).cpu().numpy()[..., :: -1 if order == "bgr" else 1]


def worst(a, b):
    return np.abs(np.asarray(a, float) - np.asarray(b, float)).max()


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads that wait for each other on a busy machine take ten times as long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def windows():
    return [tissue(0), flat(255), tissue(1), flat(0), tissue(2), flat((140, 80, 150))]


@pytest.fixture(scope="module", params=NORMALIZERS)
def normalizer(request):
    return NORMALIZERS[request.param]().fit(tissue(7))


@pytest.fixture(scope="module")
def fits(normalizer, windows):
    found = [normalizer.estimate(image) for image in windows]
    assert [fit is None for fit in found] == [False, True] * 3
    return found


@pytest.fixture(scope="module")
def expected(normalizer, windows, fits):
    pairs = zip(windows, fits, strict=True)
    return [image if fit is None else normalizer.normalize(image, fit) for image, fit in pairs]


@pytest.fixture(scope="module")
def crops(windows):
    return batch_of(windows)[:, :, CROP].contiguous()


@pytest.fixture
def macenko():
    return MacenkoNormalizer().fit(tissue(7))


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_batches_become_what_single_images_become(normalizer, windows, fits, expected, order):
    batch = batch_of(windows, order)
    before = batch.clone()
    out = TorchNormalizer(normalizer, order).normalize(batch, fits)
    assert out.dtype == torch.uint8 and out.shape == batch.shape and out.is_contiguous()
    got = images_of(out, order)
    assert worst(got, expected) <= 1
    # Rounded alike, not only near: a cut instead of a rounding would change half of the levels.
    assert np.mean(got != np.stack(expected)) < 0.01
    assert worst(expected[0], windows[0]) > 10
    for left in (1, 3, 5):
        torch.testing.assert_close(out[left], before[left], rtol=0, atol=0)
    assert torch.equal(batch, before) and out.data_ptr() != batch.data_ptr()


def test_fits_are_those_of_single_images(normalizer, windows, expected):
    torch_normalizer = TorchNormalizer(normalizer, "bgr")
    batch = batch_of(windows, "bgr")
    found = torch_normalizer.estimate(batch)
    assert [type(fit) for fit in found] == [normalizer.fit_type, type(None)] * 3
    assert [fit.n_tissue for fit in found[::2]] == [
        normalizer.estimate(image).n_tissue for image in windows[::2]
    ]
    assert worst(images_of(torch_normalizer.normalize(batch, found), "bgr"), expected) <= 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_float_levels_are_not_cut(normalizer, crops, fits, expected, dtype):
    batch = crops.to(dtype)
    torch_normalizer = TorchNormalizer(normalizer)
    out = torch_normalizer.normalize(batch, fits)
    assert out.dtype == dtype
    got = images_of(out)
    # Half precision has steps of 1/8 there.
    assert worst(got, [image[CROP] for image in expected]) <= (
        1.07 if dtype == torch.half else 1.001
    )
    assert np.abs(got[0] - np.round(got[0])).mean() > 0.2
    assert got.min() >= 0 and got.max() <= 255
    found, rounded = torch_normalizer.estimate(crops), torch_normalizer.estimate(batch - 0.3)
    for fit, other in zip(found, rounded, strict=True):
        assert (fit is None) == (other is None) and (not fit or fit.to_dict() == other.to_dict())


def strided(batch):
    wide = torch.zeros((*batch.shape[:3], 2 * batch.shape[3]), dtype=batch.dtype)
    wide[..., ::2] = batch
    return wide[..., ::2]


@pytest.mark.parametrize(
    "laid_out",
    [
        lambda batch: batch.to(memory_format=torch.channels_last),
        strided,
        lambda batch: batch.transpose(2, 3).contiguous().transpose(2, 3),
    ],
    ids=["channels_last", "strided", "transposed"],
)
def test_layout_does_not_matter(normalizer, crops, fits, laid_out):
    other = laid_out(crops)
    assert not other.is_contiguous()
    torch_normalizer = TorchNormalizer(normalizer)
    out = torch_normalizer.normalize(other, fits)
    assert torch.equal(out, torch_normalizer.normalize(crops, fits))
    assert out.stride() == other.clone().stride()
    assert torch_normalizer.estimate(other)[0].to_dict() == (
        torch_normalizer.estimate(crops)[0].to_dict()
    )


def test_one_image_shown_twice_is_normalised_twice(macenko):
    batch = batch_of([tissue(0, 64)]).expand(2, -1, -1, -1)
    fits = [macenko.estimate(tissue(0)), macenko.estimate(tissue(1))]
    out = images_of(TorchNormalizer(macenko).normalize(batch, fits))
    for image, fit in zip(out, fits, strict=True):
        assert worst(image, macenko.normalize(tissue(0, 64), fit)) <= 1


@pytest.mark.parametrize("at_once", [1, WINDOW * 50, WINDOW * 64 * 2])
def test_parts_do_not_show(normalizer, crops, fits, at_once, monkeypatch):
    whole = TorchNormalizer(normalizer).normalize(crops, fits)
    monkeypatch.setattr(torch_batch, "CPU_PIXELS", at_once)
    assert torch.equal(TorchNormalizer(normalizer).normalize(crops, fits), whole)


@pytest.mark.parametrize(
    "dtype", [torch.bfloat16, pytest.param(torch.float16, marks=needs_half_precision)]
)
def test_autocast_changes_nothing(normalizer, crops, fits, dtype):
    torch_normalizer = TorchNormalizer(normalizer)
    expected, expected_fit = (
        torch_normalizer.normalize(crops, fits),
        torch_normalizer.estimate(crops),
    )
    with torch.autocast("cpu", dtype=dtype):
        got, got_fit = torch_normalizer.normalize(crops, fits), torch_normalizer.estimate(crops)
    assert torch.equal(got, expected)
    assert got_fit[0].to_dict() == expected_fit[0].to_dict()


class Recorder(TorchDispatchMode):
    """Notes the types and the largest sizes of all tensors made."""

    def __init__(self):
        super().__init__()
        self.dtypes, self.largest, self.largest_float = set(), 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else [out]:
            if isinstance(tensor, torch.Tensor):
                self.dtypes.add(tensor.dtype)
                self.largest = max(self.largest, tensor.numel())
                if tensor.is_floating_point():
                    self.largest_float = max(self.largest_float, tensor.numel())
        return out


def test_single_precision_and_little_memory(normalizer, crops, fits, monkeypatch):
    monkeypatch.setattr(torch_batch, "CPU_PIXELS", WINDOW * 8)
    torch_normalizer = TorchNormalizer(normalizer)
    with Recorder() as estimated:
        torch_normalizer.estimate(crops)
    with Recorder() as normalized:
        torch_normalizer.normalize(crops, fits)
    assert torch.float32 in normalized.dtypes
    assert torch.float64 not in normalized.dtypes | estimated.dtypes
    # The result is as large as the batch; what is between is not.
    assert normalized.largest == crops.numel() and estimated.largest == crops[0].numel()
    assert normalized.largest_float <= 3 * WINDOW * 8


def test_requires_grad_is_ignored(macenko):
    batch = batch_of([tissue(0)]).float().requires_grad_()
    assert not TorchNormalizer(macenko).normalize(batch, [macenko.target]).requires_grad


@pytest.mark.parametrize("background", [0.2, 0.985])
def test_large_images_are_subsampled_as_by_numpy(background):
    # With 98.5 % of background the subsample has too little tissue and all of it is searched.
    image = tissue(3, size=300, background=background)
    normalizer = MacenkoNormalizer(max_pixels=20_000, seed=5)
    expected = normalizer.estimate(image)
    (found,) = TorchNormalizer(normalizer).estimate(batch_of([image]))
    assert found.n_tissue == expected.n_tissue
    np.testing.assert_allclose(found.stain_matrix, expected.stain_matrix, atol=1e-5)
    np.testing.assert_allclose(found.max_concentrations, expected.max_concentrations, rtol=1e-5)


@pytest.mark.parametrize(
    "arguments", [{"alpha": 0}, {"alpha": 20, "io": 200}, {"beta": 0.5, "min_tissue": 9}]
)
def test_arguments_count(arguments):
    normalizer = MacenkoNormalizer(**arguments)
    image = tissue(4, size=128)
    expected = normalizer.estimate(image)
    (found,) = TorchNormalizer(normalizer).estimate(batch_of([image]))
    np.testing.assert_allclose(found.stain_matrix, expected.stain_matrix, atol=1e-5)
    out = TorchNormalizer(normalizer).normalize(batch_of([image]), [expected])
    assert worst(images_of(out)[0], normalizer.normalize(image, expected)) <= 1


@pytest.mark.parametrize("seed", range(6))
def test_any_colours_are_estimated_and_normalised_as_by_numpy(normalizer, fits, seed):
    rng = np.random.default_rng(seed)
    kinds = [
        rng.integers(0, 256, (40, 40, 3), dtype=np.uint8),
        rng.choice(np.array([0, 60, 255], np.uint8), (40, 40, 3)),
        rng.integers(rng.integers(256), 256, (40, 40, 3), dtype=np.uint8),
        np.clip(rng.normal(rng.integers(0, 256, 3), 30, (40, 40, 3)), 0, 255).astype(np.uint8),
    ]
    eager = type(normalizer)(min_tissue=0)
    found = TorchNormalizer(eager).estimate(batch_of(kinds))
    assert [fit is None for fit in found] == [eager.estimate(image) is None for image in kinds]
    for used in (found, [fits[0]] * 4):
        out = images_of(TorchNormalizer(eager).normalize(batch_of(kinds), used))
        for image, fit, got in zip(kinds, used, out, strict=True):
            if fit is not None:
                assert worst(got, eager.normalize(image, fit)) <= 1


@pytest.mark.parametrize(
    "shape", [(0, 3, 8, 8), (2, 3, 0, 8), (2, 3, 8, 0), (1, 3, 1, 1), (3, 3, 1, 7)]
)
def test_small_and_empty_batches(normalizer, fits, shape):
    torch_normalizer = TorchNormalizer(type(normalizer)(min_tissue=0))
    batch = torch.full(shape, 120, dtype=torch.uint8)
    assert torch_normalizer.estimate(batch) == [None] * shape[0]
    out = torch_normalizer.normalize(batch, [fits[0]] * shape[0])
    assert out.shape == shape and out.dtype == torch.uint8


@pytest.mark.parametrize(
    "batch",
    [
        torch.zeros(3, 8, 8, dtype=torch.uint8),
        torch.zeros(1, 8, 8, 3, dtype=torch.uint8),
        torch.zeros(1, 3, 8, 8, dtype=torch.int64),
    ],
)
def test_other_tensors_are_refused(macenko, batch):
    expected = r"expected uint8 or float \(N, 3, H, W\), got torch"
    with pytest.raises(ValueError, match=expected):
        TorchNormalizer(macenko).estimate(batch)
    with pytest.raises(ValueError, match=expected):
        TorchNormalizer(macenko).normalize(batch, [None])


def test_other_fits_and_orders_are_refused(macenko):
    batch = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    color = ColorFit([50, 20, -10], [10, 5, 5])
    with pytest.raises(ValueError, match="each of 2 images, got 1"):
        TorchNormalizer(macenko).normalize(batch, [None])
    with pytest.raises(ValueError, match="needs a StainFit for image 1, got ColorFit"):
        TorchNormalizer(macenko).normalize(batch, [None, color])
    with pytest.raises(ValueError, match="'gbr'; choose one of rgb, bgr"):
        TorchNormalizer(macenko, "gbr")


def test_arrays_are_normalised_without_torch():
    files = sorted(Path(stain.__file__).parent.glob("*.py"))
    users = [file.name for file in files if re.search(IMPORTS_TORCH, file.read_text("utf-8"))]
    assert users == ["torch_batch.py", "torch_color.py", "torch_estimate.py"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_a_gpu_gives_the_same(normalizer, windows, expected, dtype, monkeypatch):
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", True)
    batch = batch_of(windows).to("cuda", dtype)
    torch_normalizer = TorchNormalizer(normalizer)
    found = torch_normalizer.estimate(batch)
    assert [fit is None for fit in found] == [False, True] * 3
    out = torch_normalizer.normalize(batch, found)
    assert out.device == batch.device and out.dtype == dtype
    assert worst(images_of(out), expected) <= 1.001


def test_a_stain_fit_of_a_slide_serves_its_windows(macenko):
    field = tissue(5, size=512)
    fit = StainFit.from_dict(macenko.estimate(field).to_dict())
    windows = [field[:256, :256], field[256:, 256:]]
    out = images_of(TorchNormalizer(macenko).normalize(batch_of(windows), [fit, fit]))
    assert worst(out[0], macenko.normalize(field, fit)[:256, :256]) <= 1
    assert worst(out[1], macenko.normalize(field, fit)[256:, 256:]) <= 1
