"""What an endpoint can be asked for: found out by its first request, remembered in the state.

The first request to an endpoint nobody knows yet goes alone. What it complains about is given up,
until it answers; then all others are sent in the same form, and so are those of later processes.
The request that finds out is one that had to be made anyway, so that nothing is paid for knowing.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar

from lupom.engine.llm.providers.base import (
    Memory,
    ProviderError,
    ProviderReply,
    ProviderRequest,
)
from lupom.engine.llm.providers.endpoint import RejectedError

T = TypeVar("T")
AUTO = "auto"
# Ways to get an answer that fits a schema, the best one first.
MODES = ("json_schema", "tools", "json")


@dataclass(slots=True)
class Capabilities:
    """What an endpoint can be asked for, and how.

    Attributes
    ----------
    mode : 'json_schema' (the endpoint holds the answer to the schema), 'tools' (the answer is the
        argument of a tool it must call), 'json' (the schema stands in the prompt).
    json_object : with mode 'json', a JSON object may be asked for.
    choice : how firmly the tool can be demanded: 'tool', 'any', 'auto'.
    lengths, limits : limits on lengths may stand in the schema; others (patterns, numbers).
    logprobs, seed, temperature, system, cache : may be asked for; system messages, cache points.
    turns : a conversation may have more than one turn.
    alternatives : the most log-probabilities there may be at one token.
    limit : the name of the limit on answered tokens.
    held : an answer has come back that fits, so the mode is not in doubt any more.
    """

    mode: str = "json_schema"
    json_object: bool = True
    choice: str = "tool"
    lengths: bool = True
    limits: bool = True
    logprobs: bool = True
    seed: bool = True
    temperature: bool = True
    system: bool = True
    cache: bool = True
    turns: bool = True
    alternatives: int = 20
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


class Negotiator:
    """Finds out the capabilities of one alias's endpoint, and sends requests within them.

    Parameters
    ----------
    identity : what the endpoint is known by: provider, address, model.
    mode : the alias's setting; anything but 'auto' is not given up.
    start : where to begin when nothing is known.
    """

    def __init__(
        self, identity: Mapping[str, Any], mode: str, start: Capabilities, memory: Memory | None
    ) -> None:
        self.fixed = mode != AUTO
        self.capabilities = start
        if self.fixed:
            self.capabilities.mode = mode
        self._memory = memory
        self._endpoint = json.dumps({**identity, "mode": mode}, sort_keys=True)
        self._known: dict[str, Any] | None = None
        self._recalled = False
        self._alone = asyncio.Lock()
        self._settled = False
        # Whether anything was ever answered, and whether that was tried without knowing better.
        self._answered = self._tried = False

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[Capabilities]:
        """Wait until it is one's turn to send: alone while the capabilities are not settled."""
        self.recall()
        if not self._settled:
            await self._alone.acquire()
            if self._settled:
                self._alone.release()
        if self._settled:
            yield self.capabilities
            return
        try:
            yield self.capabilities
        except BaseException:
            # It may have failed for reasons of its own: the others do not wait for another.
            self._settled = True
            raise
        finally:
            self._alone.release()

    async def ask(
        self,
        request: ProviderRequest,
        body: Callable[[ProviderRequest], dict[str, Any]],
        send: Callable[[dict[str, Any]], Awaitable[T]],
        adapt: Callable[[str, dict[str, Any]], bool],
        read: Callable[[T, dict[str, Any]], ProviderReply],
        blindly: Callable[[str, Mapping[str, Any]], Sequence[Callable[[], object]]] | None = None,
    ) -> ProviderReply:
        """Send a request's body, without what is complained of and can be done without, and learn.

        `adapt` is told a complaint and the body; False where nothing of it can be given up.
        `blindly` returns what may be given up where nothing was ever answered and a complaint names
        nothing. Raises ProviderError.
        """
        async with self._turn():
            while True:
                mode = self.capabilities.mode
                sent = body(request)
                try:
                    raw = await send(sent)
                    break
                except ProviderError as error:
                    if error.refused or not _is_of_form(error):
                        raise
                    if adapt(error.about, sent):
                        continue
                    if blindly is None or not error.alone or self._answered or self._tried:
                        raise
                    changes = blindly(error.about, sent)
                    if not changes:
                        raise
                    self._tried = True
                    raw, sent = await self._blindly(request, body, send, changes, error)
                    mode = self.capabilities.mode
                    break
            self._answered = True
            reply = read(raw, sent)
            await self._learn(request, reply, mode)
            return reply

    async def _blindly(
        self,
        request: ProviderRequest,
        body: Callable[[ProviderRequest], dict[str, Any]],
        send: Callable[[dict[str, Any]], Awaitable[T]],
        changes: Sequence[Callable[[], object]],
        error: ProviderError,
    ) -> tuple[T, dict[str, Any]]:
        """Give up one thing after another, then all of them; raises the error if nothing helps.

        Refused requests cost nothing, and the one that passes is an answer.
        """
        before = self.capabilities
        for attempt in [*([change] for change in changes), changes]:
            self.capabilities = replace(before)
            for change in attempt:
                change()
            sent = body(request)
            try:
                return await send(sent), sent
            except ProviderError as again:
                if not isinstance(again, RejectedError):
                    break
        self.capabilities = before
        raise error

    async def _learn(self, request: ProviderRequest, reply: ProviderReply, mode: str) -> None:
        """Learn from a reply to a request in a mode, and remember capabilities that work.

        An endpoint that takes a schema and answers with something else does not hold to it, so the
        next request goes another way; once an answer fitted, that is the answer's own fault.
        """
        capabilities = self.capabilities
        weakened = False
        if request.schema is not None and not capabilities.held:
            if fits(reply.text, request.schema, exactly=mode != "json"):
                capabilities.held = True
            elif reply.finish_reason == "stop" and not self.fixed and capabilities.mode == mode:
                weakened = capabilities.weaken()
        self._settled = self._settled or not weakened
        if capabilities.held and self._memory is not None:
            now = asdict(capabilities)
            if now != self._known:
                self._known = now
                await self._memory.record_capabilities(self._endpoint, now)

    def weaken(self, refused: str) -> bool:
        """Give up a mode the endpoint refused; False when that may not be, or none is left.

        Requests in flight together are refused together: for the second of them it is done.
        """
        if self.capabilities.mode != refused:
            return True
        return not self.fixed and self.capabilities.weaken()

    def loosen(self, refused: str) -> bool:
        """Demand the tool less firmly than it was refused, or give up tools; False as above."""
        return (
            refused != self.capabilities.choice
            or self.capabilities.loosen()
            or self.weaken("tools")
        )

    def described(self) -> str | None:
        """Say how answers are asked for; None when it is not known yet."""
        self.recall()
        return None if self._known is None else self.capabilities.described()

    def recall(self) -> None:
        """Look up once what is known of the endpoint."""
        if self._recalled:
            return
        self._recalled = True
        found = None if self._memory is None else self._memory.capabilities(self._endpoint)
        if found is None:
            return
        names = {field.name for field in fields(Capabilities)}
        known = {name: value for name, value in found.items() if name in names}
        self.capabilities = Capabilities(**known)
        self._known = asdict(self.capabilities)
        self._settled = self._answered = True


