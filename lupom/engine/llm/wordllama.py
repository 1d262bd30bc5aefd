"""Vectors of texts in this process: those that come with wordllama."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import LLMError
from lupom.engine.llm.settings.wordllama import MODEL, SIZE
from lupom.engine.logs import root_as_it_is

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from lupom.engine.llm.settings.wordllama import WordllamaSettings

_loaded: dict[int, Any] = {}
_lock = threading.Lock()


def embed_here(settings: WordllamaSettings, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return wordllama's vectors of the texts, (n, dimensions) float32, in process, no network.

    A text without a known word is a zero vector. Raises LLMError for a size it does not have.
    """
    import numpy as np

    size = settings.dimensions or SIZE
    model = _model(size)
    if not texts:
        return np.zeros((0, size), dtype=np.float32)
    with _lock, np.errstate(invalid="ignore", divide="ignore"):
        vectors = model.embed(list(texts))
    return np.nan_to_num(np.asarray(vectors, dtype=np.float32))


def _model(size: int) -> Any:
    if size not in (64, 128, SIZE):
        raise LLMError(
            f"wordllama has no vectors of {size} dimensions", hint="64, 128 or 256 (the default)"
        )
    with _lock:
        if size not in _loaded:
            from pathlib import Path

            try:
                with root_as_it_is():
                    import wordllama
            except ImportError as error:
                raise LLMError(
                    f"wordllama cannot be imported: {error}", hint="pip install wordllama"
                ) from None
            # The wheel holds its vectors; a plain load() would go to a hub for them.
            folder = Path(wordllama.__file__).parent
            _loaded[size] = wordllama.WordLlama.load(
                MODEL,
                cache_dir=folder,
                trunc_dim=None if size == SIZE else size,
                disable_download=True,
            )
        return _loaded[size]
