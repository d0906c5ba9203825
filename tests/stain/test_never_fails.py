"""Whatever an image shows, no method raises, warns or gives anything but a picture."""

import json
import warnings
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mmdet_mitosis.stain import NORMALIZERS, StainFit
from mmdet_mitosis.stain.separator import hematoxylin_first

MAX_SIDE = 96
STAINS = np.array([[0.60, 0.24], [0.73, 0.88], [0.33, 0.41]])


def tissue(rng, height, width):
    """Hematoxylin and eosin in random amounts and hues, with some background and noise."""
    stains = STAINS + rng.uniform(-0.15, 0.15, (3, 2))
    amounts = rng.uniform(0, 2, (height, width, 2)) * (rng.random((height, width, 1)) < 0.9)
    levels = 240 * np.exp(-amounts @ stains.T) - 1 + rng.normal(0, 3, (height, width, 3))
    return as_levels(levels)


def as_levels(values):
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def filled(color, height, width):
    return np.broadcast_to(np.asarray(color, np.uint8), (height, width, 3)).copy()


def one_color(rng, height, width):
    return filled(rng.integers(0, 256, 3), height, width)


def two_colors(rng, height, width):
    is_first = rng.random((height, width, 1)) < rng.choice([0.01, 0.5, 0.9])
    return np.where(is_first, *rng.integers(0, 256, (2, 3), dtype=np.uint8))


def nearly_empty(rng, height, width):
    image = filled(rng.integers(236, 256), height, width)
    count = min(height * width, rng.integers(1, 12))
    places = rng.choice(height * width, count, replace=False)
    image.reshape(-1, 3)[places] = tissue(rng, height, width).reshape(-1, 3)[places]
    return image


def marker_pen(rng, height, width):
    image = tissue(rng, height, width)
    pens = [(0, 255, 0), (0, 0, 255), (0, 0, 0), (20, 110, 30), (10, 20, 160), (255, 0, 0)]
    for pen in rng.permutation(pens)[: rng.integers(1, 4)]:
        start, end = rng.integers(0, (width, height), (2, 2))
        cv2.line(image, start.tolist(), end.tolist(), pen.tolist(), int(rng.integers(1, 30)))
    return image


def jpeg(rng, height, width):
    image = rng.choice([one_color, two_colors, tissue])(rng, height, width)
    code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(1, 80))])[1]
    return cv2.imdecode(code, cv2.IMREAD_COLOR)


def noise_on_a_color(rng, height, width):
    sigma = rng.choice([0.5, 3, 12, 60])
    return as_levels(rng.integers(0, 256, 3) + rng.normal(0, sigma, (height, width, 3)))


def gradient(rng, height, width):
    first, last = rng.integers(0, 256, (2, 3))
    down = np.linspace(0, 1, height)[:, None, None]
    along = np.linspace(0, 1, width)[None, :, None]
    share = (down, along, down * along)[rng.integers(3)]
    return as_levels(filled(0, height, width) + first + (last - first) * share)


def bordered(rng, height, width):
    image = filled(rng.choice([0, 255]), height, width)
    top, left = rng.integers(0, (height, width))
    image[top:, left:] = tissue(rng, height, width)[top:, left:]
    return image


def saturated(rng, height, width):
    return rng.choice(np.array([0, 255], np.uint8), (height, width, 3))


def one_channel_saturated(rng, height, width):
    image = tissue(rng, height, width)
    image[..., rng.integers(3)] = rng.choice([0, 255])
    return image


def very_bright(rng, height, width):
    return rng.integers(rng.integers(200, 256), 256, (height, width, 3), dtype=np.uint8)


def very_dark(rng, height, width):
    return rng.integers(0, rng.integers(1, 30), (height, width, 3), dtype=np.uint8)


def one_stain(rng, height, width):
    stain = rng.uniform(0.02, 1, 3)
    return as_levels(240 * np.exp(-rng.uniform(0, 3, (height, width, 1)) * stain) - 1)


KINDS = {
    kind.__name__: kind
    for kind in (
        tissue,
        one_color,
        two_colors,
        nearly_empty,
        marker_pen,
        jpeg,
        noise_on_a_color,
        gradient,
        bordered,
        saturated,
        one_channel_saturated,
        very_bright,
        very_dark,
        one_stain,
    )
}
"""What an image can show: functions of a generator, a height and a width."""
SIDES = st.one_of(st.integers(1, 4), st.integers(5, MAX_SIDE), st.just(MAX_SIDE))
ARGUMENTS = st.fixed_dictionaries(
    {
        "min_tissue": st.sampled_from([0, 10, 500]),
        "io": st.sampled_from([200, 240, 256]),
        "beta": st.sampled_from([0, 0.15, 1]),
        "max_pixels": st.sampled_from([2, 100, 2**20]),
    }
)


@st.composite
def images(draw, kind):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return KINDS[kind](rng, draw(SIDES), draw(SIDES))


@contextmanager
def nothing_tolerated():
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        yield


def check_fit(normalizer, fit, pixels):
    """A fit is one of its kind, finite, and survives json."""
    assert type(fit) is normalizer.fit_type
    assert normalizer.min_tissue <= fit.n_tissue <= pixels
    if isinstance(fit, StainFit):
        np.testing.assert_allclose(np.linalg.norm(fit.stain_matrix, axis=0), 1, rtol=1e-5)
    values = json.loads(json.dumps(fit.to_dict(), allow_nan=False))
    assert type(fit).from_dict(values).to_dict() == values


