"""An option said in a sentence: "I would say Somewhat agree", "Selected option: B", "**(b) Thin**".

A reply that is neither JSON nor an option alone costs a second request, and says as often as not
quite clearly what it answers. It is read where one option stands where an answer does: who would
say it, the word for saying it and what a line is called are looked for, and what else is said of an
option (what somebody answered earlier, what others would, a heading of a reason) is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from lupom.engine.llm import abroad

Meant = Callable[[str], "str | None"]

# Longer texts are essays, in which more than one thing is said to be likely.
_MOST = 1200
# Options beyond these are read alone, or not at all: a pattern holds all of them.
_MOST_OPTIONS = 60
_DENIED = re.compile(
    r"\b(?:not|never|cannot|neither|nor|unlikely|unsure|least|less|except|against|avoid|instead"
    r"|reject|wrong|confidence|certainty|probability|hardly|improbable|doubt\w*|surpris\w+|refuse\w*"
    r"|no|nobody|none|few|only|almost|anything|unless|without|whether|when|otherwise|if)\b"
    r"|n['\u2019]t\b"
    # What was answered to something else, or by somebody else.
    r"|\b(?:previous(?:ly)?|earlier|prior|past|last|ago|used to|wave|some|others?|another|once"
    r"|first|initially|glance|normally|ordinarily|usually|typically|pretest"
    r"|(?:19|20)\d\d)\b",
    re.IGNORECASE,
)
_HAD_TO = re.compile(r"\bif i (?:had|have|were|must)\b[^,]*,", re.IGNORECASE)
# Whoever goes on so takes back what was said, or says nothing.
_BUT = re.compile(
    r"\b(?:but|however|although|though|unless|unable|unclear|impossible|insufficient|either|both|if)\b"
    r"|\bcan(?:no|'|\u2019)t\b|\bnot (?:sure|enough|possible)\b|\?",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"\b(?:sorry|unable|impossible|insufficient|refuse|decline)\b"
    r"|\bnot (?:sure|enough|possible)\b"
    r"|\bno (?:data|information|way|basis)\b"
    r"|\bcan(?:no|'|\u2019)t (?:\w+ )?(?:answer|predict|say|tell|know|determine|help|judge)\b",
    re.IGNORECASE,
)
# What follows an answer a paragraph later may be about something else, or take it back.
_OPENED = re.compile(
    r"\b(?:however|alternatively|(?:could|might|may)(?: also)? be)\b", re.IGNORECASE
)
_BECAUSE = re.compile(
    r"\W*(?:based on|given|since|because|as an?|as they|they|he|she"
    r"|(?:the|this) (?:respondent|person|participant|individual|interviewee|profile))\b",
    re.IGNORECASE,
)
_OTHER_THAN = re.compile(r"\W*(?:rather than|instead of|over|and not|not)\b")
_BOLD = re.compile(r"\*\*(?!\s*\*)(.+?)\*\*|__(.+?)__", re.DOTALL)
_BROKEN = re.compile(r"[{\[]\s*[\"']")
# The full stop of a label ends no sentence: "I'd say B. Somewhat agree".
_SENTENCE = re.compile(r"(?<=[.!?])(?<!\b[A-Za-z]\.)\s+|\n+")
# "Selected option: B", "Assistant: B", "Respondent's answer: B": a line may be called whatever, and
# "Earlier answer: B", "Trust in the police: 3" and "Answerable: No" are none.
_NAME = (
    r"(?:(?:the|my|his|her|their|this|die|meine|ma|la|mi|final|best|single|predicted|selected|chosen|expected|most"
    r"|likely|likeliest|probable|correct|appropriate|suitable|closest|person|respondent"
    r"|participant)(?:['\u2019]s)?\s+)*"
    r"(?:(?:answer|respon[sc]e|reply|choice|option|selection|prediction|guess|label|result|output"
    r"|conclusion|selected|predicted|likely|assistant|person|respondent|participant)"
    r"|antwort|r\u00e9ponse|respuesta|risposta|resposta|antwoord|svar|vastaus|odpowied\u017a"
    r"|odpov\u011b\u010f|cevap|v\u00e1lasz|\u043e\u0442\u0432\u0435\u0442"
    r"|\u56de\u7b54|\u7b54\u6848|\u56de\u7b54|\ub2f5\ubcc0|\ub2f5)"
    r"(?:\s+(?:is|would be|will be))?"
)
NAMED = re.compile(
    rf"\W*(?:here(?: is|['\u2019]s) )?{_NAME}[\s*_]*[:=\uff1a\u2192]+[\s*_]*(?P<said>\S[^\n]*)",
    re.IGNORECASE,
)
_HEADING = re.compile(rf"\W*{_NAME}\W*", re.IGNORECASE)
_HERE_IS = re.compile(rf"\bhere(?: is|['\u2019]s) {_NAME}\W*$", re.IGNORECASE)
_WHO = (
    r"(?:we|they|he|she|(?:the|this|that|our|my) (?:person|respondent|participant|individual"
    r"|interviewee|voter|man|woman)"
    r"|an? (?:person|respondent|participant|individual) (?:like (?:this|that|them|him|her)"
    r"|(?:with|of) (?:this|such an?|that) (?:profile|background)))"
)
_PERHAPS = (
    r"(?: (?:very likely|most likely|likely|most probably|probably|therefore|then|thus|still))*"
)
_VERB = (
    r"(?:say|answer|respond|reply|choose|pick|select|go with|go for|opt for|lean towards?|guess"
    r"|predict|give|indicate|report)"
)
_IS = rf"(?:is|(?:would|will){_PERHAPS} be)"
# Who would say it, and the word for saying it: nothing else stands before an answer.
_LEAD = (
    r"(?:\bi(?: would|['\u2019]d)" + _PERHAPS + rf" {_VERB}"
    r"|\bi(?: will|['\u2019]ll)? (?:choose|pick|select|answer|predict|guess|go with|go for|opt for)"
    r"|(?:^|[,;:(\u2013\u2014]\s*|\b(?:that|think|believe|so|therefore|thus|hence|then|and|guess"
    r"|predict|expect|suspect|say|overall) )"
    rf"{_WHO}(?:(?: would| will|['\u2019]d){_PERHAPS}"
    rf"| is(?: very| most)? (?:likely|expected) to) {_VERB}"
    rf"|(?:^|[,;:(\u2013\u2014]\s*|\b(?:that|so|and) ){_WHO}{_PERHAPS} leans? towards?"
    r"|(?P<noun>\b(?:my|the|their|his|her)(?: (?:person|respondent|participant)['\u2019]s)?"
    r"(?: (?:best|final|single|most likely|most probable|likely|likeliest|predicted|expected))*"
    r" (?:answer|response|reply|choice|selection|prediction|guess|option) " + _IS + r"))"
    r"(?: with)?(?: that)?(?P<the>(?:,? (?:most likely|likely|probably))?"
    r"(?: (?:for|with))?(?: the)?)(?P<named>(?: (?:answer|response|choice|option|label))?)"
    r"(?P<colon> ?:?) ?"
)
_LEADS = re.compile(_LEAD + r"$", re.IGNORECASE)
_QUOTES = r"[\"'\u201c\u2018*(\[\u00ab]*"
_END = (
    r"[\"'\u201d\u2019*)\]\u00bb]* ?(?:$|[.,;:!](?!\w)|\((?![A-Z])"
    r"|(?<= )[\u2013\u2014-](?!\w)|\u2014"
    r"|\b(?:because|since|as|given|for|rather|over|instead)\b)"
)
# "Congo, Democratic Republic" is another name than "Congo".
_LONGER = re.compile(r",\s(?!I\b)[A-Z]")
# "**Agree** is the most likely answer."
_IS_IT = re.compile(
    r"\s*(?:$|[.,;:!\u2013\u2014-](?!\w)|\((?![A-Z])|is (?:the |my )?(?:most likely|likeliest|best"
    r"|final|predicted|answer)\b)"
)


# "Yes, it does", "Good (most of the time)"; in "$30,000" the comma is none.
_HEAD = re.compile(r"\s*([^\W\d][^,;:.(]*?)\s*(?:[,;:.]\s|\s[(\u2013\u2014-]\s?)")


def head(option: str) -> str | None:
    """Return the beginning of an option up to its first sign, by which it is called for short."""
    match = _HEAD.match(option)
    return None if match is None else match[1]


def said(text: str, labels: Mapping[str, str], meant: Meant, field: str = "answer") -> str | None:
    """Return the one option that a text answers with in a sentence, else None.

    Parameters
    ----------
    text : the reply without its thoughts.
    labels : the option of each label.
    field : the name of what was asked for.
    meant : tells which option a few words are, None for what is none or several.
    """
    text = text.strip()
    # Within an object that has no end a sentence is a thought, and what it came to is cut off.
    if not text or len(text) > _MOST or _BROKEN.search(text) or _OPENED.search(text):
        return None
    for found in (
        _bold(text, meant),
        _after_a_name(text, meant),
        abroad.said(text, meant),
        _by_grammar(text, labels, meant),
        _by_being(text, meant, field),
    ):
        if found:
            option = found.pop()
            return None if found or _begins_with_another(text, option, labels, meant) else option
    return None


def begins(text: str, labels: Mapping[str, str]) -> str | None:
    """Return the option that a text begins with, and goes on to give a reason for, else None.

    By its label and in full ("B) Agree - they ..."), where no other is; in full before a reason
    ("Yes, because ..."); or with nothing but how likely it is ("Agree (60 %)").
    """
    text = " ".join(text.split())
    if len(text) > _MOST or len(labels) > _MOST_OPTIONS or _BROKEN.search(text):
        return None
    found = {
        label: match
        for label, option in labels.items()
        if option.strip()
        and (match := re.search(rf"(?<!\w)\W?{_both(label, option)}(?!\w)", text, re.IGNORECASE))
    }
    if len(found) == 1:
        ((label, match),) = found.items()
        rest = text[match.end() :]
        if not match.start() and re.match(r" ?[\u2013\u2014-] |[.,;:] ", rest):
            return None if _BUT.search(rest) or _OPENED.search(rest) else labels[label]
        return None
    by_label = _by_label(text, labels)
    if by_label is not None:
        return by_label
    for option in sorted(labels.values(), key=len, reverse=True):
        begun = re.match(rf"{re.escape(' '.join(option.split()))}(?!\w)", text, re.IGNORECASE)
        if not option.strip() or begun is None:
            continue
        rest = text[begun.end() :]
        if re.fullmatch(_SURE, rest, re.IGNORECASE):
            return option
        others = "|".join(re.escape(one) for one in labels.values() if one.strip())
        taken_back = _BUT.search(rest) or _OPENED.search(rest) or refused(rest)
        named = re.search(rf"\b(?:{others})\b", rest, re.IGNORECASE)
        return option if _SINCE.match(rest) and not taken_back and not named else None
    return None


def _by_label(text: str, labels: Mapping[str, str]) -> str | None:
    """Return the option whose label a text begins with, before a reason that names no other: "B
    because they are old", "B (old)", "B - they are old"."""
    begun = re.match(r"([A-Z])(?=[ ,])", text)
    option = None if begun is None else labels.get(begun[1])
    if begun is None or option is None:
        return None
    rest = text[1:]
    # "A (rural) voter", "A since-retired miner": a word, and no label.
    is_word = begun[1] in "AI" and not re.match(r",? because\b", rest)
    if is_word or not (_SINCE.match(rest) or re.match(r" (?:[\u2013\u2014-] |\()[a-z]", rest)):
        return None
    others = "|".join(re.escape(one) for one in labels.values() if one.strip())
    letters = "".join(one for one in labels if len(one) == 1 and one not in "AI")
    named = re.search(rf"\b(?:{others})\b", rest, re.IGNORECASE)
    lettered = letters and re.search(rf"\b[{re.escape(letters)}]\b", rest)
    taken_back = _BUT.search(rest) or _OPENED.search(rest) or refused(rest)
    return None if named or lettered or taken_back else option


