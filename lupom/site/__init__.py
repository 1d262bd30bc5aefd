"""The site: a folder of static pages over a project, which need no server and no network."""

from __future__ import annotations

from lupom.site.pages import generate

__all__ = ["generate"]
