"""Fits on disk: where they lie, what makes them count, and that no damage stops anything."""

import json
import os

import cv2
import numpy as np
import pytest

from mmdet_mitosis.datasets.stored_fields import version
from mmdet_mitosis.stain import NORMALIZERS, ColorFit, MacenkoNormalizer, StainFit, fit_cache
from mmdet_mitosis.stain.fit_cache import (
    FIELD,
    cached_fit,
    fit_path,
    folder_name,
    kept_fits,
    write_fit,
)

STAIN_FIT = StainFit([[0.55, 0.22], [0.76, 0.84], [0.34, 0.50]], [1.7, 0.9], n_tissue=1234)
COLOR_FIT = ColorFit([60.5, 20.25, -10.125], [9, 5, 4], n_tissue=77)
MACENKO = MacenkoNormalizer()


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "images" / "source" / "case" / "a.png"
    path.parent.mkdir(parents=True)
    assert cv2.imwrite(str(path), np.full((4, 5, 3), 200, np.uint8))
    return path


@pytest.fixture
def logged(monkeypatch):
    """What is logged."""
    texts = []
    monkeypatch.setattr(fit_cache, "print_log", lambda text, logger, level: texts.append(text))
    return texts


def read(path, normalizer=MACENKO):
    return cached_fit(path, path, normalizer)


def write(path, fit=STAIN_FIT, scope=FIELD, normalizer=MACENKO):
    write_fit(path, path, normalizer, fit, scope)
    return fit_path(path, normalizer)


def test_a_fit_lies_beside_images_under_method_and_arguments(tmp_path, image):
    place = write(image)
    (folder,) = (tmp_path / ".stain").iterdir()
    assert place == folder / "source" / "case" / "a.png.json" and place.is_file()
    method, _, digest = folder.name.partition("-")
    assert method == "macenko" and len(digest) == 8 and int(digest, 16) >= 0


def test_arguments_are_told_apart_and_targets_are_not():
    other = MacenkoNormalizer()
    other.target = STAIN_FIT
    same = [MACENKO, other, MacenkoNormalizer(io=240.0, seed=0), MacenkoNormalizer(alpha=1.0)]
    assert len({folder_name(normalizer) for normalizer in same}) == 1
    changes = [{}, {"io": 241}, {"alpha": 2}, {"beta": 0.2}, {"max_pixels": 9}, {"seed": 1}]
    assert len({folder_name(MacenkoNormalizer(**change)) for change in changes}) == len(changes)
    assert len({folder_name(kind()) for kind in NORMALIZERS.values()}) == len(NORMALIZERS)


def test_the_prepared_folder_is_meant_and_not_the_archive_in_it(tmp_path):
    linked = tmp_path / "out" / "images" / "midog" / "images" / "1.tiff"
    inner = tmp_path / "out" / "images" / "midog" / ".stain"
    assert inner in fit_path(linked, MACENKO).parents
    (tmp_path / "out" / "annotations").mkdir(parents=True)
    inner.mkdir(parents=True)
    expected = tmp_path / "out" / ".stain" / folder_name(MACENKO) / "midog/images/1.tiff.json"
    assert fit_path(linked, MACENKO) == expected


@pytest.mark.parametrize("fit", [STAIN_FIT, None])
@pytest.mark.parametrize("scope", [FIELD, "case 07"])
def test_what_is_written_is_read(image, fit, scope):
    assert read(image) is None
    write(image, fit, scope)
    found = read(image)
    assert found.scope == scope and found.image == version(image)
    assert (found.fit and found.fit.to_dict()) == (fit and fit.to_dict())
    assert read(image, MacenkoNormalizer(io=255)) is None


@pytest.mark.parametrize("method", list(NORMALIZERS))
def test_every_method_gets_its_kind_of_fit_back(image, method):
    normalizer = NORMALIZERS[method]()
    fit = COLOR_FIT if normalizer.fit_type is ColorFit else STAIN_FIT
    write(image, fit, normalizer=normalizer)
    found = read(image, normalizer).fit
    assert type(found) is normalizer.fit_type and found.to_dict() == fit.to_dict()


