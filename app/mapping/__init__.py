"""Mappings of directives and paths, compiled once, that convert a Segment event to the fields of an action."""

from app.core.values.candidates import Read
from app.mapping.choice_context import Readers
from app.mapping.compiler import PRODUCT_ID
from app.mapping.mapping import Explanation, Mapping, compile_mapping
from app.mapping.named_places import named_places
from app.mapping.nearest_path import nearest_path
from app.mapping.nodes import MISSING
from app.mapping.product_ids import check_content_id

__all__ = [
    "MISSING",
    "PRODUCT_ID",
    "Explanation",
    "Mapping",
    "Read",
    "Readers",
    "check_content_id",
    "compile_mapping",
    "named_places",
    "nearest_path",
]
