"""The selector grammar: which nodes a command is about.

It is dbt's:

    name, stg_*           a node, or those whose names match
    path:models/staging   a folder, a file, or a glob; the method may be left out before a slash
    tag:x  source:x  source:x.y  file:x.sql  resource_type:seed  config.materialized:llm
    +m  m+  2+m  m+3      with all ancestors or descendants, or those so many references away
    @m                    with all descendants, and all ancestors of these
    a b                   union
    a,b                   intersection
    "a b"+                what is quoted is one name, whatever is in it

A space within a name or a path needs no quotes where the words together match something.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from posixpath import basename, dirname, normpath
from typing import Any, TypeAlias

from lupom.engine.errors import SelectionError
from lupom.engine.graph.dag import Graph

Method: TypeAlias = Callable[[Graph[Any], str], Collection[str]]
"""Given the graph and the text behind 'method:', the names it stands for.

A caller's method raises SelectionError for a text it does not know; to find none is not an error,
since what it looks at (what was modified, what failed) may rightly be nothing.
"""

WILDCARDS = frozenset("*?[")
MODEL_FILES = (".sql", ".py", ".csv", ".yml", ".yaml")
LISTED = 10  # words a hint lists when none is near what was typed

# As in dbt: @ or n+ before, +n behind, an optional method. The value is lazy, so that a trailing
# + belongs to the grammar and not to the name.
TERM = re.compile(
    r"(?P<around>@)?(?:(?P<up>\d*)(?P<above>\+))?"
    r"(?:(?P<method>[A-Za-z_][\w.]*):)?(?P<value>.*?)"
    r"(?:(?P<below>\+)(?P<down>\d*))?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Term:
    """One criterion of a selector, such as `2+tag:x`.

    `above` and `below` are how many references to follow: 0 none, None all of them; `head` and
    `tail` are the operators as they were written.
    """

    text: str
    method: str
    value: str
    above: int | None = 0
    below: int | None = 0
    around: bool = False
    head: str = ""
    tail: str = ""

    def about(self, body: str) -> str:
        """Return the term's text with its operators about another method and value."""
        return f"{self.head}{body}{self.tail}"


def select(
    graph: Graph[Any],
    select: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
    methods: Mapping[str, Method] | None = None,
) -> tuple[str, ...]:
    """Return the names that are selected and not excluded, in topological order.

    Parameters
    ----------
    graph : the graph to select from.
    select, exclude : values of --select and --exclude, each a union of terms apart by spaces;
        nothing selected means everything.
    methods : further methods by name, such as 'state' for `state:modified`.

    Raises SelectionError for a term that is malformed or matches nothing (whether selected or
    excluded: a misspelt exclusion would run what was to be left alone), for an intersection with
    nothing in common, and where everything selected is excluded. Terms of a caller's method may
    match nothing, and so may an intersection or a selection they take part in.
    """
    extra = methods or {}
    chosen, may_be_empty = _union(graph, "--select", select, extra)
    if chosen is None:
        chosen = set(graph)
    excluded, _ = _union(graph, "--exclude", exclude, extra)
    left = chosen - (excluded or set())
    if chosen and not left and not may_be_empty:
        raise SelectionError(
            f"nothing is left to do: --exclude takes out all {len(chosen)} selected nodes",
            hint=f"selected: {_listed(graph.sort(chosen))}",
        )
    return graph.sort(left)


def parse(text: str, methods: Iterable[str] = ()) -> Term:
    """Return the parts of one term; `methods` names the further methods there are.

    Raises SelectionError for a malformed term or an unknown method.
    """
    match = TERM.fullmatch(text)
    assert match is not None  # every part but the value is optional, and the value is anything
    method, value = match["method"], match["value"]
    if not value:
        raise SelectionError(
            f"the selector '{text}' names nothing to select", hint="as in 'name+' or 'tag:name'"
        )
    if match["around"] and (match["above"] or match["below"]):
        raise SelectionError(
            f"the selector '{text}' mixes '@' with '+'",
            hint="'@m' has all of m's descendants in it already, and all ancestors of those",
        )
    if value[0] in "@+" or value[-1] in "@+":
        raise SelectionError(
            f"the selector '{text}' has operators that do not go together",
            hint="'+m' takes m and its ancestors, '@m' the ancestors of its descendants too",
        )
    text, value = _plain(text), _plain(value)
    start = match.start("value") if method is None else match.start("method")
    term = Term(
        text=text,
        # A colon left in a value without a method is in no name; it matches nothing, and says so.
        method=_bare_method(value) if method is None else method,
        value=value,
        above=_depth(match["above"], match["up"]),
        below=_depth(match["below"], match["down"]),
        around=bool(match["around"]),
        head=text[:start],
        tail=text[match.end("value") :],
    )
    known = [*BUILT_IN, *methods]
    if term.method not in known and not _is_config(term.method):
        near = _nearest(term.method, [*known, "config", "config.materialized"])
        near = "config.materialized" if near == "config" else near
        raise SelectionError(
            f"the selector '{text}' has the unknown method '{method}:'",
            hint=f"did you mean '{term.about(f'{near}:{value}')}'?"
            if near
            else f"methods are {_listed([f'{word}:' for word in [*known, 'config.KEY']])}",
        )
    return term


