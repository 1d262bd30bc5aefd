"""A Gaussian over answers and attributes as 0 and 1, and what it says of what is not known."""
