"""Plain functions on Arrow, NumPy and pandas tables; knows nothing of the engine."""
