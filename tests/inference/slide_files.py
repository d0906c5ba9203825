"""Tiny slides that the tests write."""

import numpy as np
import tifffile
from PIL import Image

from tests.transforms.tissue import tissue

GLASS = 242


def painted(width, height, seed=0):
    """Tissue that differs from place to place, smooth enough for JPEG; (height, width, 3)."""
    coarse = tissue(seed, max(8, (max(width, height) + 3) // 4))
    side = coarse.shape[0] * 4
    big = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(big)[:height, :width])


def halved(rgb):
    """The next level: means of 2 x 2 px, an odd row or column dropped."""
    height, width = (side // 2 * 2 for side in rgb.shape[:2])
    blocks = rgb[:height, :width].reshape(height // 2, 2, width // 2, 2, 3)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)


def levels(rgb, count):
    """A pyramid of so many levels."""
    result = [rgb]
    while len(result) < count:
        result.append(halved(result[-1]))
    return result


def write_pyramid(path, pyramid, mpp=None, tile=128, **options):
    """Write a pyramidal TIFF in tiles."""
    options = {"compression": "zlib", "photometric": "rgb", **options}
    if mpp is not None:
        options |= {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(path) as tiff:
        for i, level in enumerate(pyramid):
            tiff.write(level, tile=(tile, tile), subfiletype=int(i > 0), metadata=None, **options)
    return path


def write_svs(path, pyramid, mpp=0.25, tile=128):
    """Write an Aperio slide: the full resolution, a thumbnail in strips, then the other levels."""
    height, width = pyramid[0].shape[:2]
    about = f"Aperio Image Library v11.2.1\r\n{width}x{height} [0,0 {width}x{height}] (128x128)"
    about += "" if mpp is None else f"|AppMag = 40|MPP = {mpp}"
    options = {"photometric": "rgb", "metadata": None, "software": False}
    with tifffile.TiffWriter(path) as tiff:
        tiled = {"tile": (tile, tile), "compression": "zlib", **options}
        tiff.write(pyramid[0], description=about, **tiled)
        thumbnail = np.full((20, 30, 3), 7, np.uint8)
        tiff.write(thumbnail, description="Aperio Image Library v11.2.1\r\nthumbnail", **options)
        for level in pyramid[1:]:
            tiff.write(level, description="Aperio Image Library v11.2.1\r\nlevel", **tiled)
    return path


def empty_tiles(path, page, places):
    """Take tiles out of a TIFF of a page: their offsets and lengths become 0."""
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        for name in ("TileOffsets", "TileByteCounts"):
            tag = tiff.pages[page].tags[name]
            values = list(tag.value)
            for place in places:
                values[place] = 0
            tag.overwrite(values)
    return path


def write_plain(path, rgb, **options):
    """Write a plain image by its suffix."""
    if path.suffix == ".tif":
        tifffile.imwrite(path, rgb, photometric="rgb", metadata=None, **options)
    else:
        Image.fromarray(rgb).save(path, **options)
    return path
