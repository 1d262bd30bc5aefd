"""A package that adds to LUPoM, as somebody else would write it."""
