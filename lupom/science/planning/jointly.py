"""Filters of several questions: who is asked a question where any of several answers will do."""

from __future__ import annotations

import numpy as np

from lupom.science.planning.chances import CHANCE, FEWEST, so_few, sums
from lupom.science.planning.options import Singles
from lupom.science.predictors.task import Bools, Floats, Ints

# Where so few of an option's people were asked a question the option rules it out: surveys have
# cells that were keyed wrongly.
STRAY = 0.01
# What one answer or attribute may explain of who was asked, in shares of its variance, where a lot
# decided it. On the General Social Survey it is .03 at most, whose blanks are of a lot and of
# people who did not know; filters that another question stands for explain .1 and more.
EXPLAINED = 0.05
# Questions that a filter is made of at most.
MOST = 4


def ruled(values: Singles, bars: Bools, closes: Bools, owner: Ints) -> Bools:
    """Return which questions what is known of people rules out, (n, Q).

    Parameters
    ----------
    values : (n, D), answers and attributes as 0 and 1. owner : (D), the question of each column.
    bars : (D, Q), which columns rule out which questions.
    closes : (D, Q), which do where, of each question that closes it, an answer is so.
    """
    out = values @ bars.astype(np.float32) > 0
    needed = gate_count(closes, owner)
    some = np.flatnonzero(needed)
    # A person has one answer to each of these questions.
    out[:, some] |= values @ closes[:, some].astype(np.float32) > needed[some] - 0.5
    return np.asarray(out)


def gate_count(closes: Bools, owner: Ints) -> Ints:
    """Return how many questions and attributes make each question's filter together, (Q)."""
    return np.asarray((sums(closes.astype(np.int64), owner) > 0).sum(axis=0), dtype=np.int64)


def passed(values: Singles, answered: Bools, closes: Bools, owner: Ints) -> Bools:
    """Return which columns cannot be so, since with what is known they would rule out a question
    that was answered, (n, D).

    Who was asked how often if they smoke or vape, and does not smoke, vapes. Parameters are as of
    `ruled`; answered : (n, Q).
    """
    out = np.zeros((len(values), len(owner)), dtype=bool)
    needed = gate_count(closes, owner)
    for question in np.flatnonzero(needed):
        here = np.flatnonzero(answered[:, question])
        own = closes[:, question]
        known = values[here] @ own.astype(np.float32)
        here = here[np.abs(known - (needed[question] - 1)) < 0.5]
        for gate in np.unique(owner[own]):
            part = np.flatnonzero(own & (owner == gate))
            still = here[~values[np.ix_(here, part)].any(axis=1)]
            out[np.ix_(still, part)] = True
    return out


def undecided(values: Singles, closes: Bools, owner: Ints, question: int) -> Bools:
    """Return of whom it is not known whether a filter of several questions lets them pass, (n).

    Who gave no answer to one of them that would let them pass, and to another one none at all.
    """
    out: Bools = np.zeros(len(values), dtype=bool)
    passed = out.copy()
    for one in np.unique(owner[closes[:, question]]):
        own = owner == one
        told = values[:, own].any(axis=1)
        out |= ~told
        passed |= told & ~values[:, own & closes[:, question]].any(axis=1)
    return np.asarray(out & ~passed)


def closing(values: Singles, owner: Ints, asked: Bools, left: Bools, question: int) -> Bools | None:
    """Return the answers that rule out a question together, (D), None where none are found.

    'If you smoke or vape': the answer that explains most of who was asked comes first, and among
    those who gave another one the next; in the end next to nobody who is left was asked. By lot
    that would be so in one of 1,000 surveys, and of the others nothing explains who was asked.

    Parameters
    ----------
    asked : (n), who was asked it. left : (n), whom no single answer rules out.
    """
    path: list[Ints] = []
    rest, known = left.copy(), left.copy()
    for _ in range(MOST):
        each = explained(values, owner, rest[:, None], asked[:, None], np.array([question]))[:, 0]
        each[[owner[shut[0]] for shut in path]] = 0.0
        if each.max(initial=0.0) <= 0:
            return None
        own = np.flatnonzero(owner == each.argmax())
        counts, were = values[rest][:, own].sum(axis=0), values[rest & asked][:, own].sum(axis=0)
        rate = were / np.maximum(counts, 1.0)
        path.append(own[rate < rate.max() / 2])
        if not len(path[-1]):
            return None
        known &= values[:, own].any(axis=1)
        rest &= values[:, path[-1]].any(axis=1)
        if (asked & rest).sum() <= STRAY * rest.sum():
            break
    else:
        return None
    if len(path) < 2 or rest.sum() < FEWEST:
        return None
    counts = [(asked & rest).sum(), rest.sum(), (asked & known).sum(), known.sum()]
    tried = len(owner) * 2.0 ** sum(int((owner == owner[shut[0]]).sum()) for shut in path)
    if so_few(*(np.array([float(x)]) for x in counts))[0] * tried > CHANCE:
        return None
    out = np.zeros(len(owner), dtype=bool)
    out[np.concatenate(path)] = True
    free = left & ~rest & ~undecided(values, out[:, None], owner, 0)
    others = explained(values, owner, free[:, None], asked[:, None], np.array([question]))
    return out if others.max(initial=0.0) <= EXPLAINED else None


