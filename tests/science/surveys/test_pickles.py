"""Plain data out of pickles, and nothing else."""

from __future__ import annotations

import io
import pickle
import pickletools
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lupom.science.surveys.pickles import read_npy, read_pickle

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
TOPICS = {"How safe?": {"cg": ["crime"], "fg": ["local crime", "fear"]}}


def npy(value):
    file = io.BytesIO()
    np.save(file, value, allow_pickle=True)
    return file.getvalue()


@given(PLAIN, st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_what_is_plain_comes_back(value, protocol):
    assert read_pickle(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", range(5))
def test_tuples_sets_and_arrays_come_as_lists(protocol):
    value = {
        "tuple": (1, "x"),
        "set": {"b", "a"},
        "words": np.array(["x", "yy"]),
        "numbers": np.array([1.5, 2.5]),
        "objects": np.array(["x", None], dtype=object),
        "number": np.float64(2.5),
        "bytes": b"\xff",
    }
    assert read_pickle(pickle.dumps(value, protocol)) == {
        "tuple": [1, "x"],
        "set": ["a", "b"],
        "words": ["x", "yy"],
        "numbers": [1.5, 2.5],
        "objects": ["x", None],
        "number": 2.5,
        "bytes": b"\xff",
    }


def test_a_numpy_file_of_a_dict():
    assert read_npy(npy(TOPICS)) == TOPICS
    assert read_npy(npy(np.array([TOPICS, 1], dtype=object))) == [TOPICS, 1]


class Runs:
    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return (open, (str(self.place), "w"))


class Plain:
    pass


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_would_run_code_runs_none(tmp_path, protocol):
    place = tmp_path / "written"
    data = pickle.dumps({"a": Runs(place)}, protocol)
    pickle.loads(data)
    assert place.exists()
    place.unlink()
    with pytest.raises(ValueError, match=r"not plain data: it names _?io.open|names builtins.open"):
        read_pickle(data)
    with pytest.raises(ValueError, match="not plain data"):
        read_npy(npy({"a": Runs(place)}))
    assert not place.exists()


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("value", [Plain(), print, slice(1), complex(1, 2), np.dtype("V8")])
def test_objects_are_refused(value, protocol):
    with pytest.raises(ValueError, match="the pickle"):
        read_pickle(pickle.dumps({"a": value}, protocol))


def laughs(levels):
    """Lists of ten times the list before: 10**levels values in a few bytes."""
    data = b"\x80\x04]"
    for level in range(levels):
        data += b"q" + bytes([level]) + b"]("
        data += (b"h" + bytes([level])) * 10 + b"e"
    return data + b"."


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "pickle"),
        (b"\x80\x04}", "pickle"),
        (b"\x80\x04.", "damaged"),
        (b"\x80\x04h\x05.", "damaged"),
        (b"\x80\x04](e0.", "pickle"),
        (b"\x80\x04(.", "no end"),
        (b"\x80\x04}(]K\x01u.", "a key that is a list"),
        (b"\x80\x04}(K\x01u.", "pickle|argument 2 is shorter"),
        (b"\x80\x04\x8f(\x85\x85\x90.", "damaged|member"),
        (b"\x80\x04\x8f()\x85\x90.", "a set with a member that is a tuple"),
        (b"\x80\x04K\x01K\x02a.", "no list to add to"),
        (b"cos\nsystem\n(S'true'\ntR.", "it names os.system"),
        (b"(S'true'\nios\nsystem\n.", "it holds the opcode INST"),
        (b"\x80\x04P7\n.", "pickle"),
        (b"\x80\x02\x82\x01.", "the opcode EXT1"),
        (b"cnumpy\nndarray\n.", "it holds a name"),
        (b"cnumpy\nndarray\n)R.", "it calls numpy.ndarray"),
        (b"\x80\x04cnumpy\ndtype\n\x8c\x03V99\x85R.", "an array of 'V99'"),
        (b"\x80\x04}}b.", "sets the state"),
        (b"\x80\x04]q\x00(h\x00e.", "50 levels"),
        (laughs(12), "more than 1,000,000 values"),
        (b"\x80\x04\x8e" + struct.pack("<q", 1 << 40) + b"x.", "expected|pickle"),
    ],
)
def test_what_is_hostile_or_damaged_is_an_error(data, message):
    with pytest.raises(ValueError, match=message):
        read_pickle(data)


@given(st.binary(max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_data_or_an_error(data):
    for given_ in (data, b"\x80\x04" + data, pickle.dumps(TOPICS)[:-20] + data):
        try:
            value = read_pickle(given_)
        except ValueError:
            continue
        assert isinstance(value, type(None) | bool | int | float | str | bytes | list | dict)


def test_no_opcode_reaches_the_machines_own_methods():
    from lupom.science.surveys import pickles

    opcodes = {f"_{opcode.name.lower()}" for opcode in pickletools.opcodes}
    own = {"_group", "_set", "_onto", "_name"}
    assert own < set(vars(pickles._Machine))
    assert not own & opcodes


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a NumPy file"),
        (b"key,topic\n", "not a NumPy file"),
        (npy(np.arange(3)), "a NumPy file of objects was expected, not one of '<i8'"),
        (npy(TOPICS)[:-30], "pickle"),
        (b"\x93NUMPY\x01\x00\x10\x00{'descr': os.x}  ", "expected a dict"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b"[" * 5000, "expected a dict"),
    ],
)
def test_what_is_no_numpy_file_of_objects(data, message):
    with pytest.raises(ValueError, match=message):
        read_npy(data)
