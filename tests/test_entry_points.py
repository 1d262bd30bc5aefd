"""What packages offer by entry points: found without an import, used by name, errors say whose."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from lupom import entry_points
from tests.support.third_party_installed import declare, installed

ROOT = Path(__file__).parents[1]
GROUP = "lupom.predictors"


@pytest.fixture
def folder(tmp_path):
    with installed(tmp_path / "site") as path:
        yield path


def another(folder: Path, name: str, value: str, distribution: str = "gizmo") -> None:
    """Install one more package, of which there is nothing but what it says of itself."""
    project = {"name": distribution, "version": "2.1", "entry-points": {GROUP: {name: value}}}
    declare(folder, {"project": project})


def test_lupoms_own_come_first_and_are_those_of_its_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for group in ("lupom.formats", "lupom.providers", GROUP):
        own = {o.name: o.value for o in entry_points.offers(group).values()}
        assert own == project["entry-points"][group]
        for offer in entry_points.offers(group).values():
            assert offer.load() is not None


def test_what_is_installed_is_listed_without_being_imported(folder):
    offer = entry_points.offers(GROUP)["nearest_person"]
    assert (offer.distribution, offer.version) == ("lupom-example", "1.0")
    assert "lupom_example" not in sys.modules
    assert callable(offer.load())


def test_a_var_selects_the_shipped_ones_some_or_all(folder):
    def names(selected):
        return list(entry_points.chosen(GROUP, selected, "predictors"))

    shipped = names(None)
    assert "majority" in shipped
    assert "nearest_person" not in shipped
    # Shipped, and used where it is named.
    assert "forest_answers" not in shipped
    assert sorted(names("all")) == sorted([*shipped, "forest_answers", "nearest_person"])
    assert names(["forest_answers"]) == ["forest_answers"]
    assert names(["nearest_person", "majority"]) == ["nearest_person", "majority"]


@pytest.mark.parametrize(
    ("selected", "message"),
    [
        (["neares_person"], "no predictor 'neares_person'; did you mean 'nearest_person'"),
        (["zzz"], "there is no predictor 'zzz'. There are: majority, majority_group, "),
        (["majority", "majority"], "the var 'predictors' names 'majority' twice"),
        ("majority", r"list of names, or 'all', not 'majority': predictors: \[majority\]"),
        ({"majority": 1}, "list of names, or 'all'"),
    ],
)
def test_a_var_that_selects_nothing_there_is(folder, selected, message):
    with pytest.raises(ValueError, match=message):
        entry_points.chosen(GROUP, selected, "predictors")


def test_a_package_that_cannot_be_imported_harms_nobody_who_does_not_use_it(folder):
    another(folder, "broken", "gizmo_that_is_not_there:thing")
    assert entry_points.find(GROUP, "nearest_person").load()
    with pytest.raises(ValueError, match=r"^gizmo 2\.1 is installed and offers 'broken'") as raised:
        entry_points.find(GROUP, "broken").load()
    assert "ModuleNotFoundError: No module named 'gizmo_that_is_not_there'" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_name_that_two_packages_offer_is_nobodys(folder):
    another(folder, "majority", "gizmo:majority")
    with pytest.raises(ValueError, match="'majority' is offered by lupom and by gizmo; uninstall"):
        entry_points.find(GROUP, "majority")
    with pytest.raises(ValueError, match="offered by lupom and by gizmo"):
        entry_points.offers(GROUP)["majority"].load()


def test_without_a_checkout_lupom_asks_what_is_installed_of_it(monkeypatch, tmp_path):
    entry_points._registered.cache_clear()
    monkeypatch.setattr(entry_points, "_PYPROJECT", tmp_path / "pyproject.toml")
    project = {"name": "lupom", "version": "9", "entry-points": {GROUP: {"one": "m:one"}}}
    declare(tmp_path, {"project": project})
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        assert list(entry_points.offers(GROUP)) == ["one"]
    finally:
        entry_points._registered.cache_clear()
