"""What the predictors that need no LLM are, for who reads the other tables."""

from lupom.science.predictors import baselines


def model(lupom):
    return baselines.described(lupom.entry_points("lupom.predictors", "predictors"))