def _union(
    graph: Graph[Any], option: str, values: Sequence[str] | None, methods: Mapping[str, Method]
) -> tuple[set[str] | None, bool]:
    """Return the names in any of the values, None if there are none, and may they be none."""
    if not values:
        return None, False
    intersections = [word for value in values for word in _words(graph, value, methods)]
    if not intersections:
        raise SelectionError(f"{option} is given, but empty", hint=f"leave {option} out")
    found: set[str] = set()
    may_be_empty = False
    for text in intersections:
        names, own = _intersection(graph, option, text, methods)
        found |= names
        may_be_empty |= own
    return found, may_be_empty


# What is quoted, from the beginning of a term or of its value to its end.
_QUOTED = re.compile(r"""(?:(?<=[\s,:+@\d])|^)(["'])(.+?)\1(?=$|[\s,+])""")
# Stand-ins of what has a meaning in a selector, while it has none: private characters of Unicode.
_HIDDEN = {ord(c): chr(0xE000 + i) for i, c in enumerate(" ,+@")}
_SHOWN = {ord(hidden): chr(plain) for plain, hidden in _HIDDEN.items()}
_MOST_WORDS = 30


def _words(graph: Graph[Any], value: str, methods: Mapping[str, Method]) -> list[str]:
    """Return the intersections that a value is the union of, one to each run of words.

    Words that match something only together are one: the name 's e', the path 'seeds/sub dir'.
    """
    words = _QUOTED.sub(lambda quoted: quoted[2].translate(_HIDDEN), value).split()
    out = []
    first = 0
    while first < len(words):
        last = min(len(words), first + _MOST_WORDS)
        while last > first + 1 and not _matches(graph, " ".join(words[first:last]), methods):
            last -= 1
        out.append(" ".join(words[first:last]).replace(" ", _HIDDEN[ord(" ")]))
        first = last
    return out


def _matches(graph: Graph[Any], text: str, methods: Mapping[str, Method]) -> bool:
    """Tell whether each part of an intersection that has a space in it matches something."""
    for part in text.split(","):
        if " " not in part:
            continue
        try:
            term = parse(part, methods)
        except SelectionError:
            return False
        if term.method in methods or not _matching(graph, term):
            return False
    return True


def _plain(text: str) -> str:
    """Return a text with what its quotes hid."""
    return text.translate(_SHOWN)


def _intersection(
    graph: Graph[Any], option: str, text: str, methods: Mapping[str, Method]
) -> tuple[set[str], bool]:
    parts = text.split(",")
    text = _plain(text)
    if len(parts) > 1 and not all(parts):
        raise SelectionError(
            f"{option} '{text}' has a comma with nothing on one side",
            hint="an intersection is written without spaces, as in 'tag:x,path:models/staging'",
        )
    terms = [parse(part, methods) for part in parts]
    if len(parts) > 1 and text in graph and any(part not in graph for part in parts):
        raise SelectionError(
            f"{option} '{text}' is an intersection", hint=f"did you mean '\"{text}\"'?"
        )
    sets = [_names(graph, option, term, methods) for term in terms]
    may_be_empty = any(term.method in methods for term in terms)
    common = set.intersection(*sets)
    if not common and not may_be_empty:
        counts = ", ".join(f"'{t.text}' {len(s)}" for t, s in zip(terms, sets, strict=True))
        raise SelectionError(
            f"{option} '{text}' matches nothing: its parts have no node in common",
            hint=f"nodes each matches: {counts}; a space instead of the comma is their union",
        )
    return common, may_be_empty


