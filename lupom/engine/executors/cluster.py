"""Workers of a Ray cluster: one that is there, or one of this machine for as long as a run."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import ModelError
from lupom.engine.executors import wire, worker
from lupom.engine.executors.backend import Note, too_often
from lupom.engine.executors.processes import cores

if TYPE_CHECKING:
    from lupom.engine.project.executors import ExecutorSettings

# Seconds between looks at whether the run is to stop, and until an address is held to be wrong:
# Ray itself tries for a minute and then ends the process.
_LOOK, _PATIENCE = 0.1, 5.0
# Seconds without a result after which the cluster is looked at, and for which its head may be gone:
# one that keeps its state elsewhere is started again.
_SILENCE, _GONE = 5.0, 30.0
# What begins HTTP/2, which gRPC speaks, with an empty frame of settings; whoever speaks it answers
# with a frame of its own, whose fourth byte is the kind.
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
_HEAD, _SETTINGS = 9, 4
# Ray is not to report who uses it, and only errors of its own are told.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
}

_starting = threading.Lock()


def refusal(what: str, error: Exception) -> ModelError:
    """Return the error of a Ray that cannot be `what`: started, or reached somewhere."""
    text = " ".join(str(error).split())
    versions = re.findall(r"Ray: (\S+) Python: (\S+)", text)
    if "Version mismatch" not in text or len(versions) != 2:
        return ModelError(f"Ray cannot be {what}: {text[:300]}")
    (their_ray, their_python), (ray, python) = versions
    return ModelError(
        f"Ray cannot be {what}: the cluster runs Ray {their_ray} on Python {their_python}, this"
        f" machine Ray {ray} on Python {python}",
        hint="all nodes need the same Ray, Python and LUPoM as the machine of the run",
    )


class Cluster:
    """A connection to a Ray cluster.

    A job is put into the cluster's object store once, and each worker process opens it once. Ray's
    own retries are off, so that each lost worker is told and counted here.
    """

    def __init__(self, settings: ExecutorSettings, note: Note) -> None:
        self._note, self._settings = note, settings
        self._ray = _ray()
        if settings.address is not None and settings.address != "auto":
            _answers(settings.address)
        # Ray's processes end with the thread that started them (Linux's parent-death signal), and
        # threads of a run come and go.
        self._thread = ThreadPoolExecutor(1, "lupom-ray")
        try:
            # Ray is connected once in a process, whoever else has an executor there.
            with _starting:
                self._own = not self._ray.is_initialized()
                if self._own:
                    self._thread.submit(self._start).result()
        except BaseException:
            self._thread.shutdown()
            raise
        self._at_once = settings.workers or max(self._cores(), 1)
        self._address = str(self._ray.get_runtime_context().gcs_address)
        self._gone_since: float | None = None
        self._told: set[str] = set()
        if self._cores() and not self._cores(free=True):
            self._tell("Others have all cores of the Ray cluster: batches wait for one.")
        self._everywhere: dict[str, list[Any]] = {}
        self._closed = threading.Event()

    def _start(self) -> None:
        address, workers = self._settings.address, self._settings.workers
        where: dict[str, Any] = {"address": address}
        if address is None:
            where = {"address": "local", "num_cpus": workers or cores(), "include_dashboard": False}
        try:
            self._ray.init(**where, log_to_driver=False, logging_level="ERROR")
        except ConnectionError as error:
            raise ModelError(
                "no Ray cluster runs on this machine"
                if address == "auto"
                else f"no Ray cluster answers at {address}",
                hint="'ray start --head' starts one; without an address LUPoM does, for the run",
            ) from error
        except Exception as error:
            what = "started" if address is None else f"reached at {address}"
            raise refusal(what, error) from error

    def _cores(self, *, free: bool = False) -> int:
        ask = self._ray.available_resources if free else self._ray.cluster_resources
        return int(ask().get("CPU", 0))

    def _look_around(self) -> None:
        """Say why no batch is done; raises ModelError where the cluster is gone."""
        try:
            _answers(self._address)
        except ModelError as error:
            now = time.monotonic()
            self._gone_since = self._gone_since or now
            if now - self._gone_since < _GONE:
                return
            raise ModelError(
                f"the Ray cluster at {self._address} has not answered for {_GONE:g} s",
                hint="what is built is kept: run again when it is there, or with another target",
            ) from error
        self._gone_since = None
        if not self._cores():
            self._tell("The Ray cluster has no core: batches wait for a node that has one.")

    def _tell(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self._note(line)

    def work(self, job: bytes, parts: Sequence[Any], done: Callable[[], None]) -> list[Any]:
        """Return the result of each batch; see `backend.Backend`."""
        import numpy as np

        ray = self._ray
        key, common = secrets.token_hex(8), ray.put(np.frombuffer(job, dtype=np.uint8))
        remote = ray.remote(num_cpus=1, max_retries=0, scheduling_strategy="SPREAD")(
            worker.answered
        )
        results: list[Any] = [None] * len(parts)
        lost = [0] * len(parts)
        todo = list(range(len(parts)))[::-1]
        at_work: dict[Any, int] = {}
        heard = time.monotonic()
        try:
            while todo or at_work:
                while todo and len(at_work) < self._at_once:
                    place = todo.pop()
                    part = np.frombuffer(parts[place], dtype=np.uint8)
                    at_work[remote.remote(key, common, part)] = place
                done()
                ready = ray.wait(list(at_work), num_returns=1, timeout=_LOOK)[0]
                if ready:
                    heard = time.monotonic()
                elif time.monotonic() - heard > _SILENCE:
                    heard = time.monotonic()
                    self._look_around()
                for ref in ready:
                    place = at_work.pop(ref)
                    try:
                        well, content = ray.get(ref)
                    except ray.exceptions.RayTaskError as error:
                        raise _unable(error) from error
                    except ray.exceptions.RayError as error:
                        lost[place] += 1
                        # What else Ray says is advice on its own tools.
                        how = str(error).strip().splitlines()[0].split(". ")[0].rstrip(".")
                        where = f"batch {place + 1} of {len(parts)}"
                        if lost[place] > self._settings.retries:
                            raise too_often(lost[place], where, how) from error
                        self._note(f"A worker was lost ({how}); {where} goes to another.")
                        todo.append(place)
                        continue
                    if not well:
                        raise wire.heard(content)
                    results[place] = content
        finally:
            for ref in at_work:
                ray.cancel(ref, force=True)
        return results

    def everywhere(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Have each node do something until `close`, with no core of its own; see `Backend`."""
        if name in self._everywhere:
            return
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        refs = self._everywhere[name] = []
        for node in self._ray.nodes():
            if node["Alive"]:
                there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                task = self._ray.remote(num_cpus=0, max_retries=3, scheduling_strategy=there)
                refs.append(task(worker.called).remote(name, json.dumps(arguments, default=str)))
        threading.Thread(target=self._watch, args=(list(refs),), daemon=True).start()

    def _watch(self, refs: list[Any]) -> None:
        """Tell whatever ends before it should."""
        ray = self._ray
        while refs and not self._closed.is_set():
            ended, refs = ray.wait(refs, num_returns=1, timeout=1.0)
            for ref in ended:
                try:
                    ray.get(ref)
                except ray.exceptions.RayError as error:
                    if not self._closed.is_set():
                        cause = getattr(error, "cause", None) or error
                        said = (str(cause).strip().splitlines() or [""])[-1]
                        self._note(f"A node's worker ended: {type(cause).__name__}: {said}")

    def close(self) -> None:
        """Leave the cluster, and end it where it was started here."""
        self._closed.set()
        for ref in (ref for refs in self._everywhere.values() for ref in refs):
            self._ray.cancel(ref, force=True)
        if self._own:
            self._thread.submit(self._ray.shutdown).result()
        self._thread.shutdown()


