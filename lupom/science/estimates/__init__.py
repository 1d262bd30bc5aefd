"""Estimates of a population: from people's answers, and predictions for those who gave none."""