# Under another status than 400 a complaint may be about anything: only these words are heard.
_CLEAR = re.compile(
    r"log.?prob|\brole|system (message|prompt|instruction)|chat template|jinja|tool use|max_tokens"
    r"|max_completion_tokens|response_format|json_schema"
)


def _is_of_form(error: ProviderError) -> bool:
    """Tell whether the same might pass in another form."""
    return isinstance(error, RejectedError) or _CLEAR.search(error.about) is not None


def fits(text: str, schema: Mapping[str, Any], *, exactly: bool) -> bool:
    """Tell whether a text is, or else holds, an object with the schema's fields."""
    if not exactly:
        text = text[max(0, text.find("{")) : text.rfind("}") + 1]
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, dict) and set(schema.get("required", ())) <= set(value)


def with_extra(body: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body with further parameters in it; those of a group go beside its others."""
    for key, value in extra.items():
        known = body.get(key)
        if isinstance(known, dict) and isinstance(value, Mapping):
            value = {**known, **value}
        body[key] = value
    return body


def told(schema: Mapping[str, Any]) -> str:
    """Return the words in which a schema is put into a prompt."""
    spelled = json.dumps(schema, ensure_ascii=False)
    return f"Answer with one JSON object and nothing else. Its JSON schema:\n{spelled}"
