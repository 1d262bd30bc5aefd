"""Answers said in a plain sentence of German, French or Spanish: "Die Antwort ist B", "Creo que B".

Models that are asked in a language answer in it. Only whole sentences of a fixed form are read,
with a reason behind them at most; whatever else is said of an option is no answer here.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_ADVERBS = (
    r"(?: (?:wahrscheinlich|vermutlich|daher|also|probablement|donc|probablemente|por tanto))?"
)
_THING = (
    r"(?:(?:die|meine|seine|ihre|la|ma|sa|mi|su)"
    r"(?: (?:wahrscheinlichste|beste|richtige|vorhergesagte|meilleure|mejor))?"
    r" (?:antwort|wahl|option|r\u00e9ponse|r\u00e9ponse correcte|r\u00e9ponse finale|respuesta"
    r"|respuesta correcta|respuesta final|opci\u00f3n)"
    rf" (?:ist|lautet|w\u00e4re|est|serait|es|ser\u00eda){_ADVERBS})"
)
_WHO = (
    r"(?:ich|er|sie|(?:die|der) befragte(?: person)?|die person|je|il|elle|on|la personne"
    r"|le r\u00e9pondant|la r\u00e9pondante|yo|\u00e9l|ella|la persona|el encuestado"
    r"|la encuestada)"
)
_SAYS = (
    r"(?:denke|glaube|sch\u00e4tze|vermute|w\u00e4hle|antworte|tippe auf|w\u00fcrde sagen"
    r"|pense|crois|dirais|dirait|choisis|choisirais|choisirait|r\u00e9pondrais|r\u00e9pondrait"
    r"|opterais pour|opterait pour"
    r"|creo|pienso|dir\u00eda|elijo|elegir\u00eda|escojo|escoger\u00eda|responder\u00eda"
    r"|contestar\u00eda)"
)
_THAT = r"(?:,? (?:dass|que))?(?: c['\u2019]est| es)?"
_SIGN = r"(?P<sign> ?[:,])?"
# "weil", "car", "porque": what follows is the reason.
_WHY = (
    r"(?P<why>,? (?:weil|da|denn|car|parce qu(?:e|['\u2019])|puisqu(?:e|['\u2019])|porque|ya que"
    r"|pues)\b.*)?"
)
_FRAMES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?P<is>{_THING}){_SIGN} (?P<said>\S.*?){_WHY}",
        rf"(?:{_WHO} )?{_SAYS}{_ADVERBS}{_THAT}{_SIGN} (?P<said>\S.*?){_WHY}",
        # The verb stands last.
        rf"{_WHO} w\u00fcrde(?:n)?{_ADVERBS} (?P<said>\S.*?)"
        rf" (?:w\u00e4hlen|antworten|sagen|nehmen|ankreuzen){_WHY}",
    )
)
# A reason why there is no answer is none for one.
_UNSURE = re.compile(
    r"\b(?:keine?|unm\u00f6glich|nicht (?:genug|beantwort\w+|sagen|wissen)|impossible|manque|pas"
    r"|falta\w*|imposible|no (?:puedo|se puede|hay|s\u00e9))\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?])(?<!\b[A-Za-z]\.)\s+|\n+")
_OPTION = re.compile(
    r"(?:die |l['\u2019]|la )?(?:option|antwort|r\u00e9ponse|opci\u00f3n|respuesta) ", re.IGNORECASE
)
_QUOTES = "\"'*\u201c\u201d\u201e\u00ab\u00bb \u00a0"


def said(text: str, meant: Callable[[str], str | None]) -> set[str]:
    """Return the option that the last sentence of a text answers with in one of these forms.

    `meant` tells which option a few words are. A letter in small is a word, and behind "is" an
    option has its own letters: "la respuesta es buena" says something of the answer.
    """
    last = _SENTENCE.split(text.strip())[-1]
    one = " ".join(last.replace("\u00a0", " ").split()).strip("* ").rstrip(".!* ")
    for frame in _FRAMES:
        match = frame.fullmatch(one)
        if match is None or _UNSURE.search(match["why"] or ""):
            continue
        told = _OPTION.sub("", match["said"], count=1).strip(_QUOTES)
        option = meant(told)
        if option is None or (len(told) == 1 and told.islower()):
            continue
        marked = match.groupdict().get("sign") or match["said"][0] in _QUOTES
        about = match.groupdict().get("is") and not marked
        if about and told.casefold() == option.casefold() and told != option:
            continue
        return {option}
    return set()