def _both(label: str, option: str) -> str:
    return rf"{re.escape(label)} ?[).:] ?{re.escape(' '.join(option.split()))}"


_SURE = r" ?\((?:about |around |roughly |approx\.? |~ ?)?\d{1,3} ?%[^()]{0,20}\)\.?"
_SINCE = re.compile(
    r",? (?:because|since|as (?:they|he|she|the|this)|given|due to|based on)\b", re.IGNORECASE
)


def is_heading(line: str) -> bool:
    """Tell whether a line says that the answer follows, and nothing else: "Answer:"."""
    return _HEADING.fullmatch(line.strip()) is not None


def introduces(line: str, *, apart: bool) -> bool:
    """Tell whether the line before an option on its own line lets it be the answer.

    "They said:", "Would they?" and "I would rule out" say something of it; `apart` says that a
    blank line is between.
    """
    line = line.strip()
    if _HEADING.fullmatch(line) or _HERE_IS.search(line):
        return True
    if line.endswith((":", "\uff1a")):
        last = _SENTENCE.split(line)[-1]
        return _LEADS.search(last) is not None and not _denied(last)
    return not line.endswith("?") and (apart or line.endswith((".", "!", ")")))


def refused(text: str) -> bool:
    """Tell whether a text says that there is no answer."""
    return _REFUSED.search(text) is not None