def _names(graph: Graph[Any], option: str, term: Term, methods: Mapping[str, Method]) -> set[str]:
    """Return the names of one term, its ancestors and descendants with them."""
    if term.method in methods:
        # It may name what the project had before and has no longer.
        found = set(methods[term.method](graph, term.value)) & graph.nodes.keys()
    else:
        found = _matching(graph, term)
        if not found:
            raise SelectionError(
                f"{option} '{term.text}' matches nothing", hint=_suggestion(graph, term)
            )
    names = set(found)
    if term.around:
        names |= graph.descendants(found)
        names |= graph.ancestors(names)
    if term.above != 0:
        names |= graph.ancestors(found, term.above)
    if term.below != 0:
        names |= graph.descendants(found, term.below)
    return names


def _depth(plus: str | None, digits: str | None) -> int | None:
    if not plus:
        return 0
    return int(digits) if digits else None


def _bare_method(value: str) -> str:
    if "/" in value or "\\" in value:
        return "path"
    return "file" if value.endswith(MODEL_FILES) else "name"


def _is_config(method: str) -> bool:
    return method.startswith("config.") and len(method) > len("config.")


# -- what each method matches ---------------------------------------------------------------------


def _matching(graph: Graph[Any], term: Term) -> set[str]:
    if _is_config(term.method):
        keys = term.method.split(".")[1:]
        return {
            name
            for name, node in graph.nodes.items()
            if _config_is(_setting(node.config, keys), term.value)
        }
    return BUILT_IN[term.method](graph, term.value)


def _by_name(graph: Graph[Any], value: str) -> set[str]:
    if not WILDCARDS & set(value):
        return {value} & graph.nodes.keys()
    # `*` is for what the project builds; a pattern reaches sources only if it has their dot.
    return {
        name
        for name, node in graph.nodes.items()
        if fnmatchcase(name, value) and (node.resource != "source" or "." in value)
    }


def _by_path(graph: Graph[Any], value: str) -> set[str]:
    pattern = [part for part in _normal(value).split("/") if part != "."]
    return {name for name, node in graph.nodes.items() if node.file and _below(node.file, pattern)}


def _below(file: str, pattern: Sequence[str]) -> bool:
    """Is the file, or a folder it is in, what the glob says? Only ** crosses a slash."""
    parts = file.split("/")
    ends = {0}  # how many parts the pattern so far may have used up
    for piece in pattern:
        if piece == "**":
            ends = set(range(min(ends), len(parts) + 1))
        else:
            ends = {n + 1 for n in ends if n < len(parts) and fnmatchcase(parts[n], piece)}
        if not ends:
            return False
    return True


def _by_file(graph: Graph[Any], value: str) -> set[str]:
    return {name for name, node in graph.nodes.items() if fnmatchcase(basename(node.file), value)}


def _by_tag(graph: Graph[Any], value: str) -> set[str]:
    return {
        name
        for name, node in graph.nodes.items()
        if any(fnmatchcase(tag, value) for tag in node.tags)
    }


def _by_resource(graph: Graph[Any], value: str) -> set[str]:
    return {name for name, node in graph.nodes.items() if node.resource == value}


def _by_source(graph: Graph[Any], value: str) -> set[str]:
    return {
        name
        for name in _sources(graph)
        if fnmatchcase(name if "." in value else name.partition(".")[0], value)
    }


BUILT_IN: dict[str, Callable[[Graph[Any], str], set[str]]] = {
    "name": _by_name,
    "path": _by_path,
    "file": _by_file,
    "tag": _by_tag,
    "resource_type": _by_resource,
    "source": _by_source,
}


def _sources(graph: Graph[Any]) -> list[str]:
    return [name for name, node in graph.nodes.items() if node.resource == "source"]


def _setting(config: Mapping[str, object], keys: Sequence[str]) -> object:
    value: object = config
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _config_is(setting: object, value: str) -> bool:
    if isinstance(setting, bool):
        return str(setting).lower() == value.lower()
    if isinstance(setting, str | int | float):
        return fnmatchcase(str(setting), value)
    if isinstance(setting, Mapping | list | tuple | set | frozenset):
        return any(_config_is(item, value) for item in setting)
    return False


def _normal(path: str) -> str:
    return normpath(path.replace("\\", "/"))


# -- what was probably meant ----------------------------------------------------------------------


def _suggestion(graph: Graph[Any], term: Term) -> str:
    """Return a hint for a term that matches nothing."""
    if _is_config(term.method):
        near, instead = _near_config(graph, term)
    elif term.method in ("path", "file"):
        near, instead = _near_path(graph, term)
    elif term.method == "name":
        near, instead = _near_name(graph, term.value), "`lupom ls` lists every name"
    else:
        near, instead = _near_word(graph, term)
    return f"did you mean '{term.about(_quoted(near))}'?" if near else instead


