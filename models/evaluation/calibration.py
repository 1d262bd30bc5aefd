"""How often answers of a stated probability are right."""

from lupom.science.evaluation import calibration


def model(lupom):
    lupom.config(tags=["holdout"])
    return calibration.calibration(
        lupom.ref("scores"),
        seed=lupom.var("seed", 1),
        resamples=lupom.var("bootstrap_resamples", 1000),
    )
