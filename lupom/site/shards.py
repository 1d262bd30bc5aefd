"""Data shards: files of classic JavaScript that hand one value each to the page.

A page opened from file:// may not fetch, but it may run a script beside it. So data are scripts:
`LUPOM.push("key", JSON.parse('...'))`. What respondents and LLMs wrote is among them, therefore
nothing of a value can end the string, the script or the line it stands in.
"""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

# Longer texts are cut in sample rows: a prompt of 30,000 characters is not a sample.
LONGEST = 600

# What could end the literal ('), escape from it (\), end the script element (</script>), open a
# comment in it (<!--), or end the line where an old parser reads one (U+2028, U+2029).
_UNSAFE = re.compile(r"[\\'<>&\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def literal(value: Any) -> str:
    """Return a JavaScript expression that evaluates to a value, safe in any script.

    The value goes through JSON.parse, so that a key `__proto__` is a key and nothing else.
    """
    text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return parsed(text)


def parsed(text: str) -> str:
    """Return the expression of a value that is JSON text already."""
    return f"JSON.parse('{_UNSAFE.sub(_escaped, text)}')"


def _escaped(match: re.Match[str]) -> str:
    character = match.group()
    return "\\\\" if character == "\\" else f"\\u{ord(character):04x}"


def plain(value: Any) -> Any:
    """Return a value as JSON knows it; what is not a number (NaN, infinity) becomes null."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        # Beyond 2^53 JavaScript would round, and an id that is rounded is another id.
        return value if abs(value) <= 2**53 else str(value)
    if isinstance(value, float | Decimal):
        number = float(value)
        return number if math.isfinite(number) else None
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [plain(item) for item in items]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes | bytearray):
        return f"{len(value)} bytes"
    return str(value)


def short(value: Any, longest: int = LONGEST) -> Any:
    """Return a value of a sample: long texts cut, nested values as JSON text."""
    value = plain(value)
    if isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and len(value) > longest:
        return value[:longest] + " ..."
    return value


def file_name(key: str) -> str:
    """Return a name for a shard's file that every file system takes; other keys give other names.

    The page computes the same name, in core.js. Capital letters are written as numbers, since some
    file systems take 'A' and 'a' for one.
    """
    safe = re.sub(r"[^a-z0-9_-]", lambda match: f".{ord(match.group()):x}.", key)
    if len(safe) <= 120:
        return safe
    fnv = 0x811C9DC5
    for character in key:
        fnv = ((fnv ^ ord(character)) * 0x01000193) & 0xFFFFFFFF
    return f"{safe[:100]}.{fnv:x}.{len(safe)}"


class Shards:
    """Writes shards to a folder; made anew, so that nothing of an earlier site stays."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.count = 0

    def write(self, key: str, value: Any) -> str:
        """Write one value; returns the file's name, which the page asks for with the key."""
        return self._write(key, literal(value))

    def write_json(self, key: str, text: str) -> str:
        """Write one value that is JSON text."""
        return self._write(key, parsed(text))

    def _write(self, key: str, expression: str) -> str:
        name = f"{file_name(key)}.js"
        self.write_text(name, f"LUPOM.push({literal(key)},{expression});\n")
        return name

    def write_text(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")
        self.count += 1
