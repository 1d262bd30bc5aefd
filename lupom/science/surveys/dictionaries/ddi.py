"""DDI Codebook (.xml), as archives and the Microdata catalogues publish it: var, labl, catgry."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from lupom.science.surveys import cells
from lupom.science.surveys.dictionaries.dictionary import Dictionary, plain

TITLE = "a DDI codebook"


def recognises(text: str) -> bool:
    """Say whether a text is DDI's XML."""
    return re.search(r"<(?:\w+:)?(?:codeBook|dataDscr)\b", text[:200_000]) is not None


def read(text: str, name: str) -> Dictionary:
    """Return what a DDI codebook says of its variables.

    Raises
    ------
    ValueError : naming file and line, for XML that is not well-formed, or declares entities.
    """
    if re.search(r"<!(?:DOCTYPE|ENTITY)", text):
        raise ValueError(f"{name}: XML with a DOCTYPE of its own is not read")
    try:
        # What the file declares of its encoding is of its bytes.
        root = ET.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text.lstrip("\ufeff")))
    except ET.ParseError as error:
        raise ValueError(f"{name}:{error.position[0]}: not well-formed XML: {error.msg}") from error
    out = Dictionary(name, TITLE)
    for item in root.iter():
        item.tag = item.tag.rpartition("}")[2] if isinstance(item.tag, str) else ""
    title = root.find(".//stdyDscr//titl")
    out.title = "" if title is None else plain(_text(title))
    for item in root.iter("var"):
        variable = out.variable(item.get("name", ""))
        asked = item.find("qstn/qstnLit")
        label = item.find("labl")
        words = [_text(e) for e in (asked, label) if e is not None]
        variable.label = plain(next((w for w in words if w.strip()), ""))
        universe = item.find("universe")
        variable.asked_if = "" if universe is None else plain(_text(universe))
        for category in item.findall("catgry"):
            value = category.find("catValu")
            code = "" if value is None else cells.code(_text(value))
            said = category.find("labl")
            if not code:
                continue
            if said is not None and _text(said).strip():
                variable.labels[code] = plain(_text(said))
            if category.get("missing", "").casefold() in ("y", "yes", "true"):
                variable.missing |= {code}
        for value in item.findall("invalrng/item"):
            variable.missing |= {cells.code(value.get("VALUE", ""))} - {""}
        for span in item.findall("invalrng/range"):
            low, high = span.get("min"), span.get("max")
            if low and high and all(re.fullmatch(r"-?\d+(?:\.\d+)?", v) for v in (low, high)):
                variable.ranges.append((float(low), float(high)))
        measure = item.get("nature") or ""
        variable.measure = measure if measure in ("nominal", "ordinal") else ""
    return out


def _text(item: ET.Element) -> str:
    return "".join(item.itertext())
