"""StainAugment: drawn from NumPy's global state, one change a window, white left alone."""

import json
import re

import numpy as np
import pytest
from mmcv.transforms import Compose, KeyMapper, RandomChoice, TransformBroadcaster
from mmdet.registry import TRANSFORMS

from mmdet_mitosis.stain import MacenkoNormalizer
from mmdet_mitosis.stain.augment import HED_STAINS, jitter, restain
from mmdet_mitosis.stain.bank import StainBank
from mmdet_mitosis.transforms import StainAugment, StainNormalize
from tests.transforms.tissue import TARGET, blank, fat, save, tissue, window

FIELD = np.concatenate([tissue(), fat()], axis=1)
OTHER = MacenkoNormalizer().estimate(tissue(9, stains=TARGET))
MODES = ("hed", "macenko", "bank")


@pytest.fixture
def path(tmp_path):
    return save(tmp_path / "images" / "field.png", FIELD)


@pytest.fixture
def make(tmp_path):
    """Make the transform, with a bank of one fit where it needs one."""
    bank = tmp_path / "bank.json"
    bank.write_text(json.dumps([OTHER.to_dict()]))

    def made(mode, **arguments):
        return StainAugment(mode, bank=str(bank) if mode == "bank" else None, **arguments)

    return made


def run(transform, path, seed=0, rows=slice(None), columns=slice(None)):
    np.random.seed(seed)
    return transform(window(FIELD, rows, columns, img_path=path))["img"][..., ::-1]


def expected(mode, factor, shift, fit, rgb=FIELD):
    if mode == "hed":
        return jitter(HED_STAINS, factor, shift).apply(rgb)
    return restain(fit, OTHER if mode == "bank" else fit, factor, shift).apply(rgb)


