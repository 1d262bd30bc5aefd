"""`lupom.nodes` says what a node had embedded by endpoints, also in a store of before."""

from __future__ import annotations

import duckdb
import pytest

from lupom import Project
from tests.support.notes_project import make, rows, run

__all__ = ["make"]

EMBEDS = """
def model(lupom):
    texts = [text for (text,) in lupom.ref("notes").project("text").fetchall()]
    lupom.embed(texts)
    return lupom.ref("notes").project("id")
"""
COLUMNS = ("embedded_texts", "embedding_requests", "embedding_tokens", "embedding_cost")
TAKEN = f"select {', '.join(COLUMNS)} from lupom.nodes where node = 'embeds' order by finished_at"


@pytest.fixture
def folder(make, server):
    settings = f"""price: {{input: 10, output: 20}}
                    embeddings:
                      default:
                        provider: openai
                        base_url: {server.base_url}
                        model: vectors
                        price: {{input: 5, output: 0}}
    """
    return make(3, extra={"models/embeds.py": EMBEDS}, settings=settings)


def test_texts_requests_tokens_and_cost_are_there_once_and_not_again(folder, server):
    (node,) = [n for n in run(folder).nodes if n.node == "embeds"]
    ((texts, requests, tokens, cost),) = rows(folder, TAKEN)
    assert (texts, requests) == (server.embedded, 1) == (node.embedded.texts, 1)
    with Project(folder) as project:
        vectors = project.context.state.ledger.spent()
    asked = rows(folder, "select sum(tokens_in + tokens_out), sum(cost) from lupom.calls")
    assert tokens == vectors[0] - asked[0][0] > 0
    assert cost == pytest.approx(tokens * 5 / 1e6) == pytest.approx(vectors[1] - asked[0][1])
    assert rows(folder, "select embedded_texts from lupom.nodes where node = 'notes'") == [(None,)]
    # Built again, it takes the vectors that there are.
    run(folder, select="embeds", full_refresh=True)
    assert rows(folder, TAKEN) == [(texts, requests, tokens, cost), (None,) * 4]


def test_a_store_of_before_gets_the_columns(folder):
    run(folder)
    with duckdb.connect(folder / "lupom.duckdb") as store:
        for column in COLUMNS:
            store.execute(f"alter table nodes drop column {column}")
    run(folder, full_refresh=True)
    # What a run took that was copied before stays unknown there, and the next took nothing.
    assert rows(folder, TAKEN) == [(None,) * 4] * 2
    (folder / "lupom.duckdb").unlink()
    run(folder)
    # The state has it all.
    assert rows(folder, TAKEN)[0][0] == 3


def test_tokens_that_an_endpoint_does_not_count_are_not_known(folder, server):
    server.counts = False
    run(folder)
    assert rows(folder, TAKEN) == [(3, 1, None, None)]
