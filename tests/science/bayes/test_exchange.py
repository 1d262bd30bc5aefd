import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lupom.science.bayes import (
    PersonaNetwork,
    from_bif,
    from_pgmpy,
    from_xmlbif,
    to_bif,
    to_pgmpy,
    to_xmlbif,
)
from tests.science.bayes.networks import random_network, sample, with_gaps

CODES = sample(random_network(8, 3, 2, 3, concentration=0.3), 400, 3)
NAMES = ["Trust in others", "faith", "risk", "age-group", "left/right", "news", "pets", "work"]
LEVELS = ["high"] * 2 + ["mid"] * 3 + ["low"] * 3
VALUES = [["very low (0)", "middling, mostly", "high"]] + [["a", "b", "c"]] * 7


@pytest.fixture(scope="module")
def network():
    return PersonaNetwork.fit(CODES, [3] * 8, NAMES, LEVELS)


def same(ours, theirs, codes=CODES):
    """Whether two networks give the same posteriors, dimension by name."""
    order = [theirs.names.index(name) for name in ours.names]
    moved = np.empty_like(codes)
    moved[:, order] = codes
    for name in ours.names:
        assert theirs.posterior(moved, name) == pytest.approx(ours.posterior(codes, name), abs=1e-9)


@pytest.mark.parametrize("form", ["bif", "xmlbif"])
def test_a_network_comes_back(network, form):
    write, read = FORMS[form]
    back, values = read(write(network, VALUES))
    assert back.names == network.names
    assert back.levels == network.levels
    assert back.parents == network.parents
    assert [list(v) for v in values] == VALUES
    same(network, back)


@pytest.mark.parametrize("form", ["bif", "xmlbif"])
def test_unknown_as_a_value_comes_back(form):
    write, read = FORMS[form]
    gaps = with_gaps(CODES, 0.2, 0)
    fitted = PersonaNetwork.fit(gaps, [3] * 8, NAMES, LEVELS, missing="value")
    back, values = read(write(fitted))
    assert back.unknown == fitted.unknown
    assert back.cardinalities == (3,) * 8
    assert values[0] == ("0", "1", "2")
    same(fitted, back, gaps[:50])


FORMS = {"bif": (to_bif, from_bif), "xmlbif": (to_xmlbif, from_xmlbif)}
# What neither format can hold, and what only looks like a word of theirs.
ODD = st.text(max_size=12) | st.sampled_from(
    [
        *("Trust", "trust", "TRUST", "table", "default", "probability", "variable", "1e5", "-"),
        *("a b", "a_b", "a-b", 'say "no"', "{", "};", "//", "/* */", "a|b", "x=1", "ä", "_", ""),
    ]
)


@pytest.mark.parametrize("form", FORMS)
# Many words in few networks: pgmpy takes a second to begin to read one.
@settings(max_examples=5, deadline=None)
@given(
    st.lists(ODD, min_size=6, max_size=6, unique=True),
    st.lists(st.lists(ODD, min_size=3, max_size=3, unique=True), min_size=6, max_size=6),
)
def test_whatever_a_dimension_is_called_comes_back(form, names, words):
    write, read = FORMS[form]
    known = PersonaNetwork.from_edges(
        CODES[:, :6], [3] * 6, names, ["low", "low", "high", "mid", "mid", "high"],
        edges=[(names[0], names[2]), (names[1], names[2])],
    )  # fmt: skip
    back, values = read(write(known, words))
    assert back.names == tuple(names)
    assert [list(v) for v in values] == words
    assert (back.levels, back.parents) == (known.levels, known.parents)
    same(known, back, CODES[:20, :6])


def test_bif_of_others_is_read():
    text = """
    // a comment
    network "weather" { property version 1; }
    variable rain { type discrete [2] { "yes" "no" }; }
    variable wet { type discrete [ 3 ] { dry, damp, wet }; }
    probability ( rain ) { table 0.25, 0.75; }
    probability ( wet | rain ) { default 0.5, 0.25, 0.25; (yes) 0.0, 0.2, 0.8; }
    """
    network, values = from_bif(text)
    assert values == (("yes", "no"), ("dry", "damp", "wet"))
    assert network.posterior(np.array([[-1, 2], [-1, 0]]), "rain") == pytest.approx(
        np.array([[0.2, 0.1875], [0.0, 1.0]]) / [[0.3875], [1.0]]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("variable a { type discrete [1] { x }; }", "'a' has no probability"),
        ("variable a { type discrete [2] { x, x }; }", "each once"),
        (
            "variable a { type discrete [1] { x }; } probability (b) { table 1; }",
            "'b', which is not a variable",
        ),
        (
            "variable a { type discrete [2] { x, y }; } probability (a) { table .2, .2; }",
            "not a distribution",
        ),
        ("variable a { type discrete [2] { x, y };", "the text ends within"),
        ("variable a { type discrete [1] { x }; } }", "no opening"),
    ],
)
def test_bif_that_says_nothing_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        from_bif(text)


