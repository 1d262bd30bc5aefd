"""Bayesian networks over persona dimensions: scores, structure, parameters, refinement."""

from lupom.science.bayes.network import PersonaNetwork, Refinement
from lupom.science.bayes.personas import (
    Personas,
    decode_refinement,
    encode_personas,
    network_edges,
    network_parameters,
    refine_personas,
)
from lupom.science.bayes.scores import Score
from lupom.science.bayes.search import Structure, search

__all__ = [
    "PersonaNetwork",
    "Personas",
    "Refinement",
    "Score",
    "Structure",
    "decode_refinement",
    "encode_personas",
    "network_edges",
    "network_parameters",
    "refine_personas",
    "search",
]