def _ray() -> Any:
    os.environ.update({name: os.environ.get(name, value) for name, value in _QUIET.items()})
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise ModelError(
            "'executor: ray' needs Ray, which is not installed", hint="pip install 'lupom[ray]'"
        ) from error
    return ray


def _answers(address: str) -> None:
    """Raise ModelError where nobody listens at an address, or somebody other than Ray."""
    host, _, port = address.rpartition("://")[2].partition(":")
    try:
        number = int(port) if port else 6379
        with socket.create_connection((host, number), timeout=_PATIENCE) as connection:
            if os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
                return
            connection.sendall(_PREFACE)
            said = b""
            while len(said) < _HEAD and (more := connection.recv(_HEAD - len(said))):
                said += more
    except (OSError, ValueError) as error:
        how = f"{error}"
    else:
        if len(said) == _HEAD and said[3] == _SETTINGS:
            return
        how = "another program listens there"
    raise ModelError(
        f"no Ray cluster answers at {address}: {how}",
        hint="the target's executor: address is HOST:6379, or auto on a machine of the cluster",
    )


def _unable(error: Any) -> ModelError:
    """Return the error of a worker that could not even begin."""
    cause = getattr(error, "cause", None) or error
    said = (str(cause).strip().splitlines() or [""])[-1]
    return ModelError(
        f"a worker of the cluster cannot work: {type(cause).__name__}: {said}",
        hint="every node needs the same Python, LUPoM and packages of the project",
    )
