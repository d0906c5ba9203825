"""Which pixels an estimate is made from, and percentiles of them."""

import numpy as np
import pytest

from mmdet_mitosis.stain import sampling
from mmdet_mitosis.stain.sampling import Sample, draw, percentile, pool, subsample

BRIGHTEST_TISSUE = 200


def picture(height=40, width=50, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def as_set(pixels):
    return {tuple(pixel) for pixel in np.asarray(pixels).reshape(-1, 3).tolist()}


VALUES = {
    "normal": lambda rng: rng.normal(size=20_000),
    "heavy tails": lambda rng: rng.standard_cauchy(20_000),
    "few levels": lambda rng: rng.integers(0, 4, 9_001).astype(float),
    "nearly all the same": lambda rng: np.r_[np.zeros(30_000), rng.random(5)],
    "rising": lambda rng: np.arange(12_345.0),
    "one outlier in the guess": lambda rng: np.where(np.arange(50_000) % 12 == 0, 9.0, 0.5),
    "all the same": lambda rng: np.full(5_000, 0.25),
    "few": lambda rng: rng.random(7),
    "two": lambda rng: np.array([3.0, 1.0]),
    "one": lambda rng: np.array([3.0]),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", VALUES)
def test_percentiles_are_hazens(kind, dtype):
    values = VALUES[kind](np.random.default_rng(0)).astype(dtype)
    before = values.copy()
    for level in (0, 0.001, 0.5, 1, 2.5, 20, 49.9, 50, 73, 95, 99, 99.7, 99.999, 100):
        expected = np.percentile(values.astype(float), level, method="hazen")
        assert percentile(values, level) == pytest.approx(expected, rel=1e-6, abs=1e-9), level
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("seed", range(20))
def test_percentiles_of_any_number_of_values(seed):
    rng = np.random.default_rng(seed)
    values = rng.gamma(0.3, size=rng.integers(1, 30_000))
    for level in rng.uniform(0, 100, 5):
        expected = np.percentile(values, level, method="hazen")
        assert percentile(values, level) == pytest.approx(expected)


def test_tissue_is_neither_background_nor_padding():
    row = [[200, 0, 0], [201, 0, 0], [0, 0, 201], [10, 10, 10], [9, 9, 9], [0, 10, 0], [0, 0, 0]]
    sample = draw(np.array([row], np.uint8), BRIGHTEST_TISSUE, 100, 0)
    assert sample.tissue.tolist() == [row[0], row[3], row[5]]
    assert sample.lit.tolist() == [row[0], row[1], row[2], row[3], row[5]]
    assert (sample.n_tissue, sample.n_lit) == (3, 5)
    assert sample.tissue_share == 3 / 5


def test_a_small_image_is_used_whole_in_its_order():
    image = picture()
    sample = draw(image, BRIGHTEST_TISSUE, 40 * 50, 0)
    brightest = image.max(axis=2)
    np.testing.assert_array_equal(sample.lit, image[brightest >= 10])
    np.testing.assert_array_equal(
        sample.tissue, image[(brightest >= 10) & (brightest <= BRIGHTEST_TISSUE)]
    )


def test_an_empty_image_has_no_tissue():
    sample = draw(np.zeros((0, 7, 3), np.uint8), BRIGHTEST_TISSUE, 100, 0)
    assert len(sample.tissue) == len(sample.lit) == sample.n_tissue == sample.n_lit == 0
    assert sample.tissue_share == 0


def test_a_large_image_is_drawn_from_evenly_and_by_the_seed(monkeypatch):
    monkeypatch.setattr(sampling, "ENOUGH_TISSUE", 1)
    at = np.arange(300 * 100)
    image = np.stack([at % 100, at // 100 % 100, at // 10_000], axis=1).astype(np.uint8) + 50
    image = image.reshape(300, 100, 3)
    sample, again, other = (draw(image, BRIGHTEST_TISSUE, 1000, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(sample.lit, again.lit)
    assert (sample.lit != other.lit).any()
    places = (sample.lit.astype(int) - 50) @ [1, 100, 10_000]
    np.testing.assert_array_equal(places // 30, np.arange(1000))
    assert len(np.unique(places % 30)) == 30
    assert sample.n_tissue == sample.n_lit == 300 * 100


def test_counts_are_of_the_whole_image(monkeypatch):
    monkeypatch.setattr(sampling, "ENOUGH_TISSUE", 1)
    image = np.full((400, 100, 3), 250, np.uint8)
    image[:100] = 120
    image[300:] = 0
    sample = draw(image, BRIGHTEST_TISSUE, 4000, 0)
    assert (len(sample.tissue), len(sample.lit)) == (1000, 3000)
    assert (sample.n_tissue, sample.n_lit) == (10_000, 30_000)


def test_little_tissue_is_searched_for_in_the_whole_image():
    image = np.full((400, 100, 3), 250, np.uint8)
    image[7, 3:9] = [[10 * i + 20, 5, 90] for i in range(6)]
    sample = draw(image, BRIGHTEST_TISSUE, 100, 0)
    np.testing.assert_array_equal(sample.tissue, image[7, 3:9])
    assert sample.n_tissue == 6 and len(sample.lit) == 100


def test_no_more_tissue_is_found_than_is_asked_for():
    image = np.full((400, 100, 3), 250, np.uint8)
    image[:4] = 100
    sample = draw(image, BRIGHTEST_TISSUE, 150, 0)
    assert len(sample.tissue) == 150 and sample.n_tissue == 400


@pytest.mark.parametrize(("count", "most"), [(0, 5), (5, 5), (5, 9), (6, 5), (1000, 7), (10**9, 3)])
def test_a_subsample_has_one_of_each_stretch(count, most):
    places = subsample(count, most, np.random.default_rng(0))
    assert len(places) == min(count, most)
    if count <= most:
        assert places.tolist() == list(range(count))
    else:
        edges = np.arange(most + 1) * count / most
        assert (places >= np.floor(edges[:-1])).all() and (places < edges[1:]).all()


def test_fields_are_pooled():
    fields = [picture(seed=seed) for seed in range(3)]
    samples = [draw(field, BRIGHTEST_TISSUE, 10_000, 0) for field in fields]
    whole = pool(iter(samples), 10_000, 0)
    for name in ("tissue", "lit"):
        np.testing.assert_array_equal(
            getattr(whole, name), np.concatenate([getattr(sample, name) for sample in samples])
        )
    assert whole.n_tissue == sum(sample.n_tissue for sample in samples)
    assert whole.n_lit == sum(sample.n_lit for sample in samples)


def test_a_pool_keeps_no_more_than_is_asked_for_and_some_of_each_field():
    fields = [np.full((30, 30, 3), level, np.uint8) for level in (40, 80, 120)]
    samples = [draw(field, BRIGHTEST_TISSUE, 10_000, 0) for field in fields]
    first, again = (pool(samples, 90, 0) for _ in range(2))
    assert len(first.tissue) == len(first.lit) == 90
    np.testing.assert_array_equal(first.tissue, again.tissue)
    assert np.unique(first.tissue[:, 0], return_counts=True)[1].tolist() == [30, 30, 30]
    assert first.n_tissue == 2700


def test_a_pool_of_one_without_tissue():
    nothing = np.zeros((0, 3), np.uint8)
    whole = pool([Sample(nothing, nothing, 0, 0)], 10, 0)
    assert len(whole.tissue) == 0 and whole.tissue_share == 0
    other = draw(picture(), BRIGHTEST_TISSUE, 10_000, 0)
    assert as_set(pool([whole, other], 10_000, 0).tissue) == as_set(other.tissue)
