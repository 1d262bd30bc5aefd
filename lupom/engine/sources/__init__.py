"""Sources: files, S3 objects and tables of other DuckDB files, as relations that SQL can read."""
