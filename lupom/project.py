"""The public `Project`: the engine's, with what needs both the engine and science."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from lupom.engine import workspace

if TYPE_CHECKING:
    from lupom.engine.run.tables import Table


class Project(workspace.Project):
    __doc__ = workspace.Project.__doc__

    def network(
        self,
        given: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        show: Sequence[str] = (),
        *,
        survey: str | None = None,
        network: str | None = None,
    ) -> Table:
        """Return how likely each value of persona dimensions is, given values of others.

        As `lupom network --given`. Parameters, columns and what is raised as for
        `lupom.networks.ask_network`.

        Examples
        --------
        >>> project.network({"Trust in science": "high"}, ["News"]).df()    # doctest: +SKIP
        """
        from lupom.networks import ask_network

        return ask_network(self, given, show, survey=survey, network=network)
