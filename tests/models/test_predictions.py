"""What the LLM is asked in each setting and for each kind of question, and what is made of it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lupom import Project
from tests.support.llm_server import LLMServer
from tests.support.pets_survey import FISH, SCORED, SETTINGS, Asked, make

# What the prompt tells of p01 before the question whether they own a fish, by setting.
HISTORY = """\
Q: How is your mood?
Options: Bad | Fair | Good
A: Fair
Q: How many hours a day do you walk?
A: 1
Q: Why do you walk?
A: Reason 1
"""
COMMON = "Of people like this person 67 % answer it with: Not selected\n"
TOLD = {
    "history": HISTORY,
    "demographics": "- Age: 21\n",
    "raw": "- Care for animals: low\n- Love of walks: no\n",
    "described": (
        "- Care for animals (How much the person cares; one of low | high): high\n"
        "- Love of walks (How the person likes walks; one of no | yes): yes\n"
    ),
    "values": "- high\n",
    "sure": "- Care for animals: high, 90 % sure\n- Love of walks: yes, 90 % sure\n",
    "bare": "People like this person answer it with: Not selected\n",
    "common": COMMON,
    "answers": (
        "Answers of people like this person, the most similar first: "
        "Not selected; Not selected; Selected\n"
    ),
    "distribution": "Answers of people like this person: Not selected 67 %; Selected 33 %\n",
    "everything": f"{HISTORY}- Age: 21\n- Care for animals: high\n- Love of walks: yes\n{COMMON}",
}


def walks(body: dict[str, Any]) -> dict[str, float] | None:
    """Answer a question for hours; all else is answered as usual."""
    return {"number": 7.5} if "How many hours" in body["messages"][-1]["content"][-60:] else None


@pytest.fixture(scope="module")
def server() -> Iterator[LLMServer]:
    with LLMServer(answers=walks) as running:
        yield running


@pytest.fixture(scope="module")
def built(server: LLMServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, with all that stands before what is asked."""
    folder = make(tmp_path_factory.mktemp("pets") / "project", server.base_url)
    with Project(folder, vars={"prediction_settings": ["thought"]}) as project:
        assert project.run(select=["+prediction_requests"]).status == "success"
    return folder


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    """A copy of the project."""
    return shutil.copytree(built, tmp_path / "project")


@pytest.fixture(scope="module")
def asked(server: LLMServer, tmp_path_factory: pytest.TempPathFactory) -> Asked:
    project = make(tmp_path_factory.mktemp("scored") / "project", server.base_url, *SCORED)
    settings = ["history", "thought", "shuffled", "thrice"]
    return Asked(project, server, prediction_settings=settings)


def kinds(known: str) -> set[str]:
    """Return the kinds of lines: question, options, answer, and others by how they begin."""
    begins = (re.match(r"Q: |A: |Options: ", line) for line in known.splitlines())
    lines = zip(known.splitlines(), begins, strict=True)
    return {line[:5] if begin is None else begin[0] for line, begin in lines}


@pytest.mark.parametrize("setting", TOLD)
def test_a_prompt_holds_the_parts_of_its_setting_and_nothing_else(
    folder: Path, server: LLMServer, setting: str
) -> None:
    asked = Asked(folder, server, prediction_settings=[setting])
    assert asked.errors == []
    assert TOLD[setting] in asked.known(FISH)
    for other in asked.known(FISH):
        # The same parts for everyone: nobody's prompt has a line of a kind that p01's has not.
        assert kinds(other) <= kinds(TOLD[setting])


def test_each_kind_of_question_is_asked_and_answered_in_its_own_way(asked: Asked) -> None:
    assert asked.errors == []
    kinds = {
        "prediction_answers": ["multiple", "ordinal", "single"],
        # After a thought a capable LLM states probabilities, unless the setting wants none.
        "prediction_thought_distributions": ["multiple", "ordinal", "single"],
        "prediction_thoughts": [],
        "prediction_distributions": [],
        "prediction_numbers": ["numeric"],
        "prediction_texts": ["text"],
    }
    for name, expected in kinds.items():
        rows = asked.rows(
            f"select distinct kind from {name} "
            "join questions using (survey, question_id) order by all"
        )
        assert [kind for (kind,) in rows] == expected, name
    ends = {prompt.split("Question to predict\n\n")[-1] for prompt in asked.server.prompts}
    assert "Q: How is your mood?\nA. Bad\nB. Fair\nC. Good" in ends
    assert f"Q: {FISH}\nA. Not selected\nB. Selected" in ends
    assert "Q: How many hours a day do you walk?\nA number from 0 to 24." in ends
    assert "Q: Why do you walk?" in ends
    assert "Q: Would you vote for a cat?\nA. Yes\nB. No\nC. Don't know" in ends


