"""Ctrl-C while a Python model's texts are embedded: what came back is kept, and paid for once."""

from __future__ import annotations

import threading

from lupom import Project

MODEL = """
import pyarrow as pa

def model(lupom):
    texts = [f"text {i}" for i in range(6_000)]
    return pa.table({"text": texts, "vector": lupom.embed(texts).tolist()})
"""


def test_a_stopped_model_goes_on_where_it_was(make_project, server):
    settings = f"""
name: demo
embeddings:
  default: {{provider: openai, base_url: {server.base_url}, model: embed, dimensions: 4}}
"""
    folder = make_project({"lupom_project.yml": settings, "models/vectors.py": MODEL})
    stop = threading.Event()
    server.latency = 0.15  # longer than it takes the run to see that it is stopped
    server.faults = lambda number, _body: stop.set()
    with Project(folder) as project:
        result = project.run(stop=stop)
        assert [(node.node, node.status) for node in result.nodes] == [("vectors", "stopped")]
        assert "before all texts had a vector" in result.nodes[0].message
        first = server.embedded
        assert 0 < first < 6_000
        server.faults, server.latency = None, 0
        assert project.run().status == "success"
        assert server.embedded == 6_000