def test_a_table_too_large_to_read_is_refused_before_there_is_room_for_it():
    many = [f"variable v{i} {{ type discrete [100] {{ a, b }}; }}" for i in range(9)]
    parents = ", ".join(f"v{i}" for i in range(1, 9))
    text = "\n".join([*many, f"probability (v0 | {parents}) {{ table 1; }}"])
    with pytest.raises(ValueError, match="'v0' has more than 4,194,304 numbers"):
        from_bif(text)


def test_xmlbif_of_others_is_read_and_what_is_none_refused():
    text = """<?xml version="1.0"?>
    <BIF VERSION="0.3"><NETWORK><NAME>weather</NAME>
    <VARIABLE TYPE="nature"><NAME>rain</NAME><OUTCOME>yes</OUTCOME><OUTCOME>no</OUTCOME></VARIABLE>
    <VARIABLE TYPE="nature"><NAME>wet</NAME><OUTCOME>dry</OUTCOME><OUTCOME>wet</OUTCOME></VARIABLE>
    <DEFINITION><FOR>rain</FOR><TABLE>0.25 0.75</TABLE></DEFINITION>
    <DEFINITION><FOR>wet</FOR><GIVEN>rain</GIVEN><TABLE>0.1 0.9 0.8 0.2</TABLE></DEFINITION>
    </NETWORK></BIF>"""
    network, values = from_xmlbif(text)
    assert values == (("yes", "no"), ("dry", "wet"))
    rain = network.posterior(np.array([[-1, 1]]), "rain")
    assert rain == pytest.approx(np.array([[0.225, 0.15]]) / 0.375)
    for wrong, message in (
        ("<BIF>", "not a network in XMLBIF"),
        (text.replace("0.9", "0.7"), "not a distribution"),
        (text.replace("<GIVEN>rain", "<GIVEN>sun"), "'sun', which is not a variable"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]>" + text, "declares entities"),
    ):
        with pytest.raises(ValueError, match=message):
            from_xmlbif(wrong)


def test_a_table_too_large_to_write_out_is_refused():
    codes = np.random.default_rng(0).integers(0, 4, (50, 12))
    edges = [(str(p), "11") for p in range(11)]
    with pytest.raises(ValueError, match="lower max_parents"):
        to_bif(PersonaNetwork.from_edges(codes, [4] * 12, edges=edges))


def test_pgmpy_infers_the_same_posteriors(network):
    from pgmpy.inference import VariableElimination

    model = to_pgmpy(network, VALUES)
    assert model.check_model()
    engine = VariableElimination(model)
    rows = with_gaps(CODES[:6], 0.4, 1)
    for target, name in enumerate(NAMES):
        ours = network.posterior(rows, name)
        for i, row in enumerate(rows):
            known = {
                NAMES[j]: VALUES[j][code] for j, code in enumerate(row) if code >= 0 and j != target
            }
            theirs = engine.query([name], evidence=known, show_progress=False)
            words = theirs.state_names[name]
            expected = [theirs.values[words.index(word)] for word in VALUES[target]]
            assert ours[i] == pytest.approx(expected, abs=1e-9)


def test_a_network_comes_back_from_pgmpy(network):
    back, values = from_pgmpy(to_pgmpy(network, VALUES), dict(zip(NAMES, LEVELS, strict=True)))
    assert back.names == tuple(sorted(NAMES))
    assert back.levels == tuple(LEVELS[NAMES.index(name)] for name in back.names)
    assert list(values[back.names.index("Trust in others")]) == VALUES[0]
    same(network, back)


def test_pgmpy_reads_our_bif_and_we_read_its(network):
    from pgmpy.readwrite import BIFReader, BIFWriter

    model = BIFReader(string=to_bif(network)).get_model()
    assert len(model.edges()) == sum(len(p) for p in network.parents)
    theirs, _ = from_pgmpy(model)
    plain = {"Trust in others": "Trust_in_others", "left/right": "left_right"}
    renamed = PersonaNetwork(
        network.tables, [plain.get(n, n) for n in NAMES], LEVELS, network.score
    )
    same(renamed, theirs)
    again, _ = from_bif(str(BIFWriter(to_pgmpy(renamed))))
    for name in renamed.names:
        order = [again.names.index(n) for n in renamed.names]
        moved = np.empty_like(CODES)
        moved[:, order] = CODES
        assert again.posterior(moved, name) == pytest.approx(
            renamed.posterior(CODES, name), abs=1e-9
        )
