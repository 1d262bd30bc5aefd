"""A provider: a parrot, which says a word and what it was told, and counts letters."""

from typing import Any, ClassVar, Literal

from lupom.providers import EmbeddingSettings, LLMSettings, Provides


class ParrotSettings(LLMSettings):
    """A parrot that repeats what it is told."""

    provider: Literal["parrot"]
    """Which interface is spoken."""
    word: str = "Awk!"
    """What it says first."""

    made_by: ClassVar[str] = "lupom_example.cage:Parrot"
    needs_model: ClassVar[bool] = False


class LettersSettings(EmbeddingSettings):
    """Texts as numbers of their letters."""

    provider: Literal["parrot"]
    """Which interface is spoken."""
    letters: str = "abc"
    """The letters that are counted."""

    made_by: ClassVar[str] = "lupom_example.cage:Letters"
    needs_model: ClassVar[bool] = False

    def identity(self) -> dict[str, Any]:
        """Return what decides a text's vector."""
        return {**super().identity(), "letters": self.letters}


PROVIDES = Provides(llms=ParrotSettings, embeddings=LettersSettings)
