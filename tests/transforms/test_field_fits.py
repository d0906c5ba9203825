"""FieldFits: estimated once, on the whole field, and kept for other workers and runs."""

import json
import logging
import pickle

import cv2
import numpy as np
import pytest

from mmdet_mitosis.datasets import fields
from mmdet_mitosis.datasets.stored_fields import stored_path, write_stored
from mmdet_mitosis.stain import MacenkoNormalizer, fit_cache
from mmdet_mitosis.stain.fit_cache import FIELD, cached_fit, fit_path, write_fit
from mmdet_mitosis.transforms import field_fits
from mmdet_mitosis.transforms.field_fits import FieldFits
from tests.transforms.tissue import TARGET, blank, fat, save, tissue

FIELD_RGB = np.concatenate([tissue(), fat()], axis=1)
EXPECTED = MacenkoNormalizer().estimate(FIELD_RGB).to_dict()


@pytest.fixture
def path(tmp_path):
    return save(tmp_path / "images" / "source" / "field.png", FIELD_RGB)


@pytest.fixture
def place(tmp_path, path):
    """Where the field's fit belongs."""
    return fit_path(tmp_path / "images" / "source" / "field.png", MacenkoNormalizer())


@pytest.fixture
def logged(monkeypatch):
    """What is logged, in a process that has said nothing yet."""
    seen = []
    for module in (field_fits, fit_cache):
        monkeypatch.setattr(
            module, "print_log", lambda text, logger, level: seen.append((text, level))
        )
    monkeypatch.setattr(field_fits, "_told", [])
    return seen


class NoEstimates(MacenkoNormalizer):
    """It would be an error to estimate anything."""

    def estimate_sample(self, sample):
        raise AssertionError("estimated again")


def dictionary(fit):
    return None if fit is None else fit.to_dict()


def test_the_fit_is_that_of_the_whole_field(path, logged):
    assert FieldFits(MacenkoNormalizer()).of_field(path).to_dict() == EXPECTED
    assert not logged


def test_another_process_reads_what_one_has_estimated(path, place):
    FieldFits(MacenkoNormalizer()).of_field(path)
    kept = json.loads(place.read_text())
    assert (kept["scope"], kept["fit"]) == (FIELD, EXPECTED)
    other = FieldFits(NoEstimates())
    assert other.of_field(path).to_dict() == EXPECTED
    place.unlink()
    assert other.of_field(path).to_dict() == EXPECTED, "memory comes before the disk"


def test_a_copy_sent_to_a_worker_keeps_its_fits(path, place):
    first = FieldFits(NoEstimates())
    first.fits[path] = MacenkoNormalizer().estimate(FIELD_RGB)
    copy = pickle.loads(pickle.dumps(first))
    assert copy.of_field(path).to_dict() == EXPECTED and not place.exists()


def test_the_fit_of_a_case_comes_before_that_of_the_field(tmp_path, path):
    image = tmp_path / "images" / "source" / "field.png"
    of_case = MacenkoNormalizer().estimate(tissue(3, stains=TARGET))
    write_fit(image, image, MacenkoNormalizer(), of_case, "case 07")
    assert FieldFits(NoEstimates()).of_field(path).to_dict() == of_case.to_dict()
    assert cached_fit(image, image, MacenkoNormalizer()).scope == "case 07"


def test_an_image_that_was_changed_is_estimated_anew(path, tmp_path):
    image = tmp_path / "images" / "source" / "field.png"
    FieldFits(MacenkoNormalizer()).of_field(path)
    save(image, tissue(5, 200, TARGET))
    fields._cache.pop(path, None)
    found = FieldFits(MacenkoNormalizer()).of_field(path).to_dict()
    assert found == MacenkoNormalizer().estimate(tissue(5, 200, TARGET)).to_dict() != EXPECTED
    assert cached_fit(image, image, MacenkoNormalizer()).fit.to_dict() == found


def test_other_arguments_are_estimated_apart(path, tmp_path):
    FieldFits(MacenkoNormalizer()).of_field(path)
    found = FieldFits(MacenkoNormalizer(alpha=20)).of_field(path).to_dict()
    assert found == MacenkoNormalizer(alpha=20).estimate(FIELD_RGB).to_dict() != EXPECTED
    assert len(list((tmp_path / ".stain").iterdir())) == 2


