"""Predictors of held-out answers that need no LLM."""