def test_the_same_fit_is_the_same_bytes(image):
    first = write(image).read_bytes()
    assert write(image).read_bytes() == first
    assert [path.name for path in fit_path(image, MACENKO).parent.iterdir()] == ["a.png.json"]


@pytest.mark.parametrize("below", ["", "images"])
def test_a_link_that_is_made_later_leads_to_the_fit(tmp_path, image, below):
    # Data preparation writes fits before it makes the links below ``images``.
    archive, out = image.parents[1], tmp_path / "out"
    out.mkdir()
    (archive / below).mkdir(exist_ok=True)
    image = image.rename(archive / below / "a.png")
    linked = out / "images" / "midog" / below / "a.png"
    write_fit(linked, image, MACENKO, STAIN_FIT, "case 07")
    assert [path.name for path in out.iterdir()] == [".stain"]
    (out / "images").mkdir()
    (out / "images" / "midog").symlink_to(archive, target_is_directory=True)
    assert read(linked).scope == "case 07"
    (out / "annotations").mkdir()
    assert read(linked).scope == "case 07" and not (archive / ".stain").exists()


@pytest.mark.parametrize("scope", [FIELD, "case 07"])
def test_a_fit_of_an_image_that_was_changed_counts_for_nothing(image, scope, logged):
    write(image, scope=scope)
    status = image.stat()
    os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert read(image) is None
    # Fields are estimated anew with much the same result; a case's fit is lost.
    assert [scope in text and str(image) in text for text in logged] == [True] * (scope != FIELD)


def damaged():
    kept = STAIN_FIT.to_dict()
    whole = {"image": "x", "scope": FIELD, "fit": kept}
    yield "truncated", json.dumps(whole)[:-30].encode()
    yield "empty", b""
    yield "no utf-8", b"\xff\xfe"
    yield "a list", b"[1, 2]"
    yield "no scope", json.dumps({"image": "x", "fit": kept}).encode()
    yield "no fit", json.dumps({"image": "x", "scope": FIELD}).encode()
    yield "scope", json.dumps({**whole, "scope": 3}).encode()
    for key, value in {
        "stain_matrix": [[1, 2], [3]],
        "max_concentrations": [1, -1],
        "n_tissue": float("inf"),
    }.items():
        yield key, json.dumps({**whole, "fit": {**kept, key: value}}).encode()
    yield "a colour fit", json.dumps({**whole, "fit": COLOR_FIT.to_dict()}).encode()


@pytest.mark.parametrize("content", [pytest.param(content, id=name) for name, content in damaged()])
def test_a_damaged_file_counts_for_nothing_and_is_logged(image, content, logged):
    place = write(image)
    place.write_bytes(content)
    assert read(image) is None
    (text,) = logged
    assert str(place) in text and "damaged" in text
    write(image)
    assert read(image).fit.to_dict() == STAIN_FIT.to_dict() and len(logged) == 1
    place.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.png\.json is damaged"):
        kept_fits(place.parents[4], MACENKO)


def test_an_image_below_no_images_folder_has_no_place(tmp_path):
    path = tmp_path / "a.png"
    assert cv2.imwrite(str(path), np.zeros((4, 5, 3), np.uint8))
    assert fit_path(path, MACENKO) is None and read(path) is None
    with pytest.raises(ValueError, match=r"beside the folder images.*a\.png"):
        write(path)


def test_all_fits_of_a_folder_are_listed_by_image(tmp_path, image):
    other = image.with_name("b.png")
    other.write_bytes(image.read_bytes())
    write(other, None)
    write(image, scope="case 07")
    image.unlink()
    found = kept_fits(tmp_path, MACENKO)
    assert [(name, kept.scope) for name, kept in found.items()] == [
        ("source/case/a.png", "case 07"),
        ("source/case/b.png", FIELD),
    ]
    assert found["source/case/b.png"].fit is None
    with pytest.raises(FileNotFoundError, match=r"no fits of macenko"):
        kept_fits(tmp_path, MacenkoNormalizer(io=255))
