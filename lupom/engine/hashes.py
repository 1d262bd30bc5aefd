"""Hashes of values and of files; the words that fingerprints are made of."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lupom.engine.files import replacing

# The coarsest clock of a file system in use (FAT) ticks every two seconds.
_TICK = 2_000_000_000
_TRIES = 5
# Notes that are kept: LUPoM's own files are 500.
_NOTES = 4096


def canonical(value: Any) -> str:
    """Return JSON in one spelling: keys sorted, no spaces."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def digest(*values: Any) -> str:
    """Return a hex hash of JSON-able values, the same for equal values in any process.

    Dict order does not matter; list order does. Raises TypeError for a value JSON cannot hold.
    """
    return hashlib.sha256(canonical(values).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def of_bytes(content: bytes) -> str:
    """Return the hash of a file's bytes."""
    return hashlib.sha256(content).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Seal:
    """A file as it was when its bytes were hashed: whoever writes to it later breaks the seal.

    Attributes
    ----------
    stamp : size, times of modification and of change, inode and device. The time of change, unlike
        that of modification, cannot be put back: it tells of a file edited and edited back.
    hash : of the bytes.
    fresh : whether the file was touched so shortly before that another write may have the same
        time (clocks of file systems tick every 4 ms to 2 s).
    """

    path: Path
    stamp: tuple[int, ...]
    hash: str
    fresh: bool

    def holds(self) -> bool:
        """Tell whether the file is what it was all the time since."""
        try:
            if _stamp(self.path) != self.stamp:
                return False
            return not self.fresh or _hash(self.path) == self.hash
        except OSError:
            return False


class FileHashes:
    """Content hashes of files, computed again only where their size, times or inode changed.

    A file touched less than two seconds before it was hashed is hashed again next time: within the
    clock's granularity a second write may leave size and times as they were.

    What is worked out of a content can be noted by its hash, and is there the next time.
    """

    def __init__(self, cache: Path | None) -> None:
        self._cache = cache
        self._known: dict[str, list[Any]] = {}
        self._notes: dict[str, Any] = {}
        self._dirty = False
        if cache is not None:
            try:
                known = json.loads(cache.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                known = None
            if isinstance(known, dict):
                # No path is empty.
                notes = known.pop("", None)
                self._known, self._notes = known, notes if isinstance(notes, dict) else {}

    def noted(self, what: str) -> Any:
        """Return what was noted under a name; None where nothing was."""
        return self._notes.get(what)

    def note(self, what: str, value: Any) -> None:
        """Note what JSON can say under a name, which has to hold the hash of what it is of."""
        self._notes[what] = value
        self._dirty = True

    def of(self, path: Path) -> str:
        """Return the hash of a file's bytes; raises FileNotFoundError."""
        return self.sealed(path).hash

    def sealed(self, path: Path) -> Seal:
        """Return the hash of a file's bytes with what tells later whether they are still those.

        Raises FileNotFoundError.
        """
        stamp = _stamp(path)
        entry = self._known.get(str(path))
        if isinstance(entry, list) and entry[:-1] == [*stamp]:
            return Seal(path, stamp, str(entry[-1]), fresh=False)
        for _ in range(_TRIES):
            hexed, after = _hash(path), _stamp(path)
            if stamp == after:
                break
            stamp = after  # somebody wrote while it was read
        else:
            return Seal(path, (-1,), hexed, fresh=True)  # and goes on: no seal holds
        fresh = time.time_ns() - max(stamp[1], stamp[2]) <= _TICK
        if not fresh:
            self._known[str(path)] = [*stamp, hexed]
            self._dirty = True
        return Seal(path, stamp, hexed, fresh)

    def save(self) -> None:
        """Write the cache if anything was learnt; where that cannot be, it is done without."""
        if not self._dirty or self._cache is None:
            return
        try:
            notes = dict(list(self._notes.items())[-_NOTES:])
            with replacing(self._cache) as part:
                part.write_text(json.dumps({**self._known, "": notes}), encoding="utf-8")
        except OSError:
            return
        self._dirty = False


def stamped(path: Path) -> Seal:
    """Return a seal by a file's size, times and inode alone; one that is not there may not come."""
    return Seal(path, _stamp(path), "", fresh=False)


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return ()
    return (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev)


def _hash(path: Path) -> str:
    value = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            value.update(block)
    return value.hexdigest()[:32]