def check_picture(out, image):
    assert out.dtype == np.uint8 and out.shape == image.shape and out is not image


def beer_lambert(normalizer, image, fit):
    """What a change of stains makes of an image, in double precision, pixel by pixel."""
    density = -np.log((image.reshape(-1, 3) + 1.0) / normalizer.io)
    amounts = np.linalg.lstsq(fit.stain_matrix, density.T, rcond=None)[0]
    target = normalizer.target
    amounts *= (target.max_concentrations / fit.max_concentrations)[:, None]
    exponent = np.minimum(-(target.stain_matrix @ amounts), 6).T
    return np.minimum(normalizer.io * np.exp(exponent), 255).reshape(image.shape)


def check(normalizer, image, other_fit):
    """All that a method can do with an image."""
    before = image.copy()
    fit = normalizer.estimate(image)
    out = normalizer.normalize(image)
    check_picture(out, image)
    if fit is None:
        np.testing.assert_array_equal(out, image)
    else:
        check_fit(normalizer, fit, image.shape[0] * image.shape[1])
        np.testing.assert_array_equal(normalizer.normalize(image, fit), out)
    check_picture(normalizer.normalize(image, other_fit), image)
    if normalizer.fit_type is StainFit:
        for used in (fit, other_fit) if fit else (other_fit,):
            expected = beer_lambert(normalizer, image, used)
            assert np.abs(normalizer.normalize(image, used) - expected).max() < 1.01
        assert np.isfinite(normalizer.concentrations(image)).all()
        for stain in normalizer.separate(image):
            check_picture(stain, image)
    np.testing.assert_array_equal(image, before)
    return fit


@pytest.fixture(scope="module", params=NORMALIZERS)
def method(request):
    return NORMALIZERS[request.param]


@pytest.fixture(scope="module")
def tissue_fit(method):
    image = tissue(np.random.default_rng(0), 64, 64)
    fit = method(min_tissue=0).estimate(image)
    assert fit is not None, "the method finds no stains in tissue"
    assert np.abs(method().normalize(image, fit).astype(int) - image).mean() > 1
    return fit


def examples(count):
    return settings(max_examples=count, deadline=None, derandomize=True, database=None)


@examples(8)
@given(data=st.data(), arguments=ARGUMENTS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_an_image_shows_is_never_an_error(method, tissue_fit, kind, data, arguments):
    image = data.draw(images(kind))
    with nothing_tolerated():
        check(method(**arguments), image, tissue_fit)


@examples(25)
@given(
    image=hnp.arrays(np.uint8, st.tuples(SIDES, SIDES, st.just(3)), fill=st.integers(0, 255)),
    arguments=ARGUMENTS,
)
def test_any_array_is_an_image(method, tissue_fit, image, arguments):
    with nothing_tolerated():
        check(method(**arguments), image, tissue_fit)


@examples(30)
@given(pair=st.tuples(*[st.sampled_from(list(KINDS)).flatmap(images)] * 2), arguments=ARGUMENTS)
def test_any_image_that_has_stains_is_a_target_and_part_of_a_case(method, pair, arguments):
    image, other = pair
    normalizer = method(**arguments)
    with nothing_tolerated():
        pooled = normalizer.estimate_case(pair)
        if pooled is not None:
            check_fit(normalizer, pooled, sum(x.shape[0] * x.shape[1] for x in pair))
        fit = normalizer.estimate(other)
        if fit is None:
            with pytest.raises(ValueError, match="cannot estimate the target"):
                normalizer.fit(other)
        else:
            check(normalizer.fit(other), image, fit)


@pytest.mark.parametrize(
    "stains",
    [
        [[0.6, 0.6], [0.64, 0.64], [0.48, 0.48]],
        [[0.8, -0.8], [0.0, 0.0], [-0.6, 0.6]],
        [[0.6, -0.8], [0.64, -0.6], [0.48, 0.0]],
    ],
    ids=["one", "opposites", "no light absorbed"],
)
def test_directions_that_are_no_two_stains(stains):
    assert hematoxylin_first(np.array(stains)) is None


def test_saturated_colours_have_no_stains(method):
    image = np.array([[[0, 255, 255], [255, 0, 0], [255, 255, 0]]], np.uint8)
    normalizer = method(min_tissue=0, io=256, beta=0)
    if normalizer.fit_type is StainFit:
        assert normalizer.estimate(image) is None
    check_picture(normalizer.normalize(image), image)


@pytest.mark.parametrize(
    "name", [name for name, kind in NORMALIZERS.items() if kind.fit_type is StainFit]
)
def test_brighter_than_white_is_white(name):
    stains = STAINS / np.linalg.norm(STAINS, axis=0)
    # What is brighter than the transmitted light has a negative density, here 200 times as large.
    normalizer = NORMALIZERS[name](io=100)
    normalizer.target = StainFit(stains, [200, 200])
    assert (normalizer.normalize(filled(250, 9, 9), StainFit(stains, [1, 1])) == 255).all()
