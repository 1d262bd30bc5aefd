"""One BLAS thread for small matrices, as `lupom.blas` has it for both halves."""

from lupom.blas import one_thread

__all__ = ["one_thread"]
