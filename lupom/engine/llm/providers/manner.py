"""How an endpoint wants to be asked: found out by its first request, remembered in the state.

The first request to an endpoint nobody knows yet goes alone. What it complains about is given up,
until it answers; then all others go, in the same manner, and so do those of later processes. The
request that finds out is one that had to be made anyway, so that nothing is paid for knowing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

from lupom.engine.llm.providers.base import ProviderReply, ProviderRequest

AUTO = "auto"
# Ways to get an answer that fits a schema, the best one first.
MODES = ("json_schema", "tools", "json")


class Memory(Protocol):
    """Where manners are kept between processes."""

    def manner(self, endpoint: str) -> Mapping[str, Any] | None:
        """Return what is known of an endpoint; None when nothing is, or it is too old."""
        ...

    async def record_manner(self, endpoint: str, manner: Mapping[str, Any]) -> None:
        """Remember it."""
        ...


@dataclass(slots=True)
class Manner:
    """How an endpoint wants to be asked.

    Attributes
    ----------
    mode : 'json_schema' (the endpoint holds the answer to the schema), 'tools' (the answer is the
        argument of a tool it must call), 'json' (the schema stands in the prompt).
    json_object : with mode 'json', a JSON object may be asked for.
    choice : how firmly the tool can be demanded: 'tool', 'any', 'auto'.
    lengths : limits on lengths and numbers may stand in the schema.
    logprobs, seed, temperature, system, cache : may be asked for; system messages, cache points.
    limit : the name of the limit on answered tokens.
    held : an answer has come back that fits, so the mode is not in doubt any more.
    """

    mode: str = "json_schema"
    json_object: bool = True
    choice: str = "tool"
    lengths: bool = True
    logprobs: bool = True
    seed: bool = True
    temperature: bool = True
    system: bool = True
    cache: bool = True
    limit: str = "max_tokens"
    held: bool = False

    def weaken(self) -> bool:
        """Go on to the next mode; False when there is none."""
        place = MODES.index(self.mode)
        if place + 1 == len(MODES):
            return False
        self.mode = MODES[place + 1]
        return True

    def loosen(self) -> bool:
        """Demand the tool less firmly; False when it is only offered as it is."""
        if self.choice == "auto":
            return False
        self.choice = "any" if self.choice == "tool" else "auto"
        return True

    def described(self) -> str:
        """Say how answers are asked for, for people."""
        how = {"json_schema": "JSON schema", "tools": "a tool", "json": "a schema in the prompt"}
        return f"answers by {how[self.mode]}" + (", log-probabilities" if self.logprobs else "")


class Manners:
    """The manner of one alias's endpoint, while it is found out and after.

    Parameters
    ----------
    identity : what the endpoint is known by: provider, address, model.
    mode : the alias's setting; anything but 'auto' is not given up.
    start : where to begin when nothing is known.
    """

    def __init__(
        self, identity: Mapping[str, Any], mode: str, start: Manner, memory: Memory | None
    ) -> None:
        self.fixed = mode != AUTO
        self.manner = start
        if self.fixed:
            self.manner.mode = mode
        self._memory = memory
        self._endpoint = json.dumps({**identity, "mode": mode}, sort_keys=True)
        self._known: dict[str, Any] | None = None
        self._recalled = False
        self._first = asyncio.Event()
        self._asked = False

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Manner]:
        """Wait for the first request to be over, unless this is it, or the manner is known."""
        self._recall()
        if self._known is not None or self._first.is_set():
            yield self.manner
        elif self._asked:
            await self._first.wait()
            yield self.manner
        else:
            self._asked = True
            try:
                yield self.manner
            finally:
                # It may have failed for reasons of its own: the others do not wait for another.
                self._first.set()

    async def learn(self, request: ProviderRequest, reply: ProviderReply) -> None:
        """Draw conclusions from a reply, and remember a manner that works.

        An endpoint that takes a schema and answers with something else does not hold to it, so the
        next request goes another way; once an answer fitted, that is the answer's own fault.
        """
        manner = self.manner
        if request.schema is not None and not manner.held:
            if _fits(reply.text, request.schema):
                manner.held = True
            elif reply.finish_reason == "stop" and not self.fixed:
                manner.weaken()
        if manner.held and self._memory is not None:
            now = asdict(manner)
            if now != self._known:
                self._known = now
                await self._memory.record_manner(self._endpoint, now)

    def described(self) -> str | None:
        """Say how answers are asked for; None when it is not known yet."""
        self._recall()
        return None if self._known is None else self.manner.described()

    def _recall(self) -> None:
        if self._recalled:
            return
        self._recalled = True
        found = None if self._memory is None else self._memory.manner(self._endpoint)
        if found is None:
            return
        names = {field.name for field in fields(Manner)}
        known = {name: value for name, value in found.items() if name in names}
        self.manner = Manner(**known)
        self._known = asdict(self.manner)


def _fits(text: str, schema: Mapping[str, Any]) -> bool:
    """Tell whether a text is an object with the schema's fields."""
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, dict) and set(schema.get("required", ())) <= set(value)


def told(schema: Mapping[str, Any]) -> str:
    """Return the words in which a schema is put into a prompt."""
    spelled = json.dumps(schema, ensure_ascii=False)
    return f"Answer with one JSON object and nothing else. Its JSON schema:\n{spelled}"
