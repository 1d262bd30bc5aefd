import sys

import numpy as np
import pytest

from lupom.science.neighbours import nearest_texts
from lupom.science.neighbours.hamming import faiss


def test_neighbours_have_the_largest_cosine_and_ties_go_to_the_earlier_row():
    vectors = [[1, 0], [2, 0], [0, 3], [1, 1], [5, 0], [-1, 0]]
    rows, cosine = nearest_texts(vectors, [True] * 6, 5)
    assert rows[0].tolist() == [1, 4, 3, 2, 5]
    assert cosine[0].tolist() == pytest.approx([1, 1, 0.5**0.5, 0, -1], abs=1e-6)


def test_who_has_no_text_is_nobodys_neighbour_and_has_none():
    vectors = [[1, 0], [np.nan, np.nan], [1, 1], [0, 0]]
    rows, cosine = nearest_texts(vectors, [True, True, True, False], 3)
    assert rows.tolist() == [[2, -1, -1], [-1, -1, -1], [0, -1, -1], [-1, -1, -1]]
    assert np.isnan(cosine[1]).all()


def test_without_anyone_to_compare_there_are_no_neighbours():
    rows, _ = nearest_texts(np.zeros((0, 3)), [], 2)
    assert rows.shape == (0, 2)
    assert nearest_texts([[1.0]], [True], 2)[0].tolist() == [[-1, -1]]


def test_the_graph_finds_most_neighbours_and_the_same_each_time():
    pytest.importorskip("faiss")
    vectors = np.random.default_rng(0).normal(size=(1500, 16))
    exact, _ = nearest_texts(vectors, [True] * 1500, 10, asked=np.arange(200))
    one, _ = nearest_texts(vectors, [True] * 1500, 10, asked=np.arange(200), method="hnsw")
    two, _ = nearest_texts(vectors, [True] * 1500, 10, asked=np.arange(200), method="hnsw")
    assert (one == two).all()
    assert np.mean([len(set(a) & set(b)) for a, b in zip(exact, one, strict=True)]) > 9
    assert (one != np.arange(200)[:, None]).all()


def test_what_cannot_be_meant_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="at least 1"):
        nearest_texts([[1.0]], [True], 0)
    with pytest.raises(ValueError, match="known are auto, numpy, hnsw"):
        nearest_texts([[1.0]], [True], 1, method="faiss")
    monkeypatch.setitem(sys.modules, "faiss", None)
    faiss.cache_clear()
    with pytest.raises(ValueError, match=r"pip install 'lupom\[faiss\]'"):
        nearest_texts([[1.0]], [True], 1, method="hnsw")
    faiss.cache_clear()
