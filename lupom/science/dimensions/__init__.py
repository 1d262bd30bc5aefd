"""Persona dimensions: clusters of candidates that mean the same, pairs that may."""

from lupom.science.dimensions.candidates import cluster_candidates, nearest_pairs
from lupom.science.dimensions.clustering import METHODS, cluster

__all__ = ["METHODS", "cluster", "cluster_candidates", "nearest_pairs"]
