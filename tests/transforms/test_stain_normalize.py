"""StainNormalize: one fit a field, BGR in and out, and nothing that stops a training run."""

import json
import pickle

import numpy as np
import pytest
from mmcv.transforms import Compose, KeyMapper
from mmdet.registry import TRANSFORMS
from mmdet.structures import DetDataSample

from mmdet_mitosis.stain import NORMALIZERS, MacenkoNormalizer, StainFit
from mmdet_mitosis.transforms import StainNormalize
from tests.transforms.tissue import STAINS, TARGET, blank, fat, save, tissue, window


@pytest.fixture
def field():
    return np.concatenate([tissue(), fat()], axis=1)


@pytest.fixture
def field_path(tmp_path, field):
    return save(tmp_path / "images" / "field.png", field)


def test_registry_builds_it(mmdet_scope):
    built = TRANSFORMS.build({"type": "StainNormalize", "method": "macenko", "io": 255})
    assert isinstance(built, StainNormalize) and built.fits.normalizer.io == 255


def test_bgr_goes_in_and_comes_out(field, field_path):
    out = StainNormalize()(window(field, img_path=field_path))["img"]
    np.testing.assert_array_equal(out[..., ::-1], MacenkoNormalizer().normalize(field))
    assert out.flags.c_contiguous and out.dtype == np.uint8


@pytest.mark.parametrize("method", list(NORMALIZERS))
def test_windows_are_pieces_of_the_normalised_field(method, field, field_path):
    whole = NORMALIZERS[method]().normalize(field)
    transform = StainNormalize(method)
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


def test_a_field_is_fitted_once_a_process_and_once_for_all(field, field_path, monkeypatch):
    seen = []
    estimate = MacenkoNormalizer.estimate_sample
    monkeypatch.setattr(
        MacenkoNormalizer,
        "estimate_sample",
        lambda self, sample: seen.append(sample.n_tissue) or estimate(self, sample),
    )
    outputs = []
    for transform in (StainNormalize(), StainNormalize()):
        for x in (0, 30, 60):
            part = window(field, slice(0, 64), slice(x, x + 64), img_path=field_path)
            outputs.append(transform(part)["img"])
    assert len(seen) == 1
    for first, second in zip(outputs[:3], outputs[3:], strict=True):
        np.testing.assert_array_equal(first, second)


def test_each_field_has_its_own_fit(tmp_path):
    images = [tissue(0), tissue(0, stains=TARGET)]
    paths = [save(tmp_path / "images" / f"{k}.png", image) for k, image in enumerate(images)]
    transform = StainNormalize()
    out = [
        transform(window(image, img_path=path))["img"].astype(int)
        for image, path in zip(images, paths, strict=True)
    ]
    before = np.abs(images[0].astype(int) - images[1]).mean()
    assert np.abs(out[0] - out[1]).mean() < before / 4


def test_a_copy_sent_to_a_worker_does_the_same(field, field_path):
    transform = StainNormalize()
    expected = transform(window(field, img_path=field_path))["img"]
    copy = pickle.loads(pickle.dumps(transform))
    np.testing.assert_array_equal(copy(window(field, img_path=field_path))["img"], expected)
    assert list(copy.fits.fits) == [field_path]


def test_a_prepared_fit_is_taken_and_no_file_read(field):
    fit = MacenkoNormalizer().estimate(tissue(4, stains=TARGET))
    prepared = json.loads(json.dumps(fit.to_dict()))
    part = window(field, img_path="nowhere.png", stain_fit=prepared)
    out = StainNormalize()(part)["img"][..., ::-1]
    np.testing.assert_array_equal(out, MacenkoNormalizer().normalize(field, fit))


def test_without_a_path_the_image_is_its_own_field(field):
    out = StainNormalize()(window(field))["img"][..., ::-1]
    np.testing.assert_array_equal(out, MacenkoNormalizer().normalize(field))


def test_a_field_without_tissue_stays_and_is_marked(tmp_path):
    rgb = blank()
    path = save(tmp_path / "images" / "blank.png", rgb)
    transform = StainNormalize()
    for keys in ({"img_path": path}, {}, {"img_path": path, "stain_fit": None}):
        for x in (0, 20, 30):
            part = window(rgb, slice(0, 50), slice(x, x + 50), **keys)
            expected = part["img"].copy()
            results = transform(part)
            np.testing.assert_array_equal(results["img"], expected)
            assert results["stain_normalized"] is False
            assert results.get("stain_fit") is None


