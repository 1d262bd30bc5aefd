"""What installed packages offer LUPoM, by entry points; none is imported before it is used.

A group (such as lupom.formats) holds names, and each name an object of a package. What
LUPoM ships is registered in its own pyproject.toml, as any package's is in its.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

OWN = "lupom"
ALL = "all"
# What LUPoM ships and does not use unless it is named: docs/predictors.md has what each adds.
BY_NAME_ONLY = frozenset({("lupom.predictors", "forest_answers")})

_PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


@dataclass(frozen=True, slots=True)
class Offer:
    """An object that a package offers: its group and name, where it is, and whose it is.

    `value` is 'package.module:object'. `rivals` are other distributions that offer the same name.
    """

    group: str
    name: str
    value: str
    distribution: str
    version: str
    rivals: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        return self.value.partition(":")[0].strip()

    def load(self) -> Any:
        """Import the package and return the object.

        Raises ValueError, in one line that names the distribution, for whatever the import raises,
        and as `sole` does.
        """
        self.sole()
        point = importlib.metadata.EntryPoint(self.name, self.value, self.group)
        try:
            return point.load()
        except (Exception, SystemExit) as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())
            raise ValueError(
                f"{self.distribution} {self.version} is installed and offers {self.name!r} "
                f"({self.group}), but {self.value} cannot be imported: {said}; "
                f"update that package or uninstall it"
            ) from error

    def sole(self) -> Offer:
        """Return this; raises ValueError where several packages offer the same name."""
        if self.rivals:
            raise ValueError(
                f"the {kind(self.group)} {self.name!r} is offered by {self.distribution} and by "
                f"{', '.join(self.rivals)}; uninstall all but one of them"
            )
        return self


def offers(group: str) -> dict[str, Offer]:
    """Return what is offered in a group, by name: LUPoM's own first, in its order, then by name."""
    found: dict[str, Offer] = {}
    for offer in [
        *own(group).values(),
        *sorted(_others(group), key=lambda o: (o.name, o.distribution)),
    ]:
        first = found.setdefault(offer.name, offer)
        if first is not offer:
            rivals = (*first.rivals, offer.distribution)
            found[offer.name] = Offer(
                group, first.name, first.value, first.distribution, first.version, rivals
            )
    return found


def own(group: str) -> dict[str, Offer]:
    """Return what LUPoM itself offers in a group, by name; no other package is looked for."""
    registered = _registered().get(group, {})
    return {name: Offer(group, name, value, OWN, _version()) for name, value in registered.items()}


def find(group: str, name: str) -> Offer:
    """Return one offer.

    Raises
    ------
    ValueError : for a name that nobody offers, with the one that was probably meant and those there
        are; and for one that several packages offer.
    """
    return _one_of(offers(group), group, name)


def _one_of(known: Mapping[str, Offer], group: str, name: str) -> Offer:
    if name not in known:
        what = kind(group)
        near = get_close_matches(str(name), sorted(known), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"there is no {what} {name!r}{hint or '.'} There are: {', '.join(known)}")
    return known[name].sole()


def kind(group: str) -> str:
    """Return what a group holds, as one of them is called: 'predictor' of 'lupom.predictors'."""
    return group.rpartition(".")[2].removesuffix("s")


def chosen(group: str, selected: Any, var: str) -> dict[str, Offer]:
    """Return the offers that a var selects, by name.

    Parameters
    ----------
    selected : a list of names; 'all', whatever is installed; or None, what LUPoM ships but for what
        is used by name only.
    var : its name, for messages.

    Raises
    ------
    ValueError : as `find` does, and for a value that is none of these, or names one twice.
    """
    known = offers(group)
    if selected is None:
        return {
            name: offer
            for name, offer in known.items()
            if offer.distribution == OWN and (group, name) not in BY_NAME_ONLY
        }
    if selected == ALL:
        return {name: offer.sole() for name, offer in known.items()}
    if not isinstance(selected, list) or not all(isinstance(name, str) for name in selected):
        listed = selected if isinstance(selected, str) else "NAME"
        raise ValueError(
            f"the var '{var}' is a list of names, or '{ALL}', not {selected!r}: {var}: [{listed}]"
        )
    twice = next((name for name in selected if selected.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"the var '{var}' names {twice!r} twice")
    return {name: _one_of(known, group, name) for name in selected}


def _others(group: str) -> tuple[Offer, ...]:
    return _installed(group, tuple(_changed(place) for place in sys.path))


def _changed(place: str) -> tuple[str, int]:
    """Return a place where packages are, and when one was last installed there or taken away."""
    try:
        return place, os.stat(place or ".").st_mtime_ns
    except OSError:
        return place, 0


@lru_cache(maxsize=64)
def _installed(group: str, places: tuple[tuple[str, int], ...]) -> tuple[Offer, ...]:
    """Return what others than LUPoM offer in a group.

    Every project that is opened asks, and looking through 250 packages takes 8 ms: once, until
    something is installed.
    """
    found: list[Offer] = []
    for package in importlib.metadata.distributions():
        text = package.read_text("entry_points.txt")
        if text is None or f"[{group}]" not in text or (name := package.name).casefold() == OWN:
            continue
        # A package that is there twice is the one that comes first on the path.
        if importlib.metadata.distribution(name).read_text("entry_points.txt") == text:
            points = package.entry_points.select(group=group)
            found += [Offer(group, p.name, p.value, name, package.version) for p in points]
    return tuple(dict.fromkeys(found))


@cache
def _registered() -> Mapping[str, Mapping[str, str]]:
    """Return what LUPoM's own distribution registers, by group.

    A checkout is asked itself: what `pip install -e` noted of it is as old as that command.
    """
    if _PYPROJECT.is_file():
        project = tomllib.loads(_PYPROJECT.read_text(encoding="utf-8")).get("project", {})
        if project.get("name") == OWN:
            groups: Mapping[str, Mapping[str, str]] = project.get("entry-points", {})
            return groups
    found: dict[str, dict[str, str]] = {}
    for point in importlib.metadata.distribution(OWN).entry_points:
        found.setdefault(point.group, {})[point.name] = point.value
    return found


def _version() -> str:
    from lupom.version import __version__

    return __version__
