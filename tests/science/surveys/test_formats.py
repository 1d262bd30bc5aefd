"""Which format reads a file: by its name, by what is in it, or as told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lupom import entry_points
from lupom.science.surveys import formats
from lupom.science.surveys.columns import Column, File
from lupom.science.surveys.formats import Asked, Format

PAGE = (Path(__file__).parents[3] / "docs" / "surveys.md").read_text(encoding="utf-8")
PLAIN = "id,trust\n1,Yes\n2,No\n"
# What is offered, in tests that need more than is installed.
NOTES = Format(
    "Notes", lambda path, asked: File(path.name, [Column("q", ["Yes", "No"])]), (".note",)
)


@pytest.fixture
def offered(monkeypatch):
    """Offer formats of a package beside LUPoM's own; an exception is what its import raises."""
    own = entry_points.offers(formats.GROUP)
    others: dict[str, Format | Exception] = {}

    def load(offer):
        found = others.get(offer.name) or offer.load()
        if isinstance(found, Exception):
            raise found
        return found

    def offers(group):
        new = {n: entry_points.Offer(group, n, f"gizmo:{n}", "gizmo", "2.1") for n in others}
        return own | new

    monkeypatch.setattr(entry_points, "offers", offers)
    monkeypatch.setattr(formats, "load", load)
    return others


def write(path: Path, text: str = PLAIN) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_page_lists_those_that_are_shipped_with_their_suffixes():
    for offer in entry_points.offers(formats.GROUP).values():
        (row,) = re.findall(rf"^\| `{offer.name}` \| (.*) \|$", PAGE, re.M)
        assert set(re.findall(r"`(\.\w+)`", row)) == set(formats.load(offer).suffixes)


def test_a_suffix_nobody_has_is_an_error_with_the_nearest(tmp_path):
    with pytest.raises(ValueError, match=r"x\.csb: \.csb is none of .*did you mean \.csv\?"):
        formats.read(write(tmp_path / "x.csb"), Asked())
    assert formats.read(write(tmp_path / "x.csb"), Asked(), "csv").rows == 2


def test_a_name_nobody_has_is_an_error_with_the_nearest(tmp_path):
    with pytest.raises(ValueError, match=r"no format 'exel'; did you mean 'excel'"):
        formats.read(write(tmp_path / "x.csv"), Asked(), "exel")


def test_another_package_reads_files_of_its_own(tmp_path, offered):
    offered["notes"] = NOTES
    file = formats.read(write(tmp_path / "x.note"), Asked())
    assert file.columns[0].values == ["Yes", "No"]
    assert file.notes == ["read by the format 'notes' of gizmo 2.1"]


def test_what_knows_a_file_by_its_content_goes_before_what_goes_by_its_suffix(tmp_path, offered):
    offered["poll"] = Format("", NOTES.read, (".csv",), lambda path, _: "poll" in path.read_text())
    assert formats.read(write(tmp_path / "a.csv"), Asked()).columns[0].name == "id"
    assert formats.read(write(tmp_path / "b.csv", "poll\n1\n"), Asked()).columns[0].name == "q"


def test_two_that_may_be_meant_are_told(tmp_path, offered):
    offered["notes"], offered["jots"] = NOTES, NOTES
    with pytest.raises(ValueError, match=r"may be notes \(gizmo\) or jots \(gizmo\); .* --format"):
        formats.read(write(tmp_path / "x.note"), Asked())
    assert formats.read(write(tmp_path / "x.note"), Asked(), "jots").rows == 2


def test_one_that_cannot_be_loaded_is_told_only_where_it_may_have_been_meant(tmp_path, offered):
    offered["broken"] = ValueError("gizmo 2.1 is installed and offers 'broken', but ...")
    assert formats.read(write(tmp_path / "x.csv"), Asked()).rows == 2
    with pytest.raises(ValueError, match=r"\.note is none of .*; gizmo 2\.1 is installed and"):
        formats.read(write(tmp_path / "x.note"), Asked())


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda path, asked: {}["row"], "'notes' of gizmo 2.1 failed: KeyError: 'row'"),
        (lambda path, asked: [], "read it as list, and not as a File"),
        (
            lambda path, asked: File("x", [Column("a", ["1"]), Column("b", [])]),
            "the column 'b' has 0 values, and 'a' has 1",
        ),
        (lambda path, asked: File("x", [Column("a", [])]), "there are columns but no rows"),
    ],
)
def test_a_reader_of_others_that_fails_is_named(tmp_path, offered, read, message):
    offered["notes"] = Format("", read, (".note",))
    with pytest.raises(ValueError, match=re.escape(message)):
        formats.read(write(tmp_path / "x.note"), Asked())
