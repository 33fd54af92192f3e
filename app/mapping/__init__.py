"""Compile mappings: directives and paths, compiled once, turn a Segment event into the fields of an action."""

from app.mapping.mapping import Mapping, compile_mapping
from app.mapping.nodes import MISSING
from app.mapping.readings import Explanation, Read

__all__ = ["MISSING", "Explanation", "Mapping", "Read", "compile_mapping"]
