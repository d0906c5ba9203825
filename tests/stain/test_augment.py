"""Stain augmentation against scikit-image and plain arithmetic; white stays white."""

import numpy as np
import pytest
from skimage.color import colorconv

from mmdet_mitosis.stain import MacenkoNormalizer, StainFit
from mmdet_mitosis.stain.augment import (
    GLASS_DENSITY,
    HED_STAINS,
    TISSUE_DENSITY,
    jitter,
    restain,
)

A = StainFit([[0.70, 0.25], [0.62, 0.90], [0.35, 0.25]], [1.6, 1.1])
B = StainFit([[0.55, 0.22], [0.76, 0.84], [0.34, 0.50]], [1.9, 0.8])
NO_FACTOR, NO_SHIFT = np.ones(2), np.zeros(2)


def worst(a, b):
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def any_colors(seed=0, shape=(60, 80)):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


def render(amounts, stains):
    """Beer-Lambert of amounts (..., K) of stains (3, K)."""
    return np.round(255 * np.exp(-amounts @ np.asarray(stains).T)).astype(np.uint8)


def amounts(k, seed=0, low=0.3, high=1.2):
    return np.random.default_rng(seed).uniform(low, high, (50, 70, k))


def by_loop(rgb, mix, offset):
    """The affine map pixel by pixel."""
    out = np.empty_like(rgb)
    for place in np.ndindex(rgb.shape[:2]):
        density = -np.log(np.maximum(rgb[place], 1) / 255)
        step = (density.max() - GLASS_DENSITY) / (TISSUE_DENSITY - GLASS_DENSITY)
        step = min(max(step, 0), 1)
        new = mix @ density + (3 * step**2 - 2 * step**3) * offset
        out[place] = np.round(np.clip(255 * np.exp(-new), 0, 255))
    return out


def test_the_stains_are_those_of_scikit_image():
    np.testing.assert_array_equal(HED_STAINS.T, colorconv.rgb_from_hed)


@pytest.mark.parametrize("seed", range(4))
def test_hed_agrees_with_scikit_image(seed):
    # In its scale an amount of 1 is a density of ln(10^6); it also cuts negative amounts off.
    unit = np.log(1e6)
    rng = np.random.default_rng(seed)
    factor, shift = rng.uniform(0.8, 1.2, 3), rng.uniform(-0.2, 0.2, 3)
    rgb = render(amounts(3, seed), HED_STAINS)
    assert colorconv.rgb2hed(rgb).min() > 0.2 / unit
    expected = colorconv.hed2rgb(colorconv.rgb2hed(rgb) * factor + shift / unit)
    found = jitter(HED_STAINS, factor, shift).apply(rgb)
    assert worst(found, np.round(255 * expected)) <= 1
    assert worst(found, rgb) > 10


@pytest.mark.parametrize("stains", [HED_STAINS, A.stain_matrix])
def test_factors_of_one_and_no_shift_change_nothing(stains):
    k = stains.shape[1]
    rgb = any_colors()
    assert worst(jitter(stains, np.ones(k), np.zeros(k)).apply(rgb), rgb) <= 1
    assert worst(restain(A, A, NO_FACTOR, NO_SHIFT).apply(rgb), rgb) <= 1


@pytest.mark.parametrize("seed", range(3))
def test_the_fast_map_is_the_slow_one(seed):
    rng = np.random.default_rng(seed)
    change = jitter(HED_STAINS, rng.uniform(0.7, 1.3, 3), rng.uniform(-0.4, 0.4, 3))
    rgb = any_colors(seed, (23, 31))
    assert worst(change.apply(rgb), by_loop(rgb, change.mix, change.offset)) <= 1
    change = restain(A, B, rng.uniform(0.7, 1.3, 2), rng.uniform(-0.4, 0.4, 2))
    assert worst(change.apply(rgb), by_loop(rgb, change.mix, change.offset)) <= 1


def test_blocks_meet(monkeypatch):
    change = restain(A, B, np.array([1.1, 0.9]), np.array([0.1, 0.05]))
    rgb = any_colors()
    whole = change.apply(rgb)
    monkeypatch.setattr("mmdet_mitosis.stain.blocks.BLOCK_PIXELS", 7 * 80)
    np.testing.assert_array_equal(change.apply(rgb), whole)
    np.testing.assert_array_equal(change.apply(rgb[10:20, 5:25].copy()), whole[10:20, 5:25])
    np.testing.assert_array_equal(change.apply(rgb[10:20, 5:25]), whole[10:20, 5:25])


