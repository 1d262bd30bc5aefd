"""Reads plain data out of pickles and NumPy files of objects without running what is in them.

A pickle is a program: unpickled, it may call anything. Here its opcodes are followed one by one.
Those that make dicts, lists, tuples, sets, strings, bytes and numbers are the only ones known,
beside the envelope in which NumPy puts arrays; anything else is an error before anything is done.
"""

from __future__ import annotations

import io
import math
import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lupom.science.surveys import cells

# OpinionQA's topic mapping has 0.4 MB and some 10,000 values.
MOST_BYTES = 1 << 26
MOST_VALUES = 1_000_000
_DEEPEST = 50

_ARRAY = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
}
_SCALAR = {("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar")}
_NDARRAY, _DTYPE, _ENCODE = ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")
_SETS = {(m, n) for m in ("builtins", "__builtin__") for n in ("set", "frozenset")}
_KNOWN = _ARRAY | _SCALAR | _SETS | {_NDARRAY, _DTYPE, _ENCODE}
# Numbers, booleans and text of a fixed length; 'O' is a Python object.
_CODES = re.compile(r"[<>|=]?(?:O8?|[fiu][1248]|b1|U\d{1,5})")
_HEADER = re.compile(rb"\x93NUMPY([\x01-\x03])\x00")


def read_npy(data: bytes) -> Any:
    """Return what a .npy file of Python objects holds: lists for arrays, the object for a 0-d one.

    Raises ValueError for a file that is not one, and for a pickle in it that is not plain.
    """
    match = _HEADER.match(data)
    if match is None:
        raise ValueError("not a NumPy file: it does not begin with \\x93NUMPY")
    width = 2 if match[1] == b"\x01" else 4
    start = match.end() + width
    length = int.from_bytes(data[match.end() : start], "little")
    text = data[start : start + length].decode("latin-1").strip()
    header = cells.literal(text, dict, table="a NumPy file", column="header", row="its first line")
    if not str(header.get("descr")).endswith("O"):
        raise ValueError(
            f"a NumPy file of objects was expected, not one of {header.get('descr')!r}"
        )
    return read_pickle(data[start + length :])


def read_pickle(data: bytes) -> Any:
    """Return the plain data of a pickle: dicts, lists, strings, bytes, numbers, None.

    Tuples, sets (sorted by their representation) and arrays come as lists.

    Raises
    ------
    ValueError : for a pickle that is cut off, larger than 64 MB, of more than a million values, or
        that names anything but data; nothing of it was executed.
    """
    if len(data) > MOST_BYTES:
        raise ValueError(f"the pickle has {len(data):,} bytes, more than {MOST_BYTES:,}")
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(io.BytesIO(data)):
            if machine.step(opcode.name, argument):
                break
        value = machine.pop()
    except (IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"the pickle is damaged: {type(error).__name__}: {error}") from None
    return _Plain().of(value, 0)


@dataclass(slots=True)
class _Name:
    """A name the pickle asks for; never imported."""

    place: tuple[str, str]


@dataclass(slots=True)
class _Dtype:
    code: str
    order: str = ""


@dataclass(slots=True)
class _Array:
    shape: tuple[int, ...] = ()
    values: list[Any] = field(default_factory=list)


class _Mark:
    """What stands on the stack where a group of values begins."""


_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": set,
    "MARK": _Mark,
}
_VALUES = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
    | {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"}
    | {"BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"}
)
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUT, _GET = {"PUT", "BINPUT", "LONG_BINPUT"}, {"GET", "BINGET", "LONG_BINGET"}


