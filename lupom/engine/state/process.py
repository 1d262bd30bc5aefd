"""What a process is known by among those that share a state database, and whether it is dead."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path


def new_owner() -> str:
    """Return a name for this process: host, process id, machine, and something nobody else has."""
    return f"{socket.gethostname()}-{os.getpid()}-{_machine()}-{secrets.token_hex(4)}"


def is_dead(owner: str) -> bool:
    """Tell whether a process is known to be dead: it was on this machine and is there no more.

    Of other machines nothing is known. Another process may have got its id since: then it is dead
    once its lease is over, as anybody else.
    """
    parts = owner.rsplit("-", 3)
    if os.name != "posix" or len(parts) != 4 or parts[2] != _machine() or not parts[1].isdigit():
        return False
    try:
        os.kill(int(parts[1]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    with suppress(OSError, IndexError):
        # Ended, but whoever started it has not looked yet.
        stat = Path(f"/proc/{parts[1]}/stat").read_text(encoding="utf-8", errors="replace")
        return stat.rpartition(")")[2].split()[0] == "Z"
    return False


@cache
def _machine() -> str:
    """Return what tells this machine since it was started, and a container on it, from others."""
    known = [socket.gethostname()]
    with suppress(OSError):
        known.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
    with suppress(OSError):
        known.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:8]
