"""p-values: of a t statistic, of discordant counts, and corrected for many comparisons.

scipy.stats has all of them and takes .4 CPU seconds to import, a thirtieth of a whole run; the
functions that it calls are in scipy.special.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def student(t: float, degrees: float) -> float:
    """Return the two-sided p-value of a t statistic with so many degrees of freedom."""
    from scipy.special import stdtr

    return float(2.0 * stdtr(degrees, -abs(t)))


def mcnemar(only_one: int, only_other: int) -> float:
    """Return the two-sided mid-p value of McNemar's exact test from the discordant counts."""
    from scipy.special import bdtr

    n, fewer = only_one + only_other, min(only_one, only_other)
    # With equal counts the two tails share the middle, which is counted once.
    if only_one == only_other:
        return 1.0
    # Twice the tail less the probability of its last count.
    below = bdtr(fewer - 1, n, 0.5) if fewer else 0.0
    return float(min(1.0, bdtr(fewer, n, 0.5) + below))


def holm(p: Floats) -> Floats:
    """Return p-values corrected by the step-down method of Holm (1979), (n,)."""
    order = np.argsort(p, kind="stable")
    steps = p[order] * (len(p) - np.arange(len(p)))
    out = np.empty_like(p)
    out[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if len(p) else steps
    return out


def benjamini_hochberg(p: Floats) -> Floats:
    """Return p-values corrected for the rate of false discoveries, (n,).

    The step-up method of Benjamini and Hochberg (1995).
    """
    order = np.argsort(p, kind="stable")[::-1]
    steps = p[order] * len(p) / (len(p) - np.arange(len(p)))
    out = np.empty_like(p)
    out[order] = np.minimum(1.0, np.minimum.accumulate(steps)) if len(p) else steps
    return out
