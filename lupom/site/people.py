"""The persona explorer's data: an index of respondents to search, and pages of their details.

The index of 100,000 respondents is some megabytes of numbers in blocks of INDEX; the details of a
respondent stand with those of PAGE - 1 others in a shard that is read when one of them is opened.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

from lupom.site.layout import layers
from lupom.site.shards import Shards
from lupom.site.tables import Tables

INDEX = 20_000  # respondents in one shard of the index
PAGE = 200  # respondents in one shard of details
BATCH = 5_000  # respondents whose details are in memory at a time
LONGEST = 2_000  # characters of a free text
NEIGHBOURS = 50


def write(shards: Shards, tables: Tables) -> list[dict[str, Any]]:
    """Write the shards of every survey; returns surveys with what the explorer has of them."""
    if not tables.has("respondents", "survey", "respondent_id"):
        return []
    names = [row[0] for row in tables.rows("select distinct survey from respondents order by 1")]
    return [_survey(shards, tables, str(name)) for name in names if name is not None]


def _survey(shards: Shards, tables: Tables, survey: str) -> dict[str, Any]:
    tables.do("drop table if exists _site_people")
    tables.do(
        "create temp table _site_people"
        " (n bigint, respondent_id varchar, attributes json, has tinyint)"
    )
    attributes = "attributes" if tables.has("respondents", "attributes") else "map()"
    tables.rows(
        "insert into _site_people (n, respondent_id, attributes) select row_number() over (order by"
        " try_cast(respondent_id as bigint) nulls last, respondent_id) - 1, respondent_id,"
        f" to_json({attributes}) from respondents where survey = ?",
        [survey],
    )
    ((count,),) = tables.rows("select count(*) from _site_people")
    _mark(tables, survey)
    questions = _questions(tables, survey)
    dimensions = _dimensions(tables, survey)
    edges = _edges(tables, survey)
    ids = {dimension["id"] for dimension in dimensions}
    pairs = [(edge["parent"], edge["child"]) for edge in edges]
    above = {one: [p for p, child in pairs if child == one and p in ids] for one in ids}
    places = layers(above)
    for dimension in dimensions:
        dimension["x"], dimension["y"] = places[dimension["id"]]
    words = _index(shards, tables, survey, count)
    _details(shards, tables, survey, count, questions, dimensions)
    shards.write(
        f"people/{survey}",
        {
            "questions": questions,
            "dimensions": dimensions,
            "edges": edges,
            "attributes": words,
        },
    )
    tables.do("drop table _site_people")
    return {
        "survey": survey,
        "respondents": count,
        "index": INDEX,
        "page": PAGE,
        "dimensions": len(dimensions),
    }


def _mark(tables: Tables, survey: str) -> None:
    """Note of every respondent whether there is a persona (1) and predictions (2)."""
    has = ["0"]
    persona = "persona_values" if tables.has("persona_values") else "refined_persona_values"
    scores = "scores" if tables.has("scores") else "predictions"
    for flag, table in ((1, persona), (2, scores)):
        if tables.has(table, "survey", "respondent_id"):
            has.append(
                f"if(respondent_id in (select respondent_id from {table}"
                f" where survey = $survey), {flag}, 0)"
            )
    tables.rows(
        f"update _site_people set has = {' + '.join(has)} where $survey is not null",
        {"survey": survey},
    )


def _questions(tables: Tables, survey: str) -> list[dict[str, Any]]:
    if not tables.has("questions", "survey", "question_id", "question", "options"):
        return []
    extra = ", battery, item" if tables.has("questions", "battery", "item") else ""
    order = "position, question_id" if tables.has("questions", "position") else "question_id"
    return tables.dicts(
        f"select question_id as id, question as text, options{extra} from questions"
        " where survey = ?"
        f" order by {order}",
        [survey],
    )


def _dimensions(tables: Tables, survey: str) -> list[dict[str, Any]]:
    """Return persona dimensions with how many respondents have each value, raw and refined."""
    if not tables.has("persona_dimensions", "survey", "dimension_id", "candidate_values"):
        return []
    found = tables.dicts(
        "select dimension_id as id, name, description, level, candidate_values as values"
        " from persona_dimensions where survey = ?"
        " order by array_position(['low', 'mid', 'high'], level), dimension_id",
        [survey],
    )
    raw = _value_counts(tables, survey, "persona_values", "value")
    refined = _value_counts(tables, survey, "refined_persona_values", "refined_value")
    for dimension in found:
        values = [*(dimension["values"] or []), None]
        dimension["raw"] = [raw.get((dimension["id"], v), 0) for v in values]
        dimension["refined"] = [refined.get((dimension["id"], v), 0) for v in values]
    return found


def _value_counts(
    tables: Tables, survey: str, table: str, column: str
) -> dict[tuple[str, str | None], int]:
    if not tables.has(table, "survey", "dimension_id", column):
        return {}
    rows = tables.rows(
        f"select dimension_id, {column}, count(*) from {table} as t where survey = ?"
        f"{_default(tables, table)} group by all",
        [survey],
    )
    return {(dimension, value): n for dimension, value, n in rows}


def _edges(tables: Tables, survey: str) -> list[dict[str, Any]]:
    if not tables.has("persona_network_edges", "survey", "parent", "child"):
        return []
    extra = [c for c in ("gain", "p_value", "n") if tables.has("persona_network_edges", c)]
    return tables.dicts(
        f"select {', '.join(['parent', 'child', *extra])} from persona_network_edges as t"
        f" where survey = ?{_default(tables, 'persona_network_edges')} order by parent, child",
        [survey],
    )


# Where one run has several: the table of variants, and the columns that name one.
_VARIANTS = {
    "refined_persona_values": ("persona_networks", "network"),
    "persona_network_edges": ("persona_networks", "network"),
    "similar_respondents": ("retrieval_settings", "retrieval, network"),
}


def _default(tables: Tables, table: str) -> str:
    """Return a condition on `t` that leaves the survey's default variant of a table."""
    variants, key = _VARIANTS.get(table, ("", ""))
    columns = key.split(", ")
    if not (tables.has(variants, "survey", "is_default", *columns) and tables.has(table, *columns)):
        return ""
    return (
        f" and ({', '.join('t.' + c for c in columns)}) in (select ({key}) from {variants} as v"
        " where v.survey = t.survey and v.is_default)"
    )


