"""StainNormalize: one fit a field, BGR in and out, and nothing that stops a training run."""

import json
import logging
import pickle

import cv2
import numpy as np
import pytest
from mmdet.registry import TRANSFORMS

from mmdet_mitosis.stain import MacenkoNormalizer, StainFit
from mmdet_mitosis.transforms import StainNormalize, stain_normalize

STAINS = np.array([[0.55, 0.22], [0.76, 0.84], [0.34, 0.50]])
TARGET = np.array([[0.65, 0.10], [0.70, 0.95], [0.29, 0.30]])


def render(amounts, stains=STAINS):
    """RGB by Beer-Lambert of hematoxylin and eosin, (H, W, 2)."""
    density = amounts @ (stains / np.linalg.norm(stains, axis=0)).T
    return np.round(240 * np.exp(-density) - 1).clip(0, 255).astype(np.uint8)


def tissue(seed=0, size=128, stains=STAINS):
    """Nuclei, stroma and gaps."""
    rng = np.random.default_rng(seed)
    amounts = rng.uniform(0.4, 1.8, (size, size, 2))
    kind = rng.integers(0, 4, (size, size))
    amounts[kind == 0, 1] = 0
    amounts[kind == 1, 0] = 0
    amounts[kind == 2] *= 0.2
    return render(amounts, stains)


def fat(seed=0, size=128):
    """Nothing, with a few pale strands of stroma."""
    rng = np.random.default_rng(seed)
    amounts = np.zeros((size, size, 2))
    strands = rng.choice(size, 12, replace=False)
    amounts[strands, :, 0] = rng.uniform(0, 0.3, (12, size))
    amounts[strands, :, 1] = rng.uniform(0.4, 0.9, (12, size))
    return render(amounts)


def save(path, rgb):
    assert cv2.imwrite(str(path), rgb[..., ::-1])
    return str(path)


def window(field, rows=slice(None), columns=slice(None), **keys):
    return {"img": np.ascontiguousarray(field[rows, columns, ::-1]), **keys}


@pytest.fixture
def field():
    return np.concatenate([tissue(), fat()], axis=1)


@pytest.fixture
def field_path(tmp_path, field):
    return save(tmp_path / "field.png", field)


@pytest.fixture
def reads(monkeypatch):
    """The paths that the transform reads, in order."""
    seen = []
    read = stain_normalize.read_field
    monkeypatch.setattr(
        stain_normalize, "read_field", lambda path: seen.append(str(path)) or read(path)
    )
    return seen


def test_registry_builds_it(mmdet_scope):
    built = TRANSFORMS.build({"type": "StainNormalize", "method": "macenko", "io": 255})
    assert isinstance(built, StainNormalize) and built.normalizer.io == 255


def test_bgr_goes_in_and_comes_out(field, field_path):
    out = StainNormalize()(window(field, img_path=field_path))["img"]
    np.testing.assert_array_equal(out[..., ::-1], MacenkoNormalizer().normalize(field))
    assert out.flags.c_contiguous and out.dtype == np.uint8


def test_windows_are_pieces_of_the_normalised_field(field, field_path):
    whole = MacenkoNormalizer().normalize(field)
    transform = StainNormalize()
    for x in (0, 60, 100, 128):
        part = window(field, slice(7, 90), slice(x, x + 83), img_path=field_path)
        out = transform(part)["img"][..., ::-1]
        np.testing.assert_array_equal(out, whole[7:90, x : x + 83])


def test_a_window_of_fat_keeps_its_colours_relative_to_the_field(field, field_path):
    part = window(field, slice(None), slice(128, None), img_path=field_path)
    strands = part["img"].min(axis=2) < 200
    by_field = StainNormalize()(dict(part))["img"]
    by_itself = StainNormalize(min_tissue=0)({"img": part["img"]})["img"]
    # By itself the pale strands would be taken for the darkest tissue, and blackened.
    assert by_itself[strands].mean() < by_field[strands].mean() - 40
    assert by_field[~strands].min() >= 200


def test_a_field_is_read_and_fitted_once(field, field_path, reads):
    transform = StainNormalize()
    for x in (0, 30, 60):
        transform(window(field, slice(0, 64), slice(x, x + 64), img_path=field_path))
    assert reads == [field_path] and list(transform.fits) == [field_path]


def test_each_field_has_its_own_fit(tmp_path):
    images = [tissue(0), tissue(0, stains=TARGET)]
    paths = [save(tmp_path / f"{k}.png", image) for k, image in enumerate(images)]
    transform = StainNormalize()
    out = [
        transform(window(image, img_path=path))["img"].astype(int)
        for image, path in zip(images, paths, strict=True)
    ]
    before = np.abs(images[0].astype(int) - images[1]).mean()
    assert np.abs(out[0] - out[1]).mean() < before / 4