def test_predictions_of_options_have_distributions_and_others_have_none(asked: Asked) -> None:
    rows = asked.rows(
        "select kind in ('numeric', 'text') as open, predictor = 'thought' as thought, "
        "count(*) = count(probabilities), count(probabilities) = 0, bool_and(status = 'valid') "
        "from predictions join questions using (survey, question_id) group by 1, 2 order by 1, 2"
    )
    assert rows == [
        (False, False, True, False, True),
        (False, True, True, False, True),
        (True, False, False, True, True),
        (True, True, False, True, True),
    ]
    assert asked.rows(
        "select distinct answer, value from predictions where question_id = 'hours'"
    ) == [("7.5", 7.5)]


def test_options_are_scored_as_such_and_numbers_by_their_distance(asked: Asked) -> None:
    kinds = "select distinct kind from {} join questions using (survey, question_id) order by kind"
    closed = [("multiple",), ("ordinal",), ("single",)]
    assert asked.rows("select distinct kind from scores order by kind") == [
        ("multiple",),
        ("numeric",),
        ("ordinal",),
        ("single",),
    ]
    assert asked.rows(
        "select bool_and(s.absolute_error = n.absolute_error), count(*) > 2 from scores as s "
        "join number_scores as n using (survey, respondent_id, question_id, predictor)"
    ) == [(True, True)]
    assert asked.rows(kinds.format("baselines")) == closed
    assert asked.rows(kinds.format("stacked")) == closed
    assert asked.rows(kinds.format("persona_predictions")) == closed
    rows = asked.rows(
        "select predictor, count(*), bool_and(absolute_error = abs(value - truth)), "
        "bool_and(relative_error = absolute_error / 24), bool_and(value = 7.5) "
        "from number_scores group by predictor order by predictor"
    )
    pairs = rows[0][1]
    assert pairs > 2
    assert rows == [
        ("history", pairs, True, True, True),
        ("median", pairs, True, True, False),
        *((setting, pairs, True, True, True) for setting in ("shuffled", "thought", "thrice")),
    ]


def test_draws_are_calls_of_their_own_and_become_one_prediction(asked: Asked) -> None:
    pairs = asked.rows("select count(*) from llm_pairs")[0][0]
    assert asked.rows(
        "select predictor, count(*), min(draws), max(valid_draws) from predictions "
        "where predictor in ('history', 'thrice') group by all order by all"
    ) == [("history", pairs, 1, 1), ("thrice", pairs, 3, 3)]
    calls = "select count(distinct call_id) from prediction_answers where setting = "
    once = asked.rows(f"{calls} 'history'")[0][0]
    assert asked.rows(f"{calls} 'thrice'")[0][0] == 3 * once
    # The first draw is the one that the setting without repeats has asked already.
    assert asked.rows(f"{calls} 'thrice' or setting = 'history'")[0][0] == 3 * once


def test_nothing_is_asked_twice(folder: Path, server: LLMServer) -> None:
    first = Asked(folder, server, prediction_settings=["history", "thrice"])
    calls = first.rows("select count(*) from lupom.calls")
    assert first.server.requests == calls[0][0]
    again = Asked(folder, server, prediction_settings=["thrice", "history"])
    assert again.errors == []
    assert server.requests == 0


def test_a_shuffled_order_maps_back_to_the_options(tmp_path: Path) -> None:
    """An LLM that always says A, with .8: the option that stands first in the prompt."""
    with LLMServer(distribution=lambda labels: {"A": 0.8, "B": 0.1, "C": 0.1}) as first:
        project = make(tmp_path / "project", first.base_url)
        asked = Asked(project, first, prediction_settings=["history", "shuffled"])
        rows = asked.rows(
            "select r.setting, r.options, q.options, p.answer, p.probabilities "
            "from prediction_requests as r join questions as q using (survey, question_id) "
            "join predictions as p using (survey, respondent_id, question_id) "
            "where p.predictor = r.setting and q.question_id in ('mood', 'pet', 'vote')"
        )
        assert len(rows) > 20
        moved = 0
        for setting, shown, given, answer, probabilities in rows:
            assert sorted(shown) == sorted(given)
            assert answer == shown[0]
            assert probabilities[shown[0]] == pytest.approx(0.8)
            moved += shown != given
            assert setting == "shuffled" or shown == given
        assert moved > 8
        # Such an LLM is found out by the places its answers stand in.
        effects = asked.rows(
            "select option_order, position, share, expected is null from order_effects "
            "order by option_order, position"
        )
        assert effects == [
            *(("given", place, float(place == 1), True) for place in (1, 2, 3)),
            *(("shuffled", place, float(place == 1), False) for place in (1, 2, 3)),
        ]