@pytest.mark.parametrize("mode", MODES)
def test_a_seed_gives_the_same_bytes_and_another_others(mode, make, path):
    first, same, other = (run(make(mode), path, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any() and (first != FIELD).any()


@pytest.mark.parametrize("mode", MODES)
def test_every_window_is_drawn_anew_within_the_bounds(mode, make, path, monkeypatch):
    drawn = []
    name = "jitter" if mode == "hed" else "restain"
    module = "mmdet_mitosis.transforms.stain_augment"

    def note(*arguments):
        drawn.append(np.concatenate(arguments[-2:]))
        return {"jitter": jitter, "restain": restain}[name](*arguments)

    monkeypatch.setattr(f"{module}.{name}", note)
    transform = make(mode, sigma=0.3, shift=0.1)
    np.random.seed(0)
    for _ in range(200):
        transform(window(FIELD, slice(0, 8), slice(0, 8), img_path=path))
    k = 3 if mode == "hed" else 2
    low, high = np.repeat([0.7, -0.1], k), np.repeat([1.3, 0.1], k)
    drawn = np.array(drawn)
    assert drawn.shape == (200, 2 * k)
    assert (drawn >= low).all() and (drawn <= high).all()
    # Each of them reaches to both ends, apart from the others.
    share = (drawn - low) / (high - low)
    assert (share.min(axis=0) < 0.05).all() and (share.max(axis=0) > 0.95).all()
    assert np.abs(np.corrcoef(share.T) - np.eye(2 * k)).max() < 0.3


@pytest.mark.parametrize("mode", MODES)
def test_the_field_and_not_the_window_is_what_is_fitted(mode, make, path):
    transform = make(mode)
    whole = run(transform, path, 5)
    for x in (0, 100, 170):  # the last one is fat alone
        part = run(transform, path, 5, slice(7, 90), slice(x, x + 80))
        np.testing.assert_array_equal(part, whole[7:90, x : x + 80])
    np.random.seed(5)
    np.random.random()
    k = 3 if mode == "hed" else 2
    factor, shift = np.random.uniform(0.95, 1.05, k), np.random.uniform(-0.05, 0.05, k)
    fit = MacenkoNormalizer().estimate(FIELD)
    np.testing.assert_array_equal(whole, expected(mode, factor, shift, fit))


@pytest.mark.parametrize("mode", MODES)
def test_without_strength_only_a_bank_changes_anything(mode, make, path):
    found = run(make(mode, sigma=0, shift=0), path).astype(int)
    change = np.abs(found - FIELD).max()
    assert change > 20 if mode == "bank" else change <= 1


@pytest.mark.parametrize("mode", MODES)
def test_white_stays_white(mode, make, path):
    rgb = FIELD.copy()
    rgb[:20] = 255
    transform = make(mode, sigma=0.5, shift=1)
    np.random.seed(0)
    for _ in range(20):
        out = transform(window(rgb, img_path=path))["img"]
        assert (out[:20] == 255).all()


@pytest.mark.parametrize(("prob", "low", "high"), [(0, 0, 0), (0.3, 20, 42), (1, 100, 100)])
def test_prob_is_the_share_that_is_changed(prob, low, high, make, path):
    transform = make("hed", prob=prob)
    np.random.seed(0)
    part = FIELD[:16, :16]
    changed = sum((transform(window(part))["img"] != part[..., ::-1]).any() for _ in range(100))
    assert low <= changed <= high


def test_a_bank_is_drawn_from_by_weight(tmp_path, path):
    fits = [MacenkoNormalizer().estimate(tissue(k, stains=TARGET + k / 9)) for k in range(3)]
    bank = tmp_path / "bank.json"
    StainBank(tuple(fits), ("a", "b", "c"), (3.0, 0.0, 1.0)).save(bank)
    transform = StainAugment("bank", sigma=0, shift=0, bank=str(bank))
    own = MacenkoNormalizer().estimate(FIELD)
    part = FIELD[:40, :40]
    by_fit = [restain(own, fit, np.ones(2), np.zeros(2)).apply(part).tobytes() for fit in fits]
    np.random.seed(0)
    records = (window(part, img_path=path) for _ in range(200))
    outputs = [transform(record)["img"][..., ::-1].tobytes() for record in records]
    counts = [outputs.count(image) for image in by_fit]
    assert counts[1] == 0 and sum(counts) == 200 and 120 < counts[0] < 180


@pytest.mark.parametrize("mode", MODES)
def test_a_field_without_tissue_stays_but_for_hed(mode, make, tmp_path):
    rgb = blank()
    keys = {"img_path": save(tmp_path / "images" / "blank.png", rgb)}
    for brought in ({}, {"stain_fit": None}):
        out = make(mode, sigma=0.5)(window(rgb, **keys, **brought))["img"]
        assert (out != rgb[..., ::-1]).any() == (mode == "hed")


def test_tissue_has_no_say_in_what_is_drawn(make, path, tmp_path):
    empty = save(tmp_path / "images" / "blank.png", blank())
    transform = make("bank")
    states = []
    for record in (window(FIELD, img_path=path), window(blank(), img_path=empty)):
        np.random.seed(1)
        transform(record)
        states.append(np.random.random())
    assert states[0] == states[1]


def test_after_normalisation_the_targets_stains_are_varied(make, path):
    normalizer = MacenkoNormalizer()
    np.random.seed(2)
    steps = Compose([StainNormalize(), make("macenko", sigma=0.2)])
    found = steps(window(FIELD, img_path=path))["img"][..., ::-1]
    np.random.seed(2)
    np.random.random()
    factor, shift = np.random.uniform(0.8, 1.2, 2), np.random.uniform(-0.05, 0.05, 2)
    change = jitter(normalizer.target.stain_matrix, factor, shift)
    np.testing.assert_array_equal(found, change.apply(normalizer.normalize(FIELD)))


def test_after_a_method_without_stains_it_says_that_there_are_none(make):
    colors = {"mean_lab": [60, 20, -10], "std_lab": [9, 5, 4], "n_tissue": 1000}
    record = window(FIELD, stain_fit=colors)
    with pytest.raises(ValueError, match=r"StainAugment\(mode='macenko'\).*mean_lab"):
        make("macenko")(record)
    assert make("hed")(record)["img"].shape == FIELD.shape


def test_normalisation_and_augmentation_share_what_is_kept(make, path, monkeypatch):
    StainNormalize(max_pixels=5000)(window(FIELD, img_path=path))
    monkeypatch.setattr(MacenkoNormalizer, "estimate_sample", None)
    run(make("macenko", max_pixels=5000), path)
    with pytest.raises(TypeError):
        run(make("macenko"), path)


def test_images_of_one_record_can_share_a_draw(make):
    parts = [FIELD[:32, :32], FIELD[32:64, 40:72]]
    shared = TransformBroadcaster(
        transforms=[make("hed")],
        mapping={"img": ["a", "b"]},
        auto_remap=True,
        share_random_params=True,
    )
    np.random.seed(0)
    found = shared(dict(zip("ab", (window(part)["img"] for part in parts), strict=True)))
    np.random.seed(0)
    alone = [make("hed")(window(parts[0]))["img"]]
    np.random.seed(0)
    alone.append(make("hed")(window(parts[1]))["img"])
    np.testing.assert_array_equal(found["a"], alone[0])
    np.testing.assert_array_equal(found["b"], alone[1])


def test_it_can_be_chosen_among_others_and_mapped(make):
    choice = RandomChoice(transforms=[[make("hed")], [make("hed", prob=0)]])
    part = FIELD[:16, :16]
    np.random.seed(0)
    changed = sum((choice(window(part))["img"] != part[..., ::-1]).any() for _ in range(60))
    assert 15 < changed < 45
    mapped = KeyMapper(transforms=[make("hed")], mapping={"img": "other"}, auto_remap=True)
    results = mapped({"other": window(part)["img"], "img": 3})
    assert (results["other"] != part[..., ::-1]).any() and results["img"] == 3


def test_registry_builds_it_and_repr_tells_how(mmdet_scope):
    built = TRANSFORMS.build({"type": "StainAugment", "sigma": 0.2, "prob": 0.5, "io": 255})
    assert repr(built) == (
        "StainAugment(mode='hed', sigma=0.2, shift=0.05, prob=0.5, bank=None, min_tissue=500, "
        "io=255)"
    )


def test_bad_arguments_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"'magic'.*hed, macenko, bank"):
        StainAugment("magic")
    for wrong in ({"sigma": 1}, {"sigma": -0.1}, {"shift": -1}, {"prob": 1.5}, {"shift": np.nan}):
        with pytest.raises(ValueError, match=re.escape(str(*wrong.values()))):
            StainAugment(**wrong)
    for mode, bank in (("bank", None), ("hed", "bank.json")):
        with pytest.raises(ValueError, match="bank is for the mode bank"):
            StainAugment(mode, bank=bank)
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        StainAugment("bank", bank=str(tmp_path / "none.json"))
    with pytest.raises(ValueError, match="colour"):
        StainAugment(colour=3)
    with pytest.raises(ValueError, match="expected RGB uint8"):
        StainAugment()({"img": np.zeros((4, 4, 3))})