def test_a_copy_sent_to_a_worker_keeps_the_fits(field, field_path, reads):
    transform = StainNormalize()
    expected = transform(window(field, img_path=field_path))["img"]
    copy = pickle.loads(pickle.dumps(transform))
    np.testing.assert_array_equal(copy(window(field, img_path=field_path))["img"], expected)
    assert len(reads) == 1


def test_a_prepared_fit_is_taken_and_no_file_read(field, reads):
    fit = MacenkoNormalizer().estimate(tissue(4, stains=TARGET))
    prepared = json.loads(json.dumps(fit.to_dict()))
    part = window(field, img_path="nowhere.png", stain_fit=prepared)
    out = StainNormalize()(part)["img"][..., ::-1]
    np.testing.assert_array_equal(out, MacenkoNormalizer().normalize(field, fit))
    assert reads == []


def test_without_a_path_the_image_is_its_own_field(field):
    out = StainNormalize()(window(field))["img"][..., ::-1]
    np.testing.assert_array_equal(out, MacenkoNormalizer().normalize(field))


def test_a_field_without_tissue_stays_and_is_counted(tmp_path, monkeypatch):
    logged = []
    monkeypatch.setattr(
        stain_normalize, "print_log", lambda text, logger, level: logged.append((text, level))
    )
    blank = np.full((80, 80, 3), 242, np.uint8)
    blank[30:40, 30:40] = tissue(size=10)
    path = save(tmp_path / "blank.png", blank)
    transform = StainNormalize()
    for x in (0, 20, 30):
        part = window(blank, slice(0, 50), slice(x, x + 50), img_path=path)
        expected = part["img"].copy()
        np.testing.assert_array_equal(transform(part)["img"], expected)
    assert transform.n_identity == {path: 3}
    (entry,) = logged
    assert path in entry[0] and entry[1] == logging.WARNING
    assert transform(window(blank))["img"].shape == blank.shape
    assert transform(window(blank, img_path=path, stain_fit=None)) is not None
    assert transform.n_identity == {path: 4, stain_normalize.NO_PATH: 1}


def test_tissue_is_not_counted_as_left_alone(field, field_path):
    transform = StainNormalize()
    transform(window(field, img_path=field_path))
    assert not transform.n_identity


def test_min_tissue_is_the_least_that_is_normalised(tmp_path, field, field_path):
    count = MacenkoNormalizer().estimate(field).n_tissue
    enough, short = StainNormalize(min_tissue=count), StainNormalize(min_tissue=count + 1)
    assert (enough(window(field, img_path=field_path))["img"] != field[..., ::-1]).any()
    assert (short(window(field, img_path=field_path))["img"] == field[..., ::-1]).all()


def test_target_is_an_image_or_a_fit(tmp_path, field, field_path):
    image = tissue(7, stains=TARGET)
    expected = MacenkoNormalizer().fit(image).normalize(field)
    json_path = tmp_path / "target.json"
    json_path.write_text(json.dumps(MacenkoNormalizer().estimate(image).to_dict()))
    for target in (save(tmp_path / "target.png", image), str(json_path)):
        out = StainNormalize(target=target)(window(field, img_path=field_path))["img"]
        np.testing.assert_array_equal(out[..., ::-1], expected)
    assert (expected != MacenkoNormalizer().normalize(field)).any()


def test_bad_arguments_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"'magic'.*macenko"):
        StainNormalize(method="magic")
    for name in ("none.png", "none.json"):
        with pytest.raises(FileNotFoundError, match=name):
            StainNormalize(target=str(tmp_path / name))
    for name, text in {"syntax.json": "{", "empty.json": "{}", "text.png": "no image"}.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=name):
            StainNormalize(target=str(tmp_path / name))
    with pytest.raises(ValueError, match=r"white\.png.*tissue"):
        StainNormalize(target=save(tmp_path / "white.png", np.full((50, 50, 3), 255, np.uint8)))


def test_a_bad_prepared_fit_is_refused(field):
    with pytest.raises(ValueError, match="stain_matrix"):
        StainNormalize()(window(field, stain_fit={"n_tissue": 3}))
    good = StainFit(STAINS, [1, 1]).to_dict()
    assert StainNormalize()(window(field, stain_fit=good))["img"].shape == field.shape


def test_repr_tells_how_it_was_made():
    text = repr(StainNormalize(min_tissue=7, max_pixels=1000))
    assert text == ("StainNormalize(method='macenko', target=None, min_tissue=7, max_pixels=1000)")
