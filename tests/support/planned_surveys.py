"""Made-up surveys of which it is known what tells what."""

from __future__ import annotations

import numpy as np
import pandas as pd


def tables(answers: dict[str, np.ndarray], sex: np.ndarray | None = None):
    """Return responses, respondents and questions of answers by question, -1 for none."""
    n = len(next(iter(answers.values())))
    ids = [f"p{i:05}" for i in range(n)]
    responses = pd.concat(
        pd.DataFrame(
            {
                "survey": "s",
                "respondent_id": ids,
                "question_id": name,
                "answer": [f"o{code}" if code >= 0 else None for code in codes],
            }
        )
        for name, codes in answers.items()
    )
    attributes = [
        [("SEX", "fm"[s])] if sex is not None else [] for s in (sex if sex is not None else ids)
    ]
    respondents = pd.DataFrame({"survey": "s", "respondent_id": ids, "attributes": attributes})
    questions = pd.DataFrame(
        {
            "survey": "s",
            "question_id": list(answers),
            "options": [[f"o{i}" for i in range(codes.max() + 1)] for codes in answers.values()],
        }
    )
    return responses, respondents, questions


def noisy(rng: np.random.Generator, trait: np.ndarray, noise: float) -> np.ndarray:
    """Return a trait of 0 and 1 as it is answered: another answer with a probability of `noise`."""
    return np.where(rng.random(len(trait)) < noise, 1 - trait, trait)


def three_themes(n: int = 900, seed: int = 0) -> dict[str, np.ndarray]:
    """Three themes of a clear question (a0, b0, c0) and two or three muddled ones each."""
    rng = np.random.default_rng(seed)
    out = {}
    for theme, items in (("a", 4), ("b", 3), ("c", 3)):
        trait = (rng.random(n) < 0.35).astype(int)
        for item in range(items):
            out[f"{theme}{item}"] = noisy(rng, trait, 0.02 if item == 0 else 0.25)
    # Uncertain, and of no use to anything else.
    out["coin"] = rng.integers(0, 2, n)
    return out


def two_ways(n: int = 1500, seed: int = 0) -> dict[str, np.ndarray]:
    """Everybody has one of two themes: all of the other's questions get the answer 2."""
    rng = np.random.default_rng(seed)
    way = rng.integers(0, 2, n)
    out = {}
    for theme, mine in (("b", way == 0), ("c", way == 1)):
        trait = rng.integers(0, 2, n)
        for item in range(4):
            said = noisy(rng, trait, 0.02 if item == 0 else 0.15)
            out[f"{theme}{item}"] = np.where(mine, said, 2)
    return out


def either(n: int = 2000, seed: int = 0, split: bool = False) -> dict[str, np.ndarray]:
    """A survey in which those who smoke or vape are asked two questions, and a third on one.

    Split: `often` and `help` are asked of half of the people who can be.
    """
    rng = np.random.default_rng(seed)
    theme = rng.integers(0, 2, n)
    # Who smokes has the theme more often: a filter's answers are not by lot.
    smokes = (rng.random(n) < np.where(theme == 1, 0.35, 0.1)).astype(int)
    vapes = (rng.random(n) < np.where(theme == 1, 0.15, 0.08)).astype(int)
    can = (smokes == 1) | (vapes == 1)
    stop = np.where(can, noisy(rng, theme, 0.3), -1)
    half = rng.random((2, n)) < (0.5 if split else 1)
    return {
        **{f"plain{i}": noisy(rng, theme, 0.2) for i in range(4)},
        "smokes": smokes,
        "vapes": vapes,
        "often": np.where(can & half[0], noisy(rng, theme, 0.2), -1),
        "stop": stop,
        "help": np.where((stop == 1) & half[1], rng.integers(0, 3, n), -1),
    }


def filtered(n: int = 1600, seed: int = 0) -> dict[str, np.ndarray]:
    """A survey with a filter (work), one behind it (boss, why), a lot, and plain questions.

    `why` is asked of the few who work and have trouble with a boss, and tells their theme wholly.
    """
    rng = np.random.default_rng(seed)
    theme = rng.integers(0, 2, n)
    work = (rng.random(n) < 0.6).astype(int)
    boss = np.where(work == 1, (rng.random(n) < 0.12).astype(int), -1)
    out = {f"plain{i}": noisy(rng, theme, 0.2) for i in range(5)}
    out |= {"work": work, "boss": boss, "why": np.where(boss == 1, theme, -1)}
    out["lot"] = np.where(rng.random(n) < 0.5, noisy(rng, theme, 0.1), -1)
    return out
