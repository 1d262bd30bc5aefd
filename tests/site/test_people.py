"""The persona explorer's shards."""

from __future__ import annotations


def test_a_survey_has_its_dimensions_with_their_distributions(read):
    survey = read("people/test")
    trust = next(d for d in survey["dimensions"] if d["id"] == "trust")
    assert trust["values"] == ["low", "high"]
    assert trust["raw"] == [449, 0, 1]  # low, high, unknown
    assert trust["refined"] == [0, 450, 0]
    assert [(e["parent"], e["child"]) for e in survey["edges"]] == [("trust", "thrift")]


def test_the_network_is_drawn_from_parent_to_child(read):
    places = {d["id"]: d["x"] for d in read("people/test")["dimensions"]}
    assert places["trust"] < places["thrift"]


def test_the_index_has_every_respondent_in_the_order_of_their_ids(read):
    index = read("index/test/0")
    assert index["ids"] == [str(i) for i in range(450)]
    attributes = read("people/test")["attributes"]
    assert {a["name"] for a in attributes} == {"AGE", "__proto__"}
    for attribute, codes in zip(attributes, index["codes"], strict=True):
        if attribute["name"] == "AGE":
            assert [attribute["values"][c - 1] for c in codes[:2]] == ["18-29", "65+"]
    assert set(index["has"]) == {3}


def test_details_stand_in_pages(read):
    person = read("details/test/2")[1]  # respondents 400 to 599 are on page 2
    assert person["s"] == [[402, 0.9]]
    assert person["p"] == [[0, 0], [1, 0]]
    assert person["r"] == [[0, 1, 0.75, 0.25], [1, 1, 0.75, 0.25]]
    assert person["h"][0] == [0, 0]  # an option, as its number
    written = person["h"][2]
    assert written[0] == 2
    assert written[1].startswith("</script><img")
    ((question, predictor, answer, truth, probabilities),) = person["t"]
    assert (question, answer, truth) == (0, 0, 1)
    assert predictor.startswith("history (</script>")
    assert sorted(probabilities) == [[0, 0.8], [1, 0.2]]


def test_a_value_the_llm_left_unknown_is_null(read):
    assert read("details/test/0")[1]["p"] == [[0, None], [1, None]]


def test_predicted_numbers_stand_beside_the_number_given(read):
    (_, number) = read("details/test/0")[1]["t"]
    assert number == ["age_at_first_job", "median", "18.5", "21.0", []]


def test_tables_of_the_evaluation_are_written_by_column(read):
    board = read("evaluation/leaderboard/test")
    assert board["n"] == 2
    assert board["data"]["predictor"] == {"words": ["history", "majority"], "codes": [0, 1]}
    assert board["data"]["accuracy"] == [0.6, 0.5]
