"""The persona explorer's data: an index of respondents to search, and pages of their details.

The index of 100,000 respondents is some megabytes of numbers in blocks of INDEX; the details of a
respondent stand with those of PAGE - 1 others in a shard that is read when one of them is opened.
"""

from __future__ import annotations

from collections.abc import Iterable
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
        f"select dimension_id, {column}, count(*) from {table} where survey = ? group by all",
        [survey],
    )
    return {(dimension, value): n for dimension, value, n in rows}


def _edges(tables: Tables, survey: str) -> list[dict[str, Any]]:
    if not tables.has("persona_network_edges", "survey", "parent", "child"):
        return []
    extra = [c for c in ("gain", "p_value", "n") if tables.has("persona_network_edges", c)]
    return tables.dicts(
        f"select {', '.join(['parent', 'child', *extra])} from persona_network_edges"
        " where survey = ? order by parent, child",
        [survey],
    )


def _index(shards: Shards, tables: Tables, survey: str, count: int) -> list[dict[str, Any]]:
    """Write ids and attributes of all respondents in blocks; returns attributes and their words."""
    import json

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
    places = {question["id"]: i for i, question in enumerate(questions)}
    codes = [
        {option: j for j, option in enumerate(question["options"] or [])} for question in questions
    ]
    dims = {dimension["id"]: i for i, dimension in enumerate(dimensions)}
    values = [{v: j for j, v in enumerate(d["values"] or [])} for d in dimensions]

    def answer(place: int | None, text: Any) -> Any:
        """An option as its number, anything else as text."""
        if text is None:
            return None
        return codes[place].get(text, str(text)[:LONGEST]) if place is not None else text

    for start in range(0, count, BATCH):
        end = min(start + BATCH, count)
        people: list[dict[str, Any]] = [{} for _ in range(start, end)]

        def add(
            part: str, rows: Iterable[tuple[Any, ...]], first: int = start, into: Any = people
        ) -> None:
            for n, *row in rows:
                into[n - first].setdefault(part, []).append(row)

        def of(sql: str, first: int = start, last: int = end) -> list[tuple[Any, ...]]:
            return tables.rows(sql, [survey, first, last])

        where = "where t.survey = ? and p.n >= ? and p.n < ?"
        join = "join _site_people as p on p.respondent_id = t.respondent_id"
        if tables.has("known_responses", "role", "status", "answer"):
            rows = of(
                "select p.n, t.question_id, t.answer, t.status from known_responses as t"
                f" {join} {where} and t.role = 'known' and t.status <> 'not_asked'"
                " order by p.n, t.question_id"
            )
            add("h", _answers(rows, places, answer))
        if tables.has("persona_values", "dimension_id", "value"):
            rows = of(
                "select p.n, t.dimension_id, t.value from persona_values as t"
                f" {join} {where} order by p.n, t.dimension_id"
            )
            add("p", _values(rows, dims, values))
        if tables.has("refined_persona_values", "refined_value", "probability"):
            rows = of(
                "select p.n, t.dimension_id, t.refined_value, t.probability, t.raw_probability"
                f" from refined_persona_values as t {join} {where} order by p.n, t.dimension_id"
            )
            add("r", _values(rows, dims, values))
        if tables.has("similar_respondents", "neighbour_id", "rank", "similarity"):
            rows = of(
                "select p.n, o.n, t.similarity from similar_respondents as t"
                f" {join} join _site_people as o on o.respondent_id = t.neighbour_id {where}"
                f" and t.rank <= {NEIGHBOURS} order by p.n, t.rank"
            )
            add("s", ((n, other, _round(x)) for n, other, x in rows))
        add("t", _predictions(tables, of, join, where, places, answer))
        for page in range(start, end, PAGE):
            part = people[page - start : page - start + PAGE]
            shards.write(f"details/{survey}/{page // PAGE}", part)


def _answers(
    rows: list[tuple[Any, ...]], places: dict[str, int], answer: Any
) -> Iterable[tuple[Any, ...]]:
    for n, question, text, status in rows:
        place = places.get(question)
        said = (answer(place, text),)
        yield (n, question if place is None else place, *said, *([status] if text is None else []))


def _values(
    rows: list[tuple[Any, ...]], dims: dict[str, int], values: list[dict[str, int]]
) -> Iterable[tuple[Any, ...]]:
    for n, dimension, value, *numbers in rows:
        place = dims.get(dimension)
        if place is not None:
            yield (n, place, values[place].get(value, value), *(_round(x) for x in numbers))


def _predictions(
    tables: Tables, of: Any, join: str, where: str, places: dict[str, int], answer: Any
) -> Iterable[tuple[Any, ...]]:
    """Yield place, question, predictor, llm, answer, truth, options' probabilities, missing mass.

    From scores, where truths stand beside; before those are built, from predictions, without.
    """
    for table in ("scores", "predictions"):
        if not tables.has(table, "question_id", "predictor", "llm", "answer", "probabilities"):
            continue
        truth = "t.truth" if tables.has(table, "truth") else "null"
        rows = of(
            f"select p.n, t.question_id, t.predictor, t.llm, t.answer, {truth}, t.probabilities"
            f" from {table} as t {join} {where} order by p.n, t.question_id, t.predictor, t.llm"
        )
        for n, question, predictor, llm, said, gold, probabilities in rows:
            place = places.get(question)
            shown = [
                [answer(place, option), _round(p)] for option, p in (probabilities or {}).items()
            ]
            name = predictor if llm is None else f"{predictor} ({llm})"
            given = answer(place, gold)
            yield n, question if place is None else place, name, answer(place, said), given, shown
        return


def _round(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)
