"""A format: one answer a line, 'respondent <tab> question <tab> answer', in files called .long."""

from pathlib import Path

from lupom.science.surveys.columns import Column, File
from lupom.science.surveys.formats import Asked, Format


def read(path: Path, asked: Asked) -> File:
    people: dict[str, dict[str, str]] = {}
    questions: dict[str, None] = {}
    text = path.read_text(encoding=asked.encoding or "utf-8")
    for number, line in enumerate(text.splitlines(), start=1):
        cells = line.split("\t")
        if len(cells) != 3:
            raise ValueError(f"{path.name}:{number}: {len(cells)} cells, not 3")
        person, question, answer = cells
        people.setdefault(person, {})[question] = answer
        questions[question] = None
    columns = [Column("respondent_id", list(people))]
    for question in questions:
        values = [answers.get(question, "") for answers in people.values()]
        columns.append(Column(question, values, label=question))
    return File(path.name, columns)


LONG = Format("One answer a line: respondent, question, answer", read, suffixes=(".long",))
