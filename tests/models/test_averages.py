"""predictions.sql over answers made up here: how draws become one prediction."""

from __future__ import annotations

from typing import Any

import pytest

from lupom.science.predictors import elsewhere
from tests.support.fake_project import FakeProject


class TestAverages:
    KEY = "'s', 'p', 'q', 'setting', 'llm'"

    def predicted(
        self, kind: str, distribution: str = "logprobs", **answers: list[str]
    ) -> dict[str, Any]:
        project = FakeProject()
        run = project.connection.execute
        draws = sum(map(len, answers.values()))
        columns = "t(survey, respondent_id, question_id, setting, llm, draw"
        run(
            "create table prediction_requests as select 's' as survey, 'p' as respondent_id, "
            "'q' as question_id, 'setting' as setting, 'llm' as llm, draw, 'test' as role, "
            f"'known' as scenario, '{kind}' as kind, '{distribution}' as distribution "
            f"from range({draws}) as t(draw)"
        )
        run(
            "create table questions as select 's' as survey, 'q' as question_id, "
            "['Yes', 'No', 'Maybe'] as options, 0.0 as low, 24.0 as high"
        )
        fields = {
            "prediction_answers": "answer, probabilities, missing_mass",
            "prediction_thoughts": "answer",
            "prediction_distributions": "probabilities, probabilities_off",
            "prediction_thought_distributions": "probabilities, probabilities_off",
            "prediction_numbers": "number",
            "prediction_texts": "text",
        }
        number = 0
        for name, given in fields.items():
            rows = []
            for row in answers.get(name, []):
                if row != "invalid":
                    rows.append(f"({self.KEY}, {number}, {row}, 'call{number}')")
                number += 1
            none = ", ".join(["null"] * len(given.split(", ")))
            run(
                f"create table {name} as select * from (values "
                + ", ".join(rows or [f"({self.KEY}, 0, {none}, null)"])
                + f") as {columns}, {given}, call_id) where {bool(rows)}"
            )
        project.add("predictions_elsewhere", elsewhere.ELSEWHERE.empty_table())
        project.build("prediction/predictions.sql")
        [row] = project.ref("predictions").to_arrow_table().to_pylist(maps_as_pydicts="strict")
        return dict(row)

    def test_probabilities_are_averaged(self) -> None:
        row = self.predicted(
            "single",
            prediction_answers=[
                "'Yes', map {'Yes': 0.6, 'No': 0.4}, 0.1",
                "'No', map {'Yes': 0.1, 'No': 0.9}, 0.3",
                "invalid",
            ],
        )
        assert row["probabilities"] == pytest.approx({"Yes": 0.35, "No": 0.65, "Maybe": 0})
        assert (row["answer"], row["status"], row["call_id"]) == ("No", "valid", "call0")
        assert row["missing_mass"] == pytest.approx(0.2)
        assert (row["draws"], row["valid_draws"]) == (3, 2)

    def test_draws_without_probabilities_count_as_shares(self) -> None:
        rows = ["'No'", "'Maybe'", "'No'", "'Yes'"]
        row = self.predicted("single", prediction_thoughts=rows)
        assert row["probabilities"] == {"Yes": 0.25, "No": 0.5, "Maybe": 0.25}
        assert row["answer"] == "No"

    def test_stated_probabilities_are_averaged_too(self) -> None:
        row = self.predicted(
            "single",
            "stated",
            prediction_distributions=[
                "map {'Yes': 0.6, 'No': 0.4, 'Maybe': 0.0}, 0.1",
                "map {'Yes': 0.2, 'No': 0.8, 'Maybe': 0.0}, -0.3",
            ],
        )
        assert row["probabilities"] == pytest.approx({"Yes": 0.4, "No": 0.6, "Maybe": 0})
        assert (row["answer"], row["missing_mass"]) == ("No", None)
        assert row["stated_off"] == pytest.approx(-0.1)

    def test_the_likeliest_of_stated_options_is_the_answer(self) -> None:
        row = self.predicted(
            "single",
            "stated",
            prediction_thought_distributions=["map {'Yes': 0.4, 'No': 0.4, 'Maybe': 0.2}, 0.0"],
        )
        assert (row["answer"], row["status"], row["call_id"]) == ("Yes", "valid", "call0")
        assert row["probabilities"] == pytest.approx({"Yes": 0.4, "No": 0.4, "Maybe": 0.2})

    @pytest.mark.parametrize(
        ("distribution", "expected"),
        [("draws", {"Yes": 0.5, "No": 0.5, "Maybe": 0}), ("none", None)],
    )
    def test_log_probabilities_that_were_not_wanted_are_not_taken(
        self, distribution: str, expected: dict[str, float] | None
    ) -> None:
        rows = ["'Yes', map {'Yes': 0.9, 'No': 0.1}, 0.0"]
        if distribution == "draws":
            rows.append("'No', map {'Yes': 0.4, 'No': 0.6}, 0.0")
        row = self.predicted("single", distribution, prediction_answers=rows)
        assert row["probabilities"] == expected
        assert row["answer"] == "Yes"

    def test_of_equal_shares_the_first_option_is_the_answer(self) -> None:
        row = self.predicted("single", prediction_thoughts=["'Maybe'", "'No'"])
        assert row["answer"] == "No"

    def test_one_draw_without_probabilities_has_no_distribution(self) -> None:
        row = self.predicted("single", prediction_thoughts=["'Maybe'", "invalid"])
        assert (row["answer"], row["probabilities"]) == ("Maybe", None)

    def test_an_answer_by_one_draw_is_the_one_given(self) -> None:
        row = self.predicted(
            "single", prediction_answers=["'Yes', map {'Yes': 0.4, 'No': 0.6}, 0.0"]
        )
        assert row["answer"] == "Yes"

    def test_of_numbers_the_median_counts_and_none_outside_of_the_range(self) -> None:
        row = self.predicted("numeric", prediction_numbers=["3.0", "25.0", "7.0", "4.0"])
        assert (row["value"], row["answer"], row["valid_draws"]) == (4.0, "4", 3)
        assert row["probabilities"] is None
        row = self.predicted("numeric", prediction_numbers=["-1.0"])
        assert (row["status"], row["answer"], row["value"]) == ("invalid", None, None)

    def test_of_texts_the_first_is_taken(self) -> None:
        row = self.predicted("text", prediction_texts=["invalid", "'Fresh air'", "'My dog'"])
        assert (row["answer"], row["status"]) == ("Fresh air", "valid")
