"""docs/tutorial.md, typed as it stands there: with a scripted LLM, and with the embedded one."""

from __future__ import annotations

import io
import re
import shlex
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from lupom import Project
from lupom.cli.group import main
from tests.support.answers import personas
from tests.support.llm_server import LLMServer
from tests.support.shipped import RESPONSES, SMALL_EVALUATION, read_csv, write_csv

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^\n]*?) -->\n)?```(?P<kind>sh|diff|)\n(?P<text>.*?)```", re.S
)
EMBEDDED = "  default:\n    provider: embedded\n    concurrency: 4"


def commands(block: str) -> list[list[str]]:
    """Split a block of shell into commands; a quoted argument may go over several lines."""
    lines: list[list[str]] = []
    rest = ""
    for line in block.splitlines(keepends=True):
        rest += line
        try:
            lines.append(shlex.split(rest, comments=True))
        except ValueError:  # a quotation that ends on a later line
            continue
        rest = ""
    assert not rest
    return [line for line in lines if line]


def edit(path: Path, diff: str) -> None:
    """Do what a diff of whole lines' beginnings says."""
    text = path.read_text(encoding="utf-8")
    old = [line[1:] for line in diff.splitlines() if line.startswith("-")]
    new = [line[1:] for line in diff.splitlines() if line.startswith("+")]
    assert len(old) == len(new)
    for before, after in zip(old, new, strict=True):
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    path.write_text(text, encoding="utf-8")


def expected(text: str) -> re.Pattern[str]:
    """Return what output must match: '...' is anything on a line, lines may have others between.

    Sentences are broken into lines by the length of their words, names of predictors among them.
    """
    lines = [
        r"[^\n]*".join(
            r"\s+".join(re.escape(word) for word in part.split()) for part in line.split("...")
        )
        for line in text.strip().splitlines()
    ]
    return re.compile(r"[^\n]*\n(?:.*\n)??".join(lines), re.S)


def replaced(text: str, words: dict[str, str]) -> str:
    for old, new in words.items():
        text = re.sub(rf"\b{old}\b", new, text)
    return text


def type_all(lupom, folder: Path, words: dict[str, str], page: str = PAGE) -> list[str]:
    """Type the tutorial, some words of what is expected replaced; returns what was said."""
    said: list[str] = []
    for block in BLOCK.finditer(page):
        mark, kind, text = block["mark"] or "", block["kind"], block["text"]
        if mark.startswith("not run"):
            continue
        if kind == "diff":
            edit(folder / "demo" / mark.removeprefix("edit: "), text)
        elif kind == "sh":
            for command in commands(text):
                said.append(lupom(*command))
        else:
            assert mark == "expect", text
            text = replaced(text, words)
            assert expected(text).search(said[-1]), f"{text}\nis not in\n{said[-1]}"
    return said


class Shell:
    """Runs commands of the tutorial in the folder it has gone to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def __call__(self, program: str, *arguments: str) -> str:
        """Run a command that must succeed; returns all that was printed."""
        if program == "cd":
            self.monkeypatch.chdir(Path.cwd() / arguments[0])
            return ""
        assert program == "lupom"
        out = io.StringIO()
        with redirect_stdout(out), redirect_stderr(out), pytest.raises(SystemExit) as caught:
            main(list(arguments))
        assert caught.value.code == 0, f"{arguments}\n{out.getvalue()}"
        return out.getvalue()


class Small(Shell):
    """The same on the first of the survey's people, with some lines of the settings replaced."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, respondents: int, lines: dict[str, str]
    ) -> None:
        super().__init__(monkeypatch)
        self.respondents = respondents
        few = "".join(f"\n  {name}: {value}" for name, value in SMALL_EVALUATION.items())
        self.lines = {"test_pairs: 1000": f"test_pairs: 200{few}", **lines}
        self.words: dict[str, str] = {}

    def __call__(self, program: str, *arguments: str) -> str:
        said = super().__call__(program, *(replaced(word, self.words) for word in arguments))
        if arguments[:1] == ("init",):
            self._made_small()
        elif arguments == ("run",) and not self.words:
            # Of fewer people others are held out than those the tutorial looks at.
            pair = super().__call__(
                "lupom", "query", "from llm_pairs select respondent_id, question_id where role ="
                " 'test' order by all limit 1", "--format", "csv",
            ).split()[1]  # fmt: skip
            self.words.update(zip(("1725", "nateduc"), pair.split(","), strict=True))
        return said

    def _made_small(self) -> None:
        settings = Path("demo", "lupom_project.yml")
        text = settings.read_text(encoding="utf-8")
        for line, other in self.lines.items():
            assert line in text
            text = text.replace(line, other, 1)
        settings.write_text(text, encoding="utf-8")
        path = Path("demo", RESPONSES)
        write_csv(path, read_csv(path)[: self.respondents + 1])


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """The tutorial typed with a scripted LLM: its folder, what was said, words replaced."""
    folder = tmp_path_factory.mktemp("tutorial")
    with LLMServer(answers=personas) as server, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        served = f"{{provider: openai, base_url: {server.base_url}, model: m, profile: small}}"
        shell = Small(monkeypatch, 300, {EMBEDDED: f"  default: {served}"})
        said = type_all(shell, folder, shell.words)
        yield folder, said, shell.words


