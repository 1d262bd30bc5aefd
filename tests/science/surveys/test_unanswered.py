"""What stands in a survey's file in place of an answer."""

from __future__ import annotations

import pyarrow as pa
import pytest

from lupom.science.surveys.unanswered import unanswered

MAPPING = "{1: 'Yes', 2: 'No', 7: 'No answer', 8: \"Don't know\", 9: 'Refused'}"


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        # Codes of the file; of two that say the same each keeps its own.
        (
            ["1", "8", "9", "7", ""],
            {
                "b": ("dont_know", "Don't know", "8"),
                "c": ("refused", "Refused", "9"),
                "d": ("refused", "No answer", "7"),
            },
        ),
        # Texts have the code that stands for them, where one does.
        (
            ["Yes", "DK", "refused", "No", ""],
            {"b": ("dont_know", "DK", None), "c": ("refused", "refused", "9")},
        ),
    ],
)
def test_labels_and_codes_are_the_file_s_own(cells, found):
    info = pa.table({"key": ["q"], "question": ["Really?"], "option_mapping": [MAPPING]})
    responses = pa.table({"index": list("abcde"), "q": cells})
    rows = unanswered({"s": (info, responses)}).to_pylist()
    said = {r["respondent_id"]: (r["status"], r["label"], r["code"]) for r in rows}
    assert said == found
