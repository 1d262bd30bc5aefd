"""Names and options as people give them to functions and options: found, or what was meant."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from lupom.engine.errors import UsageError, did_you_mean


def found(word: object, known: Collection[str], message: str) -> str:
    """Return which of the known names a word is: itself, or that in another case.

    Raises UsageError, `message` and the word, with the likely intention, where it is none of them.
    """
    word = str(word)  # of Python, where a number may be given
    if word in known:
        return word
    same = [name for name in known if name.strip().casefold() == word.strip().casefold()]
    if len(same) == 1:
        return same[0]
    there = ", ".join(list(known)[:20]) or "none"
    raise UsageError(f"{message} '{word}'", hint=did_you_mean(word, known) or f"there are {there}")


def several(names: str | Iterable[str], what: str) -> tuple[str, ...]:
    """Return names given as one text or as several; raises UsageError for what is neither."""
    if isinstance(names, str):
        return (names,)
    try:
        out = tuple(names)
    except TypeError:
        out = (names,)  # type: ignore[assignment]
    strange = next((name for name in out if not isinstance(name, str)), None)
    if strange is not None:
        raise UsageError(f"{what} are names, and {strange!r} is a {type(strange).__name__}")
    return out
