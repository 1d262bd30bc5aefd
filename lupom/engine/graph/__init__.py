"""The graph of a project's nodes, and the grammar that selects from it. Pure: no I/O."""

from lupom.engine.graph.dag import Graph, Node, Ref, check_guarded
from lupom.engine.graph.selectors import Method, select

__all__ = ["Graph", "Method", "Node", "Ref", "check_guarded", "select"]
