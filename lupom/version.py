"""The version, in a module of its own that imports nothing: every part may say it."""

__version__ = "0.1.0"
