"""Banks of stains: from images, from what is kept, and to and from json."""

import json

import cv2
import numpy as np
import pytest

from mmdet_mitosis.stain import MacenkoNormalizer, StainFit
from mmdet_mitosis.stain.bank import StainBank
from mmdet_mitosis.stain.fit_cache import FIELD, write_fit
from tests.transforms.tissue import TARGET, blank, save, tissue

FITS = tuple(StainFit([[0.6, 0.2], [0.7, 0.8], [0.3, 0.5]], [k + 1, 1]) for k in range(3))


def dictionaries(bank):
    return [fit.to_dict() for fit in bank.fits]


def test_a_bank_is_read_as_it_was_written(tmp_path):
    bank = StainBank(FITS, ("a", "µ", "c"), (1, 0.5, 0))
    bank.save(tmp_path / "bank.json")
    found = StainBank.load(tmp_path / "bank.json")
    assert dictionaries(found) == dictionaries(bank)
    assert found.names == ("a", "µ", "c") and found.weights == (1, 0.5, 0) and len(found) == 3
    np.testing.assert_allclose(found.probabilities, [2 / 3, 1 / 3, 0])


def test_lengths_have_to_agree():
    for arguments in (((), (), ()), (FITS, ("a",), (1, 1, 1)), (FITS, ("a", "b", "c"), (1,))):
        with pytest.raises(ValueError, match="as many names and weights as fits and at least one"):
            StainBank(*arguments)


def test_names_and_weights_are_not_needed(tmp_path):
    path = tmp_path / "bank.json"
    path.write_text(json.dumps([fit.to_dict() for fit in FITS]))
    found = StainBank.load(path)
    assert found.names == ("0", "1", "2") and found.weights == (1, 1, 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "JSON|Expecting"),
        ("{}", "expected a list of fits, got dict"),
        ("[]", "expected a list of fits, got an empty one"),
        ("[3]", "entry 0: .*int"),
        (json.dumps([FITS[0].to_dict(), {"name": "b", "stain_matrix": 1}]), r"entry 1 \(b\)"),
        (json.dumps([{**FITS[0].to_dict(), "weight": "much"}]), "entry 0: .*much"),
        (json.dumps([{**FITS[0].to_dict(), "weight": None}]), "entry 0"),
        (json.dumps([{**FITS[0].to_dict(), "weight": -1}]), "not negative.*-1"),
        (json.dumps([{**FITS[0].to_dict(), "weight": 0}]), "not all 0"),
        (json.dumps([{**FITS[0].to_dict(), "weight": float("nan")}]), "nan"),
    ],
)
def test_what_is_no_bank_is_said(tmp_path, content, said):
    path = tmp_path / "bank.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=rf"bank\.json: (.|\n)*{said}"):
        StainBank.load(path)


def test_a_missing_bank_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        StainBank.load(tmp_path / "none.json")


def test_a_bank_of_images(tmp_path):
    images = [tissue(1), tissue(2, stains=TARGET)]
    paths = [save(tmp_path / f"{k}.png", image) for k, image in enumerate(images)]
    bank = StainBank.of_images(paths, MacenkoNormalizer())
    expected = [MacenkoNormalizer().estimate(image).to_dict() for image in images]
    assert dictionaries(bank) == expected and list(bank.names) == paths
    assert bank.weights == (1, 1)
    paths.append(save(tmp_path / "blank.png", blank()))
    with pytest.raises(ValueError, match=r"blank\.png shows too little"):
        StainBank.of_images(paths, MacenkoNormalizer())


def test_a_bank_of_what_is_kept_has_each_case_once(tmp_path):
    scopes = {"a/1.png": "case 1", "a/2.png": "case 1", "b/3.png": FIELD, "c/4.png": FIELD}
    fits = dict(zip(scopes, (FITS[0], FITS[0], FITS[1], None), strict=True))
    for name, scope in scopes.items():
        image = tmp_path / "images" / name
        image.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(image), np.zeros((2, 2, 3), np.uint8))
        write_fit(image, image, MacenkoNormalizer(), fits[name], scope)
    bank = StainBank.of_prepared(tmp_path, MacenkoNormalizer())
    assert bank.names == ("case 1", "b/3.png") and bank.weights == (2, 1)
    assert dictionaries(bank) == [FITS[0].to_dict(), FITS[1].to_dict()]
    with pytest.raises(FileNotFoundError, match="no fits of macenko"):
        StainBank.of_prepared(tmp_path, MacenkoNormalizer(io=255))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('[{"name": 1, "name": 2}]', "an object has the key 'name' twice"),
        (f'[{{"stain_matrix": "{"x" * 5000}"}}]', "entry 0"),
    ],
)
def test_a_bank_that_is_no_bank_is_named_in_a_short_sentence(tmp_path, text, said):
    path = tmp_path / "bank.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=said) as caught:
        StainBank.load(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 500
