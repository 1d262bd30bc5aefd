"""Readers that turn survey files of several layouts into one set of tables."""
