"""The encoding of texts that do not say theirs, told by their bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Windows' code pages, and those of East Asia, in which programs write that know no Unicode.
_OTHERS = (
    *("cp949", "cp932", "gb18030", "big5"),
    *("cp1251", "cp1253", "cp1255", "cp1256", "cp874"),
)
# Of these the letters are mostly signs beyond ASCII; of Latin ones few stand together.
_TOGETHER = 0.75
_FEWEST = 4
# Polish, Czech and Hungarian letters as cp1252 shows them: 'Ca\u00b3kowicie', 'jeste\u0153'.
_CENTRAL = re.compile(
    r"[^\W\d_][\u00b9\u00b3\u00bf\u00be\u00a3\u00a5\u00b6\u00a6\u00bc][^\W\d_]"
    r"|\u0153(?![uisdmnf])"
)
# More bytes say no more.
_MOST = 100_000


def told(texts: Iterable[bytes]) -> str | None:
    """Return the encoding that some texts most likely are in, by Python's name.

    Scripts other than Latin are told by charset-normalizer, whose guess among all encodings is too
    often wrong of labels of a few words: French is Korean to it, and Greek Cyrillic. Of Latin ones
    cp1250 has letters where cp1252 has signs within words, and cp1254 Turkish letters where it has
    Icelandic ones.

    Returns
    -------
    the encoding; None where all is ASCII.
    """
    kept, size = list[bytes](), 0
    for text in dict.fromkeys(texts):
        if not text.isascii() and size < _MOST:
            kept.append(text)
            size += len(text)
    if not kept:
        return None
    data = b"\n".join(kept)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return "utf-8"
    runs = [len(run) for run in re.findall(rb"[\x80-\xff]+", data)]
    if sum(runs) >= _FEWEST and sum(n for n in runs if n > 1) >= _TOGETHER * sum(runs):
        # Hebrew has no capitals; Russian has them, and its last letters in every other word.
        if re.fullmatch(rb"[\x00-\x7f\xe0-\xfa]+", data) and sum(runs) >= 8:
            return "cp1255"
        from charset_normalizer import from_bytes

        best = from_bytes(data, cp_isolation=list(_OTHERS), threshold=0.4).best()
        if best is not None:
            return str(best.encoding)
    latin = data.decode("cp1252", errors="replace")
    if _CENTRAL.search(latin):
        return "cp1250"
    turkish = set(latin) & set("\u00f0\u00fe\u00de\u00dd")
    if turkish and not set(latin) & set("\u00e6\u00c6\u00e1\u00f3\u00fa\u00ed"):
        return "cp1254"
    return "cp1252"
