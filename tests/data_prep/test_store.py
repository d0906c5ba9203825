"""Copies of fields for fast reading: what they hold, and which are written anew."""

import json
from pathlib import Path

import numpy as np
import tifffile

from mmdet_mitosis.datasets import fields
from mmdet_mitosis.datasets.fields import decode_field, read_window
from tests.data_prep.archives import (
    contents,
    make_distinct,
    make_mitos12,
    make_tupac16,
    write_label,
)
from tests.data_prep.test_prepare import PARTS, load, run


def test_windows_are_read_from_the_copies(tmp_path: Path, monkeypatch) -> None:
    root, out = make_mitos12(tmp_path / "archive"), tmp_path / "out"
    run("mitos12", root, "--out", out, "--store")
    images = [image for part in PARTS for image in load(out, part)["images"]]
    assert {f".fields/{image['file_name']}.tif" for image in images} == {
        name for name in contents(out) if name.startswith(".fields")
    }
    whole = {i["file_name"]: decode_field(out / "images" / i["file_name"]) for i in images}
    monkeypatch.setattr(fields, "decode_field", None)  # not to be called
    for name, image in whole.items():
        window = read_window(out / "images" / name, (20, 50, 60, 90))
        np.testing.assert_array_equal(window, image[50:90, 20:60])


def test_copies_that_are_current_stay_and_others_are_mended(tmp_path: Path) -> None:
    root, out = make_mitos12(tmp_path / "archive"), tmp_path / "out"
    words = ("mitos12", root, "--out", out, "--store")
    run(*words)
    before = contents(out)
    copies = sorted(out.glob(".fields/**/*.tif"))
    nodes = [path.stat().st_ino for path in copies]
    copies[0].write_bytes(copies[0].read_bytes()[:300])
    copies[1].unlink()
    stray = write_label(copies[2].parent / "gone.png.tif", "of an image that is gone")
    run(*words)
    assert contents(out) == before and not stray.exists()
    assert [path.stat().st_ino for path in copies[2:]] == nodes[2:]


def test_copy_of_an_image_that_has_changed_is_written_anew(tmp_path: Path) -> None:
    root, out = make_mitos12(tmp_path / "archive"), tmp_path / "out"
    run("mitos12", root, "--out", out, "--store")
    make_distinct(root)
    run("mitos12", root, "--out", out, "--store")
    for copy in out.glob(".fields/**/*.tif"):
        image = root / copy.relative_to(out / ".fields" / "mitos12").with_suffix("")
        np.testing.assert_array_equal(tifffile.imread(copy), decode_field(image))


def test_tiled_tiffs_get_no_copy_and_that_is_said(tmp_path: Path) -> None:
    archive, out = make_distinct(make_tupac16(tmp_path / "archive")), tmp_path / "out"
    tiled = sorted(archive.rglob("*.tif"))[:3]
    for path in tiled:
        image = tifffile.imread(path)
        tifffile.imwrite(path, image, photometric="rgb", tile=(32, 32), compression="zlib")
    run("tupac16", archive, "--out", out, "--store")
    (copy,) = (path for path in (out / ".fields").rglob("*") if path.is_file())
    notes = json.loads((out / "summary.json").read_text())["notes"]
    assert "1 fields have a copy for reading windows in .fields, 0 MB; 3 need none" in notes
    np.testing.assert_array_equal(
        tifffile.imread(copy),
        decode_field(
            archive.joinpath(*copy.relative_to(out / ".fields" / "tupac16").with_suffix("").parts)
        ),
    )
