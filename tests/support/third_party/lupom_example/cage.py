"""Where the parrot lives: what is imported when something is asked of it."""

import json
import struct
from collections.abc import Sequence
from typing import Any

from lupom.providers import ProviderReply, ProviderRequest, Surroundings
from lupom_example.parrot import LettersSettings, ParrotSettings


class Parrot:
    def __init__(self, alias: str, settings: ParrotSettings, around: Surroundings) -> None:
        self.word = settings.word

    def identity(self) -> dict[str, Any]:
        """Return what decides its answers beside the question: all of it is in a call's key."""
        return {"provider": "parrot", "model": "grey", "word": self.word}

    async def complete(self, request: ProviderRequest) -> ProviderReply:
        said = f"{self.word} {request.messages[-1]['content']}"
        answer = json.dumps(dict.fromkeys((request.schema or {})["properties"], said))
        return ProviderReply(answer, tokens_in=len(said) // 4, tokens_out=len(answer) // 4)

    async def check(self) -> str:
        return "the parrot is awake"

    async def close(self) -> None:
        pass


class Letters:
    batch, at_once = 100, 1
    where = "the parrot"

    def __init__(self, settings: LettersSettings) -> None:
        self.letters = settings.letters

    async def vectors(self, texts: Sequence[str]) -> tuple[list[bytes], int | None]:
        counts = ([text.count(letter) for letter in self.letters] for text in texts)
        return [struct.pack(f"<{len(self.letters)}f", *row) for row in counts], None

    async def close(self) -> None:
        pass
