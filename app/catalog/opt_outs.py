"""Read the opt-outs of the shipped mapping in addition to those of a user's mapping."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache, reduce
from itertools import chain
from operator import getitem
from typing import Any, Final, TypeAlias

from app.catalog.fields import default_fields, is_plain, nearest
from app.catalog.files import ActionFile
from app.catalog.yaml_files import parse_yaml
from app.config.environment import shipped
from app.errors import Fault

#: Fields of opt-outs, as places in a mapping. Each collects all values with `@all`.
_FIELDS: Final = (("opt_out",), ("gpc",), ("advertiser_tracking_enabled",), ("custom_data", "opt_out_type"))
OPT_OUT_FIELDS: Final = frozenset(field[-1] for field in _FIELDS)
_SHIPPED_FILE: Final = "report_conversion_event.yaml"

#: By field, the values of its `@all`.
_Places: TypeAlias = Mapping[tuple[str, ...], Sequence[Any]]


@cache
def shipped_opt_outs() -> _Places:
    """Return the values of each opt-out field of the shipped mapping."""
    text = (shipped("mappings") / _SHIPPED_FILE).read_text(encoding="utf-8")
    defaults = default_fields(ActionFile.model_validate(parse_yaml(text)))
    return {field: reduce(getitem, field, defaults)["@all"] for field in _FIELDS}


def defaults_with_opt_outs(file: ActionFile) -> dict[str, Any]:
    """Return the defaults of a mapping file, with each shipped opt-out except those under its `drops_opt_out`."""
    return with_shipped_opt_outs(default_fields(file), file.drops_opt_out)


def with_shipped_opt_outs(mapping: dict[str, Any], dropped: Collection[str]) -> dict[str, Any]:
    """Return the mapping with all shipped opt-outs, except those with a path in `dropped`.

    The same object is returned if the mapping does not change.
    """
    for (name, *member), places in shipped_opt_outs().items():
        given = mapping.get(name)
        inner = given if isinstance(given, dict) else {}  # null or a constant text has no members
        if not member:
            mapping = _with(mapping, name, places, dropped)
        elif is_plain(inner):
            changed = _with(inner, member[0], places, dropped)
            mapping = mapping if changed is inner else mapping | {name: changed}
        else:  # a directive creates the whole object
            own = {"@transform": {"apply": inner, "mapping": {"@path": f"$.{member[0]}"}}}
            added = _with({member[0]: own}, member[0], places, dropped)
            mapping = mapping | {name: {"@merge": {"direction": "right", "objects": [inner, added]}}}
    return mapping


def _with(mapping: dict[str, Any], name: str, places: Sequence[Any], dropped: Collection[str]) -> dict[str, Any]:
    value = mapping.get(name)
    own = value["@all"] if isinstance(value, dict) and isinstance(value.get("@all"), list) else [value]
    own = [] if value is None else own
    unread = [each for each in places if set(dropped) & set(paths_in(each))]
    read = [each for each in own if each not in unread] + [each for each in places if each not in [*own, *unread]]
    return mapping if read == own else mapping | {name: {"@all": read}}


@cache
def shipped_paths() -> frozenset[str]:
    """Return each path that an opt-out of the shipped mapping reads."""
    return frozenset(chain.from_iterable(map(paths_in, chain.from_iterable(shipped_opt_outs().values()))))


def unknown_drops(dropped: Sequence[str]) -> Iterator[Fault]:
    """Yield a fault for each path in `drops_opt_out` that is not an opt-out of the shipped mapping."""
    known = shipped_paths()
    for number, path in enumerate(dropped):
        if path not in known:
            hint = nearest(path, known) or f": write one of {', '.join(sorted(known))}"
            yield Fault(f"/drops_opt_out/{number}", f"{path!r} is not an opt-out of the shipped mapping{hint}")


def paths_in(value: Any) -> Iterator[str]:
    """Yield the paths that a value of a mapping reads, such as `$.userId`."""
    yield from (text for text in texts_in(value) if text.startswith("$"))


def texts_in(value: Any) -> Iterator[str]:
    """Yield each text in an object or a list at any depth, without the names of members; a text yields itself."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        yield from chain.from_iterable(map(texts_in, value.values() if isinstance(value, dict) else value))
