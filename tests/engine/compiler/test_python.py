"""Python models are read without being run."""

from __future__ import annotations

import pytest

from lupom.engine.compiler.python import (
    Family,
    Resolved,
    expand,
    imported_files,
    imports_of,
    scan,
)
from lupom.engine.errors import CompileError

MODEL = """
from lupom.science import bayes


def model(lupom):
    lupom.config(tags=["a"])
    table = lupom.ref("questions")
    other = lupom.source("panel", "wave")
    seed = lupom.var("seed", 3) + lupom.var("k")
    lupom.embed(["x"], alias="big")
    return table
"""


def test_everything_literal_is_found():
    out = scan(MODEL, "m.py")
    assert [(ref.name, ref.line) for ref in out.refs] == [("questions", 7), ("panel.wave", 8)]
    assert out.vars == {"seed": 3, "k": None}
    assert out.required_vars == {"k": 9}
    assert out.config == {"tags": ["a"]}
    assert out.embeddings == {"big"}


def test_refs_by_a_var_are_found_with_their_var():
    out = scan("def model(x):\n    return x.refs('{}_items', 'waves')", "m.py")
    assert out.families == [Family("{}_items", "waves", 2)]
    assert out.required_vars == {"waves": 2}


def test_a_var_of_names_gives_a_ref_each():
    refs = expand("{}_items", "waves", ["w1", "panel.w2"])
    assert refs == {"w1": "w1_items", "panel.w2": "panel.w2_items"}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "the var 'waves' must be a list of names, not None (waves: [NAME])"),
        ("w1", "the var 'waves' must be a list of names, not 'w1' (waves: [w1])"),
        ([1], "the var 'waves' must be a list of names, not [1]"),
        (["w1", "w2", "w1"], "the var 'waves' names 'w1' twice"),
    ],
)
def test_a_var_that_is_no_list_of_names_is_refused(value, message):
    with pytest.raises(CompileError) as caught:
        expand("{}_items", "waves", value)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def model(x):\n    x.refs(p, 'waves')", "m.py:2: the name must be a literal string"),
        ("def model(x):\n    x.refs('a', 'waves')", "m.py:2: the pattern 'a' must hold {} once"),
        ("def modle(lupom): ...", "m.py: a Python model needs a function 'model'"),
        ("def model(): ...", "m.py:1: a Python model needs a function 'model'"),
        ("def model(x):\n    return x.ref(name)", "m.py:2: the name must be a literal string"),
        ("def model(x):\n  x.config(tags=t)", "m.py:2: the value must be a literal"),
        ("def model(x)\n  return 1", "m.py:1: Python does not parse"),
    ],
)
def test_what_is_not_literal_is_refused_with_its_line(text, message):
    with pytest.raises(CompileError) as caught:
        scan(text, "m.py")
    assert str(caught.value).startswith(message)


def test_imports_are_followed_within_the_roots(tmp_path):
    science = tmp_path / "science"
    (science / "bayes").mkdir(parents=True)
    (science / "__init__.py").write_text("")
    (science / "bayes" / "__init__.py").write_text("from lupom.science.bayes.scores import bic\n")
    (science / "bayes" / "scores.py").write_text("import numpy\nfrom . import counting\n")
    (science / "bayes" / "counting.py").write_text("")
    (science / "other.py").write_text("")
    project = tmp_path / "project"
    project.mkdir()
    (project / "helpers.py").write_text("")
    roots = {"": project, "lupom.science": science}
    found = imported_files(
        ["lupom.science", "lupom.science.bayes", "helpers", "numpy"],
        project / "m.py",
        roots,
        lambda path: imports_of(path.read_bytes()),
        Resolved(),
    )
    names = {path.relative_to(tmp_path).as_posix() for path in found}
    assert names == {
        "science/__init__.py",
        "science/bayes/__init__.py",
        "science/bayes/scores.py",
        "science/bayes/counting.py",
        "project/helpers.py",
    }


def test_embeddings_that_are_handed_on_are_known():
    handed = scan("def model(lupom):\n    return cluster(lupom.ref('x'), lupom.embed)\n", "m.py")
    assert handed.embeddings == {"default"}
