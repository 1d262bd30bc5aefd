"""Persona vectors, nearest respondents, and what they answered."""

from lupom.science.neighbours.nearest import nearest
from lupom.science.neighbours.respondents import neighbour_answers, similar_respondents
from lupom.science.neighbours.vectors import PersonaVectors, informative
from lupom.science.neighbours.votes import Vote, vote

__all__ = [
    "PersonaVectors",
    "Vote",
    "informative",
    "nearest",
    "neighbour_answers",
    "similar_respondents",
    "vote",
]