class _Machine:
    """The stack and memo of a pickle that is being read."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._steps = 0

    def pop(self) -> Any:
        value = self._stack.pop()
        if isinstance(value, _Mark):
            raise ValueError("the pickle is damaged: a group has no end")
        return value

    def step(self, name: str, argument: Any) -> bool:
        """Follow one opcode; True says that it was the last."""
        self._steps += 1
        if self._steps > 8 * MOST_VALUES:
            raise ValueError(f"the pickle has more than {8 * MOST_VALUES:,} steps")
        if name in _VALUES:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name]())
        elif name in _TUPLES:
            self._stack.append(tuple(reversed([self.pop() for _ in range(_TUPLES[name])])))
        elif name in _PUT:
            self._memo[argument] = self._stack[-1]
        elif name in _GET:
            self._stack.append(self._memo[argument])
        elif name == "STOP":
            return True
        elif name not in ("PROTO", "FRAME"):
            method = getattr(self, f"_{name.lower()}", None)
            if method is None:
                raise ValueError(f"the pickle is not plain data: it holds the opcode {name}")
            method(argument)
        return False

    def _group(self) -> list[Any]:
        group: list[Any] = []
        while not isinstance(value := self._stack.pop(), _Mark):
            group.append(value)
        return group[::-1]

    def _memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _pop_mark(self, _: Any) -> None:
        self._group()

    def _tuple(self, _: Any) -> None:
        self._stack.append(tuple(self._group()))

    def _list(self, _: Any) -> None:
        self._stack.append(self._group())

    def _dict(self, _: Any) -> None:
        group = self._group()
        self._stack.append({})
        self._set(group)

    def _frozenset(self, _: Any) -> None:
        self._stack.append(_members(self._group()))

    def _append(self, _: Any) -> None:
        value = self.pop()
        self._onto(list).append(value)

    def _appends(self, _: Any) -> None:
        group = self._group()
        self._onto(list).extend(group)

    def _additems(self, _: Any) -> None:
        group = self._group()
        self._onto(set).update(_members(group))

    def _setitem(self, _: Any) -> None:
        value, key = self.pop(), self.pop()
        self._set([key, value])

    def _setitems(self, _: Any) -> None:
        self._set(self._group())

    def _set(self, group: list[Any]) -> None:
        target = self._onto(dict)
        for key, value in zip(group[::2], group[1::2], strict=True):
            if not isinstance(key, str | int | float | bytes):
                raise ValueError(f"the pickle has a dict with a key that is a {_word(key)}")
            target[key] = value

    def _onto(self, kind: type) -> Any:
        if not isinstance(self._stack[-1], kind):
            raise ValueError(f"the pickle is damaged: no {kind.__name__} to add to")
        return self._stack[-1]

    def _global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._name(module, name)

    def _stack_global(self, _: Any) -> None:
        name, module = self.pop(), self.pop()
        self._name(module, name)

    def _name(self, module: Any, name: Any) -> None:
        if (module, name) not in _KNOWN:
            raise ValueError(f"the pickle is not plain data: it names {module}.{name}")
        self._stack.append(_Name((module, name)))

    def _reduce(self, _: Any) -> None:
        arguments, called = self.pop(), self.pop()
        if not isinstance(called, _Name) or not isinstance(arguments, tuple):
            raise ValueError("the pickle is not plain data: it calls something")
        self._stack.append(_envelope(called.place, arguments))

    def _build(self, _: Any) -> None:
        state, target = self.pop(), self._stack[-1]
        if isinstance(target, _Dtype) and isinstance(state, tuple):
            target.order = str(state[1])
        elif isinstance(target, _Array) and isinstance(state, tuple) and len(state) == 5:
            _, shape, dtype, _, content = state
            target.shape = tuple(int(size) for size in shape)
            target.values = _content(dtype, content, math.prod(target.shape))
        else:
            raise ValueError("the pickle is not plain data: it sets the state of an object")


def _envelope(place: tuple[str, str], arguments: tuple[Any, ...]) -> Any:
    """Return what a call of one of the known names gives."""
    if place in _ARRAY:
        return _Array()
    if place == _DTYPE:
        code = str(arguments[0])
        if not _CODES.fullmatch(code):
            raise ValueError(f"the pickle has an array of {code!r}")
        return _Dtype(code)
    if place in _SCALAR:
        dtype, content = arguments
        return _content(dtype, content, 1)[0]
    if place in _SETS and not (arguments and not isinstance(arguments[0], list | tuple)):
        return _members(arguments[0] if arguments else ())
    # Bytes in the pickles of Python 2 and of protocol 2.
    if place == _ENCODE and isinstance(arguments[0], str) and arguments[1:] == ("latin1",):
        return arguments[0].encode("latin-1")
    raise ValueError(f"the pickle is not plain data: it calls {'.'.join(place)}")


def _content(dtype: Any, content: Any, count: int) -> list[Any]:
    """Return the values of an array: a list of objects, or bytes of a fixed width each."""
    if not isinstance(dtype, _Dtype) or not 0 <= count <= MOST_VALUES:
        raise ValueError("the pickle is damaged: an array without a type, or too large")
    if "O" in dtype.code:
        if not isinstance(content, list) or len(content) != count:
            raise ValueError(f"the pickle is damaged: an array of {count} has other contents")
        return content
    import numpy as np

    code = dtype.code if dtype.code[0] in "<>|=" else f"{dtype.order or '|'}{dtype.code}"
    kind = np.dtype(code)
    if not isinstance(content, bytes) or len(content) != kind.itemsize * count:
        raise ValueError(f"the pickle is damaged: an array of {count} has other contents")
    values: list[Any] = np.frombuffer(content, kind).tolist()
    return values


class _Plain:
    """Copies values to plain ones, and counts them: a memo can make 2**50 of fifty."""

    def __init__(self) -> None:
        self._count = 0

    def of(self, value: Any, depth: int) -> Any:
        self._count += 1
        if self._count > MOST_VALUES or depth > _DEEPEST:
            raise ValueError(
                f"the pickle holds more than {MOST_VALUES:,} values, or more than {_DEEPEST} levels"
            )
        if value is None or isinstance(value, bool | int | float | str | bytes):
            return value
        if isinstance(value, dict):
            return {key: self.of(inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.of(inner, depth + 1) for inner in value]
        if isinstance(value, set):
            return [self.of(inner, depth + 1) for inner in sorted(value, key=repr)]
        if isinstance(value, _Array):
            items = [self.of(inner, depth + 1) for inner in value.values]
            return items[0] if value.shape == () else items
        raise ValueError(f"the pickle is not plain data: it holds a {_word(value)}")


def _members(values: list[Any] | tuple[Any, ...]) -> set[Any]:
    """Return a set of single values; to hash a tuple of tuples of tuples may take years."""
    for value in values:
        if not (value is None or isinstance(value, str | int | float | bytes)):
            raise ValueError(f"the pickle has a set with a member that is a {_word(value)}")
    return set(values)


def _word(value: Any) -> str:
    return type(value).__name__.strip("_").lower()
