import numpy as np
import pyarrow as pa
import pytest

from lupom.science.neighbours import (
    Inputs,
    Setting,
    search_settings,
    tuned_on_test,
    tuned_settings,
)
from lupom.science.neighbours.search import candidates

PEOPLE, ITEMS = 120, 5
TRAIT = np.arange(PEOPLE) % 2
BASE = {"w": Setting(demographics=("side",))}
GRID = {"similarity": ["persona", "demographics", "answers"], "encoding": ["onehot"],
        "certainty": [False], "k": [1, 5, 20], "max_skew": [10]}  # fmt: skip


def world(seed=0, personas=True):
    """Return inputs, tuning pairs and test pairs: answers follow a trait that personas show."""
    rng = np.random.default_rng(seed)
    ids = [f"r{i:03}" for i in range(PEOPLE)]
    said = np.where(rng.random((PEOPLE, ITEMS)) < 0.75, TRAIT[:, None], 1 - TRAIT[:, None])
    hidden = rng.random((PEOPLE, ITEMS)) < 0.3
    role = ["test" if i >= 90 else "reference" for i in range(PEOPLE)]
    rows = [
        {"survey": "w", "respondent_id": ids[i], "question_id": f"q{j}",
         "answer": ["no", "yes"][said[i, j]]}
        for i in range(PEOPLE) for j in range(ITEMS)
    ]  # fmt: skip
    known = pa.Table.from_pylist([r for r, h in zip(rows, hidden.ravel(), strict=True) if not h])
    pairs = pa.Table.from_pylist([r for r, h in zip(rows, hidden.ravel(), strict=True) if h])
    values = pa.table(
        {
            "survey": ["w"] * PEOPLE,
            "respondent_id": ids,
            "dimension_id": ["lean"] * PEOPLE,
            "refined_value": ["left" if t else "right" for t in TRAIT],
        }
    )
    dimensions = pa.table(
        {"survey": ["w"], "dimension_id": ["lean"], "level": ["high"],
         "candidate_values": [["left", "right"]]}
    )  # fmt: skip
    noise = rng.permutation(TRAIT)
    attributes = pa.table(
        {
            "survey": ["w"] * PEOPLE,
            "respondent_id": ids,
            "attributes": pa.array(
                [[("side", str(n))] for n in noise], pa.map_(pa.string(), pa.string())
            ),
        }
    )
    roles = pa.table({"survey": ["w"] * PEOPLE, "respondent_id": ids, "role": role})
    inputs = Inputs(
        values if personas else values.slice(0, 0), dimensions, roles, attributes, known
    )
    late = pa.array([r >= "r090" for r in pairs["respondent_id"].to_pylist()])
    early = pa.array([not x for x in late.to_pylist()])
    return inputs, pairs.filter(early), pairs.filter(late)


def chosen(table):
    return [row for row in table.to_pylist() if row["chosen"]]


def test_what_predicts_the_tuning_pairs_best_is_chosen():
    inputs, tuning, _ = world()
    table = search_settings(inputs, tuning, BASE, grid=GRID)
    assert len(table) == 9
    (best,) = chosen(table)
    assert best["similarity"] == "persona"
    assert best["accuracy"] == max(table["accuracy"].to_pylist())
    assert best["pairs"] == len(tuning)
    # What has nothing to do with the answers is as good as a coin.
    coin = [r["accuracy"] for r in table.to_pylist() if r["similarity"] == "demographics"]
    assert max(coin) < 0.65 < best["accuracy"]
    (by_nll,) = chosen(search_settings(inputs, tuning, BASE, grid=GRID, criterion="nll"))
    assert by_nll["nll"] == min(table["nll"].to_pylist())


