"""Estimates from several imputed sets as one: Rubin's rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lupom.science.predictors.task import Floats


@dataclass(frozen=True)
class Pooled:
    """An estimate over imputed sets; every attribute has the shape of one set's estimate.

    Attributes
    ----------
    value, std_error, degrees : degrees of freedom are Barnard and Rubin's (1999).
    low, high : the interval by Student's t.
    missing : the fraction of information about it that is missing.
    """

    value: Floats
    std_error: Floats
    degrees: Floats
    low: Floats
    high: Floats
    missing: Floats


def pool(
    values: npt.ArrayLike, variances: npt.ArrayLike, degrees: npt.ArrayLike, level: float = 0.95
) -> Pooled:
    """Return what the estimates of m imputed sets are together.

    Total variance is the mean variance within sets and 1 + 1/m times that between them (Rubin
    1987, 3.1). Degrees of freedom are Barnard and Rubin's, which are never above those of a
    complete set, and the fraction of missing information is with their correction for few sets.

    Parameters
    ----------
    values, variances : (m, ...), each set's estimate and the square of its standard error; arrays,
        lists or columns of a frame.
    degrees : of freedom of a complete set, above 0, one or as many as a set has estimates; infinite
        for a large sample. level : of the interval, between 0 and 1.

    Raises
    ------
    ValueError : for fewer than two sets, shapes that differ, what is no number, a variance below 0.
    """
    from scipy.special import stdtrit

    values, variances, degrees = (
        _numbers(given, name)
        for given, name in ((values, "values"), (variances, "variances"), (degrees, "degrees"))
    )
    if values.shape != variances.shape:
        raise ValueError(f"values have the shape {values.shape}, and variances {variances.shape}")
    m = len(values) if values.ndim else 1
    if m < 2:
        raise ValueError(f"{m} imputed set: what lies between sets needs at least two")
    if not (np.isfinite(values).all() and np.isfinite(variances).all()):
        raise ValueError("an estimate or a variance is not finite: leave it out of all sets")
    if (variances < 0).any():
        raise ValueError("a variance is below 0; it is the square of a standard error")
    if not (degrees > 0).all():
        raise ValueError("degrees of freedom are above 0, infinite for a large sample")
    if not 0 < level < 1:
        raise ValueError(f"the level is between 0 and 1, and not {level}")
    # Beyond this Student's t is the normal distribution.
    degrees = np.minimum(degrees, 1e12)
    value, within = values.mean(axis=0), variances.mean(axis=0)
    between = values.var(axis=0, ddof=1)
    total = within + (1 + 1 / m) * between
    # Without any variance there is nothing to be unsure of.
    share = np.divide((1 + 1 / m) * between, total, out=np.zeros_like(total), where=total > 0)
    with np.errstate(divide="ignore"):
        old = (m - 1) / np.square(share)
    observed = (degrees + 1) / (degrees + 3) * degrees * (1 - share)
    with np.errstate(divide="ignore"):
        found = 1 / (1 / old + 1 / np.maximum(observed, 1e-9))
    ratio = np.divide(share, 1 - share, out=np.full_like(share, np.inf), where=share < 1)
    with np.errstate(invalid="ignore"):
        missing = (ratio + 2 / (found + 3)) / (ratio + 1)
    missing = np.where(share > 0, np.where(np.isfinite(ratio), missing, 1.0), 0.0)
    error = np.sqrt(total)
    reach = stdtrit(found, (1 + level) / 2) * error
    return Pooled(value, error, found, value - reach, value + reach, missing)


def _numbers(given: npt.ArrayLike, name: str) -> Floats:
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} are numbers of one shape in each set: {error}") from error