def _index(shards: Shards, tables: Tables, survey: str, count: int) -> list[dict[str, Any]]:
    """Write ids and attributes of all respondents in blocks; returns attributes and their words."""
    words: dict[str, dict[str, int]] = {}
    for block, start in enumerate(range(0, count, INDEX)):
        rows = tables.rows(
            "select respondent_id, attributes, has from _site_people where n >= ? and n < ?"
            " order by n",
            [start, start + INDEX],
        )
        given = [json.loads(attributes) or {} for _, attributes, _ in rows]
        for attribute in dict.fromkeys(key for one in given for key in one):
            words.setdefault(attribute, {})
        codes: dict[str, list[int]] = {}
        for attribute, known in words.items():
            column = []
            for one in given:
                value = one.get(attribute)
                # 0 is 'not known'.
                column.append(0 if value is None else known.setdefault(value, len(known) + 1))
            codes[attribute] = column
        # By place and not by name: an attribute may be called anything.
        shards.write(
            f"index/{survey}/{block}",
            {
                "ids": [row[0] for row in rows],
                "codes": [codes[a] for a in words],
                "has": [row[2] for row in rows],
            },
        )
    return [{"name": a, "values": list(known)} for a, known in words.items()]


def _details(
    shards: Shards,
    tables: Tables,
    survey: str,
    count: int,
    questions: list[dict[str, Any]],
    dimensions: list[dict[str, Any]],
) -> None:
    """Write the pages of details.

    DuckDB makes the JSON of a respondent's part, as text: with Python making it, benchmarks/site.py
    took 38 s of CPU time instead of 8.5.
    """
    _words(tables, "_site_questions", [(q["id"], q["options"] or []) for q in questions])
    _words(tables, "_site_dimensions", [(d["id"], d["values"] or []) for d in dimensions])
    parts = _parts(tables)
    predictions = _predictions(tables)
    for start in range(0, count, BATCH):
        end = min(start + BATCH, count)
        people: list[list[str]] = [[] for _ in range(start, end)]
        for part, sql in parts.items():
            for n, text in tables.rows(sql, [survey, start, end]):
                people[n - start].append(f'"{part}":[{text}]')
        if predictions:
            found: dict[int, list[list[Any]]] = {}
            for sql in predictions:
                rows = tables.rows(sql, [survey, start, end])
                _add_predictions(found, rows, questions)
            for n, of_one in found.items():
                text = json.dumps(of_one, ensure_ascii=False, separators=(",", ":"))
                people[n - start].append(f'"t":{text}')
        for page in range(start, end, PAGE):
            texts = (",".join(one) for one in people[page - start : page - start + PAGE])
            text = "[" + ",".join(f"{{{one}}}" for one in texts) + "]"
            shards.write_json(f"details/{survey}/{page // PAGE}", text)
    for name in ("_site_questions", "_site_dimensions"):
        tables.do(f"drop table {name}")


def _words(tables: Tables, name: str, words: list[tuple[str, list[str]]]) -> None:
    """Make a temporary table of the place of each id, and of the words its answers have."""
    tables.do(f"create or replace temp table {name} (id varchar, place bigint, words varchar[])")
    for place, (id_, given) in enumerate(words):
        tables.rows(f"insert into {name} values (?, ?, ?)", [id_, place, given])


