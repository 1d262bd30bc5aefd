"""Made-up waves in OpinionQA's layout, in the form of the published files, with what is odd there.

Columns and their order, lists as Python literals, attributes with their options, and the number of
questions are those of the published waves 34, 41 and 82; wordings and answers are made up.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

WAVES = (34, 41, 82)
# As published: questions and respondents of each wave.
SIZES = {34: (67, 2537), 41: (90, 2524), 82: (104, 2596)}
# (key, question, references, positions): labels without a place are left out of the positions,
# which go with the labels from the first on; those in the middle have a half, and equal ones are
# no scale.
QUESTIONS = [
    ("SAFE", "How safe, if at all, do you feel?", ["Very safe", "Not too safe", "Refused"], [1, 2]),
    (
        "BETTER",
        "Thinking of the next 30 years, will the country be... [\u2018Neither\u2019 may be said]",
        ["Better", "Worse", "Neither better nor worse", "Refused"],
        [1, 2, 1.5],
    ),
    (
        "HARM",
        "Is eating such food, in the long run,\nrisky to health?",
        ["A great deal", "Some", "Not too much", "None at all", "Not sure", "Refused"],
        [1, 2, 2.5, 4],
    ),
    ("GOOD", 'Is "organic" food better for one\'s health?', ["Yes", "No", "Refused"], [1, 2]),
    ("TRUST_a", "How much do you trust each? Scientists", ["A lot", "Some", "Refused"], [1, 2]),
    ("TRUST_b", "How much do you trust each? Farmers", ["A lot", "Some", "Refused"], [1, 2]),
    ("TRUST_c", "How much do you trust each? Makers", ["A lot", "Some", "Refused"], [1, 2]),
    ("EAT_1", "Which do you eat? Meat", ["Selected", "Not selected"], [1, 2]),
    ("EAT_2", "Which do you eat? Fish", ["Selected", "Not selected"], [1, 2]),
    (
        "PAYS",
        "Who should mostly pay for it?",
        ["Families", "Government", "Older people's own savings", "Refused"],
        [1, 1, 1],
    ),
    ("LIMIT_a", "Which do you limit? Sugar", ["Not selected", "Sugar"], [0, 1]),
    (
        "VIEW",
        "Which statement is closer to your view?",
        ["It grew over time; nothing guided it", "It has been as it is", "Other view", "Refused"],
        [1, 2],
    ),
]
# The lists leave out values that occur.
METADATA = {
    "CREGION": ["Northeast", "Midwest", "South", "West"],
    "AGE": ["18-29", "30-49", "50-64", "65+"],
    "SEX": ["Male", "Female"],
    "EDUCATION": ["Less than high school", "High school graduate", "Associate's degree"],
    "CITIZEN": ["Yes", "No"],
    "MARITAL": ["Married", "Divorced", "Never been married"],
    "RELIG": ["Protestant", "Roman Catholic", "Atheist", "Nothing in particular"],
    "RELIGATTEND": ["Once a week", "A few times a year", "Never"],
    "POLPARTY": ["Republican", "Democrat", "Independent", "Other"],
    "INCOME": ["Less than $30,000", "$30,000-$50,000", "$100,000 or more"],
    "POLIDEOLOGY": ["Very conservative", "Conservative", "Moderate", "Liberal", "Very liberal"],
    "RACE": ["White", "Black", "Asian", "Hispanic", "Other", "nan"],
}
UNLISTED = {
    "MARITAL": ["Living with a partner"],
    "RACE": ["Mixed Race"],
    "POLPARTY": ["Refused"],
    "POLIDEOLOGY": ["Refused"],
}
# What stands before the questions, of each row: running numbers of the frames it went through, the
# respondent's number (their id in the published pairs), Pew's own key, and how they answered.
FRONT = ("", "Unnamed: 0.1", "Unnamed: 0", "index", "QKEY")
ASKED = ("Device_Type", "LANGUAGE", "FORM")
_SCALES = [
    ["A great deal", "Some", "Not too much", "None at all", "Refused"],
    ["Very confident", "Somewhat confident", "Not too confident", "Refused"],
    ["Favor", "Oppose", "Refused"],
    ["Top priority", "Some priority", "No priority", "Not sure", "Refused"],
]
_ITEMS = ["farms", "schools", "clinics", "roads", "courts", "banks", "ports", "towns", "rivers"]


def questions(count: int) -> list[tuple[str, str, list[str], Sequence[float]]]:
    """Return that many questions: those above, then batteries of nine items each."""
    out: list[Any] = list(QUESTIONS[:count])
    for number in range(count - len(out)):
        battery, item = divmod(number, len(_ITEMS))
        scale = _SCALES[battery % len(_SCALES)]
        placed = [o for o in scale if o not in ("Refused", "Not sure")]
        text = f"What do you think of change number {battery + 1}, in each place? In {_ITEMS[item]}"
        out.append((f"CHANGE{battery}_{item}", text, scale, range(1, len(placed) + 1)))
    return out


def write(folder: Path, people: int | None = 60, count: int = len(QUESTIONS)) -> Path:
    """Write `human_resp` below a folder; wave 41 has codes for answers, the others have texts.

    `people` are asked the first `count` questions. With `people` None, waves have as many questions
    and respondents as the published ones.
    """
    root = folder / "human_resp"
    asked = {w: questions(SIZES[w][0] if people is None else count) for w in WAVES}
    for wave in WAVES:
        size = SIZES[wave][1] if people is None else people
        _write_wave(root / f"American_Trends_Panel_W{wave}", wave, asked[wave], size)
    topics = {
        " ".join(text.split()): {"cg": ["health", "food"], "fg": ["eating"]}
        for _, text, _, _ in QUESTIONS
        if "eat" in text
    }
    np.save(root / "topic_mapping.npy", np.array(topics, dtype=object), allow_pickle=True)
    return root


def pairs(root: Path, wave: int, count: int) -> list[dict[str, object]]:
    """Return test pairs in the published form, drawn among what was asked of people."""
    path = root / f"American_Trends_Panel_W{wave}" / "responses.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    keys = [k for k in rows[0] if k.endswith(f"_W{wave}") and k.split("_W")[0] not in (*ASKED,)]
    keys = [k for k in keys if not k.startswith("WEIGHT")]
    draw = random.Random(wave)
    out: list[dict[str, object]] = []
    seen = set()
    while len(out) < count:
        row, key = draw.choice(rows), draw.choice(keys)
        if row[key] and (row["index"], key) not in seen:
            seen.add((row["index"], key))
            out.append({"author_id": int(row["index"]), "conversation_id": key, "label": row[key]})
    return out


def _write_wave(folder: Path, wave: int, asked: list[Any], people: int) -> None:
    folder.mkdir(parents=True)
    draw = random.Random(wave)
    mappings = {}
    info: list[list[object]] = []
    for number, (name, text, labels, positions) in enumerate(asked):
        coded = {"Refused": 99, "Not sure": 8}
        first = 0 if labels[0] == "Not selected" else 1
        codes = {float(coded.get(o, i)): o for i, o in enumerate(labels, first)}
        mappings[f"{name}_W{wave}"] = {label: code for code, label in codes.items()}
        shown = list(positions) if set(positions) == {1} else [float(p) for p in positions]
        numbers = [number] * 3
        info.append([*numbers, f"{name}_W{wave}", str(codes), text, str(labels), str(shown)])
    _csv(
        folder / "info.csv",
        [*FRONT[:3], "key", "option_mapping", "question", "references", "option_ordinal"],
        info,
    )
    attributes = [[2 * number, key, str(o)] for number, (key, o) in enumerate(METADATA.items())]
    _csv(folder / "metadata.csv", ["", "key", "options"], attributes)
    rows: list[list[object]] = []
    for person in range(people):
        leaning = draw.random()
        answers: list[object] = []
        for name, codes in mappings.items():
            labels = list(codes)
            kept = [o for o in labels if o not in ("Refused", "Not sure")]
            answer = kept[min(int((leaning + draw.random()) / 2 * len(kept)), len(kept) - 1)]
            if draw.random() < 0.05:
                answer = labels[-1]
            if "EAT" in name and person == 0:
                answer = "Refused"  # not among the references of such items
            if person % 7 == 3:
                answer = ""  # not asked
            answers.append(codes[answer] if wave == 41 and answer in codes else answer)
        values = []
        for key, options in METADATA.items():
            known = [*options, *UNLISTED.get(key, [])]
            values.append(known[min(int(draw.betavariate(2, 2) * len(known)), len(known) - 1)])
        values[8] = METADATA["POLPARTY"][int(leaning * 3)]
        front = [person, person, person, _index(person), 100_000 + person]
        form = ["Computer", "English", f"Form {1 + person % 2}"]
        weight = round(draw.uniform(0.2, 3), 6)
        profile = [values[0], draw.choice(["Internet", "No internet"])]
        rows.append([*front, *form, *answers, *profile, weight, *values])
    header = [
        *FRONT,
        *(f"{name}_W{wave}" for name in ASKED),
        *mappings,
        *("F_CREGION_FINAL", "F_INTERNET_FINAL", f"WEIGHT_W{wave}"),
        *METADATA,
    ]
    _csv(folder / "responses.csv", header, rows)


def _index(person: int) -> int:
    """Return the id of the respondent in a row: rows of people who were left out are missing."""
    return person + person // 5


def _csv(path: Path, header: list[str], rows: list[list[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
