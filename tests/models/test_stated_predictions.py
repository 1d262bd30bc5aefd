"""Predictions whose probabilities the LLM states or draws, and several asked in one request."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lupom import Project
from tests.support.answers import fit, schema_of
from tests.support.llm_server import LLMServer
from tests.support.pets_survey import BASELINES, FISH, MOODS, PETS, SCORED, VOTES, Asked, make

SETTINGS = """\
setting,history,demographics,persona,neighbours,thought,distribution,repeats
stated,true,false,none,none,false,stated,
thoughtful,true,false,none,none,true,stated,
thought,true,false,none,none,true,none,
none,true,false,none,none,false,none,
read,true,false,none,none,false,logprobs,
drawn,true,false,none,none,false,draws,3
everything,true,true,refined,common,false,stated,
"""


def answers(body: dict[str, Any]) -> Any:
    """Answer as usual, and questions for hours with 7.5, alone and among others."""
    answer = fit(schema_of(body) or {}, body["messages"][-1]["content"])
    if "number" in answer:
        return {"number": 7.5}
    hours = [label for label, part in answer.items() if "number" in (part or ())]
    return {**answer, **{key: {"number": 7.5} for key in hours}} if hours else None


@pytest.fixture(scope="module")
def server() -> Iterator[LLMServer]:
    with LLMServer(answers=answers) as running:
        yield running


def project(folder: Path, server: LLMServer, *more: str) -> Path:
    """Make the project with the settings of this file."""
    made = make(folder, server.base_url, *more)
    (made / "seeds" / "settings.csv").write_text(SETTINGS)
    return made


@pytest.fixture(scope="module")
def built(server: LLMServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, with all that stands before what is asked."""
    folder = project(tmp_path_factory.mktemp("pets") / "project", server)
    with Project(folder, vars={"prediction_settings": ["stated"]}) as opened:
        assert opened.run(select=["+prediction_requests"]).status == "success"
    return folder


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    """A copy of the project."""
    return shutil.copytree(built, tmp_path / "project")


@pytest.fixture(scope="module")
def asked(server: LLMServer, tmp_path_factory: pytest.TempPathFactory) -> Asked:
    more = (*SCORED, "metrics", "calibrated_predictions", "calibrated_metrics")
    folder = project(tmp_path_factory.mktemp("stated") / "project", server, *more)
    names = ["stated", "thoughtful", "thought", "none", "read"]
    return Asked(folder, server, prediction_settings=names)


def test_what_is_stated_is_the_prediction_s_distribution(asked: Asked) -> None:
    assert asked.errors == []
    rows = asked.rows(
        "select predictor, bool_and(probabilities is not null), bool_or(probabilities is not null),"
        " bool_and(status = 'valid'), bool_and(answer is not null) from predictions"
        " join questions using (survey, question_id) where kind not in ('numeric', 'text')"
        " group by all order by all"
    )
    assert rows == [
        ("none", False, False, True, True),
        ("read", True, True, True, True),
        ("stated", True, True, True, True),
        ("thought", False, False, True, True),
        ("thoughtful", True, True, True, True),
    ]
    # The likeliest option is the answer, of equals the one that stands first.
    rows = asked.rows(
        "select p.answer, p.probabilities, q.options from predictions as p"
        " join questions as q using (survey, question_id) where predictor = 'stated'"
        " and kind not in ('numeric', 'text')"
    )
    assert len(rows) > 5
    for answer, probabilities, options in rows:
        assert list(probabilities) == options
        assert sum(probabilities.values()) == pytest.approx(1.0)
        assert answer == max(options, key=lambda option: probabilities[option])


def test_how_far_the_stated_ones_were_off_is_kept(server: LLMServer, folder: Path) -> None:
    def percent(body: dict[str, Any]) -> Any:
        schema = schema_of(body) or {}
        if "probabilities" not in schema.get("properties", {}):
            return answers(body)
        labels = schema["properties"]["probabilities"]["properties"]
        return {"probabilities": {label: 40 if label == "B" else 15 for label in labels}}

    server.answers = percent
    try:
        found = Asked(folder, server, prediction_settings=["stated"])
    finally:
        server.answers = answers
    rows = found.rows(
        "select len(options), answer = options[2], probabilities[options[2]], stated_off"
        " from predictions join questions using (survey, question_id) where len(options) > 0"
    )
    assert {row[:2] for row in rows} == {(2, True), (3, True)}
    for options, _, probability, off in rows:
        total = 0.4 + 0.15 * (options - 1)
        assert probability == pytest.approx(0.4 / total)
        assert off == pytest.approx(total - 1.0)


PEOPLE = 72
STACKED = (*BASELINES, "persona_predictions", "stacked", "stack_weights")


