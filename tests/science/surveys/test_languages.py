# ruff: noqa: RUF001 (these are the letters of other scripts)
"""Labels that are not answers, in other languages than English."""

from __future__ import annotations

import pytest

from lupom.science.surveys import labels

LANGUAGES = {
    "dont_know": [
        "Weiß nicht",
        "WEISS NICHT",
        "Weiß ich nicht",
        "Kann ich nicht beurteilen",
        "No sabe",
        "No sé",
        "Não sei",
        "NS/NC",
        "Ne sait pas",
        "NSP",
        "Je ne sais pas",
        "Non so",
        "Weet ik niet",
        "Nie wiem",
        "Trudno powiedzieć",
        "Vet ej",
        "Vet inte",
        "Vet ikke",
        "Ved ikke",
        "En osaa sanoa",
        "Nevím",
        "Nem tudom",
        "Nu știu",
        "Bilmiyorum",
        "Fikrim yok",
        "Не знаю",
        "Затрудняюсь ответить",
        "Δεν γνωρίζω",
        "不知道",
        "わからない",
        "모름",
        "-8. Weiß nicht",
        "Weiß nicht / keine Angabe",
        "Weet niet, geen mening",
        "No sabe o no contesta",
        "Важко сказати",
    ],
    "refused": [
        "keine Angabe",
        "Keine Angaben",
        "k. A.",
        "Möchte ich nicht beantworten",
        "Verweigert",
        "Ich möchte dazu keine Angabe machen",
        "Prefiero no responder",
        "Prefiere no contestar",
        "Prefiro não responder",
        "Não respondeu",
        "Ne souhaite pas répondre",
        "Sans réponse",
        "Préfère ne pas répondre",
        "Preferisco non rispondere",
        "Wil niet zeggen",
        "Zeg ik liever niet",
        "Odmowa odpowiedzi",
        "Vill ej svara",
        "Vil ikke svare",
        "Ønsker ikke å svare",
        "Ubesvart",
        "En halua vastata",
        "Nem válaszol",
        "Nu răspunde",
        "Отказ от ответа",
        "拒答",
        "無回答",
        "무응답",
        "99 = Keine Angabe",
        "(99) Refus",
        "أرفض الإجابة",
        "لا جواب",
    ],
    "not_asked": [
        "Nicht zutreffend",
        "No aplica",
        "Não se aplica",
        "Non concerné",
        "Non applicabile",
        "N.v.t.",
        "Niet van toepassing",
        "Nie dotyczy",
        "Ej aktuellt",
        "不适用",
        "해당없음",
    ],
    None: [
        "Trifft nicht zu",
        "رفض",
        "لا",
        "Nein",
        "Nie",
        "Nej",
        "Nei",
        "No",
        "Non",
        "Nicht wichtig",
        "Sans opinion",
        "Keine",
        "Keine Partei",
        "Keine Meinung",
        "Geen",
        "Geen mening",
        "Nada",
        "Ninguno",
        "Rien",
        "Nichts",
        "Niente",
        "Weiss",
        "Weiß",
        "Vill du",
        "No sabe leer",
        "Nie pracuję",
        "Weiß nicht genug",
        "Refugio",
        "Kann nicht lesen",
        "Nezaboravno",
        "Prefiero el tren",
        "Will nicht umziehen",
        "Refused to vote",
        "Refused food",
        "No quiere votar",
        "Ne va pas voter",
        "Нет",
        "不",
        "Ingen",
    ],
}


@pytest.mark.parametrize("status", LANGUAGES)
def test_other_languages(status):
    assert {label: labels.nonresponse(label) for label in LANGUAGES[status]} == dict.fromkeys(
        LANGUAGES[status], status
    )


def test_no_opinion_has_no_place_in_other_languages_either():
    for label in ["Keine Meinung", "Geen mening", "Sans opinion", "Ingen åsikt", "No opinion"]:
        assert labels.unplaced(label)
        assert labels.nonresponse(label) is None


def test_not_to_know_is_an_answer_where_to_know_is_one():
    assert labels.among(["Know well", "Know a little", "Do not know"]) == {}
    assert labels.among(["Yes", "No", "Do not know"]) == {"Do not know": "dont_know"}
    assert labels.among(["Zutreffend", "Nicht zutreffend"]) == {}


def test_refused_is_an_answer_where_accepted_is_one():
    assert labels.among(["Refused", "Accepted", "Postponed"]) == {}
    assert labels.among(["Agree", "Disagree", "Refused"]) == {"Refused": "refused"}
