"""What a method of Project says beside what it returns, where nobody gave it a `note`."""

from __future__ import annotations

import warnings


def warn(text: str) -> None:
    """Say it as a Python warning of the line that called the method."""
    # Below that line are the method, its function elsewhere in this package, and this.
    warnings.warn(text, stacklevel=4)
