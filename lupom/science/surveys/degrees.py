"""Scales of one word in degrees, in several languages: 'sehr wichtig', 'wichtig', 'kaum wichtig'.

Of each option the words that grade are taken away; where the options then say the same, or one of
a pair of opposites, they are a scale. The words are those of the platforms' answer scales in
English, German, French, Spanish, Portuguese, Italian and Dutch, without accents.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lupom.science.surveys import languages

# How far from the middle, by the words for it; no such word is _BARE. Longer ones come first.
_DEGREES = (
    (
        4.0,
        r"extremely|absolutely|completely|totally|entirely|fully|strongly|voll und ganz|voll"
        r"|vollig|vollstandig|vollkommen|ausserst|extrem|stark|tout a fait|totalement|entierement"
        r"|extremement|fortement|totalmente|completamente|extremadamente|extremamente|muchisimo"
        r"|del tutto|estremamente|fortemente|pienamente|helemaal|volledig|volkomen|uiterst|sterk",
    ),
    (3.0, r"very|highly|really|a lot|sehr|tres|beaucoup|muy|mucho|muito|molto|zeer|heel|erg"),
    (
        1.6,
        r"fairly|quite|pretty|mostly|ziemlich|weitgehend|assez|bastante|abbastanza|redelijk|tamelijk",
    ),
    (1.3, r"moderately|massig|mittelmassig|moderement|moderadamente|moderatamente|matig"),
    (
        1.0,
        r"rather|somewhat|more or less|eher|etwas|teilweise|plutot|mas bien|algo|un tanto|em parte"
        r"|piuttosto|enigszins|eerder|parcialmente|partially|partly",
    ),
)
_SLIGHTLY = (
    r"slightly|a little|a bit|ein wenig|ein bisschen|un peu|un poco|um pouco|un po|een beetje"
)
_BARE = 2.0
# Less than the middle without a "not".
_LITTLE = r"hardly|barely|little|kaum|wenig|weniger|peu|poco|pouco|weinig|nauwelijks"
_NOT_VERY = (
    r"not (?:very|too|so|that|really|particularly|especially)|nicht (?:so|sehr|besonders)"
    r"|pas (?:tres|vraiment)|no muy|nao muito|non molto|niet (?:zo|erg)"
)
_NONE = (
    r"not at all|gar nicht|uberhaupt nicht|pas du tout|para nada|nada|de modo nenhum|per niente"
    r"|per nulla|affatto|helemaal niet|at all"
)
# What a degree may be said after: 'Yes, very much'.
# "No muy" is a degree of its own.
_SAID = re.compile(
    r"^(?:(?:yes|ja|oui|si|sim)\b,?|(?:no|nein|non|nao|nee)\b(?:,|(?= n[io]t))) (?=\S)"
)
_NOT = r"not|nicht|pas|ne|no|nao|non|niet|keine?|kein"
# A low and a high word; 'un-', 'dis-', 'in-' and the like make more.
_POLES = (
    (r"disagree", r"agree"),
    (r"difficult|hard", r"easy|simple"),
    (r"schwer|schwierig", r"leicht|einfach"),
    (r"difficile", r"facile"),
    (r"dificil", r"facil"),
    (r"moeilijk", r"makkelijk|gemakkelijk"),
    (r"schlecht", r"gut"),
    (r"mauvais(?:es?)?|mal", r"bon(?:nes?|s)?|bien"),
    (r"mal[oa]?", r"buen[oa]|bien"),
    (r"ruim|mau", r"boa|bom"),
    (r"cattiv[oa]|male|scars[oa]", r"buon[oa]|bene"),
    (r"slecht", r"goed"),
    (r"low", r"high"),
    (r"niedrig|gering", r"hoch"),
    (r"baj[oa]", r"alt[oa]"),
    (r"selten", r"haufig|oft"),
    (r"rarely|seldom", r"often|frequent(?:ly)?"),
    (r"rarement", r"souvent"),
    (r"raramente|rara vez|pocas veces", r"frecuentemente|a menudo|frequentemente|muchas veces"),
    (r"zelden", r"vaak"),
    (r"raramente", r"spesso"),
    (r"en desacuerdo|desacuerdo", r"de acuerdo|acuerdo"),
    (r"em desacordo|discordo|desacordo", r"de acordo|concordo|acordo"),
    (r"in disaccordo|disaccordo", r"d'accordo|accordo"),
    (r"oneens|mee oneens", r"eens|mee eens"),
    (r"en desaccord|desaccord", r"d'accord|accord"),
    (r"negativ[eo]?|negatif", r"positiv[eo]?|positif"),
    (r"cold", r"warm|hot"),
    (r"slow", r"fast"),
    (r"sad", r"happy"),
    (r"false|untrue", r"true"),
)
_OPPOSITE = re.compile(r"(?:un|dis|in|im|on|in|des|mal|non)-?")
_MIDDLE = re.compile(
    r"neither\b.*|neutr(?:al[eo]?|aal|[aeo])|average|medium|middle|mid|undecided"
    r"|so[- ]so|teils[ -/,]*teils|teilweise"
    r"|weder\b.*|mittel(?:massig)?|unentschieden|ni\b.*\bni\b.*|nem\b.*\bnem\b.*|ne\b.*\bne\b.*"
    r"|noch\b.*\bnoch\b.*|niet\b.*\bniet\b.*|regular|neutre|indifferente?|moyen(?:ne)?"
    r"|manchmal|gelegentlich|sometimes|occasionally|parfois|a veces|as vezes|a volte|soms"
)
_NEITHER = re.compile(r"(?:neither|weder|ni|ne|noch|nem) (.+?) (?:nor|or|noch|ni|ne|nem) (.+)")
_ALMOST = r"almost|nearly|hardly|fast|beinahe|quasi|presque|casi|quase|bijna"
# What is beyond every degree of often and seldom.
_NEVER = re.compile(
    r"n?ever|nie(?:mals)?|jamais|nunca|mai|nooit|gar nicht|not at all|uberhaupt nicht"
)
_DAILY = re.compile(
    r"daily|every ?day|taglich|jeden tag|tous les jours|quotidiennement|chaque jour|a diario"
    r"|diariamente|todos (?:los|os) dias|ogni giorno|dagelijks|elke dag"
)
_ALWAYS = re.compile(r"always|immer|toujours|siempre|sempre|altijd|standig|constantly")


def scores(options: Sequence[str]) -> list[float] | None:
    """Return a score for each option by its degree, all different; None where they are no scale."""
    plain = without_shared([_plain(o) for o in options])
    ends = [_end(text) for text in plain]
    graded = [_graded(text) for text in plain]
    stems = [stem for (_, stem), at in zip(graded, ends, strict=True) if at is None]
    for low, high in [*_poles(stems), *_named(plain)]:
        found: list[float] = []
        for (degree, stem), at in zip(graded, ends, strict=True):
            if at is not None:
                found.append(at)
            elif re.fullmatch(high, stem):
                found.append(degree)
            elif low and re.fullmatch(low, stem):
                found.append(-degree)
            else:
                break
        if len(found) == len(plain) == len(set(found)) and len(found) > 1:
            return found
    return None


def without_shared(texts: Sequence[str]) -> list[str]:
    """Return texts without the words that all of them have: 'low income', 'high income'."""
    shared = set.intersection(*(set(text.split()) for text in texts)) if len(texts) > 1 else set()
    return [" ".join(word for word in text.split() if word not in shared) for text in texts]


def _end(text: str) -> float | None:
    """Return the score of what grades by itself: the middle, never and always, almost so."""
    if _MIDDLE.fullmatch(text):
        return 0.0
    near = re.fullmatch(rf"(?:{_ALMOST})\s+(.+)", text)
    for pattern, at in ((_NEVER, -9.0), (_DAILY, 8.5), (_ALWAYS, 9.0)):
        if pattern.fullmatch(text):
            return at
        if near and pattern.fullmatch(near[1]):
            return at * 0.9
    return None


def _poles(stems: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs of words that may be the ends of a scale of these: one word is both."""
    different = sorted(set(stems), key=len)
    out = list(_POLES)
    if len(different) == 1:
        out.append(("", re.escape(different[0])))
    elif len(different) == 2:
        short, long = different
        if short and long.endswith(short) and _OPPOSITE.fullmatch(long.removesuffix(short)):
            out.append((re.escape(long), re.escape(short)))
    elif not different:  # 'never', 'sometimes', 'always'
        out.append(("", "(?!)"))
    return out


