"""Bootstrap over respondents, by matrix products on the sums of each."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Respondents in a block: 1,001 draws of 4,096 are 33 MB.
BLOCK = 4096
# Draws of so many cells are kept and not drawn again (160 MB).
KEPT = 20_000_000


@dataclass(frozen=True)
class Bootstrap:
    """Draws of respondents with replacement, each with all that is theirs (Field & Welsh 2007).

    Attributes
    ----------
    people : how many respondents there are.
    resamples : how many draws.
    seed : of the draws; the same numbers give the same draws.
    """

    people: int
    resamples: int
    seed: tuple[int, ...]
    _kept: list[tuple[slice, Floats]] = field(default_factory=list, repr=False, compare=False)

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Yield respondents and how often each is drawn, (1 + resamples, block); row 0 is ones.

        How many of a draw fall into each block is multinomial, and within a block each respondent
        is as likely as another: together the draws are those of the whole at once, and the memory
        is that of a block.
        """
        if self.people * self.resamples > KEPT:
            yield from self._draw()
            return
        if not self._kept:
            self._kept.extend(self._draw())
        yield from self._kept

    def _draw(self) -> Iterator[tuple[slice, Floats]]:
        rng = np.random.default_rng(list(self.seed))
        starts = range(0, self.people, BLOCK)
        sizes = [min(BLOCK, self.people - start) for start in starts]
        if not sizes:
            return
        shares = np.array(sizes) / self.people
        drawn = rng.multinomial(self.people, shares, size=self.resamples)
        for i, (start, size) in enumerate(zip(starts, sizes, strict=True)):
            out = np.ones((self.resamples + 1, size))
            cells = rng.integers(size, size=int(drawn[:, i].sum()))
            cells += np.repeat(np.arange(self.resamples) * size, drawn[:, i])
            counts = np.bincount(cells, minlength=self.resamples * size)
            out[1:] = counts.reshape(self.resamples, size)
            yield slice(start, start + size), out

    def totals(self, sums: Floats) -> Floats:
        """Return sums over each draw, (1 + resamples, columns), of `sums` (people, columns).

        Row 0 is the sum over everyone as they are.
        """
        out = np.zeros((self.resamples + 1, sums.shape[1]))
        for part, draws in self.blocks():
            out += draws @ sums[part]
        return out


def seeded(people: int, resamples: int, seed: int, *words: str) -> Bootstrap:
    """Return the draws of a named set of pairs: the same words, the same draws."""
    return Bootstrap(people, resamples, (seed, *(zlib.crc32(word.encode()) for word in words)))


def check(resamples: int, level: float) -> None:
    """Raise ValueError for settings that make no interval."""
    if resamples < 1 or not 0 < level < 1:
        raise ValueError(f"resamples must be at least 1 and level in (0, 1): {resamples}, {level}")


def person_sums(values: Floats, person: Ints, people: int) -> Floats:
    """Return (people,) sums of values; NaN counts as nothing."""
    return np.asarray(
        np.bincount(person, weights=np.nan_to_num(values), minlength=people), dtype=np.float64
    )


def interval(draws: Floats, level: float) -> tuple[float | None, float | None]:
    """Return the percentile interval of a statistic's draws, of those where it is defined."""
    found = draws[np.isfinite(draws)]
    if not found.size:
        return None, None
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(found, [tail, 1.0 - tail])
    return float(low), float(high)


def ratio(above: Floats, below: Floats) -> Floats:
    """Return above / below, NaN where below is nothing."""
    out: Floats = np.full(np.shape(above), np.nan)
    return np.divide(above, below, out=out, where=below > 0)
