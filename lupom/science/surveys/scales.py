"""The order of options guessed from their wording: agreement, frequency, amounts, numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lupom.science.surveys import degrees, labels

_POLES = (
    ("disagree", "agree"),
    ("oppose", "favor|favour|support"),
    ("dissatisfied", "satisfied"),
    ("unlikely", "likely"),
    ("unimportant", "important"),
    ("disapprove", "approve"),
    ("unfavou?rabl[ey]", "favou?rabl[ey]"),
    ("uncomfortable", "comfortable"),
    ("bad", "good"),
    ("worse", "better"),
    ("negative", "positive"),
    ("liberal", "conservative"),
    ("democrat", "republican"),
    ("decreased?", "increased?"),
    ("unsafe", "safe"),
    ("less", "more"),
    ("weaker", "stronger"),
    ("left", "right"),
    ("unwilling", "willing"),
)
_STRONG = r"(?:strongly|strong|very|extremely|completely|totally|much|a lot|definitely|far)"
_WEAK = r"(?:somewhat|slightly|slight|a little|a bit|lean(?:s|ing)?(?: to(?:ward)?)?|probably|near)"
_NEUTRAL = re.compile(
    r"neither\b.*|neutral|(?:(?:about|stay(?:ed)?) )*(?:the )?same(?: as)?|unchanged"
    r"|(?:about )?equal.*"
    r"|(?:no|not much of a) (?:difference|change|effect|impact|influence)|moderate.*"
    r"|independent|in the middle|both equally|mixed|so[ -]so|average|okay|ok"
)
_UNIPOLAR = (
    (
        r"not at all\b.*|none(?: at all)?|no .*|nothing",
        r"(?:not too|not very|not much|only a little|slightly|hardly|very little)\b.*",
        r"(?:a little|somewhat|some|moderately|a moderate amount|only somewhat)\b.*",
        r"(?:fairly|quite|pretty|a fair amount|mostly)\b.*",
        r"(?:very|a lot|a great deal|much|a good deal)\b.*",
        r"(?:extremely|completely|totally|entirely)\b.*",
    ),
    (
        r"never",
        r"(?:almost|hardly|nearly) (?:n?ever)|once or never",
        r"rarely|seldom|less often|once in a while|occasionally",
        r"sometimes|occasionally|(?:some|a little) of the time|from time to time",
        r"about half the time",
        r"often|frequently|fairly often|a good bit of the time",
        r"very often|usually|most of the time|very frequently",
        r"(?:almost|nearly) always",
        r"always|all of the time|all the time|constantly",
    ),
    (
        r"terrible|very poor|awful",
        r"poor|bad",
        r"(?:only )?fair|average|okay|ok",
        r"good",
        r"very good",
        r"excellent|outstanding",
    ),
    (
        r"too (?:little|few|small|weak|low|short)",
        r"(?:about |just )?right.*|appropriate.*",
        r"too (?:much|many|big|strong|high|long)",
    ),
    (
        r"no|none",
        r"(?:very )?little|not much|hardly any|not very much",
        r"some",
        r"quite a (?:lot|bit)(?: of)?|a lot(?: of)?|much|a great deal(?: of)?|great|considerable",
        r"complete|full|total|absolute",
    ),
    (
        r"ningun[ao]?|nada(?: de)?|nenhum[a]?|nessun[ao]?|aucune?|keine?",
        r"poc[ao]|pouc[ao]|peu(?: de)?|wenig",
        r"algo(?: de)?|algum[a]?|qualche|un po(?:'| )di|un peu(?: de)?|etwas",
        r"bastante|abbastanza|assez(?: de)?|viel|muita?|molt[ao]|beaucoup(?: de)?|much[ao]",
        r"muchísim[ao]|sehr viel|moltissim[ao]|énormément(?: de)?|total",
    ),
    (r"very low", r"low", r"medium|mid|middle", r"high", r"very high"),
    (r"no", r"maybe|perhaps|possibly|sometimes", r"yes"),
    (r"none", r"some", r"freq(?:uent(?:ly)?)?|a lot|lots|much"),
    (r"never", r"occas(?:ional(?:ly)?)?", r"regul(?:ar(?:ly)?)?", r"heav(?:y|ily)"),
    (
        r"none\b.*|no,? (?:none|not?)\b.*",
        r"(?:a )?few\b.*",
        r"some\b.*",
        r"most\b.*|many\b.*",
        r"(?:yes,? )?(?:they )?all\b.*",
    ),
    (
        r"none|no (?:\w+ )?(?:knowledge|experience|skills?)|not familiar\b.*",
        r"beginner|novice|basic|elementary",
        r"intermediate|some (?:knowledge|experience)|competent",
        r"advanced|proficient|good|experienced",
        r"expert|native|fluent",
    ),
    (
        r"no (?:formal |schooling|education|school)\b.*|none(?:$| primary\b.*)",
        r"(?:(?:some )?(?:primary|elementary)|less than (?:a )?high ?school|did not)\b.*",
        r"some (?:high ?school|secondary)\b.*|(?:lower|middle) (?:secondary|school)\b.*",
        r"(?:high ?school|secondary|ged|upper secondary)\b.*",
        r"(?:some (?:college|university)|vocational|trade|technical)\b.*",
        r"(?:associate|2[- ]year)\b.*",
        r"(?:bachelor|undergraduate|college (?:degree|graduate)|university degree|4[- ]year)\b.*",
        r"(?:master|graduate|post-?graduate)\b.*",
        r"(?:professional)\b.*",
        r"(?:doctor|ph ?\.?d)\w*\b.*",
    ),
    (
        r"continuously|constantly|all the time|hourly",
        r"(?:several|multiple|many|a few) times (?:a|per) day|more than once (?:a|per) day",
        r"daily|every ?day|(?:about )?once (?:a|per) day|daily or almost daily|almost every day",
        r"(?:several|multiple|many|a few|2-3) times (?:a|per) week|more than once (?:a|per) week",
        r"weekly|(?:about )?once (?:a|per) week(?: or less)?",
        r"(?:several|multiple|a few|2-3) times (?:a|per) month|more than once (?:a|per) month",
        r"monthly|(?:about )?once (?:a|per) month(?: or less)?",
        r"(?:several|multiple|a few) times (?:a|per) year|more than once (?:a|per) year",
        r"yearly|annually|(?:about )?once (?:a|per) year(?: or less)?",
        r"less often|rarely|seldom|less than once (?:a|per) year|hardly ever",
        r"never|not at all",
    ),
    (
        r"never|none|not at all|zero|no times",
        r"(?:only )?once|one time|one",
        r"twice|two(?: times)?",
        r"three(?: times)?",
        r"four(?: times)?",
        r"five(?: times)?",
        r"(?:more than|over) \w+(?: times)*|\w+ (?:times )?or more(?: times)?|many(?: times)?",
    ),
)
_NUMBER = re.compile(r"\d{1,3}(?: \d{3})+(?!\d)|\d[\d,]*(?:\.\d+)?")
# What is nothing among amounts: 'None', '1 or 2', '3 to 5'.
_NOTHING = re.compile(r"none|zero|nothing|never|no|no [a-z]+")
# A list number at the end: 'Strongly agree (5)'.
_BEHIND = re.compile(r"\s*(\S.*?)\s*[(\[](\d{1,2})[)\]]\s*", re.DOTALL)
# What may stand before the number of an amount.
_BEFORE = re.compile(
    r"(?:(?:\W|_)+|aged?|ages|between|from|about|around|approximately|exactly|only|just|over|more|than"
    r"|greater|above|at|least|most|less|under|below|fewer|lower|higher|up|to|after|before|since|until"
    r"|in|the|year|years|grade|level|stage|step|quarter|week|day|month|score|usd|eur|gbp|c(?:a|irca)?"
    r")*"
)


def positions(options: Sequence[str]) -> list[float | None] | None:
    """Return a position for each option where their wording is a scale, else None.

    Options stand on 1, 2, ... in the order they are listed where that is the scale's own or its
    reverse. A middle option that is listed last stands between ('Agree', 'Disagree', 'Neither':
    1, 2, 1.5). Listed in no order, they are numbered by the scale. "Not sure" has no position, but
    where it is listed in the middle of at least four others (Likert's "Undecided").
    """
    placed = [o for o in options if not labels.unplaced(o)]
    found = _scores(placed)
    if found is None:
        return None
    ranks = _ranks(found)
    answers = [o for o in options if labels.nonresponse(o) is None]
    half = len(placed) // 2
    between = half > 1 and len(answers) == len(placed) + 1 == 2 * half + 1
    if between and ranks == sorted(ranks) and labels.unplaced(answers[half]):
        placed, ranks = answers, [float(i) for i in range(1, len(answers) + 1)]
    at = dict(zip(placed, ranks, strict=True))
    return [at.get(o) for o in options]


def _ranks(scores: list[float]) -> list[float]:
    for sign in (1, -1):
        signed = [sign * s for s in scores]
        if signed == sorted(signed):
            return [float(i) for i in range(1, len(scores) + 1)]
    ends = scores[:-1]
    for sign in (1, -1):
        signed = [sign * s for s in ends]
        if signed == sorted(signed):
            below = sum(s < sign * scores[-1] for s in signed)
            return [*(float(i) for i in range(1, len(ends) + 1)), below + 0.5]
    order = sorted(scores)
    return [float(order.index(s) + 1) for s in scores]


def listed(options: Sequence[str]) -> bool:
    """Say whether options have list numbers, which make no scale: '1. Labour', '2. Green'."""
    return _without_numbers(options) is not None


def by_number(options: Sequence[str]) -> list[str] | None:
    """Return options in the order of their list numbers, None where not each has its own."""
    found = [labels.numbered(o) for o in options]
    numbers = [f[0] for f in found if f is not None]
    if len(numbers) < len(options):
        numbers = [int(m[2]) for o in options if (m := _BEHIND.fullmatch(o))]
    if len(set(numbers)) < len(options):
        return None
    return [option for _, option in sorted(zip(numbers, options, strict=True))]


def _without_numbers(options: Sequence[str]) -> list[str] | None:
    """Return options without their list numbers, None where not all have one."""
    found = [labels.numbered(o) for o in options]
    if options and all(found):
        return [f[1] for f in found if f is not None]
    behind = [_BEHIND.fullmatch(o) for o in options]
    if len({m[2] for m in behind if m}) == len(options) > 1:
        return [m[1] for m in behind if m]
    # '1 Labour', '2 Green': in order, and of different things, unlike '1 child', '2 children'.
    bare = [re.fullmatch(r"(\d{1,2})\s+([^\W\d].*)", o.strip()) for o in options]
    if len(options) < 2 or not all(bare):
        return None
    numbers = [int(m[1]) for m in bare if m]
    texts = [m[2] for m in bare if m]
    stems = [{w[:4] for w in re.findall(r"\w+", t.casefold())} for t in texts]
    apart = not any(a & b for i, a in enumerate(stems) for b in stems[i + 1 :])
    ordered = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return texts if ordered and apart else None


def _scores(options: Sequence[str]) -> list[float] | None:
    """Return a score per option, all different, or None."""
    options = _without_numbers(options) or options
    options = [re.sub(r"^\s*[<\u2264]\s*", "under ", o.replace("_", " ")) for o in options]
    plain = [re.sub(r"[^\w\s$%+.,-]", " ", o.casefold()).strip() for o in options]
    plain = [" ".join(p.split()) for p in plain]
    if len(plain) < 2:
        return None
    # A number that is left of 'Party 1', 'Party 2' is none of an amount.
    bare = degrees.without_shared(plain)
    numbered = any(_numbers([b])[0] is not None and not _NOTHING.fullmatch(b) for b in bare)
    bare = [] if numbered else bare
    found = _familiar(plain) or _familiar(bare) or degrees.scores(options)
    if found is None and 2 * sum("/" in o for o in options) >= len(options):
        # In two languages: 'Souvent / Often'.
        for part in (-1, 0):
            found = found or _scores([o.split("/")[part].strip() or o for o in options])
    return found


def _familiar(plain: list[str]) -> list[float] | None:
    """Return the scores of texts by the first family of scales that has all of them."""
    numbers = _numbers(plain)
    # 'No' and 'Never' are amounts beside at least two of them.
    families = [
        numbers if len({n for n in numbers if n}) > 1 else [None],
        [_height(p) for p in plain],
    ]
    families += [[_bipolar(p, low, high) for p in plain] for low, high in _POLES]
    families += [[_unipolar(p, family) for p in plain] for family in _UNIPOLAR]
    for scores in families:
        known = [s for s in scores if s is not None]
        if 1 < len(known) == len(plain) == len(set(known)):
            return known
    return None


def _height(text: str) -> float | None:
    """Return the inches of 5'11", whose signs are blanks here."""
    found = re.fullmatch(r"([3-8]) (\d|1[01])", text)
    return None if found is None else 12 * float(found[1]) + float(found[2])


def _bipolar(text: str, low: str, high: str) -> float | None:
    if _NEUTRAL.fullmatch(text):
        return 0.0
    sign = -1 if re.search(rf"\b(?:{low})\b", text) else 1
    if sign > 0 and not re.search(rf"\b(?:{high})\b", text):
        return None
    if re.match(r"not (?:very )?strong", text) or re.search(rf"\b{_WEAK}\b", text):
        return sign * 1.0
    return sign * (3.0 if re.search(rf"\b{_STRONG}\b", text) else 2.0)


def _unipolar(text: str, family: tuple[str, ...]) -> float | None:
    return next((float(i) for i, p in enumerate(family) if re.fullmatch(p, text)), None)


def _numbers(plain: list[str]) -> list[float | None]:
    """Return the number each option begins with: '18-29', 'Under $20,000', '65+', 'Grade 9'.

    A number elsewhere is part of a name: 'Channel 4', 'Windows 11'.
    """
    out: list[float | None] = []
    for text in plain:
        found = _NUMBER.search(text)
        if _NOTHING.fullmatch(text):
            out.append(0.0)
            continue
        if found is None or len(text) > 60 or not _BEFORE.fullmatch(text[: found.start()]):
            out.append(None)
            continue
        number = float(re.sub(r"[, ]", "", found[0]))
        if re.match(r"(?:less|under|below|fewer|up to)\b", text):
            number -= 0.5
        elif text.startswith("-"):
            number = -number
        out.append(number)
    return out
