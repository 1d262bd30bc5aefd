"""Predictions of held-out pairs that were made elsewhere: the tables the var names."""

from lupom.science.predictors import elsewhere


def model(lupom):
    tables = lupom.refs("{}", "predictions_elsewhere", default=[])
    return elsewhere.predictions(tables, lupom.ref("known_responses"), lupom.ref("questions"))