def test_the_score_is_that_of_the_neighbours_vote():
    inputs, tuning, _ = world()
    grid = {**GRID, "similarity": ["persona"], "k": [5]}
    (row,) = search_settings(inputs, tuning, BASE, grid=grid).to_pylist()
    answers = {
        (r["respondent_id"], r["question_id"]): r["answer"] for r in inputs.known.to_pylist()
    }
    right, loss = 0, 0.0
    for pair in tuning.to_pylist():
        me, question = int(pair["respondent_id"][1:]), pair["question_id"]
        # Everyone has one of two values, so the nearest are the first by id with the same one.
        near = [i for i in range(90) if TRAIT[i] == TRAIT[me] and i != me][:5]
        votes = [answers.get((f"r{i:03}", question)) for i in near]
        votes = [v for v in votes if v is not None]
        all_said = [answers.get((f"r{i:03}", question)) for i in range(90)]
        prior = {
            w: (all_said.count(w) + 1) / (90 - all_said.count(None) + 2) for w in ("no", "yes")
        }
        options = votes or sorted(prior, key=prior.get, reverse=True)[:1]
        most = max(map(options.count, options))
        right += next(v for v in options if options.count(v) == most) == pair["answer"]
        loss -= np.log((votes.count(pair["answer"]) + prior[pair["answer"]]) / (len(votes) + 1))
    assert row["accuracy"] == pytest.approx(right / len(tuning))
    assert row["nll"] == pytest.approx(loss / len(tuning))


def test_of_equals_the_simplest_is_chosen():
    inputs, tuning, _ = world()
    # With one dimension, the number of neighbours from 45 on is that of all who are alike.
    grid = {**GRID, "similarity": ["persona"], "encoding": ["ordinal", "onehot"],
            "k": [200, 100], "max_skew": [None, 10]}  # fmt: skip
    table = search_settings(inputs, tuning, BASE, grid=grid)
    (best,) = chosen(table)
    assert len(set(table["accuracy"].to_pylist())) == 1
    assert (best["encoding"], best["k"], best["max_skew"]) == ("onehot", 100, 10)


def test_without_personas_what_compares_them_is_no_candidate():
    inputs, tuning, _ = world(personas=False)
    table = search_settings(inputs, tuning, BASE, grid=GRID)
    assert set(table["similarity"].to_pylist()) == {"demographics", "answers"}
    assert [r["similarity"] for r in chosen(table)] == ["answers"]


def test_a_tuned_setting_becomes_the_chosen_one():
    inputs, tuning, _ = world()
    search = search_settings(inputs, tuning, BASE, grid=GRID)
    (best,) = chosen(search)
    found = tuned_settings({"w": Setting("tuned")}, search)["w"]
    assert (found.similarity, found.k) == (best["similarity"], best["k"])
    assert found.demographics == ("side",)
    assert tuned_settings(BASE, search) == BASE
    nothing = search_settings(inputs, tuning.slice(0, 0), BASE, grid=GRID)
    assert len(nothing) == 0
    assert nothing.schema == search.schema
    with pytest.raises(ValueError, match="survey 'w' has no tuning pair"):
        tuned_settings({"w": Setting("tuned")}, nothing)


def test_what_was_chosen_on_test_pairs_says_that_it_is_optimistic():
    inputs, tuning, test = world()
    search = search_settings(inputs, tuning, BASE, grid=GRID)
    table = tuned_on_test(inputs, test, BASE, search, grid=GRID)
    by = {row["chosen_on"]: row for row in table.to_pylist()}
    assert {name: row["optimistic"] for name, row in by.items()} == {
        "test": True,
        "tuning": False,
        "fixed": False,
    }
    assert by["test"]["accuracy"] >= by["tuning"]["accuracy"]
    assert {row["pairs"] for row in by.values()} == {len(test)}
    tuned = tuned_on_test(inputs, test, {"w": Setting("tuned")}, search, grid=GRID)
    assert tuned["chosen_on"].to_pylist() == ["test", "tuning"]


def test_a_pair_whose_answer_is_known_is_refused():
    inputs, tuning, _ = world()
    with pytest.raises(ValueError, match="among the known ones"):
        search_settings(inputs, pa.concat_tables([tuning, inputs.known]), BASE, grid=GRID)


def test_a_grid_that_cannot_be_meant_is_refused():
    with pytest.raises(ValueError, match="has no 'skew'; it may have similarity"):
        candidates({"skew": [3]}, Setting())
    with pytest.raises(ValueError, match="'k' has no values"):
        candidates({"k": []}, Setting())
    with pytest.raises(ValueError, match="cannot try the similarity 'tuned'"):
        candidates({"similarity": ["tuned"]}, Setting())
    with pytest.raises(ValueError, match="known are accuracy, nll"):
        search_settings(*world()[:2], BASE, criterion="f1")
