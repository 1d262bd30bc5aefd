"""Who is taken where there are more people than a method needs."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray


def drawn(ids: Sequence[str], most: int | None, seed: int) -> NDArray[np.int64]:
    """Return the places of at most so many ids, in order; all of them for None.

    They are drawn by the hash of seed and id, so that one who is added takes the place of one other
    at most, whatever the order of the ids.
    """
    if most is None or len(ids) <= most:
        return np.arange(len(ids), dtype=np.int64)
    salt = f"{seed}|".encode()
    hashes = b"".join(blake2b(salt + i.encode(), digest_size=8).digest() for i in ids)
    keys = np.frombuffer(hashes, dtype=np.uint64)
    chosen: NDArray[np.int64] = np.sort(np.argsort(keys, kind="stable")[:most]).astype(np.int64)
    return chosen
