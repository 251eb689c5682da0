"""Planes: features of many columns laid flat, so that they can be drawn.

In: features (N, F). Out: a `Plane`: two numbers a row. It does not know labels, texts or charts.

The principal plane is always there: the two directions along which standardised features vary most, and what share of
their variance that is. UMAP keeps neighbours together instead, where `umap-learn` is installed; its axes and distances
mean nothing by themselves. `sample_rows` says which rows are worth laying out: above `MOST_ROWS` a sample.

Source: Pearson (1901); Jolliffe, Principal Component Analysis (2002), for standardised columns; McInnes, Healy &
Melville, UMAP (2018).
"""

import importlib.util
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.linalg import svd
from scipy.sparse.linalg import svds

from limbeck.errors import DataError, MissingExtraError

PLANE_ROWS = 3000
"""Rows of a plane; more would hide each other, and make a page slow."""
FEWEST_POINTS = 3
_SMALL = 64
"""Up to this many rows or columns the whole decomposition is the quicker one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Plane:
    """Rows laid out on two axes.

    Attributes:
        kind: how.
        points_N2: one place a row.
        shares: of the variance along each axis; none for UMAP.
    """

    kind: Literal["PCA", "UMAP"]
    points_N2: np.ndarray
    shares: tuple[float, ...]


def sample_rows(rows: int, *, most: int = PLANE_ROWS, seed: int = 0) -> np.ndarray:
    """Return which rows are laid out: all, or `most` of them by chance, ascending."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).permutation(rows)[:most])


def principal_plane(features_NF: np.ndarray, *, seed: int = 0) -> Plane:
    """Return the plane along which standardised features vary most; the same features, the same plane.

    Of the two signs that an axis may have, the one with the larger sum of cubes is taken.

    Raises:
        DataError: fewer than three rows, features that are not finite, or that do not vary.
    """
    scaled_NF = _standardised(features_NF)
    if min(scaled_NF.shape) <= _SMALL:
        left, sizes, _ = svd(scaled_NF, full_matrices=False)
        left, sizes = left[:, :2], sizes[:2]
    else:
        start = np.random.default_rng(seed).standard_normal(min(scaled_NF.shape)).astype(scaled_NF.dtype)
        left, sizes, _ = svds(scaled_NF, k=2, v0=start)
        order = np.argsort(-sizes)
        left, sizes = left[:, order], sizes[order]
    points = left * sizes
    if points.shape[1] < 2:  # a single column varies in one direction only
        points, sizes = np.column_stack([points, np.zeros(len(points))]), np.append(sizes, 0.0)
    points = points * np.where((points**3).sum(axis=0) < 0, -1.0, 1.0)
    shares = sizes.astype(np.float64) ** 2 / float((scaled_NF.astype(np.float64) ** 2).sum())
    return Plane(kind="PCA", points_N2=points.astype(np.float64), shares=tuple(map(float, shares)))


def has_umap() -> bool:
    """Tell whether `umap-learn` is installed."""
    return importlib.util.find_spec("umap") is not None


def neighbour_plane(features_NF: np.ndarray, *, seed: int = 0) -> Plane:
    """Return UMAP's plane of standardised features, cosine distance, as the textbook has it.

    Raises:
        DataError: as `principal_plane`.
        MissingExtraError: `umap-learn` is not installed.
    """
    if not has_umap():
        raise MissingExtraError("a map by UMAP needs umap-learn, which is not installed: pip install umap-learn")
    scaled_NF = _standardised(features_NF)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells of threads and of its dependencies' plans, not of these rows
        from umap import UMAP

        neighbours = min(15, len(scaled_NF) - 1)
        points = UMAP(metric="cosine", random_state=seed, n_jobs=1, n_neighbors=neighbours, init="pca").fit_transform(
            scaled_NF
        )
    return Plane(kind="UMAP", points_N2=np.asarray(points, np.float64), shares=())


def _standardised(features_NF: np.ndarray) -> np.ndarray:
    if features_NF.ndim != 2 or len(features_NF) < FEWEST_POINTS:
        raise DataError(f"features of shape {features_NF.shape} make no map: at least {FEWEST_POINTS} rows are needed")
    taken_NF = features_NF.astype(np.float32)
    if not np.isfinite(taken_NF).all():
        raise DataError("features that are not finite numbers make no map: encode the texts again")
    spread_F = taken_NF.std(axis=0)
    varies_F = spread_F > 1e-6 * max(1.0, float(np.abs(taken_NF).max()))
    if not varies_F.any():
        raise DataError("every row has the same features: there is no map of them")
    scaled_NF: np.ndarray = (taken_NF[:, varies_F] - taken_NF[:, varies_F].mean(axis=0)) / spread_F[varies_F]
    return scaled_NF