def _quoted(body: str) -> str:
    """Return a method and value as they are typed: in quotes where a part is an operator's."""
    return f'"{body}"' if re.search(r",|(^|:)[@+]|[@+]$", body) else body


def _near_word(graph: Graph[Any], term: Term) -> tuple[str | None, str]:
    sources = _sources(graph)
    words = {
        "tag": _tags(graph),
        "resource_type": {node.resource for node in graph.nodes.values()},
        "source": {*sources, *(name.partition(".")[0] for name in sources)},
    }[term.method]
    if near := _nearest(term.value, words):
        return f"{term.method}:{near}", ""
    if term.value in graph:
        return term.value, ""
    what = term.method.replace("resource_type", "resource type") + "s"
    return None, f"the project's {what} are {_listed(sorted(words))}" if words else f"no {what} yet"


def _near_name(graph: Graph[Any], value: str) -> str | None:
    tags, folders = _tags(graph), _folders(graph)
    sources = {name.partition(".")[0] for name in _sources(graph)}
    words = {source: f"source:{source}" for source in sorted(sources)}
    words |= {basename(folder): f"path:{folder}" for folder in reversed(folders)}
    words |= {tag: f"tag:{tag}" for tag in sorted(tags)}
    if value in words:
        return words[value]
    stem = value.strip("*")
    if value == f"{stem}*" and (start := _nearest(stem, {name[: len(stem)] for name in graph})):
        return f"{start}*"
    words |= {name: name for name in graph}
    near = _nearest(stem, words)
    return words[near] if near else None


def _near_path(graph: Graph[Any], term: Term) -> tuple[str | None, str]:
    path = _normal(term.value)
    if path.startswith("/") or re.match(r"[A-Za-z]:/", path):
        return None, "paths are relative to the project's folder"
    files = {node.file for node in graph.nodes.values() if node.file}
    if term.method == "file":
        return _nearest(path, {basename(file) for file in files}), "`lupom ls` lists every file"
    words = {*files, *_folders(graph)}
    # A path below the model folder, written without that folder, is the commonest slip.
    tails = sorted(word for word in words if word.endswith(f"/{path}"))
    near = tails[0] if tails else _nearest(path, words)
    if near:
        return f"path:{near}", ""
    return None, f"the project's folders are {_listed(_folders(graph))}"


def _near_config(graph: Graph[Any], term: Term) -> tuple[str | None, str]:
    *outer, last = term.method.split(".")[1:]
    path = ".".join(["config", *outer, ""])
    maps = [_setting(node.config, outer) for node in graph.nodes.values()]
    keys = {str(key) for found in maps if isinstance(found, Mapping) for key in found}
    if last not in keys:
        near = _nearest(last, keys)
        return near and f"{path}{near}:{term.value}", f"no node sets '{path}{last}'"
    values = {
        str(item)
        for found in maps
        for item in _items(found.get(last) if isinstance(found, Mapping) else None)
    }
    near = _nearest(term.value, values)
    return near and f"{path}{last}:{near}", f"its values are {_listed(sorted(values))}"


def _items(setting: object) -> Collection[object]:
    if isinstance(setting, Mapping | list | tuple | set | frozenset):
        return setting
    return [] if setting is None else [setting]


def _tags(graph: Graph[Any]) -> set[str]:
    return {tag for node in graph.nodes.values() for tag in node.tags}


def _folders(graph: Graph[Any]) -> list[str]:
    """Return every folder that has a node somewhere below it, the shallow ones first."""
    found: set[str] = set()
    for node in graph.nodes.values():
        folder = dirname(node.file)
        while folder and folder not in found:
            found.add(folder)
            folder = dirname(folder)
    return sorted(found, key=lambda folder: (folder.count("/"), folder))


def _nearest(word: str, known: Iterable[str]) -> str | None:
    lowered = {item.lower(): item for item in sorted(set(known), reverse=True)}
    near = difflib.get_close_matches(word.lower(), lowered, n=1)
    return lowered[near[0]] if near else None


def _listed(words: Sequence[str]) -> str:
    more = len(words) - LISTED
    tail = f" and {more} more" if more > 0 else ""
    return ", ".join(f"'{word}'" for word in words[:LISTED]) + tail
