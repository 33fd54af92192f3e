"""`@liquid`, by python-liquid, configured to behave like the LiquidJS that Segment uses."""

from typing import Any

from app.mapping.compiler import Compiler
from app.mapping.nodes import Node


def build_liquid(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@liquid`: the text of a template; unknown tags and filters, and Segment's disabled ones, are faults."""
    from app.mapping.liquid.template import build_template_node  # noqa: PLC0415 - a tenth of a start, for what few use

    return build_template_node(compiler, value, at)