def denies(before: str) -> bool:
    """Tell whether the sentence that leads to an option says that it is none."""
    return _denied(_SENTENCE.split(before)[-1])


def takes_back(after: str) -> bool:
    """Tell whether what follows an option takes it back, or says that it is none."""
    rest = _SENTENCE.split(after.strip())
    is_it = not rest or _IS_IT.match(rest[0]) or _SINCE.match(rest[0])
    return not is_it or bool(_BUT.search(after) or _OPENED.search(after) or refused(after))


def explains(text: str) -> bool:
    """Tell whether a paragraph behind an answer is the reason for it, and does not take it back."""
    if _BUT.search(text) or _OPENED.search(text) or refused(text):
        return False
    return _BECAUSE.match(text) is not None


def _denied(before: str) -> bool:
    return _DENIED.search(_HAD_TO.sub(" ", before)) is not None


def _begins_with_another(text: str, option: str, labels: Mapping[str, str], meant: Meant) -> bool:
    """Tell whether a text begins with another option: "No, they would say yes"."""
    first = re.match(r"\W*([^,.:;!\n]{1,80})[,.:;!\n]", text)
    other = None if first is None else meant(first[1])
    return other is not None and other != option


def _by_being(text: str, meant: Meant, field: str) -> set[str]:
    """Return the option that all of a text says something is: "They are two different things.".

    In the option's own letters: "It is good." is about the answer, "Good" is one.
    """
    what = re.escape(field.replace("_", " "))
    match = re.fullmatch(
        rf"(?:it|they|this|these|that|those|the (?:{what}|two|answer)) (?:is|are|would be) (.+)",
        text,
        re.IGNORECASE,
    )
    option = None if match is None else meant(match[1].strip())
    if option is None or match is None:
        return set()
    return {option} if match[1].strip(" .!\"'*") == option.strip(" .!\"'*") else set()


