"""Estimates from pixels that stay on their device, in single precision."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from mmdet_mitosis.stain.fits import StainFit
from mmdet_mitosis.stain.macenko import MacenkoNormalizer
from mmdet_mitosis.stain.sampling import ENOUGH_TISSUE, MIN_LIGHT, Sample, subsample
from mmdet_mitosis.stain.separator import fit_of, hematoxylin_first, maxima_percentile, plane_of
from mmdet_mitosis.stain.torch_color import densities, on, transform


def draw(planes: Tensor, brightest_tissue: int, max_pixels: int, seed: int) -> Sample:
    """Draw the pixels of an image that :func:`mmdet_mitosis.stain.sampling.draw` draws.

    Args:
        planes: (3, N) uint8; its pixels row by row.
        brightest_tissue: Grey level over which a pixel's brightest channel makes it background.
        max_pixels: Pixels to draw.
        seed: Seed.

    Returns:
        The pixels, as tensors on their device.
    """
    rng = np.random.default_rng(seed)
    count, drawn = planes.shape[1], planes
    if count > max_pixels:
        drawn = _pick(planes, _subsample(count, max_pixels, rng, planes))
    scale = count / max(1, drawn.shape[1])
    brightest = drawn.amax(dim=0)
    is_lit = brightest >= MIN_LIGHT
    lit = _pick(drawn, is_lit.nonzero()[:, 0])
    tissue = _pick(drawn, (is_lit & (brightest <= brightest_tissue)).nonzero()[:, 0])
    n_tissue = tissue.shape[1] * scale
    if scale > 1 and tissue.shape[1] < ENOUGH_TISSUE:
        brightest = planes.amax(dim=0)
        places = ((brightest >= MIN_LIGHT) & (brightest <= brightest_tissue)).nonzero()[:, 0]
        n_tissue = len(places)
        tissue = _pick(planes, places[_subsample(n_tissue, max_pixels, rng, planes)])
    return Sample(tissue.T, lit.T, round(n_tissue), round(lit.shape[1] * scale))


def estimate_macenko(normalizer: MacenkoNormalizer, sample: Sample) -> StainFit | None:
    """Estimate stains as the normaliser does, where the pixels are.

    Args:
        normalizer: Gives the arguments.
        sample: As of :func:`draw`.

    Returns:
        The fit; None as of ``MacenkoNormalizer.estimate``.
    """
    if not normalizer.is_enough(sample):
        return None
    tissue = densities(sample.tissue.T, normalizer.io)
    plane = plane_of(*_mean_and_covariance(tissue))
    if plane is None or not len(sample.lit):
        return None
    second, first = _project(plane, tissue)
    angles = torch.atan2(first, second)
    extremes = [percentile(angles, p) for p in (normalizer.alpha, 100 - normalizer.alpha)]
    stains = hematoxylin_first(plane @ np.array([np.cos(extremes), np.sin(extremes)]))
    if stains is None:
        return None
    amounts = _project(np.linalg.pinv(stains).T, densities(sample.lit.T, normalizer.io))
    level = maxima_percentile(sample)
    maxima = np.array([percentile(amount, level) for amount in amounts])
    return fit_of(stains, maxima, sample.n_tissue)


def percentile(values: Tensor, level: float) -> float:
    """Give a percentile by Hazen's definition, which is MATLAB's.

    Args:
        values: (N,) float32, at least one.
        level: Percent, 0 to 100.

    Returns:
        That of :func:`mmdet_mitosis.stain.sampling.percentile`.
    """
    last = len(values) - 1
    rank = min(max(len(values) * level / 100 - 0.5, 0), last)
    low, high = math.floor(rank), min(math.floor(rank) + 1, last)
    # topk and not kthvalue, which has no deterministic implementation on a GPU.
    if level < 50:
        ends = values.topk(high + 1, largest=False).values[[low, high]]
    else:
        ends = values.topk(last - low + 1).values[[last - low, last - high]]
    below, above = ends.tolist()
    return below + (rank - low) * (above - below)


def _subsample(count: int, most: int, rng: np.random.Generator, like: Tensor) -> Tensor:
    """Choose pixels as ``sampling.subsample`` does, on a tensor's device."""
    return torch.from_numpy(subsample(count, most, rng)).to(like.device)


def _pick(planes: Tensor, places: Tensor) -> Tensor:
    """Give some pixels of (3, N): plane by plane, which is fastest."""
    return torch.stack([plane.index_select(0, places) for plane in planes])


def _mean_and_covariance(values: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Give the mean, (3,), and covariance, (3, 3), of (3, N) values."""
    mean = values.mean(dim=1, keepdim=True)
    centred = values - mean
    products = torch.stack([(centred * centred[i]).sum(dim=1) for i in range(3)])
    host = torch.cat([mean, products / (values.shape[1] - 1)], dim=1).cpu().numpy().astype(float)
    return host[:, 0], host[:, 1:]


def _project(axes: np.ndarray, values: Tensor) -> Tensor:
    """Give the (K, N) coordinates along (3, K) axes of (3, N) values."""
    return transform(values[None], on(values.device, axes.T[None]))[0]
