"""lupom network: rows on stdout, in three formats, or the whole network; slips in words."""

from __future__ import annotations

import csv
import io
import json

import pytest

from lupom import Project
from lupom.cli.group import main
from lupom.science.bayes import from_bif
from tests.support.personas_project import make


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = make(tmp_path_factory.mktemp("network") / "project")
    with Project(path) as project:
        project.run()
    return path


@pytest.fixture
def lupom(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(["network", *arguments])
        out = capsys.readouterr()
        return caught.value.code, out.out, out.err

    return run


def test_the_command_prints_what_the_call_returns(lupom, folder):
    with Project(folder) as project:
        expected = project.network({"News": "never"}, ["trust_1"], survey="panel")
    asked = ("--survey", "panel", "--given", "News = never", "--show", "trust_1")
    code, out, err = lupom(*asked, "--format", "json")
    assert (code, err) == (0, "")
    assert [tuple(row.values()) for row in json.loads(out)] == expected.rows()
    _, out, _ = lupom(*asked, "--format", "csv")
    lines = list(csv.DictReader(io.StringIO(out)))
    assert [float(line["probability"]) for line in lines] == [row[5] for row in expected.rows()]
    code, out, _ = lupom(*asked)
    assert code == 0
    assert "Trust" in out
    assert f"{expected.rows()[0][5]:.3f}" in out


def test_the_whole_network_goes_to_stdout(lupom):
    code, out, err = lupom("--survey", "panel", "--network", "bic", "--format", "bif")
    assert (code, err) == (0, "")
    assert from_bif(out)[0].names == ("news", "trust_1", "trust_2", "trust_in_science")
    code, _, err = lupom("--survey", "panel", "--format", "bif", "--show", "news")
    assert code == 2
    assert "leave out --given and --show" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "has 2 surveys; say which"),
        (("--survey", "panel", "--given", "News"), "no '='"),
        (("--survey", "panel", "--given", "News=nevr"), "did you mean 'never'"),
        (("--survey", "panel", "--show", "Newz"), "did you mean 'News'"),
    ],
)
def test_a_slip_is_exit_code_2_and_one_line_on_stderr(lupom, arguments, message):
    code, out, err = lupom(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
