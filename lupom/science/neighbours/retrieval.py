"""The retrieval settings of a run, as a table: which neighbours are looked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from lupom.science.inputs import arrow, columns_of
from lupom.science.neighbours.settings import NO_NETWORK, Rows, Setting, chosen_of, text_of

if TYPE_CHECKING:
    import pyarrow as pa

_FIELDS = tuple(Setting.__dataclass_fields__)


class Key(NamedTuple):
    """What a survey's retrieval setting is known by: its name, and whose personas it compares."""

    retrieval: str
    network: str


def retrieval_settings(
    rows: Sequence[Mapping[str, Any]],
    networks: Any,
    asked: Any = None,
    *,
    chosen: str | Mapping[str, str] = "default",
    default: Setting | None = None,
) -> pa.Table:
    """Return the settings that similar respondents are found by in this run.

    Of every survey that is the chosen one with its default network, and what prediction settings
    ask for besides.

    Parameters
    ----------
    rows, chosen, default : as for `settings_of`.
    networks : table: survey, network, is_default; see `bayes.persona_networks`.
    asked : table of prediction settings: neighbours ('none' where none are told), and where there
        are such columns retrieval and network, null or blank for the default ones.

    Returns
    -------
    Table: survey, retrieval, network ('none' where nothing is compared that a network refined),
    is_default, and the other fields of Setting, demographics between slashes.

    Raises
    ------
    ValueError : as `settings_of` does.
    """
    import pyarrow as pa

    known = Rows(rows, default or Setting())
    wanted = [] if asked is None else arrow(asked).to_pylist()
    usual = {
        str(row["survey"]): str(row["network"])
        for row in columns_of(networks, ("survey", "network", "is_default")).to_pylist()
        if row["is_default"]
    }
    found: dict[tuple[str, Key], dict[str, Any]] = {}
    for survey, network in sorted(usual.items()):
        pairs = [(chosen_of(chosen, survey), network)]
        for row in wanted:
            if text_of(row.get("neighbours")) not in ("", "none"):
                pair = (text_of(row.get("retrieval")), network_of(row))
                pairs.append((pair[0] or pairs[0][0], pair[1] or network))
        for place, (name, of) in enumerate(pairs):
            setting = known.pick(survey, name).under(of)
            key = Key(name, setting.network or NO_NETWORK)
            found.setdefault(
                (survey, key),
                {"survey": survey, **key._asdict(), "is_default": not place, **row_of(setting)},
            )
    return pa.Table.from_pylist(list(found.values()), schema=_schema())


def setting_variants(asked: Any, networks: Any, settings: Any) -> pa.Table:
    """Return which network and which neighbours each prediction setting uses in each survey.

    Parameters
    ----------
    asked : table of prediction settings: setting, persona; retrieval and network where there are
        such columns, null or blank for the default ones.
    networks : table: survey, network, is_default.
    settings : table of `retrieval_settings`.

    Returns
    -------
    Table: survey, setting, network (of the persona values it shows; 'none' for those that the LLM
    inferred), retrieval and neighbour_network (retrieval and network of the rows of
    `similar_respondents` that are its neighbours).
    """
    import pyarrow as pa

    rows = columns_of(networks, ("survey", "network", "is_default")).to_pylist()
    usual = {row["survey"]: row["network"] for row in rows if row["is_default"]}
    known = keyed(settings)
    out: dict[tuple[str, str], dict[str, str]] = {}
    for row in arrow(asked).to_pylist():
        for survey, network in usual.items():
            retrieval = text_of(row.get("retrieval")) or next(iter(known[survey])).retrieval
            of = network_of(row) or network
            has = Key(retrieval, of) in known[survey]
            out[survey, row["setting"]] = {
                "survey": survey,
                "setting": row["setting"],
                "network": NO_NETWORK if text_of(row.get("persona")) == "raw" else of,
                "retrieval": retrieval,
                "neighbour_network": of if has else NO_NETWORK,
            }
    names = ("survey", "setting", "network", "retrieval", "neighbour_network")
    return pa.Table.from_pylist(
        [out[key] for key in sorted(out)], schema=pa.schema([(n, pa.string()) for n in names])
    )


def network_of(row: Mapping[str, Any]) -> str:
    """Return the network a prediction setting asks for, '' for the default one."""
    text = text_of(row.get("network"))
    return NO_NETWORK if text.lower() == NO_NETWORK else text


def keyed(settings: Any) -> dict[str, dict[Key, Setting]]:
    """Return settings by survey, and there by retrieval and network, the default one first.

    Parameters
    ----------
    settings : the table of `retrieval_settings`; or one for each survey, whose retrieval is then
        called 'default'.
    """
    if isinstance(settings, Mapping):
        return {
            survey: {Key("default", setting.network or NO_NETWORK): setting}
            for survey, setting in settings.items()
        }
    out: dict[str, dict[Key, Setting]] = {}
    rows = columns_of(settings, tuple(_schema().names)).to_pylist()
    for row in sorted(rows, key=lambda row: (row["survey"], not row["is_default"])):
        of = out.setdefault(row["survey"], {})
        of[Key(row["retrieval"], row["network"])] = setting_of(row)
    return out


def row_of(setting: Setting) -> dict[str, Any]:
    """Return a setting as columns of a table."""
    names = setting.demographics
    return {
        **{name: getattr(setting, name) for name in _FIELDS},
        "demographics": names if isinstance(names, str) else "/".join(names),
    }


def setting_of(row: Mapping[str, Any]) -> Setting:
    """Return the setting that columns of a table hold."""
    names = row["demographics"]
    given = {name: row[name] for name in _FIELDS}
    given["demographics"] = names if names == "all" else tuple(n for n in names.split("/") if n)
    return Setting(**given)


def setting_fields() -> list[tuple[str, Any]]:
    """Return the columns of `row_of` but for the network, with their types."""
    import pyarrow as pa

    return [
        ("similarity", pa.string()),
        ("encoding", pa.string()),
        ("personas", pa.string()),
        ("certainty", pa.bool_()),
        ("k", pa.int64()),
        ("max_skew", pa.float64()),
        ("demographics", pa.string()),
        ("demographic_weight", pa.float64()),
    ]


def _schema() -> pa.Schema:
    import pyarrow as pa

    key = [(name, pa.string()) for name in ("survey", *Key._fields)]
    return pa.schema([*key, ("is_default", pa.bool_()), *setting_fields()])
