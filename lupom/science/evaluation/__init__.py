"""How good predictions are: scores of each, and metrics with intervals over all."""