def test_no_held_out_answer_is_in_a_request(server: LLMServer, tmp_path: Path) -> None:
    names = [line.split(",")[0] for line in SETTINGS.splitlines()[1:]]
    vars = {
        **{"prediction_settings": names, "llm_tuning_pairs": 1000},
        **{"new_respondents": 4, "new_respondents_tuning": 2, "new_questions": ["vote"]},
    }
    folder = make(tmp_path / "project", server.base_url)
    asked = "from prediction_requests order by all"
    with Project(folder, vars=vars) as project:
        project.run(select=["+prediction_requests"])
        before = project.query(asked).rows()
        held = project.query("select respondent_id, question_id from holdout").rows()
        assert {
            scenario for (scenario,) in project.query("select scenario from llm_pairs").rows()
        } == {
            *("known", "new_respondent", "new_question"),
        }
    # Each held-out answer becomes that of the person after them.
    file = folder / "seeds" / "pets_responses.csv"
    lines = [line.split(",") for line in file.read_text().splitlines()]
    place = {name: i for i, name in enumerate(lines[0])}
    rows = {line[0]: line for line in lines[1:]}
    for question in place:
        people = sorted(person for person, asked_of in held if asked_of == question)
        answers = [rows[person][place[question]] for person in people]
        for person, answer in zip(people, answers[1:] + answers[:1], strict=True):
            rows[person][place[question]] = answer
    file.write_text("\n".join(",".join(line) for line in lines) + "\n")
    with Project(folder, vars=vars) as project:
        result = project.run(select=["+prediction_requests"])
        assert "holdout" in {node.node for node in result.nodes if node.status == "success"}
        assert project.query(asked).rows() == before


def test_an_order_is_that_of_a_seed(asked: Asked, server: LLMServer, folder: Path) -> None:
    orders = "select options from prediction_requests where setting = 'shuffled' order by all"
    same = Asked(folder, server, prediction_settings=["shuffled"])
    assert same.rows(orders) == asked.rows(orders)


def test_each_backbone_has_a_row_of_its_own(server: LLMServer, folder: Path) -> None:
    asked = Asked(folder, server, prediction_settings=["demographics", "two"])
    assert asked.errors == []
    pairs = asked.rows("select count(*) from llm_pairs")[0][0]
    rows = asked.rows(
        "select predictor, llm, count(*), bool_and(status = 'valid') from predictions "
        "group by all order by all"
    )
    assert rows == [
        ("demographics", "default", pairs, True),
        ("two", "default", pairs, True),
        ("two", "other", pairs, True),
    ]
    # The same prompt of the same model is one call, whichever setting asks it.
    models = [body["model"] for body in server.bodies]
    assert models.count("one") == models.count("two") == asked.server.requests / 2


def test_the_var_predictor_serves_where_a_setting_names_no_llm(
    server: LLMServer, folder: Path
) -> None:
    for predictor in ("other", ["other", "default"]):
        asked = Asked(folder, server, prediction_settings=["history"], predictor=predictor)
        assert asked.errors == []
        named = [predictor] if isinstance(predictor, str) else sorted(predictor)
        found = asked.rows("select distinct llm from predictions order by 1")
        assert [llm for (llm,) in found] == named


def test_a_setting_that_is_not_there_is_named_before_anything_is_asked(
    server: LLMServer, folder: Path
) -> None:
    asked = Asked(folder, server, prediction_settings=["history", "demografics"])
    assert server.requests == 0
    assert "'demografics', which is not a row of seeds/settings.csv" in (asked.errors[0] or "")
    assert "did you mean 'demographics'?" in (asked.errors[0] or "")
    plan = asked.project.plan()
    notes = [step.estimate.note or "" for step in plan.doing() if step.estimate is not None]
    assert any("did you mean 'demographics'?" in note for note in notes)
