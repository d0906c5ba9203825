"""Images of known stains, and of none, that the tests of stain normalisation share."""

import cv2
import numpy as np

IO = 240
SCANNER_A = np.array([[0.70, 0.25], [0.62, 0.90], [0.35, 0.25]])
SCANNER_B = np.array([[0.55, 0.22], [0.76, 0.84], [0.34, 0.50]])


def unit(stains):
    return np.asarray(stains) / np.linalg.norm(stains, axis=0)


def tissue_amounts(seed=0, size=160, empty=0.2):
    """Hematoxylin and eosin of each pixel, (size, size, 2): nuclei, stroma, mixed, background."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(4, (size, size), p=[0.3, 0.3, 0.4 - empty / 2, empty / 2])
    amounts = rng.uniform(0.4, 1.8, (size, size, 2))
    amounts[kind == 0, 1] = 0
    amounts[kind == 1, 0] = 0
    amounts[kind == 3] = 0
    return amounts


def render(amounts, stains, io=IO):
    """Beer-Lambert: what a camera sees of the stains."""
    density = np.asarray(amounts) @ unit(stains).T
    return np.clip(np.round(io * np.exp(-density) - 1), 0, 255).astype(np.uint8)


def worst(a, b):
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def noisy(color, sigma, size=128, quality=None):
    rng = np.random.default_rng(0)
    image = np.clip(np.round(color + rng.normal(0, sigma, (size, size, 3))), 0, 255)
    image = image.astype(np.uint8)
    if quality:
        code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = cv2.imdecode(code, cv2.IMREAD_COLOR)
    return image


def few_tissue_pixels():
    image = np.full((100, 100, 3), 240, np.uint8)
    image[:22, :22] = render(tissue_amounts(size=22, empty=0), SCANNER_A)
    return image


def one_stain():
    amounts = tissue_amounts(size=100)
    amounts[..., 1] = 0
    return render(amounts, SCANNER_A)


def with_ink(image):
    image = image.copy()
    image[::13, ::13] = (20, 110, 30)  # 0.6 %: spread enough, but not a stain
    return image


def hardly_any_eosin():
    amounts = np.zeros((100, 100, 2))
    amounts[:10, :, 0] = np.random.default_rng(0).uniform(0.5, 1.8, (10, 100))
    amounts[0, :30] = amounts[0, :30, ::-1] + [0, 0.5]  # 0.3 % of the image
    return render(amounts, SCANNER_A)


DEGENERATE = {
    "white": np.full((64, 64, 3), 255, np.uint8),
    "black": np.zeros((64, 64, 3), np.uint8),
    "grey": np.full((64, 64, 3), 120, np.uint8),
    "one colour": np.full((64, 64, 3), (140, 80, 150), np.uint8),
    "two colours": np.repeat([[[90, 60, 120]] * 64, [[200, 120, 160]] * 64], 32, axis=0).astype(
        np.uint8
    ),
    "grey ramp": np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2).repeat(9, 1),
    "one stain": one_stain(),
    "one stain with ink": with_ink(one_stain()),
    "grey ramp with ink": with_ink(
        np.tile(np.arange(20, 200, dtype=np.uint8)[:, None, None], (1, 99, 3))
    ),
    "hardly any eosin": hardly_any_eosin(),
    "1x1": np.full((1, 1, 3), 100, np.uint8),
    "1x2": np.array([[[100, 80, 120], [150, 90, 140]]], np.uint8),
    "empty": np.zeros((0, 7, 3), np.uint8),
    "noise on white": noisy((245, 240, 245), 6),
    "noise on one colour": noisy((150, 90, 160), 3),
    "JPEG noise on one colour": noisy((150, 90, 160), 6, quality=70),
    "sensor noise on black": noisy((0, 0, 0), 2),
    "few tissue pixels": few_tissue_pixels(),
}
