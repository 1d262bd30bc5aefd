"""Formats of survey files, LUPoM's own and those that other packages add: which reads what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from lupom import entry_points
from lupom.entry_points import Offer
from lupom.science.surveys.columns import File, check

if TYPE_CHECKING:
    from lupom.science.surveys.layout import Layout

GROUP = "lupom.formats"


@dataclass(frozen=True)
class Asked:
    """What the user said of a file: the survey's name, an encoding, a Qualtrics definition.

    `codebook` says what its columns and codes mean; with `beside`, a file beside it that plainly
    does is looked for where none is given.
    With `guess` false it is known what its columns are: which of them are choices of a question
    where several count is not to be told by what they hold.
    """

    survey: str = ""
    encoding: str | None = None
    qsf: Path | None = None
    guess: bool = True
    codebook: Path | None = None
    beside: bool = False


@dataclass(frozen=True)
class Format:
    """A format of survey files.

    Attributes
    ----------
    title : one line that names it for people.
    read : a path and what was asked to a `columns.File` (a codebook is then guessed, or applied),
        or to a `layout.Layout` that is checked; raises ValueError that names the file and what is
        wrong in it, and where.
    suffixes : of its files, in lower case and with their dot.
    recognises : whether a file with such a suffix, or a folder, is of this format, by what is in
        it. It goes before formats that take whatever has the suffix.
    folder : whether it is a folder of several files.
    """

    title: str
    read: Callable[[Path, Asked], File | Layout]
    suffixes: tuple[str, ...] = ()
    recognises: Callable[[Path, Asked], bool] | None = None
    folder: bool = False

    def may_be(self, path: Path) -> bool:
        """Say whether a path can be of this format, by its name and by being a folder or not."""
        if path.is_dir():
            return self.folder
        return not self.folder and path.suffix.lower() in self.suffixes


def load(offer: Offer) -> Format:
    """Return the format of an entry point; raises ValueError where it is none, or not to be had."""
    found = offer.load()
    if not isinstance(found, Format):
        raise ValueError(
            f"{offer.distribution} {offer.version} offers the format {offer.name!r}, but "
            f"{offer.value} is {type(found).__name__} and no lupom.science.surveys.formats.Format"
        )
    return found


def read(path: Path, asked: Asked, name: str | None = None) -> File | Layout:
    """Read a file or folder of survey data.

    Parameters
    ----------
    path : a file, or a folder where the format is one.
    name : of the format; by default the one whose file this is.

    Raises
    ------
    ValueError : where no format is this file's, or several are; and as the format's reader does.
    ModuleNotFoundError : when the format needs a package that is not installed.
    """
    offer, chosen = _choose(path, asked, name)
    if offer.distribution == entry_points.OWN:
        if asked.codebook is not None and chosen.folder:
            raise ValueError(f"{path.name}: a folder of tables has its own codebook, info.csv")
        return chosen.read(path, asked)
    by = f"the format {offer.name!r} of {offer.distribution} {offer.version}"
    try:
        found = chosen.read(path, asked)
    except (ValueError, OSError, ModuleNotFoundError):
        raise
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{path.name}: {by} failed: {said}") from error
    from lupom.science.surveys.layout import Layout

    if isinstance(found, File):
        found = described(check(found), path, asked)
    elif isinstance(found, Layout):
        found.check(asked.survey)
    else:
        raise ValueError(f"{path.name}: {by} read it as {type(found).__name__}, and not as a File")
    found.notes.append(f"read by {by}")
    return found


def described(file: File, path: Path, asked: Asked) -> File:
    """Return a file that was read with what its codebook says, or the one beside it, if asked.

    Raises ValueError for a codebook that was named and cannot be read, or is another file's.
    """
    if asked.codebook is None and not asked.beside:
        return file
    from lupom.science.surveys.dictionaries import describing

    if asked.codebook is not None:
        return describing.described(file, asked.codebook, encoding=asked.encoding)
    return describing.described_beside(file, path, encoding=asked.encoding)


def _choose(path: Path, asked: Asked, name: str | None) -> tuple[Offer, Format]:
    if name is not None:
        offer = entry_points.find(GROUP, name)
        return offer, load(offer)
    sure: list[tuple[Offer, Format]] = []
    likely: list[tuple[Offer, Format]] = []
    suffixes: list[str] = []
    broken: list[str] = []
    for offer in entry_points.offers(GROUP).values():
        try:
            found = load(offer)
            suffixes += found.suffixes
            if not found.may_be(path):
                continue
            if found.recognises is None:
                likely.append((offer, found))
            elif found.recognises(path, asked):
                sure.append((offer, found))
        except Exception as error:
            if offer.distribution == entry_points.OWN:
                raise
            broken.append(str(error))
    fit = sure or likely
    own = [one for one in fit if one[0].distribution == entry_points.OWN]
    if len(own or fit) == 1:
        return (own or fit)[0]
    if fit:
        listed = " or ".join(f"{o.name} ({o.distribution})" for o, _ in fit)
        raise ValueError(f"{path.name}: this may be {listed}; say which with --format")
    # What cannot be loaded is told where it may have been what was wanted, and only there.
    also = "".join(f"; {said}" for said in broken)
    if path.is_dir():
        raise ValueError(f"{path.name}: no format reads this folder{also}")
    suffix, listed = path.suffix.lower(), ", ".join(dict.fromkeys(suffixes))
    close = get_close_matches(suffix, suffixes, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise ValueError(
        f"{path.name}: {suffix or 'a file without a suffix'} is none of the formats that can "
        f"be read: {listed}{hint}{also}"
    )
