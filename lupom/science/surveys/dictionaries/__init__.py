"""Data dictionaries: files beside a file of codes that say what its columns and codes mean."""
