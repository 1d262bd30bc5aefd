"""The engine: projects, graphs, stores and LLM calls. It knows nothing of surveys."""
