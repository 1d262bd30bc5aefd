"""The shipped project over the published waves, written to a folder."""

from __future__ import annotations

import json

from lupom.science.evaluation import published
from tests.support import opinionqa
from tests.support.shipped import copy_project

SURVEYS = [f"opinionqa.W{wave}" for wave in opinionqa.WAVES]


BUCKET = "s3://opinionqa/human_resp"


def settings(place, **more):
    return {
        "surveys": SURVEYS,
        "topic_mappings": ["opinionqa.topic_mapping"],
        "opinionqa": str(place),
        "protocol": "persona_db",
        **more,
    }


def project_of(folder, waves, pairs, **options):
    """Copy the shipped project, with the published pairs of each wave as its seed."""
    copy_project(folder, respondents=30, **options)
    rows = []
    for wave in opinionqa.WAVES:
        path = folder / f"test_W{wave}.json"
        path.write_text(json.dumps(opinionqa.pairs(waves, wave, pairs)))
        rows += published.read(path, f"opinionqa.W{wave}")
    with (folder / "seeds" / "published_pairs.csv").open("w", encoding="utf-8") as file:
        published.write(rows, file)
    return folder
