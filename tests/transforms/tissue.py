"""Painted tissue, and windows of it as pipelines have them."""

import cv2
import numpy as np

STAINS = np.array([[0.55, 0.22], [0.76, 0.84], [0.34, 0.50]])
TARGET = np.array([[0.65, 0.10], [0.70, 0.95], [0.29, 0.30]])


def render(amounts, stains=STAINS):
    """RGB by Beer-Lambert of hematoxylin and eosin, (H, W, 2)."""
    density = amounts @ (stains / np.linalg.norm(stains, axis=0)).T
    return np.round(240 * np.exp(-density) - 1).clip(0, 255).astype(np.uint8)


def tissue(seed=0, size=128, stains=STAINS):
    """Nuclei, stroma and gaps."""
    rng = np.random.default_rng(seed)
    amounts = rng.uniform(0.4, 1.8, (size, size, 2))
    kind = rng.integers(0, 4, (size, size))
    amounts[kind == 0, 1] = 0
    amounts[kind == 1, 0] = 0
    amounts[kind == 2] *= 0.2
    return render(amounts, stains)


def fat(seed=0, size=128):
    """Nothing, with a few pale strands of stroma."""
    rng = np.random.default_rng(seed)
    amounts = np.zeros((size, size, 2))
    strands = rng.choice(size, 12, replace=False)
    amounts[strands, :, 0] = rng.uniform(0, 0.3, (12, size))
    amounts[strands, :, 1] = rng.uniform(0.4, 0.9, (12, size))
    return render(amounts)


def blank(size=80):
    """Glass with too few tissue pixels for an estimate."""
    rgb = np.full((size, size, 3), 242, np.uint8)
    rgb[30:40, 30:40] = tissue(size=10)
    return rgb


def save(path, rgb):
    """Write an image and its folder; give its path as text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), rgb[..., ::-1])
    return str(path)


def window(field, rows=slice(None), columns=slice(None), **keys):
    """A record with a window of a field, BGR."""
    return {"img": np.ascontiguousarray(field[rows, columns, ::-1]), **keys}
