from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lupom.science.neighbours import vote


@given(st.integers(0, 1000), st.integers(1, 8))
def test_votes_are_counted_and_ties_go_to_the_nearest(seed, k):
    rng = np.random.default_rng(seed)
    near = rng.integers(-1, 15, (10, k))
    answers = rng.integers(-1, 3, 15)
    result = vote(near, answers, 3)
    for i in range(10):
        given_ = [int(answers[j]) for j in near[i] if j >= 0 and answers[j] >= 0]
        counts = Counter(given_)
        assert result.counts[i].tolist() == [counts[v] for v in range(3)]
        assert result.n[i] == len(given_)
        if not given_:
            assert result.answer[i] == -1
            assert np.isnan(result.share[i])
            continue
        most = max(counts.values())
        assert result.answer[i] == next(v for v in given_ if counts[v] == most)
        assert result.share[i] == pytest.approx(most / len(given_))


def test_a_question_nobody_answered_has_no_vote():
    result = vote(np.array([[0, 1]]), np.array([-1, -1]), 0)
    assert (result.n[0], result.answer[0]) == (0, -1)
