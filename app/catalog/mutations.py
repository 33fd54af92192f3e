"""Change a single place, condition or function of a preset, mapping or source file, for `pinrelay test --mutants`."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from app.catalog.document import Path, with_member, without_member
from app.catalog.fields import is_plain
from app.catalog.opt_outs import OPT_OUT_FIELDS, paths_in, shipped_paths, texts_in
from app.catalog.reshaping import RECORD_FIELDS
from app.errors import TriggerError
from app.trigger import Readable
from app.trigger.edits import negated, parts_of, with_joiner, without_term
from app.trigger.syntax import EVENT_FIELDS, Group, Joiner, places_asked

#: Directives whose options are values in order, each of which can be removed.
_LISTS: Final = frozenset({"@coalesce", "@all", "@sum", "@multiply", "@subtract", "@merge"})
#: Directives for which the order of the values matters.
_ORDERED: Final = frozenset({"@coalesce", "@subtract"})
#: Directives with a path and a shape.
_SHAPES: Final = frozenset({"@each", "@arrayPath"})
_SWAP: Final = "can change places"
_ARITHMETIC: Final = {"@sum": "@subtract", "@subtract": "@sum", "@multiply": "@sum"}
#: Options that a directive reads literally.
_CONSTANTS: Final = frozenset({"equals", "contains", "name", "prefix", "then", "else"})
_RECORD_FIELDS: Final = Readable(flat=(*RECORD_FIELDS.flat, "name"), nested=RECORD_FIELDS.nested)
_LAST_NAME: Final = re.compile(r"\w+(?=\W*$)", re.ASCII)
_PLACEHOLDER: Final = re.compile(r"(?<=\{\{)[^{}]+(?=\}\})")


class Change(NamedTuple):
    """A changed file."""

    #: The changed place in the file, for its line.
    at: Path
    #: The change as the start of a sentence: "`$.userId` can be removed from `user_data.email`".
    sentence: str
    #: The changed content of the file.
    value: dict[str, Any]
    #: The paths in an event that the changed place reads, such as `$.userId`.
    paths: Sequence[str]


#: A place in the file, the start of a sentence, and the new value. `_REMOVED` removes the member.
_Edit: TypeAlias = tuple[Path, str, Any]
_REMOVED: Final = object()


def changes(value: dict[str, Any]) -> Iterator[Change]:
    """Yield each change of the content of a preset, mapping or source file. The content is not modified."""
    for at, sentence, new in _edits(value):
        changed = without_member(value, at) if new is _REMOVED else with_member(value, at, new)
        paths = tuple(_paths_at(value, at))
        if "fields" in value and not OPT_OUT_FIELDS.isdisjoint(at):
            # A shipped opt-out is read until the file drops its path.
            dropped = {*value.get("drops_opt_out", ()), *shipped_paths().intersection(_paths_around(value, at))}
            changed |= {"drops_opt_out": sorted(dropped)}
        yield Change(at, sentence, changed, paths)


def _paths_around(value: Any, at: Path) -> Iterator[str]:
    """Yield the paths that the option of `@all` with this place reads."""
    end = at.index("@all") + 2 if "@all" in at else len(at)
    for step in at[:end]:
        value = value[step]
    yield from paths_in(value)


def _paths_at(value: Any, at: Path) -> Iterator[str]:
    """Yield the paths that a place of a file reads: of a trigger, of a value, or of a name within `@blocks`."""
    place = ""
    for step in at:
        try:
            value = value[step]
        except (LookupError, TypeError):  # a member that the change adds
            return
        if isinstance(value, dict) and isinstance(value.get("place"), str):
            place = value["place"]
    if at[-1] in ("subscribe", "requires", "withdrawn_by") and isinstance(value, str):
        fields = EVENT_FIELDS if len(at) == 1 else _RECORD_FIELDS
        yield from (f"$.{each}" for each in places_asked(parts_of(value, fields)[0][1]))
    elif place and isinstance(value, str):
        yield f"{place}.{value}"
    else:
        yield from _paths(value)


def _edits(value: dict[str, Any]) -> Iterator[_Edit]:
    if "fields" in value:
        for name, spec in value["fields"].items():
            yield from _of_default(spec, ("fields", name), name)
        return
    for name in ("subscribe", "withdrawn_by"):
        if value.get(name):
            yield from _of_trigger(value[name], (name,))
    yield from _of_object(value.get("mapping", {}), ("mapping",), "")
    if value.get("enabled", True) and "subscribe" in value:
        yield ("enabled",), "the preset can be disabled", False
    for number, event in enumerate(value.get("events", ())):
        for name in ("subscribe", "requires"):
            if event.get(name):
                yield from _of_trigger(event[name], ("events", number, name), _RECORD_FIELDS)
        yield from _of_object(event.get("mapping", {}), ("events", number, "mapping"), "")


def _of_default(spec: dict[str, Any], at: Path, field: str) -> Iterator[_Edit]:
    if spec.get("default") is not None:
        yield from _of_value(spec["default"], (*at, "default"), field)
    for name, member in (spec.get("properties") or {}).items():
        yield from _of_default(member, (*at, "properties", name), f"{field}.{name}")


def _of_object(value: dict[str, Any], at: Path, field: str) -> Iterator[_Edit]:
    """Yield the changes of each member, and the removal of each member without members."""
    for name, member in value.items():
        inner = f"{field}.{name}" if field else name
        if not is_plain(member) or not member:
            yield (*at, name), f"`{inner}` can be removed", _REMOVED
        yield from _of_value(member, (*at, name), inner)


def _of_value(value: Any, at: Path, field: str) -> Iterator[_Edit]:
    if is_plain(value):
        yield from _of_object(value, at, field)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _of_value(item, (*at, number), field)
    elif isinstance(value, dict):
        for name, options in value.items():
            yield from _of_directive(name, options, at, field)
    elif value is not None:
        yield from _of_constant(value, at, field)


def _of_constant(value: Any, at: Path, field: str) -> Iterator[_Edit]:
    if isinstance(value, bool):
        yield at, f"`{str(value).lower()}` in `{field}` can become `{str(not value).lower()}`", not value
    elif isinstance(value, int | float):
        yield at, f"`{value}` in `{field}` can become `{value + 1}`", value + 1
    elif isinstance(value, str):
        yield at, f"the text `{value}` in `{field}` can change", f"{value}x"


def _of_directive(name: str, options: Any, at: Path, field: str) -> Iterator[_Edit]:
    inside = (*at, name)
    if name == "@path":
        yield from _of_path(options, inside, field)
    elif name == "@template":
        yield from _of_placeholders(options, inside, field)
    elif name == "@blocks":
        yield from _of_blocks(options, inside, field)
    elif name in _SHAPES and isinstance(options, list):
        yield from _of_path(options[0], (*inside, 0), field)
        for number, shape in enumerate(options[1:], 1):
            yield from _of_value(shape, (*inside, number), field)
    elif name in _LISTS and isinstance(options, list):
        yield from _of_list(name, options, inside, field)
    elif is_plain(options):
        yield from _of_options(name, options, inside, field)
    else:
        yield from _of_value(options, inside, field)
    if name in _ARITHMETIC:
        other = _ARITHMETIC[name]
        yield at, f"`{name}` in `{field}` can become `{other}`", {other: options}


def _of_options(name: str, options: dict[str, Any], at: Path, field: str) -> Iterator[_Edit]:
    for option, value in options.items():
        if isinstance(value, dict | list):
            inner = _of_value(value, (*at, option), field)
            # whether one of several values exists does not depend on their order
            yield from (edit for edit in inner if option != "exists" or _SWAP not in edit[1])
        elif option in _CONSTANTS:
            yield from _of_constant(value, (*at, option), field)
    if "value" in options and not name.startswith("@if"):
        yield at[:-1], f"`{name}` can be removed from `{field}`", options["value"]


def _of_list(name: str, options: Sequence[Any], at: Path, field: str) -> Iterator[_Edit]:
    for number, option in enumerate(options):
        if len(options) > 1:
            yield (*at, number), f"{_shown(option)} can be removed from `{field}`", _REMOVED
        if len(options) == 1 or not _is_path(option):
            yield from _of_value(option, (*at, number), field)
        if name in _ORDERED and number and _order_counts(name, number, options[number - 1], option):
            swapped = [*options[: number - 1], option, options[number - 1], *options[number + 1 :]]
            yield (
                at,
                f"{_shown(options[number - 1])} and {_shown(option)} {_SWAP} in `{field}`",
                swapped,
            )


def _order_counts(name: str, number: int, one: Any, other: Any) -> bool:
    """Return whether an event can have another result if `other`, the option with this number, precedes `one`."""
    if name == "@subtract":
        return number == 1  # the subtrahends can be in any order
    tests: list[Any] = [each.get("@ifEquals") if isinstance(each, dict) else None for each in (one, other)]
    if all(test and "else" not in test for test in tests) and tests[0]["value"] == tests[1]["value"]:
        return bool(tests[0]["equals"] == tests[1]["equals"])  # different texts: at most one option has a result
    results = {*_results(one), *_results(other)}
    return None in results or len(results) > 1


def _results(value: Any) -> Iterator[str | None]:
    """Yield the texts that conditions can produce, such as `web` of `@ifEquals`; `None` for any other value."""
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith("@if"):
        (options,) = value.values()
        for name in {"then", "else", "unsaid"} & options.keys():
            yield from _results(options[name])
    else:
        yield str(value) if isinstance(value, str) or _is_path(value) else None


def _of_path(path: Any, at: Path, field: str) -> Iterator[_Edit]:
    if isinstance(path, str) and (renamed := _LAST_NAME.sub(lambda found: f"{found[0]}_", path, count=1)) != path:
        yield at, f"`{path}` in `{field}` can be another path", renamed


def _of_placeholders(text: Any, at: Path, field: str) -> Iterator[_Edit]:
    for found in _PLACEHOLDER.finditer(text) if isinstance(text, str) else ():
        changed = f"{text[: found.end()]}_{text[found.end() :]}"
        yield at, f"`{{{{{found[0]}}}}}` in `{field}` can be another path", changed


def _of_blocks(options: dict[str, Any], at: Path, field: str) -> Iterator[_Edit]:
    """Yield the removal of each place, each name of a member, and each enclosing name of `@blocks`."""
    lists: list[tuple[Path, Any]] = [((*at, name), options.get(name)) for name in ("within", "places", "recipients")]
    named = [(at, options)]
    for name in ("places", "recipients"):
        items = options.get(name) or ()
        named += [((*at, name, number), item) for number, item in enumerate(items) if isinstance(item, dict)]
    for place, item in named:
        for kind in ("members", "beside"):
            members = item.get(kind)
            if isinstance(members, dict):
                lists += [((*place, kind, member), names) for member, names in members.items()]
    for place, names in lists:
        for number, name in enumerate(names if isinstance(names, list) else ()):
            yield (*place, number), f"{_shown(name)} can be removed from `{field}.{place[-1]}`", _REMOVED


def _is_path(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"@path"}


def _shown(value: Any) -> str:
    """Return a value in a sentence: a path as it is written, another directive by its first path."""
    if isinstance(value, dict):
        paths = list(_paths(value))
        name = next(iter(value), "")
        return f"`{paths[0]}`" if _is_path(value) else f"`{name}` of `{paths[0]}`" if paths else f"`{name}`"
    return f"`{value}`"


def _paths(value: Any) -> Iterator[str]:
    """Yield the paths that a value reads, and those within the braces of its templates."""
    yield from paths_in(value)
    yield from (f"$.{each.strip()}" for text in texts_in(value) for each in _PLACEHOLDER.findall(text))


def _of_trigger(text: Any, at: Path, fields: Readable = EVENT_FIELDS) -> Iterator[_Edit]:
    """Yield each joiner swapped, each condition removed and each condition negated."""
    name = at[-1]
    try:
        parts = parts_of(text, fields)
    except TriggerError:
        return
    for place, part in parts:
        if isinstance(part, Group):
            other: Joiner = "or" if part.joiner == "and" else "and"
            sentence = f"`{part.joiner.upper()}` can become `{other.upper()}` in `{name}`"
            yield at, sentence, with_joiner(text, place, other, fields)
            continue
        if place:
            sentence = f"the condition `{part.text}` can be removed from `{name}`"
            yield at, sentence, without_term(text, place, fields)
        yield at, f"the condition `{part.text}` can be negated in `{name}`", negated(text, place, fields)
