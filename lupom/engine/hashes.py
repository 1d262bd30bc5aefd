"""Hashes of values and of files; the words that fingerprints are made of."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any


def digest(*values: Any) -> str:
    """Return a hex hash of JSON-able values, the same for equal values in any process.

    Dict order does not matter; list order does. Raises TypeError for a value JSON cannot hold.
    """
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class FileHashes:
    """Content hashes of files, computed again only where size or modification time changed.

    A file touched less than a second before it was hashed is hashed again next time: within the
    clock's granularity (4 ms on Linux) a second write may leave size and time as they were.
    """

    def __init__(self, cache: Path | None) -> None:
        self._cache = cache
        self._known: dict[str, list[Any]] = {}
        self._dirty = False
        if cache is not None:
            try:
                known = json.loads(cache.read_text(encoding="utf-8"))
                self._known = known if isinstance(known, dict) else {}
            except (OSError, ValueError):
                self._known = {}

    def of(self, path: Path) -> str:
        """Return the hash of a file's bytes; raises FileNotFoundError."""
        stat = path.stat()
        entry = self._known.get(str(path))
        if entry and entry[0] == stat.st_size and entry[1] == stat.st_mtime_ns:
            return str(entry[2])
        value = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                value.update(block)
        hexed = value.hexdigest()[:32]
        if time.time_ns() - stat.st_mtime_ns > 1_000_000_000:
            self._known[str(path)] = [stat.st_size, stat.st_mtime_ns, hexed]
            self._dirty = True
        return hexed

    def save(self) -> None:
        """Write the cache if anything was learnt; where that cannot be, it is done without."""
        if not self._dirty or self._cache is None:
            return
        try:
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            partial = self._cache.with_name(self._cache.name + ".new")
            partial.write_text(json.dumps(self._known), encoding="utf-8")
            partial.replace(self._cache)
        except OSError:
            return
        self._dirty = False
