"""tools/browse_dataset.py: windows as training sees them, with their objects where they are."""

import json
import re

import numpy as np
import pytest
from mmdet.registry import DATASETS
from mmengine.config import Config
from PIL import Image

from mmdet_mitosis.datasets.window_sheet import (
    COLORS,
    build_split,
    choose_windows,
    pipeline_names,
    window_cell,
    window_sheet,
)
from mmdet_mitosis.sheets import GAP_PX, LINE_PX
from tests import make_data
from tests.make_data import CONFIGS, box, write_json
from tests.tools.commands import end_here

WIDTH, HEIGHT, SIDE = 320, 64, 64
MITOSIS = (8, 20, 24, 48)
"""x1, y1, x2, y2 of the only mitosis, in the first window."""
LOADING = [{"type": "LoadWindow"}, {"type": "LoadAnnotations", "with_bbox": True}]
PACKING = {"type": "PackDetInputs", "meta_keys": ("img_path", "window_xyxy", "flip")}


@pytest.fixture
def root(tmp_path, mmdet_scope):
    for split in ("train", "val"):
        make_data.write_data(tmp_path, [(WIDTH, HEIGHT)], [[box(*MITOSIS)]], split)
    return tmp_path


def dataset(root, *steps, with_mask=True):
    loading = [LOADING[0], LOADING[1] | {"with_mask": with_mask}]
    return DATASETS.build(
        {
            "type": "MitosisDataset",
            "data_root": str(root),
            "ann_file": "annotations/train.json",
            "data_prefix": {"img": "images/"},
            "window_size": SIDE,
            "overlap": 0.0,
            "pipeline": [*loading, *steps, PACKING],
        }
    )


def outlined(picture) -> list[int]:
    """Bound the pixels of the outlines of mitoses: x1, y1, x2, y2, inclusive."""
    y, x = np.nonzero((np.asarray(picture) == COLORS[0]).all(axis=2))
    return [x.min(), y.min(), x.max(), y.max()] if len(x) else []


def near(found, expected):
    """Compare outlines, which are two pixels wide."""
    np.testing.assert_allclose(found, expected, atol=1.5)


def test_outlines_lie_where_the_augmented_objects_are(root):
    x1, y1, x2, y2 = MITOSIS
    plain = window_cell(dataset(root), 0, SIDE, seed=0).picture
    near(outlined(plain), [x1, y1, x2, y2])
    flip = {"type": "RandomFlip", "prob": 1.0, "direction": "horizontal"}
    flipped = window_cell(dataset(root, flip), 0, SIDE, seed=0).picture
    near(outlined(flipped), [SIDE - x2, y1, SIDE - x1, y2])
    twice = window_cell(dataset(root), 0, 2 * SIDE, seed=0).picture
    near(outlined(twice), [2 * x1, 2 * y1, 2 * x2, 2 * y2])
    assert outlined(window_cell(dataset(root), 1, SIDE, seed=0).picture) == []


def test_the_pixels_are_those_of_the_window_in_their_colours(root):
    picture = window_cell(dataset(root), 2, SIDE, seed=0).picture
    expected = make_data.field_image(0, WIDTH, HEIGHT)[:, 2 * SIDE : 3 * SIDE]
    np.testing.assert_array_equal(np.asarray(picture), expected)


@pytest.mark.parametrize("kind", ["boxes", "bitmaps"])
def test_objects_without_polygons_are_outlined_too(root, kind):
    data = dataset(root, with_mask=kind == "bitmaps")
    if kind == "bitmaps":
        data.pipeline.transforms[1].poly2mask = True
    near(outlined(window_cell(data, 0, SIDE, seed=0).picture), MITOSIS)


def test_half_of_the_windows_have_objects_as_far_as_there_are(root):
    data = dataset(root)
    assert [len(data.get_data_info(i)["instances"]) for i in range(5)] == [1, 0, 0, 0, 0]
    for count in (1, 2, 4, 5, 9):
        found = choose_windows(data, count, seed=3)
        assert found[0] == 0 and len(set(found)) == len(found) == min(count, 5)
    assert choose_windows(data, 3, 3) == choose_windows(data, 3, 3)
    assert len({tuple(choose_windows(data, 3, seed)) for seed in range(9)}) > 1


def test_of_many_windows_with_objects_half_are_taken(root):
    boxes = [box(64 * k + 8, 20, 64 * k + 24, 48) for k in range(4)]
    make_data.write_data(root, [(WIDTH, HEIGHT)], [boxes])
    data = dataset(root)
    assert sorted(choose_windows(data, 2, 0)) == [choose_windows(data, 2, 0)[0], 4]
    assert len(choose_windows(data, 4, 0)) == 4 and 4 in choose_windows(data, 4, 0)


