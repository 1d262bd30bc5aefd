"""A package somebody else wrote: its format is imported, its predictor evaluated, like LUPoM's."""

from __future__ import annotations

import contextlib
import io
import random
import tomllib
from pathlib import Path

import pytest

from lupom import Project
from lupom.engine.errors import LupomError
from tests.support.commands import lupom
from tests.support.shipped import copy_project
from tests.support.third_party_installed import SOURCE, installed

ROOT = Path(__file__).parents[2]
SCALE = ("Agree", "Neither", "Disagree")


def answers() -> str:
    """Forty people of two minds, one answer a line."""
    draw = random.Random(1)
    return "".join(
        f"p{person:02}\tI like it {question}.\t{draw.choice(SCALE[person % 2 : person % 2 + 2])}\n"
        for person in range(40)
        for question in range(6)
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with installed(tmp_path_factory.mktemp("installed") / "site") as folder:
        yield folder


@pytest.fixture(scope="module")
def project(tmp_path_factory, site):
    """A project on a file of the package's format."""
    folder = tmp_path_factory.mktemp("third") / "project"
    copy_project(folder)
    path = folder / "lupom_project.yml"
    text = path.read_text(encoding="utf-8").replace("surveys: [gss_2018]", "surveys: [likes]")
    text = text.replace("  test_pairs: 1000\n  tuning_pairs: 1000\n", "  test_pairs: 30\n")
    path.write_text(text + "\n", encoding="utf-8")
    (folder / "likes.long").write_text(answers(), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def said(project):
    """What importing the file said. Tests may run apart from each other, so each asks for it."""
    heard = io.StringIO()
    with contextlib.redirect_stderr(heard):
        assert lupom("import", str(project / "likes.long"), "--project-dir", str(project)) == 0
    return heard.getvalue()


VARS = {"neighbour_demographics": "all", "tuning_pairs": 30, "bootstrap_resamples": 20}


def opened(folder, **vars):
    return Project(folder, vars={**VARS, **vars})


def test_its_format_is_imported(said):
    assert "likes.long: 40 respondents, 6 questions, 0 attributes." in said
    assert "note: read by the format 'long' of lupom-example 1.0" in said


def test_its_predictor_is_evaluated_where_the_project_names_it(project, said):
    named = ["majority", "nearest_person"]
    with opened(project, predictors=named) as opened_project:
        result = opened_project.run(select="+leaderboard", no_llm=True)
        assert [node.node for node in result.nodes if node.status == "error"] == []
        described = opened_project.run(select="predictors")
        assert described.status == "success"
        for table in ("predictors", "baselines", "metrics", "leaderboard"):
            there = opened_project.query(f"select distinct predictor from {table}").rows()
            assert {*named} <= {name for (name,) in there}, table
            assert "forest_answers" not in {name for (name,) in there}, table


def test_its_code_is_part_of_the_model_that_uses_it(project, said, site):
    with opened(project, predictors=["majority", "nearest_person"]) as same:
        same.run(select="+baselines", no_llm=True)
        assert same.plan("baselines").doing() == []
    code = site / "lupom_example" / "nearest.py"
    code.write_text(code.read_text().replace("shares / 2", "shares / 3").replace("1 / 2", "2 / 3"))
    with opened(project, predictors=["majority", "nearest_person"]) as changed:
        (step,) = changed.plan("baselines").doing()
        assert (step.node, step.reason) == ("baselines", "predictor 'nearest_person' changed")


def test_a_name_that_nobody_offers_is_an_error_before_anything_runs(project):
    with pytest.raises(LupomError, match="did you mean 'nearest_person'") as raised:
        opened(project, predictors=["nearest_persons"])
    assert raised.value.file == "models/prediction/baselines.py"


def test_the_pages_show_it_as_it_is():
    points = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]["entry-points"]
    for group, module, page in (
        ("lupom.formats", "long.py", "surveys.md"),
        ("lupom.predictors", "nearest.py", "predictors.md"),
    ):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert f"```python\n{(SOURCE / 'lupom_example' / module).read_text()}```" in text
        for name, value in points[group].items():
            assert f'[project.entry-points."{group}"]\n{name} = "{value}"' in text
