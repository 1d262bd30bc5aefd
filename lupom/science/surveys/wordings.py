"""What a column's name or wording says: a code before the question, or what is known of people.

Google Forms and Typeform head a column with the question, LimeSurvey with its code and the
question, and so a person's age is in a column 'What is your age?', or '[Q3] How old are you?'.
"""

from __future__ import annotations

import html
import re

from lupom.science.surveys import languages

# 'Q1. ', '[Q1] ', 'Q1: ', '1 - ', '1) ', 'Q5[SQ001]. '; without a digit only with a point: 'Age. '.
_CODE = re.compile(
    r"(?:\[(?P<a>[A-Za-z]{0,12}\d{1,4}\w{0,8})\]|(?P<b>[A-Za-z]{0,12}_?\d{1,4}\w{0,8}(?:\[\w+\])*)\s*"
    r"(?:[.:)]|\s[-\u2013\u2014])|(?P<c>\w{1,20}(?:\[\w+\])*)\.)\s+(?P<text>\S+\s.*)",
    re.DOTALL,
)
# What Qualtrics adds to the wording of a question that has a text beside a choice.
_CHOSEN = re.compile(r"\s+-\s+Selected Choice(?=\s+-\s|\s*$)")
_YOUR = (
    r"(?:(?:what|which|how) (?:is|are|was|would you describe|do you describe) |what'?s "
    r"|(?:please )?(?:select|indicate|enter|state|specify|choose|tell us|provide|give) )?"
    r"(?:(?:the|your|you|respondent'?s?|participant'?s?|current|present|own|exact|primary) )*"
)
_REST = (
    r"(?: ?(?:group|range|category|categories|bracket|in years|years?|yrs|today|currently|status))*"
)
_LIVE = (
    r"(?:do|are|did) you (?:currently |primarily |now |mainly )*"
    r"(?:live|reside|work|based|located|living|from|come)\b.*"
)
# By what it is called where the column's name is a question; English first.
_KNOWN = {
    "age": (
        rf"{_YOUR}age{_REST}|how old are you\b.*|age at last birthday"
        r"|age (?:en annees|en anos|in jahren|in anni|em anos)"
        r"|(?:wie alt|welches alter)\b.*|(?:ihre? )?alter(?: in jahren)?"
        r"|alters(?:gruppen?|klassen?|kategorien?)"
        r"|(?:cual es tu |cual es su )?edad|que edad tienes?|cuantos anos tienes?"
        r"|(?:quel (?:est votre )?)?age(?: avez-?vous)?|qual (?:e )?a? ?sua idade|idade"
    ),
    "year_of_birth": (
        rf"{_YOUR}(?:year of birth|birth ?year)|(?:in )?(?:what|which) year were you born\b.*"
        r"|geburtsjahr|ano de nacimiento|annee de naissance"
    ),
    "gender": (
        rf"{_YOUR}(?:gender|sex)(?: identity)?|(?:with )?(?:what|which) gender do you "
        r"(?:most )?(?:identify|associate)\b.*|(?:do|how do) you identify your gender\b.*"
        r"|are you (?:male|female|a man|a woman)\b.*"
        r"|(?:ihr )?geschlecht|(?:cual es (?:tu|su) )?(?:sexo|genero)|sexe|genre|genere|sesso"
        r"|(?:quel (?:est )?)?(?:votre )?(?:sexe|genre)|qual (?:e )?(?:o )?(?:seu )?(?:sexo|genero)"
        r"|(?:was ist )?(?:ihr|dein) geschlecht|(?:qual e il tuo )?(?:sesso|genere)"
    ),
    "education": (
        rf"{_YOUR}(?:highest )?(?:level of |degree of |completed )*education(?:al)?"
        r"(?: level| attainment| background| qualification)?\b(?:(?: you| that| have| obtained"
        r"| completed| achieved| attained| received| ever)*)"
        r"|(?:what|which) (?:is|was) the highest (?:level|degree|grade|year)\b.*"
        r"|(?:hochster )?(?:bildungs|schul)(?:abschluss|grad|stand)|nivel (?:de estudios|educativo)"
        r"|niveau d'etudes?\b.*"
        r"|(?:qual (?:e )?)?(?:o )?(?:seu )?(?:(?:nivel|grau) de )?escolaridade"
        r"|(?:cual es )?(?:tu |su )?(?:maximo )?nivel de (?:estudios|escolaridad|educacion)\b.*"
    ),
    "income": (
        rf"{_YOUR}(?:total |annual |yearly |monthly |approximate |combined |gross |net )*"
        r"(?:household |family |personal |individual )*(?:annual |yearly |monthly )*"
        r"(?:income|salary)"
        r"(?: (?:level|range|before taxes|per (?:year|month|annum)))*"
        r"|(?:haushalts)?(?:netto)?einkommen|ingresos?|revenus?"
    ),
    "marital_status": (
        rf"{_YOUR}(?:marital|relationship|civil) status|are you (?:currently )?married\b.*"
        r"|familienstand|estado civil|situation (?:familiale|matrimoniale)"
    ),
    "employment": (
        rf"{_YOUR}(?:employment|work|working|job|occupational) (?:status|situation)"
        r"|are you (?:currently )?employed\b.*|(?:berufs|beschaftigungs)status"
    ),
    "occupation": rf"{_YOUR}(?:occupation|profession|job title|beruf|ocupacion|profissao|metier)",
    "country": (
        rf"{_YOUR}(?:country(?: of residence)?|nationality|citizenship)"
        rf"|(?:in |from )?(?:what|which) country {_LIVE}|staatsangehorigkeit|pais|pays|land"
    ),
    "region": (
        rf"{_YOUR}(?:state|region|province|county|city|town|place of residence)"
        r"|(?:in |from )?(?:what|which) (?:state|region|province|county|city|town|part\b.*) "
        rf"{_LIVE}"
        rf"|where {_LIVE}|where is your (?:primary )?residence\b.*|bundesland|wohnort"
        r"|state ?/ ?region|(?:em |en )?(?:que|qual|cual) (?:estado|cidade|ciudad|regiao|region"
        r"|provincia|municipio) (?:voce |tu |usted )?(?:mora|vives?|resides?)\b.*"
        r"|(?:quel(?:le)? est votre )?(?:departement|region|commune)(?: de residence)?"
        r"|(?:in welchem bundesland|wo) (?:leben|wohnen) sie\b.*"
    ),
    "ethnicity": (
        rf"{_YOUR}(?:race|ethnicity|ethnic (?:group|background|origin|identity)|race ?/? ?ethnicity"
        r"|race (?:and|or) ethnicity|ethnicity ?/ ?race)"
        r"|do you identify as (?:hispanic|latin)\b.*|are you (?:of )?(?:hispanic|latin)\b.*"
    ),
    "religion": (
        rf"{_YOUR}(?:religion|religious (?:affiliation|denomination|preference))|konfession"
    ),
    "party": (
        rf"{_YOUR}political (?:party(?: affiliation)?|affiliation|ideology|orientation|leaning)"
    ),
    "language": (
        rf"{_YOUR}(?:(?:native|first|primary|mother|main|spoken|or|written) )+"
        r"(?:language|tongue)\b.*"
    ),
    "department": r"(?:what|which) (?:department|team|division) (?:are|do) you (?:in|work)\b.*",
}
_FIELDS = {name: re.compile(pattern) for name, pattern in _KNOWN.items()}
_CONTACT = re.compile(
    r"(?:what is )?(?:your )?(?:full |first |last |student |family )*"
    r"(?:(?:first ?|sur|last ?|nach|vor)?name(?: (?:and|&|und) (?:sur|last ?|nach)?name)?"
    r"|nombre|nom|prenom|e-?mail(?: address)?|(?:tele|mobile |cell ?)?phone(?: number)?|whats ?app"
    r"(?: number)?|zip ?code|post(?:al)? ?code|home address|address|date of birth|dob"
    r"|company ?/ ?organi[sz]ation name)(?: \(optional\))?"
    r"|(?:.*\b)?(?:leave|enter|provide|give|share|type|write)\b.*\b(?:your|an?|us) e-?mail\b.*"
    r"|.*\bwhat zip ?code\b.*"
)


