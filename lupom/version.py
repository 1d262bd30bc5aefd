"""The version, in the one place where it stands; it is read as text when a wheel is built."""

__version__ = "0.1.0"
