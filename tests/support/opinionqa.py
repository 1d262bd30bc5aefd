"""Made-up waves in OpinionQA's layout, with what is odd in the published ones."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import numpy as np

WAVES = (34, 41, 82)
# (key, question, references, positions): labels without a place are left out of the positions,
# which go with the labels from the first on, and those in the middle have a half.
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
]
# The lists leave out values that occur.
METADATA = {
    "AGE": ["18-29", "30-49", "50-64", "65+"],
    "MARITAL": ["Married", "Never been married"],
    "RACE": ["White", "Black", "nan"],
    "CITIZEN": ["Yes", "No"],
    "SEX": ["Male", "Female"],
    "EDUCATION": ["High school graduate", "Postgraduate"],
    "POLPARTY": ["Republican", "Democrat", "Independent"],
    "POLIDEOLOGY": ["Conservative", "Moderate", "Liberal"],
}
UNLISTED = {"MARITAL": ["Living with a partner"], "RACE": ["Mixed Race"]}


def write(folder: Path, people: int = 60) -> Path:
    """Write `human_resp` below a folder; wave 41 has codes for answers, the others have texts."""
    root = folder / "human_resp"
    for wave in WAVES:
        _write_wave(root / f"American_Trends_Panel_W{wave}", wave, people)
    topics = {
        " ".join(text.split()): {"cg": ["health", "food"], "fg": ["eating"]}
        for _, text, _, _ in QUESTIONS
        if "eat" in text
    }
    np.save(root / "topic_mapping.npy", np.array(topics, dtype=object), allow_pickle=True)
    return root


def _write_wave(folder: Path, wave: int, people: int) -> None:
    folder.mkdir(parents=True)
    draw = random.Random(wave)
    mappings = {}
    info = []
    for number, (name, text, labels, positions) in enumerate(QUESTIONS):
        codes = {float(99 if o == "Refused" else i): o for i, o in enumerate(labels, 1)}
        mappings[f"{name}_W{wave}"] = {label: code for code, label in codes.items()}
        shown = [float(p) for p in positions]
        info.append([number, f"{name}_W{wave}", text, str(labels), str(codes), str(shown)])
    _csv(
        folder / "info.csv",
        ["", "key", "question", "references", "option_mapping", "option_ordinal"],
        info,
    )
    attributes = [[number, key, str(o)] for number, (key, o) in enumerate(METADATA.items())]
    _csv(folder / "metadata.csv", ["", "key", "options"], attributes)
    rows = []
    for person in range(people):
        answers = []
        for name, codes in mappings.items():
            answer = draw.choices(list(codes), [3 if c < 3 else 1 for c in codes.values()])[0]
            if "EAT" in name and person == 0:
                answer = "Refused"  # not among the references of such items
            if person % 7 == 3:
                answer = ""  # not asked
            coded = wave == 41 and answer in codes
            answers.append(codes[answer] if coded else answer)
        values = [draw.choice([*o, *UNLISTED.get(key, [])]) for key, o in METADATA.items()]
        weight = round(draw.uniform(0.2, 3), 6)
        rows.append([person, 100_000 + person, *answers, *values, weight])
    _csv(
        folder / "responses.csv",
        ["index", "QKEY", *mappings, *METADATA, f"WEIGHT_W{wave}"],
        rows,
    )


def _csv(path: Path, header: list[str], rows: list[list[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
