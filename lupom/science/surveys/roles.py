"""What a column is by its name and its cells: of the interview, personal, or known of people."""

from __future__ import annotations

import re
from collections.abc import Collection

from lupom.science.surveys import languages, wordings
from lupom.science.surveys.columns import Column, slug

_RECORD = re.compile(
    r"(?:start|end|recorded|interview|completion|submit)_?(?:date|time|timestamp)(?:_.*)?"
    r"|(?:date|timestamp)(?:_.*)?|time_?(?:stamp|taken|spent|started|submitted)(?:_(?:in_)?"
    r"(?:m?s|secs?|seconds|mins?|minutes|utc))?|time_from_start_to_finish.*"
    r"|.+_time_?stamp|redcap_.*|(?:last_page|start_language|submit_?date|ref_?url|network_id)"
    r"|(?:interview|survey)_(?:start|end)(?:_.*)?|duration(?!_of_).*|ip_?address|(?:.+_)?(?:location)?(?:lat|long)itude"
    r"|(?:.+_)?gps(?:_.*)?|(?:.+_)?(?:geo_?point|geo_?location|coordinates|altitude)(?:_.*)?"
    r"|progress|finished|user_?language|distribution_?channel|external_?(?:data_?)?reference"
    r"|(?:device|lang|browser|version)(?:_.*)?|.*_(?:first_click|last_click"
    r"|page_submit|click_count)",
    re.IGNORECASE,
)
# What LimeSurvey, Google, Microsoft and others call these, in the languages of their users; of a
# name without accents.
_ELSEWHERE = re.compile(
    r"seed|zufallsstartwert|tete_de_serie|semilla|(?:group|question|total|interview)_?time(?:_.*|\d.*)?"
    r"|\w*\d\w*(?<!_)time|group_?time\d+"
    r"|temps_total|duree_pour_l[ae]_(?:question|groupe).*|gesamtzeit|fragenzeit.*|gruppenzeit.*"
    r"|datum_(?:abgeschickt|gestartet|letzte_aktivitat)|letzte_seite|start_?sprache|zeitstempel"
    r"|startzeit|fertigstellungszeit|zeitpunkt_der_letzten_anderung"
    r"|date_de_(?:soumission|lancement|la_derniere_action|debut|fin)|derniere_page|langue_de_depart"
    r"|horodateur|adresse_ip|ip_adresse|url_referente|url_de_referencia|referrer_url"
    r"|fecha_de_(?:envio|inicio|la_ultima_accion)|ultima_pagina|idioma_inicial|lenguaje_inicial"
    r"|marca_temporal|marca_de_tiempo|carimbo_de_data_hora|informazioni_cronologiche"
    r"|date_(?:submitted|started|last_action)|ipaddr|refurl|token|collector(?:_?id)?"
    r"|stage_date.*|response_type|(?:last|first)_modified.*|submission_?(?:date|time)?|today"
    # SoSci Survey, Unipark and Prolific.
    r"|questnnr|mailsent|last_?data|q_viewer|max_?page|missing|miss_?rel|time_rsi|deg_time"
    r"|time_?\d{3}|time_sum|disp_?code|rts\d+|page_history|external_lfdn|total_approvals"
    r"|completion_code|study_id|numentre|numinves"
    # oTree: 'participant.payoff', 'survey.1.group.id_in_subsession'.
    r"|participant_(?!label).+|session_(?:code|label|mturk.*|config.*)|.+_(?:group|subsession)_.+"
    r"|.+_player_(?:id_in_group|payoff|role)"
    r"|(?:form|app)_?version|validation_status|submitted_by|attachments_.*|review_state|edits"
)
# Names that can be a question's, too ("Status": married): what they hold tells.
_MAY_BE_RECORD = re.compile(r"time|status|mode|form|completed?|language|.+_complete")
_OF_RECORD = re.compile(
    r"(?:in)?complete[d]?|partial(?:ly.*)?|finished|started|submitted|unverified|ip address"
    r"|survey preview|spam|imported|web|phone|cati|cawi|capi|mobile|desktop|online|paper|in person"
    r"|face[ -]to[ -]face|true|false|yes|no|[a-z]{2}(?:[-_][a-z]{2,4})?"
    r"|\d+(?:[.:]\d+)*(?:\s?[ap]m)?(?:\s?(?:s|sec|secs|min|mins|minutes|seconds))?",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_ADDRESS = re.compile(
    r"(?:\d{1,3}\.){3}\d{1,3}|(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{0,4}", re.IGNORECASE
)
_PHONE = re.compile(r"\+?[\d(][\d ()./-]{7,}\d")
_PERSONAL = re.compile(
    r"(?:recipient_?)?(?:e_?mail(?:_?address)?|first_?name|last_?name|full_?name|name|(?:tele)?phone"
    r"(?:_?number)?(?:_\d)?|mobile_?(?:phone|number)|address|street|surname|dob|date_?of_?birth"
    r"|zip(?:_?code)?|postal|post(?:al)?_?code|plz|postleitzahl|username|user_?name|twitter|ip)"
    r"|recipient_?(?:first|last)_?name",
    re.IGNORECASE,
)
_DEMOGRAPHIC = {
    *("age", "agecat", "agegrp", "age_group", "agegroup", "birthyear", "yob", "sex", "gender"),
    *("race", "ethnicity", "ethnic", "hispanic", "hisp", "racethn", "education", "educ", "degree"),
    *("school", "income", "hhincome", "salary", "marital", "married", "maritalstatus", "children"),
    *("childs", "kids", "region", "cregion", "state", "country", "urban", "metro", "placesize"),
    *("citizen", "citizenship", "religion", "relig", "religattend", "party", "partyid"),
    *("polparty", "pid3", "pid7", "polviews", "ideology", "polideology", "ideo", "employment"),
    *("employ", "employed", "occupation", "job", "wrkstat", "nationality", "language", "born"),
    *("household", "hhsize", "class", "generation", "department", "tenure", "seniority"),
    # ESS, WVS and EVS call these so.
    *("cntry", "gndr", "agea", "yrbrn", "eisced", "edulvlb", "eduyrs", "hinctnta", "domicil"),
    *("mnactic", "marsts", "maritalb", "rlgdnm", "ctzcntr", "brncntr", "hhmmb", "b_country"),
    *("b_country_alpha", "cow_num", "cow_alpha", "province", "municipality", "district"),
    *("idenpa", "student_status"),
    # Where somebody was interviewed or treated.
    *("site", "study_site", "centre", "center", "clinic", "village", "facility", "subcounty"),
    *(
        "ed",
        "alter",
        "geschlecht",
        "edad",
        "sexo",
        "genero",
        "sexe",
        "idade",
        "geburtsjahr",
        "bildung",
    ),
}
# What may stand beside these in a name; with another word it is an opinion: job_satisfaction.
_QUALIFIERS = re.compile(
    r"codes?|cat(?:egory|egorical)?|groups?|grp|levels?|status|id|names?|num(?:eric|ber)?|years?|yrs"
    r"|range|bracket|r|resp(?:ondent)?|self|recoded?|rec|rc|label|binary|dummy|text|other|final"
    r"|quint\w*|dec\w*|tert\w*|current|now|type|id(?:entity)?|pre|post|husb(?:and)?|wife|spouse|mother"
    r"|father|partner|parent|\d+\w*|[wtv]\d+|birth|of|in|at|eth\w*|hh|household|annual|us|uk|eu|iso\d?"
    r"|my|your|total|family|personal|gross|net|monthly|religious|political|native|home|highest|main"
    r"|simplified|primary|last|have|has|completed|years|no|child|people|person|member|main|living|with"
)
# What somebody is or not, in a column of two values.
_BEING = {
    *("female", "male", "woman", "white", "black", "nonwhite", "immigrant", "veteran", "parent"),
    *(
        "collegedegree",
        "college",
        "college_degree",
        "homeown",
        "homeowner",
        "retired",
        "unemployed",
    ),
}


# What an experiment gave people, which is no answer of theirs.
_ASSIGNED = re.compile(r"(?:exp(?:erimental)?_?)?(?:condition|treatment|arm|treatment_group)")
_MOST_ARMS = 8
# GSS and others call so how often people go to church; elsewhere it asks whether they will come.
_ATTEND = re.compile(r"attend(?:ance)?")
_WORSHIP = re.compile(r"relig|church|worship|mosque|synagogue|temple|\bmass\b|prayer", re.I)
_HOW_OFTEN = re.compile(r"never|rarely|seldom|week|month|year|daily|day|holiday|often|times", re.I)
_FEWEST_CODES = 5


def is_personal(column: Column) -> bool:
    """Say whether a column has people's names or where to reach them, by its name or its cells."""
    different = set(column.values) - {""}
    if _PERSONAL.fullmatch(slug(column.name)) or wordings.personal(column.name):
        return True
    if column.label and wordings.personal(column.label):
        return True
    if column.labels or len(different) < 2:
        return False
    if all(_EMAIL.fullmatch(v) for v in different):
        return True
    if all(_ADDRESS.fullmatch(v) for v in different):
        return True
    named = "phone" in column.name.casefold() or "tel" in slug(column.name).split("_")
    return named and all(_PHONE.fullmatch(v) for v in different)


def is_record(column: Column) -> bool:
    """Say whether a column is of the interview: when, how and how long it was."""
    different = set(column.values) - {""}
    name = slug(column.name)
    if column.labels and len(different) > 9:
        return False
    if _RECORD.fullmatch(name) or _ELSEWHERE.fullmatch(languages.unaccented(name)):
        return True
    if not _MAY_BE_RECORD.fullmatch(name):
        return False
    return all(_OF_RECORD.fullmatch(column.labels.get(v, v)) for v in different)


def is_attribute(column: Column, missing: Collection[str] = ()) -> bool:
    """Say whether a column is what is known of people, as their age is, and no question.

    `missing` are its codes that are no answers.
    """
    if column.group:
        return False
    # oTree has 'survey.1.player.age'.
    last = column.name.rpartition(".")[2] if column.name.count(".") > 1 else column.name
    name = slug(last)
    if column.known or column.name.startswith("F_") or name in _DEMOGRAPHIC:
        return True
    if name in _BEING and len(set(column.values) - {""} - set(missing)) == 2:
        return True
    if _ASSIGNED.fullmatch(name) and 2 <= len(set(column.values) - {"", *missing}) <= _MOST_ARMS:
        return True
    if _ATTEND.fullmatch(name):
        return _of_worship(column, missing)
    if wordings.known(column.name) or (column.label and wordings.known(column.label)):
        return True
    if re.fullmatch(r"(?:dem|demo|demog|profile|ppl?)_.*", name):
        return True
    words = slug(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", column.name)).split("_")  # AgeGroup
    if not 0 < len(words) <= 3:
        return False
    known = _DEMOGRAPHIC - {"class", "state"}
    rest = [w for w in words if w not in known]
    return len(rest) < len(words) and all(map(_QUALIFIERS.fullmatch, rest))


def _of_worship(column: Column, missing: Collection[str]) -> bool:
    """Say whether a column called 'attend' holds how often somebody goes to church, or codes of it.

    'Will attend' and 'Yes' answer whether they come to something else.
    """
    if column.label and column.label.casefold() != column.name.casefold():
        return _WORSHIP.search(column.label) is not None
    answers = {column.labels.get(v, v) for v in {*column.values, *column.labels} - {"", *missing}}
    if all(a.isdecimal() for a in answers):
        return len(answers) >= _FEWEST_CODES
    return 2 * sum(_HOW_OFTEN.search(a) is not None for a in answers) >= len(answers)
