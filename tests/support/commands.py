"""The command line, run in this process."""

from __future__ import annotations

import pytest

from lupom.cli.group import main


def lupom(*arguments: str) -> int:
    """Run the command line and return its exit code."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code
