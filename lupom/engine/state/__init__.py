"""What must outlive everything: runs, node results, and the ledger of LLM calls."""

from lupom.engine.state.database import State

__all__ = ["State"]