def parted(name: str) -> tuple[str, str]:
    """Return a code and the question that stand in a column's name: '[Q1] Do you cook?'.

    Returns
    -------
    '' and the name itself where it has none; a number alone is Q and the number.
    """
    name = _CHOSEN.sub("", name)
    found = _CODE.fullmatch(name.strip())
    if found is None:
        return "", name
    code = found["a"] or found["b"] or found["c"]
    text = " ".join(found["text"].split())
    # 'St. Gallen is nice' has no code, and 'Dr. No' neither; a question ends as a sentence does.
    sentence = len(text.split()) > 2 and text[:1].isupper() and text[-1:] in "?!.:]"
    if (found["c"] and not sentence) or text[:1].isdigit():
        return "", name
    code = re.sub(r"\W+", "_", code).strip("_")
    return (f"Q{code}" if code.isdigit() else code), text


def known(name: str) -> str:
    """Return what of a person a question asks for that is known of people, '' for any other.

    'What is your age?' is age; 'Should age be asked?' is a question.
    """
    text = _plain(parted(name)[1])
    return next((what for what, pattern in _FIELDS.items() if pattern.fullmatch(text)), "")


def personal(name: str) -> bool:
    """Say whether a question asks who a person is, or where to reach them."""
    text = html.unescape(parted(name)[1])
    # In two languages: 'Nom / Surname'.
    return any(_CONTACT.fullmatch(_plain(part)) for part in (text, *text.split("/")))


def _plain(text: str) -> str:
    bare = re.sub(r"[?!.:*_]+", " ", languages.unaccented(text))
    bare = re.sub(r"\s*[(\[][^)\]]*[)\]]\s*$", "", " ".join(bare.split()))
    return " ".join(bare.split())
