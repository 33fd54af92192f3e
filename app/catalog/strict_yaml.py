"""YAML with JSON's types only: what looks like text is text.

Plain YAML reads `NO` as false, `01234` as 668, `12:30` as 750 and `2026-01-02` as a date;
a shop's data means none of these.
"""

import re
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from app.errors import Fault

#: Deeper files are refused before anything recurses over them.
MAX_YAML_DEPTH = 60

#: Longer files are not read: that takes time, and other requests wait. The longest that is shipped has 32,000.
MAX_YAML_CHARACTERS = 250_000

_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map")}


def _fault(message: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=message, problem_mark=mark)


#: PyYAML's wheels all have libyaml; what was built without it reads slowly.
_WithLibyaml: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class _JsonTypes(Composer, SafeConstructor, Resolver):
    """Knows null, booleans and numbers as JSON writes them; all else is text. Keys stand once; no anchors."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own attribute
    depth = 0

    def _here(self) -> Any:
        return self.peek_event().start_mark  # type: ignore[attr-defined]

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):  # type: ignore[attr-defined]
            raise _fault("aliases (*name) are not read", self._here())
        self.depth += 1
        if self.depth > MAX_YAML_DEPTH:
            raise _fault(f"nested deeper than {MAX_YAML_DEPTH} levels", self._here())
        node = super().compose_node(parent, index)
        if node is not None and node.tag not in _TAGS:
            raise _fault(f"the tag {node.tag.replace('tag:yaml.org,2002:', '!!')} is not read", node.start_mark)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _fault("a key must be text", key.start_mark)
            if key.value in seen:
                raise _fault(f"`{key.value}` stands twice", key.start_mark)
            key.tag = "tag:yaml.org,2002:str"
            seen.add(key.value)
        return super().construct_mapping(node, deep)


for _tag, _pattern, _first in (
    ("null", r"null|~|", ["n", "~", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"-?(0|[1-9][0-9]*)", list("-0123456789")),
    ("float", r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", list("-0123456789")),
):
    _JsonTypes.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


class _Loader(_JsonTypes, yaml.SafeLoader):
    """Reads by PyYAML itself, which says more plainly what is wrong."""


class _FastLoader(_JsonTypes, _WithLibyaml):  # type: ignore[misc]
    """Reads the same by libyaml, several times as fast."""

    def __init__(self, text: str) -> None:
        _WithLibyaml.__init__(self, text)
        Composer.__init__(self)


def parse_yaml(text: str) -> Any | Fault:
    """Read one YAML document; a Fault names line and column of what cannot be read."""
    if len(text) > MAX_YAML_CHARACTERS:
        message = f"has {len(text):,} characters, {MAX_YAML_CHARACTERS:,} at most are read: split it into several files"
        return Fault(path="", message=message)
    try:
        return yaml.load(text, Loader=_FastLoader)  # noqa: S506 - a SafeLoader with fewer types
    except (yaml.YAMLError, ValueError):
        return _parse_slowly(text)


def _parse_slowly(text: str) -> Any | Fault:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - likewise
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        return Fault(path="", message=f"not readable YAML: {place}{exc.problem or exc.context}")
    except (yaml.YAMLError, ValueError) as exc:
        return Fault(path="", message=f"not readable YAML: {exc}")
