"""Which persona network and which neighbours each prediction setting uses in each survey."""

from lupom.science import neighbours


def model(lupom):
    return neighbours.setting_variants(
        lupom.ref("prediction_settings"),
        lupom.ref("persona_networks"),
        lupom.ref("retrieval_settings"),
    )