@pytest.mark.parametrize("content", [b"", b'{"image": "', b"[]", b'{"fit": null}'])
def test_a_damaged_file_is_replaced(path, place, content, logged):
    FieldFits(MacenkoNormalizer()).of_field(path)
    whole = place.read_bytes()
    place.write_bytes(content)
    assert FieldFits(MacenkoNormalizer()).of_field(path).to_dict() == EXPECTED
    assert place.read_bytes() == whole
    ((text, level),) = logged
    assert str(place) in text and level == logging.WARNING


def test_two_workers_at_the_same_field_do_no_harm(path, place, monkeypatch):
    first, second = FieldFits(MacenkoNormalizer()), FieldFits(MacenkoNormalizer())
    write = field_fits.write_fit

    def late(*arguments):
        """The second has done everything before the first one writes."""
        monkeypatch.setattr(field_fits, "write_fit", write)
        assert second.of_field(path).to_dict() == EXPECTED
        before = place.read_bytes()
        write(*arguments)
        assert place.read_bytes() == before

    monkeypatch.setattr(field_fits, "write_fit", late)
    assert first.of_field(path).to_dict() == EXPECTED
    assert [found.name for found in place.parent.iterdir()] == [place.name]


def test_where_nothing_can_be_written_the_fit_stays_in_the_process(tmp_path, path, logged):
    other = save(tmp_path / "images" / "source" / "other.png", tissue(4))
    (tmp_path / ".stain").write_text("in the way")
    kept = FieldFits(MacenkoNormalizer())
    assert kept.of_field(path).to_dict() == EXPECTED and kept.of_field(other) is not None
    assert set(kept.fits) == {path, other}
    kept.normalizer = NoEstimates()
    assert kept.of_field(path).to_dict() == EXPECTED
    ((text, level),) = logged
    assert "are not kept" in text and ".stain" in text and level == logging.WARNING


def test_an_image_below_no_images_folder_is_fitted_too(tmp_path, logged):
    path = save(tmp_path / "elsewhere" / "field.png", FIELD_RGB)
    assert FieldFits(MacenkoNormalizer()).of_field(path).to_dict() == EXPECTED
    ((text, _),) = logged
    assert "elsewhere is not below a folder called images" in text
    assert [found.name for found in tmp_path.rglob("*")] == ["elsewhere", "field.png"]


def test_too_little_tissue_is_kept_and_said_once_a_process(tmp_path, logged):
    path = save(tmp_path / "images" / "blank.png", blank())
    for normalizer in (MacenkoNormalizer(), NoEstimates()):
        found = FieldFits(normalizer)
        assert found.of_field(path) is None and found.of_field(path) is None
    (first, second) = logged
    assert first == second and path in first[0] and "at least 500 pixels" in first[0]


def test_a_missing_field_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        FieldFits(MacenkoNormalizer()).of_field(str(tmp_path / "images" / "none.png"))


def test_a_field_with_a_stored_copy_is_not_kept_in_memory(tmp_path, monkeypatch):
    image = tmp_path / "images" / "field.png"
    path = save(image, FIELD_RGB)
    write_stored(image, stored_path(image), FIELD_RGB)
    monkeypatch.setattr(fields, "_cache", type(fields._cache)())
    assert FieldFits(MacenkoNormalizer()).of_field(path).to_dict() == EXPECTED
    assert not fields._cache


def test_what_a_record_brings_comes_first(path):
    fit = MacenkoNormalizer().estimate(tissue(4, stains=TARGET))
    prepared = json.loads(json.dumps(fit.to_dict()))
    kept = FieldFits(NoEstimates())
    rgb = FIELD_RGB[:64, :64]
    assert kept.find({"img_path": path, "stain_fit": prepared}, rgb).to_dict() == fit.to_dict()
    assert kept.find({"img_path": path, "stain_fit": None}, rgb) is None
    with pytest.raises(ValueError, match="stain_matrix"):
        kept.find({"img_path": path, "stain_fit": {"n_tissue": 3}}, rgb)
    kept.normalizer = MacenkoNormalizer()
    assert kept.find({"img_path": path}, rgb).to_dict() == EXPECTED
    assert kept.find({}, rgb).to_dict() == MacenkoNormalizer().estimate(rgb).to_dict() != EXPECTED


def test_images_that_opencv_writes_are_those_that_are_estimated(path):
    # The tests' own premise: PNG keeps the pixels.
    np.testing.assert_array_equal(cv2.imread(path)[..., ::-1], FIELD_RGB)
