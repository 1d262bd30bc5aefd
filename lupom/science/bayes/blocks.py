"""Refinement of all respondents, in blocks that others may work: networks and codes as arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from lupom.batches import in_batches
from lupom.science.bayes.counting import Codes, Ints, check_codes
from lupom.science.bayes.network import PersonaNetwork
from lupom.science.bayes.parameters import ConditionalTable
from lupom.science.bayes.posterior import BLOCK_ROWS
from lupom.science.bayes.refinement import Refinement, Settings, one_pass
from lupom.science.bayes.scores import Score

if TYPE_CHECKING:
    import pyarrow as pa

    from lupom.batches import Map


def refine(
    network: PersonaNetwork,
    codes: Any,
    *,
    relearn: Callable[[Codes], PersonaNetwork] | None = None,
    learning: Ints | None = None,
    through: Map = in_batches,
    **given: Any,
) -> Refinement:
    """Replace values that the rest of a persona speaks against, and fill unknown ones.

    Parameters
    ----------
    codes : (n, d) as for `PersonaNetwork.fit`; rows the network was not fitted to are welcome.
    relearn : makes the network of each further iteration of refined codes, structure and all,
        as in the published system; without it the structure stays and its parameters are estimated
        anew.
    learning : the rows that error rates and further iterations learn from; all when left out.
    through : works the blocks of respondents, here or elsewhere; see `lupom.batches`.
    given : settings by name; see `Settings`.
    """
    codes = check_codes(codes, network.cardinalities)
    settings = Settings(**given)
    raw = codes
    learned = slice(None) if learning is None else learning
    if settings.reports == "noisy" and network.error_rates is None:
        network = network.with_error_rates(
            codes[learned], levels=settings.levels, seed=settings.seed
        )
    result = _in_blocks(network, codes, raw, given, through)
    for _ in range(settings.iterations - 1):
        if relearn is None:
            network = network.refit(result.codes[learned], seed=settings.seed)
        else:
            network = relearn(result.codes[learned])
        again = _in_blocks(network, result.codes, raw, given, through)
        same = bool((again.codes == result.codes).all())
        result = again
        if same:
            break
    return result


def _in_blocks(
    network: PersonaNetwork,
    codes: Codes,
    raw: Codes,
    settings: Mapping[str, Any],
    through: Map,
) -> Refinement:
    """Return what `one_pass` does, a block of respondents at a time."""
    import pyarrow as pa

    n, d = codes.shape
    if not n or not d:
        return one_pass(network, codes, raw, Settings(**settings))
    table = pa.table(
        {
            "block": np.arange(n) // BLOCK_ROWS,
            "codes": _rows(codes),
            "raw": _rows(raw),
        }
    )
    found = through(
        Refiner,
        table,
        shared={"network": _said(network), **_arrays(network), "settings": settings},
        batch_rows=BLOCK_ROWS,
    )
    matrices = {}
    for name in found.column_names:
        matrices[name] = _matrix(found[name], d)
        # One column at a time is there twice.
        found = found.drop_columns(name)
    rates = network.error_rates
    return Refinement(
        **matrices,
        changed=matrices["codes"] != raw,
        error_rates=np.full(d, np.nan) if rates is None else rates,
    )


class Refiner:
    """Refines a block of respondents under a network that is given as arrays."""

    def __init__(
        self, network: Mapping[str, Any], settings: Mapping[str, Any], **arrays: Any
    ) -> None:
        self.network = _network(network, arrays)
        self.settings = Settings(**settings)

    def __call__(self, batch: pa.Table) -> pa.Table:
        import pyarrow as pa

        d = len(self.network.names)
        codes, raw = _matrix(batch["codes"], d), _matrix(batch["raw"], d)
        block = batch["block"][0].as_py()
        found = one_pass(self.network, codes, raw, self.settings, first=block)
        return pa.table(
            {
                "codes": _rows(found.codes),
                "probability": _rows(found.probability),
                "raw_probability": _rows(found.raw_probability),
                "entropy": _rows(found.entropy),
            }
        )


def _said(network: PersonaNetwork) -> dict[str, Any]:
    """Return what JSON can say of a network."""
    return {
        "names": list(network.names),
        "levels": list(network.levels),
        "unknown": list(network.unknown),
        "score": asdict(network.score),
        "prior": asdict(network.prior),
        "cardinalities": [table.cardinality for table in network.tables],
        "parents": [list(table.parents) for table in network.tables],
        "configurations": [len(table.configurations) for table in network.tables],
        "noisy": network.error_rates is not None,
    }


def _arrays(network: PersonaNetwork) -> dict[str, Any]:
    """Return a network's numbers: configurations and probabilities one table after the other."""
    empty = np.zeros(0)
    parts = [table.configurations.reshape(-1) for table in network.tables]
    # The last row is of all other configurations, which a table makes itself.
    shares = [table.probabilities[:-1].reshape(-1) for table in network.tables]
    return {
        "configurations": np.concatenate([np.zeros(0, dtype=np.int32), *parts]),
        "probabilities": np.concatenate([empty, *shares]),
        "error_rates": empty if network.error_rates is None else network.error_rates,
    }


def _network(said: Mapping[str, Any], arrays: Mapping[str, Any]) -> PersonaNetwork:
    """Return the network that `_said` and `_arrays` are of, to the last bit."""
    cards, tables, at, place = said["cardinalities"], [], 0, 0
    for child, (parents, k) in enumerate(zip(said["parents"], said["configurations"], strict=True)):
        r, width = cards[child], len(parents)
        configurations = arrays["configurations"][at : at + k * width].reshape(k, width)
        shares = arrays["probabilities"][place : place + k * r].reshape(k, r)
        tables.append(ConditionalTable(cards, child, parents, configurations, shares))
        at, place = at + k * width, place + k * r
    return PersonaNetwork(
        tables,
        said["names"],
        said["levels"],
        Score(**said["score"]),
        unknown=said["unknown"],
        error_rates=np.asarray(arrays["error_rates"]) if said["noisy"] else None,
        prior=Score(**said["prior"]),
    )


def _rows(matrix: Any) -> pa.Array:
    """Return a matrix as an Arrow array of its rows."""
    import pyarrow as pa

    flat = pa.array(np.ascontiguousarray(matrix).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])


def _matrix(column: pa.ChunkedArray, width: int) -> Any:
    """Return the matrix whose rows an Arrow column holds."""
    parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return np.concatenate(parts).reshape(-1, width)
