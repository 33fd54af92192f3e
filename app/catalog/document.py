"""Edit the text of a YAML file: an edit replaces the text of a node, and the file is never dumped again.

So comments, order, quotes and line ends stay the same. The result of an edit is parsed again: if the content differs
from the intended content, the edit is refused, and people must change the text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final, TypeAlias

import orjson
import yaml

from app.catalog.fields import is_plain
from app.catalog.yaml_files import compose_yaml, parse_yaml
from app.errors import EditRefused, Fault
from app.mapping import MISSING

#: The keys and positions from the top of a file to a node: ("mapping", "user_data", "email").
Path: TypeAlias = tuple[str | int, ...]

#: Longer values are written on separate lines, if that is possible.
_MAX_INLINE: Final = 100
_STEP: Final = 2
_PLAIN: Final = re.compile(r"[\w$./<(][^\n\r\t#\"'{}\[\],&*!|>%@`?]*", re.ASCII)

#: Plain text after a key outside of braces: only a colon and a comment sign could be read differently.
_PLAIN_IN_BLOCK: Final = re.compile(r"[\w$./<(][^\n\r\t]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A member of an object or a list, with the nodes of the file."""

    #: `None` in a list.
    key: Any
    node: Any

    @property
    def start(self) -> int:
        return int((self.key or self.node).start_mark.index)


