"""tools/stain_bank.py: banks of images and of prepared folders, for StainAugment."""

import pytest

from mmdet_mitosis.stain import MacenkoNormalizer
from mmdet_mitosis.stain.bank import StainBank
from mmdet_mitosis.stain.fit_cache import write_fit
from mmdet_mitosis.transforms.stain_augment import StainAugment
from tests.tools.commands import end_here, succeed
from tests.transforms.tissue import TARGET, blank, save, tissue


@pytest.fixture
def sources(tmp_path):
    """An image, and a folder that keeps the fits of a case of two fields."""
    image = save(tmp_path / "one.png", tissue(1))
    for name in ("a/1.png", "a/2.png"):
        path = tmp_path / "data" / "images" / name
        save(path, tissue(2, stains=TARGET))
        normalizer = MacenkoNormalizer()
        write_fit(path, path, normalizer, normalizer.estimate(tissue(2, stains=TARGET)), "case a")
    return image, tmp_path / "data"


def test_images_and_folders_make_one_bank_that_augmentation_takes(tmp_path, sources):
    out = tmp_path / "new" / "bank.json"
    said = succeed("tools/stain_bank.py", *sources, "--out", out)
    assert said.splitlines()[-2:] == [f"2 stains of {sources[0]}, case a", f"bank: {out}"]
    bank = StainBank.load(out)
    assert bank.weights == (1, 2)
    expected = MacenkoNormalizer().estimate(tissue(2, stains=TARGET)).to_dict()
    assert bank.fits[1].to_dict() == expected
    StainAugment(mode="bank", bank=str(out))


def test_a_mistake_is_one_sentence_and_leaves_no_file(tmp_path, sources, capsys):
    out = tmp_path / "bank.json"
    pale = save(tmp_path / "blank.png", blank())
    for words, message in (
        ([pale, "--out", out], "blank.png shows too little stained tissue"),
        ([tmp_path / "gone.png", "--out", out], "gone.png"),
        ([sources[1], "--out", out, "--method", "vahadane"], "no fits of vahadane"),
        ([sources[0], "--out", tmp_path / "bank.txt"], "--out must end in .json"),
    ):
        status, _, said = end_here("stain_bank", words, capsys)
        assert status == 2
        assert message in said.splitlines()[-1]
    assert not out.exists()
