"""Variable elimination of many rows at once: what to multiply and sum, in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from lupom.science.bayes.counting import Floats
from lupom.science.bayes.tree import buckets

# Factors that are multiplied at a time: of each the least number is 1e-12, of a float 1e-308.
_OPERANDS = 16

# Letters of einsum for the variables of one elimination; Z stands for the rows.
_LETTERS = dict(enumerate("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY"))

Scopes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Step:
    """One product of factors, by position, summed over what no other factor needs."""

    operands: tuple[int, ...]
    expression: str
    size: int


def plan(scopes: Scopes, cards: Sequence[int]) -> list[Step]:
    """Plan the sum over all variables but variable 0.

    Parameters
    ----------
    scopes : the variables of each factor. cards : of each variable.
    """
    many = len(cards) > len(_LETTERS)
    sums, left = buckets(scopes, cards, [0])
    layouts: list[tuple[int, ...]] = list(scopes)
    steps: list[Step] = []
    # Where each factor and sum of the buckets stands among the layouts.
    place = list(range(len(scopes)))

    def product(operands: Sequence[int], result: tuple[int, ...], size: int) -> None:
        """Multiply a few at a time, so that no product underflows and einsum can take them."""
        at = [place[i] for i in operands]
        while len(at) > _OPERANDS:
            some, at = at[:_OPERANDS], at[_OPERANDS:]
            union = tuple(sorted({v for i in some for v in layouts[i]}))
            step(some, union, prod(cards[v] for v in union))
            at.append(len(layouts) - 1)
        step(at, result, size)
        place.append(len(layouts) - 1)

    def step(at: Sequence[int], result: tuple[int, ...], size: int) -> None:
        steps.append(Step(tuple(at), _expression([layouts[i] for i in at], result, many), size))
        layouts.append(result)

    for found in sums:
        product(found.operands, tuple(v for v in found.scope if v != found.variable), found.size)
    product(left, (0,), cards[0])
    return steps


def _expression(inputs: Sequence[tuple[int, ...]], result: tuple[int, ...], many: bool) -> str:
    """Write a product of factors for einsum, Z being the axis of the rows.

    `many` says that there may be more variables than letters.
    """
    names: Mapping[int, str] = _LETTERS
    if many:
        used = sorted({v for scope in inputs for v in scope})
        names = {v: _LETTERS[i] for i, v in enumerate(used)}
    terms = ["Z" + "".join([names[v] for v in scope]) for scope in (*inputs, result)]
    return ",".join(terms[:-1]) + "->" + terms[-1]


def run(steps: Sequence[Step], factors: list[Floats]) -> Floats:
    """Return the distribution of variable 0 in each row, (n, r); factors have the row first."""
    held: list[Any] = list(factors)
    with np.errstate(divide="ignore", invalid="ignore"):
        for step in steps:
            result = np.einsum(step.expression, *(held[i] for i in step.operands))
            for i in step.operands:
                held[i] = None
            # Rescaled, so that a product over many families cannot underflow.
            axes = tuple(range(1, result.ndim))
            held.append(result / result.max(axis=axes, keepdims=True) if axes else result)
        last: Floats = held[-1]
        total: Floats = last.sum(axis=1, keepdims=True)
        p = np.divide(last, total)
    # Nothing is impossible under a network: what is 0 was below what a float holds.
    lost = ~(p > 0).all(axis=1)
    if lost.any():
        p[lost] = _in_logs(steps, [array[lost] for array in factors])
    return p


def _in_logs(steps: Sequence[Step], factors: list[Floats]) -> Floats:
    # Here, since it takes .2 s to import, and what is fitted predicts without it.
    from scipy.special import logsumexp, softmax

    held: list[Any] = [np.log(array) for array in factors]
    for step in steps:
        inputs, kept = step.expression.split("->")
        letters = "".join(dict.fromkeys(kept + inputs.replace(",", "")))
        total: Any = 0.0
        for i, term in zip(step.operands, inputs.split(","), strict=True):
            order = [i for _, i in sorted((letters.index(v), i) for i, v in enumerate(term))]
            there = iter(held[i].transpose(order).shape)
            shape = [next(there) if letter in term else 1 for letter in letters]
            total = total + held[i].transpose(order).reshape(shape)
        axes = tuple(range(len(kept), len(letters)))
        held.append(logsumexp(total, axis=axes) if axes else total)
    return np.asarray(softmax(held[-1], axis=1))
