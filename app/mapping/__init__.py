"""Compile mappings: directives and paths, compiled once, turn a Segment event into the fields of an action."""

from app.core.values.candidates import Read
from app.mapping.mapping import Explanation, Mapping, compile_mapping
from app.mapping.nodes import MISSING
from app.mapping.paths import nearest_path
from app.mapping.wanted import Readers

__all__ = ["MISSING", "Explanation", "Mapping", "Read", "Readers", "compile_mapping", "nearest_path"]