def _bold(text: str, meant: Meant) -> set[str]:
    """Return the options that are in bold where an answer stands."""
    found = set()
    for match in _BOLD.finditer(text):
        option = meant((match[1] or match[2]).strip())
        if option is None:
            continue
        above, _, line = text[: match.start()].rpartition("\n")
        before = _SENTENCE.split(line)[-1].strip()
        after = text[match.end() :].split("\n")[0]
        if not _IS_IT.match(after) or _BUT.search(after) or _denied(before):
            return set()
        if before.strip(" \t>#*\u2022-"):
            name = NAMED.fullmatch(f"{before} x")
            if not _LEADS.search(before + " ") and (name is None or name["said"] != "x"):
                return set()
        elif _DENIED.search(after):
            return set()
        elif line.strip() == before and above.strip():
            apart = not above.rpartition("\n")[2].strip()
            if not introduces(_BOLD_MARKS.sub("", above.rstrip().rpartition("\n")[2]), apart=apart):
                return set()
        found.add(option)
    return found


_BOLD_MARKS = re.compile(r"\*\*|__")


def _after_a_name(text: str, meant: Meant) -> set[str]:
    """Return the option behind a name of an answer in the one line of a text."""
    match = NAMED.fullmatch(text)
    option = None if match is None else meant(match["said"].strip())
    return set() if option is None or text.endswith("?") else {option}


