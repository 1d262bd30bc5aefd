"""LaTeX around an answer: models that are trained to solve problems put theirs in a box."""

from __future__ import annotations

import re

# In JSON the backslash is often not doubled, and "\\b" is a control character then.
BOX = re.compile(r"(?:\\|\x08|\\\x08)b?oxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_COMMANDS = re.compile(
    r"(?:\\|\t)(?:text|ext|textbf|extbf|textit|extit|mathrm|mathbf|mathsf)\b\s*(?=\{)"
    r"|[{}$]|\\[\[\](), ]"
)


def without(text: str) -> str:
    """Return a text without the commands of LaTeX that it has and their braces."""
    return _COMMANDS.sub(" ", BOX.sub(lambda box: box[1], text))


def only_box(text: str) -> str | None:
    """Return what is in the box that is all of a text; None where it is something else."""
    box = BOX.fullmatch(text.strip(" $.\n\t"))
    return None if box is None else without(box[1]).strip()