# SQL of JSON texts: a word as its place among the known ones, else as itself; a number.
_JOIN = "join _site_people as p on p.respondent_id = t.respondent_id"
_WHERE = "where t.survey = ? and p.n >= ? and p.n < ?"


def _word(column: str) -> str:
    return (
        f"case when {column} is null then 'null' else coalesce("
        f"(nullif(list_position(w.words, {column}), 0) - 1)::varchar,"
        f" to_json(left({column}::varchar, {LONGEST}))::varchar) end"
    )


def _number(column: str) -> str:
    number = f"{column}::double"
    return f"coalesce(case when isfinite({number}) then round({number}, 4)::varchar end, 'null')"


def _parts(tables: Tables) -> dict[str, str]:
    """Return the SQL that gives place and JSON text of each part of respondents' details.

    h: known answers, [question, answer, status if there is none]; p: raw persona, [dimension,
    value]; r: refined, [dimension, value, probability, raw probability]; s: neighbours, [place,
    similarity].
    """
    parts = {}
    place = "coalesce(w.place::varchar, to_json(t.question_id)::varchar)"
    if tables.has("known_responses", "role", "status", "answer"):
        status = "case when t.answer is null then ',' || to_json(t.status)::varchar else '' end"
        parts["h"] = (
            f"select p.n, string_agg('[' || {place} || ',' || {_word('t.answer')} || {status}"
            " || ']', ',' order by w.place, t.question_id) from known_responses as t"
            f" {_JOIN} left join _site_questions as w on w.id = t.question_id {_WHERE}"
            " and t.role = 'known' and t.status <> 'not_asked' group by p.n"
        )
    dimension = f"{_JOIN} join _site_dimensions as w on w.id = t.dimension_id {_WHERE}"
    if tables.has("persona_values", "dimension_id", "value"):
        parts["p"] = (
            f"select p.n, string_agg('[' || w.place || ',' || {_word('t.value')} || ']', ','"
            f" order by w.place) from persona_values as t {dimension} group by p.n"
        )
    if tables.has("refined_persona_values", "refined_value", "probability", "raw_probability"):
        numbers = f"{_number('t.probability')} || ',' || {_number('t.raw_probability')}"
        parts["r"] = (
            f"select p.n, string_agg('[' || w.place || ',' || {_word('t.refined_value')} || ','"
            f" || {numbers} || ']', ',' order by w.place)"
            f" from refined_persona_values as t {dimension}"
            f"{_default(tables, 'refined_persona_values')} group by p.n"
        )
    if tables.has("similar_respondents", "neighbour_id", "rank", "similarity"):
        parts["s"] = (
            f"select p.n, string_agg('[' || o.n || ',' || {_number('t.similarity')} || ']', ','"
            f" order by t.rank, o.n) from similar_respondents as t {_JOIN}"
            f" join _site_people as o on o.respondent_id = t.neighbour_id {_WHERE}"
            f" and t.rank <= {NEIGHBOURS}{_default(tables, 'similar_respondents')} group by p.n"
        )
    return parts


def _predictions(tables: Tables) -> list[str]:
    """Return the SQL of predictions beside truths: of options, and of numbers.

    Before scores are built, they are predictions without truths.
    """
    columns = ("question_id", "predictor", "llm")
    found = []
    for table in ("scores", "predictions"):
        if tables.has(table, *columns, "answer", "probabilities"):
            truth = "t.truth" if tables.has(table, "truth") else "null"
            found.append((table, f"t.answer, {truth}, t.probabilities"))
            break
    if tables.has("number_scores", *columns, "value", "truth"):
        found.append(("number_scores", "t.value::varchar, t.truth::varchar, null"))
    return [
        f"select p.n, t.question_id, t.predictor, t.llm, {shown} from {table} as t"
        f" {_JOIN} {_WHERE} order by p.n, t.question_id, t.predictor, t.llm"
        for table, shown in found
    ]


def _add_predictions(
    found: dict[int, list[list[Any]]],
    rows: list[tuple[Any, ...]],
    questions: list[dict[str, Any]],
) -> None:
    """Add [question, predictor, answer, truth, [[option, probability], ...]] by respondent."""
    places = {question["id"]: i for i, question in enumerate(questions)}
    codes = [{option: j for j, option in enumerate(q["options"] or [])} for q in questions]

    def word(place: int | None, text: Any) -> Any:
        if text is None:
            return None
        return str(text)[:LONGEST] if place is None else codes[place].get(text, text[:LONGEST])

    for n, question, predictor, llm, answer, given, probabilities in rows:
        place = places.get(question)
        shown = [[word(place, option), _round(p)] for option, p in (probabilities or {}).items()]
        name = predictor if llm is None else f"{predictor} ({llm})"
        first = question if place is None else place
        row = [first, name, word(place, answer), word(place, given), shown]
        found.setdefault(n, []).append(row)


def _round(value: float | None) -> float | None:
    return None if value is None or not isfinite(value) else round(float(value), 4)