def _named(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Return the poles that a middle names, either way: 'neither powerful nor weak'."""
    told = [found for text in texts if (found := _NEITHER.fullmatch(text))]
    return [(re.escape(m[a]), re.escape(m[b])) for m in told for a, b in ((1, 2), (2, 1))]


def _graded(text: str) -> tuple[float, str]:
    """Return a text's degree, below 0 with a "not", and what is left of it."""
    sign, sizes = 1.0, list[float]()
    text, count = re.subn(rf"\b(?:{_SLIGHTLY})\b", " ", text)
    if count:
        sizes.append(0.4)
    for pattern, size in ((_NONE, 4.0), (_NOT_VERY, 1.0), (_LITTLE, 1.2), (_NOT, 0.0)):
        text, count = re.subn(rf"\b(?:{pattern})\b", " ", text)
        if count:
            sign = -1.0
            sizes += [size] if size else []
    for size, pattern in _DEGREES:
        text, count = re.subn(rf"\b(?:{pattern})\b", " ", text)
        if count and not (sizes and sign < 0 and sizes[0] == 4.0):
            sizes.append(size)
    return sign * (sum(sizes) or _BARE), " ".join(text.split())


def _plain(option: str) -> str:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", option)
    bare = _SAID.sub("", languages.unaccented(apart))
    bare = re.sub(r"\s*[\[(][^\])]*[\])]\s*$", "", bare) or bare
    return " ".join(re.sub(r"[^\w\s'/-]", " ", bare).split())
