"""Named variants of the persona network: read, fitted beside each other, and the published one."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import chi2_contingency

from lupom.science.bayes import (
    PersonaNetwork,
    Variant,
    network_edges,
    network_parameters,
    persona_networks,
    refine,
    refine_personas,
    variants_of,
)
from lupom.science.bayes.pruning import prune
from tests.science.bayes.networks import random_network, sample, with_gaps

SEED = Path(__file__).parents[3] / "seeds" / "networks.csv"
NAMES = [f"d{i}" for i in range(6)]
LEVELS = ["low", "low", "mid", "mid", "high", "high"]
DIMENSIONS = pa.table(
    {
        "survey": ["w"] * 6,
        "dimension_id": NAMES,
        "level": LEVELS,
        "candidate_values": [["a", "b", "c"]] * 6,
    }
)


def shipped():
    with SEED.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def codes(n=300, missing=0.15):
    return with_gaps(sample(random_network(6, 3, 2, 1, concentration=0.3), n, 2), missing, 3)


def values(of):
    rows = [
        {"survey": "w", "respondent_id": f"r{i:03}", "dimension_id": name,
         "value": None if code < 0 else "abc"[code]}
        for i, row in enumerate(of.tolist()) for name, code in zip(NAMES, row, strict=True)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows)


def test_the_default_is_what_the_vars_say_and_others_differ_by_their_row():
    base = Variant(iss=3, max_parents=2, levels=["high"])
    table = persona_networks(shipped(), ["gss"], more=["bic", "published_bic"], base=base)
    found = variants_of(table)["gss"]
    assert list(found) == ["default", "bic", "published_bic"]
    assert (found["default"].iss, found["default"].max_parents) == (3, 2)
    assert (found["bic"].score, found["bic"].iss, found["bic"].levels) == ("bic", 3, ["high"])
    assert table.filter(table["is_default"])["network"].to_pylist() == ["default"]


@pytest.mark.parametrize(
    ("survey", "score"),
    [("opinionqa.W34", "bds"), ("american_trends_panel_w41", "bic"), ("W82", "bdeu")],
)
def test_the_published_network_of_a_wave_is_a_row(survey, score):
    table = persona_networks(shipped(), [survey], chosen="published")
    (one,) = variants_of(table)[survey].values()
    assert (one.score, one.iss, one.parameter_iss, one.search) == (score, 5, 1000, "hc")
    assert (one.max_parents, one.missing, one.prune) == (None, "value", "marginal")
    assert (one.reports, one.relearn, one.evidence_levels) == ("facts", True, ["low"])
    assert dict(one.min_probability) == {"high": 0, "mid": 0, "low": 0}


def test_what_prediction_settings_show_is_fitted_and_no_more():
    asked = pa.Table.from_pylist(
        [
            {"setting": "a", "persona": "refined", "network": "bic", "neighbours": "none"},
            {"setting": "b", "persona": "none", "network": "k2", "neighbours": "common"},
            {"setting": "c", "persona": "none", "network": "bdeu", "neighbours": "none"},
            {"setting": "d", "persona": "refined", "network": "none", "neighbours": "common"},
            {"setting": "e", "persona": "refined", "network": None, "neighbours": "none"},
        ]
    )
    found = variants_of(persona_networks(shipped(), ["w"], asked))["w"]
    assert list(found) == ["default", "bic", "k2"]


def test_each_survey_may_have_its_own():
    chosen = {"W34": "bic", "default": "k2"}
    found = variants_of(persona_networks(shipped(), ["panel_w34", "gss"], chosen=chosen))
    assert {survey: next(iter(of)) for survey, of in found.items()} == {
        "panel_w34": "bic",
        "gss": "k2",
    }
    scores = {"W34": "bic", "default": "k2"}
    found = variants_of(persona_networks(shipped(), ["panel_w34", "gss"], score=scores))
    assert found["panel_w34"]["default"].score == "bic"
    assert found["gss"]["default"].score == "k2"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"score": "bayes"}, "unknown score 'bayes'"),
        ({"search": "tabo"}, "unknown search 'tabo'.*did you mean 'tabu'"),
        ({"prune": "marginaly"}, "unknown prune.*did you mean 'marginal'"),
        ({"max_parents": "2.5"}, "max_parents cannot be '2.5'; it is a whole number or none"),
        ({"relearn": "often", "reports": "facts"}, "relearn cannot be 'often'"),
        ({"relearn": "true"}, "relearn goes with reports='facts'"),
        ({"min_fill": "mid:0.5"}, "min_fill cannot be 'mid:0.5'; it is a number, or one by level"),
        ({"levels": "middle"}, "unknown level 'middle'"),
    ],
)
def test_a_row_that_cannot_be_meant_is_named(row, message):
    with pytest.raises(ValueError, match=f"network 'x' of survey 'default': .*{message}"):
        persona_networks([{"survey": "", "network": "x", **row}], ["s"], chosen="x")


def test_a_name_without_a_row_is_refused():
    with pytest.raises(ValueError, match=r"no network 'bics' for survey 's'.*did you mean 'bic'"):
        persona_networks(shipped(), ["s"], more=["bics"])
    with pytest.raises(ValueError, match="no network 'published' for survey 'gss_2018'"):
        persona_networks(shipped(), ["gss_2018"], chosen="published")
    with pytest.raises(ValueError, match="network 'none' cannot be fitted"):
        persona_networks(shipped(), ["s"], chosen="none")
    with pytest.raises(ValueError, match="has two rows"):
        persona_networks([*shipped(), shipped()[0]], ["s"])
    with pytest.raises(ValueError, match=r"one score, got .*in the var networks"):
        persona_networks(shipped(), ["s"], score=["bds", "bic"])


def test_each_variant_beside_others_is_as_it_is_alone():
    told = values(codes())
    base = Variant(max_parents=3)
    more = ["bic", "k2", "published_bds"]
    together = persona_networks(shipped(), ["w"], more=more, base=base)
    whole = chain(told, together)
    for name in ("default", *more):
        alone = persona_networks(shipped(), ["w"], chosen=name, base=base)
        for one, many in zip(chain(told, alone), whole, strict=True):
            mine = pa.array([network == name for network in many["network"].to_pylist()])
            assert many.filter(mine).equals(one)
    assert len({tuple(t["refined_value"].to_pylist()) for t in split(whole[-1])}) > 1


def chain(told, networks):
    edges = network_edges(told, DIMENSIONS, networks, seed=1)
    parameters = network_parameters(told, DIMENSIONS, edges, networks, seed=1)
    return edges, parameters, refine_personas(told, DIMENSIONS, parameters, networks, seed=1)


def split(table):
    names = table["network"].to_pylist()
    return [table.filter(pa.array([n == name for n in names])) for name in dict.fromkeys(names)]


def test_parameters_have_the_prior_of_bdeu_at_a_sample_size_of_their_own():
    # Parent 0 0 0 1, child 0 0 1 1: with 1,000 imaginary respondents each of the parent's two
    # values has 500 more, each of the child's four cells 250 more, whatever the score was.
    data = np.array([[0, 0], [0, 0], [0, 1], [1, 1]])
    for score in ("bds", "bic", "k2"):
        network = PersonaNetwork.from_edges(
            data, [2, 2], ["x", "y"], edges=[("x", "y")], score=score, parameter_iss=1000
        )
        table = network.parameters().to_pylist()
        found = {(r["dimension"], tuple(r["parents"]), r["value"]): r["probability"] for r in table}
        assert found["x", (), "0"] == pytest.approx(503 / 1004)
        assert found["y", (("x", "0"),), "0"] == pytest.approx(252 / 503)
        assert found["y", (("x", "1"),), "1"] == pytest.approx(251 / 501)
    # A configuration of parents that does not occur takes its share of the prior, too.
    apart = np.array([[0, 0, 0], [1, 1, 1], [0, 0, 1]])
    network = PersonaNetwork.from_edges(
        apart, [2, 2, 2], ["x", "y", "z"], edges=[("x", "z"), ("y", "z")], parameter_iss=1000
    )
    given = [r for r in network.parameters().to_pylist() if dict(r["parents"]).get("x") == "1"]
    assert [(r["value"], r["probability"]) for r in given] == [
        ("0", pytest.approx(125 / 251)),
        ("1", pytest.approx(126 / 251)),
    ]


def test_a_marginal_test_keeps_two_parents_that_say_the_same():
    rng = np.random.default_rng(1)
    x, noise = rng.integers(0, 2, 400), rng.integers(0, 2, 400)
    y = np.where(rng.random(400) < 0.95, x, 1 - x)
    z = np.where(rng.random(400) < 0.9, x, 1 - x)
    data = np.stack([x, y, z, noise], axis=1).astype(np.int32)
    edges = [(0, 2), (1, 2), (3, 2)]
    assert list(prune(data, [2] * 4, edges)) == [(0, 2)]
    kept = prune(data, [2] * 4, edges, marginal=True)
    assert list(kept) == [(0, 2), (1, 2)]
    for (parent, child), test in kept.items():
        table = np.zeros((2, 2))
        np.add.at(table, (data[:, parent], data[:, child]), 1)
        expected = chi2_contingency(table, correction=False)
        assert test.statistic == pytest.approx(expected.statistic)
        assert test.p_value == pytest.approx(expected.pvalue)


def test_a_network_keeps_the_edges_that_its_way_of_pruning_keeps():
    data = codes(missing=0)
    found = {}
    for way in ("none", "marginal", "conditional"):
        network = PersonaNetwork.fit(data, [3] * 6, NAMES, prune=way, prune_alpha=1e-4, seed=1)
        found[way] = {(e["parent"], e["child"]): e["p_value"] for e in network.edges().to_pylist()}
    every = [(NAMES.index(p), NAMES.index(c)) for p, c in found["none"]]
    for way in ("marginal", "conditional"):
        kept = prune(data, [3] * 6, every, alpha=1e-4, marginal=way == "marginal")
        assert found[way] == {(NAMES[p], NAMES[c]): t.p_value for (p, c), t in kept.items()}
    assert len(found["none"]) > len(found["conditional"])
    with pytest.raises(ValueError, match="unknown prune 'both'"):
        PersonaNetwork.fit(data, [3] * 6, prune="both")


def test_each_further_round_learns_the_structure_anew():
    data = with_gaps(sample(random_network(6, 3, 3, 5, concentration=0.4), 400, 2), 0.3, 3)
    base = Variant(reports="facts", iterations=2, relearn=True, missing="value", min_probability=0)
    networks = persona_networks(shipped(), ["w"], base=base)
    told = values(data)
    refined = chain(told, networks)[-1]
    settings = {"reports": "facts", "min_probability": 0, "seed": 1}

    def fit(of):
        return PersonaNetwork.fit(of, [3] * 6, NAMES, LEVELS, missing="value", seed=1)

    first = refine(fit(data), data, **settings)
    second = refine(fit(first.codes), first.codes, **settings)
    ours = [-1 if v is None else "abc".index(v) for v in refined["refined_value"].to_pylist()]
    assert np.array_equal(np.reshape(ours, data.shape), second.codes)
    assert refined["probability"].to_numpy() == pytest.approx(
        second.probability.ravel(), nan_ok=True
    )
    # The structure does change with what was refined, and refitting it alone gives something else.
    assert fit(data).parents != fit(first.codes).parents
    kept = refine(fit(data), data, iterations=2, **settings)
    assert not np.allclose(kept.probability, second.probability, equal_nan=True)