def test_a_seed_fixes_the_augmentation_of_each_window(root):
    jitter = {"type": "PhotoMetricDistortion"}
    flip = {"type": "RandomFlip", "prob": 0.5, "direction": "horizontal"}
    data = dataset(root, jitter, flip)

    def pixels(indices, seed):
        sheet = np.asarray(window_sheet(data, indices, "", SIDE, 9, seed))
        top, step = LINE_PX + 2 * GAP_PX, SIDE + GAP_PX
        return [
            sheet[top : top + SIDE, GAP_PX + k * step : GAP_PX + k * step + SIDE].tobytes()
            for k in range(len(indices))
        ]

    together = pixels([0, 2, 1], 5)
    assert [together[2], together[0]] == pixels([1, 0], 5)
    assert pixels([0, 2, 1], 6) != together and len(set(together)) == 3


def test_a_sheet_has_a_row_for_each_so_many_columns(root):
    sheet = window_sheet(dataset(root), [0, 1, 2, 3, 4], "title", SIDE, 2, 0)
    row = SIDE + 2 * LINE_PX + GAP_PX
    assert sheet.size == (GAP_PX + 2 * (SIDE + GAP_PX), LINE_PX + 2 * GAP_PX + 3 * row)


def captions(cell) -> list[str]:
    return [caption.text for caption in cell.captions]


def test_a_window_is_named_with_what_it_holds(root):
    flip = {"type": "RandomFlip", "prob": 1.0, "direction": "vertical"}
    data = dataset(root, flip)
    data.pipeline.transforms[-1].meta_keys += ("flip_direction",)
    assert captions(window_cell(data, 0, SIDE, 0)) == [
        "field0 at 0, 0",
        "1 x mitosis, flip vertical",
    ]
    assert captions(window_cell(data, 3, SIDE, 0))[1] == "no object, flip vertical"


def config(root, name="maskrcnn_r18_demo.py"):
    cfg = make_data.with_data(name, root)
    for split in ("train", "val"):
        cfg[f"{split}_dataloader"].dataset.update(window_size=SIDE, overlap=0.0)
    return cfg


def test_validation_shows_its_objects_though_its_pipeline_does_not_load_them(root):
    cfg = config(root)
    before = cfg.val_dataloader.to_dict()
    data = build_split(cfg, "val")
    near(outlined(window_cell(data, 0, SIDE, 0).picture), MITOSIS)
    assert pipeline_names(data) == ["StainNormalize"]
    assert cfg.val_dataloader.to_dict() == before


def test_crops_of_candidates_are_shown_with_their_class(root):
    image = json.loads((root / "annotations" / "train.json").read_text())["images"]
    found = [{"id": k, "image_id": 1, "point": [32 + 64 * k, 32], "label": k % 2} for k in range(4)]
    info = {"n_mitoses": 2, "n_mitoses_found": 2}
    write_json(
        root / "candidates" / "train.json", {"info": info, "images": image, "candidates": found}
    )
    cfg = Config.fromfile(CONFIGS / "two_stage" / "refiner_demo.py")
    cfg.train_dataloader.dataset.data_root = str(root)
    data = build_split(cfg, "train")
    cells = [window_cell(data, i, SIDE, 0) for i in choose_windows(data, 4, 0)]
    assert [captions(cell)[1].split(",")[0] for cell in cells] == ["mitosis"] * 2 + ["other"] * 2
    assert captions(cells[0])[0] in ("field0 at 96, 32", "field0 at 224, 32")


@pytest.fixture
def end(capsys):
    def run(*words):
        return end_here("browse_dataset", words, capsys)

    return run


def options(root, split="train"):
    at = f"{split}_dataloader.dataset"
    return ["--cfg-options", f"{at}.data_root={root}", f"{at}.window_size={SIDE}"]


def test_the_command_writes_the_sheet(root, tmp_path, end):
    out = tmp_path / "new" / "sheet.png"
    words = ("--count", 2, "--size", 80, "--out", out, *options(root))
    status, said, _ = end(CONFIGS / "maskrcnn_r18_demo.py", *words)
    assert status == 0 and said.endswith(f"sheet: {out}\n")
    with Image.open(out) as sheet:
        assert sheet.width == GAP_PX + 2 * (80 + GAP_PX)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("none.py",), "no such config: none.py"),
        (("{demo}", "--cfg-options", "train_dataloader.dataset.data_root=nowhere/"), "nowhere/"),
        (("{demo}", "--cfg-options", "train_dataloader.dataset.type=Other"), "train dataset"),
        (("{demo}", "--cfg-options", "train_dataloader=None"), "has no train_dataloader"),
        (("{demo}", "--out", "a.txt"), "--out must end in .png, .jpg, .jpeg, got a.txt"),
        (("{demo}", "--count", "0"), "--count must be at least 1, got 0"),
        (("{demo}", "--columns", "-1"), "--columns must be at least 1, got -1"),
        (("{demo}", "--size", "3"), "--size must be 32 to 4096, got 3"),
        (("{demo}", "--seed", "-3"), "--seed must not be negative, got -3"),
        (("{demo}", "--split", "all"), "all"),
    ],
)
def test_a_mistake_is_said_in_one_sentence(end, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    demo = str(CONFIGS / "maskrcnn_r18_demo.py")
    status, _, error = end(*(word.format(demo=demo) for word in words))
    assert status == 2 and said in error
    assert re.search(r"browse_dataset\.py: error: [^\n]*\n$", error)
    assert list(tmp_path.iterdir()) == []
