"""What a worker does: it opens jobs and works batches. As a program it does so for its parent.

`python -m lupom.engine.executors.worker` reads frames from stdin and writes them to stdout. What a
function prints goes to stderr. It ends when stdin does, also in the middle of a batch: nobody waits
for the result of a worker whose parent is gone.
"""

from __future__ import annotations

import importlib.util
import json
import mmap
import os
import queue
import struct
import sys
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from lupom.batches import worker_of
from lupom.engine.executors import wire
from lupom.engine.modules import BytesLoader, use

# Kinds of frames: to a worker, and from it.
HELLO, OPEN, RUN, CLOSE = b"h", b"o", b"r", b"c"
READY, DONE, FAILED = b"y", b"d", b"f"
_HEAD = struct.Struct("<cQQ")
# The number of a RUN frame is that of its job times this, and the batch's place.
PLACES = 1 << 32


def write(file: IO[bytes], kind: bytes, number: int, content: Any = b"") -> None:
    """Write a frame: its kind, a number, bytes."""
    view = memoryview(content).cast("B")
    file.write(_HEAD.pack(kind, number, len(view)))
    file.write(view)
    file.flush()


def read(file: IO[bytes]) -> tuple[bytes, int, bytes] | None:
    """Return the next frame; None where there is no whole one any more."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    kind, number, length = _HEAD.unpack(head)
    content = file.read(length)
    return (kind, number, content) if len(content) == length else None


def opened(data: Any) -> Callable[[Any], Any]:
    """Return what is called with each batch of a packed job."""
    name, shared, origin = wire.unpack(data)
    if origin.root is not None:
        root, code = origin.root, origin.code
        if not root.is_dir():
            # On another machine, where the project is not.
            root, code = _written(root, code)
        use(root, code)
    if origin.module is not None and name.startswith(f"{origin.module}:"):
        _import_model(origin)
    return worker_of(wire.found(name), shared)


def _written(root: Path, code: Any) -> tuple[Path, dict[Path, bytes]]:
    folder = Path(tempfile.mkdtemp(prefix="lupom-code-"))
    out = {}
    for path, content in code.items():
        place = folder / path.relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        out[place] = content
    return folder, out


def _import_model(origin: wire.Origin) -> None:
    assert origin.module is not None
    loader = BytesLoader(origin.module, str(origin.path), origin.text.encode())
    spec = importlib.util.spec_from_file_location(origin.module, str(origin.path), loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[origin.module] = module
    loader.exec_module(module)


def worked(work: Callable[[Any], Any], batch: Any) -> Any:
    """Return what is made of a batch; both are bytes of Arrow's IPC format."""
    return wire.to_bytes(work(wire.from_bytes(batch)))


# Jobs that a worker of a cluster has open: nodes that are built at one time take turns.
_OPEN: OrderedDict[str, Callable[[Any], Any]] = OrderedDict()
_MOST_OPEN = 4


def answered(key: str, job: Any, batch: Any) -> tuple[bool, bytes]:
    """Return whether a batch went well, and its result or the error as bytes.

    This is what a cluster calls; `key` says which job the bytes of `job` are.
    """
    try:
        if key not in _OPEN:
            _OPEN[key] = opened(job)
            while len(_OPEN) > _MOST_OPEN:
                _OPEN.popitem(last=False)
        return True, worked(_OPEN[key], batch).to_pybytes()
    except BaseException as error:
        # Extensions in Rust raise panics that are no Exception: they are the function's own.
        return False, wire.told(error)


def called(name: str, arguments: str) -> None:
    """Call a function by 'module:name' with arguments in JSON: what a cluster's nodes do."""
    wire.found(name)(**json.loads(arguments))


def main() -> None:
    """Serve the parent on stdin and stdout until stdin ends."""
    source = os.fdopen(os.dup(0), "rb")
    out = os.fdopen(os.dup(1), "wb")
    # What a function prints is no frame, and it has nothing to read.
    os.dup2(2, 1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    frames: queue.SimpleQueue[tuple[bytes, int, bytes]] = queue.SimpleQueue()

    def listen() -> None:
        while (frame := read(source)) is not None:
            frames.put(frame)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    jobs: dict[int, Callable[[Any], Any]] = {}
    failed: dict[int, bytes] = {}
    while True:
        kind, number, content = frames.get()
        if kind == HELLO:
            # What the parent may import, its workers may.
            sys.path[:] = json.loads(content)
            write(out, READY, number)
            continue
        if kind == OPEN:
            try:
                jobs[number] = opened(_mapped(content.decode()))
            except BaseException as error:
                failed[number] = wire.told(error)
            continue
        if kind == CLOSE:
            jobs.pop(number, None)
            failed.pop(number, None)
            continue
        job, place = divmod(number, PLACES)
        if job in failed:
            write(out, FAILED, place, failed[job])
            continue
        try:
            result = worked(jobs[job], content)
        except BaseException as error:
            write(out, FAILED, place, wire.told(error))
        else:
            write(out, DONE, place, result)


def _mapped(path: str) -> Any:
    """Return a file's bytes where they lie: workers of a machine share its memory."""
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


if __name__ == "__main__":
    main()