def _by_grammar(text: str, labels: Mapping[str, str], meant: Meant) -> set[str]:
    """Return the options that stand behind who would say it and a verb of answering.

    "extremely satisfied" is not the option "Satisfied": nothing else may stand between.
    """
    if len(labels) > _MOST_OPTIONS:
        return set()
    texts: dict[str, str] = {}
    twice: set[str] = set()
    for option in labels.values():
        spelled = " ".join(option.split()).casefold()
        twice |= {spelled} & set(texts)
        texts[spelled] = option
    for option in labels.values():
        if (begun := head(option)) is not None and meant(begun) == option:
            texts.setdefault(begun.casefold(), option)
    # Options that are equal but for case are not told apart in a sentence.
    texts = {spelled: option for spelled, option in texts.items() if spelled not in twice | {""}}
    if not texts:
        return set()
    either = "|".join(re.escape(one) for one in sorted(texts, key=len, reverse=True))
    letters = "".join(label for label in labels if len(label) == 1 and label.isalpha())
    alone = rf"|(?-i:(?P<alone>[{letters}]))" if letters else ""
    pattern = re.compile(
        rf"{_LEAD}(?P<quote>{_QUOTES})(?:(?P<label>[a-z])?(?(label)[).:] ?)(?P<option>{either})"
        rf"{alone})(?-i:{_END})",
        re.IGNORECASE,
    )
    # "Most choose Good. This one is different: Bad": what is named last counts, or nothing does.
    mention = re.compile(rf"\b(?:{either})\b")
    whole = " ".join(text.split())
    found = set()
    for sentence in _SENTENCE.split(text):
        one = " ".join(sentence.split())
        for match in pattern.finditer(one):
            end = match.end("option") if match["option"] else match.end("alone")
            before, after = one[: match.end("quote")], one[end:]
            if match["option"]:
                option = texts[" ".join(match["option"].split()).casefold()]
                label = (match["label"] or "").casefold()
                named = next((o for key, o in labels.items() if key.casefold() == label), None)
                if label and named != option:
                    return set()
                if not label and not _is_spelled(match, option):
                    continue
            elif _is_a_word(match):
                continue
            else:
                option = labels[match["alone"]]
            if _denied(before) or _BUT.search(after) or _LONGER.match(after):
                return set()
            if not _OTHER_THAN.match(after):
                rest = whole[whole.rfind(one) + end :].casefold()
                if any(texts[other[0]] != option for other in mention.finditer(rest)):
                    return set()
            found.add(option)
    return found


def _is_spelled(match: re.Match[str], option: str) -> bool:
    """Tell whether words are meant as the option: "The answer is good", "the other" are not."""
    text, begun = match["option"], option[: len(match["option"])]
    if match["quote"] or text == begun:
        return True
    article = match["the"].casefold().endswith("the") and not match["named"]
    return text == begun.lower() and not match["noun"] and not article


def _is_a_word(match: re.Match[str]) -> bool:
    """Tell whether a letter may be a word: "I would say a ..." """
    marked = match["quote"] or match["named"] or match["colon"].strip()
    return not match["alone"].isupper() or (match["alone"] in "AI" and not marked)