def places(i: int) -> dict[str, int]:
    """Return the places of a person's answers among the options; no answer tells another."""
    return {"mood": i % 3, "pet": i // 3 % 3, "own": i // 9 % 2, "vote": i // 18 % 3}


def known_people() -> str:
    lines = ["index,mood,pet,fish,hours,why,vote,AGE"]
    for i in range(PEOPLE):
        at = places(i)
        fish = ("Not selected", "Selected")[at["own"]]
        cells = (MOODS[at["mood"]], PETS[at["pet"]], fish, i % 5, f"R{i}", VOTES[at["vote"]], i)
        lines.append(",".join(map(str, (f"p{i:02}", *cells))))
    return "\n".join(lines) + "\n"


def by_heart(body: dict[str, Any]) -> Any:
    """Answer with the truth where the prompt tells the age, which nobody shares.

    Stated, the truth has a probability of .9; drawn, it is the answer. Without the age all options
    are equally likely, or drawn by the words of the prompt.
    """
    prompt, schema = body["messages"][-1]["content"], schema_of(body) or {}
    person, _, question = prompt.partition("Question to predict\n\n")
    told = re.search(r"- Age: (\d+)", person)
    at = places(int(told[1]) if told else 0)
    place = next((at[word] for word in at if word in question.splitlines()[0]), None)
    if place is None:
        return answers(body)
    label = "ABC"[place]
    stated = schema["properties"].get("probabilities", {}).get("properties")
    if stated and told:
        rest = 0.1 / (len(stated) - 1)
        return {"probabilities": dict.fromkeys(stated, rest) | {label: 0.9}}
    if stated:
        return {"probabilities": dict.fromkeys(stated, 1 / len(stated))}
    return dict.fromkeys(schema["properties"], label) if told else None


def test_the_stack_takes_what_is_stated_or_drawn(server: LLMServer, tmp_path: Path) -> None:
    """LLMs that know people by heart and say so, one in shares and one in draws, are heard.

    What they guess where they do not know the person is not.
    """
    folder = project(tmp_path / "project", server, *STACKED)
    file = folder / "lupom_project.yml"
    file.write_text(file.read_text().replace("model: two}", "model: two, temperature: 1}"))
    (folder / "seeds" / "pets_responses.csv").write_text(known_people())
    (folder / "seeds" / "settings.csv").write_text(
        "setting,history,demographics,distribution,llms\n"
        "knows,true,true,stated,default\nguesses,true,false,stated,default\n"
        "knows_drawn,true,true,draws,other\nguesses_drawn,true,false,draws,other\n"
    )
    vars = {"draws": 3, "test_pairs": 24, "tuning_pairs": 90, "llm_tuning_pairs": 90}
    vars |= {"llm_test_respondents": PEOPLE, "llm_reference_respondents": PEOPLE}
    settings = ["knows", "guesses", "knows_drawn", "guesses_drawn"]
    server.answers = by_heart
    try:
        found = Asked(folder, server, prediction_settings=settings, **vars)
    finally:
        server.answers = answers
    assert found.errors == []
    heard: Counter[str] = Counter()
    for part, weight in found.rows("select part, weight from stack_weights where llm is not null"):
        heard[part.removesuffix(" against its mean")] += weight
    for knows, guesses in (("knows", "guesses"), ("knows_drawn", "guesses_drawn")):
        assert heard[knows] > 0.5
        assert abs(heard[guesses]) < 0.1
    # On test pairs, too, the truth is likelier with either LLM than without.
    losses = dict(
        found.rows(
            "select s.llm, avg(-ln(greatest(s.probabilities[h.answer], 1e-4)))"
            " from stacked as s join holdout as h using (survey, respondent_id, question_id)"
            " where h.role = 'test' and predictor in ('stack', 'stack_plain') group by all"
        )
    )
    assert losses.keys() == {None, "default", "other"}
    assert max(losses["default"], losses["other"]) < 0.5 * losses[None]


def test_answers_without_a_distribution_are_calibrated_beside_the_others(asked: Asked) -> None:
    closed = "join questions using (survey, question_id) where kind not in ('numeric', 'text')"
    assert asked.rows(
        "select predictor, count(*) from calibrated_predictions group by all order by all"
    ) == asked.rows(
        f"select predictor, count(*) from predictions {closed} and probabilities is null"
        " and status = 'valid' group by all order by all"
    )
    found = asked.rows(
        "select predictor, count(*), bool_and(isfinite(value)) from calibrated_metrics"
        " where metric = 'nll' and pairs = 'llm' and weighting = 'none' group by all order by all"
    )
    assert found == [("none", 1, True), ("thought", 1, True)]
    # What was said is judged as it was said.
    assert asked.rows(
        "select distinct predictor from metrics where metric = 'nll'"
        " and predictor in ('none', 'thought', 'stated')"
    ) == [("stated",)]


def test_draws_are_shares_of_answers(server: LLMServer, folder: Path) -> None:
    file = folder / "lupom_project.yml"
    file.write_text(file.read_text().replace("model: one}", "model: one, temperature: 1}"))
    found = Asked(folder, server, prediction_settings=["drawn"])
    assert found.errors == []
    rows = found.rows(
        "select valid_draws, map_values(probabilities) from predictions"
        " join questions using (survey, question_id) where len(options) > 0"
    )
    assert {draws for draws, _ in rows} == {3}
    for _, shares in rows:
        # Whatever log-probabilities came with them: three draws are thirds.
        assert all(3 * share == pytest.approx(round(3 * share)) for share in shares)


def test_all_requests_about_one_person_begin_alike(server: LLMServer, folder: Path) -> None:
    """Task, person, question: what prompt caches bill less comes first."""
    found = Asked(folder, server, prediction_settings=["everything"])
    assert found.errors == []
    systems = {body["messages"][0]["content"] for body in server.bodies}
    assert all(body["messages"][0]["role"] == "system" for body in server.bodies)
    # One for each kind of answer; they begin with the task, which is the same for all.
    assert len(systems) == 3
    task = next(iter(systems)).rsplit("\n\n", 1)[0]
    assert "this very person" in task
    assert {system.rsplit("\n\n", 1)[0] for system in systems} == {task}
    people: dict[str, set[str]] = {}
    rows = found.rows("select respondent_id, question_id from prediction_requests")
    for prompt in server.prompts:
        person, _ = prompt.split("\n\nQuestion to predict\n\n")
        people.setdefault(person, set()).add(prompt)
    assert len(people) == len({respondent for respondent, _ in rows})


def labels_in(body: dict[str, Any]) -> list[str]:
    return list((schema_of(body) or {})["properties"])


@pytest.mark.parametrize("setting", ["stated", "read", "thought"])
def test_several_questions_of_one_person_share_a_request(
    server: LLMServer, folder: Path, setting: str
) -> None:
    names = {"prediction_settings": [setting], "test_pairs": 60, "tuning_pairs": 0}
    alone = Asked(folder, server, **names)
    assert alone.errors == []
    requests, pairs = server.requests, alone.rows("select count(*) from predictions")[0][0]
    assert requests == pairs
    together = Asked(folder, server, questions_per_call=8, **names)
    assert together.errors == []
    assert server.requests < requests
    asked = [labels_in(body) for body in server.bodies]
    assert max(map(len, asked)) > 1
    assert all(found == [f"r{i + 1}" for i in range(len(found))] for found in asked)
    # Each answer is a row and a call of its own.
    assert together.rows("select count(*), bool_and(status = 'valid') from predictions") == [
        (pairs, True)
    ]
    calls = "select count(distinct call_id) from predictions"
    assert together.rows(calls) == [(pairs,)]
    if setting == "read":
        distributions = "select count(probabilities) = count(*) from prediction_answers"
        assert together.rows(distributions) == [(True,)]
    prompt = next(p for p, labels in zip(server.prompts, asked, strict=True) if len(labels) > 1)
    assert prompt.count("What is known of the person") == 1
    assert "Questions to predict\n\nAnswer each under its label" in prompt
    assert "\n\nr1:\nQ: " in prompt
    assert "\n\nr2:\nQ: " in prompt


def test_one_more_question_is_the_only_one_asked(server: LLMServer, folder: Path) -> None:
    names = {"prediction_settings": ["stated"], "questions_per_call": 8}
    less = Asked(folder, server, llm_pairs=20, **names)
    before = less.rows("select count(*) from predictions")[0][0]
    more = Asked(folder, server, llm_pairs=30, **names)
    after = more.rows("select count(*) from predictions")[0][0]
    assert after > before
    assert sum(len(labels_in(body)) for body in server.bodies) == after - before


def test_a_prompt_says_what_it_is_about(server: LLMServer, folder: Path) -> None:
    (folder / "seeds" / "seeds.yml").write_text(
        json.dumps(
            {
                "version": 2,
                "seeds": [
                    {
                        "name": "pets_info",
                        "config": {
                            "meta": {
                                "survey": {
                                    "title": "Survey of pet owners",
                                    "fielded": "May 2024",
                                    "population": "People with a pet in Malta",
                                    "attributes": {"AGE": "Age in years"},
                                }
                            }
                        },
                    }
                ],
            }
        )
    )
    found = Asked(folder, server, prediction_settings=["everything"])
    assert found.errors == []
    system = server.bodies[0]["messages"][0]["content"]
    for words in (
        "Survey: Survey of pet owners",
        "Fielded: May 2024",
        "People with a pet in Malta",
    ):
        assert words in system
    asked = next(p for p in server.prompts if FISH in p)
    assert "\n- Age in years: " in asked
    assert "- Love of walks: yes, 90 % sure" in asked