def test_the_tutorial_with_a_scripted_llm_and_few_respondents(typed):
    folder, said, _ = typed
    runs = [text for text in said if " Done in " in text]
    # The first run, the predictions of the edited prompt, and a build that finds nothing stale.
    calls = [int(n) for text in runs for n in re.findall(r"(\d+) LLM calls, ", text)]
    assert len(runs) == 3
    assert calls[1:] == [72]
    assert calls[0] > 72
    results = folder / "demo" / "results"
    assert sorted(f.name for f in results.iterdir()) == ["personas_wide.csv", "predictions.csv"]
    assert (folder / "demo" / "target" / "site" / "index.html").is_file()


def test_the_page_on_python_runs_as_written(typed, monkeypatch, capsys):
    folder, _, words = typed
    monkeypatch.chdir(folder)
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    code = replaced("\n".join(re.findall(r"```python\n(.*?)```", page, re.S)), words)
    exec(compile(code, "python.md", "exec"), {})
    out = capsys.readouterr().out
    assert "success" in out
    assert "prediction_answers: survey gss_2018" in out
    assert Path(folder, "results", "personas_wide.csv").is_file()


@pytest.mark.embedded
def test_the_tutorial_with_the_embedded_llm_and_few_respondents(tmp_path, monkeypatch):
    """Every stage with real answers: personas are inferred, refined, matched and used.

    As far as the first change of a prompt: what follows is about what is asked again.
    """
    monkeypatch.chdir(tmp_path)
    sizes = {
        "llm_test_respondents: 8": "llm_test_respondents: 1",
        "llm_reference_respondents: 10": "llm_reference_respondents: 2",
        "llm_pairs: 20": "llm_pairs: 1",
        "llm_tuning_pairs: 16": "llm_tuning_pairs: 0",
        "small_llm_questions: 12": "small_llm_questions: 2",
        "{low: 4, mid: 3, high: 3}": "{low: 2, mid: 2, high: 2}",
    }
    shell = Small(monkeypatch, 400, sizes)
    type_all(shell, tmp_path, shell.words, PAGE[: PAGE.index("```diff")])
    assert "tests passed" in shell("lupom", "test")
    with Project(tmp_path / "demo") as project:

        def one(sql):
            ((value,),) = project.query(sql).rows()
            return value

        assert one("select count(*) from persona_dimensions") >= 3
        assert one("select count(distinct level) from persona_dimensions") >= 2
        assert one("select count(distinct respondent_id) from persona_values") == 3
        assert one("select count(*) from refined_persona_values") > 0
        assert one("select count(*) from similar_respondents") > 0
        assert one("select count(*) from predictions") == 2 * one("select count(*) from llm_pairs")
        assert one("select count(*) from llm_pairs where role = 'test'") == 1
        assert one("select count(*) from metrics where pairs = 'llm'") > 0
        # Values are candidate values, whatever a model of this size would rather say.
        others = one(
            """
            select count(*)
            from persona_values join persona_dimensions using (survey, dimension_id)
            where value is not null and not list_contains(candidate_values, value)
            """
        )
        assert others == 0


def test_what_is_installed_is_what_the_readme_installs():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = next(b["text"] for b in BLOCK.finditer(PAGE) if (b["mark"] or "").startswith("not run"))
    for line in ("python3.11 -m venv .venv", "pip install -e .", "lupom setup"):
        assert line in block
        assert line.removeprefix("lupom ") in readme