def test_each_amount_is_multiplied_and_shifted():
    given = amounts(2)
    factor, shift = np.array([1.2, 0.9]), np.array([-0.1, 0.15])
    found = jitter(A.stain_matrix, factor, shift).apply(render(given, A.stain_matrix))
    expected = render(given * factor + shift, A.stain_matrix)
    assert worst(found, expected) <= 2  # of rounding the input
    assert worst(found, render(given, A.stain_matrix)) > 15


def test_a_bank_brings_the_stains_and_the_maxima_of_the_other_scanner():
    given = amounts(2)
    factor, shift = np.array([1.1, 0.95]), np.array([0.05, -0.1])
    scale = B.max_concentrations / A.max_concentrations
    found = restain(A, B, factor, shift).apply(render(given, A.stain_matrix))
    assert worst(found, render(given * scale * factor + shift, B.stain_matrix)) <= 3
    assert worst(found, render(given, A.stain_matrix)) > 20


def test_without_jitter_it_is_macenkos_normalisation_of_two_stains():
    normalizer = MacenkoNormalizer()
    normalizer.target = B
    rgb = render(amounts(2), A.stain_matrix)
    found = restain(A, B, NO_FACTOR, NO_SHIFT).apply(rgb)
    assert worst(found, normalizer.normalize(rgb, A)) <= 8  # it takes 240 for white


def test_what_two_stains_do_not_explain_is_kept():
    third = np.cross(A.stain_matrix[:, 0], A.stain_matrix[:, 1])
    third = np.abs(third / np.linalg.norm(third)) * np.sign(third)
    given = amounts(2) @ A.stain_matrix.T
    rgb, tinted = (np.exp(-given - extra * third) * 255 for extra in (0, 0.2))
    change = jitter(A.stain_matrix, np.array([1.2, 0.8]), np.array([0.1, 0.1]))
    plain, kept = (change.apply(np.round(image).astype(np.uint8)) for image in (rgb, tinted))
    density = np.log(plain.astype(float)) - np.log(kept.astype(float))
    np.testing.assert_allclose(density.mean(axis=(0, 1)), 0.2 * third, atol=0.01)


def changes(sigma, shift, seed=0, n=40):
    rng = np.random.default_rng(seed)
    for _ in range(n):
        yield jitter(HED_STAINS, 1 + rng.uniform(-sigma, sigma, 3), rng.uniform(-shift, shift, 3))
        yield restain(A, B, 1 + rng.uniform(-sigma, sigma, 2), rng.uniform(-shift, shift, 2))


def test_white_stays_white_whatever_is_drawn():
    white = np.full((4, 4, 3), 255, np.uint8)
    for change in changes(0.9, 2):
        np.testing.assert_array_equal(change.apply(white), white)


@pytest.mark.parametrize("sigma", [0.05, 0.2])
def test_near_white_stays_within_a_level_of_jitter(sigma):
    levels = np.arange(250, 256, dtype=np.uint8)
    gray = np.repeat(levels[None, :, None], 3, axis=2)
    rng = np.random.default_rng(0)
    for _ in range(40):
        factor = 1 + rng.uniform(-sigma, sigma, 3)
        change = jitter(HED_STAINS, factor, rng.uniform(-sigma, sigma, 3))
        assert worst(change.apply(gray), gray) <= 1


def test_a_shift_reaches_tissue_in_full_and_glass_not_at_all():
    change = jitter(HED_STAINS, np.ones(3), np.array([0.1, 0, 0]))
    levels = np.arange(256, dtype=np.uint8)
    gray = np.repeat(levels[None, :, None], 3, axis=2)
    found = change.apply(gray).astype(float)[0]
    np.testing.assert_array_equal(found[243:], gray[0, 243:])
    in_full = np.round(levels[20:188, None] * np.exp(-0.1 * HED_STAINS[:, 0]))
    assert np.abs(found[20:188] - in_full).max() <= 1
    steps = np.diff(found, axis=0)
    assert steps.min() >= 0 and steps.max() <= 3, "the shift sets in with a jump"


def test_lighter_than_white_is_white():
    close = StainFit([[0.60, 0.62], [0.70, 0.70], [0.39, 0.35]], [1, 1])
    change = restain(close, A, np.array([1.5, 1]), NO_SHIFT)
    for color, expected in (((1, 1, 255), 255), ((255, 1, 1), 0)):
        new = change.mix @ -np.log(np.array(color) / 255)
        # Exponentials of these are beyond what an int holds.
        assert np.all(new < -22) if expected else np.all(new > 22), "the case is none"
        assert (change.apply(np.full((2, 2, 3), color, np.uint8)) == expected).all()


def test_other_than_rgb_is_refused():
    change = restain(A, B, NO_FACTOR, NO_SHIFT)
    for wrong in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)):
        with pytest.raises(ValueError, match="expected RGB uint8"):
            change.apply(wrong)
