"""Images of every format, and headers that claim what is not there."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

CLAIMS = (
    *((100_000, 100_000), (65_500, 65_500), (2**31 - 1, 2**31 - 1), (40_000, 40_000)),
    *((1, 2**31 - 1), (2**31 - 1, 1), (0, 5), (30_000, 30_000), (20_000, 15_000)),
)
"""Widths and heights that a header claims, without pixels behind it."""
PLAIN = ("png", "jpg", "bmp", "tif")


def noise(width: int, height: int, channels: int = 3, dtype: type = np.uint8) -> np.ndarray:
    """Make pixels that do not compress."""
    rng = np.random.default_rng((width, height, channels))
    shape = (height, width, channels) if channels > 1 else (height, width)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype)


def tiff(image: np.ndarray, **options: object) -> bytes:
    """Write a TIFF."""
    file = io.BytesIO()
    tifffile.imwrite(file, image, **{"photometric": "rgb", "metadata": None, **options})
    return file.getvalue()


def pyramid(suffix: str) -> bytes:
    """Write a slide of two levels."""
    file, image = io.BytesIO(), noise(300, 200)
    about = "Aperio Image Library v11.2.1\r\n300x200 [0,0 300x200] (64x64)|AppMag = 40|MPP = 0.25"
    with tifffile.TiffWriter(file) as writer:
        for level in (image, image[::2, ::2]):
            writer.write(
                level,
                tile=(64, 64),
                compression="zlib",
                photometric="rgb",
                metadata=None,
                software=False,
                description=about if suffix == "svs" else None,
                subfiletype=int(level is not image),
            )
    return file.getvalue()


def plain(image: Image.Image, suffix: str) -> bytes:
    """Write an image by Pillow."""
    file = io.BytesIO()
    image.save(file, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper()))
    return file.getvalue()


def good_files() -> dict[str, bytes]:
    """Make an image of each kind that can be read, by its name."""
    image = noise(90, 70)
    found = {f"{s}.{s}": plain(Image.fromarray(image), s) for s in PLAIN}
    for name, options in {
        "zlib": {"compression": "zlib", "rowsperstrip": 16},
        "lzw": {"compression": "lzw"},
        "tiles": {"tile": (32, 32)},
        "zstd": {"tile": (32, 32), "compression": "zstd", "predictor": True},
        "jpeg": {"tile": (32, 32), "compression": "jpeg"},
        "big": {"bigtiff": True},
        "ome": {"ome": True},
    }.items():
        found[f"{name}.tif"] = tiff(image, **options)
    for size in ((1, 1), (60_000, 1), (1, 60_000)):
        found |= {
            f"{size[0]}x{size[1]}.{s}": plain(Image.fromarray(noise(*size)), s) for s in PLAIN
        }
    return found | {"a.svs": pyramid("svs"), "pyramid.tif": pyramid("tif")}


def other_files() -> dict[str, bytes]:
    """Make images of other kinds than 8-bit RGB."""
    found = {}
    image = Image.fromarray(noise(40, 30))
    for mode in ("L", "1", "P", "CMYK", "LA", "RGBA", "YCbCr", "I;16", "F"):
        for suffix in PLAIN:
            try:
                source = image.convert("L") if mode in ("I;16", "F") else image
                found[f"{mode.replace(';', '')}.{suffix}"] = plain(source.convert(mode), suffix)
            except (OSError, ValueError):
                continue
    for channels in (1, 2, 4, 5, 33):
        options = {"photometric": "minisblack", "planarconfig": "contig"}
        found[f"{channels} channels.tif"] = tiff(noise(40, 30, channels), **options)
        for dtype in (np.uint16, np.int8, np.uint32):
            image_ = noise(40, 30, channels, dtype)
            found[f"{channels} {dtype.__name__}.tif"] = tiff(image_, **options)
    found["planes.tif"] = tiff(np.moveaxis(noise(40, 30), 2, 0).copy(), planarconfig="separate")
    found["pages.tif"] = tiff(np.stack([noise(40, 30)] * 3))
    return found


def png_claim(width: int, height: int) -> bytes:
    """Write a PNG of a claimed size, whole as far as its chunks tell."""
    body = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", body), (b"IDAT", zlib.compress(b"\0" * 99)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def jpeg_claim(width: int, height: int, good: bytes) -> bytes:
    """Change the size in the header of a JPEG."""
    at = next(i for i in range(len(good)) if good[i : i + 2] in (b"\xff\xc0", b"\xff\xc2"))
    sides = struct.pack(">HH", min(height, 65_535), min(width, 65_535))
    return good[: at + 5] + sides + good[at + 9 :]


def bmp_claim(width: int, height: int, good: bytes) -> bytes:
    """Change the size in the header of a BMP."""
    return good[:18] + struct.pack("<ii", width, height) + good[26:]


def tiff_claim(width: int, height: int, good: bytes, path: Path) -> bytes:
    """Change the size, and the rows of a strip, in the first directory of a TIFF."""
    path.write_bytes(good)
    with tifffile.TiffFile(path, mode="r+b") as file:
        tags = file.pages[0].tags
        limit = 2**16 - 1 if tags["ImageWidth"].dtype == 3 else 2**32 - 1
        tags["ImageWidth"].overwrite(min(width, limit))
        tags["ImageLength"].overwrite(min(height, limit))
        if "RowsPerStrip" in tags:
            tags["RowsPerStrip"].overwrite(min(height, 2**16 - 1))
    return path.read_bytes()


def claims(good: dict[str, bytes], scratch: Path) -> dict[str, bytes]:
    """Make files that claim another size than they have, by name."""
    found = {}
    for width, height in CLAIMS:
        name = f"claims {width}x{height}"
        found[f"{name}.png"] = png_claim(width, height)
        found[f"{name}.jpg"] = jpeg_claim(width, height, good["jpg.jpg"])
        found[f"{name}.bmp"] = bmp_claim(width, height, good["bmp.bmp"])
        for kind in (
            "tif.tif",
            "zlib.tif",
            "lzw.tif",
            "tiles.tif",
            "zstd.tif",
            "jpeg.tif",
            "big.tif",
        ):
            data = tiff_claim(width, height, good[kind], scratch)
            found[f"{name} {kind}"] = data
    return found
