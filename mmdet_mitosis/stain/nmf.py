"""Sparse non-negative factorisation of density into two stains and what there is of them.

Source: A. Vahadane et al., Structure-preserving color normalization and sparse stain separation for
histological images, IEEE TMI 35(8), 2016, equation 5; the step for the stains is the block
coordinate descent of J. Mairal et al., Online learning for matrix factorization and sparse coding,
JMLR 11, 2010, algorithm 2.
"""

from __future__ import annotations

import numpy as np


def factorize(
    density: np.ndarray,
    stains: np.ndarray,
    sparsity: float,
    max_iterations: int,
    tolerance_deg: float,
) -> np.ndarray | None:
    """Find the stains W that minimise ``|V - W H|² / 2 + sparsity * sum(H)``.

    W and H are not negative, and the columns of W have unit length. The best H for W, which is in
    closed form, and a better W for H are found in turn.

    Args:
        density: V, (3, N) float32, not negative.
        stains: W to start from, (3, 2), as it is to be: not negative, in columns of unit length.
        sparsity: Price of one unit of H.
        max_iterations: Most turns.
        tolerance_deg: A turn that changes no stain by more is the last, degrees.

    Returns:
        W, (3, 2) float64; None where one stain is nowhere wanted, or both are one.
    """
    for _ in range(max_iterations):
        if not stains[:, 0] @ stains[:, 1] < 1 - 1e-6:
            return None
        amounts = sparse_amounts(density, stains, sparsity)
        gram = (amounts @ amounts.T).astype(float)
        if not gram.diagonal().min() > 0:
            return None
        better = _better_stains(stains, gram, (density @ amounts.T).astype(float))
        if not better.any(axis=0).all():
            return None
        before, stains = stains, better / np.linalg.norm(better, axis=0)
        # The arc of a chord of unit vectors; arccos is not precise for so small an angle.
        if np.degrees(np.linalg.norm(stains - before, axis=0)).max() <= tolerance_deg:
            break
    return stains


def sparse_amounts(density: np.ndarray, stains: np.ndarray, sparsity: float) -> np.ndarray:
    """Find the H that minimises ``|V - W H|² / 2 + sparsity * sum(H)``, not negative.

    For two stains it is that without the bound, unless one is negative there: then this one is 0,
    and the other is as if it were alone.

    Args:
        density: V, (3, N) float32.
        stains: W, (3, 2), in columns of unit length.
        sparsity: Price of one unit of H.

    Returns:
        H, (2, N) float32.
    """
    alone = stains.T.astype(np.float32) @ density - np.float32(sparsity)
    overlap = stains[:, 0] @ stains[:, 1]
    apart = np.array([[1, -overlap], [-overlap, 1]]) / (1 - overlap**2)
    amounts = apart.astype(np.float32) @ alone
    no_first, no_second = amounts < 0
    np.copyto(amounts[1], alone[1], where=no_first)
    np.copyto(amounts[0], alone[0], where=no_second)
    return np.maximum(amounts, 0, out=amounts)


def _better_stains(stains: np.ndarray, gram: np.ndarray, cross: np.ndarray) -> np.ndarray:
    """Improve W, of length 1 at most, column by column: ``gram`` is H H', ``cross`` V H'."""
    stains = stains.copy()
    for k in range(2):
        step = (cross[:, k] - stains @ gram[:, k]) / gram[k, k]
        column = np.maximum(stains[:, k] + step, 0)
        stains[:, k] = column / max(1.0, np.linalg.norm(column))
    return stains