class YamlDocument:
    """The text of a file with an object at the top, and its content. An edit returns another document."""

    def __init__(self, text: str) -> None:
        """Parse the text. Raises EditRefused if it is unreadable, or its top is not an object."""
        self.text = text
        self.value: Any = parse_yaml(text)
        if isinstance(self.value, Fault):
            raise EditRefused((), str(self.value))
        if not isinstance(self.value, dict):
            raise EditRefused((), "the file holds no fields: begin with `name: ...`")

    @cached_property
    def _root(self) -> Any:
        return compose_yaml(self.text)

    @cached_property
    def _line_end(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    def get(self, path: Path, default: Any = None) -> Any:
        """Return the value at a place, or `default`."""
        value = self.value
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return default
        return value

    def lines(self, path: Path) -> tuple[int, int] | None:
        """Return the first and the last line of a node with its key, from 1; `None` if it does not exist."""
        node = self._root
        start = 0
        for step in path:
            entry = _find(node, step)
            if entry is None:
                return None
            node, start = entry.node, entry.start
        return self.text.count("\n", 0, start) + 1, self.text.count("\n", 0, self._end(node)) + 1

    def with_value(self, path: Path, value: Any) -> "YamlDocument":
        """Return the document with a value at a place, which may be new: missing objects on the path are created.

        A new member is the last of its object. Raises EditRefused if the text cannot be changed in this way.
        """
        if not path or alike(self.get(path, MISSING), value):
            return self
        parent, entry, depth = self._nearest(path)
        wanted = with_member(self.value, path, value)
        if entry is not None:
            return self._checked(self._replaced(parent, entry, value), path, wanted)
        for step in reversed(path[depth + 1 :]):
            value = {step: value} if isinstance(step, str) else [value]
        at = path[:depth]
        if not parent.value:
            # The text of an empty object or list is replaced as a whole.
            container: Any = {path[depth]: value} if isinstance(path[depth], str) else [value]
            return self._checked(self.with_value(at, container).text, path, wanted)
        return self._checked(self._added(parent, path[depth], value), path, wanted)

    def without(self, path: Path) -> "YamlDocument":
        """Return the document without a member; if it is the last member, its empty object remains.

        Without such a member the document is unchanged. Raises EditRefused if the text cannot be changed in this way.
        """
        parent, entry, _ = self._nearest(path)
        if entry is None:
            return self
        wanted = without_member(self.value, path)
        if len(parent.value) == 1 and len(path) > 1:
            empty: Any = {} if entry.key else []
            return self._checked(self.with_value(path[:-1], empty).text, path, wanted)
        return self._checked(self._cut(parent, entry), path, wanted)

    def _checked(self, text: str, path: Path, wanted: Any) -> "YamlDocument":
        """Return the document of a text after checking its content."""
        changed = read_document(text)
        if not alike(changed.value, wanted):
            raise EditRefused(path, "this place can only be changed in the YAML text")
        return changed

    def _nearest(self, path: Path) -> tuple[Any, _Entry | None, int]:
        """Return the last existing node on the path to a place, its member there, and the number of steps to it.

        The member is `None` if it does not exist.
        """
        node = self._root
        for depth, step in enumerate(path):
            entry = _find(node, step)
            if entry is None or depth == len(path) - 1:
                return node, entry, depth
            node = entry.node
            if isinstance(node, yaml.ScalarNode):
                return _EMPTY_OF[type(path[depth + 1])], None, depth + 1
        raise EditRefused(path, "name a place inside the file")

    def _end(self, node: Any) -> int:
        """Return the end of a node's text: PyYAML includes the blank lines and comments after it."""
        if node.value and not isinstance(node, yaml.ScalarNode) and not node.flow_style:
            last = node.value[-1]
            return self._end(last[1] if isinstance(last, tuple) else last)
        end = int(node.end_mark.index)
        return len(self.text[:end].rstrip()) if getattr(node, "style", None) in ("|", ">") else end

    def _line_of(self, at: int) -> tuple[int, int]:
        """Return the start and end of the line around an offset, without its line end."""
        start = self.text.rfind("\n", 0, at) + 1
        end = self.text.find("\n", at)
        end = len(self.text) if end < 0 else end
        return start, end - (self.text[start:end].endswith("\r"))

    def _column(self, at: int) -> int:
        return at - self._line_of(at)[0]

    def _replaced(self, parent: Any, entry: _Entry, value: Any) -> str:
        node, text = entry.node, self.text
        start, end = int(node.start_mark.index), self._end(node)
        is_block = not parent.flow_style and not _is_inside_flow(self._root, node)
        in_line = _inline(value, in_block=is_block)
        head = entry.key.end_mark.index if entry.key else parent.start_mark.index
        starts_below = "\n" in text[head:start] and bool(entry.key)
        if starts_below:
            if not getattr(node, "flow_style", False) and len(in_line) > _MAX_INLINE and value:
                return text[:start] + self._block(value, self._column(start)) + text[end:]
            at = text.index(":", head) + 1
            _, line_end = self._line_of(at)
            return f"{text[:at]} {in_line}{text[at:line_end]}{text[end:]}"
        if is_block and entry.key and len(in_line) > _MAX_INLINE and isinstance(value, dict | list):
            at = text.index(":", head) + 1
            indent = self._column(entry.start) + _STEP
            rest = text[end : self._line_of(end)[1]].rstrip()
            block = f"{self._line_end}{' ' * indent}{self._block(value, indent)}"
            return text[:at] + rest + block + text[self._line_of(end)[1] :]
        space = " " if start and text[start - 1] == ":" else ""
        return text[:start] + space + in_line + text[end:]

    def _added(self, parent: Any, step: str | int, value: Any) -> str:
        """Return the text with another member of a non-empty object or list."""
        text = self.text
        last = _entries(parent)[-1]
        end = self._end(last.node)
        named = f"{_inline(step)}: " if isinstance(step, str) else ""
        if parent.flow_style or _is_inside_flow(self._root, parent):
            return f"{text[:end]}, {named}{_inline(value)}{text[end:]}"
        indent = self._column(last.start) if named else self._column(int(parent.start_mark.index))
        _, line_end = self._line_of(end)
        added = self._member(step, value, indent) if named else f"- {_inline(value, in_block=True)}"
        return f"{text[:line_end]}{self._line_end}{' ' * indent}{added}{text[line_end:]}"

    def _cut(self, parent: Any, entry: _Entry) -> str:
        """Return the text without a member of an object or list with several members."""
        text, entries = self.text, _entries(parent)
        place = next(number for number, each in enumerate(entries) if each.node is entry.node)
        end = self._end(entry.node)
        if parent.flow_style or _is_inside_flow(self._root, parent):
            before = self._end(entries[place - 1].node) if place else entry.start
            behind = entries[place + 1].start if place + 1 < len(entries) else None
            if behind is None and "\n" in text[before : entry.start]:  # a comma may end the line before
                return text[: entry.start] + text[end:]
            if behind is not None and (
                place == 0 or ("\n" in text[before : entry.start] and "\n" not in text[end:behind])
            ):
                return text[: entry.start] + text[behind:]
            return text[:before] + text[end:]
        start = entry.start if entry.key else text.rindex("-", 0, entry.start)
        line_start, _ = self._line_of(start)
        if text[line_start:start].strip():  # after the dash of a list, or the sign of a key
            if place + 1 == len(entries):
                raise EditRefused((entry.key.value,), "this place can only be changed in the YAML text")
            return text[:start] + text[entries[place + 1].start :]
        _, line_end = self._line_of(end)
        behind = len(text) if line_end >= len(text) else text.index("\n", line_end) + 1
        return text[:line_start] + text[behind:]

    def _member(self, name: Any, value: Any, indent: int) -> str:
        """Return the text of a member of an object whose first line is already indented."""
        in_line = f"{_inline(name)}: {_inline(value, in_block=True)}"
        if len(in_line) <= _MAX_INLINE or not value or not isinstance(value, dict | list):
            return in_line
        below = f"{self._line_end}{' ' * (indent + _STEP)}"
        return f"{_inline(name)}:{below}{self._block(value, indent + _STEP)}"

    def _block(self, value: Any, indent: int) -> str:
        """Return an object or a list on separate lines, of which the first is already indented."""
        below = f"{self._line_end}{' ' * indent}"
        if isinstance(value, dict):
            return below.join(self._member(name, each, indent) for name, each in value.items())
        if isinstance(value, list):
            return below.join(f"- {_inline(each, in_block=True)}" for each in value)
        return _inline(value, in_block=True)


@lru_cache(maxsize=4)
def read_document(text: str) -> YamlDocument:
    """Return the document of a text. Cached, because an editor repeats the same texts. Raises EditRefused."""
    return YamlDocument(text)


#: Replaces a scalar on the path to a new place: it has no members, and is replaced as a whole.
_EMPTY_OF: Final = {
    str: yaml.MappingNode("tag:yaml.org,2002:map", []),
    int: yaml.SequenceNode("tag:yaml.org,2002:seq", []),
}


def _entries(node: Any) -> list[_Entry]:
    if isinstance(node, yaml.MappingNode):
        return [_Entry(key, value) for key, value in node.value]
    return [_Entry(None, each) for each in node.value] if isinstance(node, yaml.SequenceNode) else []


def _find(node: Any, step: str | int) -> _Entry | None:
    """Return the member of a node with this name or position, or `None`."""
    entries = _entries(node)
    if isinstance(node, yaml.SequenceNode):
        return entries[step] if isinstance(step, int) and 0 <= step < len(entries) else None
    return next((entry for entry in entries if entry.key.value == step), None)


def _is_inside_flow(root: Any, wanted: Any) -> bool:
    """Return whether a node is written within braces or brackets of another."""

    def flows(node: Any) -> Iterator[Any]:
        for entry in _entries(node):
            if node.flow_style:
                yield entry.node
            yield from flows(entry.node)

    return any(node is wanted for node in flows(root))


def _inline(value: Any, *, in_block: bool = False) -> str:
    """Return a value on a single line, valid anywhere, or only after a key or dash outside of braces."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_inline(str(name))}: {_inline(each)}' for name, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, str):
        return _text(value, in_block=in_block)
    return orjson.dumps(value).decode()


def _text(text: str, *, in_block: bool) -> str:
    """Return a plain text if it is parsed as the same text; otherwise a quoted text."""
    pattern, around = (_PLAIN_IN_BLOCK, "k: {}") if in_block else (_PLAIN, "{{k: {}}}")
    if pattern.fullmatch(text) and not text.endswith((" ", ":")):
        found = parse_yaml(around.format(text))
        if not isinstance(found, Fault) and alike(found, {"k": text}):
            return text
    return str(yaml.safe_dump(text, default_style='"', allow_unicode=True, width=2**30)).removesuffix("\n")


def with_member(value: Any, path: Sequence[str | int], new: Any) -> Any:
    """Return a copy of a value with a new value at a place. Missing objects and lists on the path are created."""
    if not path:
        return new
    step, *rest = path
    if isinstance(step, int):
        items = list(value) if isinstance(value, list) else []
        if step < len(items):
            return [*items[:step], with_member(items[step], rest, new), *items[step + 1 :]]
        return [*items, with_member(None, rest, new)]
    members = value if isinstance(value, dict) else {}
    return {**members, step: with_member(members.get(step), rest, new)}


def without_member(value: Any, path: Sequence[str | int]) -> Any:
    """Return a copy of a value without the member at a place."""
    step, *rest = path
    if rest:
        inner = without_member(value[step], rest)
        return with_member(value, (step,), inner)
    if isinstance(value, list):
        return [each for place, each in enumerate(value) if place != step]
    return {name: each for name, each in value.items() if name != step}


def alike(one: Any, other: Any) -> bool:
    """Return whether two values are equal as JSON, including the order of members: 1, 1.0 and true differ."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)


def changed_nodes(was: Any, becomes: Any, at: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """Yield the place of each node that differs between two documents, with both values; MISSING: no value.

    A directive is a single node. Members of an object are compared by name, and so are list items with names.

    >>> list(changed_nodes({"mapping": {"event_name": "lead"}}, {"mapping": {"event_name": "custom"}}))
    [(('mapping', 'event_name'), 'lead', 'custom')]
    """
    old, new = _members(was, at), _members(becomes, at)
    if old is not None and new is not None:
        for name in {**old, **new}:
            yield from changed_nodes(old.get(name, MISSING), new.get(name, MISSING), (*at, name))
    elif not alike(was, becomes):
        yield at, was, becomes


def _members(value: Any, at: Path) -> dict[str, Any] | None:
    """Return the parts of a node that are compared by name; `None` if the node is compared as a whole."""
    if is_plain(value):
        return value
    if isinstance(value, list):
        named = {each["name"]: each for each in value if isinstance(each, dict) and isinstance(each.get("name"), str)}
        return named if named and len(named) == len(value) else None
    return {} if value is MISSING and (at[:1] == ("mapping",) or at == ("tests",)) else None
