"""Bayesian networks over persona dimensions: scores, structure, parameters, refinement."""

from lupom.science.bayes.blocks import refine
from lupom.science.bayes.exchange import (
    from_bif,
    from_pgmpy,
    from_xmlbif,
    to_bif,
    to_pgmpy,
    to_xmlbif,
)
from lupom.science.bayes.network import PersonaNetwork
from lupom.science.bayes.networks import (
    network_edges,
    network_of,
    network_parameters,
    refine_personas,
    refine_personas_in_parts,
)
from lupom.science.bayes.personas import Personas, decode_refinement, encode_personas
from lupom.science.bayes.refinement import Refinement
from lupom.science.bayes.scores import Score
from lupom.science.bayes.search import Structure, search
from lupom.science.bayes.variants import Variant, persona_networks, variants_of

__all__ = [
    "PersonaNetwork",
    "Personas",
    "Refinement",
    "Score",
    "Structure",
    "Variant",
    "decode_refinement",
    "encode_personas",
    "from_bif",
    "from_pgmpy",
    "from_xmlbif",
    "network_edges",
    "network_of",
    "network_parameters",
    "persona_networks",
    "refine",
    "refine_personas",
    "refine_personas_in_parts",
    "search",
    "to_bif",
    "to_pgmpy",
    "to_xmlbif",
    "variants_of",
]
