"""Similar respondents: how they are found, what they answered, and which way predicts best."""

from lupom.science.neighbours.embeddings import nearest_texts
from lupom.science.neighbours.nearest import nearest
from lupom.science.neighbours.people import Inputs, People
from lupom.science.neighbours.respondents import (
    neighbour_answers,
    neighbour_answers_in_parts,
    similar_respondents,
    similar_respondents_in_parts,
)
from lupom.science.neighbours.retrieval import retrieval_settings, setting_variants
from lupom.science.neighbours.search import search_settings, tuned_on_test, tuned_settings
from lupom.science.neighbours.settings import Setting, settings_of
from lupom.science.neighbours.vectors import PersonaVectors, informative
from lupom.science.neighbours.votes import Vote, vote

__all__ = [
    "Inputs",
    "People",
    "PersonaVectors",
    "Setting",
    "Vote",
    "informative",
    "nearest",
    "nearest_texts",
    "neighbour_answers",
    "neighbour_answers_in_parts",
    "retrieval_settings",
    "search_settings",
    "setting_variants",
    "settings_of",
    "similar_respondents",
    "similar_respondents_in_parts",
    "tuned_on_test",
    "tuned_settings",
    "vote",
]
