"""One row per survey and attribute: what the attribute is called in words; for prompts."""

from lupom.science.surveys import context


def model(lupom):
    return context.attribute_labels(
        lupom.refs("{}_metadata", "surveys"), lupom.meta("{}_info", "surveys")
    )
