"""The command line. Each command calls one library function, prints, and sets the exit code."""

from lupom.cli.group import main

__all__ = ["main"]
