"""models/vars.yml says of every var that the shipped models read what it may be."""

from __future__ import annotations

import ast
import re

from lupom.engine.compiler.python import scan
from lupom.engine.project.discovery import read_project
from tests.support.fake_project import ROOT

FILES = read_project(ROOT)
READ = re.compile(r"""\bvar\(\s*['"](\w+)['"]\s*(?:,\s*(\[.*?\]|'.*?'|[\d.]+))?\s*\)""")


def test_every_var_is_declared_and_its_default_is_one_it_may_be():
    defaults: dict[str, list] = {}
    for model in FILES.models:
        text = (ROOT / model).read_text(encoding="utf-8")
        if model.endswith(".py"):
            found = scan(text, model).vars.items()
        else:
            found = ((name, ast.literal_eval(default)) for name, default in READ.findall(text))
        for name, default in found:
            defaults.setdefault(name, []).append(default)
    assert len(defaults) > 60
    assert defaults.keys() == FILES.var_types.keys()
    for name, values in defaults.items():
        block = FILES.var_types[name].block
        assert block.description
        for value in values:
            assert block.allows(value) or (name == "surveys" and value is None), (name, value)
