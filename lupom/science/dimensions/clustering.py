"""Clusters of vectors by four methods, with the number of clusters given or found.

Vectors are scaled to length 1 first, so that Euclidean distance goes by angle, as is meant for
embeddings of text. Cluster numbers start at 0 in the order in which clusters first occur; every
result is a function of the vectors, their order and the seed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

METHODS = ("kmeans", "gaussian_mixture", "dbscan", "mean_shift")

# Principal components that mixtures and mean shift work in: a mixture's variances need fewer
# dimensions than there are points, and densities in hundreds of dimensions say nothing.
COMPONENTS = 8
Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def cluster(
    vectors: ArrayLike,
    method: str = "kmeans",
    *,
    k: int | None = None,
    k_max: int | None = None,
    radius: float | None = None,
    seed: int = 0,
) -> Labels:
    """Assign each vector to a cluster.

    Parameters
    ----------
    vectors : (n, d); equal vectors always share a cluster.
    method : one of METHODS.
    k : number of clusters for kmeans and gaussian_mixture; None chooses the number with the
        highest mean silhouette (Rousseeuw 1987), at most k_max.
    k_max : the most clusters the choice considers; None for n - 1.
    radius : dbscan's eps or mean_shift's bandwidth, between unit vectors (0 to 2); None takes the
        median of the distances to the nearest other vector, so that half of them have a neighbour.
    seed : starts kmeans and gaussian_mixture.

    Returns
    -------
    (n,) cluster numbers. A vector that dbscan finds in no cluster is a cluster of its own: it is a
    candidate nobody else named, not noise.

    Raises
    ------
    ValueError : for an unknown method, k or k_max below 1, vectors that are not a finite matrix.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; known: {', '.join(METHODS)}")
    for name, number in (("k", k), ("k_max", k_max)):
        if number is not None and number < 1:
            raise ValueError(f"{name} is {number}; it must be at least 1")
    points = _unit(vectors)
    # Clusters are made of distinct vectors: copies would weigh, and k may exceed what is distinct.
    distinct, inverse = np.unique(points.round(9), axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    labels = np.arange(len(distinct))
    if len(distinct) > 1:
        if method == "dbscan":
            labels = _dbscan(distinct, _typical(distinct) if radius is None else radius)
        elif method == "mean_shift":
            labels = _mean_shift(distinct, radius)
        else:
            labels = _of_size(distinct, method, k, k_max, seed)
    return _in_order(labels[inverse])


def _unit(vectors: ArrayLike) -> Floats:
    points = np.asarray(vectors, dtype=np.float64)
    if points.ndim != 2:
        raise ValueError(f"vectors must be a matrix; the shape is {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError("vectors hold NaN or infinity")
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return points / np.where(lengths > 0, lengths, 1.0)


def _of_size(points: Floats, method: str, k: int | None, k_max: int | None, seed: int) -> Labels:
    """Cluster into k, or into the number whose clusters stand furthest apart."""
    from sklearn.metrics import silhouette_score

    fit = _kmeans if method == "kmeans" else _mixture
    n = len(points)
    if k is not None:
        return fit(points, k, seed) if k < n else np.arange(n)
    most = min(n - 1, k_max if k_max is not None else n - 1)
    best: tuple[float, Labels] | None = None
    for size in range(2, most + 1):
        labels = fit(points, size, seed)
        if len(np.unique(labels)) < 2:
            continue
        score = float(silhouette_score(points, labels))
        # Rounded, so that the last bits of a sum do not decide; of equals the fewest clusters.
        if best is None or round(score, 6) > round(best[0], 6):
            best = (score, labels)
    if best is not None:
        return best[1]
    # Two points, or a k_max of 1: there is nothing to choose from.
    return np.zeros(n, dtype=np.int64) if k_max == 1 else np.arange(n)


def _kmeans(points: Floats, k: int, seed: int) -> Labels:
    from sklearn.cluster import KMeans

    fitted = KMeans(n_clusters=k, n_init=10, random_state=seed).fit(points)
    return np.asarray(fitted.labels_, dtype=np.int64)


def _mixture(points: Floats, k: int, seed: int) -> Labels:
    from sklearn.mixture import GaussianMixture

    mixture = GaussianMixture(
        n_components=k, covariance_type="diag", reg_covar=1e-3, n_init=5, random_state=seed
    )
    return np.asarray(mixture.fit_predict(_reduced(points)), dtype=np.int64)


def _dbscan(points: Floats, radius: float) -> Labels:
    from sklearn.cluster import DBSCAN

    labels = np.asarray(DBSCAN(eps=radius, min_samples=2).fit(points).labels_, dtype=np.int64)
    alone = np.flatnonzero(labels < 0)
    labels[alone] = labels.max() + 1 + np.arange(len(alone))
    return labels


def _mean_shift(points: Floats, radius: float | None) -> Labels:
    from sklearn.cluster import MeanShift

    points = _reduced(points)
    width = _typical(points) if radius is None else radius
    return np.asarray(MeanShift(bandwidth=width).fit(points).labels_, dtype=np.int64)


def _reduced(points: Floats) -> Floats:
    from sklearn.decomposition import PCA

    width = min(COMPONENTS, len(points) - 1, points.shape[1])
    return np.asarray(PCA(n_components=width, svd_solver="full").fit_transform(points))


def _typical(points: Floats) -> float:
    """Return the median distance to the nearest other point; points are distinct, so above 0."""
    from sklearn.metrics import pairwise_distances

    distances = pairwise_distances(points)
    np.fill_diagonal(distances, np.inf)
    return float(np.median(distances.min(axis=1)))


def _in_order(labels: Labels) -> Labels:
    """Number clusters by where they first occur."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first, kind="stable"), kind="stable")[inverse.reshape(-1)]
