"""Who can be asked which question: filters, and gaps that a lot made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from lupom.science.planning import jointly
from lupom.science.planning.chances import CHANCE, FEWEST, so_few, sums
from lupom.science.planning.jointly import EXPLAINED, STRAY
from lupom.science.planning.options import Singles
from lupom.science.predictors.task import HIDDEN, Bools, Floats, Ints, Task, one_hot_answers

ALL, LOT, FILTER, UNCLEAR = "all", "lot", "filter", "unclear"
_BY_QUESTION = ("asked", "there", "barred", "open")


@dataclass(frozen=True)
class Reach:
    """Who can be asked what.

    Columns are the options of all questions and the values of all attributes after them.

    Attributes
    ----------
    asked : (n, Q), who was asked, whatever was answered. there : (n, Q), whose answer there is.
    barred : (n, Q), whom an answer or attribute of theirs rules out.
    open : (n, Q), who can be asked: who was asked, and who was not by lot.
    kinds : (Q), why some were not asked: 'all' were, 'lot', 'filter', 'unclear'.
    bars : (D, Q), which columns rule out which questions. values : (n, D), columns as 0 and 1.
    owner : (D), the question of each column, attributes being numbered after the questions.
    names : (D), the question or attribute, and the option or value.
    weights : (n), of people.
    closes : (D, Q), which columns rule out which questions where one of each question that closes
        them is so: 'if you smoke or vape' is closed by both answers 'No'.
    """

    asked: Bools
    there: Bools
    barred: Bools
    open: Bools
    kinds: tuple[str, ...]
    bars: Bools
    values: Singles
    owner: Ints
    names: tuple[tuple[str, str], ...]
    weights: Floats
    closes: Bools

    @cached_property
    def shares(self) -> Floats:
        """Return the share of people who can be asked each question, by weight, (Q)."""
        return np.asarray(1 - self._part @ ~self.open)

    @cached_property
    def unbarred(self) -> Floats:
        """Return the share who can be asked each question of those whom nothing rules out, (Q).

        For sure or likely; by weight, of people who answered the questions that tell; 1 of nobody.
        """
        free = ~self.barred & ~(self.values @ self.likely > 0)
        for question, kind in enumerate(self.kinds):
            for screen in self.screens(question) if kind == FILTER else ():
                free[:, question] &= self.there[:, screen]
        whole, can = self._part @ free, self._part @ (self.open & free)
        found = np.divide(can, whole, out=np.ones_like(whole), where=whole > 0)
        return np.asarray(np.minimum(found, 1.0))

    @cached_property
    def together(self) -> Floats:
        """Return the share of people who can be asked two questions and answer both, (Q, Q).

        The diagonal is of one question. It is 0 of two that nobody was asked both of.
        """
        part = self._part[:, None]
        asked, there = (x.astype(np.float64) for x in (self.asked, self.there))
        asked, there = asked.T @ (asked * part), there.T @ (there * part)
        answer = np.divide(there, asked, out=np.zeros_like(asked), where=asked > 0)
        return np.asarray(self._able * answer)

    @cached_property
    def given(self) -> Floats:
        """Return the share who can be asked the second question of those who can the first."""
        one = np.diag(self._able)[:, None]
        return np.divide(self._able, one, out=np.zeros_like(self._able), where=one > 0)

    @cached_property
    def _able(self) -> Floats:
        able = self.open.astype(np.float64)
        return np.asarray(able.T @ (able * self._part[:, None]))

    @property
    def _part(self) -> Floats:
        return self.weights / max(float(self.weights.sum()), 1e-300)

    def screens(self, question: int) -> list[int]:
        """Return the questions that tell who can be asked a filter question, the first tells most.

        As many as it takes to rule out those who are barred, but for 1 %; attributes, which are
        known of everybody, come before questions.
        """
        bars, left = self.bars[:, question], self.barred[:, question].copy()
        count, least = self.asked.shape[1], STRAY * float(left.sum())
        if self.kinds[question] != FILTER:
            return []
        owners = [int(one) for one in np.unique(self.owner[bars])]
        ruled = {one: self.values[:, bars & (self.owner == one)].any(axis=1) for one in owners}
        # Of those that rule it out together each is to be known.
        gates = [int(one) for one in np.unique(self.owner[self.closes[:, question]]) if one < count]
        if gates:
            own = self.closes[:, [question]]
            none = np.zeros_like(own)
            left &= ~jointly.ruled(self.values, none, own, self.owner)[:, 0]
        for attribute in [one for one in ruled if one >= count]:
            left &= ~ruled.pop(attribute)
        found: list[int] = []
        while ruled and left.sum() > least:
            best = max(ruled, key=lambda one: (int((ruled[one] & left).sum()), -one))
            left &= ~ruled.pop(best)
            found.append(best)
        return found + [one for one in gates if one not in found]

    @cached_property
    def before(self) -> tuple[tuple[int, ...], ...]:
        """Return the questions that each is asked after, by question, in the order of asking.

        Those that tell who can be asked it (`screens`), and what tells who can be asked these. Of
        two that rule each other out neither comes before the other.
        """
        screens = [self.screens(question) for question in range(self.asked.shape[1])]

        def reached(question: int, seen: tuple[int, ...]) -> list[int]:
            out: list[int] = []
            for one in screens[question]:
                if one not in seen:
                    out += [*reached(one, (*seen, one)), one]
            return list(dict.fromkeys(out))

        found = [reached(question, (question,)) for question in range(len(screens))]
        return tuple(
            tuple(one for one in those if question not in found[one])
            for question, those in enumerate(found)
        )

    def odds(self, values: Singles, known: Bools) -> Floats:
        """Return the chance that people of whom something is known can be asked each, (m, Q).

        It is 0 where what is known rules a question out, else the share who can be asked it of
        those of whom the same filters are known and do not rule it out.

        Parameters
        ----------
        values : (m, D), columns, 0 where not known. known : (m, V), which questions and attributes
            are known.
        """
        filters = np.unique(self.owner[self.bars.any(axis=1)])
        alike, of = np.unique(known[:, filters], axis=0, return_inverse=True)
        each = np.array([self._odds(tuple(filters[one].tolist())) for one in alike])
        ruled = jointly.ruled(values, self.bars, self.closes, self.owner)
        out = each[of.reshape(-1)]
        for question in np.flatnonzero(self.closes.any(axis=0)):
            out[:, question] *= self._passing(values, known, int(question))
        return np.where(ruled, 0.0, np.minimum(out, 1.0))

    def _passing(self, values: Singles, known: Bools, question: int) -> Floats:
        """Return how many times as likely as anybody people pass a filter that is several, (m).

        By the share of those of whom the same answers to its questions are known as closing it;
        parameters are as of `odds`.
        """
        own = self.closes[:, question]
        shut, told, passed = [], [], []
        for one in np.unique(self.owner[own]):
            closing = values[:, own & (self.owner == one)].any(axis=1)
            shut.append(self.values[:, own & (self.owner == one)].any(axis=1))
            told.append(closing)
            passed.append(known[:, one] & ~closing)
        gates = np.array(shut)
        anybody = 1 - float(self._part @ gates.all(axis=0))
        same = np.flatnonzero((self.closes == own[:, None]).all(axis=0))
        through = np.array(passed).any(axis=0) | known[:, same].any(axis=1)
        states, of = np.unique(np.array(told), axis=1, return_inverse=True)
        shares = []
        for state in states.T:
            like = gates[state].all(axis=0)
            whole = float(self._part @ like)
            shares.append(float(self._part @ (like & ~gates.all(axis=0))) / max(whole, 1e-300))
        share = np.where(through, 1.0, np.array(shares)[of.reshape(-1)])
        return np.asarray(share / max(anybody, 1e-300))

    def _odds(self, filters: tuple[int, ...]) -> Floats:
        if filters not in self._found:
            here = np.isin(self.owner, filters)
            barred = self.values[:, here] @ self.bars[here].astype(np.float32) > 0
            told = np.ones(len(barred), dtype=bool)
            for one in filters:
                told &= self.values[:, self.owner == one].any(axis=1)
            left = ~barred & told[:, None]
            # Few with all these answers do not say; then the others count too.
            left = np.where(left.sum(axis=0) < FEWEST, ~barred, left)
            shares = self._part @ (left & ~self.open) / np.maximum(self._part @ left, 1e-300)
            self._found[filters] = 1 - shares
        return self._found[filters]

    @cached_property
    def _found(self) -> dict[tuple[int, ...], Floats]:
        """Return what `_odds` found, by the filters known."""
        return {}

    def left(self, answered: Bools, values: Singles) -> tuple[Singles, Bools]:
        """Return what is left of a filter's options for people who answered what hangs on it.

        Who answered a question on work works, asked or not.

        Parameters
        ----------
        answered : (n, Q), by other people than its own, too. values : (n, D), what is known of
            them, as 0 and 1.

        Returns
        -------
        (n, options of all questions), 1, and `STRAY` for those that rule out something answered,
        what is between where few people make it likely only (`likely`); (n, Q), of which questions
        one option alone is left.
        """
        options = self.owner < answered.shape[1]
        owner = self.owner[options]
        ruled = answered.astype(np.float32) @ self.bars[options].T.astype(np.float32) > 0
        ruled |= jointly.passed(values, answered, self.closes, self.owner)[:, options]
        counts = np.zeros((answered.shape[1], len(owner)), dtype=np.float32)
        counts[owner, np.arange(len(owner))] = 1
        free = ~ruled @ counts.T
        ruled &= free[:, owner] > 0
        left = np.where(ruled, np.float32(STRAY), np.float32(1))
        likely = self.likely[options]
        for question in np.flatnonzero(likely.any(axis=0) & answered.any(axis=0)):
            less = 1 - (1 - STRAY) * likely[:, question]
            left[answered[:, question]] = np.minimum(left[answered[:, question]], less)
        return left, (free == 1) & (counts.sum(axis=1) > 1)

    @cached_property
    def likely(self) -> Singles:
        """Return how likely answers rule out questions that they do not bar for sure, (D, Q).

        By Bayes' rule, 0 below one half. Of ten people four do not work, and they alone were not
        asked about their boss: by lot that is one chance in 210, more than one in 1,000 surveys,
        but a filter makes it 330 times as likely. Before answers are looked at each set of them is
        as likely to be a filter as that some set is of all questions.
        """
        from scipy.special import betaln

        counts, were = self.values.sum(axis=0), self.values.T @ self.asked.astype(np.float32)
        people, asked = sums(counts[:, None], self.owner), sums(were, self.owner)
        sizes = np.bincount(self.owner).astype(np.float64)[:, None]
        never = (were == 0) & (counts > 0)[:, None] & (asked > 0)[self.owner]
        some = sums(counts[:, None] * never, self.owner)
        odds = betaln(asked + 1, np.maximum(people - some - asked, 0) + 1)
        odds -= betaln(asked + 1, people - asked + 1)
        odds -= np.log(len(counts) / sizes) + sizes * np.log(2)
        p = 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
        return np.where(never & ~self.bars & (p > 0.5)[self.owner], p[self.owner], 0.0).astype(
            np.float32
        )

    def of(self, questions: Ints) -> Reach:
        """Return what it is of some of the questions."""
        count = self.asked.shape[1]
        place = np.full(int(self.owner.max(initial=count - 1)) + 1, -1)
        place[questions] = np.arange(len(questions))
        place[count:] = len(questions) + np.arange(len(place) - count)
        columns = np.flatnonzero(place[self.owner] >= 0)
        # A filter that lacks a question of its own is none.
        whole = ~self.closes[:, questions][place[self.owner] < 0].any(axis=0)
        closes = self.closes[np.ix_(columns, questions)] & whole
        return replace(
            self,
            **{name: getattr(self, name)[:, questions] for name in _BY_QUESTION},
            kinds=tuple(self.kinds[q] for q in questions),
            bars=self.bars[np.ix_(columns, questions)],
            closes=closes,
            values=self.values[:, columns],
            owner=place[self.owner[columns]],
            names=tuple(self.names[c] for c in columns),
        )

    def only(self, people: Ints | Bools) -> Reach:
        """Return what it is of some of the people."""
        names = ("asked", "there", "barred", "open", "values", "weights")
        return replace(self, **{name: getattr(self, name)[people] for name in names})


def reach(task: Task, asked: Bools | None = None) -> Reach:
    """Return who can be asked which question of a survey, as far as its answers show it.

    An answer or attribute *bars* a question where next to nobody who gave it was asked (1 % at
    most), though others with an answer in its place were: so few would be asked by lot in one of
    1,000 surveys (hypergeometric, over all options of all questions). What bars a question on which
    another one hangs, since next to nobody was asked the second and not the first, bars both. Of a
    question that bars another one, other answers bar what hangs on it where next to nobody who gave
    them was asked any of that. Others may not have been asked either. Where no answer or attribute
    explains 5 % of that, a lot decided it, as in a split questionnaire (and where they are fewer
    than 20): they can be asked. Where one does, answers to several questions may decide it together
    (`jointly.closing`): 'if you smoke or vape'. Where none do, there is a filter that is not among
    the answers, and they are taken for people who cannot; so are those without an answer to the
    question that bars most.

    Parameters
    ----------
    asked : (R, Q), who was asked; those with an answer when left out.
    """
    there = np.asarray(task.answers != HIDDEN)
    asked = there if asked is None else asked | there
    values, owner, names = _columns(task)
    gaps = np.flatnonzero(~asked.all(axis=0))
    bars, closes = np.zeros((2, len(owner), asked.shape[1]), dtype=bool)
    bars[:, gaps], hangs = _bars(values, owner, asked[:, gaps], gaps)
    barred = (values @ bars.astype(np.float32) > 0) & ~asked
    explained = np.zeros(asked.shape[1])

    def explain(some: Ints) -> None:
        each = jointly.explained(values, owner, ~barred[:, some], asked[:, some], some)
        explained[some] = each.max(axis=0, initial=0)

    explain(gaps)
    for question in gaps[explained[gaps] > EXPLAINED]:
        left = ~barred[:, question]
        found = jointly.closing(values, owner, asked[:, question], left, int(question))
        if found is not None:
            closes[found, question] = True
    closed = closes[:, gaps].any(axis=0)
    for place in np.flatnonzero(closed):
        # What hangs on such a question hangs on its filter.
        more = gaps[hangs[place] & ~closed]
        closes[:, more] = closes[:, gaps[[place]]]
    bars = jointly.without_implied(values, owner, asked, bars, closes)
    barred = jointly.ruled(values, bars, closes, owner) & ~asked
    explain(gaps)
    left = ~barred
    filtered, by_lot = barred.any(axis=0), explained <= EXPLAINED
    # What a rare value explains of a few blanks is chance.
    by_lot |= ~filtered & ((~asked).sum(axis=0) < FEWEST)
    kinds = np.where(by_lot, LOT, UNCLEAR).astype(object)
    kinds[filtered] = FILTER
    kinds[asked.all(axis=0)] = ALL
    for question in np.flatnonzero(filtered):
        # Who gave no answer to the filter's question may be one it rules out.
        main = np.bincount(owner, values.sum(axis=0) * bars[:, question]).argmax()
        if bars[:, question].any():
            left[:, question] &= values[:, owner == main].any(axis=1)
        left[:, question] &= ~jointly.undecided(values, closes, owner, int(question))
    can = asked | (left & by_lot)
    parts = (asked, there, barred, can, tuple(kinds.tolist()), bars, values, owner, names)
    return Reach(*parts, task.weights, closes)


def _columns(task: Task) -> tuple[Singles, Ints, tuple[tuple[str, str], ...]]:
    """Return answers and attributes as 0 and 1, (n, D), whose each is, and names and options.

    Blank is no value of an attribute.
    """
    values, owner, names = [one_hot_answers(task.answers, task.offsets)], [task.owner], []
    for question, options in zip(task.questions, task.options, strict=True):
        names += [(question, option) for option in options]
    for place, (name, told) in enumerate(zip(task.trait_names, task.trait_values, strict=True)):
        values.append((task.traits[:, [place]] == np.arange(len(told))).astype(np.float32))
        owner.append(np.full(len(told), len(task.questions) + place))
        names += [(name, value) for value in told]
    return np.hstack(values), np.concatenate(owner), tuple(names)


def _bars(values: Singles, owner: Ints, asked: Bools, gaps: Ints) -> tuple[Bools, Bools]:
    """Return which columns rule out which questions with gaps, (D, gaps), and which of these hang
    on which, (gaps, gaps)."""
    counts, were = values.sum(axis=0)[:, None], values.T @ asked.astype(np.float32)
    told, of_them = sums(counts, owner)[:, 0], sums(were, owner)
    few = (were <= STRAY * counts) & (counts > 0) & (owner[:, None] != gaps)
    row, column = np.nonzero(few)
    chance = so_few(
        were[row, column], counts[row, 0], of_them[owner[row], column], told[owner[row]]
    )
    few[row, column] = (found := chance < CHANCE / max(len(counts), 1))
    _several(few, (row[~found], column[~found]), counts[:, 0], were, owner)
    _others(few, values, owner, asked)
    never = (~asked).astype(np.float32)
    # Of those not asked the first, few were asked the second.
    hangs = never.T @ asked.astype(np.float32) <= STRAY * never.sum(axis=0)[:, None]
    while True:
        more = few | (few.astype(np.float32) @ hangs.astype(np.float32) > 0)
        if (more == few).all():
            return np.asarray(few), np.asarray(hangs)
        few = more


def _several(few: Bools, cells: tuple[Ints, Ints], counts: Floats, were: Any, owner: Ints) -> None:
    """Add answers to one question that rule out another one together.

    Of 30 people 6 are retired and 6 students, and none of them was asked about their work: neither
    is too few to be a lot's doing, both are. By lot some set of a question's answers would be so in
    one of 1,000 surveys, over all sets of all questions.

    Parameters
    ----------
    few : (D, gaps), what rules out which questions, as far as it is known; is written to.
    cells : rows and columns of it, of answers of whose people next to nobody was asked.
    counts, were : how many gave each answer, (D), and how many of them were asked, (D, gaps).
    """
    told, of_them = sums(counts[:, None], owner)[:, 0], sums(were, owner)
    sizes = np.bincount(owner).astype(np.float64)
    row, column = cells
    order = np.lexsort((-counts[row], column, owner[row]))
    row, column = row[order], column[order]
    key = owner[row] * few.shape[1] + column
    first = np.flatnonzero(np.diff(key, prepend=-1))
    for start, end in pairwise([*first, len(key)]):
        # The commonest answers first: as many as it takes, and where one does it stands already.
        own, gap, of = row[start:end], column[start], owner[row[start]]
        if len(own) < 2 or few[owner == of, gap].any():
            continue
        many, some = counts[own].cumsum(), were[own, gap].cumsum()
        same = np.ones(len(own))
        chance = so_few(some, many, of_them[of, gap] * same, told[of] * same)
        enough = chance < CHANCE * sizes[of] / len(counts) / 2.0 ** sizes[of]
        if enough.any():
            few[own[: int(enough.argmax()) + 1], gap] = True


def _others(few: Bools, values: Singles, owner: Ints, asked: Bools) -> None:
    """Add the other answers to a filter's question that rule out what hangs on it.

    Rare ones, as that of students where it is known that other people without work were not asked:
    of nobody who gave one any question was asked that hangs on it. In a split questionnaire each
    question was not asked of many, and of all of them together of next to nobody who could be.

    Parameters
    ----------
    few : (D, gaps), what rules out which questions, as far as it is known; is written to.
    """
    filters = np.unique(owner[few.any(axis=1)])
    hang = {one: few[owner == one].any(axis=0) for one in filters}
    tried = sum(int((~few[owner == one][:, hang[one]].any(axis=1)).sum()) for one in filters)
    for one, those in hang.items():
        own = np.flatnonzero(owner == one)
        told = values[:, own].astype(np.float64)
        some = asked[:, those].any(axis=1)
        counts, were = told.sum(axis=0), told.T @ some
        people, of_them = counts.sum(), were.sum()
        chance = so_few(were, counts, np.full(len(own), of_them), np.full(len(own), people))
        left = (counts > 0) & (were <= STRAY * counts) & (chance < CHANCE / max(tried, 1))
        few[np.ix_(own[left], np.flatnonzero(those))] = True
