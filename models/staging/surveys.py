"""One row per survey: title, when it was fielded, whom it is about; for prompts."""

from lupom.science.surveys import context


def model(lupom):
    # From `meta: {survey: ...}` in the properties of NAME_info, a seed or a source's table.
    return context.surveys(lupom.meta("{}_info", "surveys"))
