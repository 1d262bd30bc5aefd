"""Groups, reliability curves, and whether predicted people look like people."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from lupom.science.evaluation.calibration import calibration
from lupom.science.evaluation.distributions import cramers_v, distribution_metrics
from lupom.science.evaluation.groups import group_metrics
from lupom.science.evaluation.shares import similarity, variance
from tests.support.scored_people import (
    OPTIONS,
    questions,
    respondents,
    right,
    scored,
    sure,
    truths,
)


def better_for_women(rng: np.random.Generator, person: str, truth: str) -> str:
    return right(0.9 if int(person[1:]) % 2 else 0.4)(rng, person, truth)


class TestGroups:
    def test_a_gap_between_groups_is_found_where_there_is_one(self) -> None:
        people = respondents(200)
        table = scored(truths(200, 2), {("guess", None): better_for_women}, count=2, people=people)
        rows = [
            r
            for r in group_metrics(table, people, resamples=100).to_pylist()
            if r["metric"] == "accuracy" and r["pairs"] == "all"
        ]
        by = {(r["attribute"], r["group"]): r for r in rows}
        assert by["SEX", "woman"]["value"] == pytest.approx(0.9, abs=0.08)
        assert by["SEX", "man"]["value"] == pytest.approx(0.4, abs=0.08)
        assert by["SEX", "man"]["respondents"] == 100
        gap = by["SEX", None]
        assert gap["measure"] == "gap"
        assert gap["value"] == pytest.approx(
            by["SEX", "woman"]["value"] - by["SEX", "man"]["value"], abs=1e-6
        )
        assert gap["low"] > 0.3
        assert by["PLACE", None]["low"] < 0.1

    @pytest.mark.filterwarnings("error")
    def test_a_draw_in_which_nobody_counts_has_no_value(self) -> None:
        # One person alone has a weight: of two draws of everyone, one is without them.
        people = respondents(40, {i: float(i == 1) for i in range(40)})
        table = scored(truths(40, 2), {("guess", None): right(0.5)}, count=2, people=people)
        gaps = group_metrics(table, people, resamples=50).to_pylist()
        assert gaps
        rows = distribution_metrics(table, questions(2), people, resamples=50).to_pylist()
        told = {r["group"]: r["value"] for r in rows if r["metric"] == "representativeness"}
        assert set(told) >= {None, "woman"}
        assert "man" not in told

    def test_small_groups_are_left_out(self) -> None:
        people = respondents(30)
        table = scored(truths(30, 1), {("guess", None): right(0.5)}, count=1, people=people)
        assert {r["attribute"] for r in group_metrics(table, people, smallest=15).to_pylist()} == {
            "SEX"
        }
        assert group_metrics(table, people).num_rows == 0

    def test_attributes_are_all_or_those_named_and_each_has_to_be_somebody_s(self) -> None:
        people = respondents(60)
        table = scored(truths(60, 1), {("guess", None): right(0.5)}, count=1, people=people)
        for names in (["SEX"], []):
            found = group_metrics(table, people, attributes=names, resamples=20).to_pylist()
            assert {row["attribute"] for row in found} == set(names)
            rows = distribution_metrics(
                table, questions(1), people, attributes=names, resamples=20
            ).to_pylist()
            assert {row["attribute"] for row in rows} - {None} == set(names)
        with pytest.raises(ValueError, match="did you mean 'SEX'"):
            group_metrics(table, people, attributes=["SEXX"])
        with pytest.raises(ValueError, match="did you mean 'SEX'"):
            distribution_metrics(table, questions(1), people, attributes=["SEXX"])


class TestCalibration:
    def test_the_curve_of_a_predictor_that_is_too_sure(self) -> None:
        table = scored(
            truths(300, 1), {("guess", None): right(0.6)}, count=1, probabilities=sure(0.85)
        )
        [row] = [r for r in calibration(table, resamples=50).to_pylist() if r["pairs"] == "all"]
        assert (row["from"], row["to"], row["n"]) == (0.8, 0.9, 300)
        assert row["confidence"] == pytest.approx(0.85)
        assert row["low"] < 0.6 < row["high"] < 0.85

    def test_without_probabilities_there_is_no_curve(self) -> None:
        table = scored(truths(20, 1), {("guess", None): right(0.6)}, count=1)
        assert calibration(table).num_rows == 0


class TestDistributions:
    def metrics(self, predict, *, people=120, ordered=True, **more):
        table = scored(
            truths(people, 2), {("guess", None): predict}, count=2, ordered=ordered, **more
        )
        rows = distribution_metrics(
            table, questions(2, ordered=ordered), respondents(people), resamples=30
        ).to_pylist()
        return {(r["metric"], r["question_id"], r["group"]): r for r in rows if r["pairs"] == "all"}

    def test_a_question_is_of_a_group_only_with_enough_people(self) -> None:
        found = self.metrics(lambda _rng, _person, truth: truth)
        people = {group: r["n"] for (m, q, group), r in found.items() if q and m == "similarity"}
        assert people.keys() >= {None, "woman", "man"}
        assert min(people.values()) >= 20

    def test_the_truth_is_like_the_truth(self) -> None:
        found = self.metrics(lambda _rng, _person, truth: truth)
        assert found["representativeness", None, None]["value"] == 1.0
        assert found["variance_ratio", None, None]["value"] == 1.0
        assert found["association_error", None, None]["value"] == 0.0
        assert found["similarity", "q0", None]["n"] == 120

    def test_one_answer_for_all_has_no_variance(self) -> None:
        found = self.metrics(lambda *_: "never")
        assert found["variance_ratio", None, None]["value"] == 0.0
        assert found["representativeness", None, None]["value"] < 0.7
        assert found["association_predicted", None, None]["value"] == 0.0

    def test_a_prediction_with_probabilities_is_all_of_them(self) -> None:
        even = [(option, 0.25) for option in OPTIONS]
        found = self.metrics(lambda *_: "never", probabilities=lambda _: even)
        assert found["representativeness", None, None]["value"] > 0.95
        assert found["variance_ratio", None, None]["value"] == 0.0

    def test_groups_have_their_own(self) -> None:
        found = self.metrics(lambda _rng, person, truth: truth if int(person[1:]) % 2 else "never")
        assert found["representativeness", None, "woman"]["value"] == 1.0
        assert found["representativeness", None, "man"]["value"] < 0.7

    def test_without_an_order_it_is_total_variation(self) -> None:
        found = self.metrics(lambda *_: "never", ordered=False)
        given = truths(120, 2)
        share = np.mean([a == "never" for (_, q), a in given.items() if q == "q0"])
        assert found["similarity", "q0", None]["value"] == pytest.approx(share)

    def test_similarity_is_one_minus_scipys_wasserstein_distance(self) -> None:
        rng = np.random.default_rng(0)
        positions = np.array([0.0, 0.25, 0.5, 1.0])
        for _ in range(20):
            p, q = rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(4))
            expected = 1 - wasserstein_distance(positions, positions, p, q)
            assert similarity(p[:, None], q[:, None], positions)[0] == pytest.approx(expected)

    def test_variance_by_hand(self) -> None:
        shares = np.array([[0.5], [0.0], [0.5]])
        assert variance(shares, np.array([0.0, 0.5, 1.0])) == pytest.approx([0.25])
        assert variance(shares, None) == pytest.approx([0.5])

    def test_cramers_v(self) -> None:
        one = np.array([1, 1, 2, 2])
        assert cramers_v(one, one) == pytest.approx(1.0)
        assert cramers_v(one, np.array([1, 2, 1, 2])) == pytest.approx(0.0)
        assert cramers_v(one, np.ones(4, dtype=int)) == 0.0