def explained(values: Singles, owner: Ints, left: Bools, asked: Bools, gaps: Ints) -> Floats:
    """Return what each answer or attribute explains of who was asked, (V, gaps).

    A share of variance, of the people left who have a value, less what chance explains of so many
    values; 0 where chance explains as much in one of 1,000 surveys, or where fewer than 20 of these
    people were asked, or were not.

    Parameters
    ----------
    left, asked : (n, gaps), the people who count, and who was asked. gaps : the questions.
    """
    # As scipy.stats has it, which takes a second to import.
    from scipy.special import chdtri

    counts = values.T @ left.astype(np.float32)
    were = values.T @ (asked & left).astype(np.float32)
    people, of_them = sums(counts, owner), sums(were, owner)
    each = np.divide(were**2, counts, out=np.zeros_like(were), where=counts > 0)
    options = sums((counts > 0).astype(np.float32), owner) - 1.0
    # Of few blanks, or few who were asked, a rare value explains much by chance.
    some = np.minimum(of_them, people - of_them) >= FEWEST
    some[gaps, np.arange(len(gaps))] = False
    people = np.where(some, people, 1.0)
    p = np.where(some, of_them / people, 0.5)
    found = (sums(each, owner) - p * of_them) / (people * p * (1 - p))
    # The largest of many: so much chance explains in one of 1,000 surveys.
    most = chdtri(np.maximum(options, 1.0), CHANCE / max(len(options), 1))
    chance = np.maximum(options, 0.0) / people
    return np.asarray(
        np.where(some & (found * people > most), np.maximum(found - chance, 0.0), 0.0)
    )


def without_implied(
    values: Singles, owner: Ints, asked: Bools, bars: Bools, closes: Bools
) -> Bools:
    """Return bars without those of answers that a filter only seems to hang on, (D, Q).

    Hardly anybody of 75 works, and hardly any of them was asked what hangs on work: those who work
    were. Filters are looked at in the order of how many people they rule out, those of several
    questions first; an answer of whose people, without those whom others rule out, more than a few
    were asked rules nothing out, and beside a filter of several questions neither does one of whose
    people no fewer were than by lot.
    """
    out = bars.copy()
    gates = gate_count(closes, owner)
    for question in np.flatnonzero(bars.any(axis=0)):
        owners = np.unique(owner[bars[:, question]])
        if len(owners) + (gates[question] > 0) < 2:
            continue
        own = {one: np.flatnonzero(bars[:, question] & (owner == one)) for one in owners}
        many = {one: int(values[:, columns].sum()) for one, columns in own.items()}
        gone = values @ closes[:, question].astype(np.float32) > gates[question] - 0.5
        gone &= gates[question] > 0
        for one in sorted(owners, key=lambda one: (-many[one], one)):
            for column in own[one]:
                rest = (values[:, column] > 0) & ~gone
                if not gone.any() or (not gates[question] and not rest.any()):
                    continue
                told = values[:, owner == one].any(axis=1) & ~gone
                some = [told & asked[:, question] & rest, rest, told & asked[:, question], told]
                were, count, *others = (np.array([float(x.sum())]) for x in some)
                by_lot = gates[question] and so_few(were, count, *others)[0] > CHANCE
                if were[0] > STRAY * count[0] or by_lot:
                    out[column, question] = False
            kept = own[one][out[own[one], question]]
            gone |= values[:, kept].any(axis=1)
    return out
