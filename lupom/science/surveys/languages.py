# ruff: noqa: RUF001 (these are the letters of other scripts)
"""What surveys in other languages than English call no answer; without accents, in lower case.

The words are those of the questionnaires of ESS, EVS, Eurobarometer, the Latin American barometers
and of the large platforms' translations. What can be an answer is not among them: 'trifft nicht zu'
is the end of a scale, and 'sans opinion' an opinion of its own.
"""

from __future__ import annotations

import unicodedata

DONT_KNOW = (
    r"no (?:lo )?sabe|no (?:lo )?se|no sabria decir|nao sabe|nao sei",  # Spanish, Portuguese
    r"(?:je )?ne sai[ts] pas|ne se prononce pas",  # French
    r"(?:ich )?weiss (?:ich )?(?:es )?nicht"
    r"|kann (?:ich )?nicht (?:sagen|beurteilen|einschatzen)",  # German
    r"non (?:lo )?s[oa]|non saprei",  # Italian
    r"weet (?:ik )?(?:het )?niet|geen idee",  # Dutch
    r"nie wiem|trudno powiedziec|nevim?|neviem?|nevie|ne znam?|ne vem",  # Slavic, in Latin script
    r"vet (?:ej|inte|ikke)|ved ikke|veit ekki",  # Scandinavian
    r"(?:en|ei) osaa sanoa|en tieda|ei tea|ei oska oelda",  # Finnish, Estonian
    r"nem tud(?:om|ja)|nt ?/ ?nv|nu sti[ue]|nezinau?|gruti pateikt|sunku pasakyti",
    r"bilmiyor(?:um)?|fikr[im]+ yok",  # Turkish
    r"не знаю|не знам|затрудняюсь (?:с ответом|ответить)|трудно сказать"
    r"|важко (?:сказати|вiдповiсти)|не мога да преценя",
    r"δεν (?:γνωριζω|ξερω|γνωριζει)|δ[ξγ] ?/ ?δα",
    r"不知道|不清楚|(?:わ|分)から(?:ない|ません)|모름|(?:잘 )?모르겠(?:다|음|습니다)",
    r"לא יודע[/ת]*|لا [اأ]عرف|لا [اأ]علم",
)
REFUSED = (
    r"no (?:responde|contesta|respondio|quiere (?:contestar|responder))",
    r"(?:prefier[eo]|prefiro|prefere) (?:no|nao) (?:contestar|responder|decir(?:lo)?|dizer)",
    r"(?:se )?(?:rehus[ao]|rechaza|niega)(?: a)?(?: (?:responder|contestar))?",
    r"nao (?:respond[eo]u?|quer responder)|recus(?:a|ou)(?:-se)?(?: a)?(?: responder)?"
    r"|sem resposta",
    r"refuse?(?: de (?:repondre|se prononcer))?|(?:sans|pas de|non)[ -]reponse",
    r"(?:je )?(?:ne souhaite pas|prefere ne pas|ne (?:veut|veux|desire) pas)"
    r" (?:repondre|(?:le )?dire|(?:se|me) prononcer)",
    r"keine (?:angaben?|antwort)|k\.? ?a|(?:antwort )?verweigert",
    r"(?:ich )?(?:mochte|will|moechte) (?:ich )?(?:das |dazu |hierzu |darauf )?(?:lieber )?"
    r"(?:nicht|keine angaben?|keine antwort) (?:beantworten|antworten|sagen|machen|angeben|geben)",
    r"preferi(?:sco|sce) non (?:rispondere|dir(?:e|lo))|non (?:risponde|vuole rispondere)"
    r"|nessuna risposta|rifiut[ao](?: di rispondere)?",
    r"wil (?:ik )?(?:het |dat |dit )?(?:liever )?(?:niet (?:zeggen|antwoorden)"
    r"|geen antwoord geven)|zeg (?:ik )?(?:het |dat )?liever niet|geen antwoord|weiger(?:t|ing)"
    r"(?:.*)?",
    r"odmowa(?: odpowiedzi)?|odmawiam odpowiedzi|brak odpowiedzi"
    r"|(?:nie chce|wole nie) odpowiadac",
    r"odmitla?(?: odpovedet)?|neodpovedela?|bez odpovedi|nechci odpovedet",
    r"(?:vill|vil|onsker|oensker) (?:ej|inte|ikke) (?:a |at |att )?"
    r"(?:svara|uppge|saga|svare|oplyse|oppgi|si|sige)|(?:inget|intet|ingen|ej) svar"
    r"|ubesvare?t|nekter(?: a svare)?|vagrar(?: svara)?",
    r"en halua (?:vastata|sanoa|kertoa)|ei vastausta|ei vasta|kieltaytyi(?: vastaamasta)?",
    r"nem valaszolt?|nincs valasz|nu raspunde?|refuza?(?: sa raspunda)?",
    r"(?:cevap|yanit) (?:yok|vermek istemiyor(?:um)?)",
    r"отказ(?: от ответа)?|отказываюсь отвечать|нет ответа|вiдмова(?: вiд вiдповiдi)?"
    r"|немае вiдповiдi|без отговор",
    r"δεν απαντ(?:ω|α)",
    r"[أا]?رفضت? ال[إا]جابة|لا جواب|بدون [إا]جابة",
    r"拒答|拒绝回答|拒絕回答|[无無]回答|未回答|回答拒否|答えたくない|무응답|응답 ?거절",
)
NOT_ASKED = (
    r"no (?:aplica(?:ble)?|procede|corresponde|preguntad[ao])|sin (?:datos?|informacion|respuesta)",
    r"nao (?:se aplica|aplicavel)|non concernee?|sans objet",
    r"nicht (?:gefragt|erhoben|zutreffend|anwendbar)|entfallt",
    r"non (?:applicabile|pertinente)|niet van toepassing|nvt",
    r"nie dotyczy|netyka se|ej (?:aktuellt|tillampligt)|ikke aktuelt|ei koske(?: minua)?",
    r"nem vonatkozik|nu (?:se aplica|este cazul)",
    r"не ?применимо|не задавался|不[适適]用|非該当|(?:해당 ?없음|비해당)",
)
# No opinion, as an option: an answer without a place on a scale.
UNPLACED = (
    r"keine meinung|unentschieden|sans opinion|sin opinion|sem opiniao|nessuna opinione"
    r"|geen mening|ingen (?:asikt|mening|holdning)|bez opinii|nincs velemenye"
)
_LETTERS = str.maketrans("łøđıіїє", "lodiiiе")


def unaccented(text: str) -> str:
    """Return a text in lower case without accents: 'não sabe' is 'nao sabe', 'weiß' is 'weiss'."""
    apart = unicodedata.normalize("NFD", text.casefold().translate(_LETTERS))
    bare = "".join(c for c in apart if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", bare)