def test_what_was_normalised_is_marked_and_has_the_targets_fit(field, field_path):
    transform = StainNormalize()
    results = transform(window(field, img_path=field_path))
    assert results["stain_normalized"] is True
    assert results["stain_fit"] == MacenkoNormalizer().target.to_dict()
    # So a second one changes next to nothing, where by the field's own fit it would change much.
    once = results["img"].astype(int)
    again = transform(results)["img"]
    assert np.abs(again - once)[once.max(axis=2) < 230].max() <= 3


@pytest.mark.parametrize("added", [True, False])
def test_the_mark_is_packed_where_it_is_there(added, field, field_path, mmdet_scope):
    packing = {"type": "PackDetInputs", "meta_keys": ("img_path", "stain_normalized")}
    steps = [{"type": "StainNormalize"}, packing] if added else [packing]
    built = Compose([TRANSFORMS.build(step) for step in steps])
    sample: DetDataSample = built(window(field, img_path=field_path))["data_samples"]
    expected = {"img_path": field_path} | ({"stain_normalized": True} if added else {})
    assert sample.metainfo == expected


def test_none_changes_nothing_and_reads_no_key():
    transform = StainNormalize("none", target="nowhere.png", io=1)
    results = {"img": "anything", "img_path": 3, "stain_fit": {}}
    assert transform(dict(results)) == results and transform({}) == {}


def test_another_key_can_be_normalised(field, field_path):
    mapped = KeyMapper(transforms=[StainNormalize()], mapping={"img": "other"}, auto_remap=True)
    part = window(field, img_path=field_path)
    results = mapped({"other": part["img"], "img": part["img"], "img_path": field_path})
    expected = MacenkoNormalizer().normalize(field)[..., ::-1]
    np.testing.assert_array_equal(results["other"], expected)
    np.testing.assert_array_equal(results["img"], part["img"])


def test_min_tissue_is_the_least_that_is_normalised(field, field_path):
    count = MacenkoNormalizer().estimate(field).n_tissue
    enough, short = StainNormalize(min_tissue=count), StainNormalize(min_tissue=count + 1)
    assert (enough(window(field, img_path=field_path))["img"] != field[..., ::-1]).any()
    assert (short(window(field, img_path=field_path))["img"] == field[..., ::-1]).all()


def test_target_is_an_image_a_fit_or_a_saved_normaliser(tmp_path, field, field_path):
    image = tissue(7, stains=TARGET)
    normalizer = MacenkoNormalizer().fit(image)
    expected = normalizer.normalize(field)
    fit, saved = tmp_path / "fit.json", tmp_path / "saved.json"
    fit.write_text(json.dumps(normalizer.target.to_dict()))
    normalizer.save(saved)
    for target in (save(tmp_path / "target.png", image), str(fit), str(saved)):
        out = StainNormalize(target=target)(window(field, img_path=field_path))["img"]
        np.testing.assert_array_equal(out[..., ::-1], expected)
    assert (expected != MacenkoNormalizer().normalize(field)).any()


def test_bad_arguments_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"'magic'.*macenko.*none"):
        StainNormalize(method="magic")
    with pytest.raises(ValueError, match=r"macenko.*colour"):
        StainNormalize(colour=3)
    for name in ("none.png", "none.json"):
        with pytest.raises(FileNotFoundError, match=name):
            StainNormalize(target=str(tmp_path / name))
    for name, text in {"syntax.json": "{", "empty.json": "{}", "text.png": "no image"}.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=name):
            StainNormalize(target=str(tmp_path / name))
    with pytest.raises(ValueError, match=r"white\.png.*tissue"):
        StainNormalize(target=save(tmp_path / "white.png", np.full((50, 50, 3), 255, np.uint8)))


def test_bad_input_is_refused(field):
    with pytest.raises(ValueError, match="stain_matrix"):
        StainNormalize()(window(field, stain_fit={"n_tissue": 3}))
    good = StainFit(STAINS, [1, 1]).to_dict()
    assert StainNormalize()(window(field, stain_fit=good))["img"].shape == field.shape
    for wrong in (field.astype(np.float32), field[..., 0], np.dstack([field, field])):
        with pytest.raises(ValueError, match="expected RGB uint8"):
            StainNormalize()({"img": wrong, "stain_fit": good})


def test_repr_tells_how_it_was_made():
    text = repr(StainNormalize(min_tissue=7, max_pixels=1000))
    assert text == ("StainNormalize(method='macenko', target=None, min_tissue=7, max_pixels=1000)")
