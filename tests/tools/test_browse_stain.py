"""tools/browse_stain.py: a sheet that is whole or not there, and one sentence for a mistake."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mmdet_mitosis.sheets import GAP_PX, LINE_PX, WARNING
from mmdet_mitosis.stain import NORMALIZERS, MacenkoNormalizer, StainFit
from mmdet_mitosis.stain.sheet import MIN_CELL_PX, angle_deg, stain_colors, stain_sheet
from tests.tools.commands import end_here
from tests.transforms.tissue import STAINS, TARGET, blank, save, tissue

TOP = 2 * LINE_PX + 2 * GAP_PX


@pytest.fixture
def end(capsys):
    """Run the command in this process; give its status and all that it said."""

    def run(*words):
        status, out, err = end_here("browse_stain", words, capsys)
        return status, out + err

    return run


@pytest.fixture
def images(tmp_path):
    stained = save(tmp_path / "tissue.png", tissue(1, 200))
    return [Path(stained), Path(save(tmp_path / "blank.png", blank()))]


def picture(sheet, column, top, size, cell=MIN_CELL_PX):
    """Cut a picture of a sheet, (H, W, 3) int."""
    x = GAP_PX + column * (max(cell, MIN_CELL_PX) + GAP_PX)
    return np.asarray(sheet)[top : top + size, x : x + size].astype(int)


def test_a_row_shows_the_image_and_every_method(images):
    normalizers = [kind() for kind in NORMALIZERS.values()]
    sheet = stain_sheet(images, normalizers, 200)
    rgb = tissue(1, 200)
    np.testing.assert_array_equal(picture(sheet, 0, TOP, 200), rgb)
    for column, normalizer in enumerate(normalizers, 1):
        found = picture(sheet, column, TOP, 200)
        np.testing.assert_array_equal(found, normalizer.normalize(rgb))
        assert (found != rgb).any()
    second = TOP + 200 + 2 * LINE_PX + GAP_PX
    for column in range(len(normalizers) + 1):
        np.testing.assert_array_equal(picture(sheet, column, second, 80), blank())
    assert sheet.size == (
        GAP_PX + (MIN_CELL_PX + GAP_PX) * (1 + len(normalizers)),
        second + 80 + 2 * LINE_PX + GAP_PX,
    )


def test_a_field_with_too_little_tissue_is_captioned_so(images):
    for path, warned in zip(images, (False, True), strict=True):
        sheet = np.asarray(stain_sheet([path], [MacenkoNormalizer()], 200))
        reddish = (np.abs(sheet[-2 * LINE_PX - GAP_PX :].astype(int) - WARNING) < 10).all(axis=2)
        assert reddish.any() == warned


def test_the_stains_that_were_found_are_drawn_hematoxylin_first(images):
    normalizer = MacenkoNormalizer()
    fit = normalizer.estimate(tissue(1, 200))
    sheet = np.asarray(stain_sheet(images[:1], [normalizer], 200))
    left = GAP_PX + MIN_CELL_PX + GAP_PX
    for place, shown in (
        (slice(GAP_PX + LINE_PX, TOP), normalizer.target),
        (slice(TOP + 200, TOP + 200 + LINE_PX), fit),
    ):
        part = sheet[place, left:]
        columns = [
            np.flatnonzero((part == color).all(axis=2).any(axis=0)) for color in stain_colors(shown)
        ]
        assert len(columns[0]) > 10 and len(columns[1]) > 10
        assert columns[0].max() < columns[1].min()


def test_colours_and_angles_are_those_of_the_vectors():
    fit = StainFit([[2, 0], [0, 3], [0, 3]], [1, 1])
    assert angle_deg(fit) == pytest.approx(90)
    eosin = round(255 * np.exp(-np.sqrt(0.5)))
    assert stain_colors(fit) == [(round(255 / np.e), 255, 255), (255, eosin, eosin)]
    tilted = StainFit([[1, np.cos(0.3)], [0, np.sin(0.3)], [0, 0]], [1, 1])
    assert angle_deg(tilted) == pytest.approx(np.degrees(0.3))


def test_a_large_image_is_made_smaller_to_be_shown_only(tmp_path):
    # One part in eight is tissue of other stains: a corner of it would give another fit.
    rgb = tissue(1, 256)
    rgb[:, :32] = tissue(2, 256, TARGET)[:, :32]
    path = Path(save(tmp_path / "large.png", rgb))
    found = picture(stain_sheet([path], [MacenkoNormalizer()], 64), 1, TOP, 64)
    whole = MacenkoNormalizer().normalize(rgb).astype(float)
    expected = whole.reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))
    assert np.abs(found - expected).max() <= 0.51


def test_a_long_name_is_cut_and_not_written_over_its_neighbour(tmp_path):
    path = Path(save(tmp_path / f"{'long_' * 20}.png", tissue(1, 64)))
    sheet = np.asarray(stain_sheet([path], [MacenkoNormalizer()], 64))
    gap = sheet[:, GAP_PX + MIN_CELL_PX : GAP_PX + MIN_CELL_PX + GAP_PX - 1]
    assert (gap == sheet[0, 0]).all()


@pytest.mark.parametrize("name", ["sheet.png", "new/sheet.jpg"])
def test_the_command_writes_the_sheet(end, images, tmp_path, name):
    out = tmp_path / name
    status, said = end(*images, "--out", out, "--methods", "macenko", "--size", 100)
    assert (status, said) == (0, f"sheet: {out}\n")
    with Image.open(out) as sheet:
        assert sheet.width == GAP_PX + 2 * (MIN_CELL_PX + GAP_PX)
        assert sheet.format == ("PNG" if name.endswith("png") else "JPEG")


def test_a_target_is_what_is_normalised_to(end, images, tmp_path):
    target = save(tmp_path / "target.png", tissue(3, stains=TARGET))
    out = tmp_path / "sheet.png"
    words = ("--out", out, "--methods", "macenko", "--target", target)
    assert end(images[0], *words)[0] == 0
    with Image.open(out) as sheet:
        found = picture(sheet.convert("RGB"), 1, TOP, 200, cell=320)
    normalizer = MacenkoNormalizer().fit(tissue(3, stains=TARGET))
    np.testing.assert_array_equal(found, normalizer.normalize(tissue(1, 200)))


def bad(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "file").write_text("")
    (tmp_path / "fit.json").write_text(json.dumps(StainFit(STAINS, [1, 1]).to_dict()))
    good, out = save(tmp_path / "good.png", tissue(1, 64)), tmp_path / "sheet.png"
    gray = str(tmp_path / "gray.png")
    cv2.imwrite(gray, np.zeros((9, 9), np.uint8))
    white = save(tmp_path / "white.png", np.full((40, 40, 3), 255, np.uint8))
    yield "no such image: .*none.png", (good, tmp_path / "none.png", "--out", out)
    yield "cannot read .*text.png", (good, tmp_path / "text.png", "--out", out)
    yield "gray.png.*expected 8-bit RGB", (good, gray, "--out", out)
    yield "file is no folder", (good, "--out", tmp_path / "file" / "sheet.png")
    yield (
        "no such stain target: .*none.png",
        (*(good, "--out", out, "--target", tmp_path / "none.png"),),
    )
    yield "white.png.*tissue", (good, "--out", out, "--target", white)
    yield "fit.json.*mean_lab.*--methods", (good, "--out", out, "--target", tmp_path / "fit.json")


@pytest.mark.parametrize("case", range(7))
def test_a_mistake_is_said_in_one_sentence_and_nothing_written(end, tmp_path, case):
    said, words = list(bad(tmp_path))[case]
    before = sorted(tmp_path.rglob("*"))
    status, text = end(*words)
    assert status == 2 and text.count("\n") == 1
    assert text.startswith("browse_stain.py: error: ")
    assert re.search(said, text), text
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a.png",), "--out"),
        (("a.png", "--out", "a.txt"), "--out must end in .png, .jpg, .jpeg, got a.txt"),
        (("a.png", "--out", "b.png", "--size", "3"), "--size must be 32 to 4096, got 3"),
        (("a.png", "--out", "b.png", "--methods", "magic"), "magic"),
    ],
)
def test_wrong_options_are_named(end, words, said):
    status, text = end(*words)
    assert status == 2 and said in text
