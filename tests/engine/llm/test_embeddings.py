"""Embeddings: in process by wordllama, or of an endpoint, each text paid for once."""

from __future__ import annotations

import numpy as np
import pytest

from lupom.engine.errors import LLMError
from lupom.engine.llm.keys import embedding_identity
from lupom.engine.project.providers import embedding_settings
from tests.support.answers import embedding
from tests.support.gateways import make_gateway
from tests.support.llm_server import Fault, fail_always, fail_every

TEXTS = [f"text {i}" for i in range(300)]


@pytest.fixture
def gateway(server, state):
    opened = make_gateway(server.base_url, state)
    yield opened
    opened.close()


@pytest.fixture
def endpoint(server):
    return embedding_settings(
        provider="openai", base_url=server.base_url, model="embed", dimensions=16
    )


def test_wordllama_needs_no_network(gateway, server):
    settings = embedding_settings(provider="wordllama")
    vectors = gateway.embed(settings, ["I trust people", "I trust nobody", "tax on fuel", ""])
    assert vectors.shape == (4, 256)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    unit = vectors[:3] / np.linalg.norm(vectors[:3], axis=1, keepdims=True)
    assert unit[0] @ unit[1] > unit[0] @ unit[2]
    assert gateway.embed(settings, []).shape == (0, 256)
    assert server.requests == 0


def test_wordllama_has_sizes_of_its_own(gateway):
    small = embedding_settings(provider="wordllama", dimensions=64)
    assert gateway.embed(small, ["text"]).shape == (1, 64)
    with pytest.raises(LLMError, match="64, 128 or 256"):
        gateway.embed(embedding_settings(provider="wordllama", dimensions=100), ["text"])


def test_an_endpoint_is_asked_in_batches_and_once(gateway, server, endpoint):
    vectors = gateway.embed(endpoint, TEXTS)
    assert vectors.shape == (300, 16)
    assert vectors.dtype == np.float32
    assert server.requests == 3
    np.testing.assert_allclose(vectors[7], embedding("text 7", 16), rtol=1e-6)
    again = gateway.embed(endpoint, [*reversed(TEXTS), "a new one", "text 7"])
    assert server.requests == 4
    assert server.embedded == 301
    np.testing.assert_array_equal(again[:300], vectors[::-1])
    np.testing.assert_array_equal(again[301], vectors[7])


def test_equal_texts_are_embedded_once(gateway, server, endpoint):
    vectors = gateway.embed(endpoint, ["same"] * 4)
    assert server.embedded == 1
    assert (vectors == vectors[0]).all()


def test_another_model_or_size_is_another_vector(gateway, server, endpoint):
    gateway.embed(endpoint, ["text"])
    gateway.embed(endpoint.model_copy(update={"dimensions": 8}), ["text"])
    gateway.embed(endpoint.model_copy(update={"model": "other"}), ["text"])
    assert server.embedded == 3


@pytest.mark.parametrize("fault", [Fault(status=500), Fault("wrong_shape"), Fault("bad_json")])
def test_a_passing_failure_is_asked_again(gateway, server, endpoint, fault):
    server.faults = fail_every(2, fault)
    assert gateway.embed(endpoint, TEXTS).shape == (300, 16)
    assert server.embedded == 300


def test_a_lasting_failure_names_the_address_and_keeps_what_came_back(gateway, server, endpoint):
    server.faults = lambda number, _body: Fault(status=404) if number == 3 else None
    with pytest.raises(LLMError, match=r"embeddings at http://127\.0\.0\.1"):
        gateway.embed(endpoint, TEXTS)
    kept = server.embedded
    assert kept >= 128
    server.faults = None
    gateway.embed(endpoint, TEXTS)
    assert server.embedded == 300


def test_a_dead_endpoint_ends(gateway, server, endpoint):
    server.faults = fail_always(Fault(status=500))
    with pytest.raises(LLMError, match="status 500"):
        gateway.embed(endpoint.model_copy(update={"max_retries": 1}), TEXTS)
    assert server.requests <= 4 * 2


def test_what_decides_a_vector_is_its_identity(endpoint):
    identity = embedding_identity(endpoint)
    assert identity["model"] == "embed"
    assert identity["dimensions"] == 16
    assert embedding_identity(embedding_settings(provider="wordllama"))["version"]
