"""What a row of seeds/settings.csv may say, and what its blanks come to."""

from __future__ import annotations

import re

import duckdb
import pytest

from lupom.engine.project.providers import llm_settings
from lupom.engine.project.traits import traits_of
from tests.support.fake_project import ROOT, FakeProject
from tests.support.pets_survey import SETTINGS


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("persona", "fine", "persona is none, raw or refined, not 'fine'"),
        ("representation", "names", "representation is description, name or value"),
        ("levels", "low top", "levels are low, mid and high, not 'low top'"),
        ("neighbours", "all", "neighbours is none, bare, answers, common or distribution, not"),
        ("distribution", "guess", "distribution is auto, logprobs, stated, draws or none, not"),
        ("option_order", "random", "option_order is given or shuffled, not 'random'"),
        ("repeats", "0", "repeats is 1 or more, not 0"),
    ],
)
def test_a_setting_that_says_what_none_can_say_is_an_error(
    column: str, value: str, message: str
) -> None:
    project = FakeProject(prediction_settings=["mine"])
    columns = (*SETTINGS.splitlines()[0].split(","), "distribution")
    row = dict.fromkeys(columns, "null") | {"setting": "'mine'"}
    row |= {"history": "true", column: value if column == "repeats" else f"'{value}'"}
    project.connection.execute(
        "create table settings as select " + ", ".join(f"{v} as {k}" for k, v in row.items())
    )
    with pytest.raises(duckdb.Error, match=re.escape(message)):
        project.build("prediction/prediction_settings.sql")


# What is known of the LLMs below.
LLMS = {
    "served": {},
    "claude": {"provider": "bedrock"},
    "thinker": {"extra": {"reasoning_effort": "low"}},
    "warm": {"temperature": 1.0},
    "tiny": {"profile": "small"},
    "mute": {"profile": "small", "logprobs": False},
}


def decided(**row: str) -> dict[str, tuple[str, int]]:
    """Return (distribution, repeats) by LLM of a setting that says `row` and is blank besides."""
    project = FakeProject(prediction_settings=["mine"], predictor=list(LLMS))
    for name, settings in LLMS.items():
        given = {"provider": "openai", "model": "m", **settings}
        project.llms[name] = traits_of(llm_settings(**given))
    columns = dict.fromkeys(SETTINGS.splitlines()[0].split(","), "null")
    columns |= {"setting": "'mine'", "history": "true", **row}
    project.connection.execute(
        "create table settings as select " + ", ".join(f"{v} as {k}" for k, v in columns.items())
    )
    project.build("prediction/prediction_settings.sql")
    rows = project.rows("select llm, distribution, repeats from prediction_settings")
    return {llm: (distribution, repeats) for llm, distribution, repeats in rows}


def test_probabilities_are_stated_where_none_can_be_read() -> None:
    # The row has no column `distribution`, as in files of before there was one.
    found = {llm: distribution for llm, (distribution, _) in decided().items()}
    assert found == {
        **{"served": "logprobs", "claude": "stated", "thinker": "stated", "warm": "logprobs"},
        **{"tiny": "logprobs", "mute": "none"},
    }
    after_a_thought = {llm: d for llm, (d, _) in decided(thought="true").items()}
    assert after_a_thought == {**dict.fromkeys(found, "stated"), "tiny": "none", "mute": "none"}
    assert set(decided(distribution="'none'").values()) == {("none", 1)}


def test_draws_are_five_of_an_llm_whose_draws_differ() -> None:
    assert decided(distribution="'draws'", llms="'warm thinker'") == {
        "warm": ("draws", 5),
        "thinker": ("draws", 5),
    }
    assert decided(distribution="'draws'", llms="'warm'", repeats="8") == {"warm": ("draws", 8)}
    with pytest.raises(duckdb.Error, match="draws of llm 'served' are all alike at temperature 0"):
        decided(distribution="'draws'", llms="'warm served'")
    with pytest.raises(duckdb.Error, match="one draw is not a distribution"):
        decided(distribution="'draws'", llms="'warm'", repeats="1")


def test_every_shipped_setting_can_be_asked() -> None:
    with (ROOT / "seeds" / "settings.csv").open() as file:
        names = [line.split(",")[0] for line in file][1:]
    project = FakeProject(prediction_settings=names, predictor=["one", "two"])
    project.seed("settings.csv")
    project.build("prediction/prediction_settings.sql")
    assert project.value("select count(distinct setting) from prediction_settings") == len(names)
    assert project.rows("select distinct llm from prediction_settings order by 1") == [
        ("one",),
        ("two",),
    ]
