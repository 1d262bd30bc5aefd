"""Intervals of estimated shares and means."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# How many standard errors a 95 % interval of many people reaches to either side.
NORMAL = 1.959964


def of_means(
    value: Floats, variance: Floats, degrees: float, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Return both ends of Student's interval, NaN where all are alike: it has no width then."""
    half = quantile(degrees, level) * np.sqrt(np.where(variance > 0, variance, np.nan))
    return value - half, value + half


def of_shares(
    share: Floats, variance: Floats, degrees: float, n: float, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Return both ends of Wilson's interval with the effective sample size.

    It holds near 0 and 1, where the share plus or minus a multiple of its error does not (Dean and
    Pagano 2015, who find it best among seven for complex samples).

    Parameters
    ----------
    variance : of the share, by the design.
    n : the effective number of people where the variance says nothing (all gave one answer).

    Without people both ends are NaN.
    """
    if n <= 0:
        return np.full_like(share, np.nan), np.full_like(share, np.nan)
    z = quantile(degrees, level)
    p = np.clip(share, 0.0, 1.0)
    spread = p * (1.0 - p)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.where((variance > 0) & (spread > 0), spread / variance, n)
    size = np.where(np.isnan(variance), np.nan, size)
    centre = (p + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z / (1 + z**2 / size) * np.sqrt(spread / size + z**2 / (4 * size**2))
    return np.clip(centre - half, 0.0, 1.0), np.clip(centre + half, 0.0, 1.0)


def quantile(degrees: float, level: float) -> float:
    """Return how many standard errors Student's interval reaches to either side."""
    # scipy.stats.t.ppf is the same at fifty times the cost, and there are thousands of intervals.
    from scipy.special import stdtrit

    return float(stdtrit(max(degrees, 1.0), 0.5 + level / 2.0))
