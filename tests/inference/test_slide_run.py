"""A detector's way over a slide: nothing lost, nothing twice, however it is cut up."""

import numpy as np
import pytest

from mmdet_mitosis.inference.slide_run import CHUNK, SlideRun
from mmdet_mitosis.inference.slides import open_slide
from mmdet_mitosis.stain import MacenkoNormalizer
from tests.inference.spots import SpotDetector, paint, random_spots, same_places, save
from tests.transforms.tissue import tissue

WIDTH, HEIGHT = 1500, 1100


@pytest.fixture(scope="module")
def spots():
    return random_spots(60, WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def path(tmp_path_factory, spots):
    return save(tmp_path_factory.mktemp("slides") / "a.png", paint(spots, WIDTH, HEIGHT))


def run(path, detector, mpp=0.25, **options):
    with open_slide(path, mpp) as slide:
        return SlideRun(detector, slide, **options).run()


@pytest.mark.parametrize("window", [160, 256, 512, 2048])
@pytest.mark.parametrize(("batch", "workers", "parallel"), [(1, 0, 1), (4, 2, 1), (7, 3, 3)])
def test_every_spot_is_found_once(path, spots, window, batch, workers, parallel) -> None:
    result = run(path, SpotDetector(window, batch, workers, parallel=parallel))
    assert same_places(result.detections, spots)
    assert (result.width, result.height, result.mpp) == (WIDTH, HEIGHT, 0.25)
    assert result.tissue_fraction == pytest.approx(1)


def test_batches_and_workers_change_nothing(path) -> None:
    settings = ((1, 0, 1), (3, 1, 1), (16, 4, 1), (5, 2, 2))
    detectors = [SpotDetector(256, b, w, parallel=p) for b, w, p in settings]
    results = [run(path, detector).detections for detector in detectors]
    for other in results[1:]:
        assert other.centers_xy.tolist() == results[0].centers_xy.tolist()
        assert other.scores.tolist() == results[0].scores.tolist()
        assert other.polygons == results[0].polygons


def test_places_are_those_of_the_full_resolution(tmp_path, spots) -> None:
    # At 0.125 µm a pixel the spots are as large in µm as at 0.25 in half as many pixels.
    image = paint(spots, WIDTH, HEIGHT).repeat(2, axis=0).repeat(2, axis=1)
    result = run(save(tmp_path / "fine.png", image), SpotDetector(256), mpp=0.125)
    assert same_places(result.detections, spots * 2 + 0.5, within=4)
    assert (result.width, result.mpp) == (2 * WIDTH, 0.125)
    flat = np.concatenate([p for parts in result.detections.polygons for p in parts])
    boxes = result.detections.bboxes_xyxy
    assert flat.min() == pytest.approx(boxes[:, :2].min()) and flat.max() == boxes[:, 2:].max()


def test_a_resolution_that_is_nearly_the_models_is_left_as_it_is(path, spots) -> None:
    result = run(path, SpotDetector(256), mpp=0.2456)
    assert same_places(result.detections, spots, within=0.6)


@pytest.mark.parametrize("size", [(1, 1), (20, 700), (256, 256), (300, 40)])
def test_small_images(tmp_path, size) -> None:
    spots = [(size[0] // 2, size[1] // 2)] if min(size) > 17 else []
    result = run(save(tmp_path / "s.png", paint(spots, *size)), SpotDetector(256))
    assert same_places(result.detections, spots)


def test_an_interrupted_run_goes_on(tmp_path, spots) -> None:
    wide = random_spots(90, 12000, 300, seed=1)
    path = save(tmp_path / "wide.png", paint(wide, 12000, 300))
    whole = SpotDetector(128)
    expected = run(path, whole)
    assert whole.n_seen > 2 * CHUNK
    broken = SpotDetector(128, stop_after=CHUNK + 20, parallel=2)
    with pytest.raises(KeyboardInterrupt):
        run(path, broken, keep_in=tmp_path / "parts")
    second = SpotDetector(128)
    result = run(path, second, keep_in=tmp_path / "parts")
    assert second.n_seen == whole.n_seen - CHUNK  # what was whole is not done again
    assert result.detections.centers_xy.tolist() == expected.detections.centers_xy.tolist()
    assert result.detections.polygons == expected.detections.polygons


def test_what_reading_says_is_raised_and_stops_the_threads(tmp_path, path) -> None:
    class Failing(SpotDetector):
        def prepare(self, window_rgb, fit):
            raise ValueError("damaged at row 7")

    with pytest.raises(ValueError, match="damaged at row 7"):
        run(path, Failing(256))


def maxima(rgb_or_fit):
    fit = rgb_or_fit if hasattr(rgb_or_fit, "to_dict") else MacenkoNormalizer().estimate(rgb_or_fit)
    return fit.max_concentrations


def test_the_stains_of_a_slide_are_those_of_its_tissue_and_not_of_its_glass(tmp_path) -> None:
    patch = tissue(1, 400)
    slide = np.full((1600, 2000, 3), 244, np.uint8)
    slide[600:1000, 700:1100] = patch
    assert (maxima(slide) < 0.75 * maxima(patch)).any()  # the whole image would mislead
    fits = []

    class Noting(SpotDetector):
        normalizer = MacenkoNormalizer()

        def prepare(self, window_rgb, fit):
            fits.append(fit)
            return window_rgb

    run(save(tmp_path / "glass.png", slide), Noting(256))
    assert len({id(fit) for fit in fits}) == 1  # one for all windows
    assert maxima(fits[0]) == pytest.approx(maxima(patch), rel=0.1)
    fits.clear()
    run(save(tmp_path / "field.png", patch), Noting(256))
    assert maxima(fits[0]).tolist() == maxima(patch).tolist()  # a field as in training
    fits.clear()
    run(save(tmp_path / "blank.png", np.full((700, 700, 3), 244, np.uint8)), Noting(256))
    assert set(fits) == {None}
