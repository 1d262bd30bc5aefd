"""Conditional probabilities in a fitted network, by pgmpy's variable elimination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lupom.science.bayes.counting import Floats
from lupom.science.bayes.exchange import quiet, to_pgmpy
from lupom.science.bayes.network import PersonaNetwork

# Evidence less probable than this, given the evidence before it, does not occur under the network:
# its least probability is 1e-12, and what the prior gives a value is far above.
IMPOSSIBLE = 1e-9


class ImpossibleError(ValueError):
    """Evidence that has no probability given the evidence before it; `dimension` says of which."""

    def __init__(self, dimension: str, before: Sequence[str]) -> None:
        self.dimension, self.before = dimension, tuple(before)
        super().__init__(f"the value given of {dimension!r} does not occur under the network")


def conditional(
    network: PersonaNetwork, given: Mapping[str, int], show: Sequence[str]
) -> dict[str, Floats]:
    """Return the distribution of dimensions given values of others, exact.

    Parameters
    ----------
    given : code of the value by dimension; where unknown is a value of the network, that has the
        last code.
    show : dimensions; one that is given has all its probability on the value given.

    Returns
    -------
    (r,) by dimension, in the order of the codes.

    Raises
    ------
    ImpossibleError : for evidence that does not occur under the network.
    KeyError : for a dimension that the network does not have.
    """
    with quiet():
        from pgmpy.inference import VariableElimination

    cards = {name: t.cardinality for name, t in zip(network.names, network.tables, strict=True)}
    values = [[str(code) for code in range(r)] for r in network.cardinalities]
    engine = VariableElimination(to_pgmpy(network, values))
    evidence: dict[str, str] = {}

    def distribution(name: str) -> Floats:
        factor = engine.query([name], evidence=evidence, show_progress=False)
        order = [str(state) for state in factor.state_names[name]]
        found = np.zeros(cards[name])
        for place, state in enumerate(order):
            # to_pgmpy calls the code of unknown 'unknown'; it is the last.
            found[int(state) if state.isdigit() else cards[name] - 1] = factor.values[place]
        return found

    for name, code in given.items():
        if distribution(name)[code] < IMPOSSIBLE:
            raise ImpossibleError(name, list(evidence))
        known = code < len(values[network.names.index(name)])
        evidence[name] = str(code) if known else "unknown"
    out = {}
    for name in show:
        if name in given:
            out[name] = np.eye(cards[name])[given[name]]
        else:
            out[name] = distribution(name)
    return out
