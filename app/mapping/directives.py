"""Every directive: Segment's, and the few of our own that Pinterest needs."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.mapping import conditions, lists, paths, texts
from app.mapping.compiler import Builder, Compiler

DIRECTIVES: Final[Mapping[str, Builder]] = MappingProxyType(
    {
        "@path": paths.build_path,
        "@template": texts.build_template,
        "@literal": Compiler.compile,
        "@if": conditions.build_if,
        "@arrayPath": lists.build_array_path,
        "@case": texts.build_case,
        "@replace": texts.build_replace,
        # Pinrelay's own.
        "@coalesce": conditions.build_coalesce,
        "@ifEquals": conditions.build_if_equals,
    }
)
